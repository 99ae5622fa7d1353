#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs guest programs natively and in the guest and compares stdout and status:
#
#     cases.sh CASES [LABEL OPTION...]
#
# CASES is a file of lines STATUS PROGRAM ARGUMENT... (tests/images/README.md); the options are those
# of `twostage run`. Prints TAP. Plain sh, since it runs in the testbed as well, where the programs
# that are not images stand in /files. A run in the guest may take CASE_SECONDS, 120 unless told.
set -u

cases=$1
shift
label=${1:-default}
[ $# -eq 0 ] || shift
OPTIONS=$*
seconds=${CASE_SECONDS:-120}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Programs that are killed leave no core files; every sh that runs this knows -c.
# shellcheck disable=SC3045
ulimit -c 0
number=0

# Where PROGRAM, which the cases name relative to build/, is here.
place() {
	for file in "build/$1" "/build/$1" "/files/$(basename "$1")"; do
		[ -x "$file" ] && echo "$file" && return
	done
	echo "build/$1"
}

compare() {
	if [ "$native" -ne "$expected" ]; then
		why="natively status $native"
	elif [ "$status" -ne "$expected" ]; then
		why="in the guest status $status"
	elif ! cmp -s "$work/native" "$work/guest"; then
		why="stdout differs"
	else
		echo "ok $number $label: $program $*"
		return
	fi
	echo "not ok $number $label: $program $*: $why"
	diff "$work/native" "$work/guest" | head -n 5 | sed 's/^/# /'
	head -n 8 "$work/error" | sed 's/^/# /'
}

while read -r expected program arguments; do
	case $expected in
	'' | '#'*) continue ;;
	esac
	number=$((number + 1))
	file=$(place "$program")
	# The arguments of a case are words without quotes.
	# shellcheck disable=SC2086
	set -- $arguments
	"$file" "$@" >"$work/native" 2>/dev/null </dev/null
	native=$?
	# shellcheck disable=SC2086
	twostage run --timeout "$seconds" $OPTIONS "$file" -- "$@" >"$work/guest" 2>"$work/error" </dev/null
	status=$?
	compare "$@"
done <"$cases"
echo "1..$number"
