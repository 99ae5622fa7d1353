/* SPDX-License-Identifier: MIT */
/*
 * Where threads run. A vCPU's thread and an ept handler are kept on one CPU: a miss takes half the
 * time there. Several pairs are spread over the CPUs that the process may use.
 */
#ifndef VMM_PIN_H
#define VMM_PIN_H

#include <pthread.h>

struct pin {
	unsigned int count;	 /* CPUs that there are to be spread over; 0: nothing is pinned */
	unsigned int first;	 /* the CPU of number 0 */
	unsigned long saved[16]; /* the thread's affinity before, a cpu_set_t */
};

/* Pins the calling thread to the CPU that it is on, which is that of number 0. */
void pin_thread(struct pin *pin);

/* The CPU of pair `number`: those that the thread might use before, from `first` on and round. */
int pin_cpu(const struct pin *pin, unsigned int number);

/* Has a thread be made there; nothing happens if nothing is pinned. 0, or an errno. */
int pin_attributes(const struct pin *pin, unsigned int number, pthread_attr_t *attributes);

/* Undoes it, for the same thread. Nothing happens if it was not pinned. */
void pin_release(struct pin *pin);

#endif
