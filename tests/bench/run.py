#!/usr/bin/env python3
"""The figures cmpgate is measured by, as ratios taken in one run: one row a figure, with what is to
be reached and what is aimed at. CPU is that of the process measured (/proc/PID/task/*/schedstat).

--quick only shows that each can be taken. A figure short of its reach does not fail the run.
"""

import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import figures  # noqa: E402
from setup import Setup  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="a Release build tree")
    parser.add_argument("--quick", action="store_true", help="few repeats: that it runs, not how fast")
    parser.add_argument("--store", choices=("memory", "sqlite"), default="memory", help="what the gateways keep")
    parser.add_argument("--remembered", type=int, default=0, metavar="N",
                        help="transactions each gateway holds against replay before it is measured")
    parser.add_argument("--only", action="append", help="figure; may be given several times")
    options = parser.parse_args()

    rows, failed = [], False
    with tempfile.TemporaryDirectory(prefix="cmpgate-bench-") as folder:
        setup = Setup(options.build.resolve(), pathlib.Path(folder), options.quick,
                      store=options.store, remembered=options.remembered)
        for name, figure in figures.FIGURES.items():
            if options.only and name not in options.only:
                continue
            print(f"figure {name} …", file=sys.stderr, flush=True)
            try:
                rows += figure(setup)
            except figures.Skipped as reason:
                print(f"SKIPPED: figure {name}: {reason}", flush=True)
            except Exception as fault:  # the others are taken all the same
                print(f"figure {name} could not be taken: {fault}", file=sys.stderr, flush=True)
                failed = True
    figures.print_table(rows)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
