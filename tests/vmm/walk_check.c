/* SPDX-License-Identifier: MIT */
/*
 * Walks of a guest's table in a room's memory, without KVM: over every pair of organisations, over
 * a second stage that is broken on purpose, and of tables that lie.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <string.h>

#include "tests/vmm/published.h"
#include "tests/vmm/room.h"
#include "vmm/walk_check.h"

#define PAGES	 64
#define DATA	 UINT64_C(0xc00) /* GFN of the first page that is mapped; the room ends at 0x1000 */
#define LARGE	 UINT64_C(0xe00)
#define LARGE_AT UINT64_C(0x200000) /* VPN */

static struct machine machine;
static struct published guest;
static struct walk_check check;

struct pair_of {
	enum hpt_organisation guest, host;
};

static uint64_t vpn_of(uint64_t page)
{
	return 0x10000 + page * 37;
}

static uint64_t gva_of(uint64_t page)
{
	return vpn_of(page) << HPT_PAGE_SHIFT | 0x123;
}

static gpa_t gpa_of(uint64_t page)
{
	return (DATA + page) << HPT_PAGE_SHIFT;
}

/* The guest touches a page. */
static void touch(gpa_t gpa)
{
	*(volatile char *)ept_window_address(&machine.ept, gpa) = 1;
}

static void create(enum hpt_organisation guest_table, enum hpt_organisation host_table)
{
	room_create_with(&machine, host_table);
	published_table(&guest, guest_table);
	for (uint64_t i = 0; i < PAGES; i++)
		cr_assert_eq(hpt_map(&guest.table, hpt_key(ASID, vpn_of(i), HPT_4K),
				     hpt_entry(DATA + i, HPT_PRESENT | HPT_USER)),
			     0);
	cr_assert_eq(hpt_map(&guest.table, hpt_key(ASID, LARGE_AT, HPT_2M),
			     hpt_entry(LARGE, HPT_PRESENT | HPT_WRITE | HPT_LARGE)),
		     0);
	publish(&guest, &machine);
	walk_check_init(&check, PAGES, 1, true);
}

static void begin(void)
{
	cr_assert(walk_check_begin(&check, &machine, 0), "%s", check.counts.no_table_why);
}

static void destroy(void)
{
	walk_check_destroy(&check);
	machine_destroy(&machine);
}

static void expect_right(uint64_t gva)
{
	cr_expect(walk_check_page(&check, &machine, gva), "%s", check.wrong_text);
}

static bool is_root(void)
{
	return !check.counts.skipped;
}

ParameterizedTestParameters(walk_check, walks_of_every_pair_agree)
{
	static struct pair_of pairs[HPT_ORGANISATIONS * HPT_ORGANISATIONS];

	for (int i = 0; i < HPT_ORGANISATIONS * HPT_ORGANISATIONS; i++)
		pairs[i] = (struct pair_of){(enum hpt_organisation)(i / HPT_ORGANISATIONS),
					    (enum hpt_organisation)(i % HPT_ORGANISATIONS)};
	return cr_make_param_array(struct pair_of, pairs, HPT_ORGANISATIONS * HPT_ORGANISATIONS);
}

