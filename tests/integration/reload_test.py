#!/usr/bin/env python3
"""`cmpgate serve` reads its configuration again (SIGHUP): whole or not at all, connections kept."""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from gateway import read_content, read_head  # noqa: E402
from peers import EKU_CMC_CA, ClientRun, MockCa, Pki, Program, openssl  # noqa: E402

HEAD = """\
version = 1
workers = {workers}
drain_timeout = "2s"
[log]
format = "json"
[store]
kind = "memory"
remembered_per_principal = 1000000
[[listener]]
name = "front"
url = "http://127.0.0.1:{port}"
"""
OPAQUE = """\
[[upstream]]
name = "ca"
url = "http://127.0.0.1:{ca}/"
max_connections = {pool}
[[profile]]
name = "{profile}"
origin = "opaque"
"""
SECOND = '[[listener]]\nname = "second"\nurl = "http://127.0.0.1:{port}"\n'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(port):
    """Whether a CMP server answers there (a GET is refused: 405)."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"GET /.well-known/cmp HTTP/1.1\r\nHost: x\r\n\r\n")
            return connection.recv(100).startswith(b"HTTP/1.1 405")
    except ConnectionError:
        return False


class Gateway(Program):
    """`cmpgate serve` on a file that the test writes anew."""

    def __init__(self, cmpgate, folder, text, **options):
        self.file = folder / "gateway.toml"
        self.file.write_text(text)
        self._events, self._read_to = {}, 0
        super().__init__([cmpgate, "serve", "-c", self.file], **options)
        self.port = int(self.wait_for(r"https?://127\.0\.0\.1:(\d+)/\.well-known/cmp")[1])
        self.wait_for(r'"event":"ready"')

    def events(self, name):
        with self._news:
            self._take()
            lines, self._read_to = self._lines[self._read_to:], len(self._lines)
        for line in lines:
            if line and line.startswith("{"):
                event = json.loads(line)
                self._events.setdefault(event["event"], []).append(event)
        return self._events.get(name, [])

    def reload(self, text, expect="reloaded"):
        """What it logged: of the reload, and the faults of the configuration."""
        seen, faults = len(self.events(expect)), len(self.events("config"))
        self.file.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 20
        while len(self.events(expect)) == seen:
            assert time.monotonic() < until, f"no {expect}:\n{self.output}"
            time.sleep(0.01)
        return self.events(expect)[-1], self.events("config")[faults:]


def under_load(programs, folder):
    """Kept-alive connections, open transactions: 20 reloads that change all that can be changed."""
    bench = Program([programs.cmpgate, "bench", "--ca"])
    with bench:
        ca = int(bench.wait_for(r"listening on (\d+)")[1])
        port, second = free_port(), free_port()
        head = HEAD.format(workers=2, port=port) + 'idle_timeout = "{idle}s"\nmax_connections = {most}\n'
        one = head.format(idle=60, most=1000) + OPAQUE.format(ca=ca, pool=64, profile="devices")
        two = (head.format(idle=50, most=2000) + OPAQUE.format(ca=ca, pool=32, profile="renamed")
               + SECOND.format(port=second)).replace("workers", 'hop = "other"\nworkers')
        with Gateway(programs.cmpgate, folder, one) as gateway:
            transactions = 30_000
            with subprocess.Popen([programs.cmpgate, "bench", f"http://127.0.0.1:{port}/.well-known/cmp", "--json", "--prebuilt",
                                   "--confirm", "--connections", "32", "--requests", str(transactions)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as load:
                try:
                    for turn in range(20):
                        event, faults = gateway.reload(two if turn % 2 == 0 else one)
                        assert event["generation"] == turn + 2, event
                        assert all(fault["level"] == "warning" for fault in faults), faults
                        assert answers(second) == (turn % 2 == 0), turn
                        assert load.poll() is None, "the load ended too early to prove anything"
                    out, errors = load.communicate(timeout=240)
                finally:
                    load.kill()
            wrong = [event for event in gateway.events("message") if event["decision"] != "forwarded"]
            assert load.returncode == 0, (errors, len(wrong), wrong[:3])
            result = json.loads(out)
            assert result["errors"] == 0 and result["messages"] == 2 * transactions, result
            profiles = {event["profile"] for event in gateway.events("message")}
            assert profiles == {"devices", "renamed"}, profiles
            assert not wrong, wrong[:3]
            print(f"  {result['messages']} exchanges over 32 kept connections and 20 reloads, none lost;",
                  f"p99 {result['p99_ms']:.1f} ms, longest {result['max_ms']:.1f} ms")
            assert gateway.stop() == 0


TLS = """\
version = 1
workers = 2
hop = "{hop}"
drain_timeout = "2s"
[log]
format = "json"
[store]
kind = "memory"
remembered_per_principal = 1000000
[admin]
url = "unix:{folder}/admin.sock"
[[listener]]
name = "front"
url = "{scheme}://127.0.0.1:0"
idle_timeout = "{idle}s"
{tls}
[[upstream]]
name = "ca"
url = "{ca}"
{trust}
[[profile]]
name = "{profile}"
origin = "opaque"
"""


class TlsPair:
    """A gateway before the CA that speaks TLS, HTTP/2 where the client likes; and one before it, its client."""

    def __init__(self, programs, folder, ca):
        self.folder, self.pki = folder, Pki(folder / "tls", "TLS Root")
        self.inner, self.outer = folder / "inner", folder / "outer"
        for path in (self.inner, self.outer):
            path.mkdir()
        self.certify()
        self.certificates = f'tls = {{ certificate = "file:{folder}/tls.pem", key = "file:{folder}/tls.key" }}'
        self.ca, self.programs = ca, programs

    def certify(self):
        """A certificate for localhost, new each time, put where the configuration says."""
        key = self.folder / "new.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        key.chmod(0o600)
        (self.folder / "san").write_text("subjectAltName=DNS:localhost\n")
        openssl("x509", "-req", "-in", self.pki.request(key, "/CN=inner"), "-CA", self.pki.root, "-CAkey", self.pki.key("root", "p256"),
                "-set_serial", "0x01" + openssl("rand", "-hex", 8).strip(), "-days", 5, "-extfile", self.folder / "san",
                "-out", self.folder / "new.pem")
        os.replace(self.folder / "new.pem", self.folder / "tls.pem")
        os.replace(key, self.folder / "tls.key")

    def inner_text(self, turn=0):
        return TLS.format(hop=f"inner-{turn}", folder=self.inner, scheme="https", idle=60 - turn, tls=self.certificates, trust="",
                          ca=f"http://127.0.0.1:{self.ca}/", profile=f"inner-{turn}")

    def outer_text(self, inner_port, turn=0):
        return TLS.format(hop=f"outer-{turn}", folder=self.outer, scheme="http", idle=60 - turn, tls="", profile=f"outer-{turn}",
                          ca=f"https://localhost:{inner_port}/.well-known/cmp", trust=f'tls = {{ trust = "file:{self.pki.root}" }}')

    def start(self):
        inner = Gateway(self.programs.cmpgate, self.inner, self.inner_text())
        outer = Gateway(self.programs.cmpgate, self.outer, self.outer_text(inner.port))
        return inner, outer


def handshakes(folder):
    """TLS handshakes of the listener so far."""
    text = subprocess.run(["curl", "-sS", "--max-time", "10", "--unix-socket", folder / "admin.sock", "http://admin/metrics"],
                          capture_output=True, text=True, timeout=30, check=True).stdout
    return sum(int(count) for count in re.findall(r'^cmpgate_tls_handshakes_total{listener="front",result="\w+"} (\d+)$', text, re.M))


def under_tls(programs, folder):
    """Devices, a gateway, TLS with HTTP/2, a second gateway, a CA: both are told to reload again and again, the one
    that serves TLS has a new certificate twice; no exchange is lost, no connection is made anew."""
    bench = Program([programs.cmpgate, "bench", "--ca"])
    with bench:
        pair = TlsPair(programs, folder, int(bench.wait_for(r"listening on (\d+)")[1]))
        inner, outer = pair.start()
        with inner, outer:
            # AddressSanitizer takes several times as long for each.
            transactions = 8_000 if b"__asan_init" in programs.cmpgate.read_bytes() else 40_000
            with subprocess.Popen([programs.cmpgate, "bench", f"http://127.0.0.1:{outer.port}/.well-known/cmp", "--json", "--prebuilt",
                                   "--confirm", "--connections", "16", "--requests", str(transactions)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True) as load:
                try:
                    time.sleep(0.5)  # the connections that this load wants are there
                    begun = handshakes(pair.inner)
                    for turn in range(1, 11):
                        if turn in (4, 8):
                            pair.certify()
                        event, _ = inner.reload(pair.inner_text(turn))
                        assert event["generation"] == turn + 1, event
                        event, _ = outer.reload(pair.outer_text(inner.port, turn))
                        assert event["generation"] == turn + 1, event
                    assert load.poll() is None, "the load ended too early to prove anything"
                    assert handshakes(pair.inner) == begun, (handshakes(pair.inner), begun)
                    out, errors = load.communicate(timeout=240)
                finally:
                    load.kill()
            for gateway in (inner, outer):
                wrong = [event for event in gateway.events("message") if event["decision"] != "forwarded"]
                assert not wrong, wrong[:3]
                assert len({event["profile"] for event in gateway.events("message")}) > 8
            result = json.loads(out)
            assert load.returncode == 0 and result["errors"] == 0 and result["messages"] == 2 * transactions, (errors, result)
            assert handshakes(pair.inner) == begun > 0
            print(f"  {result['messages']} exchanges over {begun} connections of TLS and HTTP/2 and 20 reloads, none lost;",
                  f"p99 {result['p99_ms']:.1f} ms, longest {result['max_ms']:.1f} ms")
            assert inner.stop() == 0 and outer.stop() == 0


def tls_clients_stay(programs, folder):
    """One client that speaks HTTP/1.1 over TLS and several of h2load that speak HTTP/2: on the connections they
    have, before, between and after reloads; who comes later is shown the new certificate."""
    if not shutil.which("h2load"):
        print("SKIPPED: integration/reload: no h2load (Debian package nghttp2-client)")
        return
    pair = TlsPair(programs, folder, 9)
    junk = folder / "junk"
    junk.write_bytes(b"hello")  # answered 400 in CMP: no CA needed, no transaction begun
    with Gateway(programs.cmpgate, pair.inner, pair.inner_text()) as gateway:
        context = ssl.create_default_context(cafile=str(pair.pki.root))
        with socket.create_connection(("127.0.0.1", gateway.port), 10) as plain, context.wrap_socket(plain, server_hostname="localhost") as kept:

            def ask():
                kept.sendall(b"POST /.well-known/cmp HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkixcmp\r\n"
                             b"Content-Length: 5\r\n\r\nhello")
                head, behind = read_head(kept)
                assert head.startswith(b"HTTP/1.1 400 ") and read_content(kept, head, behind)[0][:1] == b"\x30", head

            ask()
            with subprocess.Popen(["h2load", "-n", "4000", "-c", "4", "-m", "2", "--rps", "250", "-d", junk, "-H",
                                   "Content-Type: application/pkixcmp", f"https://127.0.0.1:{gateway.port}/.well-known/cmp"],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as load:
                try:
                    until = time.monotonic() + 10
                    while handshakes(pair.inner) < 5:
                        assert time.monotonic() < until
                        time.sleep(0.02)
                    for turn in range(1, 11):
                        if turn == 5:
                            pair.certify()
                        gateway.reload(pair.inner_text(turn))
                        ask()
                        time.sleep(0.1)
                    assert load.poll() is None, "the load ended too early to prove anything"
                    said, _ = load.communicate(timeout=60)
                finally:
                    load.kill()
            assert "Application protocol: h2" in said and "4000 done" in said and "0 errored, 0 timeout" in said, said
            assert re.search(r"status codes: 0 2xx, 0 3xx, 4000 4xx, 0 5xx", said), said
            assert handshakes(pair.inner) == 5, handshakes(pair.inner)
            shown = ssl.DER_cert_to_PEM_cert(kept.getpeercert(binary_form=True))
            with socket.create_connection(("127.0.0.1", gateway.port), 10) as plain, \
                    context.wrap_socket(plain, server_hostname="localhost") as later:
                assert ssl.DER_cert_to_PEM_cert(later.getpeercert(binary_form=True)) != shown
        assert gateway.stop() == 0


def refused(programs, folder):
    """What is wrong is said with its place, all of it, and nothing changes."""
    port = free_port()
    good = HEAD.format(workers=1, port=port) + OPAQUE.format(ca=9, pool=64, profile="devices")
    with Gateway(programs.cmpgate, folder, good) as gateway, socket.create_server(("127.0.0.1", 0)) as taken:
        rows = {
            "no TOML": (good + "[[profile\n", [(19, None, "syntax")]),
            "two faults": (good.replace("max_connections", "max_conections").replace('"opaque"', '"opaqe"'),
                           [(15, 1, "did you mean"), (18, 10, "opaque")]),
            "file not there": (good.replace("max_connections", 'trust = "file:nix.pem"\nmax_connections'),
                               [(15, 9, "nix.pem")]),
            "workers": (good.replace("workers = 1", "workers = 2"), [(2, 11, "restart")]),
            "store": (good.replace("remembered_per", "open = 10\nremembered_per"), [(6, 1, "restart")]),
            "port taken": (good + SECOND.format(port=taken.getsockname()[1]), [(0, 0, "taken")]),
        }
        for name, (text, wanted) in rows.items():
            event, faults = gateway.reload(text, "reload_refused")
            errors = [fault for fault in faults if fault["level"] == "error"]
            for line, column, says in wanted:
                assert any(fault["line"] == line and column in (None, fault["column"]) and says in fault["detail"]
                           for fault in errors), (name, errors)
            assert event["errors"] == len(errors) > 0, (name, event, errors)
            assert answers(port), name
        gateway.file.unlink()
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("cannot be read")
        assert answers(port)
        gateway.reload(good)
        assert not gateway.events("reloaded")[:-1]
        assert gateway.stop() == 0


def files_again(programs, folder):
    """Trust and credentials are read again though the configuration's text stays; trust that is gone counts no more."""
    pki, other = Pki(folder / "pki"), Pki(folder / "other", "Other Root")
    signer = pki.issue("signer", "p256", "/CN=CMP CA", EKU_CMC_CA)
    device = pki.issue("device", "p256", "/CN=device-1")
    issued = pki.issue("issued", "p256", "/CN=device-1")
    trust = folder / "devices.pem"
    trust.write_bytes(other.root.read_bytes())
    with MockCa(signer, pki.root, issued.certificate, "-grant_implicitconf") as ca:
        text = HEAD.format(workers=2, port=0) + f"""\
[[upstream]]
url = "{ca.url}"
trust = "file:{pki.root}"
[[profile]]
origin.signature.trust = "file:{trust}"
"""
        with Gateway(programs.cmpgate, folder, text) as gateway:
            url = f"http://127.0.0.1:{gateway.port}/.well-known/cmp"

            def enrol():
                return ClientRun(url, device, pki.root, "-cmd", "ir", "-newkey", issued.key, "-implicit_confirm",
                                 "-subject", "/CN=device-1", "-certout", folder / "out.pem", "-unprotected_errors")

            assert not enrol().ok
            trust.write_bytes(pki.root.read_bytes())
            assert not enrol().ok, "a file counts before anybody said so"
            gateway.reload(text)
            assert (run := enrol()).ok, run.output
            trust.write_bytes(other.root.read_bytes())
            gateway.reload(text)
            assert not enrol().ok
            until = time.monotonic() + 10
            while len(gateway.events("message")) < 4 and time.monotonic() < until:
                time.sleep(0.01)  # a client has its answer before the line is read
            rules = [event.get("rule") for event in gateway.events("message")]
            assert len(rules) == 4 and rules[2] is None and rules[0] == rules[1] == rules[3], rules


