#!/usr/bin/env python3
"""Spools (RFC 9483 6.3): a directory as a listener, and as the way to a CA that is on no network; with the gateway killed
in between. That `openssl cmp` enrols through either is integration/doors as well."""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from cmp_message import Message  # noqa: E402
from gateway import Gateway, Server, read_content, read_head  # noqa: E402
from http2_test import free_port  # noqa: E402
from labca_test import Ca  # noqa: E402
from peers import EKU_CMC_RA, ClientRun, Pki, openssl, public_key_of  # noqa: E402
from spool import Courier, exchange, fetch, put  # noqa: E402
from tcp_test import SlowCa, refusal, request  # noqa: E402

CMPGATE = LABCA = None
REPROTECT = 'treatment = "reprotect"\nmatch.operations = ["ir", "cr", "rr"]'


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", timeout=30,
                          check=False, stdin=subprocess.DEVNULL)


class CountingCa(Server):
    """Refuses everybody, and counts how often each transaction was begun."""

    def __init__(self):
        self.begun, self.wait = {}, 0.02
        super().__init__()

    def serve(self, connection):
        received = b""
        while True:
            head, received = read_head(connection, received)
            if head is None:
                return
            content, received = read_content(connection, head, received)
            with self.lock:
                key = Message(content).transaction_id
                self.begun[key] = self.begun.get(key, 0) + 1
            time.sleep(self.wait)
            answer = refusal(content)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/pkixcmp\r\nContent-Length: "
                               + str(len(answer)).encode() + b"\r\n\r\n" + answer)


def listener_config(spool, upstream, keys=""):
    return (f'workers = 2\n[[listener]]\nurl = "http://127.0.0.1:0"\n[[listener]]\nname = "files"\nurl = "file:{spool}"\n{keys}\n'
            f'[[upstream]]\nname = "ca"\nurl = "{upstream}"\n[[profile]]\nname = "relay"\norigin = "opaque"\n')


class FileTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-file-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.spool = self.folder / "spool"
        self.spool.mkdir(mode=0o700)

    def enter(self, thing):
        thing.__enter__()
        self.addCleanup(thing.__exit__, None, None, None)
        return thing

    def files(self, name):
        return sorted(file.name for file in (self.spool / name).iterdir())

    def eventually(self, holds, timeout=20):
        until = time.monotonic() + timeout
        while not holds():
            self.assertLess(time.monotonic(), until)
            time.sleep(0.02)

    # A directory as a listener.

    def test_answers_and_failures(self):
        ca = self.enter(SlowCa())
        gateway = self.enter(Gateway(CMPGATE, self.folder, listener_config("spool", ca.url, 'receive_timeout = "1s"')))
        for number in range(30):
            put(self.spool / "in", f"{number}.pki", request(number))
        for number in range(30):
            answer, der = Message(fetch(self.spool / "out", f"{number}.pki")), Message(request(number))
            self.assertEqual((answer.type, answer.transaction_id), ("error", der.transaction_id))
        self.assertEqual(gateway.records()[-1]["listener"], "files")
        put(self.spool / "in", "text.pki", b"Dear CA, please")
        put(self.spool / "in", "half.pki", request(1)[:-5])
        put(self.spool / "in", "large.pki", b"\x30\x84" + (1 << 20).to_bytes(4, "big") + bytes(1 << 20))
        put(self.spool / "in", "junk.pki", b"\x30\x03\x02\x01\x05")
        (self.folder / "private").write_bytes(request(2))
        os.symlink(self.folder / "private", self.spool / "in" / "link.pki")
        (self.spool / "in" / ".wide").write_bytes(request(3))
        os.chmod(self.spool / "in" / ".wide", 0o666)
        os.rename(self.spool / "in" / ".wide", self.spool / "in" / "wide.pki")
        put(self.spool / "in", "after.pki", request(31))
        fetch(self.spool / "out", "after.pki")
        self.eventually(lambda: len([name for name in self.files("failed") if name.endswith(".why")]) >= 6)
        reasons = {name[:-4]: (self.spool / "failed" / name).read_text().strip()
                   for name in self.files("failed") if name.endswith(".why")}
        self.assertEqual(reasons, {"text": "no DER", "half": "not a whole message", "large": "too large",
                                   "junk": "no PKIMessage", "link": "a symbolic link",
                                   "wide": "everybody may write to it"})
        self.assertEqual((self.spool / "failed" / "text.pki").read_bytes(), b"Dear CA, please")
        self.eventually(lambda: not self.files("work"))
        self.assertEqual(self.files("in"), [])
        wanted = {f"{name}.pki": why for name, why in reasons.items()}
        self.eventually(lambda: {record["file"]: record["detail"] for record in gateway.records("file-failed")} == wanted)

    def test_names_used_again_overwrite_nothing(self):
        """The field's fault: offline file names that overwrite each other."""
        ca = self.enter(SlowCa())
        self.enter(Gateway(CMPGATE, self.folder, listener_config("spool", ca.url)))
        put(self.spool / "in", "a.pki", request(1))
        self.eventually(lambda: self.files("out") == ["a.pki"])
        first = (self.spool / "out" / "a.pki").read_bytes()
        put(self.spool / "in", "a.pki", request(2))
        self.eventually(lambda: self.files("failed") == ["a.pki", "a.why"])
        self.assertEqual((self.spool / "out" / "a.pki").read_bytes(), first)
        self.assertEqual((self.spool / "failed" / "a.pki").read_bytes(), request(2))
        put(self.spool / "in", "a.pki", request(3))
        self.eventually(lambda: len(self.files("failed")) == 4)
        self.assertEqual((self.spool / "failed" / "a.1.pki").read_bytes(), request(3))
        fetch(self.spool / "out", "a.pki")
        self.assertEqual(Message(exchange(self.spool, "a.pki", request(4))).transaction_id, Message(request(4)).transaction_id)

    def test_stop_and_reload(self):
        ca = self.enter(SlowCa(1.0))
        gateway = self.enter(Gateway(CMPGATE, self.folder, listener_config("spool", ca.url)))
        put(self.spool / "in", "one.pki", request(1))
        self.eventually(lambda: self.files("work") == ["one.pki"])
        os.kill(gateway.process.pid, signal.SIGHUP)
        gateway.wait_for(r'"event":"reloaded"')
        fetch(self.spool / "out", "one.pki")
        put(self.spool / "in", "two.pki", request(2))
        self.eventually(lambda: self.files("work") == ["two.pki"])
        self.assertEqual(gateway.stop(20), 0)
        self.assertEqual((self.files("out"), self.files("work")), (["two.pki"], []))

    def test_killed_again_and_again_it_loses_nothing(self):
        ca = self.enter(CountingCa())
        text = listener_config("spool", ca.url, "at_once = 8") + '[store]\nkind = "sqlite"\npath = "store.db"\n'
        chance = random.Random(4711)
        number, wanted = 0, {}
        for _ in range(8):
            gateway = Gateway(CMPGATE, self.folder, text)
            until = time.monotonic() + chance.uniform(0.3, 0.9)
            while time.monotonic() < until:
                name, der = f"{number}.pki", request(10_000 + number)
                wanted[name] = der
                put(self.spool / "in", name, der)
                number += 1
                time.sleep(0.01)
            gateway.process.kill()
            gateway.process.wait(10)
        with Gateway(CMPGATE, self.folder, text):
            self.eventually(lambda: not self.files("in") and not self.files("work"), 60)
        self.assertEqual(self.files("failed"), [])
        self.assertEqual(self.files("out"), sorted(wanted))
        refused, doubtful = 0, 0
        for name, der in wanted.items():
            answer = Message((self.spool / "out" / name).read_bytes())
            self.assertEqual((answer.type, answer.transaction_id), ("error", Message(der).transaction_id))
            times = ca.begun.get(Message(der).transaction_id, 0)
            self.assertLessEqual(times, 1, name)  # S-04
            if answer.sender_nonce == b"n" * 16:
                refused += 1
            else:
                doubtful += 1  # the gateway's own word: nobody knows (S-04)
        print(f"{number} files, 8 times killed: {refused} answered by the CA, {doubtful} in doubt, none lost, none sent twice")
        self.assertGreater(refused, number // 2)

    def test_what_check_refuses(self):
        rows = [('url = "file:none"', "no such directory"),
                ('url = "file:spool"\nidle_timeout = "1s"', "idle_timeout belongs to a listener for connections"),
                ('url = "file:spool"\nat_onc = 1', 'did you mean "at_once"?'),
                ('url = "file://host/spool"', "a spool is on this machine"),
                ('url = "file:"', "names no directory"),
                ('url = "file:spool"\n[[listener]]\nurl = "file:spool"', "is in use already"),
                ('url = "file:wide"', "chmod go-w it (S-46)")]
        (self.folder / "wide").mkdir()
        os.chmod(self.folder / "wide", 0o777)
        for number, (lines, fault) in enumerate(rows):
            with self.subTest(lines):
                path = self.folder / f"check-{number}.toml"
                path.write_text(f'version = 1\n[[listener]]\n{lines}\n[[upstream]]\nurl = "http://127.0.0.1:9/"\n'
                                '[[profile]]\norigin = "opaque"\n')
                done = run(CMPGATE, "check", "-c", path)
                self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                self.assertIn(fault, done.stdout + done.stderr)

    # A directory as the way to a CA.

    def lab(self):
        """A CA that takes the RA's word; the RA."""
        self.ra = Pki(self.folder / "ra", "RA Root")
        self.signer = self.ra.issue("ra", "p256", "/CN=RA", EKU_CMC_RA)
        os.chmod(self.signer.key, 0o600)
        return self.enter(Ca(LABCA, self.folder / "ca", "--ra-trust", self.ra.root))

    def air_gap(self, ca, port, profile="ee_trusts_ra = true", keys='check_after = "1s"\npatience = "0s"'):
        signer = self.signer
        return f"""
workers = 2
[[listener]]
url = "http://127.0.0.1:{port}"
[[credential]]
name = "ra"
certificate = "file:{signer.certificate}"
key = "file:{signer.key}"
[[upstream]]
name = "air-gap"
url = "file:spool"
trust = "file:{ca.root}"
credential = "ra"
{keys}
[[profile]]
name = "devices"
origin.signature.trust = "file:{ca.root}"
rules.subject = "CN=${{sender.CN}},O=Doors"
{profile}
[store]
kind = "sqlite"
path = "store.db"
"""

    def enrol(self, url, ca, *options):
        key = self.folder / f"new-{time.monotonic_ns()}.key"
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        certificate = key.with_suffix(".pem")
        done = ClientRun(url, ca.device, f"{ca.root},{self.ra.root}", "-cmd", "ir", "-newkey", key, "-subject",
                         "/CN=device/O=Doors", "-certout", certificate, "-total_timeout", 60, *options)
        if done.ok:
            self.assertEqual(public_key_of(certificate, "certificate"), public_key_of(key, "key"))
        return done

    @staticmethod
    def ask(ca):
        """What the operator of the CA does with a file."""
        def answer(der):
            asked = urllib.request.Request(ca.url, der, {"Content-Type": "application/pkixcmp"})
            with urllib.request.urlopen(asked, timeout=10) as reply:
                return reply.read()
        return answer

    def test_an_air_gapped_ca_over_restarts(self):
        ca = self.lab()
        text = self.air_gap(ca, free_port(), REPROTECT, 'check_after = "3s"\npatience = "0s"')
        gateway = Gateway(CMPGATE, self.folder, text)
        url, results = gateway.url, []
        client = threading.Thread(target=lambda: results.append(self.enrol(url, ca, "-implicit_confirm", "-keep_alive", 0)))
        client.start()
        self.eventually(lambda: self.files("out"))
        gateway.wait_for(r'"decision":"waiting"')  # it has polled once
        gateway.process.kill()
        gateway.process.wait(10)
        gateway = self.enter(Gateway(CMPGATE, self.folder, text))
        gateway.wait_for(r'"decision":"waiting"')
        name = self.files("out")[0]
        request_der = (self.spool / "out" / name).read_bytes()
        # Somebody brings the wrong file, half a file, and one that everybody may write to: nobody is deceived.
        put(self.spool / "in", name, refusal(request(1)))
        self.eventually(lambda: len(self.files("failed")) == 2)
        self.assertIn("answer-transaction-id", (self.spool / "failed" / name.replace(".pki", ".why")).read_text())
        unprotected = refusal(request_der)
        put(self.spool / "in", name, unprotected)
        self.eventually(lambda: len(self.files("failed")) == 4)
        self.assertTrue(client.is_alive())
        courier = Courier(self.spool, self.ask(ca))
        self.assertEqual(courier.once(), 1)
        client.join(60)
        self.assertTrue(results[0].ok, results[0].output + gateway.output[-3000:])
        self.assertIn("received 'waiting' PKIStatus", results[0].output)
        self.eventually(lambda: not self.files("in"))
        self.assertEqual((self.files("out"), self.files("work")), ([], []))

    def test_a_courier_who_is_quick(self):
        """Within `patience` nobody is told to wait: certConf, too, for clients that cannot wait there."""
        ca = self.lab()
        gateway = self.enter(Gateway(CMPGATE, self.folder, self.air_gap(ca, 0, keys='patience = "10s"')))
        courier = self.enter(Courier(self.spool, self.ask(ca)))
        done = self.enrol(gateway.url, ca)
        self.assertTrue(done.ok, done.output + gateway.output[-3000:])
        self.assertIn("received PKICONF", done.output)
        self.assertEqual((len(courier.carried), len(set(courier.carried)), courier.faults), (2, 2, []))
        self.assertEqual([record["decision"] for record in gateway.records()], ["forwarded", "forwarded"])

    def test_an_answer_with_an_octet_changed_is_nobodys(self):
        """S-01: it ends nothing; the right one still comes."""
        ca = self.lab()
        gateway = self.enter(Gateway(CMPGATE, self.folder, self.air_gap(ca, 0, REPROTECT)))
        results = []
        client = threading.Thread(target=lambda: results.append(self.enrol(gateway.url, ca, "-implicit_confirm")))
        client.start()
        self.eventually(lambda: self.files("out"))
        name = self.files("out")[0]
        answer = self.ask(ca)(fetch(self.spool / "out", name))
        at = len(answer) - len(b"".join(Message(answer).extra_certs)) - 20  # within the signature
        put(self.spool / "in", name, answer[:at] + bytes([answer[at] ^ 1]) + answer[at + 1:])
        self.eventually(lambda: self.files("failed"))
        put(self.spool / "in", name, answer)
        client.join(60)
        self.assertTrue(results[0].ok, results[0].output + gateway.output[-2000:])

    def test_without_leave_nobody_is_told_to_wait(self):
        """S-47"""
        ca = self.lab()
        path = self.folder / "check.toml"
        for profile, fault in (("", "ee_trusts_ra = true"), ('treatment = { default = "reprotect", kur = "nest" }', "ee_trusts_ra = true"),
                               ("ee_trusts_ra = true", None), (REPROTECT, None)):
            with self.subTest(profile):
                path.write_text("version = 1\n" + self.air_gap(ca, 0, profile))
                done = run(CMPGATE, "check", "-c", path)
                self.assertEqual(done.returncode, 1 if fault else 0, done.stdout + done.stderr)
                if fault:
                    self.assertIn(fault, done.stdout + done.stderr)
        path.write_text("version = 1\n" + self.air_gap(ca, 0).replace('"file:spool"', '["file:spool", "http://ca/"]'))
        self.assertIn("a spool stands alone", run(CMPGATE, "check", "-c", path).stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    programs, rest = parser.parse_known_args()
    CMPGATE, LABCA = programs.cmpgate.resolve(), programs.labca.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
