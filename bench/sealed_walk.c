/* SPDX-License-Identifier: MIT */
/* See sealed_walk.h. */
#include "bench/sealed_walk.h"

#include "hpt/probe.h"

/* Read each time, so that nobody knows that a decryption changes nothing. */
static volatile uint64_t nothing;
static const struct aes_keys key_schedule;

/* The word, from when its decryption is through. */
HPT_INLINE uint64_t decipher(uint64_t word, bool cipher)
{
	if (cipher)
		word ^= aes_encrypt(&key_schedule, (struct aes_block){word, 0}).low & nothing;
	return word;
}

/* Where a line of a table is: in memory that is reached by an offset, or through stage 2. */
struct reach {
	const struct walk *walk; /* NULL: the offset alone */
	uintptr_t offset;
};

HPT_INLINE uint64_t find(const struct hpt *table, struct hpt_key key, bool cipher,
			 enum hpt_organisation organisation, const struct reach *reach,
			 struct sealed_count *count);

/* The host's entry for a frame of the guest's. */
HPT_INLINE uint64_t find_host(const struct walk *walk, uint64_t gfn, bool cipher,
			      struct sealed_count *count)
{
	const struct reach reach = {.offset = walk->host->memory.offset};
	struct hpt_key key = hpt_key(0, gfn, HPT_4K);

	if (walk->host->desc.organisation == HPT_RADIX)
		return find(walk->host, key, cipher, HPT_RADIX, &reach, count);
	return find(walk->host, key, cipher, HPT_CLUSTERED, &reach, count);
}

static __attribute__((noinline)) uint64_t host_entry(const struct walk *walk, uint64_t gfn,
						     struct sealed_count *count)
{
	return find_host(walk, gfn, false, count);
}

static __attribute__((noinline)) uint64_t host_entry_cipher(const struct walk *walk, uint64_t gfn,
							    struct sealed_count *count)
{
	return find_host(walk, gfn, true, count);
}

HPT_INLINE const uint64_t *line_at(const struct reach *reach, uint64_t address, bool cipher,
				   struct sealed_count *count)
{
	uint64_t entry;

	if (!reach->walk)
		return (const uint64_t *)(uintptr_t)(address + reach->offset);
	entry = cipher ? host_entry_cipher(reach->walk, address / HPT_PAGE_SIZE, count)
		       : host_entry(reach->walk, address / HPT_PAGE_SIZE, count);
	return (const uint64_t *)(uintptr_t)(reach->walk->frames +
					     hpt_frame(entry) * HPT_PAGE_SIZE +
					     address % HPT_PAGE_SIZE);
}

HPT_INLINE uint64_t find(const struct hpt *table, struct hpt_key key, bool cipher,
			 enum hpt_organisation organisation, const struct reach *reach,
			 struct sealed_count *count)
{
	enum hpt_answer answer = HPT_NEXT;
	struct hpt_probe probe = {.line = 0};
	uint64_t entry = 0;

	hpt_probe_start_as(&table->desc, key, &probe, organisation);
	while (probe.line && answer == HPT_NEXT) {
		const uint64_t *line = line_at(reach, probe.line, cipher, count);

		answer = hpt_probe_step_as(&table->desc, &probe, line, &entry, organisation);
		if (organisation == HPT_RADIX && answer == HPT_NEXT) {
			uint64_t node = decipher(probe.radix.node, cipher);

			probe.line ^= node ^ probe.radix.node;
			probe.radix.node = node;
			count->deciphered++;
		}
	}
	if (answer != HPT_HIT)
		return 0;
	count->deciphered++;
	count->leaves++;
	return decipher(hpt_open(&table->desc, key, entry), cipher);
}

uint64_t sealed_lookup(const struct hpt *table, struct hpt_key key, bool cipher,
		       struct sealed_count *count)
{
	const struct reach reach = {.offset = table->memory.offset};

	if (table->desc.organisation == HPT_RADIX)
		return hpt_frame(cipher ? find(table, key, true, HPT_RADIX, &reach, count)
					: find(table, key, false, HPT_RADIX, &reach, count));
	return hpt_frame(cipher ? find(table, key, true, HPT_CLUSTERED, &reach, count)
				: find(table, key, false, HPT_CLUSTERED, &reach, count));
}

uint64_t sealed_walk(const struct walk *walk, struct hpt_key key, bool cipher,
		     struct sealed_count *count)
{
	const struct reach reach = {.walk = walk->slab ? NULL : walk,
				    .offset = walk->guest->memory.offset};
	bool radix = walk->guest->desc.organisation == HPT_RADIX;
	uint64_t entry;

	if (cipher) {
		entry = radix ? find(walk->guest, key, true, HPT_RADIX, &reach, count)
			      : find(walk->guest, key, true, HPT_CLUSTERED, &reach, count);
		return hpt_frame(host_entry_cipher(walk, hpt_frame(entry), count));
	}
	entry = radix ? find(walk->guest, key, false, HPT_RADIX, &reach, count)
		      : find(walk->guest, key, false, HPT_CLUSTERED, &reach, count);
	return hpt_frame(host_entry(walk, hpt_frame(entry), count));
}
