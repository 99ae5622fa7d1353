/* SPDX-License-Identifier: MIT */
#include "tests/bench/trace_golden.h"

#include <stdlib.h>
#include <string.h>

#define ACCESS(kind, address, size)            \
	{                                      \
		UINT64_C(address), size, kind, \
	}
#define FETCH(address, size)  ACCESS(TRACE_FETCH, address, size)
#define LOAD(address, size)   ACCESS(TRACE_LOAD, address, size)
#define STORE(address, size)  ACCESS(TRACE_STORE, address, size)
#define MODIFY(address, size) ACCESS(TRACE_MODIFY, address, size)
#define ONE(text, access)                                             \
	{                                                             \
		.line = text "\n", .count = 1, .accesses = { access } \
	}
#define TWO(text, a, b)                                             \
	{                                                           \
		.line = text "\n", .count = 2, .accesses = { a, b } \
	}
#define NONE(text, why)                          \
	{                                        \
		.line = text "\n", .reason = why \
	}

static const struct golden_part lackey[] = {
	NONE("==9591== Lackey, an example Valgrind tool", TRACE_VALGRIND),
	NONE("==9591== Command: ./program -x=1", TRACE_VALGRIND),
	NONE("==9591== ", TRACE_VALGRIND),
	ONE("I  0401ab70,3", FETCH(0x401ab70, 3)),
	ONE("I  0401ab73,15", FETCH(0x401ab73, 15)),
	ONE(" S 1fff000708,8", STORE(0x1fff000708, 8)),
	NONE("SB 0401b770", TRACE_SUPERBLOCK),
	TWO("I  0401bfff,7", FETCH(0x401bfff, 1), FETCH(0x401c000, 6)),
	ONE(" L 04032e40,32", LOAD(0x4032e40, 32)),
	ONE(" M 04033e06,1", MODIFY(0x4033e06, 1)),
	NONE("--9591-- WARNING: unhandled amd64-linux syscall: 334", TRACE_VALGRIND),
	NONE("**9591** what VALGRIND_PRINTF says", TRACE_VALGRIND),
	NONE("==00:00:00:00.123 9591== with a time", TRACE_VALGRIND),
	ONE(" L 7fffffffffff,1", LOAD(0x7fffffffffff, 1)),
	ONE("I  ffffffffff600000,9", FETCH(0xffffffffff600000, 9)),
	TWO(" L ffff800000000ffe,4096", LOAD(0xffff800000000ffe, 2),
	    LOAD(0xffff800000001000, 4094)),
	ONE(" L ffff800000000ff8,8", LOAD(0xffff800000000ff8, 8)),
	ONE(" S 0,1", STORE(0, 1)),
	ONE(" L 000000000000BE80,8", LOAD(0xbe80, 8)),
	NONE("==9591== Exit code:       0", TRACE_VALGRIND),
};

