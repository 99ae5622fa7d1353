/* SPDX-License-Identifier: MIT */
/* See archive.h. */
#include "guest/archive.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/frames.h"
#include "guest/node.h"

#define DIGITS	   8
#define MAGIC_SIZE 6
#define ALIGNMENT  4
#define PATH_MAX   4096

/* As it lies in the archive: hexadecimal digits. */
struct header {
	char magic[MAGIC_SIZE];
	char number[DIGITS];
	char mode[DIGITS];
	char user[DIGITS];
	char group[DIGITS];
	char links[DIGITS];
	char modified[DIGITS];
	char size[DIGITS];
	char place_major[DIGITS];
	char place_minor[DIGITS];
	char device_major[DIGITS];
	char device_minor[DIGITS];
	char name_size[DIGITS];
	char check[DIGITS];
};

_Static_assert(sizeof(struct header) == 110, "the header of newc");

/* What is being read. */
static struct {
	uint64_t at; /* offset into the archive */
	uint64_t size;
	unsigned int entry;
} archive;

/*
 * Names of one file with several: all but the last have no data of their own. By the number that
 * the archive gives the file.
 */
static struct {
	struct node *first;
	uint64_t number;
	unsigned int list;
} linked;

static const char *bytes_at(uint64_t offset)
{
	return direct(boot.archive.start + offset);
}

static uint64_t aligned(uint64_t offset)
{
	return (offset + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
}

static uint32_t field(const char *digits, const char *name)
{
	uint32_t value = 0;
	char text[DIGITS + 1];

	for (unsigned int i = 0; i < DIGITS; i++) {
		char digit = digits[i];

		if (digit >= '0' && digit <= '9') {
			value = value << 4 | (uint32_t)(digit - '0');
		} else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') {
			value = value << 4 | (uint32_t)((digit | 0x20) - 'a' + 10);
		} else {
			for (unsigned int j = 0; j < DIGITS; j++)
				text[j] = digits[j] >= ' ' && digits[j] < 127 ? digits[j] : '?';
			text[DIGITS] = 0;
			refuse("archive: entry %u: %s: found '%s', wanted 8 hexadecimal digits",
			       archive.entry, name, text);
		}
	}
	return value;
}

static bool is_trailer(const char *name)
{
	static const char trailer[] = "TRAILER!!!";
	unsigned int i = 0;

	while (i < sizeof(trailer) && name[i] == trailer[i])
		i++;
	return i == sizeof(trailer);
}

/* The part of the path up to a slash or its end. */
static uint32_t part_size(const char *path)
{
	uint32_t size = 0;

	while (path[size] && path[size] != '/')
		size++;
	if (size > NODE_NAME_MAX)
		refuse("archive: entry %u: name: found a part of %u bytes, wanted at most %u",
		       archive.entry, size, NODE_NAME_MAX);
	if (size == 2 && path[0] == '.' && path[1] == '.')
		refuse("archive: entry %u: name: found '..' in it, wanted a path without",
		       archive.entry);
	return size;
}

/* The node of a path: directories on the way to it are made, if the archive has not named them. */
static struct node *make_path(const char *path)
{
	struct node *node = node_root;

	for (;;) {
		uint32_t size;

		while (*path == '/')
			path++;
		size = part_size(path);
		if (!size)
			return node;
		if (!node_is(node, MODE_DIRECTORY)) {
			if (node->mode)
				refuse("archive: entry %u: name: found a path through what is no "
				       "directory",
				       archive.entry);
			node_make_directory(node, 0755);
		}
		if (size != 1 || path[0] != '.')
			node = node_make(node, path, size);
		path += size;
	}
}

/* The one that comes with data gives them to those before it. */
static void share_data(struct node *node, uint64_t number)
{
	if (!linked.first || number != linked.number) {
		linked.first = NULL;
		linked.number = number;
		linked.list++;
	}
	if (node->linked_in != linked.list) {
		node->linked_in = linked.list;
		node->next_linked = linked.first;
		linked.first = node;
	}
	if (!node->size)
		return;
	for (struct node *other = linked.first; other; other = other->next_linked) {
		other->gpa = node->gpa;
		other->size = node->size;
		other->number = node->number;
	}
}

