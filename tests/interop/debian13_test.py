#!/usr/bin/env python3
"""`openssl cmp` of Debian 13 (3.5) as client and as mock CA, through the gateway that runs here.

It protects by Ed25519 and Ed448, knows ML-DSA (which this system's libcrypto may not), asks for genm of every kind
and names a certProfile: what the 3.0 of the matrix cannot. It is taken out of a Debian 13 tree that debootstrap makes
from the mirror apt is configured with, and runs by the loader and the libraries of that tree: nothing is mounted.
The tree is kept in the user's cache, named by what is in it. Skipped with a reason where it cannot be made.
"""

import argparse
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import debian13  # noqa: E402
from debian13 import Skip  # noqa: E402
from gateway import Gateway  # noqa: E402
from peers import EKU_CMC_CA, EKU_CMC_RA, Identity, Pki, Program, openssl  # noqa: E402

PACKAGES = ["openssl"]
BOOTSTRAP_SECONDS = 420
SKIPPED = 77
SUBJECT = "/CN=device 1"
SECRET = "k7w2m4q6z3x5v7t2r4p6n3l5j7h2f4d6"

GATEWAY = """\
workers = 1
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "{ca_url}"
trust = "file:{ca_root}"
responder = {{ eku = "cmcCA" }}
ca_pubs = ["file:{ca_root}"]
credential = "ra"
[[credential]]
name = "ra"
certificate = "file:{ra.certificate}"
key = "file:{ra.key}"
[[profile]]
name = "devices"
match = {{ operations = [{operations}]{match} }}
origin = {{ {origin} }}
rules = {{ subject = "CN=${{sender.CN}}", genm = ["caCerts", "rootCaCert", "certReqTemplate", "crlStatusList"] }}
{more}
"""
OPERATIONS = ("ir", "cr", "kur", "p10cr", "rr", "genm")


def tree():
    """The tree that the openssl command is taken from. Raises Skip."""
    made = debian13.tree(PACKAGES, BOOTSTRAP_SECONDS, unpacked_only=True)
    if not (made / "usr/bin/openssl").exists():
        raise Skip("debootstrap brought no openssl")
    return made


