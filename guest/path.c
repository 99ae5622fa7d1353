/* SPDX-License-Identifier: MIT */
/* See path.h. */
#include "guest/path.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "guest/file.h"
#include "guest/files.h"
#include "guest/frames.h"
#include "guest/node.h"
#include "guest/user.h"

#define LINKS_MAX 40
#define PIECE	  64

static char taken[PATH_SIZE];

int path_take(uint64_t gva, const char **path)
{
	*path = taken;
	for (unsigned int i = 0; i < PATH_SIZE;) {
		unsigned int piece = PIECE - (unsigned int)(gva + i) % PIECE;

		if (piece > PATH_SIZE - i)
			piece = PATH_SIZE - i;
		if (user_read(&taken[i], gva + i, piece))
			return -EFAULT;
		for (; piece; piece--, i++) {
			if (!taken[i])
				return 0;
		}
	}
	return -ENAMETOOLONG;
}

/* A walk: what is left of the path, which lies in `text[at]` once a link was followed. */
struct walk {
	struct node *node;
	const char *rest;
	unsigned int links;
};

static char text[2][PATH_SIZE];

/* The link's target stands before the rest of the path. */
static int follow(struct walk *walk, const struct node *link, const char *rest)
{
	char *to = text[walk->links++ % 2];
	uint64_t length = 0;

	if (walk->links > LINKS_MAX)
		return -ELOOP;
	while (rest[length])
		length++;
	if (link->size + length >= PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(to, direct(link->gpa), link->size);
	memcpy(to + link->size, rest, length + 1);
	walk->rest = to;
	if (*to == '/')
		walk->node = node_root;
	return 0;
}

static struct node *step(struct node *node, const char *name, uint32_t size)
{
	if (size == 1 && name[0] == '.')
		return node;
	if (size == 2 && name[0] == '.' && name[1] == '.')
		return node->parent;
	return node_find(node, name, size);
}

static const char *skip_slashes(const char *path)
{
	while (*path == '/')
		path++;
	return path;
}

int path_find(const char *path, struct node *directory, bool follows, struct node **found,
	      bool *parent_found)
{
	struct walk walk = {.node = *path == '/' ? node_root : directory, .rest = path};

	*parent_found = false;
	if (!*path)
		return -ENOENT;
	while (*(path = skip_slashes(walk.rest))) {
		uint32_t size = 0;
		struct node *next;
		bool is_last;

		while (path[size] && path[size] != '/')
			size++;
		is_last = !*skip_slashes(path + size);
		if (!node_is(walk.node, MODE_DIRECTORY))
			return -ENOTDIR;
		if (size > NODE_NAME_MAX)
			return -ENAMETOOLONG;
		next = step(walk.node, path, size);
		*parent_found = is_last;
		if (!next)
			return -ENOENT;
		if (node_is(next, MODE_LINK) && (!is_last || follows || path[size])) {
			int error = follow(&walk, next, path + size);

			if (error)
				return error;
			continue;
		}
		walk.node = next;
		walk.rest = path + size;
		/* What a slash follows is a directory. */
		if (path[size] && !node_is(next, MODE_DIRECTORY))
			return -ENOTDIR;
	}
	*found = walk.node;
	return 0;
}

int path_start(int fd, const char *path, struct node **directory)
{
	const struct file *file;

	*directory = files_directory();
	if (*path == '/' || fd == PATH_HERE)
		return 0;
	file = files_find(fd);
	if (!file)
		return -EBADF;
	if (file->kind != FILE_NODE || !node_is(file->node, MODE_DIRECTORY))
		return -ENOTDIR;
	*directory = file->node;
	return 0;
}

/* The descriptor's own node, if it has one. */
static int node_of(int fd, struct node **found)
{
	const struct file *file;

	*found = files_directory();
	if (fd == PATH_HERE)
		return 0;
	file = files_find(fd);
	if (!file)
		return -EBADF;
	*found = file->kind == FILE_NODE ? file->node : NULL;
	return 0;
}

int path_at(int fd, uint64_t gva, uint32_t flags, struct node **found)
{
	struct node *directory;
	const char *path;
	bool parent_found;
	int error = path_take(gva, &path);

	if (error)
		return error;
	if (!*path && flags & PATH_EMPTY)
		return node_of(fd, found);
	error = *path ? path_start(fd, path, &directory) : -ENOENT;
	return error ? error
		     : path_find(path, directory, !(flags & PATH_NOFOLLOW), found, &parent_found);
}

uint64_t path_of(const struct node *node, char *path, uint64_t size)
{
	uint64_t length = 0, at;

	for (const struct node *up = node; up != node_root; up = up->parent)
		length += up->name_size + 1;
	if (!length)
		length = 1;
	if (length >= size)
		return size + 1;
	path[0] = '/';
	path[length] = 0;
	at = length;
	for (const struct node *up = node; up != node_root; up = up->parent) {
		at -= up->name_size;
		memcpy(&path[at], up->name, up->name_size);
		path[--at] = '/';
	}
	return length;
}
