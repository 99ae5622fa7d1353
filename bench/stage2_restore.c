/* SPDX-License-Identifier: MIT */
/*
 * Section restore: how soon a guest of a snapshot of 1 GiB runs, beside reading the snapshot whole.
 *
 * Restored: from opening the file to the end of a guest that ends with its first two instructions.
 * Whole: the same machine, but all pages are read in large pieces, their checksums compared, their
 * frames filled and their entries made, in the fastest way that was found, before it is entered.
 * The file is in the host's page cache for both. This section needs KVM.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/stage2.h"
#include "bench/timing.h"
#include "ept/snapshot_format.h"
#include "ept/sum.h"
#include "guest/abi.h"
#include "vmm/machine.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"

#define SIZE   (UINT64_C(1) << 30)
#define ENTRY  UINT64_C(0x100000)
#define TARGET 50.0

static const enum hpt_organisation tables[] = {HPT_CLUSTERED, HPT_ADAPTIVE};

/* mov $42, %al; out %al, $0xf4; hlt */
static const uint8_t code[] = {0xb0, 42, 0xe6, 0xf4, 0xf4};

static struct machine machine;
static struct message message;
static char path[64];

static struct machine_config config_of(uint64_t size, enum hpt_organisation organisation)
{
	return (struct machine_config){.cpus = 1,
				       .mem = size,
				       .host_mem = size,
				       .organisation = organisation,
				       .seed = 1,
				       .out_fd = STDERR_FILENO,
				       .err_fd = STDERR_FILENO,
				       .command_line = ""};
}

static void fail_with(const char *what)
{
	fprintf(stderr, "bench_stage2: restore: %s\n", what);
	(void)unlink(path);
	exit(1);
}

static void run_guest(void)
{
	struct machine_exit how;

	machine_run(&machine, &how);
	if (how.by != MACHINE_GUEST || how.status != 42)
		fail_with(how.reason);
}

/* Words that no two pages have alike. */
static void fill_memory(uint64_t size)
{
	static uint64_t page[HPT_PAGE_SIZE / 8];

	for (gpa_t gpa = 2 * ENTRY; gpa < size; gpa += HPT_PAGE_SIZE) {
		for (unsigned int i = 0; i < HPT_PAGE_SIZE / 8; i++)
			page[i] = (gpa + i) * UINT64_C(0x9e3779b97f4a7c15);
		if (ept_copy_in(&machine.ept, gpa, page, sizeof(page)) < 0)
			fail_with("guest memory cannot be filled");
	}
}

/* False where there is no KVM. */
static bool write_snapshot(uint64_t size)
{
	struct image image = {.kind = IMAGE_PVH_KERNEL,
			      .entry = ENTRY,
			      .segment_count = 1,
			      .segments = {{.address = ENTRY,
					    .file_size = sizeof(code),
					    .memory_size = sizeof(code)}}};
	struct snapshot_request request = {.when = SNAPSHOT_START,
					   .path = path,
					   .config = {.kind = IMAGE_PVH_KERNEL,
						      .cpus = 1,
						      .mem = size,
						      .window = ABI_WINDOW_PAGES,
						      .guest_table = HPT_CLUSTERED,
						      .host_table = HPT_CLUSTERED,
						      .image = "kernel"}};
	struct machine_config config = config_of(size, HPT_ADAPTIVE);

	config.kernel = &image;
	config.kernel_bytes = code;
	config.kernel_size = sizeof(code);
	config.snapshot = &request;
	if (machine_create(&machine, &config, &message)) {
		if (message.status != STATUS_UNAVAILABLE)
			fail_with(message.text);
		return false;
	}
	fill_memory(size);
	if (snapshot_begin(&request, &message))
		fail_with(message.text);
	run_guest();
	machine_destroy(&machine);
	snapshot_end(&request);
	if (!request.is_taken)
		fail_with("no snapshot was taken");
	return true;
}

static double restore(uint64_t size, enum hpt_organisation organisation)
{
	struct machine_config config = config_of(size, organisation);
	struct snapshot snapshot;
	uint64_t begin = timing_own_ns();
	double ms;

	if (snapshot_open(&snapshot, path, &message))
		fail_with(message.text);
	config.restore = &snapshot;
	if (machine_create(&machine, &config, &message))
		fail_with(message.text);
	run_guest();
	ms = (double)(timing_own_ns() - begin) / 1e6;
	machine_destroy(&machine);
	snapshot_close(&snapshot);
	return ms;
}

