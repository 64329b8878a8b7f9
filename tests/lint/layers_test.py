#!/usr/bin/env python3
"""Who may include whom, and what must not be named where: the rules of the house."""

import re

from sources import code_of, finish, sources

# Folder (or single header) -> what it may include beside itself. A longer entry wins over a
# shorter one. Each layer sees the ones before it; dependencies on the gateway point inwards,
# to its ports. Only ra/app and the tests see everything.
CORES = ["ra/base", "ra/asn1", "ra/cmp", "ra/crypto"]
SEAM = ["ra/exchange.h", "ra/base", "metrics"]
MAY_INCLUDE = {
    "ra/exchange.h": ["ra/base"],
    "ra/base": [],
    "ra/asn1": CORES[:1],
    "ra/cmp": CORES[:2],
    "ra/crypto": CORES[:3],
    "policy": CORES,
    "ra/gateway": CORES + ["policy", "ra/exchange.h"],
    "ra/gateway/ports.h": CORES + ["policy", "ra/exchange.h"],
    "ra/store": CORES + ["policy", "ra/exchange.h", "ra/gateway/ports.h"],
    "ra/upstream": CORES + ["policy", "metrics/count.h", "ra/exchange.h", "ra/gateway/ports.h"],
    "ra/labca": CORES + ["ra/exchange.h"],
    "ra/admin": ["ra/base"],
    "metrics": ["ra/base"],
    "transports/common": SEAM,
    "transports/http1": SEAM + ["transports/common"],
    "transports/http2": SEAM + ["transports/common", "transports/http1"],
    "transports/coap": SEAM + ["transports/common", "transports/http1"],
    "transports/tcp": SEAM + ["transports/common", "transports/http1"],
    "transports/file": SEAM + ["transports/common"],
    "transports/mail": ["ra/base"],
    "ra/app": [""],
    "tests": [""],
}

# A library's headers -> the only places that may include them (tests are free).
LIBRARY_ONLY_IN = {
    r"openssl/": [r"ra/crypto/", r"transports/common/", r"ra/app/.*version.*\.cpp$"],
    r"prometheus/": [r"metrics/.*\.cpp$"],
    r"nghttp2/": [r"transports/http2/"],
    r"mimetic": [r"transports/mail/.*\.cpp$"],
    r"coap\d*/": [r"transports/coap/"],
    r"sqlite3": [r"ra/store/"],
    r"hiredis": [r"ra/store/"],
    r"toml\.hpp": [r"ra/app/config/.*\.cpp$"],
    r"CLI/": [r"ra/app/"],
    r"spdlog/": [r"ra/app/", r"ra/base/log"],
    r"systemd/": [r"ra/app/"],
    r"boost/json": [r"ra/cmp/(.*\.cpp|inspect_tree\.h)$", r"ra/app/.*\.cpp$"],
    r"boost/beast": [r"transports/common/asio_impl\.cpp$", r"transports/http1/"],
    r"boost/asio": [r"ra/exchange\.h$", r"ra/(gateway|upstream|store|labca|admin|app)/", r"transports/"],
    # Sockets and timers stay behind the transports and the Timers of the ports.
    r"boost/asio/(ip|ssl|local|posix)\b": [r"transports/", r"ra/app/"],
    r"boost/asio/.*(timer|signal_set)": [r"transports/common/", r"ra/app/"],
}

# What the code must not say -> where it may (besides tests), and why.
FORBIDDEN = [
    (r"\bdetached\b", [], "a detached coroutine drops its exceptions; spawn through the task group"),
    (
        r"\b(system_clock|high_resolution_clock|steady_clock)::now\b|\b(gettimeofday|clock_gettime|localtime|gmtime)\s*\("
        r"|\bstd::time\s*\(|\bsleep_(for|until)\b|\bu?sleep\s*\(",
        # The Date of HTTP is the only time of day a transport knows: deadlines count from boot (S-43).
        [r"ra/base/time\.cpp$", r"ra/app/", r"transports/http1/response_head\.cpp$"],
        "time comes in through Clock and Timers",
    ),
    (
        r"\bstd::(random_device|mt19937(_64)?|default_random_engine)\b|\bs?rand\s*\(|\bgetrandom\s*\(",
        [r"ra/base/random\.cpp$"],
        "randomness comes in through Random",
    ),
    (r"\b(std::thread|std::jthread|pthread_create)\b", [r"ra/app/", r"transports/common/", r"ra/base/"],
     "threads are made by the application"),
    (r"\batomic<\s*(std::)?shared_ptr", [], "post snapshots instead: a data race in libstdc++ 12"),
    (r"\busing\s+namespace\s+std\s*;", [], "names stay qualified"),
]