/* A quarter of the pages each: touched by the guest, by the VMM only, by nobody, not mapped. */
ParameterizedTest(struct pair_of *pair, walk_check, walks_of_every_pair_agree, .timeout = 60)
{
	const uint64_t quarter = PAGES / 3;
	const struct walk_check_counts *counts = &check.counts;
	struct ept_snapshot before, after;

	create(pair->guest, pair->host);
	for (uint64_t i = 0; i < quarter; i++)
		touch(gpa_of(i));
	for (uint64_t i = quarter; i < 2 * quarter; i++)
		cr_assert_eq(ept_copy_in(&machine.ept, gpa_of(i), NULL, 1), 0);
	touch((LARGE + 5) << HPT_PAGE_SHIFT);
	ept_read(&machine.ept, &before);
	begin();
	for (uint64_t i = 0; i < 3 * quarter; i++)
		expect_right(gva_of(i));
	for (uint64_t i = 0; i < quarter; i++)
		expect_right(gva_of(i) + HPT_PAGE_SIZE);
	expect_right((LARGE_AT + 5) << HPT_PAGE_SHIFT);
	expect_right((LARGE_AT + 6) << HPT_PAGE_SHIFT);
	ept_read(&machine.ept, &after);

	cr_expect_eq(counts->walks, 4 * quarter + 2);
	cr_expect_eq(counts->translated, 2 * quarter + 1);
	cr_expect_eq(counts->absent2, quarter + 1);
	cr_expect_eq(counts->absent1, quarter);
	cr_expect_eq(counts->frames_same + counts->skipped, quarter + 1);
	cr_expect_eq(counts->not_installed, quarter);
	cr_expect_eq(counts->kvm_unknown, counts->walks, "there is no KVM here");
	cr_expect_eq(counts->untouched + counts->lied + counts->wrong, 0);
	cr_expect_eq(counts->costs[HPT_4K].walks, 2 * quarter);
	cr_expect_eq(counts->costs[HPT_2M].walks, 1);
	cr_expect_geq(counts->costs[HPT_4K].refs, 2 * quarter * 3);
	if (pair->guest == HPT_RADIX && pair->host == HPT_RADIX) {
		cr_expect_eq(counts->costs[HPT_4K].refs, 2 * quarter * 24);
		cr_expect_eq(counts->costs[HPT_2M].refs, 19);
	}
	cr_expect_eq(after.counts.misses, before.counts.misses, "nothing is touched");
	cr_expect_eq(after.counts.frames, before.counts.frames);
	cr_expect_eq(after.ledger.lookups, before.ledger.lookups);
	destroy();
}

/* Changes stage 2 behind the machine's back: what it has installed stays in the window. */
static void break_stage2(gpa_t gpa, uint64_t frame)
{
	struct hpt_key key = hpt_key(0, gpa >> HPT_PAGE_SHIFT, HPT_4K);

	cr_assert_eq(hpt_unmap(&machine.ept.table, key, NULL), 0);
	if (frame != UINT64_MAX)
		cr_assert_eq(hpt_map(&machine.ept.table, key,
				     hpt_entry(frame, HPT_PRESENT | HPT_WRITE | HPT_SOFT)),
			     0);
}

static void expect_wrong(uint64_t gva, const char *text)
{
	uint64_t wrong = check.counts.wrong;

	cr_expect_not(walk_check_page(&check, &machine, gva));
	cr_expect_eq(check.counts.wrong, wrong + 1);
	cr_expect_eq(check.wrong_gva, gva);
	cr_expect(strstr(check.wrong_text, text), "%s", check.wrong_text);
}

Test(walk_check, another_frame_than_the_windows_is_wrong, .timeout = 60)
{
	uint64_t frame;

	create(HPT_CLUSTERED, HPT_BUCKET);
	touch(gpa_of(0));
	touch(gpa_of(1));
	begin();
	expect_right(gva_of(0));
	if (!is_root())
		cr_skip_test("PFNs are told to root only");
	cr_assert_eq(ept_translate(&machine.ept, gpa_of(1), &frame), 0);
	break_stage2(gpa_of(0), frame);
	expect_wrong(gva_of(0), "the window has PFN 0x");
	expect_wrong(gva_of(0), "gva 0x10000123: the walk says gpa 0xc00000, hfn 0x");
	expect_right(gva_of(1));
	destroy();
}

Test(walk_check, a_page_of_the_window_that_the_table_does_not_have_is_wrong, .timeout = 60)
{
	create(HPT_RADIX, HPT_CLUSTERED);
	touch(gpa_of(3));
	begin();
	expect_right(gva_of(3));
	break_stage2(gpa_of(3), UINT64_MAX);
	expect_wrong(gva_of(3), "the window has the page of gpa 0xc03000");
	destroy();
}

Test(walk_check, a_frame_beyond_the_pool_is_wrong, .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_RADIX);
	touch(gpa_of(3));
	begin();
	break_stage2(gpa_of(3), ept_pool_size(&machine.ept.pool));
	expect_wrong(gva_of(3), "the pool has 0x1000 frames");
	break_stage2(TABLE_START, ept_pool_size(&machine.ept.pool));
	destroy();
}

