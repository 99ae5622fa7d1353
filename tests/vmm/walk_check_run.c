/* SPDX-License-Identifier: MIT */
/*
 * Walk checks with a vCPU: against what KVM says of tables that the test has laid out under CR3,
 * and in the loop, where a walk that is wrong ends the run. Skipped where there is no KVM.
 */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/vmm/published.h"
#include "tests/vmm/tables.h"
#include "vmm/dump.h"
#include "vmm/status.h"
#include "vmm/walk_check.h"

#define MIB   (UINT64_C(1) << 20)
#define ENTRY UINT64_C(0x100000)

#define CR0_PG		 (UINT64_C(1) << 31)
#define CR4_PAE		 (UINT64_C(1) << 5)
#define EFER_LONG_NOEXEC 0xd00 /* LME, LMA, NXE */

static struct machine machine;
static struct published guest;
static struct walk_check check;

/* A kernel of these bytes. */
static void make(const uint8_t *code, size_t size)
{
	struct image image = {
		.kind = IMAGE_PVH_KERNEL,
		.entry = ENTRY,
		.segment_count = 1,
		.segments = {{.address = ENTRY, .file_size = size, .memory_size = size}},
	};
	int null = open("/dev/null", O_WRONLY);
	struct machine_config config = {
		.mem = 16 * MIB,
		.host_mem = 16 * MIB,
		.organisation = HPT_CLUSTERED,
		.timeout_ns = UINT64_C(10000000000),
		.kernel = &image,
		.kernel_bytes = code,
		.kernel_size = size,
		.command_line = "",
		.out_fd = null,
		.err_fd = null,
		.walk_check = &check,
	};
	struct message message;
	int error = machine_create(&machine, &config, &message);

	if (error && message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	cr_assert_eq(error, 0, "%s", message.text);
	published_table(&guest, HPT_CLUSTERED);
	walk_check_init(&check, 200, 1, true);
}

static void destroy(void)
{
	walk_check_destroy(&check);
	machine_destroy(&machine);
}

/* --- what KVM says */

static void map(uint16_t asid, uint64_t gva, enum hpt_size size, gpa_t gpa, uint64_t flags)
{
	struct hpt_key key = hpt_key(asid, gva >> HPT_PAGE_SHIFT & 0xfffffffff, size);

	cr_assert_eq(
		hpt_map(&guest.table, key, hpt_entry(gpa >> HPT_PAGE_SHIFT, flags | HPT_PRESENT)),
		0);
}

/* The entries of which tests/vmm/tables.h lays out the window, but for the page of 1 GiB. */
static void map_all(void)
{
	map(ASID, TABLES_SMALL, HPT_4K, 0x5000, HPT_WRITE | HPT_USER);
	map(ASID, TABLES_SMALL + 0x1000, HPT_4K, 0x6000, HPT_USER | HPT_NOEXEC);
	map(ASID, TABLES_LARGE, HPT_2M, 0x200000, HPT_USER | HPT_LARGE);
	map(0, TABLES_KERNEL, HPT_4K, 0x7000, HPT_WRITE | HPT_NOEXEC);
}

static void enter_long_mode(void)
{
	struct kvm_sregs special;

	cr_assert_geq(ioctl(machine.kvm.vcpus[0].fd, KVM_GET_SREGS, &special), 0);
	special.cr3 = TABLES_ROOT;
	special.cr4 |= CR4_PAE;
	special.efer |= EFER_LONG_NOEXEC;
	special.cr0 |= CR0_PG;
	cr_assert_geq(ioctl(machine.kvm.vcpus[0].fd, KVM_SET_SREGS, &special), 0, "%m");
}

static void begin(bool own_kernel)
{
	static const uint8_t code[] = {0xf4};

	make(code, sizeof(code));
	check.own_kernel = own_kernel;
	map_all();
	tables_create(&machine);
	tables_word(&machine, TABLES_ROOT + 0x1000, 1, 0); /* the page of 1 GiB */
	enter_long_mode();
	publish(&guest, &machine);
	cr_assert(walk_check_begin(&check, &machine, 0), "%s", check.counts.no_table_why);
	cr_assert(check.has_root);
}

static bool page(uint64_t gva)
{
	return walk_check_page(&check, &machine, gva);
}

Test(walk_check_run, what_kvm_says_agrees, .timeout = 30)
{
	struct ept_snapshot before, after;

	begin(true);
	ept_read(&machine.ept, &before);
	cr_expect(page(TABLES_SMALL + 0x10), "%s", check.wrong_text);
	cr_expect(page(TABLES_SMALL + 0x1010), "%s", check.wrong_text);
	cr_expect(page(TABLES_LARGE + 0x12345), "%s", check.wrong_text);
	cr_expect(page(TABLES_KERNEL + 8), "%s", check.wrong_text);
	cr_expect_eq(check.counts.kvm_same, 4);
	cr_expect(page(TABLES_SMALL + 0x2000), "%s", check.wrong_text);
	cr_expect_eq(check.counts.kvm_absent, 1);
	cr_expect_eq(check.counts.absent1, 1);
	ept_read(&machine.ept, &after);
	cr_expect_eq(after.counts.misses, before.counts.misses);
	destroy();
}

Test(walk_check_run, a_page_that_the_window_has_lost_is_not_in_the_window, .timeout = 30)
{
	begin(true);
	tables_word(&machine, TABLES_ROOT + 0x3000, 1, 0);
	cr_expect(page(TABLES_SMALL + 0x1000), "%s", check.wrong_text);
	cr_expect_eq(check.counts.not_in_window, 1);
	cr_expect_eq(check.counts.kvm_absent, 0);
	cr_expect_eq(check.counts.absent1, 0);
	destroy();
}

Test(walk_check_run, where_kvm_would_miss_it_is_not_asked, .timeout = 30)
{
	struct ept_snapshot before, after;

	begin(true);
	tables_word(&machine, TABLES_ROOT, 0, 0x80000 | TABLES_DIRECTORY);
	ept_read(&machine.ept, &before);
	cr_expect(page(TABLES_SMALL), "%s", check.wrong_text);
	cr_expect_eq(check.counts.kvm_unknown, 1);
	ept_read(&machine.ept, &after);
	cr_expect_eq(after.counts.misses, before.counts.misses);
	destroy();
}

/* Sets the window's word of the first small page. */
static void set_window(uint64_t word)
{
	tables_word(&machine, TABLES_ROOT + 0x3000, 0, word);
}

Test(walk_check_run, a_window_that_differs_from_the_table_is_wrong, .timeout = 30)
{
	begin(true);
	set_window(0x6000 | TABLES_DIRECTORY);
	cr_expect_not(page(TABLES_SMALL));
	cr_expect(strstr(check.wrong_text, "KVM says gpa 0x6000"), "%s", check.wrong_text);
	set_window(0x5000 | HPT_PRESENT | HPT_USER);
	cr_expect_not(page(TABLES_SMALL));
	cr_expect(strstr(check.wrong_text, "the window has rights 0x4"), "%s", check.wrong_text);
	set_window(0x5000 | TABLES_DIRECTORY | TABLES_NOEXEC);
	cr_expect_not(page(TABLES_SMALL));
	cr_expect_eq(check.counts.wrong, 3);
	cr_expect_eq(check.wrong_gva, TABLES_SMALL);
	destroy();
}

Test(walk_check_run, a_page_of_the_window_that_the_table_has_lost_is_wrong, .timeout = 30)
{
	begin(true);
	cr_assert_eq(hpt_unmap(&guest.table, hpt_key(ASID, TABLES_SMALL >> 12, HPT_4K), NULL), 0);
	publish(&guest, &machine);
	cr_assert(walk_check_begin(&check, &machine, 0));
	cr_expect_not(page(TABLES_SMALL));
	cr_expect(strstr(check.wrong_text, "the walk says absent at stage 1"), "%s",
		  check.wrong_text);
	destroy();
}

Test(walk_check_run, another_kernels_window_that_differs_is_its_lie, .timeout = 30)
{
	begin(false);
	set_window(0x6000 | TABLES_DIRECTORY);
	cr_expect(page(TABLES_SMALL), "%s", check.wrong_text);
	cr_expect_eq(check.counts.lied, 1);
	cr_expect_eq(check.counts.wrong, 0);
	destroy();
}

Test(walk_check_run, a_stop_chooses_pages_of_the_window, .timeout = 30)
{
	struct walk_check_counts *counts = &check.counts;

	begin(true);
	cr_expect(walk_check_stop(&check, &machine, 0), "%s", check.wrong_text);
	cr_expect_eq(counts->walks, 200);
	cr_expect_gt(counts->kvm_same, 80);
	cr_expect_gt(counts->kvm_absent, 10, "those near them, and anywhere");
	cr_expect_eq(counts->kvm_same + counts->kvm_absent, 200);
	cr_expect_eq(counts->wrong + counts->lied, 0);
	destroy();
}

/* --- in the loop */

#define VPN UINT64_C(0x777)
#define GPA UINT64_C(0x345000)

/* mov $0x510, %dx; mov $0x20, %eax; out %eax, (%dx); mov $42, %al; out %al, $0xf4 */
static const uint8_t publisher[] = {0x66, 0xba, 0x10, 0x05, 0xb8, 0x20, 0x00,
				    0x00, 0x00, 0xef, 0xb0, 42,	  0xe6, 0xf4};

/* A table with one page, which the guest has touched, and which it names as its program's. */
static void make_publisher(void)
{
	make(publisher, sizeof(publisher));
	map(ASID, VPN << HPT_PAGE_SHIFT, HPT_4K, GPA, HPT_USER);
	guest.page.regions[0] = (struct abi_region){.start = VPN << HPT_PAGE_SHIFT, .pages = 1};
	publish(&guest, &machine);
	machine.devices.published = false; /* the code does that */
	*(volatile char *)ept_window_address(&machine.ept, GPA) = 1;
}

Test(walk_check_run, a_run_is_checked_when_it_publishes_and_at_its_end, .timeout = 30)
{
	struct machine_exit how;

	make_publisher();
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_GUEST, "%s", how.reason);
	cr_expect_eq(how.status, 42);
	cr_expect_eq(check.counts.stops, 2);
	cr_expect_eq(check.counts.walks, 400);
	cr_expect_gt(check.counts.translated, 0);
	cr_expect_eq(check.counts.wrong + check.counts.lied, 0);
	destroy();
}

Test(walk_check_run, a_walk_that_is_wrong_ends_the_run_with_70_and_is_dumped, .timeout = 30)
{
	struct machine_exit how;
	char *text = NULL;
	FILE *stream;
	size_t size;

	make_publisher();
	/* Stage 2 forgets a page that is in the window. */
	cr_assert_eq(hpt_unmap(&machine.ept.table, hpt_key(0, GPA >> HPT_PAGE_SHIFT, HPT_4K), NULL),
		     0);
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_VMM);
	cr_expect_eq(how.status, STATUS_INTERNAL);
	cr_expect(strstr(how.reason, "walk check: gva 0x777000: the walk says absent at stage 2"),
		  "%s", how.reason);
	cr_expect(how.has_wrong_gva);
	cr_expect_eq(how.wrong_gva, VPN << HPT_PAGE_SHIFT);
	stream = open_memstream(&text, &size);
	dump_write(stream, &machine, &how);
	fclose(stream);
	cr_expect(strstr(text, "translation of the walk that is wrong, gva 0x777000:"), "%s", text);
	cr_expect(strstr(text, "stage 2: gpa 0x345000 -> no entry"), "%s", text);
	free(text);
	destroy();
}
