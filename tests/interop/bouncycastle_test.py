#!/usr/bin/env python3
"""Runs the cells of tests/interop/bouncycastle.tsv: clients and CAs of Bouncy Castle, through a real gateway.

Bouncy Castle shares no code with OpenSSL: what both ends agree on here, two independent implementations do.
Skipped where Java or Maven are missing, or Maven cannot bring the libraries that bouncycastle/pom.xml names.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from gateway import Gateway  # noqa: E402
from matrix import summary  # noqa: E402
from peers import EKU_CMC_RA, Pki, Program, configuration_fault  # noqa: E402

TABLE = HERE / "bouncycastle.tsv"
SOURCES = HERE / "bouncycastle"
SKIPPED = 77
REFERENCE, SECRET = "press-17", "k7w2m4q6z3x5v7t2r4p6n3l5j7h2f4d6"
KEYS = ("ec", "rsa", "ed25519", "ed448")
OPENSSL_KEYS = {"ec": "p256"}

GATEWAY = """\
workers = 1
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "{ca.url}"
trust = "file:{ca.root}"
responder = {{ eku = "cmcCA"{shares} }}
ca_pubs = ["file:{ca.root}"]
credential = "ra"
[[credential]]
name = "ra"
certificate = "file:{ra.certificate}"
key = "file:{ra.key}"
[[profile]]
name = "devices"
match = {{ operations = [{operations}] }}
origin = {{ {origin} }}
rules = {{ subject = "CN=${{sender.CN}}" }}
{treatment}
ra = {{ trust = "file:{ras.root}", allow = ["nested"] }}
[[secret]]
reference = "press-17"
secret = "file:{secret}"
uses = 0
generated = true
"""

Cell = collections.namedtuple("Cell", "ca treatment protection operation confirm key")


class Skip(Exception):
    """What this needs is not here."""


def run_tool(what, command, timeout):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", check=False,
                              timeout=timeout, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise Skip(f"{what}: no end after {timeout} s") from None
    return done.returncode, done.stdout + done.stderr


def bring(cache):
    """The class path of the peers, compiled once a version of them. Raises Skip."""
    for tool in ("java", "javac", "mvn"):
        if not shutil.which(tool):
            raise Skip(f"there is no {tool}")
    pom, sources = SOURCES / "pom.xml", sorted(SOURCES.glob("*.java"))
    libraries = cache / f"lib-{hashlib.sha256(pom.read_bytes()).hexdigest()[:16]}"
    if not libraries.exists():
        fresh = pathlib.Path(tempfile.mkdtemp(dir=cache))
        status, said = run_tool("mvn", ["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies",
                                        f"-DoutputDirectory={fresh}"], 180)
        if status or not list(fresh.glob("*.jar")):
            shutil.rmtree(fresh)
            raise Skip("mvn brings no Bouncy Castle: " + (said.strip().splitlines() or ["it says nothing"])[0])
        fresh.rename(libraries)
    text = b"".join(path.read_bytes() for path in [pom, *sources])
    classes = cache / f"classes-{hashlib.sha256(text).hexdigest()[:16]}"
    if not classes.exists():
        fresh = pathlib.Path(tempfile.mkdtemp(dir=cache))
        status, said = run_tool("javac", ["javac", "-Xlint:all", "-Werror", "-d", fresh, "-cp", f"{libraries}/*", *sources], 180)
        if status:
            raise RuntimeError(f"the peers do not compile:\n{said}")
        fresh.rename(classes)
    return f"{classes}:{libraries}/*"


class Peers(Program):
    """The process that runs clients and CAs of Bouncy Castle."""

    def __init__(self, class_path):
        super().__init__(["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, "Peer"], stdin=subprocess.PIPE)
        self._tags, self._writing = itertools.count(), threading.Lock()

    def ask(self, what, **options):
        """(tag, the first line said about it)."""
        tag = f"t{next(self._tags)}"
        words = [tag, what, *(f"{name.replace('_', '-')}={value}" for name, value in options.items())]
        with self._writing:
            self.process.stdin.write(("\t".join(words) + "\n").encode())
            self.process.stdin.flush()
        return tag, self.wait_for(rf"^{tag} (.*)$", 60)[1]

    def said(self, tag):
        return re.findall(rf"^{tag} (.*)$", self.output, re.MULTILINE)

    def __exit__(self, *_):
        self.process.stdin.close()
        self.stop()


class BouncyCa:
    def __init__(self, peers, root, key, responder_key, trusted, ra_trusted, secret):
        self.peers, self.root = peers, root
        self.tag, said = peers.ask("ca", key=key, responder_key=responder_key, root_out=self.root, trusted=trusted, ra_trusted=ra_trusted,
                                   reference=REFERENCE, secret=secret)
        if not (port := re.fullmatch(r"listening (\d+)", said)):
            raise RuntimeError(f"no CA with {key}: {said}")
        self.url = f"http://127.0.0.1:{port[1]}/"

    @property
    def output(self):
        return "\n".join(self.peers.said(self.tag))


class LabCa(Program):
    """The project's lab CA."""

    def __init__(self, program, folder, trusted, ra_trusted, secret):
        folder.mkdir()
        super().__init__([program, "--trust", trusted, "--ra-trust", ra_trusted, "--secret", f"{REFERENCE}={secret}", "--write", folder])
        self.url = self.wait_for(r"(http://127\.0\.0\.1:\d+\S*)")[1]
        self.root = folder / "root.pem"


