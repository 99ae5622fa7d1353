#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# What the testbed promises to the tests that run in it. A boot costs seconds, so one boot answers
# as many questions as it can: setup_file makes the common one, and most tests only look at it.

bats_require_minimum_version 1.5.0

# shellcheck disable=SC1003,SC2016 # they are meant as they stand
ARGUMENTS=('two words' '' "it's \"quoted\"" '$HOME *' $'line\nbreak' -- --file '\')

# The common boot runs this there, with awkward arguments.
write_probe() {
	cat >"$1" <<'END'
#!/bin/sh
for argument in "$@"; do
	printf '<%s>\n' "$argument"
done
echo kvm=$(test -c /dev/kvm && echo yes)
echo userfaultfd=$(test -c /dev/userfaultfd && echo yes)
echo npt=$(cat /sys/module/kvm_amd/parameters/npt)
echo user=$(id -u)
echo stdin=$(wc -c)
echo sum=$(/files/sha256sum </files/blob)
echo image=$(image)
echo nested=$(nested-image)
echo stage=$(twostage --help | head -c 5)
echo paths=$(build/images/image)
echo reopened >/dev/stdout
echo to-stderr >&2
sleep 1000 &
exit 200
END
	chmod +x "$1"
}

# A build folder with a dynamically linked twostage and two images; the testbed is the real one.
make_build() {
	local build=$1 part
	mkdir -p "$build/images/folder" "$build/testbed"
	cp "$(command -v sort)" "$build/twostage"
	printf '#!/bin/sh\necho of-image\n' >"$build/images/image"
	printf '#!/bin/sh\necho of-nested\n' >"$build/images/folder/nested-image"
	chmod +x "$build/images/image" "$build/images/folder/nested-image"
	cp "$BED/run" "$build/testbed/run"
	for part in vmlinuz base.cpio; do
		ln -s "$BED/$part" "$build/testbed/$part"
	done
}

setup_file() {
	export BED DIR=$BATS_FILE_TMPDIR
	BED=$(realpath "${TESTBED:-$BATS_TEST_DIRNAME/../../build/testbed}")
	[[ -x $BED/run ]] || {
		echo "no $BED/run; fix: make testbed" >&2
		return 1
	}
	make_build "$DIR/build"
	write_probe "$DIR/probe"
	head -c 300000 /dev/urandom >"$DIR/blob"
	local status=0
	"$DIR/build/testbed/run" --timeout 60 --file "$DIR/probe" --file "$DIR/blob" \
		--file "$(command -v sha256sum)" -- /files/probe "${ARGUMENTS[@]}" \
		</etc/passwd >"$DIR/out" 2>"$DIR/err" || status=$?
	echo "$status" >"$DIR/status"
}

# The common boot's stdout has LINE.
has() {
	grep -Fqx -- "$1" "$DIR/out" || {
		echo "no line '$1' in:"
		cat "$DIR/out" "$DIR/err"
		return 1
	}
}

bed() {
	"$BED/run" --timeout 60 "$@"
}

@test "an exit status above 127 is passed through" {
	[[ $(<"$DIR/status") == 200 ]]
}

@test "stdout and stderr arrive apart" {
	[[ $(<"$DIR/err") == to-stderr ]]
	run ! grep -q to-stderr "$DIR/out"
}

@test "arguments arrive unaltered" {
	printf '<%s>\n' "${ARGUMENTS[@]}" >"$DIR/want"
	head -n "$(wc -l <"$DIR/want")" "$DIR/out" | cmp - "$DIR/want"
}

@test "/dev/kvm is there, with nested paging, and so is /dev/userfaultfd" {
	has kvm=yes
	has npt=Y || has npt=1
	has userfaultfd=yes
	has user=0
}

@test "stdin is empty" {
	has stdin=0
}

@test "files are in /files, with the libraries of programs" {
	local sum
	read -r sum _ < <(sha256sum "$DIR/blob")
	has "sum=$sum -"
}

@test "twostage and images are on PATH, and at build/ as here" {
	has image=of-image
	has nested=of-nested
	has paths=of-image
	has stage=Usage
}

@test "/dev/stdout can be opened" {
	has reopened
}

@test "output is binary clean: every byte value, and 1 MiB in little time" {
	head -c 1048576 /dev/urandom >"$DIR/mebibyte"
	printf '%b' "$(printf '\\x%02x' {0..255})" >"$DIR/bytes"
	[[ $(wc -c <"$DIR/bytes") == 256 ]]
	bed --file "$DIR/mebibyte" --file "$DIR/bytes" -- \
		sh -c 'cat /files/mebibyte; cat /files/bytes >&2' >"$DIR/out1" 2>"$DIR/out2"
	cmp "$DIR/out1" "$DIR/mebibyte"
	cmp "$DIR/out2" "$DIR/bytes"
}

@test "a command that a signal kills gives 128 plus the signal" {
	run -137 bed -- sh -c 'kill -KILL $$'
}

@test "a command that does not exist gives 127 and its name" {
	run -127 bed -- no-such-command
	[[ $output == *no-such-command* ]]
}

@test "runs at the same time, from another folder, do not disturb each other" {
	cd /
	bed --memory 256M -- sh -c 'free -m | sed -n 2p; exit 7' >"$DIR/first" &
	local first=$! status=0
	bed -- echo second >"$DIR/second"
	wait "$first" || status=$?
	[[ $status == 7 ]]
	[[ $(<"$DIR/second") == second ]]
	local total
	read -r _ total _ <"$DIR/first"
	((total > 128 && total < 256))
}

@test "the time limit gives 124, what was printed until then, and leaves nothing behind" {
	mkdir "$DIR/tmp"
	TMPDIR=$DIR/tmp run -124 --separate-stderr \
		"$BED/run" --timeout 8 -- sh -c 'echo before; sleep 1000'
	[[ $output == before ]]
	# shellcheck disable=SC2154 # bats sets it
	[[ $stderr == *"--timeout"* ]]
	[[ -z $(ls -A "$DIR/tmp") ]]
}

@test "a panic of the machine gives 70 and the end of its kernel's log" {
	run -70 --separate-stderr bed -- sh -c 'echo c >/proc/sysrq-trigger'
	[[ $stderr == *"Kernel panic"* ]]
}

@test "a QEMU that fails gives 70 and its message" {
	run -70 --separate-stderr bed --memory 9999999G -- true
	[[ $stderr == *qemu-system-x86_64:* ]]
}

@test "output that nobody takes ends the machine" {
	bed -- yes 2>"$DIR/yes" | head -n 1 >"$DIR/head"
	[[ ${PIPESTATUS[0]} == 141 ]]
	[[ $(<"$DIR/head") == y && ! -s $DIR/yes ]]
}

@test "a SIGTERM ends the machine and leaves nothing behind" {
	mkdir "$DIR/tmp2"
	TMPDIR=$DIR/tmp2 "$BED/run" --timeout 60 -- sleep 1000 &
	local run=$! status=0
	sleep 1
	kill "$run"
	wait "$run" || status=$?
	[[ $status == 143 ]]
	[[ -z $(ls -A "$DIR/tmp2") ]]
	[[ -z $(pgrep -f "$DIR/tmp2") ]]
}

# Each line: what the message must name, then the arguments.
@test "bad usage gives 64 and names what is wrong" {
	local line words
	while read -r line; do
		read -ra words <<<"$line"
		run -64 "$BED/run" "${words[@]:1}"
		[[ $output == *"${words[0]}"* ]] || {
			echo "$line: $output"
			return 1
		}
	done <<-'END'
		COMMAND
		COMMAND --
		--nonsense --nonsense -- true
		--memory --memory
		--memory --memory -- true
		--memory --memory 12Q -- true
		--memory --memory 1M -- true
		--timeout --timeout 0 -- true
		--timeout --timeout 1.5 -- true
		--file --file
		true true
		base --file /bin/sh --file /usr/bin/sh -- true
	END
}

@test "a file that cannot be read gives 66 and its name" {
	run -66 "$BED/run" --file /no/such/file -- true
	[[ $output == *"--file: '/no/such/file'"* ]]
}

@test "a testbed that is not assembled gives 69 and the fix" {
	mkdir "$DIR/empty"
	cp "$BED/run" "$DIR/empty/run"
	run -69 "$DIR/empty/run" -- true
	[[ $output == *"make testbed"* ]]
}

@test "--help tells the usage" {
	run -0 "$BED/run" --help
	[[ $output == usage:* ]]
}

@test "building again does nothing" {
	local before after
	before=$(find "$BED" -type f ! -name 'kernel.log*' -printf '%p %T@\n' | sort)
	run -0 "$BATS_TEST_DIRNAME/build.sh" "$BED"
	[[ -z $output ]]
	after=$(find "$BED" -type f ! -name 'kernel.log*' -printf '%p %T@\n' | sort)
	[[ $before == "$after" ]]
}
