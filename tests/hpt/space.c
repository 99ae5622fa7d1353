/* SPDX-License-Identifier: MIT */
/* Address spaces: forks, chains, identifiers, frames, and what is refused. */
#include <errno.h>

#include "tests/hpt/fixture.h"
#include "tests/hpt/space_model.h"

static struct world world;

#define LARGE(region) (WORLD_REGIONS * WORLD_SMALL + (region))

/* Pages of the model that have the kind's size, and how many there are. */
static unsigned int first_page(const struct table_kind *kind)
{
	return kind->size == HPT_2M ? LARGE(0) : 0;
}

static unsigned int page_count(const struct table_kind *kind)
{
	return kind->size == HPT_2M ? WORLD_REGIONS : WORLD_REGIONS * WORLD_SMALL;
}

/* A world with a space 0 that has all pages of the kind's size, for writing. */
static void begin_with_pages(const struct table_kind *kind, unsigned int features)
{
	world_begin(&world, kind->organisation, features);
	world_create(&world, 0);
	for (unsigned int i = 0; i < page_count(kind); i++)
		world_map(&world, 0, first_page(kind) + i, HPT_WRITE | HPT_USER, false);
}

static void write_all(const struct table_kind *kind, unsigned int at)
{
	for (unsigned int i = 0; i < page_count(kind); i++)
		world_write(&world, at, first_page(kind) + i);
}

/* How many searches beside the first the dearest page of a space takes. */
static unsigned int searches(unsigned int at)
{
	unsigned int most = 0;

	for (unsigned int page = 0; page < WORLD_PAGES; page++) {
		struct hpt_ledger ledger = {0};
		struct hpt_space_found found;

		if (hpt_space_lookup(&world.of[at].space, world_vpn(page), world_size(page), &found,
				     &ledger))
			continue;
		cr_assert_gt(ledger.probes, found.searches);
		if (found.searches > most)
			most = found.searches;
	}
	return most;
}

TABLE_TEST(space, a_fork_touches_no_entry_and_asks_for_no_memory)
{
	struct hpt_counts before;
	uint64_t calls;

	begin_with_pages(kind, 0);
	before = world.table.counts;
	calls = world.memory.calls;
	world_fork(&world, 0, 1);
	cr_assert(world.of[1].live);
	cr_assert_arr_eq(&world.table.counts, &before, sizeof(before));
	cr_assert_eq(world.memory.calls, calls);
	world_check(&world);
	world_end(&world);
}

TABLE_TEST(space, of_two_writers_the_first_copies_and_the_second_takes_the_page_over)
{
	begin_with_pages(kind, 0);
	world_fork(&world, 0, 1);
	write_all(kind, 1);
	cr_assert_eq(world.counts[HPT_SPACE_COPIED], page_count(kind));
	cr_assert_eq(world.counts[HPT_SPACE_TAKEN], 0);
	world_check(&world);
	write_all(kind, 0);
	cr_assert_eq(world.counts[HPT_SPACE_COPIED], page_count(kind));
	cr_assert_eq(world.counts[HPT_SPACE_TAKEN], page_count(kind));
	world_check(&world);
	world_end(&world);
}

/* Of three that share a page, the last one copies nothing, whether the others wrote or unmapped. */
TABLE_TEST(space, the_last_of_several_users_takes_the_page_over)
{
	begin_with_pages(kind, 0);
	world_fork(&world, 0, 1);
	world_fork(&world, 0, 2);
	world_unmap(&world, 1, first_page(kind), first_page(kind) + page_count(kind) - 1);
	write_all(kind, 0);
	world_check(&world);
	write_all(kind, 2);
	cr_assert_eq(world.counts[HPT_SPACE_COPIED], page_count(kind));
	cr_assert_eq(world.counts[HPT_SPACE_TAKEN], page_count(kind));
	world_check(&world);
	world_end(&world);
}

/* A child that has children of its own stands for all of them. */
TABLE_TEST(space, a_page_that_descendants_still_share_is_copied)
{
	begin_with_pages(kind, 0);
	world_fork(&world, 0, 1);
	world_write(&world, 1, first_page(kind) + 1);
	world_fork(&world, 1, 2);
	world_write(&world, 0, first_page(kind));
	world_write(&world, 1, first_page(kind));
	world_check(&world);
	cr_assert_eq(world.counts[HPT_SPACE_TAKEN], 0);
	world_write(&world, 2, first_page(kind));
	cr_assert_eq(world.counts[HPT_SPACE_TAKEN], 1);
	world_check(&world);
	world_end(&world);
}

