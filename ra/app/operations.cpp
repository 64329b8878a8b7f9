#include "ra/app/operations.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <optional>
#include <utility>

#include "ra/admin/health.h"

namespace ra::app {

using admin::Health;
using admin::Request;
using admin::Response;
using admin::Role;

namespace {

asio::awaitable<Response> metrics_page(const Server& server) {
    static constexpr std::string_view kExposition = "text/plain; version=0.0.4; charset=utf-8";
    co_return Response{200, kExposition, metrics::prometheus_text(server.snapshot())};
}

asio::awaitable<Response> health_page(Health health, std::string_view what) {
    co_return Response::json(health.json(what), health.good ? 200 : 503);
}

asio::awaitable<Response> reload(AskReload ask) {
    const auto executor = co_await asio::this_coro::executor;
    const auto result =
        co_await asio::async_initiate<decltype(asio::use_awaitable), void(ReloadResult)>(
            [&ask, &executor](auto handler) {
                // std::function wants copies; the handler has none.
                auto shared = std::make_shared<decltype(handler)>(std::move(handler));
                ask([shared, executor](ReloadResult ended) {
                    asio::post(executor, [shared, ended = std::move(ended)]() mutable {
                        std::move (*shared)(std::move(ended));
                    });
                });
            },
            asio::use_awaitable);
    co_return Response::json(std::string("{\"reloaded\":") + (result.changed ? "true" : "false") +
                                 ",\"faults\":" + admin::json_text(result.faults) + "}\n",
                             result.changed ? 200 : 422);
}

}  // namespace

namespace {

using MaybeReply = std::optional<Reply>;

asio::awaitable<Response> take_mail(Server& server, Bytes der) {
    static constexpr std::string_view kCmp = "application/pkixcmp";
    const auto executor = co_await asio::this_coro::executor;
    const MaybeReply reply =
        co_await asio::async_initiate<decltype(asio::use_awaitable), void(MaybeReply)>(
            [&](auto handler) {
                auto shared = std::make_shared<decltype(handler)>(std::move(handler));
                server.mail(std::move(der), [shared, executor](MaybeReply ended) {
                    asio::post(executor, [shared, ended = std::move(ended)]() mutable {
                        std::move (*shared)(std::move(ended));
                    });
                });
            },
            asio::use_awaitable);
    if (!reply) co_return Response::fault(404, "there is no listener \"mail:\"");
    if (const auto* answer = std::get_if<Answer>(&*reply))
        co_return Response{200, kCmp, std::string(as_text(answer->der))};
    if (std::holds_alternative<Accepted>(*reply)) co_return Response{202, kCmp, {}};
    if (const auto* not_cmp = std::get_if<NotCmp>(&*reply))
        co_return Response{400, kCmp, std::string(as_text(not_cmp->der))};
    co_return Response::fault(503, "busy");
}

}  // namespace

void add_mail_endpoint(admin::Admin& admin, Server& server) {
    admin.add("POST", "/mail", Role::view,
              [&server](Request request) { return take_mail(server, std::move(request.body)); });
}

void add_operations(admin::Admin& admin, const Server& server, AskReload ask_reload) {
    admin.add("GET", "/metrics", Role::view, [&server](Request) { return metrics_page(server); });
    admin.add("GET", "/ready", Role::view, [&server](Request) {
        return health_page(admin::judge_ready(server.health()), "ready");
    });
    admin.add("GET", "/live", Role::view, [&server](Request) {
        return health_page(admin::judge_live(server.health()), "live");
    });
    if (!ask_reload) return;
    admin.add("POST", "/reload", Role::config,
              [ask = std::move(ask_reload)](Request) { return reload(ask); });
}

}  // namespace ra::app
