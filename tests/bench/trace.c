/* SPDX-License-Identifier: MIT */
/* Traces that are well formed: each format, compressed in each way, from files and from pipes. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/trace_golden.h"
#include "vmm/status.h"

static void expect_same(const struct reading *found, const struct reading *wanted, const char *what)
{
	const char *broken = reading_broken_promise(found);

	cr_expect_null(broken, "%s: not so: %s", what, broken);
	cr_expect(reading_same(found, wanted), "%s: %zu accesses and \"%s\", wanted %zu and \"%s\"",
		  what, found->count, found->error ? found->message.text : "the end", wanted->count,
		  wanted->error ? wanted->message.text : "the end");
}

Test(trace, each_format_is_read_as_written_down_compressed_or_not)
{
	for (int i = 0; i < GOLDEN_TRACES; i++) {
		const struct golden *golden = &golden_traces[i];
		struct bytes plain = golden_bytes(golden, golden->count);
		struct reading wanted;

		golden_reading(golden, golden->count, &wanted);
		for (int k = 0; k < TRACE_COMPRESSIONS; k++) {
			struct bytes bytes = bytes_compressed(&plain, (enum trace_compression)k);
			struct reading found;

			read_bytes(&bytes, 1000, &found);
			expect_same(&found, &wanted, golden->name);
			cr_expect_eq(found.format, golden->format);
			cr_expect_eq((int)found.compression, k);
			cr_expect_eq(found.progress.total, bytes.size);
			cr_expect_eq(found.progress.consumed, bytes.size);
			reading_free(&found);
			bytes_free(&bytes);
		}
		reading_free(&wanted);
		bytes_free(&plain);
	}
}

Test(trace, accesses_do_not_depend_on_how_many_are_asked_for_or_come_at_once)
{
	static const size_t batches[] = {1, 2, 7, 8, 9, 1000}, chunks[] = {1, 3, 64, 100000};

	for (int i = 0; i < GOLDEN_TRACES; i++) {
		const struct golden *golden = &golden_traces[i];
		struct bytes plain = golden_bytes(golden, golden->count);
		struct reading wanted;

		golden_reading(golden, golden->count, &wanted);
		for (int k = 0; k < 6 * 4 * TRACE_COMPRESSIONS; k++) {
			struct bytes bytes =
				bytes_compressed(&plain, (enum trace_compression)(k / 24));
			struct reading found;

			read_pieces(&bytes, chunks[k / 6 % 4], batches[k % 6], &found);
			expect_same(&found, &wanted, golden->name);
			cr_expect_eq(found.progress.total, 0);
			cr_expect_eq(found.progress.consumed, bytes.size);
			reading_free(&found);
			bytes_free(&bytes);
		}
		reading_free(&wanted);
		bytes_free(&plain);
	}
}

Test(trace, streams_and_members_one_behind_the_other_are_one_trace)
{
	const struct golden *golden = &golden_traces[0];
	struct bytes plain = golden_bytes(golden, golden->count), twice = golden_bytes(golden, 0);
	struct reading wanted, found;

	bytes_append(&twice, plain.bytes, plain.size);
	bytes_append(&twice, plain.bytes, plain.size);
	read_bytes(&twice, 1000, &wanted);
	cr_assert_eq(wanted.error, 0);
	for (int k = TRACE_XZ; k < TRACE_COMPRESSIONS; k++) {
		struct bytes half = bytes_compressed(&plain, (enum trace_compression)k);
		struct bytes both = {0};

		bytes_append(&both, half.bytes, half.size);
		bytes_append(&both, half.bytes, half.size);
		read_bytes(&both, 1000, &found);
		expect_same(&found, &wanted, trace_compression_name((enum trace_compression)k));
		reading_free(&found);
		read_pieces(&both, 1, 1000, &found);
		expect_same(&found, &wanted, trace_compression_name((enum trace_compression)k));
		reading_free(&found);
		bytes_free(&both);
		bytes_free(&half);
	}
	reading_free(&wanted);
	bytes_free(&twice);
	bytes_free(&plain);
}

Test(trace, one_view_may_follow_the_other)
{
	struct bytes bytes = {0};
	struct reading found;

	for (int i = 1; i <= 3; i++) {
		struct bytes view = golden_bytes(&golden_traces[i], golden_traces[i].count);

		bytes_append(&bytes, view.bytes, view.size);
		bytes_free(&view);
	}
	read_bytes(&bytes, 1000, &found);
	cr_expect_eq(found.error, 0, "%s", found.message.text);
	cr_expect_eq(found.counts.instructions, 2 + 1 + 1);
	cr_expect_eq(found.counts.ignored[TRACE_RESULTS], 2 + 6 + 2);
	reading_free(&found);
	bytes_free(&bytes);
}

Test(trace, a_line_of_the_longest_length_is_read)
{
	struct bytes bytes = {0};
	struct reading found;

	bytes_text(&bytes, "==1== ");
	while (bytes.size < TRACE_LINE_MAX)
		bytes_text(&bytes, "x");
	bytes_text(&bytes, "\n L 1000,8\n");
	read_bytes(&bytes, 1000, &found);
	cr_expect_eq(found.error, 0, "%s", found.message.text);
	cr_expect_eq(found.count, 1);
	cr_expect_eq(found.counts.records, 2);
	reading_free(&found);
	read_pieces(&bytes, 777, 1000, &found);
	cr_expect_eq(found.count, 1);
	reading_free(&found);
	bytes_free(&bytes);
}

Test(trace, the_kind_is_told_from_the_first_line_or_record)
{
	static const struct {
		const char *start;
		enum trace_format format;
	} table[] = {
		{"I  04016b80,3\n", TRACE_LACKEY},
		{" L 1ffeffe7e0,8\n", TRACE_LACKEY},
		{" S 10,1\n", TRACE_LACKEY},
		{" M 10,1\n", TRACE_LACKEY},
		{"SB 04016b80\n", TRACE_LACKEY},
		{"==1== Lackey\n", TRACE_LACKEY},
		{"--1-- warning\n", TRACE_LACKEY},
		{"**1** hello\n", TRACE_LACKEY},
		{"Output format:\n", TRACE_DRMEMTRACE},
		{"<--record#-> <--instr#->: <Wrkld.Tid> <record details>\n", TRACE_DRMEMTRACE},
		{"<record#> <instr#>: T<tid> <record details>\n", TRACE_DRMEMTRACE},
		{"----------\n", TRACE_DRMEMTRACE},
		{"<marker: core is idle>\n", TRACE_DRMEMTRACE},
		{"1: 1 <marker: version 3>\n", TRACE_DRMEMTRACE},
		{"  28: T3731918 <marker: tid 3731918 on core 4>\n", TRACE_DRMEMTRACE},
		{"  1  0:  T4 <marker: version 4>\n", TRACE_DRMEMTRACE},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes bytes = {0};
		struct reading found;

		bytes_text(&bytes, table[i].start);
		read_bytes(&bytes, 8, &found);
		cr_expect(found.opened && !found.error, "%s%s", table[i].start, found.message.text);
		cr_expect_eq(found.format, table[i].format, "%s", table[i].start);
		reading_free(&found);
		bytes_free(&bytes);
	}
}

/* Instructions at addresses that are " L \n" and "==1=" as text. */
Test(trace, a_record_is_not_taken_for_text)
{
	static const uint64_t ips[] = {0x0a204c20, 0x3d313d3d, 0x0a0a0a0a0a0a};
	static const uint64_t operands[4] = {0x0a0a0a0a0a0a};

	for (int i = 0; i < 6; i++) {
		struct bytes bytes = {0};
		struct reading found;

		bytes_record(&bytes, ips[i / 2], i & 1, operands, operands);
		read_pieces(&bytes, 1, 8, &found);
		cr_expect_eq(found.error, 0, "%s", found.message.text);
		cr_expect_eq(found.format, TRACE_CHAMPSIM);
		cr_expect_eq(found.count, 3);
		reading_free(&found);
		bytes_free(&bytes);
	}
}

