#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Assembles the testbed: build.sh OUTDIR
#
# OUTDIR gets a Debian cloud kernel (vmlinuz), the modules that make /dev/kvm and the virtio ports
# (modules/), the static /init, an initramfs of them and busybox (base.cpio), and `run`, the
# command that boots it all. Nothing is installed and no root is needed. What is there already
# stays: the kernel is fetched once, the rest is made anew when its sources are newer.

set -euo pipefail

# The modules that are asked for; what they depend on comes along.
readonly MODULES=(kvm-amd virtio_pci virtio_console)
readonly META_PACKAGE=linux-image-cloud-amd64

here=$(dirname "$(readlink -f "$0")")
readonly here

die() {
	echo "testbed: $*" >&2
	exit 1
}

need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null || die "$tool is not installed; fix: make deps"
	done
}

# The meta package depends on the kernel of the day; its name is the one thing that must be found.
kernel_package() {
	apt-cache depends "$META_PACKAGE" 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1
}

# Lists that are missing or old are the usual reason why a package is not found: they are renewed
# once, by those who can.
update_lists() {
	echo "testbed: renewing apt's package lists" >&2
	if [ "$(id -u)" -eq 0 ]; then
		apt-get -qq update
	else
		sudo -n apt-get -qq update
	fi
}

# Fetches the kernel package into DIR.
fetch_kernel() {
	local dir=$1 package
	package=$(kernel_package)
	[[ $package ]] || return 1
	echo "testbed: fetching $package" >&2
	# As root apt would drop to a user that cannot write here, and warn about it.
	(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$package")
}

# Puts the kernel package's files under DIR/tree.
unpack_kernel() {
	local dir=$1
	fetch_kernel "$dir" || { update_lists && fetch_kernel "$dir"; } ||
		die "cannot fetch the kernel that $META_PACKAGE names; fix: apt-get update (as root)"
	dpkg -x "$dir"/linux-image-*.deb "$dir/tree"
}

# The names a module file says it needs. depmod's index is no help: it is made at installation.
module_depends() {
	tr '\0' '\n' <"$1" | LC_ALL=C sed -n 's/^depends=//p' | tr ',' ' '
}

# Puts module NAME of DIR/tree into DIR/modules, after all that it depends on.
add_module() {
	local dir=$1 name=$2 found target dependency
	target=$dir/modules/$name.ko
	[[ ! -e $target ]] || return 0
	# A dependency is written with _ where its file's name may have -.
	found=$(find "$dir/tree/lib/modules" -name "${name//[-_]/[-_]}.ko*" -print -quit)
	case $found in
	*.ko) cp "$found" "$target" ;;
	*.ko.xz) xz -dc "$found" >"$target" ;;
	*) die "the kernel package has no usable module $name (found: ${found:-nothing})" ;;
	esac
	for dependency in $(module_depends "$target"); do
		add_module "$dir" "$dependency"
	done
	printf '/modules/%s.ko\0' "$name" >>"$dir/modules/list"
}

# vmlinuz comes last: where it stands, this step was completed.
make_kernel() {
	local out=$1 work module
	[[ ! -e $out/vmlinuz ]] || return 0
	need apt-get apt-cache dpkg xz
	work=$out/unpacked
	rm -rf "$work" "$out/modules"
	mkdir -p "$work/modules"
	unpack_kernel "$work"
	for module in "${MODULES[@]}"; do
		add_module "$work" "$module"
	done
	mv "$work/modules" "$out/modules"
	mv "$work"/tree/boot/vmlinuz-* "$out/vmlinuz"
	rm -rf "$work"
}

make_init() {
	local out=$1
	[[ ! $out/init -nt $here/init.c ]] || return 0
	need gcc
	gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -static -o "$out/init.new" "$here/init.c"
	mv "$out/init.new" "$out/init"
}

# Whether base.cpio is newer than all that goes into it.
base_is_current() {
	local out=$1 source
	for source in "$here/build.sh" "$out/init" "$out/vmlinuz" "$busybox"; do
		[[ $out/base.cpio -nt $source ]] || return 1
	done
}

make_base() {
	local out=$1 tree=$1/base applet
	need cpio busybox
	busybox=$(command -v busybox)
	! base_is_current "$out" || return 0
	rm -rf "$tree"
	mkdir -p "$tree"/{bin,dev,proc,sys,tmp}
	cp "$out/init" "$tree/init"
	cp -R "$out/modules" "$tree/modules"
	cp "$busybox" "$tree/bin/busybox"
	for applet in $(busybox --list); do
		[[ $applet == busybox ]] || ln -s busybox "$tree/bin/$applet"
	done
	(cd "$tree" && find . -mindepth 1 -print0 |
		cpio --null --create --format=newc --owner=0:0 --quiet) >"$out/base.cpio.new"
	mv "$out/base.cpio.new" "$out/base.cpio"
	rm -rf "$tree"
}

make_run() {
	local out=$1
	cmp -s "$here/run.sh" "$out/run" || install -m 755 "$here/run.sh" "$out/run"
}

main() {
	[[ $# -eq 1 && $1 != -* ]] || {
		echo "usage: build.sh OUTDIR" >&2
		exit 64
	}
	local out
	mkdir -p "$1"
	out=$(cd "$1" && pwd)
	# Two builds at the same time would pull the unpacked files from under each other.
	exec 9<"$out"
	flock 9
	make_kernel "$out"
	make_init "$out"
	make_base "$out"
	make_run "$out"
}

main "$@"