class World:
    """CAs and gateways, started when a cell first needs them and kept for the others."""

    def __init__(self, arguments, folder, peers):
        self.arguments, self.folder, self.peers = arguments, folder, peers
        self.pki, self.ras = Pki(folder / "pki"), Pki(folder / "ra-pki", "RA Root")
        self.ra = self.ras.issue("ra", "p256", "/CN=Gateway", EKU_CMC_RA)
        self.first_ra = self.ras.issue("first-ra", "p256", "/CN=First RA", EKU_CMC_RA)
        self.trusted = folder / "ca-trusts.pem"
        self.trusted.write_text(self.pki.root.read_text() + self.ras.root.read_text())
        self.secrets = {}
        for name, text in (("right", SECRET), ("wrong", "not" + SECRET)):
            self.secrets[name] = folder / f"{name}.secret"
            self.secrets[name].write_text(text)
            self.secrets[name].chmod(0o600)
        self._lock, self._kept, self.programs, self._count = threading.RLock(), {}, [], itertools.count()

    def once(self, what, make):
        with self._lock:
            if what not in self._kept:
                self._kept[what] = make()
            return self._kept[what]

    def started(self, program):
        self.programs.append(program)
        return program

    def new_key(self, kind):
        """What makes a peer take a new key of this kind."""
        return self.pki.key(f"new-{next(self._count)}", "rsa") if kind == "rsa" else kind

    def device(self, key):
        name = OPENSSL_KEYS.get(key, key)
        return self.once(("device", key), lambda: self.pki.issue(f"device-{key}", name, f"/CN=device {key}"))

    def ca(self, name):
        def make():
            if name == "lab":
                return self.started(LabCa(self.arguments.labca, self.folder / "lab", self.pki.root, self.ras.root, self.secrets["right"]))
            return BouncyCa(self.peers, self.folder / f"ca-{name}.pem", self.new_key(name), self.new_key(name), self.trusted, self.ras.root, self.secrets["right"])
        return self.once(("ca", name), make)

    def trust(self, ca):
        """Who may answer a device: the CA, and the gateway where it refuses."""
        def make():
            path = self.folder / f"trust-{ca}.pem"
            path.write_text(self.ca(ca).root.read_text() + self.ras.root.read_text())
            return path
        return self.once(("trust", ca), make)

    def gateway(self, cell, mac):
        """What a gateway of this treatment and operation does not start with is an outcome, too."""
        operation = "kur" if cell.operation == "kur" else "enrol"  # kur is never re-protected

        def make():
            treatment = '{ nested = "unwrap" }' if cell.treatment == "unwrap" else f'"{cell.treatment}"'
            if cell.treatment == "raverified":
                treatment += '\namend = { subject = "CN=${sender.CN},O=Amended" }'
            text = GATEWAY.format(
                ca=self.ca(cell.ca), ra=self.ra, ras=self.ras, secret=self.secrets["right"],
                origin='mac = "secrets"' if mac else f'signature = {{ trust = "file:{self.pki.root}" }}',
                shares=", shared_secret = true" if mac and cell.treatment in ("forward", "unwrap", "nest") else "",
                operations='"kur"' if operation == "kur" else '"ir", "cr", "p10cr"', treatment=f"treatment = {treatment}")
            own = self.folder / f"{cell.ca}-{cell.treatment}-{'mac' if mac else 'signature'}-{operation}"  # its store lies there as well
            own.mkdir()
            try:
                return self.started(Gateway(self.arguments.cmpgate, own, text))
            except RuntimeError as refused:
                return str(refused)
        return self.once(("gateway", cell.ca, cell.treatment, mac, operation), make)

    def close(self):
        for program in reversed(self.programs):
            program.stop()

    def run(self, cell):
        """(outcome, what the programs said) of one cell."""
        kind, *parameters = cell.protection.split()
        mac = kind in ("pbm", "pbmac1")
        ca, gateway = self.ca(cell.ca), self.gateway(cell, mac)
        if isinstance(gateway, str):
            return f"refused at check ({configuration_fault(gateway)})", gateway
        options = {"url": gateway.url, "command": cell.operation, "confirm": cell.confirm,
                   "key": self.new_key(cell.key), "trusted": self.trust(cell.ca)}
        if mac:
            wrong = "wrong" in parameters
            options |= {"protect": kind, "reference": REFERENCE, "subject": f"CN={REFERENCE}",
                        "secret": self.secrets["wrong" if wrong else "right"]}
            options |= dict(one.split("=") for one in parameters if "=" in one)
            options |= {"mislabelled": 1} if "mislabelled" in parameters else {}
        else:
            device = self.device(kind)
            options |= {"protect": "signature", "cert": device.certificate, "private": device.key,
                        "subject": f"CN=device {kind}"}
        if "nested" in parameters:
            options |= {"nested": 1, "ra_cert": self.first_ra.certificate, "ra_private": self.first_ra.key}
        tag, said = self.peers.ask("client", **options)
        record = {}
        if found := re.search(r" transaction=([0-9a-f]+)$", said):
            record = json.loads(gateway.wait_for(rf'^{{.*"transactionID":"{found[1]}".*}}$', 10)[0])
        outcome = self.outcome(cell, said, record)
        if outcome == "enrolled" and cell.ca != "lab" and (other := self.seen_amiss(cell, options["subject"], found[1], ca)):
            outcome = f"enrolled, but {other}"
        return outcome, f"{tag} {said}\n--- gateway\n{record}\n--- CA\n{ca.output[-2000:]}"

    @staticmethod
    def seen_amiss(cell, subject, transaction, ca):
        """What the CA saw of this transaction, where that is not what the treatment makes of it; else None."""
        kind, *parameters = cell.protection.split()
        protection = kind if kind in ("pbm", "pbmac1") else "signature"
        device = f"protection={protection} sender={subject}"
        nested = f"protection={protection} sender={{}} nested={subject}"
        wrapped = "nested" in parameters
        # The client's RA nests its request only; a gateway that nests, every message.
        request = {"forward": nested.format("CN=First RA") if wrapped else device, "unwrap": device,
                   "nest": nested.format("CN=Gateway")}.get(cell.treatment, "protection=signature sender=CN=Gateway")
        confirmation = device if cell.treatment in ("forward", "unwrap") else request
        want = [request] + ([confirmation] if cell.confirm == "explicit" else [])
        saw = re.findall(rf"^took transaction={transaction} (.*)$", ca.output, re.MULTILINE)
        return None if saw == want else f"the CA saw {saw}"

    @staticmethod
    def outcome(cell, said, record):
        if found := re.fullmatch(r"enrolled subject=(.*) issuer=(.*) confirm=(\w+) transaction=\w+", said):
            if found[3] != cell.confirm:
                return f"enrolled, confirmed {found[3]}"
            if (cell.treatment == "raverified") != ("O=Amended" in found[1]):
                return f"enrolled as {found[1]}"
            return "enrolled"
        if found := re.match(r"refused (\S+) text=", said):
            if "rule" in record:
                return f"refused per message ({record['rule']}, {found[1]})"
            return f"peer cannot (the CA answers {found[1]})"
        return said


