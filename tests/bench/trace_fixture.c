/* SPDX-License-Identifier: MIT */
#include "tests/bench/trace_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "vmm/status.h"

/* The fixture itself has no business failing. */
static void must(bool well, const char *what)
{
	if (!well) {
		perror(what);
		abort();
	}
}

void bytes_append(struct bytes *bytes, const void *more, size_t size)
{
	bytes->bytes = realloc(bytes->bytes, bytes->size + size + 1);
	must(bytes->bytes, "realloc");
	memcpy(bytes->bytes + bytes->size, more, size);
	bytes->size += size;
}

void bytes_text(struct bytes *bytes, const char *text)
{
	bytes_append(bytes, text, strlen(text));
}

void bytes_record(struct bytes *bytes, uint64_t ip, uint8_t is_branch, const uint64_t stores[2],
		  const uint64_t loads[4])
{
	uint64_t words[8] = {ip, is_branch};

	memcpy(words + 2, stores, 2 * sizeof(*words));
	memcpy(words + 4, loads, 4 * sizeof(*words));
	bytes_append(bytes, words, sizeof(words));
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->bytes);
	*bytes = (struct bytes){0};
}

static void compress_xz(const struct bytes *bytes, struct bytes *out)
{
	size_t bound = lzma_stream_buffer_bound(bytes->size);

	out->bytes = malloc(bound);
	must(out->bytes &&
		     lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, bytes->bytes, bytes->size,
					     out->bytes, &out->size, bound) == LZMA_OK,
	     "lzma_easy_buffer_encode");
}

static void compress_gzip(const struct bytes *bytes, struct bytes *out)
{
	z_stream stream = {0};
	size_t bound;

	must(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK,
	     "deflateInit2");
	bound = deflateBound(&stream, bytes->size);
	out->bytes = malloc(bound);
	must(out->bytes, "malloc");
	stream.next_in = bytes->bytes;
	stream.avail_in = (uInt)bytes->size;
	stream.next_out = out->bytes;
	stream.avail_out = (uInt)bound;
	must(deflate(&stream, Z_FINISH) == Z_STREAM_END, "deflate");
	out->size = bound - stream.avail_out;
	deflateEnd(&stream);
}

struct bytes bytes_compressed(const struct bytes *bytes, enum trace_compression compression)
{
	struct bytes out = {0};

	if (compression == TRACE_XZ)
		compress_xz(bytes, &out);
	else if (compression == TRACE_GZIP)
		compress_gzip(bytes, &out);
	else
		bytes_append(&out, bytes->bytes, bytes->size);
	return out;
}

void read_path(const char *path, size_t batch, struct reading *reading)
{
	struct trace *trace;
	size_t room = 0;
	long got;

	*reading = (struct reading){0};
	reading->error = trace_open(&trace, path, &reading->message);
	must(reading->error <= 0 && !trace == !!reading->error, "trace_open");
	if (reading->error)
		return;
	reading->opened = true;
	do {
		if (room < reading->count + batch) {
			room = 2 * (reading->count + batch);
			reading->accesses =
				realloc(reading->accesses, room * sizeof(*reading->accesses));
			must(reading->accesses, "realloc");
		}
		got = trace_next(trace, reading->accesses + reading->count, batch,
				 &reading->message);
		reading->count += got > 0 ? (size_t)got : 0;
	} while (got > 0);
	reading->error = (int)got;
	reading->format = trace_format(trace);
	reading->compression = trace_compression(trace);
	reading->counts = *trace_counts(trace);
	reading->progress = trace_progress(trace);
	/* The end stays the end, an error stays the same. */
	for (int i = 0; i < 2; i++) {
		struct message again = {0};
		struct trace_access access;

		must(trace_next(trace, &access, 1, &again) == got, "trace_next once more");
		must(!got || !strcmp(again.text, reading->message.text), "its message once more");
	}
	trace_close(trace);
}

void read_bytes(const struct bytes *bytes, size_t batch, struct reading *reading)
{
	int file = memfd_create("trace", 0);

	must(file >= 0 && dup2(file, TRACE_FD) == TRACE_FD, "memfd_create");
	close(file);
	must(write(TRACE_FD, bytes->bytes, bytes->size) == (ssize_t)bytes->size, "write");
	read_path(TRACE_PATH, batch, reading);
	close(TRACE_FD);
}

