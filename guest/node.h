/* SPDX-License-Identifier: MIT */
/*
 * The tree of files: what the initial archive holds (archive.h), and /dev with what is always
 * there. It is made at boot and never changes.
 */
#ifndef GUEST_NODE_H
#define GUEST_NODE_H

#include <stdbool.h>
#include <stdint.h>

#define MODE_TYPE	0170000
#define MODE_FIFO	0010000
#define MODE_CHARACTERS 0020000
#define MODE_DIRECTORY	0040000
#define MODE_FILE	0100000
#define MODE_LINK	0120000
#define MODE_EXECUTABLE 0000111
#define MODE_PERMISSION 0007777

#define NODE_NAME_MAX 255

/* What a device's numbers are, and those that there are drivers for. */
#define DEVICE(major, minor) ((major) << 8 | (minor))
#define DEVICE_NULL	     DEVICE(1, 3)
#define DEVICE_ZERO	     DEVICE(1, 5)

struct node {
	struct node *parent;	   /* of the root, itself */
	struct node *first, *last; /* of a directory: what is in it */
	struct node *next;	   /* in the same directory */
	struct node *next_alike;   /* of those whose names have the same hash */
	const char *name;	   /* without a zero behind it */
	uint32_t name_size;
	uint32_t hash; /* of the name and the directory */
	uint32_t mode;
	uint32_t links; /* of a directory, it and those in it */
	uint32_t user, group;
	uint32_t device;
	uint32_t modified; /* seconds since 1970 */
	uint64_t number;
	uint64_t gpa; /* of what a file holds, or where a link leads; it may begin anywhere */
	uint64_t size;
	struct node *next_linked; /* archive.c: other names of the same file, before it */
	unsigned int linked_in;	  /* which of such lists it is in; 0: none */
};

extern struct node *node_root;

static inline bool node_is(const struct node *node, uint32_t type)
{
	return (node->mode & MODE_TYPE) == type;
}

/* The root and /dev. */
void node_start(void);

/* What a directory holds by that name, or NULL. */
struct node *node_find(const struct node *directory, const char *name, uint32_t size);

/* The same, made if it is not there: without type. Memory that is out ends the guest. */
struct node *node_make(struct node *directory, const char *name, uint32_t size);

/* A node has become a directory; what it was before is forgotten. */
void node_make_directory(struct node *node, uint32_t permission);

#endif
