/* SPDX-License-Identifier: MIT */
/* See stat.h. */
#include "guest/stat.h"

#include <errno.h>
#include <stddef.h>

#include "guest/file.h"
#include "guest/files.h"
#include "guest/node.h"
#include "guest/path.h"
#include "guest/user.h"
#include "hpt/entry.h"

#define TREE_DEVICE   1 /* the device that the tree is on; pipes and consoles are on the next */
#define NO_AUTOMOUNT  0x800
#define STAT_FLAGS    (PATH_NOFOLLOW | PATH_EMPTY | NO_AUTOMOUNT)
#define SYNC_FLAGS    0x6000
#define MASK_RESERVED UINT32_C(0x80000000)
#define BASIC	      0x7ff /* STATX_BASIC_STATS */

/* struct stat of x86-64 */
struct stat {
	uint64_t place;
	uint64_t number;
	uint64_t links;
	uint32_t mode;
	uint32_t user;
	uint32_t group;
	uint32_t reserved0;
	uint64_t device;
	int64_t size;
	int64_t block_size;
	int64_t blocks;
	struct {
		int64_t seconds;
		int64_t nanoseconds;
	} times[3]; /* access, modification, change */
	int64_t reserved1[3];
};

struct time {
	int64_t seconds;
	uint32_t nanoseconds;
	int32_t reserved;
};

/* struct statx */
struct extended {
	uint32_t mask;
	uint32_t block_size;
	uint64_t attributes;
	uint32_t links;
	uint32_t user;
	uint32_t group;
	uint16_t mode;
	uint16_t reserved0;
	uint64_t number;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_known;
	struct time times[4]; /* access, birth, change, modification */
	uint32_t device_major;
	uint32_t device_minor;
	uint32_t place_major;
	uint32_t place_minor;
	uint64_t reserved1[14];
};

_Static_assert(sizeof(struct stat) == 144, "struct stat");
_Static_assert(sizeof(struct extended) == 256, "struct statx");

/* An open pipe or console, which has no node. */
static const struct node nameless = {.mode = MODE_FIFO | 0600, .links = 1};

static struct stat fill(const struct node *node)
{
	struct stat stat = {
		.place = TREE_DEVICE + (node == &nameless),
		.number = node->number,
		.links = node->links,
		.mode = node->mode,
		.user = node->user,
		.group = node->group,
		.device = node->device,
		.size = (int64_t)node->size,
		.block_size = HPT_PAGE_SIZE,
		.blocks = (int64_t)((node->size + 511) / 512),
	};

	for (unsigned int i = 0; i < 3; i++)
		stat.times[i].seconds = node->modified;
	return stat;
}

static int64_t give(const struct node *node, uint64_t to)
{
	struct stat stat = fill(node ? node : &nameless);

	return user_write(to, &stat, sizeof(stat));
}

int64_t stat_open(int fd, uint64_t to)
{
	const struct file *file = files_find(fd);

	return file ? give(file->kind == FILE_NODE ? file->node : NULL, to) : -EBADF;
}

int64_t stat_path(int fd, uint64_t path, uint64_t to, uint32_t flags)
{
	struct node *node;
	int error;

	if (flags & ~(uint32_t)(STAT_FLAGS))
		return -EINVAL;
	error = path_at(fd, path, flags, &node);
	return error ? error : give(node, to);
}

int64_t stat_extended(int fd, uint64_t path, uint32_t flags, uint32_t mask, uint64_t to)
{
	struct extended extended;
	struct node *node;
	struct stat stat;
	int error;

	if (mask & MASK_RESERVED || flags & ~(uint32_t)(STAT_FLAGS | SYNC_FLAGS) ||
	    (flags & SYNC_FLAGS) == SYNC_FLAGS)
		return -EINVAL;
	error = path_at(fd, path, flags, &node);
	if (error)
		return error;
	stat = fill(node ? node : &nameless);
	extended = (struct extended){
		.mask = BASIC,
		.block_size = HPT_PAGE_SIZE,
		.links = (uint32_t)stat.links,
		.user = stat.user,
		.group = stat.group,
		.mode = (uint16_t)stat.mode,
		.number = stat.number,
		.size = (uint64_t)stat.size,
		.blocks = (uint64_t)stat.blocks,
		.device_major = (uint32_t)stat.device >> 8,
		.device_minor = (uint32_t)stat.device & 0xff,
		.place_minor = (uint32_t)stat.place,
	};
	for (unsigned int i = 0; i < 4; i++)
		extended.times[i].seconds = i == 1 ? 0 : stat.times[0].seconds;
	return user_write(to, &extended, sizeof(extended));
}
