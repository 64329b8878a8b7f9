// Boost.JSON is used without its library: this is the one translation unit that holds it.
#include <boost/json/src.hpp>
