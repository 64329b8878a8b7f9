#!/usr/bin/env bash
# The shell scripts parse, and the options that answer without building answer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
while IFS= read -r script; do
    bash -n "$script"
done < <(grep -lrE '^#!.*bash|^# shellcheck shell=bash' .ci conf tests --include='*' -I)
tests/run.sh --help | grep -q -- --asan
if tests/run.sh --no-such-option 2>/dev/null; then
    echo "tests/run.sh accepts an unknown option" >&2
    exit 1
fi
if tests/run.sh --fuzz many 2>/dev/null; then
    echo "tests/run.sh --fuzz accepts a word for a number" >&2
    exit 1
fi
