#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     cpus.sh KERNELS [LABEL]
#
# Runs the test kernels of several CPUs, from the folder KERNELS; those that tests/vmm/cpus.bats
# runs where there is no testbed. Prints TAP. Plain sh, since it runs in the testbed.
set -u

kernels=$1
label=${2:-kvm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

# guest NAME OUTPUT CPUS KERNEL OPTION...: it ends with 0 and prints OUTPUT
guest() {
	name=$1
	wanted=$2
	cpus=$3
	kernel=$4
	shift 4
	number=$((number + 1))
	twostage run --timeout 100 --mem 16M --cpus "$cpus" "$@" "$kernels/$kernel" >"$work/out" \
		2>"$work/error" </dev/null
	status=$?
	if [ $status -eq 0 ] && [ "$(cat "$work/out")" = "$wanted" ]; then
		echo "ok $number $label: $name"
		return
	fi
	failed=1
	echo "not ok $number $label: $name"
	echo "# status $status"
	sed 's/^/# /' "$work/out" "$work/error"
}

guest "two CPUs wait in HLT and interrupt each other" "is up
answers
timer" 2 cpus
guest "the timer and another CPU interrupt ring 3" "timer
other" 2 cpus_user
guest "32 CPUs run" "..............................." 32 cpus_all
guest "four CPUs on the same pages" "" 4 cpus_memory
guest "and with half of the memory" "" 4 cpus_memory --host-mem 6M
guest "and with pages that share frames" "" 4 cpus_memory --dedup
guest "and with samples of the working set" "" 4 cpus_memory --working-set 0.2
guest "and with whole blocks" "" 4 cpus_memory --host-pages mixed --host-mem 8M

# The dots that are left come after a snapshot, too.
guest "a snapshot of two CPUs is taken" "$(printf "%40s" "" | tr " " .)" 2 cpus_timer \
	--snapshot 0.4:"$work/snapshot"
number=$((number + 1))
if twostage run --timeout 100 --restore "$work/snapshot" >"$work/out" 2>"$work/error" </dev/null &&
	grep -qx '\.\.*' "$work/out"; then
	echo "ok $number $label: and goes on"
else
	failed=1
	echo "not ok $number $label: and goes on"
	sed 's/^/# /' "$work/out" "$work/error"
fi
echo "1..$number"
exit $failed
