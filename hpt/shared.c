/* SPDX-License-Identifier: MIT */
/* What readers do beside a writer: see shared.h for the versions and why they suffice. */
#include "hpt/shared.h"

#include <errno.h>

#include "hpt/lookup.h"
#include "hpt/organisation.h"

int shared_create(struct hpt *table)
{
	uint64_t address;
	int error;

	if (!table->memory.retire)
		return 0;
	error = hpt_get(table, sizeof(struct hpt_shared), &address);
	if (!error)
		table->shared = hpt_pointer(table, address);
	return error;
}

void shared_destroy(struct hpt *table)
{
	uint64_t address = (uintptr_t)table->shared - table->memory.offset;

	if (!table->shared)
		return;
	table->shared = NULL;
	hpt_put(table, address, sizeof(struct hpt_shared));
}

/* What a walk goes by, as it found it. */
struct walk {
	uint64_t shape;
	uint64_t shards; /* that it has come by: a bit each */
	uint64_t versions[HPT_SHARDS];
};

/* A version that is not odd. */
static inline uint64_t settled(const uint64_t *version)
{
	uint64_t count = __atomic_load_n(version, __ATOMIC_ACQUIRE);

	while (__builtin_expect(count & 1, 0)) {
		__builtin_ia32_pause();
		count = __atomic_load_n(version, __ATOMIC_ACQUIRE);
	}
	return count;
}

static inline bool is_still(const uint64_t *version, uint64_t noted)
{
	return __atomic_load_n(version, __ATOMIC_ACQUIRE) == noted;
}

/* What was read in the descriptor until now belongs together: addresses made of it may be used. */
static inline bool shape_is_still(const struct hpt *table, const struct walk *walk)
{
	/* The compiler has made those loads, and x86 keeps them, in front of this one. */
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	return is_still(&table->shape, walk->shape);
}

/* Copies a line. False if its shard has changed since the walk first came by it. */
static inline bool copy_line(const struct hpt *table, struct walk *walk, const uint64_t *line,
			     uint64_t *copy)
{
	unsigned int shard = shared_shard(line);
	const uint64_t *version = &table->shared->shards[shard].count;

	if (!(walk->shards >> shard & 1)) {
		walk->shards |= UINT64_C(1) << shard;
		walk->versions[shard] = settled(version);
	}
	for (unsigned int i = 0; i < HPT_LINE_WORDS; i++)
		copy[i] = __atomic_load_n(&line[i], __ATOMIC_ACQUIRE);
	return is_still(version, walk->versions[shard]);
}

/* Whether all that the walk has read is as it was. */
static bool all_is_still(const struct hpt *table, const struct walk *walk)
{
	for (uint64_t left = walk->shards; left; left &= left - 1) {
		unsigned int shard = (unsigned int)__builtin_ctzll(left);

		if (!is_still(&table->shared->shards[shard].count, walk->versions[shard]))
			return false;
	}
	return is_still(&table->shape, walk->shape);
}

/* One walk: HPT_NEXT if it came to nothing. *word is the word that answered, as it was read. */
HPT_INLINE enum hpt_answer walk_once(const struct hpt *table, struct hpt_key key,
				     struct hpt_found *found, struct walk *walk, uint64_t *word,
				     enum hpt_organisation organisation, bool counting)
{
	const struct hpt_desc *desc = &table->desc;
	struct hpt_probe *probe = &found->probe;
	const uint64_t *line = NULL, *before = NULL;
	enum hpt_answer answer = HPT_MISS;

	found->probes = 0;
	found->again = 0;
	walk->shards = 0;
	walk->shape = settled(&table->shape);
	hpt_probe_start_as(desc, key, probe, organisation);
	if (organisation == HPT_CUCKOO && probe->line)
		hpt_fetch_ways(table, &probe->cuckoo);
	while (probe->line) {
		uint64_t *next = hpt_word(table, probe->line);
		uint64_t copy[HPT_LINE_WORDS];

		if (!shape_is_still(table, walk) || !copy_line(table, walk, next, copy))
			return HPT_NEXT;
		if (counting) {
			found->again += next == line || next == before;
			before = line;
			line = next;
		}
		answer = hpt_probe_step_as(desc, probe, copy, &found->entry, organisation);
		found->probes++;
		if (answer == HPT_HIT) {
			found->word = &next[probe->word];
			*word = copy[probe->word];
		}
		if (answer != HPT_NEXT)
			break;
	}
	if (answer == HPT_MISS && !all_is_still(table, walk))
		return HPT_NEXT;
	return answer;
}

HPT_INLINE bool find_as(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
			struct walk *walk, uint64_t *word, enum hpt_organisation organisation,
			bool counting)
{
	enum hpt_answer answer;

	do
		answer = walk_once(table, key, found, walk, word, organisation, counting);
	while (__builtin_expect(answer == HPT_NEXT, 0));
	return answer == HPT_HIT;
}

