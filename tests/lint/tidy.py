#!/usr/bin/env python3
"""clang-tidy over every source of a build tree, several at a time.

What passed is remembered under $XDG_CACHE_HOME/cmpgate/tidy by the digest of its preprocessed
text, its command and .clang-tidy, so that a second run costs the preprocessing only.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import threading

from sources import ROOT

TIDY, COMPILER = "clang-tidy-19", "clang++-19"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, help="build tree with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
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


def main():
    options = arguments()
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
    cache = cache / "cmpgate" / "tidy"
    cache.mkdir(parents=True, exist_ok=True)
    settings = (ROOT / ".clang-tidy").read_bytes()

    entries = []
    for entry in json.loads((pathlib.Path(options.build) / "compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(ROOT) or "build" in path.relative_to(ROOT).parts[:1]:
            continue
        name = path.relative_to(ROOT).as_posix()
        if not options.only or name.startswith(tuple(options.only)):
            entries.append((name, entry))
    entries.sort(key=lambda pair: pair[0])

    done, lock, failed, remembered = [0], threading.Lock(), [], [0]

    def look_at(pair):
        name, entry = pair
        digest = digest_of(entry, settings)
        stamp = cache / digest if digest else None
        if stamp and stamp.exists() and not options.no_cache:
            stamp.touch()
            result = None
        else:
            result = subprocess.run([TIDY, "--quiet", "-p", options.build, entry["file"]],
                                    capture_output=True, text=True, cwd=ROOT, check=False)
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

    print(f"clang-tidy: {len(entries)} files, {len(failed)} with findings, {remembered[0]} as before")
    for name in sorted(failed):
        print(f"  {name}")
    sys.exit(1 if failed or not entries else 0)


if __name__ == "__main__":
    main()
