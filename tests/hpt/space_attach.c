/* SPDX-License-Identifier: MIT */
/* Segments in the model of spaces (space_model.h). */
#include "tests/hpt/space_model.h"

#include <errno.h>
#include <string.h>

void world_segment_create(struct world *world, unsigned int at)
{
	struct world_segment *of = &world->segments[at];
	uint64_t failures = world->memory.failures;

	if (of->live || world_failed(world, hpt_segment_create(&world->spaces, &of->segment),
				     failures, "create a segment"))
		return;
	of->live = true;
	memset(of->pages, 0, sizeof(of->pages));
}

static unsigned int users_of(const struct world *world, unsigned int segment)
{
	unsigned int users = 0;

	for (unsigned int at = 0; at < WORLD_SPACES; at++) {
		for (unsigned int i = 0; world->of[at].live && i < WORLD_ATTACHED; i++)
			users += world->of[at].attached[i].live &&
				 world->of[at].attached[i].segment == segment;
	}
	return users;
}

void world_segment_destroy(struct world *world, unsigned int at)
{
	struct world_segment *of = &world->segments[at];
	bool used = users_of(world, at);
	int error;

	if (!of->live)
		return;
	error = hpt_segment_destroy(&of->segment);
	MODEL_EXPECT(error == (used ? -EBUSY : 0), "a segment's end gave %d", error);
	of->live = used;
}

void world_segment_map(struct world *world, unsigned int at, unsigned int page, uint64_t flags)
{
	struct world_segment *of = &world->segments[at];
	uint64_t failures = world->memory.failures;
	uint64_t value = ++world->written;
	int error;

	if (!of->live || world_overlaps(of->pages, page))
		return;
	flags = (flags & HPT_SPACE_FLAGS) | HPT_PRESENT |
		(world_size(page) == HPT_2M ? HPT_LARGE : 0);
	error = hpt_segment_map(&of->segment, world_vpn(page), world_size(page),
				hpt_entry(world_new_frame(world, value), flags));
	if (of->pages[page].flags) {
		MODEL_EXPECT(error == -EEXIST, "a segment's page was mapped twice: %d", error);
		return;
	}
	if (!world_failed(world, error, failures, "map in a segment"))
		of->pages[page] = (struct world_page){.flags = flags,
						      .object = world_new_object(world, value)};
}

void world_segment_unmap(struct world *world, unsigned int at, unsigned int page, unsigned int last)
{
	struct world_segment *of = &world->segments[at];
	uint64_t count = world_count(page, &last);
	int error;

	if (!of->live)
		return;
	error = hpt_segment_unmap(&of->segment, world_vpn(page), world_size(page), count);
	if (world_failed(world, error, world->memory.failures, "unmap in a segment"))
		return;
	for (unsigned int i = page; i <= last; i++)
		of->pages[i].flags = 0;
}

void world_segment_protect(struct world *world, unsigned int at, unsigned int page,
			   unsigned int last, uint64_t clear, uint64_t set)
{
	struct world_segment *of = &world->segments[at];
	uint64_t count = world_count(page, &last);
	int error;

	clear &= HPT_SPACE_FLAGS;
	set &= HPT_SPACE_FLAGS;
	if (!of->live)
		return;
	error = hpt_segment_protect(&of->segment, world_vpn(page), world_size(page), count, clear,
				    set);
	if (!world_failed(world, error, world->memory.failures, "protect in a segment"))
		world_change(of->pages, page, last, clear, set);
}

