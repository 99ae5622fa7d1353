/* SPDX-License-Identifier: MIT */
/* A table beside its model: every operation is done to both (model.h). */
#include <errno.h>

#include "hpt/clustered.h"
#include "hpt/generation.h"
#include "tests/hpt/kept.h"

static bool has_short_keys(enum hpt_organisation organisation)
{
	return organisation == HPT_RADIX || organisation == HPT_BUCKET ||
	       organisation == HPT_ADAPTIVE;
}

/* Whether a page in one of the other size is refused by the table itself. */
static bool sees_overlaps(const struct pair *pair)
{
	return pair->table.desc.organisation == HPT_RADIX ||
	       pair->table.desc.organisation == HPT_ADAPTIVE;
}

unsigned int pair_vpn_bits(const struct pair *pair)
{
	enum hpt_organisation organisation = (enum hpt_organisation)pair->table.desc.organisation;

	return has_short_keys(organisation) ? 36 : 45;
}

unsigned int pair_asid_bits(const struct pair *pair)
{
	enum hpt_organisation organisation = (enum hpt_organisation)pair->table.desc.organisation;

	return has_short_keys(organisation) ? 12 : 16;
}

uint64_t pair_entry(struct hpt_key key, uint64_t *random)
{
	uint64_t entry = model_random(random) & HPT_ENTRY_MASK & ~HPT_LARGE;

	entry |= key.size == HPT_2M ? HPT_LARGE : HPT_PRESENT;
	return entry & HPT_SWAPPED ? entry & ~HPT_PRESENT : entry;
}

int pair_begin(struct pair *pair, const struct hpt_config *config)
{
	struct hpt_config copy = *config;
	int error;

	copy.memory = test_memory_of(&pair->memory);
	if (pair->kept)
		kept_begin(pair->kept, &pair->table, &copy);
	pair->visits = 0;
	error = hpt_create(&pair->table, &copy);
	if (error) {
		MODEL_EXPECT(error == -ENOMEM && pair->memory.failures, "create gave %d", error);
		if (pair->kept)
			kept_end(pair->kept);
		test_memory_end(&pair->memory);
		return error;
	}
	pair->memory.table = &pair->table;
	model_begin(&pair->model);
	return 0;
}

void pair_end(struct pair *pair)
{
	pair_check(pair);
	hpt_destroy(&pair->table);
	model_end(&pair->model);
	if (pair->kept)
		kept_end(pair->kept);
	test_memory_end(&pair->memory);
}

static bool key_fits(const struct pair *pair, struct hpt_key key)
{
	return key.size < HPT_SIZES && key.vpn < UINT64_C(1) << pair_vpn_bits(pair) &&
	       key.asid < 1u << pair_asid_bits(pair);
}

/* Where lookups and maps differ: a 2 MiB page is found by any of its 4 KiB pages. */
static struct hpt_key canonical(struct hpt_key key)
{
	if (key.size == HPT_2M)
		key.vpn -= key.vpn % HPT_LARGE_PAGES;
	return key;
}

static bool range_valid(const struct pair *pair, struct hpt_key key, uint64_t count)
{
	uint64_t step = hpt_pages_in(key.size);

	return key_fits(pair, key) && !(key.vpn % step) &&
	       count <= ((UINT64_C(1) << pair_vpn_bits(pair)) - key.vpn) / step;
}

static void enter(struct pair *pair, struct hpt_key key, uint64_t entry)
{
	model_set(&pair->model, key, entry);
	if (pair->kept)
		kept_note(pair->kept, key);
}

/* What a map of `count` pages should return, but for -ENOMEM. */
static int expected_map(const struct pair *pair, struct hpt_key key, uint64_t count, uint64_t entry)
{
	uint64_t step = key.size == HPT_2M ? 512 : 1;
	uint64_t frames = (UINT64_C(1) << 36) - (entry >> 12);

	if (!range_valid(pair, key, count))
		return -EINVAL;
	if (!entry || entry >> 48 || !!(entry & HPT_LARGE) != (key.size == HPT_2M))
		return -EINVAL;
	if (pair->table.desc.sealed && !(entry & 0xfff))
		return -EINVAL;
	if ((entry & (HPT_PRESENT | HPT_SWAPPED)) == (HPT_PRESENT | HPT_SWAPPED))
		return -EINVAL;
	if (count && (count - 1) * step >= frames)
		return -EINVAL;
	for (uint64_t i = 0; i < count; i++, key.vpn += step) {
		if (model_get(&pair->model, key) || model_overlaps(&pair->model, key))
			return -EEXIST;
	}
	return 0;
}

