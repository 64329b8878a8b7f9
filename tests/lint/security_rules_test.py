#!/usr/bin/env python3
"""Which security rules (S-nn) are named by a test, and which are not yet."""

import re
import sys

from sources import ROOT, finish, sources

TABLE = ROOT / "tests/lint/security_rules.tsv"


def rules():
    """rule -> (what it holds, now | later)"""
    table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            rule, what, when = line.split("\t")
            table[rule] = (what, when)
    return table


def named():
    """rule -> files with a test of it: a doctest case or a Python test that begins with its name."""
    found = {}
    case = re.compile(r'TEST_CASE(?:_FIXTURE\([^"]*|_TEMPLATE(?:_DEFINE)?)?\(?\s*"([^"]*)"|def (test_[sS]_?\d\d\w*)|# test: (.*)')
    for path, text in sources(".h", ".cpp", ".py", ".sh"):
        if not path.startswith("tests/") or path.startswith("tests/lint/"):
            continue
        for match in case.finditer(text):
            title = "".join(filter(None, match.groups()))
            for number in re.findall(r"\bS-(\d\d)\b", title) + re.findall(r"^test_[sS]_?(\d\d)", title):
                found.setdefault(f"S-{number}", set()).add(path)
    return found


def summary(table, tests):
    """One line: how many of the rules that apply a test names."""
    now = [rule for rule, (_, when) in table.items() if when == "now"]
    open_ones = [rule for rule in now if rule not in tests]
    later = [rule for rule, (_, when) in table.items() if when == "later"]
    return (f"S-rules: {len(now) - len(open_ones)} of {len(now)} that apply are named by a test"
            + (f"; not {', '.join(open_ones)}" if open_ones else "")
            + (f" (not yet built: {', '.join(later)})" if later else ""))


def main():
    table, tests = rules(), named()
    if "--summary" in sys.argv[1:]:
        print(summary(table, tests))
        return
    faults = [f"{rule} is named by {sorted(files)[0]} but no rule of tests/lint/security_rules.tsv"
              for rule, files in sorted(tests.items()) if rule not in table]
    for rule, (what, when) in table.items():
        files = sorted(tests.get(rule, ()))
        print(f"{rule}  {when:5}  {', '.join(files) if files else '-'}")
        if when == "now" and not files:
            faults.append(f"{rule} applies and no test names it: {what}")
    print(summary(table, tests))
    finish("security rules", faults)


if __name__ == "__main__":
    main()
