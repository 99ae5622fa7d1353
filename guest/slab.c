/* SPDX-License-Identifier: MIT */
/* See slab.h. */
#include "guest/slab.h"

#include <errno.h>
#include <stdbool.h>

#include "guest/boot.h"
#include "guest/frames.h"
#include "guest/publish.h"

#define SIZES_LOG2 (HPT_CHUNK_SHIFT + 1)
#define CHUNK	   (UINT64_C(1) << HPT_CHUNK_SHIFT)

static uint64_t next; /* gPA: from here on chunks were not used at all */
/* Blocks by log2 of their size: of those that are fresh just the link is to be cleared. */
static uint64_t fresh[SIZES_LOG2];
static uint64_t used[SIZES_LOG2];

void slab_start(void)
{
	next = boot.slab.start;
}

static bool in_slab(uint64_t gpa)
{
	return gpa >= boot.slab.start && gpa < boot.slab.end;
}

/* A fresh block of the smallest size that is large enough; its log2 goes to *order. */
static uint64_t take_fresh(unsigned int *order)
{
	for (; *order < SIZES_LOG2; (*order)++) {
		uint64_t gpa = frames_pop(&fresh[*order]);

		if (gpa) {
			*(uint64_t *)direct(gpa) = 0;
			return gpa;
		}
	}
	*order = HPT_CHUNK_SHIFT;
	if (next == boot.slab.end)
		return 0;
	next += CHUNK;
	return next - CHUNK;
}

static int take(size_t size, uint64_t *gpa)
{
	unsigned int wanted = (unsigned int)__builtin_ctzll(size);
	unsigned int order = wanted;

	*gpa = frames_pop(&used[wanted]);
	if (*gpa) {
		frames_clear(*gpa, size);
		return 0;
	}
	*gpa = take_fresh(&order);
	if (!*gpa)
		return -ENOMEM;
	while (order > wanted) {
		order--;
		frames_push(&fresh[order], *gpa + (UINT64_C(1) << order));
	}
	return 0;
}

int slab_get(void *context, size_t size, uint64_t *gpa)
{
	int error;

	if (!take(size, gpa)) {
		published.table_in_slab += size;
		return 0;
	}
	error = frames_get_kernel(context, size, gpa);
	if (!error)
		published.table_outside += size;
	return error;
}

void slab_put(void *context, uint64_t gpa, size_t size)
{
	if (in_slab(gpa)) {
		published.table_in_slab -= size;
		frames_push(&used[__builtin_ctzll(size)], gpa);
		return;
	}
	published.table_outside -= size;
	frames_put_kernel(context, gpa, size);
}
