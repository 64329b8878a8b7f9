"""Debian 13 on a machine that runs something else: trees that debootstrap makes from the mirror apt is configured
with, kept in the user's cache and named by what is in them (python3 stdlib only)."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

SUITE, VARIANT = "trixie", "minbase"


class Skip(Exception):
    """What this needs is not here."""


def cache():
    """Where trees are kept."""
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "cmpgate"


def mirror():
    """The first mirror of Debian's main archive that apt is configured with."""
    texts = [path.read_text(encoding="utf-8", errors="replace")
             for path in [pathlib.Path("/etc/apt/sources.list"), *sorted(pathlib.Path("/etc/apt/sources.list.d").glob("*"))]
             if path.is_file()]
    for text in texts:
        for found in re.finditer(r"^\s*(?:URIs:|deb\s+(?:\[[^]]*\]\s+)?)\s*(https?://\S+/debian)/?(?:\s|$)", text, re.MULTILINE):
            return found[1]
    raise Skip("apt is configured with no Debian mirror")


def path(packages, unpacked_only=False):
    """Where the tree with these packages is kept, once it is made."""
    kind = "debian13" if unpacked_only else "debian13-system"
    return cache() / f"{kind}-{hashlib.sha256(chr(10).join([SUITE, VARIANT, *packages]).encode()).hexdigest()[:16]}"


def tree(packages, seconds, unpacked_only=False):
    """The tree with these packages, made if it is not in the cache. `unpacked_only`: nothing in it is run or set up,
    and of `packages` their files alone are there. Raises Skip."""
    kept = path(packages, unpacked_only)
    if kept.exists():
        return kept
    if not shutil.which("debootstrap"):
        raise Skip("there is no debootstrap")
    if os.geteuid() != 0:
        raise Skip("debootstrap needs root")
    cache().mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(dir=cache(), prefix="making-"))
    fresh.chmod(0o755)  # others than root live in it, as apt's own user
    command = ["debootstrap", *(["--foreign"] if unpacked_only else []), f"--variant={VARIANT}",
               f"--include={','.join(packages)}", SUITE, str(fresh), mirror()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds,
                              check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            said = (done.stdout + done.stderr).strip().splitlines() or ["it says nothing"]
            raise Skip(f"debootstrap: {said[-1]}")
        archives = sorted((fresh / "var/cache/apt/archives").glob("*.deb"))
        if unpacked_only:
            for package in archives:
                if package.name.split("_")[0] in packages or package.name.startswith("libssl"):
                    subprocess.run(["dpkg-deb", "-x", str(package), str(fresh)], check=True, timeout=60)
        for package in archives:
            package.unlink()
        fresh.rename(kept)
    except subprocess.TimeoutExpired:
        raise Skip(f"debootstrap: no end after {seconds} s") from None
    finally:
        if fresh.exists():
            shutil.rmtree(fresh, ignore_errors=True)
    return kept
