#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Runs one command in the testbed: a QEMU machine without acceleration whose processor has SVM and
# nested paging, so that /dev/kvm is there whatever this machine is. See usage() below.
#
# It stands in build/testbed/ and takes what it runs from build/, its parent folder, at each run.
# Everything of one run is in a temporary folder of its own, so runs do not disturb each other.

set -euo pipefail

readonly STATUS_USAGE=64 STATUS_NO_INPUT=66 STATUS_UNAVAILABLE=69 STATUS_INTERNAL=70
readonly STATUS_TIMEOUT=124 STATUS_NO_READER=141
readonly MEMORY_MIN=$((192 << 20))

bed=$(dirname "$(readlink -f "$0")")
build=$(dirname "$bed")
readonly bed build

memory=$((2 << 30))
time_limit=300
files=()
command=()
library_dirs=()
path=/build:/bin
work=
machine=
readers=()

usage() {
	cat <<'END'
usage: run [--memory SIZE=2G] [--timeout SECONDS=300] [--file PATH]... -- COMMAND ARG...

Runs COMMAND as root in a virtual machine that has /dev/kvm (svm with NPT) and passes stdout, stderr
and exit status through (128+N for signal N). There:

  PATH             has twostage, all that is executable in build/images, and busybox
  /build           twostage and images/, so that paths from the project's root work unchanged
  /files           each --file under its base name, and its shared libraries in their places
  stdin            is empty; the working directory is /

  --memory SIZE    memory of the machine (K, M, G: powers of two; at least 192M)
  --timeout SECS   end the machine after that time, its boot included
  --file PATH      hand a file in

Exit status: the command's, or
  64  usage
  66  a file cannot be read
  69  the testbed is not assembled (fix: make testbed)
  70  the virtual machine failed; the end of its kernel's log is on stderr
  124 --timeout ran out
  141 nobody takes the output any more

The kernel's log of the last run that ended is in kernel.log beside this program.
END
}

fail() {
	local status=$1
	shift
	echo "testbed: $*" >&2
	exit "$status"
}

parse_memory() {
	# No more digits than the shell's 64 bits can hold.
	[[ $1 =~ ^[1-9]([0-9]{0,8}[KMG]|[0-9]{0,11})$ ]] ||
		fail $STATUS_USAGE "--memory: '$1' is not a size such as 512M or 2G"
	case $1 in
	*K) memory=$((${1%K} << 10)) ;;
	*M) memory=$((${1%M} << 20)) ;;
	*G) memory=$((${1%G} << 30)) ;;
	*) memory=$1 ;;
	esac
	((memory >= MEMORY_MIN)) || fail $STATUS_USAGE "--memory: '$1' is less than 192M"
}

parse_timeout() {
	[[ $1 =~ ^[1-9][0-9]{0,6}$ ]] ||
		fail $STATUS_USAGE "--timeout: '$1' is not a whole number of seconds above 0"
	time_limit=$1
}

