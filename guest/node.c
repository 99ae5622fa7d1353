/* SPDX-License-Identifier: MIT */
/* See node.h. */
#include "guest/node.h"

#include <stddef.h>

#include "guest/console.h"
#include "guest/pool.h"

#define BUCKETS	   512
#define MULTIPLIER UINT32_C(0x9e3779b1)

struct node *node_root;

static struct pool nodes = {.size = sizeof(struct node)};
static struct node *buckets[BUCKETS];
static uint64_t count;

static uint32_t hash_of(const struct node *directory, const char *name, uint32_t size)
{
	uint32_t hash = (uint32_t)directory->number;

	for (uint32_t i = 0; i < size; i++)
		hash = (hash ^ (uint8_t)name[i]) * MULTIPLIER;
	return hash;
}

static struct node **bucket_of(uint32_t hash)
{
	return &buckets[hash >> 23 & (BUCKETS - 1)];
}

static bool is_name(const struct node *node, const char *name, uint32_t size)
{
	uint32_t i = 0;

	if (node->name_size != size)
		return false;
	while (i < size && node->name[i] == name[i])
		i++;
	return i == size;
}

struct node *node_find(const struct node *directory, const char *name, uint32_t size)
{
	uint32_t hash = hash_of(directory, name, size);
	struct node *node = *bucket_of(hash);

	while (node &&
	       (node->hash != hash || node->parent != directory || !is_name(node, name, size)))
		node = node->next_alike;
	return node;
}

static struct node *new_node(void)
{
	struct node *node = pool_get(&nodes);

	if (!node)
		refuse("memory: found too little for the archive's files");
	node->number = ++count;
	node->links = 1;
	return node;
}

struct node *node_make(struct node *directory, const char *name, uint32_t size)
{
	struct node *node = node_find(directory, name, size);
	struct node **bucket;

	if (node)
		return node;
	node = new_node();
	node->parent = directory;
	node->name = name;
	node->name_size = size;
	node->hash = hash_of(directory, name, size);
	bucket = bucket_of(node->hash);
	node->next_alike = *bucket;
	*bucket = node;
	if (directory->last)
		directory->last->next = node;
	else
		directory->first = node;
	directory->last = node;
	return node;
}

void node_make_directory(struct node *node, uint32_t permission)
{
	if (!node_is(node, MODE_DIRECTORY)) {
		node->links = 2;
		node->parent->links++;
	}
	node->mode = MODE_DIRECTORY | permission;
	node->gpa = node->size = 0;
}

static void make_device(struct node *directory, const char *name, uint32_t device)
{
	struct node *node = node_make(directory, name, 4);

	node->mode = MODE_CHARACTERS | 0666;
	node->device = device;
}

void node_start(void)
{
	struct node *dev;

	node_root = new_node();
	node_root->parent = node_root;
	node_make_directory(node_root, 0755);
	node_root->links = 2;
	dev = node_make(node_root, "dev", 3);
	node_make_directory(dev, 0755);
	make_device(dev, "null", DEVICE_NULL);
	make_device(dev, "zero", DEVICE_ZERO);
}
