/* SPDX-License-Identifier: MIT */
#include "bench/trace_input.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/status.h"

/*
 * decode() takes what it can from the file's bytes and appends to the window what comes out. It
 * sets `finished` when the file is at its end and nothing is missing.
 */
struct trace_decoder {
	const char *magic; /* how a file of this kind begins */
	size_t magic_length;
	int (*start)(struct trace_input *input, struct message *message); /* may be missing, */
	int (*decode)(struct trace_input *input, struct message *message);
	void (*stop)(struct trace_input *input); /* as this */
};

static int refuse(struct trace_input *input, struct message *message, const char *found,
		  const char *wanted)
{
	return message_set(message, -EBADMSG, STATUS_DATA,
			   "%s: compressed byte %" PRIu64 ": found %s, wanted %s", input->name,
			   input->consumed - (input->file_end - input->file_start), found, wanted);
}

static int no_memory(struct trace_input *input, struct message *message)
{
	return message_set(message, -ENOMEM, STATUS_INTERNAL, "%s: out of memory", input->name);
}

static int plain_decode(struct trace_input *input, struct message *message)
{
	size_t size = input->file_end - input->file_start;
	size_t room = TRACE_WINDOW_BYTES - input->end;

	(void)message;
	if (size > room)
		size = room;
	memcpy(input->window + input->end, input->file + input->file_start, size);
	input->file_start += size;
	input->end += size;
	input->finished = input->at_end && input->file_start == input->file_end;
	return 0;
}

static int xz_start(struct trace_input *input, struct message *message)
{
	input->xz = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&input->xz, TRACE_XZ_MEMORY,
				LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK)
		return no_memory(input, message);
	return 0;
}

static int xz_refuse(struct trace_input *input, lzma_ret result, struct message *message)
{
	switch (result) {
	case LZMA_BUF_ERROR:
		return refuse(input, message, "the end of the file", "the rest of the xz stream");
	case LZMA_MEM_ERROR:
		return no_memory(input, message);
	case LZMA_MEMLIMIT_ERROR:
		return refuse(input, message, "an xz stream that takes more memory to decode",
			      "at most 128 MiB");
	case LZMA_OPTIONS_ERROR:
	case LZMA_UNSUPPORTED_CHECK:
		return refuse(input, message, "options or a check that liblzma does not know",
			      "an xz stream that it can decode and check");
	default:
		return refuse(input, message, "damaged data", "xz streams that pass their checks");
	}
}

static int xz_decode(struct trace_input *input, struct message *message)
{
	lzma_ret result;

	input->xz.next_in = input->file + input->file_start;
	input->xz.avail_in = input->file_end - input->file_start;
	input->xz.next_out = (uint8_t *)input->window + input->end;
	input->xz.avail_out = TRACE_WINDOW_BYTES - input->end;
	result = lzma_code(&input->xz, input->at_end ? LZMA_FINISH : LZMA_RUN);
	input->file_start = input->file_end - input->xz.avail_in;
	input->end = TRACE_WINDOW_BYTES - input->xz.avail_out;
	input->finished = result == LZMA_STREAM_END;
	return result == LZMA_OK || result == LZMA_STREAM_END ? 0
							      : xz_refuse(input, result, message);
}

static void xz_stop(struct trace_input *input)
{
	lzma_end(&input->xz);
}

static int gzip_start(struct trace_input *input, struct message *message)
{
	input->gzip = (z_stream){0};
	return inflateInit2(&input->gzip, 15 + 16) == Z_OK ? 0 : no_memory(input, message);
}

static int gzip_refuse(struct trace_input *input, int result, struct message *message)
{
	char found[64];

	if (result == Z_MEM_ERROR)
		return no_memory(input, message);
	snprintf(found, sizeof(found), "damaged data (%s)",
		 input->gzip.msg ? input->gzip.msg : "no gzip");
	return refuse(input, message, found, "gzip members that pass their checks");
}

static int gzip_decode(struct trace_input *input, struct message *message)
{
	int result;

	if (input->at_end && input->file_start == input->file_end && input->between) {
		input->finished = true;
		return 0;
	}
	if (input->between && inflateReset(&input->gzip) != Z_OK)
		return no_memory(input, message);
	input->between = false;
	input->gzip.next_in = input->file + input->file_start;
	input->gzip.avail_in = (uInt)(input->file_end - input->file_start);
	input->gzip.next_out = (Bytef *)input->window + input->end;
	input->gzip.avail_out = (uInt)(TRACE_WINDOW_BYTES - input->end);
	result = inflate(&input->gzip, Z_NO_FLUSH);
	input->file_start = input->file_end - input->gzip.avail_in;
	input->end = TRACE_WINDOW_BYTES - input->gzip.avail_out;
	if (result == Z_STREAM_END) {
		input->between = true;
		return 0;
	}
	/* Nothing to do is no error, unless the file has nothing more either. */
	if (result == Z_BUF_ERROR && input->at_end)
		return refuse(input, message, "the end of the file", "the rest of the gzip member");
	return result == Z_OK || result == Z_BUF_ERROR ? 0 : gzip_refuse(input, result, message);
}

static void gzip_stop(struct trace_input *input)
{
	inflateEnd(&input->gzip);
}

