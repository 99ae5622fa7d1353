#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# Several CPUs: `twostage run --cpus N`.

# shellcheck disable=SC2154 # bats sets stderr
bats_require_minimum_version 1.5.0

setup() {
	root=$BATS_TEST_DIRNAME/../..
	twostage=$root/build/twostage
	kernels=$root/build/tests/kernels
}

need_kvm() {
	[ "$("$twostage" info --json - | jq -r .host.kind)" != none ] || skip "/dev/kvm is not usable"
	"$twostage" info --json - | jq -e .host.userfaultfd >/dev/null || skip "no userfaultfd"
}

# guest STATUS ARG...: runs a guest; its output is in $output and $stderr
guest() {
	local wanted=$1
	shift
	run --separate-stderr timeout 60 "$twostage" run --timeout 20 --mem 16M \
		--json "$BATS_TEST_TMPDIR/json" "$@"
	echo "status $status, wanted $wanted: $output; $stderr"
	[ "$status" -eq "$wanted" ]
}

@test "a number of CPUs that cannot be, 64" {
	for number in 0 33 -1 two 1.5 ""; do
		run -64 --separate-stderr "$twostage" run --cpus "$number" IMAGE
		[[ $stderr == *"--cpus: found \"$number\", wanted a whole number from 1 to 32"* ]]
	done
}

@test "a second CPU starts, both are interrupted by the other, and by the timer, in HLT" {
	need_kvm
	guest 0 --cpus 2 "$kernels/cpus"
	[ "$output" = "is up
answers
timer" ]
	jq -c '.config, .exits' "$BATS_TEST_TMPDIR/json"
	jq -e '.config.cpus == 2 and (.exits | (.cpus | length) == 2 and .ignored_doorbells == 0 and
		.entries == .cpus[0].entries + .cpus[1].entries and .port == .cpus[0].port)' \
		"$BATS_TEST_TMPDIR/json"
}

@test "the timer and another CPU interrupt a program in ring 3" {
	need_kvm
	guest 0 --cpus 2 "$kernels/cpus_user"
	[ "$output" = "timer
other" ]
}

@test "a CPU that is not there, or runs already, is not started" {
	need_kvm
	guest 124 --timeout 0.5 "$kernels/cpu_exits"
	[[ $stderr == *"doorbell ignored: cpu: found 1, wanted the number of one of 1 CPUs"* ]]
	guest 0 --cpus 3 "$kernels/cpu_numbers"
	[ "$output" = 2 ]
	jq -e '.exits.ignored_doorbells == 8' "$BATS_TEST_TMPDIR/json"
}

@test "32 CPUs, each of which runs" {
	need_kvm
	guest 0 --cpus 32 "$kernels/cpus_all"
	[ "$output" = ............................... ]
	jq -e '.exits.cpus | length == 32 and all(.port > 0)' "$BATS_TEST_TMPDIR/json"
}

@test "the guest's end on one CPU is that of all" {
	need_kvm
	guest 7 --cpus 2 "$kernels/cpu_exits"
	jq -e '.exit == {"by": "guest", "status": 7, "reason": "exit"}' "$BATS_TEST_TMPDIR/json"
}

@test "one CPU's death is the guest's, and the dump begins with it and shows all" {
	need_kvm
	guest 125 --cpus 3 "$kernels/cpu_dies"
	jq -e '.exit.status == 125 and .exit.by == "vmm"' "$BATS_TEST_TMPDIR/json"
	[[ $stderr == *"CPU 1:"*"registers"*"CPU 0:"*"registers"*"CPU 2, which was not started:"* ]]
}

@test "the time limit ends CPUs that spin and that wait, and the dump shows all" {
	need_kvm
	guest 124 --cpus 3 --timeout 0.5 "$kernels/cpus_spin"
	[[ $stderr == *"timeout"*"CPU 0:"*"registers"*"CPU 1:"*"registers"*"CPU 2:"*"registers"* ]]
	jq -e '.run_ns < 3000000000' "$BATS_TEST_TMPDIR/json"
}

@test "walks are not checked while another CPU may be in the middle of a change" {
	need_kvm
	guest 0 --cpus 3 --walk-check 8 "$kernels/cpu_numbers"
	jq -c .walk_check "$BATS_TEST_TMPDIR/json"
	jq -e '.walk_check | .stops_put_off > 0 and .wrong == 0' "$BATS_TEST_TMPDIR/json"
}

@test "four CPUs that touch the same pages at once: one frame each, and no store is lost" {
	need_kvm
	guest 0 --cpus 4 "$kernels/cpus_memory"
	jq -c .stage2 "$BATS_TEST_TMPDIR/json"
	jq -e '.stage2 | .first_touches >= 3072 and .first_touches < 3100 and
		.frames == .first_touches + .copies' "$BATS_TEST_TMPDIR/json"
	for options in "--host-mem 6M" "--host-mem 4M --fault-around 16" "--dedup" "--dedup --host-mem 6M" \
		"--host-pages 2m" "--host-pages mixed --host-mem 8M" "--working-set 0.02"; do
		echo "$options"
		# shellcheck disable=SC2086 # words
		guest 0 --cpus 4 $options "$kernels/cpus_memory"
	done
}

@test "the working set of two CPUs has all that both have written" {
	need_kvm
	guest 0 --cpus 4 --working-set 0.02 "$kernels/cpus_memory"
	jq -c .working_set "$BATS_TEST_TMPDIR/json"
	jq -e '.working_set | (map(.dirty) | add) > 3072 and all(.dirty <= .accessed)' "$BATS_TEST_TMPDIR/json"
}

@test "a miss that cannot be resolved ends all CPUs with a message, 125" {
	need_kvm
	mkdir "$BATS_TEST_TMPDIR/full"
	mount -t tmpfs -o size=4M none "$BATS_TEST_TMPDIR/full" 2>/dev/null || skip "no tmpfs can be mounted"
	guest 125 --cpus 4 --host-mem 4M --swap "$BATS_TEST_TMPDIR/full/swap" "$kernels/cpus_memory" || {
		umount "$BATS_TEST_TMPDIR/full"
		return 1
	}
	umount "$BATS_TEST_TMPDIR/full"
	jq -c .exit "$BATS_TEST_TMPDIR/json"
	jq -e '.exit | .by == "vmm" and .gpa >= 0' "$BATS_TEST_TMPDIR/json"
	[[ $stderr == *"the access that failed"*"CPU "*"registers"*"CPU "*"registers"* ]]
}
