/* SPDX-License-Identifier: MIT */
/* See swap.h. */
#include "guest/swap.h"

#include <errno.h>
#include <stddef.h>

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/disk.h"
#include "guest/frames.h"
#include "guest/publish.h"
#include "guest/share.h"
#include "guest/space.h"
#include "guest/stage1.h"
#include "guest/window.h"

/* How far the front hand goes ahead: a part of the frames, so much at most. */
#define LEAD_SHARE 8
#define LEAD_MAX   4096

/* Pages that are written out at a time: the search for the first of them is the dear part. */
#define BATCH 16

/*
 * Frames that are free even where there are none: an adaptive table may need memory to take a page
 * out of a run.
 */
#define SPARE 8

/* Slots for so many times the pages of RAM at most: two bytes for each are kept in memory. */
#define SLOTS_SHARE 64

/* Kept for the kernel: a part of RAM and as many bytes, and for each further CPU its area. */
#define KEPT_SHARE 16
#define KEPT	   (UINT64_C(128) << 10)
#define KEPT_CPU   (UINT64_C(64) << 10)

/* Bits that say that a page is not to go: it may have other entries, or is a segment's. */
#define SHARED (HPT_COMMON | HPT_COPIED | HPT_SOFT)
#define WANTED (HPT_PRESENT | HPT_USER)

/* Entries that have each slot; 0: it is free. */
static uint16_t *slot_entries;
static uint64_t slot_count;
static uint64_t slot_next; /* where the search for a free one begins */

/* What the front hand has passed and the back hand has not. */
static struct {
	uint64_t key[LEAD_MAX]; /* pack() */
	unsigned int count;
	unsigned int next; /* where the back hand is */
} lead;
static unsigned int lead_size;
static uint64_t hand; /* how many pages the front hand has passed in this round */

static uint64_t pack(struct hpt_key key)
{
	return (uint64_t)key.asid << HPT_VPN_BITS | key.vpn;
}

static struct hpt_key unpack(uint64_t packed)
{
	return hpt_key((uint16_t)(packed >> HPT_VPN_BITS),
		       packed & ((UINT64_C(1) << HPT_VPN_BITS) - 1), HPT_4K);
}

/* A block of at least so many bytes; 0: there is none. */
static uint64_t get_block(uint64_t bytes)
{
	uint64_t size = HPT_PAGE_SIZE;
	uint64_t gpa;

	while (size < bytes)
		size *= 2;
	return frames_get_block(size, &gpa) ? 0 : gpa;
}

/* What the kernel's memory will grow by, about: each CPU has a window, with tables. */
static uint64_t kept(void)
{
	uint64_t ram = boot.ram_pages * HPT_PAGE_SIZE;
	uint64_t window = 2 * boot.window_pages * sizeof(struct window_slot);

	return KEPT + ram / KEPT_SHARE + (boot.cpus - 1) * (KEPT_CPU + window + ram / 64);
}

void swap_start(void)
{
	uint64_t slots = disk_pages, gpa;

	if (!slots)
		return;
	if (slots > boot.ram_pages * SLOTS_SHARE)
		slots = boot.ram_pages * SLOTS_SHARE;
	gpa = get_block(slots * sizeof(*slot_entries));
	if (!gpa)
		refuse("memory: found too little for the slots of %lu pages of the disk", slots);
	slot_entries = direct(gpa);
	slot_count = slots;
	lead_size = LEAD_MAX;
	if (lead_size > boot.ram_pages / LEAD_SHARE)
		lead_size = (unsigned int)(boot.ram_pages / LEAD_SHARE);
	frames_keep(kept());
	for (unsigned int i = 0; i < SPARE; i++) {
		gpa = frames_get();
		if (gpa)
			frames_put(gpa);
	}
	frames_spare = SPARE;
	published.swap_slots = slots;
}

/* A free slot, which is taken then, or slot_count. */
static uint64_t get_slot(void)
{
	for (uint64_t tried = 0; tried < slot_count; tried++) {
		uint64_t slot = slot_next;

		slot_next = slot_next + 1 == slot_count ? 0 : slot_next + 1;
		if (slot_entries[slot])
			continue;
		slot_entries[slot] = 1;
		published.swap_slots_used++;
		return slot;
	}
	return slot_count;
}

static void put_slot(uint64_t slot)
{
	if (--slot_entries[slot])
		return;
	published.swap_slots_used--;
}

void swap_taken(uint64_t entry)
{
	slot_entries[hpt_swap_location(entry)]++;
}

