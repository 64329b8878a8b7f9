#!/usr/bin/env python3
"""CMP over CoAP (RFC 9482) at the real program, by libcoap's clients built with OpenSSL and with GnuTLS: DTLS with
certificates and with keys of `cmpgate secret add`, the end, a reload, and what the configuration refuses. That it
enrols, byte-exact, is interop/doors; what happens when datagrams are lost, transports/coap."""

import argparse
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from gateway import Gateway  # noqa: E402
from peers import Program  # noqa: E402
from tcp_test import SlowCa, refusal, request  # noqa: E402
from tls_test import TlsPki  # noqa: E402

CMPGATE = None
CLIENTS = ("coap-client-openssl", "coap-client-gnutls")
PATH = "/.well-known/cmp"


def check(folder, text):
    """What `cmpgate check` says of a configuration."""
    file = folder / "check.toml"
    file.write_text("version = 1\n" + text)
    done = subprocess.run([CMPGATE, "check", "-c", file], capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


class CoapGateway(Gateway):
    def __init__(self, folder, listeners, upstream, rest=""):
        super().__init__(CMPGATE, folder, f"""
workers = 2
[[listener]]
name = "plain"
url = "http://127.0.0.1:0"
{listeners}
[[upstream]]
name = "ca"
url = "{upstream}"
[[profile]]
name = "relay"
origin = "opaque"
[store]
kind = "memory"
{rest}""")

    def at(self, listener):
        """The address of a listener that the log named last."""
        self.wait_for(rf'"event":"listening","listener":"{listener}"')
        found = re.findall(rf'"event":"listening","listener":"{listener}","scheme":"([^"]*)","address":"([^"]*)"', self.output)
        return "{}://{}".format(*found[-1])


class CoapTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-coap-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.number = 0

    def enter(self, thing):
        thing.__enter__()
        self.addCleanup(thing.__exit__, None, None, None)
        return thing

    def post(self, url, der, *options, client=CLIENTS[0], wait=15):
        """(content of the answer, what the client said)."""
        self.number += 1
        sent, got = self.folder / f"{self.number}.in", self.folder / f"{self.number}.out"
        sent.write_bytes(der)
        done = subprocess.run([client, "-m", "post", "-t", "259", "-B", str(wait), *map(str, options), "-f", sent, "-o", got,
                               url], capture_output=True, text=True, errors="replace", timeout=wait + 10, check=False)
        return (got.read_bytes() if got.exists() else b""), done.stdout + done.stderr

    def test_answers_are_those_of_http(self):
        ca = self.enter(SlowCa())
        gateway = self.enter(CoapGateway(self.folder, '[[listener]]\nname = "c"\nurl = "coap://127.0.0.1:0"\n'
                                                      '[[listener]]\nname = "t"\nurl = "coap+tcp://127.0.0.1:0"', ca.url))
        for number, listener in enumerate(("c", "t")):
            for client in CLIENTS:
                der = request(f"{number}{client}")
                answer, said = self.post(gateway.at(listener) + PATH, der, client=client)
                self.assertEqual(answer, refusal(der), said)
        self.assertEqual(ca.asked, 4)
        _, said = self.post(gateway.at("c") + "/elsewhere", request("x"))
        self.assertIn("4.04", said)
        _, said = self.post(gateway.at("c") + PATH + "/initialization", request("x"))
        self.assertIn("4.04", said)
        answer, said = self.post(gateway.at("c") + PATH, b"no CMP" * 100)
        self.assertIn("4.00", said)
        done = subprocess.run([CLIENTS[0], "-m", "get", gateway.at("c") + "/.well-known/core"], capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertIn("</.well-known/cmp>;ct=259", done.stdout)
        records = gateway.records()
        self.assertEqual({record["listener"] for record in records}, {"c", "t"})

    def test_a_message_of_many_blocks(self):
        gateway = self.enter(CoapGateway(self.folder, '[[listener]]\nname = "c"\nurl = "coap://127.0.0.1:0"',
                                         self.enter(SlowCa()).url))
        # 250 KiB that are no PKIMessage, and 257 KiB that are too many.
        _, said = self.post(gateway.at("c") + PATH, bytes(250 * 1024))
        self.assertIn("4.00", said)
        _, said = self.post(gateway.at("c") + PATH, bytes(257 * 1024))
        self.assertIn("4.13", said)

    def test_dtls_with_certificates_and_with_secrets(self):
        pki = TlsPki(self.folder)
        certificate, key = pki.issue(pki.servers, "server", "/CN=ra", "DNS:localhost")
        device, device_key = pki.issue(pki.clients, "device", "/CN=device-7")
        stranger, stranger_key = pki.issue(pki.servers, "stranger", "/CN=stranger")
        ca = self.enter(SlowCa())
        gateway = self.enter(CoapGateway(self.folder, f"""
[[listener]]
name = "c"
url = "coaps://127.0.0.1:0"
psk = "secrets"
tls = {{ certificate = "file:{certificate}", key = "file:{key}", client_ca = "file:{pki.clients}" }}
[[listener]]
name = "p"
url = "coaps://127.0.0.1:0"
psk = "secrets"
""", ca.url, rest='[admin]\nurl = "unix:admin.sock"'))
        for client in CLIENTS:
            der = request("dtls" + client)
            answer, said = self.post(gateway.at("c") + PATH, der, "-c", device, "-j", device_key, "-R", pki.servers,
                                     client=client)
            self.assertEqual(answer, refusal(der), said)
        answer, _ = self.post(gateway.at("c") + PATH, request("stranger"), "-c", stranger, "-j", stranger_key, "-R",
                              pki.servers, wait=3)
        self.assertEqual(answer, b"")
        # A secret that is made while the gateway runs; it is shown once.
        made = subprocess.run([CMPGATE, "secret", "add", "-c", self.folder / "cmpgate.toml", "--reference", "press-17"],
                              capture_output=True, text=True, timeout=20, check=False)
        secret = re.search(r"[A-Za-z0-9+/=_-]{20,}", made.stdout)
        self.assertTrue(secret, made.stdout + made.stderr)
        until = time.monotonic() + 20
        answer = b""
        while not answer and time.monotonic() < until:
            der = request(f"psk{time.monotonic()}")
            answer, said = self.post(gateway.at("p") + PATH, der, "-u", "press-17", "-k", secret[0], wait=3)
        self.assertEqual(answer, refusal(der), said)
        answer, _ = self.post(gateway.at("p") + PATH, request("guess"), "-u", "press-17", "-k", "x" * 26, wait=3)
        self.assertEqual(answer, b"")

    def test_the_end_finishes_what_was_begun(self):
        ca = self.enter(SlowCa(1.5))
        gateway = self.enter(CoapGateway(self.folder, '[[listener]]\nname = "c"\nurl = "coap://127.0.0.1:0"', ca.url))
        url, results, ders = gateway.at("c") + PATH, {}, [request(f"end{i}") for i in range(4)]
        devices = [threading.Thread(target=lambda der=der: results.__setitem__(der, self.post(url, der))) for der in ders]
        for device in devices:
            device.start()
        until = time.monotonic() + 10
        while ca.asked < len(ders) and time.monotonic() < until:
            time.sleep(0.02)
        self.assertEqual(gateway.stop(20), 0)
        for device in devices:
            device.join()
        for der in ders:
            self.assertEqual(results[der][0], refusal(der), results[der][1])

    def test_a_reload_keeps_the_port_and_opens_another(self):
        ca = self.enter(SlowCa(0.5))
        gateway = self.enter(CoapGateway(self.folder, '[[listener]]\nname = "c"\nurl = "coap://127.0.0.1:0"', ca.url))
        url = gateway.at("c") + PATH
        der, results = request("reload"), []
        device = threading.Thread(target=lambda: results.append(self.post(url, der)))
        device.start()
        time.sleep(0.2)
        file = self.folder / "cmpgate.toml"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            # Somebody has that port: nothing changes.
            text = file.read_text()
            file.write_text(text.replace("[[upstream]]", f'[[listener]]\nname = "d"\nurl = "coap://127.0.0.1:{port}"\n'
                                                         "[[upstream]]", 1))
            os.kill(gateway.process.pid, signal.SIGHUP)
            gateway.wait_for(r"Address already in use")
        os.kill(gateway.process.pid, signal.SIGHUP)
        gateway.wait_for(r'"event":"reloaded"')
        device.join()
        self.assertEqual(results[0][0], refusal(der), results[0][1])
        for at in (url, f"coap://127.0.0.1:{port}{PATH}"):
            der = request(at)
            answer, said = self.post(at, der)
            self.assertEqual(answer, refusal(der), said)
        self.assertEqual(gateway.stop(20), 0)

    def test_a_taken_port_ends_the_start(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            file = self.folder / "taken.toml"
            file.write_text(f"""version = 1
[[listener]]
url = "coap://127.0.0.1:{taken.getsockname()[1]}"
[[upstream]]
url = "http://127.0.0.1:1/"
[[profile]]
origin = "opaque"
[store]
kind = "memory"
""")
            with Program([CMPGATE, "serve", "-c", file]) as program:
                self.assertNotEqual(program.process.wait(20), 0)
                program._reader.join(5)
                self.assertIn("Address already in use", program.output)

    def test_what_the_configuration_refuses(self):
        rows = (('url = "coaps://127.0.0.1:0"', "needs tls"),
                ('url = "coap://127.0.0.1:0"\npsk = "secrets"', "psk is said"),
                ('url = "coap://127.0.0.1:0"\npks = "secrets"', "psk"),
                ('url = "coap://127.0.0.1:0"\nsend_timeout = "3s"', "send_timeout belongs"),
                ('url = "coap+tcp://127.0.0.1:0"\nproxy_protocol = ["10.0.0.0/8"]', "proxy_protocol belongs"),
                ('url = "coap+udp://127.0.0.1:0"', "unknown scheme"),
                ('url = "coap://127.0.0.1:0/cmp"', "ends after the port"))
        for listener, wanted in rows:
            with self.subTest(listener=listener):
                self.assertIn(wanted, check(self.folder, f"[[listener]]\n{listener}\n"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    arguments, rest = parser.parse_known_args()
    CMPGATE = arguments.cmpgate.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