add_file() {
	local other
	[[ -f $1 && -r $1 ]] || fail $STATUS_NO_INPUT "--file: '$1' is not a readable file"
	for other in "${files[@]}"; do
		[[ ${other##*/} != "${1##*/}" ]] ||
			fail $STATUS_USAGE "--file: '$1' and '$other' have the same base name"
	done
	files+=("$1")
}

parse() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--help)
			usage
			exit 0
			;;
		--memory | --timeout | --file)
			[[ $# -ge 2 && $2 != -- ]] || fail $STATUS_USAGE "$1: a value is missing"
			case $1 in
			--memory) parse_memory "$2" ;;
			--timeout) parse_timeout "$2" ;;
			--file) add_file "$2" ;;
			esac
			shift 2
			;;
		--)
			command=("${@:2}")
			break
			;;
		-*) fail $STATUS_USAGE "unknown option '$1' (see --help)" ;;
		*) fail $STATUS_USAGE "unexpected argument '$1': COMMAND stands after --" ;;
		esac
	done
	[[ ${#command[@]} -gt 0 ]] || fail $STATUS_USAGE "no COMMAND after -- (see --help)"
}

check_assembled() {
	local part tool
	for part in vmlinuz base.cpio; do
		[[ -r $bed/$part ]] ||
			fail $STATUS_UNAVAILABLE "$bed/$part is missing; fix: make testbed"
	done
	for tool in qemu-system-x86_64 cpio; do
		command -v "$tool" >/dev/null ||
			fail $STATUS_UNAVAILABLE "$tool is not installed; fix: make deps"
	done
}

# place SOURCE TARGET: TARGET there is SOURCE here. A link will do: cpio follows it.
place() {
	local target=$work/tree$2
	mkdir -p "${target%/*}"
	ln -sf "$(realpath "$1")" "$target"
}

place_library() {
	local dir=${1%/*}
	place "$1" "$1"
	# The linker's cache is not handed in, so the folders are named instead.
	[[ " ${library_dirs[*]} " == *" $dir "* ]] || library_dirs+=("$dir")
}

# Places the shared libraries of a program, at the very paths that they have here.
place_libraries() {
	local listing library helper
	# Fails for what is not dynamically linked, and that needs nothing.
	listing=$(ldd "$1" 2>/dev/null) || return 0
	[[ $listing != *"not found"* ]] ||
		fail $STATUS_NO_INPUT "$1 lacks libraries: $(grep 'not found' <<<"$listing")"
	while read -r library; do
		place_library "$library"
		# libc opens it by name when a thread is cancelled; ldd cannot see that.
		helper=${library%/*}/libgcc_s.so.1
		[[ $library != */libc.so.6 || ! -e $helper ]] || place_library "$helper"
	done < <(awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/" { print $1 }' <<<"$listing")
}

place_twostage() {
	[[ -x $build/twostage ]] || return 0
	place "$build/twostage" /build/twostage
	place_libraries "$build/twostage"
}

place_images() {
	local image dir
	[[ -d $build/images ]] || return 0
	while IFS= read -r -d '' image; do
		place "$build/images/$image" "/build/images/$image"
		dir=/build/images/$image
		dir=${dir%/*}
		[[ :$path: == *:$dir:* ]] || path+=:$dir
	done < <(find -L "$build/images" -type f -executable -printf '%P\0' | sort -z)
}

place_files() {
	local file
	mkdir -p "$work/tree/files"
	for file in "${files[@]}"; do
		place "$file" "/files/${file##*/}"
		[[ ! -x $file ]] || place_libraries "$file"
	done
}

# What /init reads: strings that end with NUL.
write_lists() {
	local IFS=: environment=("PATH=$path" HOME=/ TMPDIR=/tmp)
	[[ ${#library_dirs[@]} -eq 0 ]] || environment+=("LD_LIBRARY_PATH=${library_dirs[*]}")
	printf '%s\0' "${environment[@]}" >"$work/tree/environment"
	printf '%s\0' "${command[@]}" >"$work/tree/command"
}

# The kernel unpacks archives that stand one after another in one file.
make_initrd() {
	mkdir "$work/tree"
	place_twostage
	place_images
	place_files
	write_lists
	(
		cat "$bed/base.cpio" && cd "$work/tree" && find -L . -mindepth 1 -print0 |
			cpio --null --create --dereference --format=newc --owner=0:0 --quiet
	) >"$work/initrd" || fail $STATUS_INTERNAL "cannot pack the files for the machine"
}

# Prints the QEMU options of port NUMBER, which leads to FILE. The port has no event descriptor
# (see start_machine) and a file never makes it wait: what the machine wrote is in the file.
port_options() {
	printf '%s\n' -chardev "file,id=port$1,path=$work/$2,append=on" \
		-device "virtserialport,chardev=port$1,nr=$1"
}

start_machine() {
	local ports kernel_options
	# Speed: no speculation mitigations, no timer check, no self-tests. Failure: stop at once.
	kernel_options="console=ttyS0 quiet mitigations=off nokaslr no_timer_check"
	kernel_options+=" cryptomgr.notests oops=panic panic=-1"
	: >"$work/status"
	mapfile -t ports < <(port_options 1 stdout && port_options 2 stderr && port_options 3 status)
	# ioeventfd=off: a write to a port is done when the machine goes on, not some time later,
	# so that nothing is lost when it stops.
	timeout --kill-after=5 "$time_limit" qemu-system-x86_64 -no-user-config -nodefaults \
		-M q35,vmport=off,usb=off,sata=off,smbus=off -accel tcg -cpu EPYC \
		-m "size=$((memory >> 10))k" -display none -nic none -no-reboot \
		-chardev "file,id=console,path=$work/kernel.log" -serial chardev:console \
		-device isa-debug-exit,iobase=0x501,iosize=1 \
		-device virtio-serial-pci,ioeventfd=off "${ports[@]}" \
		-kernel "$bed/vmlinuz" -initrd "$work/initrd" -append "$kernel_options" \
		</dev/null >"$work/qemu.log" 2>&1 &
	machine=$!
}

# Passes the output on while it comes; each reader ends after the machine has.
start_readers() {
	tail -q -c +1 -s 0.05 -f --pid="$machine" "$work/stdout" &
	readers+=($!)
	tail -q -c +1 -s 0.05 -f --pid="$machine" "$work/stderr" >&2 &
	readers+=($!)
}

# Waits for the machine and its readers; gives the status of the machine's process.
wait_for_machine() {
	local status=0 reader
	wait -n "$machine" "${readers[@]}" || true
	# A reader that ends first has nobody to write to, as in `run -- yes | head`.
	! kill -0 "$machine" 2>/dev/null || exit $STATUS_NO_READER
	wait "$machine" || status=$?
	machine=
	for reader in "${readers[@]}"; do
		wait "$reader" || true
	done
	readers=()
	return $status
}

# By way of a new name, so that nobody sees half a log. No fault where the folder is read-only.
keep_log() {
	[[ -e $work/kernel.log ]] || return 0
	cp "$work/kernel.log" "$bed/kernel.log.$$" 2>/dev/null || return 0
	mv "$bed/kernel.log.$$" "$bed/kernel.log"
}

fail_machine() {
	{
		echo "testbed: the virtual machine failed"
		# It always says what of the processor model it leaves out.
		grep -v "TCG doesn't support" "$work/qemu.log" | tail -n 5 || true
		echo "testbed: the end of its kernel's log:"
		tail -n 40 "$work/kernel.log" | tr -d '\r'
	} >&2
	exit $STATUS_INTERNAL
}

run() {
	local machine_status=0 status
	: >"$work/stdout"
	: >"$work/stderr"
	: >"$work/kernel.log"
	start_machine
	start_readers
	wait_for_machine || machine_status=$?
	keep_log || true
	# Only /init writes a status, and only when the command has ended.
	status=$(<"$work/status")
	[[ ! $status =~ ^[0-9]+$ ]] || exit "$status"
	# timeout(1) gives 124, or 137 where QEMU did not heed its first signal.
	[[ $machine_status -ne 124 && $machine_status -ne 137 ]] ||
		fail $STATUS_TIMEOUT "no end after $time_limit s (--timeout): ${command[*]}"
	fail_machine
}

# shellcheck disable=SC2317 # reached by trap
clean_up() {
	local process
	trap '' INT TERM HUP
	for process in $machine "${readers[@]}"; do
		kill "$process" 2>/dev/null || true
		wait "$process" 2>/dev/null || true
	done
	rm -rf "$work"
}

main() {
	parse "$@"
	check_assembled
	trap clean_up EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	work=$(mktemp -d "${TMPDIR:-/tmp}/testbed.XXXXXX")
	make_initrd
	run
}

main "$@"
