#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs inside the testbed: boots the testbed's own kernel, which nobody here wrote, as a guest of
# twostage, on a second stage that is filled page by page. Prints TAP.
set -u
cd /files || exit 1

# noxsave: QEMU's emulated SVM does not stop at XSETBV, so that CPUID does not follow what was set.
# The rest saves time.
APPEND="console=ttyS0 loglevel=0 noxsave mitigations=off nokaslr cryptomgr.notests acpi=off pci=off"
OPTIONS=
number=0

# verdict NAME STATUS: one line of TAP; what a failed test saw follows
verdict() {
	number=$((number + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $number $1"
		return
	fi
	echo "not ok $number $1"
	sed 's/^/# /' out err
}

# boot COMMANDS: types them at the guest's shell. Its output without carriage returns is in out.
boot() {
	# shellcheck disable=SC2086 # words
	echo "$1" | timeout 100 twostage run --mem 128M --timeout 90 --stats --json json $OPTIONS \
		--initrd initrd --append "$APPEND" vmlinuz >console 2>err
	status=$?
	tr -d '\r' <console >out
}

# line TEXT: the guest has printed this line
line() {
	grep -qxF "$1" out
}

release=$(uname -r)
twostage inspect vmlinuz >out 2>err
grep -q "^kernel      $release " out && grep -q "^protocol    Linux boot protocol 2\.[0-9]*," out
verdict "inspect names the kernel's release and its boot protocol" $?

# shellcheck disable=SC2016 # the guest's shell computes it
boot 'uname -r; grep -c "4: *[1-9].*ttyS0" /proc/interrupts; cat /proc/cmdline; echo $((6 * 7)); leave 43'
[ $status -eq 43 ]
verdict "a stock kernel boots to a shell, whose status is passed through" $?
line "init runs" && line "$release" && line 42 && line "$APPEND"
verdict "commands typed at standard input print to standard output" $?
line 1
verdict "the console works by interrupts" $?
grep -q '"stage1": null' json && grep -q '"reason": "exit"' json &&
	[ "$(sed -n 's/^faults *- *//p' err)" -gt 10000 ]
verdict "stage 1 is absent, stage 2 was filled by more than 10000 misses" $?

# Several CPUs are found by ACPI, which tells how to switch off, too.
APPEND=${APPEND%acpi=off pci=off}pci=off
OPTIONS="--cpus 2"
# shellcheck disable=SC2016 # the guest's shell computes it
boot 'grep -c ^processor /proc/cpuinfo
awk "/LOC:/ {print \"timers\", (\$2 > 0) + (\$3 > 0)}" /proc/interrupts
for cpu in 0 1; do taskset $((cpu + 1)) awk "{print \"on\", \$39}" /proc/self/stat; done
poweroff -f'
[ $status -eq 0 ] && grep -q "ended by the guest: power off, status 0" err
verdict "two CPUs are switched off with 0" $?
line 2 && line "timers 2" && line "on 0" && line "on 1"
verdict "a stock kernel has two CPUs, each with its timer, and runs programs on both" $?

# A snapshot of both while the shell counts, or still before it does: what is typed is there again.
# (`leave` asks the map of ports in the task state segment. QEMU's emulated SVM overlooks that in a
# segment that is marked as busy, as it is in each state that was restored.)
# shellcheck disable=SC2016 # the guest's shell computes it
COUNT='i=0; while [ $i -lt 30 ]; do echo tick $i; i=$((i + 1)); sleep 0.2; done; poweroff -f'
OPTIONS="--cpus 2 --snapshot 13:snapshot"
boot "$COUNT"
[ $status -eq 0 ] && line "tick 29" && [ -s snapshot ]
verdict "a snapshot of a stock kernel is taken, and it goes on" $?
echo "$COUNT" | timeout 100 twostage run --timeout 90 --stats --json json --restore snapshot \
	>console 2>err
status=$?
tr -d '\r' <console >out
grep -o '^tick [0-9]*$' out >ticks
first=$(head -n 1 ticks)
[ $status -eq 0 ] && [ "$(sed -n '$p' ticks)" = "tick 29" ] &&
	[ "$(wc -l <ticks)" -eq $((30 - ${first#tick })) ] && grep -q '"cpus": 2' json &&
	grep -q "ended by the guest: power off, status 0" err
verdict "what is restored counts on from ${first:-nowhere} to the end and switches off" $?
rm -f snapshot
OPTIONS=

boot 'reboot -f'
[ $status -eq 0 ] && grep -q "ended by the guest: reset, status 0" err
verdict "a reboot ends the run with 0" $?
echo "1..$number"
