/* SPDX-License-Identifier: MIT */
/* Tables of the CPU's, laid out in a room's memory and read back through the gateway. */
#include <criterion/criterion.h>

#include <errno.h>

#include "tests/vmm/room.h"
#include "tests/vmm/tables.h"
#include "vmm/x86_tables.h"

static struct machine machine;

static void expect_page(uint64_t gva, gpa_t gpa, uint64_t flags, unsigned int shift)
{
	struct x86_page page = {0};

	cr_assert_eq(x86_walk(&machine, TABLES_ROOT, gva, &page), 0, "%lx", gva);
	cr_expect_eq(page.gpa, gpa, "%lx: %lx", gva, page.gpa);
	cr_expect_eq(page.flags, flags, "%lx: %lx", gva, page.flags);
	cr_expect_eq(page.shift, shift);
}

static int walk(uint64_t gva)
{
	struct x86_page page;

	return x86_walk(&machine, TABLES_ROOT, gva, &page);
}

Test(x86_tables, pages_of_each_size_are_found_with_what_all_levels_allow, .timeout = 30)
{
	room_create(&machine);
	tables_create(&machine);
	expect_page(TABLES_SMALL + 0x123, 0x5123, HPT_WRITE | HPT_USER, 12);
	expect_page(TABLES_SMALL + 0x1123, 0x6123, HPT_USER | HPT_NOEXEC, 12);
	expect_page(TABLES_LARGE + 0x54321, 0x254321, HPT_USER, 21);
	expect_page(TABLES_HUGE + 0x3654321, 0x43654321, HPT_WRITE, 30);
	expect_page(TABLES_KERNEL + 8, 0x7008, HPT_WRITE | HPT_NOEXEC, 12);
	cr_expect_eq(walk(TABLES_SMALL + 0x2000), -ENOENT);
	cr_expect_eq(walk(0x7f0000000000), -ENOENT);
	machine_destroy(&machine);
}

Test(x86_tables, tables_that_are_not_there_are_told_apart_and_nothing_is_touched, .timeout = 30)
{
	struct ept_snapshot before, after;

	room_create(&machine);
	tables_create(&machine);
	tables_word(&machine, TABLES_ROOT, 100, ROOM_SIZE | HPT_PRESENT);
	tables_word(&machine, TABLES_ROOT, 101, 0x700000 | HPT_PRESENT);
	tables_word(&machine, TABLES_ROOT, 102, UINT64_C(0xffffffffff000) | HPT_PRESENT);
	/* Loaded by the VMM, not touched by the guest. */
	tables_word(&machine, TABLES_ROOT, 103, 0x800000 | HPT_PRESENT);
	cr_assert_eq(ept_copy_in(&machine.ept, 0x800000, NULL, 8), 0);
	ept_read(&machine.ept, &before);
	cr_expect_eq(walk(x86_gva(UINT64_C(100) << 27)), -EFAULT);
	cr_expect_eq(walk(x86_gva(UINT64_C(101) << 27)), -EAGAIN);
	cr_expect_eq(walk(x86_gva(UINT64_C(102) << 27)), -EFAULT);
	cr_expect_eq(walk(x86_gva(UINT64_C(103) << 27)), -EAGAIN);
	ept_read(&machine.ept, &after);
	cr_expect_eq(after.counts.misses, before.counts.misses);
	cr_expect_eq(after.counts.frames, before.counts.frames);
	machine_destroy(&machine);
}

/* How often a choice among `count` words of the root fell to each page. */
static unsigned int choose(unsigned int first, unsigned int count, uint64_t gva, uint64_t size)
{
	unsigned int chosen = 0;
	uint64_t random = 1, found;

	for (int i = 0; i < 1000; i++) {
		if (!x86_choose(&machine, TABLES_ROOT, first, count, &random, &found))
			chosen += found >= gva && found < gva + size;
	}
	return chosen;
}

Test(x86_tables, every_page_is_chosen_sometimes_and_no_other, .timeout = 30)
{
	unsigned int small, large, huge;

	room_create(&machine);
	tables_create(&machine);
	small = choose(0, X86_WORDS_PROGRAM, TABLES_SMALL, 0x2000);
	large = choose(0, X86_WORDS_PROGRAM, TABLES_LARGE, UINT64_C(1) << 21);
	huge = choose(0, X86_WORDS_PROGRAM, TABLES_HUGE, UINT64_C(1) << 30);
	cr_expect_eq(small + large + huge, 1000);
	cr_expect_gt(small, 100);
	cr_expect_gt(large, 100);
	cr_expect_gt(huge, 100);
	cr_expect_eq(choose(X86_WORDS_PROGRAM, X86_WORDS_PROGRAM, TABLES_KERNEL, 0x1000), 1000);
	cr_expect_eq(choose(x86_root_index(TABLES_KERNEL), 1, TABLES_KERNEL, 0x1000), 1000);
	cr_expect_eq(choose(5, 10, 0, UINT64_MAX), 0, "no word of these is in use");
	machine_destroy(&machine);
}

Test(x86_tables, addresses_are_sign_extended)
{
	cr_expect_eq(x86_gva(0x7ffffffff), 0x7ffffffff000);
	cr_expect_eq(x86_gva(0x800000000), 0xffff800000000000);
	cr_expect_eq(x86_gva(UINT64_C(0xfffffffffffff)), 0xfffffffffffff000);
	cr_expect_eq(x86_root_index(0xffffffff80000000), 511);
}
