#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# build.sh LEAVE INITRD: makes the initramfs of the test's Linux: init, busybox and the program that
# ends the machine with a status.

set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
leave=$(realpath "$1")
initrd=$(realpath -m "$2")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

mkdir -p "$tree"/{bin,dev,proc}
cp "$here/init" "$tree/init"
cp "$leave" "$tree/bin/leave"
cp "$(command -v busybox)" "$tree/bin/busybox"
for applet in sh mount cat grep uname reboot; do
	ln -s busybox "$tree/bin/$applet"
done
cd "$tree"
find . -mindepth 1 -print0 | cpio --null --create --format=newc --owner=0:0 --quiet >"$initrd.new"
mv "$initrd.new" "$initrd"
