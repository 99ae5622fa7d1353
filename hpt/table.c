/* SPDX-License-Identifier: MIT */
/* The operations of hpt.h: arguments checked, the organisation called, the rest done once here. */
#include <errno.h>

#include "hpt/ahead.h"
#include "hpt/generation.h"
#include "hpt/hpt.h"
#include "hpt/lookup.h"
#include "hpt/name.h"
#include "hpt/organisation.h"
#include "hpt/shared.h"
#include "hpt/watch.h"

static const struct hpt_operations *const organisations[HPT_ORGANISATIONS] = {
	[HPT_RADIX] = &hpt_radix_operations,	     [HPT_CHAINED] = &hpt_chained_operations,
	[HPT_OPEN] = &hpt_open_operations,	     [HPT_BUCKET] = &hpt_bucket_operations,
	[HPT_CLUSTERED] = &hpt_clustered_operations, [HPT_CUCKOO] = &hpt_cuckoo_operations,
	[HPT_ADAPTIVE] = &hpt_adaptive_operations,
};

const struct hpt_operations *hpt_operations_of(const struct hpt *table)
{
	return organisations[table->desc.organisation];
}

const char *hpt_organisation_name(enum hpt_organisation organisation)
{
	return organisations[organisation]->name;
}

int hpt_organisation_find(const char *name)
{
	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		if (hpt_name_is(organisations[i]->name, name))
			return i;
	}
	return -ENOENT;
}

int hpt_create(struct hpt *table, const struct hpt_config *config)
{
	int error;

	if (config->organisation >= HPT_ORGANISATIONS || config->hash >= HPT_HASH_FAMILIES)
		return -EINVAL;
	/* Not one initialiser: a compiler may build it on the stack first, all 36 KiB of it. */
	*table = (struct hpt){0};
	table->desc.magic = HPT_MAGIC;
	table->desc.version = HPT_VERSION;
	table->desc.organisation = config->organisation;
	table->desc.hash = config->hash;
	table->desc.family = config->hash;
	hpt_salt_set(&table->desc.salt, config->hash, config->salt);
	table->desc.split = UINT64_MAX;
	table->desc.sealed = config->sealed;
	if (config->sealed)
		aes_expand(&table->desc.seal, config->seal_key);
	table->memory = config->memory;
	hpt_watch(table, config->changed, config->changed_context);
	error = shared_create(table);
	if (error)
		return error;
	error = hpt_operations_of(table)->create(table, config->pages);
	if (error)
		shared_destroy(table);
	return error;
}

void hpt_destroy(struct hpt *table)
{
	shared_destroy(table);
	hpt_operations_of(table)->destroy(table);
}

int hpt_adopt(struct hpt *copy, const struct hpt *from, const struct hpt_memory *memory)
{
	if (from->shared || memory->retire)
		return -EINVAL;
	*copy = *from;
	copy->memory = *memory;
	hpt_watch(copy, NULL, NULL);
	return 0;
}

void hpt_watch(struct hpt *table, hpt_changed changed, void *context)
{
	table->changed = changed;
	table->changed_context = context;
}

int hpt_rekey(struct hpt *table, uint64_t salt)
{
	return hpt_operations_of(table)->place_pages ? generation_rekey(table, salt) : -EOPNOTSUPP;
}

int hpt_settle(struct hpt *table, uint64_t steps)
{
	return hpt_operations_of(table)->place_pages ? generation_settle(table, steps) : 0;
}

static bool key_fits(const struct hpt *table, struct hpt_key key)
{
	enum hpt_organisation organisation = (enum hpt_organisation)table->desc.organisation;

	return hpt_key_fits(key, hpt_vpn_bits(organisation), hpt_asid_bits(organisation));
}

bool hpt_range_valid(const struct hpt *table, struct hpt_key key, uint64_t count)
{
	uint64_t pages_end = UINT64_C(1)
			     << hpt_vpn_bits((enum hpt_organisation)table->desc.organisation);
	uint64_t step = hpt_pages_in(key.size);

	return key_fits(table, key) && !(key.vpn & (step - 1)) &&
	       count <= (pages_end - key.vpn) / step;
}

/* Of these bits an entry must have one: a sealed frame may be 0. */
static uint64_t never_empty(const struct hpt *table)
{
	return table->desc.sealed ? HPT_FLAGS_MASK : HPT_ENTRY_MASK;
}

static bool entry_valid(const struct hpt *table, struct hpt_key key, uint64_t entry)
{
	return entry & never_empty(table) && !(entry & ~HPT_ENTRY_MASK) &&
	       !!(entry & HPT_LARGE) == (key.size == HPT_2M) &&
	       !(entry & HPT_PRESENT && entry & HPT_SWAPPED);
}

