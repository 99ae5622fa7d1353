/* SPDX-License-Identifier: MIT */
/*
 * Pipes: up to 64 KiB of bytes on their way from who writes to who reads. As on Linux, a write of
 * up to a page goes in as a whole, and a larger one in parts, as there is room.
 */
#ifndef GUEST_PIPE_H
#define GUEST_PIPE_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct parts;
struct pipe;

/* A pipe with its two ends open, in ends[0] and [1]. -ENOMEM. */
int pipe_create(struct file *ends[2], uint32_t flags);

/* An end is closed; with the second one the pipe goes. */
void pipe_close(struct pipe *pipe, bool is_writer);

/*
 * As read() and write(): a count, a negative errno value, or what schedule_wait_again() says. A
 * write counts what it has moved already in the task (task->progress).
 */
int64_t pipe_read(struct file *file, const struct parts *parts);
int64_t pipe_write(struct file *file, const struct parts *parts);

/* How many bytes could be read. */
uint32_t pipe_bytes(const struct pipe *pipe);

/* What poll() says of an end. */
uint32_t pipe_events(const struct file *file);

#endif
