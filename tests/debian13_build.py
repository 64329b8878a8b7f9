#!/usr/bin/env python3
"""Builds cmpgate in a Debian 13 tree, by its clang and its libraries (OpenSSL 3.5, Boost 1.83), and runs the tests of
what differs there: the unit tests of ra/crypto and ra/cmp, and a gateway whose key stays in a PKCS #11 token, which
OpenSSL reaches by a provider (by an engine on Debian 12).

debootstrap makes the tree from the mirror apt is configured with; it and what was compiled are kept in the user's
cache. Mounts are made in a namespace of their own and end with it. Exit status 77, with a reason, where that cannot
be had. Run by tests/run.sh --debian13.
"""

import argparse
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))
from debian13 import Skip, cache, tree  # noqa: E402

SKIPPED = 77
BOOTSTRAP_SECONDS = 480
# What building wants (conf/packages.sh), by the names of Debian 13; and what is run there.
RENAMED = {"libboost1.81-dev": "libboost1.83-dev"}
MORE = "doctest-dev libclang-rt-19-dev git python3 softhsm2 pkcs11-provider".split()
TARGETS = ["cmpgate", "cmpgate_labca_server", "test_ra_crypto", "test_ra_cmp"]
# In the tree: the sources, read only; what is built; the compiler's cache.
MOUNT = """\
set -e
mount --bind {source} {tree}/source
mount -o remount,bind,ro {tree}/source
mount --bind {build} {tree}/build
mount --bind {ccache} {tree}/ccache
mount --rbind /dev {tree}/dev
mount -t proc proc {tree}/proc
mount -t tmpfs tmpfs {tree}/tmp
exec chroot {tree} /usr/bin/env -i PATH=/usr/sbin:/usr/bin HOME=/tmp LANG=C.UTF-8 CC=clang-19 CXX=clang++-19 \\
    CCACHE_DIR=/ccache CCACHE_BASEDIR=/source CCACHE_NOHASHDIR=1 CCACHE_MAXSIZE=1G SOURCE_DATE_EPOCH={epoch} \\
    sh -c "$0"
"""


def packages():
    said = subprocess.run(["bash", "-c", 'source conf/packages.sh && echo "${CMPGATE_BUILD_PACKAGES[@]}"'], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout
    return [RENAMED.get(name, name) for name in said.split()] + MORE


def mounted(system, build, command, check=True, seconds=None):
    """Runs a shell command in the tree; its exit status. Raises Skip where nothing can be mounted, and
    subprocess.TimeoutExpired."""
    ccache = cache() / "debian13-ccache"
    for folder in (ccache, build, *(system / name for name in ("source", "build", "ccache"))):
        folder.mkdir(parents=True, exist_ok=True)
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"]
    probe = subprocess.run([*own, "mount", "-t", "tmpfs", "tmpfs", str(system / "tmp")], capture_output=True, text=True,
                           check=False, stdin=subprocess.DEVNULL)
    if probe.returncode:
        raise Skip(f"nothing can be mounted: {(probe.stderr.strip().splitlines() or ['unshare says nothing'])[-1]}")
    epoch = subprocess.run(["git", "-C", str(ROOT), "log", "-1", "--format=%ct"], capture_output=True, text=True,
                           check=False).stdout.strip()
    script = MOUNT.format(source=shlex.quote(str(ROOT)), tree=shlex.quote(str(system)), build=shlex.quote(str(build)),
                          ccache=shlex.quote(str(ccache)), epoch=epoch)
    # Killed with its parent: all that runs in its process namespace.
    status = subprocess.call([*own, "sh", "-c", script, command], stdin=subprocess.DEVNULL, timeout=seconds)
    if check and status:
        raise RuntimeError(f"status {status} of: {command}")
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", required=True, type=pathlib.Path, help="the build tree")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--minutes", type=int, help="skipped, if it is not built by then: what was compiled is kept for the next time")
    parser.add_argument("--shell", help="runs this in the tree, instead")
    arguments = parser.parse_args()
    build, failed, start = arguments.build.resolve(), 0, time.monotonic()
    try:
        if os.geteuid() != 0:
            raise Skip("debootstrap and chroot need root")
        system = tree(packages(), BOOTSTRAP_SECONDS)
        if arguments.shell:
            sys.exit(mounted(system, build, arguments.shell, check=False))
        # What is tested is behaviour; -O1 compiles in two thirds of the time.
        steps = [
            ("configure", "cmake -S /source -B /build -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE='-O1 -DNDEBUG' >/build/configure.log "
                          "|| { cat /build/configure.log; exit 1; }"),
            ("build", f"cmake --build /build -j {arguments.jobs} --target {' '.join(TARGETS)}"),
            ("versions", "/build/ra/app/cmpgate version --json"),
            ("ra/crypto", "/build/tests/test_ra_crypto --no-version --no-intro"),
            ("ra/cmp", "/build/tests/test_ra_cmp --no-version --no-intro"),
            # The engine is not there: what works, works by the provider.
            ("provider", "test -e /usr/lib/*-linux-gnu/ossl-modules/pkcs11.so && ! ls /usr/lib/*-linux-gnu/engines-3/pkcs11.so 2>/dev/null"),
            ("integration/token", "python3 /source/tests/integration/token_test.py --cmpgate /build/ra/app/cmpgate"),
            # Its openssl cmp can name a certProfile.
            ("integration/examples", "python3 /source/tests/integration/examples_test.py --cmpgate /build/ra/app/cmpgate "
                                     "--labca /build/tests/support/cmpgate_labca_server"),
        ]
        for name, command in steps:
            began = time.monotonic()
            left = arguments.minutes * 60 - (began - start) if arguments.minutes else None
            try:
                status = mounted(system, build, command, check=name in ("configure", "build"), seconds=left)
            except subprocess.TimeoutExpired:
                raise Skip(f"{name}: not done after {arguments.minutes} minutes; what was compiled is kept for the next time") from None
            failed += status != 0
            print(f"{'ok   ' if status == 0 else 'WRONG'} Debian 13: {name} [{time.monotonic() - began:.0f} s]", flush=True)
    except Skip as skip:
        print(f"SKIPPED: Debian 13: {skip}")
        sys.exit(SKIPPED)
    except RuntimeError as fault:
        print(f"WRONG Debian 13: {fault}")
        failed += 1
    print(f"Debian 13: {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
