#!/usr/bin/env python3
"""A credential of `cmpgate serve` renews itself: by the lab CA while devices enrol (new key, old one kept for what is
open, also over a restart), by the mock CA of `openssl cmp` (old key, wrong key), and what is seen of it when it fails."""

import argparse
import http.client
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from gateway import Gateway, Server, Steady, read_content, read_head  # noqa: E402
from peers import EKU_CMC_CA, ClientRun, MockCa, Pki, Program, openssl, public_key_of  # noqa: E402

CONFIG = """
workers = 2
drain_timeout = "5s"
[admin]
url = ["unix:admin.sock", "http://127.0.0.1:{admin}"]
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "{ca}"
trust = "file:{root}"
credential = "ra"
[[credential]]
name = "ra"
certificate = "file:ra.pem"
key = "file:ra.key"
renew = {{ {renew} }}
[[profile]]
name = "devices"
origin.signature.trust = "file:{devices}"
treatment = {{ default = "reprotect", kur = "nest" }}
rules = {{ key = ["ec:P-256"], subject = "CN=*,O=Example" }}
[store]
path = "{store}"
[audit]
to = "file:audit.log"
key = "file:audit.key"
credential = "ra"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def metrics(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return {found[1]: float(found[2]) for found in re.finditer(r"^(\S+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}


def serial_of(path):
    return openssl("x509", "-in", path, "-noout", "-serial").strip()


def mode_of(path):
    return path.stat().st_mode & 0o777


class Holding(Server):
    """A proxy that keeps the second message of each connection (certConf) until it is let go; where to is found out
    only then."""

    def __init__(self, port):
        super().__init__()
        self.to, self.held, self.go = port, threading.Event(), threading.Event()

    def serve(self, connection):
        behind, count = b"", 0
        while True:
            head, behind = read_head(connection, behind)
            if head is None:
                return
            asked, behind = read_content(connection, head, behind)
            count += 1
            if count == 2:
                self.held.set()
                self.go.wait(60)
            with socket.create_connection(("127.0.0.1", self.to), 30) as onward:
                onward.sendall(head + asked)
                head, rest = read_head(onward)
                said, _ = read_content(onward, head, rest)
            connection.sendall(head + said)


class World:
    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        folder.mkdir()
        (folder / "store").mkdir(mode=0o700)
        (folder / "audit.key").touch(0o600)
        (folder / "audit.key").write_text("k" * 40)
        self.admin = free_port()

    def gateway(self, ca, root, devices, renew):
        text = CONFIG.format(ca=ca, root=root, devices=devices, renew=renew, admin=self.admin,
                             store=self.folder / "store/cmpgate.db")
        return Gateway(self.programs.cmpgate, self.folder, text)

    def run(self, *command):
        done = subprocess.run([self.programs.cmpgate, *command, "-c", self.folder / "cmpgate.toml"],
                              capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr


def wait_for(gateway, event, count=1, timeout=60):
    until = time.monotonic() + timeout
    while len(found := gateway.records(event)) < count:
        assert time.monotonic() < until, f"{len(found)} of {count} {event}:\n{gateway.output[-4000:]}"
        time.sleep(0.05)
    return found


def under_load(programs, folder):
    """Twice a new key and certificate while a device enrols again and again; what began with the old one goes on with
    it, even by another process."""
    world = World(programs, folder)
    pki = Pki(folder / "devices", "Device Root")
    device = pki.issue("device", "p256", "/O=Example/CN=device")
    new_key = pki.key("new", "p256")
    other = pki.issue("other", "p256", "/O=Example/CN=other")
    with Program([programs.labca, "--write", folder, "--device", "CN=ra,O=Example", "--validity", "40", "--trust",
                  pki.root, "--no-implicit-confirm"]) as labca:
        url = labca.wait_for(r"(http://\S+)")[1]
        (folder / "device.pem").rename(folder / "ra.pem")
        (folder / "device.key").rename(folder / "ra.key")
        first = (folder / "ra.pem").read_text()
        first_key = (folder / "ra.key").read_text()
        renew = 'before = "35s"'
        with world.gateway(url, folder / "root.pem", pki.root, renew) as gateway, Holding(gateway.port) as proxy:
            subject = "/O=Example/CN=device"
            held = {}
            waiting = threading.Thread(target=lambda: held.update(run=ClientRun(
                f"http://127.0.0.1:{proxy.port}/.well-known/cmp", other, folder / "root.pem", "-cmd", "ir", "-newkey",
                other.key, "-subject", "/O=Example/CN=other", "-certout", folder / "other.new.pem", "-total_timeout",
                "60")))
            waiting.start()
            assert proxy.held.wait(20), gateway.output
            with Steady(gateway.url, device, folder / "root.pem", new_key, subject) as steady:
                renewed = wait_for(gateway, "credential_renewed", 2)
                used = wait_for(gateway, "credential_in_use", 2)
                steady_so_far = steady.enrolled
            assert steady_so_far >= 20, steady_so_far
            # What `other` asked went up under the first certificate; so does its certConf, though there were two since.
            proxy.go.set()
            waiting.join(60)
            assert held["run"].ok and "received PKICONF" in held["run"].output, held["run"].output
            assert [one["generation"] for one in used] == [2, 3], used
            assert all(one["credential"] == "ra" and one["key"] == "new" for one in renewed), renewed
            wrong = [one for one in gateway.records() if one["decision"] != "forwarded"]
            assert not wrong, wrong[:3]
            assert not gateway.records("credential_renewal_failed")

            seen = metrics(world.admin)
            assert seen['cmpgate_credential_renewals_total{credential="ra",result="renewed"}'] == 2, seen
            assert seen['cmpgate_credential_renewal_failing{credential="ra"}'] == 0
            (gauge,) = [value for name, value in seen.items()
                        if name.startswith("cmpgate_expiry_timestamp_seconds") and 'kind="credential"' in name]
            assert gauge > time.time() + 5, gauge
            due = seen['cmpgate_credential_renewal_due_timestamp_seconds{credential="ra"}']
            assert time.time() - 40 < due < gauge, (due, gauge)
            status, said = world.run("status")
            assert status == 0 and "renew" not in said, said
            status, said = world.run("doctor")
            assert "renewal of ra: due at" in said, said

            # Files: the new ones whole, those before beside them, nothing left over.
            ra, key = folder / "ra.pem", folder / "ra.key"
            assert ra.read_text() != first and key.read_text() != first_key
            assert public_key_of(ra, "certificate") == public_key_of(key, "key")
            assert public_key_of(folder / "ra.pem.old", "certificate") == public_key_of(folder / "ra.key.old", "key")
            assert serial_of(folder / "ra.pem.old") != serial_of(ra)
            assert mode_of(key) == mode_of(folder / "ra.key.old") == 0o600
            assert not list(folder.glob("*.new")), list(folder.glob("*.new"))
            openssl("verify", "-no_check_time", "-CAfile", folder / "root.pem", ra)

            # Over a restart: what a device began before the next renewal goes on by .old.
            proxy.held.clear()
            proxy.go.clear()
            held.clear()
            waiting = threading.Thread(target=lambda: held.update(run=ClientRun(
                f"http://127.0.0.1:{proxy.port}/.well-known/cmp", device, folder / "root.pem", "-cmd", "ir", "-newkey",
                new_key, "-subject", subject, "-certout", folder / "last.pem", "-total_timeout", "60")))
            waiting.start()
            assert proxy.held.wait(20), gateway.output
            before = serial_of(ra)
            wait_for(gateway, "credential_in_use", 3)
            assert serial_of(folder / "ra.pem.old") == before
            enrolled = steady.enrolled
            assert gateway.stop() == 0
            with world.gateway(url, folder / "root.pem", pki.root, renew) as again:
                proxy.to = again.port
                proxy.go.set()
                waiting.join(60)
                assert held["run"].ok and "received PKICONF" in held["run"].output, held["run"].output + again.output
                assert again.stop() == 0
            # Who signed the trail's checkpoints meanwhile stands in the files of the credential.
            status, said = world.run("audit", "verify", folder / "audit.log")
            assert status == 0 and "of 2 starts, 0 faults" in said and "signed)" in said, said
            (folder / "first.pem").write_text(first)
            known = [word for one in (ra, folder / "ra.pem.old") for word in ("--certificate", one)]
            by_hand = [programs.cmpgate, "audit", "verify", "--key", f"file:{folder}/audit.key", folder / "audit.log"]
            assert subprocess.run([*by_hand, *known], capture_output=True, timeout=60, check=False).returncode == 0
            # The first key signed none of the last ones, and what is vouched for by none of the known is a fault.
            done = subprocess.run([*by_hand, "--certificate", folder / "first.pem"], capture_output=True, text=True,
                                  timeout=60, check=False)
            assert done.returncode == 1 and "the signature of the checkpoint is wrong" in done.stderr, done.stderr
    print(f"  3 renewals by the lab CA, {enrolled} enrolments meanwhile, none lost; slowest {steady.slowest * 1e3:.0f} ms")


def by_the_mock_ca(programs, folder):
    """With the key it has; a certificate for another key is not believed."""
    world = World(programs, folder)
    pki = Pki(folder / "pki")
    signer = pki.issue("signer", "p256", "/CN=CA signer", EKU_CMC_CA)
    ra = pki.issue("ra", "p256", "/O=Example/CN=ra", days=20)
    (folder / "ra.pem").write_text(ra.certificate.read_text())
    (folder / "ra.key").write_text(ra.key.read_text())
    (folder / "ra.key").chmod(0o600)
    before = (folder / "ra.pem").read_text()
    # This mock CA takes oldCertID for a name of the certificate it is about to answer with.
    serial = "0x" + serial_of(folder / "ra.pem").removeprefix("serial=")
    longer = pki.issue("ra-next", "p256", "/O=Example/CN=ra", days=25, key=ra.key, serial=serial)
    with MockCa(signer, pki.root, longer.certificate) as mock:
        # A new key: the mock CA answers with its certificate all the same.
        with world.gateway(mock.url, pki.root, pki.root, 'before = "30d"') as gateway:
            (failed,) = wait_for(gateway, "credential_renewal_failed")
            assert failed["detail"].startswith("issued-key") and failed["possibly_issued"], failed
            assert 40 <= failed["again_in_s"] <= 80, failed
            assert not list(folder.glob("ra.*.new")) and (folder / "ra.pem").read_text() == before
            status, said = world.run("status")
            assert status == 0 and "credential ra cannot be renewed: issued-key" in said, said
            seen = metrics(world.admin)
            assert seen['cmpgate_credential_renewal_failing{credential="ra"}'] == 1
            assert seen['cmpgate_credential_renewals_total{credential="ra",result="failed"}'] == 1
    with MockCa(signer, pki.root, longer.certificate) as mock:
        with world.gateway(mock.url, pki.root, pki.root, 'before = "30d", key = "same"') as gateway:
            (renewed,) = wait_for(gateway, "credential_renewed")
            assert renewed["key"] == "same", renewed
            wait_for(gateway, "credential_in_use")
            assert (folder / "ra.pem").read_text().strip() == longer.certificate.read_text().strip()
            assert (folder / "ra.pem.old").read_text() == before
            assert not (folder / "ra.key.old").exists()
    print("  by the mock CA of openssl: the old key with a new certificate; one for another key is refused")


def without_a_ca(programs, folder):
    """Tried again, and said everywhere."""
    world = World(programs, folder)
    pki = Pki(folder / "pki")
    ra = pki.issue("ra", "p256", "/O=Example/CN=ra")
    (folder / "ra.pem").write_text(ra.certificate.read_text())
    (folder / "ra.key").write_text(ra.key.read_text())
    (folder / "ra.key").chmod(0o600)
    with world.gateway(f"http://127.0.0.1:{free_port()}/", pki.root, pki.root, 'before = "30d"') as gateway:
        (failed,) = wait_for(gateway, "credential_renewal_failed")
        assert failed["detail"].startswith("not-sent") and not failed["possibly_issued"], failed
        status, said = world.run("status")
        assert "credential ra cannot be renewed: not-sent" in said, said
        began = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - began < 4, "nothing waits for the renewal"
    print("  without a CA: tried again, seen in log, metrics and status")


def while_waiting(programs, folder):
    """The CA lets it wait for an hour: the gateway ends at once all the same."""
    world = World(programs, folder)
    with Program([programs.labca, "--write", folder, "--device", "CN=ra,O=Example", "--validity", "4000",
                  "--poll-count", "5", "--check-after", "3600"]) as labca:
        url = labca.wait_for(r"(http://\S+)")[1]
        (folder / "device.pem").rename(folder / "ra.pem")
        (folder / "device.key").rename(folder / "ra.key")
        with world.gateway(url, folder / "root.pem", folder / "root.pem", 'before = "2h"') as gateway:
            until = time.monotonic() + 20
            while metrics(world.admin).get('cmpgate_upstream_deliveries_total{upstream="ca",result="delivered"}', 0) < 2:
                assert time.monotonic() < until, gateway.output
                time.sleep(0.1)
            began = time.monotonic()
            assert gateway.stop() == 0
            assert time.monotonic() - began < 4, "it waits for the CA"
    print("  while the CA says waiting: ends at once")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    programs = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for test in (by_the_mock_ca, without_a_ca, while_waiting, under_load):
            print(test.__name__)
            test(programs, pathlib.Path(name) / test.__name__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
