/* SPDX-License-Identifier: MIT */
/*
 * What Linux promises of mmap, munmap, mprotect, mremap, madvise and brk, as far as programs lean
 * on it, and what malloc makes of them.
 *
 * Whether a page can be read or written is found out without dying, by having the kernel try:
 * writev() of one part reads the sixteen bytes that describe the part, and getrandom() writes one
 * byte; either returns EFAULT where the program itself would be ended. The calls are made by number
 * wherever the C library would look at the arguments first, or round them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/images/report.h"

#define PAGE	       4096L
#define GIB	       (1L << 30)
#define READ_WRITE     (PROT_READ | PROT_WRITE)
#define PRIVATE	       (MAP_PRIVATE | MAP_ANONYMOUS)
#define KERNEL_ADDRESS ((char *)0xffff800000000000)

static char *map_at(void *address, long size, int protection, int flags)
{
	return (char *)syscall(SYS_mmap, address, size, (long)protection, (long)flags, -1L, 0L);
}

/* A fresh mapping of @pages pages. A probe that cannot have that ends here. */
static char *map_pages(long pages)
{
	char *area = map_at(NULL, pages * PAGE, READ_WRITE, PRIVATE);

	if (area == MAP_FAILED) {
		perror("memory: mmap");
		exit(1);
	}
	return area;
}

static long unmap(void *address, long size)
{
	return syscall(SYS_munmap, address, size);
}

static long protect(void *address, long size, int protection)
{
	return syscall(SYS_mprotect, address, size, (long)protection);
}

static char *remap(void *address, long before, long after, int flags)
{
	return (char *)syscall(SYS_mremap, address, before, after, (long)flags, NULL);
}

static long advise(void *address, long size, int advice)
{
	return syscall(SYS_madvise, address, size, (long)advice);
}

/* For pages that are zero from byte 8 to byte 15: that is the length of the part. */
static bool readable(const char *page)
{
	return syscall(SYS_writev, 1L, page, 1L) == 0;
}

/* Spoils the first byte of the page, if it can. */
static bool writable(char *page)
{
	return syscall(SYS_getrandom, page, 1L, 0L) == 1;
}

static bool all_zero(const char *area, long size)
{
	for (long i = 0; i < size; i++) {
		if (area[i])
			return false;
	}
	return true;
}

/* Marks the last byte of each page; the first stay zero, for readable(). */
static void mark(char *area, long pages)
{
	for (long i = 0; i < pages; i++)
		area[i * PAGE + PAGE - 1] = (char)(i + 1);
}

static bool marked(const char *area, long first, long pages)
{
	for (long i = first; i < first + pages; i++) {
		if (area[i * PAGE + PAGE - 1] != (char)(i + 1))
			return false;
	}
	return true;
}

static void check_map(struct report *report)
{
	char *one = map_pages(4);
	char *other = map_pages(4);
	char *odd = map_at(NULL, PAGE + 1, READ_WRITE, PRIVATE);

	report_true(report, "new memory is zero", all_zero(one, 4 * PAGE));
	mark(one, 4);
	report_true(report, "what is written stays", marked(one, 0, 4));
	report_true(report, "another mapping is other memory", all_zero(other, 4 * PAGE));
	report_true(report, "addresses are page-aligned",
		    ((uintptr_t)one | (uintptr_t)odd) % PAGE == 0);
	odd[2 * PAGE - 1] = 1;
	report_true(report, "an odd length is rounded up to pages", odd[2 * PAGE - 1] == 1);
	report_true(report, "a mapping without write permission is not writable",
		    !writable(map_at(NULL, PAGE, PROT_READ, PRIVATE)));
	report_true(report, "a read-only mapping reads as zero",
		    all_zero(map_at(NULL, PAGE, PROT_READ, PRIVATE), PAGE));
	report_true(report, "a mapping without permissions is not readable",
		    !readable(map_at(NULL, PAGE, PROT_NONE, PRIVATE)));
	report_call(report, "length 0", (long)map_at(NULL, 0, READ_WRITE, PRIVATE), EINVAL);
	report_call(report, "length 2^62", (long)map_at(NULL, 1L << 62, READ_WRITE, PRIVATE),
		    ENOMEM);
	report_call(report, "neither private nor shared",
		    (long)map_at(NULL, PAGE, READ_WRITE, MAP_ANONYMOUS), EINVAL);
	report_call(report, "a file that is not open",
		    (long)map_at(NULL, PAGE, READ_WRITE, MAP_PRIVATE), EBADF);
}

