/* SPDX-License-Identifier: MIT */
/*
 * flood, by guests that run: a program that floods the guest kernel's table (images/flood), and a
 * kernel that floods the host's (flood_kernel.h). Both tables are clustered ones under fibonacci
 * and salt 0. The guest's is made for all of its memory at once; the host's grows as pages come,
 * but keys of which the first bits of the hash are the same stay in one group whatever it grows to.
 *
 * A program has no say in which frames it gets, one after the other: it cannot flood the host's.
 */
#include <stdio.h>
#include <unistd.h>

#include "bench/experiment_flood.h"
#include "bench/flood_kernel.h"
#include "bench/guest_run.h"
#include "hpt/clustered.h"

#define PROGRAM_PAGES	 192
#define PROGRAM_MEM	 "64M"
#define KERNEL_BITS	 8
#define KERNEL_MEM	 "2G"
#define KERNEL_MEM_BYTES (UINT64_C(2) << 30)
#define KERNEL_PAGES	 224 /* 1 block of 256 of 2 GiB, but for what lies at the start */
#define KERNEL_START	 (UINT64_C(4) << 20) /* behind the image and what lies below it */
#define BLOCK_BYTES	 (HPT_PAGE_SIZE * CLUSTERED_BLOCK)

/*
 * What a lookup finds out that a page is not there by, before page i of those that collide is
 * entered: lines of the group until one that was not passed, and all of the spill lines, which
 * come a page of 64 at a time.
 */
static double miss_model(unsigned int pages)
{
	double probes = 0;

	for (unsigned int i = 0; i < pages; i++) {
		unsigned int spilled = i > HPT_GROUP_LINES ? i - HPT_GROUP_LINES : 0;
		unsigned int spill_pages = (spilled + HPT_GROUP_LINES - 1) / HPT_GROUP_LINES;

		probes += i < HPT_GROUP_LINES
				  ? (HPT_GROUP_LINES + 1.0) / (HPT_GROUP_LINES + 1.0 - i)
				  : HPT_GROUP_LINES * (1.0 + spill_pages);
	}
	return probes;
}

/* Of all lookups of a run: the pages that collide, and others that take one line each. */
static double model_of(const struct guest_run *run, const char *lookups, unsigned int pages)
{
	double all = guest_run_number(run, lookups);

	return (miss_model(pages) + all - pages) / all;
}

static void claim_program(struct experiment_result *result, const struct guest_run *flood,
			  const struct guest_run *even)
{
	experiment_equal(result, "probes", model_of(flood, "stage1.lookups", PROGRAM_PAGES),
			 guest_run_number(flood, "stage1.probes_per_lookup"), 0.15,
			 "live, a program that floods the guest's table: probes a fault");
	experiment_equal(result, "probes", 1, guest_run_number(even, "stage1.probes_per_lookup"),
			 0.1, "live, the same without collisions: probes a fault");
	experiment_at_least(result, "x", 2,
			    guest_run_number(flood, "legs.lookup.p50_ns") /
				    guest_run_number(even, "legs.lookup.p50_ns"),
			    0, "live, time of the lookup in a fault, flooded over even")
		->timed = true;
}

static const char *program_pages(void)
{
	static char text[16];

	snprintf(text, sizeof(text), "%d", PROGRAM_PAGES);
	return text;
}

static void flood_guest_table(struct experiment_result *result)
{
	const char *const options[] = {"--mem", PROGRAM_MEM, "--guest-table", "clustered", NULL};
	const char *const computed[] = {program_pages(), NULL};
	const char *const spread[] = {program_pages(), "--even", NULL};
	struct guest_run flood, even;

	guest_run(&flood, "flood", options, computed);
	guest_run(&even, "flood", options, spread);
	if (flood.report && even.report)
		claim_program(result, &flood, &even);
	else
		experiment_missing(result, "probes",
				   flood.missing[0] ? flood.missing : even.missing,
				   "live, a program that floods the guest's table");
	json_decref(flood.report);
	json_decref(even.report);
}

/* Top bits of the hash of the block that a guest address is in. */
static uint64_t place(uint64_t address)
{
	struct hpt_key key = hpt_key(0, address / HPT_PAGE_SIZE, HPT_4K);

	return clustered_tag(key) * HPT_MULTIPLIER >> (64 - KERNEL_BITS);
}

static size_t choose(uint32_t *addresses, bool collide)
{
	uint64_t wanted = place(KERNEL_START);
	uint64_t end = KERNEL_MEM_BYTES - (64 << 20);
	size_t count = 0;

	for (uint64_t address = KERNEL_START; address < end && count < KERNEL_PAGES;
	     address += BLOCK_BYTES) {
		if (collide ? place(address) == wanted
			    : address / BLOCK_BYTES % (1 << KERNEL_BITS) == 0)
			addresses[count++] = (uint32_t)address;
	}
	return count;
}

/* The kernel with such addresses; how many in *count. */
static void run_kernel(struct guest_run *run, bool collide, size_t *count)
{
	static uint32_t addresses[FLOOD_KERNEL_ADDRESSES];
	const char *const options[] = {"--mem", KERNEL_MEM, "--host-table", "clustered", NULL};
	const char *const nothing[] = {NULL};
	char image[64];
	int descriptor;

	*count = choose(addresses, collide);
	descriptor = flood_kernel(addresses, *count);
	if (descriptor < 0) {
		*run = (struct guest_run){.missing = "no memory for a kernel"};
		return;
	}
	snprintf(image, sizeof(image), "/proc/self/fd/%d", descriptor);
	guest_run(run, image, options, nothing);
	close(descriptor);
}

static void flood_host_table(struct experiment_result *result)
{
	struct guest_run flood, even;
	size_t count, even_count;

	run_kernel(&flood, true, &count);
	run_kernel(&even, false, &even_count);
	if (!flood.report || !even.report) {
		experiment_missing(result, "probes",
				   flood.missing[0] ? flood.missing : even.missing,
				   "live, a kernel that floods the host's table");
	} else {
		experiment_equal(result, "probes",
				 model_of(&flood, "stage2.lookups", (unsigned int)count),
				 guest_run_number(&flood, "stage2.probes_per_lookup"), 0.15,
				 "live, a kernel that floods the host's table: probes a miss");
		experiment_at_most(result, "probes", 2,
				   guest_run_number(&even, "stage2.probes_per_lookup"), 0,
				   "live, the same without collisions: probes a miss");
		experiment_at_least(result, "x", 2,
				    guest_run_number(&flood, "legs.stage2_lookup.p50_ns") /
					    guest_run_number(&even, "legs.stage2_lookup.p50_ns"),
				    0, "live, time of the lookup in a miss, flooded over even")
			->timed = true;
	}
	json_decref(flood.report);
	json_decref(even.report);
}

void experiment_flood_guests(struct experiment_result *result)
{
	flood_guest_table(result);
	flood_host_table(result);
}
