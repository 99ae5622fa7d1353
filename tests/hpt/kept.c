/* SPDX-License-Identifier: MIT */
/* See kept.h. */
#include "tests/hpt/kept.h"

#include <stdlib.h>

/* Between looks at all that is kept. */
#define CHECKS_TO_ALL 64

/* Of a range that is larger, only what is kept is looked at. */
#define RANGE_ASKED 64

static void *grown(void *array, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return array;
	*room = *room ? 2 * *room : 64;
	array = realloc(array, *room * size);
	MODEL_EXPECT(array, "the test itself is out of memory");
	return array;
}

void kept_note(struct kept *kept, struct hpt_key key)
{
	kept->changed =
		grown(kept->changed, kept->changes, &kept->changed_room, sizeof(*kept->changed));
	kept->changed[kept->changes++] = key;
}

/* What the table answers while the hook is called is what it answers after the operation. */
static void ask(struct kept *kept, struct hpt_key key)
{
	struct kept_answer answer = {.key = key};

	if (kept->table->shared)
		return;
	if (hpt_lookup(kept->table, key, &answer.entry, NULL))
		answer.entry = 0;
	kept->answers = grown(kept->answers, kept->answer_count, &kept->answer_room,
			      sizeof(*kept->answers));
	kept->answers[kept->answer_count++] = answer;
}

static void drop(struct kept *kept, struct hpt_key key)
{
	ask(kept, key);
	model_set(&kept->entries, key, 0);
	kept_note(kept, key);
}

static void drop_cells(struct kept *kept, struct hpt_key key, uint64_t count)
{
	uint64_t step = hpt_pages_in((enum hpt_size)key.size);
	struct model_cell *cell, *next;
	size_t bucket = 0;

	for (cell = model_next(&kept->entries, &bucket, NULL); cell; cell = next) {
		struct hpt_key page = cell->key;

		next = model_next(&kept->entries, &bucket, cell);
		if (page.asid == key.asid && page.size == key.size && page.vpn >= key.vpn &&
		    (page.vpn - key.vpn) / step < count)
			drop(kept, page);
	}
}

static void on_change(void *context, struct hpt_key key, uint64_t count)
{
	struct kept *kept = context;
	uint64_t step = hpt_pages_in((enum hpt_size)key.size);

	MODEL_EXPECT(count, "the hook is called for nothing");
	MODEL_EXPECT(key.size < HPT_SIZES && !(key.vpn % step), "the hook is told of half a page");
	kept->calls++;
	kept->told += count;
	if (count > RANGE_ASKED) {
		drop_cells(kept, key, count);
		return;
	}
	for (uint64_t i = 0; i < count; i++, key.vpn += step)
		drop(kept, key);
}

void kept_begin(struct kept *kept, struct hpt *table, struct hpt_config *config)
{
	*kept = (struct kept){.table = table, .entries = {.bucket_count = 256}};
	model_begin(&kept->entries);
	config->changed = on_change;
	config->changed_context = kept;
}

void kept_end(struct kept *kept)
{
	model_end(&kept->entries);
	free(kept->changed);
	free(kept->answers);
}

/* A and D may have been set without a word; nothing else may differ, and they are not cleared so.
 */
static void expect_true(const struct model *model, struct hpt_key key, uint64_t entry)
{
	uint64_t now = model_get(model, key);
	uint64_t since = (now & ~entry) & (HPT_ACCESSED | HPT_DIRTY);

	MODEL_EXPECT(!entry || entry == (now & ~since),
		     "what is kept of page %llx (asid %u) is %llx, and the table's is %llx",
		     (unsigned long long)key.vpn, key.asid, (unsigned long long)entry,
		     (unsigned long long)now);
}

static void check_all(struct kept *kept, const struct model *model)
{
	struct model_cell *cell;
	size_t bucket = 0;

	for (cell = model_next(&kept->entries, &bucket, NULL); cell;
	     cell = model_next(&kept->entries, &bucket, cell))
		expect_true(model, cell->key, cell->entry);
	bucket = 0;
	for (cell = model_next(model, &bucket, NULL); cell;
	     cell = model_next(model, &bucket, cell)) {
		if (!model_get(&kept->entries, cell->key))
			model_set(&kept->entries, cell->key, cell->entry);
	}
}

void kept_check(struct kept *kept, const struct model *model)
{
	for (size_t i = 0; i < kept->answer_count; i++)
		MODEL_EXPECT(kept->answers[i].entry == model_get(model, kept->answers[i].key),
			     "the hook is called before the table answers so");
	for (size_t i = 0; i < kept->changes; i++) {
		struct hpt_key key = kept->changed[i];

		expect_true(model, key, model_get(&kept->entries, key));
		model_set(&kept->entries, key, model_get(model, key));
	}
	kept->answer_count = 0;
	kept->changes = 0;
	if (kept->checks++ % CHECKS_TO_ALL == 0)
		check_all(kept, model);
}
