/* SPDX-License-Identifier: MIT */
#include "vmm/pin.h"

#include <sched.h>

_Static_assert(sizeof(cpu_set_t) == sizeof(((struct pin *)0)->saved), "it fits");

int pin_thread(struct pin *pin)
{
	cpu_set_t one;
	int cpu;

	pin->active = false;
	if (sched_getaffinity(0, sizeof(cpu_set_t), (cpu_set_t *)pin->saved))
		return -1;
	cpu = sched_getcpu();
	if (cpu < 0 || cpu >= CPU_SETSIZE)
		return -1;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return -1;
	pin->active = true;
	return cpu;
}

void pin_release(struct pin *pin)
{
	if (pin->active)
		sched_setaffinity(0, sizeof(cpu_set_t), (cpu_set_t *)pin->saved);
	pin->active = false;
}
