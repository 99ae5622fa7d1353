/* SPDX-License-Identifier: MIT */
/* The lookup of all organisations (lookup.h has the ways of each). */
#include <errno.h>

#include "hpt/lookup.h"
#include "hpt/shared.h"

#define APART static __attribute__((noinline))

/* The entry as it is stored. `counting`: the lines that were read twice as well, for a ledger. */
HPT_INLINE bool find_as(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
			enum hpt_organisation organisation, bool counting)
{
	switch (organisation) {
	case HPT_RADIX:
		return hpt_find_radix(table, key, found);
	case HPT_CLUSTERED:
		if (__builtin_expect(table->desc.hash == HPT_FIBONACCI, 1))
			return hpt_find_clustered(table, key, found);
		break;
	case HPT_ADAPTIVE:
		if (__builtin_expect(table->desc.hash == HPT_FIBONACCI && !table->desc.sealed, 1))
			return hpt_find_adaptive(table, key, found);
		break;
	default:
		break;
	}
	return hpt_find_by_line(table, key, found, organisation, counting);
}

static bool find_stored(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
			bool counting)
{
	switch ((enum hpt_organisation)table->desc.organisation) {
	case HPT_RADIX:
		return find_as(table, key, found, HPT_RADIX, counting);
	case HPT_CHAINED:
		return find_as(table, key, found, HPT_CHAINED, counting);
	case HPT_OPEN:
		return find_as(table, key, found, HPT_OPEN, false);
	case HPT_BUCKET:
		return find_as(table, key, found, HPT_BUCKET, false);
	case HPT_CUCKOO:
		return find_as(table, key, found, HPT_CUCKOO, counting);
	case HPT_ADAPTIVE:
		return find_as(table, key, found, HPT_ADAPTIVE, false);
	default:
		return find_as(table, key, found, HPT_CLUSTERED, false);
	}
}

/* Apart from the others, which it would slow down. The pad is made while lines are on their way. */
APART bool find_sealed(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
		       bool counting)
{
	uint64_t pad;

	if (table->desc.organisation == HPT_RADIX)
		return hpt_find_radix_as(table, key, found, true);
	pad = hpt_pad(&table->desc, hpt_entry_place(key));
	if (!find_stored(table, key, found, counting))
		return false;
	found->entry ^= pad;
	return true;
}

HPT_INLINE bool find(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
		     bool counting)
{
	if (__builtin_expect(table->desc.sealed, 0))
		return find_sealed(table, key, found, counting);
	return find_stored(table, key, found, counting);
}

bool hpt_find(const struct hpt *table, struct hpt_key key, struct hpt_found *found)
{
	return find(table, key, found, false);
}

/* With readers, a ledger, or sealed frames. */
APART int lookup_slowly(const struct hpt *table, struct hpt_key key, uint64_t *entry,
			struct hpt_ledger *ledger)
{
	struct hpt_found found;
	bool hit;

	found.again = 0;
	if (table->shared)
		hit = shared_find(table, key, &found, ledger);
	else
		hit = find(table, key, &found, ledger);
	if (ledger)
		hpt_ledger_add(ledger, table, &found, hit);
	if (hit)
		*entry = found.entry;
	return hit ? 0 : -ENOENT;
}

/*
 * The lookup of one organisation, in a table without readers and not sealed: functions of their
 * own, so that a short one does not save the registers of a long one.
 */
HPT_INLINE int lookup_as(const struct hpt *table, struct hpt_key key, uint64_t *entry,
			 enum hpt_organisation organisation)
{
	struct hpt_found found;

	if (!find_as(table, key, &found, organisation, false))
		return -ENOENT;
	*entry = found.entry;
	return 0;
}

APART int lookup_radix(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_RADIX);
}

APART int lookup_chained(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_CHAINED);
}

APART int lookup_open(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_OPEN);
}

APART int lookup_bucket(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_BUCKET);
}

APART int lookup_clustered(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_CLUSTERED);
}

APART int lookup_cuckoo(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_CUCKOO);
}

APART int lookup_adaptive_on(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	return lookup_as(table, key, entry, HPT_ADAPTIVE);
}

/* In the one slot where it nearly always is; the search is the other function's. */
APART int lookup_adaptive(const struct hpt *table, struct hpt_key key, uint64_t *entry)
{
	struct hpt_found found;

	if (__builtin_expect(table->desc.hash != HPT_FIBONACCI || key.size != HPT_4K, 0))
		return lookup_adaptive_on(table, key, entry);
	switch (hpt_find_adaptive_at_once(table, key, &found, false)) {
	case HPT_HIT:
		*entry = found.entry;
		return 0;
	case HPT_MISS:
		return -ENOENT;
	default:
		return lookup_adaptive_on(table, key, entry);
	}
}

int hpt_lookup(const struct hpt *table, struct hpt_key key, uint64_t *entry,
	       struct hpt_ledger *ledger)
{
	if (__builtin_expect(table->shared || ledger || table->desc.sealed, 0))
		return lookup_slowly(table, key, entry, ledger);
	switch ((enum hpt_organisation)table->desc.organisation) {
	case HPT_RADIX:
		return lookup_radix(table, key, entry);
	case HPT_CHAINED:
		return lookup_chained(table, key, entry);
	case HPT_OPEN:
		return lookup_open(table, key, entry);
	case HPT_BUCKET:
		return lookup_bucket(table, key, entry);
	case HPT_CUCKOO:
		return lookup_cuckoo(table, key, entry);
	case HPT_ADAPTIVE:
		return lookup_adaptive(table, key, entry);
	default:
		return lookup_clustered(table, key, entry);
	}
}
