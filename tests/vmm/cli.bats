#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
#
# The command line: statuses and messages. TWOSTAGE and KERNELS name another build.
# Needs /dev/kvm only where need_kvm stands; elsewhere those tests are skipped.

bats_require_minimum_version 1.5.0

setup() {
	root=$BATS_TEST_DIRNAME/../..
	twostage=${TWOSTAGE:-$root/build/twostage}
	kernels=${KERNELS:-$root/build/tests/kernels}
}

need_kvm() {
	kind=$("$twostage" info --json - | jq -r .host.kind)
	[ "$kind" != none ] || skip "/dev/kvm is not usable"
	"$twostage" info --json - | jq -e .host.userfaultfd >/dev/null || skip "no userfaultfd"
}

# usage WANTED ARG...: status 64, nothing on stdout, and the text on stderr.
usage() {
	local wanted=$1 status=0
	shift
	"$twostage" "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	cat "$BATS_TEST_TMPDIR/err"
	[ "$status" -eq 64 ]
	[ ! -s "$BATS_TEST_TMPDIR/out" ]
	grep -qF -- "$wanted" "$BATS_TEST_TMPDIR/err"
}

# guest KERNEL STATUS ARG...: runs a test kernel; stdout, stderr and JSON are in out, err, json.
guest() {
	local kernel=$1 wanted=$2 status=0
	shift 2
	timeout 60 "$twostage" run --timeout 20 --mem 64M --json "$BATS_TEST_TMPDIR/json" "$@" \
		"$kernels/$kernel" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || status=$?
	cat "$BATS_TEST_TMPDIR/err"
	echo "status $status, wanted $wanted"
	[ "$status" -eq "$wanted" ]
}

ended() { # BY STATUS REASON
	jq -c .exit "$BATS_TEST_TMPDIR/json"
	jq -e --arg by "$1" --argjson status "$2" --arg reason "$3" \
		'.exit.by == $by and .exit.status == $status and (.exit.reason | startswith($reason))' \
		"$BATS_TEST_TMPDIR/json" >/dev/null
}

dumped() { # TEXT
	grep -qF -- "$1" "$BATS_TEST_TMPDIR/err"
}

# --- without a guest

@test "no command prints the list on stderr, 64" {
	usage "usage: twostage COMMAND"
}

@test "an unknown command is named, with the list, 64" {
	usage 'twostage: found "fly", wanted a command' fly
	usage "inspect" fly
	usage 'found "--fly", wanted a command' --fly
	usage 'found "", wanted a command' ""
}

@test "--help lists the commands" {
	run -0 "$twostage" --help
	for command in run measure replay experiment inspect info version; do
		[[ $output == *"  $command "* ]]
	done
}

@test "help, help COMMAND and -h are --help" {
	"$twostage" --help >"$BATS_TEST_TMPDIR/all"
	for how in help -h "help help" "help -h" "help --help"; do
		# shellcheck disable=SC2086 # words
		"$twostage" $how | cmp - "$BATS_TEST_TMPDIR/all"
	done
	for command in run measure replay experiment inspect info version; do
		"$twostage" $command --help >"$BATS_TEST_TMPDIR/one"
		"$twostage" help $command | cmp - "$BATS_TEST_TMPDIR/one"
		"$twostage" $command -h | cmp - "$BATS_TEST_TMPDIR/one"
	done
	usage 'found "fly", wanted a command' help fly
}

@test "every command has --help" {
	for command in run measure replay experiment inspect info version; do
		run -0 "$twostage" $command --help
		[[ $output == "Usage: "*"$command"* ]]
	done
}

@test "the help of run names every option" {
	run -0 "$twostage" run --help
	for option in mem cpus host-mem swap disk host-pages dedup fault-around window guest-table host-table \
		table-slab initrd append walk-check working-set seed timeout stats json; do
		[[ $output == *"--$option"* ]]
	done
}

