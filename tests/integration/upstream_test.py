#!/usr/bin/env python3
"""How `[[upstream]]` has a CA dealt with, on the real program: the breaker, the time for an answer, the bound on messages
under way, and nodes that share their transactions."""

import argparse
import pathlib
import socket
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))
from gateway import Client, Gateway, Recorder, Server, read_content, read_head  # noqa: E402
from peers import ClientRun, Pki, Program  # noqa: E402
from renew_test import Holding  # noqa: E402

REQUEST = (ROOT / "tests/vectors/cmp/ir-sig.der").read_bytes()
RELAY = """
workers = 1
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
{more}
[[profile]]
origin = "opaque"
[store]
kind = "memory"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Silent(Server):
    """Takes requests and says nothing."""

    def __init__(self):
        super().__init__()
        self.taken = threading.Semaphore(0)

    def serve(self, connection):
        head, behind = read_head(connection)
        if head is None:
            return
        read_content(connection, head, behind)
        self.taken.release()
        read_head(connection)


def numbered(number):
    """The request as another transaction: byte 0 of its transactionID differs."""
    at = REQUEST.index(b"\xa4\x12\x04\x10") + 4
    return REQUEST[:at] + bytes([number]) + REQUEST[at + 1:]


def breaker(programs, folder):
    dead = f"http://127.0.0.1:{free_port()}/"
    for failures, wanted in ((1, "circuit open"), (0, "connect")):
        more = f'breaker = {{ failures = {failures}, shortest = "60s" }}'
        with Gateway(programs.cmpgate, folder, RELAY.format(ca=dead, more=more)) as gateway:
            with Client(gateway.port) as client:
                traces = []
                for number in (1, 2):
                    client.post(numbered(number))
                    traces.append(client.trace)
            first, second = map(gateway.record, traces)
            assert first["rule"] == second["rule"] == "not-sent", (first, second)
            assert first["detail"].startswith("connect") and second["detail"].startswith(wanted), (first, second)


def answer_timeout(programs, folder):
    with Silent() as ca:
        with Gateway(programs.cmpgate, folder, RELAY.format(ca=ca.url, more='answer_timeout = "1s"')) as gateway:
            began = time.monotonic()
            with Client(gateway.port) as client:
                client.post(REQUEST)
            took = time.monotonic() - began
            record = gateway.record(client.trace)
            assert record["rule"] == "no-answer" and record["detail"] == "deadline", record
            assert 0.8 < took < 5, took


def max_in_flight(programs, folder):
    with Silent() as ca:
        with Gateway(programs.cmpgate, folder, RELAY.format(ca=ca.url, more="max_in_flight = 1\nanswer_timeout = \"5s\"")
                     ) as gateway:
            first = threading.Thread(target=lambda: Client(gateway.port).post(numbered(1)))
            first.start()
            assert ca.taken.acquire(timeout=10)
            with Client(gateway.port) as client:
                client.post(numbered(2))
            record = gateway.record(client.trace)
            assert record["rule"] == "not-sent" and record["detail"] == "busy", record
            first.join(20)


CHECKED = """
workers = 1
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = ["{a}", "{b}"]
trust = "file:{root}"
shared_state = {shared}
[[profile]]
origin.signature.trust = "file:{devices}"
rules = {{ key = ["ec:P-256"], subject = "CN=*,O=Example" }}
[store]
kind = "memory"
"""


def shared_state(programs, folder):
    """The node a transaction began at is gone when its certConf comes."""
    pki = Pki(folder / "devices", "Device Root")
    device = pki.issue("device", "p256", "/O=Example/CN=device")
    with Program([programs.labca, "--write", folder, "--trust", pki.root, "--no-implicit-confirm"]) as labca:
        port = int(labca.wait_for(r"http://127\.0\.0\.1:(\d+)")[1])
        for shared in (False, True):
            a = Recorder(port)
            with Recorder(port) as b:
                text = CHECKED.format(a=a.url, b=b.url, root=folder / "root.pem", devices=pki.root,
                                      shared=str(shared).lower())
                with Gateway(programs.cmpgate, folder, text) as gateway, Holding(gateway.port) as proxy:
                    held = {}
                    waiting = threading.Thread(target=lambda: held.update(run=ClientRun(
                        f"http://127.0.0.1:{proxy.port}/.well-known/cmp", device, folder / "root.pem", "-cmd", "ir",
                        "-newkey", pki.key("new", "p256"), "-subject", "/O=Example/CN=device", "-certout",
                        folder / "new.pem", "-unprotected_errors")))
                    waiting.start()
                    assert proxy.held.wait(20), gateway.output
                    assert len(a.exchanges) == 1 and not b.exchanges
                    a.__exit__()  # this node goes
                    proxy.go.set()
                    waiting.join(60)
                    gateway.wait_for('"request":"certConf"')
                    confirmed = gateway.records()[1]
                    if shared:
                        assert held["run"].ok and len(b.exchanges) == 1, held["run"].output
                    else:
                        assert not held["run"].ok and not b.exchanges, held["run"].output
                        assert confirmed["rule"] in ("not-sent", "no-answer"), confirmed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    programs = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for test in (breaker, answer_timeout, max_in_flight, shared_state):
            folder = pathlib.Path(name) / test.__name__
            folder.mkdir()
            test(programs, folder)
            print(f"  {test.__name__}: as it says")
    return 0


if __name__ == "__main__":
    sys.exit(main())