/* Each word of a tree answers for itself. */
static bool find_radix(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
		       uint64_t *word)
{
	struct radix_probe *probe = &found->probe.radix;
	enum hpt_answer answer = HPT_NEXT;

	found->probes = 0;
	found->again = 0;
	radix_start(&table->desc, key, probe);
	if (!probe->node)
		return false;
	while (answer == HPT_NEXT) {
		found->probes++;
		found->word = hpt_word(table, radix_word_address(probe));
		*word = __atomic_load_n(found->word, __ATOMIC_ACQUIRE);
		answer = radix_step(probe, *word, &found->entry);
		if (answer == HPT_NEXT)
			probe->node ^= radix_probe_pad(&table->desc, probe);
	}
	return answer == HPT_HIT;
}

/* The entry as it is stored. */
static bool find(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
		 struct walk *walk, uint64_t *word, bool counting)
{
	switch ((enum hpt_organisation)table->desc.organisation) {
	case HPT_RADIX:
		walk->shards = 0;
		return find_radix(table, key, found, word);
	case HPT_CHAINED:
		return find_as(table, key, found, walk, word, HPT_CHAINED, counting);
	case HPT_OPEN:
		return find_as(table, key, found, walk, word, HPT_OPEN, false);
	case HPT_BUCKET:
		return find_as(table, key, found, walk, word, HPT_BUCKET, false);
	case HPT_CUCKOO:
		return find_as(table, key, found, walk, word, HPT_CUCKOO, counting);
	case HPT_ADAPTIVE:
		return find_as(table, key, found, walk, word, HPT_ADAPTIVE, false);
	default:
		return find_as(table, key, found, walk, word, HPT_CLUSTERED, false);
	}
}

bool shared_find(const struct hpt *table, struct hpt_key key, struct hpt_found *found,
		 bool counting)
{
	struct walk walk;
	uint64_t word;

	if (!find(table, key, found, &walk, &word, counting))
		return false;
	found->entry = hpt_open(&table->desc, key, found->entry);
	return true;
}

/* Whether the word of a hit is the key's until now. */
static bool place_is_still(const struct hpt *table, const struct walk *walk, const uint64_t *word)
{
	unsigned int shard = shared_shard(word);

	return !walk->shards ||
	       is_still(&table->shared->shards[shard].count, walk->versions[shard]);
}

/* Where nobody else marks. A page of a run has the run's word. */
static int mark_alone(struct hpt *table, struct hpt_key key, uint64_t flags)
{
	struct hpt_found found;
	uint64_t *word;

	if (!hpt_find(table, key, &found) || !hpt_resident(found.entry))
		return -ENOENT;
	word = found.word;
	if (!word) {
		hpt_find_by_line(table, key, &found, HPT_ADAPTIVE, false);
		word = hpt_word(table, found.probe.line) + found.probe.word;
	}
	HPT_STORE(*word, HPT_LOAD(*word) | flags);
	return 0;
}

int hpt_mark(struct hpt *table, struct hpt_key key, uint64_t flags)
{
	struct hpt_found found;
	struct walk walk;
	uint64_t word;

	if (!flags || flags & ~(HPT_ACCESSED | HPT_DIRTY))
		return -EINVAL;
	if (!table->shared)
		return mark_alone(table, key, flags);
	do {
		if (!find(table, key, &found, &walk, &word, false) || !hpt_resident(word))
			return -ENOENT;
		if ((word & flags) == flags)
			return 0;
	} while (!__atomic_compare_exchange_n(found.word, &word, word | flags, false,
					      __ATOMIC_ACQ_REL, __ATOMIC_RELAXED) ||
		 !place_is_still(table, &walk, found.word));
	return 0;
}

/* So many first lines are fetched ahead: nearly always those that answer. */
#define AHEAD 16

static void fetch(const struct hpt *table, struct hpt_key key)
{
	struct hpt_probe probe;
	uint64_t shape = settled(&table->shape);

	hpt_probe_start(&table->desc, key, &probe);
	__atomic_signal_fence(__ATOMIC_ACQUIRE);
	if (is_still(&table->shape, shape))
		__builtin_prefetch(hpt_word(table, probe.line));
}

void shared_lookup_batch(const struct hpt *table, const struct hpt_key *keys, uint64_t *entries,
			 size_t count)
{
	struct hpt_found found;

	for (size_t i = 0; i < count; i++) {
		if (i % AHEAD == 0) {
			for (size_t ahead = i; ahead < count && ahead < i + AHEAD; ahead++)
				fetch(table, keys[ahead]);
		}
		entries[i] = shared_find(table, keys[i], &found, false) ? found.entry : 0;
	}
}
