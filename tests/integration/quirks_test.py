#!/usr/bin/env python3
"""CAs that do otherwise than the RFCs say (field notes), played by `openssl cmp`: refused as they are, let pass where the
upstream lists the quirk, then logged and counted; what is refused unprotected goes to the ledger."""

import argparse
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
from gateway import Gateway  # noqa: E402
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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class World:
    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder = cmpgate, folder
        self.pki = Pki(folder / "pki")
        self.device = self.pki.issue("device", "p256", "/O=Example/CN=device")
        self.new = self.pki.issue("new", "p256", "/O=Example/CN=device")
        self.signer = self.pki.issue("signer", "p256", "/CN=CA signer", EKU_CMC_CA)
        self.runs = 0

    def run(self, ca_options, quirks, *options, signer=None):
        """(what the client says, what the gateway logged of the first message, its metrics, its ledger)."""
        self.runs += 1
        folder = self.folder / str(self.runs)
        (folder / "store").mkdir(mode=0o700, parents=True)
        admin = free_port()
        with MockCa(signer or self.signer, self.pki.root, self.new.certificate, *ca_options) as mock:
            text = CONFIG.format(ca=mock.url, root=self.pki.root, quirks=json.dumps(quirks), admin=admin,
                                 store=folder / "store/cmpgate.db")
            with Gateway(self.cmpgate, folder, text) as gateway:
                client = ClientRun(gateway.url, self.device, self.pki.root, "-cmd", "ir", "-newkey", self.new.key,
                                   "-subject", "/O=Example/CN=device", "-certout", folder / "out.pem", *options)
                gateway.wait_for(r'"event":"message"')
                record = gateway.records()[0]
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


def never(world):
    """Without any protection nothing is delivered, whatever is switched on."""
    quirks = ["pvno-1-error", "no-digital-signature", "sender-mismatch", "sender-kid-mismatch", "unprotected-refusal",
              "unprotected-pkiconf"]
    client, record, counts, _ = world.run(["-send_unprotected"], quirks, "-unprotected_errors")
    assert not client.ok and record["rule"] == "responder-protection", record
    assert not any(counts.values()) and set(counts) == set(quirks), counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        world = World(arguments.cmpgate, pathlib.Path(name))
        for test in (no_digital_signature, unprotected_refusal, never):
            test(world)
            print(f"  {test.__name__}: as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
