#!/usr/bin/env python3
"""Every door with every way to a CA, all in one process at once: `openssl cmp` enrols (ir, ip, certConf, pkiConf) through
each pair, and each message is on each hop what it was on the one before, to the octet.

    openssl cmp → a client of the door → near gateway (checks, forwards) → far gateway (relays) → lab CA

Both gateways write an audit trail; its digests are compared with what the door's client sent and received."""

import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

import doors  # noqa: E402
from cmp_message import extra_certificates  # noqa: E402
from labca_test import Ca  # noqa: E402
from peers import ClientRun, Program, openssl, public_key_of  # noqa: E402
from tls_test import TlsPki  # noqa: E402

CMPGATE = LABCA = None
SUBJECT = "/CN=device/O=Doors"
SETTINGS = """\
version = 1
workers = 2
{settings}
store = {{ kind = "memory" }}
[log]
format = "json"
[audit]
to = "file:{name}.audit"
key = "file:audit.key"
[limits]
open_time = "30s"
"""


class World:
    """What both gateways share: folders, TLS certificates, the CA."""

    def __init__(self, folder):
        self.folder = folder
        pki = TlsPki(folder)
        self.tls_root = pki.servers
        self.tls = pki.issue(pki.servers, "server", "/CN=ra", "DNS:localhost,IP:127.0.0.1")
        (folder / "audit.key").write_text("k" * 40)
        (folder / "audit.key").chmod(0o600)


class Gate(Program):
    """A gateway with all doors open."""

    def __init__(self, world, name, settings, rest):
        self.world, self.name = world, name
        self.doors = doors.doors()
        text = SETTINGS.format(name=name, settings=settings) + rest
        for listener in dict.fromkeys(door.listener for door in self.doors.values()):
            first = next(door for door in self.doors.values() if door.listener == listener)
            text += f'[[listener]]\nname = "{listener}"\n{first.config(world)}'
        file = world.folder / f"{name}.toml"
        file.write_text(text)
        super().__init__([CMPGATE, "serve", "-c", file])
        self.wait_for(r'"event":"ready"')
        for door in self.doors.values():
            door.found(self, world)

    def trail(self):
        """Its audit lines, by the digest of the received message."""
        lines = {}
        for line in (self.world.folder / f"{self.name}.audit").read_text().splitlines():
            record = json.loads(line)
            if record.get("kind") == "message":
                lines.setdefault(record["received_sha256"], []).append(record)
        return lines


def far_gateway(world, ca):
    return Gate(world, "far", "", f"""
[[upstream]]
name = "ca"
url = "{ca.url}"
[[profile]]
name = "relay"
origin = "opaque"
""")


def near_gateway(world, ca, far):
    text = f'[[credential]]\ncertificate = "file:{world.tls[0]}"\nkey = "file:{world.tls[1]}"\n'
    for way in doors.ways().values():
        trust = "" if way.door is None else f'trust = "file:{ca.root}"\n'
        text += f"""
[[upstream]]
{way.config(far)}{trust}
[[profile]]
name = "to-{way.name}"
match.label = "{way.name}"
upstream = "{way.name}"
origin.signature.trust = "file:{ca.root}"
rules.subject = "CN=${{sender.CN}},O=Doors"
{way.profile}"""
    return Gate(world, "near", "allow_lab_ca = true", text)


def lab_signer(world, ca, near):
    """The in-process CA makes its keys when it starts: its signer is what its first answer was signed with."""
    found = []

    class Listening(doors.Door):
        def send(self, der, label):
            answer = near.doors["http"].send(der, label)
            found.extend(extra_certificates(answer)[:1])
            return answer

    with doors.Bridge({"first": Listening()}) as bridge:
        run = ClientRun(f"{bridge.url}/first/labca", ca.device, ca.root, "-cmd", "ir", "-newkey", ca.device.key, "-subject",
                        SUBJECT, "-certout", world.folder / "none.pem")
    assert found, f"no certificate in the lab CA's answer\n{run.output}\n{near.output[-2000:]}"
    (world.folder / "lab.der").write_bytes(found[0])
    openssl("x509", "-inform", "DER", "-in", world.folder / "lab.der", "-out", world.folder / "lab.pem")
    return world.folder / "lab.pem"


