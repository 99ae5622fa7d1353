#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     snapshot.sh TOUCH STEADY [LABEL]
#
# Snapshots of TOUCH, the image touch, and STEADY, a program that watches its clock and registers, at the start, while
# they run and at their end: what is restored ends as the undisturbed run, prints the rest of what
# that prints, and its clock goes on. Prints TAP. Plain sh, since it runs in the testbed as well.
set -u

touch=$1
steady=$2
label=${3:-kvm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# run OPTION...: its status; stdout, stderr and JSON are in out, err, json
run() {
	rm -f "$work/json"
	twostage run --timeout 60 --json "$work/json" "$@" >"$work/out" 2>"$work/err" </dev/null
}

# verdict NAME REASON: REASON is empty where the test holds
verdict() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number $label: $1"
		return
	fi
	failed=1
	echo "not ok $number $label: $1: $2"
	head -n 8 "$work/err" | sed 's/^/# /'
}

# restored STATUS OPTION...: what is wrong with a run from the snapshot, beside `wanted`
restored() {
	wanted=$1
	shift
	run --restore "$work/file" "$@"
	status=$?
	[ $status -eq "$wanted" ] || { echo "status $status, wanted $wanted"; return; }
	tail -c "$(wc -c <"$work/out")" "$work/wanted" >"$work/rest"
	cmp -s "$work/rest" "$work/out" || echo "it printed something else"
}

# try NAME WHEN IMAGE ARG...: a snapshot, and what becomes of it
try() {
	name=$1
	when=$2
	shift 2
	run --mem 32M "$@"
	wanted=$?
	cp "$work/out" "$work/wanted"
	run --mem 32M --snapshot "$when:$work/file" "$@"
	status=$?
	why=
	[ $status -eq $wanted ] || why="status $status, wanted $wanted"
	cmp -s "$work/out" "$work/wanted" || why="with a snapshot it printed something else"
	grep -q '"taken": true' "$work/json" || why="no snapshot was taken"
	verdict "$name: the run goes on" "$why"
	verdict "$name: restored" "$(restored $wanted)"
	verdict "$name: restored again, with few frames" "$(restored $wanted --host-mem 3M)"
}

try "touch, start" start "$touch" -- 2M --order random
try "touch, while it runs" 0.3 "$touch" -- 8M --order random
try "touch, exit" exit "$touch" -- 1M
try "steady, start" start "$steady"
try "steady, while it runs" 0.3 "$steady" -- 700
echo "1..$number"
exit $failed
