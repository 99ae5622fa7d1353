/* SPDX-License-Identifier: MIT */
/* The memory of host tables: aligned, zeroed, nobody else's. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ept/memory.h"

#define PIECES 2000

static struct {
	unsigned char *start;
	size_t size;
} pieces[PIECES];

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void get_piece(struct hpt_memory *memory, unsigned int i, size_t size)
{
	uint64_t address = 0;

	cr_assert_eq(memory->get(memory->context, size, &address), 0);
	cr_assert_neq(address, 0);
	cr_assert_eq(address % size, 0, "%#zx bytes at %#lx", size, (unsigned long)address);
	pieces[i].start = (unsigned char *)(uintptr_t)(address + memory->offset);
	pieces[i].size = size;
	cr_assert(is_zero(pieces[i].start, size), "%#zx bytes are not zero", size);
	memset(pieces[i].start, (int)(i % 255 + 1), size);
}

static void put_piece(struct hpt_memory *memory, unsigned int i)
{
	/* Nobody wrote there but us: all bytes are still the piece's own. */
	cr_assert_eq(pieces[i].start[0], i % 255 + 1);
	cr_assert_eq(memcmp(pieces[i].start, pieces[i].start + 1, pieces[i].size - 1), 0);
	memory->put(memory->context, (uintptr_t)pieces[i].start - memory->offset, pieces[i].size);
	pieces[i].start = NULL;
}

Test(ept_memory, pieces_are_aligned_zeroed_and_disjoint, .timeout = 60)
{
	struct ept_memory pool;
	struct hpt_memory memory = ept_memory_init(&pool);
	uint64_t random = 5;

	for (unsigned int step = 0; step < 4 * PIECES; step++) {
		unsigned int i, order;

		random = random * UINT64_C(6364136223846793005) + 1;
		i = (unsigned int)(random >> 33) % PIECES;
		order = (unsigned int)__builtin_ctzll(random >> 20 | 1 << 9); /* mostly small */
		if (pieces[i].start)
			put_piece(&memory, i);
		else
			get_piece(&memory, i, (size_t)HPT_PAGE_SIZE << order);
	}
	for (unsigned int i = 0; i < PIECES; i++) {
		if (pieces[i].start)
			put_piece(&memory, i);
	}
	ept_memory_destroy(&pool);
}

Test(ept_memory, sizes_that_no_table_asks_for_are_refused, .timeout = 30)
{
	struct ept_memory pool;
	struct hpt_memory memory = ept_memory_init(&pool);
	uint64_t address;

	cr_assert_lt(memory.get(memory.context, 0, &address), 0);
	cr_assert_lt(memory.get(memory.context, 2048, &address), 0);
	cr_assert_lt(memory.get(memory.context, 12288, &address), 0);
	cr_assert_lt(memory.get(memory.context, 1 << 22, &address), 0);
	ept_memory_destroy(&pool);
}

Test(ept_memory, what_is_put_back_is_used_again, .timeout = 30)
{
	struct ept_memory pool;
	struct hpt_memory memory = ept_memory_init(&pool);
	struct ept_memory_segment *first;

	get_piece(&memory, 0, HPT_PAGE_SIZE);
	first = pool.segments;
	for (unsigned int round = 0; round < 1000; round++) {
		get_piece(&memory, 1, 1 << HPT_CHUNK_SHIFT);
		put_piece(&memory, 1);
		get_piece(&memory, 1, HPT_PAGE_SIZE);
		put_piece(&memory, 1);
	}
	cr_assert_eq(pool.segments, first);
	ept_memory_destroy(&pool);
}
