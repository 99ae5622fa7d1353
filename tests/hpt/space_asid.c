/* SPDX-License-Identifier: MIT */
/* Identifiers: how many there are, and when they are used again. And segments. */
#include <errno.h>

#include "tests/hpt/fixture.h"
#include "tests/hpt/space_model.h"

static struct world world;
static struct hpt_space many[1 << 16];

static unsigned int identifiers(const struct table_kind *kind)
{
	bool few = kind->organisation == HPT_RADIX || kind->organisation == HPT_BUCKET ||
		   kind->organisation == HPT_ADAPTIVE;

	return (1u << (few ? 12 : 16)) - 1;
}

static void nothing(void *context, uint64_t entry)
{
	(void)context;
	(void)entry;
}

static void begin_uncounted(const struct table_kind *kind)
{
	world_begin(&world, kind->organisation, 0);
	world.spaces.config.taken = nothing;
	world.spaces.config.dropped = nothing;
}

TABLE_TEST(identifiers, run_out_after_the_last_and_come_back_when_a_space_has_ended)
{
	unsigned int count = identifiers(kind);
	struct hpt_space one;
	struct hpt_segment segment;
	uint16_t freed;

	begin_uncounted(kind);
	for (unsigned int i = 0; i < count; i++) {
		cr_assert_eq(hpt_space_create(&world.spaces, &many[i]), 0);
		cr_assert_neq(many[i].asid, 0);
	}
	cr_assert_eq(hpt_space_create(&world.spaces, &one), -ENOSPC);
	cr_assert_eq(hpt_segment_create(&world.spaces, &segment), -ENOSPC);
	cr_assert_eq(hpt_space_fork(&many[3], &one, NULL), -ENOSPC);
	cr_assert_eq(hpt_space_map(&many[7], 0, kind->size, entry_of(kind, 1)), 0);
	cr_assert_null(hpt_spaces_check(&world.spaces));

	freed = many[7].asid;
	hpt_space_destroy(&many[7]);
	cr_assert_eq(hpt_space_create(&world.spaces, &many[7]), 0);
	cr_assert_eq(many[7].asid, freed);
	cr_assert_eq(world.table.counts.entries, 0);
	cr_assert_eq(hpt_space_create(&world.spaces, &one), -ENOSPC);

	/* A fork of a space with pages takes two, one of which is not there: nothing is changed. */
	hpt_space_destroy(&many[8]);
	cr_assert_eq(hpt_space_map(&many[9], 0, kind->size, entry_of(kind, 1)), 0);
	cr_assert_eq(hpt_space_fork(&many[9], &one, NULL), -ENOSPC);
	cr_assert_null(hpt_spaces_check(&world.spaces));
	cr_assert_eq(hpt_space_create(&world.spaces, &many[8]), 0);
	for (unsigned int i = 0; i < count; i++)
		hpt_space_destroy(&many[i]);
	cr_assert_eq(hpt_spaces_destroy(&world.spaces), 0);
	cr_assert_eq(world.table.counts.entries, 0);
	hpt_destroy(&world.table);
	test_memory_end(&world.memory);
}

/* Spaces come and go many times as often as there are identifiers, each with pages. */
TABLE_TEST(identifiers, are_never_used_again_while_an_entry_has_them)
{
	unsigned int count = identifiers(kind) < 8192 ? 3 * identifiers(kind) : 8192;
	struct hpt_space_found found;
	struct hpt_space space;

	begin_uncounted(kind);
	/* All but a few are taken. */
	for (unsigned int i = 0; i < identifiers(kind) - 5; i++)
		cr_assert_eq(hpt_space_create(&world.spaces, &many[i]), 0);
	for (unsigned int i = 0; i < count; i++) {
		cr_assert_eq(hpt_space_create(&world.spaces, &space), 0);
		for (unsigned int region = 0; region < 3; region++) {
			uint64_t vpn = region * HPT_LARGE_PAGES;

			cr_assert_eq(hpt_space_lookup(&space, vpn, kind->size, &found, NULL),
				     -ENOENT);
			cr_assert_eq(hpt_space_map(&space, vpn, kind->size, entry_of(kind, 1)), 0);
		}
		hpt_space_destroy(&space);
		if (i % 3 == 0)
			hpt_spaces_reap(&world.spaces, 1);
		cr_assert_leq(world.table.counts.entries, 3 * 6);
	}
	cr_assert_null(hpt_spaces_check(&world.spaces));
	for (unsigned int i = 0; i < identifiers(kind) - 5; i++)
		hpt_space_destroy(&many[i]);
	cr_assert_eq(hpt_spaces_destroy(&world.spaces), 0);
	hpt_destroy(&world.table);
	test_memory_end(&world.memory);
}

