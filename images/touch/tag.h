/* SPDX-License-Identifier: MIT */
/*
 * What the image `touch` leaves in the memory it writes: the first eight bytes (little endian) of
 * each 4 KiB page hold the page's tag, the rest of the page stays zero. Page 0 is the first page of
 * the mapping. Whoever looks at the frames from outside finds with this header which page is where.
 */
#ifndef IMAGES_TOUCH_TAG_H
#define IMAGES_TOUCH_TAG_H

#include <stdint.h>

#include "images/common/mix.h"

#define TOUCH_PAGE_SIZE 4096
#define TOUCH_SEED	1 /* when no --seed is given */

/*
 * The tag of page number @page (below 2^52) under @seed. For one seed no two pages have the same
 * tag, because mix64() is a permutation; and no tag is 0, because bit 63 of its input is set. So a
 * tag is never taken for a fresh page, nor for another page of the same run.
 */
static inline uint64_t touch_tag(uint64_t page, uint64_t seed)
{
	return mix64((mix64(seed) | UINT64_C(1) << 63) ^ page);
}

#endif