@test "version and --version are alike" {
	run -0 "$twostage" version
	[[ $output =~ ^twostage\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	local version=$output
	run -0 "$twostage" --version
	[ "$output" = "$version" ]
}

@test "arguments where none are wanted, 64" {
	usage 'found "now", wanted no argument' version now
	usage 'found "info" as well, wanted one COMMAND' help run info
	usage 'found "now", wanted no argument' info now
}

@test "unknown options, and options of later versions, 64" {
	for option in --fly --fork=2 -x; do
		usage "option" run $option IMAGE
	done
	usage "unrecognized option '--fly'" info --fly
	usage "unrecognized option '--fly'" version --fly
}

@test "missing values, 64" {
	for option in mem cpus host-mem swap disk host-pages fault-around window guest-table host-table initrd \
		append walk-check working-set snapshot restore seed timeout json; do
		usage "option '--$option' requires an argument" run --$option
	done
}

@test "no image, 64" {
	usage "found no IMAGE, wanted one" run
	usage "found no IMAGE, wanted one" run --mem 64M --
}

@test "a second argument before --, 64" {
	usage 'found a second argument "b"' run a b
	usage 'found a second argument "b"' run a b -- c
}

@test "sizes that are none, 64" {
	for size in "" x 12Q 1.5G -4M +4M 0x1000 99999999999999999999 4MB; do
		usage "--mem: found \"$size\", wanted SIZE" run "--mem=$size" IMAGE
		usage "--host-mem: found \"$size\", wanted SIZE" run "--host-mem=$size" IMAGE
	done
}

@test "sizes out of range, 64" {
	for size in 0 0G 4095K 113G 17179869184G 18446744073709551615; do
		usage "--mem: found \"$size\", wanted a size from 4M to 112G" run --mem $size IMAGE
	done
	usage '--host-mem: found "0", wanted a size from 64K to 112G' run --host-mem 0 IMAGE
	usage '--mem: found "5000001", wanted a multiple of 4K' run --mem 5000001 IMAGE
	usage '--mem: found "5000", wanted a size from 4M to 112G, a multiple of 4K' run --mem 5000 I
}

@test "other bad values, 64" {
	usage '--window: found "15", wanted a whole number from 16 to 1048576' run --window 15 I
	usage '--window: found "64K", wanted' run --window 64K I
	usage '--guest-table: found "hash", wanted an organisation: one of' run --guest-table hash I
	usage '--host-table: found "", wanted an organisation: one of' run --host-table= I
	for count in 0 -1 65537 1K ""; do
		usage "--walk-check: found \"$count\", wanted a whole number from 1 to 65536" \
			run "--walk-check=$count" I
	done
	usage '--table-slab: found "3M", wanted a multiple of 2M' run --table-slab=3M I
	usage '--table-slab: found "x", wanted SIZE' run --table-slab=x I
	usage '--table-slab: found "0", wanted a size from 2M to 112G' run --table-slab=0 I
	usage '--seed: found "-1", wanted a whole number' run --seed -1 I
	usage '--timeout: found "0", wanted SECONDS' run --timeout 0 I
	usage '--timeout: found "1m", wanted SECONDS' run --timeout 1m I
}

@test "an image that cannot be read, 66" {
	run -66 "$twostage" run "$BATS_TEST_TMPDIR/none"
	[[ $output == *"$BATS_TEST_TMPDIR/none"*"No such file or directory"* ]]
	run -66 "$twostage" run "$BATS_TEST_TMPDIR"
	[[ $output == *"$BATS_TEST_TMPDIR"* ]]
}

@test "an image that is none, 65, and JSON says so" {
	echo "no image" >"$BATS_TEST_TMPDIR/text"
	run -65 "$twostage" run --json "$BATS_TEST_TMPDIR/json" "$BATS_TEST_TMPDIR/text"
	[[ $output == *"wanted"* ]]
	ended vmm 65 ""
}

@test "a dynamically linked program is named as one, 65" {
	local status=0
	"$twostage" inspect "$(command -v env)" >"$BATS_TEST_TMPDIR/out" \
		2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 65 ]
	grep -qx "kind        x86-64 program, dynamically linked" "$BATS_TEST_TMPDIR/out"
	dumped "PT_INTERP: found"
}

@test "a JSON file that cannot be written is found out before anything else, 66" {
	run -66 "$twostage" run --json "$BATS_TEST_TMPDIR/none/json" "$BATS_TEST_TMPDIR/none"
	[[ $output == *"--json: $BATS_TEST_TMPDIR/none/json: cannot open for writing"* ]]
	run -66 "$twostage" info --json "$BATS_TEST_TMPDIR/none/json"
	run -66 "$twostage" info --json /dev/full
	[[ $output == *"--json: /dev/full: cannot write: No space left on device"* ]]
}

@test "info says which KVM it is, with the fix where there is none" {
	run -0 "$twostage" info
	[[ $output =~ kvm\ +(vmx|svm|pvm|none) ]]
	[[ $output != *"kvm           none"* || $output == *"fix: "* ]]
	[[ $output == *timings* ]]
}

@test "info writes valid JSON" {
	"$twostage" info --json "$BATS_TEST_TMPDIR/json" | grep -q '^kvm '
	jq -e '.command == "info" and .twostage and (.host.kind | IN("vmx", "svm", "pvm", "none"))' \
		"$BATS_TEST_TMPDIR/json"
	"$twostage" info --json - | jq -e .host.timings
}

# trace TEXT...: a trace of lackey's, a line an argument
trace() {
	printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/trace"
}

# replayed ARG...: what replay's JSON says, in $output
replayed() {
	run -0 timeout 120 "$twostage" replay --json - "$@"
}

@test "replay counts a trace that is small enough to count by hand" {
	trace 'I  04016b80,3' ' L 1ffeffe7e0,8' '==7== a line of valgrind' ' M 04017ffc,8' \
		' S 1ffeffe7e8,8'
	replayed --form RR,RH,HR,HH,HHp,HHs,SHD "$BATS_TEST_TMPDIR/trace"
	jq -e '.command == "replay" and .wrong == 0 and
		([.rows[] | [.form, .translations, .refs]] | sort) == [["HH", 5, 3], ["HHp", 5, 2],
		["HHs", 5, 2], ["HR", 5, 9], ["RH", 5, 9], ["RR", 5, 24], ["SHD", 5, 1]] and
		(.trace | .format == "lackey" and .pages == 4 and .splits == 1 and .records == 5 and
		.ignored == {"lines of valgrind": 1} and .accesses.modify == 2)' <<<"$output"
}

@test "replay reads a pipe, and prints what it ignored" {
	trace 'I  04016b80,3' 'SB 04016b80' ' L 1ffeffe7e0,8'
	run -0 "$twostage" replay --form HHp - < <(cat "$BATS_TEST_TMPDIR/trace")
	[[ $output == *"-: lackey, none: 2 accesses of 2 pages"* ]]
	[[ $output == *"ignored: 1 superblocks"* ]]
	[[ $output == *"trace, "*"clustered over clustered"*"HHp  "* ]]
}

@test "replay's modelled caches have hit rates, and its CSV a row a form" {
	trace ' L 1000,8' ' L 1008,8' ' L 1010,8' ' L 1018,8'
	replayed --caches zen4 --form RR "$BATS_TEST_TMPDIR/trace"
	jq -e '.rows[0] | .hit_rates["l1-tlb"] == 0.75 and .walks == 1 and .refs == 24' \
		<<<"$output"
	run -0 "$twostage" replay --csv - "$BATS_TEST_TMPDIR/trace"
	[ "${#lines[@]}" -eq 7 ]
}

@test "a trace that is malformed, 65 with the line" {
	trace 'I  04016b80,3' ' L 1ffeffe7e0,-8'
	for command in replay "measure --audit"; do
		# shellcheck disable=SC2086 # words
		run -65 "$twostage" $command "$BATS_TEST_TMPDIR/trace"
		[[ $output == *"trace: line 2: "*"-8"* ]]
	done
	printf 'I  04016b80,3\n L 1ffe' >"$BATS_TEST_TMPDIR/trace"
	run -65 "$twostage" replay - <"$BATS_TEST_TMPDIR/trace"
	[[ $output == *"standard input: line 2: "* ]]
}

@test "a trace that cannot be read, 66" {
	run -66 "$twostage" replay /nowhere/trace
	[[ $output == *"/nowhere/trace: "* ]]
	run -66 "$twostage" measure --audit /nowhere/trace
}

@test "bad options of replay and of an audit, 64" {
	usage "found no trace" replay
	usage 'found "b" as well' replay a b
	usage '--form: found "XX"' replay --form XX -
	usage '--caches: found "z80"' replay --caches z80 -
	usage '--load: found 0.5' replay --load 0.5 -
	usage "unrecognized option" replay --workload uniform -
	usage "--audit: found one of" measure --audit - --workload uniform
	usage "--audit: found one of" measure --audit - --form RR
}

@test "an audit prices one walk as by hand" {
	trace ' L 1ffeffe00000,8'
	run -0 "$twostage" measure --frames runs --audit "$BATS_TEST_TMPDIR/trace" --json -
	jq -e '.wrong == 0 and (.audit | .walks == 1 and .caches == "skylake" and
		([.metrics[] | {(.metric): .cycles}] | add) == {"radix": 2415, "hashed": 600,
		"cuckoo": 600, "cuckoo-cwc": 612, "dmt": 416, "emt-max": 600, "emt-early": 600,
		"emt-cwc": 612})' <<<"$output"
	run -0 "$twostage" measure --frames runs --audit - <"$BATS_TEST_TMPDIR/trace"
	[[ $output == *"dmt "*"416.00"*"-32.0%*"* ]]
}

