/* SPDX-License-Identifier: MIT */
/* The guest's table, read through the gateway: as the guest sees it, and when the guest lies. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <errno.h>

#include "tests/vmm/published.h"
#include "tests/vmm/room.h"
#include "vmm/stage1.h"

/* What kernels/liar.S has written down. */
_Static_assert(offsetof(struct hpt_desc, spill_lines) == 16 &&
		       offsetof(struct hpt_desc, split) == 24 &&
		       offsetof(struct hpt_desc, current) == 32 &&
		       offsetof(struct hpt_desc, directory) == 128 && HPT_CLUSTERED == 4,
	       "the descriptor that liar.S publishes is one");

static struct machine machine;
static struct stage1 stage1;
static struct published guest;

static void create(enum hpt_organisation organisation)
{
	room_create(&machine);
	published_table(&guest, organisation);
}

ParameterizedTestParameters(stage1, it_answers_as_the_guests_own_lookup_does)
{
	static enum hpt_organisation all[] = {HPT_RADIX, HPT_CLUSTERED};

	return cr_make_param_array(enum hpt_organisation, all, 2);
}

static void count_probe(void *context, gpa_t line, const uint64_t words[HPT_LINE_WORDS],
			enum hpt_answer answer)
{
	unsigned int *probes = context;

	(void)words;
	(void)answer;
	cr_expect_geq(line, TABLE_START);
	cr_expect_lt(line, TABLE_START + TABLE_SIZE);
	(*probes)++;
}

static void expect_same(uint64_t vpn)
{
	struct hpt_key key = hpt_key(ASID, vpn, HPT_4K);
	struct hpt_ledger ledger = {0};
	uint64_t wanted = 0, found = 0;
	unsigned int probes = 0;
	int error = hpt_lookup(&guest.table, key, &wanted, &ledger);

	cr_assert_eq(stage1_lookup(&stage1, key, &found, count_probe, &probes), error);
	if (!error)
		cr_assert_eq(found, wanted);
	cr_assert_eq(probes, ledger.probes);
}

ParameterizedTest(enum hpt_organisation *organisation, stage1,
		  it_answers_as_the_guests_own_lookup_does, .timeout = 60)
{
	const char *why = "";

	create(*organisation);
	for (uint64_t i = 0; i < 20000; i++)
		cr_assert_eq(hpt_map(&guest.table, hpt_key(ASID, i * 37 % 65521, HPT_4K),
				     hpt_entry(i, HPT_PRESENT | HPT_USER)),
			     0);
	publish(&guest, &machine);
	cr_assert_eq(stage1_read(&stage1, &machine, 0, &why), 0, "%s", why);
	cr_expect_eq(stage1.counts.entries, 20000);
	for (uint64_t vpn = 0; vpn < 70000; vpn += 3)
		expect_same(vpn);
	machine_destroy(&machine);
}

Test(stage1, addresses_are_translated_in_both_sizes_and_halves, .timeout = 60)
{
	const char *why = "";
	gpa_t gpa = 0;

	create(HPT_CLUSTERED);
	hpt_map(&guest.table, hpt_key(ASID, 0x1234, HPT_4K), hpt_entry(0x55, HPT_PRESENT));
	hpt_map(&guest.table, hpt_key(ASID, 0x200, HPT_2M),
		hpt_entry(0x400, HPT_PRESENT | HPT_LARGE));
	hpt_map(&guest.table, hpt_key(0, 0xffff88000 & 0xfffffffff, HPT_4K),
		hpt_entry(3, HPT_PRESENT));
	publish(&guest, &machine);
	cr_assert_eq(stage1_read(&stage1, &machine, 0, &why), 0, "%s", why);
	cr_expect_eq(stage1_translate(&stage1, 0x1234567, &gpa), 0);
	cr_expect_eq(gpa, 0x55567);
	cr_expect_eq(stage1_translate(&stage1, 0x3abcde, &gpa), 0);
	cr_expect_eq(gpa, 0x400000 + 0x1abcde);
	cr_expect_eq(stage1_translate(&stage1, UINT64_C(0xffffffff88000010), &gpa), 0);
	cr_expect_eq(gpa, 0x3010);
	cr_expect_eq(stage1_translate(&stage1, 0x9999000, &gpa), -ENOENT);
	machine_destroy(&machine);
}

