#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Counts the instructions of ring 0 in every single page fault of a run: QEMU executes one
# instruction at a time and logs each; those between page_fault_entry and the next instruction of
# ring 3 are one fault. Prints TAP.
#
# Bar: at most 300, for the organisation that is the default, whatever the pattern: with eviction,
# and with a leaf table freed and another made for each page (stride 513). Radix keeps it wherever
# the leaf's node is there; a first touch that must add nodes to the tree is shown apart.

set -euo pipefail
cd "$(dirname "$0")/../.."

pages=128
limit=300
number=0
failed=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
entry=$(nm build/guest/kernel | awk '$3 == "page_fault_entry" { print $1 }')

# count_run OPTIONS STRIDE: one line a fault, the number of its instructions. The log (a line an
# instruction, [.../ADDRESS/...]) goes through a pipe: it is long.
count_run() {
	mkfifo "$work/log"
	timeout 120 qemu-system-x86_64 -M pc -accel tcg -cpu max -m 512M -nodefaults -display none \
		-no-reboot -serial file:"$work/out" -device isa-debug-exit,iobase=0xf4,iosize=4 \
		-singlestep -d exec,nochain -D "$work/log" -kernel build/guest/kernel \
		-initrd build/tests/guest/fault_cost -append "$1 tsc_khz=1000000 -- $pages $2" \
		</dev/null >/dev/null 2>&1 &
	awk -F/ -v entry="$entry" '
		/^Trace/ {
			if ($2 == entry) {
				if (count) print count
				count = 0
				inside = 1
			}
			if (substr($2, 1, 4) != "ffff") inside = 0
			count += inside
		}
		END { if (count) print count }' "$work/log" | sort -n >"$work/lengths"
	wait $! || true
	rm "$work/log"
	grep -q '^refill-dirty' "$work/out"
}

# measure TABLE WINDOW STRIDE
measure() {
	local table=$1 window=$2 stride=$3 faults median max over
	number=$((number + 1))
	if ! count_run "table=$table window=$window" "$stride"; then
		echo "not ok $number $table, window $window, stride $stride: the run failed"
		failed=1
		return
	fi
	faults=$(wc -l <"$work/lengths")
	median=$(sed -n "$((faults / 2))p" "$work/lengths")
	max=$(tail -n 1 "$work/lengths")
	over=$(awk -v limit=$limit '$1 > limit' "$work/lengths" | wc -l)
	what="$table, window $window, stride $stride: $faults faults, median $median, max $max"
	if [ "$over" -gt "$(allowed "$table" "$stride")" ]; then
		echo "not ok $number $what: $over above $limit"
		failed=1
	else
		echo "ok $number $what instructions, $over above $limit"
	fi
}

# allowed TABLE STRIDE: how many faults may cost more. For radix those that add nodes, in each of the
# two mappings: one for every 512 pages, at a stride of 513 every first touch, and the first few.
allowed() {
	if [ "$1" = clustered ]; then
		echo 0
	elif [ "$2" -lt 512 ]; then
		echo $((16 + 2 * pages * $2 / 512))
	else
		echo $((16 + 2 * pages))
	fi
}

for stride in 1 513; do
	measure clustered 64 $stride
	measure clustered 4096 $stride
	measure radix 64 $stride
done
echo "1..$number"
exit $failed
