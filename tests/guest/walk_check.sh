#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     walk_check.sh TOUCH [LABEL]
#
# Runs TOUCH, the image touch, with --walk-check at every pair of organisations: no walk may be
# wrong, and some must have been held against each of KVM and the frames. Then, with --table-slab,
# walks by the slab as well, for each organisation of the guest's table. And: the checks change none
# of the counts of a run. Prints TAP. Plain sh, since it runs in the testbed as well.
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
		run --walk-check 512 --window 64 --guest-table "$guest" --host-table "$host"
		why=$(problem $?)
		verdict "$guest over $host, $(number_of kvm_agrees) as KVM says, $(number_of \
			frames_compared) frames compared" "$why"
	done
done

# by_slab FIELD: of walks by the slab to pages of 4 KiB, which is 6: refs a walk, 7: its model
by_slab() {
	sed -n 's/^4 KiB, by the slab//p' "$work/error" | awk -v "field=$(($1 - 4))" '{ print $field }'
}

# What is wrong with the last run's walks by the slab, whose status is $1 and model $2.
slab_problem() {
	why=$(problem "$1")
	[ -z "$why" ] || { echo "$why"; return; }
	[ "$(number_of table_outside)" = 0 ] || { echo "a part of the table is outside"; return; }
	[ "$(number_of table_in_slab)" -gt 0 ] || { echo "nothing is in the slab"; return; }
	[ "$(number_of stops_without)" = 0 ] || { echo "a stop was without the slab"; return; }
	[ "$(number_of absent_table)" = 0 ] || { echo "a page of the slab had no frame"; return; }
	[ "$(by_slab 7)" = "$2" ] || { echo "the model is $(by_slab 7), not $2"; return; }
	awk "BEGIN { exit !($(by_slab 6) >= $2) }" || echo "$(by_slab 6) refs, less than $2"
}

slab() {
	model=$1
	shift
	run --stats --walk-check 512 --window 64 --table-slab "$@"
	why=$(slab_problem $? "$model")
	verdict "by the slab, $*: $(by_slab 6) refs a walk, at least $model" "$why"
}

# What a walk costs by the slab where each table answers with its first line, the host's with one.
slab 5.000 --guest-table radix
slab 3.000 --guest-table chained
for guest in open bucket adaptive; do
	slab 2.000 --guest-table "$guest"
done
slab 4.000 --guest-table cuckoo
slab 2.000 --mem 64M --host-mem 4M --host-pages mixed
slab 2.000 --guest-table clustered
# Where both tables have room, a walk through stage 2 takes more than three.
why=
awk "BEGIN { exit !($(by_slab 6) < 2.5) }" || why="$(by_slab 6) refs"
verdict "by the slab, clustered over clustered: two references, as a rule" "$why"

# A slab that is too small for the table is not used, and the run goes on.
run --stats --walk-check 512 --window 64 --mem 1G --table-slab=2M
why=$(problem $?)
[ "$(number_of table_outside)" -gt 0 ] || why="all of the table is in the slab"
[ "$(number_of stops_without)" -gt 0 ] || why="it was walked by the slab"
verdict "a table that is too large for its slab is not walked by it" "$why"

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