/* As in DynamoRIO since 2025: workload and thread. */
static const struct golden_part view[] = {
	NONE("Output format:", TRACE_HEADER),
	NONE("<--record#-> <--instr#->: <Wrkld.Tid> <record details>", TRACE_HEADER),
	NONE("------------------------------------------------------------", TRACE_HEADER),
	NONE("           1           0: W0.T3256418 <marker: version 6>", TRACE_MARKER),
	NONE("           2           0: W0.T3256418 <marker: filetype 0x240>", TRACE_MARKER),
	NONE("           6           0: W0.T3256418 <marker: timestamp 13312410768080478>",
	     TRACE_MARKER),
	NONE("           7           0: W0.T3256418 <marker: W0.T3256418 on core 7>", TRACE_MARKER),
	ONE("           8           1: W0.T3256418 ifetch       3 byte(s) @ 0x00007fc205a61940 48 89 "
	    "e7             mov    %rsp, %rdi",
	    FETCH(0x7fc205a61940, 3)),
	ONE("           9           2: W0.T3256418 ifetch       8 byte(s) @ 0x0000000000401012 48 8d "
	    "34 25 00 20 40 lea    0x00402000 -> %rsi",
	    FETCH(0x401012, 8)),
	NONE("           9           2: W0.T3256418                                            00",
	     TRACE_BYTES),
	ONE("          10           2:       W0.T1 write        8 byte(s) @ 0x00007fff9a9e3528 by PC "
	    "0x0000000000401012",
	    STORE(0x7fff9a9e3528, 8)),
	TWO("          11           2:       W0.T1 read        16 byte(s) @ 0x00007fff9a9e3ff8 by PC "
	    "0x0000000000401012",
	    LOAD(0x7fff9a9e3ff8, 8), LOAD(0x7fff9a9e4000, 8)),
	NONE("          12           3:       W0.T1 non-fetched  2 byte(s) @ 0x0000000000401020 f3 a4  "
	     "              rep movsb",
	     TRACE_NOT_FETCHED),
	NONE("          13           3:       W0.T1 pref-r-L1-NT 1 byte(s) @ 0x00007fff9a9e3528 by PC "
	     "0x0000000000401012",
	     TRACE_PREFETCH),
	NONE("          14           3:       W0.T1 dflush      64 byte(s) @ 0x00007fff9a9e3500 by PC "
	     "0x0000000000401012",
	     TRACE_FLUSH),
	NONE("<marker: wait for another core>", TRACE_MARKER),
	NONE("          15           3: W-1.T281474976710655 <marker: core is idle>", TRACE_MARKER),
	NONE("          16           3:       W0.T1 <marker: hardware context return",
	     TRACE_MARKER),
	NONE("          17           3:       W0.T1 <entry type 47>", TRACE_ENTRY),
	NONE("          18           3:       W0.T1 <thread W0.T1 exited>", TRACE_THREAD_EXIT),
	NONE("View tool results:", TRACE_RESULTS),
	NONE("              3 : total instructions", TRACE_RESULTS),
};

/* As in 2023 and 2024: the thread alone; without disassembly; another tool behind it. */
static const struct golden_part view_2023[] = {
	NONE("Output format:", TRACE_HEADER),
	NONE("<--record#-> <--instr#->: <---tid---> <record details>", TRACE_HEADER),
	NONE("------------------------------------------------------------", TRACE_HEADER),
	NONE("           1           0:     3256418 <marker: version 5>", TRACE_MARKER),
	ONE("           2           1:     3256418 ifetch       5 byte(s) @ 0x00007f7fe3a6175a "
	    "non-branch",
	    FETCH(0x7f7fe3a6175a, 5)),
	ONE("           3           1:     3256418 read         8 byte(s) @ 0x00007ffd51ace110 by PC "
	    "0x00007f7fe3a6175a",
	    LOAD(0x7ffd51ace110, 8)),
	NONE("           4           2:     3256418 ifetch       2 byte(s) @ 0x00007f7fe3a6175f "
	     "non-fetched instruction",
	     TRACE_NOT_FETCHED),
	NONE("           5           2:     3256418 <thread 3256418 exited>", TRACE_THREAD_EXIT),
	NONE("View tool results:", TRACE_RESULTS),
	NONE("              2 : total instructions", TRACE_RESULTS),
	NONE("", TRACE_RESULTS),
	NONE("===========================================================================",
	     TRACE_RESULTS),
	NONE("Basic counts tool results:", TRACE_RESULTS),
	NONE("", TRACE_RESULTS),
};

/* As in 2022: no column of instructions, "T" and narrow columns; its total is 0 without binaries.
 */
static const struct golden_part view_2022[] = {
	NONE("Output format:", TRACE_HEADER),
	NONE("<record#>: T<tid> <record details>", TRACE_HEADER),
	NONE("------------------------------------------------------------", TRACE_HEADER),
	NONE("  2923096: T3551529 <marker: tid 3551529 on core 2>", TRACE_MARKER),
	ONE("  2923098: T3551529 ifetch 3 byte(s) @ 0x00007f7fe3a61761 non-branch",
	    FETCH(0x7f7fe3a61761, 3)),
	ONE("  2923107: T3551529 write  8 byte(s) @ 0x00007f7fe3962ef8 by PC 0x00007f7fe3a6176d",
	    STORE(0x7f7fe3962ef8, 8)),
	NONE("------------------------------------------------------------", TRACE_HEADER),
	ONE("  2923108: T3551530 read   4 byte(s) @ 0x00000000f7fe3960 by PC 0x00007f7fe3a6176d",
	    LOAD(0xf7fe3960, 4)),
	NONE("View tool results:", TRACE_RESULTS),
	NONE("              0 : total instructions", TRACE_RESULTS),
};

