#include "ra/base/short_bytes.h"

#include <doctest/doctest.h>

using ra::Bytes;
using ra::ByteView;
using ra::ShortBytes;

TEST_SUITE("ra/base") {
    TEST_CASE("ShortBytes: a value, in place or not") {
        for (const std::size_t size : {0U, 1U, 16U, 32U, 33U, 64U, 1024U}) {
            CAPTURE(size);
            Bytes octets(size, 0x5a);
            const ShortBytes made{octets};
            ShortBytes copy = made;
            octets.assign(size, 0);  // it holds its own
            CHECK(made.size() == size);
            CHECK(made.empty() == (size == 0));
            CHECK(ra::equal(made, Bytes(size, 0x5a)));
            CHECK(copy == made);
            ShortBytes moved = std::move(copy);
            CHECK(moved == made);
            if (size != 0) CHECK_FALSE(moved == ShortBytes{octets});
            moved = ByteView{};
            CHECK(moved.empty());
        }
    }
}
