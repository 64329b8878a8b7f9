#!/usr/bin/env python3
"""HTTP/2 against programs nobody here wrote: curl, nghttp and h2load as clients, nghttpd and nghttpx as servers."""

import argparse
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

import tls_test  # noqa: E402
from gateway import Gateway, read_content, read_head  # noqa: E402
from peers import Program  # noqa: E402
from tls_test import REQUEST, EchoCa, TlsGateway, TlsPki, config, run  # noqa: E402

CMP = "Content-Type: application/pkixcmp"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


class SlowCa(EchoCa):
    """Waits before each answer, and counts what it was asked."""

    def __init__(self, wait=0.0):
        self.wait, self.asked = wait, 0
        super().__init__()

    def serve(self, connection):
        received = b""
        while True:
            head, received = read_head(connection, received)
            if head is None:
                return
            content, received = read_content(connection, head, received)
            self.asked += 1
            time.sleep(self.wait)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: "
                               + str(len(content)).encode() + b"\r\n\r\n" + content)


class Http2Test(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-h2-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.pki = TlsPki(self.folder)
        self.certificate, self.key = self.pki.issue(self.pki.servers, "server", "/CN=ra", "DNS:localhost")

    def enter(self, thing):
        thing.__enter__()
        self.addCleanup(thing.__exit__, None, None, None)
        return thing

    def gateway(self, upstream=None, folder=None, **options):
        upstream = upstream or self.enter(EchoCa()).url
        text = config(upstream, f'certificate = "file:{self.certificate}", key = "file:{self.key}"', **options)
        return self.enter(TlsGateway(folder or self.folder, text))

    def post(self, gateway, *options, secure=False):
        """(status, HTTP version, octets of the answer) by curl."""
        port = gateway.secure if secure else gateway.port
        scheme = "https" if secure else "http"
        done = run("curl", "-sS", "--max-time", 15, "--resolve", f"localhost:{port}:127.0.0.1", "--cacert", self.pki.servers,
                   "-o", self.folder / "answer", "-w", "%{http_code} %{http_version}", "-H", CMP,
                   "--data-binary", f"@{REQUEST}", *options, f"{scheme}://localhost:{port}/.well-known/cmp")
        self.assertEqual(done.returncode, 0, done.stderr)
        status, version = done.stdout.split()
        return int(status), version, (self.folder / "answer").read_bytes()

    def test_curl_by_alpn_and_by_prior_knowledge(self):
        gateway = self.gateway()
        answers = set()
        for options, secure, wanted in (((), True, "2"), (("--http2-prior-knowledge",), False, "2"),
                                        (("--http1.1",), True, "1.1"), ((), False, "1.1"), (("--http1.0",), False, "1.1")):
            status, version, answer = self.post(gateway, *options, secure=secure)
            self.assertEqual((status, version), (200, wanted))
            answers.add(len(answer))
        self.assertEqual(len(answers), 1)  # the same CMP message, whatever carried it
        status, _, text = self.post(gateway, "--http2-prior-knowledge", "-X", "GET")
        self.assertEqual(status, 405)
        self.assertEqual(self.post(gateway, "--http2-prior-knowledge", "-H", "Content-Type: text/plain")[0], 415)

    def test_switched_off(self):
        gateway = self.gateway(listener="http2 = false")
        status, version, _ = self.post(gateway, secure=True)
        self.assertEqual((status, version), (200, "1.1"))
        done = run("nghttp", "-v", f"http://127.0.0.1:{gateway.port}/.well-known/cmp")
        self.assertNotIn(":status", done.stdout)

    def test_nghttp_speaks_of_limits_and_paths(self):
        gateway = self.gateway()
        done = run("nghttp", "-v", "-d", REQUEST, "-H", CMP, f"http://127.0.0.1:{gateway.port}/.well-known/cmp")
        self.assertIn(":status: 200", done.stdout)
        self.assertIn("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):100", done.stdout)
        self.assertRegex(done.stdout, r"x-request-id: [0-9a-f]{32}")
        done = run("nghttp", "-v", "-d", REQUEST, "-H", CMP, f"http://127.0.0.1:{gateway.port}/elsewhere")
        self.assertIn(":status: 404", done.stdout)
        self.assertIn("/.well-known/cmp", done.stdout)
        large = self.folder / "large"
        large.write_bytes(bytes(300 * 1024))
        done = run("nghttp", "-v", "-d", large, "-H", CMP, f"http://127.0.0.1:{gateway.port}/.well-known/cmp")
        self.assertIn(":status: 413", done.stdout)

    def test_h2load_many_streams(self):
        gateway = self.gateway()
        for secure in (False, True):
            self.post(gateway, secure=secure)  # the same message is then answered from what is kept
        for scheme, port in (("http", gateway.port), ("https", gateway.secure)):
            done = run("h2load", "-n", 2000, "-c", 8, "-m", 20, "-d", REQUEST, "-H", CMP,
                       f"{scheme}://127.0.0.1:{port}/.well-known/cmp")
            self.assertIn("2000 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout, done.stderr)
            self.assertRegex(done.stdout, r"status codes: 2000 2xx")

    def test_streams_overtake_each_other_and_finish_at_the_end(self):
        ca = self.enter(SlowCa(1.0))
        gateway = self.gateway(ca.url)
        results = []
        urls = [f"http://127.0.0.1:{gateway.port}/.well-known/cmp?{i}" for i in range(20)]
        begun = time.monotonic()
        client = threading.Thread(target=lambda: results.append(run(
            "nghttp", "-v", "-d", REQUEST, "-H", CMP, *urls)))
        client.start()
        time.sleep(0.4)
        # Meanwhile the gateway is told to end: streams under way are answered.
        self.assertEqual(gateway.stop(20), 0)
        client.join(20)
        self.assertLess(time.monotonic() - begun, 10)
        text = results[0].stdout
        # One message twenty times: some wait for the first one's answer, the rest is too many (503).
        self.assertEqual(len(re.findall(r":status: (200|503)", text)), 20, text[-3000:])
        self.assertGreaterEqual(text.count(":status: 200"), 5)
        self.assertRegex(text, r"recv GOAWAY frame[^\n]*\n[^\n]*last_stream_id=2147483647, error_code=NO_ERROR")

    def test_idle_connections_are_told(self):
        gateway = self.gateway(listener='idle_timeout = "1s"')
        with socket.create_connection(("127.0.0.1", gateway.port)) as idle:
            idle.settimeout(10)
            idle.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000"))
            said = b""
            while octets := idle.recv(1000):
                said += octets
            self.assertIn(bytes.fromhex("0000080700000000000000000000000000"), said)  # GOAWAY, no error

    def test_a_second_gateway_by_h2(self):
        """Towards the CA: h2 where ALPN agrees, one connection for many messages, else HTTP/1.1."""
        upper = self.gateway()
        trust = f'tls = {{ trust = "file:{self.pki.servers}" }}'
        for number, (options, version) in enumerate(((trust, 2), (trust + '\nhttp2 = "never"', 1),
                                                     (trust + '\nhttp2 = "prior-knowledge"', 2))):
            with self.subTest(options=options):
                folder = self.folder / str(number)
                folder.mkdir()
                with TlsGateway(folder, config(f"https://localhost:{upper.secure}/.well-known/cmp",
                                               f'certificate = "file:{self.certificate}", key = "file:{self.key}"',
                                               upstream_tls=options)) as lower:
                    before = len(upper.records())
                    done = run("h2load", "--h1", "-n", 1, "-c", 1, "-d", REQUEST, "-H", CMP, lower.url)
                    self.assertIn("1 succeeded", done.stdout)
                    until = time.monotonic() + 5
                    while len(upper.records()) == before and time.monotonic() < until:
                        time.sleep(0.02)
                    self.assertEqual(len(upper.records()), before + 1)

    def test_nghttpx_in_front_and_behind(self):
        ca = self.enter(EchoCa())
        ports = [free_port(), free_port()]
        # Behind: h2 in cleartext to nghttpx, which speaks HTTP/1.1 to the CA.
        behind = self.enter(Program(["nghttpx", f"-f127.0.0.1,{ports[0]};no-tls", f"-b127.0.0.1,{ca.port}", "--workers=1",
                                     "--conf=/dev/null"]))
        self.wait_port(ports[0])
        gateway = self.gateway(f"http://127.0.0.1:{ports[0]}/", upstream_tls='http2 = "prior-knowledge"')
        # In front: h2 from nghttpx to the gateway.
        front = self.enter(Program(["nghttpx", f"-f127.0.0.1,{ports[1]};no-tls", f"-b127.0.0.1,{gateway.port};;proto=h2",
                                    "--workers=1", "--conf=/dev/null"]))
        self.wait_port(ports[1])
        done = run("curl", "-sS", "--max-time", 15, "-o", self.folder / "answer", "-w", "%{http_code}", "-H", CMP,
                   "--data-binary", f"@{REQUEST}", f"http://127.0.0.1:{ports[1]}/.well-known/cmp")
        self.assertEqual(done.stdout, "200", done.stderr + front.output + behind.output)
        until = time.monotonic() + 5
        while not gateway.records() and time.monotonic() < until:
            time.sleep(0.02)
        # It is an echo that came back: taken for what it is, so it went all the way.
        self.assertEqual(gateway.records()[-1]["decision"], "failed")
        self.assertNotIn(gateway.records()[-1]["rule"], ("not-sent", "no-answer", "upstream-status"))

    def test_nghttpd_refuses_posts(self):
        """A server that has no answer for us: its status is told, the connection is kept."""
        port = free_port()
        (self.folder / "root").mkdir()
        self.enter(Program(["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", self.folder / "root", str(port)]))
        self.wait_port(port)
        gateway = self.gateway(f"http://127.0.0.1:{port}/nothing", upstream_tls='http2 = "prior-knowledge"')
        self.assertEqual(self.post(gateway)[0], 200)
        until = time.monotonic() + 5
        while not gateway.records() and time.monotonic() < until:
            time.sleep(0.02)
        self.assertEqual((gateway.records()[-1]["rule"], gateway.records()[-1]["detail"]), ("upstream-status", "status 404"))

    def wait_port(self, port):
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        self.fail(f"nobody listens on {port}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", type=pathlib.Path, required=True)
    arguments, rest = parser.parse_known_args()
    tls_test.CMPGATE = arguments.cmpgate
    unittest.main(argv=[sys.argv[0], *rest])
