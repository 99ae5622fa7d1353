/* SPDX-License-Identifier: MIT */
/*
 * liburcu's rculfhash: a lock-free split-ordered list. Nodes are the user's: here they stand in one
 * array. Readers are of the QSBR flavour, whose read side costs nothing.
 */
#include "bench/peer.h"

#ifdef PEER_RCULFHASH

#define _LGPL_SOURCE
#include <stdlib.h>
#include <urcu-qsbr.h>
#include <urcu/rculfhash.h>

#include "hpt/mix.h"

struct page {
	struct cds_lfht_node node;
	uint64_t key;
	uint64_t value;
};

struct table {
	struct cds_lfht *pages;
	struct page *array;
	uint64_t used;
};

static void *create(uint64_t keys)
{
	struct table *table = calloc(1, sizeof(*table));
	unsigned long buckets = 1;

	while (buckets < keys)
		buckets *= 2;
	if (!table)
		return NULL;
	rcu_register_thread();
	table->array = malloc(keys * sizeof(*table->array));
	table->pages = cds_lfht_new(buckets, 1, 0, 0, NULL);
	if (!table->array || !table->pages) {
		free(table->array);
		free(table);
		rcu_unregister_thread();
		return NULL;
	}
	return table;
}

static bool insert(void *context, uint64_t key, uint64_t value)
{
	struct table *table = context;
	struct page *page = &table->array[table->used++];

	cds_lfht_node_init(&page->node);
	page->key = key;
	page->value = value;
	cds_lfht_add(table->pages, mix64(key), &page->node);
	return true;
}

static void destroy(void *context)
{
	struct table *table = context;
	struct cds_lfht_iter iter;
	struct page *page;

	cds_lfht_for_each_entry(table->pages, &iter, page, node)
		cds_lfht_del(table->pages, &page->node);
	rcu_quiescent_state();
	/* It waits for its worker, which may wait for this thread's grace period. */
	rcu_thread_offline();
	cds_lfht_destroy(table->pages, NULL);
	rcu_thread_online();
	rcu_unregister_thread();
	free(table->array);
	free(table);
}

static int match(struct cds_lfht_node *node, const void *key)
{
	return caa_container_of(node, struct page, node)->key == *(const uint64_t *)key;
}

LOOP_INLINE void find(void *context, uint64_t vpn, uint64_t *entry)
{
	struct table *table = context;
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	rcu_read_lock();
	cds_lfht_lookup(table->pages, mix64(vpn), match, &vpn, &iter);
	node = cds_lfht_iter_get_node(&iter);
	if (node)
		*entry = caa_container_of(node, struct page, node)->value;
	rcu_read_unlock();
}

static uint64_t latency(void *table, const struct query *queries, size_t count)
{
	return loop_latency(find, table, queries, count);
}

static uint64_t throughput(void *table, const struct query *queries, size_t count)
{
	return loop_throughput(find, table, queries, count);
}

const struct peer peer_rculfhash = {
	.name = "rculfhash",
	.package = "liburcu-dev",
	.create = create,
	.insert = insert,
	.destroy = destroy,
	.loops = {latency, throughput, NULL},
};

#else

const struct peer peer_rculfhash = {.name = "rculfhash", .package = "liburcu-dev"};

#endif
