#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Runs the cases of CASES (cases.sh) at each pair of organisations, and with windows of 64 and 16
# pages. Prints TAP.
set -u

here=$(dirname "$0")
failed=0

run() {
	"$here/cases.sh" "$cases" "$@" || failed=1
}

cases=$1
for guest in radix clustered; do
	for host in radix clustered; do
		run "$guest-over-$host" --guest-table $guest --host-table $host
	done
	run "$guest-window-64" --guest-table $guest --window 64
	run "$guest-window-16" --guest-table $guest --window 16
done
exit $failed
