/* SPDX-License-Identifier: MIT */
/* The VMM's ways to guest memory and to what the table says (see ept.h). */
#include <errno.h>
#include <string.h>

#include "ept/ept.h"
#include "ept/fault.h"
#include "ept/origin.h"
#include "ept/part.h"

static gpa_t range_end(const struct ept_range *range)
{
	return range->start + range->size;
}

/* Whether each byte of [gpa, gpa + size) is guest RAM. Ranges may touch each other. */
static bool is_ram(const struct ept *ept, gpa_t gpa, uint64_t size)
{
	uint64_t end;

	if (__builtin_add_overflow(gpa, size, &end))
		return false;
	for (unsigned int i = 0; i < ept->config.range_count && gpa < end; i++) {
		const struct ept_range *range = &ept->config.ranges[i];

		if (gpa < range->start)
			return false;
		if (gpa < range_end(range))
			gpa = range_end(range);
	}
	return gpa >= end;
}

/* The part of a copy that lies in one page. The lock keeps the page where it is meanwhile. */
static int copy_part(struct ept *ept, gpa_t gpa, char *target, const char *source, uint64_t size)
{
	const char *reason;
	struct ept_fill fill;
	char *page;
	int ret =
		ept_fill(ept, gpa >> HPT_PAGE_SHIFT, target ? EPT_READ : EPT_WRITE, &fill, &reason);

	if (ret < 0)
		return ret;
	page = (char *)ept_pool_frame(&ept->pool, hpt_frame(fill.entry)) + gpa % HPT_PAGE_SIZE;
	if (fill.found == EPT_NEW) {
		ept->counts.copies++;
		ept->counts.around += fill.pages - 1;
		ret = ept_pool_populate(&ept->pool, ept_fill_frame(&fill), fill.pages);
		if (ret == 0)
			ret = ept_place_show(ept, fill.gfn, &fill.place);
	}
	if (ret == 0 && target)
		memcpy(target, page, size);
	else if (ret == 0 && source)
		memcpy(page, source, size);
	else if (ret == 0)
		memset(page, 0, size);
	ept_filled(ept, &fill);
	return ret;
}

static int copy_page(struct ept *ept, gpa_t gpa, char *target, const char *source, uint64_t size)
{
	int ret;

	pthread_mutex_lock(&ept->lock);
	ret = copy_part(ept, gpa, target, source, size);
	pthread_mutex_unlock(&ept->lock);
	return ret;
}

/* Copies out of the guest if `target` is given, else into it, from `source` or zeros. */
static int copy(struct ept *ept, gpa_t gpa, char *target, const char *source, uint64_t size)
{
	if (!is_ram(ept, gpa, size))
		return -EFAULT;
	while (size) {
		uint64_t part = HPT_PAGE_SIZE - gpa % HPT_PAGE_SIZE;
		int ret;

		if (part > size)
			part = size;
		ret = copy_page(ept, gpa, target, source, part);
		if (ret < 0)
			return ret;
		target = target ? target + part : NULL;
		source = source ? source + part : NULL;
		gpa += part;
		size -= part;
	}
	return 0;
}

int ept_copy_in(struct ept *ept, gpa_t gpa, const void *source, uint64_t size)
{
	return copy(ept, gpa, NULL, source, size);
}

int ept_copy_out(struct ept *ept, gpa_t gpa, void *target, uint64_t size)
{
	return copy(ept, gpa, target, NULL, size);
}

/* The page's bytes, as long as the lock is held, or NULL if they are all zeros. */
static int peek_page(struct ept *ept, uint64_t gfn, const char **page)
{
	const char *reason;
	uint64_t entry;

	*page = NULL;
	while (ept_transit_has(&ept->transit, gfn, 1))
		ept_transit_wait(&ept->transit, &ept->lock);
	if (ept_find(ept, gfn, &entry, NULL) < 0)
		return 0;
	if (hpt_resident(entry) && hpt_frame(entry) < ept_pool_size(&ept->pool)) {
		*page = ept_pool_frame(&ept->pool, hpt_frame(entry));
		return 0;
	}
	if (!(entry & HPT_SWAPPED))
		return -EIO;
	if (hpt_swap_location(entry) == EPT_SWAP_ZERO)
		return 0;
	*page = ept->peeked;
	return ept_away_read(ept, hpt_swap_location(entry), gfn, 1, ept->peeked, &reason);
}

int ept_peek(struct ept *ept, gpa_t gpa, void *target, uint64_t size)
{
	char *bytes = target;
	int ret = 0;

	if (!is_ram(ept, gpa, size))
		return -EFAULT;
	while (size && ret == 0) {
		uint64_t part = HPT_PAGE_SIZE - gpa % HPT_PAGE_SIZE;
		const char *page;

		if (part > size)
			part = size;
		pthread_mutex_lock(&ept->lock);
		ret = peek_page(ept, gpa >> HPT_PAGE_SHIFT, &page);
		if (ret == 0 && page)
			memcpy(bytes, page + gpa % HPT_PAGE_SIZE, part);
		else if (ret == 0)
			memset(bytes, 0, part);
		pthread_mutex_unlock(&ept->lock);
		bytes += part;
		gpa += part;
		size -= part;
	}
	return ret;
}

int ept_entry(struct ept *ept, gpa_t gpa, uint64_t *entry)
{
	uint64_t gfn = gpa >> HPT_PAGE_SHIFT;
	int ret = -ENOENT;

	pthread_mutex_lock(&ept->lock);
	if (is_ram(ept, gfn << HPT_PAGE_SHIFT, HPT_PAGE_SIZE))
		ret = ept_find(ept, gfn, entry, NULL);
	pthread_mutex_unlock(&ept->lock);
	return ret;
}

int ept_translate(struct ept *ept, gpa_t gpa, uint64_t *hfn)
{
	uint64_t entry;
	int ret = ept_entry(ept, gpa, &entry);

	if (ret == 0 && !hpt_resident(entry))
		return -ENOENT;
	if (ret == 0)
		*hfn = hpt_frame(entry);
	return ret;
}

void ept_with_table(struct ept *ept, void (*look)(void *context, const struct hpt *table),
		    void *context)
{
	pthread_mutex_lock(&ept->lock);
	look(context, &ept->table);
	pthread_mutex_unlock(&ept->lock);
}

const char *ept_failure(struct ept *ept, gpa_t *gpa)
{
	const char *failure;

	pthread_mutex_lock(&ept->lock);
	failure = ept->failure;
	*gpa = ept->failure_gpa;
	pthread_mutex_unlock(&ept->lock);
	return failure;
}

void ept_read(struct ept *ept, struct ept_snapshot *snapshot)
{
	pthread_mutex_lock(&ept->lock);
	snapshot->counts = ept->counts;
	snapshot->counts.frames = ept->pool.frames;
	snapshot->counts.blocks = ept->pool.handed_out;
	snapshot->counts.slots = ept_swap_used(ept->swap);
	snapshot->ledger = ept->ledger;
	snapshot->table = ept->table.counts;
	snapshot->lookup_ns = ept->lookup_ns;
	snapshot->install_ns = ept->install_ns;
	pthread_mutex_unlock(&ept->lock);
}
