/* SPDX-License-Identifier: MIT */
/* Samples of what the guest uses (see sample.h). */
#include "ept/sample.h"

#include <errno.h>

#include "ept/ept.h"

struct visit {
	const struct ept *ept;
	struct ept_sample *sample;
	bool keep; /* A and D stay: the pages may still be in the window */
};

static uint64_t look(void *context, struct hpt_key key, uint64_t entry)
{
	struct visit *visit = context;
	struct ept_sample *sample = visit->sample;
	uint64_t pages = hpt_pages_in((enum hpt_size)key.size);

	sample->away += entry & HPT_SWAPPED ? pages : 0;
	if (!hpt_resident(entry))
		return entry;
	sample->resident += pages;
	sample->accessed += entry & HPT_ACCESSED ? pages : 0;
	sample->dirty += entry & HPT_DIRTY ? pages : 0;
	/* A shared page is watched for its first write alone: it would not miss. */
	if (visit->keep || ept_is_shared_frame(&visit->ept->dedup, hpt_frame(entry)))
		return entry;
	return entry & ~(HPT_ACCESSED | HPT_DIRTY);
}

int ept_take_sample(struct ept *ept, struct ept_sample *sample)
{
	struct visit visit = {.ept = ept, .sample = sample};
	int ret;

	*sample = (struct ept_sample){0};
	pthread_mutex_lock(&ept->lock);
	/* Who misses is stopped, but what a handler has begun for him ends in the window. */
	while (ept->transit.count)
		ept_transit_wait(&ept->transit, &ept->lock);
	for (unsigned int i = 0; i < ept->config.range_count; i++) {
		if (ept_window_take_out(&ept->window, ept->config.ranges[i].start,
					ept->config.ranges[i].size) < 0)
			visit.keep = true;
	}
	ret = hpt_visit(&ept->table, look, &visit);
	pthread_mutex_unlock(&ept->lock);
	return visit.keep ? -EIO : ret;
}
