#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The command line where the image is a kernel that others wrote. What needs /dev/kvm is skipped where
# there is none; that Linux itself boots is tested in the testbed (tests/vmm/linux/).

# shellcheck disable=SC2154 # bats sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
	mkdir "$BATS_FILE_TMPDIR/images"
	"$BATS_TEST_DIRNAME/../../build/tests/bad_images" "$BATS_FILE_TMPDIR/images"
}

setup() {
	root=$BATS_TEST_DIRNAME/../..
	twostage=$root/build/twostage
	kernels=$root/build/tests/kernels
	images=$BATS_FILE_TMPDIR/images
	program=$root/build/images/hello
}

kind() {
	"$twostage" info --json - | jq -r .host.kind
}

need_kvm() {
	[ "$(kind)" != none ] || skip "/dev/kvm is not usable"
	"$twostage" info --json - | jq -e .host.userfaultfd >/dev/null || skip "no userfaultfd"
}

# usage WANTED ARG...: status 64, nothing on stdout, and the text on stderr
usage() {
	local wanted=$1
	shift
	run -64 --separate-stderr timeout 20 "$twostage" run "$@"
	echo "$stderr"
	[ -z "$output" ]
	[[ $stderr == *"$wanted"* ]]
}

# boot STATUS ARG...: runs a guest with a time limit; its output is in $output
boot() {
	local wanted=$1
	shift
	run --separate-stderr timeout 60 "$twostage" run --timeout 20 --json "$BATS_TEST_TMPDIR/json" \
		"$@"
	echo "status $status, wanted $wanted: $output; $stderr"
	[ "$status" -eq "$wanted" ]
}

@test "options of kernels do not go together with programs, 64" {
	usage "--initrd: found 2 files, wanted 1: IMAGE is a program" --initrd a --initrd b "$program"
	usage "--append: IMAGE is a program, wanted a kernel; a program's arguments stand behind --" \
		--append words "$program"
	usage "--append: IMAGE is a program" --append= "$program"
}

@test "options of programs do not go together with kernels, 64" {
	usage "--window: IMAGE is a Linux kernel (bzImage), wanted a program" \
		--window 64 "$images/sound-bzimage"
	usage "--guest-table: IMAGE is a multiboot 1 kernel, wanted a program" \
		--guest-table radix "$images/sound-multiboot-elf"
}

@test "a command line is given once, 64" {
	usage "--append: found arguments behind -- as well, wanted one of the two" \
		--append a "$images/sound-bzimage" -- b
	usage "--append: found arguments behind -- as well" --append a "$kernels/arguments" -- b
}

@test "only a multiboot kernel takes more than one file, and no more than 8, 64" {
	usage "--initrd: found 2 files, wanted 1: IMAGE is a Linux kernel (bzImage)" \
		--initrd a --initrd b "$images/sound-bzimage"
	usage "--initrd: found 2 files, wanted 1: IMAGE is a PVH kernel" \
		--initrd a --initrd b "$kernels/arguments"
	usage "--initrd: found more than 8 files, wanted at most 8" --initrd 1 --initrd 2 --initrd 3 \
		--initrd 4 --initrd 5 --initrd 6 --initrd 7 --initrd 8 --initrd 9 I
}

@test "an initrd that cannot be read, 66" {
	boot 66 --initrd /nowhere/initrd "$images/sound-multiboot-elf"
	[[ $stderr == *"--initrd: /nowhere/initrd: file: found none that can be read"* ]]
	boot 66 --initrd /nowhere/initrd "$program"
	[[ $stderr == *"--initrd: /nowhere/initrd: file: found none that can be read"* ]]
	boot 66 --initrd / "$kernels/hello"
	[[ $stderr == *"--initrd: /: file: found a directory, wanted a regular file"* ]]
}

@test "inspect names a kernel's release, its protocol and its limits" {
	run -0 "$twostage" inspect "$images/sound-bzimage"
	[[ $output == *"kind        Linux kernel (bzImage)"* ]]
	[[ $output == *"kernel      6.1.0-test (nobody) #1"* ]]
	[[ $output == *"protocol    Linux boot protocol 2.15, 64-bit entry"* ]]
	[[ $output == *"append      at most 255 bytes"* ]]
	[[ $output == *"initrd      up to 0x7fffffff"* ]]
	[[ $output == *"memory      0x100000 to 0x300000, 1 segment"* ]]
}

@test "inspect names multiboot kernels" {
	for kernel in "$images/sound-multiboot-flat" "$kernels/multiboot_poll"; do
		run -0 "$twostage" inspect "$kernel"
		[[ $output == *"kind        multiboot 1 kernel"* ]]
		[[ $output == *"(guest physical, 32-bit protected mode)"* ]]
	done
}

