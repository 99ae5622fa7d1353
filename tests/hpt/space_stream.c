/* SPDX-License-Identifier: MIT */
/* Streams of what spaces do, run and shortened (space_model.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/hpt/shrink.h"
#include "tests/hpt/space_model.h"

static struct world world;

/* A chain of forks, with pages changed at each: deeper than the bound. */
static void nest(unsigned int at, const struct stream_record *record)
{
	world_reap(&world, 1000);
	for (unsigned int i = 0; i < 4 + record->entry % 8; i++) {
		unsigned int next = (at + 1) % WORLD_SPACES;
		unsigned int page = (unsigned int)(record->number >> i) % WORLD_PAGES;

		world_destroy(&world, next);
		world_fork(&world, at, next);
		for (unsigned int j = 0; j < 3; j++, page = (page + WORLD_SMALL) % WORLD_PAGES) {
			world_map(&world, at, page, HPT_WRITE, false);
			world_protect(&world, next, page, page, 0, HPT_WRITE);
			world_write(&world, j & 1 ? at : next, page);
		}
		at = next;
	}
}

static void run_on_segments(const struct stream_record *record)
{
	unsigned int at = record->key % WORLD_SPACES;
	unsigned int slot = record->count % WORLD_ATTACHED;
	unsigned int segment = record->count / 4 % WORLD_SEGMENTS;
	unsigned int page = record->number % WORLD_PAGES;
	unsigned int last = (record->number >> 16) % WORLD_PAGES;

	switch (record->entry >> 24 & 15) {
	case 0:
		world_segment_create(&world, segment);
		break;
	case 1:
		world_segment_destroy(&world, segment);
		break;
	case 2:
		world_segment_unmap(&world, segment, page, last);
		break;
	case 3:
		world_segment_protect(&world, segment, page, last, record->entry,
				      record->entry >> 12);
		break;
	case 4:
		world_detach(&world, at, slot);
		break;
	case 5:
	case 6:
		world_attachment_protect(&world, at, slot, record->entry);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		world_attach(&world, at, slot, segment, record->number);
		break;
	default:
		world_segment_map(&world, segment, page, record->entry);
	}
}

static void run_record(const struct space_stream *stream, const struct stream_record *record)
{
	unsigned int at = record->key % WORLD_SPACES;
	unsigned int other = record->count % WORLD_SPACES;
	unsigned int page = record->number % WORLD_PAGES;
	unsigned int last = (record->number >> 16) % WORLD_PAGES;

	switch (record->what % 20) {
	case 0:
		world_create(&world, at);
		break;
	case 1:
	case 2:
		world_fork(&world, at, other);
		break;
	case 3:
		if (record->count & 1)
			world_destroy(&world, at);
		else if (!(record->count & 14))
			nest(at, record);
		break;
	case 4:
	case 5:
	case 6:
		world_map(&world, at, page, record->entry | (record->count & 16 ? HPT_WRITE : 0),
			  !(record->count % 16));
		break;
	case 7:
	case 8:
	case 9:
		world_write(&world, at, page);
		break;
	case 10:
		world_unmap(&world, at, page, record->count & 256 ? last : page);
		break;
	case 11:
		world_protect(&world, at, page, last, record->entry, record->entry >> 12);
		break;
	case 12:
		world_swap(&world, at, page);
		break;
	case 13:
		world_reap(&world, record->count % 32);
		break;
	case 14:
		if (stream->features & WORLD_FAILURES) {
			world.memory.first_failure = world.memory.calls + 1 + record->count % 4;
			world.memory.last_failure = world.memory.first_failure + record->entry % 8;
		}
		break;
	case 15:
		if (record->count & 1)
			world_check(&world);
		break;
	default:
		run_on_segments(record);
	}
}

void space_stream_run(const struct space_stream *stream)
{
	world_begin(&world, stream->organisation, stream->features);
	for (size_t i = 0; i < stream->count; i++)
		run_record(stream, &stream->records[i]);
	world_end(&world);
}

static void run(const void *stream)
{
	space_stream_run(stream);
}

static bool part_fails(void *context, const struct stream_record *records, size_t count)
{
	struct space_stream part = *(const struct space_stream *)context;

	part.records = records;
	part.count = count;
	return shrink_run_fails(run, &part);
}

bool space_stream_fails_shortened(const struct space_stream *stream)
{
	struct space_stream shortest = *stream;
	struct stream_record *records;

	if (!shrink_run_fails(run, stream))
		return false;
	records = malloc(stream->count * sizeof(*records));
	if (records) {
		memcpy(records, stream->records, stream->count * sizeof(*records));
		shortest.records = records;
		shortest.count = shrink(records, stream->count, part_fails, &shortest);
	}
	fprintf(stderr, "%s:\n", hpt_organisation_name(stream->organisation));
	for (size_t i = 0; i < shortest.count; i++)
		fprintf(stderr, "\t{%u, %u, %u, 0x%x, 0x%llx},\n", shortest.records[i].what,
			shortest.records[i].key, shortest.records[i].count,
			shortest.records[i].entry, (unsigned long long)shortest.records[i].number);
	/* Once more, to hear what it says. */
	if (!fork()) {
		space_stream_run(&shortest);
		_exit(0);
	}
	wait(NULL);
	free(records);
	return true;
}
