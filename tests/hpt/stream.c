/* SPDX-License-Identifier: MIT */
/* See stream.h. */
#include "tests/hpt/stream.h"

#include "hpt/clustered.h"
#include "tests/hpt/kept.h"
#include "tests/hpt/unhash.h"

#define SALT UINT64_C(0x0123456789abcdef)

static struct pair pair;
static struct kept kept;

const char *stream_feature_name(unsigned int feature)
{
	static const char *const names[STREAM_FEATURES] = {
		"siphash", "made-large", "offset",  "contiguous", "failures", "swapping",
		"rekeyed", "sealed",	 "readers", "watched",	  "local"};

	return names[feature];
}

/* A block whose hash by fibonacci starts with zeros, if that is a block at all. */
static struct hpt_key colliding_key(uint64_t low)
{
	uint64_t tag = clustered_unhash((low & 0xffff) << 40 >> 12, pair.table.desc.salt.value);

	return hpt_key((uint16_t)(tag >> 46), tag << 3 & ((UINT64_C(1) << 45) - 1), HPT_4K);
}

static struct hpt_key key_of(const struct stream_record *record)
{
	enum hpt_size size = record->key & 1 ? HPT_2M : HPT_4K;
	uint16_t asid = record->key >> 1 & 3;
	uint64_t number = record->number;

	switch (record->key >> 3 & 7) {
	case 0:
	case 1:
		return hpt_key(asid, (number & 0xff) * hpt_pages_in(size), size);
	case 2:
		return hpt_key(asid, (number & 0xffff) * hpt_pages_in(size), size);
	case 3:
		return hpt_key(asid, (number & 0xff) << 12, size);
	case 4:
		return hpt_key(0xfff, (UINT64_C(1) << 36) - ((number & 0xff) + 1) * 512, size);
	case 5:
		return hpt_key(0xffff, (UINT64_C(1) << 45) - ((number & 0xff) + 1) * 512, size);
	case 6:
		return colliding_key(number);
	default:
		return (struct hpt_key){
			.vpn = number, .asid = (uint16_t)record->count, .size = record->key >> 6};
	}
}

/* Pages next to each other get frames next to each other, unless the record says otherwise. */
static uint64_t contiguous_entry(const struct stream_record *record, struct hpt_key key)
{
	uint64_t frame = (key.vpn + 4096 * (record->entry & 1)) & ((UINT64_C(1) << 30) - 1);

	return hpt_entry(frame, HPT_PRESENT | HPT_USER | (record->entry & 2 ? HPT_WRITE : 0));
}

static uint64_t entry_of(const struct stream *stream, const struct stream_record *record,
			 struct hpt_key key)
{
	uint64_t entry = record->entry & 0xffffff;

	if (stream->features & STREAM_CONTIGUOUS && record->entry >> 27)
		entry = contiguous_entry(record, key);
	else if (record->entry >> 24 < 8) /* malformed, more often than not */
		return (uint64_t)record->entry << 30 ^ record->number;
	else
		entry = hpt_entry(entry >> 12,
				  (entry & HPT_FLAGS_MASK & ~(HPT_LARGE | HPT_PRESENT)) |
					  (entry & HPT_SWAPPED ? 0 : HPT_PRESENT));
	return key.size == HPT_2M ? entry | HPT_LARGE : entry;
}

/* A length of a range: mostly short; in visits it may be as large as address spaces are. */
static uint64_t count_of(const struct stream_record *record, bool huge)
{
	unsigned int count = record->count & 0xff;

	if (record->count >> 8 == 0xff)
		return 500 + count;
	return huge && count > 200 ? UINT64_C(1) << (count - 200) : count;
}

static void visit_valid_range(struct hpt_key key, uint64_t count, enum pair_visit what)
{
	uint64_t end = UINT64_C(1) << pair_vpn_bits(&pair);

	if (key.size >= HPT_SIZES || key.vpn >= end || key.vpn % hpt_pages_in(key.size) ||
	    key.asid >> pair_asid_bits(&pair) || count > (end - key.vpn) / hpt_pages_in(key.size))
		count = 0;
	pair_visit_range(&pair, key, count, what);
}

