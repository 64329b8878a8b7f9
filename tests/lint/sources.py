"""The source files of the house and their text, shared by the lint tests (python3 stdlib only)."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("ra", "transports", "policy", "metrics", "tests")


def sources(*suffixes):
    """(path relative to the root, text) of each source file, sorted by path."""
    suffixes = suffixes or (".h", ".cpp")
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path.suffix in suffixes:
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


_TOKEN = re.compile(
    r'R"(?P<tag>[^(\s]*)\(.*?\)(?P=tag)"'  # raw string
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"  # character; not a digit separator
    r"|//[^\n]*|/\*.*?\*/",
    re.DOTALL,
)


def code_of(text):
    """`text` with comments and the content of literals blanked; lines keep their numbers."""
    return _TOKEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)


def finish(what, faults, warnings=()):
    """Prints the findings and ends the program: 1 if there is a fault."""
    for line in warnings:
        print(f"warning: {line}")
    for line in faults:
        print(f"error: {line}")
    print(f"{what}: {len(faults)} errors, {len(warnings)} warnings")
    sys.exit(1 if faults else 0)
