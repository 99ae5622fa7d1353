/* SPDX-License-Identifier: MIT */
/* See space_model.h. */
#include "tests/hpt/space_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Neighbours, and one far away. */
static const uint64_t regions[WORLD_REGIONS] = {4, 5, 1 << 20};

/* Page numbers of the model: those of 4 KiB by region, then those of 2 MiB. */
enum hpt_size world_size(unsigned int page)
{
	return page < WORLD_REGIONS * WORLD_SMALL ? HPT_4K : HPT_2M;
}

unsigned int world_region(unsigned int page)
{
	return world_size(page) == HPT_4K ? page / WORLD_SMALL : page - WORLD_REGIONS * WORLD_SMALL;
}

uint64_t world_region_vpn(unsigned int region)
{
	return regions[region] * HPT_LARGE_PAGES;
}

/* Runs of four, with gaps between. */
uint64_t world_vpn(unsigned int page)
{
	unsigned int small = world_size(page) == HPT_4K ? page % WORLD_SMALL : 0;

	return world_region_vpn(world_region(page)) + small / 4 * 100 + small % 4;
}

static void world_taken(void *context, uint64_t entry)
{
	struct world *world = context;
	uint64_t frame = hpt_frame(entry);

	MODEL_EXPECT(frame && frame < world->frame_count, "a reference to no frame was taken");
	world->frames[frame].references++;
}

static void world_dropped(void *context, uint64_t entry)
{
	struct world *world = context;
	uint64_t frame = hpt_frame(entry);

	MODEL_EXPECT(frame && frame < world->frame_count && world->frames[frame].references,
		     "frame %llu was dropped once too often", (unsigned long long)frame);
	world->frames[frame].references--;
}

static uint64_t world_references(void *context, uint64_t entry)
{
	return ((struct world *)context)->frames[hpt_frame(entry)].references;
}

void world_begin(struct world *world, enum hpt_organisation organisation, unsigned int features)
{
	struct hpt_config config = {.organisation = organisation,
				    .sealed = features & WORLD_SEALED,
				    .seal_key = {1, 2, 3}};
	struct hpt_spaces_config spaces = {
		.table = &world->table,
		.taken = world_taken,
		.dropped = world_dropped,
		.references = features & WORLD_REFERENCES ? world_references : NULL,
		.context = world};

	memset(world, 0, sizeof(*world));
	config.memory = test_memory_of(&world->memory);
	MODEL_EXPECT(!hpt_create(&world->table, &config), "no table");
	MODEL_EXPECT(!hpt_spaces_create(&world->spaces, &spaces), "no spaces");
	world->frame_count = 1;
	world->object_count = 1;
}

uint32_t world_new_object(struct world *world, uint64_t value)
{
	world->objects = realloc(world->objects, (world->object_count + 1) * sizeof(uint64_t));
	world->objects[world->object_count] = value;
	return (uint32_t)world->object_count++;
}

uint64_t world_new_frame(struct world *world, uint64_t value)
{
	world->frames = realloc(world->frames, (world->frame_count + 1) * sizeof(*world->frames));
	world->frames[world->frame_count] = (struct world_frame){.value = value};
	return world->frame_count++;
}

bool world_failed(const struct world *world, int error, uint64_t failures, const char *what)
{
	MODEL_EXPECT(error >= 0 || (error == -ENOMEM && world->memory.failures > failures),
		     "%s gave %d", what, error);
	return error < 0;
}

void world_create(struct world *world, unsigned int at)
{
	struct world_space *to = &world->of[at];
	uint64_t failures = world->memory.failures;

	if (to->live ||
	    world_failed(world, hpt_space_create(&world->spaces, &to->space), failures, "create"))
		return;
	to->live = true;
	memset(to->pages, 0, sizeof(to->pages));
	memset(to->attached, 0, sizeof(to->attached));
}