Test(stage1, a_page_that_is_swapped_out_has_an_entry_but_no_address, .timeout = 60)
{
	const uint64_t small = hpt_swap_entry(0x55, HPT_WRITE);
	const uint64_t large = hpt_swap_entry(0x400, HPT_LARGE);
	const char *why = "";
	uint64_t entry = 0;
	gpa_t gpa = 0;

	create(HPT_RADIX);
	hpt_map(&guest.table, hpt_key(ASID, 0x1234, HPT_4K), small);
	hpt_map(&guest.table, hpt_key(ASID, 0x200, HPT_2M), large);
	publish(&guest, &machine);
	cr_assert_eq(stage1_read(&stage1, &machine, 0, &why), 0, "%s", why);
	cr_expect_eq(stage1_lookup(&stage1, hpt_key(ASID, 0x1234, HPT_4K), &entry, NULL, NULL), 0);
	cr_expect_eq(entry, small);
	cr_expect_eq(stage1_lookup(&stage1, hpt_key(ASID, 0x200, HPT_2M), &entry, NULL, NULL), 0);
	cr_expect_eq(entry, large);
	cr_expect_eq(stage1_translate(&stage1, 0x1234567, &gpa), -ENOENT);
	cr_expect_eq(stage1_translate(&stage1, 0x3abcde, &gpa), -ENOENT);
	machine_destroy(&machine);
}

Test(stage1, a_kernel_that_publishes_nothing_has_no_stage_1)
{
	const char *why = "";

	room_create(&machine);
	cr_expect_eq(stage1_read(&stage1, &machine, 0, &why), -ENOENT);
	cr_expect_str_eq(why, "the guest has published no table");
	machine_destroy(&machine);
}

static void expect_invalid(const char *wanted)
{
	const char *why = "";

	published_again(&guest, &machine);
	cr_expect_eq(stage1_read(&stage1, &machine, 0, &why), -EINVAL);
	cr_expect_str_eq(why, wanted);
}

Test(stage1, what_is_not_valid_is_refused, .timeout = 60)
{
	create(HPT_CLUSTERED);
	publish(&guest, &machine);
	guest.page.version = ABI_VERSION + 1;
	expect_invalid("the published page has a wrong magic or version");
	guest.page.version = ABI_VERSION;
	guest.page.desc = ROOM_SIZE - 8;
	expect_invalid("the published descriptor is not guest RAM");
	guest.page.desc = UINT64_MAX - 8;
	expect_invalid("the published descriptor is not guest RAM");
	guest.page.desc = DESC_GPA;
	guest.table.desc.current.lines_log2 = 63;
	expect_invalid("the published descriptor is not valid");
	guest.table.desc.current.lines_log2 = HPT_LINES_LOG2_MIN;
	guest.table.desc.current.first_chunk = UINT32_MAX;
	expect_invalid("the published descriptor is not valid");
	guest.table.desc.current.first_chunk = 0;
	guest.page.counts = UINT64_MAX;
	expect_invalid("the published counts are not guest RAM");
	machine_destroy(&machine);
}

Test(stage1, a_walk_out_of_ram_is_an_error, .timeout = 60)
{
	static const uint64_t bad[] = {ROOM_SIZE, UINT64_MAX - 0xffff, TABLE_START + 8,
				       0xfffffffff000};
	const char *why = "";
	uint64_t entry;

	create(HPT_CLUSTERED);
	publish(&guest, &machine);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		guest.table.desc.directory[0] = bad[i];
		published_again(&guest, &machine);
		cr_assert_eq(stage1_read(&stage1, &machine, 0, &why), 0, "%s", why);
		cr_expect_eq(stage1_lookup(&stage1, hpt_key(ASID, 1, HPT_4K), &entry, NULL, NULL),
			     -EFAULT, "%lx", bad[i]);
	}
	machine_destroy(&machine);
}

Test(stage1, reading_does_not_touch_pages, .timeout = 60)
{
	struct ept_snapshot before, after;
	char bytes[8192] = {1};

	room_create(&machine);
	ept_read(&machine.ept, &before);
	cr_expect_eq(guest_read(&machine, 0x7ffc, bytes, sizeof(bytes)), 0);
	cr_expect_eq(bytes[0], 0);
	cr_expect_eq(guest_read(&machine, ROOM_SIZE - 4, bytes, 8), -EFAULT);
	cr_expect_eq(guest_read(&machine, ROOM_SIZE, bytes, 1), -EFAULT);
	cr_expect_eq(guest_read(&machine, UINT64_MAX, bytes, 1), -EFAULT);
	cr_expect_eq(guest_read(&machine, ROOM_SIZE, bytes, 0), 0);
	ept_read(&machine.ept, &after);
	cr_expect_eq(after.table.entries, before.table.entries);
	cr_expect_eq(after.counts.frames, before.counts.frames);
	machine_destroy(&machine);
}