/* A piece of a view, without headers and results. */
static const struct golden_part view_piece[] = {
	ONE("      801354      601832: W0.T1159769 ifetch       4 byte(s) @ 0x00007fc2c03fa264 48 89 "
	    "55 e8          mov    %rdx, -0x18(%rbp)",
	    FETCH(0x7fc2c03fa264, 4)),
	ONE("      801355      601832: W0.T1159769 write        8 byte(s) @ 0x00007fff8044e918 by PC "
	    "0x00007fc2c03fa264",
	    STORE(0x7fff8044e918, 8)),
};

static const struct golden_part champsim[] = {
	{.ip = 0x401000, .count = 1, .accesses = {FETCH(0x401000, 1)}},
	{.ip = 0x401004,
	 .stores = {0x7ffe00000ffe, 0},
	 .loads = {0, 0x1000, 0, 0x7ffe00000ffe},
	 .count = 4,
	 .accesses = {FETCH(0x401004, 1), LOAD(0x1000, 1), LOAD(0x7ffe00000ffe, 1),
		      STORE(0x7ffe00000ffe, 1)}},
	{.ip = 0xffffffff81000000,
	 .stores = {1, 2},
	 .loads = {0xffff800000000000, 0x7fffffffffff, 5, 6},
	 .count = 7,
	 .accesses = {FETCH(0xffffffff81000000, 1), LOAD(0xffff800000000000, 1),
		      LOAD(0x7fffffffffff, 1), LOAD(5, 1), LOAD(6, 1), STORE(1, 1), STORE(2, 1)}},
};

#define GOLDEN(name, format, parts)                                  \
	{                                                            \
		name, format, parts, sizeof(parts) / sizeof(*parts), \
	}

const struct golden golden_traces[GOLDEN_TRACES] = {
	GOLDEN("lackey", TRACE_LACKEY, lackey),
	GOLDEN("view", TRACE_DRMEMTRACE, view),
	GOLDEN("view of 2023", TRACE_DRMEMTRACE, view_2023),
	GOLDEN("view of 2022", TRACE_DRMEMTRACE, view_2022),
	GOLDEN("piece of a view", TRACE_DRMEMTRACE, view_piece),
	GOLDEN("ChampSim", TRACE_CHAMPSIM, champsim),
};

struct bytes golden_bytes(const struct golden *golden, size_t parts)
{
	struct bytes bytes = {0};

	for (size_t i = 0; i < parts; i++) {
		const struct golden_part *part = &golden->parts[i];

		if (part->line)
			bytes_text(&bytes, part->line);
		else
			bytes_record(&bytes, part->ip, i & 1, part->stores, part->loads);
	}
	return bytes;
}

void golden_reading(const struct golden *golden, size_t parts, struct reading *reading)
{
	*reading = (struct reading){.opened = true, .format = golden->format};
	reading->accesses = calloc(parts * TRACE_RECORD_MAX + 1, sizeof(*reading->accesses));
	if (!reading->accesses)
		abort();
	for (size_t i = 0; i < parts; i++) {
		const struct golden_part *part = &golden->parts[i];
		const struct trace_access *accesses = part->accesses;

		reading->counts.records++;
		if (!part->count)
			reading->counts.ignored[part->reason]++;
		else if (accesses[0].kind == TRACE_FETCH)
			reading->counts.instructions++;
		if (part->line && part->count == 2)
			reading->counts.splits++;
		for (size_t k = 0; k < part->count; k++) {
			reading->accesses[reading->count++] = accesses[k];
			reading->counts.accesses[accesses[k].kind]++;
			reading->counts.upper_half += accesses[k].address >> 63;
		}
	}
}