void world_fork(struct world *world, unsigned int from, unsigned int to)
{
	struct world_space *parent = &world->of[from], *child = &world->of[to];
	uint64_t failures = world->memory.failures;

	if (!parent->live || child->live ||
	    world_failed(world, hpt_space_fork(&parent->space, &child->space, child->attachments),
			 failures, "fork"))
		return;
	child->live = true;
	world_inherit(parent, child);
	memcpy(child->pages, parent->pages, sizeof(child->pages));
	for (unsigned int i = 0; i < WORLD_PAGES; i++) {
		struct world_page *page = &child->pages[i];

		if (page->flags && !page->common)
			page->object = world_new_object(world, world->objects[page->object]);
	}
}

void world_destroy(struct world *world, unsigned int at)
{
	if (world->of[at].live)
		hpt_space_destroy(&world->of[at].space);
	world->of[at].live = false;
}

bool world_overlaps(const struct world_page *pages, unsigned int page)
{
	for (unsigned int i = 0; i < WORLD_PAGES; i++) {
		if (pages[i].flags && world_size(i) != world_size(page) &&
		    world_region(i) == world_region(page))
			return true;
	}
	return false;
}

void world_map(struct world *world, unsigned int at, unsigned int page, uint64_t flags, bool common)
{
	struct world_space *of = &world->of[at];
	uint64_t failures = world->memory.failures;
	uint64_t value = ++world->written;
	uint64_t frame, entry;
	int error;

	if (!of->live || world_overlaps(of->pages, page))
		return;
	frame = world_new_frame(world, value);
	flags = (flags & HPT_SPACE_FLAGS) | HPT_PRESENT |
		(world_size(page) == HPT_2M ? HPT_LARGE : 0);
	entry = hpt_entry(frame, flags | (common ? HPT_COMMON : 0));
	error = hpt_space_map(&of->space, world_vpn(page), world_size(page), entry);
	if (of->pages[page].flags) {
		MODEL_EXPECT(error == -EEXIST, "a page was mapped twice: %d", error);
		return;
	}
	if (!world_failed(world, error, failures, "map"))
		of->pages[page] = (struct world_page){
			.flags = flags, .object = world_new_object(world, value), .common = common};
}

/* A write that needs a copy. */
static bool write_shared(struct world *world, struct world_space *of, unsigned int page)
{
	uint64_t failures = world->memory.failures;
	struct hpt_space_found found;
	uint64_t frame;
	int answer =
		hpt_space_write(&of->space, world_vpn(page), world_size(page), HPT_SPACE_NO_FRAME);

	if (world_failed(world, answer, failures, "write"))
		return false;
	MODEL_EXPECT(answer == HPT_SPACE_TAKEN || answer == HPT_SPACE_COPY,
		     "a write to a shared page gave %d", answer);
	if (answer == HPT_SPACE_COPY) {
		hpt_space_lookup(&of->space, world_vpn(page), world_size(page), &found, NULL);
		frame = world_new_frame(world, world->frames[hpt_frame(found.entry)].value);
		answer = hpt_space_write(&of->space, world_vpn(page), world_size(page), frame);
		if (world_failed(world, answer, failures, "write with a frame"))
			return false;
		MODEL_EXPECT(answer == HPT_SPACE_COPIED, "a frame was given: %d", answer);
	}
	world->counts[answer]++;
	return true;
}

