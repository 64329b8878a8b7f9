#!/usr/bin/env python3
"""The unit and the socket, as systemd itself reads them: no fault, and little exposed."""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

UNITS = pathlib.Path(__file__).resolve().parents[2] / "systemd"
MOST_EXPOSED = 1.5  # of 10, systemd-analyze's own measure; "safe" ends at 2


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def verified(folder, cmpgate):
    """The files as they are, but that the program stands where the build has put it."""
    for name in ("cmpgate.service", "cmpgate.socket"):
        text = (UNITS / name).read_text().replace("/usr/bin/cmpgate", str(cmpgate))
        # An address of documentation is no page that systemd could look for here.
        (folder / name).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.M))
    code, said = analyze("verify", "--man=no", folder / "cmpgate.service", folder / "cmpgate.socket")
    ours = [line for line in said.splitlines() if "cmpgate" in line]
    assert code == 0 and not ours, said
    # A misspelt key is noticed: else this would prove nothing.
    text = (folder / "cmpgate.service").read_text()
    (folder / "cmpgate.service").write_text(text.replace("ProtectClock", "ProtectClok"))
    assert "ProtectClok" in analyze("verify", "--man=no", folder / "cmpgate.service")[1]


def hardened():
    code, said = analyze("security", "--offline=true", f"--threshold={int(MOST_EXPOSED * 10)}", UNITS / "cmpgate.service")
    found = re.search(r"exposure level for cmpgate\.service: (\S+)", said)
    assert found, said
    assert code == 0 and float(found[1]) <= MOST_EXPOSED, said
    print(f"  exposure {found[1]} of 10")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    if not shutil.which("systemd-analyze"):
        print("skipped: no systemd-analyze here")
        return 77
    with tempfile.TemporaryDirectory(prefix="cmpgate-systemd-test-") as folder:
        verified(pathlib.Path(folder), cmpgate)
    print("verified ok")
    hardened()
    print("hardened ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
