#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What takes longer than `make check` should: sanitizers, large footprints, long torture. Output in
# build/check/.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tap.sh
export PATH="$PWD/build:$PATH"
mkdir -p $results
rm -f $results/deep-* $results/sanitized-*

sanitized_suites
suite deep-torture-ept 300 build/tests/torture_ept 512 60
if have_kvm; then
	# touch 1G in random order, all pairs: one miss a page at each stage, every tag verified and
	# found in its frame.
	suite deep-agree-1G 6000 build/tests/agree build/images/touch 1G
	suite deep-agree-1G-window-64 6000 build/tests/agree build/images/touch 1G 64
	CASE_SECONDS=900 suite deep-pairs 3600 tests/guest/pairs.sh tests/guest/deep_pairs \
		tests/guest/deep_windows
else
	skip_suite deep-kvm "/dev/kvm is missing or unusable"
fi
suite deep-testbed 2000 build/testbed/run --timeout 1900 --file build/tests/agree -- \
	/files/agree /build/images/touch 256M
finish