static void check_unmap(struct report *report)
{
	char *area = map_pages(8);

	mark(area, 8);
	report_call(report, "one page out of the middle", unmap(area + 3 * PAGE, PAGE), 0);
	report_true(report, "the page is gone", !readable(area + 3 * PAGE));
	report_true(report, "the pages before stay", marked(area, 0, 3));
	report_true(report, "the pages behind stay", marked(area, 4, 4));
	report_call(report, "a range with a hole in it", unmap(area + 2 * PAGE, 3 * PAGE), 0);
	report_true(report, "both ends of the range are gone",
		    !readable(area + 2 * PAGE) && !readable(area + 4 * PAGE));
	report_true(report, "what lies around the range stays",
		    marked(area, 0, 2) && marked(area, 5, 3));
	report_call(report, "a range where nothing is", unmap(area + 2 * PAGE, 3 * PAGE), 0);
	report_call(report, "the first page", unmap(area, PAGE), 0);
	report_call(report, "the last page", unmap(area + 7 * PAGE, PAGE), 0);
	report_true(report, "what lies between stays", marked(area, 1, 1) && marked(area, 5, 2));
	report_call(report, "everything", unmap(area, 8 * PAGE), 0);
	report_true(report, "everything is gone",
		    !readable(area + PAGE) && !readable(area + 6 * PAGE));
	report_call(report, "an odd length", unmap(map_pages(2), PAGE + 1), 0);
	report_call(report, "an odd address", unmap(area + 1, PAGE), EINVAL);
	report_call(report, "length 0", unmap(area, 0), EINVAL);
	report_call(report, "addresses of the kernel", unmap(KERNEL_ADDRESS, PAGE), EINVAL);
}

static void check_fixed(struct report *report)
{
	char *area = map_pages(6);
	char *over;

	mark(area, 6);
	over = map_at(area + 2 * PAGE, 2 * PAGE, READ_WRITE, PRIVATE | MAP_FIXED);
	report_true(report, "over a mapping: at the address asked for", over == area + 2 * PAGE);
	report_true(report, "over a mapping: zero again", all_zero(over, 2 * PAGE));
	report_true(report, "over a mapping: its neighbours stay",
		    marked(area, 0, 2) && marked(area, 4, 2));
	over[0] = 1;
	report_true(report, "over a mapping: writable", over[0] == 1);

	over = map_at(area, PAGE, PROT_NONE, PRIVATE | MAP_FIXED);
	report_true(report, "without permissions over a mapping: not readable",
		    over == area && !readable(area));
	report_true(report, "without permissions over a mapping: its neighbours stay",
		    marked(area, 1, 1));

	unmap(area + 5 * PAGE, PAGE);
	over = map_at(area + 5 * PAGE, PAGE, READ_WRITE, PRIVATE | MAP_FIXED);
	report_true(report, "into a hole: zero", over == area + 5 * PAGE && all_zero(over, PAGE));

	report_call(report, "no-replace over a mapping",
		    (long)map_at(area + PAGE, PAGE, READ_WRITE, PRIVATE | MAP_FIXED_NOREPLACE),
		    EEXIST);
	report_true(report, "no-replace over a mapping: it stays", marked(area, 1, 1));
	report_call(report, "an odd address",
		    (long)map_at(area + 1, PAGE, READ_WRITE, PRIVATE | MAP_FIXED), EINVAL);
	report_call(report, "addresses of the kernel",
		    (long)map_at(KERNEL_ADDRESS, PAGE, READ_WRITE, PRIVATE | MAP_FIXED), ENOMEM);
}

