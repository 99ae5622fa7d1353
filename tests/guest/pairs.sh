#!/bin/sh
# SPDX-License-Identifier: MIT
#
#     pairs.sh PAIRS WINDOWS
#
# Runs the cases (cases.sh) of the file PAIRS at each pair of radix and clustered, and with each other
# organisation at both stages; those of WINDOWS with windows of 64 and 16 pages, and with the table in
# a slab. Prints TAP.
set -u

here=$(dirname "$0")
failed=0

run() {
	"$here/cases.sh" "$@" || failed=1
}

pairs=$1
windows=$2
for guest in radix clustered; do
	for host in radix clustered; do
		run "$pairs" "$guest-over-$host" --guest-table $guest --host-table $host
	done
	run "$windows" "$guest-window-64" --guest-table $guest --window 64
	run "$windows" "$guest-window-16" --guest-table $guest --window 16
done
for both in chained open bucket cuckoo adaptive; do
	run "$pairs" "$both-over-$both" --guest-table $both --host-table $both
done
run "$windows" "slab" --table-slab --window 64 --mem 64M
exit $failed
