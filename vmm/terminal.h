/* SPDX-License-Identifier: MIT */
/*
 * The terminal that a guest's console is typed at; there is at most one. What its settings become
 * stands in vmm/input.h.
 */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

#include <stdbool.h>

/* False for a terminal in whose background this process is: reading it would stop us. */
bool terminal_may_be_read(int fd);

/* Sets it up, if `fd` is a terminal; else nothing happens. */
void terminal_set(int fd);

/* Brings back what terminal_set() has changed. */
void terminal_restore(void);

#endif
