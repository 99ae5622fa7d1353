#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# lint.sh CLANG HOST_FLAGS GUEST_FLAGS: what no test run sees. Prints TAP: warnings under clang (the
# build is gcc's), formatting, who includes whom, the length of files.

set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

clang=$1
host_flags=$2
guest_flags=$3
number=0
failures=0

# verdict NAME PROBLEMS: one line of TAP
verdict() {
	number=$((number + 1))
	if [ -z "$2" ]; then
		echo "ok $number $1"
	else
		failures=1
		echo "not ok $number $1"
		echo "# ${2//$'\n'/$'\n'# }"
	fi
}

# files DIRECTORY PATTERN...: the files below it with such names, but for what is built
files() {
	local directory=$1 pattern names=()
	shift
	for pattern in "$@"; do
		names+=(-o -name "$pattern")
	done
	find "$directory" -path ./build -prune -o -type f \( "${names[@]:1}" \) -print | sort
}

# includes ROOM PATTERN: files of the room that include what does not match
includes() {
	grep -nE '^#include "' "$1"/*.[chS] | grep -vE "#include \"($2)/"
}

mapfile -t sources < <(files . '*.c' '*.cc' '*.h')
mapfile -t host < <(for room in hpt ept vmm bench tests images; do files $room '*.c'; done)
mapfile -t guest < <(for room in guest hpt; do files $room '*.c'; done)
mapfile -t others < <(files . '*.S' '*.lds' '*.sh' '*.bats' Makefile)
mapfile -t scripts < <(files . '*.sh')

# shellcheck disable=SC2086 # flags are words
verdict "clang finds nothing in the host's code" \
	"$("$clang" -fsyntax-only -I. $host_flags "${host[@]}" 2>&1)"
# shellcheck disable=SC2086
verdict "clang finds nothing in the guest's code" \
	"$("$clang" -fsyntax-only -I. $guest_flags "${guest[@]}" 2>&1)"
verdict "everything is formatted" "$(clang-format --dry-run -Werror "${sources[@]}" 2>&1 | grep error)"
verdict "hpt includes hpt" "$(includes hpt hpt)"
verdict "ept includes hpt and ept" "$(includes ept 'hpt|ept')"
verdict "guest includes hpt and guest" "$(includes guest 'hpt|guest')"
verdict "vmm includes hpt, ept, vmm and guest/abi.h" "$(includes vmm 'hpt|ept|vmm' |
	grep -v -e '"guest/abi.h"' -e '^vmm/main.c:[0-9]*:#include "bench/commands.h"')"
verdict "no header of KVM in ept" "$(grep -n 'linux/kvm' ept/*.[ch])"
verdict "no file has more than 500 lines" \
	"$(wc -l "${sources[@]}" | awk '$2 != "total" && $1 > 500')"
verdict "every source names its licence" "$(grep -L 'SPDX-License-Identifier: MIT' "${sources[@]}" \
	"${others[@]}")"
if command -v shellcheck >/dev/null; then
	verdict "shellcheck finds nothing" "$(shellcheck -x "${scripts[@]}" .ci/run 2>&1)"
else
	number=$((number + 1))
	echo "ok $number shellcheck finds nothing # SKIP shellcheck is not installed"
fi
echo "1..$number"
exit $failures
