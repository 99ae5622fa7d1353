/* SPDX-License-Identifier: MIT */
#include "vmm/pin.h"

#include <sched.h>

_Static_assert(sizeof(cpu_set_t) == sizeof(((struct pin *)0)->saved), "it fits");

void pin_thread(struct pin *pin)
{
	cpu_set_t one;
	int cpu;

	pin->count = 0;
	if (sched_getaffinity(0, sizeof(cpu_set_t), (cpu_set_t *)pin->saved))
		return;
	cpu = sched_getcpu();
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return;
	pin->first = (unsigned int)cpu;
	pin->count = (unsigned int)CPU_COUNT((cpu_set_t *)pin->saved);
}

int pin_cpu(const struct pin *pin, unsigned int number)
{
	unsigned int cpu = pin->first;

	for (number %= pin->count; number; number--) {
		do
			cpu = (cpu + 1) % CPU_SETSIZE;
		while (!CPU_ISSET(cpu, (const cpu_set_t *)pin->saved));
	}
	return (int)cpu;
}

int pin_attributes(const struct pin *pin, unsigned int number, pthread_attr_t *attributes)
{
	cpu_set_t one;

	if (!pin->count)
		return 0;
	CPU_ZERO(&one);
	CPU_SET(pin_cpu(pin, number), &one);
	return pthread_attr_setaffinity_np(attributes, sizeof(one), &one);
}

void pin_release(struct pin *pin)
{
	if (pin->count)
		sched_setaffinity(0, sizeof(cpu_set_t), (cpu_set_t *)pin->saved);
	pin->count = 0;
}
