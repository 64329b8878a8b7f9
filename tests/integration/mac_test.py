#!/usr/bin/env python3
"""`openssl cmp -ref -secret` through the gateway: MACs verified here, forwarded as they came, answered by a CA
that shares the secret (the mock CA of `openssl cmp`, and the lab CA). Uses, expiry, wrong secrets, and what
`cmpgate check` says of configurations that could not work."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from gateway import Gateway  # noqa: E402
from peers import MockCa, Pki, Program, openssl  # noqa: E402

SECRET = "k7w2m4q6z3x5v7t2r4p6n3l5j7h2f4d6"
CONFIG = """
workers = 2
[store]
kind = "memory"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "{ca}"
responder = {{ shared_secret = true }}
ca_pubs = ["file:{root}"]
[[credential]]
certificate = "file:{certificate}"
key = "file:{key}"
[[profile]]
name = "bootstrap"
origin = {{ mac = "secrets" }}
{rules}
[[secret]]
reference = "press-17"
secret = "file:{secret}"
uses = {uses}
generated = true
{more}
"""
RULES = 'rules = { key = ["ec:P-256"], subject = "CN=${sender.CN},O=Example" }'


class Run:
    """One run of the client, with a secret."""

    def __init__(self, gateway, folder, *options, secret=SECRET, command="ir", reference="press-17"):
        server, path = gateway.url.removeprefix("http://").split("/", 1)
        self.certificate = folder / f"{command}-new.pem"
        self.certificate.unlink(missing_ok=True)
        arguments = ["openssl", "cmp", "-config", "", "-server", server, "-path", path, "-cmd", command,
                     "-ref", reference, "-secret", f"pass:{secret}", "-total_timeout", "20",
                     "-certout", self.certificate, *options]
        done = subprocess.run(list(map(str, arguments)), capture_output=True, text=True, errors="replace",
                              timeout=40, check=False, stdin=subprocess.DEVNULL)
        self.status, self.output = done.returncode, done.stdout + done.stderr

    def expect(self, good, *said):
        missing = [text for text in said if text not in self.output]
        if (self.status == 0) != good or missing:
            raise AssertionError(f"status {self.status}, missing {missing}:\n{self.output}")
        return self


class World:
    def __init__(self, cmpgate, labca, folder):
        self.cmpgate, self.labca, self.folder = cmpgate, labca, folder
        self.pki = Pki(folder / "pki")
        self.ra = self.pki.issue("ra", "p256", "/CN=RA")
        self.signer = self.pki.issue("ca-signer", "p256", "/CN=CA signer", eku="1.3.6.1.5.5.7.3.27")
        self.key = self.pki.key("device", "p256")
        # What the mock CA answers with, whatever is asked: for this key and this subject.
        self.answer = self.pki.issue("device", "p256", "/CN=press-17/O=Example")
        self.secret = folder / "press-17.secret"
        self.secret.write_text(SECRET + "\n", encoding="ascii")
        self.secret.chmod(0o600)

    def gateway(self, ca, uses=1, more="", rules=RULES, root=None):
        config = CONFIG.format(ca=ca, root=root or self.pki.root, certificate=self.ra.certificate, key=self.ra.key,
                               secret=self.secret, uses=uses, more=more, rules=rules)
        return Gateway(self.cmpgate, self.folder, config)

    def enrolment(self, *options):
        return ["-newkey", self.key, "-subject", "/CN=press-17/O=Example", *options]


def by_the_mock_ca(world):
    """Both ends are OpenSSL: its PasswordBasedMac goes through to the octet, its answers verify here."""
    mock = MockCa(world.signer, world.pki.root, world.answer.certificate, "-srv_ref", "press-17", "-srv_secret",
                  f"pass:{SECRET}")
    with mock as ca, world.gateway(ca.url, uses=4) as gateway:
        for macs in ([], ["-mac", "hmacWithSHA256", "-digest", "sha256"], ["-mac", "hmacWithSHA512", "-digest", "sha512"]):
            run = Run(gateway, world.folder, *world.enrolment("-trusted", world.pki.root, *macs)).expect(True)
            assert run.certificate.exists(), run.output
        records = gateway.records()
        assert [record["decision"] for record in records] == ["forwarded"] * 6, records
        assert all(record["verified"] for record in records), records
        # Nobody's name: NULL-DN, senderKID alone.
        csr = world.pki.request(world.key, "/CN=press-17/O=Example")
        Run(gateway, world.folder, "-csr", csr, "-trusted", world.pki.root, command="p10cr").expect(True)
        Run(gateway, world.folder, *world.enrolment("-trusted", world.pki.root)).expect(
            False, "notAuthorized")
        assert gateway.records()[-1]["rule"] == "secret-uses", gateway.records()[-1]


def by_the_lab_ca(world):
    """A whole enrolment, one use, wrong secrets, another's reference; what is refused, and how."""
    root = world.folder / "lab"
    root.mkdir()
    command = [world.labca, "--port", "0", "--secret", f"press-17={world.secret}", "--write", root]
    with Program(command) as labca:
        port = int(labca.wait_for(r"127\.0\.0\.1:(\d+)")[1])
        trusted = root / "root.pem"
        with world.gateway(f"http://127.0.0.1:{port}/.well-known/cmp", root=trusted) as gateway:
            enrolment = world.enrolment("-trusted", trusted)
            # Refused by policy: the answer is an ip under the device's own MAC, else the client would not read it.
            Run(gateway, world.folder, "-newkey", world.key, "-subject", "/CN=press-18/O=Example").expect(False)
            assert gateway.records()[-1]["rule"] == "sender-kid"
            Run(gateway, world.folder, "-newkey", world.key, "-subject", "/CN=press-17/O=Other").expect(
                False, "badCertTemplate")
            assert gateway.records()[-1]["rule"] == "subject"
            Run(gateway, world.folder, *enrolment, secret="wrong").expect(False)
            assert gateway.records()[-1]["rule"] == "mac"
            Run(gateway, world.folder, "-newkey", world.key, "-subject", "/CN=other/O=Example",
                reference="other").expect(False)
            assert gateway.records()[-1]["rule"] == "mac"
            run = Run(gateway, world.folder, *enrolment).expect(True)
            subject = openssl("x509", "-in", run.certificate, "-noout", "-subject", "-nameopt", "RFC2253")
            assert "CN=press-17" in subject, subject
            Run(gateway, world.folder, *enrolment).expect(False, "notAuthorized")
            assert gateway.records()[-1]["rule"] == "secret-uses"
            status = gateway.ended_with()
            assert status is not None
        assert SECRET not in gateway.output
        with world.gateway(f"http://127.0.0.1:{port}/.well-known/cmp", more='expires = "2020-01-01"',
                           root=trusted) as gateway:
            Run(gateway, world.folder, *enrolment).expect(False)
            record = gateway.records()[-1]
            assert record["rule"] == "mac" and "expired" in record["detail"], record


