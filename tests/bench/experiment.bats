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
	run --separate-stderr timeout 60 $twostage experiment softtlb --json "$directory/a.json" \
		--plot "$directory/charts"
	[ "$status" -eq 0 ]
	[[ $output == *question*model*claim*holds* ]]
	jq -e '.experiments[0].name == "softtlb"' "$directory/a.json"
	grep -q '<svg' "$directory/charts/softtlb.svg"
	grep -q '5 slots' "$directory/charts/softtlb.svg"
}

@test "counts are the same in each run" {
	for i in 1 2; do
		timeout 60 $twostage experiment softtlb --json - |
			jq 'del(.experiments[].seconds) | .experiments' >"$directory/$i"
	done
	cmp "$directory/1" "$directory/2"
}

@test "names that cannot be are refused" {
	refused 64 'found "nothing", wanted list, all, or one or more of softtlb' softtlb nothing
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
	PATH=$directory run /usr/bin/timeout 60 "$program" experiment softtlb --plot "$directory"
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
