/* SPDX-License-Identifier: MIT */
/*
 * A guest that has published a table: what is in a machine's memory then. The table is made here,
 * at an address of this process, and copied to where the guest would have it.
 */
#ifndef TESTS_VMM_PUBLISHED_H
#define TESTS_VMM_PUBLISHED_H

#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guest/abi.h"
#include "vmm/machine.h"

#define TABLE_START UINT64_C(0x400000) /* gPA of the table's memory */
#define TABLE_SIZE  UINT64_C(0x800000)
#define PAGE_GPA    UINT64_C(0x20000)
#define DESC_GPA    UINT64_C(0x30000)
#define COUNTS_GPA  UINT64_C(0x50000)
#define ASID	    7

struct published {
	struct hpt table;
	struct abi_page page;
	char *memory; /* what goes to TABLE_START */
	uint64_t memory_used;
};

/* A guest's allocator: addresses are gPAs, and the table reaches them by an offset. */
static inline int published_get(void *context, size_t size, uint64_t *address)
{
	struct published *guest = context;

	guest->memory_used = (guest->memory_used + size - 1) & ~(size - 1);
	if (guest->memory_used + size > TABLE_SIZE)
		return -ENOMEM;
	*address = TABLE_START + guest->memory_used;
	guest->memory_used += size;
	return 0;
}

static inline void published_put(void *context, uint64_t address, size_t size)
{
	(void)context;
	(void)address;
	(void)size;
}

static inline void published_table(struct published *guest, enum hpt_organisation organisation)
{
	struct hpt_config config = {
		.organisation = organisation,
		.salt = 99,
		.memory = {.get = published_get, .put = published_put, .context = guest}};

	guest->memory = aligned_alloc(TABLE_SIZE, TABLE_SIZE);
	guest->memory_used = 0;
	memset(guest->memory, 0, TABLE_SIZE);
	config.memory.offset = (uintptr_t)guest->memory - TABLE_START;
	cr_assert_eq(hpt_create(&guest->table, &config), 0);
	guest->page = (struct abi_page){.magic = ABI_MAGIC,
					.version = ABI_VERSION,
					.desc = DESC_GPA,
					.counts = COUNTS_GPA,
					.asid = {ASID}};
}

/* Page and descriptor, as they are now. */
static inline void published_again(struct published *guest, struct machine *machine)
{
	cr_assert_eq(ept_copy_in(&machine->ept, PAGE_GPA, &guest->page, sizeof(guest->page)), 0);
	cr_assert_eq(
		ept_copy_in(&machine->ept, DESC_GPA, &guest->table.desc, sizeof(guest->table.desc)),
		0);
}

/* Puts table, descriptor and page where a guest would have them, and rings the doorbell. */
static inline void publish(struct published *guest, struct machine *machine)
{
	cr_assert_eq(ept_copy_in(&machine->ept, TABLE_START, guest->memory, TABLE_SIZE), 0);
	cr_assert_eq(ept_copy_in(&machine->ept, COUNTS_GPA, &guest->table.counts,
				 sizeof(guest->table.counts)),
		     0);
	published_again(guest, machine);
	machine->devices.published = true;
	machine->devices.page = PAGE_GPA;
}

#endif
