#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs those of the named Debian packages that are missing: one apt-get install, as root or
# through sudo. Silent where nothing is missing.

set -euo pipefail

missing=()
for package in "$@"; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps: not root and no sudo; to be installed: ${missing[*]}" >&2
		exit 1
	}
	as_root=(sudo)
fi
echo "deps: installing the Debian packages ${missing[*]}" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
run() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1 || {
		cat "$log" >&2
		echo "deps: failed: $*" >&2
		exit 1
	}
}
run apt-get update -q
run apt-get install -q -y --no-install-recommends "${missing[@]}"
