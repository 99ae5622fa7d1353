/* SPDX-License-Identifier: MIT */
/* Snapshots, read (see origin.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ept/fault.h"
#include "ept/origin.h"
#include "ept/snapshot_format.h"
#include "ept/sum.h"

/* Runs and sums are as long as they must be, which is checked before they are read. */
#define PAGES_MAX (EPT_MEMORY_MAX >> HPT_PAGE_SHIFT)

__attribute__((format(printf, 2, 3))) static int refuse(struct ept_origin *origin,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(origin->message, sizeof(origin->message), format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

static int read_all(int fd, void *target, uint64_t size, uint64_t offset)
{
	char *bytes = target;

	while (size) {
		ssize_t done = pread(fd, bytes, size, (off_t)offset);

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

static int cannot_read(struct ept_origin *origin, int error)
{
	snprintf(origin->message, sizeof(origin->message), "cannot be read: %s", strerror(-error));
	return error;
}

static int check_header(struct ept_origin *origin, const struct snapshot_header *header)
{
	uint64_t sum = snapshot_header_sum(header);

	if (memcmp(header->magic, SNAPSHOT_MAGIC, sizeof(header->magic)))
		return refuse(origin,
			      "magic: found \"%.16s\", wanted \"" SNAPSHOT_MAGIC
			      "\": it is no snapshot",
			      header->magic);
	if (header->version != SNAPSHOT_VERSION)
		return refuse(origin, "version: found %" PRIu32 ", wanted %d", header->version,
			      SNAPSHOT_VERSION);
	if (header->sum != sum)
		return refuse(origin,
			      "checksum of the header: found 0x%" PRIx64 ", wanted 0x%" PRIx64, sum,
			      header->sum);
	if (header->range_count < 1 || header->range_count > EPT_RANGES_MAX)
		return refuse(origin, "range_count: found %" PRIu32 ", wanted 1 to %d",
			      header->range_count, EPT_RANGES_MAX);
	if (header->owner_size > SNAPSHOT_OWNER_MAX)
		return refuse(origin, "owner_size: found %" PRIu64 ", wanted at most %" PRIu64,
			      header->owner_size, SNAPSHOT_OWNER_MAX);
	if (header->page_count > PAGES_MAX)
		return refuse(origin, "page_count: found %" PRIu64 ", wanted at most %" PRIu64,
			      header->page_count, PAGES_MAX);
	if (header->run_count > header->page_count)
		return refuse(origin, "run_count: found %" PRIu64 ", wanted at most %" PRIu64,
			      header->run_count, header->page_count);
	return 0;
}

static int check_size(struct ept_origin *origin, const struct snapshot_header *header,
		      uint64_t size)
{
	if (header->file_size != snapshot_size(header))
		return refuse(origin, "file_size: found %" PRIu64 ", wanted %" PRIu64,
			      header->file_size, snapshot_size(header));
	if (size != header->file_size)
		return refuse(origin, "size of the file: found %" PRIu64 ", wanted %" PRIu64, size,
			      header->file_size);
	return 0;
}

/* Reads a part with the zeros behind it and checks its sum. An empty one is NULL. */
static int read_part(struct ept_origin *origin, const char *name, enum snapshot_part part,
		     uint64_t size, uint64_t offset, uint64_t wanted, void **bytes)
{
	uint64_t whole = snapshot_round(size);
	uint64_t sum;
	int ret;

	*bytes = NULL;
	if (!whole)
		return wanted == ept_sum(NULL, 0, part, 0)
			       ? 0
			       : refuse(origin, "checksum of the %s: found none, wanted 0x%" PRIx64,
					name, wanted);
	*bytes = malloc(whole);
	if (!*bytes)
		return cannot_read(origin, -ENOMEM);
	ret = read_all(origin->fd, *bytes, whole, offset);
	if (ret < 0)
		return cannot_read(origin, ret);
	sum = ept_sum(*bytes, whole, part, 0);
	if (sum != wanted)
		return refuse(origin, "checksum of the %s: found 0x%" PRIx64 ", wanted 0x%" PRIx64,
			      name, sum, wanted);
	return 0;
}

static bool is_ram(const struct ept_origin *origin, const struct snapshot_run *run)
{
	for (unsigned int i = 0; i < origin->range_count; i++) {
		uint64_t first = origin->ranges[i].start >> HPT_PAGE_SHIFT;
		uint64_t pages = origin->ranges[i].size >> HPT_PAGE_SHIFT;

		if (run->gfn >= first && run->gfn - first < pages &&
		    run->count <= pages - (run->gfn - first))
			return true;
	}
	return false;
}

static int check_runs(struct ept_origin *origin)
{
	uint64_t pages = 0, free = 0;

	for (uint64_t i = 0; i < origin->run_count; i++) {
		const struct snapshot_run *run = &origin->runs[i];

		if (!run->count || run->gfn < free || !is_ram(origin, run))
			return refuse(origin,
				      "runs[%" PRIu64 "]: found %" PRIu64 " pages from 0x%" PRIx64
				      " on, wanted pages of guest memory above 0x%" PRIx64,
				      i, run->count, run->gfn, free);
		free = run->gfn + run->count;
		pages += run->count;
	}
	if (pages != origin->page_count)
		return refuse(origin,
			      "page_count: found %" PRIu64 ", wanted %" PRIu64 " as in the runs",
			      origin->page_count, pages);
	return 0;
}

static int read_index(struct ept_origin *origin, const struct snapshot_header *header)
{
	void *runs = NULL, *sums = NULL;
	int ret = read_part(origin, "owner's part", SNAPSHOT_OWNER, header->owner_size,
			    SNAPSHOT_BLOCK, header->owner_sum, &origin->owner);

	if (ret == 0)
		ret = read_part(origin, "runs", SNAPSHOT_RUNS,
				header->run_count * sizeof(struct snapshot_run),
				snapshot_runs_at(header), header->runs_sum, &runs);
	origin->runs = runs;
	if (ret == 0)
		ret = read_part(origin, "checksums", SNAPSHOT_SUMS,
				header->page_count * sizeof(uint64_t), snapshot_sums_at(header),
				header->sums_sum, &sums);
	origin->sums = sums;
	return ret == 0 ? check_runs(origin) : ret;
}

static int read_header(struct ept_origin *origin)
{
	struct snapshot_header header;
	struct stat status;
	int ret;

	if (fstat(origin->fd, &status) < 0)
		return cannot_read(origin, -errno);
	if (!S_ISREG(status.st_mode))
		return refuse(origin, "kind: found no regular file, wanted one");
	if ((uint64_t)status.st_size < sizeof(header))
		return refuse(origin, "size of the file: found %" PRIu64 ", wanted at least %zu",
			      (uint64_t)status.st_size, sizeof(header));
	ret = read_all(origin->fd, &header, sizeof(header), 0);
	if (ret < 0)
		return cannot_read(origin, ret);
	ret = check_header(origin, &header);
	if (ret == 0)
		ret = check_size(origin, &header, (uint64_t)status.st_size);
	if (ret < 0)
		return ret;
	memcpy(origin->ranges, header.ranges, sizeof(origin->ranges));
	origin->range_count = header.range_count;
	origin->page_count = header.page_count;
	origin->run_count = header.run_count;
	origin->owner_size = header.owner_size;
	origin->pages_at = snapshot_pages_at(&header);
	return read_index(origin, &header);
}

int ept_origin_open(struct ept_origin *origin, const char *path, const char **what)
{
	int ret;

	*origin = (struct ept_origin){0};
	*what = origin->message;
	/* Not to wait for a writer where the name is a pipe's. */
	origin->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (origin->fd < 0)
		return cannot_read(origin, -errno);
	ret = read_header(origin);
	if (ret < 0)
		ept_origin_close(origin);
	return ret;
}

void ept_origin_close(struct ept_origin *origin)
{
	if (origin->fd >= 0)
		close(origin->fd);
	free(origin->runs);
	free(origin->sums);
	free(origin->owner);
	origin->fd = -1;
	origin->runs = NULL;
	origin->sums = NULL;
	origin->owner = NULL;
}

static void note_run(struct ept *ept, const struct snapshot_run *run)
{
	uint64_t end = run->gfn + run->count;

	for (uint64_t gfn = run->gfn, next; gfn < end; gfn = next) {
		next = ept_block_start(gfn) + HPT_LARGE_PAGES;
		if (next > end)
			next = end;
		ept_block_note(ept, gfn, 0, (int)(next - gfn));
	}
}

static int map_runs(struct ept *ept, const struct ept_origin *origin)
{
	uint64_t place = 0;

	for (uint64_t i = 0; i < origin->run_count; i++) {
		const struct snapshot_run *run = &origin->runs[i];
		uint64_t entry = hpt_swap_entry(EPT_ORIGIN_FIRST + place, HPT_WRITE);
		int ret =
			hpt_map_range(&ept->table, hpt_key(0, run->gfn, HPT_4K), run->count, entry);

		if (ret < 0)
			return ret;
		note_run(ept, run);
		place += run->count;
	}
	return 0;
}

int ept_restore(struct ept *ept, const struct ept_origin *origin, const char **what)
{
	int ret;

	*what = "the snapshot is of other guest memory";
	if (ept->config.range_count != origin->range_count ||
	    memcmp(ept->config.ranges, origin->ranges,
		   origin->range_count * sizeof(origin->ranges[0])))
		return -EINVAL;
	*what = EPT_NO_TABLE_MEMORY;
	pthread_mutex_lock(&ept->lock);
	ret = map_runs(ept, origin);
	ept->origin = origin;
	pthread_mutex_unlock(&ept->lock);
	return ret;
}

static int read_pages(const struct ept_origin *origin, uint64_t place, uint64_t gfn,
		      unsigned int count, void *pages)
{
	int ret;

	if (place >= origin->page_count || count > origin->page_count - place)
		return -EBADMSG;
	ret = read_all(origin->fd, pages, count * HPT_PAGE_SIZE,
		       origin->pages_at + place * HPT_PAGE_SIZE);
	for (unsigned int i = 0; i < count && ret == 0; i++) {
		const char *page = (const char *)pages + i * HPT_PAGE_SIZE;

		if (ept_sum(page, HPT_PAGE_SIZE, place + i, gfn + i) != origin->sums[place + i])
			ret = -EBADMSG;
	}
	return ret;
}

int ept_away_read(const struct ept *ept, uint64_t location, uint64_t gfn, unsigned int count,
		  void *pages, const char **reason)
{
	bool in_origin = ept->origin && ept_in_origin(location);
	int ret = in_origin
			  ? read_pages(ept->origin, location - EPT_ORIGIN_FIRST, gfn, count, pages)
			  : ept_swap_read(ept->swap, location, gfn, count, pages);

	if (ret == 0)
		return 0;
	if (ret == -EBADMSG)
		*reason = in_origin ? "the snapshot is damaged: the checksum of a page is wrong"
				    : "the swap file has lost a page: its checksum is wrong";
	else
		*reason = in_origin ? "the snapshot cannot be read"
				    : "the swap file cannot be read: its device fails";
	return -EIO;
}
