/* SPDX-License-Identifier: MIT */
/* Keeping the vCPU thread and the ept handler on one CPU: a miss takes half the time there. */
#ifndef VMM_PIN_H
#define VMM_PIN_H

#include <stdbool.h>

struct pin {
	bool active;
	unsigned long saved[16]; /* the thread's affinity before, a cpu_set_t */
};

/* Pins the calling thread to the CPU that it is on, and gives that CPU; -1 if it cannot be. */
int pin_thread(struct pin *pin);

/* Undoes it, for the same thread. Nothing happens if it was not pinned. */
void pin_release(struct pin *pin);

#endif
