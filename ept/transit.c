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

static unsigned int find(const struct ept_transit *transit, uint64_t gfn)
{
	unsigned int i = 0;

	while (i < transit->count && transit->gfns[i] != gfn)
		i++;
	return i;
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
