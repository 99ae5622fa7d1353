#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# twostage run --disk: statuses and messages. TWOSTAGE and KERNELS name another build.

bats_require_minimum_version 1.5.0

setup() {
	root=$BATS_TEST_DIRNAME/../..
	twostage=${TWOSTAGE:-$root/build/twostage}
	kernels=${KERNELS:-$root/build/tests/kernels}
	disk=$BATS_TEST_TMPDIR/disk
	truncate -s 1M "$disk"
}

need_kvm() {
	kind=$("$twostage" info --json - | jq -r .host.kind)
	[ "$kind" != none ] || skip "/dev/kvm is not usable"
	"$twostage" info --json - | jq -e .host.userfaultfd >/dev/null || skip "no userfaultfd"
}

# refused STATUS TEXT ARG...: run ends before there is a guest, with this on stderr.
refused() {
	local status=$1 wanted=$2
	shift 2
	run --separate-stderr "-$status" timeout 60 "$twostage" run "$@"
	echo "$stderr"
	[ -z "$output" ]
	[[ $stderr == *"$wanted"* ]]
}

@test "disks that cannot be are refused, 66, with file, value found and value wanted" {
	local image=$root/build/images/hello
	refused 66 "--disk: $disk.none: cannot be opened: No such file" --disk "$disk.none" "$image"
	truncate -s 1000 "$disk"
	refused 66 "--disk: $disk: size: found 1000 bytes, wanted a multiple of 512 above 0" \
		--disk "$disk" "$image"
	truncate -s 0 "$disk"
	refused 66 "size: found 0 bytes" --disk "$disk" "$image"
	refused 66 "--disk: /dev/null: found a special file" --disk /dev/null "$image"
	refused 66 "Is a directory" --disk "$BATS_TEST_TMPDIR" "$image"
}

@test "a disk is one guest's at a time, 66" {
	flock -n "$disk" "$twostage" run --disk "$disk" "$root/build/images/hello" 2>"$disk.err" && false
	cat "$disk.err"
	grep -q "found it locked by another process" "$disk.err"
}

@test "a disk goes with no snapshot and no PC, 64" {
	local image=$root/build/images/hello
	refused 64 "--disk: found it beside --snapshot, wanted one of the two" \
		--disk "$disk" --snapshot "exit:$disk.snapshot" "$image"
	refused 64 "--disk: found it beside --restore" --disk "$disk" --restore "$disk.snapshot"
	[ ! -e "$disk.snapshot" ]
	refused 64 "--disk: IMAGE finds a PC" --disk "$disk" --append text "$kernels/hello"
	refused 64 "--disk: IMAGE finds a PC" --disk "$disk" "$kernels/multiboot_information"
	refused 64 "option '--disk' requires an argument" --disk
}

@test "a guest with a disk runs, and the report says what was done to it" {
	need_kvm
	run -0 timeout 60 "$twostage" run --disk "$disk" --json "$disk.json" "$root/build/images/hello"
	[ "$output" = "hello from ring 3" ]
	jq -e --arg disk "$disk" '.config.disk == $disk and .disk.failed == 0 and
		.disk.broken == null and .disk.ignored_accesses == 0 and .exits.mmio == 0' "$disk.json"
	run -0 timeout 60 "$twostage" run --json "$disk.json" "$root/build/images/hello"
	jq -e '.config.disk == null and .disk == null' "$disk.json"
}

@test "a kernel of others has the disk, too" {
	need_kvm
	run -42 timeout 60 "$twostage" run --disk "$disk" --json "$disk.json" "$kernels/hello"
	jq -e '.disk.reads == 0' "$disk.json"
}

@test "a disk that the kernel cannot swap to ends the guest, 126" {
	need_kvm
	truncate -s 512 "$disk"
	run --separate-stderr -126 timeout 60 "$twostage" run --disk "$disk" "$root/build/images/hello"
	[[ $stderr == *"disk: found less than a page, wanted some to swap to"* ]]
}
