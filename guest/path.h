/* SPDX-License-Identifier: MIT */
/* Paths that programs name. */
#ifndef GUEST_PATH_H
#define GUEST_PATH_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_SIZE 4096

#define PATH_HERE (-100) /* AT_FDCWD: from the process's directory */

/* Flags of the calls that take a directory's descriptor. */
#define PATH_NOFOLLOW 0x100
#define PATH_EMPTY    0x1000 /* an empty path is the descriptor itself */

struct node;

/*
 * A path of the program's, with a zero behind it: kept until the next call. -EFAULT, -ENAMETOOLONG.
 */
int path_take(uint64_t gva, const char **path);

/*
 * The node of a path from `directory` on. Symbolic links on the way are followed, the last one if
 * `follows`. -ENOENT (then *parent_found says whether all but the last part is there), -ENOTDIR,
 * -ELOOP, -ENAMETOOLONG.
 */
int path_find(const char *path, struct node *directory, bool follows, struct node **found,
	      bool *parent_found);

/* Where a path begins: -EBADF, -ENOTDIR. */
int path_start(int fd, const char *path, struct node **directory);

/* The node that (fd, path) names; flags as above. Of an open file that is no node: NULL. */
int path_at(int fd, uint64_t gva, uint32_t flags, struct node **found);

/*
 * Writes the path of a directory to `text` and returns its length without the zero; where it has
 * no room, more than `size`.
 */
uint64_t path_of(const struct node *node, char *text, uint64_t size);

#endif
