#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# fuzz.sh SECONDS PROGRAM...: runs each fuzzer so long. A corpus is kept beside the program, in
# PROGRAM.corpus, and what breaks it in PROGRAM.crash-*: give it to the program to see it again.

set -euo pipefail

seconds=$1
shift
for program in "$@"; do
	mkdir -p "$program.corpus"
	echo "fuzz: $program, $seconds s"
	timeout -k 10 $((seconds + 60)) "$program" -max_total_time="$seconds" -timeout=10 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix="$program." "$program.corpus" 2>"$program.log" || {
		cat "$program.log" >&2
		echo "fuzz: $program found something: see above and $program.*" >&2
		exit 1
	}
	sed -n 's/^stat::number_of_executed_units: */      inputs tried: /p' "$program.log"
done
