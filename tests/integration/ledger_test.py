#!/usr/bin/env python3
"""The ledger of possibly issued certificates (S-04), as operators use it: `cmpgate audit orphans` and `audit clear`, on a
running gateway and a stopped one, with who and why in log and audit trail (S-42)."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from gateway import Gateway, Server, read_content, read_head  # noqa: E402
from peers import ClientRun, Pki  # noqa: E402

CONFIG = """
[admin]
url = "unix:admin.sock"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
trust = "file:{root}"
[[profile]]
name = "devices"
origin.signature.trust = "file:{root}"
rules.subject = "CN=*,O=Example"
[store]
path = "{store}"
{audit}
"""
AUDIT = '[audit]\nto = "file:{folder}/audit.log"\nkey = "file:{folder}/audit.key"\n'


class Gone(Server):
    """A CA that takes each request and is heard of no more."""

    def serve(self, connection):
        head, behind = read_head(connection)
        if head is not None:
            read_content(connection, head, behind)


class World:
    def __init__(self, cmpgate, folder, ca, audit):
        self.cmpgate, self.folder = cmpgate, folder
        folder.mkdir()
        (folder / "store").mkdir(mode=0o700)
        (folder / "audit.key").write_text("k" * 64 + "\n")
        (folder / "audit.key").chmod(0o600)
        self.pki = Pki(folder / "pki")
        self.device = self.pki.issue("device", "p256", "/O=Example/CN=device")
        self.text = CONFIG.format(ca=ca, root=self.pki.root, store=folder / "store/cmpgate.db",
                                  audit=AUDIT.format(folder=folder) if audit else "")

    def start(self):
        return Gateway(self.cmpgate, self.folder, self.text)

    def lose(self, gateway):
        run = ClientRun(gateway.url, self.device, self.pki.root, "-cmd", "ir", "-newkey", self.pki.key("new", "p256"),
                        "-subject", "/O=Example/CN=device", "-certout", self.folder / "new.pem", "-unprotected_errors")
        assert not run.ok, run.output

    def audit(self, *arguments, good=True):
        done = subprocess.run([self.cmpgate, "audit", arguments[0], "-c", self.folder / "cmpgate.toml", *arguments[1:]],
                              capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == good, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if good else done.stderr

    def ids(self):
        return [one["id"] for one in json.loads(self.audit("orphans", "--json"))]


def cleared(cmpgate, folder):
    with Gone() as ca:
        world = World(cmpgate, folder, ca.url, audit=False)
        with world.start() as gateway:
            for _ in range(4):
                world.lose(gateway)
            assert world.ids() == [1, 2, 3, 4]
            assert world.audit("clear", "2", "--reason", "serial 17 revoked by hand") == "cleared 2\n"
            assert world.ids() == [1, 3, 4]
            (record,) = gateway.records("orphan_cleared")
            assert record["id"] == 2 and record["reason"] == "serial 17 revoked by hand", record
            assert record["by"].startswith("uid:"), record
            assert "no entry with this number" in world.audit("clear", "2", "--reason", "again", good=False)
            assert "number" in world.audit("clear", "x2", "--reason", "none", good=False)
            assert "--reason" in world.audit("clear", "3", good=False)
            assert "one line" in world.audit("clear", "3", "--reason", "a\nb", good=False)
            assert gateway.stop() == 0
        # Nobody runs: on the store itself.
        assert world.audit("clear", "1", "4", "--reason", "never issued") == "cleared 1\ncleared 4\n"
        assert world.ids() == [3]
        with world.start() as gateway:
            store = gateway.records("store")[0]
            assert store["ledger"] == 1 and "detail" not in store, store
            assert gateway.stop() == 0
    print("  cleared by the running gateway and on a stopped one's store; what was cleared stays so")


def audited(cmpgate, folder):
    with Gone() as ca:
        world = World(cmpgate, folder, ca.url, audit=True)
        with world.start() as gateway:
            world.lose(gateway)
            world.audit("clear", "1", "--reason", 'the CA says "no"')
            assert gateway.stop() == 0
        lines = [json.loads(line) for line in (folder / "audit.log").read_text().splitlines() if line.startswith("{")]
        (line,) = [one for one in lines if one.get("kind", one.get("event")) == "orphan-cleared"]
        assert line["id"] == 1 and line["reason"] == 'the CA says "no"' and line["by"].startswith("uid:"), line
        done = subprocess.run([cmpgate, "audit", "verify", "--key", f"file:{folder}/audit.key", folder / "audit.log"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "does not run" in world.audit("clear", "1", "--reason", "again", good=False)
    print("  with an audit trail: who, what and why, before it goes; never without the gateway")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for test in (cleared, audited):
            print(test.__name__)
            test(arguments.cmpgate, pathlib.Path(name) / test.__name__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
