# shellcheck shell=bash
# The Debian packages cmpgate is built, run and tested with, in one place, and how they get here.
# Sourced by conf/demo.sh and tests/run.sh.

# To build the program, and the openssl command the demonstration enrols with.
CMPGATE_BUILD_PACKAGES=(
    clang-19 lld-19 cmake ninja-build ccache pkg-config
    libboost1.81-dev libssl-dev libnghttp2-dev libcli11-dev libspdlog-dev libtoml11-dev prometheus-cpp-dev
    libsqlite3-dev libsystemd-dev libcoap3-dev libmimetic-dev openssl
)

# What the tests need beyond that: the test framework, peers and tools.
CMPGATE_TEST_PACKAGES=(
    doctest-dev libclang-rt-19-dev llvm-19 clang-format-19 clang-tidy-19
    git python3 curl prometheus haproxy nghttp2-client nghttp2-server nghttp2-proxy libcoap3-bin
    softhsm2 libengine-pkcs11-openssl
)

# What makes the Debian 13 tree of tests/run.sh --debian13 (which has the packages tests/debian13_build.py names).
# shellcheck disable=SC2034  # used by tests/run.sh
CMPGATE_DEBIAN13_PACKAGES=(debootstrap util-linux)

# What the figures are taken against.
# shellcheck disable=SC2034  # used by tests/run.sh
CMPGATE_BENCH_PACKAGES=(haproxy)

# Installs whichever of the packages named are missing; says so first, and what to do without root.
# Quiet and quick (no apt-get at all) when nothing is missing.
cmpgate_install() {
    local missing=() package as_root=()
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed \
            || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    if ! command -v apt-get >/dev/null; then
        echo "These packages are missing, and there is no apt-get to install them: ${missing[*]}" >&2
        return 1
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "Installing needs root and there is no sudo. As root, run:" >&2
            echo "    apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
        echo "Installing needs root: apt-get runs by sudo, which may ask for your password."
    fi
    echo "Installing with apt-get: ${missing[*]}"
    "${as_root[@]}" apt-get update -q || return 1
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}" || return 1
}
