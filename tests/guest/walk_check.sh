#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     walk_check.sh TOUCH [LABEL]
#
# Runs TOUCH, the image touch, with --walk-check at every pair of organisations: no walk may be
# wrong, and some must have been held against each of KVM and the frames. Then: the checks change
# none of the counts of a run. Prints TAP. Plain sh, since it runs in the testbed as well.
set -u

touch=$1
label=${2:-kvm}
organisations="radix chained open bucket clustered cuckoo adaptive"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# run OPTION...: its status; stderr and JSON are in error and json
run() {
	rm -f "$work/json"
	twostage run --timeout 120 --seed 5 --json "$work/json" "$@" "$touch" -- 2M --order random \
		>/dev/null 2>"$work/error" </dev/null
}

# number_of NAME: a number of the JSON; the names that are asked for stand in it once
number_of() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$work/json"
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
	head -n 8 "$work/error" | sed 's/^/# /'
}

# What is wrong with the last run's checks, whose status is $1.
problem() {
	[ "$1" -eq 0 ] || { echo "status $1"; return; }
	[ "$(number_of wrong)" = 0 ] || { echo "wrong: $(number_of wrong)"; return; }
	[ "$(number_of lied)" = 0 ] || { echo "lied: $(number_of lied)"; return; }
	[ "$(number_of kvm_agrees)" -gt 0 ] || { echo "KVM was not asked"; return; }
	[ "$(number_of not_in_window)" -gt 0 ] || { echo "the window has all pages"; return; }
	[ "$(number_of kvm_not_asked)" = 0 ] || echo "KVM would have missed"
	# Without root the kernel gives no PFNs.
	[ "$(number_of frames_compared)" -gt 0 ] || [ "$(number_of frames_skipped)" -gt 0 ] ||
		echo "no frames were compared"
}

for guest in $organisations; do
	for host in $organisations; do
		run --walk-check 64 --window 64 --guest-table "$guest" --host-table "$host"
		why=$(problem $?)
		verdict "$guest over $host, $(number_of kvm_agrees) as KVM says, $(number_of \
			frames_compared) frames compared" "$why"
	done
done

# counts: all of a run that do not depend on time
counts() {
	tr -d ' \n' <"$work/json" |
		sed 's/"walk_check":{.*//; s/"\(host\|config\|legs\)":{[^{}]*}//g' |
		grep -o '"\(entries\|faults\|first_touches\|refills\|evictions\|lookups\|hits\|frames\)":[0-9]*'
}

run --window 64
counts >"$work/without"
run --window 64 --walk-check 64
counts >"$work/with"
why=
[ -s "$work/without" ] || why="no counts"
cmp -s "$work/without" "$work/with" || why="they differ"
verdict "the checks change no counts" "$why"
echo "1..$number"
exit $failed
