/* SPDX-License-Identifier: MIT */
/* Traces with one fault: where it is, what was found and what was wanted, word by word. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/trace_golden.h"
#include "vmm/status.h"

#define LINES \
	"wanted \"I  ADDRESS,SIZE\", \" L ...\", \" S ...\", \" M ...\" or a line of valgrind's own"
#define CANONICAL "wanted a canonical address: up to 0x7fffffffffff, or from 0xffff800000000000"
#define DIGITS	  "wanted 1 to 16 hexadecimal digits"
#define DETAILS	  "wanted ifetch, read, write, another record of drmemtrace's view or a \"<marker\""
#define ANY                                                                             \
	"wanted a trace of lackey (\"I  04001000,3\"), of drmemtrace's view (\"Output " \
	"format:\") or of ChampSim (records of 64 bytes)"

/* Reads; the accesses before the fault are `count`, and the message is this. */
static void expect_refused(const struct bytes *bytes, size_t count, const char *text)
{
	for (int i = 0; i < 3; i++) {
		char message[512];
		struct reading found;
		const char *broken;

		snprintf(message, sizeof(message), "%s: %s", i ? "standard input" : TRACE_PATH,
			 text);
		if (i)
			read_pieces(bytes, i == 1 ? 7 : 1000, 1, &found);
		else
			read_bytes(bytes, 1000, &found);
		broken = reading_broken_promise(&found);
		cr_expect_null(broken, "not so: %s", broken);
		cr_expect_eq(found.error, -EBADMSG, "%s", text);
		cr_expect_eq(found.message.status, STATUS_DATA);
		cr_expect_str_eq(found.message.text, message);
		cr_expect_eq(found.count, count, "%s: found %zu", text, found.count);
		reading_free(&found);
	}
}

struct fault {
	const char *line; /* with its newline */
	const char *text; /* of the message, behind the line's number */
};

/* Each fault as the second line, behind one good access and in front of another. */
static void expect_faults(const char *good, const struct fault *faults, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct bytes bytes = {0};
		char text[512];

		bytes_text(&bytes, good);
		bytes_text(&bytes, faults[i].line);
		bytes_text(&bytes, good);
		snprintf(text, sizeof(text), "line 2: %s", faults[i].text);
		expect_refused(&bytes, 1, text);
		bytes_free(&bytes);
	}
}

Test(trace_malformed, lackey)
{
	static const struct fault faults[] = {
		{" L 10000000000000000,8\n", "address: found \"10000000000000000\", " DIGITS},
		{" L -1000,8\n", "address: found \"-1000\", " DIGITS},
		{" L 0x1000,8\n", "address: found \"0x1000\", " DIGITS},
		{" L ,8\n", "address: found \"\", " DIGITS},
		{" L  1000,8\n", "address: found \" 1000\", " DIGITS},
		{" L 1000;8\n", "address: found \"1000;8\", " DIGITS " and a comma"},
		{" L 1000\n", "address: found \"1000\", " DIGITS " and a comma"},
		{" L \n", "address: found \"\", " DIGITS " and a comma"},
		{" L 1000,0\n", "size: found \"0\", wanted 1 to 4096"},
		{" L 1000,4097\n", "size: found \"4097\", wanted 1 to 4096"},
		{" L 1000,-3\n", "size: found \"-3\", wanted 1 to 4096"},
		{" L 1000,+3\n", "size: found \"+3\", wanted 1 to 4096"},
		{" L 1000,\n", "size: found \"\", wanted 1 to 4096"},
		{" L 1000,8 \n", "size: found \"8 \", wanted 1 to 4096"},
		{" L 1000,8\r\n", "size: found \"8\\x0d\", wanted 1 to 4096"},
		{" L 1000,8 L 1000,8\n", "size: found \"8 L 1000,8\", wanted 1 to 4096"},
		{" L 1000,0x8\n", "size: found \"0x8\", wanted 1 to 4096"},
		{" L 1000,18446744073709551624\n",
		 "size: found \"18446744073709551624\", wanted 1 to 4096"},
		{" L 800000000000,8\n", "address: found 0x800000000000, " CANONICAL},
		{" L ffff7fffffffffff,1\n", "address: found 0xffff7fffffffffff, " CANONICAL},
		{" L 7fffffffffff,2\n",
		 "address: found 2 bytes at 0x7fffffffffff, wanted all of them at "
		 "canonical addresses"},
		{"I  ffffffffffffffff,2\n",
		 "address: found 2 bytes at 0xffffffffffffffff, wanted all of "
		 "them at canonical addresses"},
		{" X 1000,8\n", "found \" X 1000,8\", " LINES},
		{"I 1000,8\n", "found \"I 1000,8\", " LINES},
		{"L 1000,8\n", "found \"L 1000,8\", " LINES},
		{"\n", "found \"\", " LINES},
		{"hello, world\n", "found \"hello, world\", " LINES},
		{"==\n", "found \"==\", " LINES},
		{"==12-- text\n", "found \"==12-- text\", " LINES},
		{"==pid== text\n", "found \"==pid== text\", " LINES},
		{"SB 1000,8\n", "superblock: found \"1000,8\", " DIGITS},
		{"1 1: 1 read 8 byte(s) @ 0x1000 by PC 0x1000\n",
		 "found \"1 1: 1 read 8 byte(s) @ 0x1000 by PC 0x1000\", " LINES},
	};

	expect_faults("I  04016b80,3\n", faults, sizeof(faults) / sizeof(faults[0]));
}