/* Pages that lie in a row in the guest, in the file and in one block. */
static void read_run(struct ept *ept, const struct ept_origin *origin, uint64_t place, uint64_t gfn,
		     uint64_t count)
{
	static char buffer[EPT_BLOCK_SIZE] __attribute__((aligned(4096)));
	uint64_t frame = ept_window_frame(&ept->window, gfn << HPT_PAGE_SHIFT);
	ssize_t bytes = (ssize_t)(count * HPT_PAGE_SIZE);

	if (pread(origin->fd, buffer, (size_t)bytes,
		  (off_t)(origin->pages_at + place * HPT_PAGE_SIZE)) != bytes)
		fail_with("the snapshot cannot be read");
	for (uint64_t i = 0; i < count; i++) {
		if (ept_sum(buffer + i * HPT_PAGE_SIZE, HPT_PAGE_SIZE, place + i, gfn + i) !=
		    origin->sums[place + i])
			fail_with("a checksum is wrong");
	}
	if (pwrite(ept->pool.fd, buffer, (size_t)bytes, (off_t)(frame << HPT_PAGE_SHIFT)) != bytes)
		fail_with("frames cannot be filled");
	(void)hpt_unmap_range(&ept->table, hpt_key(0, gfn, HPT_4K), count);
	if (hpt_map_range(&ept->table, hpt_key(0, gfn, HPT_4K), count,
			  hpt_entry(frame, HPT_PRESENT | HPT_WRITE)) < 0)
		fail_with("no memory for the table");
}

static void read_pages(struct ept *ept, const struct ept_origin *origin)
{
	uint64_t place = 0;

	for (uint64_t i = 0; i < origin->run_count; i++) {
		uint64_t gfn = origin->runs[i].gfn, end = gfn + origin->runs[i].count;

		while (gfn < end) {
			uint64_t next = ept_block_start(gfn) + EPT_BLOCK_PAGES;
			uint64_t count = (next < end ? next : end) - gfn;

			read_run(ept, origin, place, gfn, count);
			place += count;
			gfn += count;
		}
	}
}

static double read_whole(uint64_t size, enum hpt_organisation organisation)
{
	struct machine_config config = config_of(size, organisation);
	struct snapshot snapshot;
	uint64_t begin = timing_own_ns();
	double ms;

	if (snapshot_open(&snapshot, path, &message))
		fail_with(message.text);
	config.restore = &snapshot;
	if (machine_create(&machine, &config, &message))
		fail_with(message.text);
	read_pages(&machine.ept, &snapshot.origin);
	run_guest();
	ms = (double)(timing_own_ns() - begin) / 1e6;
	machine_destroy(&machine);
	snapshot_close(&snapshot);
	return ms;
}

static void run(struct bench *bench)
{
	static double lazy[2][ROUNDS], whole[2][ROUNDS], over[2][ROUNDS];
	uint64_t size = bench->quick ? SIZE / 16 : SIZE;
	int rounds = bench->quick ? 3 : 5;

	snprintf(path, sizeof(path), "/tmp/bench-stage2-%d", (int)getpid());
	if (!write_snapshot(size)) {
		printf("skipped: %s\n", message.text);
		return;
	}
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 2; i++) {
			lazy[i][round] = restore(size, tables[i]);
			whole[i][round] = read_whole(size, tables[i]);
			over[i][round] = whole[i][round] / lazy[i][round];
		}
	}
	(void)unlink(path);
	printf("%-10s %11s %11s %9s\n", "table", "restored", "read whole", "over");
	for (int i = 0; i < 2; i++) {
		const char *name = hpt_organisation_name(tables[i]);
		double times = timing_median(over[i], (size_t)rounds);
		double ms = timing_median(lazy[i], (size_t)rounds);
		double whole_ms = timing_median(whole[i], (size_t)rounds);
		char bar[80];

		printf("%-10s %8.2f ms %8.1f ms   1/%5.0f\n", name, ms, whole_ms, times);
		bench_row(bench, "restore",
			  json_pack("{s:s, s:I, s:f, s:f, s:f}", "table", name, "bytes",
				    (json_int_t)size, "restored_ms", ms, "whole_ms", whole_ms,
				    "over", times));
		snprintf(bar, sizeof(bar), "reading 1 GiB whole over restoring it, %s", name);
		if (!bench->quick)
			bench_bar(bar, times, TARGET, false);
	}
}

const struct bench_section stage2_restore_section = {
	"restore", "to the first instruction of a snapshot of 1 GiB, beside reading it whole", run};
