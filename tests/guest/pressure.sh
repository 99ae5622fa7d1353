#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     pressure.sh IMAGES [LABEL]
#
# Runs the images touch and gups of the folder IMAGES with host memory at 1/2, 1/4 and 1/16 of what
# they touch: their output is what it is natively, and no more frames are in use than there may be.
# Prints TAP. Plain sh, since it runs in the testbed as well.
set -u

images=$1
label=${2:-kvm}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0

number_of() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$work/json"
}

# problem FRAMES: what is wrong with the last run
problem() {
	[ "$status" -eq 0 ] || { echo "status $status"; return; }
	cmp -s "$work/native" "$work/out" || { echo "its output differs"; return; }
	[ "$(number_of frames)" -le "$1" ] || { echo "$(number_of frames) frames"; return; }
	[ "$(number_of swap_outs)" -gt 500 ] || echo "$(number_of swap_outs) pages went"
}

# compare KIB OPTION... -- IMAGE ARG...
compare() {
	kib=$1
	options=
	shift
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	image=$1
	shift
	"$images/$image" "$@" >"$work/native" </dev/null
	# shellcheck disable=SC2086 # options are words
	twostage run --timeout 120 --mem 64M --host-mem "${kib}K" --json "$work/json" $options \
		"$images/$image" -- "$@" >"$work/out" 2>"$work/error" </dev/null
	status=$?
	why=$(problem $((kib / 4)))
	number=$((number + 1))
	if [ -z "$why" ]; then
		echo "ok $number $label: $image $* in $kib KiB$options"
		return
	fi
	failed=1
	echo "not ok $number $label: $image $* in $kib KiB$options: $why"
	head -n 8 "$work/error" | sed 's/^/# /'
}

for kib in 4096 2048 512; do
	for table in clustered radix adaptive; do
		compare "$kib" --host-table $table -- touch 8M --order random
	done
	compare "$kib" --window 64 -- gups 8M --updates 4000
	compare "$kib" --host-pages mixed --dedup --fault-around 16 -- touch 8M
	compare "$kib" --host-pages 2m --host-table bucket -- gups 8M --updates 4000
done
echo "1..$number"
exit $failed