def wanted():
    """The cells the table must have: what is protected by what, what asked for, and each MAC."""
    for ca, protection, confirm in itertools.product(KEYS, KEYS, ("implicit", "explicit")):
        yield Cell(ca, "forward", protection, "ir", confirm, protection)
    for protection, key in itertools.product(KEYS, KEYS):
        if key != protection:
            yield Cell("ec", "forward", protection, "ir", "explicit", key)
    for protection, operation in itertools.product(KEYS, ("cr", "kur", "p10cr")):
        yield Cell("ec", "forward", protection, operation, "explicit", "ec")
    macs = [f"pbm owf={owf} mac=hmac-{owf} iterations={count}" for owf in ("sha256", "sha512") for count in (100, 10000)]
    macs += ["pbm owf=sha1 mac=hmac-sha1 iterations=1024"]
    macs += [f"pbmac1 prf={prf} mac={mac} iterations={count} key-bits={bits}" for prf in ("sha256", "sha512")
             for mac, bits in (("HmacSHA256", 256), ("HmacSHA512", 512)) for count in (100, 10000)]
    macs += ["pbmac1 prf=sha256 mac=HmacSHA384 iterations=2048 key-bits=384 salt=40"]
    for ca, mac in itertools.product(("ec", "lab"), macs):
        yield Cell(ca, "forward", mac, "ir", "explicit", "ec")
    for mac in ("pbm iterations=99", "pbm iterations=100001", "pbm wrong", "pbmac1 iterations=99", "pbmac1 iterations=100001",
                "pbmac1 wrong", "pbmac1 mislabelled"):
        yield Cell("ec", "forward", mac, "ir", "explicit", "ec")
    for mac, operation in itertools.product(("pbm", "pbmac1"), ("cr", "p10cr")):
        yield Cell("ec", "forward", mac, operation, "implicit", "ec")
    # What the gateway does with a message, before a CA that shares nothing with it.
    for treatment, protection in itertools.product(("nest", "reprotect", "raverified"), (*KEYS, "pbm", "pbmac1")):
        for operation in ("ir", "cr", "kur", "p10cr"):
            yield Cell("ec", treatment, protection, operation, "explicit", "ec")
        yield Cell("ec", treatment, protection, "ir", "implicit", "ec")
    for treatment, ca in itertools.product(("nest", "reprotect", "raverified"), ("rsa", "ed25519", "ed448")):
        yield Cell(ca, treatment, ca, "ir", "explicit", ca)
    for treatment, protection in itertools.product(("nest", "reprotect", "raverified"), ("pbm", "pbmac1", "ed448")):
        yield Cell("lab", treatment, protection, "ir", "explicit", "ec")
    # An RA of Bouncy Castle in front of the gateway approves the request.
    for treatment, protection in itertools.product(("forward", "unwrap", "nest", "reprotect"), (*KEYS, "pbm", "pbmac1")):
        yield Cell("ec", treatment, f"{protection} nested", "ir", "explicit", "ec")
    for treatment in ("forward", "unwrap", "nest"):
        yield Cell("ec", treatment, "ec nested", "kur", "implicit", "ec")