#define PREFIX	 "  9  2: W0.T1 "
#define PC	 " by PC 0x00007fc205a61943\n"
#define NUMBERED "\"RECORD INSTRUCTION: THREAD DETAILS\""

Test(trace_malformed, view)
{
	static const struct fault faults[] = {
		{PREFIX "read 8 byte(s) @ 0x10000000000000000" PC,
		 "address: found \"10000000000000000\", " DIGITS},
		{PREFIX "read 8 byte(s) @ 0x-1" PC, "address: found \"-1\", " DIGITS},
		{PREFIX "read 8 byte(s) @ 0x" PC, "address: found \"\", " DIGITS},
		{PREFIX "read 8 byte(s) @ 1000" PC,
		 "found \" byte(s) @ 1000 by PC 0x00007fc205a61943\", wanted \" byte(s) @ 0xADDRESS\""},
		{PREFIX "read -8 byte(s) @ 0x1000" PC, "size: found \"-8\", wanted 1 to 4096"},
		{PREFIX "read 0 byte(s) @ 0x1000" PC, "size: found \"0\", wanted 1 to 4096"},
		{PREFIX "write 4097 byte(s) @ 0x1000" PC, "size: found \"4097\", wanted 1 to 4096"},
		{PREFIX "write 10000000000000000 byte(s) @ 0x1000" PC,
		 "size: found \"10000000000000000\", wanted 1 to 4096"},
		{PREFIX "read\n", "size: found \"\", wanted 1 to 4096"},
		{PREFIX "read 8\n", "found \"\", wanted \" byte(s) @ 0xADDRESS\""},
		{PREFIX "read 8 byte(s) @ 0x1000\n", "found \"\", wanted \" by PC 0xADDRESS\""},
		{PREFIX "read 8 byte(s) @ 0x1000 by PC 0x\n", "PC: found \"\", " DIGITS},
		{PREFIX "read 8 byte(s) @ 0x1000 by PC 0x1 2\n", "PC: found \"1 2\", " DIGITS},
		{PREFIX "read 8 byte(s) @ 0x800000000000" PC,
		 "address: found 0x800000000000, " CANONICAL},
		{PREFIX "ifetch 3 byte(s) @ 0x1000\n",
		 "found \"\", wanted the instruction behind its address"},
		{PREFIX "pref-r 8 byte(s) @ 0x1000\n", "found \"\", wanted \" by PC 0xADDRESS\""},
		{PREFIX "reed 8 byte(s) @ 0x1000\n", "found \"reed 8 byte(s) @ 0x1000\", " DETAILS},
		{PREFIX "48 89 e\n", "found \"48 89 e\", " DETAILS},
		{PREFIX "    48 89 e\n", "found \"    48 89 e\", " DETAILS},
		{PREFIX "\n", "found \"\", " DETAILS},
		{"\n", "found \"\", wanted " NUMBERED},
		{"...\n", "found \"...\", wanted " NUMBERED},
		{"---------\n", "found \"---------\", wanted " NUMBERED},
		{"  9  2 W0.T1 read\n", "found \"  9  2 W0.T1 read\", wanted " NUMBERED},
		{"  9  2: W0.1 read\n", "found \"  9  2: W0.1 read\", wanted " NUMBERED},
		{"  9  x: W0.T1 read\n", "found \"  9  x: W0.T1 read\", wanted " NUMBERED},
		{"  9  2: W0.T1\n", "found \"  9  2: W0.T1\", wanted " NUMBERED},
		{"I  04016b80,3\n", "found \"I  04016b80,3\", wanted " NUMBERED},
		{"T444096 <marker: version 3>\n",
		 "found \"T444096 <marker: version 3>\", wanted the view "
		 "of a DynamoRIO later than 9.0.1 (\"ifetch\", \"read\")"},
		{"  28: T444096   0x00007f3e83b0b7f2  55 push %rbp\n",
		 "found \"  0x00007f3e83b0b7f2  55 push %rbp\", wanted the view of a DynamoRIO later than "
		 "9.0.1 (\"ifetch\", \"read\")"},
	};

	expect_faults(PREFIX "read 8 byte(s) @ 0x1000" PC, faults,
		      sizeof(faults) / sizeof(faults[0]));
}

