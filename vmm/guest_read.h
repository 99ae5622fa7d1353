/* SPDX-License-Identifier: MIT */
/* How devices read guest memory: injected, so that they are tested without a machine. */
#ifndef VMM_GUEST_READ_H
#define VMM_GUEST_READ_H

#include <stdint.h>

#include "ept/ept.h"

/*
 * Copies [gpa, gpa + size) to target: 0, or -EFAULT if a byte of it is not guest RAM, and then
 * nothing is copied. The machine's is guest_read().
 */
typedef int guest_read_fn(void *context, gpa_t gpa, void *target, uint64_t size);

#endif
