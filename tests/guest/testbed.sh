#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs inside the testbed, in one boot: the cases, the pairs, the agreement of both stages, walks of
# both tables beside the machine, less host memory than the guest touches, less RAM than
# programs touch, snapshots, several CPUs.
# Prints TAP.
set -u
cd /files || exit 1

sh cases.sh cases testbed
sh cases.sh cases_cpus testbed-cpus-2 --cpus 2
for guest in radix clustered; do
	for host in radix clustered; do
		sh cases.sh pairs "testbed-$guest-over-$host" --guest-table $guest --host-table $host
	done
	sh cases.sh windows "testbed-$guest-window-16" --guest-table $guest --window 16
done
for both in chained open bucket cuckoo adaptive; do
	sh cases.sh pairs "testbed-$both-over-$both" --guest-table $both --host-table $both
done
./agree /build/images/touch 8M
./agree /build/images/touch 8M 64
sh walk_check.sh /build/images/touch testbed
sh pressure.sh /build/images testbed
sh swap.sh /build/images /files testbed
sh archive.sh testbed
sh snapshot.sh /build/images/touch ./steady testbed
sh cpus.sh . testbed
