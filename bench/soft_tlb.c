/* SPDX-License-Identifier: MIT */
/* See soft_tlb.h. */
#include "bench/soft_tlb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_LOG2_MAX 26

int soft_tlb_create(struct soft_tlb *tlb, const struct soft_tlb_config *config)
{
	int error;

	if (config->buckets_log2 > BUCKETS_LOG2_MAX || !config->slots ||
	    config->slots > BUCKET_SLOTS)
		return -EINVAL;
	memset(tlb, 0, sizeof(*tlb));
	tlb->config = *config;
	error = mmu_cache_create(&tlb->window, config->window);
	if (error)
		return error;
	tlb->lines = aligned_alloc(HPT_LINE_SIZE, HPT_LINE_SIZE << config->buckets_log2);
	if (!tlb->lines) {
		mmu_cache_destroy(&tlb->window);
		return -ENOMEM;
	}
	memset(tlb->lines, 0, HPT_LINE_SIZE << config->buckets_log2);
	hpt_salt_set(&tlb->salt, config->hash, config->salt);
	return 0;
}

void soft_tlb_destroy(struct soft_tlb *tlb)
{
	mmu_cache_destroy(&tlb->window);
	free(tlb->lines);
	tlb->lines = NULL;
}

static uint64_t *line_of(const struct soft_tlb *tlb, uint64_t tag)
{
	uint64_t hash = tlb->config.hash == HPT_FIBONACCI
				? (tag ^ tlb->salt.value) * HPT_MULTIPLIER
				: hpt_hash_tag(tlb->config.hash, &tlb->salt, tag);
	uint64_t line = tlb->config.buckets_log2 ? hash >> (64 - tlb->config.buckets_log2) : 0;

	return &tlb->lines[line * HPT_LINE_WORDS];
}

static void store(uint64_t *line, unsigned int slot, uint64_t tag, uint64_t entry)
{
	((bucket_half *)line)[BUCKET_HIGH(slot)] = (bucket_half)(tag >> BUCKET_LOW_BITS);
	line[slot] = entry | tag << BUCKET_LOW_SHIFT;
}

/*
 * Into a free slot, or where the hand stands, which goes round the slots: as no line is passed, the
 * count of that has room for it.
 */
static void put_into_bucket(struct soft_tlb *tlb, uint64_t tag, uint64_t entry)
{
	uint64_t *line = line_of(tlb, tag);
	unsigned int slot;

	for (slot = 0; slot < tlb->config.slots; slot++) {
		if (!(line[slot] & HPT_ENTRY_MASK))
			break;
	}
	if (slot == tlb->config.slots)
		slot = (*bucket_passed(line))++ % tlb->config.slots;
	store(line, slot, tag, entry);
}

/* Into the window; what has to leave it goes to its bucket if it is not there as well. */
static void put_into_window(struct soft_tlb *tlb, uint64_t tag, uint64_t entry)
{
	uint64_t left = tlb->window.values[mmu_cache_eldest(&tlb->window, tag)];
	uint64_t left_tag;

	if (mmu_cache_put(&tlb->window, tag, entry, &left_tag) && tlb->config.exclusive)
		put_into_bucket(tlb, left_tag, left);
}

enum soft_tlb_level soft_tlb_lookup(struct soft_tlb *tlb, struct hpt_key key, uint64_t *entry)
{
	uint64_t tag = bucket_tag(key);
	unsigned int matches, slot;
	uint64_t *line;

	if (mmu_cache_find(&tlb->window, tag, entry)) {
		tlb->answers[SOFT_TLB_WINDOW]++;
		return SOFT_TLB_WINDOW;
	}
	line = line_of(tlb, tag);
	tlb->lines_read++;
	matches = bucket_matches(line, tag, 0);
	if (!matches) {
		tlb->answers[SOFT_TLB_MISS]++;
		return SOFT_TLB_MISS;
	}
	slot = (unsigned int)__builtin_ctz(matches);
	*entry = line[slot] & HPT_ENTRY_MASK;
	if (tlb->config.exclusive)
		store(line, slot, 0, 0);
	put_into_window(tlb, tag, *entry);
	tlb->answers[SOFT_TLB_BUCKET]++;
	return SOFT_TLB_BUCKET;
}

void soft_tlb_fill(struct soft_tlb *tlb, struct hpt_key key, uint64_t entry)
{
	uint64_t tag = bucket_tag(key);

	if (!tlb->config.exclusive)
		put_into_bucket(tlb, tag, entry);
	put_into_window(tlb, tag, entry);
}

void soft_tlb_count_again(struct soft_tlb *tlb)
{
	tlb->lines_read = 0;
	memset(tlb->answers, 0, sizeof(tlb->answers));
}
