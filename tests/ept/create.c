/* SPDX-License-Identifier: MIT */
/* Making and ending stage 2: what is refused and how, and that nothing is left. */
#include <dirent.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/ept/guest.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

static struct ept ept;

static unsigned int count_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static unsigned int count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned int lines = 0;

	for (int c = getc(maps); c != EOF; c = getc(maps))
		lines += c == '\n';
	fclose(maps);
	return lines;
}

/* Bytes of address space. */
static uint64_t count_space(void)
{
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	cr_assert_eq(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	return pages * PAGE;
}

static void create_touch_destroy(enum hpt_organisation organisation)
{
	struct ept_config config = guest_config(organisation, 64 * MIB);

	guest_create(&ept, &config);
	for (gpa_t gpa = 0; gpa < 64 * MIB; gpa += 3 * MIB)
		guest_store(&ept, gpa, gpa);
	ept_destroy(&ept);
}

EACH_ORGANISATION(a_hundred_lives_leave_nothing_behind)
{
	unsigned int fds, mappings;
	uint64_t space;

	for (int i = 0; i < 3; i++) /* the C library keeps a thread's stack */
		create_touch_destroy(*organisation);
	fds = count_fds();
	mappings = count_mappings();
	space = count_space();
	for (int i = 0; i < 100; i++)
		create_touch_destroy(*organisation);
	cr_assert_eq(count_fds(), fds);
	/* The heap may have grown, but pool, window or segment were 64 MiB each, each time. */
	cr_assert_lt(count_mappings(), mappings + 50);
	cr_assert_lt(count_space(), space + GIB);
}

/* A configuration that is wrong in one field, and what the message must say. */
static void assert_refused(const struct ept_config *config, const char *text)
{
	const char *what = "";
	unsigned int fds = count_fds();
	unsigned int mappings = count_mappings();

	cr_assert_eq(ept_create(&ept, config, &what), -EINVAL, "%s", text);
	cr_assert_not_null(strstr(what, text), "\"%s\" does not say \"%s\"", what, text);
	cr_assert_eq(count_fds(), fds);
	cr_assert_eq(count_mappings(), mappings);
}

Test(ept, ranges_that_cannot_be_are_refused, .timeout = 30)
{
	static const struct {
		struct ept_range ranges[2];
		const char *text;
	} cases[] = {
		{{{1, PAGE}, {2 * MIB, PAGE}}, "ranges[0]: start 0x1 "},
		{{{0, PAGE - 1}, {2 * MIB, PAGE}}, "size 0xfff "},
		{{{0, PAGE}, {2 * MIB + 8, PAGE}}, "ranges[1]: start 0x200008 "},
		{{{0, 0}, {2 * MIB, PAGE}}, "ranges[0]: start 0x0, size 0x0 is empty"},
		{{{0, PAGE}, {0, PAGE}}, "ranges[1]: start 0x0 is below"},
		{{{0, 2 * PAGE}, {PAGE, PAGE}}, "ranges[1]: start 0x1000 is below"},
		{{{8 * MIB, PAGE}, {2 * MIB, PAGE}}, "ranges[1]: start 0x200000 is below"},
		{{{0, PAGE}, {MIB, 0 - MIB}}, "ends beyond 2^64"},
		{{{0, PAGE}, {UINT64_C(1) << 42, PAGE}}, "end 0x40000001000 is above"},
		{{{0, EPT_MEMORY_MAX}, {EPT_MEMORY_MAX, PAGE}}, "ranges[1]: with size 0x1000"},
		{{{0, EPT_MEMORY_MAX + PAGE}, {256 * GIB, PAGE}}, "ranges[0]: with size"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ept_config config = guest_config(HPT_CLUSTERED, 4 * MIB);

		memcpy(config.ranges, cases[i].ranges, sizeof(cases[i].ranges));
		config.range_count = 2;
		assert_refused(&config, cases[i].text);
	}
}

Test(ept, other_fields_that_cannot_be_are_refused, .timeout = 30)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 4 * MIB);

	config.range_count = 0;
	assert_refused(&config, "range_count: 0 ");
	config.range_count = EPT_RANGES_MAX + 1;
	assert_refused(&config, "range_count: 5 ");
	config = guest_config(HPT_CLUSTERED, 4 * MIB);
	config.host_mem = 0;
	assert_refused(&config, "host_mem: 0x0 ");
	config.host_mem = PAGE + 1;
	assert_refused(&config, "host_mem: 0x1001 ");
	config = guest_config(HPT_ORGANISATIONS, 4 * MIB);
	assert_refused(&config, "organisation: ");
}

