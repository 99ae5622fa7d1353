/* SPDX-License-Identifier: MIT */
#include "vmm/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hpt/entry.h"

#define PRESENT	 (UINT64_C(1) << 63)
#define PFN_MASK ((UINT64_C(1) << 55) - 1)

int pagemap_open(struct pagemap *pagemap)
{
	pagemap->fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	return pagemap->fd < 0 ? -errno : 0;
}

void pagemap_close(struct pagemap *pagemap)
{
	if (pagemap->fd >= 0)
		close(pagemap->fd);
	pagemap->fd = -1;
}

int pagemap_read(const struct pagemap *pagemap, const void *address, struct pagemap_page *page)
{
	off_t at = (off_t)((uintptr_t)address / HPT_PAGE_SIZE * sizeof(uint64_t));
	uint64_t word;
	ssize_t got;

	do
		got = pread(pagemap->fd, &word, sizeof(word), at);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(word))
		return got < 0 ? -errno : -EIO;
	page->present = word & PRESENT;
	page->pfn = page->present ? word & PFN_MASK : 0;
	return 0;
}