Test(trace_malformed, the_end_of_a_view)
{
	static const struct {
		const char *lines;
		const char *text;
	} table[] = {
		{"View tool results:\n 2 : total instructions\n",
		 "line 3: total instructions: found 2, wanted 1 as in the lines before"},
		{"View tool results:\n -1 : total instructions\n",
		 "line 3: found \" -1 : total instructions\", wanted \"NUMBER : total instructions\""},
		{"View tool results:\n" PREFIX "<marker: version 1>\n",
		 "line 3: found \"" PREFIX
		 "<marker: version 1>\", wanted \"NUMBER : total instructions\""},
		{"View tool results:\n 1 : total instructions\n" PREFIX "<marker: version 1>\n",
		 "line 4: found \"" PREFIX
		 "<marker: version 1>\", wanted the end, another view or the line "
		 "of another tool"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes bytes = {0};

		bytes_text(&bytes, PREFIX "ifetch 3 byte(s) @ 0x1000 non-branch\n");
		bytes_text(&bytes, table[i].lines);
		expect_refused(&bytes, 1, table[i].text);
		bytes_free(&bytes);
	}
}

Test(trace_malformed, champsim)
{
	static const struct {
		size_t byte;
		unsigned char value;
		const char *text;
	} faults[] = {
		{8, 2, "byte 72: is_branch: found 2, wanted 0 or 1"},
		{9, 2, "byte 73: branch_taken: found 2, wanted 0 or 1"},
		{9, 255, "byte 73: branch_taken: found 255, wanted 0 or 1"},
		{7, 0x80, "byte 64: ip: found 0x8000000000401000, " CANONICAL},
		{16 + 5, 0x80,
		 "byte 80: destination_memory[0]: found 0x800000000001, "
		 "wanted 0 or a canonical address: up to 0x7fffffffffff, or from "
		 "0xffff800000000000"},
		{24 + 7, 1,
		 "byte 88: destination_memory[1]: found 0x100000000000002, "
		 "wanted 0 or a canonical address: up to 0x7fffffffffff, or from "
		 "0xffff800000000000"},
		{32 + 7, 1,
		 "byte 96: source_memory[0]: found 0x100000000000003, "
		 "wanted 0 or a canonical address: up to 0x7fffffffffff, or from "
		 "0xffff800000000000"},
		{56 + 7, 1,
		 "byte 120: source_memory[3]: found 0x100000000000006, "
		 "wanted 0 or a canonical address: up to 0x7fffffffffff, or from "
		 "0xffff800000000000"},
	};
	static const uint64_t stores[2] = {1, 2}, loads[4] = {3, 4, 5, 6};

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct bytes bytes = {0};

		for (int k = 0; k < 3; k++)
			bytes_record(&bytes, 0x401000, 1, stores, loads);
		bytes.bytes[64 + faults[i].byte] = faults[i].value;
		expect_refused(&bytes, 7, faults[i].text);
		bytes_free(&bytes);
	}
}

