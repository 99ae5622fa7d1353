/* SPDX-License-Identifier: MIT */
/* khash (klib): open addressing with triangular steps; flags, keys and values in three arrays. */
#include "bench/peer.h"

#ifdef PEER_KHASH

#include <htslib/khash.h>

KHASH_MAP_INIT_INT64(pages, uint64_t)

static void *create(uint64_t keys)
{
	khash_t(pages) *table = kh_init(pages);

	if (table && kh_resize(pages, table, (khint_t)((double)keys / __ac_HASH_UPPER) + 1) < 0) {
		kh_destroy(pages, table);
		return NULL;
	}
	return table;
}

static bool insert(void *table, uint64_t key, uint64_t value)
{
	khash_t(pages) *pages = table;
	int result;
	khint_t at = kh_put(pages, pages, key, &result);

	if (result < 0)
		return false;
	kh_value(pages, at) = value;
	return true;
}

static void destroy(void *table)
{
	kh_destroy(pages, (khash_t(pages) *)table);
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	khash_t(pages) *pages = table;
	khint_t at = kh_get(pages, pages, vpn);

	if (at != kh_end(pages))
		*entry = kh_value(pages, at);
}

static uint64_t latency(void *table, const struct query *queries, size_t count)
{
	return loop_latency(find, table, queries, count);
}

static uint64_t throughput(void *table, const struct query *queries, size_t count)
{
	return loop_throughput(find, table, queries, count);
}

const struct peer peer_khash = {
	.name = "khash",
	.package = "libhts-dev",
	.create = create,
	.insert = insert,
	.destroy = destroy,
	.loops = {latency, throughput, NULL},
};

#else

const struct peer peer_khash = {.name = "khash", .package = "libhts-dev"};

#endif