Test(trace, the_vpn_has_36_bits_and_is_unique_for_canonical_addresses)
{
	cr_expect_eq(trace_vpn(0), 0);
	cr_expect_eq(trace_vpn(0x7fffffffffff), 0x7ffffffff);
	cr_expect_eq(trace_vpn(0xffff800000000000), 0x800000000);
	cr_expect_eq(trace_vpn(UINT64_MAX), 0xfffffffff);
}

Test(trace, standard_input_is_read_as_minus_and_stays_open)
{
	struct reading found;
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(write(ends[1], "I  1000,3\n L", 12), 12);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	read_path("-", 8, &found);
	cr_expect_eq(found.count, 1);
	cr_expect_str_eq(found.message.text, "standard input: line 2: found the end behind \" L\", "
					     "wanted a newline first");
	cr_expect_neq(close(STDIN_FILENO), -1);
	reading_free(&found);
}

static void expect_unreadable(const char *path, int error, const char *text)
{
	struct reading found;

	read_path(path, 8, &found);
	cr_expect_eq(found.error, error);
	cr_expect_eq(found.message.status, STATUS_NOINPUT);
	cr_expect_str_eq(found.message.text, text);
}

Test(trace, a_file_that_cannot_be_read_is_status_66)
{
	char path[400], text[512];

	expect_unreadable("/nonexistent/trace", -ENOENT,
			  "/nonexistent/trace: found none that can be opened (No such file or "
			  "directory), wanted a trace");
	expect_unreadable("/", -EISDIR,
			  "/: found a file that cannot be read (Is a directory), wanted a trace");
	/* Names are cut in front, and printable. */
	memset(path, '/', sizeof(path));
	snprintf(path + 300, sizeof(path) - 300, "none\n");
	snprintf(text, sizeof(text),
		 "...%.152snone?: found none that can be opened (No such file or "
		 "directory), wanted a trace",
		 path);
	expect_unreadable(path, -ENOENT, text);
}

Test(trace, everything_has_a_name_of_its_own)
{
	const char *names[TRACE_IGNORED + TRACE_KINDS + TRACE_FORMATS + TRACE_COMPRESSIONS];
	size_t count = 0;

	for (int i = 0; i < TRACE_IGNORED; i++)
		names[count++] = trace_ignored_name((enum trace_ignored)i);
	for (int i = 0; i < TRACE_KINDS; i++)
		names[count++] = trace_kind_name((enum trace_kind)i);
	for (int i = 0; i < TRACE_FORMATS; i++)
		names[count++] = trace_format_name((enum trace_format)i);
	for (int i = 0; i < TRACE_COMPRESSIONS; i++)
		names[count++] = trace_compression_name((enum trace_compression)i);
	for (size_t i = 0; i < count; i++) {
		cr_assert_not_null(names[i]);
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(names[i], names[k]);
	}
	trace_close(NULL);
}