void world_write(struct world *world, unsigned int at, unsigned int page)
{
	struct world_space *of = &world->of[at];
	struct world_page *cell = &of->pages[page];
	struct hpt_space_found found;
	int answer;

	if (!of->live)
		return;
	if (!cell->flags || !(cell->flags & HPT_WRITE)) {
		answer = hpt_space_write(&of->space, world_vpn(page), world_size(page), 1);
		MODEL_EXPECT(answer == (cell->flags ? -EACCES : -ENOENT) || answer == -EAGAIN,
			     "a write that must not be gave %d", answer);
		return;
	}
	hpt_space_lookup(&of->space, world_vpn(page), world_size(page), &found, NULL);
	if (!hpt_resident(found.entry)) {
		answer = hpt_space_write(&of->space, world_vpn(page), world_size(page), 1);
		MODEL_EXPECT(answer == -EAGAIN, "a write to a swapped page gave %d", answer);
		return;
	}
	if (found.shared && !write_shared(world, of, page))
		return;
	MODEL_EXPECT(
		!hpt_space_lookup(&of->space, world_vpn(page), world_size(page), &found, NULL) &&
			found.entry & HPT_WRITE && !found.shared,
		"a page is not writable after a write");
	answer = hpt_space_write(&of->space, world_vpn(page), world_size(page), 1);
	MODEL_EXPECT(answer == HPT_SPACE_OWN, "a write to a space's own page gave %d", answer);
	world->frames[hpt_frame(found.entry)].value = ++world->written;
	world->objects[cell->object] = world->written;
}

uint64_t world_count(unsigned int page, unsigned int *last)
{
	if (world_size(*last) != world_size(page) || *last < page)
		*last = page;
	return (world_vpn(*last) - world_vpn(page)) / hpt_pages_in(world_size(page)) + 1;
}

void world_unmap(struct world *world, unsigned int at, unsigned int page, unsigned int last)
{
	struct world_space *of = &world->of[at];
	uint64_t count = world_count(page, &last);
	uint64_t failures = world->memory.failures;

	if (!of->live ||
	    world_failed(world,
			 hpt_space_unmap(&of->space, world_vpn(page), world_size(page), count),
			 failures, "unmap"))
		return;
	for (unsigned int i = page; i <= last; i++)
		of->pages[i].flags = 0;
}

void world_change(struct world_page *pages, unsigned int page, unsigned int last, uint64_t clear,
		  uint64_t set)
{
	for (unsigned int i = page; i <= last; i++) {
		if (pages[i].flags)
			pages[i].flags = (pages[i].flags & ~clear) | set;
	}
}

void world_protect(struct world *world, unsigned int at, unsigned int page, unsigned int last,
		   uint64_t clear, uint64_t set)
{
	struct world_space *of = &world->of[at];
	uint64_t count = world_count(page, &last);
	uint64_t failures = world->memory.failures;

	clear &= HPT_SPACE_FLAGS;
	set &= HPT_SPACE_FLAGS;
	if (!of->live || world_failed(world,
				      hpt_space_protect(&of->space, world_vpn(page),
							world_size(page), count, clear, set),
				      failures, "protect"))
		return;
	world_change(of->pages, page, last, clear, set);
}

/* The value moves between a frame and a swap location, for all that have the entry. */
void world_swap(struct world *world, unsigned int at, unsigned int page)
{
	struct world_space *of = &world->of[at];
	struct hpt_space_found found;
	uint64_t from, to;
	int error;

	if (!of->live || !of->pages[page].flags || of->pages[page].common)
		return;
	hpt_space_lookup(&of->space, world_vpn(page), world_size(page), &found, NULL);
	from = hpt_frame(found.entry);
	to = world_new_frame(world, world->frames[from].value);
	if (hpt_resident(found.entry))
		error = hpt_swap_out(&world->table, found.key, to, NULL);
	else
		error = hpt_swap_in(&world->table, found.key, to);
	MODEL_EXPECT(!error, "swapping gave %d", error);
	world->frames[from].references--;
	world->frames[to].references++;
}

void world_reap(struct world *world, uint64_t budget)
{
	uint64_t failures = world->memory.failures;

	world_failed(world, hpt_spaces_reap(&world->spaces, budget), failures, "reap");
}

/* What swapping leaves of flags. */
#define STABLE (HPT_USER | HPT_GLOBAL | HPT_SOFT | HPT_NOEXEC | HPT_LARGE)

