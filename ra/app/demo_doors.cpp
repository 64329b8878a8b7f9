#include "ra/app/demo_doors.h"

#include <algorithm>
#include <string_view>

namespace ra::app {
namespace {

constexpr std::string_view kMediaType = "-H 'Content-Type: application/pkixcmp'";

/// Where a door is and what its command may use.
struct At {
    const Server::Served& served;
    std::string in;       // the demonstration's directory, with a slash
    std::string message;  // makes m.der
    std::string look;     // at answer.der

    [[nodiscard]] std::string path() const {
        return served.paths.empty() ? std::string{} : served.paths.front();
    }
    [[nodiscard]] std::string port() const { return std::to_string(served.port); }
    [[nodiscard]] std::string coap() const {
        const bool secure = served.scheme.starts_with("coaps");
        const std::string client =
            secure ? "coap-client-openssl -C " + in + "ca.pem" : "coap-client-notls";
        return message + "m.der && " + client + " -m post -t 259 -f m.der -o answer.der " +
               served.scheme + "://127.0.0.1:" + port() + "/.well-known/cmp" + look;
    }
    [[nodiscard]] std::string curl(const std::string& options) const {
        return message + "m.der && curl -sS " + options + ' ' + std::string(kMediaType) +
               " --data-binary @m.der -o answer.der " + served.scheme + "://localhost:" + port() +
               path() + look;
    }
};

/// `listener`: the TOML of its own, "PORT" stands for the port; empty: shares that of the row
/// before.
struct Door {
    std::string_view scheme, title, listener;
    std::string (*command)(const At& at);
};

constexpr std::string_view kTls =
    "tls = { certificate = \"file:tls.pem\", key = \"file:tls.key\" }\n";

const Door kDoors[] = {
    {"http", "HTTP/2 without TLS", "",
     [](const At& at) { return at.curl("--http2-prior-knowledge"); }},
    {"https", "HTTP/1.1 under TLS", "https://127.0.0.1:0",
     [](const At& at) {
         return "openssl cmp -server localhost:" + at.port() + " -path " + at.path() +
                " -tls_used -tls_trusted " + at.in + "ca.pem -cmd ir -cert " + at.in +
                "device.pem -key " + at.in + "device.key -trusted " + at.in + "ca.pem -newkey " +
                at.in + "new.key -subject '/CN=device-1/O=cmpgate demo' -certout device-1.pem";
     }},
    {"https", "HTTP/2 under TLS", "",
     [](const At& at) { return at.curl("--http2 --cacert " + at.in + "ca.pem"); }},
    {"tcp", "CMP over TCP", "tcp://127.0.0.1:0",
     [](const At& at) {
         return at.message + "m.tcp tcp && exec 3<>/dev/tcp/127.0.0.1/" + at.port() +
                " && cat m.tcp >&3 && tail -c +8 <&3 >answer.der" + at.look;
     }},
    {"tcps", "CMP over TCP under TLS", "tcps://127.0.0.1:0",
     [](const At& at) {
         return at.message +
                "m.tcp tcp && openssl s_client -quiet -verify_quiet "
                "-verify_return_error -CAfile " +
                at.in + "ca.pem -connect localhost:" + at.port() +
                " <m.tcp | tail -c +8 >answer.der" + at.look;
     }},
    {"coap", "CoAP", "coap://127.0.0.1:0", [](const At& at) { return at.coap(); }},
    {"coap+tcp", "CoAP over TCP", "coap+tcp://127.0.0.1:0", [](const At& at) { return at.coap(); }},
    {"coaps", "CoAP over DTLS", "coaps://127.0.0.1:0", [](const At& at) { return at.coap(); }},
    {"coaps+tcp", "CoAP over TLS", "coaps+tcp://127.0.0.1:0",
     [](const At& at) { return at.coap(); }},
    {"file", "files", "file:spool",
     [](const At& at) {
         const std::string spool = at.in + "spool/";
         return at.message + spool + "a.part && mv " + spool + "a.part " + spool +
                "in/a.pki && until test -e " + spool +
                "out/a.pki; do sleep 0.1; done && cmpgate inspect " + spool + "out/a.pki";
     }},
    {"mail", "mail", "mail:",
     [](const At& at) {
         return at.message + "m.eml mail && cmpgate mail -c " + at.in +
                "cmpgate.toml --from ra@example.org <m.eml";
     }},
};

}  // namespace

std::string demo_listeners(std::uint16_t port) {
    std::string text =
        "[[listener]]\nname = \"http\"\nurl = \"http://127.0.0.1:" + std::to_string(port) + "\"\n";
    for (const Door& door : kDoors) {
        if (door.listener.empty()) continue;
        text += "[[listener]]\nname = \"" + std::string(door.scheme) + "\"\nurl = \"" +
                std::string(door.listener) + "\"\n";
        const bool secure = door.listener.starts_with("https:") ||
                            door.listener.starts_with("tcps:") ||
                            door.listener.starts_with("coaps");
        if (secure) text += kTls;
    }
    return text;
}

std::string demo_message_script() {
    return R"(#!/bin/sh
# message FILE [tcp|mail]: a new, signed enrolment message (ir) of device-1; with tcp in a frame that has the server
# close the connection after its answer, with mail in a mail to ra@example.org.
set -eu
in=$(dirname "$0")
rm -f "$1.part"
# It has no server to go to; what it would have sent is what is wanted.
openssl cmp -config "" -cmd ir -implicit_confirm -cert "$in/device.pem" -key "$in/device.key" -trusted "$in/ca.pem" \
    -newkey "$in/new.key" -subject '/CN=device-1/O=cmpgate demo' -certout /dev/null -rspin /dev/null \
    -reqout "$1.part" >/dev/null 2>&1 || test -s "$1.part"
case ${2-} in
tcp)
    size=$(($(wc -c <"$1.part") + 3))
    printf "\\000\\000\\$(printf %03o $((size / 256)))\\$(printf %03o $((size % 256)))\\012\\001\\000" >"$1"
    cat "$1.part" >>"$1"
    rm "$1.part"
    ;;
mail)
    printf '%s\n' 'From: device-1@example.org' 'To: ra@example.org' 'Subject: ir' "Message-ID: <$$.$(date +%s)@example.org>" \
        'MIME-Version: 1.0' 'Content-Type: application/pkixcmp' 'Content-Transfer-Encoding: base64' '' >"$1"
    openssl base64 -in "$1.part" >>"$1"
    rm "$1.part"
    ;;
*)
    mv "$1.part" "$1"
    ;;
esac
)";
}

void print_doors(std::ostream& out, const std::vector<Server::Served>& all,
                 const std::filesystem::path& directory) {
    const std::string in = directory.string() + '/';
    out << "The same enrolment by every other door\n\n";
    for (const Door& door : kDoors) {
        const auto served =
            std::find_if(all.begin(), all.end(),
                         [&door](const Server::Served& one) { return one.scheme == door.scheme; });
        if (served == all.end()) continue;
        const At at{*served, in, in + "message ", " && cmpgate inspect answer.der"};
        out << door.title << "\n  " << door.command(at) << '\n';
    }
    out << '\n';
}

}  // namespace ra::app
