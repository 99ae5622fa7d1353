/* SPDX-License-Identifier: MIT */
/*
 * Holds both stages against what others say of them, after a run of the image `touch`:
 *
 *  - stage 1: the guest's hashed table (walked here, line by line through the gateway) against
 *    KVM_TRANSLATE, which walks the x86 tables under CR3, for every page that the window has;
 *  - both: the tag that the program wrote through a gVA is found, through the pool's own mapping,
 *    in the frame that the host's table names for the gPA that the guest's table names;
 *  - both: the region's pages missed exactly once at each stage.
 *
 *     agree TOUCH [SIZE=16M [WINDOW=4096]]
 *
 * Prints TAP, one test for each pair of organisations and property. KVM missing: all are skipped.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "images/touch/tag.h"
#include "vmm/cmdline.h"
#include "vmm/guest_kernel.h"
#include "vmm/image.h"
#include "vmm/machine.h"
#include "vmm/options.h"
#include "vmm/stage1.h"
#include "vmm/status.h"

#define SEED	   7
#define TIMEOUT_NS (UINT64_C(900) * 1000000000)

static unsigned int tests, failures;

static void __attribute__((format(printf, 2, 3))) check(bool right, const char *format, ...)
{
	va_list arguments;

	tests++;
	failures += !right;
	printf("%s %u ", right ? "ok" : "not ok", tests);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	putchar('\n');
}

struct guest {
	void *program;
	size_t program_size;
	struct image kernel;
	uint64_t size;
	uint64_t window;
	enum hpt_organisation stage1, stage2;
	char name[40]; /* of the pair, for the lines of TAP */
	struct machine machine;
};

static int write_command_line(const struct guest *guest, struct cmdline *line)
{
	return cmdline_add(line,
			   "doorbells=1 window=%" PRIu64 " table=%s name=touch -- %" PRIu64
			   " --order random --seed %d",
			   guest->window, hpt_organisation_name(guest->stage1), guest->size, SEED);
}

static bool run(struct guest *guest)
{
	struct machine_config config = {
		.mem = guest->size + (UINT64_C(64) << 20),
		.host_mem = guest->size + (UINT64_C(64) << 20),
		.organisation = guest->stage2,
		.seed = SEED,
		.timeout_ns = TIMEOUT_NS,
		.pin = true,
		.kernel = &guest->kernel,
		.kernel_bytes = guest_kernel_start,
		.kernel_size = (size_t)(guest_kernel_end - guest_kernel_start),
		.clocks = true,
		.modules = {{guest->program, guest->program_size, "program"}},
		.module_count = 1,
		.out_fd = STDERR_FILENO,
		.err_fd = STDERR_FILENO,
	};
	struct cmdline line = {0};
	struct message message;
	struct machine_exit how;

	if (write_command_line(guest, &line))
		return false;
	config.command_line = line.text;
	if (machine_create(&guest->machine, &config, &message)) {
		free(line.text);
		if (message.status == STATUS_UNAVAILABLE) {
			printf("1..0 # SKIP %s\n", message.text);
			exit(0);
		}
		fprintf(stderr, "%s\n", message.text);
		return false;
	}
	machine_run(&guest->machine, &how);
	free(line.text);
	check(how.by == MACHINE_GUEST && how.status == 0, "%s: the program verifies its tags: %s",
	      guest->name, how.reason);
	return how.by == MACHINE_GUEST;
}

/* What was found for the pages of the program's mapping. */
struct found {
	uint64_t unmapped;   /* pages that the guest's table does not have */
	uint64_t translated; /* pages that KVM_TRANSLATE knows */
	uint64_t different;  /* ... as another gPA */
	uint64_t absent;     /* gPAs that the host's table does not have */
	uint64_t wrong_tags; /* frames without the page's tag */
};

static void look_at_page(struct guest *guest, struct stage1 *stage1, uint64_t page, uint64_t gva,
			 struct found *found)
{
	gpa_t gpa, kvm_gpa;
	uint64_t frame;

