/* SPDX-License-Identifier: MIT */
/* Segments and where they are attached. See space.h. */
#include "hpt/space_node.h"

int hpt_segment_create(struct hpt_spaces *spaces, struct hpt_segment *segment)
{
	*segment = (struct hpt_segment){.spaces = spaces};
	return space_node_get(spaces, NODE_SEGMENT, &segment->asid);
}

int hpt_segment_destroy(struct hpt_segment *segment)
{
	if (segment->attachments)
		return -EBUSY;
	space_node_end(segment->spaces, segment->asid);
	return 0;
}

int hpt_segment_map(struct hpt_segment *segment, uint64_t page, enum hpt_size size, uint64_t entry)
{
	return space_node_map(segment->spaces, segment->asid, page, size, entry);
}

int hpt_segment_unmap(struct hpt_segment *segment, uint64_t page, enum hpt_size size,
		      uint64_t count)
{
	return space_node_unmap(segment->spaces, segment->asid, page, size, count);
}

int hpt_segment_protect(struct hpt_segment *segment, uint64_t page, enum hpt_size size,
			uint64_t count, uint64_t clear, uint64_t set)
{
	return space_node_protect(segment->spaces, segment->asid, page, size, count, clear, set);
}

static bool permissions_valid(uint64_t permissions)
{
	return !(permissions & ~(HPT_WRITE | HPT_USER | HPT_NOEXEC));
}

int hpt_space_attach(struct hpt_space *space, struct hpt_attachment *attachment,
		     struct hpt_segment *segment, uint64_t vpn, uint64_t pages, uint64_t offset,
		     uint64_t permissions)
{
	struct hpt_attachment **link = &space->attachments;

	if (!pages || !space_range_fits(space->spaces, vpn, HPT_4K, pages) ||
	    !space_range_fits(space->spaces, offset, HPT_4K, pages) ||
	    segment->spaces != space->spaces || !permissions_valid(permissions))
		return -EINVAL;
	while (*link && (*link)->vpn + (*link)->pages <= vpn)
		link = &(*link)->next;
	if (*link && (*link)->vpn < vpn + pages)
		return -EEXIST;
	*attachment = (struct hpt_attachment){.segment = segment,
					      .space = space,
					      .vpn = vpn,
					      .pages = pages,
					      .offset = offset,
					      .permissions = permissions,
					      .next = *link,
					      .next_user = segment->attachments,
					      .user_link = &segment->attachments};
	*link = attachment;
	space->attached++;
	if (attachment->next_user)
		attachment->next_user->user_link = &attachment->next_user;
	segment->attachments = attachment;
	return 0;
}

void hpt_space_detach(struct hpt_attachment *attachment)
{
	struct hpt_attachment **link = &attachment->space->attachments;

	while (*link != attachment)
		link = &(*link)->next;
	*link = attachment->next;
	attachment->space->attached--;
	*attachment->user_link = attachment->next_user;
	if (attachment->next_user)
		attachment->next_user->user_link = attachment->user_link;
}

int hpt_attachment_protect(struct hpt_attachment *attachment, uint64_t permissions)
{
	if (!permissions_valid(permissions))
		return -EINVAL;
	attachment->permissions = permissions;
	return 0;
}