static void enter_file(struct node *node, const struct header *header, uint32_t mode, uint64_t data,
		       uint32_t size)
{
	if (node_is(node, MODE_DIRECTORY))
		refuse("archive: entry %u: mode: found %x for what is a directory already, wanted "
		       "one",
		       archive.entry, mode);
	node->mode = mode;
	node->links = field(header->links, "nlink");
	node->gpa = boot.archive.start + data;
	node->size = size;
	node->device = DEVICE(field(header->device_major, "rdevmajor"),
			      field(header->device_minor, "rdevminor"));
	if (node_is(node, MODE_FILE) && node->links > 1)
		share_data(node, (uint64_t)field(header->place_minor, "devminor") << 32 |
					 field(header->number, "ino"));
}

static void enter(const struct header *header, const char *name, uint64_t data, uint32_t size)
{
	uint32_t mode = field(header->mode, "mode");
	uint32_t type = mode & MODE_TYPE;
	struct node *node = make_path(name);

	if (type != MODE_DIRECTORY && type != MODE_FILE && type != MODE_LINK &&
	    type != MODE_CHARACTERS)
		refuse("archive: entry %u: mode: found %x, wanted a directory, a file, a symbolic "
		       "link or a character device",
		       archive.entry, mode);
	if (type == MODE_LINK && (!size || size >= PATH_MAX))
		refuse("archive: entry %u: filesize: found %u for a symbolic link, wanted 1 to %u",
		       archive.entry, size, PATH_MAX - 1);
	if (type == MODE_DIRECTORY && node != node_root)
		node_make_directory(node, mode & MODE_PERMISSION);
	else if (type == MODE_DIRECTORY)
		node->mode = mode;
	else
		enter_file(node, header, mode, data, size);
	node->user = field(header->user, "uid");
	node->group = field(header->group, "gid");
	node->modified = field(header->modified, "mtime");
}

static bool has_magic(const struct header *header)
{
	static const char magic[] = "07070";
	char last = header->magic[MAGIC_SIZE - 1];

	for (unsigned int i = 0; i < MAGIC_SIZE - 1; i++) {
		if (header->magic[i] != magic[i])
			return false;
	}
	return last == '1' || last == '2';
}

static void check_rest(uint64_t at, uint64_t size, const char *what)
{
	if (at > archive.size || size > archive.size - at)
		refuse("archive: entry %u: %s: found %lu bytes at offset %lu, wanted them within "
		       "the archive's %lu",
		       archive.entry, what, size, at, archive.size);
}

/* False behind the last one. */
static bool read_entry(void)
{
	const struct header *header = (const void *)bytes_at(archive.at);
	uint64_t name = archive.at + sizeof(*header);
	uint32_t name_size, size;
	uint64_t data;

	check_rest(archive.at, sizeof(*header), "header");
	if (!has_magic(header))
		refuse("archive: entry %u: magic: found bytes %x %x %x %x at offset %lu, wanted "
		       "070701 or 070702 (cpio -H newc, not compressed)",
		       archive.entry, (uint8_t)header->magic[0], (uint8_t)header->magic[1],
		       (uint8_t)header->magic[2], (uint8_t)header->magic[3], archive.at);
	name_size = field(header->name_size, "namesize");
	size = field(header->size, "filesize");
	if (!name_size || name_size > PATH_MAX)
		refuse("archive: entry %u: namesize: found %u, wanted 1 to %u", archive.entry,
		       name_size, PATH_MAX);
	check_rest(name, name_size, "name");
	if (bytes_at(name)[name_size - 1])
		refuse("archive: entry %u: name: found no zero at its end, wanted one",
		       archive.entry);
	data = aligned(name + name_size);
	check_rest(data, size, "filesize");
	archive.at = aligned(data + size);
	if (is_trailer(bytes_at(name)))
		return false;
	enter(header, bytes_at(name), data, size);
	return true;
}

/* Zeroes behind an archive, up to the next one. */
static void skip_padding(void)
{
	while (archive.at < archive.size && !*bytes_at(archive.at))
		archive.at += ALIGNMENT;
}

void archive_start(void)
{
	archive.size = boot.archive.end - boot.archive.start;
	while (archive.at < archive.size) {
		do {
			archive.entry++;
		} while (read_entry());
		linked.first = NULL;
		skip_padding();
	}
}
