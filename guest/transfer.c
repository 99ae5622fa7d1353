/* SPDX-License-Identifier: MIT */
/* See transfer.h. As on Linux, the descriptor is looked at first, then the memory, then the file.
 */
#include "guest/transfer.h"

#include <errno.h>
#include <stdbool.h>

#include "guest/console.h"
#include "guest/fault.h"
#include "guest/file.h"
#include "guest/files.h"
#include "guest/frames.h"
#include "guest/node.h"
#include "guest/parts.h"
#include "guest/pipe.h"

#define SEEK_START   0
#define SEEK_CURRENT 1
#define SEEK_LAST    2 /* the end */
#define SEEK_DATA    3
#define SEEK_HOLE    4

/* To the console: where the bytes are, and a doorbell for each page of them. */
static int64_t write_console(int console, const struct parts *parts)
{
	uint64_t done = 0;

	while (done < parts->total) {
		uint64_t size;
		uint64_t gva = parts_at(parts, done, &size);
		char *bytes = fault_user_byte(gva, ACCESS_READ);

		if (!bytes)
			return done ? (int64_t)done : -EFAULT;
		console_write(console, (uint64_t)bytes - DIRECT_BASE, (uint32_t)size);
		done += size;
	}
	return (int64_t)done;
}

/* A part of a file, from where it lies in the archive. */
static int64_t read_file(const struct node *node, uint64_t offset, const struct parts *parts)
{
	uint64_t done = 0;
	uint64_t rest = offset < node->size ? node->size - offset : 0;

	if (rest > parts->total)
		rest = parts->total;
	while (done < rest) {
		uint64_t size = rest - done < HPT_PAGE_SIZE ? rest - done : HPT_PAGE_SIZE;

		if (parts_write(parts, done, direct(node->gpa + offset + done), size))
			return done ? (int64_t)done : -EFAULT;
		done += size;
	}
	return (int64_t)done;
}

static int64_t read_node(const struct node *node, uint64_t offset, const struct parts *parts)
{
	if (node_is(node, MODE_DIRECTORY))
		return -EISDIR;
	if (node_is(node, MODE_FILE))
		return read_file(node, offset, parts);
	if (node->device == DEVICE_NULL)
		return 0;
	return parts_clear(parts, 0, parts->total) ? -EFAULT : (int64_t)parts->total;
}

static int64_t read(struct file *file, const struct parts *parts)
{
	int64_t result;

	if (file->kind == FILE_CONSOLE)
		return 0;
	if (file->kind == FILE_PIPE)
		return pipe_read(file, parts);
	result = read_node(file->node, file->offset, parts);
	if (result > 0 && node_is(file->node, MODE_FILE))
		file->offset += (uint64_t)result;
	return result;
}

/* Of nodes only devices can be open for writing, and they take everything. */
static int64_t write(struct file *file, const struct parts *parts)
{
	if (file->kind == FILE_CONSOLE)
		return write_console(file->console, parts);
	if (file->kind == FILE_PIPE)
		return pipe_write(file, parts);
	return (int64_t)parts->total;
}

/* The file if it can be read (written), or NULL: -EBADF. */
static struct file *find(int fd, bool is_write)
{
	struct file *file = files_find(fd);

	return file && (is_write ? file_can_write(file) : file_can_read(file)) ? file : NULL;
}

int64_t transfer_read(int fd, uint64_t gva, uint64_t size)
{
	struct file *file = find(fd, false);
	struct parts parts;

	if (!file)
		return -EBADF;
	return parts_of(gva, size, &parts) ? -EFAULT : read(file, &parts);
}

int64_t transfer_write(int fd, uint64_t gva, uint64_t size)
{
	struct file *file = find(fd, true);
	struct parts parts;

	if (!file)
		return -EBADF;
	return parts_of(gva, size, &parts) ? -EFAULT : write(file, &parts);
}

int64_t transfer_read_vector(int fd, uint64_t vector, uint64_t count)
{
	struct file *file = find(fd, false);
	struct parts parts;
	int error;

	if (!file)
		return -EBADF;
	error = parts_of_vector(vector, count, &parts);
	return error ? error : read(file, &parts);
}

int64_t transfer_write_vector(int fd, uint64_t vector, uint64_t count)
{
	struct file *file = find(fd, true);
	struct parts parts;
	int error;

	if (!file)
		return -EBADF;
	error = parts_of_vector(vector, count, &parts);
	return error ? error : write(file, &parts);
}

int64_t transfer_read_at(int fd, uint64_t gva, uint64_t size, int64_t offset)
{
	struct file *file = files_find(fd);
	struct parts parts;

	if (offset < 0)
		return -EINVAL;
	if (!file)
		return -EBADF;
	if (file->kind != FILE_NODE)
		return -ESPIPE;
	if (!file_can_read(file))
		return -EBADF;
	if (parts_of(gva, size, &parts))
		return -EFAULT;
	return read_node(file->node, (uint64_t)offset, &parts);
}

int64_t transfer_write_at(int fd, uint64_t gva, uint64_t size, int64_t offset)
{
	struct file *file = files_find(fd);
	struct parts parts;

	if (offset < 0)
		return -EINVAL;
	if (!file)
		return -EBADF;
	if (file->kind != FILE_NODE)
		return -ESPIPE;
	if (!file_can_write(file))
		return -EBADF;
	return parts_of(gva, size, &parts) ? -EFAULT : (int64_t)parts.total;
}

/* There are no holes. */
static int64_t seek_data(struct file *file, int64_t offset, uint32_t from)
{
	uint64_t size = file->node->size;

	if (offset < 0 || (uint64_t)offset >= size)
		return -ENXIO;
	file->offset = from == SEEK_DATA ? (uint64_t)offset : size;
	return (int64_t)file->offset;
}

int64_t transfer_seek(int fd, int64_t offset, uint32_t from)
{
	struct file *file = files_find(fd);
	int64_t base = 0;

	if (!file)
		return -EBADF;
	if (from > SEEK_HOLE)
		return -EINVAL;
	if (file->kind != FILE_NODE)
		return -ESPIPE;
	if (node_is(file->node, MODE_CHARACTERS))
		return 0;
	if (from >= SEEK_DATA)
		return seek_data(file, offset, from);
	if (from == SEEK_CURRENT)
		base = (int64_t)file->offset;
	else if (from == SEEK_LAST)
		base = (int64_t)file->node->size;
	if (__builtin_add_overflow(base, offset, &offset))
		return -EOVERFLOW;
	if (offset < 0)
		return -EINVAL;
	file->offset = (uint64_t)offset;
	return offset;
}
