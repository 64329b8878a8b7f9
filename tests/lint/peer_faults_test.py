#!/usr/bin/env python3
"""Each fault of tests/integration/peer_faults.tsv names tests, and they are there."""

import ast

from sources import ROOT, finish

TABLE = ROOT / "tests/integration/peer_faults.tsv"
FAULTS = 15  # those observed


def has(path, name):
    if not path.is_file():
        return False
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.walk(ast.parse(text)))
    return f'"{name}"' in text


def main():
    faults, seen = [], 0
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        seen += 1
        fault, _, tests = line.partition("\t")
        if not tests:
            faults.append(f"{TABLE.name}: no test for: {fault}")
        for test in filter(None, tests.split(" | ")):
            file, _, name = test.partition(": ")
            if not has(ROOT / file, name):
                faults.append(f"{TABLE.name}: {file} has no test {name!r}")
    if seen != FAULTS:
        faults.append(f"{TABLE.name}: {seen} faults, not {FAULTS}")
    finish("peer faults", faults)


if __name__ == "__main__":
    main()
