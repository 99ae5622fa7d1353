/* SPDX-License-Identifier: MIT */
/*
 * Fault-around: how many pages a first touch gets. Policy only.
 *
 * A miss costs tens of microseconds, of which its table and its frame are one. Whoever touches page
 * after page gets more of them at a time: the width doubles with each miss that comes where a run
 * has ended, as that of read-ahead does in file systems, and is one for each that does not. So
 * random touches cost no frame that is not used, and a sequence at most one run. Several sequences
 * are followed at once.
 */
#ifndef EPT_AROUND_H
#define EPT_AROUND_H

#include <stdint.h>

/*
 * The widest run, a whole block, which is the best of all (bench/stage2_around.c): the host takes
 * as long for each page however many there are, and of the miss itself nothing is left by then. 64
 * take a fifteenth longer a page.
 */
#define EPT_AROUND_MAX 512

#define EPT_STREAMS 4

struct ept_stream {
	uint64_t next; /* the page behind its last run */
	unsigned int width;
};

struct ept_around {
	struct ept_stream streams[EPT_STREAMS];
	unsigned int oldest;
};

/* The stream that a first touch of page `gfn` goes on with, or begins. */
static inline struct ept_stream *ept_around_stream(struct ept_around *around, uint64_t gfn)
{
	struct ept_stream *stream;

	for (unsigned int i = 0; i < EPT_STREAMS; i++) {
		if (around->streams[i].next == gfn && around->streams[i].width)
			return &around->streams[i];
	}
	stream = &around->streams[around->oldest++ % EPT_STREAMS];
	*stream = (struct ept_stream){.next = gfn, .width = 0};
	return stream;
}

/* How many pages it shall get, from 1 to `widest`. */
static inline unsigned int ept_around_width(const struct ept_stream *stream, unsigned int widest)
{
	unsigned int width = stream->width ? 2 * stream->width : 1;

	return width < widest ? width : widest;
}

/* How many it got. */
static inline void ept_around_note(struct ept_stream *stream, unsigned int pages)
{
	stream->next += pages;
	stream->width = pages;
}

#endif