Test(walk_check, a_page_of_the_guests_table_without_a_frame_is_told_apart, .timeout = 60)
{
	gpa_t root;

	create(HPT_RADIX, HPT_CLUSTERED);
	touch(gpa_of(0));
	root = guest.table.desc.directory[ASID] & HPT_FRAME_MASK;
	break_stage2(root, UINT64_MAX);
	begin();
	expect_right(gva_of(0));
	cr_expect_eq(check.counts.untouched, 1);
	cr_expect_eq(check.counts.translated + check.counts.absent1 + check.counts.absent2, 0);
	destroy();
}

Test(walk_check, pages_that_are_swapped_out_have_no_translation, .timeout = 60)
{
	create(HPT_CUCKOO, HPT_CUCKOO);
	hpt_map(&guest.table, hpt_key(ASID, 0x99, HPT_4K), hpt_swap_entry(0x5, HPT_WRITE));
	hpt_map(&guest.table, hpt_key(ASID, 0x400, HPT_2M),
		hpt_swap_entry(0x7, HPT_WRITE | HPT_LARGE));
	publish(&guest, &machine);
	begin();
	expect_right(0x99000);
	expect_right(0x401000);
	cr_expect_eq(check.counts.absent1, 2);
	destroy();
}

Test(walk_check, without_a_table_nothing_is_walked, .timeout = 60)
{
	room_create(&machine);
	walk_check_init(&check, 8, 1, true);
	cr_expect(walk_check_stop(&check, &machine, 0));
	cr_expect_eq(check.counts.stops, 1);
	cr_expect_eq(check.counts.no_table, 1);
	cr_expect_eq(check.counts.walks, 0);
	cr_expect_str_eq(check.counts.no_table_why, "the guest has published no table");
	destroy();
}

static void expect_invalid(const char *why)
{
	uint64_t invalid = check.counts.invalid_table;

	published_again(&guest, &machine);
	cr_expect(walk_check_stop(&check, &machine, 0));
	cr_expect_eq(check.counts.invalid_table, invalid + 1);
	cr_expect_str_eq(check.counts.no_table_why, why);
	cr_expect_eq(check.counts.walks, 0);
}

Test(walk_check, a_descriptor_that_cannot_be_is_counted, .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_CLUSTERED);
	guest.table.desc.directory[0] += 8;
	expect_invalid("the published descriptor names lines that are not aligned");
	guest.table.desc.directory[0] -= 8;
	guest.table.desc.spill[HPT_SPILL_PAGES - 1] = 63;
	expect_invalid("the published descriptor names lines that are not aligned");
	guest.table.desc.version++;
	expect_invalid("the published descriptor is not valid");
	destroy();
}

static void expect_lie(uint64_t gva)
{
	uint64_t lied = check.counts.lied;

	published_again(&guest, &machine);
	begin();
	expect_right(gva);
	cr_expect_eq(check.counts.lied, lied + 1);
}

Test(walk_check, a_table_that_leads_out_of_ram_is_a_lie, .timeout = 60)
{
	static const uint64_t bad[] = {ROOM_SIZE, UINT64_MAX - 0xffff, 0xfffffffff000};

	create(HPT_CLUSTERED, HPT_CLUSTERED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		guest.table.desc.directory[0] = guest.table.desc.directory[HPT_CHUNKS] = bad[i];
		expect_lie(gva_of(0));
	}
	destroy();
}

Test(walk_check, a_line_at_address_0_is_a_lie, .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_CLUSTERED);
	guest.table.desc.directory[0] = guest.table.desc.directory[HPT_CHUNKS] = 0;
	published_again(&guest, &machine);
	begin();
	/* Other lines are where RAM is, but nobody has touched it. */
	for (uint64_t vpn = 0; vpn < 65536 && !check.counts.lied; vpn++)
		expect_right(vpn << HPT_PAGE_SHIFT);
	cr_expect_eq(check.counts.lied, 1);
	cr_expect_eq(check.counts.untouched, check.counts.walks - 1);
	destroy();
}

Test(walk_check, a_page_of_2m_that_begins_within_one_is_a_lie, .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_CLUSTERED);
	hpt_map(&guest.table, hpt_key(ASID, 0x400, HPT_2M),
		hpt_entry(0x401, HPT_PRESENT | HPT_LARGE));
	publish(&guest, &machine);
	expect_lie(0x400000);
	destroy();
}

