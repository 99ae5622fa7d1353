/* SPDX-License-Identifier: MIT */
/* Layouts: each of the three mappings is a bijection, of the form that it says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "bench/layout.h"

#define VPN_END (UINT64_C(1) << 36)

static const uint64_t sizes[] = {1, 511, 512, 513, 1024, 16383, 16384, 16385, 40001, 131072};

#define SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct layout begin(struct layout_config config)
{
	struct layout layout;

	cr_assert_eq(layout_begin(&layout, &config), 0);
	return layout;
}

Test(layout, every_page_is_found_where_it_lies_and_nothing_is_elsewhere)
{
	for (int space = 0; space < LAYOUT_SPACES; space++) {
		for (size_t n = 0; n < SIZES; n++) {
			struct layout layout = begin((struct layout_config){
				.space = (enum layout_space)space, .pages = sizes[n], .seed = n});
			uint64_t first = VPN_END;
			uint64_t last = 0;
			uint64_t mapped = 0;

			for (uint64_t i = 0; i < sizes[n]; i++) {
				uint64_t vpn = layout_vpn(&layout, i);

				cr_assert_eq(layout_page(&layout, vpn), i);
				first = vpn < first ? vpn : first;
				last = vpn > last ? vpn : last;
			}
			cr_assert_lt(last, VPN_END);
			first -= first < 200000 ? first : 200000;
			for (uint64_t vpn = first; vpn < last + 200000; vpn++)
				mapped += layout_page(&layout, vpn) != LAYOUT_NOT_MAPPED;
			cr_assert_eq(mapped, sizes[n]);
			cr_assert_eq(layout_page(&layout, UINT64_MAX), LAYOUT_NOT_MAPPED);
			cr_assert_eq(layout_page(&layout, VPN_END), LAYOUT_NOT_MAPPED);
		}
	}
}

Test(layout, dense_and_sparse_pages_lie_in_order)
{
	struct layout dense = begin((struct layout_config){.pages = 1000});
	struct layout sparse = begin((struct layout_config){.space = LAYOUT_SPARSE, .pages = 1000});

	for (uint64_t i = 0; i < 1000; i++) {
		cr_assert_eq(layout_vpn(&dense, i), LAYOUT_BASE + i);
		cr_assert_eq(layout_vpn(&sparse, i), i * 512);
	}
}

Test(layout, fragmented_space_has_whole_segments_each_in_a_slot_of_its_own)
{
	const uint64_t segments = 100;
	struct layout layout = begin((struct layout_config){
		.space = LAYOUT_FRAGMENTED, .pages = segments * SEGMENT_PAGES - 5, .seed = 3});
	bool taken[100] = {false};
	uint64_t ascending = 0;
	uint64_t places = 0;

	for (uint64_t segment = 0; segment < segments; segment++) {
		uint64_t start = layout_vpn(&layout, segment * SEGMENT_PAGES);
		uint64_t slot = (start - LAYOUT_BASE) / SLOT_PAGES;

		cr_assert_eq(start % SEGMENT_PAGES, 0);
		cr_assert_lt(slot, segments);
		cr_assert_not(taken[slot]);
		taken[slot] = true;
		places |= UINT64_C(1) << start / SEGMENT_PAGES % SEGMENTS_IN_SLOT;
		for (uint64_t i = 1; i < SEGMENT_PAGES - 5; i++)
			cr_assert_eq(layout_vpn(&layout, segment * SEGMENT_PAGES + i), start + i);
		if (segment)
			ascending += start > layout_vpn(&layout, (segment - 1) * SEGMENT_PAGES);
	}
	cr_assert_eq(places, 0xff);
	cr_assert(ascending > 30 && ascending < 70, "%lu of 99 ascend", ascending);
}

/* All frames of `count` numbers are below the count and none is twice. */
static void expect_bijection(const struct layout *layout,
			     uint64_t (*frame)(const struct layout *layout, uint64_t i),
			     uint64_t count)
{
	bool *seen = calloc(count, sizeof(*seen));

	cr_assert_not_null(seen);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t found = frame(layout, i);

		cr_assert_lt(found, count);
		cr_assert_not(seen[found]);
		seen[found] = true;
	}
	free(seen);
}

Test(layout, frames_of_every_kind_and_size_are_bijections)
{
	for (size_t n = 0; n < SIZES; n++) {
		for (int guest = 0; guest < LAYOUT_FRAMES; guest++) {
			for (int host = 0; host < LAYOUT_FRAMES; host++) {
				struct layout layout = begin((struct layout_config){
					.pages = sizes[n],
					.guest_frames = sizes[n] + (host == guest ? 0 : 777),
					.guest = (enum layout_frames)guest,
					.host = (enum layout_frames)host,
					.seed = n,
				});

				expect_bijection(&layout, layout_gfn, sizes[n]);
				expect_bijection(&layout, layout_hfn,
						 sizes[n] + (host == guest ? 0 : 777));
			}
		}
	}
}