static void check_protect(struct report *report)
{
	static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
	char *area = map_pages(8);
	int answer;

	mark(area, 8);
	report_call(report, "read-only in the middle",
		    protect(area + 2 * PAGE, 2 * PAGE, PROT_READ), 0);
	report_true(report, "read-only keeps the content", marked(area, 2, 2));
	report_true(report, "read-only is not writable",
		    !writable(area + 2 * PAGE) && !writable(area + 3 * PAGE));
	report_true(report, "the neighbours are writable",
		    writable(area + PAGE) && writable(area + 4 * PAGE));
	report_call(report, "no permissions", protect(area + 3 * PAGE, PAGE, PROT_NONE), 0);
	report_true(report, "no permissions: not readable", !readable(area + 3 * PAGE));
	report_call(report, "writable again, over both", protect(area, 8 * PAGE, READ_WRITE), 0);
	report_true(report, "writable again: content kept", marked(area, 0, 8));
	report_true(report, "writable again: writable",
		    writable(area + 2 * PAGE) && writable(area + 3 * PAGE));

	report_call(report, "before the first touch", protect(map_pages(1), PAGE, PROT_READ), 0);
	memcpy(area, code, sizeof(code));
	report_call(report, "executable", protect(area, PAGE, PROT_READ | PROT_EXEC), 0);
	answer = ((int (*)(void))area)();
	report_value(report, "code that was written here runs", answer, 42);
	report_true(report, "executable is not writable", !writable(area));

	report_call(report, "length 0", protect(area, 0, PROT_READ), 0);
	report_call(report, "an odd address", protect(area + 1, PAGE, PROT_READ), EINVAL);
	unmap(area + 6 * PAGE, PAGE);
	report_call(report, "a range with a hole in it",
		    protect(area + 5 * PAGE, 3 * PAGE, READ_WRITE), ENOMEM);
	report_call(report, "a range where nothing is", protect(area + 6 * PAGE, PAGE, READ_WRITE),
		    ENOMEM);
}

