/* SPDX-License-Identifier: MIT */
/* See shadow.h. */
#include <errno.h>

#include "ept/shadow.h"
#include "hpt/probe.h"

int shadow_create(struct shadow *shadow, const struct shadow_config *config)
{
	struct hpt_config table = {.organisation = config->organisation,
				   .pages = config->pages,
				   .salt = config->salt,
				   .hash = config->hash,
				   .memory = config->memory};
	int error;

	if (config->memory.retire)
		return -EINVAL;
	shadow->large = 0;
	shadow->fills = 0;
	shadow->invalidations = 0;
	shadow->dropped = 0;
	shadow->clears = 0;
	shadow->updates = 0;
	error = hpt_create(&shadow->table, &table);
	if (error)
		return error;
	table.organisation = config->reverse;
	error = shadow_reverse_create(&shadow->reverse, &table);
	if (error)
		hpt_destroy(&shadow->table);
	return error;
}

void shadow_destroy(struct shadow *shadow)
{
	shadow_reverse_destroy(&shadow->reverse);
	hpt_destroy(&shadow->table);
}

void shadow_clear(struct shadow *shadow)
{
	uint64_t entries = shadow->table.counts.entries;

	hpt_unmap_all(&shadow->table);
	shadow_reverse_clear(&shadow->reverse);
	shadow->large = 0;
	shadow->dropped += entries;
	shadow->updates += entries;
	shadow->clears++;
}

/* Cuts a range to what a table can hold of it; false if that is nothing. */
static bool cut(const struct hpt *table, struct hpt_key *key, uint64_t *count)
{
	enum hpt_organisation organisation = (enum hpt_organisation)table->desc.organisation;
	uint64_t end = UINT64_C(1) << hpt_vpn_bits(organisation);
	uint64_t step = hpt_pages_in((enum hpt_size)key->size);

	key->vpn &= ~(step - 1);
	if (!hpt_key_fits(*key, hpt_vpn_bits(organisation), hpt_asid_bits(organisation)))
		return false;
	if (*count > (end - key->vpn) / step)
		*count = (end - key->vpn) / step;
	return *count;
}

static bool has_size(const struct shadow *shadow, enum hpt_size size)
{
	return size == HPT_2M ? shadow->large : shadow->table.counts.entries > shadow->large;
}

/* Drops the pages of a range, of its size. */
static void drop_pages(struct shadow *shadow, struct hpt_key key, uint64_t count)
{
	uint64_t gone = shadow->table.counts.entries;
	int error;

	if (!has_size(shadow, (enum hpt_size)key.size) || !cut(&shadow->table, &key, &count) ||
	    !cut(&shadow->reverse.by_page, &key, &count))
		return;
	error = hpt_unmap_range(&shadow->table, key, count);
	gone -= shadow->table.counts.entries;
	shadow->dropped += gone;
	shadow->updates += gone;
	shadow->large -= key.size == HPT_2M ? gone : 0;
	if (gone && !error)
		shadow_reverse_forget(&shadow->reverse, key, count);
	if (error || shadow->reverse.lost)
		shadow_clear(shadow);
}

static void drop_page(void *context, struct hpt_key key)
{
	struct shadow *shadow = context;

	if (hpt_unmap(&shadow->table, key, NULL)) {
		shadow->reverse.lost = true;
		return;
	}
	shadow->dropped++;
	shadow->updates++;
	shadow->large -= key.size == HPT_2M;
}

/* Drops the pages of one size that were made through frames of a range. */
static void drop_frames(struct shadow *shadow, uint64_t gfn, enum hpt_size size, uint64_t count)
{
	struct hpt_key key = shadow_frame_key(gfn, size);

	if (!has_size(shadow, size) || !cut(&shadow->reverse.by_frame, &key, &count))
		return;
	shadow_reverse_forget_frames(&shadow->reverse, key, count, drop_page, shadow);
	if (shadow->reverse.lost)
		shadow_clear(shadow);
}

