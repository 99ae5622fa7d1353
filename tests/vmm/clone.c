/* SPDX-License-Identifier: MIT */
/* Clones of machines: both go on where the first one was, side by side, and neither disturbs the
 * other. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/clone.h"
#include "vmm/cmdline.h"
#include "vmm/guest_kernel.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"

#define MIB   (UINT64_C(1) << 20)
#define ENTRY UINT64_C(0x100000)
#define TEXT  4096 /* more than a guest here prints */

static struct machine machine, twin;
static struct message message;

/* What is done where the machine is stopped, and what comes of it. */
struct fork {
	FILE *out;	  /* of the clone */
	uint64_t printed; /* bytes that the first had written */
	bool at_once;	  /* the clone runs beside the first, on a thread of its own */
	bool first_goes;  /* the first is destroyed before the clone runs */
	pthread_t thread;
	struct machine_exit how;
};

static void *run_twin(void *argument)
{
	struct fork *fork = argument;

	machine_run(&twin, &fork->how);
	return NULL;
}

static int fork_machine(void *context, struct machine *of, struct message *why)
{
	struct fork *fork = context;
	int error = machine_clone(&twin, of, fileno(fork->out), STDERR_FILENO, why);

	fork->printed = of->out.written;
	if (!error && fork->at_once)
		cr_assert_eq(pthread_create(&fork->thread, NULL, run_twin, fork), 0);
	return error;
}

static size_t read_back(FILE *file, char *text)
{
	ssize_t size = pread(fileno(file), text, TEXT, 0);

	cr_assert_geq(size, 0);
	fclose(file);
	return (size_t)size;
}

/*
 * Runs a machine that is cloned on the way. Whether it was, before it ended; then the clone has
 * printed what the first still had to print, and both have ended with `status`.
 */
static bool run_both(struct machine_config config, struct fork *fork,
		     struct snapshot_request *request, int status)
{
	static char all[TEXT + 1], rest[TEXT + 1];
	FILE *out = tmpfile();
	struct machine_exit how;
	size_t size, count;
	int error;

	fork->out = tmpfile();
	request->instead = fork_machine;
	request->context = fork;
	config.clones = true;
	config.organisation = config.organisation ? config.organisation : HPT_CLUSTERED;
	config.out_fd = fileno(out);
	config.err_fd = STDERR_FILENO;
	config.timeout_ns = UINT64_C(100000000000);
	config.snapshot = request;
	error = machine_create(&machine, &config, &message);
	if (error && message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	cr_assert_eq(error, 0, "%s", message.text);
	machine_run(&machine, &how);
	cr_assert_eq(how.by, MACHINE_GUEST, "%s", how.reason);
	cr_assert_eq(how.status, status, "%s", how.reason);
	size = read_back(out, all);
	if (!request->is_taken) {
		machine_destroy(&machine);
		fclose(fork->out);
		return false;
	}
	if (fork->first_goes)
		machine_destroy(&machine);
	if (fork->at_once)
		pthread_join(fork->thread, NULL);
	else
		machine_run(&twin, &fork->how);
	cr_assert_eq(fork->how.by, MACHINE_GUEST, "%s", fork->how.reason);
	cr_assert_eq(fork->how.status, status, "%s", fork->how.reason);
	count = read_back(fork->out, rest);
	cr_assert_eq(count, size - fork->printed, "%zu of %zu, %lu before", count, size,
		     (unsigned long)fork->printed);
	cr_assert_eq(memcmp(rest, all + fork->printed, count), 0);
	if (!fork->first_goes)
		machine_destroy(&machine);
	machine_destroy(&twin);
	return true;
}

/* --- a kernel of a few bytes */

/* Writes 200 times 'a' + a counter in memory, each after a while, and ends with 42. */
static const uint8_t counting[] = {
	0xba, 0xf8, 0x03, 0,	0,	 /* mov $0x3f8, %edx */
	0xb9, 200,  0,	  0,	0,	 /* mov $200, %ecx */
	0xfe, 0x05, 0,	  0,	0x20, 0, /* 1: incb 0x200000 */
	0xa0, 0,    0,	  0x20, 0,	 /* mov 0x200000, %al */
	0xee,				 /* out %al, (%dx) */
	0xbb, 0x00, 0x02, 0,	0,	 /* mov $0x200, %ebx */
	0x4b, 0x75, 0xfd,		 /* 2: dec %ebx; jnz 2b */
	0x49, 0x75, 0xe9,		 /* dec %ecx; jnz 1b */
	0xb0, 42,   0xe6, 0xf4, 0xf4,	 /* mov $42, %al; out %al, $0xf4; hlt */
};

static bool run_counting(struct fork *fork, struct snapshot_request *request)
{
	struct image image = {
		.kind = IMAGE_PVH_KERNEL,
		.entry = ENTRY,
		.segment_count = 1,
		.segments = {{.address = ENTRY,
			      .file_size = sizeof(counting),
			      .memory_size = sizeof(counting)}},
	};

	return run_both((struct machine_config){.mem = 16 * MIB,
						.host_mem = 16 * MIB,
						.command_line = "",
						.kernel = &image,
						.kernel_bytes = counting,
						.kernel_size = sizeof(counting)},
			fork, request, 42);
}

Test(clone, both_count_on_where_the_first_was, .timeout = 120)
{
	unsigned int in_between = 0;

	for (uint64_t delay = 500000; delay < 30000000; delay += 2500000) {
		struct snapshot_request request = {.when = SNAPSHOT_AFTER, .after_ns = delay};
		struct fork fork = {.first_goes = delay / 2500000 % 2};

		if (!run_counting(&fork, &request))
			break;
		in_between += fork.printed > 0 && fork.printed < 200;
	}
	cr_assert_gt(in_between, 0, "no clone fell between two bytes");
}

Test(clone, one_of_a_guest_that_has_ended_ends_as_well, .timeout = 30)
{
	struct snapshot_request request = {.when = SNAPSHOT_EXIT};
	struct fork fork = {.first_goes = true};

	cr_assert(run_counting(&fork, &request));
	cr_assert_eq(fork.printed, 200);
}

/* --- programs */

static void *read_program(const char *name, size_t *size)
{
	char exe[4000] = "", path[4200];
	void *bytes;
	FILE *file;

	cr_assert_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	snprintf(path, sizeof(path), "%s/../images/%s", dirname(exe), name);
	file = fopen(path, "rb");
	cr_assert_not_null(file, "%s: %s", path, strerror(errno));
	fseek(file, 0, SEEK_END);
	*size = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*size);
	cr_assert_eq(fread(bytes, 1, *size, file), *size);
	fclose(file);
	return bytes;
}

