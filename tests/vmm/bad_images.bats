#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Every bad image is refused by `inspect` and by `run`, with its status and a message that names the
# field: all files that build/tests/bad_images writes, one test for each command.

# shellcheck disable=SC2154 # bats sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	mkdir "$BATS_FILE_TMPDIR/bad"
	build/tests/bad_images "$BATS_FILE_TMPDIR/bad"
}

# refused_by COMMAND...: each line of the index holds
refused_by() {
	local name status_wanted field count=0
	while read -r name status_wanted field; do
		run --separate-stderr timeout 20 build/twostage "$@" "$BATS_FILE_TMPDIR/bad/$name"
		echo "$name: status $status, wanted $status_wanted naming $field: $stderr"
		[ "$status" -eq "$status_wanted" ]
		grep -qF "$field" <<<"$stderr"
		grep -qF "found" <<<"$stderr"
		grep -qF "wanted" <<<"$stderr"
		count=$((count + 1))
	done <"$BATS_FILE_TMPDIR/bad/index"
	[ "$count" -gt 50 ]
}

@test "inspect refuses every bad image, with field, value found and value wanted" {
	refused_by inspect
}

@test "run refuses every bad image, with field, value found and value wanted" {
	refused_by run
}
