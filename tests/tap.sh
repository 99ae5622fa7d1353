# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Running suites that print TAP, and counting what they printed. To be sourced; the caller stands in
# the project's root.

results=build/check
passed=0
failed=0
skipped=0

# suite NAME SECONDS COMMAND...: runs one suite. Its TAP is its stdout; a suite that ends early, runs
# out of time or fails without saying which test did counts as one more failure.
suite() {
	local name=$1 limit=$2 status=0 start=$SECONDS
	shift 2
	timeout -k 10 "$limit" "$@" >"$results/$name.tap" 2>"$results/$name.log" </dev/null || status=$?
	count "$name" "$status" $((SECONDS - start))
}

# beside NAME SECONDS COMMAND...: the same, while the suites that follow run; await() counts it.
besides=()
beside() {
	local name=$1 limit=$2
	shift 2
	(
		status=0 start=$SECONDS
		timeout -k 10 "$limit" "$@" >"$results/$name.tap" 2>"$results/$name.log" </dev/null ||
			status=$?
		echo "$status $((SECONDS - start))" >"$results/$name.end"
	) &
	besides+=("$name")
}

await() {
	local name status took
	wait
	for name in "${besides[@]}"; do
		read -r status took <"$results/$name.end"
		count "$name" "$status" "$took"
	done
	besides=()
}

# sanitized_suites: the unit tests of each room, from `make sanitized`. Leaks are not looked for: a
# test's process ends without the sanitizer's check for them (the tests themselves count what
# comes back). With --tap Criterion drops what the process says, and with it the report.
sanitized_suites() {
	local room
	export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1
	for room in hpt ept vmm bench; do
		suite "sanitized-$room" 1800 "build/sanitized/tests/$room" --output=tap:/dev/stdout --jobs 2
	done
	unset ASAN_OPTIONS UBSAN_OPTIONS
}

# skip_suite NAME REASON: a suite that cannot run here.
skip_suite() {
	echo "ok 1 $1 # SKIP $2" >"$results/$1.tap"
	: >"$results/$1.log"
	count "$1" 0 0
}

count() {
	local name=$1 status=$2 took=$3 file=$results/$1.tap good bad skip
	skip=$(grep -icE '^ok .*# *skip|^1\.\.0 *# *skip' "$file" || true)
	good=$(($(grep -cE '^ok\b' "$file" || true) - $(grep -icE '^ok .*# *skip' "$file" || true)))
	bad=$(grep -cE '^not ok\b' "$file" || true)
	if [ "$bad" -eq 0 ] && { [ "$status" -ne 0 ] || [ $((good + skip)) -eq 0 ]; }; then
		bad=1
		echo "not ok - $name ended with status $status" >>"$file"
	fi
	printf '%-18s %5d passed %3d failed %3d skipped %4d s\n' "$name" "$good" "$bad" "$skip" "$took"
	if [ "$bad" -gt 0 ]; then
		grep -E -A 12 '^not ok' "$file" | head -n 60 | sed 's/^/    /'
		tail -n 20 "$results/$name.log" | sed 's/^/    | /'
	fi
	grep -ihoE '# *skip.*' "$file" | sort | uniq -c | sed 's/^/    /' || true
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + skip))
}

# The closing line, and the status of the whole.
finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

# Whether this machine's /dev/kvm runs guests for us.
have_kvm() {
	[ -w /dev/kvm ] && build/twostage run --timeout 20 build/images/hello >/dev/null 2>&1
}
