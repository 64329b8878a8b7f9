#!/usr/bin/env python3
"""Figures of TLS and HTTP/2, each against a program that does the same, taken in one run in turns: handshakes and
requests per CPU-second (of the process measured, from /proc), memory of connections that wait."""

import argparse
import json
import pathlib
import re
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

import tls_test  # noqa: E402
from gateway import Gateway  # noqa: E402
from peers import Program  # noqa: E402
from tls_test import REQUEST, EchoCa, TlsGateway, TlsPki, config  # noqa: E402

CMP = "Content-Type: application/pkixcmp"


def cpu_seconds(pid):
    total = 0
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            pass
    return total / 1e9


def anonymous(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait_port(port):
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens on {port}")


def handshakes(port, pid, seconds):
    """Full TLS 1.3 handshakes per second of `pid`'s CPU."""
    before = cpu_seconds(pid)
    done = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time", str(seconds)],
                          capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    made = int(re.search(r"^(\d+) connections in \d+ real seconds", done.stdout, re.MULTILINE)[1])
    return made / (cpu_seconds(pid) - before)


def load(url, pid, requests, *options):
    """Requests per second of `pid`'s CPU by h2load, 16 connections."""
    before = cpu_seconds(pid)
    done = subprocess.run(["h2load", "-n", str(requests), "-c", "16", "-d", str(REQUEST), "-H", CMP, *options, url],
                          capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL)
    good = int(re.search(r"(\d+) succeeded", done.stdout)[1])
    assert good == requests, done.stdout
    return good / (cpu_seconds(pid) - before)


def prime(url):
    """Has the message of load() answered once."""
    subprocess.run(["h2load", "-n", "1", "-c", "1", "-d", str(REQUEST), "-H", CMP, "--h1", url],
                   capture_output=True, timeout=60, check=True, stdin=subprocess.DEVNULL)


def enrolments(url, pid, seconds):
    """Messages of their own per second of `pid`'s CPU, by cmpgate bench, 16 connections."""
    done = subprocess.run([tls_test.CMPGATE, "bench", url, "--prebuilt", "--connections", "16", "--duration",
                           str(seconds), "--pid", str(pid), "--json"],
                          capture_output=True, text=True, timeout=seconds + 60, check=False, stdin=subprocess.DEVNULL)
    result = json.loads(done.stdout)
    assert result["errors"] == 0 and result["messages"] > 0, done.stdout + done.stderr
    return 1e6 / result["server_cpu_us"]


def framed(folder, rounds, seconds):
    """CMP over TCP against our own HTTP/1.1: one gateway with both, before one CA."""
    with Program([tls_test.CMPGATE, "bench", "--ca"]) as ca:
        port = ca.wait_for(r"listening on (\d+)")[1]
        text = f"""
workers = 1
store = {{ kind = "memory", remembered = 4_000_000, remembered_per_principal = 4_000_000, opaque_percent = 100 }}
[[listener]]
url = "http://127.0.0.1:0"
[[listener]]
url = "tcp://127.0.0.1:0"
[[upstream]]
url = "http://127.0.0.1:{port}/"
[[profile]]
origin = "opaque"
"""
        with Gateway(tls_test.CMPGATE, folder, text, "framed.toml", level="error") as gateway:
            tcp = gateway.wait_for(r"tcp://127\.0\.0\.1:\d+")[0]
            one, two = in_turns(rounds, lambda: enrolments(gateway.url, gateway.process.pid, seconds),
                                lambda: enrolments(tcp, gateway.process.pid, seconds))
    print(f"messages per CPU-second, 16 connections: HTTP/1.1 {one:.0f}, directly over TCP {two:.0f}, "
          f"ratio {two / one:.2f} (reach 1.0); most of either is the message: parsed, kept, sent on over HTTP/1.1")


def idle(pid, connect, number, first=50):
    """Octets of `pid` for each of `number` connections that `connect` makes."""
    held = [connect() for _ in range(first)]  # what comes with them is not of the others
    time.sleep(0.5)
    before = anonymous(pid)
    held += [connect() for _ in range(number)]
    time.sleep(1)
    after = anonymous(pid)
    for one in held:
        one.close()
    return (after - before) / number


def tls_client(port, trust):
    context = ssl.create_default_context(cafile=str(trust))
    raw = socket.create_connection(("127.0.0.1", port))
    return context.wrap_socket(raw, server_hostname="localhost")


def http2_client(port):
    raw = socket.create_connection(("127.0.0.1", port))
    raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
    raw.recv(1000)
    return raw


def in_turns(rounds, *measures):
    """The median of each, measured in turns."""
    found = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures):
            values.append(measure())
    return [statistics.median(values) for values in found]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true", help="that the figures can be taken, not what they are")
    arguments = parser.parse_args()
    tls_test.CMPGATE = arguments.cmpgate
    rounds, seconds, requests, number = (1, 1, 300, 50) if arguments.quick else (5, 3, 10_000, 2000)

    with tempfile.TemporaryDirectory(prefix="cmpgate-bench-") as name:
        folder = pathlib.Path(name)
        pki = TlsPki(folder)
        certificate, key = pki.issue(pki.servers, "server", "/CN=ra", "DNS:localhost")
        (folder / "haproxy.pem").write_text(certificate.read_text() + key.read_text())
        secure, front = free_port(), free_port()
        (folder / "haproxy.cfg").write_text(f"""
global
    maxconn 8000
    nbthread 2
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 10s
frontend front
    bind 127.0.0.1:{secure} ssl crt {folder}/haproxy.pem
    http-request return status 200
""")
        settings = config("http://127.0.0.1:9/", f'certificate = "file:{certificate}", key = "file:{key}"')
        with EchoCa() as ca, TlsGateway(folder, settings.replace("http://127.0.0.1:9/", ca.url)) as gateway, \
                Program(["haproxy", "-db", "-f", folder / "haproxy.cfg"]) as haproxy, \
                Program(["nghttpx", f"-f127.0.0.1,{front};no-tls", f"-b127.0.0.1,{ca.port}", "--workers=2",
                         "--conf=/dev/null", "--accesslog-file=/dev/null", "--errorlog-file=/dev/null"]) as nghttpx:
            wait_port(secure)
            wait_port(front)
            ours, theirs = gateway.process.pid, haproxy.process.pid
            workers = [int(child) for child in subprocess.run(
                ["pgrep", "-P", str(nghttpx.process.pid)], capture_output=True, text=True, check=False).stdout.split()]
            nghttpx_pid = workers[-1] if workers else nghttpx.process.pid

            a, b = in_turns(rounds, lambda: handshakes(gateway.secure, ours, seconds),
                            lambda: handshakes(secure, theirs, seconds))
            print(f"full TLS 1.3 handshakes per CPU-second, P-256: cmpgate {a:.0f}, haproxy {b:.0f}, "
                  f"ratio {a / b:.2f} (reach 0.8)")
            # h2load sends one message again and again: the first of them must have its answer before
            # the others come, or more of them wait for it than may (503).
            prime(gateway.url)
            a = idle(ours, lambda: tls_client(gateway.secure, pki.servers), number)
            b = idle(theirs, lambda: tls_client(secure, pki.servers), number)
            print(f"memory of an idle TLS connection: cmpgate {a / 1024:.1f} KiB, haproxy {b / 1024:.1f} KiB")
            one, two, proxy = in_turns(
                rounds, lambda: load(gateway.url, ours, requests, "--h1"),
                lambda: load(gateway.url, ours, requests, "-m", "4"),
                lambda: load(f"http://127.0.0.1:{front}/.well-known/cmp", nghttpx_pid, requests, "-m", "4"))
            print(f"requests per CPU-second, 16 connections: HTTP/1.1 {one:.0f}, HTTP/2 x 4 streams {two:.0f}, "
                  f"nghttpx {proxy:.0f}; HTTP/2 to HTTP/1.1 {two / one:.2f} (reach 0.8), to nghttpx {two / proxy:.2f} "
                  "(reach 0.6); ours parses and judges each message and keeps its answer, nghttpx passes it on")
            a = idle(ours, lambda: http2_client(gateway.port), number)
            print(f"memory of an idle HTTP/2 connection: cmpgate {a / 1024:.1f} KiB")
        framed(folder, rounds, seconds)


if __name__ == "__main__":
    main()