static bool run_sort(struct machine_config config, struct fork *fork,
		     struct snapshot_request *request)
{
	size_t size = (size_t)(guest_kernel_end - guest_kernel_start), program_size;
	void *program = read_program("sort", &program_size);
	struct image_ram ram;
	struct image kernel;
	bool was_taken;

	config.mem = 32 * MIB;
	config.host_mem = config.host_mem ? config.host_mem : config.mem;
	machine_ram(config.mem, &ram);
	cr_assert_eq(image_parse(guest_kernel_start, size, &ram, &kernel, NULL, NULL), 0);
	config.kernel = &kernel;
	config.kernel_bytes = guest_kernel_start;
	config.kernel_size = size;
	config.clocks = true;
	config.apics = true;
	config.modules[0] = (struct machine_module){program, program_size, "program"};
	config.module_count = 1;
	config.command_line = "doorbells=1 window=512 table=clustered name=sort -- 2000 --seed 7";
	request->config.kind = IMAGE_STATIC_PROGRAM;
	was_taken = run_both(config, fork, request, 0);
	free(program);
	return was_taken;
}

Test(clone, a_program_and_its_clone_run_side_by_side, .timeout = 300)
{
	struct snapshot_request request = {.when = SNAPSHOT_START};
	struct fork fork = {.at_once = true};

	cr_assert(run_sort((struct machine_config){.pin = false}, &fork, &request));
	cr_assert_eq(fork.printed, 0);
}

Test(clone, a_program_that_is_cloned_on_its_way_comes_to_its_end_twice, .timeout = 300)
{
	static const struct machine_config configs[] = {
		{.around = 16, .pin = true},
		{.host_pages = EPT_MIXED, .organisation = HPT_ADAPTIVE},
		{.host_mem = 3 * MIB},
		{.table_slab = 2 * MIB},
		{.sample_ns = 20000000},
	};
	unsigned int taken = 0;

	for (size_t i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
		struct snapshot_request request = {.when = SNAPSHOT_AFTER, .after_ns = 100000000};
		struct fork fork = {.at_once = i % 2, .first_goes = i % 2 == 0};

		taken += run_sort(configs[i], &fork, &request);
	}
	cr_assert_gt(taken, 0);
}

Test(clone, a_pc_is_refused)
{
	machine.config.pc = true;
	cr_assert_eq(machine_clone(&twin, &machine, 1, 2, &message), -ENOTSUP);
	cr_assert_eq(message.status, STATUS_UNAVAILABLE);
}
