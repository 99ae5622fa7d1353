/* SPDX-License-Identifier: MIT */
#include "vmm/samples.h"

#include <errno.h>
#include <stddef.h>

/* The counter's low halves wrap; their differences do not mind. */
static void add(struct samples *samples, const struct abi_sample *sample)
{
	struct hpt_histogram *legs = samples->legs;

	hpt_histogram_add(&legs[SAMPLES_TRAP], (uint32_t)(sample->asked - sample->trap));
	hpt_histogram_add(&legs[SAMPLES_LOOKUP], (uint32_t)(sample->found - sample->asked));
	hpt_histogram_add(&legs[SAMPLES_INSTALL], (uint32_t)(sample->installed - sample->found));
	hpt_histogram_add(&legs[SAMPLES_FAULT], (uint32_t)(sample->installed - sample->trap));
	samples->faults++;
}

int samples_take(struct samples *samples, guest_read_fn *read, void *context, gpa_t page)
{
	struct abi_sample all[ABI_SAMPLES];
	struct {
		uint64_t gpa;
		uint64_t count;
	} where;

	_Static_assert(offsetof(struct abi_page, sample_count) ==
			       offsetof(struct abi_page, samples) + sizeof(where.gpa),
		       "read as one");
	if (read(context, page + offsetof(struct abi_page, samples), &where, sizeof(where)))
		return -EFAULT;
	if (where.count > ABI_SAMPLES)
		return -EINVAL;
	if (read(context, where.gpa, all, where.count * sizeof(all[0])))
		return -EFAULT;
	for (uint64_t i = 0; i < where.count; i++)
		add(samples, &all[i]);
	return 0;
}
