/* SPDX-License-Identifier: MIT */
/* Snapshots of machines: nothing is done twice or left out, and what cannot be is refused. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest/abi.h"
#include "tests/vmm/room.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"

#define MIB   (UINT64_C(1) << 20)
#define ENTRY UINT64_C(0x100000)
#define BYTES 4000

static struct machine machine;
static struct machine_exit how;
static struct message message;
static struct snapshot snapshot;
static char path[64];

static void name_file(void)
{
	snprintf(path, sizeof(path), "/tmp/twostage-machine-%d", (int)getpid());
}

static struct snapshot_config config_of(void)
{
	return (struct snapshot_config){.mem = ROOM_SIZE,
					.window = ABI_WINDOW_PAGES,
					.guest_table = HPT_CLUSTERED,
					.host_table = HPT_CLUSTERED,
					.kind = IMAGE_PVH_KERNEL,
					.cpus = 1,
					.image = "kernel"};
}

/* --- machines that run */

static void create(struct machine_config config)
{
	int error;

	config.mem = config.host_mem = ROOM_SIZE;
	config.organisation = HPT_CLUSTERED;
	config.err_fd = STDERR_FILENO;
	config.command_line = "";
	config.timeout_ns = UINT64_C(20000000000);
	error = machine_create(&machine, &config, &message);
	if (error && message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	cr_assert_eq(error, 0, "%s", message.text);
}

/* Runs code at ENTRY that ends with 42, and takes a snapshot of it on the way. */
static void run_code(const uint8_t *code, size_t size, struct snapshot_request *request, FILE *out)
{
	struct image image = {
		.kind = IMAGE_PVH_KERNEL,
		.entry = ENTRY,
		.segment_count = 1,
		.segments = {{.address = ENTRY, .file_size = size, .memory_size = size}},
	};

	request->path = path;
	request->config = config_of();
	cr_assert_eq(snapshot_begin(request, &message), 0, "%s", message.text);
	create((struct machine_config){.kernel = &image,
				       .kernel_bytes = code,
				       .kernel_size = size,
				       .out_fd = fileno(out),
				       .snapshot = request});
	machine_run(&machine, &how);
	cr_assert_eq(how.status, 42, "%s", how.reason);
	machine_destroy(&machine);
	snapshot_end(request);
}

static void run_restored(FILE *out)
{
	cr_assert_eq(snapshot_open(&snapshot, path, &message), 0, "%s", message.text);
	create((struct machine_config){.restore = &snapshot, .out_fd = fileno(out)});
	machine_run(&machine, &how);
	cr_assert_eq(how.by, MACHINE_GUEST);
	cr_assert_eq(how.status, 42, "%s", how.reason);
	machine_destroy(&machine);
}

static size_t read_back(FILE *file, uint8_t *bytes)
{
	ssize_t size = pread(fileno(file), bytes, BYTES + 1, 0);

	cr_assert_geq(size, 0);
	fclose(file);
	return (size_t)size;
}

/* Bytes that the guest had still to write where the snapshot was taken. */
typedef uint64_t (*left_fn)(const struct kvm_regs *registers);

static void check_all_bytes(const uint8_t *code, size_t size, left_fn left)
{
	static uint8_t all[BYTES + 1], rest[BYTES + 1];
	unsigned int in_between = 0;

	name_file();
	for (uint64_t delay = 1000000; delay < 40000000; delay += 3000000) {
		struct snapshot_request request = {.when = SNAPSHOT_AFTER, .after_ns = delay};
		FILE *before = tmpfile(), *after = tmpfile();
		size_t count;

		run_code(code, size, &request, before);
		cr_assert_eq(read_back(before, all), BYTES);
		if (!request.is_taken)
			break;
		run_restored(after);
		count = read_back(after, rest);
		in_between += count > 0 && count < BYTES;
		cr_assert_eq(memcmp(rest, all + BYTES - count, count), 0);
		if (!snapshot.state->devices.exited)
			cr_assert_eq(count, left(&snapshot.state->cpus[0].registers),
				     "%zu bytes behind, rip 0x%lx, rcx %lu", count,
				     (unsigned long)snapshot.state->cpus[0].registers.rip,
				     (unsigned long)snapshot.state->cpus[0].registers.rcx);
		snapshot_close(&snapshot);
	}
	cr_assert_gt(in_between, 0, "no snapshot fell between two bytes");
	unlink(path);
}

/* cl goes out and is counted down: at 5 it is set, at 10 loaded, at 12 written, at 13 counted. */
static uint64_t left_of_loop(const struct kvm_regs *registers)
{
	if (registers->rip < ENTRY + 10)
		return BYTES;
	return registers->rcx - (registers->rip == ENTRY + 13);
}

Test(snapshot, no_byte_of_a_port_is_written_twice_or_left_out, .timeout = 60)
{
	static const uint8_t code[] = {
		0xba, 0xf8,	    0x03,	0,    0,	  /* mov $0x3f8, %edx */
		0xb9, BYTES & 0xff, BYTES >> 8, 0,    0,	  /* mov $BYTES, %ecx */
		0x88, 0xc8,	    0xee,	0x49, 0x75, 0xfa, /* mov, out, dec, jnz */
		0xb0, 42,	    0xe6,	0xf4, 0xf4,	  /* mov, out, hlt */
	};

	check_all_bytes(code, sizeof(code), left_of_loop);
}

/* At 10 ecx is set, at 16 it counts. */
static uint64_t left_of_string(const struct kvm_regs *registers)
{
	if (registers->rip < ENTRY + 15)
		return BYTES;
	if (registers->rip == ENTRY + 15)
		return registers->rcx;
	return registers->rip == ENTRY + 16 ? registers->rcx : 0;
}

Test(snapshot, no_byte_of_a_string_instruction_is_written_twice_or_left_out, .timeout = 60)
{
	static const uint8_t code[] = {
		0xbe,	    0,
		0,	    0x10,
		0, /* mov $ENTRY, %esi */
		0xba,	    0xf8,
		0x03,	    0,
		0, /* mov $0x3f8, %edx */
		0xb9,	    BYTES & 0xff,
		BYTES >> 8, 0,
		0, /* mov $BYTES, %ecx */
		0xfc,	    0xf3,
		0x6e, /* cld, rep outsb */
		0xb0,	    42,
		0xe6,	    0xf4,
		0xf4,
	};

	check_all_bytes(code, sizeof(code), left_of_string);
}

Test(snapshot, one_at_the_start_of_a_kernel_has_all_before_it, .timeout = 30)
{
	static const uint8_t code[] = {0xb0, 42, 0xe6, 0xf4, 0xf4};
	struct snapshot_request request = {.when = SNAPSHOT_START};
	FILE *out = tmpfile();

	name_file();
	run_code(code, sizeof(code), &request, out);
	cr_assert(request.is_taken);
	run_restored(out);
	cr_assert_eq(snapshot.state->cpus[0].registers.rip, ENTRY);
	snapshot_close(&snapshot);
	unlink(path);
	fclose(out);
}

/* --- states that cannot be */

/* Writes a snapshot with this state, and says what opening it says. */
static int open_lie(const struct snapshot_state *state, size_t size)
{
	struct ept_save save;
	const char *what;
	int ret;

	name_file();
	room_create(&machine);
	cr_assert_eq(ept_save_open(&save, path, &what), 0, "%s", what);
	cr_assert_eq(ept_save_write(&save, &machine.ept, state, size, &what), 0, "%s", what);
	ept_save_close(&save);
	machine_destroy(&machine);
	ret = snapshot_open(&snapshot, path, &message);
	unlink(path);
	return ret;
}

static void expect_lie(const struct snapshot_state *state, const char *wanted)
{
	cr_expect_lt(open_lie(state, snapshot_state_size(1)), 0, "%s", wanted);
	cr_expect_eq(message.status, STATUS_DATA);
	cr_expect_not_null(strstr(message.text, wanted), "%s", message.text);
}

static struct snapshot_state state, lie;

Test(snapshot, a_state_that_lies_is_refused, .timeout = 30)
{
	state.version = SNAPSHOT_STATE_VERSION;
	state.config = config_of();
	cr_assert_eq(open_lie(&state, snapshot_state_size(1)), 0, "%s", message.text);
	snapshot_close(&snapshot);
	cr_assert_lt(open_lie(&state, snapshot_state_size(1) - 1), 0);
	cr_assert_not_null(strstr(message.text, "owner_size: found"));
	lie = state;
	lie.version = 9;
	expect_lie(&lie, "version of the state: found 9");
	lie = state;
	lie.config.mem = 1;
	expect_lie(&lie, "mem: found 1");
	lie = state;
	lie.config.mem += 4096;
	expect_lie(&lie, "ranges: found others");
	lie = state;
	lie.config.window = 1;
	expect_lie(&lie, "window: found 1");
	lie = state;
	lie.config.guest_table = HPT_ORGANISATIONS;
	expect_lie(&lie, "guest_table: found 7");
	lie = state;
	lie.config.host_table = UINT32_MAX;
	expect_lie(&lie, "host_table: found 4294967295");
	lie = state;
	lie.config.kind = IMAGE_DYNAMIC_PROGRAM;
	expect_lie(&lie, "kind: found 3");
	lie = state;
	lie.config.cpus = 0;
	expect_lie(&lie, "cpus: found 0, wanted 1 to 32");
	lie.config.cpus = 33;
	expect_lie(&lie, "cpus: found 33, wanted 1 to 32");
	lie.config.cpus = 2;
	expect_lie(&lie, "owner_size: found");
	lie = state;
	lie.config.apics = 2;
	expect_lie(&lie, "apics: found 2, wanted 0 to 1");
	lie = state;
	lie.config.pc = 2;
	expect_lie(&lie, "pc: found 2, wanted 0 to 1");
	lie = state;
	memset(lie.config.image, 'x', sizeof(lie.config.image));
	expect_lie(&lie, "image: found no zero");
}

/* Opens it and makes a machine of it; false if the machine could be made. */
static bool restore_fails(const struct snapshot_state *with, const char *wanted)
{
	struct machine_config config = {.mem = ROOM_SIZE,
					.host_mem = ROOM_SIZE,
					.out_fd = 1,
					.err_fd = 2,
					.restore = &snapshot};
	int error;

	cr_assert_eq(open_lie(with, snapshot_state_size(1)), 0, "%s", message.text);
	error = machine_create(&machine, &config, &message);
	if (error && message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	snapshot_close(&snapshot);
	if (error)
		cr_expect_not_null(strstr(message.text, wanted), "%s", message.text);
	else
		machine_destroy(&machine);
	return error;
}

Test(snapshot, a_cpu_that_this_host_is_not_is_refused, .timeout = 30)
{
	static const uint8_t code[] = {0xb0, 42, 0xe6, 0xf4, 0xf4};
	struct snapshot_request request = {.when = SNAPSHOT_START};
	FILE *out = tmpfile();

	name_file();
	run_code(code, sizeof(code), &request, out);
	cr_assert_eq(snapshot_open(&snapshot, path, &message), 0, "%s", message.text);
	memcpy(&state, snapshot.origin.owner, snapshot.origin.owner_size);
	snapshot_close(&snapshot);
	cr_assert_not(restore_fails(&state, ""));
	lie = state;
	lie.kvm_kind = state.kvm_kind == KVM_VMX ? KVM_SVM : KVM_VMX;
	cr_expect(restore_fails(&lie, "kind of KVM: found"));
	lie = state;
	lie.kvm_kind = 77;
	cr_expect(restore_fails(&lie, "an unknown one"));
	lie = state;
	lie.cpus[0].msr_count = CPU_STATE_MSRS + 1;
	cr_expect(restore_fails(&lie, "257 MSRs"));
	lie = state;
	lie.cpus[0].cpuid_count = UINT32_MAX;
	cr_expect(restore_fails(&lie, "leaves of CPUID"));
	lie = state;
	for (uint32_t i = 0; i < lie.cpus[0].cpuid_count; i++) {
		if (lie.cpus[0].cpuid[i].function == 0x80000001)
			lie.cpus[0].cpuid[i].ecx = UINT32_MAX;
	}
	cr_expect(restore_fails(&lie, "leaf 0x80000001, ecx"));
	lie = state;
	lie.cpus[0].has_apic = 1;
	cr_expect(restore_fails(&lie, "has_apic: found 1, wanted 0"));
	lie = state;
	lie.vm.has_chips = 1;
	cr_expect(restore_fails(&lie, "has_chips: found 1, wanted 0"));
	lie = state;
	lie.vm.has_timer = 5;
	cr_expect(restore_fails(&lie, "has_timer: found 5, wanted 0"));
	lie = state;
	lie.cpus[0].tsc_khz *= 2;
	cr_expect(!restore_fails(&lie, "tsc_khz: found") || strstr(message.text, "tsc_khz"));
	fclose(out);
}

/* --- what is asked for */

Test(snapshot, when_and_file_are_parsed)
{
	struct snapshot_request request = {0};

	cr_expect_eq(snapshot_parse("--snapshot", "start:a:b", &request, &message), 0);
	cr_expect_eq(request.when, SNAPSHOT_START);
	cr_expect_str_eq(request.path, "a:b");
	cr_expect_eq(snapshot_parse("--snapshot", "exit:x", &request, &message), 0);
	cr_expect_eq(request.when, SNAPSHOT_EXIT);
	cr_expect_eq(snapshot_parse("--snapshot", "0.5:x", &request, &message), 0);
	cr_expect_eq(request.when, SNAPSHOT_AFTER);
	cr_expect_eq(request.after_ns, 500000000);
	cr_expect_lt(snapshot_parse("--snapshot", ":x", &request, &message), 0);
	cr_expect_lt(snapshot_parse("--snapshot", "1", &request, &message), 0);
	cr_expect_lt(snapshot_parse("--snapshot", "1s:x", &request, &message), 0);
	cr_expect_lt(snapshot_parse("--snapshot", "100000000000000000000000000000000000000:x",
				    &request, &message),
		     0);
	cr_expect_eq(message.status, STATUS_USAGE);
}

static int no_memory(void *context, gpa_t gpa, void *target, uint64_t size)
{
	(void)context, (void)gpa, (void)target, (void)size;
	return -EFAULT;
}

Test(snapshot, devices_have_the_state_that_they_had)
{
	static struct console out, err;
	static struct devices before, after;
	static struct device_state one, two;

	console_init(&out, -1);
	console_init(&err, -1);
	devices_init(&before, &out, &err, no_memory, NULL);
	devices_init(&after, &out, &err, no_memory, NULL);
	for (unsigned int port = 0; port < 2 * SERIAL_PORTS; port++) {
		uint8_t byte = (uint8_t)(0x91 + 7 * port); /* divisors first, then loopback */

		devices_write(&before, (uint16_t)(ABI_PORT_COM2 + port % 8), 1, &byte);
		devices_write(&before, (uint16_t)(ABI_PORT_COM1 + 7 - port % 8), 1, &byte);
	}
	devices_write(&before, ABI_PORT_START, 4, "abcd");
	devices_write(&before, ABI_PORT_WRITE, 4, "abcd");
	devices_write(&before, ABI_PORT_EXIT, 4, "abcd");
	device_state_read(&one, &before);
	cr_expect(one.started && one.exited && one.exit_status == 'a' &&
		  one.ignored_doorbells == 1);
	device_state_write(&one, &after);
	device_state_read(&two, &after);
	cr_expect_eq(memcmp(&one, &two, sizeof(one)), 0);
	for (unsigned int port = 0; port < SERIAL_PORTS; port++) {
		cr_expect_eq(serial_read(&before.com1, port), serial_read(&after.com1, port));
		cr_expect_eq(serial_read(&before.com2, port), serial_read(&after.com2, port));
	}
}