static int map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
	       uint64_t stride, uint64_t *done)
{
	int error = hpt_operations_of(table)->map(table, key, count, entry, stride, done);

	shared_done(table);
	return error;
}

int hpt_map(struct hpt *table, struct hpt_key key, uint64_t entry)
{
	uint64_t done;

	if (!hpt_range_valid(table, key, 1) || !entry_valid(table, key, entry))
		return -EINVAL;
	return map(table, key, 1, entry, 0, &done);
}

int hpt_map_slowly(struct hpt *table, struct hpt_key key, uint64_t entry, uint64_t **word)
{
	int error = hpt_map(table, key, entry);
	struct hpt_found found;

	if (error)
		return error;
	hpt_find(table, key, &found);
	*word = found.word;
	return 0;
}

/* The context of visitors for ranges says at last whether anything has changed. */
static uint64_t visit_to_unmap(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	(void)entry;
	*(bool *)context = true;
	return 0;
}

static uint64_t visit_to_unmap_watched(void *context, struct hpt_key key, uint64_t entry)
{
	(void)entry;
	watch_note(context, key);
	return 0;
}

struct replacement {
	uint64_t entry;
	uint64_t old;
};

static uint64_t visit_to_replace(void *context, struct hpt_key key, uint64_t entry)
{
	struct replacement *replacement = context;

	(void)key;
	replacement->old = entry;
	return replacement->entry;
}

int hpt_replace_in_run(struct hpt *table, struct hpt_key key, uint64_t entry, uint64_t *old)
{
	struct replacement replacement = {.entry = entry};
	int error = hpt_visit_range(table, key, 1, visit_to_replace, &replacement);

	if (old && !error)
		*old = replacement.old;
	return error;
}

int hpt_unmap(struct hpt *table, struct hpt_key key, uint64_t *old)
{
	struct hpt_found found;
	uint64_t entry;

	if (!hpt_find(table, key, &found))
		return -ENOENT;
	if (!found.word)
		return hpt_replace_in_run(table, key, 0, old);
	entry = shared_take(table, found.word);
	if (old)
		*old = hpt_open(&table->desc, key, entry);
	hpt_operations_of(table)->forget(table, key, found.word);
	shared_done(table);
	watch_tell(table, key, 1);
	return 0;
}

/* What may be changed: the size of a page is part of its key, SWAPPED says what the frame is. */
static bool flags_valid(uint64_t flags)
{
	return !(flags & (~HPT_FLAGS_MASK | HPT_LARGE | HPT_SWAPPED));
}

struct change {
	bool any; /* has changed */
	uint64_t clear;
	uint64_t set;
	uint64_t never_empty;
};

static uint64_t visit_to_change(void *context, struct hpt_key key, uint64_t entry)
{
	struct change *change = context;
	uint64_t set = entry & HPT_SWAPPED ? change->set & ~HPT_PRESENT : change->set;
	uint64_t next = (entry & ~change->clear) | set;

	(void)key;
	if (!(next & change->never_empty))
		return entry;
	change->any |= next != entry;
	return next;
}

int hpt_change(struct hpt *table, struct hpt_key key, uint64_t clear, uint64_t set)
{
	struct change change = {.clear = clear, .set = set, .never_empty = never_empty(table)};
	struct hpt_found found;
	uint64_t seen, next;

	if (!flags_valid(clear | set))
		return -EINVAL;
	if (!hpt_find(table, key, &found))
		return -ENOENT;
	seen = found.word ? HPT_LOAD(*found.word) : found.entry;
	do {
		next = (seen & ~clear) | set;
		if (!(next & never_empty(table)))
			return -EINVAL;
		if (seen & HPT_SWAPPED && set & HPT_PRESENT)
			return -EINVAL;
		if (!found.word)
			return hpt_visit_range(table, key, 1, visit_to_change, &change);
	} while (!shared_replace(table, found.word, &seen, next));
	if (next != seen)
		watch_tell(table, key, 1);
	return 0;
}

bool hpt_answers_alike(hpt_visitor visit)
{
	return visit == visit_to_unmap || visit == visit_to_unmap_watched ||
	       visit == visit_to_change;
}

bool hpt_visitor_is_own(hpt_visitor visit)
{
	return hpt_answers_alike(visit) || visit == visit_to_replace;
}

static int visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		       void *context);