@test "what valgrind writes of a program is replayed from its pipe" {
	valgrind --tool=lackey --version >/dev/null 2>&1 || skip "valgrind is missing"
	valgrind --tool=lackey --trace-mem=yes --log-fd=9 /bin/true 9>&1 >/dev/null |
		timeout 120 "$twostage" replay --caches skylake --json "$BATS_TEST_TMPDIR/json" -
	jq -e '.wrong == 0 and (.rows | length) == 6 and .trace.instructions > 10000 and
		all(.rows[]; .modelled_refs < 0.1)' "$BATS_TEST_TMPDIR/json"
}

@test "standard output that cannot be written, 66" {
	local status=0
	"$twostage" version >/dev/full 2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 66 ]
	dumped "No space left on device"
	for command in "run --help" "inspect -h" "info --help" info "version -?" help --help; do
		status=0
		# shellcheck disable=SC2086 # words
		"$twostage" $command >/dev/full 2>"$BATS_TEST_TMPDIR/err" || status=$?
		echo "$command: $status"
		[ "$status" -eq 66 ]
		[ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
		dumped "No space left on device"
	done
}

# --- with a guest

@test "a kernel prints and exits with its status" {
	need_kvm
	guest hello 42
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = hello ]
	dumped whisper
	ended guest 42 exit
}