static bool overlaps_any(const struct pair *pair, struct hpt_key key, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++, key.vpn += hpt_pages_in(key.size)) {
		if (model_overlaps(&pair->model, key))
			return true;
	}
	return false;
}

static void expect_map(const struct pair *pair, int error, int expected, uint64_t failures)
{
	if (error == -ENOMEM && pair->memory.failures > failures)
		return;
	MODEL_EXPECT(error == expected, "map gave %d instead of %d", error, expected);
}

int pair_map(struct pair *pair, struct hpt_key key, uint64_t entry)
{
	int expected = expected_map(pair, key, 1, entry);
	uint64_t failures = pair->memory.failures;
	int error;

	if (expected == -EEXIST && !sees_overlaps(pair) && model_overlaps(&pair->model, key))
		return -EEXIST;
	error = hpt_map(&pair->table, key, entry);
	expect_map(pair, error, expected, failures);
	if (!error)
		enter(pair, key, entry);
	return error;
}

int pair_map_range(struct pair *pair, struct hpt_key key, uint64_t count, uint64_t entry)
{
	int expected = expected_map(pair, key, count, entry);
	uint64_t step = hpt_pages_in(key.size);
	uint64_t failures = pair->memory.failures;
	int error;

	if (expected == -EEXIST && !sees_overlaps(pair) && overlaps_any(pair, key, count))
		return -EEXIST;
	error = hpt_map_range(&pair->table, key, count, entry);
	expect_map(pair, error, expected, failures);
	for (uint64_t i = 0; !error && i < count; i++) {
		enter(pair, key, entry + (i * step << 12));
		key.vpn += step;
	}
	return error;
}

int pair_unmap(struct pair *pair, struct hpt_key key)
{
	uint64_t expected = key_fits(pair, key) ? model_get(&pair->model, canonical(key)) : 0;
	uint64_t old = 0;
	uint64_t failures = pair->memory.failures;
	int error = hpt_unmap(&pair->table, key, &old);

	if (error == -ENOMEM && pair->memory.failures > failures)
		return error;
	MODEL_EXPECT(error == (expected ? 0 : -ENOENT), "unmap gave %d", error);
	MODEL_EXPECT(old == expected, "unmap gave another entry");
	if (!error)
		enter(pair, canonical(key), 0);
	return error;
}

int pair_change(struct pair *pair, struct hpt_key key, uint64_t clear, uint64_t set)
{
	uint64_t entry = key_fits(pair, key) ? model_get(&pair->model, canonical(key)) : 0;
	uint64_t next = (entry & ~clear) | set;
	uint64_t failures = pair->memory.failures;
	int expected = 0;
	int error;

	if ((clear | set) & ~(UINT64_C(0xfff) & ~HPT_LARGE & ~HPT_SWAPPED))
		expected = -EINVAL;
	else if (!entry)
		expected = -ENOENT;
	else if (!next || (entry & HPT_SWAPPED && set & HPT_PRESENT) ||
		 (pair->table.desc.sealed && !(next & 0xfff)))
		expected = -EINVAL;
	error = hpt_change(&pair->table, key, clear, set);
	if (error == -ENOMEM && pair->memory.failures > failures)
		return error;
	MODEL_EXPECT(error == expected, "change gave %d instead of %d", error, expected);
	if (!error)
		enter(pair, canonical(key), next);
	return error;
}

int pair_mark(struct pair *pair, struct hpt_key key, uint64_t flags)
{
	uint64_t entry = key_fits(pair, key) ? model_get(&pair->model, canonical(key)) : 0;
	int expected = entry & HPT_PRESENT ? 0 : -ENOENT;
	int error;

	if (!flags || flags & ~(HPT_ACCESSED | HPT_DIRTY))
		expected = -EINVAL;
	error = hpt_mark(&pair->table, key, flags);
	MODEL_EXPECT(error == expected, "mark gave %d instead of %d", error, expected);
	if (!error)
		pair_mark_in_model(pair, canonical(key), flags);
	return error;
}

int pair_swap_out(struct pair *pair, struct hpt_key key, uint64_t location)
{
	uint64_t entry = key_fits(pair, key) ? model_get(&pair->model, canonical(key)) : 0;
	uint64_t kept = entry & ~(HPT_FRAME_MASK | HPT_PRESENT | HPT_ACCESSED | HPT_DIRTY);
	uint64_t failures = pair->memory.failures;
	uint64_t old = 0;
	int expected = 0;
	int error;

	if (location >> 36)
		expected = -EINVAL;
	else if (!entry)
		expected = -ENOENT;
	else if (!(entry & HPT_PRESENT))
		expected = -EINVAL;
	error = hpt_swap_out(&pair->table, key, location, &old);
	if (error == -ENOMEM && pair->memory.failures > failures)
		return error;
	MODEL_EXPECT(error == expected, "swap_out gave %d instead of %d", error, expected);
	MODEL_EXPECT(old == (error ? 0 : entry), "swap_out gave another entry");
	if (!error)
		enter(pair, canonical(key), kept | location << 12 | HPT_SWAPPED);
	return error;
}

