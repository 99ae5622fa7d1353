/* SPDX-License-Identifier: MIT */
#include "vmm/run_options.h"

#include <argp.h>
#include <errno.h>

#include "guest/abi.h"
#include "vmm/command.h"
#include "vmm/machine.h"
#include "vmm/message.h"
#include "vmm/options.h"
#include "vmm/status.h"
#include "vmm/table_slab.h"
#include "vmm/walk_check.h"

#define DEFAULT_MEM	     (UINT64_C(256) << 20)
#define DEFAULT_ORGANISATION HPT_CLUSTERED

/* Long options have keys that are no letters. */
enum {
	OPTION_MEM = 0x100,
	OPTION_CPUS,
	OPTION_HOST_MEM,
	OPTION_SWAP,
	OPTION_AROUND,
	OPTION_HOST_PAGES,
	OPTION_DEDUP,
	OPTION_DISK,
	OPTION_WORKING_SET,
	OPTION_WINDOW,
	OPTION_GUEST_TABLE,
	OPTION_HOST_TABLE,
	OPTION_TABLE_SLAB,
	OPTION_WALK_CHECK,
	OPTION_SNAPSHOT,
	OPTION_RESTORE,
	OPTION_SEED,
	OPTION_TIMEOUT,
	OPTION_STATS,
	OPTION_JSON,
	OPTION_INITRD,
	OPTION_APPEND,
};

static const struct argp_option rows[] = {
	{"mem", OPTION_MEM, "SIZE", 0, "guest memory, 4M to 112G (256M)", 0},
	{"cpus", OPTION_CPUS, "N", 0, "CPUs of the guest, 1 to 32 (1)", 0},
	{"host-mem", OPTION_HOST_MEM, "SIZE", 0,
	 "host memory that the guest's pages may take (as --mem); if they need more, pages that are not in use go to the swap file",
	 0},
	{"swap", OPTION_SWAP, "FILE", 0,
	 "the swap file: one that does not exist, is empty or is left from an earlier run (an unlinked one in TMPDIR, /var/tmp or /tmp)",
	 0},
	{"host-pages", OPTION_HOST_PAGES, "4k|2m|mixed", 0,
	 "entries of the stage-2 table (4k): 2m maps whole blocks at their first touch, mixed once all of their pages are there",
	 0},
	{"dedup", OPTION_DEDUP, NULL, 0,
	 "pages of equal content share a frame until one of them is written", 0},
	{"disk", OPTION_DISK, "FILE", 0,
	 "a disk for the guest, which swaps to it: a file or block device of whole sectors of 512 bytes; what is in it is overwritten",
	 0},
	{"fault-around", OPTION_AROUND, "PAGES", 0,
	 "pages, 1 to 512, that one stage-2 miss may bring where the guest touches one after the other (1: each page is a miss; 512 cost least a page)",
	 0},
	{"window", OPTION_WINDOW, "PAGES", 0,
	 "entries of the stage-1 window, 16 to 1048576 (4096): the guest's TLB, so to speak", 0},
	{"guest-table", OPTION_GUEST_TABLE, "ORG", 0,
	 "organisation of the stage-1 table: radix, chained, open, bucket, clustered, cuckoo or adaptive (clustered)",
	 0},
	{"host-table", OPTION_HOST_TABLE, "ORG", 0,
	 "organisation of the stage-2 table: radix, chained, open, bucket, clustered, cuckoo or adaptive (clustered)",
	 0},
	{"table-slab", OPTION_TABLE_SLAB, "SIZE", OPTION_ARG_OPTIONAL,
	 "keep the stage-1 table in one pinned run of host memory (as long as the table may get), "
	 "where walks of --walk-check find it without stage 2",
	 0},
	{"initrd", OPTION_INITRD, "FILE", 0,
	 "a file that the kernel finds in memory: for a program a cpio archive (newc) of the files that "
	 "it can open and execute; a multiboot kernel takes up to 8",
	 0},
	{"append", OPTION_APPEND, "TEXT", 0, "for a kernel: its command line", 0},
	{"walk-check", OPTION_WALK_CHECK, "N", 0,
	 "stop the guest now and then, walk N of its pages (1 to 65536) in software through both "
	 "tables, and compare with what the machine has; status 70 if a walk is wrong",
	 0},
	{"snapshot", OPTION_SNAPSHOT, "WHEN:FILE", 0,
	 "write the guest's state to FILE, then go on; WHEN is start (before the program's first "
	 "instruction), exit, or a number of seconds",
	 0},
	{"restore", OPTION_RESTORE, "FILE", 0,
	 "go on from a snapshot, in place of IMAGE; memory size, CPUs, tables, window and seed are in it",
	 0},
	{"working-set", OPTION_WORKING_SET, "SECONDS", 0,
	 "every so often say how many pages the guest has touched and written since the last time; each sample makes it miss on all of them once more",
	 0},
	{"seed", OPTION_SEED, "N", 0,
	 "what everything random is derived from (0): runs of one seed are alike", 0},
	{"timeout", OPTION_TIMEOUT, "SECONDS", 0,
	 "end the guest after so long, with status 124 and a dump (no limit)", 0},
	{"stats", OPTION_STATS, NULL, 0, "afterwards print both stages to standard error", 0},
	{"json", OPTION_JSON, "FILE", 0,
	 "afterwards write the same as one JSON object to FILE (- is standard output)", 0},
	{0},
};