def tells_its_manager(programs, folder):
    """RELOADING=1 with the time, then READY=1: for good files and bad."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(10)
        text = HEAD.format(workers=1, port=0) + OPAQUE.format(ca=9, pool=64, profile="devices")
        environment = dict(os.environ, NOTIFY_SOCKET=str(folder / "notify"))
        with Gateway(programs.cmpgate, folder, text, environment=environment) as gateway:
            assert manager.recv(100) == b"READY=1"
            for change, expect in ((text, "reloaded"), ("version = 2", "reload_refused")):
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                gateway.reload(change, expect)
                said = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", manager.recv(100))
                assert said and int(said[1]) >= before, said
                assert manager.recv(100) == b"READY=1"
            assert gateway.stop() == 0
            assert manager.recv(100) == b"STOPPING=1"


def moves_its_log(programs, folder):
    """logrotate: the file is opened again; its level changes with it."""
    text = HEAD.format(workers=1, port=0) + OPAQUE.format(ca=9, pool=64, profile="devices")
    log = folder / "gateway.log"
    to_file = text.replace('format = "json"', f'format = "json"\nto = "file:{log}"')
    with Gateway(programs.cmpgate, folder, text) as gateway:
        gateway.file.write_text(to_file)
        gateway.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while not (log.exists() and "reloaded" in log.read_text()):
            assert time.monotonic() < until
            time.sleep(0.01)
        moved = log.rename(folder / "gateway.log.1")
        gateway.process.send_signal(signal.SIGHUP)
        while not (log.exists() and "reloaded" in log.read_text()):
            assert time.monotonic() < until
            time.sleep(0.01)
        assert moved.read_text().count("reloaded") == 1
        # A place that cannot be written changes nothing.
        gateway.file.write_text(text.replace('format = "json"', f'to = "file:{folder}/nowhere/log"'))
        gateway.process.send_signal(signal.SIGHUP)
        while "reload_refused" not in log.read_text():
            assert time.monotonic() < until
            time.sleep(0.01)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--only")
    programs = parser.parse_args()
    programs.cmpgate = programs.cmpgate.resolve()
    for test in (under_load, under_tls, tls_clients_stay, refused, files_again, tells_its_manager, moves_its_log):
        if programs.only not in (None, test.__name__):
            continue
        with tempfile.TemporaryDirectory(prefix="cmpgate-reload-test-") as folder:
            test(programs, pathlib.Path(folder))
        print(test.__name__, "ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