static void check_remap(struct report *report)
{
	char *area = map_pages(8);
	char *moved;

	mark(area, 8);
	report_true(report, "shrinking stays in place", remap(area, 8 * PAGE, 3 * PAGE, 0) == area);
	report_true(report, "shrinking keeps the rest", marked(area, 0, 3));
	report_true(report, "shrinking gives the tail back",
		    !readable(area + 3 * PAGE) && !readable(area + 7 * PAGE));
	report_true(report, "growing into free addresses stays in place",
		    remap(area, 3 * PAGE, 5 * PAGE, 0) == area);
	report_true(report, "growing keeps the content", marked(area, 0, 3));
	report_true(report, "growing adds zero pages", all_zero(area + 3 * PAGE, 2 * PAGE));
	report_true(report, "the same size changes nothing",
		    remap(area, 5 * PAGE, 5 * PAGE, 0) == area && marked(area, 0, 3));

	/* Something stands in the way, so that growing has to move. */
	map_at(area + 5 * PAGE, PAGE, READ_WRITE, PRIVATE | MAP_FIXED);
	report_call(report, "growing where the way is blocked",
		    (long)remap(area, 5 * PAGE, 300 * PAGE, 0), ENOMEM);
	report_true(report, "after that nothing has changed", marked(area, 0, 3));
	moved = remap(area, 5 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
	report_call(report, "growing where it may move", (long)moved, 0);
	report_true(report, "moving takes the content along", marked(moved, 0, 3));
	report_true(report, "moving adds zero pages", all_zero(moved + 296 * PAGE, 4 * PAGE));
	report_true(report, "moving leaves nothing behind",
		    moved != area && !readable(area) && !readable(area + 4 * PAGE));
	report_true(report, "moving leaves the neighbour alone", all_zero(area + 5 * PAGE, PAGE));
	moved[300 * PAGE - 1] = 1;
	report_call(report, "the moved mapping can be unmapped", unmap(moved, 300 * PAGE), 0);

	area = map_pages(4);
	report_call(report, "new length 0", (long)remap(area, PAGE, 0, 0), EINVAL);
	report_call(report, "an odd address", (long)remap(area + 1, PAGE, PAGE, 0), EINVAL);
	report_call(report, "an unknown flag", (long)remap(area, PAGE, PAGE, 1 << 20), EINVAL);
	unmap(area, 4 * PAGE);
	report_call(report, "an address where nothing is",
		    (long)remap(area, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

static void check_advise(struct report *report)
{
	char *area = map_pages(8);

	mark(area, 8);
	report_call(report, "not needed", advise(area + 2 * PAGE, 3 * PAGE, MADV_DONTNEED), 0);
	report_true(report, "not needed: zero again", all_zero(area + 2 * PAGE, 3 * PAGE));
	report_true(report, "not needed: the neighbours stay",
		    marked(area, 0, 2) && marked(area, 5, 3));
	mark(area, 8);
	report_true(report, "not needed: writable", marked(area, 0, 8));
	report_call(report, "not needed, never touched",
		    advise(map_pages(4), 4 * PAGE, MADV_DONTNEED), 0);
	report_call(report, "an odd length is rounded up",
		    advise(area + 6 * PAGE, PAGE + 1, MADV_DONTNEED), 0);
	report_true(report, "rounded up: both pages are zero", all_zero(area + 6 * PAGE, 2 * PAGE));
	report_call(report, "free", advise(area, PAGE, MADV_FREE), 0);
	area[0] = 1;
	report_true(report, "free: what is written after it stays", area[0] == 1);
	report_call(report, "normal", advise(area, PAGE, MADV_NORMAL), 0);
	report_call(report, "will be needed", advise(area, PAGE, MADV_WILLNEED), 0);
	report_call(report, "length 0", advise(area, 0, MADV_DONTNEED), 0);
	report_call(report, "an odd address", advise(area + 1, PAGE, MADV_DONTNEED), EINVAL);
	report_call(report, "an unknown advice", advise(area, PAGE, 9999), EINVAL);
	unmap(area + PAGE, PAGE);
	mark(area + 2 * PAGE, 1);
	report_call(report, "a range with a hole in it", advise(area, 3 * PAGE, MADV_DONTNEED),
		    ENOMEM);
	report_true(report, "behind the hole it was done all the same",
		    all_zero(area + 2 * PAGE, PAGE));
}

/* Read-only pages of the program's file; of the bytes that readable() reads none is set. */
#define FILE_PAGES	  6
#define FILE_PAGE(number) [(number)*4096] = (number) + 1
static const char file_bytes[FILE_PAGES * PAGE] __attribute__((aligned(4096))) = {
	FILE_PAGE(0), FILE_PAGE(1), FILE_PAGE(2), FILE_PAGE(3), FILE_PAGE(4), FILE_PAGE(5),
};

static bool from_file(const volatile char *area, long first, long pages)
{
	for (long i = 0; i < pages; i++) {
		if (area[i * PAGE] != (char)(first + i + 1) || area[i * PAGE + PAGE - 1])
			return false;
	}
	return true;
}

/* Writing to what is mapped from a file changes neither the file nor another mapping of it. */
static void check_file(struct report *report)
{
	char *area = (char *)(uintptr_t)file_bytes;
	volatile char *bytes = area;
	char *moved;

	report_true(report, "read-only data is not writable", !writable(area));
	report_call(report, "made writable", protect(area, 4 * PAGE, READ_WRITE), 0);
	bytes[PAGE] = 77;
	report_true(report, "written, never read before", bytes[PAGE] == 77 && !bytes[PAGE + 1]);
	report_true(report, "written after it was read", !bytes[2 * PAGE + 5]);
	bytes[2 * PAGE + 5] = 78;
	report_true(report, "written after it was read: kept",
		    bytes[2 * PAGE] == 3 && bytes[2 * PAGE + 5] == 78);
	report_true(report, "written by a system call", writable(area + 3 * PAGE));
	report_true(report, "the pages around it stay",
		    from_file(area, 0, 1) && from_file(area + 4 * PAGE, 4, 2));
	report_call(report, "read-only again", protect(area + PAGE, PAGE, PROT_READ), 0);
	report_true(report, "read-only again: kept, not writable",
		    bytes[PAGE] == 77 && !writable(area + PAGE));
	report_call(report, "all writable again", protect(area, 4 * PAGE, READ_WRITE), 0);
	bytes[PAGE + 1] = 79;
	report_true(report, "all writable again: kept", bytes[PAGE] == 77 && bytes[PAGE + 1] == 79);
	report_call(report, "not needed", advise(area, 4 * PAGE, MADV_DONTNEED), 0);
	report_true(report, "not needed: what the file has", from_file(area, 0, FILE_PAGES));
	bytes[PAGE] = 80;

	moved = remap(area, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	report_call(report, "growing where it may move", (long)moved, 0);
	report_true(report, "moving takes what was written along", moved[PAGE] == 80);
	report_true(report, "growing shows more of the file", from_file(moved + 2 * PAGE, 2, 2));
	moved[2 * PAGE] = 81;
	report_true(report, "the file's page is another one", from_file(area + 2 * PAGE, 2, 2));
	/* Linux lets it grow past the file's end, where nothing can be read. */
	moved = remap(area + 4 * PAGE, PAGE, 600000 * PAGE, MREMAP_MAYMOVE);
	report_true(report, "past the file's end nothing is",
		    moved == MAP_FAILED || !readable(moved + 599999 * PAGE));
}

/* Neighbours that are alike are one mapping: there may be many, and mremap takes them together. */
static void check_merge(struct report *report)
{
	enum { PAGES = 5000 };
	char *area = map_at(NULL, PAGES * PAGE, PROT_NONE, PRIVATE);
	long done = 0;

	for (long i = 0; i < PAGES; i++)
		done += map_at(area + i * PAGE, PAGE, READ_WRITE, PRIVATE | MAP_FIXED) !=
			MAP_FAILED;
	report_value(report, "mapped one by one", done, PAGES);
	mark(area, 9);
	report_call(report, "read-only in the middle", protect(area + PAGE, PAGE, PROT_READ), 0);
	report_call(report, "what differs is not remapped with it",
		    (long)remap(area, 3 * PAGE, 9000 * PAGE, MREMAP_MAYMOVE), EFAULT);
	report_call(report, "writable again", protect(area + PAGE, PAGE, READ_WRITE), 0);
	area = remap(area, PAGES * PAGE, 9000 * PAGE, MREMAP_MAYMOVE);
	report_call(report, "what is alike again is remapped", (long)area, 0);
	report_true(report, "moving takes the content along", marked(area, 0, 9));
	protect(area + 4 * PAGE, PAGE, PROT_READ);
	report_true(report, "shrinking gives several mappings back",
		    remap(area, 9000 * PAGE, 2 * PAGE, 0) == area);
	report_true(report, "shrinking keeps the rest", marked(area, 0, 2));
	report_true(report, "shrinking gives all of the tail back",
		    !readable(area + 2 * PAGE) && !readable(area + 4 * PAGE) &&
			    !readable(area + 8 * PAGE));
}

/* Addresses are reserved far beyond any memory; only what is touched may cost. */
static void check_reserve(struct report *report)
{
	const long size = 64 * GIB;
	char *area = map_at(NULL, size, READ_WRITE, PRIVATE | MAP_NORESERVE);
	char *arena = map_at(NULL, size, PROT_NONE, PRIVATE | MAP_NORESERVE);
	bool kept = true;

	report_call(report, "64 GiB", (long)area, 0);
	report_call(report, "64 GiB without permissions", (long)arena, 0);
	if (area == MAP_FAILED || arena == MAP_FAILED)
		return;
	for (long at = 0; at < size; at += 8 * GIB)
		area[at] = (char)(at / GIB + 1);
	area[size - 1] = 127;
	for (long at = 0; at < size; at += 8 * GIB)
		kept &= area[at] == (char)(at / GIB + 1);
	report_true(report, "pages far apart keep what is written", kept && area[size - 1] == 127);
	report_true(report, "pages between are zero", all_zero(area + 12 * GIB, PAGE));
	report_call(report, "a hole of 16 GiB", unmap(area + 20 * GIB, 16 * GIB), 0);
	report_true(report, "in the hole nothing is left", !readable(area + 24 * GIB));
	report_true(report, "around the hole pages stay",
		    area[16 * GIB] == 17 && area[40 * GIB] == 41);
	report_call(report, "not needed, all behind the hole",
		    advise(area + 36 * GIB, 28 * GIB, MADV_DONTNEED), 0);
	report_true(report, "not needed: zero again", area[40 * GIB] == 0 && area[size - 1] == 0);

	report_call(report, "a piece is made usable", protect(arena + 32 * GIB, PAGE, READ_WRITE),
		    0);
	arena[32 * GIB] = 1;
	report_true(report, "only that piece is usable",
		    arena[32 * GIB] == 1 && !readable(arena + 32 * GIB - PAGE) &&
			    !readable(arena + 32 * GIB + PAGE));
	report_call(report, "all is given back", unmap(area, size), 0);
	report_call(report, "all without permissions is given back", unmap(arena, size), 0);
}

static void check_brk(struct report *report)
{
	char *start = (char *)syscall(SYS_brk, 0);
	char *end;

	/* Whole pages, and what malloc may have there already stays untouched. */
	start += -(uintptr_t)start % PAGE;
	end = start + 16 * PAGE;
	report_true(report, "grows by what is asked for", (char *)syscall(SYS_brk, end) == end);
	report_true(report, "new memory is zero", all_zero(start, 16 * PAGE));
	mark(start, 16);
	report_true(report, "what is written stays", marked(start, 0, 16));
	report_true(report, "0 asks where it is", (char *)syscall(SYS_brk, 0) == end);
	end = start + 4 * PAGE;
	report_true(report, "shrinks", (char *)syscall(SYS_brk, end) == end);
	report_true(report, "shrinking gives the tail back", !readable(end));
	report_true(report, "shrinking keeps the rest", marked(start, 0, 4));
	end = start + 8 * PAGE;
	report_true(report, "grows again", (char *)syscall(SYS_brk, end) == end);
	report_true(report, "grown again: zero", all_zero(start + 4 * PAGE, 4 * PAGE));
	report_true(report, "where it cannot go it stays",
		    (char *)syscall(SYS_brk, KERNEL_ADDRESS) == end);
	syscall(SYS_brk, start);
}

static void check_heap(struct report *report)
{
	enum { BLOCKS = 400 };
	static unsigned char *blocks[BLOCKS];
	unsigned char *large;
	bool kept = true;
	void *volatile impossible;

	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc((size_t)i * 7 + 1);
		memset(blocks[i], i, (size_t)i * 7 + 1);
	}
	for (int i = 0; i < BLOCKS; i += 2)
		free(blocks[i]);
	for (int i = 0; i < BLOCKS; i += 2) {
		blocks[i] = malloc((size_t)i * 5 + 1);
		memset(blocks[i], i, (size_t)i * 5 + 1);
	}
	for (int i = 0; i < BLOCKS; i++) {
		int last = i * (i % 2 ? 7 : 5);

		kept &= blocks[i][0] == (unsigned char)i && blocks[i][last] == (unsigned char)i;
		free(blocks[i]);
	}
	report_true(report, "blocks of many sizes keep what is written", kept);

	large = calloc(1 << 20, 1);
	report_true(report, "a cleared block is zero", all_zero((char *)large, 1 << 20));
	memset(large, 5, 1 << 20);
	large = realloc(large, 3 << 20);
	report_true(report, "a block that grows keeps its content",
		    large[0] == 5 && large[(1 << 20) - 1] == 5);
	memset(large, 6, 3 << 20);
	large = realloc(large, 1000);
	report_true(report, "a block that shrinks keeps its content",
		    large[0] == 6 && large[999] == 6);
	free(large);
	impossible = malloc((size_t)1 << 60);
	report_call(report, "a block of 2^60 bytes", impossible ? 0 : -1, ENOMEM);
}

int main(int argc, char **argv)
{
	static const struct report_section sections[] = {
		{"map", check_map},	    {"unmap", check_unmap}, {"fixed", check_fixed},
		{"protect", check_protect}, {"remap", check_remap}, {"advise", check_advise},
		{"reserve", check_reserve}, {"brk", check_brk},	    {"file", check_file},
		{"merge", check_merge},	    {"heap", check_heap},   {NULL, NULL},
	};
	struct args args = args_start("memory", argv);

	(void)argc;
	return report_main(&args, sections);
}
