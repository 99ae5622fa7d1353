#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# `make demo`: a guest on two hashed page tables, its console and the table of both stages. Where
# /dev/kvm is missing or unusable, in the testbed.

set -euo pipefail
cd "$(dirname "$0")/.."
. tests/tap.sh

guest=(build/images/touch -- 8M --order random)
run=(build/twostage run --timeout 60 --stats "${guest[@]}")

if ! have_kvm; then
	echo "demo: /dev/kvm is missing or unusable here: running in the testbed (QEMU)" >&2
	make --no-print-directory testbed
	run=(build/testbed/run --timeout 100 -- twostage "${run[@]:1}")
fi
echo "\$ ${run[*]}"
"${run[@]}"
