/* SPDX-License-Identifier: MIT */
/* See directory.h. Nothing of the tree can be written but devices: EROFS. */
#include "guest/directory.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "guest/file.h"
#include "guest/files.h"
#include "guest/frames.h"
#include "guest/node.h"
#include "guest/path.h"
#include "guest/user.h"

#define ACCESS_MODES	 7
#define ACCESS_MAY_EXEC	 1
#define ACCESS_MAY_WRITE 2
#define ACCESS_EFFECTIVE 0x200 /* AT_EACCESS */
#define ACCESS_FLAGS	 (PATH_NOFOLLOW | PATH_EMPTY | ACCESS_EFFECTIVE)
#define FILE_ONLY	 0x400000 /* O_TMPFILE's own bit */
#define KEPT		 (OPEN_ACCESS | OPEN_APPEND | OPEN_NONBLOCK | OPEN_DIRECTORY | OPEN_NOFOLLOW)

static bool writes(uint32_t flags)
{
	return flags & OPEN_ACCESS || flags & OPEN_TRUNCATE;
}

/* Whether a node that is there may be opened like this. */
static int check_open(const struct node *node, uint32_t flags)
{
	bool is_directory = node_is(node, MODE_DIRECTORY);

	if (flags & OPEN_CREATE && flags & OPEN_EXCLUSIVE)
		return -EEXIST;
	if (node_is(node, MODE_LINK))
		return flags & OPEN_DIRECTORY ? -ENOTDIR : -ELOOP;
	if (is_directory && (writes(flags) || flags & OPEN_CREATE))
		return -EISDIR;
	if (!is_directory && flags & OPEN_DIRECTORY)
		return -ENOTDIR;
	if (!node_is(node, MODE_CHARACTERS))
		return writes(flags) ? -EROFS : 0;
	return node->device == DEVICE_NULL || node->device == DEVICE_ZERO ? 0 : -ENXIO;
}

static int64_t open_node(struct node *node, uint32_t flags)
{
	struct file *file = file_create(FILE_NODE, (flags & KEPT) | OPEN_LARGE);

	if (!file)
		return -ENOMEM;
	file->node = node;
	return files_add(file, 0, flags);
}

int64_t directory_open(int fd, uint64_t gva, uint32_t flags)
{
	bool follows = !(flags & OPEN_NOFOLLOW || (flags & OPEN_CREATE && flags & OPEN_EXCLUSIVE));
	struct node *directory, *node;
	const char *path;
	bool parent_found;
	int error;

	if (flags & OPEN_CREATE && flags & OPEN_DIRECTORY)
		return -EINVAL;
	if (flags & FILE_ONLY)
		return flags & OPEN_ACCESS ? -EOPNOTSUPP : -EINVAL;
	error = path_take(gva, &path);
	if (error)
		return error;
	error = *path ? path_start(fd, path, &directory) : -ENOENT;
	if (error)
		return error;
	error = path_find(path, directory, follows, &node, &parent_found);
	if (error == -ENOENT && parent_found && flags & OPEN_CREATE)
		return -EROFS;
	if (!error)
		error = check_open(node, flags);
	return error ? error : open_node(node, flags);
}

int64_t directory_access(int fd, uint64_t path, uint32_t mode, uint32_t flags)
{
	struct node *node;
	int error;

	if (mode & ~(uint32_t)ACCESS_MODES || flags & ~(uint32_t)ACCESS_FLAGS)
		return -EINVAL;
	error = path_at(fd, path, flags, &node);
	if (error || !node)
		return error;
	/* Programs are root: only what nobody may execute is not for them. */
	if (mode & ACCESS_MAY_EXEC && !node_is(node, MODE_DIRECTORY) &&
	    !(node->mode & MODE_EXECUTABLE))
		return -EACCES;
	if (mode & ACCESS_MAY_WRITE && !node_is(node, MODE_CHARACTERS))
		return -EROFS;
	return 0;
}

int64_t directory_read_link(int fd, uint64_t path, uint64_t target, int64_t size)
{
	struct node *node;
	int error;

	if (size <= 0)
		return -EINVAL;
	error = path_at(fd, path, PATH_NOFOLLOW, &node);
	if (error)
		return error;
	if (!node_is(node, MODE_LINK))
		return -EINVAL;
	if ((uint64_t)size > node->size)
		size = (int64_t)node->size;
	return user_write(target, direct(node->gpa), (size_t)size) ? -EFAULT : size;
}

/* struct linux_dirent64, and the largest name with its zero. */
struct entry {
	uint64_t number;
	int64_t next;
	uint16_t size;
	uint8_t type;
	char name[NODE_NAME_MAX + 1];
} __attribute__((packed));

static uint16_t fill_entry(struct entry *entry, const struct node *node, const char *name,
			   uint32_t name_size, uint64_t offset)
{
	uint64_t size = offsetof(struct entry, name) + name_size + 1;

	memset(entry->name, 0, sizeof(entry->name));
	entry->number = node->number;
	entry->next = (int64_t)offset + 1;
	entry->size = (uint16_t)((size + 7) & ~UINT64_C(7));
	entry->type = (uint8_t)(node->mode >> 12);
	memcpy(entry->name, name, name_size);
	return entry->size;
}

int64_t directory_list(int fd, uint64_t gva, uint64_t size)
{
	static struct entry entry;
	struct file *file = files_find(fd);
	const struct node *directory, *node;
	uint64_t done = 0;

	if (!file)
		return -EBADF;
	if (file->kind != FILE_NODE || !node_is(file->node, MODE_DIRECTORY))
		return -ENOTDIR;
	directory = file->node;
	node = directory->first;
	for (uint64_t i = 2; i < file->offset && node; i++)
		node = node->next;
	for (; file->offset < 2 || node; file->offset++) {
		uint16_t needed;

		if (file->offset < 2)
			needed = fill_entry(&entry, file->offset ? directory->parent : directory,
					    "..", (uint32_t)file->offset + 1, file->offset);
		else
			needed =
				fill_entry(&entry, node, node->name, node->name_size, file->offset);
		if (needed > size - done)
			return done ? (int64_t)done : -EINVAL;
		if (user_write(gva + done, &entry, needed))
			return done ? (int64_t)done : -EFAULT;
		done += needed;
		if (file->offset >= 2)
			node = node->next;
	}
	return (int64_t)done;
}

int64_t directory_change(uint64_t path)
{
	struct node *node;
	int error = path_at(PATH_HERE, path, 0, &node);

	if (error)
		return error;
	if (!node_is(node, MODE_DIRECTORY))
		return -ENOTDIR;
	files_set_directory(node);
	return 0;
}

int64_t directory_change_to(int fd)
{
	const struct file *file = files_find(fd);

	if (!file)
		return -EBADF;
	if (file->kind != FILE_NODE || !node_is(file->node, MODE_DIRECTORY))
		return -ENOTDIR;
	files_set_directory(file->node);
	return 0;
}

int64_t directory_current(uint64_t gva, uint64_t size)
{
	static char path[PATH_SIZE];
	uint64_t length = path_of(files_directory(), path, sizeof(path));

	if (length >= sizeof(path))
		return -ENAMETOOLONG;
	if (length + 1 > size)
		return -ERANGE;
	return user_write(gva, path, length + 1) ? -EFAULT : (int64_t)length + 1;
}
