/* SPDX-License-Identifier: MIT */
/* What the kernel tells the VMM: one page of numbers (abi.h), kept up to date where they arise. */
#ifndef GUEST_PUBLISH_H
#define GUEST_PUBLISH_H

#include <stdint.h>

#include "guest/abi.h"

extern struct abi_page published;

/* Fills in what stays, and rings the doorbell if there is one. After stage1_start(). */
void publish_start(void);

/* Asks the VMM to write out bytes that do not cross a page. */
void publish_write(int fd, uint64_t gpa, uint32_t size);

/* The kernel gives up. */
void publish_panic(void);

#endif
