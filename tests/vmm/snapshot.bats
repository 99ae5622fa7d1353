#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Snapshots on the command line. TWOSTAGE, IMAGES and KERNELS name another build. What needs
# /dev/kvm is skipped where it cannot be used.

bats_require_minimum_version 1.5.0

setup() {
	root=$BATS_TEST_DIRNAME/../..
	twostage=${TWOSTAGE:-$root/build/twostage}
	images=${IMAGES:-$root/build/images}
	kernels=${KERNELS:-$root/build/tests/kernels}
	cd "$BATS_TEST_TMPDIR"
}

need_kvm() {
	kind=$("$twostage" info --json - | jq -r .host.kind)
	[ "$kind" != none ] || skip "/dev/kvm is not usable"
	"$twostage" info --json - | jq -e .host.userfaultfd >/dev/null || skip "no userfaultfd"
}

# guest WANTED ARG...: a run that ends with that status; stdout, stderr, JSON in out, err, json.
guest() {
	local wanted=$1 status=0
	shift
	timeout 60 "$twostage" run --timeout 30 --json json "$@" >out 2>err || status=$?
	cat err
	echo "status $status, wanted $wanted"
	[ "$status" -eq "$wanted" ]
}

# refused STATUS WANTED ARG...: no guest, nothing on stdout, and the text on stderr.
refused() {
	local wanted=$2
	guest "$1" "${@:3}"
	[ ! -s out ]
	grep -qF -- "$wanted" err
}

# undisturbed ARG...: what the run prints without a snapshot, in `wanted`.
undisturbed() {
	guest 0 "$@"
	cp out wanted
}