static void fail_soon(const struct stream *stream, const struct stream_record *record)
{
	if (!(stream->features & STREAM_FAILURES))
		return;
	pair.memory.first_failure = pair.memory.calls + 1 + record->count % 8;
	pair.memory.last_failure = pair.memory.first_failure + record->entry % 8;
}

static void rekey(const struct stream *stream, const struct stream_record *record)
{
	if (!(stream->features & STREAM_REKEYED))
		return;
	if (record->what < 192)
		pair_rekey(&pair, record->number);
	else
		pair_settle(&pair, record->count % 8 ? record->count % 8 : UINT64_MAX);
}

static void run_record(const struct stream *stream, const struct stream_record *record)
{
	/* Most changes are of flags that may be changed. */
	uint64_t flags = record->what & 0x30 ? 0xd7f : 0xffff;
	struct hpt_key key = key_of(record);

	switch (record->what % 16) {
	case 0:
	case 1:
	case 2:
	case 3:
		pair_map(&pair, key, entry_of(stream, record, key));
		break;
	case 4:
	case 5:
		pair_unmap(&pair, key);
		break;
	case 6:
		if (record->what >> 6 == 3)
			pair_mark(&pair, key, record->entry & 0x61);
		else
			pair_change(&pair, key, record->count & flags, record->entry & flags);
		break;
	case 7: /* places of one bit too many as well */
		if (record->what & 16)
			pair_swap_out(&pair, key, record->number >> 27);
		else
			pair_swap_in(&pair, key, record->number >> 27);
		break;
	case 8:
		if (stream->features & STREAM_SWAPPING && record->what & 16)
			pair_swap_out(&pair, key, record->number >> 20);
		else if (stream->features & STREAM_SWAPPING && record->what & 32)
			pair_swap_in(&pair, key, record->number >> 20);
		else
			pair_lookup(&pair, key, NULL);
		break;
	case 9:
	case 10:
		pair_map_range(&pair, key, count_of(record, false), entry_of(stream, record, key));
		break;
	case 11:
	case 12:
		visit_valid_range(key, count_of(record, true),
				  (enum pair_visit)(record->entry % PAIR_VISITS));
		break;
	case 13:
		fail_soon(stream, record);
		break;
	case 14:
		if (record->what < 32)
			pair_visit_all(&pair, (enum pair_visit)(record->entry % PAIR_VISITS));
		break;
	default:
		if (record->what < 128)
			pair_check(&pair);
		else
			rekey(stream, record);
	}
}

static enum hpt_hash_family hash_of(const struct stream *stream)
{
	if (stream->features & STREAM_LOCAL)
		return HPT_LOCAL;
	return stream->features & STREAM_SIPHASH ? HPT_SIPHASH : HPT_FIBONACCI;
}

void stream_run(const struct stream *stream)
{
	struct hpt_config config = {
		.organisation = stream->organisation,
		.pages = stream->features & STREAM_MADE_LARGE ? 1000 : 0,
		.hash = hash_of(stream),
		.salt = stream->features & STREAM_SIPHASH ? SALT : 0,
		.sealed = stream->features & STREAM_SEALED,
		.seal_key = "a key of 16 byte",
	};

	pair = (struct pair){
		.memory = {.offset = stream->features & STREAM_OFFSET ? 0x40000 : 0,
			   .readers = stream->features & STREAM_READERS},
		.model = {.bucket_count = 256},
		.kept = stream->features & STREAM_WATCHED ? &kept : NULL,
	};
	if (pair_begin(&pair, &config))
		return;
	for (size_t i = 0; i < stream->count; i++) {
		run_record(stream, &stream->records[i]);
		if (pair.kept)
			kept_check(pair.kept, &pair.model);
	}
	pair.memory.first_failure = 0;
	pair.memory.last_failure = 0;
	pair_check(&pair);
	pair_visit_all(&pair, PAIR_UNMAP);
	if (pair.kept)
		kept_check(pair.kept, &pair.model);
	pair_expect_empty(&pair);
	pair_end(&pair);
}