static const struct trace_decoder decoders[TRACE_COMPRESSIONS] = {
	[TRACE_PLAIN] = {"", 0, NULL, plain_decode, NULL},
	[TRACE_XZ] = {"\3757zXZ", 6, xz_start, xz_decode, xz_stop},
	[TRACE_GZIP] = {"\x1f\x8b", 2, gzip_start, gzip_decode, gzip_stop},
};

/* Compressed in a way that is not read: to be named. */
static const struct {
	const char *magic;
	const char *name;
} foreign[] = {
	{"\x28\xb5\x2f\xfd", "zstd"},
	{"BZh", "bzip2"},
	{"\x04\x22\x4d\x18", "lz4"},
	{"PK\x03\x04", "zip"},
};

/* Reads once more into the empty buffer. */
static int read_file(struct trace_input *input, struct message *message)
{
	ssize_t got;

	if (input->file_start == input->file_end)
		input->file_start = input->file_end = 0;
	do
		got = read(input->fd, input->file + input->file_end,
			   TRACE_FILE_BYTES - input->file_end);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return message_set(message, -errno, STATUS_NOINPUT,
				   "%s: found a file that cannot be read (%s), wanted a trace",
				   input->name, strerror(errno));
	input->file_end += (size_t)got;
	input->consumed += (uint64_t)got;
	input->at_end = got == 0;
	return 0;
}

/* By the first bytes; a pipe may bring them one by one. */
static int find_decoder(struct trace_input *input, struct message *message)
{
	enum trace_compression compression = TRACE_COMPRESSIONS - 1;
	int error = 0;

	while (!error && !input->at_end && input->file_end < 6)
		error = read_file(input, message);
	if (error)
		return error;
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		size_t length = strlen(foreign[i].magic);

		if (input->file_end >= length && !memcmp(input->file, foreign[i].magic, length))
			return message_set(message, -EBADMSG, STATUS_DATA,
					   "%s: byte 0: found a file of %s, wanted a trace that is "
					   "compressed by xz or gzip or not at all",
					   input->name, foreign[i].name);
	}
	while (input->file_end < decoders[compression].magic_length ||
	       memcmp(input->file, decoders[compression].magic, decoders[compression].magic_length))
		compression--;
	input->decoder = &decoders[compression];
	if (input->decoder->start)
		error = input->decoder->start(input, message);
	input->started = !error && input->decoder->stop;
	return error;
}

/* The end of a long name says more than its start. */
static void set_name(struct trace_input *input, const char *path)
{
	size_t length = strlen(path), i;

	if (!strcmp(path, "-"))
		path = "standard input";
	else if (length > TRACE_NAME_MAX)
		path += length - TRACE_NAME_MAX;
	for (i = 0; path[i]; i++)
		input->name[i] = (char)(path[i] >= ' ' && path[i] <= '~' ? path[i] : '?');
	input->name[i] = 0;
	if (length > TRACE_NAME_MAX)
		memcpy(input->name, "...", 3);
}

static int open_file(struct trace_input *input, const char *path, struct message *message)
{
	struct stat status;
	off_t place;

	input->keep = !strcmp(path, "-");
	input->fd = input->keep ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (input->fd < 0)
		return message_set(message, -errno, STATUS_NOINPUT,
				   "%s: found none that can be opened (%s), wanted a trace",
				   input->name, strerror(errno));
	if (fstat(input->fd, &status) || !S_ISREG(status.st_mode))
		return 0;
	place = lseek(input->fd, 0, SEEK_CUR);
	if (place >= 0 && place < status.st_size)
		input->total = (uint64_t)(status.st_size - place);
	return 0;
}

int trace_input_open(struct trace_input *input, const char *path, struct message *message)
{
	int error;

	*input = (struct trace_input){.fd = -1};
	set_name(input, path);
	input->file = malloc(TRACE_FILE_BYTES);
	input->window = malloc(TRACE_WINDOW_BYTES);
	error = input->file && input->window ? 0 : no_memory(input, message);
	if (!error)
		error = open_file(input, path, message);
	if (!error)
		error = find_decoder(input, message);
	if (error)
		trace_input_close(input);
	return error;
}

int trace_input_more(struct trace_input *input, struct message *message)
{
	size_t before = input->end - input->start;
	int error = input->error;

	memmove(input->window, input->window + input->start, before);
	input->offset += input->start;
	input->start = 0;
	input->end = before;
	while (!error && input->end == before && !input->finished) {
		if (input->file_start == input->file_end && !input->at_end)
			error = read_file(input, &input->problem);
		if (!error)
			error = input->decoder->decode(input, &input->problem);
	}
	/* What came out before the damage is read first. */
	input->error = error;
	if (input->end > before)
		return 1;
	if (error)
		*message = input->problem;
	return error;
}

enum trace_compression trace_input_compression(const struct trace_input *input)
{
	return (enum trace_compression)(input->decoder - decoders);
}

void trace_input_close(struct trace_input *input)
{
	if (input->started)
		input->decoder->stop(input);
	if (input->fd >= 0 && !input->keep)
		close(input->fd);
	free(input->file);
	free(input->window);
}