class OpenSsl:
    """The openssl command of a tree."""

    def __init__(self, root):
        libraries = next((root / "usr/lib").glob("*-linux-gnu/libcrypto.so.3")).parent
        loader = next((root / "usr/lib64").glob("ld-linux-*"), None) or next(libraries.glob("ld-linux-*"))
        self.command = [str(loader), "--library-path", str(libraries), str(root / "usr/bin/openssl")]
        self.environment = {**os.environ, "OPENSSL_CONF": "/dev/null", "OPENSSL_MODULES": str(libraries / "ossl-modules")}
        self.version = self.run("version").output.split()[1]

    def run(self, *arguments, good=True):
        done = subprocess.run([*self.command, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                              timeout=60, check=False, stdin=subprocess.DEVNULL, env=self.environment)
        result = Run(done.returncode, done.stdout + done.stderr)
        if good is not None and (done.returncode == 0) != good:
            raise AssertionError(f"openssl {' '.join(map(str, arguments))}: status {done.returncode}\n{result.output}")
        return result

    def program(self, *arguments):
        return Program([*self.command, *arguments], environment=self.environment)


class Run:
    def __init__(self, status, output):
        self.status, self.output = status, output

    def says(self, *texts):
        missing = [text for text in texts if text not in self.output]
        if missing:
            raise AssertionError(f"missing {missing}:\n{self.output}")
        return self


class LoggedGateway(Gateway):
    """Knows how many messages its log must tell of; leaves the log in its folder, for the case that fails."""

    sent = 0

    def messages(self, begin=0):
        """The records of all messages sent so far (a line may be read here after its answer is), from one on."""
        until = time.monotonic() + 10
        while len(found := self.records()) < self.sent:
            if time.monotonic() > until:
                raise AssertionError(f"{self.sent} messages were sent, {len(found)} are logged")
            time.sleep(0.02)
        return found[begin:]

    def __exit__(self, *_):
        super().__exit__(*_)
        pathlib.Path(self.command[-1]).with_suffix(".log").write_text(self.output, encoding="utf-8")


class World:
    def __init__(self, arguments, folder, peer):
        self.arguments, self.folder, self.peer = arguments, folder, peer
        self.pki = Pki(folder / "pki")
        self.ra = self.pki.issue("ra", "p256", "/CN=Gateway", EKU_CMC_RA)
        self.device = self.pki.issue("device", "p256", SUBJECT)

    def identity(self, name, algorithm, subject, eku=None):
        """An Identity with a key of an algorithm that only the peer knows, perhaps."""
        key, request = self.folder / f"{name}.key", self.folder / f"{name}.csr"
        certificate, extensions = self.folder / f"{name}.pem", self.folder / f"{name}.ext"
        extensions.write_text("basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectKeyIdentifier=hash\n"
                              "authorityKeyIdentifier=keyid\n" + (f"extendedKeyUsage={eku}\n" if eku else ""))
        self.peer.run("genpkey", "-algorithm", algorithm, "-out", key)
        self.peer.run("req", "-new", "-key", key, "-subj", subject, "-out", request)
        self.peer.run("x509", "-req", "-in", request, "-CA", self.pki.root, "-CAkey", self.folder / "pki/root-p256.key",
                      "-days", 20, "-extfile", extensions, "-out", certificate)
        return Identity(key, certificate)

    def mock(self, signer, answer, *options):
        program = self.peer.program("cmp", "-config", "", "-port", "0", "-srv_cert", signer.certificate, "-srv_key", signer.key,
                                    "-srv_trusted", self.pki.root, "-rsp_cert", answer.certificate, *options)
        program.port = int(program.wait_for(r"^ACCEPT .*:(\d+) ")[1])
        program.url = f"http://127.0.0.1:{program.port}/pkix/"
        return program

    def lab(self, *options):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        program = Program([self.arguments.labca, "--trust", self.pki.root, "--write", folder, *options])
        program.url, program.root = program.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1], folder / "root.pem"
        return program

    def gateway(self, url, root, match="", operations=OPERATIONS, origin=None, more=""):
        origin = origin or f'signature = {{ trust = ["file:{self.pki.root}"] }}'
        text = GATEWAY.format(ca_url=url, ca_root=root, ra=self.ra, match=match, origin=origin, more=more,
                              operations=", ".join(f'"{one}"' for one in operations))
        return LoggedGateway(self.arguments.cmpgate, self.folder, text)

    def client(self, gateway, identity, trust, *options, good=True):
        """Without an identity, `options` say how it protects."""
        server, path = gateway.url.removeprefix("http://").split("/", 1)
        own = ["-cert", identity.certificate, "-key", identity.key] if identity else []
        run = self.peer.run("cmp", "-config", "", "-server", server, "-path", path, *own, "-trusted", trust,
                            "-total_timeout", 40, *options, good=None)
        gateway.sent += run.output.count("CMP info: sending ")
        if good is not None and (run.status == 0) != good:
            raise AssertionError(f"openssl cmp {' '.join(map(str, options))}: status {run.status}\n{run.output}")
        return run

    def trust(self, root):
        path = self.folder / "trust.pem"
        path.write_text(self.pki.root.read_text() + pathlib.Path(root).read_text())
        return path

    def enrolment(self, key):
        self.certificate = self.folder / "enrolled.pem"
        self.certificate.unlink(missing_ok=True)
        return ["-newkey", key, "-subject", SUBJECT, "-certout", self.certificate]


def edwards(world):
    """Ed25519 and Ed448: the client's protection and new key, the mock CA's protection; ir, cr, kur, p10cr, rr."""
    for algorithm in ("ED25519", "ED448"):
        device = world.identity(f"device-{algorithm}", algorithm, SUBJECT)
        signer = world.identity(f"ca-{algorithm}", algorithm, "/CN=CA signer", EKU_CMC_CA)
        with world.mock(signer, device) as ca, world.gateway(ca.url, world.pki.root) as gateway:
            asked = 0
            for command in ("ir", "cr", "kur", "p10cr"):
                options = world.enrolment(device.key)
                if command == "p10cr":
                    options += ["-csr", world.folder / f"device-{algorithm}.csr"]
                world.client(gateway, device, world.pki.root, "-cmd", command, *options).says("sending CERTCONF", "received PKICONF")
                assert world.certificate.exists()
                asked += 2
            world.client(gateway, device, world.pki.root, "-cmd", "rr", "-oldcert", device.certificate, "-revreason", 1)
            records = gateway.messages()
            assert [record["decision"] for record in records] == ["forwarded"] * (asked + 1), records
            assert all(record["verified"] for record in records), records