def rows():
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            *cell, outcome = line.split("\t")
            yield Cell(*cell), outcome


def work(arguments, folder, class_path, table):
    """(cell, outcome, what was said) of each in the table's order, as they come."""
    with Peers(class_path) as peers:
        world = World(arguments, folder, peers)

        def run(cell):
            try:
                return cell, *world.run(cell)
            except (RuntimeError, TimeoutError, OSError) as error:
                return cell, f"broken ({type(error).__name__})", str(error)

        try:
            with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
                yield from pool.map(run, table)
        finally:
            world.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    parser.add_argument("--cache", required=True, type=pathlib.Path, help="where the libraries and classes are kept")
    parser.add_argument("--only", default="", help="cells whose name matches, as ec/forward/ed448/ir/implicit/ed448")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--print", action="store_true", help="print all that must be there, as it comes out")
    arguments = parser.parse_args()

    arguments.cache.mkdir(parents=True, exist_ok=True)
    try:
        class_path = bring(arguments.cache.resolve())
    except Skip as skip:
        print(f"SKIPPED: Bouncy Castle: {skip}")
        sys.exit(SKIPPED)
    expected = {cell: None for cell in wanted()} if arguments.print else dict(rows())
    table = [cell for cell in expected if re.search(arguments.only, "/".join(cell))]
    failed, counts = 0, collections.Counter()
    with tempfile.TemporaryDirectory(prefix="cmpgate-bc-") as folder:
        for cell, outcome, said in work(arguments, pathlib.Path(folder), class_path, table):
            counts["work" if outcome == "enrolled" else outcome.split(" (")[0]] += 1
            if arguments.print:
                print("\t".join([*cell, outcome]), flush=True)
            elif outcome == expected[cell]:
                print(f"ok    {'/'.join(cell)}: {outcome}", flush=True)
            else:
                failed += 1
                print(f"WRONG {'/'.join(cell)}: {outcome}; the table says: {expected[cell]}\n{said}", flush=True)
    if arguments.print:
        return
    missing = [cell for cell in wanted() if cell not in expected]
    for cell in missing:
        print(f"WRONG {TABLE.name} lacks {'/'.join(cell)}")
    print(f"Bouncy Castle: {len(table)} cells, {summary(counts)}, {failed} changed, {len(missing)} missing")
    sys.exit(1 if failed or missing or not table else 0)


if __name__ == "__main__":
    main()