@test "on pvm a Linux kernel is refused, 69, with the reason and the testbed; elsewhere it runs" {
	need_kvm
	[ "$(kind)" = pvm ] || { boot 42 "$images/sound-bzimage" && return; }
	boot 69 "$images/sound-bzimage"
	[[ $stderr == *"pvm"*"cmpxchg16b and xrstor; fix: use the testbed: make testbed"* ]]
	jq -e '.exit.by == "vmm" and .exit.status == 69 and (has("stage2") | not)' \
		"$BATS_TEST_TMPDIR/json"
}

@test "a multiboot kernel gets command line, memory map and modules, as ELF and flat" {
	need_kvm
	printf 'the first' >"$BATS_TEST_TMPDIR/one"
	printf 'the second' >"$BATS_TEST_TMPDIR/two"
	for kernel in multiboot_information multiboot_information.flat; do
		(cd "$kernels" && timeout 60 "$twostage" run --timeout 20 --mem 16M \
			--initrd "$BATS_TEST_TMPDIR/one" --initrd "$BATS_TEST_TMPDIR/two" \
			--append "some words" $kernel) >"$BATS_TEST_TMPDIR/out"
		printf '%s\n' "$kernel some words" twostage "$BATS_TEST_TMPDIR/one" |
			cat - <(printf 'the first%s\nthe second' "$BATS_TEST_TMPDIR/two") |
			cmp - "$BATS_TEST_TMPDIR/out"
	done
}

@test "arguments behind -- are a multiboot kernel's command line, too" {
	need_kvm
	boot 0 --mem 16M "$kernels/multiboot_information" -- one two
	[[ ${lines[0]} == *"/multiboot_information one two" ]]
}

@test "a multiboot kernel lives by interrupts of timer and serial port" {
	need_kvm
	boot 33 "$kernels/multiboot_interrupts" <<<"a line that is longer than a FIFO of 16 bytes"
	[ "${lines[0]}" = "by interrupts" ]
	[ "${lines[1]}" = "a line that is longer than a FIFO of 16 bytes" ]
	jq -e '.exit.by == "guest" and .stage1 == null and .config.kind == "kernel" and
		.config.window == null and .stage2.faults > 0' "$BATS_TEST_TMPDIR/json"
}

@test "input that comes later wakes a guest that waits for it" {
	need_kvm
	run -33 --separate-stderr timeout 60 "$twostage" run --timeout 20 \
		"$kernels/multiboot_interrupts" < <(sleep 1; echo later)
	[ "${lines[1]}" = later ]
}

@test "a guest that polls gets its input, however long it is" {
	need_kvm
	local text
	text=$(printf '%05000d' 7)
	boot 0 "$kernels/multiboot_poll" <<<"$text"
	[ "$output" = "$text" ]
}

@test "without input, at its end or closed, a guest waits until the timeout, 124" {
	need_kvm
	run -124 timeout 60 "$twostage" run --timeout 0.3 "$kernels/multiboot_poll" </dev/null
	# shellcheck disable=SC2016 # not closed before: timeout would open files of its own as 0
	run -124 timeout 60 sh -c '"$0" run --timeout 0.3 "$1" <&-' "$twostage" \
		"$kernels/multiboot_interrupts"
	[[ $output == *"by interrupts"*"timeout: the guest still ran after 0.3 s"* ]]
}

@test "a PVH kernel that is given --append or --initrd gets it, and a PC" {
	need_kvm
	boot 0 --append "one two" "$kernels/arguments"
	[ "$output" = "one two" ]
	jq -e '.config | .append == "one two" and .initrd == []' "$BATS_TEST_TMPDIR/json"
	# It ends with 1 where it finds a module.
	boot 1 --initrd "$kernels/arguments" "$kernels/arguments"
	jq -e --arg initrd "$kernels/arguments" '.config | .append == null and .initrd == [$initrd]' \
		"$BATS_TEST_TMPDIR/json"
	# With interrupt controllers nobody knows that a halt is for ever.
	boot 124 --append "" --timeout 0.3 "$kernels/halt"
	boot 125 "$kernels/halt"
}

@test "a PVH kernel without them, and a program, leave standard input alone" {
	need_kvm
	echo input >"$BATS_TEST_TMPDIR/input"
	for image in "$kernels/hello" "$program"; do
		[ "$( (timeout 60 "$twostage" run --timeout 20 "$image" >/dev/null 2>&1; cat) \
			<"$BATS_TEST_TMPDIR/input")" = input ]
	done
}

@test "the memory that Linux takes must be there, 65" {
	run -65 timeout 20 "$twostage" run --mem 4M "$images/linux-takes-too-much"
	[[ $output == *"init_size: found 0xffffffff bytes from 0x200000 on, wanted them inside"* ]]
}