def treatments(world):
    """nest, reprotect and raverified of what Ed25519, Ed448 and PasswordBasedMac protect: ir, cr, p10cr, kur."""
    worked = 0
    secret = world.folder / "device.secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    mac = f'[[secret]]\nreference = "device 1"\nsecret = "file:{secret}"\nuses = 0\ngenerated = true\n'
    with world.lab("--ra-trust", world.pki.root) as ca:
        trust = world.trust(ca.root)
        for protection, treatment in itertools.product(("ED25519", "ED448", "pbm"), ("nest", "reprotect", "raverified")):
            if (protection, treatment) == ("pbm", "nest"):
                continue  # this CA knows no secret: tests/matrix.tsv has that refused
            pbm = protection == "pbm"
            operations = ["ir", "cr", "p10cr"] + (["kur"] if treatment == "nest" else [])  # kur is never re-protected
            more = f'treatment = "{treatment}"\n'
            if treatment == "raverified":
                more += 'amend = { subject = "CN=${sender.CN},O=Amended" }\n'
            own = None if pbm else world.identity(f"device-{protection}-{treatment}", protection, SUBJECT)
            origin = 'mac = "secrets"' if pbm else f'signature = {{ trust = ["file:{world.pki.root}", "file:{ca.root}"] }}'
            with world.gateway(ca.url, ca.root, operations=operations, origin=origin, more=more + (mac if pbm else "")) as gateway:
                for command in operations:
                    if command == "kur":  # of what this CA has issued
                        own = Identity(key, shutil.copy(world.certificate, world.folder / "issued.pem"))
                    key = world.identity(f"new-{command}", "ED25519" if pbm else protection, SUBJECT).key
                    options = world.enrolment(key) + (["-csr", world.folder / "new-p10cr.csr"] if command == "p10cr" else [])
                    if pbm:
                        options += ["-ref", "device 1", "-secret", f"pass:{SECRET}"]
                    world.client(gateway, own, trust, "-cmd", command, *options).says("received PKICONF")
                    subject = world.peer.run("x509", "-in", world.certificate, "-noout", "-subject", "-nameopt", "RFC2253")
                    assert ("O=Amended" in subject.output) == (treatment == "raverified"), (protection, treatment, command, subject.output)
                    worked += 1
                records = [(record["decision"], record["treatment"]) for record in gateway.messages()]
                assert records == [("forwarded", treatment)] * (2 * len(operations)), (protection, treatment, records)
    return f"{worked} cells work"


def unknown_algorithm(world):
    """ML-DSA: what this libcrypto cannot verify is refused with badAlg, and the log says what it was."""
    try:
        device = world.identity("device-ml-dsa", "ML-DSA-44", SUBJECT)
    except AssertionError as fault:
        return f"peer cannot ({fault})"
    host = openssl("version").split()[1]
    known = tuple(map(int, host.split(".")[:2])) >= (3, 5)
    signer = world.pki.issue("ca-signer", "p256", "/CN=CA signer", EKU_CMC_CA)
    with world.mock(signer, device) as ca, world.gateway(ca.url, world.pki.root) as gateway:
        run = world.client(gateway, device, world.pki.root, "-cmd", "ir", *world.enrolment(device.key), good=known)
        if known:
            return "verified"
        run.says("badAlg")
        record = gateway.messages()[-1]
        assert record["decision"] == "refused", record
        assert not re.search(r"received (IR|CERTCONF)", ca.output), ca.output
        said = json.dumps(record)
        assert "ML-DSA" in said or "2.16.840.1.101.3.4.3.17" in said, record
        # As a key alone, asked for by a device that this gateway does verify, it is no key of the rules.
        world.client(gateway, world.device, world.pki.root, "-cmd", "ir", *world.enrolment(device.key), good=False)
        record = gateway.messages()[-1]
        assert record["rule"] in ("key", "pop"), record
        return f"refused ({record['rule']}: {record.get('detail', '')})"


