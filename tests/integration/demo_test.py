#!/usr/bin/env python3
"""conf/demo.sh enrols a device with a built cmpgate, leaves nothing behind, and says so when its
port is taken."""

import argparse
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(cmpgate, folder, *arguments):
    environment = dict(os.environ, CMPGATE=str(cmpgate), TMPDIR=folder)
    return subprocess.run([ROOT / "conf/demo.sh", *arguments], env=environment, text=True, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()

    with tempfile.TemporaryDirectory(prefix="cmpgate-demo-test-") as folder:
        done = run(cmpgate, folder, "--once", "--port", "0")
        print(done.stdout)
        assert done.returncode == 0, done.returncode
        for wanted in ("subject=", "issuer=", "notBefore=", "notAfter=", "sending CERTCONF", "received PKICONF"):
            assert wanted in done.stdout, f"no {wanted!r}"
        assert not os.listdir(folder), f"left behind: {os.listdir(folder)}"

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            done = run(cmpgate, folder, "--once", "--port", port)
        print(done.stdout)
        assert done.returncode != 0
        assert port in done.stdout and "taken" in done.stdout, "does not say which port is taken"
        assert not os.listdir(folder), f"left behind: {os.listdir(folder)}"
    print("demo: ok")


if __name__ == "__main__":
    sys.exit(main())
