/* SPDX-License-Identifier: MIT */
/*
 * Signals as far as one process needs them that only sends them to itself: dispositions and mask
 * are kept, default actions happen. Handlers are not run: a signal that has one kills as well.
 */
#ifndef GUEST_SIGNAL_H
#define GUEST_SIGNAL_H

#include <stdint.h>

#include "guest/trap.h"

int64_t signal_action(int number, uint64_t action, uint64_t old, uint64_t size);
int64_t signal_mask(int how, uint64_t set, uint64_t old, uint64_t size);
int64_t signal_send(struct trap_frame *frame, int number);

#endif