int hpt_unmap_range(struct hpt *table, struct hpt_key key, uint64_t count)
{
	bool any = false;
	int error = visit_range(table, key, count, visit_to_unmap, &any);

	if (any)
		watch_tell(table, key, count);
	return error;
}

int hpt_change_range(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t clear,
		     uint64_t set)
{
	struct change change = {.clear = clear, .set = set, .never_empty = never_empty(table)};
	int error;

	if (!flags_valid(clear | set))
		return -EINVAL;
	error = visit_range(table, key, count, visit_to_change, &change);
	if (change.any)
		watch_tell(table, key, count);
	return error;
}

void hpt_unmap_all(struct hpt *table)
{
	const struct hpt_operations *operations = hpt_operations_of(table);
	struct watch watch = {.table = table};
	bool any;

	/* Answers that are alike: no run is split, so no memory is needed. */
	if (!table->changed) {
		operations->visit(table, visit_to_unmap, &any);
		return;
	}
	operations->visit(table, visit_to_unmap_watched, &watch);
	watch_end(&watch);
}

int hpt_map_range(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry)
{
	uint64_t step = hpt_pages_in(key.size);
	uint64_t stride = step << HPT_FRAME_SHIFT;
	uint64_t mapped = 0;

	if (!hpt_range_valid(table, key, count) || !entry_valid(table, key, entry))
		return -EINVAL;
	if (count && (count - 1) * step > (HPT_FRAME_MASK >> HPT_FRAME_SHIFT) - hpt_frame(entry))
		return -EINVAL;
	while (mapped < count) {
		struct hpt_key next = hpt_key(key.asid, key.vpn + mapped * step, key.size);
		uint64_t done;
		int error;

		hpt_fetch_ahead(table, next, count - mapped, !mapped);
		error = map(table, next, count - mapped, entry + mapped * stride, stride, &done);
		if (error) {
			hpt_unmap_range(table, key, mapped);
			return error;
		}
		mapped += done;
	}
	return 0;
}

/* A visitor of a sealed table's entries. */
struct sealed_visit {
	const struct hpt_desc *desc;
	hpt_visitor visit;
	void *context;
};

static uint64_t visit_sealed(void *context, struct hpt_key key, uint64_t stored)
{
	const struct sealed_visit *sealed = context;
	uint64_t pad = hpt_pad(sealed->desc, hpt_entry_place(key));
	uint64_t entry = sealed->visit(sealed->context, key, stored ^ pad);

	return entry ? entry ^ pad : 0;
}

/* A range that no hook is told of. */
static int visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		       void *context)
{
	struct sealed_visit sealed = {&table->desc, visit, context};

	if (!hpt_range_valid(table, key, count))
		return -EINVAL;
	if (!count)
		return 0;
	if (table->desc.sealed) {
		visit = visit_sealed;
		context = &sealed;
	}
	return hpt_operations_of(table)->visit_range(table, key, count, visit, context);
}

int hpt_visit_range(struct hpt *table, struct hpt_key key, uint64_t count, hpt_visitor visit,
		    void *context)
{
	struct watch watch;
	int error;

	if (__builtin_expect(!table->changed, 1))
		return visit_range(table, key, count, visit, context);
	watch_begin(&watch, table, visit, context);
	error = visit_range(table, key, count, watch_visit, &watch);
	watch_end(&watch);
	return error;
}

static int visit_all(struct hpt *table, hpt_visitor visit, void *context)
{
	struct sealed_visit sealed = {&table->desc, visit, context};

	if (table->desc.sealed)
		return hpt_operations_of(table)->visit(table, visit_sealed, &sealed);
	return hpt_operations_of(table)->visit(table, visit, context);
}

int hpt_visit(struct hpt *table, hpt_visitor visit, void *context)
{
	struct watch watch;
	int error;

	if (!table->changed)
		return visit_all(table, visit, context);
	watch_begin(&watch, table, visit, context);
	error = visit_all(table, watch_visit, &watch);
	watch_end(&watch);
	return error;
}

const char *hpt_check(const struct hpt *table)
{
	if (!hpt_desc_valid(&table->desc))
		return "the descriptor is valid";
	if (table->held || table->shape & 1)
		return "no page is held, and the descriptor is whole, between operations";
	return hpt_operations_of(table)->check(table);
}

const char *hpt_check_overlap(const struct hpt *table, struct hpt_key key)
{
	struct hpt_found found;

	if (key.size == HPT_4K && hpt_find(table, hpt_key(key.asid, key.vpn, HPT_2M), &found))
		return "no 4 KiB page lies in a mapped 2 MiB page";
	return NULL;
}
