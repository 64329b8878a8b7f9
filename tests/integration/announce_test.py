#!/usr/bin/env python3
"""What a CA announces (RFC 9810 5.3.13 to 5.3.16, RFC 9811 3.5): by HTTP POST, HTTP/2 and TCP, from whom it may come, and
where it goes."""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from cmp_message import MESSAGE_TIME, PROTECTION_ALG, SENDER_KID, Message, Seeded, split, tlv  # noqa: E402
from gateway import Gateway, sign  # noqa: E402
from peers import EKU_CMC_CA, Pki, Program  # noqa: E402
from spool import fetch  # noqa: E402
from tcp_client import ERROR, FIN_REP, REQ, TcpClient, rfc2510, versioned  # noqa: E402
from tcp_test import SlowCa  # noqa: E402

CMPGATE = None
VECTOR = (ROOT / "tests/vectors/cmp/ir-sig.der").read_bytes()
ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
# ckuann is CAKeyUpdAnnContent, cann a Certificate, rann a RevAnnContent; their content is the hearer's business.
TYPES = {"ckuann": 15, "cann": 16, "rann": 17, "crlann": 18}


def announcement(signer, kind, number, offset=0.0, protect=True):
    """Signed as a CA signs its answers. `offset`: of its messageTime from now, None: it has none."""
    message, random = Message(VECTOR), Seeded("announcement", number)
    certificate = subprocess.run(["openssl", "x509", "-in", str(signer.certificate), "-outform", "DER"], capture_output=True,
                                 check=True).stdout
    to_be_signed = split(split(certificate)[0][1])[0][1]
    subject = [whole for tag, _, whole in split(to_be_signed) if tag == 0x30][3]
    message.sender = tlv(0xa4, subject)
    message.transaction_id, message.sender_nonce, message.recip_nonce = random.octets(16), random.octets(16), None
    message.fields.pop(SENDER_KID, None)
    message.fields.pop(MESSAGE_TIME, None)
    if offset is not None:
        moment = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + offset))
        message.fields[MESSAGE_TIME] = tlv(0x18, moment.encode())
    content = certificate if kind == "cann" else tlv(0x30, tlv(0x04, random.octets(8)))
    message.body = tlv(0xa0 + TYPES[kind], content)
    message.fields[PROTECTION_ALG] = ECDSA_WITH_SHA256
    message.rest = [(0xa1, b"", tlv(0xa1, tlv(0x30, certificate)))]
    if protect:
        message.protect(sign(signer.key, message.protected_part()))
    else:
        message.fields.pop(PROTECTION_ALG)
    return message.der()


class AnnounceTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-announce-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.pki = Pki(self.folder / "ca")
        self.signer = self.pki.issue("cmp", "p256", "/CN=CMP signer", EKU_CMC_CA)
        self.device = self.pki.issue("device", "p256", "/CN=device")
        (self.folder / "spool").mkdir(mode=0o700)
        ca = SlowCa()
        ca.__enter__()
        self.addCleanup(ca.__exit__, None, None, None)
        self.gateway = Gateway(CMPGATE, self.folder, f"""
workers = 2
[[listener]]
name = "uplink"
url = "http://127.0.0.1:0"
[[listener]]
name = "frames"
url = "tcp://127.0.0.1:0"
[[listener]]
name = "plant"
url = "tcp://127.0.0.1:0"
[[listener]]
name = "sensors"
url = "coap://127.0.0.1:0"
[[listener]]
name = "files"
url = "file:spool"
[[upstream]]
name = "ca"
url = "{ca.url}"
trust = "file:{self.pki.root}"
announces_on = ["uplink", "frames"]
[[profile]]
name = "relay"
origin = "opaque"
""")
        self.gateway.__enter__()
        self.addCleanup(self.gateway.__exit__, None, None, None)
        self.ports = {name: int(self.gateway.wait_for(
            rf'"event":"listening","listener":"{name}"[^\n]*"address":"127\.0\.0\.1:(\d+)"')[1]) for name in ("frames", "plant", "sensors")}

    def post(self, der, *options):
        """(status, octets of the answer) by curl."""
        (self.folder / "post").write_bytes(der)
        done = subprocess.run(["curl", "-sS", "--max-time", "15", "-o", self.folder / "answer", "-w", "%{http_code}", "-H",
                               "Content-Type: application/pkixcmp", "--data-binary", f"@{self.folder}/post", *options,
                               self.gateway.url], capture_output=True, text=True, timeout=30, check=True)
        return int(done.stdout), (self.folder / "answer").read_bytes()

    def frame(self, listener, octets):
        with TcpClient(self.ports[listener]) as client:
            client.send(octets)
            return client.read()

    def heard(self):
        return sorted((self.folder / "spool" / "out").glob("announcement-*.pki"))

    def last(self):
        return self.gateway.records()[-1]

    def test_taken_and_passed_on(self):
        sent = []
        for number, kind in enumerate(TYPES):
            der = announcement(self.signer, kind, number)
            options = (("--http1.1",), ("--http2-prior-knowledge",))[number % 2]
            self.assertEqual(self.post(der, *options), (201, b""), kind)
            sent.append(der)
        for number, framing in enumerate((versioned, rfc2510)):
            der = announcement(self.signer, "crlann", 10 + number)
            self.assertEqual(self.frame("frames", framing(REQ, der)).kind, FIN_REP)
            sent.append(der)
        until = time.monotonic() + 10
        while len(self.heard()) < len(sent):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.05)
        self.assertEqual(sorted(fetch(file.parent, file.name) for file in self.heard()), sorted(sent))
        self.assertEqual(len(self.gateway.records("announcement")), len(sent))
        # Known already: 201 again, and nobody hears it twice.
        self.assertEqual(self.post(sent[0]), (201, b""))
        self.assertEqual(self.last()["decision"], "repeated")
        time.sleep(0.3)
        self.assertEqual((self.heard(), len(self.gateway.records("announcement"))), ([], len(sent)))

    def test_observed_over_coap(self):
        """Who asked to hear of it (RFC 9482 4) hears each as it came."""
        heard = self.folder / "observed"
        with Program(["coap-client-notls", "-v", "7", "-s", "30", "-o", heard,
                      f"coap://127.0.0.1:{self.ports['sensors']}/.well-known/cmp/ann"]) as observer:
            observer.wait_for(r"2\.05.*Observe:|Observe:.*2\.05")
            for number in (20, 21):
                der = announcement(self.signer, "crlann", number)
                self.assertEqual(self.post(der), (201, b""))
                until = time.monotonic() + 10
                while not heard.exists() or not heard.read_bytes().endswith(der):
                    self.assertLess(time.monotonic(), until, observer.output[-3000:])
                    time.sleep(0.05)

    def test_refused_without_content(self):
        der = announcement(self.signer, "crlann", 1)
        rows = [("of a device", announcement(self.device, "crlann", 2), "announcement"),
                ("unprotected", announcement(self.signer, "crlann", 3, protect=False), "announcement"),
                ("an octet changed", der[:-9] + bytes([der[-9] ^ 1]) + der[-8:], "announcement"),
                ("an hour old", announcement(self.signer, "crlann", 4, -3600), "announcement-time"),
                ("of tomorrow", announcement(self.signer, "crlann", 5, 86400), "announcement-time"),
                ("undated", announcement(self.signer, "crlann", 6, None), "announcement-time")]
        for name, octets, rule in rows:
            with self.subTest(name):
                self.assertEqual(self.post(octets), (400, b""))
                self.assertEqual((self.last()["decision"], self.last()["rule"]), ("refused", rule))
        # Through a listener where nobody may announce.
        self.assertEqual(self.frame("plant", versioned(REQ, der)).kind, ERROR)
        self.assertEqual(self.last()["rule"], "announcement")
        time.sleep(0.3)
        self.assertEqual((self.heard(), self.gateway.records("announcement")), ([], []))

    def test_check(self):
        for line, fault in (('announces_on = ["uplnk"]', 'did you mean "uplink"?'), ('announces_on = ["uplink"]', "without trust")):
            path = self.folder / "check.toml"
            path.write_text('version = 1\n[[listener]]\nname = "uplink"\nurl = "http://127.0.0.1:0"\n[[upstream]]\n'
                            f'url = "http://127.0.0.1:9/"\n{line}\n[[profile]]\norigin = "opaque"\n')
            done = subprocess.run([CMPGATE, "check", "-c", path], capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(fault, done.stdout + done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    programs, rest = parser.parse_known_args()
    CMPGATE = programs.cmpgate.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
