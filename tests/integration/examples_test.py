#!/usr/bin/env python3
"""Each file of conf/examples is run as it stands (but for addresses) between `openssl cmp` as device and as CA:
what it promises is granted, and what it does not promise is refused by the rule that should."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

from peers import EKU_CMC_CA, ClientRun, MockCa, Pki, Program, openssl  # noqa: E402

EXAMPLES = ROOT / "conf/examples"


class World:
    """The files that the examples name, and a CA: every root is one of two, so that they can be told apart."""

    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder = cmpgate, folder
        self.pki, self.line4 = Pki(folder / "pki"), Pki(folder / "line4", "Line 4 Maker")
        self.signer = self.pki.issue("signer", "p256", "/CN=CMP CA", EKU_CMC_CA)
        ra = self.pki.issue("ra", "p256", "/CN=RA")
        for name in ("ca-root.pem", "idevid-roots.pem", "ra-root.pem"):
            shutil.copy(self.pki.root, folder / name)
        shutil.copy(self.line4.root, folder / "line4-roots.pem")
        shutil.copy(ra.certificate, folder / "ra.pem")
        shutil.copy(self.signer.certificate, folder / "cmp-signer.pem")
        for name in ("ra.key", "ra-key"):
            shutil.copy(ra.key, folder / name)
            (folder / name).chmod(0o600)
        self.crl(folder / "idevid.crl")
        self.device = self.pki.issue("device", "p256", "/CN=device-1/serialNumber=4711")
        self.device4 = self.line4.issue("device4", "p256", "/CN=device-4/serialNumber=4711")
        self.new_key = self.pki.key("new", "p256")

    def crl(self, path):
        folder = self.folder / "crl"
        folder.mkdir()
        (folder / "index").write_text("")
        (folder / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index\ndefault_md=sha256\n"
                                       "default_crl_days=5\n")
        openssl("ca", "-config", folder / "ca.cnf", "-gencrl", "-cert", self.pki.root, "-keyfile",
                self.pki.key("root", "p256"), "-out", path)

    def issued(self, subject):
        """What the CA answers with: a certificate for the new key and this subject."""
        path = self.folder / "issued.pem"
        request = self.pki.request(self.new_key, subject)
        openssl("x509", "-req", "-in", request, "-CA", self.pki.root, "-CAkey", self.pki.key("root", "p256"),
                "-set_serial", "0x4242", "-days", 30, "-out", path)
        return path


class Gateway(Program):
    """`cmpgate serve` on an example: only where it listens and where its CA is are changed."""

    def __init__(self, world, name, ca_url):
        text = (EXAMPLES / name).read_text()
        text, listeners = re.subn(r'"http://(0\.0\.0\.0|127\.0\.0\.1):8080"', '"http://127.0.0.1:0"', text)
        text = re.sub(r'\["http://ca1[^\]]*\]|"http://ca\.example[^"]*"', f'"{ca_url}"', text)
        assert listeners == 1 and "example:" not in text, text
        file = world.folder / name
        file.write_text(text)
        environment = dict(os.environ, CREDENTIALS_DIRECTORY=str(world.folder))
        super().__init__([world.cmpgate, "serve", "-c", file], environment)
        self.url = "http://" + self.wait_for(r"http://(127\.0\.0\.1:\d+/)\.well-known/cmp")[1]
        self.wait_for(r"\bready\b")

    def rules(self):
        return re.findall(r'(?:\brule=|"rule":")([\w-]+)', self.output)


def enrol(world, gateway, path, device, subject, *options, ca=None):
    return ClientRun(gateway.url + path, device, ca or world.pki.root, "-cmd", "ir", "-newkey", world.new_key,
                     "-subject", subject, "-certout", world.folder / "out.pem", "-unprotected_errors", *options)


WELL_KNOWN = ".well-known/cmp"


def with_ca(world, name, subject, rows, *ca_options):
    """rows: (what, path, device, subject asked for, client options, the rule that refuses or None)"""
    with MockCa(world.signer, world.folder / "all-roots.pem", world.issued(subject), *ca_options) as ca, \
            Gateway(world, name, ca.url) as gateway:
        for what, path, device, asked, options, rule in rows:
            seen = len(gateway.rules())
            run = enrol(world, gateway, path, device, asked, *options)
            new = gateway.rules()[seen:]
            if rule is None:
                assert run.ok, (name, what, new, run.output)
                text = openssl("x509", "-in", world.folder / "out.pem", "-noout", "-subject", "-nameopt", "RFC2253")
                assert "CN=" in text, text
            else:
                gateway.wait_for(rf'rule(=|":"){rule}\b')
                assert not run.ok and gateway.rules()[seen:] == [rule], (name, what, gateway.rules()[seen:], run.output)
        assert gateway.stop() == 0
    return len(rows)


def minimal(world):
    return with_ca(world, "minimal.toml", "/CN=device-1/O=Example", [
        ("own name", WELL_KNOWN, world.device, "/CN=device-1/O=Example", [], None),
        ("another's name", WELL_KNOWN, world.device, "/CN=device-2/O=Example", [], "subject"),
        ("a stranger", WELL_KNOWN, world.device4, "/CN=device-4/O=Example", [], "chain"),
    ])


def factory_lines(world):
    line3 = "/CN=device-1/OU=Line 3/O=Example"
    done = with_ca(world, "factory-lines.toml", line3, [
        ("line 3", WELL_KNOWN + "/p/line3", world.device, line3, [], None),
        ("line 3 at line 4's path", WELL_KNOWN + "/p/line4", world.device, line3, [], "chain"),
        ("no path", WELL_KNOWN, world.device, line3, [], "no-profile"),
        ("not its own name", WELL_KNOWN + "/p/line3", world.device, "/CN=x/OU=Line 3/O=Example", [], "subject"),
    ])
    line4 = "/CN=4711/OU=Line 4/O=Example"
    return done + with_ca(world, "factory-lines.toml", line4, [
        ("line 4, by its serial number", WELL_KNOWN + "/p/line4", world.device4, line4, [], None),
        ("line 4 at line 3's path", WELL_KNOWN + "/p/line3", world.device4, line4, [], "chain"),
    ])


def edge_policy(world):
    sensor = "/CN=device-1/OU=Sensors/O=Example"
    named = ["-profile", "sensor"] if has_profile() else []
    rows = [("certProfile does not repeat the path", WELL_KNOWN + "/p/sensor", world.device, sensor, [], "label-mismatch"),
            ("another maker's device", WELL_KNOWN + "/p/sensor", world.device4, sensor, named,
             "chain" if named else "label-mismatch"),
            ("no such path", WELL_KNOWN + "/p/pump", world.device, sensor, [], "no-profile")]
    if named:
        rows.append(("a sensor", WELL_KNOWN + "/p/sensor", world.device, sensor, named, None))
    return with_ca(world, "edge-policy.toml", sensor, rows)


def has_profile():
    """-profile came with OpenSSL 3.3; without it no client here can say a certProfile."""
    done = subprocess.run(["openssl", "cmp", "-help"], capture_output=True, text=True, check=False)
    return "-profile " in done.stdout + done.stderr


def legacy_clients(world):
    name = "/CN=device-1"
    return with_ca(world, "legacy-clients.toml", name, [
        ("the old path", "pkix/", world.device, name, [], None),
        ("another name", "cmp", world.device, "/CN=device-2", [], "subject"),
    ])


def relay(world):
    name = "/CN=anything"
    return with_ca(world, "relay.toml", name, [
        ("whatever the CA likes", WELL_KNOWN, world.device, name, [], None),
    ])


def lab(world):
    """The lab CA makes its root when it starts: the client asks for it by what it is sent."""
    with Gateway(world, "lab.toml", "http://none/") as gateway:
        run = enrol(world, gateway, WELL_KNOWN, world.device, "/CN=device-2/O=Lab")
        assert not run.ok and gateway.rules() == ["subject"], (gateway.rules(), run.output)
        # Without its root no client believes it; that it issued is in the log.
        run = enrol(world, gateway, WELL_KNOWN, world.device, "/CN=device-1/O=Lab")
        gateway.wait_for(r"decision=forwarded request=ir .*answer=ip")
        assert gateway.stop() == 0
    return 2


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    tests = {"minimal.toml": minimal, "factory-lines.toml": factory_lines, "edge-policy.toml": edge_policy,
             "legacy-clients.toml": legacy_clients, "relay.toml": relay, "lab.toml": lab}
    files = {path.name for path in EXAMPLES.iterdir()}
    assert set(tests) <= files, set(tests) - files
    untested = files - set(tests)
    # Loaded by tests/ra/app/conf_test.cpp, but nobody runs them yet.
    assert untested <= {"https.toml", "vendor-rename.toml"}, f"examples that nobody runs: {untested}"
    for name in sorted(untested):
        print(f"{name}: NOT RUN")
    for name, test in tests.items():
        with tempfile.TemporaryDirectory(prefix="cmpgate-examples-test-") as folder:
            world = World(cmpgate, pathlib.Path(folder))
            (world.folder / "all-roots.pem").write_bytes(world.pki.root.read_bytes() + world.line4.root.read_bytes())
            print(f"{name} ok: {test(world)} requests", flush=True)


if __name__ == "__main__":
    sys.exit(main())
