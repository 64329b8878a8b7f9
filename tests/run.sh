#!/usr/bin/env bash
# Builds cmpgate and runs its tests; on a bare Debian 12 it first installs what is missing.
set -euo pipefail

usage() {
    cat <<'TXT'
tests/run.sh [MODE …] [OPTION …]

Installs what is missing (apt-get, as root or by sudo), configures, builds, runs the tests.

Modes (several are run one after the other; none means --dev):
  --dev             RelWithDebInfo, all tests
  --release         Release, all tests
  --asan            AddressSanitizer and UndefinedBehaviorSanitizer, all tests
  --tsan            ThreadSanitizer, the tests labelled tsan
  --format          clang-format on all sources: shows what would change
  --tidy            clang-tidy on all sources (what has not changed since it passed is skipped)
  --tidy=MINUTES    the same, what was changed last first, until the time is over
  --fuzz MINUTES    each fuzz target in turn, MINUTES in total
  --bench           the figures the project is measured by (Release); --bench=quick for a smoke test
  --debian13        in a Debian 13 tree that debootstrap makes: the program, the tests of ra/crypto and
                    ra/cmp, a key in a PKCS #11 token, the examples; skipped where that cannot be had.
                    --debian13=MINUTES: skipped, too, if it is not built by then (the next time goes on)
  --crash N         the program killed N times under load (200 times among the tests)
  --sim-seed N      one seed of the simulator alone, with its trace

Options:
  --label L         only tests with this label (regular expression); see --list
  --test T          only tests whose name matches (regular expression)
  --list            list the tests and their labels instead of running them
  --dry-run         say what would be run, and do nothing
  --keep-going      go on after a failure: build what can be built, run the remaining modes
  --no-install      use what is installed
  --jobs N          processes at a time (default: one a core)
  --help            this text

Each mode has its build tree under build/. ccache is used where it is there. The last lines tell
what was skipped, and why, and the sum of all modes. Exit status 0 only if nothing failed.
TXT
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source_dir=$PWD
# shellcheck source=../conf/packages.sh
source conf/packages.sh

modes=() label='' name='' keep_going=0 install=1 list=0 dry_run=0
jobs=$(nproc) fuzz_minutes=0 sim_seed='' kills=200 bench_arguments=() tidy_arguments=() debian13_arguments=()
need() { [[ -n ${2-} ]] || { echo "tests/run.sh: $1 needs a value" >&2; exit 2; }; }
number() { [[ $2 =~ ^[0-9]+$ ]] || { echo "tests/run.sh: $1 needs a number, not '$2'" >&2; exit 2; }; }
while (($#)); do
    case $1 in
        --dev | --release | --asan | --tsan | --format | --tidy | --bench | --debian13) modes+=("${1#--}") ;;
        --tidy=*) number --tidy "${1#--tidy=}"; modes+=(tidy); tidy_arguments=(--budget $((60 * ${1#--tidy=}))) ;;
        --debian13=*) number --debian13 "${1#--debian13=}"; modes+=(debian13); debian13_arguments=(--minutes "${1#--debian13=}") ;;
        --bench=quick) modes+=(bench); bench_arguments=(--quick) ;;
        --fuzz) need "$@"; number "$@"; modes+=(fuzz); fuzz_minutes=$2; shift ;;
        --crash) need "$@"; number "$@"; modes+=(crash); kills=$2; shift ;;
        --sim-seed) need "$@"; number "$@"; modes+=(sim); sim_seed=$2; shift ;;
        --label) need "$@"; label=$2; shift ;;
        --test) need "$@"; name=$2; shift ;;
        --jobs) need "$@"; number "$@"; jobs=$2; shift ;;
        --list) list=1 ;;
        --dry-run) dry_run=1 ;;
        --keep-going) keep_going=1 ;;
        --no-install) install=0 ;;
        --help | -h) usage; exit 0 ;;
        *) echo "tests/run.sh: unknown option '$1' (--help lists them)" >&2; exit 2 ;;
    esac
    shift
