#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# check_sanitized.sh DIRECTORY: runs the unit tests there, which were built with the address and the
# undefined-behaviour sanitizer. What a sanitizer finds ends the test, and its report is in
# build/check/sanitized-*.log. Leaks are looked for in every test: its process is a fork's child
# that ends on its own.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tap.sh
mkdir -p $results
rm -f $results/sanitized-*

export ASAN_OPTIONS=detect_leaks=1
export UBSAN_OPTIONS=print_stacktrace=1
sanitized_suites "$1"
finish