static void check_page(struct world *world, const struct world_space *of, unsigned int page)
{
	unsigned int at = (unsigned int)(of - world->of);
	const struct world_page *cell = &of->pages[page];
	uint64_t permissions = HPT_WRITE | HPT_USER;
	struct hpt_ledger ledger = {0};
	struct hpt_space_found found;
	uint64_t flags, value;
	int error =
		hpt_space_lookup(&of->space, world_vpn(page), world_size(page), &found, &ledger);

	if (!cell->flags)
		cell = world_attached_page(world, of, page, &permissions);
	MODEL_EXPECT(error == (cell ? 0 : -ENOENT), "page %u of space %u: %d", page, at, error);
	MODEL_EXPECT(ledger.lookups == 1 && ledger.hits == !error,
		     "the ledger counts another number of lookups");
	if (error)
		return;
	value = world->frames[hpt_frame(found.entry)].value;
	flags = (cell->flags & ~(~permissions & (HPT_WRITE | HPT_USER))) |
		(permissions & HPT_NOEXEC);
	MODEL_EXPECT(value == world->objects[cell->object],
		     "page %u of space %u has value %llu, not %llu", page, at,
		     (unsigned long long)value, (unsigned long long)world->objects[cell->object]);
	MODEL_EXPECT(!((found.entry ^ flags) & STABLE), "page %u of space %u has flags 0x%llx",
		     page, at, (unsigned long long)(found.entry & HPT_FLAGS_MASK));
	MODEL_EXPECT(!(found.entry & (HPT_COMMON | HPT_COPIED)), "the layer's flags are seen");
	MODEL_EXPECT(!!(found.entry & HPT_WRITE) == (flags & HPT_WRITE && !found.shared),
		     "page %u of space %u: writable, or not", page, at);
	MODEL_EXPECT(!(found.shared && (cell->common || found.attachment)),
		     "a common page is copied on write");
	MODEL_EXPECT(!!found.attachment == !of->pages[page].flags, "whose page %u is", page);
}

static uint64_t count_reference(void *context, struct hpt_key key, uint64_t entry)
{
	uint64_t *references = context;

	(void)key;
	/* Holes name frame 0. */
	references[hpt_frame(entry)]++;
	return entry;
}

static void check_references(struct world *world)
{
	uint64_t *references = calloc(world->frame_count, sizeof(*references));

	MODEL_EXPECT(references, "the test itself is out of memory");
	hpt_visit(&world->table, count_reference, references);
	for (size_t i = 1; i < world->frame_count; i++)
		MODEL_EXPECT(references[i] == world->frames[i].references,
			     "frame %zu has %llu references, not %llu", i,
			     (unsigned long long)world->frames[i].references,
			     (unsigned long long)references[i]);
	free(references);
}

void world_check(struct world *world)
{
	const char *broken = hpt_check(&world->table);

	MODEL_EXPECT(!broken, "the table: %s", broken);
	broken = hpt_spaces_check(&world->spaces);
	MODEL_EXPECT(!broken, "the spaces: %s", broken);
	check_references(world);
	world_check_users(world);
	for (unsigned int at = 0; at < WORLD_SPACES; at++) {
		for (unsigned int page = 0; world->of[at].live && page < WORLD_PAGES; page++)
			check_page(world, &world->of[at], page);
	}
}

void world_end(struct world *world)
{
	world->memory.first_failure = 0;
	world->memory.last_failure = 0;
	for (unsigned int at = 0; at < WORLD_SPACES; at++)
		world_destroy(world, at);
	for (unsigned int at = 0; at < WORLD_SEGMENTS; at++)
		world_segment_destroy(world, at);
	world_check(world);
	MODEL_EXPECT(!hpt_spaces_destroy(&world->spaces), "the spaces did not end");
	MODEL_EXPECT(!world->table.counts.entries, "%llu entries are left",
		     (unsigned long long)world->table.counts.entries);
	for (size_t i = 1; i < world->frame_count; i++)
		MODEL_EXPECT(!world->frames[i].references, "frame %zu was not dropped", i);
	hpt_destroy(&world->table);
	test_memory_end(&world->memory);
	free(world->frames);
	free(world->objects);
}