/* Both begin in some region; now and then they are not aligned alike. */
void world_attach(struct world *world, unsigned int at, unsigned int slot, unsigned int segment,
		  uint64_t number)
{
	static const uint64_t lengths[] = {HPT_LARGE_PAGES, 2 * HPT_LARGE_PAGES, 300, 1};
	struct world_space *of = &world->of[at];
	struct world_attachment *attached = &of->attached[slot];
	struct world_attachment next = {
		.vpn = world_region_vpn((unsigned int)(number % WORLD_REGIONS)),
		.offset = world_region_vpn((unsigned int)(number >> 8) % WORLD_REGIONS),
		.pages = lengths[number >> 16 & 3],
		.permissions = (number >> 24) & (HPT_WRITE | HPT_USER | HPT_NOEXEC),
		.segment = segment,
		.live = true,
	};
	bool taken = false;
	int error;

	if (!of->live || attached->live || !world->segments[segment].live)
		return;
	if (!(number >> 60))
		next.offset += 100;
	if (number >> 59 & 1)
		next.vpn += 100;
	for (unsigned int i = 0; i < WORLD_ATTACHED; i++)
		taken |= of->attached[i].live &&
			 next.vpn < of->attached[i].vpn + of->attached[i].pages &&
			 of->attached[i].vpn < next.vpn + next.pages;
	error = hpt_space_attach(&of->space, &of->attachments[slot],
				 &world->segments[segment].segment, next.vpn, next.pages,
				 next.offset, next.permissions);
	MODEL_EXPECT(error == (taken ? -EEXIST : 0), "attaching gave %d", error);
	if (!error)
		*attached = next;
}

void world_detach(struct world *world, unsigned int at, unsigned int slot)
{
	struct world_space *of = &world->of[at];

	if (!of->live || !of->attached[slot].live)
		return;
	hpt_space_detach(&of->attachments[slot]);
	of->attached[slot].live = false;
}

void world_attachment_protect(struct world *world, unsigned int at, unsigned int slot,
			      uint64_t permissions)
{
	struct world_space *of = &world->of[at];

	if (!of->live || !of->attached[slot].live)
		return;
	permissions &= HPT_WRITE | HPT_USER | HPT_NOEXEC;
	MODEL_EXPECT(!hpt_attachment_protect(&of->attachments[slot], permissions), "protect");
	of->attached[slot].permissions = permissions;
}

const struct world_page *world_attached_page(const struct world *world,
					     const struct world_space *of, unsigned int page,
					     uint64_t *permissions)
{
	uint64_t vpn = world_vpn(page);
	uint64_t pages = hpt_pages_in(world_size(page));

	for (unsigned int i = 0; i < WORLD_ATTACHED; i++) {
		const struct world_attachment *attached = &of->attached[i];
		const struct world_page *cells = world->segments[attached->segment].pages;

		if (!attached->live || vpn < attached->vpn ||
		    vpn + pages > attached->vpn + attached->pages)
			continue;
		*permissions = attached->permissions;
		for (unsigned int j = 0; j < WORLD_PAGES; j++) {
			if (world_size(j) == world_size(page) && cells[j].flags &&
			    world_vpn(j) == vpn - attached->vpn + attached->offset)
				return &cells[j];
		}
	}
	return NULL;
}

/* The child's are in the order of their place. */
void world_inherit(const struct world_space *parent, struct world_space *child)
{
	uint64_t from = 0;

	memset(child->attached, 0, sizeof(child->attached));
	for (unsigned int to = 0; to < WORLD_ATTACHED; to++) {
		for (unsigned int i = 0; i < WORLD_ATTACHED; i++) {
			const struct world_attachment *next = &parent->attached[i];

			if (next->live && next->vpn >= from &&
			    (!child->attached[to].live || next->vpn < child->attached[to].vpn))
				child->attached[to] = *next;
		}
		if (child->attached[to].live)
			from = child->attached[to].vpn + child->attached[to].pages;
	}
}

void world_check_users(const struct world *world)
{
	for (unsigned int at = 0; at < WORLD_SEGMENTS; at++) {
		const struct hpt_segment *segment = &world->segments[at].segment;
		const struct hpt_attachment *user = NULL;
		unsigned int users = 0;

		if (!world->segments[at].live)
			continue;
		while ((user = hpt_segment_user(segment, user))) {
			MODEL_EXPECT(user->segment == segment, "a user is of another segment");
			users++;
		}
		MODEL_EXPECT(users == users_of(world, at), "segment %u has %u users", at, users);
	}
}
