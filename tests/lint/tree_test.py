#!/usr/bin/env python3
"""The shape of the tree: what lies at the top, how long files are, how headers begin."""

import re
import subprocess

from sources import ROOT, finish, sources

TOP = {"CMakeLists.txt", "README.md", "LICENSE", "ra", "transports", "policy", "metrics", "tests",
       "conf", "systemd"}
WARN_LINES, ERROR_LINES = 300, 450


def top_level():
    """What is tracked where the tree is a checkout, else what lies there."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return {name.split("/")[0] for name in listed.stdout.decode().split("\0") if name}
    return {path.name for path in ROOT.iterdir() if path.name != "build"}


def main():
    faults = [f"{name}: the top level is fixed" for name in sorted(top_level())
              if name not in TOP and not name.startswith(".")]
    warnings = []
    for path, text in sources():
        lines = text.count("\n")
        if lines > ERROR_LINES:
            faults.append(f"{path}: {lines} lines, more than {ERROR_LINES}")
        elif lines > WARN_LINES:
            warnings.append(f"{path}: {lines} lines, aim at fewer than {WARN_LINES}")
        if path.endswith(".h") and "#pragma once" not in text:
            faults.append(f"{path}: no #pragma once")
        for number, line in enumerate(text.splitlines(), 1):
            if "TODO" in line and "TODO(#" not in line:
                faults.append(f"{path}:{number}: a TODO names its issue: TODO(#n)")
            if "FIXME" in line or re.search(r"\bXXX\b", line):
                faults.append(f"{path}:{number}: say it as TODO(#n) or do it")
    finish("tree", faults, warnings)


if __name__ == "__main__":
    main()