int pair_swap_in(struct pair *pair, struct hpt_key key, uint64_t frame)
{
	uint64_t entry = key_fits(pair, key) ? model_get(&pair->model, canonical(key)) : 0;
	uint64_t kept = entry & ~(HPT_FRAME_MASK | HPT_SWAPPED | HPT_ACCESSED | HPT_DIRTY);
	uint64_t failures = pair->memory.failures;
	int expected = 0;
	int error;

	if (frame >> 36)
		expected = -EINVAL;
	else if (!entry)
		expected = -ENOENT;
	else if (!(entry & HPT_SWAPPED))
		expected = -EINVAL;
	error = hpt_swap_in(&pair->table, key, frame);
	if (error == -ENOMEM && pair->memory.failures > failures)
		return error;
	MODEL_EXPECT(error == expected, "swap_in gave %d instead of %d", error, expected);
	if (!error)
		enter(pair, canonical(key), kept | frame << 12 | HPT_PRESENT);
	return error;
}

/* The ways in which a table is asked are several in code: with a ledger, without, and in a batch.
 */
int pair_lookup(struct pair *pair, struct hpt_key key, struct hpt_ledger *ledger)
{
	uint64_t expected = key_fits(pair, key) ? model_get(&pair->model, canonical(key)) : 0;
	struct hpt_ledger other = {0};
	uint64_t entry = 0, again = 0, in_batch = 1;
	int error = hpt_lookup(&pair->table, key, &entry, ledger);

	MODEL_EXPECT(error == (expected ? 0 : -ENOENT), "lookup gave %d", error);
	MODEL_EXPECT(error || entry == expected, "lookup gave another entry");
	MODEL_EXPECT(hpt_lookup(&pair->table, key, &again, ledger ? NULL : &other) == error &&
			     again == entry,
		     "a lookup %s a ledger gave another entry", ledger ? "without" : "with");
	hpt_lookup_batch(&pair->table, &key, &in_batch, 1);
	MODEL_EXPECT(in_batch == expected, "a batch gave another entry");
	return error;
}

int pair_rekey(struct pair *pair, uint64_t salt)
{
	int expected = generation_growing(&pair->table.desc) ? -EBUSY : 0;
	uint64_t failures = pair->memory.failures;
	uint64_t bytes = pair->table.counts.bytes;
	int error;

	if (pair->table.desc.organisation == HPT_RADIX)
		expected = -EOPNOTSUPP;
	error = hpt_rekey(&pair->table, salt);
	if (error == -ENOMEM && pair->memory.failures > failures)
		MODEL_EXPECT(pair->table.counts.bytes == bytes, "a rekey that failed keeps memory");
	else
		MODEL_EXPECT(error == expected, "rekey gave %d instead of %d", error, expected);
	return error;
}

int pair_settle(struct pair *pair, uint64_t steps)
{
	uint64_t failures = pair->memory.failures;
	int error = hpt_settle(&pair->table, steps);
	bool settled = pair->table.desc.organisation == HPT_RADIX ||
		       !generation_growing(&pair->table.desc);

	if (error == -ENOMEM && pair->memory.failures > failures)
		MODEL_EXPECT(!settled, "settle failed where there is nothing to do");
	else
		MODEL_EXPECT(error == (settled ? 0 : -EAGAIN), "settle gave %d", error);
	return error;
}

struct visit {
	struct pair *pair;
	bool all;
	struct hpt_key key;
	uint64_t count;
	enum pair_visit what;
	uint64_t seen;
};

static uint64_t visited_entry(enum pair_visit what, struct hpt_key key, uint64_t entry)
{
	uint64_t number = key.vpn / hpt_pages_in(key.size);

	switch (what) {
	case PAIR_UNMAP:
		return 0;
	case PAIR_FLAGS:
		return entry ^ HPT_WRITE ^ HPT_SOFT;
	case PAIR_FRAME:
		return entry ^ UINT64_C(0x5a5a5) << HPT_FRAME_SHIFT;
	case PAIR_UNMAP_ODD:
		return number & 1 ? 0 : entry;
	default:
		return entry;
	}
}

