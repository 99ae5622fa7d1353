#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every test that takes minutes: what `make check` runs after it has built all. The output of each
# suite is kept in build/check/.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tap.sh
export PATH="$PWD/build:$PATH"
mkdir -p $results
rm -f $results/*

bats_suite() {
	local name=$1 limit=$2 file=$3
	suite "$name" "$limit" bats --formatter tap "$file"
}

# What the testbed runs in one boot: every suite that needs KVM, each with its own TAP.
testbed_suite() {
	local pair=(--file tests/guest/cases.sh --file tests/guest/testbed.sh
		--file tests/images/cases --file tests/images/cases_cpus
		--file tests/guest/pairs --file tests/guest/windows
		--file tests/guest/walk_check.sh --file tests/guest/snapshot.sh
		--file tests/guest/pressure.sh --file tests/guest/swap.sh --file tests/guest/archive.sh --file tests/guest/tree.sh
		--file tests/vmm/cpus.sh
		--file build/tests/agree)
	for program in build/tests/images/* build/tests/kernels/cpus*; do
		pair+=(--file "$program")
	done
	beside testbed-guest 860 build/testbed/run --timeout 840 "${pair[@]}" -- sh /files/testbed.sh
}

# A kernel that others wrote as the guest; on pvm it runs in the testbed only.
linux_suite() {
	suite testbed-linux 320 build/testbed/run --timeout 300 --file build/testbed/vmlinuz \
		--file build/tests/linux/initrd --file tests/vmm/linux/testbed.sh -- \
		sh /files/testbed.sh
}

suite lint 300 make -s lint
for room in hpt ept vmm bench; do
	suite "unit-$room" 600 build/tests/$room --tap --jobs 2
done
suite torture-ept 200 build/tests/torture_ept 32 10
suite torture-hpt 200 build/tests/torture_hpt 40
suite interleave-hpt 200 build/tests/interleave_hpt
bats_suite images-native 120 tests/images/native.bats
bats_suite command-line 300 tests/vmm/cli.bats
bats_suite disk 120 tests/vmm/disk.bats
bats_suite snapshot 200 tests/vmm/snapshot.bats
bats_suite kernels 120 tests/vmm/kernels.bats
bats_suite cpus 120 tests/vmm/cpus.bats
bats_suite measure 300 tests/bench/measure.bats
bats_suite experiment 300 tests/bench/experiment.bats
bats_suite dns 300 tests/bench/dns.bats
bats_suite bad-images 120 tests/vmm/bad_images.bats
bats_suite guest-qemu 300 tests/guest/qemu.bats
suite fault-cost 300 tests/guest/fault_cost.sh

# Emulated, it needs one of the machine's CPUs; what follows is mostly one guest at a time.
testbed_suite
if have_kvm; then
	beside agree 500 build/tests/agree build/images/touch 8M
	suite guest-kvm 500 tests/guest/cases.sh tests/images/cases kvm
	suite guest-cpus 300 tests/guest/cases.sh tests/images/cases_cpus cpus-2 --cpus 2
	bats_suite guest-limits 200 tests/guest/limits.bats
	suite guest-pairs 600 tests/guest/pairs.sh tests/guest/pairs tests/guest/windows
	beside agree-window-64 500 build/tests/agree build/images/touch 8M 64
	suite walk-check 300 tests/guest/walk_check.sh build/images/touch
	suite pressure 300 tests/guest/pressure.sh build/images
	suite swap 300 tests/guest/swap.sh build/images build/tests/images
	suite guest-archive 300 tests/guest/archive.sh kvm
	suite guest-snapshot 200 tests/guest/snapshot.sh build/images/touch build/tests/images/steady
else
	for name in guest-kvm guest-cpus guest-limits guest-pairs agree agree-window-64 walk-check \
		pressure swap guest-archive guest-snapshot; do
		skip_suite $name "/dev/kvm is missing or unusable"
	done
fi
await
bats_suite testbed 300 tests/testbed/testbed.bats
linux_suite
finish