# flip FILE OFFSET: another byte there.
flip() {
	local byte
	byte=$(od -An -tu1 -j "$2" -N 1 "$1")
	printf "%b" "\\0$(printf '%o' $((byte ^ 1)))" |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# ends_as_wanted: what the restored guest printed is the rest of what was wanted.
ends_as_wanted() {
	[ -s out ]
	tail -c "$(stat -c %s out)" wanted | cmp - out
}

@test "--snapshot: WHEN and FILE are checked, 64" {
	refused 64 'found "start", wanted WHEN:FILE' --snapshot start image
	refused 64 'found "exit:", wanted WHEN:FILE' --snapshot exit: image
	refused 64 'found "0" before the colon' --snapshot 0:file image
	refused 64 'found "soon" before the colon' --snapshot soon:file image
	[ ! -e file.tmp ]
}

@test "--restore: IMAGE, arguments and what the snapshot has itself are refused, 64" {
	refused 64 'found "image" beside --restore, wanted no IMAGE' --restore file image
	refused 64 'found "a" beside --restore' --restore file -- a
	for option in "--append x" "--cpus 2" "--initrd x" "--mem 64M" "--window 64" "--seed 1" "--guest-table radix" "--host-table radix"; do
		# shellcheck disable=SC2086 # words
		refused 64 "${option% *}: found it beside --restore" $option --restore file
	done
}

@test "a snapshot that cannot be written is found out before the guest runs, 66" {
	refused 66 'nowhere/file' --snapshot "start:nowhere/file" "$images/hello"
}

@test "a file that is no snapshot is refused, 65; one that is not there, 66" {
	refused 66 "No such file" --restore missing
	refused 65 "magic: found" --restore "$images/hello"
	: >empty
	refused 65 "size of the file: found 0, wanted at least 4096" --restore empty
	refused 65 "regular file" --restore .
}

@test "start: what is restored runs as if nothing had happened, twice" {
	need_kvm
	undisturbed "$images/touch" -- 2M --order random
	guest 0 --mem 64M --snapshot start:file "$images/touch" -- 2M --order random
	cmp out wanted
	jq -e '.snapshot.taken and .snapshot.pages > 10 and .snapshot.pages < 2000' json
	[ ! -e file.tmp ]
	cp file before
	for _ in 1 2; do
		guest 0 --restore file
		cmp out wanted
		jq -e '.config.mem == 67108864 and .stage2.restored_pages > 10' json
	done
	cmp file before
}

@test "start: a restored guest that has half of its memory swaps" {
	need_kvm
	undisturbed --mem 16M "$images/touch" -- 8M --order random
	guest 0 --mem 16M --snapshot start:file "$images/touch" -- 8M --order random
	guest 0 --restore file --host-mem 4M --swap swap
	cmp out wanted
	jq -e '.stage2.swap_outs > 0 and .stage2.swap_ins > 0 and .stage2.frames <= 1024' json
}

@test "seconds: touch and gups go on where they were, with half of the memory as well" {
	need_kvm
	for program in "touch -- 8M --order random" "gups -- 4M --updates 60000"; do
		# shellcheck disable=SC2086 # words
		undisturbed --mem 16M "$images/"$program
		# shellcheck disable=SC2086 # words
		guest 0 --mem 16M --snapshot 0.2:file "$images/"$program
		cmp out wanted
		jq -e '.snapshot.taken' json
		guest 0 --restore file
		ends_as_wanted
		guest 0 --restore file --host-mem 5M
		ends_as_wanted
	done
}

@test "exit: what is restored ends at once with the status that the guest had" {
	need_kvm
	guest 64 --snapshot exit:file "$images/touch" -- 5000
	guest 64 --restore file --stats
	[ ! -s out ]
	jq -e '.exit.by == "guest" and .exit.status == 64 and .stage1.faults > 0' json
}

@test "a kernel: before its first instruction, and while it runs" {
	need_kvm
	guest 42 --mem 64M "$kernels/hello"
	cp out wanted
	guest 42 --mem 64M --snapshot start:file "$kernels/hello"
	guest 42 --restore file
	cmp out wanted
	guest 124 --mem 64M --timeout 0.5 --snapshot 0.2:file "$kernels/spin"
	jq -e '.snapshot.taken' json
	guest 124 --timeout 0.2 --restore file
	jq -e '.exit.reason | startswith("timeout")' json
}

@test "a snapshot of a restored guest is one of the guest" {
	need_kvm
	undisturbed "$images/touch" -- 2M
	guest 0 --mem 32M --snapshot start:file "$images/touch" -- 2M
	guest 0 --restore file --snapshot start:file
	cmp out wanted
	guest 0 --restore file
	cmp out wanted
}

@test "a snapshot that never came due is told, and no file is left" {
	need_kvm
	guest 0 --snapshot 25:file "$images/hello"
	grep -qF "file was not written: the guest ended before" err
	[ ! -e file ] && [ ! -e file.tmp ]
	guest 124 --mem 64M --timeout 0.1 --snapshot exit:file "$kernels/spin"
	grep -qF "file was not written: the guest did not end by itself" err
	[ ! -e file ] && [ ! -e file.tmp ]
}

@test "one that is cut or damaged is refused, 65; a damaged page ends the guest that reads it, 125" {
	need_kvm
	guest 0 --mem 64M --snapshot start:file "$images/hello"
	size=$(stat -c %s file)
	head -c $((size - 1)) file >cut
	refused 65 "size of the file: found $((size - 1)), wanted $size" --restore cut
	for offset in 3 100 4095 4200 9000 $((size - 1)) $((size - 4097)); do
		cp file damaged
		flip damaged "$offset"
		refused 65 "found" --restore damaged
		grep -qF wanted err
	done
	# One byte of every page: the first that is read is noticed.
	cp file damaged
	pages=$(((size - 4096) / 4096))
	for ((page = pages / 4; page < pages - 4; page++)); do
		flip damaged $((4096 + page * 4096 + 17))
	done
	guest 125 --restore damaged
	grep -qF "the snapshot is damaged: the checksum of a page is wrong" err
	[ ! -s out ]
}

@test "kill -9 while a snapshot is written leaves the one that was there" {
	need_kvm
	undisturbed "$images/touch" -- 2M
	guest 0 --mem 64M --snapshot start:file "$images/touch" -- 2M
	cp file before
	hits=0
	for _ in 1 2 3 4 5 6; do
		"$twostage" run --timeout 20 --mem 64M --snapshot exit:file "$images/touch" -- 4M \
			>/dev/null 2>&1 &
		pid=$!
		while [ ! -s file.tmp ] && [ -d /proc/$pid ]; do :; done
		kill -9 $pid || true
		wait $pid || true
		if [ -s file.tmp ]; then
			hits=$((hits + 1))
			cmp file before
			[ $hits -lt 2 ] || break
		fi
		# What comes next, or came too late, does not mind what is left.
		cp before file
		: >file.tmp
	done
	[ $hits -gt 0 ]
	guest 0 --restore file
	cmp out wanted
	guest 0 --restore file --snapshot exit:file
	[ ! -e file.tmp ]
}

# some_dots: the rest of the dots, then an end of line
some_dots() {
	cat out
	grep -qx '\.\.*' out
	ends_as_wanted
}

@test "several CPUs go on where they were, with their local APICs, and a timer that runs" {
	need_kvm
	guest 0 --mem 16M --cpus 2 --snapshot start:file "$kernels/cpus"
	guest 0 --restore file
	[ "$(tr '\n' ' ' <out)" = "is up answers timer " ]
	jq -e '.config.cpus == 2 and (.exits.cpus | length) == 2' json
	undisturbed --mem 16M --cpus 2 --snapshot 0.4:file "$kernels/cpus_timer"
	guest 0 --restore file
	some_dots
	guest 0 --restore file --snapshot 0.1:again
	guest 0 --restore again
	some_dots
}

@test "four CPUs on the same pages go on, with half of the memory as well" {
	need_kvm
	for when in 0.05 0.2 0.4; do
		guest 0 --mem 16M --cpus 4 --snapshot $when:file "$kernels/cpus_memory"
		[ -e file ] || continue
		guest 0 --restore file
		guest 0 --restore file --host-mem 6M
		rm file
	done
}

@test "a PC goes on with its interrupt controllers and its timer" {
	need_kvm
	undisturbed --mem 16M --snapshot 0.3:file "$kernels/multiboot_ticks"
	guest 0 --restore file
	some_dots
	jq -e '.config.kind == "kernel"' json
}

@test "a CPU that was not started can be started by what is restored" {
	need_kvm
	guest 0 --mem 16M --cpus 3 --snapshot start:file "$kernels/cpu_numbers"
	guest 0 --restore file
	[ "$(cat out)" = 2 ]
	guest 7 --mem 16M --cpus 2 --snapshot exit:file "$kernels/cpu_exits"
	guest 7 --restore file
}