TABLE_TEST(space, the_survivor_copies_nothing_whoever_ends_first)
{
	for (unsigned int first = 0; first < 2; first++) {
		begin_with_pages(kind, 0);
		world_fork(&world, 0, 1);
		world_write(&world, 0, first_page(kind));
		world_destroy(&world, first);
		write_all(kind, 1 - first);
		cr_assert_eq(world.counts[HPT_SPACE_COPIED], 1);
		while (hpt_spaces_reap(&world.spaces, 1) > 0)
			world_check(&world);
		cr_assert_eq(searches(1 - first), 0);
		cr_assert_eq(world.spaces.used, 1);
		world_end(&world);
	}
}

/* A shell: a child for every command, which writes and ends; the shell writes now and then. */
TABLE_TEST(space, a_shell_that_forks_a_thousand_times_has_no_longer_chain)
{
	begin_with_pages(kind, 0);
	for (unsigned int i = 0; i < 1000; i++) {
		world_fork(&world, 0, 1);
		world_write(&world, 1, first_page(kind) + i % page_count(kind));
		if (i % 3)
			world_write(&world, 0, first_page(kind) + i % 2);
		cr_assert_leq(searches(0), 2);
		world_destroy(&world, 1);
		hpt_spaces_reap(&world.spaces, 16);
		cr_assert_leq(world.spaces.used, 6);
		if (i % 100 == 0)
			world_check(&world);
	}
	world_end(&world);
}

/* Without a page written in between, even children that stay make no chain. */
TABLE_TEST(space, forks_of_an_unchanged_space_share_one_ancestor)
{
	begin_with_pages(kind, 0);
	for (unsigned int i = 1; i < WORLD_SPACES; i++)
		world_fork(&world, 0, i);
	cr_assert_eq(world.spaces.used, WORLD_SPACES + 1);
	for (unsigned int i = 0; i < WORLD_SPACES; i++)
		cr_assert_eq(searches(i), 1);
	world_check(&world);
	world_end(&world);
}

/* Each a child of the last, both write, none ends: the bound holds, and each sees its own. */
TABLE_TEST(space, a_deep_nest_stays_within_the_bound)
{
	unsigned int deepest = 0;

	begin_with_pages(kind, WORLD_REFERENCES);
	for (unsigned int i = 1; i < WORLD_SPACES; i++) {
		world_fork(&world, i - 1, i);
		cr_assert(world.of[i].live);
		world_write(&world, i, first_page(kind) + i % page_count(kind));
		world_write(&world, i - 1, first_page(kind));
		if (searches(i) > deepest)
			deepest = searches(i);
		world_check(&world);
	}
	cr_assert_leq(deepest, HPT_SPACE_DEPTH);
	cr_assert(kind->size == HPT_2M || deepest == HPT_SPACE_DEPTH);
	for (unsigned int i = 0; i < WORLD_SPACES; i++) {
		write_all(kind, (5 + i * 7) % WORLD_SPACES);
		world_check(&world);
		world_destroy(&world, (8 + i * 7) % WORLD_SPACES);
		while (hpt_spaces_reap(&world.spaces, 1) > 0)
			world_check(&world);
	}
	cr_assert_eq(world.spaces.used, 0);
	world_end(&world);
}

TABLE_TEST(space, common_pages_are_written_in_place_by_all)
{
	struct hpt_space_found mine, yours;
	unsigned int page = first_page(kind);

	world_begin(&world, kind->organisation, 0);
	world_create(&world, 0);
	world_map(&world, 0, page, HPT_WRITE, true);
	world_fork(&world, 0, 1);
	world_write(&world, 0, page);
	world_write(&world, 1, page);
	/* Of one's own permissions, the same frame. */
	world_protect(&world, 1, page, page, HPT_WRITE, HPT_NOEXEC);
	hpt_space_lookup(&world.of[0].space, world_vpn(page), kind->size, &mine, NULL);
	hpt_space_lookup(&world.of[1].space, world_vpn(page), kind->size, &yours, NULL);
	cr_assert_eq(hpt_frame(mine.entry), hpt_frame(yours.entry));
	cr_assert(mine.entry & HPT_WRITE);
	cr_assert_not(yours.entry & HPT_WRITE);
	cr_assert_eq(world.frames[hpt_frame(mine.entry)].references, 2);
	world_check(&world);
	world_end(&world);
}

/* With an owner who counts, a page that was only protected is not copied once it is alone. */
TABLE_TEST(space, a_frame_with_one_reference_left_is_not_copied)
{
	unsigned int page = first_page(kind);

	for (unsigned int references = 0; references < 2; references++) {
		begin_with_pages(kind, references ? WORLD_REFERENCES : 0);
		world_fork(&world, 0, 1);
		world_protect(&world, 1, page, page, HPT_USER, 0);
		world_check(&world);
		world_write(&world, 0, page);
		cr_assert_eq(world.counts[HPT_SPACE_COPIED], 1);
		world_destroy(&world, 0);
		hpt_spaces_reap(&world.spaces, 1000);
		world_write(&world, 1, page);
		cr_assert_eq(world.counts[HPT_SPACE_TAKEN], references);
		world_check(&world);
		world_end(&world);
	}
}

