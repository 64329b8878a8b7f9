#!/usr/bin/env python3
"""clang-tidy over every source of a build tree, several at a time.

What passed is remembered under $XDG_CACHE_HOME/cmpgate/tidy by the digest of its preprocessed
text, its command and .clang-tidy, so that a second run costs the preprocessing only.

With --budget it looks at what was changed last first and stops when the time is over: what it found
until then fails, what it did not come to does not. A header stands for the first source that
includes it.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import re
import subprocess
import sys
import threading
import time

from sources import ROOT

TIDY, COMPILER = "clang-tidy-19", "clang++-19"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build tree with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--budget", type=float, help="seconds; the last changed first, the rest if time is left")
    parser.add_argument("--no-cache", action="store_true", help="look at everything again")
    parser.add_argument("only", nargs="*", help="paths that begin so (default: all)")
    return parser.parse_args()


def digest_of(entry, settings):
    """What decides clang-tidy's verdict, or None where the file does not preprocess."""
    command = [word for word in shlex.split(entry["command"]) if not word.endswith("ccache")]
    output = command.index("-o")
    command[output:output + 2] = []
    command[command.index("-c")] = "-E"
    # -C keeps the comments: a NOLINT is part of the verdict. -P drops line marks (and paths).
    text = subprocess.run(command + ["-C", "-P"], cwd=entry["directory"], capture_output=True, check=False)
    if text.returncode:
        return None
    flags = [word for word in command[1:] if not word.startswith(("-I", "-ffile-prefix-map", "/"))]
    return hashlib.sha256(settings + "\0".join(flags).encode() + text.stdout).hexdigest()


def last_changed_first(names):
    """`names` by the commit that changed them last, those of no commit (new ones) first."""
    log = subprocess.run(["git", "log", "--format=", "--name-only"], cwd=ROOT, capture_output=True, text=True,
                         check=False).stdout.split("\n")
    dirty = subprocess.run(["git", "status", "--porcelain", "--no-renames"], cwd=ROOT, capture_output=True,
                           text=True, check=False).stdout.split("\n")
    rank = {}
    for path in [line[3:] for line in dirty] + log:
        rank.setdefault(path, len(rank))
    # A changed header is seen by whoever includes it; its own source if there is one.
    for path in [path for path in rank if path.endswith(".h") and (ROOT / path).exists()]:
        line = re.compile(r'#include "' + re.escape(path) + '"')
        own = path.removesuffix(".h") + ".cpp"
        for name in ([own] if own in names else []) + names:
            if line.search((ROOT / name).read_text(encoding="utf-8")):
                rank[name] = min(rank.get(name, rank[path]), rank[path])
                break
    return sorted(names, key=lambda name: (rank.get(name, -1), name))


def main():
    options = arguments()
    over = time.monotonic() + options.budget if options.budget else None
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    cache = cache / "cmpgate" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    settings = (ROOT / ".clang-tidy").read_bytes()

    by_name = {}  # a file that is compiled several times (fuzz_body.cpp, once a body) is looked at once
    for entry in json.loads((pathlib.Path(options.build) / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(ROOT) or "build" in path.relative_to(ROOT).parts[:1]:
            continue
        name = path.relative_to(ROOT).as_posix()
        if not options.only or name.startswith(tuple(options.only)):
            by_name.setdefault(name, entry)
    entries = [(name, by_name[name]) for name in (last_changed_first(list(by_name)) if over else sorted(by_name))]

    done, lock, failed, remembered, left_out = [0], threading.Lock(), [], [0], []

    def tidy(entry):
        """The finished run, or None where time ran out before it ended."""
        try:
            left = max(0.1, over - time.monotonic()) if over else None
            return subprocess.run([TIDY, "--quiet", "-p", options.build, entry["file"]], capture_output=True,
                                  text=True, cwd=ROOT, check=False, timeout=left)
        except subprocess.TimeoutExpired:
            return None

    def look_at(pair):
        name, entry = pair
        if over and time.monotonic() > over:
            left_out.append(name)
            return
        digest = digest_of(entry, settings)
        stamp = cache / digest if digest else None
        if stamp and stamp.exists() and not options.no_cache:
            stamp.touch()
            result = None
        else:
            result = tidy(entry)
            if result is None:
                left_out.append(name)
                return
            if result.returncode == 0 and stamp:
                stamp.touch()
        with lock:
            done[0] += 1
            if result is None:
                remembered[0] += 1
            elif result.returncode:
                failed.append(name)
                print(result.stdout.replace(f"{ROOT}/", ""), end="", flush=True)
                if "error:" not in result.stdout:
                    print(result.stderr, end="")
            print(f"[{done[0]}/{len(entries)}] {name}"
                  f"{' (as before)' if result is None else ' FAILED' if result.returncode else ''}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(look_at, entries))

    print(f"clang-tidy: {done[0]} files of {len(entries)}, {len(failed)} with findings, {remembered[0]} as before")
    if left_out:
        print(f"time is over: {len(left_out)} files, changed longest ago, were not looked at")
    for name in sorted(failed):
        print(f"  {name}")
    sys.exit(1 if failed or not entries else 0)


if __name__ == "__main__":
    main()
