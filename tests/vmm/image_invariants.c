/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <stdlib.h>

#include "tests/vmm/image_invariants.h"

/* Sums of two 64-bit numbers, none of which may be cut off. */
typedef unsigned __int128 wide;

struct span {
	wide start, end;
};

static struct span span_of(const struct image_segment *segment)
{
	wide start = segment->address;

	return (struct span){start, start + segment->memory_size};
}

/* What a segment keeps others out of: of a program whole pages. */
static struct span place_of(const struct image *image, const struct image_segment *segment)
{
	struct span span = span_of(segment);

	if (image->kind == IMAGE_STATIC_PROGRAM)
		return (struct span){span.start / 4096 * 4096, (span.end + 4095) / 4096 * 4096};
	return span;
}

static bool inside(struct span span, wide start, wide end)
{
	return start <= span.start && span.end <= end;
}

static const char *broken_segment(const struct image *image, const struct image_segment *segment,
				  size_t size, const struct image_ram *ram)
{
	struct span span = span_of(segment);
	bool placed = !ram;

	if (!segment->memory_size)
		return "a segment occupies memory";
	if (segment->file_size > segment->memory_size)
		return "a segment's file bytes fit its memory";
	if (segment->file_size && (wide)segment->file_offset + segment->file_size > size)
		return "a segment's file bytes are in the file";
	if (span.end > UINT64_MAX)
		return "a segment ends in the 64-bit address space";
	if (image->kind == IMAGE_STATIC_PROGRAM) {
		wide low = image->relocatable ? 0 : 0x10000;
		wide high = 0x7fff00000000 - (image->relocatable ? 0x555555554000 : 0);

		if (!inside(span, low, high))
			return "a program is in the low half";
		if (segment->address % 4096 != segment->file_offset % 4096)
			return "a program's pages are pages of the file";
		return NULL;
	}
	for (unsigned i = 0; ram && i < ram->count; i++)
		placed = placed || inside(span, ram->range[i].start, ram->range[i].end);
	if (!placed || span.start < 0x10000)
		return "a kernel is in guest RAM, above the boot structures";
	return NULL;
}

static const char *broken_pair(const struct image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		struct span one = place_of(image, &image->segments[i]);

		for (unsigned j = i + 1; j < image->segment_count; j++) {
			struct span other = place_of(image, &image->segments[j]);

			if (!(one.end <= other.start || other.end <= one.start))
				return "segments are disjoint";
		}
	}
	return NULL;
}

static const char *broken_entry(const struct image *image)
{
	wide entry = image->entry;

	if (image->kind != IMAGE_STATIC_PROGRAM && entry >> 32)
		return "a kernel's entry has 32 bits";
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct image_segment *segment = &image->segments[i];
		wide start = segment->address;

		if (start <= entry && entry < start + segment->file_size)
			return image->kind != IMAGE_STATIC_PROGRAM || (segment->flags & PF_X)
				       ? NULL
				       : "a program's entry is executable";
	}
	return "the entry is in the file bytes of a segment";
}

/* A guest that counts what it is given, and reads every byte of it: for the address sanitizer. */
struct sink {
	wide total;
	unsigned sum;
};

static int take(void *context, uint64_t address, const void *bytes, uint64_t size)
{
	const unsigned char *byte = bytes;
	struct sink *sink = context;

	(void)address;
	sink->total += size;
	for (uint64_t i = 0; byte && i < size; i++)
		sink->sum += byte[i];
	return 0;
}

static const char *broken_load(const struct image *image, const void *bytes, size_t size)
{
	struct sink sink = {0};

	if (image_load(image, bytes, size, take, &sink))
		return "an accepted image loads";
	for (unsigned i = 0; i < image->segment_count; i++)
		sink.total -= image->segments[i].memory_size;
	return sink.total ? "all of the memory is written" : NULL;
}

static const char *broken_linux(const struct image *image, const struct image_ram *ram)
{
	const char *c = image->linux_kernel.name;
	uint64_t start, end;

	image_bounds(image, &start, &end);
	if (image->segment_count != 1 || image->segments[0].address != 0x100000 ||
	    image->entry != 0x100200)
		return "Linux is loaded at 1 MiB and entered 0x200 behind that";
	if (image->linux_kernel.protocol < 0x20c)
		return "Linux has a 64-bit entry";
	if (ram && end > ram->range[0].end && end <= ram->range[1].start)
		return "what Linux takes to unpack is guest RAM";
	if (end > UINT64_C(1) << 32 || end < image->segments[0].address + 0x201)
		return "what Linux takes to unpack is below 4 GiB";
	while (*c >= ' ' && *c <= '~')
		c++;
	return *c ? "the name of a kernel is printable" : NULL;
}

const char *image_broken_promise(const struct image *image, const void *bytes, size_t size,
				 const struct image_ram *ram)
{
	const char *broken = NULL;

	if (!image_is_kernel(image->kind) && image->kind != IMAGE_STATIC_PROGRAM)
		return "an image is of one of the four kinds";
	if (!image->segment_count || image->segment_count > IMAGE_SEGMENTS_MAX)
		return "an image has segments, at most as many as there is room for";
	for (unsigned i = 0; i < image->segment_count && !broken; i++)
		broken = broken_segment(image, &image->segments[i], size, ram);
	if (!broken)
		broken = broken_pair(image);
	if (!broken)
		broken = broken_entry(image);
	if (!broken && image->kind == IMAGE_LINUX_KERNEL)
		broken = broken_linux(image, ram);
	return broken ? broken : broken_load(image, bytes, size);
}
