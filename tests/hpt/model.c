/* SPDX-License-Identifier: MIT */
/* The naive map and the watching memory provider; pair.c holds tables against them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hpt/model.h"
#include "hpt/mix.h"

#define DEFAULT_BUCKETS 65536

/* A size that no key has: such cells count the 4 KiB pages of 2 MiB. */
#define PAGES_OF_LARGE HPT_SIZES

void model_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

uint64_t model_random(uint64_t *state)
{
	return mix64_next(state);
}

static void expect_nothing_held(const struct test_memory *memory)
{
	const struct hpt *table = memory->table;

	MODEL_EXPECT(!table || (!table->held && !(table->shape & 1)),
		     "memory comes or goes while readers wait");
}

static int test_get(void *context, size_t size, uint64_t *address)
{
	struct test_memory *memory = context;
	void *block;

	MODEL_EXPECT(size >= 4096 && size <= 2u << 20 && !(size & (size - 1)),
		     "a block of %zu bytes was asked for", size);
	expect_nothing_held(memory);
	memory->calls++;
	if (memory->calls >= memory->first_failure && memory->calls <= memory->last_failure) {
		memory->failures++;
		return -ENOMEM;
	}
	if (memory->outstanding == memory->capacity) {
		memory->capacity = memory->capacity ? 2 * memory->capacity : 64;
		memory->blocks =
			realloc(memory->blocks, memory->capacity * sizeof(*memory->blocks));
	}
	block = aligned_alloc(size, size);
	MODEL_EXPECT(block && memory->blocks, "the test itself is out of memory");
	memset(block, 0, size);
	*address = (uintptr_t)block - memory->offset;
	MODEL_EXPECT(*address && !(*address >> 48), "the test's offset is too large");
	memory->blocks[memory->outstanding++] = (struct test_block){*address, size};
	memory->bytes += size;
	return 0;
}

static void test_put(void *context, uint64_t address, size_t size)
{
	struct test_memory *memory = context;
	size_t i = 0;

	while (i < memory->outstanding && memory->blocks[i].address != address)
		i++;
	MODEL_EXPECT(i < memory->outstanding, "a block that is not held came back");
	MODEL_EXPECT(memory->blocks[i].size == size, "%zu bytes came back as %zu",
		     memory->blocks[i].size, size);
	memory->blocks[i] = memory->blocks[--memory->outstanding];
	memory->bytes -= size;
	memset((void *)(uintptr_t)(address + memory->offset), 0xa5, size);
	free((void *)(uintptr_t)(address + memory->offset));
}

/* No reader is in a call when the writer is: the grace period is over at once. */
static void test_retire(void *context, uint64_t address, size_t size)
{
	struct test_memory *memory = context;

	expect_nothing_held(memory);
	memory->retired++;
	test_put(context, address, size);
}

struct hpt_memory test_memory_of(struct test_memory *memory)
{
	return (struct hpt_memory){.get = test_get,
				   .put = test_put,
				   .context = memory,
				   .offset = memory->offset,
				   .retire = memory->readers ? test_retire : NULL};
}

void test_memory_end(struct test_memory *memory)
{
	MODEL_EXPECT(!memory->outstanding && !memory->bytes, "%zu blocks, %llu bytes are not back",
		     memory->outstanding, (unsigned long long)memory->bytes);
	free(memory->blocks);
	memory->blocks = NULL;
	memory->capacity = 0;
}

static bool same_key(struct hpt_key a, struct hpt_key b)
{
	return a.vpn == b.vpn && a.asid == b.asid && a.size == b.size;
}

/* The place that points, or would point, to the key's cell. */
static struct model_cell **place_of(const struct model *model, struct hpt_key key)
{
	uint64_t mixed = key.vpn ^ (uint64_t)key.asid << 46 ^ (uint64_t)key.size << 62;
	struct model_cell **place = &model->buckets[model_random(&mixed) % model->bucket_count];

	while (*place && !same_key((*place)->key, key))
		place = &(*place)->next;
	return place;
}

void model_begin(struct model *model)
{
	if (!model->bucket_count)
		model->bucket_count = DEFAULT_BUCKETS;
	model->buckets = calloc(model->bucket_count, sizeof(*model->buckets));
	model->entries = 0;
	MODEL_EXPECT(model->buckets, "the test itself is out of memory");
}

void model_end(struct model *model)
{
	for (size_t i = 0; i < model->bucket_count; i++) {
		while (model->buckets[i]) {
			struct model_cell *cell = model->buckets[i];

			model->buckets[i] = cell->next;
			free(cell);
		}
	}
	free(model->buckets);
	model->buckets = NULL;
}

uint64_t model_get(const struct model *model, struct hpt_key key)
{
	const struct model_cell *cell = *place_of(model, key);

	return cell ? cell->entry : 0;
}

static void store(struct model *model, struct hpt_key key, uint64_t entry)
{
	struct model_cell **place = place_of(model, key);
	struct model_cell *cell = *place;

	if (!entry && cell) {
		*place = cell->next;
		free(cell);
	} else if (entry && cell) {
		cell->entry = entry;
	} else if (entry) {
		*place = cell = calloc(1, sizeof(*cell));
		MODEL_EXPECT(cell, "the test itself is out of memory");
		cell->key = key;
		cell->entry = entry;
	}
}

static struct hpt_key around(struct hpt_key key, uint8_t size)
{
	return (struct hpt_key){
		.vpn = key.vpn & ~(uint64_t)(HPT_LARGE_PAGES - 1), .asid = key.asid, .size = size};
}

void model_set(struct model *model, struct hpt_key key, uint64_t entry)
{
	bool before = model_get(model, key);
	struct hpt_key count = around(key, PAGES_OF_LARGE);

	store(model, key, entry);
	model->entries += !!entry - before;
	if (key.size == HPT_4K)
		store(model, count, model_get(model, count) + !!entry - before);
}

bool model_overlaps(const struct model *model, struct hpt_key key)
{
	return model_get(model, around(key, key.size == HPT_4K ? HPT_2M : PAGES_OF_LARGE));
}

struct model_cell *model_cell(const struct model *model, struct hpt_key key)
{
	return *place_of(model, key);
}

struct model_cell *model_next(const struct model *model, size_t *bucket, struct model_cell *cell)
{
	cell = cell ? cell->next : NULL;
	for (;;) {
		while (cell && cell->key.size == PAGES_OF_LARGE)
			cell = cell->next;
		if (cell || *bucket == model->bucket_count)
			return cell;
		cell = model->buckets[(*bucket)++];
	}
}
