#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# `twostage measure` as a user meets it: rows, files, and every refusal with its status.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || exit 1
	twostage=build/twostage
	small=(--footprint 64M --workload uniform)
}

# refused STATUS TEXT ARG...: the command ends so and says so
refused() {
	local status_wanted=$1 text=$2
	shift 2
	run timeout 60 $twostage measure "$@"
	[ "$status" -eq "$status_wanted" ]
	[[ $output == *"$text"* ]]
}

@test "counts are 24, 2 and 1, and nothing is wrong" {
	run --separate-stderr timeout 60 $twostage measure "${small[@]}" --form RR,HHp,SHD --json -
	[ "$status" -eq 0 ]
	[ "$(jq -c '[.rows[] | [.form, .refs, .steps, .model.refs, .wrong]]' <<<"$output")" = \
		'[["RR",24,24,24,0],["HHp",2,2,2,0],["SHD",1,1,1,0]]' ]
	[ "$(jq -c '[.command, .wrong, .config.workloads, .config.footprints]' <<<"$output")" = \
		'["measure",0,["uniform"],[67108864]]' ]
	[ "$(jq '.rows[] | select(.form == "SHD") | .ref2_ns' <<<"$output")" = null ]
	[ "$(jq '[.rows[].latency_ns.p50 > 0] | all' <<<"$output")" = true ]
}

@test "every form over every organisation that is asked for is a row" {
	run --separate-stderr timeout 120 $twostage measure "${small[@]}" --form RR,RH,HR,HH \
		--guest-table open,cuckoo --host-table bucket,adaptive --json -
	[ "$status" -eq 0 ]
	[ "$(jq -c '[.rows[] | .form] | group_by(.) | map([.[0], length])' <<<"$output")" = \
		'[["HH",4],["HR",2],["RH",2],["RR",1]]' ]
}

@test "modelled caches take references away, and each can be left out" {
	refs() {
		timeout 60 $twostage measure --footprint 64M --workload sequential --form RR --json - \
			--caches zen4 "$@" | jq '.rows[0].modelled_refs'
	}
	with=$(refs)
	without=$(refs --without guest-walk)
	[ "$(jq -n "$with < 24 and $with < $without")" = true ]
}

@test "CSV has as many fields as its heading, and slots of radix are 24" {
	directory=$(mktemp -d)
	run timeout 60 $twostage measure "${small[@]}" --form RR,HH --csv "$directory/rows.csv" \
		--slots "$directory/slots.csv"
	[ "$status" -eq 0 ]
	[ "$(awk -F, '{print NF}' "$directory/rows.csv" | sort -u | wc -l)" -eq 1 ]
	[ "$(wc -l <"$directory/rows.csv")" -eq 3 ]
	[ "$(grep -c ',RR,' "$directory/slots.csv")" -eq 24 ]
	[ "$(grep -c ',HH,' "$directory/slots.csv")" -eq 3 ]
	rm -r "$directory"
}

@test "the chart has the limits" {
	directory=$(mktemp -d)
	run timeout 60 $twostage measure "${small[@]}" --form RR,SHD --plot "$directory/a chart.svg"
	[ "$status" -eq 0 ]
	grep -q '<svg' "$directory/a chart.svg"
	grep -q 'ref1' "$directory/a chart.svg"
	grep -q 'ref2' "$directory/a chart.svg"
	rm -r "$directory"
}

@test "values that cannot be are refused by name" {
	refused 64 '--form: found "XX", wanted one or more of RR, RRP, RH, HR, HH, HHp, HHs, SHD' \
		--form RR,XX
	refused 64 '--workload: found "", wanted one or more of uniform' --workload uniform,
	refused 64 '--guest-table: found "btree", wanted one or more of radix' --guest-table btree
	refused 64 '--footprint: found "1M", wanted a size from 64M to 512G' --footprint 1M
	refused 64 '--footprint: found "1T", wanted SIZE' --footprint 1G,1T
	refused 64 '--pages: found "1g", wanted 4k, 2m or mixed' --pages 1g
	refused 64 '--host-pages: found "", wanted 4k, 2m or mixed' --host-pages ''
	refused 64 '--frames: found "identity", wanted scattered or runs' --frames identity
	refused 64 '--caches: found "zen5", wanted none, zen4 or skylake' --caches zen5
	refused 64 '--without: found "tlb", wanted one of' --without tlb
	refused 64 '--load: found "0", wanted a number from 0.01 to 1' --load 0
	refused 64 '--load: found "nan", wanted a number from 0.01 to 1' --load nan
	refused 64 '--seed: found "-1", wanted a whole number' --seed -1
	refused 64 'found "image", wanted no argument' image
	refused 64 'unrecognized option' --unknown
}

@test "files that cannot be written end it before anything is measured" {
	for option in --json --csv --slots; do
		refused 66 '/nowhere/file' $option /nowhere/file
	done
}

@test "pages of 2 MiB that a workload cannot have are named" {
	run timeout 60 $twostage measure --footprint 64M --workload sparse --pages 2m --form HH
	[ "$status" -eq 0 ]
	[[ $output == *"sparse 64M"*"left out"* ]]
}

@test "help says what the columns mean" {
	run $twostage measure --help
	[ "$status" -eq 0 ]
	[[ $output == *"--footprint"* ]]
	[[ $output == *"ref1"* ]]
}