/* Skips where the host cannot do it; otherwise create must fail with this, and leave nothing. */
static void assert_fails(const struct ept_config *config, int error, const char *text)
{
	const char *what = "";
	unsigned int fds = count_fds();
	unsigned int mappings = count_mappings();

	cr_assert_eq(ept_create(&ept, config, &what), error, "%s", what);
	cr_assert_not_null(strstr(what, text), "\"%s\" does not say \"%s\"", what, text);
	cr_assert_eq(count_fds(), fds);
	cr_assert_leq(count_mappings(), mappings + 1); /* the heap may have grown */
}

Test(ept, a_cpu_that_does_not_exist_is_refused, .timeout = 30)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 4 * MIB);

	guest_create(&ept, &config); /* or skip */
	ept_destroy(&ept);
	config.cpu_count = 1;
	config.cpus[0] = CPU_SETSIZE - 1;
	assert_fails(&config, -EINVAL, "CPU");
	config.cpus[0] = CPU_SETSIZE;
	assert_fails(&config, -EINVAL, "CPU");
	config.cpus[0] = sched_getcpu();
	guest_create(&ept, &config);
	guest_store(&ept, 0, 1);
	ept_destroy(&ept);
}

Test(ept, a_user_without_permission_is_told_the_fix, .timeout = 30)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 4 * MIB);
	FILE *file = fopen("/proc/sys/vm/unprivileged_userfaultfd", "re");
	int allowed = file ? getc(file) : 'x';

	if (file)
		fclose(file);
	if (geteuid() != 0 || allowed != '0' || seteuid(65534) < 0)
		cr_skip_test("only root can drop the permission, where it is needed");
	if (access("/dev/userfaultfd", F_OK) == 0 && eaccess("/dev/userfaultfd", R_OK) == 0)
		cr_skip_test("everybody may use /dev/userfaultfd here");
	assert_fails(&config, -EPERM, "vm.unprivileged_userfaultfd=1");
	cr_expect_eq(ept_userfaultfd(false, &(uint64_t){0}, &(const char *){NULL}), -EPERM);
}

Test(ept, what_the_kernel_can_do_is_told_with_the_descriptor)
{
	const char *what = "";
	uint64_t features = 0;
	int uffd = ept_userfaultfd(false, &features, &what);

	if (uffd < 0)
		cr_skip_test("%s", what);
	cr_expect(features & UFFD_FEATURE_MINOR_SHMEM);
	close(uffd);
}

Test(ept, too_few_descriptors_are_told_and_leave_nothing, .timeout = 30)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 4 * MIB);
	struct rlimit before, limit;
	int next;

	guest_create(&ept, &config); /* or skip */
	ept_destroy(&ept);
	getrlimit(RLIMIT_NOFILE, &before);
	limit = before;
	next = dup(0);
	close(next);
	for (int spare = 0; spare < 3; spare++) { /* memfd, userfaultfd, eventfd */
		const char *what = "";
		int ret;

		limit.rlim_cur = (rlim_t)(next + spare);
		setrlimit(RLIMIT_NOFILE, &limit);
		ret = ept_create(&ept, &config, &what);
		setrlimit(RLIMIT_NOFILE, &before);
		cr_assert_eq(ret, -EMFILE, "%d with %d spare", ret, spare);
		cr_assert_not_null(strstr(what, "RLIMIT_NOFILE"), "%s", what);
		cr_assert_eq(dup(0), next, "a descriptor is left");
		close(next);
	}
}

