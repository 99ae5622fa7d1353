/* SPDX-License-Identifier: MIT */
/* Address spaces: made, forked, ended; one page looked up, mapped, written. See space.h. */
#include "hpt/space_node.h"

int hpt_space_create(struct hpt_spaces *spaces, struct hpt_space *space)
{
	uint16_t asid;
	int error = space_node_get(spaces, NODE_SPACE, &asid);

	if (error)
		return error;
	*space = (struct hpt_space){.spaces = spaces, .asid = asid};
	node_of(spaces, asid)->space = space;
	return 0;
}

/* A space without a page of its own: its ancestors are all that it shows. */
static bool shows_nothing_itself(const struct hpt_space *space)
{
	const struct space_node *node = node_of(space->spaces, space->asid);

	return !node->entries && !node->opaque;
}

/*
 * The parent's node becomes an ancestor of two fresh ones; if it is empty, it gets a sibling
 * instead: whoever forks again and again does not make his own chain longer.
 */
static int fork_node(struct hpt_space *parent, struct hpt_space *child)
{
	struct hpt_spaces *spaces = parent->spaces;
	uint16_t ancestor, fresh;
	int error;

	if (shows_nothing_itself(parent)) {
		ancestor = node_of(spaces, parent->asid)->parent;
		if (ancestor)
			space_node_adopt(spaces, ancestor, child->asid);
		return 0;
	}
	error = space_node_get(spaces, NODE_SPACE, &fresh);
	if (error)
		return error;
	while (!error && space_node_depth(spaces, parent->asid) >= HPT_SPACE_DEPTH)
		error = space_shorten(parent);
	/* What was done to get an identifier, or a shorter chain, may have left nothing. */
	ancestor = parent->asid;
	if (error || shows_nothing_itself(parent)) {
		space_node_put(spaces, fresh);
		return error ? error : fork_node(parent, child);
	}
	node_of(spaces, ancestor)->state = NODE_FROZEN;
	node_of(spaces, ancestor)->space = NULL;
	node_of(spaces, fresh)->space = parent;
	parent->asid = fresh;
	space_node_adopt(spaces, ancestor, fresh);
	space_node_adopt(spaces, ancestor, child->asid);
	return 0;
}

int hpt_space_fork(struct hpt_space *parent, struct hpt_space *child,
		   struct hpt_attachment *attachments)
{
	struct hpt_attachment *from = parent->attachments;
	int error = hpt_space_create(parent->spaces, child);

	if (error)
		return error;
	error = fork_node(parent, child);
	if (error) {
		space_node_put(child->spaces, child->asid);
		return error;
	}
	for (; from && attachments; from = from->next)
		hpt_space_attach(child, attachments++, from->segment, from->vpn, from->pages,
				 from->offset, from->permissions);
	return 0;
}

void hpt_space_destroy(struct hpt_space *space)
{
	while (space->attachments)
		hpt_space_detach(space->attachments);
	space_node_end(space->spaces, space->asid);
}

/* What the space may do with an entry of its own chain. */
static uint64_t shown(const struct space_place *place, bool *shared)
{
	*shared = (place->searches || place->entry & HPT_COPIED) && !(place->entry & HPT_COMMON);
	return place->entry & ~(HPT_COMMON | HPT_COPIED | (*shared ? HPT_WRITE : 0));
}

/* The attachment that has a page as a whole, and the segment's page there. */
static const struct hpt_attachment *attachment_at(const struct hpt_space *space, uint64_t vpn,
						  enum hpt_size size, uint64_t *page)
{
	const struct hpt_attachment *attachment = space->attachments;
	uint64_t first = vpn - vpn % hpt_pages_in(size);

	while (attachment && first >= attachment->vpn + attachment->pages)
		attachment = attachment->next;
	if (!attachment || first < attachment->vpn ||
	    attachment->vpn + attachment->pages - first < hpt_pages_in(size))
		return NULL;
	*page = first - attachment->vpn + attachment->offset;
	return *page % hpt_pages_in(size) ? NULL : attachment;
}

static uint64_t permitted(uint64_t entry, uint64_t permissions)
{
	uint64_t refused = ~permissions & (HPT_WRITE | HPT_USER);

	return (entry & ~(refused | HPT_COMMON)) | (permissions & HPT_NOEXEC);
}

static int find(const struct hpt_space *space, uint64_t vpn, enum hpt_size size,
		struct hpt_space_found *found, struct hpt_ledger *ledger)
{
	struct space_place place;
	uint64_t page;
	int error = space_find(space->spaces, space->asid, vpn, size, &place, ledger);

	if (!error) {
		found->entry = shown(&place, &found->shared);
		found->key = place.key;
		found->searches = place.searches;
		found->attachment = NULL;
		return 0;
	}
	found->attachment = attachment_at(space, vpn, size, &page);
	if (!found->attachment)
		return error;
	found->key = hpt_key(found->attachment->segment->asid, page, size);
	found->searches = place.searches + 1;
	found->shared = false;
	error = hpt_lookup(space->spaces->config.table, found->key, &found->entry, ledger);
	if (!error)
		found->entry = permitted(found->entry, found->attachment->permissions);
	return error;
}

int hpt_space_lookup(const struct hpt_space *space, uint64_t vpn, enum hpt_size size,
		     struct hpt_space_found *found, struct hpt_ledger *ledger)
{
	uint64_t lookups, hits;
	int error;

