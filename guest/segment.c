/* SPDX-License-Identifier: MIT */
/* See segment.h. */
#include "guest/segment.h"

#include <errno.h>
#include <stddef.h>

#include "guest/frames.h"
#include "guest/stage1.h"

#define PERMISSIONS (HPT_WRITE | HPT_USER)

struct segment {
	struct hpt_segment pages;
	uint64_t users; /* attachments */
};

/* One place of a segment in a space. */
struct attachment {
	struct hpt_attachment at;
	struct segment *segment;
};

/* Either, cut out of pages that are never given back. */
union object {
	struct segment segment;
	struct attachment attachment;
	union object *next_free;
};

static union object *free_objects;

static void *get_object(void)
{
	union object *object = free_objects;
	uint64_t gpa;

	if (!object) {
		if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
			return NULL;
		object = direct(gpa);
		for (unsigned int i = 0; i < HPT_PAGE_SIZE / sizeof(*object); i++) {
			object[i].next_free = free_objects;
			free_objects = &object[i];
		}
		object = free_objects;
	}
	free_objects = object->next_free;
	*object = (union object){0};
	return object;
}

static void put_object(void *object)
{
	((union object *)object)->next_free = free_objects;
	free_objects = object;
}

static void put_segment(struct segment *segment)
{
	if (--segment->users)
		return;
	hpt_segment_destroy(&segment->pages);
	hpt_spaces_reap(&spaces, UINT64_MAX);
	stage1_moved++;
	put_object(segment);
}

static int attach(struct space *space, struct segment *segment, uint64_t vpn, uint64_t pages,
		  uint64_t offset)
{
	struct attachment *attachment = get_object();

	if (!attachment)
		return -ENOMEM;
	attachment->segment = segment;
	segment->users++;
	/* It is where nothing else is attached. */
	return hpt_space_attach(&space->pages, &attachment->at, &segment->pages, vpn, pages, offset,
				PERMISSIONS);
}

static void detach(struct attachment *attachment)
{
	struct segment *segment = attachment->segment;

	hpt_space_detach(&attachment->at);
	put_object(attachment);
	put_segment(segment);
}

int segment_create(struct space *space, uint64_t start, uint64_t end)
{
	struct segment *segment = get_object();
	int error;

	if (!segment)
		return -ENOMEM;
	error = hpt_segment_create(&spaces, &segment->pages);
	if (error) {
		put_object(segment);
		return -ENOMEM;
	}
	/* One user more until it has one. */
	segment->users = 1;
	error = attach(space, segment, start, end - start, 0);
	put_segment(segment);
	return error;
}

/* The first attachment that ends behind `vpn`, or NULL. */
static struct attachment *first_from(const struct space *space, uint64_t vpn)
{
	struct hpt_attachment *at = space->pages.attachments;

	while (at && at->vpn + at->pages <= vpn)
		at = at->next;
	return (struct attachment *)at;
}

int segment_map(struct space *space, uint64_t vpn, uint64_t entry)
{
	struct attachment *attachment = first_from(space, vpn);

	if (!attachment || attachment->at.vpn > vpn)
		return -EFAULT;
	return hpt_segment_map(&attachment->segment->pages,
			       vpn - attachment->at.vpn + attachment->at.offset, HPT_4K, entry);
}

const struct segment *segment_at(const struct space *space, uint64_t vpn, uint64_t *page)
{
	const struct attachment *attachment = first_from(space, vpn);

	if (!attachment || attachment->at.vpn > vpn)
		return NULL;
	*page = vpn - attachment->at.vpn + attachment->at.offset;
	return attachment->segment;
}

/* Cuts an attachment in two at a page that is in it. */
static int cut(struct space *space, struct attachment *attachment, uint64_t vpn)
{
	struct hpt_attachment *at = &attachment->at;
	const uint64_t start = at->vpn, end = at->vpn + at->pages, offset = at->offset;
	struct attachment *upper = get_object();

	if (!upper)
		return -ENOMEM;
	upper->segment = attachment->segment;
	upper->segment->users++;
	hpt_space_detach(at);
	hpt_space_attach(&space->pages, at, &attachment->segment->pages, start, vpn - start, offset,
			 PERMISSIONS);
	return hpt_space_attach(&space->pages, &upper->at, &attachment->segment->pages, vpn,
				end - vpn, offset + vpn - start, PERMISSIONS);
}

int segment_detach(struct space *space, uint64_t start, uint64_t end)
{
	const uint64_t edges[] = {start, end};
	struct attachment *attachment;

	for (unsigned int i = 0; i < 2; i++) {
		attachment = first_from(space, edges[i]);
		if (attachment && attachment->at.vpn < edges[i] && cut(space, attachment, edges[i]))
			return -ENOMEM;
	}
	for (attachment = first_from(space, start); attachment && attachment->at.vpn < end;
	     attachment = first_from(space, start))
		detach(attachment);
	return 0;
}

int segment_copy(struct space *child, const struct space *parent)
{
	const struct hpt_attachment *from = parent->pages.attachments;
	int error = 0;

	for (; from && !error; from = from->next)
		error = attach(child, ((const struct attachment *)from)->segment, from->vpn,
			       from->pages, from->offset);
	if (error)
		segment_detach(child, 0, UINT64_MAX);
	return error;
}
