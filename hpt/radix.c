/* SPDX-License-Identifier: MIT */
/* The radix tree: see radix.h for its nodes and words. */
#include <errno.h>

#include "hpt/lookup.h"
#include "hpt/organisation.h"
#include "hpt/shared.h"

/* The words passed on the way from the directory to a leaf: path[level] holds that level's node. */
struct radix_path {
	uint64_t *to_node[HPT_RADIX_LEVELS];
	uint64_t *leaf;
};

static unsigned int radix_used(uint64_t word)
{
	return word & HPT_PRESENT ? (unsigned int)(word >> RADIX_USED_SHIFT) + 1 : 0;
}

static int leaf_level(enum hpt_size size)
{
	return size == HPT_2M ? 1 : 0;
}

/* The address of the node at `level` on the way to `key`, which the word names. */
static uint64_t node_of(const struct hpt *table, uint64_t node_word, struct hpt_key key, int level)
{
	return radix_node(node_word) ^ radix_node_pad(&table->desc, key, level);
}

/* The word that names it. */
static uint64_t node_word_of(const struct hpt *table, uint64_t node, struct hpt_key key, int level)
{
	return (node ^ radix_node_pad(&table->desc, key, level)) | HPT_PRESENT;
}

static uint64_t *word_in(const struct hpt *table, uint64_t node_word, struct hpt_key key, int level)
{
	uint64_t *node = hpt_pointer(table, node_of(table, node_word, key, level));

	return &node[radix_index(key.vpn, level)];
}

/* The first page of the subtree of a node's word `index`, where `key` is that of the node. */
static struct hpt_key below(struct hpt_key key, unsigned int index, int level)
{
	key.vpn += (uint64_t)index << (RADIX_BITS * level);
	return key;
}

static int radix_create(struct hpt *table, uint64_t pages)
{
	(void)table;
	(void)pages;
	return 0;
}

static void count_nodes(struct hpt *table, int more)
{
	table->counts.lines += (uint64_t)((int64_t)more * (HPT_PAGE_SIZE / HPT_LINE_SIZE));
	table->counts.places = table->counts.used = table->counts.lines;
}

static void free_node(struct hpt *table, uint64_t node)
{
	hpt_retire(table, node, HPT_PAGE_SIZE);
	count_nodes(table, -1);
}

/* Frees the empty node that a word names; nobody finds it any more. */
static void unlink_node(struct hpt *table, uint64_t *to_node, struct hpt_key key, int level)
{
	uint64_t node = node_of(table, *to_node, key, level);

	HPT_STORE(*to_node, 0);
	free_node(table, node);
}

static void destroy_below(struct hpt *table, uint64_t node_word, struct hpt_key key, int level)
{
	uint64_t address = node_of(table, node_word, key, level);
	uint64_t *node = hpt_pointer(table, address);

	for (unsigned int i = 0; level && i < RADIX_WORDS; i++) {
		if (node[i] && !(node[i] & HPT_LARGE))
			destroy_below(table, node[i], below(key, i, level), level - 1);
	}
	free_node(table, address);
}

static void radix_destroy(struct hpt *table)
{
	for (unsigned int asid = 0; asid < HPT_RADIX_ASIDS; asid++) {
		if (table->desc.directory[asid])
			destroy_below(table, table->desc.directory[asid],
				      hpt_key((uint16_t)asid, 0, HPT_4K), HPT_RADIX_LEVELS - 1);
		table->desc.directory[asid] = 0;
	}
}

/* Walks to the word of `key`; false where a node on the way is missing. */
static bool radix_walk(struct hpt *table, struct hpt_key key, struct radix_path *path)
{
	int leaf = leaf_level(key.size);
	uint64_t *word;

	word = &table->desc.directory[key.asid];
	for (int level = HPT_RADIX_LEVELS - 1; level >= leaf; level--) {
		uint64_t to_node = HPT_LOAD(*word);

		if (!(to_node & HPT_PRESENT) ||
		    (level < HPT_RADIX_LEVELS - 1 && to_node & HPT_LARGE))
			return false;
		path->to_node[level] = word;
		word = word_in(table, to_node, key, level);
	}
	path->leaf = word;
	return true;
}

/* One word of the node at `level` has gone: frees it and those above that have none left. */
static void forget_word(struct hpt *table, struct radix_path *path, struct hpt_key key, int level)
{
	for (; level < HPT_RADIX_LEVELS; level++) {
		uint64_t *to_node = path->to_node[level];

		if (radix_used(*to_node) > 1) {
			HPT_STORE(*to_node, *to_node - RADIX_USED_ONE);
			return;
		}
		unlink_node(table, to_node, key, level);
	}
}

static void radix_forget(struct hpt *table, struct hpt_key key, uint64_t *word)
{
	struct radix_path path;

	(void)word;
	radix_walk(table, key, &path);
	forget_word(table, &path, key, leaf_level(key.size));
	table->counts.entries--;
}

/*
 * Makes sure that the word names a node; a new one is empty and not yet counted: its `used` field
 * says 0, which reads as one word, the one that the caller is about to use.
 */
