/* SPDX-License-Identifier: MIT */
/* The memory of host tables (see memory.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/memory.h"
#include "ept/swap.h"

#define UNIT_ORDER    (EPT_MEMORY_ORDERS - 1)
#define UNIT_SIZE     ((size_t)HPT_PAGE_SIZE << UNIT_ORDER)
#define SEGMENT_UNITS 32

/* From this size on it is cheaper to let the kernel drop the pages than to write zeros. */
#define DROP_SIZE ((size_t)1 << 16)

struct ept_memory_segment {
	struct ept_memory_segment *next;
	void *mapping;
	size_t size;
};

/* Of the one range: any that is none of memory's, which 0 is. */
#define FIRST_ADDRESS (UINT64_C(1) << 32)

_Static_assert(UNIT_SIZE == (size_t)1 << HPT_CHUNK_SHIFT, "a unit is the largest chunk");

static int add_segment(struct ept_memory *memory, uint64_t units)
{
	struct ept_memory_segment *segment = malloc(sizeof(*segment));
	uintptr_t first;

	if (!segment)
		return -ENOMEM;
	segment->size = (units + 1) * UNIT_SIZE; /* one more, to align within */
	segment->mapping = mmap(NULL, segment->size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (segment->mapping == MAP_FAILED) {
		free(segment);
		return -ENOMEM;
	}
	first = ((uintptr_t)segment->mapping + UNIT_SIZE - 1) & ~(UNIT_SIZE - 1);
	memory->next = (char *)segment->mapping + (first - (uintptr_t)segment->mapping);
	memory->end = memory->next + units * UNIT_SIZE;
	segment->next = memory->segments;
	memory->segments = segment;
	return 0;
}

static void *piece_at(const struct ept_memory *memory, uint64_t address)
{
	return (void *)((uintptr_t)address + memory->offset);
}

static uint64_t address_of(const struct ept_memory *memory, const void *piece)
{
	return (uintptr_t)piece - memory->offset;
}

static void push(struct ept_memory *memory, unsigned int order, void *piece)
{
	memcpy(piece, &memory->free[order], sizeof(memory->free[order]));
	memory->free[order] = address_of(memory, piece);
}

static void *pop(struct ept_memory *memory, unsigned int order)
{
	void *piece = piece_at(memory, memory->free[order]);

	memcpy(&memory->free[order], piece, sizeof(memory->free[order]));
	memset(piece, 0, sizeof(memory->free[order]));
	return piece;
}

/*
 * A fresh unit. Huge pages save the table's walker TLB misses, but the first one costs the zeroing
 * of 2 MiB: the unit that small tables live in, the first one carved, goes without.
 */
static void *fresh_unit(struct ept_memory *memory, bool carve)
{
	char *unit;

	if (memory->next == memory->end &&
	    (memory->reserved || add_segment(memory, SEGMENT_UNITS) < 0))
		return NULL;
	unit = memory->next;
	memory->next += UNIT_SIZE;
	if (!carve || memory->carved++ > 0)
		(void)madvise(unit, UNIT_SIZE, MADV_HUGEPAGE);
	return unit;
}

/* Pages of zeros are not touched: they may have no memory, and the copy need not have any. */
static void copy_unit(char *unit, const char *bytes)
{
	for (size_t at = 0; at < UNIT_SIZE; at += HPT_PAGE_SIZE) {
		if (!ept_swap_is_zero(bytes + at))
			memcpy(unit + at, bytes + at, HPT_PAGE_SIZE);
	}
}

static int order_of(size_t size)
{
	for (int order = 0; order < EPT_MEMORY_ORDERS; order++) {
		if (size == (size_t)HPT_PAGE_SIZE << order)
			return order;
	}
	return -EINVAL;
}

static int get(void *context, size_t size, uint64_t *address)
{
	struct ept_memory *memory = context;
	int wanted = order_of(size);
	unsigned int order;
	char *piece;

	if (wanted < 0)
		return wanted;
	order = (unsigned int)wanted;
	while (order <= UNIT_ORDER && !memory->free[order])
		order++;
	if (order <= UNIT_ORDER) {
		piece = pop(memory, order);
	} else {
		order = UNIT_ORDER;
		piece = fresh_unit(memory, wanted < UNIT_ORDER);
	}
	if (!piece)
		return -ENOMEM;
	while (order > (unsigned int)wanted) {
		order--;
		push(memory, order, piece + ((size_t)HPT_PAGE_SIZE << order));
	}
	*address = address_of(memory, piece);
	return 0;
}

static void put(void *context, uint64_t address, size_t size)
{
	struct ept_memory *memory = context;
	void *piece = piece_at(memory, address);

	if (size < DROP_SIZE || madvise(piece, size, MADV_DONTNEED) < 0)
		memset(piece, 0, size);
	push(memory, (unsigned int)order_of(size), piece);
}

static struct hpt_memory functions_of(struct ept_memory *memory)
{
	return (struct hpt_memory){
		.get = get, .put = put, .context = memory, .offset = memory->offset};
}

struct hpt_memory ept_memory_init(struct ept_memory *memory)
{
	*memory = (struct ept_memory){0};
	return functions_of(memory);
}

int ept_memory_reserve(struct ept_memory *memory, uint64_t size, struct hpt_memory *functions)
{
	*memory = (struct ept_memory){.reserved = size};
	if (add_segment(memory, (size + UNIT_SIZE - 1) / UNIT_SIZE) < 0)
		return -ENOMEM;
	memory->offset = (uintptr_t)memory->next - FIRST_ADDRESS;
	*functions = functions_of(memory);
	return 0;
}

void ept_memory_copy(struct ept_memory *memory, const struct ept_memory *from)
{
	const char *first = piece_at(from, FIRST_ADDRESS);

	for (const char *unit = first; unit < from->next; unit += UNIT_SIZE)
		copy_unit(fresh_unit(memory, unit == first), unit);
	memcpy(memory->free, from->free, sizeof(memory->free));
}

void ept_memory_destroy(struct ept_memory *memory)
{
	while (memory->segments) {
		struct ept_memory_segment *segment = memory->segments;

		memory->segments = segment->next;
		munmap(segment->mapping, segment->size);
		free(segment);
	}
}
