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

/* From the end, where those are that came last: they are the first to arrive. count if none. */
static unsigned int find(const struct ept_transit *transit, uint64_t gfn)
{
	for (unsigned int i = transit->count; i-- > 0;) {
		if (transit->gfns[i] == gfn)
			return i;
	}
	return transit->count;
}

bool ept_transit_has(const struct ept_transit *transit, uint64_t gfn)
{
	return find(transit, gfn) < transit->count;
}

int ept_transit_add(struct ept_transit *transit, uint64_t gfn)
{
	if (transit->count == EPT_TRANSIT_MAX)
		return -EAGAIN;
	transit->gfns[transit->count++] = gfn;
	return 0;
}

void ept_transit_remove(struct ept_transit *transit, uint64_t gfn)
{
	unsigned int i = find(transit, gfn);

	transit->gfns[i] = transit->gfns[--transit->count];
	pthread_cond_broadcast(&transit->arrived);
}

void ept_transit_wait(struct ept_transit *transit, pthread_mutex_t *lock)
{
	pthread_cond_wait(&transit->arrived, lock);
}
