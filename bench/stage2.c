/* SPDX-License-Identifier: MIT */
/*
 * What stage 2 costs beside the bare mechanism, section by section (bench.h). No KVM: a thread that
 * touches the window is the guest.
 *
 *     bench_stage2 [--quick] [--only SECTION] [--json FILE]
 */
#include "bench/stage2.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/bench.h"
#include "bench/timing.h"

#define EX_UNAVAILABLE 69

static const struct bench_section *const sections[] = {
	&stage2_miss_section,	 &stage2_around_section, &stage2_pressure_section,
	&stage2_bytes_section,	 &stage2_policy_section, &stage2_clone_section,
	&stage2_restore_section,
};

struct ept_config stage2_config(uint64_t pages, uint64_t frames)
{
	return (struct ept_config){.ranges = {{0, pages << HPT_PAGE_SHIFT}},
				   .range_count = 1,
				   .host_mem = frames << HPT_PAGE_SHIFT,
				   .organisation = HPT_CLUSTERED,
				   .seed = 1,
				   .cpu_count = 1,
				   .cpus = {sched_getcpu()}};
}

void stage2_begin(struct stage2 *stage2, const struct ept_config *config, bool is_bare)
{
	const char *what = "";
	int ret;

	stage2->is_bare = is_bare;
	ret = is_bare ? bare_create(&stage2->bare, config, &what)
		      : ept_create(&stage2->ept, config, &what);
	if (ret < 0) {
		fprintf(stderr, "bench_stage2: %s\n", what);
		exit(EX_UNAVAILABLE);
	}
	stage2->window = ept_window_place(is_bare ? &stage2->bare.window : &stage2->ept.window, 0);
}

void stage2_end(struct stage2 *stage2)
{
	if (stage2->is_bare)
		bare_destroy(&stage2->bare);
	else
		ept_destroy(&stage2->ept);
}

uint64_t stage2_evicted(struct stage2 *stage2)
{
	static struct ept_snapshot snapshot;

	if (stage2->is_bare)
		return stage2->bare.evicted;
	ept_read(&stage2->ept, &snapshot);
	return snapshot.counts.swaps_out + snapshot.counts.zeros_out;
}

uint64_t stage2_own_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

const char *stage2_swap_in_memory(void)
{
	static char name[32];

	if (!*name) {
		int fd = memfd_create("bench-swap", MFD_CLOEXEC);

		if (fd < 0) {
			perror("bench_stage2: memfd_create");
			exit(EX_UNAVAILABLE);
		}
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	}
	return name;
}

int main(int argc, char **argv)
{
	struct bench bench = {.name = "stage2",
			      .sections = sections,
			      .section_count = sizeof(sections) / sizeof(sections[0])};

	bench_options(&bench, argc, argv);
	timing_pin();
	return bench_run(&bench);
}
