/* SPDX-License-Identifier: MIT */
/* `twostage run`: from the command line to a machine, and from its end to status and report. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest/abi.h"
#include "vmm/cmdline.h"
#include "vmm/command.h"
#include "vmm/disk.h"
#include "vmm/dump.h"
#include "vmm/guest_kernel.h"
#include "vmm/image.h"
#include "vmm/machine.h"
#include "vmm/output.h"
#include "vmm/report.h"
#include "vmm/run_options.h"
#include "vmm/run_pc.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"
#include "vmm/table_slab.h"
#include "vmm/walk_check.h"

/* One run, with all that it owns. */
struct run {
	bool has_input; /* standard input was open when the process began */
	struct run_options options;
	struct output output;
	struct host host;
	bool host_known;
	void *file; /* IMAGE's bytes */
	size_t file_size;
	struct image image;
	struct image kernel; /* IMAGE itself, or the built-in one */
	struct cmdline command_line;
	uint64_t table_slab; /* bytes, 0: none */
	struct run_pc pc;
	struct disk disk;
	struct walk_check walk_check; /* used if the options ask for it */
	struct snapshot snapshot;     /* that --restore names */
	uint64_t restore_ns;
	struct machine machine;
	struct machine_exit how;
	struct report report;
};

/* Ends the run before there is a machine: the message, and how it will be reported. */
static int refuse(struct run *run, int status, const char *text)
{
	fprintf(stderr, "twostage run: %s\n", text);
	run->how.by = MACHINE_VMM;
	run->how.status = status;
	snprintf(run->how.reason, sizeof(run->how.reason), "%s", text);
	return -1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void report_problem(void *context, const struct image_problem *problem)
{
	struct run *run = context;

	fprintf(stderr, "twostage run: %s: %s\n", run->options.image, problem->text);
	if (!run->how.status)
		snprintf(run->how.reason, sizeof(run->how.reason), "%s", problem->text);
	run->how.by = MACHINE_VMM;
	run->how.status = problem->status;
}

static int read_image(struct run *run)
{
	struct image_problem problem;
	struct message message;
	struct image_ram ram;

	if (image_read_file(run->options.image, &run->file, &run->file_size, &problem)) {
		report_problem(run, &problem);
		return -1;
	}
	machine_ram(run->options.mem, &ram);
	if (image_parse(run->file, run->file_size, &ram, &run->image, report_problem, run))
		return -1;
	if (run_pc_check(&run->options, &run->image, &message))
		return refuse(run, message.status, message.text);
	return 0;
}

/* In the place of IMAGE: what it was, and what the run was asked for, are in the snapshot. */
static int open_snapshot(struct run *run)
{
	struct run_options *options = &run->options;
	const struct snapshot_config *config;
	struct message message;

	if (snapshot_open(&run->snapshot, options->restore, &message)) {
		options->image = options->restore;
		options->restore = NULL; /* it is not open */
		return refuse(run, message.status, message.text);
	}
	config = &run->snapshot.state->config;
	if (!options->host_mem_given)
		options->host_mem = config->mem;
	options->mem = config->mem;
	options->window = config->window;
	options->seed = config->seed;
	options->guest_table = (enum hpt_organisation)config->guest_table;
	options->host_table = (enum hpt_organisation)config->host_table;
	options->image = config->image;
	options->cpus = config->cpus;
	run->image.kind = (enum image_kind)config->kind;
	return 0;
}

static void fill_snapshot_config(const struct run *run, const struct machine_config *machine,
				 struct snapshot_config *config)
{
	const struct run_options *options = &run->options;

	*config = (struct snapshot_config){
		.mem = options->mem,
		.window = options->window,
		.seed = options->seed,
		.guest_table = options->guest_table,
		.host_table = options->host_table,
		.kind = run->image.kind,
		.cpus = machine->cpus,
		.apics = machine->apics,
		.pc = machine->pc,
	};
	snprintf(config->image, sizeof(config->image), "%s", options->image);
}

static int kernel_problem(struct run *run)
{
	return refuse(run, STATUS_INTERNAL, "the built-in kernel is no PVH kernel");
}

/* The kernel that the machine boots: IMAGE, or the built-in one with IMAGE as its program. */
static int choose_kernel(struct run *run, struct machine_config *config)
{
	size_t size = (uintptr_t)guest_kernel_end - (uintptr_t)guest_kernel_start;
	struct image_ram ram;

	if (image_is_kernel(run->image.kind)) {
		config->kernel = &run->image;
		config->kernel_bytes = run->file;
		config->kernel_size = run->file_size;
		return 0;
	}
	machine_ram(run->options.mem, &ram);
	if (image_parse(guest_kernel_start, size, &ram, &run->kernel, report_problem, run) ||
	    run->kernel.kind != IMAGE_PVH_KERNEL)
		return kernel_problem(run);
	config->kernel = &run->kernel;
	config->kernel_bytes = guest_kernel_start;
	config->kernel_size = size;
	config->modules[0] = (struct machine_module){run->file, run->file_size, "program"};
	config->module_count = 1;
	config->clocks = true;
	return 0;
}

/* The built-in kernel has room for so many arguments of a program, and for so many bytes. */
static int check_arguments(struct run *run)
{
	const struct run_options *options = &run->options;
	size_t bytes = strlen(options->image) + 1;
	char text[128];

	if (options->argument_count > ABI_ARGUMENTS_MAX) {
		snprintf(text, sizeof(text), "arguments: found %d, wanted at most %d",
			 options->argument_count, ABI_ARGUMENTS_MAX);
		return refuse(run, STATUS_USAGE, text);
	}
	for (int i = 0; i < options->argument_count; i++)
		bytes += strlen(options->arguments[i]) + 1;
	if (bytes <= ABI_STRINGS_MAX)
		return 0;
	snprintf(text, sizeof(text),
		 "arguments: found %zu bytes, IMAGE's name and zeros included, wanted at most %d",
		 bytes, ABI_STRINGS_MAX);
	return refuse(run, STATUS_USAGE, text);
}

/* The built-in kernel gets its keys, and the program's arguments. */
static int write_program(struct run *run)
{
	const struct run_options *options = &run->options;
	struct cmdline *line = &run->command_line;
	int error;

	if (check_arguments(run))
		return -1;
	error = cmdline_add(line, "doorbells=1 cpus=%llu window=%llu table=%s seed=%llu",
			    (unsigned long long)options->cpus, (unsigned long long)options->window,
			    hpt_organisation_name(options->guest_table),
			    (unsigned long long)options->seed);
	if (options->disk)
		error |= cmdline_add(line, "disk=%llu", (unsigned long long)MACHINE_DISK);
	error |= cmdline_add_encoded(line, "name=", options->image);
	if (options->argument_count)
		error |= cmdline_add(line, "--");
	for (int i = 0; i < options->argument_count; i++)
		error |= cmdline_add_encoded(line, "", options->arguments[i]);
	return error ? refuse(run, STATUS_INTERNAL, "out of memory") : 0;
}

/* A kernel gets just its arguments, which may be none, or what --append says. */
static int write_command_line(struct run *run)
{
	const struct run_options *options = &run->options;
	struct cmdline *line = &run->command_line;
	int error;

	if (run->image.kind == IMAGE_STATIC_PROGRAM)
		return write_program(run);
	error = cmdline_add(line, "%s", options->append ? options->append : "");
	for (int i = 0; i < options->argument_count; i++)
		error |= cmdline_add(line, "%s", options->arguments[i]);
	return error ? refuse(run, STATUS_INTERNAL, "out of memory") : 0;
}

/* How large the slab is that was asked for. */
static int choose_slab(struct run *run, uint64_t *size)
{
	const struct run_options *options = &run->options;

	*size = options->table_slab_size;
	if (options->table_slab && !*size)
		*size = table_slab_size(options->guest_table, options->mem);
	run->table_slab = *size;
	return options->table_slab && !*size ? refuse(run, STATUS_INTERNAL, "out of memory") : 0;
}

static void restore_config(struct run *run, struct machine_config *config)
{
	const struct snapshot_config *saved = &run->snapshot.state->config;

	config->restore = &run->snapshot;
	config->apics = saved->apics;
	config->pc = saved->pc;
}

static int open_disk(struct run *run)
{
	const char *path = run->options.disk;
	struct message message;

	if (path && disk_open(&run->disk, "--disk", path, &message))
		return refuse(run, message.status, message.text);
	return 0;
}

static int make_machine(struct run *run)
{
	const struct run_options *options = &run->options;
	struct machine_config config = {
		.mem = options->mem,
		.cpus = (unsigned int)options->cpus,
		.apics = options->cpus > 1 || run->image.kind == IMAGE_STATIC_PROGRAM,
		.host_mem = options->host_mem,
		.swap = options->swap,
		.disk = options->disk ? &run->disk : NULL,
		.around = (unsigned int)options->around,
		.host_pages = (enum ept_pages)options->host_pages,
		.dedup = options->dedup,
		.sample_ns = options->working_set_ns,
		.organisation = options->host_table,
		.seed = options->seed,
		.timeout_ns = options->timeout_ns,
		.pin = true,
		.in_fd = run->has_input ? STDIN_FILENO : -1,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
	};
	struct message message;

	if (options->restore)
		restore_config(run, &config);
	else if (choose_kernel(run, &config) || write_command_line(run) ||
		 choose_slab(run, &config.table_slab))
		return -1;
	else if (run_pc_prepare(&run->pc, options, &run->image, &config, &message))
		return refuse(run, message.status, message.text);
	config.command_line = run->command_line.text;
	if (options->snapshot.when != SNAPSHOT_NEVER)
		config.snapshot = &run->options.snapshot;
	fill_snapshot_config(run, &config, &run->options.snapshot.config);
	if (options->walk_check)
		config.walk_check = &run->walk_check;
	if (open_disk(run))
		return -1;
	if (machine_create(&run->machine, &config, &message))
		return refuse(run, message.status, message.text);
	if (options->walk_check)
		walk_check_init(&run->walk_check, options->walk_check, options->seed,
				run->image.kind == IMAGE_STATIC_PROGRAM);
	return 0;
}

static void fill_config(const struct run *run, struct report_config *config)
{
	const struct run_options *options = &run->options;

	*config = (struct report_config){
		.image = options->image,
		.kind = image_is_kernel(run->image.kind)   ? "kernel"
			: run->image.kind == IMAGE_UNKNOWN ? "unknown"
							   : "program",
		.mem = options->mem,
		.cpus = options->cpus,
		.host_mem = options->host_mem,
		.swap = options->swap,
		.around = options->around,
		.host_pages = (enum ept_pages)options->host_pages,
		.disk = options->disk,
		.dedup = options->dedup,
		.window = options->window,
		.guest_table = options->guest_table,
		.host_table = options->host_table,
		.seed = options->seed,
		.timeout_ns = options->timeout_ns,
		.table_slab = run->table_slab,
		.walk_check = options->walk_check,
		.append = options->append,
		.initrds = options->initrds,
		.initrd_count = options->initrd_count,
		.snapshot = options->snapshot.when == SNAPSHOT_NEVER ? NULL : &options->snapshot,
		.restore = options->restore,
		.restore_pages = options->restore ? run->snapshot.origin.page_count : 0,
		.restore_ns = run->restore_ns,
	};
}

/* Status of the process: the run's, unless its report cannot be written. */
static int report(struct run *run, bool has_machine)
{
	struct report_config config;
	struct message message;

	if (!run->host_known)
		return run->how.status;
	fill_config(run, &config);
	if (has_machine)
		report_collect(&run->report, &run->host, &config, &run->machine, &run->how);
	else
		report_without_machine(&run->report, &run->host, &config, &run->how);
	if (run->options.stats && has_machine)
		report_print(stderr, &run->report);
	if (run->options.json && output_json(&run->output, report_json(&run->report), &message)) {
		fprintf(stderr, "twostage run: %s\n", message.text);
		return message.status;
	}
	return run->how.status;
}

static bool prepare(struct run *run)
{
	uint64_t begin = now_ns();
	bool is_ready;

	if (run->options.restore)
		is_ready = !open_snapshot(run) && !make_machine(run);
	else
		is_ready = !read_image(run) && !make_machine(run);
	run->restore_ns = now_ns() - begin;
	return is_ready;
}

static void say_snapshot_is_missing(const struct run *run)
{
	const struct snapshot_request *request = &run->options.snapshot;

	if (request->when == SNAPSHOT_NEVER || request->is_taken ||
	    run->how.status == STATUS_NOINPUT)
		return;
	fprintf(stderr, "twostage run: --snapshot: %s was not written: the guest %s\n",
		request->path,
		request->when == SNAPSHOT_EXIT	  ? "did not end by itself"
		: request->when == SNAPSHOT_START ? "never came to the program's start"
						  : "ended before");
}

static int run_image(struct run *run)
{
	bool has_machine;
	int status;

	/* Before the guest runs: the trial VM of host_read() must not disturb it. */
	run->host_known = run->options.stats || run->options.json;
	if (run->host_known)
		host_read(&run->host);
	has_machine = prepare(run);
	if (has_machine) {
		machine_run(&run->machine, &run->how);
		if (run->options.walk_check && !run->walk_check.counts.walks)
			fprintf(stderr, "twostage run: --walk-check: nothing was walked: %s\n",
				run->walk_check.counts.no_table_why);
		if (run->how.by == MACHINE_VMM && run->how.status != STATUS_NOINPUT)
			dump_write(stderr, &run->machine, &run->how);
		else if (run->how.by == MACHINE_VMM)
			fprintf(stderr, "twostage run: %s\n", run->how.reason);
		say_snapshot_is_missing(run);
	}
	status = report(run, has_machine);
	if (has_machine) {
		machine_destroy(&run->machine);
		if (run->options.walk_check)
			walk_check_destroy(&run->walk_check);
	}
	if (run->options.restore)
		snapshot_close(&run->snapshot);
	return status;
}

int cmd_run(int argc, char **argv)
{
	static struct run run; /* large: consoles and reports */
	struct message message;
	int status = run_options_parse(&run.options, argc, argv);

	if (status)
		return status;
	run.disk.fd = -1;
	/* Asked before another file takes its number. */
	run.has_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
	if (output_open(&run.output, run.options.json, &message)) {
		fprintf(stderr, "twostage run: %s\n", message.text);
		return message.status;
	}
	if (run.options.snapshot.when != SNAPSHOT_NEVER &&
	    snapshot_begin(&run.options.snapshot, &message)) {
		fprintf(stderr, "twostage run: %s\n", message.text);
		return message.status;
	}
	/* A reader that went away shows as an error of write(), which ends the run in order. */
	signal(SIGPIPE, SIG_IGN);
	/* And a pool above RLIMIT_FSIZE as one of ftruncate(), which has a message. */
	signal(SIGXFSZ, SIG_IGN);
	status = run_image(&run);
	snapshot_end(&run.options.snapshot);
	run_pc_release(&run.pc);
	disk_close(&run.disk);
	free(run.file);
	free(run.command_line.text);
	return status;
}
