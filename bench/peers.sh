#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# peers.sh cflags|libs CC CXX: the flags for those of bench/peer*.c* that are installed: a macro
# PEER_NAME for each, where its headers are, what it is linked with. A peer is installed if a
# program that includes its header compiles and links.

set -uo pipefail

what=$1
cc=$2
cxx=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# flags OF PACKAGE: what pkg-config says; headers of others are not ours to warn about
flags() {
	pkg-config "--$1" "$2" 2>/dev/null | sed 's/-I/-isystem /g'
}

# peer NAME COMPILER SUFFIX HEADER CFLAGS LIBS
peer() {
	echo "#include <$4>
int main(void) { return 0; }" >"$work/main.$3"
	# shellcheck disable=SC2086 # flags are words
	"$2" $5 "$work/main.$3" -o "$work/main" $6 2>/dev/null || return
	case $what in
	cflags) echo "-DPEER_$1 $5" ;;
	libs) echo "$6" ;;
	esac
}

peer KHASH "$cc" c htslib/khash.h '' ''
peer GLIB "$cc" c glib.h "$(flags cflags glib-2.0)" "$(flags libs glib-2.0)"
peer RCULFHASH "$cc" c urcu/rculfhash.h '' '-lurcu-qsbr -lurcu-cds'
peer JUDY "$cc" c Judy.h '' '-lJudy'
peer ABSL "$cxx" cc absl/container/flat_hash_map.h "$(flags cflags absl_flat_hash_map)" \
	"$(flags libs absl_flat_hash_map)"
peer ROBIN_MAP "$cxx" cc tsl/robin_map.h '' ''
peer CXX "$cxx" cc unordered_map '' '-lstdc++'

# One that is missing is no failure.
exit 0