static uint64_t visit_one(void *context, struct hpt_key key, uint64_t entry)
{
	struct visit *visit = context;
	struct model *model = &visit->pair->model;
	struct model_cell *cell = model_cell(model, key);

	MODEL_EXPECT(!visit->pair->table.held, "a visitor is asked while readers wait");
	MODEL_EXPECT(cell && cell->entry == entry, "a visit shows what the model has not");
	MODEL_EXPECT(cell->visit != visit->pair->visits, "a visit shows a page twice");
	MODEL_EXPECT(visit->all || (key.asid == visit->key.asid && key.size == visit->key.size),
		     "a visit shows another address space or size");
	MODEL_EXPECT(visit->all ||
			     (key.vpn - visit->key.vpn) / hpt_pages_in(key.size) < visit->count,
		     "a visit shows a page outside of its range");
	cell->visit = visit->pair->visits;
	visit->seen++;
	entry = visited_entry(visit->what, key, entry);
	if (entry)
		cell->entry = entry;
	else
		model_set(model, key, 0);
	if (visit->pair->kept)
		kept_note(visit->pair->kept, key);
	return entry;
}

/* By probing where that is cheaper than looking at every cell: the reverse of the table's rule. */
static uint64_t count_in_range(const struct pair *pair, struct hpt_key key, uint64_t count)
{
	uint64_t step = hpt_pages_in(key.size);
	uint64_t found = 0;
	size_t bucket = 0;

	if (count < 1000) {
		for (uint64_t i = 0; i < count; i++, key.vpn += step)
			found += !!model_get(&pair->model, key);
		return found;
	}
	for (struct model_cell *cell = model_next(&pair->model, &bucket, NULL); cell;
	     cell = model_next(&pair->model, &bucket, cell))
		found += cell->key.asid == key.asid && cell->key.size == key.size &&
			 cell->key.vpn >= key.vpn && (cell->key.vpn - key.vpn) / step < count;
	return found;
}

uint64_t pair_visit_range(struct pair *pair, struct hpt_key key, uint64_t count,
			  enum pair_visit what)
{
	uint64_t expected = count_in_range(pair, key, count);
	struct visit visit = {.pair = pair, .key = key, .count = count, .what = what};

	int wanted = range_valid(pair, key, count) ? 0 : -EINVAL;
	uint64_t failures = pair->memory.failures;
	int error;

	pair->visits++;
	error = hpt_visit_range(&pair->table, key, count, visit_one, &visit);
	if (error == -ENOMEM && pair->memory.failures > failures)
		return visit.seen;
	MODEL_EXPECT(error == wanted, "a visit gave %d instead of %d", error, wanted);
	MODEL_EXPECT(visit.seen == expected, "a visit shows %llu pages of %llu",
		     (unsigned long long)visit.seen, (unsigned long long)expected);
	return visit.seen;
}

uint64_t pair_visit_all(struct pair *pair, enum pair_visit what)
{
	uint64_t expected = pair->model.entries;
	struct visit visit = {.pair = pair, .all = true, .what = what};

	uint64_t failures = pair->memory.failures;
	int error;

	pair->visits++;
	error = hpt_visit(&pair->table, visit_one, &visit);
	if (error == -ENOMEM && pair->memory.failures > failures)
		return visit.seen;
	MODEL_EXPECT(!error, "a visit of all gave %d", error);
	MODEL_EXPECT(visit.seen == expected, "a visit of all shows %llu pages of %llu",
		     (unsigned long long)visit.seen, (unsigned long long)expected);
	return visit.seen;
}

void pair_compare(struct pair *pair)
{
	const struct hpt_counts *counts = &pair->table.counts;
	size_t bucket = 0;

	MODEL_EXPECT(counts->entries == pair->model.entries, "counts.entries is %llu, not %llu",
		     (unsigned long long)counts->entries, (unsigned long long)pair->model.entries);
	MODEL_EXPECT(counts->bytes == pair->memory.bytes, "counts.bytes is not what is held");
	for (struct model_cell *cell = model_next(&pair->model, &bucket, NULL); cell;
	     cell = model_next(&pair->model, &bucket, cell))
		pair_lookup(pair, cell->key, NULL);
	pair_visit_all(pair, PAIR_KEEP);
}

void pair_check(struct pair *pair)
{
	const char *broken = hpt_check(&pair->table);

	MODEL_EXPECT(!broken, "broken: %s", broken);
	pair_compare(pair);
}

void pair_expect_empty(const struct pair *pair)
{
	struct generation_walk walk = {.table = (struct hpt *)&pair->table};
	const uint64_t *line;

	if (pair->table.desc.organisation == HPT_RADIX) {
		MODEL_EXPECT(pair->memory.outstanding == pair->memory.readers,
			     "an empty tree holds nodes");
		return;
	}
	while ((line = generation_next_line(&walk))) {
		for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
			MODEL_EXPECT(!line[i], "a line keeps something of what is gone");
	}
}