static int need_node(struct hpt *table, uint64_t *word, struct hpt_key key, int level, bool *is_new)
{
	uint64_t node;
	int error;

	*is_new = false;
	if (HPT_LOAD(*word) & HPT_PRESENT)
		return 0;
	error = hpt_get(table, HPT_PAGE_SIZE, &node);
	if (error)
		return error;
	count_nodes(table, 1);
	*is_new = true;
	HPT_STORE(*word, node_word_of(table, node, key, level));
	return 0;
}

/* Walks to the word of `key` and makes the nodes that are missing: all of them or none. */
static int radix_reach(struct hpt *table, struct hpt_key key, struct radix_path *path,
		       bool *new_leaf_node)
{
	uint64_t *word = &table->desc.directory[key.asid];
	bool parent_is_new = true;

	for (int level = HPT_RADIX_LEVELS - 1; level >= leaf_level(key.size); level--) {
		bool at_root = level == HPT_RADIX_LEVELS - 1;
		bool is_new;
		int error = !at_root && HPT_LOAD(*word) & HPT_LARGE
				    ? -EEXIST
				    : need_node(table, word, key, level, &is_new);

		if (error) {
			/* The new node above has this word alone: without it, it goes again. */
			if (!at_root && parent_is_new)
				forget_word(table, path, key, level + 1);
			return error;
		}
		if (is_new && !at_root && !parent_is_new)
			HPT_STORE(*path->to_node[level + 1],
				  *path->to_node[level + 1] + RADIX_USED_ONE);
		parent_is_new = is_new;
		path->to_node[level] = word;
		word = word_in(table, *word, key, level);
	}
	path->leaf = word;
	*new_leaf_node = parent_is_new;
	return 0;
}

static int radix_map(struct hpt *table, struct hpt_key key, uint64_t count, uint64_t entry,
		     uint64_t stride, uint64_t *done)
{
	int leaf = leaf_level(key.size);
	uint64_t in_line = HPT_LINE_WORDS - (radix_index(key.vpn, leaf) & (HPT_LINE_WORDS - 1));
	struct radix_path path;
	bool new_node;
	int error = radix_reach(table, key, &path, &new_node);

	if (error)
		return error;
	if (count > in_line)
		count = in_line;
	for (uint64_t i = 0; i < count; i++) {
		if (HPT_LOAD(path.leaf[i]))
			return -EEXIST; /* so the leaf node is not new */
	}
	for (uint64_t i = 0; i < count; i++)
		HPT_STORE(path.leaf[i], hpt_stored(table, key, i, entry + i * stride));
	HPT_STORE(*path.to_node[leaf], *path.to_node[leaf] + (count - new_node) * RADIX_USED_ONE);
	table->counts.entries += count;
	*done = count;
	return 0;
}

/* Gets `count` nodes, or none. */
static int get_nodes(struct hpt *table, uint64_t *nodes, int count)
{
	for (int i = 0; i < count; i++) {
		int error = hpt_get(table, HPT_PAGE_SIZE, &nodes[i]);

		if (error) {
			while (i--)
				hpt_put(table, nodes[i], HPT_PAGE_SIZE);
			return error;
		}
	}
	count_nodes(table, count);
	return 0;
}

/* Hangs the missing nodes below the empty word at which the walk ended, and the leaf below them. */
int hpt_map_node(struct hpt *table, struct hpt_key key, uint64_t entry,
		 const struct radix_probe *probe, uint64_t **word)
{
	int missing = probe->level - leaf_level(key.size);
	uint64_t nodes[HPT_RADIX_LEVELS];
	uint64_t *at;
	int error;

	if (!probe->node || !probe->parent || missing <= 0 || table->desc.sealed)
		return hpt_map_slowly(table, key, entry, word);
	at = hpt_pointer(table, radix_word_address(probe));
	if (HPT_LOAD(*at))
		return -EEXIST;
	error = get_nodes(table, nodes, missing);
	if (error)
		return error;
	/* Each new node has one word in use, which is how a `used` field of 0 reads. */
	HPT_ADD(*(uint64_t *)hpt_pointer(table, probe->parent), RADIX_USED_ONE);
	for (int i = 0; i < missing; i++) {
		HPT_STORE(*at, nodes[i] | HPT_PRESENT);
		at = word_in(table, *at, key, probe->level - 1 - i);
	}
	HPT_STORE(*at, entry);
	*word = at;
	table->counts.entries++;
	return 0;
}

struct radix_visit {
	struct hpt *table;
	uint16_t asid;
	int only_level; /* -1: leaves of every size */
	uint64_t start; /* vpns: visit leaves in [start, end) */
	uint64_t end;
	hpt_visitor visit;
	void *context;
};

