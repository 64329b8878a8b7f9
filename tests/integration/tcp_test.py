#!/usr/bin/env python3
"""CMP directly over TCP (spec 03 section 4): a client and a CA of the tests' own speak both framings, in cleartext and
under TLS; messages are those of `openssl cmp`, told apart by transactionID. That `openssl cmp` enrols this way is
interop/doors."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from cmp_message import Message, Seeded, tlv  # noqa: E402
from gateway import Gateway, Server, read_content, read_head  # noqa: E402
from tcp_client import (ERROR, FIN_REP, FRAMINGS, POLL_REP, POLL_REQ, REP, REQ, TcpClient, TcpServer,  # noqa: E402
                        rfc2510, versioned)
from tls_test import TlsPki  # noqa: E402

CMPGATE = None
REQUEST = (ROOT / "tests/vectors/cmp/ir-sig.der").read_bytes()


def request(number):
    """A message of its own."""
    message, random = Message(REQUEST), Seeded("tcp", number)
    message.transaction_id, message.sender_nonce = random.octets(16), random.octets(16)
    return message.der()


def refusal(der):
    """What a CA says that wants nobody: an error for this request."""
    message = Message(der)
    message.sender, message.recipient = message.recipient, message.sender
    message.recip_nonce, message.sender_nonce = message.sender_nonce, b"n" * 16
    message.body, message.rest = tlv(0xb7, tlv(0x30, tlv(0x30, b"\x02\x01\x02"))), []
    message.fields.pop(0xa1, None)  # protectionAlg
    return message.der()


class SlowCa(Server):
    """An HTTP CA that refuses everybody, after a while."""

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
            answer = refusal(content)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: "
                               + str(len(answer)).encode() + b"\r\n\r\n" + answer)


class TcpGateway(Gateway):
    def __init__(self, folder, text):
        super().__init__(CMPGATE, folder, text)
        self.tcp = int(self.wait_for(r"\btcp://127\.0\.0\.1:([1-9]\d*)")[1])
        found = re.search(r"\btcps://127\.0\.0\.1:([1-9]\d*)", self.output)
        self.tcps = int(found[1]) if found else None


def config(upstream, listener="", tls="", profile="", keys=""):
    """http (for the harness), tcp and, with `tls`, tcps."""
    text = f'workers = 2\n[[listener]]\nurl = "http://127.0.0.1:0"\n[[listener]]\nname = "tcp"\nurl = "tcp://127.0.0.1:0"\n{listener}\n'
    if tls:
        text += f'[[listener]]\nname = "tcps"\nurl = "tcps://127.0.0.1:0"\ntls = {{ {tls} }}\n'
    return text + (f'[[upstream]]\nname = "ca"\nurl = "{upstream}"\n{keys}\n'
                   f'[[profile]]\nname = "relay"\norigin = "opaque"\n{profile}\n')


class TcpTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-tcp-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def enter(self, thing):
        thing.__enter__()
        self.addCleanup(thing.__exit__, None, None, None)
        return thing

    def gateway(self, upstream=None, **options):
        return self.enter(TcpGateway(self.folder, config(upstream or self.enter(SlowCa()).url, **options)))

    def answered(self, der, answer):
        self.assertEqual(Message(answer).type, "error")
        self.assertEqual(Message(answer).transaction_id, Message(der).transaction_id)
        self.assertEqual(Message(answer).recip_nonce, Message(der).sender_nonce)

    def told(self, gateway, act):
        """The log record of what `act` sends."""
        before = len(gateway.records())
        act()
        until = time.monotonic() + 10
        while len(gateway.records()) <= before:
            self.assertLess(time.monotonic(), until, gateway.output[-2000:])
            time.sleep(0.02)
        return gateway.records()[-1]

    def test_both_framings_pipelined_on_one_connection(self):
        gateway = self.gateway()
        sent = [(("versioned", "rfc2510")[number % 2], request(number)) for number in range(100)]
        with TcpClient(gateway.tcp) as client:
            client.send(b"".join(FRAMINGS[framing](REQ, der) for framing, der in sent))
            for framing, der in sent:
                answer = client.read()
                self.assertEqual((answer.kind, answer.framing, answer.close), (REP, framing, False))
                self.answered(der, answer.value)
            client.send(versioned(REQ, request(100), flags=1))
            answer = client.read()
            self.assertTrue(answer.close)
            self.answered(request(100), answer.value)
            self.assertIsNone(client.read())

    def test_under_tls_its_facts_go_to_policy(self):
        pki = TlsPki(self.folder)
        certificate, key = pki.issue(pki.servers, "server", "/CN=ra", "DNS:localhost")
        mine = pki.issue(pki.clients, "device-7", "/CN=device-7")
        gateway = self.gateway(
            tls=f'certificate = "file:{certificate}", key = "file:{key}", client_ca = "file:{pki.clients}", '
                'client_certificates = "optional"',
            profile='match.listener = "tcps"\ntls_client = "CN=device-7"')
        anybody = ssl.create_default_context(cafile=str(pki.servers))
        device = ssl.create_default_context(cafile=str(pki.servers))
        device.load_cert_chain(*map(str, mine))
        for framing in FRAMINGS:
            with TcpClient(gateway.tcps, device) as client:
                der = request(framing)
                self.answered(der, client.exchange(der, framing))
        self.assertEqual(gateway.records()[-1]["decision"], "forwarded")
        with TcpClient(gateway.tcps, anybody) as client:
            told = self.told(gateway, lambda: client.exchange(request(2)))
        self.assertEqual((told["decision"], told["rule"]), ("refused", "tls-client"))
        # Cleartext on the port of TLS, and HTTP's name for a protocol under it.
        with TcpClient(gateway.tcps) as client:
            client.send(versioned(REQ, request(3)))
            self.assertIn(getattr(client.read(), "kind", None), (None,))
        device.set_alpn_protocols(["http/1.1"])
        with TcpClient(gateway.tcps, device) as client:
            self.assertIsNone(client.connection.selected_alpn_protocol())
            self.answered(request(4), client.exchange(request(4)))

    def test_frames_that_are_wrong(self):
        gateway = self.gateway()
        with TcpClient(gateway.tcp) as client:
            for octets, error in ((versioned(REQ, b"x", version=11), (0x0101, b"\x0a")),
                                  (versioned(99, b"x"), (0x0201, b"\x63")),
                                  (versioned(REP, b"x"), (0x0201, b"\x05")),
                                  (versioned(POLL_REQ, b"abc"), (0x0200, b"")),
                                  (versioned(POLL_REQ, b"abcd"), (0x0202, b"abcd"))):
                client.send(octets)
                answer = client.read()
                self.assertEqual((answer.kind, *answer.error[:2]), (ERROR, *error))
            client.send(rfc2510(9, b"x"))
            answer = client.read()
            self.assertEqual((answer.kind, answer.framing), (ERROR, "rfc2510"))
            # It goes on all the same, also after what is no PKIMessage.
            client.send(versioned(REQ, b"no message"))
            self.assertIn(client.read().kind, (REP, ERROR))
            self.answered(request(1), client.exchange(request(1)))
        for octets in (struct.pack(">IBBB", 1 << 24, 10, 0, 0), struct.pack(">IBBB", 0xffffffff, 10, 0, 0),
                       struct.pack(">IBBB", 2, 10, 0, 0), struct.pack(">IB", 0, 0)):
            with TcpClient(gateway.tcp) as client:
                client.send(octets)
                self.assertEqual(client.read().kind, ERROR)
                self.assertIsNone(client.read())
        with TcpClient(gateway.tcp) as client:
            for guess in range(5):
                client.send(versioned(POLL_REQ, struct.pack(">I", guess)))
                self.assertEqual(client.read().error[0], 0x0202)
            self.assertIsNone(client.read())

    def test_a_slow_ca_is_polled_for(self):
        ca = self.enter(SlowCa(2.5))
        gateway = self.gateway(ca.url, listener='poll_after = "1s"\ncheck_back = "1s"')
        der = request(1)
        with TcpClient(gateway.tcp) as client:
            client.send(versioned(REQ, der))
            promise = client.read()
            self.assertEqual((promise.kind, promise.value[4:]), (POLL_REP, struct.pack(">I", 1)))
            client.send(versioned(POLL_REQ, promise.value[:4]))
            self.assertEqual(client.read().octets, promise.octets)
        time.sleep(2)
        with TcpClient(gateway.tcp, source=("127.0.0.2", 0)) as stranger:
            stranger.send(versioned(POLL_REQ, promise.value[:4]))
            self.assertEqual(stranger.read().error[0], 0x0202)
        with TcpClient(gateway.tcp) as client:
            client.send(versioned(POLL_REQ, promise.value[:4]))
            answer = client.read()
            self.assertEqual(answer.kind, REP)
            self.answered(der, answer.value)
            client.send(versioned(POLL_REQ, promise.value[:4]))
            self.assertEqual(client.read().error[0], 0x0202)  # given once
            # RFC 2510 says when, not how long.
            client.send(rfc2510(REQ, request(2)))
            promise = client.read()
            self.assertAlmostEqual(struct.unpack(">I", promise.value[4:])[0], time.time() + 1, delta=3)
        self.assertEqual(ca.asked, 2)

    def test_proxy_header(self):
        gateway = self.gateway(listener='proxy_protocol = ["127.0.0.2/32"]')
        header = bytes.fromhex("0d0a0d0a000d0a515549540a2111000c") + socket.inet_aton("192.0.2.7") + \
            socket.inet_aton("192.0.2.1") + struct.pack(">HH", 4711, 829)
        with TcpClient(gateway.tcp, source=("127.0.0.2", 0)) as proxy:
            told = self.told(gateway, lambda: (
                proxy.send(header + versioned(REQ, request(1))),
                self.answered(request(1), proxy.read().value)))
        self.assertEqual((told["peer"], told["decision"]), ("192.0.2.7", "forwarded"))
        with TcpClient(gateway.tcp, source=("127.0.0.2", 0)) as proxy:
            proxy.send(versioned(REQ, request(2)))
            self.assertIsNone(proxy.read())
        with TcpClient(gateway.tcp) as stranger:
            stranger.send(header + versioned(REQ, request(3)))
            answer = stranger.read()  # 0d0a0d0a is a length of 218 MiB
            self.assertTrue(answer is None or answer.kind == ERROR)

    def test_stop_and_reload_lose_no_exchange(self):
        ca = self.enter(SlowCa(1.0))
        gateway = self.gateway(ca.url)
        idle = self.enter(TcpClient(gateway.tcp))
        kept = self.enter(TcpClient(gateway.tcp))
        self.answered(request(0), kept.exchange(request(0)))
        file = self.folder / "cmpgate.toml"
        file.write_text(file.read_text().replace('name = "tcp"\n', 'name = "tcp"\npoll_after = "1s"\ncheck_back = "7s"\n'))
        kept.send(versioned(REQ, request(1)))
        time.sleep(0.3)
        os.kill(gateway.process.pid, signal.SIGHUP)
        gateway.wait_for(r'"event":"reloaded"')
        self.answered(request(1), kept.read().value)
        # The connection stays, and what was said anew counts.
        ca.wait = 2.5
        kept.send(versioned(REQ, request(2)))
        self.assertEqual(kept.read().value[4:], struct.pack(">I", 7))
        ca.wait = 1.0
        last = self.enter(TcpClient(gateway.tcp))
        last.send(versioned(REQ, request(3)))
        time.sleep(0.3)
        stopped = []
        stopper = threading.Thread(target=lambda: stopped.append(gateway.stop(20)))
        stopper.start()
        answer = last.read()
        self.answered(request(3), answer.value)
        self.assertTrue(answer.close)
        self.assertIsNone(last.read())
        self.assertIsNone(idle.read())
        stopper.join(20)
        self.assertEqual(stopped, [0])

    def test_peers_that_misbehave(self):
        gateway = self.gateway(listener='receive_timeout = "1s"\nidle_timeout = "2s"\nsend_timeout = "1s"\nmax_connections = 60')
        with TcpClient(gateway.tcp) as client:
            client.exchange(request(0))
        descriptors, memory = gateway.rest()
        others, done = [], threading.Event()

        def steady():
            number = 1000
            while not done.is_set():
                with TcpClient(gateway.tcp) as client:
                    self.answered(request(number), client.exchange(request(number)))
                others.append(number)
                number += 1

        other = threading.Thread(target=steady)
        other.start()
        try:
            with TcpClient(gateway.tcp) as slow:
                begun = time.monotonic()
                try:
                    for octet in versioned(REQ, request(1)):
                        slow.send(bytes([octet]))
                        time.sleep(0.01)
                except OSError:
                    pass
                self.assertIsNone(slow.read())
                self.assertLess(time.monotonic() - begun, 15)
            with TcpClient(gateway.tcp) as silent:
                self.assertIsNone(silent.read())
            for cut in (3, 6, 9, 500):
                with TcpClient(gateway.tcp) as truncating:
                    truncating.send(versioned(REQ, request(2))[:cut])
                    truncating.connection.shutdown(socket.SHUT_WR)
                    self.assertIsNone(truncating.read())
            for number in range(200):
                gone = TcpClient(gateway.tcp)
                gone.send(versioned(REQ, request(3000 + number)))
                gone.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                gone.connection.close()
            with TcpClient(gateway.tcp, timeout=30) as flooding:  # and never reads
                flooding.connection.settimeout(5)
                frame = versioned(REQ, request(4))
                try:
                    for _ in range(100_000):
                        flooding.send(frame * 10)
                except OSError:
                    pass
        finally:
            done.set()
            other.join(60)
        self.assertGreater(len(others), 20)
        crowd = [TcpClient(gateway.tcp) for _ in range(80)]
        ends = 0
        for one in crowd:
            one.connection.settimeout(1)
            try:
                ends += one.read() is None
            except TimeoutError:
                pass
            if ends == 20:
                break
        self.assertEqual(ends, 20)  # over max_connections
        for one in crowd:
            one.connection.close()
        gateway.back_to(descriptors + 4, memory, 24 << 20)

    def test_a_ca_over_tcp(self):
        seen = []

        def answer(frame):
            seen.append(frame)
            return FRAMINGS[frame.framing](REP, refusal(frame.value))

        for framing in FRAMINGS:
            with self.subTest(framing=framing), TcpServer(answer) as ca:
                gateway = TcpGateway(self.folder, config(ca.url, keys=f'tcp_framing = "{framing}"'))
                with gateway, TcpClient(gateway.tcp) as client:
                    for number in range(5):
                        der = request((framing, number))
                        told = self.told(gateway, lambda der=der: self.answered(der, client.exchange(der)))
                        self.assertEqual(told["decision"], "forwarded")
                        self.assertEqual((seen[-1].value, seen[-1].framing, seen[-1].kind), (der, framing, REQ))

    def test_a_ca_over_tcp_that_misbehaves(self):
        polled = []

        def polls(frame):
            polled.append(frame)
            if frame.kind == REQ:
                return versioned(POLL_REP, b"ref1" + struct.pack(">I", 1))
            return versioned(REP, refusal(polled[0].value))

        rows = [("polled", polls, "forwarded", None),
                ("says there is none", lambda frame: versioned(FIN_REP, b"\0", 1), "failed", "upstream-status"),
                ("frame error", lambda frame: versioned(ERROR, b"\3\0\0\0why"), "failed", "upstream-status"),
                ("hangs up", lambda frame: b"", "failed", "no-answer"),
                ("huge", lambda frame: struct.pack(">IBBB", 1 << 26, 10, 0, REP) + b"x", "failed", "no-answer"),
                ("junk", lambda frame: versioned(REP, b"junk"), "failed", "answer-parse"),
                ("half", lambda frame: versioned(REP, refusal(frame.value)[:-3]), "failed", "answer-parse"),
                ("old framing", lambda frame: rfc2510(REP, refusal(frame.value)), "forwarded", None),
                ("type 00", lambda frame: versioned(REQ, refusal(frame.value)), "forwarded", None)]
        for number, (name, answer, decision, rule) in enumerate(rows):
            with self.subTest(name), TcpServer(answer) as ca:
                with TcpGateway(self.folder, config(ca.url)) as gateway, TcpClient(gateway.tcp) as client:
                    told = self.told(gateway, lambda n=number: client.exchange(request(n)))
                    self.assertEqual((told["decision"], told.get("rule") or None), (decision, rule))

    def test_tls_towards_the_ca(self):
        pki = TlsPki(self.folder)
        certificate, key = pki.issue(pki.servers, "server", "/CN=ra", "DNS:localhost")
        upper_folder = self.folder / "upper"
        upper_folder.mkdir()
        upper = self.enter(TcpGateway(upper_folder, config(
            self.enter(SlowCa()).url, tls=f'certificate = "file:{certificate}", key = "file:{key}"')))
        for trust, decision in ((pki.servers, "forwarded"), (pki.clients, "failed")):
            with TcpGateway(self.folder, config(f"tcps://localhost:{upper.tcps}",
                                                keys=f'tls = {{ trust = "file:{trust}" }}')) as lower, \
                    TcpClient(lower.tcp) as client:
                told = self.told(lower, lambda t=trust: client.exchange(request(str(t))))
                self.assertEqual(told["decision"], decision)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    programs, rest = parser.parse_known_args()
    CMPGATE = programs.cmpgate.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
