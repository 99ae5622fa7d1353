/* SPDX-License-Identifier: MIT */
/* Pages in transit (see transit.h). */
#include <errno.h>

#include "ept/transit.h"

void ept_transit_init(struct ept_transit *transit)
{
	pthread_cond_init(&transit->arrived, NULL);
	transit->count = 0;
}

void ept_transit_destroy(struct ept_transit *transit)
{
	pthread_cond_destroy(&transit->arrived);
}

static bool meets(const struct ept_run *run, uint64_t gfn, uint64_t pages)
{
	return gfn < run->gfn + run->pages && run->gfn < gfn + pages;
}

bool ept_transit_has(const struct ept_transit *transit, uint64_t gfn, uint64_t pages)
{
	for (unsigned int i = 0; i < transit->count; i++) {
		if (meets(&transit->runs[i], gfn, pages))
			return true;
	}
	return false;
}

int ept_transit_add(struct ept_transit *transit, uint64_t gfn, uint64_t pages)
{
	if (transit->count == EPT_TRANSIT_MAX)
		return -EAGAIN;
	transit->runs[transit->count++] = (struct ept_run){.gfn = gfn, .pages = pages};
	return 0;
}

/* The run that begins with this page, which there is. */
static struct ept_run *find(struct ept_transit *transit, uint64_t gfn)
{
	struct ept_run *run = transit->runs;

	while (run->gfn != gfn)
		run++;
	return run;
}

bool ept_transit_has_others(const struct ept_transit *transit, uint64_t gfn, uint64_t first,
			    uint64_t pages)
{
	for (unsigned int i = 0; i < transit->count; i++) {
		if (transit->runs[i].gfn != gfn && meets(&transit->runs[i], first, pages))
			return true;
	}
	return false;
}

bool ept_transit_widen(struct ept_transit *transit, uint64_t gfn, uint64_t first, uint64_t pages)
{
	if (ept_transit_has_others(transit, gfn, first, pages))
		return false;
	*find(transit, gfn) = (struct ept_run){.gfn = first, .pages = pages};
	return true;
}

void ept_transit_remove(struct ept_transit *transit, uint64_t gfn)
{
	*find(transit, gfn) = transit->runs[--transit->count];
	pthread_cond_broadcast(&transit->arrived);
}

void ept_transit_wait(struct ept_transit *transit, pthread_mutex_t *lock)
{
	pthread_cond_wait(&transit->arrived, lock);
}
