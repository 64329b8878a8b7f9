#!/usr/bin/env bash
# cmpgate in one command: installs what it needs (Debian 12), builds it, starts a gateway with a
# lab CA behind it on this machine, and enrols one device through it.
set -euo pipefail

usage() {
    cat <<'TXT'
conf/demo.sh [--once] [--port N]

  --once     end after the enrolment instead of serving until Ctrl-C
  --port N   the port to serve on (default 8080; 0: the system picks one)

Set CMPGATE to a built cmpgate to use that one instead of building.
Nothing is left behind but the build tree build/demo.
TXT
}

once=0 port=8080
while (($#)); do
    case $1 in
        --once) once=1 ;;
        --port)
            [[ ${2-} =~ ^[0-9]+$ ]] && (($2 < 65536)) || { echo "conf/demo.sh: --port needs a number up to 65535" >&2; exit 2; }
            port=$2
            shift
            ;;
        --help | -h) usage; exit 0 ;;
        *) echo "conf/demo.sh: unknown option '$1' (--help lists them)" >&2; exit 2 ;;
    esac
    shift
done

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

cmpgate=${CMPGATE-}
if [[ -z $cmpgate ]]; then
    # shellcheck source=packages.sh
    source conf/packages.sh
    cmpgate_install "${CMPGATE_BUILD_PACKAGES[@]}"
    mkdir -p build
    export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
    if [[ ! -f build/demo/build.ninja ]]; then
        echo "Configuring"
        CC=clang-19 CXX=clang++-19 cmake -S . -B build/demo -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMPGATE_TESTS=OFF \
            >build/demo.configure.log 2>&1 || { cat build/demo.configure.log; exit 1; }
    fi
    echo "Building (a few minutes the first time)"
    NINJA_STATUS='[%f/%t, %e s] ' cmake --build build/demo --target cmpgate
    cmpgate=$root/build/demo/ra/app/cmpgate
fi

work=$(mktemp -d)
gateway=
finish() {
    [[ -n $gateway ]] && kill "$gateway" 2>/dev/null && wait "$gateway" 2>/dev/null
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

# What the gateway says is shown as it comes and read line by line up to its ready line.
mkfifo "$work/said"
"$cmpgate" demo --port "$port" >"$work/said" 2>&1 &
gateway=$!
exec 3<"$work/said"

enrol=
while IFS= read -r line <&3; do
    printf '%s\n' "$line"
    if [[ $line =~ ^[[:space:]]*(openssl cmp .*-cmd ir.*) && -z $enrol ]]; then enrol=${BASH_REMATCH[1]}; fi
    [[ $line == ready* ]] && break
done
if [[ -z $enrol ]]; then
    status=0
    wait "$gateway" || status=$?
    gateway=
    echo "conf/demo.sh: the gateway did not start; what it said stands above" >&2
    echo "If its port is taken, choose another: conf/demo.sh --port N (0: the system picks one)" >&2
    exit "$((status ? status : 1))"
fi
cat <&3 &

printf '\nA device enrols: ir with its factory certificate, then certConf\n\n  %s\n\n' "$enrol"
cd "$work"
bash -c "$enrol" || { echo "conf/demo.sh: the enrolment failed" >&2; exit 1; }
certificate=$(find . -maxdepth 1 -name '*.pem' -newer said | head -n 1)
printf '\nThe device has a certificate of the lab CA, checked and passed on by the gateway:\n\n'
openssl x509 -in "$certificate" -noout -subject -issuer -dates
((once)) && exit 0
printf '\nThe gateway serves on; Ctrl-C ends it and removes what it wrote. The other commands above can be\n'
printf 'tried in another terminal, from the folder with the new certificate:\n\n  cd %s\n\n' "$work"
wait "$gateway"
