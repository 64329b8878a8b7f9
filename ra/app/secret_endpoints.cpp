#include "ra/app/secret_endpoints.h"

#include <stdexcept>

#include "ra/app/secrets.h"

namespace ra::app {
namespace {

using admin::Request;
using admin::Response;
using admin::Role;
using boost::asio::awaitable;

/// 200 with what `asked` tells; 400 where the request is at fault, 409 where the store is.
awaitable<Response> answer(awaitable<std::string> asked) {
    std::string why;
    unsigned status = 400;
    try {
        co_return Response::json(co_await std::move(asked) + '\n');
    } catch (const SecretFault& fault) {
        status = 409;
        why = fault.what();
    } catch (const std::invalid_argument& fault) {
        why = fault.what();
    }
    co_return Response::fault(status, why);
}

awaitable<std::string> add(gateway::Secrets& secrets, Bytes body, WallTime now) {
    SystemRandom random;
    SecretOrder order = parse_secret_order(as_text(body), now);
    wipe(body.data(), body.size());
    co_return co_await add_secret(secrets, std::move(order), random, now);
}

awaitable<std::string> revoke(gateway::Secrets& secrets, std::string reference) {
    co_return co_await revoke_secret(secrets, reference);
}

}  // namespace

void add_secret_endpoints(admin::Admin& admin, gateway::Secrets& secrets, const Clock& clock) {
    admin.add("GET", "/secrets", Role::secrets, [&secrets, &clock](Request) {
        return answer(list_secrets(secrets, clock.wall_now()));
    });
    admin.add("POST", "/secrets", Role::secrets, [&secrets, &clock](Request request) {
        return answer(add(secrets, std::move(request.body), clock.wall_now()));
    });
    admin.add("DELETE", "/secrets/*", Role::secrets, [&secrets](Request request) {
        return answer(revoke(secrets, std::move(request.rest)));
    });
}

}  // namespace ra::app