	if (stage1_translate(stage1, gva, &gpa)) {
		found->unmapped++;
		return;
	}
	if (!machine_translate(&guest->machine, 0, gva, &kvm_gpa)) {
		found->translated++;
		found->different += kvm_gpa != gpa;
	}
	if (ept_translate(&guest->machine.ept, gpa, &frame)) {
		found->absent++;
		return;
	}
	found->wrong_tags += *(uint64_t *)ept_pool_frame(&guest->machine.ept.pool, frame) !=
			     touch_tag(page, SEED);
}

static void look(struct guest *guest)
{
	uint64_t pages = guest->size / HPT_PAGE_SIZE;
	uint64_t resident = pages < guest->window / 2 ? pages : guest->window / 2;
	static struct stage1 stage1;
	struct found found = {0};
	struct ept_snapshot stage2;
	const char *why;

	if (stage1_read(&stage1, &guest->machine, 0, &why)) {
		check(false, "%s: the guest's table can be read: %s", guest->name, why);
		return;
	}
	ept_read(&guest->machine.ept, &stage2);
	for (uint64_t page = 0; page < pages; page++)
		look_at_page(guest, &stage1, page,
			     stage1.page.regions[0].start + page * HPT_PAGE_SIZE, &found);
	check(!found.unmapped, "%s: the guest's table has all %" PRIu64 " pages (%" PRIu64 " not)",
	      guest->name, pages, found.unmapped);
	check(found.translated >= resident && !found.different,
	      "%s: KVM_TRANSLATE gives the same gPA for %" PRIu64 " pages (%" PRIu64 " differ)",
	      guest->name, found.translated, found.different);
	check(!found.absent && !found.wrong_tags,
	      "%s: each tag is in the frame that the host's table names (%" PRIu64
	      " absent, %" PRIu64 " wrong)",
	      guest->name, found.absent, found.wrong_tags);
	check(stage1.page.regions[0].pages == pages &&
		      stage1.page.regions[0].first_touches == pages,
	      "%s: stage 1 missed %" PRIu64 " times in the region of %" PRIu64 " pages",
	      guest->name, stage1.page.regions[0].first_touches, pages);
	check(stage2.counts.touches + stage2.counts.copies == stage2.table.entries &&
		      stage2.counts.frames == stage2.table.entries,
	      "%s: stage 2 gave each page one frame, at its first touch: %" PRIu64
	      " by the guest, %" PRIu64 " by the VMM, %" PRIu64 " entries, %" PRIu64 " frames",
	      guest->name, stage2.counts.touches, stage2.counts.copies, stage2.table.entries,
	      stage2.counts.frames);
	check(!hpt_check(&guest->machine.ept.table), "%s: the host's table keeps its invariants",
	      guest->name);
}

static void report_problem(void *context, const struct image_problem *problem)
{
	(void)context;
	fprintf(stderr, "agree: %s\n", problem->text);
}

int main(int argc, char **argv)
{
	static struct guest guest;
	struct image_problem problem;
	struct message message;

	if (argc < 2 || image_read_file(argv[1], &guest.program, &guest.program_size, &problem) ||
	    image_parse(guest_kernel_start, (size_t)(guest_kernel_end - guest_kernel_start), NULL,
			&guest.kernel, report_problem, NULL)) {
		fprintf(stderr, "agree: wanted TOUCH [SIZE [WINDOW]]\n");
		return STATUS_USAGE;
	}
	if (option_size("SIZE", argc > 2 ? argv[2] : "16M", UINT64_C(1) << 20, UINT64_C(64) << 30,
			&guest.size, &message) ||
	    option_count("WINDOW", argc > 3 ? argv[3] : "4096", ABI_WINDOW_PAGES_MIN,
			 ABI_WINDOW_PAGES_MAX, &guest.window, &message)) {
		fprintf(stderr, "agree: %s\n", message.text);
		return STATUS_USAGE;
	}
	for (int pair = 0; pair < HPT_ORGANISATIONS * HPT_ORGANISATIONS; pair++) {
		guest.stage1 = pair / HPT_ORGANISATIONS;
		guest.stage2 = pair % HPT_ORGANISATIONS;
		snprintf(guest.name, sizeof(guest.name), "%s over %s",
			 hpt_organisation_name(guest.stage1), hpt_organisation_name(guest.stage2));
		if (!run(&guest))
			continue;
		look(&guest);
		machine_destroy(&guest.machine);
	}
	printf("1..%u\n", tests);
	return failures != 0;
}
