#!/usr/bin/env python3
"""CAs that do otherwise than the RFCs say (field notes), played by `openssl cmp`, whose answers are changed and signed
again where it cannot err that way: refused as they are, let pass where the upstream lists the quirk, then logged and
counted; what is refused unprotected goes to the ledger."""

import argparse
import contextlib
import http.client
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from cmp_message import PROTECTION_ALG, SENDER_KID, Message, oid, tlv  # noqa: E402
from gateway import Gateway, Recorder, sign  # noqa: E402
from peers import EKU_CMC_CA, ClientRun, MockCa, Pki  # noqa: E402

CONFIG = """
workers = 1
[admin]
url = "http://127.0.0.1:{admin}"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "old"
url = "{ca}"
trust = "file:{root}"
quirks = {quirks}
[[profile]]
origin.signature.trust = "file:{root}"
rules.subject = "CN=*,O=Example"
[store]
path = "{store}"
"""
QUIRKS = ["pvno-1-error", "no-digital-signature", "sender-mismatch", "sender-kid-mismatch", "unprotected-refusal",
          "unprotected-pkiconf"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Odd(Recorder):
    """Before a CA: each of its answers of the type goes through `change`, and is signed again if it is protected."""

    def __init__(self, ca_port, key, body, change):
        super().__init__(ca_port)
        self.key, self.body, self.change = key, body, change

    def passed(self, answer):
        message = Message(answer)
        if message.type != self.body:
            return answer
        self.change(message)
        if PROTECTION_ALG in message.fields:
            message.protect(sign(self.key, message.protected_part()))
        else:
            message.rest = [part for part in message.rest if part[0] != 0xa0]
        return message.der()


class World:
    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder = cmpgate, folder
        self.pki = Pki(folder / "pki")
        self.device = self.pki.issue("device", "p256", "/O=Example/CN=device")
        self.new = self.pki.issue("new", "p256", "/O=Example/CN=device")
        self.signer = self.pki.issue("signer", "p256", "/CN=CA signer", EKU_CMC_CA)
        self.runs = 0

    def run(self, ca_options, quirks, *options, signer=None, odd=None):
        """(what the client says, what the gateway logged of its first message, its metrics, its ledger). `odd`: (type,
        change) of the answers that are changed; then of the message that such an answer came to."""
        self.runs += 1
        folder = self.folder / str(self.runs)
        (folder / "store").mkdir(mode=0o700, parents=True)
        admin = free_port()
        with contextlib.ExitStack() as running:
            mock = running.enter_context(
                MockCa(signer or self.signer, self.pki.root, self.new.certificate, *ca_options))
            ca = running.enter_context(Odd(mock.port, self.signer.key, *odd)) if odd else mock
            text = CONFIG.format(ca=ca.url, root=self.pki.root, quirks=json.dumps(quirks), admin=admin,
                                 store=folder / "store/cmpgate.db")
            with Gateway(self.cmpgate, folder, text) as gateway:
                client = ClientRun(gateway.url, self.device, self.pki.root, "-cmd", "ir", "-newkey", self.new.key,
                                   "-subject", "/O=Example/CN=device", "-certout", folder / "out.pem", *options)
                gateway.wait_for(r'"event":"message"')
                record = gateway.records()[-1 if odd else 0]
                assert not odd or not ca.faults, ca.faults
                connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=10)
                connection.request("GET", "/metrics")
                metrics = connection.getresponse().read().decode()
                connection.close()
                counts = {quirk: int(count) for quirk, count in re.findall(
                    r'^cmpgate_upstream_quirks_total\{upstream="old",quirk="([^"]+)"\} (\d+)', metrics, re.MULTILINE)}
                assert gateway.stop() == 0
        done = subprocess.run([self.cmpgate, "audit", "orphans", "-c", folder / "cmpgate.toml", "--json"],
                              capture_output=True, text=True, timeout=60, check=True)
        return client, record, counts, json.loads(done.stdout)


def no_digital_signature(world):
    odd = world.pki.issue("odd", "p256", "/CN=CA signer", EKU_CMC_CA, usage="keyAgreement")
    client, record, counts, _ = world.run([], [], signer=odd)
    assert not client.ok and record["rule"] == "responder-key-usage" and counts == {}, (record, counts)
    client, record, counts, orphans = world.run([], ["no-digital-signature"], "-ignore_keyusage", signer=odd)
    assert client.ok, client.output
    assert record["quirks"] == "no-digital-signature" and record["decision"] == "forwarded", record
    assert counts == {"no-digital-signature": 2}, counts  # ip and pkiConf
    assert orphans == []


def unprotected_refusal(world):
    for said in (["-send_error"], ["-pkistatus", "2", "-failure", "5"]):
        options = ["-send_unprot_err", *said]
        client, record, _, orphans = world.run(options, ["unprotected-pkiconf"], "-unprotected_errors")
        assert not client.ok and record["rule"] == "responder-protection", record
        assert record["possibly_issued"] and len(orphans) == 1, (record, orphans)
        client, record, counts, orphans = world.run(options, ["unprotected-refusal"], "-unprotected_errors")
        assert not client.ok and record["decision"] == "forwarded", record
        assert "rejection" in client.output, client.output  # the CA's own word
        assert record["quirks"] == "unprotected-refusal" and counts == {"unprotected-refusal": 1}, (record, counts)
        # Nobody vouches for it: it may have been issued all the same.
        (orphan,) = orphans
        assert orphan["why"] == "unprotected-refusal" and record["possibly_issued"], (orphan, record)


def rewritten(world):
    """Each refused by its rule, and let pass with its switch alone."""
    def pvno(message):
        message.pvno = tlv(0x02, b"\x01")

    def sender(message):
        name = tlv(0x30, tlv(0x31, tlv(0x30, oid("2.5.4.3") + tlv(0x0c, b"Somebody"))))
        message.sender = tlv(0xa4, name)

    def kid(message):
        message.set_octet_string(SENDER_KID, bytes(20))

    def bare(message):
        del message.fields[PROTECTION_ALG]

    for quirk, body, change, rule, options in (
            ("pvno-1-error", "error", pvno, "answer-pvno", ["-send_error"]),
            ("sender-mismatch", "ip", sender, "responder-sender", []),
            ("sender-kid-mismatch", "ip", kid, "responder-sender-kid", []),
            ("unprotected-pkiconf", "pkiconf", bare, "responder-protection", [])):
        others = [other for other in QUIRKS if other != quirk]
        client, record, counts, _ = world.run(options, others, odd=(body, change))
        assert not client.ok and record["decision"] == "failed" and record["rule"] == rule, (quirk, record)
        assert not any(counts.values()), counts
        client, record, counts, orphans = world.run(options, [quirk], "-unprotected_errors", odd=(body, change))
        assert record["decision"] == "forwarded" and record["quirks"] == quirk, (quirk, record, client.output)
        assert counts == {quirk: 1} and orphans == [], (counts, orphans)
        print(f"    {quirk}: {rule}, or forwarded; the client {'goes on' if client.ok else 'does not like it'}")


def never(world):
    """Without any protection nothing is delivered, whatever is switched on."""
    client, record, counts, _ = world.run(["-send_unprotected"], QUIRKS, "-unprotected_errors")
    assert not client.ok and record["rule"] == "responder-protection", record
    assert not any(counts.values()) and set(counts) == set(QUIRKS), counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        world = World(arguments.cmpgate, pathlib.Path(name))
        for test in (no_digital_signature, unprotected_refusal, rewritten, never):
            test(world)
            print(f"  {test.__name__}: as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