Test(layout, runs_are_contiguous_and_aligned_and_scattered_themselves)
{
	const uint64_t pages = 1000 * LAYOUT_RUN_PAGES + 77;
	struct layout layout = begin((struct layout_config){
		.pages = pages, .guest = LAYOUT_RUNS, .host = LAYOUT_RUNS, .seed = 1});
	uint64_t follow = 0;

	for (uint64_t i = 0; i < pages; i++) {
		uint64_t in_run = i % LAYOUT_RUN_PAGES;

		cr_assert_eq(layout_gfn(&layout, i), layout_gfn(&layout, i - in_run) + in_run);
		cr_assert_eq(layout_hfn(&layout, i), layout_hfn(&layout, i - in_run) + in_run);
		if (in_run)
			continue;
		cr_assert_eq(layout_gfn(&layout, i) % LAYOUT_RUN_PAGES, 0);
		cr_assert_eq(layout_hfn(&layout, i) % LAYOUT_RUN_PAGES, 0);
		follow += i && layout_gfn(&layout, i) ==
				       layout_gfn(&layout, i - LAYOUT_RUN_PAGES) + LAYOUT_RUN_PAGES;
	}
	/* One of 1000 is expected. */
	cr_assert_lt(follow, 12);
	cr_assert_eq(layout_gfn(&layout, pages - 1), pages - 1);
}

Test(layout, scattered_frames_are_seldom_neighbours_and_differ_between_the_stages)
{
	const uint64_t pages = 1 << 20;
	struct layout layout = begin((struct layout_config){.pages = pages, .seed = 9});
	struct layout other = begin((struct layout_config){.pages = pages, .seed = 10});
	uint64_t neighbours = 0;
	uint64_t alike = 0;
	uint64_t as_other = 0;

	for (uint64_t i = 0; i + 1 < pages; i++) {
		neighbours += layout_gfn(&layout, i) / 8 == layout_gfn(&layout, i + 1) / 8;
		alike += layout_gfn(&layout, i) == layout_hfn(&layout, i);
		as_other += layout_gfn(&layout, i) == layout_gfn(&other, i);
	}
	/* 7 and twice 1 are expected. */
	cr_assert_lt(neighbours, 30);
	cr_assert_lt(alike, 12);
	cr_assert_lt(as_other, 12);
}

Test(layout, numbers_of_512_GiB_are_in_range_and_have_their_inverse)
{
	const uint64_t pages = LAYOUT_PAGES_MAX;
	uint64_t random = 1;

	for (int space = 0; space < LAYOUT_SPACES; space++) {
		struct layout layout = begin((struct layout_config){
			.space = (enum layout_space)space, .pages = pages, .host = LAYOUT_RUNS});

		for (int n = 0; n < 300000; n++) {
			uint64_t i = n < 10 ? pages - 1 - (uint64_t)n : mix64_next(&random) % pages;
			uint64_t gfn = layout_gfn(&layout, i);

			cr_assert_lt(layout_vpn(&layout, i), VPN_END);
			cr_assert_eq(layout_page(&layout, layout_vpn(&layout, i)), i);
			cr_assert_eq(permutation_find(&layout.guest.order, gfn), i);
			cr_assert_lt(layout_hfn(&layout, gfn), pages);
		}
	}
}

Test(layout, numbers_out_of_range_are_refused)
{
	struct layout layout;
	struct layout_config config = {.pages = 0};

	cr_assert_eq(layout_begin(&layout, &config), -EINVAL);
	config.pages = LAYOUT_PAGES_MAX + 1;
	cr_assert_eq(layout_begin(&layout, &config), -EINVAL);
	config.pages = 1000;
	config.guest_frames = 999;
	cr_assert_eq(layout_begin(&layout, &config), -EINVAL);
	config.guest_frames = LAYOUT_GUEST_FRAMES_MAX + 1;
	cr_assert_eq(layout_begin(&layout, &config), -EINVAL);
	config.guest_frames = LAYOUT_GUEST_FRAMES_MAX;
	cr_assert_eq(layout_begin(&layout, &config), 0);
}

Test(layout, kinds_of_frames_are_found_by_their_names)
{
	for (int i = 0; i < LAYOUT_FRAMES; i++)
		cr_assert_eq(layout_frames_find(layout_frames_name((enum layout_frames)i)), i);
	cr_assert_eq(layout_frames_find("run"), -ENOENT);
	cr_assert_eq(layout_frames_find(""), -ENOENT);
}
