#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Runs the guest images and probes as processes of this machine. They are the oracle of the guest
# tests, so they must be right here first. Needs build/images and build/tests/images.

# shellcheck disable=SC2154 # bats sets stderr and stderr_lines
# shellcheck disable=SC2016 # the dollar signs in single quotes are for sed and grep
bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	images=build/images
	probes=build/tests/images
	ulimit -c 0
	ulimit -s 8192
	exec </dev/null
}

# refused PROGRAM NAME VALUE ARGUMENT...: ends with 64, says what it found where, prints nothing else
refused() {
	local program=$1 name=$2 value=$3
	shift 3
	run --separate-stderr "$program" "$@"
	echo "$program $*: status $status, stdout '$output', stderr '$stderr'"
	[ "$status" -eq 64 ]
	[ -z "$output" ]
	[[ $stderr == "$(basename "$program"): $name: found $value, wanted "?* ]]
}

# field NAME: the value that stands behind NAME in the output
field() {
	sed -n "s/^$1 //p" <<<"$output"
}

@test "hello prints its arguments as they are" {
	run --separate-stderr "$images/hello" one "two  words" "" --stderr aside -- --no-option
	[ "$status" -eq 0 ]
	[ "$stderr" = aside ]
	[ "$output" = "hello from ring 3
argv[1]: one
argv[2]: two  words
argv[3]: 
argv[4]: --stderr
argv[5]: aside
argv[6]: --
argv[7]: --no-option" ]
}

@test "hello prints the environment" {
	run env -i A=1 B="2 3" "$images/hello" --env
	[ "$status" -eq 0 ]
	[ "${lines[2]}" = "env: A=1" ]
	[ "${lines[3]}" = "env: B=2 3" ]
	[ "${#lines[@]}" -eq 4 ]
}

@test "hello ends with the status asked for" {
	local wanted
	for wanted in 0 1 64 124 126 128 255; do
		run "$images/hello" --status "$wanted"
		[ "$status" -eq "$wanted" ]
	done
}

@test "hello refuses bad arguments" {
	refused "$images/hello" --status "'256'" --status 256
	refused "$images/hello" --status "'-1'" --status -1
	refused "$images/hello" --status "'1x'" --status 1x
	refused "$images/hello" --status nothing --status
	refused "$images/hello" --stderr nothing --stderr
	refused "$images/hello" "unknown option" "'--colour'" --colour
}

@test "touch verifies every page in every order, and the checksum is that of the seed" {
	local order pages checksum
	for pages in 1 2 3 255 256 257; do
		checksum=
		for order in sequential reverse strided random; do
			run "$images/touch" $((pages * 4))K --order "$order" --seed 5
			[ "$status" -eq 0 ]
			[ "$(field order)" = "$order" ]
			[ "$(field pages)" -eq "$pages" ]
			[ "$(field verified)" -eq "$pages" ]
			[ "${checksum:=$(field checksum)}" = "$(field checksum)" ]
		done
	done
	run "$images/touch" 1028K --seed 6
	[ "$checksum" != "$(field checksum)" ]
}

@test "touch strides of every length visit every page" {
	local stride
	for stride in 1 2 7 64 99 100 101 4294967295; do
		run "$images/touch" 400K --order strided --stride "$stride"
		[ "$status" -eq 0 ]
		[ "$(field verified)" -eq 100 ]
	done
}

@test "touch refuses bad arguments" {
	refused "$images/touch" SIZE nothing
	refused "$images/touch" SIZE nothing --seed 1
	refused "$images/touch" SIZE "'0'" 0
	refused "$images/touch" SIZE "'5000'" 5000
	refused "$images/touch" SIZE "'4T'" 4T
	refused "$images/touch" SIZE "'4MM'" 4MM
	refused "$images/touch" SIZE "' 4M'" " 4M"
	refused "$images/touch" SIZE "'8589934592G'" 8589934592G
	refused "$images/touch" SIZE "'18446744073709551616'" 18446744073709551616
	refused "$images/touch" "unexpected argument" "'8M'" 4M 8M
	refused "$images/touch" "unknown option" "'--hold'" 4M --hold
	refused "$images/touch" --order "'up'" 4M --order up
	refused "$images/touch" --order nothing 4M --order
	refused "$images/touch" --seed "'18446744073709551616'" 4M --seed 18446744073709551616
	refused "$images/touch" --stride "'0'" 4M --order strided --stride 0
	refused "$images/touch" "--stride with --order" "'random'" 4M --order random --stride 8
}

@test "touch says when there is no such memory" {
	run --separate-stderr "$images/touch" 1073741824G
	[ "$status" -eq 1 ]
	[[ $stderr == "touch: mmap: "* ]]
}

@test "gups does as many updates as asked for" {
	run "$images/gups" 64K --updates 0
	[ "$(field words)" -eq 8192 ]
	[ "$(field updates)" -eq 0 ]
	local untouched
	untouched=$(field checksum)
	run "$images/gups" 64K --updates 1
	[ "$(field updates)" -eq 1 ]
	[ "$(field checksum)" != "$untouched" ]
}

@test "gups does four updates a word unless told, up to a limit" {
	run "$images/gups"
	[ "$(field words)" -eq 524288 ]
	[ "$(field updates)" -eq 2097152 ]
	local first
	first=$(field checksum)
	run "$images/gups" 4M --seed 2
	[ "$(field checksum)" != "$first" ]
	run "$images/gups" 64M
	[ "$(field updates)" -eq 16777216 ]
	run "$images/gups" 8
	[ "$(field words)" -eq 1 ]
}

@test "gups refuses bad arguments" {
	refused "$images/gups" SIZE "'12'" 12
	refused "$images/gups" SIZE "'lots'" lots
	refused "$images/gups" "unexpected argument" "'4M'" 4M 4M
	refused "$images/gups" "unknown option" "'--speed'" --speed
	refused "$images/gups" --updates "'-5'" --updates -5
	refused "$images/gups" --seed nothing --seed
}

@test "sort sorts any number of records" {
	local records
	for records in 1 2 3 4 5 509 510 1000; do
		run "$images/sort" "$records"
		[ "$status" -eq 0 ]
		[ "$(field records)" -eq "$records" ]
		[ "$(field renewed)" -eq $(((records + 3) / 4)) ]
		[ "$(field resized)" -eq $(((records + 2) / 4)) ]
		[[ $output == *"sorted and complete"* ]]
	done
	run "$images/sort" 1000 --seed 2
	local second
	second=$(field checksum)
	run "$images/sort" 1000 --seed 3
	[ "$(field checksum)" != "$second" ]
}

@test "sort refuses bad arguments" {
	refused "$images/sort" N "'0'" 0
	refused "$images/sort" N "'2K'" 2K
	refused "$images/sort" N "'100000001'" 100000001
	refused "$images/sort" "unexpected argument" "'2'" 1 2
	refused "$images/sort" "unknown option" "'-r'" -r
	refused "$images/sort" --seed "'x'" --seed x
}

@test "every check of each probe holds, every run prints the same" {
	local probe first
	for probe in memory syscalls edges processes signals signal_faults threads copies pipes; do
		run "$probes/$probe"
		echo "$output"
		[ "$status" -eq 0 ]
		[[ ${lines[-1]} == *" checks, 0 failed" ]]
		[[ $output != *FAIL* ]]
		first=$output
		run env A=1 "$probes/$probe"
		[ "$output" = "$first" ]
	done
}

@test "memory and syscalls: sections can be chosen" {
	run "$probes/syscalls" stack random
	[ "$status" -eq 0 ]
	[ "${lines[0]%%:*}" = "ok stack" ]
	[ "${lines[1]%%:*}" = "ok random" ]
	refused "$probes/syscalls" "unexpected argument" "'heap'" stack heap
	refused "$probes/memory" "unknown option" "'--abort'" --abort
}

@test "syscalls --abort ends by SIGABRT" {
	run "$probes/syscalls" --abort
	[ "$status" -eq 134 ]
}

@test "syscalls --spin goes on in silence" {
	run timeout 0.2 "$probes/syscalls" --spin
	[ "$status" -eq 124 ]
	[ -z "$output" ]
}

@test "syscalls --flood goes on writing" {
	run bash -c "timeout 5 $probes/syscalls --flood | head -n 100000 | wc -l"
	[ "$output" -eq 100000 ]
}

@test "syscalls --eat touches the memory and tells how far it is" {
	run --separate-stderr "$probes/syscalls" --eat 3M
	[ "$status" -eq 0 ]
	[ "$output" = "eaten 768 pages" ]
	[ "${stderr_lines[2]}" = "eaten 3 MiB" ]
	refused "$probes/syscalls" --eat "'1'" --eat 1
	refused "$probes/syscalls" --eat nothing --eat
}

@test "fault dies of what it lists" {
	local wanted kind count=0
	while read -r wanted kind; do
		run --separate-stderr "$probes/fault" "$kind" </dev/null
		echo "$kind: status $status, wanted $wanted"
		[ "$status" -eq "$wanted" ]
		[ "$output" = "fault: $kind" ]
		count=$((count + 1))
	done < <("$probes/fault" --list)
	[ "$count" -ge 21 ]
}

@test "fault refuses what it does not list" {
	refused "$probes/fault" KIND "'nothing'" nothing
	refused "$probes/fault" KIND nothing
}

@test "each case ends with its status" {
	local wanted program arguments count=0
	while read -r wanted program arguments; do
		[[ $wanted == "#"* ]] && continue
		# shellcheck disable=SC2086 # the arguments of a case are split at spaces
		run "build/$program" $arguments </dev/null
		echo "$program $arguments: status $status, wanted $wanted"
		[ "$status" -eq "$wanted" ]
		count=$((count + 1))
	done < <(cat tests/images/cases tests/images/cases_cpus)
	[ "$count" -ge 70 ]
}

@test "each fault is a case" {
	local wanted kind
	while read -r wanted kind; do
		grep -qx "$wanted tests/images/fault $kind" tests/images/cases
	done < <("$probes/fault" --list)
}

# A console block is commands, each behind "$ ", and what they print.
@test "what the READMEs show is what is printed" {
	local readme blocks=0 shown printed
	for readme in images/*/README.md tests/images/README.md; do
		shown=$(sed -n '/^```console$/,/^```$/{/^```/d;p}' "$readme")
		printed=$(grep '^\$ ' <<<"$shown" | while IFS= read -r line; do
			echo "$line"
			bash -c "${line#\$ }" 2>&1 || true
		done)
		diff <(echo "$shown") <(echo "$printed")
		blocks=$((blocks + 1))
	done
	[ "$blocks" -ge 5 ]
}
