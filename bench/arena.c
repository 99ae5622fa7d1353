/* SPDX-License-Identifier: MIT */
/* See arena.h. */
#include "bench/arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE ((size_t)2 << 20)

int arena_begin(struct arena *arena, size_t size)
{
	char *base = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (base == MAP_FAILED)
		return -errno;
	arena->base = base + (-(uintptr_t)base & (HUGE - 1));
	arena->reserved = base;
	arena->size = size;
	/* Address 0 names no memory. */
	arena->used = HUGE;
	arena->free_nodes = 0;
	madvise(arena->base, size, MADV_HUGEPAGE);
	return 0;
}

char *arena_start(const struct arena *arena)
{
	return arena->base + HUGE;
}

size_t arena_bytes(const struct arena *arena)
{
	return arena->used - HUGE;
}

uint64_t arena_changed(const struct arena *arena, const char *before, size_t bytes)
{
	static const char zeros[HPT_LINE_SIZE];
	const char *now = arena_start(arena);
	uint64_t changed = 0;

	for (size_t at = 0; at < arena_bytes(arena); at += HPT_LINE_SIZE)
		changed += !!memcmp(now + at, at < bytes ? before + at : zeros, HPT_LINE_SIZE);
	return changed;
}

void arena_end(struct arena *arena)
{
	munmap(arena->reserved, arena->size + HUGE);
}

void arena_reset(struct arena *arena)
{
	madvise(arena->base, arena->used, MADV_DONTNEED);
	arena->used = HUGE;
	arena->free_nodes = 0;
}

char *arena_mark(struct arena *arena)
{
	arena->used = (arena->used + HUGE - 1) & ~(HUGE - 1);
	return arena->base + arena->used;
}

static int get_node(struct arena *arena, uint64_t *address)
{
	uint64_t *node = (void *)(arena->base + arena->free_nodes);

	*address = arena->free_nodes;
	arena->free_nodes = *node;
	memset(node, 0, HPT_PAGE_SIZE);
	return 0;
}

static int get(void *context, size_t size, uint64_t *address)
{
	struct arena *arena = context;
	size_t start = (arena->used + size - 1) & ~(size - 1);

	if (size == HPT_PAGE_SIZE && arena->free_nodes)
		return get_node(arena, address);
	if (start + size > arena->size)
		return -ENOMEM;
	arena->used = start + size;
	*address = start;
	return 0;
}

static void put(void *context, uint64_t address, size_t size)
{
	struct arena *arena = context;

	if (size != HPT_PAGE_SIZE)
		return;
	*(uint64_t *)(void *)(arena->base + address) = arena->free_nodes;
	arena->free_nodes = address;
}

struct hpt_memory arena_memory(struct arena *arena)
{
	return (struct hpt_memory){
		.get = get, .put = put, .context = arena, .offset = (uintptr_t)arena->base};
}
