#!/usr/bin/env python3
"""Every rule a message can be refused by stands in policy/README.md: operators grep for its name."""

import re

from sources import ROOT, finish, sources

FAMILIES = ("issued", "responder", "answer", "renewal")  # written as `family-…`, with what follows in the same row
RULE = re.compile(r'(?:Refuse\{|\brefuse\(|\bwrong\(|\bmalformed\(|\bfault\(|UpstreamFault\{|kRule = )\s*"([a-z0-9-]+)"')


def main():
    readme = (ROOT / "policy/README.md").read_text(encoding="utf-8")
    faults = []
    for path, text in sources(".cpp"):
        # Patterns and values have faults of their own: of the configuration, not of a message.
        if not path.startswith(("policy/", "ra/gateway/")) or path.startswith("policy/pattern"):
            continue
        for rule in sorted(set(RULE.findall(text))):
            family, _, rest = rule.partition("-")
            row = next((line for line in readme.splitlines() if line.startswith(f"| `{family}-…`")), "")
            listed = f"`-{rest}`" in row if family in FAMILIES else f"| `{rule}` |" in readme
            if not listed:
                faults.append(f"{path}: rule {rule} is not in policy/README.md")
    finish("refusals", faults)


if __name__ == "__main__":
    main()