void swap_dropped(uint64_t entry)
{
	put_slot(hpt_swap_location(entry));
}

/* Whether a page may go at all. */
static bool can_go(struct hpt_key key, uint64_t entry)
{
	return key.asid != ABI_ASID_KERNEL && key.size == HPT_4K &&
	       (entry & (WANTED | SHARED)) == WANTED && share_is_only(entry);
}

/* Of a visit: how many pages there still are before the hand. */
static uint64_t to_pass, passed;

static uint64_t pass_page(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	/* Most pages of most visits end here. */
	if (lead.count == lead_size || (entry & (WANTED | SHARED)) != WANTED)
		return entry;
	if (to_pass) {
		to_pass--;
		return entry;
	}
	passed++;
	if (!can_go(key, entry))
		return entry;
	lead.key[lead.count++] = pack(key);
	return entry & ~HPT_ACCESSED;
}

/* Takes pages out of the windows of whoever may have them there: of forks, by any of them. */
static void harvest(struct hpt_key key, uint64_t pages)
{
	for (struct space *space = space_first; space; space = space->next) {
		if (space->pages.asid == key.asid || !space_is_alone(space))
			window_harvest(space, key.vpn, key.vpn + pages);
	}
}

/* Neighbours together. */
static void harvest_lead(void)
{
	unsigned int end;

	for (unsigned int at = 0; at < lead.count; at = end) {
		for (end = at + 1; end < lead.count && lead.key[end] == lead.key[end - 1] + 1;
		     end++)
			continue;
		harvest(unpack(lead.key[at]), end - at);
	}
	window_settle();
}

/*
 * Moves the front hand on, from where it stopped or, behind the last page, from the first. False:
 * there is no page that can go. A table that has no memory for some changes has made the others.
 */
static bool move_front(void)
{
	for (unsigned int rounds = 0; rounds < 2; rounds++) {
		lead.count = lead.next = 0;
		to_pass = hand;
		passed = 0;
		hpt_visit(&stage1, pass_page, NULL);
		hand = lead.count == lead_size ? hand + passed : 0;
		if (lead.count) {
			harvest_lead();
			return true;
		}
	}
	return false;
}

/* Writes a page out and frees its frame; false: nothing has changed. */
static bool evict(struct hpt_key key, uint64_t entry)
{
	uint64_t slot = get_slot();

	if (slot == slot_count)
		return false;
	if (disk_write(slot, entry & HPT_FRAME_MASK)) {
		published.swap_errors++;
		put_slot(slot);
		return false;
	}
	if (hpt_swap_out(&stage1, key, slot, NULL)) {
		put_slot(slot);
		return false;
	}
	frames_put(entry & HPT_FRAME_MASK);
	published.swap_outs++;
	return true;
}

/* Moves the back hand on by one page; true: its frame is free. */
static bool move_back(void)
{
	struct hpt_key key = unpack(lead.key[lead.next++]);
	uint64_t entry;

	if (hpt_lookup(&stage1, key, &entry, NULL) || !can_go(key, entry))
		return false;
	if (entry & HPT_ACCESSED) {
		published.swap_spared++;
		return false;
	}
	return evict(key, entry);
}

bool swap_make_room(void)
{
	unsigned int freed = 0, moves = 0;

	if (!slot_count)
		return false;
	frames_spare = 0;
	/* Two whole leads are enough: pages of the second have been touched by nobody. */
	while (freed < BATCH && published.swap_slots_used < slot_count) {
		if (lead.next == lead.count && (moves++ == 2 || !move_front()))
			break;
		freed += move_back();
	}
	frames_spare = SPARE;
	return freed;
}

void swap_prepare(void)
{
	if (slot_count && frames_left() < BATCH)
		swap_make_room();
}

uint64_t swap_left(void)
{
	return slot_count - published.swap_slots_used;
}

int swap_in(struct hpt_key key, uint64_t entry)
{
	uint64_t slot = hpt_swap_location(entry);
	uint64_t gpa;
	int error;

	while (!(gpa = frames_take())) {
		if (!swap_make_room())
			return -ENOMEM;
	}
	error = disk_read(slot, gpa);
	published.swap_errors += !!error;
	if (!error)
		error = hpt_swap_in(&stage1, key, gpa >> HPT_PAGE_SHIFT);
	/* Whoever wants it has it before it goes again. */
	if (!error)
		hpt_mark(&stage1, key, HPT_ACCESSED);
	if (error) {
		frames_put(gpa);
		return error;
	}
	put_slot(slot);
	published.swap_ins++;
	return 0;
}