/* A usage error of argp's form, which ends the process. */
static error_t check(struct argp_state *state, int error, const struct message *message)
{
	if (error)
		argp_error(state, "%s", message->text);
	return error ? EINVAL : 0;
}

static int parse_slab(const char *text, uint64_t *size, struct message *message)
{
	int error =
		option_size("--table-slab", text, TABLE_SLAB_UNIT, MACHINE_MEM_MAX, size, message);

	if (error || *size % TABLE_SLAB_UNIT == 0)
		return error;
	return message_set(message, -EINVAL, STATUS_USAGE,
			   "--table-slab: found \"%s\", wanted a multiple of 2M", text);
}

static error_t parse_machine(int key, char *text, struct argp_state *state)
{
	struct run_options *options = state->input;
	struct message message;

	switch (key) {
	case OPTION_MEM:
		options->kept = "--mem";
		return check(state,
			     option_size("--mem", text, MACHINE_MEM_MIN, MACHINE_MEM_MAX,
					 &options->mem, &message),
			     &message);
	case OPTION_CPUS:
		options->kept = "--cpus";
		return check(
			state,
			option_count("--cpus", text, 1, ABI_CPUS_MAX, &options->cpus, &message),
			&message);
	case OPTION_HOST_MEM:
		return check(state,
			     option_size("--host-mem", text, MACHINE_HOST_MEM_MIN, MACHINE_MEM_MAX,
					 &options->host_mem, &message),
			     &message);
	case OPTION_SWAP:
		options->swap = text;
		return 0;
	case OPTION_AROUND:
		return check(state,
			     option_count("--fault-around", text, 1, EPT_AROUND_MAX,
					  &options->around, &message),
			     &message);
	case OPTION_DISK:
		options->disk = text;
		return 0;
	case OPTION_DEDUP:
		options->dedup = true;
		return 0;
	case OPTION_HOST_PAGES:
		return check(state,
			     option_pages("--host-pages", text, &options->host_pages, &message),
			     &message);
	case OPTION_WINDOW:
		options->kept = "--window";
		options->window_given = true;
		return check(state,
			     option_count("--window", text, ABI_WINDOW_PAGES_MIN,
					  ABI_WINDOW_PAGES_MAX, &options->window, &message),
			     &message);
	case OPTION_GUEST_TABLE:
		options->kept = "--guest-table";
		options->guest_table_given = true;
		return check(
			state,
			option_organisation("--guest-table", text, &options->guest_table, &message),
			&message);
	case OPTION_TABLE_SLAB:
		options->table_slab = true;
		return text ? check(state, parse_slab(text, &options->table_slab_size, &message),
				    &message)
			    : 0;
	case OPTION_HOST_TABLE:
		options->kept = "--host-table";
		return check(
			state,
			option_organisation("--host-table", text, &options->host_table, &message),
			&message);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* IMAGE comes first; what stands behind -- is the guest's. */
static error_t parse_argument(char *text, struct argp_state *state)
{
	struct run_options *options = state->input;
	int index = state->next - 1;

	if (!options->image) {
		options->image = text;
		return 0;
	}
	if (!state->quoted || index < state->quoted)
		argp_error(state,
			   "found a second argument \"%s\", wanted one IMAGE; arguments for the "
			   "guest stand behind --",
			   text);
	if (!options->argument_count++)
		options->arguments = &state->argv[index];
	return 0;
}

/* What a snapshot has itself cannot be given beside it, nor what cannot be in it. */
static error_t check_snapshots(const struct run_options *options, struct argp_state *state)
{
	if (options->disk && (options->restore || options->snapshot.when != SNAPSHOT_NEVER))
		argp_error(
			state,
			"--disk: found it beside %s, wanted one of the two: neither the disk nor "
			"its content is in a snapshot",
			options->restore ? "--restore" : "--snapshot");
	if (!options->restore)
		return 0;
	if (options->image)
		argp_error(state,
			   "found \"%s\" beside --restore, wanted no IMAGE and no arguments: they "
			   "are in the snapshot",
			   options->image);
	if (options->kept)
		argp_error(state,
			   "%s: found it beside --restore, wanted it not: it is in the snapshot",
			   options->kept);
	return 0;
}

static error_t add_initrd(struct run_options *options, const char *path, struct argp_state *state)
{
	if (options->initrd_count == MACHINE_MODULES_MAX)
		argp_error(state, "--initrd: found more than %d files, wanted at most %d",
			   MACHINE_MODULES_MAX, MACHINE_MODULES_MAX);
	options->initrds[options->initrd_count++] = path;
	return 0;
}

static error_t parse_option(int key, char *text, struct argp_state *state)
{
	struct run_options *options = state->input;
	struct message message;

	switch (key) {
	case OPTION_WALK_CHECK:
		return check(state,
			     option_count("--walk-check", text, 1, WALK_CHECK_PAGES_MAX,
					  &options->walk_check, &message),
			     &message);
	case OPTION_SEED:
		options->kept = "--seed";
		return check(state,
			     option_count("--seed", text, 0, INT64_MAX, &options->seed, &message),
			     &message);
	case OPTION_TIMEOUT:
		return check(state,
			     option_seconds("--timeout", text, &options->timeout_ns, &message),
			     &message);
	case OPTION_SNAPSHOT:
		return check(state,
			     snapshot_parse("--snapshot", text, &options->snapshot, &message),
			     &message);
	case OPTION_RESTORE:
		options->restore = text;
		return 0;
	case OPTION_WORKING_SET:
		return check(
			state,
			option_seconds("--working-set", text, &options->working_set_ns, &message),
			&message);
	case OPTION_STATS:
		options->stats = true;
		return 0;
	case OPTION_JSON:
		options->json = text;
		return 0;
	case OPTION_INITRD:
		options->kept = "--initrd";
		return add_initrd(options, text, state);
	case OPTION_APPEND:
		options->kept = "--append";
		options->append = text;
		return 0;
	case ARGP_KEY_ARG:
		return parse_argument(text, state);
	case ARGP_KEY_NO_ARGS:
		if (options->restore)
			return 0;
		argp_error(state, "found no IMAGE, wanted one");
		return EINVAL;
	case ARGP_KEY_END:
		return check_snapshots(options, state);
	default:
		return parse_machine(key, text, state);
	}
}

static const struct argp argp = {
	.options = rows,
	.parser = parse_option,
	.children = command_help,
	.args_doc = "IMAGE [-- ARG...]\n--restore FILE",
	.doc = "Boot IMAGE on two page tables: a static Linux program (which runs under the built-in "
	       "kernel with the ARGs) or a kernel (PVH, a Linux bzImage, multiboot 1). The guest's "
	       "console is standard output; its own exit status becomes that of this command.\v"
	       "SIZE is a whole number with an optional K, M or G (powers of two), a multiple of "
	       "4K, or of 2M for --table-slab. A kernel brings its own page tables: --window, "
	       "--guest-table and --table-slab are not for it, --walk-check walks only what it "
	       "publishes as the built-in one does, and the ARGs, or TEXT, are its command line. A Linux or multiboot kernel, and a PVH kernel "
	       "that is given --initrd or --append, finds a PC with interrupt controllers and a "
	       "timer, and standard input at its first serial port; it ends with the byte that it "
	       "writes to port 0xf4, or with 0 by a reset or by being switched off.\n\n"
	       "Exit status, where it is not the guest's own: 64 usage, 65 the image is malformed, "
	       "66 a file cannot be read or written (standard output too), 69 KVM or userfaultfd "
	       "is missing, 70 internal error, 124 timeout, 125 the guest died. With --json, "
	       "\"exit\" says whose status it is."};

int run_options_parse(struct run_options *options, int argc, char **argv)
{
	*options = (struct run_options){
		.mem = DEFAULT_MEM,
		.cpus = 1,
		.around = 1,
		.window = ABI_WINDOW_PAGES,
		.guest_table = DEFAULT_ORGANISATION,
		.host_table = DEFAULT_ORGANISATION,
	};
	/* In order: else getopt would move IMAGE behind the --, among the guest's arguments. */
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options))
		return STATUS_USAGE;
	options->host_mem_given = options->host_mem;
	if (!options->host_mem)
		options->host_mem = options->mem;
	return 0;
}
