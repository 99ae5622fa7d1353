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