	if (!ledger)
		return find(space, vpn, size, found, NULL);
	/* One lookup, however many searches it took. */
	lookups = ledger->lookups;
	hits = ledger->hits;
	error = find(space, vpn, size, found, ledger);
	ledger->lookups = lookups + 1;
	ledger->hits = hits + !error;
	return error;
}

/* As hpt_map() asks; and a flag, so that an entry is not 0 where frames are sealed. */
static bool entry_fits(enum hpt_size size, uint64_t entry)
{
	return !(entry & ~HPT_ENTRY_MASK) && !is_hole(entry) &&
	       !!(entry & HPT_LARGE) == (size == HPT_2M) && entry & HPT_FLAGS_MASK & ~HPT_LARGE &&
	       !(entry & HPT_PRESENT && entry & HPT_SWAPPED);
}

int space_node_map(struct hpt_spaces *spaces, uint16_t asid, uint64_t vpn, enum hpt_size size,
		   uint64_t entry)
{
	struct hpt_key key = hpt_key(asid, vpn, size);
	struct space_place above;
	uint64_t own;
	int error;

	if (!space_range_fits(spaces, vpn, size, 1) || !entry_fits(size, entry))
		return -EINVAL;
	if (!hpt_lookup(spaces->config.table, key, &own, NULL))
		error = is_hole(own) ? space_entry_replace(spaces, key, entry) : -EEXIST;
	else if (space_hole_needed(spaces, asid, vpn >> HPT_SPACE_REGION) &&
		 !space_find(spaces, node_of(spaces, asid)->parent, vpn, size, &above, NULL))
		error = -EEXIST;
	else
		error = space_entry_add(spaces, key, entry);
	if (!error)
		space_entry_taken(spaces, entry);
	return error;
}

int hpt_space_map(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t entry)
{
	return space_node_map(space->spaces, space->asid, vpn, size, entry);
}

/* Whether a node and all below it have no use for what its ancestors show of a page. */
static bool hides(const struct hpt_spaces *spaces, uint16_t asid, struct hpt_key key)
{
	uint64_t entry;

	key.asid = asid;
	return !hpt_lookup(spaces->config.table, key, &entry, NULL) ||
	       space_region_opaque(spaces, asid, key.vpn >> HPT_SPACE_REGION, NULL);
}

/* Whether only this space comes by what it finds at a place. */
static bool sole_user(const struct hpt_space *space, const struct space_place *place)
{
	const struct hpt_spaces *spaces = space->spaces;
	unsigned int searches = 0;
	uint16_t below = space->asid;

	while (below != place->key.asid) {
		uint16_t parent = node_of(spaces, below)->parent;
		uint16_t child = node_of(spaces, parent)->first_child;

		for (; child; child = node_of(spaces, child)->next_sibling) {
			if (child == below)
				continue;
			if (searches++ == HPT_SPACE_SIBLINGS || !hides(spaces, child, place->key))
				return false;
		}
		below = parent;
	}
	return true;
}

/* Whether the frame has no other entry. */
static bool sole_entry(const struct hpt_spaces *spaces, uint64_t entry)
{
	const struct hpt_spaces_config *config = &spaces->config;

	return !(entry & HPT_COPIED) ||
	       (config->references && config->references(config->context, entry) == 1);
}

/* Gives the space an entry of its own, where it has none: the one that it shared, moved. */
static int take_over(struct hpt_space *space, const struct space_place *place)
{
	struct hpt_key key = hpt_key(space->asid, place->key.vpn, (enum hpt_size)place->key.size);
	int error = 0;

	if (key.asid == place->key.asid)
		return space_entry_replace(space->spaces, key, place->entry & ~HPT_COPIED);
	error = space_entry_add(space->spaces, key, place->entry & ~HPT_COPIED);
	if (!error)
		space_entry_moved(space->spaces, place->key, place->entry);
	return error;
}

static int copy(struct hpt_space *space, const struct space_place *place, uint64_t frame)
{
	struct hpt_key key = hpt_key(space->asid, place->key.vpn, (enum hpt_size)place->key.size);
	uint64_t entry = hpt_entry(frame, place->entry & HPT_FLAGS_MASK & ~HPT_COPIED);
	bool own = key.asid == place->key.asid;
	int error = own ? space_entry_replace(space->spaces, key, entry)
			: space_entry_add(space->spaces, key, entry);

	if (error)
		return error;
	space_entry_taken(space->spaces, entry);
	if (own)
		space_entry_dropped(space->spaces, place->entry);
	return 0;
}

int hpt_space_write(struct hpt_space *space, uint64_t vpn, enum hpt_size size, uint64_t frame)
{
	struct space_place place;
	bool shared;
	int error;

	if (frame != HPT_SPACE_NO_FRAME && frame >> HPT_FRAME_BITS)
		return -EINVAL;
	error = space_find(space->spaces, space->asid, vpn, size, &place, NULL);
	if (error)
		return error;
	if (!hpt_resident(place.entry))
		return -EAGAIN;
	if (!(place.entry & HPT_WRITE))
		return -EACCES;
	shown(&place, &shared);
	if (!shared)
		return HPT_SPACE_OWN;
	place.key.vpn -= place.key.vpn % hpt_pages_in(size);
	if (sole_user(space, &place) && sole_entry(space->spaces, place.entry)) {
		error = take_over(space, &place);
		return error ? error : HPT_SPACE_TAKEN;
	}
	if (frame == HPT_SPACE_NO_FRAME)
		return HPT_SPACE_COPY;
	error = copy(space, &place, frame);
	return error ? error : HPT_SPACE_COPIED;
}
