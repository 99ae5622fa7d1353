/* SPDX-License-Identifier: MIT */
/* Snapshots, written (see save.h). */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ept/save.h"
#include "ept/snapshot_format.h"
#include "ept/sum.h"

/* Pages that are written with one call. */
#define BATCH 64

static int failed(struct ept_save *save, int error, const char *what)
{
	snprintf(save->message, sizeof(save->message), "%s: %s", what, strerror(-error));
	return error;
}

/* A regular file, and of this process alone: one that another has just renamed is not it. */
static int lock(struct ept_save *save)
{
	struct stat opened, named;

	if (flock(save->fd, LOCK_EX | LOCK_NB) < 0 || fstat(save->fd, &opened) < 0 ||
	    stat(save->temporary, &named) < 0 || opened.st_ino != named.st_ino ||
	    opened.st_dev != named.st_dev)
		return failed(save, -EBUSY, "another process writes a snapshot of this name");
	if (!S_ISREG(opened.st_mode))
		return failed(save, -EINVAL, "its .tmp is no regular file");
	return ftruncate(save->fd, 0) < 0 ? failed(save, -errno, "its .tmp cannot be emptied") : 0;
}

int ept_save_open(struct ept_save *save, const char *path, const char **what)
{
	int ret = 0;

	*save = (struct ept_save){.fd = -1, .path = path};
	*what = save->message;
	if (asprintf(&save->temporary, "%s.tmp", path) < 0) {
		save->temporary = NULL;
		return failed(save, -ENOMEM, "its name");
	}
	save->fd = open(save->temporary, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (save->fd < 0)
		ret = failed(save, -errno, "its .tmp cannot be opened for writing");
	if (ret == 0)
		ret = lock(save);
	if (ret < 0) {
		save->is_done = true; /* whatever is there is not ours */
		ept_save_close(save);
	}
	return ret;
}

void ept_save_close(struct ept_save *save)
{
	if (save->fd >= 0 && !save->is_done)
		(void)unlink(save->temporary);
	if (save->fd >= 0)
		close(save->fd);
	free(save->temporary);
	save->fd = -1;
	save->temporary = NULL;
}

/* A file that is being written. */
struct writer {
	struct ept *ept;
	int fd;
	uint64_t *touched; /* a bit for each page from the first range's start on */
	uint64_t first;	   /* that page */
	uint64_t span;	   /* so many pages to the end of the last range */
	struct snapshot_header header;
	struct snapshot_run *runs;
	uint64_t runs_room;
	uint64_t *sums;
	uint64_t sums_room;
	uint64_t offset; /* where the next batch of pages goes */
	unsigned int buffered;
	char *buffer; /* of BATCH pages */
};

static int write_all(int fd, const void *source, uint64_t size, uint64_t offset)
{
	const char *bytes = source;

	while (size) {
		ssize_t done = pwrite(fd, bytes, size, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		offset += (uint64_t)done;
		size -= (uint64_t)done;
	}
	return 0;
}

/* Room for one more in an array that doubles. */
static int make_room(void **array, uint64_t count, uint64_t *room, size_t size)
{
	uint64_t more = *room ? 2 * *room : 1024;
	void *moved;

	if (count < *room)
		return 0;
	moved = realloc(*array, more * size);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = more;
	return 0;
}

/* Notes which pages the table knows, whatever the size of the entry. */
static uint64_t note(void *context, struct hpt_key key, uint64_t entry)
{
	struct writer *writer = context;
	bool is_zero = entry & HPT_SWAPPED && hpt_swap_location(entry) == EPT_SWAP_ZERO;

	for (uint64_t gfn = key.vpn; gfn < key.vpn + hpt_pages_in(key.size) && !is_zero; gfn++) {
		uint64_t index = gfn - writer->first;

		if (index < writer->span)
			writer->touched[index / 64] |= UINT64_C(1) << index % 64;
	}
	return entry;
}

static int find_touched(struct writer *writer)
{
	const struct ept_config *config = &writer->ept->config;
	const struct ept_range *last = &config->ranges[config->range_count - 1];
	int ret;

	writer->first = config->ranges[0].start >> HPT_PAGE_SHIFT;
	writer->span = ((last->start + last->size) >> HPT_PAGE_SHIFT) - writer->first;
	writer->touched = calloc((writer->span + 63) / 64, sizeof(*writer->touched));
	if (!writer->touched)
		return -ENOMEM;
	pthread_mutex_lock(&writer->ept->lock);
	ret = hpt_visit(&writer->ept->table, note, writer);
	pthread_mutex_unlock(&writer->ept->lock);
	return ret;
}

static int flush(struct writer *writer)
{
	uint64_t size = writer->buffered * HPT_PAGE_SIZE;
	int ret = write_all(writer->fd, writer->buffer, size, writer->offset);

	writer->offset += size;
	writer->buffered = 0;
	return ret;
}

static int add_to_index(struct writer *writer, uint64_t gfn, uint64_t sum)
{
	struct snapshot_header *header = &writer->header;
	struct snapshot_run *last = header->run_count ? &writer->runs[header->run_count - 1] : NULL;
	int ret = make_room((void **)&writer->sums, header->page_count, &writer->sums_room,
			    sizeof(*writer->sums));

	if (ret == 0)
		writer->sums[header->page_count++] = sum;
	if (ret == 0 && last && last->gfn + last->count == gfn) {
		last->count++;
		return 0;
	}
	if (ret == 0)
		ret = make_room((void **)&writer->runs, header->run_count, &writer->runs_room,
				sizeof(*writer->runs));
	if (ret == 0)
		writer->runs[header->run_count++] = (struct snapshot_run){.gfn = gfn, .count = 1};
	return ret;
}

static int add_page(struct writer *writer, uint64_t gfn)
{
	char *page = writer->buffer + writer->buffered * HPT_PAGE_SIZE;
	int ret = ept_peek(writer->ept, gfn << HPT_PAGE_SHIFT, page, HPT_PAGE_SIZE);
	uint64_t sum;

	if (ret < 0 || ept_swap_is_zero(page))
		return ret;
	sum = ept_sum(page, HPT_PAGE_SIZE, writer->header.page_count, gfn);
	ret = add_to_index(writer, gfn, sum);
	if (ret < 0)
		return ret;
	return ++writer->buffered == BATCH ? flush(writer) : 0;
}

static int write_pages(struct writer *writer)
{
	int ret = 0;

	for (uint64_t word = 0; word < (writer->span + 63) / 64 && ret == 0; word++) {
		for (uint64_t bits = writer->touched[word]; bits && ret == 0; bits &= bits - 1)
			ret = add_page(writer, writer->first + word * 64 +
						       (unsigned int)__builtin_ctzll(bits));
	}
	return ret == 0 ? flush(writer) : ret;
}

/* Writes a part, and zeros to the end of its last block. */
static int write_part(struct writer *writer, enum snapshot_part part, const void *bytes,
		      uint64_t size, uint64_t offset, uint64_t *sum)
{
	uint64_t whole = snapshot_round(size);
	char *copy = calloc(1, whole + 1);
	int ret;

	if (!copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, bytes, size);
	*sum = ept_sum(copy, whole, part, 0);
	ret = write_all(writer->fd, copy, whole, offset);
	free(copy);
	return ret;
}

static int write_index(struct writer *writer)
{
	struct snapshot_header *header = &writer->header;
	int ret = write_part(writer, SNAPSHOT_RUNS, writer->runs,
			     header->run_count * sizeof(*writer->runs), snapshot_runs_at(header),
			     &header->runs_sum);

	if (ret == 0)
		ret = write_part(writer, SNAPSHOT_SUMS, writer->sums,
				 header->page_count * sizeof(*writer->sums),
				 snapshot_sums_at(header), &header->sums_sum);
	return ret;
}

static int write_header(struct writer *writer)
{
	struct snapshot_header *header = &writer->header;

	header->file_size = snapshot_size(header);
	header->sum = snapshot_header_sum(header);
	return write_all(writer->fd, header, sizeof(*header), 0);
}

static void begin(struct writer *writer, uint64_t owner_size)
{
	struct snapshot_header *header = &writer->header;
	const struct ept_config *config = &writer->ept->config;

	memcpy(header->magic, SNAPSHOT_MAGIC, sizeof(SNAPSHOT_MAGIC));
	header->version = SNAPSHOT_VERSION;
	header->range_count = config->range_count;
	memcpy(header->ranges, config->ranges, config->range_count * sizeof(config->ranges[0]));
	header->owner_size = owner_size;
	writer->offset = snapshot_pages_at(header);
}

static int write_file(struct writer *writer, const void *owner, uint64_t owner_size)
{
	int ret = writer->buffer ? find_touched(writer) : -ENOMEM;

	begin(writer, owner_size);
	if (ret == 0)
		ret = write_part(writer, SNAPSHOT_OWNER, owner, owner_size, SNAPSHOT_BLOCK,
				 &writer->header.owner_sum);
	if (ret == 0)
		ret = write_pages(writer);
	if (ret == 0)
		ret = write_index(writer);
	if (ret == 0)
		ret = write_header(writer);
	return ret;
}

/* The name is on the disk when the directory is. */
static int sync_directory(const char *path)
{
	char *copy = strdup(path);
	int fd, ret = 0;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0 && errno != EINVAL) /* a file system that has no such thing */
		ret = -errno;
	close(fd);
	return ret;
}

static int give_name(struct ept_save *save)
{
	if (fsync(save->fd) < 0)
		return failed(save, -errno, "it cannot be written to the disk");
	if (rename(save->temporary, save->path) < 0)
		return failed(save, -errno, "its .tmp cannot be renamed");
	save->is_done = true;
	return 0;
}

int ept_save_write(struct ept_save *save, struct ept *ept, const void *owner, uint64_t owner_size,
		   const char **what)
{
	struct writer writer = {.ept = ept, .fd = save->fd};
	int ret;

	*what = save->message;
	writer.buffer = malloc(BATCH * HPT_PAGE_SIZE);
	ret = owner_size > SNAPSHOT_OWNER_MAX ? -EINVAL : write_file(&writer, owner, owner_size);
	free(writer.buffer);
	free(writer.touched);
	free(writer.runs);
	free(writer.sums);
	if (ret < 0)
		return failed(save, ret, "it cannot be written");
	save->pages = writer.header.page_count;
	save->bytes = writer.header.file_size;
	ret = give_name(save);
	if (ret == 0 && sync_directory(save->path) < 0)
		ret = failed(save, -EIO, "its directory cannot be written to the disk");
	return ret;
}
