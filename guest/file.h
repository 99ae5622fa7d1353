/* SPDX-License-Identifier: MIT */
/*
 * Open files: what descriptors (files.h) stand for. One may have several descriptors, of several
 * processes, and lives until the last one is closed.
 */
#ifndef GUEST_FILE_H
#define GUEST_FILE_H

#include <stdbool.h>
#include <stdint.h>

/* Flags of open(), as on Linux x86-64. */
#define OPEN_ACCESS    0x3
#define OPEN_READ      0x0
#define OPEN_WRITE     0x1
#define OPEN_BOTH      0x2
#define OPEN_CREATE    0x40
#define OPEN_EXCLUSIVE 0x80
#define OPEN_TRUNCATE  0x200
#define OPEN_APPEND    0x400
#define OPEN_NONBLOCK  0x800
#define OPEN_DIRECT    0x4000
#define OPEN_LARGE     0x8000
#define OPEN_DIRECTORY 0x10000
#define OPEN_NOFOLLOW  0x20000
#define OPEN_CLOEXEC   0x80000

enum file_kind {
	FILE_CONSOLE, /* its input, at its end; or one of its outputs */
	FILE_PIPE,
	FILE_NODE, /* of the tree: a file, a directory, a device */
};

struct node;
struct pipe;

struct file {
	enum file_kind kind;
	unsigned int users;
	uint32_t flags;
	int console;	   /* 0: the input; 1, 2: an output */
	struct node *node; /* of FILE_NODE */
	struct pipe *pipe;
	uint64_t offset;
};

/* With one user; or NULL where memory is out. */
struct file *file_create(enum file_kind kind, uint32_t flags);

/* One user less. */
void file_put(struct file *file);

static inline bool file_can_read(const struct file *file)
{
	return (file->flags & OPEN_ACCESS) != OPEN_WRITE;
}

static inline bool file_can_write(const struct file *file)
{
	return (file->flags & OPEN_ACCESS) != OPEN_READ;
}

#endif
