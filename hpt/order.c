/* SPDX-License-Identifier: MIT */
/*
 * Visits in key order. What a tree, or a search for each block of the range, visits is in order by
 * itself. Where a scan of all lines costs less, the pages come in the order of their hashes: then
 * each scan collects the lowest pages that have not been visited yet, as many as the buffer takes,
 * in a heap whose root is the highest (Knuth, The Art of Computer Programming 3, section 5.2.3).
 */
#include <errno.h>

#include "hpt/lookup.h"
#include "hpt/organisation.h"

struct collected {
	uint64_t *vpns; /* a heap */
	size_t count;
	size_t room;
};

/* Lets the vpn at the root sink to where none below is higher. */
static void sink(uint64_t *heap, size_t count, uint64_t vpn)
{
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child + 1 < count && heap[child + 1] > heap[child])
			child++;
		if (child >= count || heap[child] <= vpn)
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = vpn;
}

static uint64_t collect(void *context, struct hpt_key key, uint64_t entry)
{
	struct collected *collected = context;
	uint64_t *heap = collected->vpns;
	size_t at = collected->count;

	if (at == collected->room) {
		if (key.vpn < heap[0])
			sink(heap, at, key.vpn);
		return entry;
	}
	collected->count++;
	for (; at && heap[(at - 1) / 2] < key.vpn; at = (at - 1) / 2)
		heap[at] = heap[(at - 1) / 2];
	heap[at] = key.vpn;
	return entry;
}

/* Turns the heap into an ascending array. */
static void sort(const struct collected *collected)
{
	for (size_t left = collected->count; left > 1; left--) {
		uint64_t highest = collected->vpns[0];

		sink(collected->vpns, left - 1, collected->vpns[left - 1]);
		collected->vpns[left - 1] = highest;
	}
}

static int get_buffer(struct hpt *table, uint64_t *address, size_t *size)
{
	int error = -ENOMEM;

	for (*size = (size_t)1 << HPT_CHUNK_SHIFT; *size >= HPT_PAGE_SIZE; *size /= 2) {
		error = hpt_get(table, *size, address);
		if (!error)
			break;
	}
	return error;
}

int hpt_visit_ordered(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		      void *context)
{
	uint64_t step = hpt_pages_in(key.size);
	struct collected collected;
	uint64_t buffer;
	size_t size;
	int error;

	if (!hpt_range_valid(table, key, count))
		return -EINVAL;
	if (!count || !hpt_range_scanned(table, key, count))
		return hpt_visit_range(table, key, count, visit, context);
	error = get_buffer(table, &buffer, &size);
	if (error)
		return error;
	collected.vpns = hpt_pointer(table, buffer);
	collected.room = size / sizeof(uint64_t);
	do {
		uint64_t first = key.vpn;

		collected.count = 0;
		error = hpt_visit_range(table, key, count, collect, &collected);
		sort(&collected);
		for (size_t i = 0; !error && i < collected.count; i++) {
			key.vpn = collected.vpns[i];
			error = hpt_visit_range(table, key, 1, visit, context);
		}
		key.vpn += step;
		count -= (key.vpn - first) / step;
	} while (!error && collected.count == collected.room && count);
	hpt_put(table, buffer, size);
	return error;
}
