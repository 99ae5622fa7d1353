/* SPDX-License-Identifier: MIT */
/* Pages that go out of memory and come back: between the two forms of an entry (entry.h). */
#include <errno.h>

#include "hpt/lookup.h"
#include "hpt/organisation.h"
#include "hpt/shared.h"
#include "hpt/watch.h"

static bool is_frame(uint64_t frame)
{
	return !(frame >> HPT_FRAME_BITS);
}

int hpt_swap_out(struct hpt *table, struct hpt_key key, uint64_t location, uint64_t *old)
{
	struct hpt_found found;
	uint64_t seen, entry;

	if (!is_frame(location))
		return -EINVAL;
	if (!hpt_find(table, key, &found))
		return -ENOENT;
	if (!hpt_resident(found.entry))
		return -EINVAL;
	if (!found.word)
		return hpt_replace_in_run(table, key, hpt_swap_entry(location, found.entry), old);
	seen = HPT_LOAD(*found.word);
	do
		entry = hpt_seal(&table->desc, key, hpt_swap_entry(location, seen));
	while (!shared_replace(table, found.word, &seen, (seen & ~HPT_ENTRY_MASK) | entry));
	watch_tell(table, key, 1);
	if (old)
		*old = hpt_open(&table->desc, key, seen & HPT_ENTRY_MASK);
	return 0;
}

int hpt_swap_in(struct hpt *table, struct hpt_key key, uint64_t frame)
{
	struct hpt_found found;
	uint64_t entry;

	if (!is_frame(frame))
		return -EINVAL;
	if (!hpt_find(table, key, &found))
		return -ENOENT;
	if (!(found.entry & HPT_SWAPPED))
		return -EINVAL;
	entry = hpt_entry(frame, (found.entry & HPT_SWAP_KEPT) | HPT_PRESENT);
	if (!found.word)
		return hpt_replace_in_run(table, key, entry, NULL);
	/* Readers mark resident pages only. */
	hpt_store(found.word, hpt_seal(&table->desc, key, entry));
	watch_tell(table, key, 1);
	return 0;
}