def folder_of(path):
    names = [name for name in MAY_INCLUDE if path == name or path.startswith(name + "/")]
    return max(names, key=len) if names else None


def allowed(path, header):
    own = folder_of(path)
    if own is None:
        return False
    inside = own.rsplit("/", 1)[0] if own.endswith(".h") else own
    entries = MAY_INCLUDE[own] + [inside]
    return any(not e or header == e or header.startswith(e + "/") for e in entries)


def check(path, text):
    """The faults of one file, as lines `path:line: what`."""
    if folder_of(path) is None:
        return [f"{path}:1: no layer is named for this folder in tests/lint/layers_test.py"]
    faults = []
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*(?:"(?P<own>[^"]+)"|<(?P<library>[^>]+)>)', line)
        if not found:
            continue
        header = found["own"] or found["library"]
        if found["own"] and not allowed(path, header):
            faults.append(f"{path}:{number}: {folder_of(path)} may not include {header}")
        if path.startswith("tests/"):
            continue
        for library, places in LIBRARY_ONLY_IN.items():
            if found["library"] and re.match(library, header):
                if not any(re.match(place, path) for place in places):
                    faults.append(f"{path}:{number}: <{header}> does not belong here")
    for number, line in enumerate(code_of(text).splitlines(), 1):
        for pattern, places, why in FORBIDDEN:
            if not re.search(pattern, line) or any(re.match(place, path) for place in places):
                continue
            if path.startswith("tests/") and "detached" not in pattern:
                continue
            faults.append(f"{path}:{number}: {re.search(pattern, line).group().strip()}: {why}")
    return faults


def check_self():
    """The rules above find what they are for."""
    for path, text in [
        ("ra/asn1/x.cpp", '#include "ra/cmp/message.h"'),
        ("ra/cmp/x.h", '#include "ra/exchange.h"'),
        ("policy/x.cpp", '#include "ra/gateway/ports.h"'),
        ("policy/x.h", '#include "ra/exchange.h"'),
        ("ra/upstream/x.cpp", '#include "ra/gateway/gateway.h"'),
        ("ra/store/x.cpp", '#include "transports/common/worker.h"'),
        ("transports/http1/x.cpp", '#include "ra/cmp/message.h"'),
        ("ra/gateway/x.cpp", "#include <openssl/evp.h>"),
        ("ra/gateway/x.cpp", "#include <boost/asio/steady_timer.hpp>"),
        ("policy/x.cpp", "#include <boost/asio/awaitable.hpp>"),
        ("metrics/x.h", "#include <prometheus/counter.h>"),
        ("ra/labca/x.cpp", "auto now = std::chrono::system_clock::now();"),
        ("ra/gateway/x.cpp", "asio::co_spawn(io, f(), asio::detached);"),
        ("ra/gateway/x.cpp", "std::mt19937 engine;"),
        ("elsewhere/x.cpp", ""),
    ]:
        assert check(path, text), f"not found: {path}: {text}"
    for path, text in [
        ("policy/x.cpp", '#include "ra/crypto/trust.h"'),
        ("ra/upstream/x.cpp", '#include "ra/gateway/ports.h"'),
        ("ra/app/x.cpp", '#include "transports/http1/server.h"'),
        ("ra/crypto/x.cpp", "#include <openssl/evp.h>"),
        ("ra/gateway/x.cpp", "// never detached, never steady_clock::now()"),
        ("ra/gateway/x.cpp", 'log("detached");'),
    ]:
        assert not check(path, text), check(path, text)


if __name__ == "__main__":
    check_self()
    finish("layers", [fault for path, text in sources() for fault in check(path, text)])