/* Visits the leaves below *to_node and frees it when the last has gone. */
static void visit_below(struct radix_visit *visit, uint64_t *to_node, int level, uint64_t vpn)
{
	struct hpt_key of_node = hpt_key(visit->asid, vpn, HPT_4K);
	uint64_t address = node_of(visit->table, *to_node, of_node, level);
	uint64_t *node = hpt_pointer(visit->table, address);
	uint64_t span = UINT64_C(1) << (RADIX_BITS * level);
	uint64_t first = visit->start > vpn ? (visit->start - vpn) >> (RADIX_BITS * level) : 0;
	unsigned int used = radix_used(*to_node);

	for (uint64_t i = first; i < RADIX_WORDS && vpn + i * span < visit->end; i++) {
		uint64_t here = vpn + i * span;
		uint64_t word = HPT_LOAD(node[i]);
		bool leaf = !level || word & HPT_LARGE;

		/* Below the level that is asked for there is nothing to visit. */
		if (!word || (!leaf && level == visit->only_level))
			continue;
		if (!leaf) {
			visit_below(visit, &node[i], level - 1, here);
		} else if (here >= visit->start &&
			   (visit->only_level < 0 || visit->only_level == level)) {
			struct hpt_key key = hpt_key(visit->asid, here, level ? HPT_2M : HPT_4K);

			word = shared_visit(visit->table, &node[i], key, visit->visit,
					    visit->context);
			visit->table->counts.entries -= !word;
		}
		used -= !HPT_LOAD(node[i]);
	}
	if (used) {
		HPT_STORE(*to_node, (*to_node & HPT_ENTRY_MASK) | (uint64_t)(used - 1)
									  << RADIX_USED_SHIFT);
	} else {
		unlink_node(visit->table, to_node, of_node, level);
	}
}

static int radix_visit_range(struct hpt *table, struct hpt_key key, uint64_t count,
			     hpt_visitor visit, void *context)
{
	struct radix_visit range = {
		.table = table,
		.asid = key.asid,
		.only_level = leaf_level(key.size),
		.start = key.vpn,
		.end = key.vpn + count * hpt_pages_in(key.size),
		.visit = visit,
		.context = context,
	};

	if (table->desc.directory[key.asid])
		visit_below(&range, &table->desc.directory[key.asid], HPT_RADIX_LEVELS - 1, 0);
	return 0;
}

static int radix_visit(struct hpt *table, hpt_visitor visit, void *context)
{
	struct radix_visit all = {
		.table = table,
		.only_level = -1,
		.end = UINT64_C(1) << RADIX_VPN_BITS,
		.visit = visit,
		.context = context,
	};

	for (unsigned int asid = 0; asid < HPT_RADIX_ASIDS; asid++) {
		all.asid = (uint16_t)asid;
		if (table->desc.directory[asid])
			visit_below(&all, &table->desc.directory[asid], HPT_RADIX_LEVELS - 1, 0);
	}
	return 0;
}

static const char *check_below(const struct hpt *table, uint64_t node_word, struct hpt_key key,
			       int level, struct hpt_counts *seen)
{
	const uint64_t *node = hpt_pointer(table, node_of(table, node_word, key, level));
	unsigned int used = 0;

	seen->lines += HPT_PAGE_SIZE / HPT_LINE_SIZE;
	seen->bytes += HPT_PAGE_SIZE;
	for (unsigned int i = 0; i < RADIX_WORDS; i++) {
		uint64_t word = HPT_LOAD(node[i]);
		const char *broken = NULL;

		if (!word)
			continue;
		used++;
		if (!level || word & HPT_LARGE) {
			seen->entries++;
			if (word & ~HPT_ENTRY_MASK)
				return "a leaf has no bits above its frame";
			if (level != !!(word & HPT_LARGE))
				return "large leaves stand at level 1 and nowhere else";
		} else if (!(word & HPT_PRESENT) || word & (HPT_FLAGS_MASK ^ HPT_PRESENT)) {
			return "a word above the leaves is a node's address and P";
		} else {
			broken = check_below(table, word, below(key, i, level), level - 1, seen);
		}
		if (broken)
			return broken;
	}
	return used == radix_used(node_word) ? NULL : "a node's count is that of its words";
}

static const char *radix_check(const struct hpt *table)
{
	struct hpt_counts seen = {0};

	for (unsigned int asid = 0; asid < HPT_RADIX_ASIDS; asid++) {
		uint64_t root = table->desc.directory[asid];
		const char *broken =
			root ? check_below(table, root, hpt_key((uint16_t)asid, 0, HPT_4K),
					   HPT_RADIX_LEVELS - 1, &seen)
			     : NULL;

		if (broken)
			return broken;
	}
	if (seen.entries != table->counts.entries)
		return "counts.entries is the number of leaves";
	seen.bytes += shared_bytes(table);
	if (seen.bytes != table->counts.bytes || seen.lines != table->counts.lines)
		return "counts.bytes and lines are those of the nodes";
	return NULL;
}

const struct hpt_operations hpt_radix_operations = {
	.name = "radix",
	.create = radix_create,
	.destroy = radix_destroy,
	.map = radix_map,
	.forget = radix_forget,
	.visit_range = radix_visit_range,
	.visit = radix_visit,
	.check = radix_check,
};