done
((${#modes[@]})) || modes=(dev)
if ((dry_run)); then
    echo "modes: ${modes[*]}${name:+; tests: $name}${label:+; label: $label}${sim_seed:+; seed: $sim_seed}"
    exit 0
fi

if ((install)); then
    packages=("${CMPGATE_BUILD_PACKAGES[@]}" "${CMPGATE_TEST_PACKAGES[@]}")
    [[ " ${modes[*]} " == *" debian13 "* ]] && packages+=("${CMPGATE_DEBIAN13_PACKAGES[@]}")
    [[ " ${modes[*]} " == *" bench "* ]] && packages+=("${CMPGATE_BENCH_PACKAGES[@]}")
    cmpgate_install "${packages[@]}"
fi

# A clean clone elsewhere finds what an earlier one compiled.
export CCACHE_BASEDIR=$source_dir CCACHE_NOHASHDIR=1
export ASAN_OPTIONS=${ASAN_OPTIONS-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1:halt_on_error=1}
export TSAN_OPTIONS=${TSAN_OPTIONS-halt_on_error=1:second_deadlock_stack=1}
symbolizer=$(command -v llvm-symbolizer-19 || true)
if [[ -n $symbolizer ]]; then
    export ASAN_SYMBOLIZER_PATH=$symbolizer TSAN_SYMBOLIZER_PATH=$symbolizer
fi

passed=0 failed=0 skipped=0 skip_reasons=()
count() { passed=$((passed + $1)); failed=$((failed + $2)); skipped=$((skipped + $3)); }

say() { printf '\n== %s\n' "$*"; }

configure() { # tree, cmake arguments
    local tree=$1
    shift
    say "$tree: configure"
    CC=clang-19 CXX=clang++-19 cmake -S . -B "build/$tree" -G Ninja "$@" >"build/$tree.configure.log" 2>&1 || {
        cat "build/$tree.configure.log"
        return 1
    }
}

compile() { # tree, targets
    local tree=$1
    shift
    ((list)) && return
    say "$tree: build"
    local flags=(-j "$jobs")
    ((keep_going)) && flags+=(-- -k 0)
    cmake --build "build/$tree" ${1:+--target "$@"} "${flags[@]}" && return
    # What did get built can still be tested.
    count 0 1 0
    build_failed=1
    ((keep_going))
}

run_ctest() { # tree, ctest arguments
    local tree=$1 status=0
    shift
    local log="$source_dir/build/$tree/Testing/Temporary/LastTest.log" junit="build/$tree/junit.xml"
    local flags=(--test-dir "build/$tree" --no-tests=error "$@")
    [[ -n $label ]] && flags+=(-L "$label")
    [[ -n $name ]] && flags+=(-R "$name")
    if ((list)); then
        ctest "${flags[@]}" -N --verbose | grep -E '^ *Test +#|^Labels:' || true
        return
    fi
    say "$tree: tests"
    # On a machine that others use, a test with real peers may run out of time once. It is tried again, and said.
    [[ -n ${CI-} ]] && flags+=(--repeat until-pass:2)
    rm -f "$junit" "$log"
    ctest "${flags[@]}" -j "$jobs" --output-on-failure --output-junit "$source_dir/$junit" || status=$?
    if [[ -s $junit ]]; then
        # shellcheck disable=SC2046
        count $(python3 - "$junit" <<'PY'
import sys, xml.etree.ElementTree as tree
suite = tree.parse(sys.argv[1]).getroot()
total, failed = int(suite.get("tests")), int(suite.get("failures"))
skipped = int(suite.get("skipped")) + int(suite.get("disabled"))
print(total - failed - skipped, failed, skipped)
PY
        )
    else
        count 0 1 0
        status=1
    fi
    local reason
    while IFS= read -r reason; do
        skip_reasons+=("$tree: ${reason#SKIPPED: }")
    done < <(grep -haE '^SKIPPED: ' "$log" 2>/dev/null | sort -u || true)
    return "$status"
}

sanitized=(-DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1")

mode_dev() {
    configure dev -DCMAKE_BUILD_TYPE=RelWithDebInfo && compile dev && run_ctest dev
}
mode_release() {
    configure release -DCMAKE_BUILD_TYPE=Release && compile release && run_ctest release
}
mode_asan() {
    # Lint and figures say the same in every build.
    configure asan "${sanitized[@]}" -DCMPGATE_SANITIZE=address,undefined && compile asan \
        && run_ctest asan -LE '^(lint|bench)$'
}
mode_tsan() {
    configure tsan "${sanitized[@]}" -DCMPGATE_SANITIZE=thread && compile tsan tsan_tests \
        && label=${label:-tsan} run_ctest tsan -LE '^(lint|bench)$'
}
mode_debian13() {
    local log="build/debian13.log" status=0
    ((list)) && return
    say "debian13: build and tests"
    python3 tests/debian13_build.py --build build/debian13 --jobs "$jobs" "${debian13_arguments[@]}" 2>&1 | tee "$log" || status=$?
    if ((status == 77)); then
        skip_reasons+=("$(sed -n 's/^SKIPPED: //p' "$log" | tail -1)")
        count 0 0 1
        return 0
    fi
    count "$(grep -c '^ok ' "$log")" "$(grep -c '^WRONG' "$log")" 0
    return "$status"
}
mode_sim() {
    configure dev -DCMAKE_BUILD_TYPE=RelWithDebInfo && compile dev test_sim \
        && CMPGATE_SIM_SEED=$sim_seed label=sim run_ctest dev --verbose
}
mode_crash() {
    configure release -DCMAKE_BUILD_TYPE=Release && compile release cmpgate || return
    say "release: $kills kills"
    if python3 tests/integration/crash_test.py --cmpgate build/release/ra/app/cmpgate --kills "$kills"; then
        count 1 0 0
    else
        count 0 1 0
        return 1
    fi
}
mode_bench() {
    configure release -DCMAKE_BUILD_TYPE=Release && compile release || return
    say "release: figures"
    if python3 tests/bench/run.py --build build/release "${bench_arguments[@]}"; then count 1 0 0; else count 0 1 0; return 1; fi
}
mode_format() {
    say "clang-format"
    mapfile -t files < <(find ra transports policy metrics tests -name '*.h' -o -name '*.cpp' | sort)
    if clang-format-19 --dry-run -Werror "${files[@]}"; then
        echo "${#files[@]} files are laid out as .clang-format says"
        count 1 0 0
    else
        echo "clang-format-19 -i on the files above puts this right"
        count 0 1 0
        return 1
    fi
}
mode_tidy() {
    configure dev -DCMAKE_BUILD_TYPE=RelWithDebInfo && cmake --build build/dev --target cmpgate_commit || return
    say "clang-tidy"
    if python3 tests/lint/tidy.py --build build/dev --jobs "$jobs" "${tidy_arguments[@]}"; then count 1 0 0; else count 0 1 0; return 1; fi
}
mode_fuzz() {
    configure fuzz "${sanitized[@]}" -DCMPGATE_SANITIZE=address,undefined -DCMPGATE_FUZZ=ON \
        && compile fuzz fuzz_targets || return
    local targets=(build/fuzz/tests/fuzz/fuzz_*) target target_name seconds status=0
    mapfile -t targets < <(find build/fuzz/tests/fuzz -maxdepth 1 -name 'fuzz_*' -type f -executable | sort)
    ((${#targets[@]})) || { echo "no fuzz target was built" >&2; return 1; }
    seconds=$((fuzz_minutes * 60 / ${#targets[@]}))
    ((seconds > 0)) || seconds=1
    for target in "${targets[@]}"; do
        target_name=$(basename "$target")
        say "$target_name for $seconds s"
        mkdir -p "build/fuzz/corpus/$target_name" "build/fuzz/found"
        # What is new goes to the build tree; the corpus in the repository is only read.
        if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
            -artifact_prefix="build/fuzz/found/$target_name-" "build/fuzz/corpus/$target_name" \
            $(find "tests/fuzz/corpus/$target_name" -maxdepth 0 2>/dev/null); then
            count 1 0 0
        else
            echo "$target_name found something: build/fuzz/found/$target_name-*"
            count 0 1 0
            status=1
        fi
    done
    return "$status"
}

mkdir -p build
overall=0
for mode in "${modes[@]}"; do
    before=$failed build_failed=0
    if ! "mode_$mode" || ((build_failed)); then
        overall=1
        # What ended before any test could is a failure that no test reported.
        ((failed > before)) || count 0 1 0
        echo "== $mode: FAILED"
        ((keep_going)) || break
    fi
done
((list)) && exit "$overall"

echo
python3 tests/lint/security_rules_test.py --summary
for reason in "${skip_reasons[@]}"; do echo "skipped: $reason"; done
echo "$passed passed, $failed failed, $skipped skipped"
if [[ -n ${CMPGATE_RESULTS-} ]]; then
    echo "$passed $failed $skipped" >>"$CMPGATE_RESULTS"
fi
exit "$overall"
