#!/usr/bin/env python3
"""What went through `cmpgate serve` counts after a restart, too: whose keys were certified (S-14), which certificates were
revoked (S-33). Devices are `openssl cmp`, the CA is the lab CA in a process of its own."""

import argparse
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from gateway import Gateway  # noqa: E402
from peers import ClientRun, Identity, Pki, Program  # noqa: E402

CONFIG = """
workers = 2
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
trust = "file:{root}"
[[profile]]
name = "devices"
origin.signature.trust = ["file:{devices}", "file:{root}"]
rules = {{ key = ["ec:P-256"], subject = "CN=*,O=Example" }}
[store]
path = "{store}"
"""


class World:
    def __init__(self, programs, folder, ca):
        self.programs, self.folder = programs, folder
        self.root = folder / "root.pem"
        self.pki = Pki(folder / "devices", "Device Root")
        (folder / "store").mkdir(mode=0o700)
        self.text = CONFIG.format(ca=ca, root=self.root, devices=self.pki.root, store=folder / "store/cmpgate.db")
        self.gateway = None

    def start(self):
        self.gateway = Gateway(self.programs.cmpgate, self.folder, self.text)
        return self.gateway

    def kill(self):
        """As a crash would."""
        self.gateway.process.kill()
        self.gateway.stop()

    def enrol(self, identity, key, subject, out):
        return ClientRun(self.gateway.url, identity, self.root, "-cmd", "ir", "-newkey", key, "-subject", subject,
                         "-certout", out, "-unprotected_errors")

    def refused_for(self, rule):
        self.gateway.wait_for(rule)
        record = self.gateway.records()[-1]
        return record["decision"] == "refused" and record["rule"] == rule, record


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    programs = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        devices = Pki(folder / "devices", "Device Root")
        with Program([programs.labca, "--write", folder, "--trust", devices.root]) as labca:
            world = World(programs, folder, labca.wait_for(r"(http://\S+)")[1])
            world.pki = devices
            a = devices.issue("a", "p256", "/O=Example/CN=a")
            b = devices.issue("b", "p256", "/O=Example/CN=b")
            stolen = devices.key("stolen", "p256")
            certified = folder / "a.new.pem"
            with world.start():
                run = world.enrol(a, stolen, "/O=Example/CN=a", certified)
                assert run.ok, run.output + world.gateway.output
                run = world.enrol(b, stolen, "/O=Example/CN=b", folder / "b.pem")
                assert not run.ok and run.fail_info == "duplicateCertReq", run.output
                world.kill()
            with world.start():
                run = world.enrol(b, stolen, "/O=Example/CN=b", folder / "b.pem")
                assert not run.ok and run.fail_info == "duplicateCertReq", run.output
                good, record = world.refused_for("duplicate-key")
                assert good, record
                # Its holder comes again, with the certificate of before the crash.
                own = Identity(stolen, certified)
                run = ClientRun(world.gateway.url, own, world.root, "-cmd", "kur", "-newkey", stolen, "-oldcert",
                                certified, "-certout", folder / "a.next.pem")
                assert run.ok, run.output + world.gateway.output
                run = ClientRun(world.gateway.url, own, world.root, "-cmd", "rr", "-oldcert", certified, "-revreason", "1")
                assert run.ok, run.output
                world.kill()
            with world.start():
                run = world.enrol(own, devices.key("another", "p256"), "/O=Example/CN=a", folder / "no.pem")
                assert not run.ok, run.output
                good, record = world.refused_for("signer-revoked")
                assert good, record
                store = world.gateway.records("store")[0]
                assert store["keys"] == 1 and store["revoked"] == 1, store
                assert world.gateway.stop() == 0
    print("  after SIGKILL: a key certified for another is refused, a revoked certificate, too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
