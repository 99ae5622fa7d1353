/* SPDX-License-Identifier: MIT */
/* The guest's table, read through the gateway: as the guest sees it, and when the guest lies. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vmm/room.h"
#include "vmm/stage1.h"

/* What kernels/liar.S has written down. */
_Static_assert(offsetof(struct hpt_desc, spill_lines) == 16 &&
		       offsetof(struct hpt_desc, split) == 24 &&
		       offsetof(struct hpt_desc, current) == 32 &&
		       offsetof(struct hpt_desc, directory) == 128 && HPT_CLUSTERED == 4,
	       "the descriptor that liar.S publishes is one");

#define TABLE_START UINT64_C(0x400000) /* gPA of the table's memory */
#define TABLE_SIZE  UINT64_C(0x800000)
#define PAGE_GPA    UINT64_C(0x20000)
#define DESC_GPA    UINT64_C(0x30000)
#define COUNTS_GPA  UINT64_C(0x50000)
#define ASID	    7

static struct machine machine;
static struct stage1 stage1;
static struct hpt table;
static struct abi_page page;
static char *memory; /* what goes to TABLE_START */
static uint64_t memory_used;

/* A guest's allocator: addresses are gPAs, and the table reaches them by an offset. */
static int get_memory(void *context, size_t size, uint64_t *address)
{
	(void)context;
	memory_used = (memory_used + size - 1) & ~(size - 1);
	if (memory_used + size > TABLE_SIZE)
		return -ENOMEM;
	*address = TABLE_START + memory_used;
	memory_used += size;
	return 0;
}

static void put_memory(void *context, uint64_t address, size_t size)
{
	(void)context;
	(void)address;
	(void)size;
}

static void make_table(enum hpt_organisation organisation)
{
	struct hpt_config config = {.organisation = organisation,
				    .salt = 99,
				    .memory = {.get = get_memory, .put = put_memory}};

	memory = aligned_alloc(TABLE_SIZE, TABLE_SIZE);
	memset(memory, 0, TABLE_SIZE);
	config.memory.offset = (uintptr_t)memory - TABLE_START;
	cr_assert_eq(hpt_create(&table, &config), 0);
}

/* Puts table, descriptor and page where a guest would have them, and rings the doorbell. */
static void publish(void)
{
	page = (struct abi_page){.magic = ABI_MAGIC,
				 .version = ABI_VERSION,
				 .desc = DESC_GPA,
				 .counts = COUNTS_GPA,
				 .asid = ASID};
	cr_assert_eq(ept_copy_in(&machine.ept, TABLE_START, memory, TABLE_SIZE), 0);
	cr_assert_eq(ept_copy_in(&machine.ept, DESC_GPA, &table.desc, sizeof(table.desc)), 0);
	cr_assert_eq(ept_copy_in(&machine.ept, COUNTS_GPA, &table.counts, sizeof(table.counts)), 0);
	cr_assert_eq(ept_copy_in(&machine.ept, PAGE_GPA, &page, sizeof(page)), 0);
	machine.devices.published = true;
	machine.devices.page = PAGE_GPA;
}

static void republish(void)
{
	cr_assert_eq(ept_copy_in(&machine.ept, PAGE_GPA, &page, sizeof(page)), 0);
	cr_assert_eq(ept_copy_in(&machine.ept, DESC_GPA, &table.desc, sizeof(table.desc)), 0);
}

static void create(enum hpt_organisation organisation)
{
	room_create(&machine);
	make_table(organisation);
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
	int error = hpt_lookup(&table, key, &wanted, &ledger);

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
		cr_assert_eq(hpt_map(&table, hpt_key(ASID, i * 37 % 65521, HPT_4K),
				     hpt_entry(i, HPT_PRESENT | HPT_USER)),
			     0);
	publish();
	cr_assert_eq(stage1_read(&stage1, &machine, &why), 0, "%s", why);
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
	hpt_map(&table, hpt_key(ASID, 0x1234, HPT_4K), hpt_entry(0x55, HPT_PRESENT));
	hpt_map(&table, hpt_key(ASID, 0x200, HPT_2M), hpt_entry(0x400, HPT_PRESENT | HPT_LARGE));
	hpt_map(&table, hpt_key(0, 0xffff88000 & 0xfffffffff, HPT_4K), hpt_entry(3, HPT_PRESENT));
	publish();
	cr_assert_eq(stage1_read(&stage1, &machine, &why), 0, "%s", why);
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
	hpt_map(&table, hpt_key(ASID, 0x1234, HPT_4K), small);
	hpt_map(&table, hpt_key(ASID, 0x200, HPT_2M), large);
	publish();
	cr_assert_eq(stage1_read(&stage1, &machine, &why), 0, "%s", why);
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
	cr_expect_eq(stage1_read(&stage1, &machine, &why), -ENOENT);
	cr_expect_str_eq(why, "the guest has published no table");
	machine_destroy(&machine);
}

static void expect_invalid(const char *wanted)
{
	const char *why = "";

	republish();
	cr_expect_eq(stage1_read(&stage1, &machine, &why), -EINVAL);
	cr_expect_str_eq(why, wanted);
}

Test(stage1, what_is_not_valid_is_refused, .timeout = 60)
{
	create(HPT_CLUSTERED);
	publish();
	page.version = 2;
	expect_invalid("the published page has a wrong magic or version");
	page.version = ABI_VERSION;
	page.desc = ROOM_SIZE - 8;
	expect_invalid("the published descriptor is not guest RAM");
	page.desc = UINT64_MAX - 8;
	expect_invalid("the published descriptor is not guest RAM");
	page.desc = DESC_GPA;
	table.desc.current.lines_log2 = 63;
	expect_invalid("the published descriptor is not valid");
	table.desc.current.lines_log2 = HPT_LINES_LOG2_MIN;
	table.desc.current.first_chunk = UINT32_MAX;
	expect_invalid("the published descriptor is not valid");
	table.desc.current.first_chunk = 0;
	page.counts = UINT64_MAX;
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
	publish();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		table.desc.directory[0] = bad[i];
		republish();
		cr_assert_eq(stage1_read(&stage1, &machine, &why), 0, "%s", why);
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
