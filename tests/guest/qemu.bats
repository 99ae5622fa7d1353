#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The guest kernel under plain QEMU, a VMM that nobody here wrote: no doorbells, no second stage,
# another memory map, firmware that ran before.

# shellcheck disable=SC2154 # bats sets stderr
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	images=build/images
	probes=build/tests/images
	ulimit -c 0
}

# in_qemu PROGRAM OPTIONS ARGUMENT...: the program's stdout and stderr; status is what it exited
# with, as far as QEMU's debug port carries it: 7 bits.
in_qemu() {
	local program=$1 options=$2 error status=0
	shift 2
	error=$(mktemp)
	timeout 60 qemu-system-x86_64 -M pc -accel tcg -cpu max -m 256M -nodefaults -display none \
		-no-reboot -serial stdio -serial "file:$error" \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel build/guest/kernel -initrd "$program" \
		-append "$options name=$(basename "$program") -- $*" </dev/null || status=$?
	cat "$error" >&2
	rm -f "$error"
	return $((status / 2))
}

# same PROGRAM OPTIONS ARGUMENT...: prints and ends as it does natively
same() {
	local program=$1 options=$2 native expected
	shift 2
	native=$("$program" "$@" 2>/dev/null </dev/null) && expected=0 || expected=$?
	run --separate-stderr in_qemu "$program" "$options" "$@"
	echo "status $status, wanted $expected; stderr $stderr"
	diff <(echo "$native") <(echo "$output")
	[ "$status" -eq $((expected % 128)) ]
}

@test "hello prints its arguments, encoded ones as well" {
	run --separate-stderr in_qemu $images/hello "" one two%20three %
	[ "$status" -eq 0 ]
	[ "$output" = $'hello from ring 3\nargv[1]: one\nargv[2]: two three\nargv[3]: ' ]
	[ -z "$stderr" ]
}

@test "512 arguments are passed, more are refused" {
	local many
	mapfile -t many < <(seq 512)
	same $images/hello "" "${many[@]}"
	run --separate-stderr in_qemu $images/hello "" "${many[@]}" 513
	[ "$status" -eq 126 ]
	[ "$stderr" = "twostage guest: arguments: found more than 512" ]
}

@test "stderr is the second serial port" {
	run --separate-stderr in_qemu $images/hello "" --stderr aside
	[ "$stderr" = aside ]
}

@test "an exit status comes through" {
	same $images/hello "" --status 100
}

@test "touch, gups and sort print what they print natively" {
	same $images/touch "" 8M --order random
	same $images/gups "" 1M
	same $images/sort "" 2000
}

@test "the same with radix at stage 1 and a window of 16 pages" {
	same $images/touch "table=radix window=16" 4M --order random
	same $images/sort "table=radix window=16" 1000
	same $images/sort "window=16" 1000
}

@test "every memory and system call probe passes" {
	same $probes/memory ""
	same $probes/memory "table=radix window=16"
	same $probes/syscalls ""
	same $probes/edges ""
}

@test "every fault kills with its signal and a message" {
	while read -r expected kind; do
		run --separate-stderr in_qemu $probes/fault "" "$kind"
		echo "$kind: status $status, wanted $((expected - 128)); $stderr"
		[ "$status" -eq $((expected - 128)) ]
		[[ $stderr == *"killed by signal $((expected - 128))"* ]]
	done < <($probes/fault --list)
}

@test "an image that is no static ELF is refused with 126" {
	run --separate-stderr in_qemu /bin/true ""
	[ "$status" -eq 126 ]
	[[ $stderr == *"cannot execute: it is dynamically linked"* ]]
	run --separate-stderr in_qemu Makefile ""
	[ "$status" -eq 126 ]
	[[ $stderr == *"it is not an x86-64 ELF"* ]]
}

@test "an option that makes no sense is a panic that names it" {
	run --separate-stderr in_qemu $images/hello "window=3"
	[[ $stderr == *"panic: window=3: wanted 16 to 1048576"* ]]
	run --separate-stderr in_qemu $images/hello "table=nothing"
	[[ $stderr == *"panic: table=nothing: there is no such organisation"* ]]
}
