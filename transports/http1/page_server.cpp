#include "transports/http1/page_server.h"

#include <boost/asio/error.hpp>

namespace transports::http1 {

namespace asio = boost::asio;
using common::ByteStream;
using common::error_code;
using common::Ready;

namespace {

std::string without_port(const std::string& host) {
    if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
    return host.substr(0, host.find(':'));
}

}  // namespace

asio::awaitable<void> PageServer::serve(ByteStream& stream) {
    ra::Bytes surplus;
    while (!ending()) {
        if (surplus.empty()) {
            stream.expires_after(settings_.idle_time);
            stream.set_idle(true);
            const Ready ready = co_await stream.wait_read();
            stream.set_idle(false);
            if (ready != Ready::ready) break;
        }
        PageReader reader{settings_.max_header, settings_.max_body};
        const bool whole = co_await receive(stream, reader, surplus);
        if (!whole) break;
        surplus = reader.take_surplus();
        const bool on = co_await answer(stream, reader);
        if (!on) break;
    }
    stream.close();
}

/// False: the connection is to be closed; what there was to say has been said.
asio::awaitable<bool> PageServer::receive(ByteStream& stream, PageReader& reader,
                                          ra::Bytes& surplus) {
    stream.expires_after(settings_.receive_time);
    ra::Bytes first = std::move(surplus);
    surplus.clear();
    for (;;) {
        ra::ByteView octets = first;
        error_code error;
        if (first.empty()) {
            const auto scratch = worker_.scratch();
            octets = scratch.first(stream.try_read(scratch, error));
            if (error && error != asio::error::would_block) co_return false;
        }
        const Stage stage = octets.empty() ? Stage::need_more : reader.feed(octets);
        if (stage == Stage::done) co_return true;
        first.clear();
        unsigned refusal = stage == Stage::malformed ? reader.refusal() : 0;
        if (refusal == 0) {
            const Ready ready = co_await stream.wait_read();
            if (ready == Ready::ready) continue;
            if (ready == Ready::closed) co_return false;
            refusal = 408;
        }
        HeadFacts facts;
        facts.status = refusal;
        facts.close = true;
        (void)co_await send(stream, facts, {});
        stream.shutdown_write();
        co_return false;
    }
}

asio::awaitable<bool> PageServer::answer(ByteStream& stream, PageReader& reader) {
    HeadFacts facts;
    worker_.random().fill(facts.trace.octets);
    const bool head_only = reader.method() == "HEAD";
    PageRequest request{head_only ? "GET" : reader.method(),
                        reader.path(),
                        reader.query(),
                        without_port(reader.host()),
                        reader.take_body(),
                        facts.trace,
                        stream};
    Page page;
    try {
        page = co_await serve_(std::move(request));
    } catch (...) {
        page = Page{500, "text/plain; charset=utf-8", "internal error; the log says more\n"};
        worker_.report("page", std::current_exception());
    }
    facts.status = page.status;
    facts.allow = page.allow;
    if (!page.body.empty()) facts.content_type = page.content_type;
    facts.close = !reader.keep_alive() || ending();
    facts.say_keep_alive = reader.http_1_0();
    const bool sent = co_await send(stream, facts, ra::as_bytes(page.body), head_only);
    if (facts.close) stream.shutdown_write();
    co_return sent && !facts.close;
}

asio::awaitable<bool> PageServer::send(ByteStream& stream, HeadFacts facts, ra::ByteView content,
                                       bool head_only) {
    facts.content_length = content.size();
    facts.date = date_.now();
    const ResponseHead head{facts};
    stream.expires_after(settings_.send_time);
    const error_code error =
        co_await stream.write(head.octets(), head_only ? ra::ByteView{} : content);
    co_return !error;
}

}  // namespace transports::http1
