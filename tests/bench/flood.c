/* SPDX-License-Identifier: MIT */
/* Keys that collide, and the kernel and guests that bring them. */
#include "bench/flood.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "bench/flood_kernel.h"
#include "bench/guest_run.h"
#include "hpt/clustered.h"
#include "vmm/image.h"
#include "vmm/machine.h"

#define KEYS 32
#define BITS 10

static uint64_t vpns[KEYS];

static uint64_t top_bits(enum hpt_hash_family family, const struct hpt_salt *salt, uint64_t tag)
{
	uint64_t hash = family == HPT_FIBONACCI ? (tag ^ salt->value) * HPT_MULTIPLIER
						: hpt_hash_tag(family, salt, tag);

	return hash >> (64 - BITS);
}

Test(flood, computed_keys_are_different_pages_of_one_place)
{
	static const enum hpt_hash_family families[] = {HPT_FIBONACCI, HPT_CRC32, HPT_SIPHASH};

	for (int i = 0; i < 3; i++) {
		struct hpt_salt salt;

		hpt_salt_set(&salt, families[i], 5);
		flood_compute(families[i], 5, BITS, false, vpns, KEYS);
		for (int key = 0; key < KEYS; key++) {
			cr_assert_eq(top_bits(families[i], &salt,
					      hpt_tag(hpt_key(FLOOD_ASID, vpns[key], HPT_4K))),
				     top_bits(families[i], &salt,
					      hpt_tag(hpt_key(FLOOD_ASID, vpns[0], HPT_4K))));
			cr_assert(!key || vpns[key] > vpns[key - 1]);
		}
	}
}

Test(flood, computed_blocks_are_of_one_group)
{
	flood_compute(HPT_FIBONACCI, 0, BITS, true, vpns, KEYS);
	for (int key = 1; key < KEYS; key++) {
		cr_assert_eq(vpns[key] % CLUSTERED_BLOCK, 0);
		cr_assert_eq(clustered_tag(hpt_key(FLOOD_ASID, vpns[key], HPT_4K)) *
					     HPT_MULTIPLIER >>
				     (64 - BITS),
			     clustered_tag(hpt_key(FLOOD_ASID, vpns[0], HPT_4K)) * HPT_MULTIPLIER >>
				     (64 - BITS));
	}
}

Test(flood, who_sees_costs_learns_keys_of_one_chain)
{
	struct hpt_config config = {
		.organisation = HPT_CHAINED, .pages = 512, .hash = HPT_SIPHASH, .salt = 77};
	struct flood_leak leak = {.watched = 1, .vpns = vpns, .most = KEYS};
	struct arena arena;
	struct hpt table;
	uint64_t watched = 1;

	cr_assert_eq(arena_begin(&arena, 1 << 24), 0);
	config.memory = arena_memory(&arena);
	cr_assert_eq(hpt_create(&table, &config), 0);
	cr_assert_eq(flood_map(&table, &watched, 1), 0);
	cr_assert_eq(flood_leak(&table, &leak, UINT64_MAX), 0);
	cr_assert_eq(leak.count, KEYS);
	/* The head, and all of them before the page that is watched. */
	cr_assert_eq(flood_by_count(&table, leak.watched), 2 + KEYS);
	cr_assert_eq(table.counts.entries, 1 + KEYS);
	arena_end(&arena);
}

Test(flood, trials_end_where_they_were_told_to)
{
	struct hpt_config config = {.organisation = HPT_CHAINED, .hash = HPT_SIPHASH};
	struct flood_leak leak = {.watched = 1, .vpns = vpns, .most = KEYS};
	struct arena arena;
	struct hpt table;
	uint64_t watched = 1;

	cr_assert_eq(arena_begin(&arena, 1 << 24), 0);
	config.memory = arena_memory(&arena);
	cr_assert_eq(hpt_create(&table, &config), 0);
	cr_assert_eq(flood_map(&table, &watched, 1), 0);
	cr_assert_eq(flood_leak(&table, &leak, 100), 0);
	cr_assert_eq(leak.trials, 100);
	cr_assert(leak.count < KEYS);
	arena_end(&arena);
}

static void note_problem(void *context, const struct image_problem *problem)
{
	(void)context;
	cr_assert_fail("%s", problem->text);
}

Test(flood_kernel, its_image_is_a_kernel_that_can_be_launched)
{
	static uint8_t bytes[1 << 16];
	struct image_ram ram;
	struct image image;
	uint32_t address = 4 << 20;
	int descriptor = flood_kernel(&address, 1);
	ssize_t size;

	cr_assert_geq(descriptor, 0);
	size = pread(descriptor, bytes, sizeof(bytes), 0);
	cr_assert_gt(size, 0);
	close(descriptor);
	machine_ram(16 << 20, &ram);
	cr_assert_eq(image_parse(bytes, (size_t)size, &ram, &image, note_problem, NULL), 0);
	cr_assert(image_is_kernel(image.kind));
}

Test(flood_kernel, too_many_addresses_or_none_are_refused)
{
	uint32_t address = 0;

	cr_assert_eq(flood_kernel(&address, 0), -EINVAL);
	cr_assert_eq(flood_kernel(&address, FLOOD_KERNEL_ADDRESSES + 1), -EINVAL);
}

Test(guest_run, an_image_that_is_not_there_is_missing_and_has_no_numbers)
{
	const char *const nothing[] = {NULL};
	struct guest_run run;

	guest_run(&run, "no-such-image", nothing, nothing);
	cr_assert_null(run.report);
	cr_assert(run.missing[0]);
	cr_assert(isnan(guest_run_number(&run, "run_ns")));
}

Test(guest_run, numbers_are_those_of_a_guest_that_ended_well)
{
	struct guest_run run = {.report = json_pack("{s:{s:s, s:i}, s:{s:{s:i}}, s:s}", "exit",
						    "by", "guest", "status", 0, "a", "b", "c", 7,
						    "d", "text")};

	cr_assert_eq(guest_run_number(&run, "a.b.c"), 7);
	cr_assert(isnan(guest_run_number(&run, "a.b")));
	cr_assert(isnan(guest_run_number(&run, "a.x.c")));
	cr_assert(isnan(guest_run_number(&run, "d")));
	json_object_set_new(json_object_get(run.report, "exit"), "status", json_integer(1));
	cr_assert(isnan(guest_run_number(&run, "a.b.c")));
	json_decref(run.report);
}

Test(arena, changed_lines_are_counted_once_each_and_new_ones_too)
{
	static char before[1 << 14];
	struct arena arena;
	struct hpt_memory memory;
	uint64_t address;
	char *lines;

	cr_assert_eq(arena_begin(&arena, 1 << 24), 0);
	memory = arena_memory(&arena);
	cr_assert_eq(memory.get(memory.context, 4096, &address), 0);
	lines = (char *)(uintptr_t)(address + memory.offset);
	memcpy(before, arena_start(&arena), 4096);
	cr_assert_eq(arena_changed(&arena, before, 4096), 0);
	lines[0] = lines[63] = 1;
	lines[64] = 1;
	cr_assert_eq(arena_changed(&arena, before, 4096), 2);
	cr_assert_eq(memory.get(memory.context, 4096, &address), 0);
	((char *)(uintptr_t)(address + memory.offset))[4095] = 1;
	cr_assert_eq(arena_changed(&arena, before, 4096), 3);
	arena_end(&arena);
}
