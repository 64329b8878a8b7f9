#!/usr/bin/env python3
"""A gateway whose key never leaves its PKCS #11 token (SoftHSM): it signs re-protected requests, nested ones and
refusals, for many devices at once; a wrong PIN and a key that is not there are said when the configuration is read.
Debian 12 reaches the token by OpenSSL's engine, Debian 13 by its provider: the same test runs on both."""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from peers import EKU_CMC_CA, EKU_CMC_RA, ClientRun, MockCa, Pki, Program, openssl  # noqa: E402

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SKIPPED = 77
PIN = "273546"
SUBJECT = "/CN=device-1"
CONFIG = """\
version = 1
workers = 2
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
name = "ca"
url = "{ca}"
trust = "file:{root}"
credential = "ra"
[[credential]]
name = "ra"
certificate = "file:{certificate}"
key = "pkcs11:token={token};object={object}?module-path={module}"
passphrase = "file:{pin}"
{renew}
[[profile]]
name = "devices"
match = {{ operations = ["ir", "cr"] }}
origin.signature.trust = "file:{root}"
rules.subject = "CN=${{sender.CN}}"
treatment = "reprotect"
[store]
kind = "memory"
[log]
format = "json"
"""


class World:
    def __init__(self, cmpgate, folder):
        self.cmpgate, self.folder = cmpgate, folder
        self.pki = Pki(folder / "pki")
        self.ra = self.pki.issue("ra", "p256", "/CN=RA", EKU_CMC_RA)
        # Its next certificate; the mock CA takes oldCertID for a name of what it is about to answer with.
        serial = "0x" + openssl("x509", "-in", self.ra.certificate, "-noout", "-serial").strip().removeprefix("serial=")
        self.next = self.pki.issue("next", "p256", "/CN=RA", EKU_CMC_RA, days=25, key=self.ra.key, serial=serial)
        self.signer = self.pki.issue("signer", "p256", "/CN=CMP CA", EKU_CMC_CA)
        self.device = self.pki.issue("device", "p256", SUBJECT)
        self.issued = self.pki.issue("issued", "p256", SUBJECT)
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
        self.environment = dict(os.environ, SOFTHSM2_CONF=str(folder / "softhsm2.conf"))
        (folder / "ra8.key").write_text(openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.ra.key))
        self.hsm("--init-token", "--free", "--label", "ra", "--pin", PIN, "--so-pin", "98989898")
        self.hsm("--import", folder / "ra8.key", "--token", "ra", "--label", "ra-key", "--id", "01", "--pin", PIN)
        # From here on the token has it, and nobody else.
        (folder / "ra8.key").unlink()
        self.ra.key.unlink()

    def hsm(self, *arguments):
        subprocess.run(["softhsm2-util", *map(str, arguments)], check=True, capture_output=True, timeout=60, env=self.environment)

    def config(self, ca="http://127.0.0.1:9/", pin=PIN, **values):
        pin_file = self.folder / f"pin-{pin}"
        pin_file.write_text(pin)
        pin_file.chmod(0o600)
        file = self.folder / "cmpgate.toml"
        file.write_text(CONFIG.format(**{"ca": ca, "root": self.pki.root, "certificate": self.ra.certificate, "token": "ra",
                                         "object": "ra-key", "module": MODULE, "pin": pin_file, "renew": "", **values}))
        return file

    def check(self, **values):
        done = subprocess.run([self.cmpgate, "check", "-c", self.config(**values)], capture_output=True, text=True, timeout=60,
                              check=False, env=self.environment)
        return done.returncode, done.stdout + done.stderr


def enrols(world):
    with MockCa(world.signer, world.pki.root, world.issued.certificate) as ca, \
            Program([world.cmpgate, "serve", "-c", world.config(ca.url)], world.environment) as gateway:
        url = gateway.wait_for(r"(http://127\.0\.0\.1:[1-9]\d*/\.well-known/cmp)\b")[1]
        gateway.wait_for(r'"event":"ready"')

        def enrol(number, subject=SUBJECT):
            return ClientRun(url, world.device, world.pki.root, "-cmd", "ir", "-newkey", world.issued.key, "-subject", subject,
                             "-certout", world.folder / f"out-{number}.pem")

        run = enrol(0)
        assert run.ok and "received PKICONF" in run.output, (run.output, gateway.output)
        # The mock CA serves one client at a time; those that the token signs for meanwhile wait for it, not for us.
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            refused = list(pool.map(lambda number: enrol(number, "/CN=somebody else"), range(1, 13)))
        # A client believes a refusal that the RA signed: it says which.
        assert all(run.fail_info == "badCertTemplate" for run in refused), [run.output for run in refused]
        assert gateway.output.count('"rule":"subject"') == 12, gateway.output
        assert '"treatment":"reprotect"' in gateway.output and PIN not in gateway.output, gateway.output
        assert enrol(13).ok, gateway.output
        assert gateway.stop() == 0, gateway.output
    return "2 enrolments, 12 signed refusals"


def renews(world):
    """A new certificate for the key that stays where it is."""
    with MockCa(world.signer, world.pki.root, world.next.certificate) as ca, \
            Program([world.cmpgate, "serve", "-c", world.config(ca.url, renew='renew = { before = "30d" }')],
                    world.environment) as gateway:
        gateway.wait_for(r'"event":"credential_renewed".*"key":"same"')
        gateway.wait_for(r'"event":"credential_in_use"')
        assert world.ra.certificate.read_text().strip() == world.next.certificate.read_text().strip()
        assert world.ra.certificate.with_name("ra-p256.pem.old").exists()
        assert not list(world.pki.folder.glob("*.new")) and PIN not in gateway.output, gateway.output
        assert gateway.stop() == 0, gateway.output
    status, said = world.check(renew='renew = { before = "30d" }')
    assert status == 0, said
    status, said = world.check(renew='renew = { key = "new" }')
    assert status == 1 and 'write key = "same"' in said, said
    return "a new certificate for the token's key"


def says_what_is_wrong(world):
    status, said = world.check()
    assert status == 0, said
    for values, wanted in (({"pin": "111111"}, "no such key in the token (or the PIN is wrong)"),
                           ({"object": "other-key"}, "no such key in the token"),
                           ({"token": "other"}, "no such key in the token"),
                           ({"module": "/nowhere/module.so"}, "there is no module /nowhere/module.so"),
                           ({"certificate": world.device.certificate}, "do not belong together")):
        status, said = world.check(**values)
        assert status == 1 and wanted in said, (values, status, said)
        assert PIN not in said and "111111" not in said.replace("pin-111111", ""), said
    return "5 faults"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    if not pathlib.Path(MODULE).exists() or not shutil.which("softhsm2-util"):
        print("SKIPPED: integration/token: there is no SoftHSM (Debian package softhsm2)")
        sys.exit(SKIPPED)
    for test in (enrols, renews, says_what_is_wrong):
        with tempfile.TemporaryDirectory(prefix="cmpgate-token-") as folder:
            print(f"{test.__name__} ok: {test(World(cmpgate, pathlib.Path(folder)))}", flush=True)


if __name__ == "__main__":
    main()
