#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     swap.sh IMAGES TESTS [LABEL]
#
# Runs programs in a guest whose RAM is less than they touch, half of it and an eighth, with a disk:
# their output is what it is natively, each lookup that found a page on the disk brought one page in,
# and no request failed. IMAGES and TESTS are the folders of the programs; without
# the label testbed it is a part of that. Prints TAP. Plain sh,
# since it runs in the testbed as well.
set -u

images=$1
tests=$2
label=${3:-kvm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

number_of() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$work/json"
}

# problem LEAST: what is wrong with the last run
problem() {
	[ "$status" -eq 0 ] || { echo "status $status"; return; }
	cmp -s "$work/native" "$work/out" || { echo "its output differs"; return; }
	[ "$(number_of swapped_out)" -ge "$1" ] || { echo "$(number_of swapped_out) pages went"; return; }
	[ "$(number_of swapped_in)" -eq "$(number_of swapped_lookups)" ] ||
		{ echo "$(number_of swapped_in) came, $(number_of swapped_lookups) were found"; return; }
	[ "$(number_of reads)" -eq "$(number_of swapped_in)" ] || { echo "$(number_of reads) reads"; return; }
	[ "$(number_of failed)" -eq 0 ] || { echo "$(number_of failed) requests failed"; return; }
	[ "$(number_of ignored_accesses)" -eq 0 ] || echo "accesses to the disk made no sense"
}

# compare MEM LEAST OPTION... -- PROGRAM ARG...
compare() {
	mem=$1
	least=$2
	options=
	shift 2
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	program=$1
	shift
	"$program" "$@" >"$work/native" </dev/null
	# What is on the disk means nothing: each run finds what the last one has left.
	# shellcheck disable=SC2086 # options are words
	twostage run --timeout 120 --mem "$mem" --disk "$work/disk" --json "$work/json" $options \
		"$program" -- "$@" >"$work/out" 2>"$work/error" </dev/null
	status=$?
	why=$(problem "$least")
	number=$((number + 1))
	if [ -z "$why" ]; then
		echo "ok $number $label: ${program##*/} $* in $mem$options"
		return
	fi
	failed=1
	echo "not ok $number $label: ${program##*/} $* in $mem$options: $why"
	head -n 8 "$work/error" | sed 's/^/# /'
}

# An emulated ring 0 swaps a thousand pages a second at best: there a part of it, and less memory.
little() {
	compare 6M 500 -- "$images/touch" 6M --order random
	compare 6M 100 --guest-table adaptive -- "$images/touch" 5M
	compare 6M 100 -- "$tests/forks" 500 1
}

all() {
	for table in radix chained open bucket clustered cuckoo adaptive; do
		compare 6M 1000 --guest-table $table -- "$images/touch" 12M --order random
	done
	compare 6M 16000 -- "$images/touch" 48M
	compare 6M 1000 --window 16 --seed 1 -- "$images/touch" 10M --order strided --stride 64
	compare 6M 1000 --host-mem 3M -- "$images/touch" 9M
	compare 6M 500 -- "$images/gups" 10M --updates 2000
	compare 6M 500 -- "$images/sort" 20000
	compare 6M 1000 -- "$tests/forks" 700 2
	compare 8M 1000 --cpus 2 --guest-table adaptive -- "$tests/forks" 1200 1 7
	compare 6M 10 -- "$tests/memory" map unmap fixed protect remap advise brk heap
}

truncate -s 64M "$work/disk"
if [ "$label" = testbed ]; then
	all
else
	little
fi
# A disk that is full is memory that is exhausted.
truncate -s 1M "$work/disk"
twostage run --timeout 120 --mem 4M --disk "$work/disk" --json "$work/json" "$images/touch" -- 8M \
	>"$work/out" 2>"$work/error" </dev/null
status=$?
number=$((number + 1))
if [ $status -eq 137 ] && grep -q "guest memory exhausted" "$work/error" &&
	[ "$(number_of slots_used)" -eq "$(number_of slots)" ] && [ "$(number_of slots)" -eq 256 ]; then
	echo "ok $number $label: a full disk ends the program"
else
	failed=1
	echo "not ok $number $label: a full disk ends the program: status $status"
	head -n 8 "$work/error" | sed 's/^/# /'
fi
echo "1..$number"
exit $failed