void shadow_stage1_changed(void *context, struct hpt_key key, uint64_t count)
{
	struct shadow *shadow = context;

	shadow->invalidations++;
	drop_pages(shadow, key, count);
	if (key.size == HPT_2M)
		drop_pages(shadow, hpt_key(key.asid, key.vpn, HPT_4K), count * HPT_LARGE_PAGES);
}

void shadow_stage2_changed(void *context, struct hpt_key key, uint64_t count)
{
	struct shadow *shadow = context;

	shadow->invalidations++;
	drop_frames(shadow, key.vpn, (enum hpt_size)key.size, count);
	if (key.size == HPT_2M)
		drop_frames(shadow, key.vpn, HPT_4K, count * HPT_LARGE_PAGES);
}

static bool valid(struct hpt_key key, uint64_t gfn, uint64_t entry)
{
	uint64_t inside = key.size == HPT_2M ? HPT_LARGE_PAGES - 1 : 0;

	return key.size < HPT_SIZES && !((key.vpn | gfn) & inside) && !(gfn >> HPT_FRAME_BITS) &&
	       !(entry & ~HPT_ENTRY_MASK) && hpt_resident(entry) && !(entry & HPT_SWAPPED) &&
	       !!(entry & HPT_LARGE) == (key.size == HPT_2M);
}

static uint64_t visit_to_replace(void *context, struct hpt_key key, uint64_t entry)
{
	(void)key;
	(void)entry;
	return *(const uint64_t *)context;
}

/* A page that is there through the same frame: with other flags, or A and D of later. */
static int fill_again(struct shadow *shadow, struct hpt_key key, uint64_t entry)
{
	int error = hpt_visit_range(&shadow->table, key, 1, visit_to_replace, &entry);

	if (error) {
		/* What is there would not be what the caller has said. */
		drop_pages(shadow, key, 1);
		return error;
	}
	shadow->updates++;
	shadow->fills++;
	return 0;
}

int shadow_fill(struct shadow *shadow, struct hpt_key key, uint64_t gfn, uint64_t entry)
{
	uint64_t before;
	int error;

	if (!valid(key, gfn, entry))
		return -EINVAL;
	if (!shadow_reverse_frame(&shadow->reverse, key, &before)) {
		if (before == gfn)
			return fill_again(shadow, key, entry);
		drop_pages(shadow, key, 1);
	}
	/* The stages do not map a page inside another one: one of the two is not there any more. */
	if (key.size == HPT_2M)
		drop_pages(shadow, hpt_key(key.asid, key.vpn, HPT_4K), HPT_LARGE_PAGES);
	else
		drop_pages(shadow, hpt_key(key.asid, key.vpn, HPT_2M), 1);
	/* A page is in the reverse map before it can be found. */
	error = shadow_reverse_add(&shadow->reverse, key, gfn);
	if (!error) {
		error = hpt_map(&shadow->table, key, entry);
		if (error)
			shadow_reverse_forget(&shadow->reverse, key, 1);
	}
	if (shadow->reverse.lost)
		shadow_clear(shadow);
	if (error)
		return error;
	shadow->updates++;
	shadow->fills++;
	shadow->large += key.size == HPT_2M;
	return 0;
}

void shadow_count(const struct shadow *shadow, struct shadow_counts *counts)
{
	*counts = (struct shadow_counts){
		.entries = shadow->table.counts.entries,
		.large = shadow->large,
		.nodes = shadow->reverse.nodes,
		.table_bytes = shadow->table.counts.bytes,
		.reverse_bytes = shadow_reverse_bytes(&shadow->reverse),
		.fills = shadow->fills,
		.invalidations = shadow->invalidations,
		.dropped = shadow->dropped,
		.clears = shadow->clears,
		.updates = shadow->updates + shadow->reverse.updates,
	};
}
