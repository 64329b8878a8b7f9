#!/usr/bin/env python3
"""`cmpgate secret add/list/revoke` through a running gateway, and what `openssl cmp` gets for it: the secret is told
once, stands nowhere in the clear, is good for as many certificates as it says, and is gone when revoked."""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))
from gateway import Gateway  # noqa: E402
from mac_test import Run  # noqa: E402
from peers import Pki, Program  # noqa: E402

CONFIG = """
workers = 1
{rest}
[[listener]]
url = "http://127.0.0.1:0"
[[upstream]]
url = "{ca}"
responder = {{ shared_secret = true }}
[[profile]]
name = "bootstrap"
origin = {{ mac = "secrets" }}
rules = {{ key = ["ec:P-256"], subject = "CN=${{sender.CN}},O=Example" }}
"""


def secret_gauges(admin):
    """What /metrics says of secrets: {"state good": 3, "within 7d": 1, …}."""
    text = subprocess.run(["curl", "-sS", "--max-time", "10", "--unix-socket", admin, "http://admin/metrics"],
                          capture_output=True, text=True, timeout=30, check=True).stdout
    found = {f"{label} {value}": float(count) for label, value, count in
             re.findall(r'^cmpgate_secrets(?:_ending)?\{(state|within)="(\w+)"\} (\S+)$', text, re.MULTILINE)}
    first = re.search(r"^cmpgate_secrets_next_expiry_timestamp_seconds (\S+)$", text, re.MULTILINE)
    return {**found, "first": float(first[1]) if first else None}


class Secrets:
    """The command, on one configuration."""

    def __init__(self, cmpgate, config):
        self.cmpgate, self.config = cmpgate, config

    def run(self, *arguments, stdin="", good=True):
        done = subprocess.run([self.cmpgate, "secret", arguments[0], "-c", self.config, *arguments[1:]], input=stdin,
                              capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode == 0) == good, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout if good else done.stderr

    def add(self, *arguments, **options):
        return json.loads(self.run("add", "--json", *arguments, **options))

    def list(self):
        return {one["reference"]: one for one in json.loads(self.run("list", "--json"))}


# test: S-44 when secrets end is shown, in numbers: no reference of a device is in a label
def assert_ends_are_shown(admin, good, week):
    gauges = secret_gauges(admin)
    assert gauges["state good"] == good and gauges["state expired"] == gauges["state locked"] == 0, gauges
    assert gauges["within 1d"] == 0 and gauges["within 7d"] == gauges["within 30d"] == week, gauges
    assert (gauges["first"] is not None) == (week > 0), gauges
    assert not week or abs(gauges["first"] - time.time() - 7 * 86400) < 600, gauges


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        told = folder / "press-17.secret"
        told.write_text("made below", encoding="ascii")
        pki = Pki(folder / "pki")
        enrolment = ["-newkey", pki.key("device", "p256"), "-subject", "/CN=press-17/O=Example"]

        def config(port):
            return CONFIG.format(ca=f"http://127.0.0.1:{port}/.well-known/cmp",
                                 rest=f'store.kind = "memory"\nadmin.url = "unix:{folder / "admin.sock"}"')

        secrets = Secrets(arguments.cmpgate, folder / "cmpgate.toml")
        (folder / "cmpgate.toml").write_text("version = 1\n" + config(9), encoding="utf-8")
        assert "admin.sock" in secrets.run("list", good=False)  # nobody there

        # The CA learns the secret from the same operator: it is made first, by a gateway before another CA.
        with Gateway(arguments.cmpgate, folder, config(9)) as gateway:
            made = secrets.add("--reference", "press-17", "--profile", "bootstrap", "--expires", "7d")
            secret = made["secret"]
            assert len(secret) == 32 and made["generated"] and made["uses"] == 1, made
            assert len(secrets.add("--uses", "0")["reference"]) == 12
            own = secrets.add("--reference", "old-plc", "--secret-file", "-", stdin="from a label\n")
            assert own["reference"] == "old-plc" and not own["generated"] and "secret" not in own, own
            assert "bootstrap" in secrets.run("add", "--profile", "boostrap", good=False)
            assert "revoke it first" in secrets.run("add", "--reference", "press-17", good=False)
            assert "in the past" in secrets.run("add", "--expires", "2020-01-01", good=False)
            assert secrets.run("add", "--secret", "on-a-command-line", good=False)
            listed = secrets.list()
            assert listed["press-17"]["state"] == "good" and len(listed) == 3, listed
            assert secret not in secrets.run("list") and secret not in json.dumps(listed)
            assert "press-17" in secrets.run("list")
            assert_ends_are_shown(folder / "admin.sock", good=3, week=1)
            # Its CA does not answer: no octet left, the use comes back.
            Run(gateway, folder, *enrolment, secret=secret).expect(False, "systemUnavail")
            assert secrets.list()["press-17"]["state"] == "good", secrets.list()
            secrets.run("revoke", "press-17")
            assert_ends_are_shown(folder / "admin.sock", good=2, week=0)
            assert "no secret" in secrets.run("revoke", "press-17", good=False)
            Run(gateway, folder, *enrolment, secret=secret).expect(False)
            assert gateway.records()[-1]["rule"] == "mac", gateway.records()[-1]
            assert secret not in gateway.output

        told.write_text(secret, encoding="ascii")
        root = folder / "lab"
        root.mkdir()
        with Program([arguments.labca, "--port", "0", "--secret", f"press-17={told}", "--write", root]) as ca:
            port = int(ca.wait_for(r"127\.0\.0\.1:(\d+)")[1])
            with Gateway(arguments.cmpgate, folder, config(port)) as gateway:
                secrets.add("--reference", "press-17", "--secret-file", told)
                Run(gateway, folder, *enrolment, "-trusted", root / "root.pem", secret=secret).expect(True)
                listed = secrets.list()["press-17"]
                assert listed["state"] == "spent" and listed["used"] == 1, listed
                assert secret_gauges(folder / "admin.sock")["state spent"] == 1
                Run(gateway, folder, *enrolment, secret=secret).expect(False, "notAuthorized")
                assert gateway.records()[-1]["rule"] == "secret-uses", gateway.records()[-1]
                assert secret not in gateway.output
    print("ok: secrets are added, told once, used up, listed and revoked")


if __name__ == "__main__":
    main()
