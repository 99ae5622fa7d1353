/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of this CPU (Intel SDM volume 3, chapter 10): one-shot timer and interrupts for
 * other CPUs. Nothing of it is touched before it is needed, so a guest with one task never does.
 */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include <stdint.h>

/* An interrupt at the time `at`, by clock_now(); 0: none. */
void apic_set_timer(uint64_t at);

/* An interrupt for another CPU. */
void apic_send(unsigned int number, unsigned int vector);

/* The interrupt that is being served has been. */
void apic_done(void);

/* Interrupts can come: on each CPU before its first wait for one. */
void apic_start(void);

#endif
