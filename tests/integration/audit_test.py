#!/usr/bin/env python3
"""The audit trail: digests that prove what went through, a chain that shows what was changed, a disk that is full."""

import argparse
import hashlib
import http.client
import json
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from admin_test import UnixConnection, ask  # noqa: E402
from peers import EKU_CMC_CA, ClientRun, MockCa, Pki, Program  # noqa: E402

REQUEST = (ROOT / "tests/vectors/cmp/ir-sig.der").read_bytes()
CONFIG = """\
version = 1
workers = 2
hop = "plant-1"
store = {{ kind = "memory" }}
[log]
to = "{log}"
[audit]
to = "file:audit.log"
key = "file:audit.key"
credential = "ra"
on_failure = "{on_failure}"
[admin]
url = "unix:admin.sock"
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
trust = "file:{trust}"
[[credential]]
name = "ra"
certificate = "file:{certificate}"
key = "file:{key}"
[[profile]]
{profile}
"""


class World:
    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder, self.file = cmpgate, folder, folder / "gateway.toml"
        self.pki = Pki(folder / "pki")
        self.ra = self.pki.issue("ra", "p256", "/CN=RA")
        self.trail, self.log = folder / "audit.log", folder / "gateway.log"
        (folder / "audit.key").write_text("k" * 40)
        (folder / "audit.key").chmod(0o600)

    def gateway(self, ca="http://127.0.0.1:9/", on_failure="refuse", profile='origin = "opaque"', command=(),
                log="file:gateway.log"):
        self.file.write_text(CONFIG.format(ca=ca, on_failure=on_failure, log=log, trust=self.pki.root, profile=profile,
                                           certificate=self.ra.certificate, key=self.ra.key))
        gateway = Program([*command, self.cmpgate, "serve", "-c", self.file])
        gateway.port = int(gateway.wait_for(r"http://127\.0\.0\.1:(\d+)/\.well-known/cmp")[1])
        until = time.monotonic() + 10
        while not (self.folder / "admin.sock").exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        return gateway

    def lines(self, kind=None):
        lines = [json.loads(line) for line in self.trail.read_text().splitlines() if line]
        return [line for line in lines if kind in (None, line["kind"])]

    def verify(self, *arguments):
        done = subprocess.run([self.cmpgate, "audit", "verify", self.trail, *map(str, arguments)], capture_output=True,
                              text=True, timeout=30, check=False)
        return done.returncode, done.stdout + done.stderr

    def ready(self):
        return ask(UnixConnection(self.folder / "admin.sock"), "GET", "/ready")


def post(port, number):
    """A message that nobody has sent before; the status it is answered with."""
    body = bytearray(REQUEST)
    at = body.index(b"\xa4\x12\x04\x10") + 4  # transactionID
    body[at:at + 16] = hashlib.sha256(number.to_bytes(8, "big")).digest()[:16]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/.well-known/cmp", bytes(body), {"Content-Type": "application/pkixcmp"})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def byte_exact(world):
    """What the trail says of an enrolment is what `openssl cmp` sent and received, at both ends."""
    signer = world.pki.issue("signer", "p256", "/CN=CMP CA", EKU_CMC_CA)
    device = world.pki.issue("device", "p256", "/CN=device-1")
    with MockCa(signer, world.pki.root, device.certificate, "-grant_implicitconf") as ca, world.gateway(
            ca.url, profile=f'origin.signature.trust = "file:{world.pki.root}"') as gateway:
        sent, received = world.folder / "sent.der", world.folder / "received.der"
        run = ClientRun(f"http://127.0.0.1:{gateway.port}/.well-known/cmp", device, world.pki.root, "-cmd", "ir", "-newkey",
                        device.key, "-subject", "/CN=device-1", "-implicit_confirm", "-certout", world.folder / "out.pem",
                        "-reqout", sent, "-rspout", received)
        assert run.ok, run.output
        (line,) = world.lines("message")
        assert line["received_sha256"] == line["forwarded_sha256"] == sha256(sent), line
        assert line["answered_sha256"] == line["sent_sha256"] == sha256(received), line
        assert line["decision"] == "forwarded" and line["sender"] == "CN=device-1" and line["verified"], line
        assert f"trace={line['trace']}" in world.log.read_text()
        assert gateway.stop() == 0
    code, said = world.verify("-c", world.file, "--log", world.log)
    assert code == 0 and "of 1 starts, 0 faults; vouched for up to line 2 of boot" in said and "signed" in said, said


