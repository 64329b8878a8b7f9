#!/usr/bin/env python3
"""Figures of CoAP and DTLS, each against a bare server of libcoap in one run, in turns: enrolments in blocks and
handshakes per CPU-second (all threads of the process measured, from /proc), memory of associations and observers."""

import argparse
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from gateway import Gateway  # noqa: E402
from peers import Program  # noqa: E402
from tls_test import TlsPki  # noqa: E402
from transports import anonymous, cpu_seconds, idle, in_turns  # noqa: E402

BENCH = None
REACH = 0.8
TICK = os.sysconf("SC_CLK_TCK")
IDENTITY = "press-17"


def shown(secret):
    return "--identity", IDENTITY, "--psk", secret


class Server(Program):
    """One of the servers in cmpgate_bench_coap."""

    def __init__(self, *arguments):
        super().__init__([BENCH, *arguments])
        self.port = int(self.wait_for(r"listening on (\d+)")[1])


class Spent:
    """CPU of a process, by thread and by what it was spent in, over everything that is measured."""

    def __init__(self, pid):
        self.pid, self.done = pid, 0
        self.before = self._read()

    def _read(self):
        found = {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            name = (task / "comm").read_text().strip()
            user, system = (task / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
            found[name] = (int((task / "schedstat").read_text().split()[0]) / 1e3, int(user) / TICK, int(system) / TICK)
        return found

    def rate(self, work, times):
        """`times` things done by `work()`, per second of CPU."""
        before = cpu_seconds(self.pid)
        work()
        self.done += times
        return times / (cpu_seconds(self.pid) - before)

    def told(self):
        """"coap-0 60 µs (70 % kernel)" each, of one thing."""
        parts = []
        for name, now in sorted(self._read().items()):
            took, user, system = (new - old for new, old in zip(now, self.before.get(name, (0, 0, 0))))
            if took / max(self.done, 1) >= 0.5:
                kernel = f" ({100 * system / (user + system):.0f} % kernel)" if user + system > 0 else ""
                parts.append(f"{name} {took / self.done:.0f} µs{kernel}")
        return ", ".join(parts)


def tell(what, ours, theirs, spent, bare):
    ratio = ours / theirs
    print(f"{what}: cmpgate {ours:.0f}, libcoap alone {theirs:.0f}, ratio {ratio:.2f} (reach {REACH}: "
          f"{'reached' if ratio >= REACH else 'SHORT'})\n    of each: cmpgate {spent.told()}; libcoap {bare.told()}", flush=True)


def run(*arguments):
    done = subprocess.run([str(part) for part in (BENCH, *arguments)], capture_output=True, text=True, timeout=300,
                          check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def enrolments(rounds, requests):
    """One worker and the CoAP thread, opaque, a CA in the same process; the bare server answers with the body."""
    with Server("gateway") as gateway, Server("echo") as echo:
        octets = 0

        def load(server):
            nonlocal octets
            octets = json.loads(run("load", server.port, "--requests", requests))["octets"]

        for server in (gateway, echo):
            run("load", server.port, "--requests", max(requests // 10, 20))  # sessions and arenas are there
        ours, theirs = Spent(gateway.process.pid), Spent(echo.process.pid)
        a, b = in_turns(rounds, lambda: ours.rate(lambda: load(gateway), requests),
                        lambda: theirs.rate(lambda: load(echo), requests))
        tell(f"enrolments of {octets / 1024:.1f} KiB in blocks each way per CPU-second, 16 sessions", a, b, ours, theirs)


class SecureGateway(Gateway):
    """`cmpgate serve` with DTLS: by certificate, by pre-shared key, and CoAP without."""

    def __init__(self, cmpgate, folder, certificate, key):
        common = "idle_timeout = \"60s\"\nmax_connections = 4000"
        super().__init__(cmpgate, folder, f"""
workers = 1
[[listener]]
url = "http://127.0.0.1:0"
[[listener]]
name = "certificates"
url = "coaps://127.0.0.1:0"
tls = {{ certificate = "file:{certificate}", key = "file:{key}" }}
{common}
[[listener]]
name = "keys"
url = "coaps://127.0.0.1:0"
psk = "secrets"
{common}
[[listener]]
name = "plain"
url = "coap://127.0.0.1:0"
{common}
[[upstream]]
url = "http://127.0.0.1:9/"
[[profile]]
origin = "opaque"
[store]
kind = "memory"
[admin]
url = "unix:{folder}/admin.sock"
""")
        self.cmpgate, self.folder = cmpgate, folder

    def port_of(self, listener):
        return int(self.wait_for(rf'"event":"listening","listener":"{listener}".*?:(\d+)"')[1])

    def make_secret(self):
        """A pre-shared key for IDENTITY that this process has in its table."""
        done = subprocess.run([self.cmpgate, "secret", "add", "-c", self.folder / "cmpgate.toml", "--reference", IDENTITY],
                              capture_output=True, text=True, timeout=20, check=False)
        secret = re.search(r"[A-Za-z0-9+/=_-]{20,}", done.stdout)
        if not secret:
            raise RuntimeError(done.stdout + done.stderr)
        time.sleep(7)  # the CoAP thread is handed its table every five seconds
        until = time.monotonic() + 30
        while True:
            try:
                run("dtls", self.port_of("keys"), "--handshakes", 1, *shown(secret[0]))
                return secret[0]
            except RuntimeError:
                if time.monotonic() > until:
                    raise


def handshakes(rounds, number, what, gateway, port, echo, options=()):
    """The same client, certificate and key; P-256, AES-128-GCM, no client certificate."""
    def shake(to):
        run("dtls", to, "--handshakes", number, *options)

    for to in (port, echo.port):
        run("dtls", to, "--handshakes", max(number // 10, 5), *options)
    ours, theirs = Spent(gateway.process.pid), Spent(echo.process.pid)
    a, b = in_turns(rounds, lambda: ours.rate(lambda: shake(port), number),
                    lambda: theirs.rate(lambda: shake(echo.port), number))
    tell(f"DTLS 1.2 handshakes per CPU-second, {what}", a, b, ours, theirs)


class Associations:
    """DTLS associations that asked once and stay."""

    def __init__(self, port, number, options):
        self.client = Program([BENCH, "dtls", port, "--handshakes", number, "--hold", *options], stdin=subprocess.PIPE)
        self.client.wait_for("holding", 120)

    def close(self):
        self.client.process.stdin.close()
        self.client.process.wait(60)
        self.client.stop()


def associations(pid, port, number, options=()):
    """Octets of `pid` for each."""
    warm = Associations(port, 50, options)
    time.sleep(1)
    before = anonymous(pid)
    held = Associations(port, number, options)
    time.sleep(1)
    after = anonymous(pid)
    held.close()
    warm.close()
    return (after - before) / number


def option(delta, value):
    """One option that needs no more than an octet to extend its delta."""
    head = bytes([(min(delta, 13) << 4) | len(value)])
    return head + (bytes([delta - 13]) if delta >= 13 else b"") + value


def options_of(response):
    """{number: value} of a response."""
    found, number, at = {}, 0, 4 + (response[0] & 15)
    while at < len(response) and response[at] != 0xff:
        delta, size = response[at] >> 4, response[at] & 15
        at += 1
        if delta == 13:
            delta, at = 13 + response[at], at + 1
        elif delta == 14:
            delta, at = 269 + struct.unpack(">H", response[at:at + 2])[0], at + 2
        if size == 13:
            size, at = 13 + response[at], at + 1
        number += delta
        found[number] = response[at:at + size]
        at += size
    return found


def observer(port):
    """Registers for announcements, from an address of its own; shows the cookie it is asked for (RFC 9175)."""
    observe, echo = 6, 252
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.settimeout(10)
    connection.connect(("127.0.0.1", port))
    path = option(5, b".well-known") + option(0, b"cmp") + option(0, b"ann")
    cookie = b""
    for message_id in (1, 2):
        connection.send(b"\x44\x01" + struct.pack(">H", message_id) + os.urandom(4) + option(observe, b"") + path + cookie)
        response = connection.recv(2000)
        said = options_of(response)
        if response[1] == 0x45 and observe in said:
            return connection
        cookie = option(echo - 11, said.get(echo, b""))
    raise RuntimeError(f"does not observe: {response.hex()}")


def tell_memory(what, number, ours, theirs):
    print(f"memory of {what}, {number} of them: cmpgate {ours / 1024:.1f} KiB, libcoap alone {theirs / 1024:.1f} KiB", flush=True)


def memory(make_gateway, identity, number):
    """With libcoap's sessions and OpenSSL's; new processes for each, that have no memory to use again."""
    with make_gateway() as gateway, Server("echo") as bare:
        tell_memory("an observer with an address of its own", number,
                    *(idle(server.process.pid, lambda port=port: observer(port), number, 20)
                      for server, port in ((gateway, gateway.port_of("plain")), (bare, bare.port))))
    with make_gateway() as gateway, Server("echo", *identity) as bare:
        tell_memory("a DTLS association, certificate", number,
                    *(associations(server.process.pid, port, number)
                      for server, port in ((gateway, gateway.port_of("certificates")), (bare, bare.port))))
    with make_gateway() as gateway:
        secret = gateway.make_secret()
        with Server("echo", "--psk", secret) as bare:
            tell_memory("a DTLS association, pre-shared key", number,
                        *(associations(server.process.pid, port, number, shown(secret))
                          for server, port in ((gateway, gateway.port_of("keys")), (bare, bare.port))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", type=pathlib.Path, required=True)
    parser.add_argument("--bench", type=pathlib.Path, required=True, help="cmpgate_bench_coap")
    parser.add_argument("--quick", action="store_true", help="that the figures can be taken, not what they are")
    arguments = parser.parse_args()
    global BENCH  # pylint: disable=global-statement
    BENCH = arguments.bench
    rounds, requests, number, held = (1, 200, 50, 50) if arguments.quick else (5, 10_000, 1000, 1000)

    enrolments(rounds, requests)
    with tempfile.TemporaryDirectory(prefix="cmpgate-bench-") as name:
        folder = pathlib.Path(name)
        pki = TlsPki(folder)
        certificate, key = pki.issue(pki.servers, "server", "/CN=ra", "DNS:localhost")
        identity = ("--certificate", certificate, "--key", key)

        def gateway():
            return SecureGateway(arguments.cmpgate, folder, certificate, key)

        memory(gateway, identity, held)
        with gateway() as ours:
            secret = ours.make_secret()
            with Server("echo", *identity) as echo:
                handshakes(rounds, number, "certificate", ours, ours.port_of("certificates"), echo)
            with Server("echo", "--psk", secret) as echo:
                handshakes(rounds, number, "pre-shared key", ours, ours.port_of("keys"), echo, shown(secret))


if __name__ == "__main__":
    main()