@test "a kernel gets its arguments and the memory map" {
	need_kvm
	run -0 "$twostage" run --timeout 20 "$kernels/arguments" -- one "two three" --mem 1G -- end
	[ "$output" = "one two three --mem 1G -- end" ]
	run -0 "$twostage" run --timeout 20 "$kernels/arguments"
	[ "$output" = "" ]
}

@test "too many bytes of arguments, 64" {
	need_kvm
	run -64 "$twostage" run --timeout 20 "$kernels/arguments" -- "$(printf %60000s x)"
	[[ $output == *"arguments: found 60000 bytes of kernel command line, wanted at most"* ]]
}

@test "arguments that the built-in kernel has no room for, 64; as many as it has, 0" {
	local hello=$root/build/images/hello most
	mapfile -t many < <(seq 512)
	usage "arguments: found 513, wanted at most 512" run "$hello" -- "${many[@]}" more
	usage "arguments: found 40000 bytes, IMAGE's name and zeros included, wanted at most 32736" \
		run "$hello" -- "$(printf "%$((40000 - ${#hello} - 2))s" x)"
	need_kvm
	# Spaces are encoded: three bytes of the kernel's command line each.
	usage "bytes of kernel command line, wanted at most" run "$hello" -- "$(printf %30000s x)"
	run -0 timeout 60 "$twostage" run --timeout 50 "$hello" -- "${many[@]}"
	[ "${lines[-1]}" = "argv[512]: 512" ]
	most=$(printf "%0$((32736 - ${#hello} - 2))d" 1)
	run -0 timeout 60 "$twostage" run --timeout 50 "$hello" -- "$most"
	[ "${lines[-1]}" = "argv[1]: $most" ]
	usage "arguments: found 32737 bytes" run "$hello" -- "0$most"
}

@test "a PVH kernel takes no options of the built-in one, 64" {
	usage "--window: IMAGE is a PVH kernel" run --window 64 "$kernels/hello"
	usage "--guest-table: IMAGE is a PVH kernel" run --guest-table radix "$kernels/hello"
}

@test "statuses that are also the VMM's pass through" {
	need_kvm
	for status in 64 70 124 125; do
		guest exit$status $status
		ended guest $status exit
		[ ! -s "$BATS_TEST_TMPDIR/err" ]
	done
	guest exit8bit 255
}

@test "a guest that spins is ended, 124, and the dump says where" {
	need_kvm
	guest spin 124 --timeout 0.3
	ended vmm 124 "timeout: the guest still ran after 0.3 s"
	dumped "the guest was ended: timeout"
	dumped "registers (paging off, ring 0):"
	dumped "stage 1: no table of the guest"
	dumped "stage 1: paging is off"
	run ! dumped "x86 window"
	dumped "stage 2: gpa 0x1000"
	dumped "-> hfn 0x"
}

@test "a guest that leaves for the VMM all the time is ended, 124" {
	need_kvm
	guest exits 124 --timeout 0.3
	jq -e '.exits.port > 100' "$BATS_TEST_TMPDIR/json"
}

@test "a line without an end comes out while the guest runs" {
	need_kvm
	local early="$BATS_TEST_TMPDIR/early"
	{ timeout 60 "$twostage" run --timeout 3 "$kernels/prompt" 2>/dev/null || true; } |
		{ read -r -N 7 text; date +%s%N >"$early"; [ "$text" = "ready? " ]; cat; }
	(($(date +%s%N) - $(cat "$early") > 1000000000))
}

@test "a flooded console whose reader goes away ends the guest, 66" {
	need_kvm
	set +o pipefail
	timeout 60 "$twostage" run --timeout 20 "$kernels/flood" 2>"$BATS_TEST_TMPDIR/err" |
		head -n 3 | grep -c flood
	dumped "standard output: cannot write: Broken pipe"
}

@test "a flooded console that nobody reads: the timeout holds, 124" {
	need_kvm
	local status=0
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	exec 8<>"$BATS_TEST_TMPDIR/fifo"
	timeout 60 "$twostage" run --timeout 1 "$kernels/flood" >"$BATS_TEST_TMPDIR/fifo" \
		2>"$BATS_TEST_TMPDIR/err" || status=$?
	exec 8>&-
	[ "$status" -eq 124 ]
	dumped "timeout"
}

@test "a full disk ends the guest, 66" {
	need_kvm
	local status=0
	timeout 60 "$twostage" run --timeout 20 "$kernels/flood" >/dev/full \
		2>"$BATS_TEST_TMPDIR/err" || status=$?
	[ "$status" -eq 66 ]
	dumped "No space left on device"
}

@test "a triple fault, 125" {
	need_kvm
	guest triple_fault 125
	ended vmm 125 "triple fault"
	dumped "translation of cs:rip"
}

@test "a jump to nowhere, 125" {
	need_kvm
	guest nowhere 125
	ended vmm 125 "instruction fetch at gpa 0xd0000000, where no memory is"
	dumped "stage 2: gpa 0xd0000000 -> no guest RAM"
}

@test "a write to read-only text, 125" {
	need_kvm
	guest read_only 125
	ended vmm 125 "triple fault"
}

@test "a halt for ever, 125" {
	need_kvm
	guest halt 125
	ended vmm 125 "halted for ever"
}

@test "where nothing is, reads give ones" {
	need_kvm
	guest void 0
	jq -e '.exits.mmio == 2 and .exits.unknown_port_bytes == 5' "$BATS_TEST_TMPDIR/json"
}

@test "exhausted host memory, 125, and the page is named" {
	need_kvm
	guest touch_all 125 --host-mem 4M --swap /dev/full
	ended vmm 125 "host memory exhausted: the swap file's device is full"
	jq -e '.exit.gpa >= 2097152 and .stage2.frames == 1024' "$BATS_TEST_TMPDIR/json"
	dumped "-> no entry"
	run ! dumped "never touched"
	guest touch_all 0 --host-mem 40M
	kernels=$root/build/images guest hello 125 --host-mem 64K --swap /dev/full
	ended vmm 125 "host memory exhausted while loading"
	dumped ", before the guest started; fix: a larger --host-mem"
	jq -e 'has("host") and has("config") and (has("stage2") | not)' "$BATS_TEST_TMPDIR/json"
	run ! dumped "registers"
}

@test "a guest that touches more than host memory is none the wiser, with each organisation" {
	need_kvm
	for table in radix chained open bucket clustered cuckoo adaptive; do
		guest touch_all 0 --host-mem 4M --host-table $table
		jq -e '.stage2.frames <= 1024 and .stage2.evictions > 6000 and
			.stage2.entries >= 7680' "$BATS_TEST_TMPDIR/json"
	done
}

@test "with --dedup equal pages share a frame until one is written" {
	need_kvm
	for table in clustered adaptive; do
		guest same_all 0 --dedup --host-table $table
		jq -e '.stage2.sharings >= 7680 and .stage2.unsharings >= 1 and
			.stage2.frames < 100 and .config.dedup' "$BATS_TEST_TMPDIR/json"
		guest same_all 0 --host-table $table
		jq -e '.stage2.sharings == 0 and .stage2.frames >= 7680' "$BATS_TEST_TMPDIR/json"
	done
}

@test "the working set is sampled: all pages while they are filled, few while none is touched" {
	need_kvm
	guest same_all 0 --working-set 0.1 --stats
	jq -e '(.working_set | length) > 3 and (.working_set[-1].resident >= 7680) and
		([.working_set[].accessed] | add) >= 7680 and ([.working_set[].dirty] | add) >= 7680 and
		([.working_set[].accessed] | min) < 16' "$BATS_TEST_TMPDIR/json"
	dumped "touched pages"
	guest same_all 0
	jq -e '.working_set == []' "$BATS_TEST_TMPDIR/json"
	usage '--working-set: found "0"' run --working-set 0 IMAGE
}

@test "whole blocks have one entry, and walks through them agree with the machine" {
	need_kvm
	for table in radix clustered adaptive; do
		guest touch_all 0 --host-table $table --host-pages 2m
		jq -e '.stage2.entries < 40 and .stage2.frames > 7680 and .stage2.first_touches < 40 and
			.config.host_pages == "2m"' "$BATS_TEST_TMPDIR/json"
		guest touch_all 0 --host-table $table --host-pages mixed
		jq -e '.stage2.merges == 15 and .stage2.entries < 600' "$BATS_TEST_TMPDIR/json"
	done
	run -0 timeout 60 "$twostage" run --mem 64M --host-mem 8M --host-pages mixed --walk-check 200 \
		--json "$BATS_TEST_TMPDIR/json" "$root/build/images/touch" -- 16M
	jq -e '.walk_check.wrong == 0 and .walk_check.translated > 100 and .stage2.splits > 0' \
		"$BATS_TEST_TMPDIR/json"
	usage '--host-pages: found "1g", wanted 4k, 2m or mixed' run --host-pages 1g IMAGE
}

@test "swap files that cannot be are refused, 69, and kept" {
	need_kvm
	local file=$BATS_TEST_TMPDIR/data
	echo "a letter" > "$file"
	run --separate-stderr -69 "$twostage" run --host-mem 4M --swap "$file" "$root/build/images/touch" -- 1M
	[[ $stderr == *"holds other data"* ]]
	[ "$(cat "$file")" = "a letter" ]
	run --separate-stderr -69 "$twostage" run --host-mem 4M --swap "$BATS_TEST_TMPDIR" "$root/build/images/touch" -- 1M
	[[ $stderr == *"--swap names cannot be opened"* ]]
	run -0 "$twostage" run --host-mem 4M --swap "$BATS_TEST_TMPDIR/new" "$root/build/images/touch" -- 8M
	[ ! -e "$BATS_TEST_TMPDIR/new" ]
}

@test "a page after the other, and fault-around brings them together" {
	need_kvm
	guest touch_all 0 --fault-around 16
	jq -e '.stage2.first_touches < 1200 and .stage2.fault_around_pages > 7000 and
		.config.fault_around == 16' "$BATS_TEST_TMPDIR/json"
}

@test "every page is one miss and one entry, with each organisation" {
	need_kvm
	for table in clustered radix; do
		guest touch_all 0 --host-table $table
		jq -e --arg table $table '.stage2 | .organisation == $table and
			.first_touches == 7680 and .repeats == 0 and
			.entries == .first_touches + .copies and .frames == .entries' \
			"$BATS_TEST_TMPDIR/json"
	done
}

@test "doorbells are not trusted" {
	need_kvm
	guest doorbells 0 --mem 16M
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = ok ]
	[ "$(grep -c 'doorbell ignored' "$BATS_TEST_TMPDIR/err")" -eq 1 ]
	jq -e '.exits.ignored_doorbells == 16 and .stage1 == null' "$BATS_TEST_TMPDIR/json"
}

@test "a table that leads around for ever is dumped to an end, 124" {
	need_kvm
	guest liar 124 --timeout 0.3
	dumped "... 32762 more probes"
	jq -e '.stage1.organisation == "clustered"' "$BATS_TEST_TMPDIR/json"
}

@test "walks through both tables agree with the machine" {
	need_kvm
	run -0 timeout 60 "$twostage" run --timeout 50 --walk-check 64 --window 64 --stats \
		--json "$BATS_TEST_TMPDIR/json" "$root/build/images/touch" -- 2M --order random
	jq -c .walk_check "$BATS_TEST_TMPDIR/json"
	jq -e '.config.walk_check == 64 and (.walk_check | .pages == 64 and .stops >= 3 and
		.walks == 64 * .stops and .wrong == 0 and .lied == 0 and
		.walks == .translated + .absent_stage1 + .absent_stage2 + .absent_table and
		.kvm_agrees > 0 and .not_in_window > 0 and .kvm_not_asked == 0 and
		.frames_compared + .frames_skipped > 0 and ."4k".refs >= 3 and
		."4k".model == {"refs": 3, "steps": 3})' "$BATS_TEST_TMPDIR/json"
	[[ $output == *"KVM_TRANSLATE"*"the same gPA and rights"*"wrong "*" 0"* ]]
}

@test "walks by the slab say the same, and its frames stay" {
	need_kvm
	run -0 timeout 60 "$twostage" run --timeout 50 --walk-check 64 --mem 64M --host-mem 6M --table-slab \
		--stats --json "$BATS_TEST_TMPDIR/json" "$root/build/images/touch" -- 8M --order random
	jq -c '.walk_check, .stage1, .stage2' "$BATS_TEST_TMPDIR/json"
	jq -e '.config.table_slab == 2097152 and .stage2.pinned == 512 and .stage2.evictions > 0 and
		.stage1.table_in_slab >= .stage1.bytes and .stage1.table_in_slab <= .stage1.bytes + 16384 and .stage1.table_outside == 0 and
		(.walk_check | .wrong == 0 and .lied == 0 and .absent_table == 0 and
		.slab.stops == .stops and .slab.stops_without == 0 and .slab.reason == null and
		.slab."4k".translated == ."4k".translated and .slab."4k".refs >= 2 and
		.slab."4k".refs <= ."4k".refs - 1 and
		.slab."4k".model == {"refs": 2, "steps": 2})' "$BATS_TEST_TMPDIR/json"
	[[ $output == *"table slab "*" pages of the table in it, 0 outside; pinned are 512"* ]]
	[[ $output == *"4 KiB, by the slab "* ]]
}

@test "a slab for which there is no room, or no table, 64" {
	need_kvm
	usage "--table-slab: found 16384K, wanted at most the memory between 0x200000 and 0x1000000" \
		run --mem 16M --table-slab=16M "$root/build/images/hello"
	usage "--table-slab: found 2048K, wanted at most 1984K, which is --host-mem less 64K" \
		run --host-mem 2M --table-slab "$root/build/images/hello"
	usage "--table-slab: IMAGE is a PVH kernel, wanted a program" run --table-slab "$kernels/hello"
	run --separate-stderr -65 "$twostage" run --mem 4M --table-slab "$root/build/images/hello"
	[[ $stderr == *"wanted at most the memory between 0x400000 and 0x400000"* ]]
}

@test "a user who is told no PFNs: frames are skipped, and that is said" {
	need_kvm
	local without=(setpriv --bounding-set -sys_admin --inh-caps -sys_admin)
	"${without[@]}" true || skip "this user cannot give a capability up"
	"${without[@]}" timeout 60 "$twostage" run --timeout 50 --walk-check 64 --stats \
		--json "$BATS_TEST_TMPDIR/json" "$root/build/images/touch" -- 1M \
		>/dev/null 2>"$BATS_TEST_TMPDIR/err"
	dumped "the kernel tells PFNs to root only"
	jq -e '.walk_check | .frames_compared == 0 and .frames_skipped > 0 and .wrong == 0 and
		.kvm_agrees > 0 and .frames_skipped_reason' "$BATS_TEST_TMPDIR/json"
}

@test "a kernel of others without a table: nothing is walked, and that is said" {
	need_kvm
	guest hello 42 --walk-check 8 --stats
	dumped "--walk-check: nothing was walked: the guest has published no table"
	dumped "nothing to walk"
	jq -e '.walk_check | .stops == 1 and .stops_without_table == 1 and .walks == 0' \
		"$BATS_TEST_TMPDIR/json"
}

@test "a table that lies is counted as lying, and ends the stop" {
	need_kvm
	guest liar 124 --timeout 0.3 --walk-check 8
	jq -e '.walk_check | .stops == 1 and .walks == 1 and .lied == 1 and .wrong == 0' \
		"$BATS_TEST_TMPDIR/json"
}

@test "--stats goes to stderr, the console stays exact" {
	need_kvm
	guest hello 42 --stats
	[ "$(cat "$BATS_TEST_TMPDIR/out")" = hello ]
	dumped "stage 1 is absent: the guest has published no table"
	dumped "organisation               absent      clustered"
	dumped "stage2_lookup"
	dumped "ended by the guest: exit, status 42"
	for word in "entries" "load" "faults" "lookups" "probes a lookup" "lines a lookup"; do
		dumped "$word"
	done
}

@test "JSON on stdout follows the console" {
	need_kvm
	local status=0
	"$twostage" run --timeout 20 --json - "$kernels/hello" >"$BATS_TEST_TMPDIR/out" \
		2>/dev/null || status=$?
	[ "$status" -eq 42 ]
	[ "$(head -n 1 "$BATS_TEST_TMPDIR/out")" = hello ]
	tail -n +2 "$BATS_TEST_TMPDIR/out" | jq -e '.exit.status == 42'
}

@test "JSON has the parts of the contract" {
	need_kvm
	guest hello 42 --host-table radix --seed 7
	jq -e '.command == "run" and .config.seed == 7 and .config.mem == 67108864 and
		.config.host_mem == 67108864 and .config.host_table == "radix" and
		.config.kind == "kernel" and .config.window == null and
		.config.guest_table == null and .stage1 == null and .host.kind and
		(.legs | has("stage2_lookup") and has("stage2_install")) and
		(.legs.stage2_lookup | has("count") and has("p50_ns") and has("p99_ns") and
		has("max_ns"))' "$BATS_TEST_TMPDIR/json"
}
