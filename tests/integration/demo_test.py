#!/usr/bin/env python3
"""conf/demo.sh enrols a device with a built cmpgate, leaves nothing behind, and says so when its
port is taken. Every command that `cmpgate demo` prints does what is said above it."""

import argparse
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
from peers import Program  # noqa: E402


def run(cmpgate, folder, *arguments):
    environment = dict(os.environ, CMPGATE=str(cmpgate), TMPDIR=folder)
    return subprocess.run([ROOT / "conf/demo.sh", *arguments], env=environment, text=True, timeout=60, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


LIFE_CYCLE = 8  # commands before those of the other doors


def table():
    """README.md's table of transports: what each row's command is."""
    rows = re.findall(r"^\| ([^|\n]+?) \|(?:[^|\n]*\|)+? `(\$DEMO[^`]*|openssl[^`]*)` \|$",
                      (ROOT / "README.md").read_text(encoding="utf-8").replace("\\|", "\0"), re.MULTILINE)
    return {title: command.replace("\0", "|") for title, command in rows}


def printed_commands(cmpgate, folder):
    """What a reader of the demonstration tries next, in the order it stands there."""
    environment = dict(os.environ, PATH=f"{cmpgate.parent}:{os.environ['PATH']}", TMPDIR=folder)
    with Program([cmpgate, "demo", "--port", "0"], environment) as demo:
        demo.wait_for(r"^ready on ")
        lines = demo.output.splitlines()
        tried = [(lines[at - 1], line.strip()) for at, line in enumerate(lines)
                 if re.match(r"  (openssl|cmpgate|\S+/message) ", line)]
        assert len(tried) >= 19, demo.output
        files = re.search(r"^  files +(\S+)/ ", demo.output, re.MULTILINE)[1]
        doors = {title: re.sub(r"((?:localhost|127\.0\.0\.1)[:/])\d+", r"\1PORT", command.replace(files, "$DEMO"))
                 for title, command in tried[LIFE_CYCLE:]}
        assert doors == table(), f"README.md has another table of transports than the demonstration:\n{doors}"
        for title, command in tried:
            done = subprocess.run(["bash", "-c", command], env=environment, cwd=folder, text=True, timeout=30, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
            refused = re.search(r'refused by rule "([^"]+)"', title)
            assert (done.returncode != 0) == bool(refused), f"{title}\n{command}\n{done.stdout}"
            if refused:
                demo.wait_for(f"rule={refused[1]} ")
        assert demo.stop() == 0
    return len(tried)


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
    with tempfile.TemporaryDirectory(prefix="cmpgate-demo-test-") as folder:
        print(f"demo: ok, {printed_commands(cmpgate, folder)} commands printed")


if __name__ == "__main__":
    sys.exit(main())