Test(ept, too_little_address_space_is_told_and_leaves_nothing, .timeout = 30)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, 32 * GIB);
	struct rlimit before, limit;

	if (SANITIZED)
		cr_skip_test("the sanitizer's own mappings exceed the limits");
	guest_create(&ept, &config); /* or skip */
	ept_destroy(&ept);
	getrlimit(RLIMIT_AS, &before);
	limit = before;
	for (uint64_t gib = 16; gib < 64; gib += 32) { /* too little for the pool, for the window */
		limit.rlim_cur = gib * GIB;
		setrlimit(RLIMIT_AS, &limit);
		assert_fails(&config, -ENOMEM, "RLIMIT_AS");
		setrlimit(RLIMIT_AS, &before);
	}
}

EACH_ORGANISATION(no_two_guest_blocks_share_a_pool_block)
{
	struct ept_config config = guest_config(*organisation, GIB);
	bool taken[512] = {false};
	unsigned int in_place = 0;

	guest_create(&ept, &config);
	for (uint64_t i = 0; i < 512; i++) {
		uint32_t block = UINT32_MAX;

		cr_assert(ept_window_block(&ept.window, i * 2 * MIB, &block));
		cr_assert_lt(block, 512);
		cr_assert_not(taken[block]);
		taken[block] = true;
		in_place += block == i;
	}
	cr_assert_lt(in_place, 16);
	ept_destroy(&ept);
}

Test(ept, the_seed_chooses_the_order_of_blocks, .timeout = 30)
{
	struct ept_config config = guest_config(HPT_CLUSTERED, GIB);
	uint64_t frames[3];
	uint64_t seeds[3] = {1, 2, 1};

	for (int i = 0; i < 3; i++) {
		frames[i] = 0;
		config.seed = seeds[i];
		guest_create(&ept, &config);
		for (gpa_t gpa = 0; gpa < GIB; gpa += 64 * MIB) {
			guest_store(&ept, gpa, 1);
			frames[i] = frames[i] * 31 + guest_frame(&ept, gpa);
		}
		ept_destroy(&ept);
	}
	cr_assert_eq(frames[0], frames[2]);
	cr_assert_neq(frames[0], frames[1]);
}

EACH_ORGANISATION(ranges_in_one_block_share_its_pool_block)
{
	struct ept_config config = guest_config(*organisation, 640 << 10);

	/* The PC's hole below 1 MiB; a range that starts and ends inside blocks. */
	config.ranges[1] = (struct ept_range){MIB, 4 * MIB + PAGE};
	config.range_count = 2;
	config.host_mem = 16 * MIB;
	guest_create(&ept, &config);
	for (unsigned int i = 0; i < 2; i++) {
		const struct ept_range *range = &config.ranges[i];

		for (gpa_t gpa = range->start; gpa < range->start + range->size; gpa += PAGE)
			guest_store(&ept, gpa, gpa + 1);
		for (gpa_t gpa = range->start; gpa < range->start + range->size; gpa += PAGE)
			cr_assert_eq(frame_word(&ept, gpa), gpa + 1);
		cr_assert(guest_store_fails(&ept, range->start + range->size));
	}
	cr_assert_eq(guest_frame(&ept, 0) + 256, guest_frame(&ept, MIB));
	cr_assert_eq(guest_counts(&ept).blocks, 3);
	cr_assert_eq(guest_counts(&ept).repeats, 0);
	ept_destroy(&ept);
}

EACH_ORGANISATION(the_largest_guest_can_be_made)
{
	struct ept_config config = guest_config(*organisation, 3 * GIB);

	config.ranges[1] = (struct ept_range){4 * GIB, EPT_MEMORY_MAX - 3 * GIB};
	config.range_count = 2;
	config.host_mem = EPT_MEMORY_MAX;
	guest_create(&ept, &config);
	guest_store(&ept, 0, 1);
	guest_store(&ept, 4 * GIB, 2);
	guest_store(&ept, EPT_MEMORY_MAX + GIB - PAGE, 3);
	cr_assert_eq(frame_word(&ept, EPT_MEMORY_MAX + GIB - PAGE), 3);
	cr_assert_eq(guest_counts(&ept).frames, 3);
	ept_destroy(&ept);
}