def enrol(world, bridge, ca, trust, door, way):
    """None, or what went wrong."""
    folder = world.folder / f"{door}-{way}"
    folder.mkdir()
    key, certificate = folder / "new.key", folder / "new.pem"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    run = ClientRun(f"{bridge.url}/{door}/{way}", ca.device, ca.root, "-cmd", "ir", "-newkey", key, "-subject",
                    SUBJECT, "-certout", certificate, *trust)
    if not run.ok:
        return f"{bridge.faults.get((door, way))}\n{run.output[-1500:]}"
    if "received PKICONF" not in run.output:
        return "no pkiConf"
    if public_key_of(certificate, "certificate") != public_key_of(key, "key"):
        return "a certificate for another key"
    return None


def byte_exact(passed, near, far, way):
    """None, or where the octets of one hop differ from those of the next. `passed`: (request, answer) at the door."""
    if len(passed) < 2:
        return f"{len(passed)} messages"
    for request, answer in passed:
        asked, answered = doors.digest(request), doors.digest(answer)
        lines = near.get(asked, [])
        if len(lines) != 1:
            return f"{len(lines)} lines of the near gateway for one message"
        here = lines[0]
        if not here["received_sha256"] == here["forwarded_sha256"] == asked:
            return "the request left the near gateway changed"
        if not here["answered_sha256"] == here["sent_sha256"] == answered:
            return "the answer left the near gateway changed"
        if doors.ways()[way].door is None:
            continue
        lines = far.get(asked, [])
        if len(lines) != 1:
            return f"{len(lines)} lines of the far gateway for one message"
        if lines[0]["sent_sha256"] != answered:
            return "the answer changed between the gateways"
    return None


def main():
    global CMPGATE, LABCA
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    parser.add_argument("--door", help="only this one")
    parser.add_argument("--way", help="only this one")
    programs = parser.parse_args()
    CMPGATE, LABCA = programs.cmpgate.resolve(), programs.labca.resolve()

    folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-doors-"))
    try:
        world = World(folder)
        with Ca(LABCA, folder / "ca") as ca, far_gateway(world, ca) as far, near_gateway(world, ca, far) as near, \
                doors.Bridge(near.doors) as bridge:
            pairs = [(door, way) for way in doors.ways() for door in near.doors
                     if programs.door in (None, door) and programs.way in (None, way)]
            trust = {way: [] for way in doors.ways()}
            if any(way == "labca" for _, way in pairs):
                trust["labca"] = ["-srvcert", lab_signer(world, ca, near)]
            with concurrent.futures.ThreadPoolExecutor(max_workers=2 * (os.cpu_count() or 2)) as pool:
                told = dict(zip(pairs, pool.map(lambda pair: enrol(world, bridge, ca, trust[pair[1]], *pair), pairs)))
            # Both end first: what they did is then written down.
            assert near.stop(30) == 0, near.output[-3000:]
            assert far.stop(30) == 0, far.output[-3000:]
        nearby, away = near.trail(), far.trail()
        failures = 0
        for way in dict.fromkeys(way for _, way in pairs):
            for door, its in pairs:
                if its != way:
                    continue
                fault = told[door, way] or byte_exact(bridge.passed.get((door, way), []), nearby, away, way)
                print(f"{door:12} → {way:8} {'enrolled, byte-exact' if fault is None else 'FAILED: ' + fault}")
                failures += fault is not None
        print(f"{len(pairs)} pairs of door and way, {len(pairs) - failures} enrolled")
        return 1 if failures or not pairs else 0
    finally:
        shutil.rmtree(folder, True)


if __name__ == "__main__":
    sys.exit(main())
