#!/usr/bin/env python3
"""Figures 9 and 9b: what a MAC costs against libcrypto's own, and what others notice of a client that sends the
highest iteration count there may be, as fast as it is answered.

--quick only shows that they can be taken. A figure short of its reach does not fail the run.
"""

import argparse
import http.client
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from figures import median_of, print_table, row  # noqa: E402
from setup import Setup  # noqa: E402

MAX_COUNT = 100_000
PROFILES = """\
[[profile]]
name = "macs"
match.label = "macs"
origin = { mac = "secrets" }
upstream = "secret-ca"
[[profile]]
name = "all"
origin = "opaque"
upstream = "ca"
[[upstream]]
name = "secret-ca"
url = "http://127.0.0.1:9/"
responder = { shared_secret = true }
"""


def against_libcrypto(program, quick):
    done = subprocess.run([program, "compare", *(["--quick"] if quick else [])], capture_output=True, text=True,
                          timeout=300, check=True)
    rows = []
    for line in done.stdout.splitlines():
        found = json.loads(line)
        rows.append(row("9", f"MAC verify + re-MAC / libcrypto, {found['iterations']} iterations", found["ratio"], 1.2, 0.7,
                        smaller=True, note=f"{found['ours_us']:.0f} us against {found['libcrypto_us']:.0f}"))
    return rows


class Attack:
    """Connections that send one message again and again, each when the last was answered."""

    def __init__(self, port, der, connections):
        self.port, self.der, self.stopping, self.answers = port, der, False, 0
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(connections)]

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while not self.stopping:
            connection.request("POST", "/.well-known/cmp/p/macs", self.der, {"Content-Type": "application/pkixcmp"})
            connection.getresponse().read()
            self.answers += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        time.sleep(0.5)
        return self

    def __exit__(self, *_):
        self.stopping = True
        for thread in self.threads:
            thread.join(40)


def maximal_counts(setup, program):
    """Others: two connections, each with its next message when the last was answered."""
    der = subprocess.run([program, "message", "--iterations", str(MAX_COUNT)], capture_output=True, timeout=60, check=True).stdout
    count, repeats = (200, 1) if setup.quick else (4000, 5)
    runs = {"alone": [], "attacked": []}
    answers = 0
    with setup.test_ca() as ca, setup.gateway(ca.port, PROFILES, workers=2, level="error") as gateway:
        setup.load(gateway.port, 2, count)
        for _ in range(repeats):
            runs["alone"].append(setup.load(gateway.port, 2, count))
            with Attack(gateway.port, der, 4) as attack:
                before, since = attack.answers, time.monotonic()
                runs["attacked"].append(setup.load(gateway.port, 2, count))
                answers += (attack.answers - before) / (time.monotonic() - since) / repeats
    alone, attacked = (median_of(runs[name], "p99_ms") for name in runs)
    return [row("9b", f"others' p99 under maximal counts ({MAX_COUNT}) / alone", attacked / alone, 2, 1.2, smaller=True,
                note=f"{attacked:.2f} ms against {alone:.2f}; {answers:.0f} derivations/s answered")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="a Release build tree")
    parser.add_argument("--quick", action="store_true", help="few repeats: that it runs, not how fast")
    options = parser.parse_args()
    program = options.build.resolve() / "tests/bench/cmpgate_bench_mac"
    with tempfile.TemporaryDirectory(prefix="cmpgate-bench-") as folder:
        setup = Setup(options.build.resolve(), pathlib.Path(folder), options.quick)
        rows = against_libcrypto(program, options.quick) + maximal_counts(setup, program)
    print_table(rows)


if __name__ == "__main__":
    main()
