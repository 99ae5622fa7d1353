/* SPDX-License-Identifier: MIT */
/* Long traces through pipes: every access of them, in memory that stays as it is. */
#include <criterion/criterion.h>

#include <inttypes.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hpt/mix.h"
#include "tests/bench/trace_fixture.h"

#define LONG_BYTES  (UINT64_C(200) << 20)
#define XZ_BYTES    (UINT64_C(32) << 20) /* to compress takes longer */
#define BLOCK_PARTS 60000
#define PAGES_MORE  256 /* 1 MiB: what malloc and the page cache of a library may do on the way */

/* A block of lines or records; a long trace is block after block, each with the same accesses. */
static struct bytes make_block(enum trace_format format)
{
	static const char *const names[] = {"ifetch", "read", "write"};
	struct bytes block = {malloc((size_t)BLOCK_PARTS * 160), 0};
	uint64_t state = 6;

	cr_assert(block.bytes);
	for (int i = 0; i < BLOCK_PARTS; i++) {
		char *end = (char *)block.bytes + block.size;
		uint64_t random = mix64_next(&state), address = random >> 20;
		uint64_t record[8] = {address | 1, random & 1, random & 2 ? address : 0, 0,
				      random & 4 ? address + 64 : 0};

		if (format == TRACE_CHAMPSIM) {
			memcpy(end, record, sizeof(record));
			block.size += sizeof(record);
		} else if (format == TRACE_LACKEY) {
			block.size += (size_t)sprintf(end, "%s %08" PRIx64 ",%d\n",
						      random & 3 ? "I " : " L", address,
						      1 + (int)(random >> 2 & 7));
		} else {
			block.size += (size_t)sprintf(
				end,
				"%12d%12d: %11s %-12s%2d byte(s) @ 0x%016" PRIx64
				" by PC 0x%016" PRIx64 "\n",
				i, i, "W0.T12345", names[random % 3], 8, address, address);
		}
	}
	return block;
}

/* Whole blocks. */
static uint64_t block_count(const struct bytes *block, bool xz)
{
	return (xz ? XZ_BYTES : LONG_BYTES) / block->size + 1;
}

static void put(int end, const unsigned char *bytes, size_t size)
{
	while (size) {
		ssize_t wrote = write(end, bytes, size);

		if (wrote < 0)
			_exit(1);
		bytes += wrote;
		size -= (size_t)wrote;
	}
}

static void put_xz(int end, const struct bytes *block, uint64_t count)
{
	static unsigned char out[1 << 16];
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result = lzma_easy_encoder(&stream, 0, LZMA_CHECK_CRC64);

	while (result == LZMA_OK) {
		if (!stream.avail_in && count) {
			stream.next_in = block->bytes;
			stream.avail_in = block->size;
			count--;
		}
		stream.next_out = out;
		stream.avail_out = sizeof(out);
		result = lzma_code(&stream, count ? LZMA_RUN : LZMA_FINISH);
		put(end, out, sizeof(out) - stream.avail_out);
	}
	if (result != LZMA_STREAM_END)
		_exit(1);
}

/* A child that writes the long trace; standard input becomes what it writes. */
static pid_t begin_child(const struct bytes *block, bool xz)
{
	uint64_t count = block_count(block, xz);
	int ends[2];
	pid_t child;

	cr_assert_eq(pipe(ends), 0);
	child = fork();
	cr_assert_neq(child, -1);
	if (!child) {
		close(ends[0]);
		if (xz)
			put_xz(ends[1], block, count);
		else
			for (uint64_t i = 0; i < count; i++)
				put(ends[1], block->bytes, block->size);
		_exit(0);
	}
	close(ends[1]);
	cr_assert_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	return child;
}

static long resident_pages(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long size, resident = -1;

	cr_assert(file);
	cr_assert_eq(fscanf(file, "%ld %ld", &size, &resident), 2);
	fclose(file);
	return resident;
}

/* Compares each batch with the block's accesses, which come again and again. */
static uint64_t read_long(struct trace *trace, const struct reading *block)
{
	static struct trace_access accesses[777];
	struct message message;
	uint64_t total = 0;
	size_t next = 0;
	long got, early = 0, late;

	while ((got = trace_next(trace, accesses, 777, &message)) > 0) {
		for (long i = 0; i < got; i++) {
			const struct trace_access *wanted = &block->accesses[next];

			cr_assert(accesses[i].address == wanted->address &&
					  accesses[i].size == wanted->size &&
					  accesses[i].kind == wanted->kind,
				  "access %" PRIu64, total + (uint64_t)i);
			next = next + 1 == block->count ? 0 : next + 1;
		}
		total += (uint64_t)got;
		if (!early && total > 3 * block->count)
			early = resident_pages();
	}
	late = resident_pages();
	cr_expect_eq(got, 0, "%s", message.text);
	cr_expect_lt(late, early + PAGES_MORE, "%ld pages became %ld", early, late);
	return total;
}

static void expect_long(enum trace_format format, bool xz)
{
	struct bytes block = make_block(format);
	struct message message;
	struct reading once;
	struct trace *trace;
	int status;
	pid_t child;

	read_bytes(&block, 1000, &once);
	cr_assert_eq(once.error, 0, "%s", once.message.text);
	child = begin_child(&block, xz);
	cr_assert_eq(trace_open(&trace, "-", &message), 0);
	cr_expect_eq(trace_format(trace), format);
	cr_expect_eq(trace_compression(trace), xz ? TRACE_XZ : TRACE_PLAIN);
	cr_expect_eq(read_long(trace, &once), once.count * block_count(&block, xz));
	cr_expect_eq(trace_counts(trace)->records, BLOCK_PARTS * block_count(&block, xz));
	trace_close(trace);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect_eq(status, 0);
	reading_free(&once);
	bytes_free(&block);
}

Test(trace_stream, lackey_of_200_mib, .timeout = 120)
{
	expect_long(TRACE_LACKEY, false);
}

Test(trace_stream, view_of_200_mib, .timeout = 120)
{
	expect_long(TRACE_DRMEMTRACE, false);
}

Test(trace_stream, champsim_of_200_mib, .timeout = 120)
{
	expect_long(TRACE_CHAMPSIM, false);
}

Test(trace_stream, champsim_of_32_mib_by_xz, .timeout = 120)
{
	expect_long(TRACE_CHAMPSIM, true);
}

/* What can be read is handed out although the pipe has no end yet. */
Test(trace_stream, a_pipe_that_pauses_is_read_as_far_as_it_goes, .timeout = 20)
{
	struct trace_access accesses[1000];
	struct message message;
	struct trace *trace;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	dup2(ends[0], STDIN_FILENO);
	put(ends[1], (const unsigned char *)"I  1000,3\n L 2000,8\n S 30", 25);
	cr_assert_eq(trace_open(&trace, "-", &message), 0);
	cr_expect_eq(trace_next(trace, accesses, 1000, &message), 2);
	cr_expect_eq(trace_progress(trace).consumed, 25);
	put(ends[1], (const unsigned char *)"00,8\n", 5);
	cr_expect_eq(trace_next(trace, accesses, 1000, &message), 1);
	cr_expect_eq(accesses[0].address, 0x3000);
	close(ends[1]);
	cr_expect_eq(trace_next(trace, accesses, 1000, &message), 0);
	trace_close(trace);
}
