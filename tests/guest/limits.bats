#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What the guest does at its limits, on /dev/kvm: it says which and ends with the status for it, or
# goes on.

# shellcheck disable=SC2154 # bats sets stderr
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	ulimit -c 0
}

# in_guest STATUS IMAGE OPTIONS ARGUMENT...: ends with this status
in_guest() {
	local expected=$1 image=$2 options=$3
	shift 3
	# shellcheck disable=SC2086 # options are words
	run --separate-stderr timeout 60 build/twostage run --timeout 40 $options "build/$image" -- "$@" \
		</dev/null
	echo "status $status, wanted $expected; stdout '${output:0:300}'; stderr '${stderr:0:300}'"
	[ "$status" -eq "$expected" ]
}

@test "pages that are far apart do not use up the tables" {
	local expected options
	expected=$(build/tests/images/spread)
	for options in "--mem 16M" "--mem 16M --window 16" "--mem 24M --guest-table radix"; do
		in_guest 0 tests/images/spread "$options"
		[ "$output" = "$expected" ]
	done
}

@test "a window that memory has no room for is refused" {
	in_guest 126 images/hello "--mem 64M --window 1048576"
	[ "$stderr" = "twostage guest: window: found 1048576 pages, which take 32768 KiB of 65536 KiB of memory; wanted a smaller window or more memory" ]
	in_guest 126 images/hello "--mem 4M --window 60000"
	[[ $stderr == "twostage guest: window: found 60000 pages, which take 1875 KiB of 4096 KiB"* ]]
	in_guest 0 images/hello "--mem 128M --window 1048576"
}

# add_segment FILE PROGRAM: the program with a segment of zeros whose p_offset, which means nothing
# then, is beyond the file. PT_GNU_STACK becomes that; the program headers begin at byte 64.
add_segment() {
	local i type
	cp "$2" "$1"
	for ((i = 0; i < 16; i++)); do
		type=$(od -An -tx4 -j $((64 + 56 * i)) -N 4 "$1" | tr -d ' ')
		[ "$type" != 6474e551 ] || break
	done
	[ "$i" -lt 16 ]
	{
		printf '\1\0\0\0\6\0\0\0'                                  # PT_LOAD, rw-
		printf '\0\0\0\20\0\0\0\0\0\0\0\20\0\0\0\0\0\0\0\20\0\0\0\0' # p_offset, addresses
		printf '\0\0\0\0\0\0\0\0\0\20\0\0\0\0\0\0\0\20\0\0\0\0\0\0'  # sizes, alignment
	} | dd of="$1" bs=1 seek=$((64 + 56 * i)) conv=notrunc status=none
}

@test "a segment without bytes of the file may name any place in it" {
	local program=build/beyond
	add_segment $program build/images/hello
	[ "$($program)" = "hello from ring 3" ]
	run build/twostage inspect $program
	[ "$status" -eq 0 ]
	in_guest 0 beyond ""
	[ "$output" = "hello from ring 3" ]
	rm $program
}