/* Large pages become small ones in the child and its child; then some of the three end. */
TABLE_TEST(space, pages_of_the_other_size_take_the_place_of_inherited_ones)
{
	bool to_small = kind->size == HPT_2M;

	for (unsigned int ends = 0; ends < 6; ends++) {
		begin_with_pages(kind, 0);
		world_fork(&world, 0, 1);
		world_unmap(&world, 1, first_page(kind), first_page(kind) + page_count(kind) - 1);
		for (unsigned int region = 0; region < WORLD_REGIONS; region++)
			world_map(&world, 1, to_small ? region * WORLD_SMALL + 3 : LARGE(region),
				  HPT_WRITE, false);
		world_check(&world);
		world_fork(&world, 1, 2);
		world_unmap(&world, 2, 0, WORLD_SMALL - 1);
		world_unmap(&world, 2, LARGE(0), LARGE(0));
		world_map(&world, 2, to_small ? LARGE(0) : 1, HPT_WRITE, false);
		/* More than the child has, so that this goes to the grandchild. */
		for (unsigned int page = WORLD_SMALL; ends & 1 && page < WORLD_PAGES; page++) {
			world_map(&world, 2, page, HPT_WRITE, false);
			world_write(&world, 2, page);
		}
		world_write(&world, 1, to_small ? WORLD_SMALL + 3 : LARGE(1));
		world_check(&world);
		world_destroy(&world, ends % 3);
		while (hpt_spaces_reap(&world.spaces, 1) > 0)
			world_check(&world);
		world_destroy(&world, (ends + 1 + ends / 3) % 3);
		while (hpt_spaces_reap(&world.spaces, 1) > 0)
			world_check(&world);
		world_end(&world);
	}
}

/* What the failing allocation of each number does, in a run through all that allocates. */
TABLE_TEST(space, running_out_of_memory_anywhere_changes_nothing_that_is_seen)
{
	uint64_t failures;

	for (uint64_t number = 1;; number++) {
		begin_with_pages(kind, number & WORLD_REFERENCES);
		world.memory.first_failure = world.memory.calls + number;
		world.memory.last_failure = UINT64_MAX;
		for (unsigned int i = 1; i < WORLD_SPACES; i++) {
			world_fork(&world, i - 1, i);
			world_protect(&world, i, first_page(kind) + i % 3,
				      first_page(kind) + page_count(kind) - 1, HPT_USER, HPT_SOFT);
			world_unmap(&world, i - 1, first_page(kind) + 1, first_page(kind) + 2);
			write_all(kind, i);
			world_map(&world, i, i, HPT_WRITE, false);
			world_map(&world, i, LARGE(i % 3), HPT_WRITE, false);
		}
		failures = world.memory.failures;
		world_check(&world);
		/* Merges need memory as well. */
		for (unsigned int i = 0; i < WORLD_SPACES; i += 2)
			world_destroy(&world, i);
		world_reap(&world, 1000);
		world_check(&world);
		world_end(&world);
		if (!failures)
			break;
		cr_assert_lt(number, 1000);
	}
}

TABLE_TEST(space, making_spaces_without_memory_fails_and_leaves_nothing)
{
	static struct hpt_spaces spaces;
	struct hpt_spaces_config config = {.table = &world.table};
	struct hpt_space space;

	world_begin(&world, kind->organisation, 0);
	world.memory.first_failure = world.memory.calls + 1;
	world.memory.last_failure = world.memory.first_failure;
	cr_assert_eq(hpt_spaces_create(&spaces, &config), -ENOMEM);
	cr_assert_eq(hpt_spaces_create(&spaces, &config), 0);
	world.memory.first_failure = world.memory.calls + 1;
	world.memory.last_failure = world.memory.first_failure;
	cr_assert_eq(hpt_space_create(&spaces, &space), -ENOMEM);
	cr_assert_eq(hpt_space_create(&spaces, &space), 0);
	cr_assert_eq(hpt_spaces_destroy(&spaces), -EBUSY);
	hpt_space_destroy(&space);
	cr_assert_eq(hpt_spaces_destroy(&spaces), 0);
	world_end(&world);
}

