#!/usr/bin/env python3
"""`cmpgate serve` reads its configuration again (SIGHUP): whole or not at all, connections kept."""

import argparse
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from peers import EKU_CMC_CA, ClientRun, MockCa, Pki, Program  # noqa: E402

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
        self.port = int(self.wait_for(r"http://127\.0\.0\.1:(\d+)/\.well-known/cmp")[1])
        self.wait_for(r'"event":"ready"')

    def events(self, name):
        with self._news:
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
    for test in (under_load, refused, files_again, tells_its_manager, moves_its_log):
        if programs.only not in (None, test.__name__):
            continue
        with tempfile.TemporaryDirectory(prefix="cmpgate-reload-test-") as folder:
            test(programs, pathlib.Path(folder))
        print(test.__name__, "ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
