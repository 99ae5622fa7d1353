/* SPDX-License-Identifier: MIT */
/* GLib's GHashTable: open addressing with triangular steps; keys, values, hashes in three arrays.
 */
#include "bench/peer.h"

#ifdef PEER_GLIB

#include <glib.h>

/* There is no way to reserve room. */
static void *create(uint64_t keys)
{
	(void)keys;
	return g_hash_table_new(g_direct_hash, NULL);
}

static bool insert(void *table, uint64_t key, uint64_t value)
{
	g_hash_table_insert(table, GSIZE_TO_POINTER(key), GSIZE_TO_POINTER(value));
	return true;
}

static void destroy(void *table)
{
	g_hash_table_destroy(table);
}

LOOP_INLINE void find(void *table, uint64_t vpn, uint64_t *entry)
{
	*entry = GPOINTER_TO_SIZE(g_hash_table_lookup(table, GSIZE_TO_POINTER(vpn)));
}

static uint64_t latency(void *table, const struct query *queries, size_t count)
{
	return loop_latency(find, table, queries, count);
}

static uint64_t throughput(void *table, const struct query *queries, size_t count)
{
	return loop_throughput(find, table, queries, count);
}

const struct peer peer_glib = {
	.name = "GHashTable",
	.package = "libglib2.0-dev",
	.create = create,
	.insert = insert,
	.destroy = destroy,
	.loops = {latency, throughput, NULL},
};

#else

const struct peer peer_glib = {.name = "GHashTable", .package = "libglib2.0-dev"};

#endif