# test: S-42 a chain over all that happened: changed, cut and foreign trails are told from whole ones
def chained(world):
    with world.gateway() as gateway:
        for number in range(20):
            assert post(gateway.port, number) == 200
        # Refused before anybody was answerable: counted, not written one by one.
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        for _ in range(50):
            connection.request("POST", "/.well-known/cmp", b"nonsense", {"Content-Type": "application/pkixcmp"})
            connection.getresponse().read()
        assert gateway.stop() == 0
    with world.gateway() as gateway:
        assert post(gateway.port, 100) == 200
        assert gateway.stop() == 0
    assert oct(world.trail.stat().st_mode)[-3:] == "600"
    assert len(world.lines("message")) == 21
    (tally,) = world.lines("unauthenticated")
    assert tally["count"] == 50 and tally["source"] == "127.0.0.1" and tally["rule"] == "parse", tally
    code, said = world.verify("-c", world.file, "--log", world.log)
    assert code == 0 and "of 2 starts, 0 faults" in said, said
    good = world.trail.read_text()

    def after(change):
        world.trail.write_text(change(good))
        code, said = world.verify("-c", world.file, "--log", world.log)
        world.trail.write_text(good)
        return code, said

    lines = good.splitlines(keepends=True)
    assert "line 5: its MAC is wrong" in after(lambda text: text.replace(json.loads(lines[4])["trace"], "0" * 32))[1]
    assert "line 7: it is number 8" in after(lambda text: "".join(lines[:6] + lines[7:]))[1]
    code, said = after(lambda text: "".join(lines[:-2]))
    assert code == 1 and "was written and is not here: cut off" in said, said
    world.trail.write_text("".join(lines[:-2]))
    assert world.verify("-c", world.file)[0] == 0, "what is cut off can be told without the log?"
    world.trail.write_text(good)
    other = world.pki.issue("other", "p256", "/CN=Other")
    code, said = world.verify("--key", f"file:{world.folder}/audit.key", "--certificate", other.certificate)
    assert code == 1 and "the signature of the checkpoint is wrong" in said, said


def moved(world):
    """logrotate: the next file is bound to the one before."""
    with world.gateway() as gateway:
        assert post(gateway.port, 1) == 200
        world.trail.rename(world.folder / "audit.log.1")
        gateway.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 10
        while not world.trail.exists() or not world.trail.read_text():
            assert time.monotonic() < until
            time.sleep(0.01)
        assert post(gateway.port, 2) == 200
        assert gateway.stop() == 0
    last = json.loads((world.folder / "audit.log.1").read_text().splitlines()[-1])
    (begin,) = world.lines("begin")
    assert begin["previous"] == last["mac"] and begin["seq"] == last["seq"] + 1, (begin, last)
    code, said = world.verify("-c", world.file)
    assert code == 0 and "goes on from an earlier file" in said, said


def disk_full(world):
    """No answer without its line; what happened is told once there is room again."""
    limit = ["prlimit", "--fsize=4096:unlimited"]
    with world.gateway(command=limit, log="stderr") as gateway:
        statuses = [post(gateway.port, number) for number in range(30)]
        assert statuses[0] == 200 and statuses[-1] == 503, statuses
        first = statuses.index(503)
        assert set(statuses[:first]) == {200} and set(statuses[first:]) == {503}, statuses
        assert len(world.lines("message")) == first, "an answer without its line, or a line twice"
        status, text = world.ready()
        assert status == 503 and json.loads(text)["reasons"] == ["the audit trail cannot be written"], text
        gateway.wait_for("audit_failed")
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until = time.monotonic() + 20
        while world.ready()[0] != 200:
            assert time.monotonic() < until, world.ready()
            time.sleep(0.05)
        assert post(gateway.port, first) == 200
        assert gateway.stop() == 0
    # The one whose line did not fit happened all the same; those after it did not.
    assert len(world.lines("message")) == first + 2, world.lines("message")
    code, said = world.verify("-c", world.file)
    assert code == 0, said
    world.trail.unlink()
    with world.gateway(on_failure="continue", command=limit, log="stderr") as gateway:
        assert {post(gateway.port, 1000 + number) for number in range(30)} == {200}
        assert world.ready()[0] == 200
        gateway.wait_for("audit_failed .*answers=given")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    for test in (byte_exact, chained, moved, disk_full):
        if arguments.only not in (None, test.__name__):
            continue
        with tempfile.TemporaryDirectory(prefix="cmpgate-audit-test-") as folder:
            test(World(arguments.cmpgate.resolve(), pathlib.Path(folder)))
        print(test.__name__, "ok", flush=True)


if __name__ == "__main__":
    sys.exit(main())