Test(trace_malformed, champsim_without_an_instruction)
{
	static const uint64_t zero[4];
	struct bytes bytes = {0};

	bytes_record(&bytes, 0x401000, 0, zero, zero);
	bytes_record(&bytes, 0, 0, zero, zero);
	expect_refused(&bytes, 1, "byte 64: ip: found 0, wanted the address of an instruction");
	bytes_free(&bytes);
}

/* A SPARC's instructions: 4 destination registers, 4 operands written, 4 read, an address space. */
Test(trace_malformed, cloudsuite)
{
	static const uint64_t record[12] = {0x401000, 0, 0, 0x2000, 0, 0, 0, 0x1000};
	struct bytes bytes = {0};

	bytes_append(&bytes, record, sizeof(record));
	bytes_append(&bytes, record, sizeof(record));
	expect_refused(&bytes, 3, "byte 64: ip: found 0, wanted the address of an instruction");
	bytes_free(&bytes);
}

Test(trace_malformed, cut)
{
	struct bytes bytes = {0};

	bytes_text(&bytes, "I  04016b80,3\n L 1000,1");
	expect_refused(&bytes, 1,
		       "line 2: found the end behind \" L 1000,1\", wanted a newline first");
	bytes_free(&bytes);

	bytes = golden_bytes(&golden_traces[5], 2);
	bytes.size -= 20;
	expect_refused(&bytes, 1, "byte 64: found the last 44 bytes, wanted a record of 64");
	bytes_free(&bytes);
}

Test(trace_malformed, long_lines_and_nul_bytes)
{
	struct bytes bytes = {0};

	bytes_text(&bytes, "I  04016b80,3\n==1== ");
	while (bytes.size < 14 + TRACE_LINE_MAX + 1)
		bytes_text(&bytes, "x");
	expect_refused(&bytes, 1, "line 2: found more than 65536 bytes, wanted a newline");
	bytes_text(&bytes, "\n");
	expect_refused(&bytes, 1, "line 2: found more than 65536 bytes, wanted a newline");
	/* Of a NUL byte behind the longest line nothing is known yet when the line is too long. */
	bytes_append(&bytes, "x\0y\n", 4);
	bytes.bytes[bytes.size - 5] = 'x';
	expect_refused(&bytes, 1, "line 2: found more than 65536 bytes, wanted a newline");
	bytes.bytes[100] = 0;
	expect_refused(&bytes, 1, "line 2: found a NUL byte, wanted text");
	bytes.size = 200;
	expect_refused(&bytes, 1, "line 2: found a NUL byte, wanted text");
	bytes.bytes[199] = '\n';
	expect_refused(&bytes, 1, "line 2: found a NUL byte, wanted text");
	bytes_free(&bytes);
}

Test(trace_malformed, what_is_no_trace)
{
	static const struct {
		const char *start;
		size_t size;
		const char *text;
	} table[] = {
		{"", 0, "byte 0: found nothing, " ANY},
		{"hello, world\n", 13, "byte 0: found \"hello, world\", " ANY},
		{"\n", 1, "byte 0: found \"\", " ANY},
		{"hello, \"world\"", 14, "byte 0: found \"hello, \\x22world\\x22\", " ANY},
		{"\177ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0>\0\x01\0\0\0\x40\x10\x40\0\0\0\0\0"
		 "\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
		 64,
		 "byte 0: found \"\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00...\", " ANY},
		{"\x28\xb5\x2f\xfd", 4,
		 "byte 0: found a file of zstd, wanted a trace that is compressed by xz or gzip or not at all"},
		{"BZh91AY", 7,
		 "byte 0: found a file of bzip2, wanted a trace that is compressed by xz or gzip or not at all"},
		{"\x04\x22\x4d\x18", 4,
		 "byte 0: found a file of lz4, wanted a trace that is compressed by xz or gzip or not at all"},
		{"PK\x03\x04", 4,
		 "byte 0: found a file of zip, wanted a trace that is compressed by xz or gzip or not at all"},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct bytes bytes = {0};

		bytes_append(&bytes, table[i].start, table[i].size);
		expect_refused(&bytes, 0, table[i].text);
		bytes_free(&bytes);
	}
}
