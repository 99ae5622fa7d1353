/* SPDX-License-Identifier: MIT */
/* What the kernel says of this process's pages. */
#include <criterion/criterion.h>

#include <sys/mman.h>
#include <unistd.h>

#include "hpt/entry.h"
#include "vmm/pagemap.h"

#define PAGES 4

static struct pagemap pagemap;

static volatile char *map(int memfd)
{
	void *place =
		mmap(NULL, PAGES * HPT_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	cr_assert_neq(place, MAP_FAILED);
	return place;
}

static struct pagemap_page look(volatile char *place, unsigned int page)
{
	struct pagemap_page found;

	cr_assert_eq(pagemap_read(&pagemap, (void *)(place + page * HPT_PAGE_SIZE), &found), 0);
	return found;
}

Test(pagemap, two_mappings_of_one_frame_have_one_pfn_and_two_frames_two)
{
	int memfd = memfd_create("frames", MFD_CLOEXEC);
	volatile char *one, *two;

	cr_assert_eq(ftruncate(memfd, PAGES * HPT_PAGE_SIZE), 0);
	cr_assert_eq(pagemap_open(&pagemap), 0);
	one = map(memfd);
	two = map(memfd);
	one[0] = one[HPT_PAGE_SIZE] = 1;
	cr_expect(look(one, 0).present);
	cr_expect_not(look(two, 0).present, "nobody has touched it there");
	cr_expect_eq(look(two, 0).pfn, 0);
	cr_assert_eq(two[0] + two[HPT_PAGE_SIZE], 2);
	cr_assert(look(two, 0).present);
	cr_expect_eq(look(one, 0).pfn, look(two, 0).pfn);
	cr_expect_eq(look(one, 1).pfn, look(two, 1).pfn);
	if (look(one, 0).pfn)
		cr_expect_neq(look(one, 0).pfn, look(one, 1).pfn);
	cr_expect_not(look(one, 2).present, "looking touches nothing");
	pagemap_close(&pagemap);
	close(memfd);
}

Test(pagemap, an_address_of_nobody_is_not_present_and_a_closed_one_is_an_error)
{
	struct pagemap_page page;

	cr_assert_eq(pagemap_open(&pagemap), 0);
	cr_expect_eq(pagemap_read(&pagemap, (void *)0x1000, &page), 0);
	cr_expect_not(page.present);
	pagemap_close(&pagemap);
	pagemap_close(&pagemap);
	cr_expect_lt(pagemap_read(&pagemap, &page, &page), 0);
}