struct sender {
	const struct bytes *bytes;
	size_t chunk;
	int end;
};

/* A reader that has found an error is gone early. */
static void *send_pieces(void *context)
{
	struct sender *sender = context;
	size_t done = 0;

	while (done < sender->bytes->size) {
		size_t size = sender->bytes->size - done;

		if (size > sender->chunk)
			size = sender->chunk;
		if (send(sender->end, sender->bytes->bytes + done, size, MSG_NOSIGNAL) < 0)
			break;
		done += size;
	}
	close(sender->end);
	return NULL;
}

void read_pieces(const struct bytes *bytes, size_t chunk, size_t batch, struct reading *reading)
{
	struct sender sender = {bytes, chunk, -1};
	pthread_t thread;
	int ends[2];

	/* Of such a socket a read takes one piece, never two. */
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), "socketpair");
	must(dup2(ends[0], STDIN_FILENO) == STDIN_FILENO, "dup2");
	if (ends[0] != STDIN_FILENO)
		close(ends[0]);
	sender.end = ends[1];
	must(!pthread_create(&thread, NULL, send_pieces, &sender), "pthread_create");
	read_path("-", batch, reading);
	close(STDIN_FILENO);
	pthread_join(thread, NULL);
}

void reading_free(struct reading *reading)
{
	free(reading->accesses);
	reading->accesses = NULL;
}

static const char *broken_access(const struct trace_access *access)
{
	uint64_t last = access->address + access->size - 1;

	if (access->kind >= TRACE_KINDS)
		return "a kind that there is";
	if (!access->size || access->address >> 12 != last >> 12)
		return "an access lies in one page";
	if (access->address >> 47 && access->address >> 47 != 0x1ffff)
		return "addresses are canonical";
	return NULL;
}

static const char *broken_message(const struct reading *reading)
{
	const char *text = reading->message.text;
	const char *found = strstr(text, ": found "), *wanted = strstr(text, ", wanted ");

	if (reading->error == -EBADMSG ? reading->message.status != STATUS_DATA
				       : reading->message.status != STATUS_NOINPUT)
		return "the status is that of the error";
	if (!found || !wanted || wanted < found)
		return "a message says what was found and what was wanted";
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			return "a message is one line of printable ASCII";
	}
	if (strlen(reading->message.text) + 1 == sizeof(reading->message.text))
		return "a message is not cut";
	return NULL;
}

const char *reading_broken_promise(const struct reading *reading)
{
	uint64_t counted = 0, ignored = 0;
	const char *broken = NULL;

	for (size_t i = 0; !broken && i < reading->count; i++)
		broken = broken_access(&reading->accesses[i]);
	if (!broken && reading->error)
		broken = broken_message(reading);
	if (broken || !reading->opened)
		return broken;
	for (int i = 0; i < TRACE_KINDS; i++)
		counted += reading->counts.accesses[i];
	for (int i = 0; i < TRACE_IGNORED; i++)
		ignored += reading->counts.ignored[i];
	if (counted != reading->count)
		return "every access is handed out and counted";
	if (reading->format == TRACE_CHAMPSIM) {
		if (ignored || reading->counts.instructions != reading->counts.records)
			return "a record of ChampSim is an instruction";
	} else if (counted - reading->counts.splits + ignored != reading->counts.records) {
		return "every line is an access or ignored";
	}
	return NULL;
}

static const char *behind_name(const struct reading *reading)
{
	const char *colon = strstr(reading->message.text, ": ");

	return colon ? colon : reading->message.text;
}

bool reading_same(const struct reading *one, const struct reading *other)
{
	if (one->count != other->count || one->error != other->error ||
	    one->opened != other->opened)
		return false;
	if (one->error && strcmp(behind_name(one), behind_name(other)) != 0)
		return false;
	for (size_t i = 0; i < one->count; i++) {
		const struct trace_access *a = &one->accesses[i], *b = &other->accesses[i];

		if (a->address != b->address || a->size != b->size || a->kind != b->kind)
			return false;
	}
	return !one->opened || !memcmp(&one->counts, &other->counts, sizeof(one->counts));
}
