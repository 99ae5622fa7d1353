#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `make check-sanitized`: the unit tests under the address and the undefined-behaviour sanitizer. A
# finding ends its test; the report is in build/check/sanitized-*.log.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tap.sh
mkdir -p $results
rm -f $results/sanitized-*
sanitized_suites
finish
