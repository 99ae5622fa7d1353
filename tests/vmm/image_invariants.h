/* SPDX-License-Identifier: MIT */
/* What must hold for every image that the loader accepted, whatever bytes it was given. */
#ifndef TWOSTAGE_TESTS_VMM_IMAGE_INVARIANTS_H
#define TWOSTAGE_TESTS_VMM_IMAGE_INVARIANTS_H

#include "vmm/image.h"

/*
 * NULL, or the first promise of image.h that this accepted image breaks; loads it into nowhere too.
 * `ram` is what image_parse was given. Written apart from the loader, so in other words than its.
 */
const char *image_broken_promise(const struct image *image, const void *bytes, size_t size,
				 const struct image_ram *ram);

#endif
