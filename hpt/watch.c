/* SPDX-License-Identifier: MIT */
/* See watch.h. */
#include "hpt/watch.h"

void watch_begin(struct watch *watch, const struct hpt *table, hpt_visitor visit, void *context)
{
	*watch = (struct watch){.table = table, .visit = visit, .context = context};
}

void watch_end(struct watch *watch)
{
	if (watch->count)
		watch_tell(watch->table, watch->run, watch->count);
	watch->count = 0;
}

/* Where a reader marks an entry meanwhile, its page is noted twice. */
void watch_note(struct watch *watch, struct hpt_key key)
{
	const struct hpt_key *run = &watch->run;
	uint64_t pages = (key.vpn - run->vpn) / hpt_pages_in((enum hpt_size)key.size);

	if (watch->count && run->asid == key.asid && run->size == key.size &&
	    pages <= watch->count) {
		watch->count += pages == watch->count;
		return;
	}
	watch_end(watch);
	watch->run = key;
	watch->count = 1;
}

uint64_t watch_visit(void *context, struct hpt_key key, uint64_t entry)
{
	struct watch *watch = context;
	uint64_t answer = watch->visit(watch->context, key, entry);

	if (answer != entry)
		watch_note(watch, key);
	return answer;
}
