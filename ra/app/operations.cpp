#include "ra/app/operations.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
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
