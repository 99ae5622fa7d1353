/* SPDX-License-Identifier: MIT */
/*
 * Bytes as operations on a table and its model. With -fsanitize=fuzzer the fuzzer drives it; built
 * without (HPT_FUZZ_MAIN), it replays the files named on its command line.
 *
 * The first bytes choose organisation, salt and where addresses lie. Each operation is one byte and
 * what it reads; keys are picked so that they meet often: few ASIDs, few regions, both sizes, and
 * blocks that share one home line. A read past the end gives zeros.
 */
#include <stdio.h>
#include <stdlib.h>

#include "hpt/clustered.h"
#include "tests/hpt/model.h"
#include "tests/hpt/unhash.h"

struct input {
	const uint8_t *bytes;
	size_t left;
};

static struct pair pair;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t take(struct input *input, unsigned int bytes)
{
	uint64_t value = 0;

	while (bytes--) {
		value <<= 8;
		if (input->left) {
			value |= *input->bytes++;
			input->left--;
		}
	}
	return value;
}

/* A block whose hash starts with zeros, if that is a block at all. */
static struct hpt_key colliding_key(uint64_t low)
{
	uint64_t tag = clustered_unhash(low << 40 >> 12, pair.table.desc.salt);

	return hpt_key((uint16_t)(tag >> 46), tag << 3 & ((UINT64_C(1) << 45) - 1), HPT_4K);
}

static struct hpt_key take_key(struct input *input)
{
	uint8_t how = (uint8_t)take(input, 1);
	enum hpt_size size = how & 1 ? HPT_2M : HPT_4K;
	uint16_t asid = how >> 1 & 3;

	switch (how >> 3 & 7) {
	case 0:
	case 1:
		return hpt_key(asid, take(input, 1) * hpt_pages_in(size), size);
	case 2:
		return hpt_key(asid, take(input, 2) * hpt_pages_in(size), size);
	case 3:
		return hpt_key(asid, take(input, 1) << 12, size);
	case 4:
		return hpt_key(0xfff, (UINT64_C(1) << 36) - (take(input, 1) + 1) * 512, size);
	case 5:
		return hpt_key(0xffff, (UINT64_C(1) << 45) - (take(input, 1) + 1) * 512, size);
	case 6:
		return colliding_key(take(input, 2));
	default:
		return (struct hpt_key){.vpn = take(input, 8),
					.asid = (uint16_t)take(input, 2),
					.size = (uint8_t)take(input, 1)};
	}
}

static uint64_t take_entry(struct input *input, struct hpt_key key)
{
	uint64_t entry = take(input, 3) ^ HPT_PRESENT;

	if (entry >> 23) /* malformed, more often than not */
		return entry << 30 | take(input, 4);
	entry = hpt_entry(entry >> 12, entry & HPT_FLAGS_MASK & ~HPT_LARGE);
	return key.size == HPT_2M ? entry | HPT_LARGE : entry;
}

/* A length of a range: mostly short; in visits it may be as large as address spaces are. */
static uint64_t take_count(struct input *input, bool huge)
{
	uint64_t count = take(input, 1);

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

static void fail_soon(struct input *input)
{
	pair.memory.first_failure = pair.memory.calls + 1 + take(input, 1) % 8;
	pair.memory.last_failure = pair.memory.first_failure + take(input, 1) % 8;
}

static void one_operation(struct input *input)
{
	unsigned int what = (unsigned int)take(input, 1);
	struct hpt_key key = take_key(input);
	uint64_t count;

	switch (what % 9) {
	case 0:
	case 1:
		pair_map(&pair, key, take_entry(input, key));
		break;
	case 2:
		pair_unmap(&pair, key);
		break;
	case 3:
		count = take(input, 2);
		pair_change(&pair, key, count, take(input, 2));
		break;
	case 4:
		pair_lookup(&pair, key, NULL);
		break;
	case 5:
		count = take_count(input, false);
		pair_map_range(&pair, key, count, take_entry(input, key));
		break;
	case 6:
		count = take_count(input, true);
		visit_valid_range(key, count, (enum pair_visit)(take(input, 1) % PAIR_VISITS));
		break;
	case 7:
		fail_soon(input);
		break;
	default:
		if (what < 64)
			pair_visit_all(&pair, (enum pair_visit)(what % PAIR_VISITS));
		else if (what < 128)
			pair_check(&pair);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {.bytes = data, .left = size};
	struct hpt_config config = {0};
	uint8_t first = (uint8_t)take(&input, 1);

	config.organisation = (enum hpt_organisation)((first >> 4) % HPT_ORGANISATIONS);
	config.pages = first & 2 ? 1000 : 0;
	config.salt = first & 4 ? take(&input, 8) : 0;
	pair = (struct pair){.memory = {.offset = first & 8 ? 0x40000 : 0},
			     .model = {.bucket_count = 256}};
	if (pair_begin(&pair, &config))
		return 0;
	while (input.left)
		one_operation(&input);
	pair_check(&pair);
	pair_visit_all(&pair, PAIR_UNMAP);
	pair_expect_empty(&pair);
	pair_end(&pair);
	return 0;
}

#ifdef HPT_FUZZ_MAIN
static int replay(const char *name)
{
	static uint8_t bytes[1 << 20];
	FILE *file = fopen(name, "rb");
	size_t size;

	if (!file) {
		perror(name);
		return 1;
	}
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	LLVMFuzzerTestOneInput(bytes, size);
	return 0;
}

int main(int count, char **names)
{
	int failed = 0;

	for (int i = 1; i < count; i++)
		failed |= replay(names[i]);
	return failed;
}
#endif