TABLE_TEST(space, bad_arguments_are_errors)
{
	uint64_t end = UINT64_C(1)
		       << (kind->organisation == HPT_RADIX || kind->organisation == HPT_BUCKET ||
					   kind->organisation == HPT_ADAPTIVE
				   ? 36
				   : 45);
	uint64_t step = hpt_pages_in(kind->size);
	uint64_t entry = entry_of(kind, 1);
	struct hpt_space *space = &world.of[0].space;
	struct hpt_space_found found;

	world_begin(&world, kind->organisation, 0);
	world_create(&world, 0);
	cr_assert_eq(hpt_space_map(space, end, kind->size, entry), -EINVAL);
	cr_assert_eq(hpt_space_map(space, 0, HPT_SIZES, entry), -EINVAL);
	cr_assert_eq(hpt_space_map(space, 1, HPT_2M, entry), -EINVAL);
	cr_assert_eq(hpt_space_map(space, 0, kind->size, entry ^ HPT_LARGE), -EINVAL);
	cr_assert_eq(hpt_space_map(space, 0, kind->size, entry | HPT_COPIED | HPT_COMMON), -EINVAL);
	cr_assert_eq(hpt_space_map(space, 0, kind->size, 0), -EINVAL);
	cr_assert_eq(hpt_space_unmap(space, end - step, kind->size, 2), -EINVAL);
	cr_assert_eq(hpt_space_unmap(space, 0, kind->size, UINT64_MAX), -EINVAL);
	cr_assert_eq(hpt_space_unmap(space, 0, kind->size, 0), 0);
	cr_assert_eq(hpt_space_protect(space, end, kind->size, 1, 0, HPT_WRITE), -EINVAL);
	cr_assert_eq(hpt_space_protect(space, 0, kind->size, 1, HPT_PRESENT, 0), -EINVAL);
	cr_assert_eq(hpt_space_protect(space, 0, kind->size, 1, 0, HPT_COMMON), -EINVAL);
	cr_assert_eq(hpt_space_protect(space, 0, kind->size, 1, 0, HPT_LARGE), -EINVAL);
	cr_assert_eq(hpt_space_write(space, 0, kind->size, UINT64_C(1) << 36), -EINVAL);
	cr_assert_eq(hpt_space_write(space, 0, kind->size, 1), -ENOENT);
	cr_assert_eq(hpt_space_lookup(space, UINT64_MAX, kind->size, &found, NULL), -ENOENT);
	cr_assert_eq(hpt_space_lookup(space, 0, HPT_SIZES, &found, NULL), -ENOENT);
	world_check(&world);
	cr_assert_eq(world.spaces.index.counts.entries, 0);
	cr_assert_eq(world.table.counts.entries, 0);
	world_end(&world);
}

/* Where a hole is in the place of the page as well. */
TABLE_TEST(space, entries_that_cannot_be_are_refused_over_a_hole_too)
{
	unsigned int page = first_page(kind);
	uint64_t large = kind->size == HPT_2M ? HPT_LARGE : 0;
	uint64_t vpn = world_vpn(page);
	struct hpt_space *space = &world.of[1].space;

	begin_with_pages(kind, 0);
	world_fork(&world, 0, 1);
	world_unmap(&world, 1, page, page);
	cr_assert_eq(hpt_space_map(space, vpn, kind->size, 0), -EINVAL);
	cr_assert_eq(hpt_space_map(space, vpn, kind->size, hpt_entry(5, large)), -EINVAL);
	cr_assert_eq(hpt_space_map(space, vpn, kind->size, entry_of(kind, 5) ^ HPT_LARGE), -EINVAL);
	cr_assert_eq(hpt_space_map(space, vpn, kind->size, entry_of(kind, 5) | HPT_SWAPPED),
		     -EINVAL);
	cr_assert_eq(
		hpt_space_map(space, vpn, kind->size, entry_of(kind, 5) | HPT_COPIED | HPT_COMMON),
		-EINVAL);
	cr_assert_eq(hpt_space_map(space, vpn, kind->size, UINT64_C(1) << 48 | 1 | large), -EINVAL);
	world_check(&world);
	world_map(&world, 1, page, HPT_WRITE, false);
	world_check(&world);
	world_end(&world);
}

/* A range as long as addresses go costs what is mapped, not what it spans. */
TABLE_TEST(space, all_of_a_space_is_unmapped_and_protected_at_once)
{
	uint64_t pages = (UINT64_C(1) << 36) / hpt_pages_in(kind->size);

	begin_with_pages(kind, 0);
	world_fork(&world, 0, 1);
	cr_assert_eq(hpt_space_protect(&world.of[1].space, 0, kind->size, pages, 0, HPT_SOFT), 0);
	for (unsigned int page = 0; page < WORLD_PAGES; page++)
		world.of[1].pages[page].flags |= world.of[1].pages[page].flags ? HPT_SOFT : 0;
	world_check(&world);
	cr_assert_eq(hpt_space_unmap(&world.of[1].space, 0, kind->size, pages), 0);
	for (unsigned int page = 0; page < WORLD_PAGES; page++)
		world.of[1].pages[page].flags = 0;
	world_check(&world);
	cr_assert_eq(hpt_space_unmap(&world.of[0].space, 0, kind->size, pages), 0);
	for (unsigned int page = 0; page < WORLD_PAGES; page++)
		world.of[0].pages[page].flags = 0;
	world_end(&world);
}