def checked(world):
    """What cannot work is said before it runs."""
    def check(text):
        path = world.folder / "check.toml"
        path.write_text("version = 1\n" + text, encoding="utf-8")
        done = subprocess.run([world.cmpgate, "check", "-c", path], capture_output=True, text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    good = CONFIG.format(ca="http://127.0.0.1:9/", root=world.pki.root, certificate=world.ra.certificate,
                         key=world.ra.key, secret=world.secret, uses=1, more="", rules=RULES)
    status, said = check(good)
    assert status == 0, said
    for old, new, wanted in [
            ("responder = { shared_secret = true }", f'trust = "file:{world.pki.root}"', "forwards MACs"),
            ("uses = 1", "use = 1", "uses"),
            ("generated = true", 'generated = true\nexpires = "soon"', "is no time"),
            ("generated = true", 'generated = true\nprofile = "bootstrab"', "bootstrap"),
            ('mac = "secrets"', 'mac = "secret"', "secrets"),
            ('reference = "press-17"', 'reference = ""', "1 to 64"),
            (f'secret = "file:{world.secret}"', f'secret = "{SECRET}"', "does not say where it is from")]:
        status, said = check(good.replace(old, new))
        assert status == 1 and wanted in said, f"{new}: {said}"
    world.secret.chmod(0o644)
    status, said = check(good)
    world.secret.chmod(0o600)
    assert status == 1 and "chmod 0600" in said and SECRET not in said, said


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = World(arguments.cmpgate, arguments.labca, pathlib.Path(folder))
        for test in (checked, by_the_mock_ca, by_the_lab_ca):
            test(world)
            print(f"ok: {test.__doc__.splitlines()[0]}")


if __name__ == "__main__":
    main()