/* A group that all lines of which were passed, and as much spill as there can be, in one page. */
static void make_endless(void)
{
	uint64_t *line = (uint64_t *)guest.memory;

	for (uint64_t *end = line + guest.memory_used / sizeof(*line); line < end;
	     line += HPT_LINE_WORDS)
		line[4] = (line[4] & HPT_ENTRY_MASK) | UINT64_C(1) << 48;
	for (unsigned int i = 0; i < HPT_SPILL_PAGES; i++)
		guest.table.desc.spill[i] = guest.table.desc.directory[0];
	guest.table.desc.spill_lines = HPT_SPILL_PAGES * HPT_GROUP_LINES;
	publish(&guest, &machine);
}

Test(walk_check, a_table_that_leads_on_and_on_is_a_lie_and_ends_the_stop, .timeout = 60)
{
	create(HPT_CLUSTERED, HPT_CLUSTERED);
	make_endless();
	expect_lie(gva_of(0) + HPT_PAGE_SIZE);
	check.counts.walks = check.counts.lied = 0;
	cr_expect(walk_check_stop(&check, &machine, 0));
	cr_expect_eq(check.counts.lied, 1);
	cr_expect_leq(check.counts.walks, PAGES);
	destroy();
}

Test(walk_check, a_chain_that_is_a_circle_is_a_lie, .timeout = 60)
{
	uint64_t *words;

	create(HPT_CHAINED, HPT_CLUSTERED);
	words = (uint64_t *)guest.memory;
	/* Every node's next is itself; words that are heads or tags are made links, too. */
	for (uint64_t i = 0; i < guest.memory_used / sizeof(*words); i++) {
		uint64_t node = words[i];

		if (node >= TABLE_START && node < TABLE_START + guest.memory_used)
			words[(node - TABLE_START) / sizeof(*words) + CHAINED_NEXT] = node;
	}
	publish(&guest, &machine);
	begin();
	for (uint64_t vpn = 0; vpn < 4096 && !check.counts.lied; vpn++)
		expect_right(vpn << HPT_PAGE_SHIFT);
	cr_expect_eq(check.counts.lied, 1);
	destroy();
}

Test(walk_check, checks_are_due_at_exits_that_are_twice_as_far_apart_each_time)
{
	static const unsigned int due[] = {1, 2, 4, 8, 16, 32, 64};
	unsigned int at = 0;

	walk_check_init(&check, 1, 0, true);
	cr_expect_not(walk_check_is_due(&check, &machine), "nothing is published");
	machine.devices.published = true;
	for (unsigned int exit = 1; exit <= 100; exit++) {
		bool is_due = walk_check_is_due(&check, &machine);

		cr_expect_eq(is_due, at < 7 && exit == due[at], "%u", exit);
		at += is_due;
	}
	cr_expect_eq(at, 7);
	machine.devices.exited = true;
	cr_expect(walk_check_is_due(&check, &machine), "the guest's last exit");
	walk_check_destroy(&check);
}

static void walk_randomly(uint64_t seed, struct walk_check_counts *counts)
{
	guest.page.regions[0] =
		(struct abi_region){.start = vpn_of(0) << HPT_PAGE_SHIFT, .pages = 37 * PAGES};
	published_again(&guest, &machine);
	walk_check_init(&check, 1000, seed, true);
	cr_expect(walk_check_stop(&check, &machine, 0), "%s", check.wrong_text);
	*counts = check.counts;
	walk_check_destroy(&check);
}

Test(walk_check, a_seed_names_the_pages, .timeout = 60)
{
	struct walk_check_counts one, two, other;

	create(HPT_CLUSTERED, HPT_CLUSTERED);
	for (uint64_t i = 0; i < PAGES; i++)
		touch(gpa_of(i));
	walk_check_destroy(&check);
	walk_randomly(7, &one);
	walk_randomly(7, &two);
	walk_randomly(8, &other);
	cr_expect_eq(one.walks, 1000);
	cr_expect_gt(one.translated, 0,
		     "an eighth is in the region, of which a page in 37 is mapped");
	cr_expect_eq(memcmp(&one, &two, sizeof(one)), 0);
	cr_expect_neq(memcmp(&one, &other, sizeof(one)), 0);
	machine_destroy(&machine);
}