def general_messages(world):
    """genm caCerts, rootCaCert, certReqTemplate, answered by the lab CA and the mock CA."""
    with world.lab() as ca, world.gateway(ca.url, ca.root) as gateway:
        out = world.folder / "out.pem"
        trust = world.trust(ca.root)
        for kind, options, said in (
                ("caCerts", ["-cacertsout", out], "received 1 CA certificate(s)"),
                ("rootCaCert", ["-oldwithold", ca.root, "-newwithnew", out], "no root CA certificate update available"),
                ("certReqTemplate", ["-template", out], "no certificate request template available")):
            run = world.client(gateway, world.device, trust, "-cmd", "genm", "-infotype", kind, *options).says(said)
            record = gateway.messages()[-1]
            assert record["decision"] == "forwarded" and record["answer"] == "genp", (kind, record, run.output)
    signer = world.pki.issue("ca-signer", "p256", "/CN=CA signer", EKU_CMC_CA)
    # Without a root to deliver this mock CA crashes; with one it still says that there is none.
    with world.mock(signer, world.device, "-rsp_newwithnew", world.pki.root) as ca, \
            world.gateway(ca.url, world.pki.root) as gateway:
        for kind, options in (("caCerts", ["-cacertsout", out]), ("rootCaCert", ["-oldwithold", world.pki.root, "-newwithnew", out])):
            world.client(gateway, world.device, world.pki.root, "-cmd", "genm", "-infotype", kind, *options)
        assert [record["answer"] for record in gateway.messages()] == ["genp", "genp"], gateway.messages()


def certificate_profile(world):
    """certProfile of the header chooses the profile, and comes again in certConf; another one has none."""
    with world.lab() as ca, world.gateway(ca.url, ca.root, ', cert_profile = ["line-3"]') as gateway:
        trust = world.trust(ca.root)
        key = world.pki.key("new", "p256")
        world.client(gateway, world.device, trust, "-cmd", "ir", "-profile", "line-3", *world.enrolment(key))
        assert world.certificate.exists()
        world.client(gateway, world.device, trust, "-cmd", "ir", "-profile", "line-4", *world.enrolment(key), good=False)
        assert gateway.messages()[-1]["decision"] == "refused", gateway.messages()[-1]


def polling(world):
    """Delayed ip, cp, kup (cp of p10cr too) and pkiConf, rp and genp: each polled for until it comes."""
    signer = world.pki.issue("ca-signer", "p256", "/CN=CA signer", EKU_CMC_CA)
    with world.mock(signer, world.device, "-poll_count", "1", "-check_after", "1") as ca, \
            world.gateway(ca.url, world.pki.root) as gateway:
        request = world.pki.request(world.device.key, SUBJECT)
        for command, answer in (("ir", "ip"), ("cr", "cp"), ("kur", "kup"), ("p10cr", "cp")):
            before = len(gateway.messages())
            options = world.enrolment(world.device.key) + (["-csr", request] if command == "p10cr" else [])
            world.client(gateway, world.device, world.pki.root, "-cmd", command, *options).says("received PKICONF")
            exchanges = [(record["request"], record["answer"]) for record in gateway.messages(before)]
            for polled in (answer, "pkiconf"):
                assert ("pollReq", polled) in exchanges, (command, polled, exchanges)
        # rr comes last: what it revokes protects nothing any more (S-33).
        for command, answer, options in (("genm", "genp", ["-infotype", "caCerts", "-cacertsout", world.folder / "out.pem"]),
                                         ("rr", "rp", ["-oldcert", world.device.certificate, "-revreason", 1])):
            before = len(gateway.messages())
            world.client(gateway, world.device, world.pki.root, "-cmd", command, *options)
            exchanges = [(record["request"], record["answer"]) for record in gateway.messages(before)]
            assert ("pollReq", answer) in exchanges, (command, exchanges)


CASES = (edwards, treatments, unknown_algorithm, general_messages, certificate_profile, polling)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    parser.add_argument("--only", default="", help="cases whose name matches")
    arguments = parser.parse_args()
    try:
        peer = OpenSsl(tree())
    except Skip as skip:
        print(f"SKIPPED: openssl cmp of Debian 13: {skip}")
        sys.exit(SKIPPED)
    failed = 0
    for case in CASES:
        if not re.search(arguments.only, case.__name__):
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="cmpgate-d13-") as folder:
            try:
                said = case(World(arguments, pathlib.Path(folder), peer))
                print(f"ok    {case.__doc__} [{time.monotonic() - began:.0f} s]" + (f" {said}" if said else ""), flush=True)
            except (AssertionError, RuntimeError, TimeoutError, subprocess.SubprocessError) as fault:
                failed += 1
                logs = "\n".join(path.read_text() for path in pathlib.Path(folder).glob("*.log"))
                print(f"WRONG {case.__doc__}\n{type(fault).__name__}: {fault}\n{logs}", flush=True)
    print(f"openssl {peer.version} of Debian 13: {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
