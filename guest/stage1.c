/* SPDX-License-Identifier: MIT */
/* See stage1.h. */
#include "guest/stage1.h"

#include <errno.h>
#include <stdbool.h>

#include "guest/boot.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/cpu_area.h"
#include "guest/frames.h"
#include "guest/layout.h"
#include "guest/publish.h"
#include "guest/slab.h"
#include "guest/space.h"
#include "guest/window.h"

#define VPN_MASK      ((UINT64_C(1) << 36) - 1)
#define RIGHTS_TEXT   (HPT_PRESENT)
#define RIGHTS_RODATA (HPT_PRESENT | HPT_NOEXEC)
#define RIGHTS_DATA   (HPT_PRESENT | HPT_NOEXEC | HPT_WRITE)
/* Set beforehand: nobody asks whether the kernel has touched its own pages. */
#define TOUCHED (HPT_ACCESSED | HPT_DIRTY)

/* Where there is a disk, so many times the pages of RAM are expected; for more the table grows. */
#define SWAPPED_SHARE 4

extern char kernel_start[], kernel_rodata[], kernel_data[], kernel_end[];
extern char boot_cpu_area[];
extern const char trap_page_text[], trap_page_text_end[];

struct hpt stage1;
struct hpt_spaces spaces;
uint64_t stage1_moved;
enum space_way stage1_way = SPACE_OTHER;

static uint64_t vpn_of(uint64_t gva)
{
	return gva >> HPT_PAGE_SHIFT & VPN_MASK;
}

static uint64_t pin(void *context, struct hpt_key key, uint64_t entry)
{
	(void)context;
	window_pin(key, entry);
	return entry;
}

/* Enters pages that stay, and pins what the table then says of them in the window. */
static void map_pinned(struct hpt_key key, uint64_t count, uint64_t entry)
{
	int error = hpt_map_range(&stage1, key, count, entry);

	if (error == -ENOMEM)
		window_refuse();
	if (!error)
		error = hpt_visit_range(&stage1, key, count, pin, NULL);
	if (error)
		panic("mapping page %lx of the kernel: error %d", key.vpn, -error);
}

/* Enters [gva, gva + size) -> gpa for the kernel, in pages as large as they can be. */
static void map_kernel(uint64_t gva, uint64_t gpa, uint64_t size, uint64_t rights)
{
	const uint64_t large = HPT_PAGE_SIZE * HPT_LARGE_PAGES;

	while (size) {
		bool aligned = !((gva | gpa) & (large - 1));
		enum hpt_size page = aligned && size >= large ? HPT_2M : HPT_4K;
		uint64_t bytes = hpt_pages_in(page) * HPT_PAGE_SIZE;
		uint64_t run = page == HPT_2M ? size & ~(large - 1) : large - (gva & (large - 1));
		uint64_t flags = rights | TOUCHED | (page == HPT_2M ? HPT_LARGE : 0);

		if (run > size)
			run = size;
		map_pinned(hpt_key(ABI_ASID_KERNEL, vpn_of(gva), page), run / bytes,
			   hpt_entry(gpa >> HPT_PAGE_SHIFT, flags));
		gva += run;
		gpa += run;
		size -= run;
	}
}

static void map_image(char *start, char *end, uint64_t rights)
{
	map_kernel((uint64_t)start, kernel_gpa(start), (uint64_t)(end - start), rights);
}

_Static_assert(TRAP_PAGE == ABI_TRAP_PAGE, "abi.h says where the trap page is");

static void map_trap_page(void)
{
	uint64_t gpa;
	char *page;

	if (frames_get_kernel(NULL, HPT_PAGE_SIZE, &gpa))
		window_refuse();
	page = direct(gpa);
	for (const char *from = trap_page_text; from < trap_page_text_end; from++)
		*page++ = *from;
	map_pinned(hpt_key(ABI_ASID_KERNEL, TRAP_PAGE >> HPT_PAGE_SHIFT, HPT_4K), 1,
		   hpt_entry(gpa >> HPT_PAGE_SHIFT, HPT_PRESENT | HPT_USER | HPT_ACCESSED));
}

int stage1_map_area(struct hpt_space *pages, uint64_t area, bool is_own)
{
	int error = hpt_space_create(&spaces, pages);

	for (uint64_t at = 0; at <= CPU_AREA_SIZE && !error; at += HPT_PAGE_SIZE) {
		bool is_apic = at == CPU_AREA_SIZE;
		uint64_t entry = (is_apic ? APIC_GPA : area + at) | RIGHTS_DATA | TOUCHED;
		struct hpt_key key = hpt_key(pages->asid, vpn_of(CPU_BASE + at), HPT_4K);

		if (at == CPU_STACK_GUARD || at == CPU_FAULT_STACK_GUARD)
			continue;
		error = hpt_space_map(pages, key.vpn, HPT_4K, entry);
		if (is_own && !error)
			window_pin(key, entry);
	}
	return error;
}

void stage1_start(void)
{
	struct hpt_config config = {
		.organisation = (enum hpt_organisation)boot.organisation,
		.pages = boot.ram_pages * (boot.disk ? SWAPPED_SHARE : 1),
		.memory = {.get = slab_get, .put = slab_put, .offset = DIRECT_BASE},
	};

	slab_start();
	if (hpt_create(&stage1, &config))
		refuse("memory: found %lu KiB, wanted more for the stage-1 table",
		       boot.ram_pages * 4);
	if (config.organisation == HPT_CLUSTERED)
		stage1_way = SPACE_CLUSTERED;
	else if (config.organisation == HPT_RADIX)
		stage1_way = SPACE_RADIX;
	window_create(boot.window_pages);
	map_image(kernel_start, kernel_rodata, RIGHTS_TEXT);
	map_image(kernel_rodata, kernel_data, RIGHTS_RODATA);
	map_image(kernel_data, kernel_end, RIGHTS_DATA);
	for (unsigned int i = 0; i < boot.ram_count; i++)
		map_kernel(DIRECT_BASE + boot.ram[i].start, boot.ram[i].start,
			   boot.ram[i].end - boot.ram[i].start, RIGHTS_DATA);
	if (boot.disk)
		map_kernel(DIRECT_BASE + (boot.disk & ~(HPT_PAGE_SIZE - 1)),
			   boot.disk & ~(HPT_PAGE_SIZE - 1), HPT_PAGE_SIZE, RIGHTS_DATA);
	map_trap_page();
	space_start();
	if (stage1_map_area(&cpu.pages, kernel_gpa(boot_cpu_area), true))
		window_refuse();
	published.own_asid[0] = cpu.pages.asid;
	window_start();
}
