#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Guests with an initial archive, and pipelines of a shell from one:
#
#     archive.sh [LABEL OPTION...]
#
# The options are those of `twostage run`. Prints TAP. Plain sh, since it runs in the testbed as well,
# where the programs stand in /files. A run may take CASE_SECONDS, 120 unless told.
set -u

label=${1:-default}
[ $# -eq 0 ] || shift
OPTIONS=$*
seconds=${CASE_SECONDS:-120}
here=$(dirname "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
number=0
failed=0
programs=build/tests/images
[ -d $programs ] || programs=/files
programs=$(cd $programs && pwd)
busybox=/bin/busybox
[ -x $busybox ] || busybox=/usr/bin/busybox

# guest ARCHIVE PROGRAM ARG...: output, errors and status are in $work
guest() {
	archive=$1
	image=$2
	shift 2
	# shellcheck disable=SC2086 # options are words
	twostage run --timeout "$seconds" $OPTIONS --initrd "$archive" "$image" -- "$@" \
		>"$work/guest" 2>"$work/error" </dev/null
	status=$?
}

# verdict WHAT WHY: WHY is empty where all is well
verdict() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number $label: $1"
		return
	fi
	failed=1
	echo "not ok $number $label: $1: $2"
	diff "$work/wanted" "$work/guest" | head -n 10 | sed 's/^/# /'
	head -n 8 "$work/error" | sed 's/^/# /'
}

# same WHAT STATUS: the guest has printed what is in $work/wanted, and ended so
same() {
	if [ "$status" -ne "$2" ]; then
		verdict "$1" "status $status, wanted $2"
	elif ! cmp -s "$work/wanted" "$work/guest"; then
		verdict "$1" "stdout differs"
	else
		verdict "$1" ""
	fi
}

# both PROGRAM SECTION...: natively in the tree, and in the guest with its archive
both() {
	program=$1
	shift
	(cd "$work/tree" && exec "$programs/$program" "$@") >"$work/wanted" 2>/dev/null </dev/null
	native=$?
	guest "$work/tree.cpio" "$programs/$program" "$@"
	if [ "$native" -ne 0 ]; then
		verdict "$program $*" "natively status $native: $(grep FAIL "$work/wanted" | head -n 1)"
	else
		same "$program $*" 0
	fi
}

# shell STATUS WHAT SCRIPT: what busybox prints and ends with; what is wanted is on stdin
shell() {
	cat >"$work/wanted"
	guest "$work/shell.cpio" "$busybox" sh -c "$3"
	same "$2" "$1"
}

make_shell() {
	mkdir -p "$work/shell/bin" "$work/shell/etc"
	cp "$busybox" "$work/shell/bin/busybox"
	for applet in sh cat wc ls grep sort head tr seq sleep true false env; do
		ln -s busybox "$work/shell/bin/$applet"
	done
	echo 'welcome' >"$work/shell/etc/motd"
	# shellcheck disable=SC2016 # for the guest's shell
	printf '#!/bin/sh\necho "script $0 $*"\nexit 9\n' >"$work/shell/bin/script"
	chmod 755 "$work/shell/bin/script"
	(cd "$work/shell" && find . | cpio -o -H newc 2>/dev/null) >"$work/shell.cpio"
}

# damaged WHAT MESSAGE: $work/bad.cpio is refused so
damaged() {
	guest "$work/bad.cpio" "$programs/pipes" order
	if [ "$status" -ne 126 ]; then
		verdict "an archive with $1" "status $status, wanted 126"
	elif ! grep -qF "twostage guest: archive: $2" "$work/error"; then
		verdict "an archive with $1" "the message is another, wanted: archive: $2"
	else
		verdict "an archive with $1" ""
	fi
}

# patched OFFSET BYTES: the archive of one file with other bytes there
patched() {
	cp "$work/small.cpio" "$work/bad.cpio"
	printf '%s' "$2" | dd of="$work/bad.cpio" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

sh "$here/tree.sh" "$work/tree" "$work/tree.cpio" "$programs/execute" || exit 1
make_shell
: >"$work/wanted"

both files
both execute arguments failures state script
both execute vfork threads again wild

# shellcheck disable=SC2016 # for the guest's shell
{
	shell 7 "a pipeline, a loop, a list, a status" \
		'echo a | cat | wc -c; for i in 1 2 3; do echo $i; done; ls /; exit 7' <<-'END'
		2
		1
		2
		3
		bin
		dev
		etc
	END
	shell 0 "substitution, redirection, status" \
		'cd /etc; x=$(cat < motd); echo "$x $(pwd)"; /bin/script one two; echo $?; (exit 3); echo $?; cat none 2>/dev/null; echo $?' <<-'END'
		welcome /etc
		script /bin/script one two
		9
		3
		1
	END
	shell 0 "nothing can be written" \
		'(echo x >/etc/motd) 2>&1; (echo x >/new) 2>&1; echo x >/dev/null; echo $?' <<-'END'
		sh: can't create /etc/motd: Read-only file system
		sh: can't create /new: Read-only file system
		0
	END
	shell 0 "what is not there, and what ends early" \
		'nothing 2>&1; echo $?; seq 1 20000 | head -n 2; A=b env | grep ^A' <<-'END'
		sh: nothing: not found
		127
		1
		2
		A=b
	END
}

(cd "$work/tree/data" && echo one | cpio -o -H newc 2>/dev/null) >"$work/small.cpio"
patched 0 BZh9
damaged "another magic" "entry 1: magic: found bytes 42 5a 68 39 at offset 0"
patched 14 xyz
damaged "a mode that is no number" "entry 1: mode: found 'xyz"
patched 94 00000000
damaged "no name" "entry 1: namesize: found 0, wanted 1 to 4096"
patched 94 00000003
damaged "a name without an end" "entry 1: name: found no zero at its end"
patched 54 7fffffff
damaged "a file that is too long" "entry 1: filesize: found 2147483647 bytes at offset 116"
patched 14 0000C1FF
damaged "a socket" "entry 1: mode: found c1ff, wanted a directory"
patched 110 ..
dd if=/dev/zero of="$work/bad.cpio" bs=1 seek=112 count=1 conv=notrunc 2>/dev/null
damaged "a way out of it" "entry 1: name: found '..' in it"
head -c 100 "$work/small.cpio" >"$work/bad.cpio"
damaged "a cut header" "entry 1: header: found 110 bytes at offset 0"
head -c 200 "$work/small.cpio" >"$work/bad.cpio"
damaged "no trailer" "entry 2: "
echo "1..$number"
exit $failed
