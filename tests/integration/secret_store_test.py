#!/usr/bin/env python3
"""`cmpgate secret add/list/revoke` on a stopped gateway's store, and what `openssl cmp` gets for it: the secret is told
once, stands nowhere in the clear, is good for as many certificates as it says, and is gone when revoked."""

import argparse
import json
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))
from gateway import Gateway  # noqa: E402
from mac_test import Run  # noqa: E402
from peers import Pki, Program  # noqa: E402
from secret_test import CONFIG, Secrets  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    parser.add_argument("--labca", required=True, type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        store = folder / "store"
        store.mkdir(mode=0o700)
        config = folder / "cmpgate.toml"
        rest = f'store = {{ kind = "sqlite", path = "{store / "cmpgate.db"}" }}'
        text = CONFIG.format(ca="http://127.0.0.1:9/", rest=rest)
        config.write_text("version = 1\n" + text, encoding="utf-8")
        secrets = Secrets(arguments.cmpgate, config)

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
        for file in store.iterdir():
            octets = file.read_bytes()
            assert secret.encode() not in octets, f"{file.name} holds the secret in the clear (S-24)"
            assert file.stat().st_mode & 0o077 == 0, f"{file.name} is readable by others (S-24)"

        told = folder / "press-17.secret"
        told.write_text(secret, encoding="ascii")
        pki = Pki(folder / "pki")
        root = folder / "lab"
        root.mkdir()
        ca = Program([arguments.labca, "--port", "0", "--secret", f"press-17={told}", "--write", root])
        with ca:
            port = int(ca.wait_for(r"127\.0\.0\.1:(\d+)")[1])
            text = CONFIG.format(ca=f"http://127.0.0.1:{port}/.well-known/cmp", rest=rest)
            enrolment = ["-newkey", pki.key("device", "p256"), "-subject", "/CN=press-17/O=Example", "-trusted",
                         root / "root.pem"]
            with Gateway(arguments.cmpgate, folder, text) as gateway:
                Run(gateway, folder, *enrolment, secret=secret).expect(True)
                assert secrets.run("list", good=False)  # the store is the gateway's now
            listed = secrets.list()
            assert listed["press-17"]["state"] == "spent" and listed["press-17"]["used"] == 1, listed
            with Gateway(arguments.cmpgate, folder, text) as gateway:
                Run(gateway, folder, *enrolment, secret=secret).expect(False, "notAuthorized")
                assert gateway.records()[-1]["rule"] == "secret-uses", gateway.records()[-1]
            secrets.run("revoke", "press-17")
            assert "no secret" in secrets.run("revoke", "press-17", good=False)
            with Gateway(arguments.cmpgate, folder, text) as gateway:
                Run(gateway, folder, *enrolment, secret=secret).expect(False)
                assert gateway.records()[-1]["rule"] == "mac", gateway.records()[-1]
                assert secret not in gateway.output
    print("ok: secrets are added, told once, used up, listed and revoked")


if __name__ == "__main__":
    main()
