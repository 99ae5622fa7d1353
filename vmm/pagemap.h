/* SPDX-License-Identifier: MIT */
/*
 * What Linux says of this process's own pages (Documentation/admin-guide/mm/pagemap.rst): whether
 * the page tables have a page, and for root its PFN, the number of the physical frame. Two
 * addresses with one PFN are one frame, which is how an installation in the window is proved.
 *
 * Looking touches nothing. A PFN may change between two looks (migration, reclaim).
 */
#ifndef VMM_PAGEMAP_H
#define VMM_PAGEMAP_H

#include <stdbool.h>
#include <stdint.h>

struct pagemap {
	int fd; /* -1: not open */
};

struct pagemap_page {
	bool present;
	uint64_t pfn; /* 0: the kernel does not tell this user, or the page is not present */
};

/* 0, or a negative errno (no /proc). What the kernel tells later is decided by who opens it. */
int pagemap_open(struct pagemap *pagemap);

/* Safe on one that could not be opened. */
void pagemap_close(struct pagemap *pagemap);

/* The page of an address: 0, or a negative errno. */
int pagemap_read(const struct pagemap *pagemap, const void *address, struct pagemap_page *page);

#endif