/* Two spaces have it at their own places, with their own rights; a change is made once. */
TABLE_TEST(segment, is_one_set_of_entries_for_all_that_have_it_attached)
{
	struct hpt_attachment first, second, third;
	struct hpt_space_found found;
	struct hpt_segment segment;
	struct hpt_space a, b, c;

	begin_uncounted(kind);
	cr_assert_eq(hpt_segment_create(&world.spaces, &segment), 0);
	cr_assert_eq(hpt_space_create(&world.spaces, &a), 0);
	cr_assert_eq(hpt_space_create(&world.spaces, &b), 0);
	cr_assert_eq(hpt_segment_map(&segment, 0, kind->size, entry_of(kind, 512)), 0);
	cr_assert_eq(hpt_space_attach(&a, &first, &segment, 1024, 512, 0, HPT_WRITE), 0);
	cr_assert_eq(hpt_space_attach(&b, &second, &segment, 8192, 512, 0, HPT_NOEXEC), 0);
	cr_assert_eq(world.table.counts.entries, 1);

	cr_assert_eq(hpt_space_lookup(&a, 1024, kind->size, &found, NULL), 0);
	cr_assert_eq(found.entry, entry_of(kind, 512));
	cr_assert_eq(found.searches, 1);
	cr_assert_eq(hpt_space_lookup(&b, 8192, kind->size, &found, NULL), 0);
	cr_assert_eq(found.entry, (entry_of(kind, 512) & ~HPT_WRITE) | HPT_NOEXEC);
	cr_assert_eq(hpt_space_lookup(&b, 1024, kind->size, &found, NULL), -ENOENT);

	cr_assert_eq(hpt_space_fork(&b, &c, &third), 0);
	cr_assert_eq(hpt_space_lookup(&c, 8192, kind->size, &found, NULL), 0);
	cr_assert_eq(found.attachment, &third);
	cr_assert_eq(hpt_segment_protect(&segment, 0, kind->size, 1, HPT_WRITE, HPT_SOFT), 0);
	cr_assert_eq(hpt_space_lookup(&a, 1024, kind->size, &found, NULL), 0);
	cr_assert_eq(found.entry, (entry_of(kind, 512) & ~HPT_WRITE) | HPT_SOFT);

	/* A private page hides it, until it goes. */
	cr_assert_eq(hpt_space_map(&a, 1024, kind->size, entry_of(kind, 1024)), 0);
	cr_assert_eq(hpt_space_lookup(&a, 1024, kind->size, &found, NULL), 0);
	cr_assert_eq(hpt_frame(found.entry), 1024);
	cr_assert_eq(hpt_space_unmap(&a, 1024, kind->size, 1), 0);
	cr_assert_eq(hpt_space_lookup(&a, 1024, kind->size, &found, NULL), 0);
	cr_assert_eq(hpt_frame(found.entry), 512);

	cr_assert_eq(hpt_segment_unmap(&segment, 0, kind->size, 1), 0);
	cr_assert_eq(hpt_space_lookup(&a, 1024, kind->size, &found, NULL), -ENOENT);
	cr_assert_eq(hpt_space_lookup(&c, 8192, kind->size, &found, NULL), -ENOENT);
	cr_assert_eq(hpt_segment_destroy(&segment), -EBUSY);
	hpt_space_detach(&first);
	hpt_space_destroy(&b);
	hpt_space_destroy(&c);
	cr_assert_null(hpt_segment_user(&segment, NULL));
	cr_assert_eq(hpt_segment_destroy(&segment), 0);
	hpt_space_destroy(&a);
	cr_assert_eq(hpt_spaces_destroy(&world.spaces), 0);
	hpt_destroy(&world.table);
	test_memory_end(&world.memory);
}

TABLE_TEST(segment, attachments_that_cannot_be_are_refused)
{
	uint64_t end = UINT64_C(1) << (identifiers(kind) >> 12 ? 45 : 36);
	struct hpt_attachment one, two;
	struct hpt_segment segment;
	struct hpt_space space;

	begin_uncounted(kind);
	cr_assert_eq(hpt_segment_create(&world.spaces, &segment), 0);
	cr_assert_eq(hpt_space_create(&world.spaces, &space), 0);
	cr_assert_eq(hpt_space_attach(&space, &one, &segment, 0, 0, 0, 0), -EINVAL);
	cr_assert_eq(hpt_space_attach(&space, &one, &segment, end - 1, 2, 0, 0), -EINVAL);
	cr_assert_eq(hpt_space_attach(&space, &one, &segment, 0, 2, end - 1, 0), -EINVAL);
	cr_assert_eq(hpt_space_attach(&space, &one, &segment, 1, UINT64_MAX, 0, 0), -EINVAL);
	cr_assert_eq(hpt_space_attach(&space, &one, &segment, 0, 2, 0, HPT_PRESENT), -EINVAL);
	cr_assert_eq(hpt_space_attach(&space, &one, &segment, end - 2, 2, 0, 0), 0);
	cr_assert_eq(hpt_space_attach(&space, &two, &segment, end - 3, 2, 0, 0), -EEXIST);
	cr_assert_eq(hpt_space_attach(&space, &two, &segment, end - 4, 2, 0, 0), 0);
	cr_assert_eq(hpt_attachment_protect(&two, HPT_DIRTY), -EINVAL);
	cr_assert_eq(hpt_attachment_protect(&two, HPT_USER), 0);
	hpt_space_destroy(&space);
	cr_assert_eq(hpt_segment_destroy(&segment), 0);
	cr_assert_eq(hpt_spaces_destroy(&world.spaces), 0);
	hpt_destroy(&world.table);
	test_memory_end(&world.memory);
}
