#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `twostage experiment` as a user meets it: the list, results, files, and every refusal with its
# status.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	twostage=build/twostage
	directory=$(mktemp -d)
}

teardown() {
	rm -r "$directory"
}

# refused STATUS TEXT ARG...: the command ends so and says so
refused() {
	local status_wanted=$1 text=$2
	shift 2
	run timeout 60 $twostage experiment "$@"
	[ "$status" -eq "$status_wanted" ]
	[[ $output == *"$text"* ]]
}

@test "the list has names and questions" {
	run --separate-stderr timeout 10 $twostage experiment list
	[ "$status" -eq 0 ]
	[[ $output == *softtlb*"second level of a TLB"* ]]
	run --separate-stderr timeout 10 $twostage experiment list --json -
	[ "$(jq -c '[.command, (.experiments[0] | keys)]' <<<"$output")" = \
		'["experiment",["name","question","theory"]]' ]
}

@test "a result has model, measurement and residual, and holds where all of its claims do" {
	run --separate-stderr timeout 60 $twostage experiment softtlb --json -
	[ "$status" -eq 0 ]
	[ "$(jq -c '.experiments[0] | [.name, (.question | length > 0), (.theory | length > 0)]' \
		<<<"$output")" = '["softtlb",true,true]' ]
	jq -e '.experiments[0] | .residual == .measured / .model - 1' <<<"$output"
	jq -e '.experiments[0] | .holds == ([.claims[].holds] | all)' <<<"$output"
	jq -e '.experiments[0] | [.claims[] | .residual == .measured / .model - 1] | all' <<<"$output"
	jq -e '[.experiments[0].charts[].series[].points[] | length == 2] | all' <<<"$output"
	[ "$(jq -c '.config.experiments' <<<"$output")" = '["softtlb"]' ]
}

@test "text, JSON and chart come of one run" {
	run --separate-stderr timeout 60 $twostage experiment sealed --json "$directory/a.json" \
		--plot "$directory/charts"
	[ "$status" -eq 0 ]
	[[ $output == *question*model*claim*holds* ]]
	jq -e '.experiments[0].name == "sealed"' "$directory/a.json"
	grep -q '<svg' "$directory/charts/sealed.svg"
	grep -q 'pads of places' "$directory/charts/sealed.svg"
}

# counted FILE: the experiments in it of which something that is counted, and was measured, fails
counted() {
	jq -r '.experiments[] | select([.claims[] | select((.timed or has("missing")) | not) | .holds] |
		all | not) | .name' "$1"
}

@test "all experiments have claims that are counted, which hold, and charts" {
	run --separate-stderr timeout 280 $twostage experiment all --json "$directory/all.json" \
		--plot "$directory"
	[ "$status" -eq 0 ]
	[ "$(counted "$directory/all.json")" = "" ]
	names=$(timeout 10 $twostage experiment list --json - | jq -r '.experiments[].name')
	[ "$(jq -r '.experiments[].name' "$directory/all.json")" = "$names" ]
	for name in $names; do
		jq -e --arg name "$name" '.experiments[] | select(.name == $name) |
			[.claims[] | select(.timed | not)] | length > 0' "$directory/all.json"
		grep -q '<svg' "$directory/$name.svg"
	done
	if [ "$(timeout 30 $twostage info --json - | jq -r .host.kind)" != none ]; then
		[ "$(jq '[.experiments[].claims[] | select(has("missing"))] | length' \
			"$directory/all.json")" -eq 0 ]
		[ "$(jq '[.experiments[].claims[] | select(.claim | startswith("live"))] | length' \
			"$directory/all.json")" -ge 10 ]
	fi
}

@test "a guest that cannot be had is a claim that was not measured, with the reason" {
	unshare --mount true 2>/dev/null || skip "no mount namespaces here"
	[ -e /dev/kvm ] || skip "/dev/kvm is missing anyway"
	run --separate-stderr timeout 60 unshare --mount sh -c \
		'mount --bind /dev/null /dev/kvm && exec "$0" experiment flood --json "$1"' \
		$twostage "$directory/json"
	[ "$status" -eq 0 ]
	[ "$(counted "$directory/json")" = "" ]
	[[ $output == *"not measured: "*kvm* ]]
	[ "$(jq -c '.experiments[0] | [.holds, ([.claims[] | select(has("missing")) | .holds] |
		unique)]' "$directory/json")" = '[false,[false]]' ]
}

@test "counts are the same in each run" {
	for i in 1 2; do
		timeout 60 $twostage experiment shared --json - |
			jq 'del(.experiments[].seconds) | .experiments' >"$directory/$i"
	done
	cmp "$directory/1" "$directory/2"
}

@test "names that cannot be are refused" {
	refused 64 'found "nothing", wanted list, all, or one or more of nonresident, fork' softtlb nothing
	refused 64 'found no argument, wanted list, all, or names'
	refused 64 'found "softtlb" as well, wanted either list, or all, or names' list softtlb
	refused 64 'found "all" as well' softtlb all
	refused 64 'unrecognized option' softtlb --csv x
	refused 64 '--plot: found it beside list' list --plot "$directory"
}

@test "files that cannot be written end it before anything is run" {
	refused 66 '--json: /nowhere/file: cannot open' all --json /nowhere/file
	refused 66 '--plot: /nowhere/charts: cannot make' all --plot /nowhere/charts
	refused 66 'which is a file, wanted a directory' all --plot Makefile
}

@test "a chart without gnuplot is refused with the fix" {
	path=$PATH
	program=$PWD/$twostage
	PATH=$directory run /usr/bin/timeout 60 "$program" experiment sealed --plot "$directory"
	PATH=$path
	[ "$status" -eq 69 ]
	[[ $output == *"gnuplot is missing; fix: apt-get install gnuplot-nox"* ]]
}

@test "help says what a residual is" {
	run $twostage experiment --help
	[ "$status" -eq 0 ]
	[[ $output == *"--plot"* ]]
	[[ $output == *"residual"* ]]
}
