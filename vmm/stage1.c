/* SPDX-License-Identifier: MIT */
#include "vmm/stage1.h"

#include <errno.h>

#define LARGE_SIZE (HPT_PAGE_SIZE * HPT_LARGE_PAGES)

/* The guest's addresses have 48 bits (four levels); the sign extension is no part of a key. */
#define GVA_VPN_BITS 36

static int invalid(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

int stage1_read(struct stage1 *stage1, struct machine *machine, unsigned int vcpu, const char **why)
{
	if (!machine->devices.published) {
		*why = "the guest has published no table";
		return -ENOENT;
	}
	stage1->machine = machine;
	stage1->vcpu = vcpu;
	stage1->cached_line = UINT64_MAX;
	stage1->lines_read = 0;
	if (guest_read(machine, machine->devices.page, &stage1->page, sizeof(stage1->page)))
		return invalid(why, "the published page is not guest RAM");
	if (stage1->page.magic != ABI_MAGIC || stage1->page.version != ABI_VERSION)
		return invalid(why, "the published page has a wrong magic or version");
	if (guest_read(machine, stage1->page.desc, &stage1->desc, sizeof(stage1->desc)))
		return invalid(why, "the published descriptor is not guest RAM");
	if (!hpt_desc_valid(&stage1->desc))
		return invalid(why, "the published descriptor is not valid");
	if (guest_read(machine, stage1->page.counts, &stage1->counts, sizeof(stage1->counts)))
		return invalid(why, "the published counts are not guest RAM");
	return 0;
}

static int read_line(struct stage1 *stage1, gpa_t line)
{
	int error = 0;

	if (line == stage1->cached_line)
		return 0;
	/* A guest's addresses need not be aligned to lines; a line never crosses a page for us. */
	if (line & (HPT_LINE_SIZE - 1))
		return -EFAULT;
	error = guest_read(stage1->machine, line, stage1->words, sizeof(stage1->words));
	stage1->cached_line = error ? UINT64_MAX : line;
	return error;
}

int stage1_lookup(struct stage1 *stage1, struct hpt_key key, uint64_t *entry,
		  stage1_probe_fn *report, void *context)
{
	enum hpt_answer answer = HPT_NEXT;
	struct hpt_probe probe = {0};

	hpt_probe_start(&stage1->desc, key, &probe);
	for (unsigned int i = 0; answer == HPT_NEXT && probe.line && i < HPT_PROBES_MAX; i++) {
		gpa_t line = probe.line;
		int error = read_line(stage1, line);

		stage1->lines_read++;
		if (error)
			return error;
		answer = hpt_probe_step(&stage1->desc, &probe, stage1->words, entry);
		if (report)
			report(context, line, stage1->words, answer);
	}
	if (answer != HPT_HIT)
		return -ENOENT;
	*entry = hpt_open(&stage1->desc, key, *entry);
	return 0;
}

/* The entry of a page that has a place in memory. */
static int lookup_frame(struct stage1 *stage1, struct hpt_key key, uint64_t *entry)
{
	int error = stage1_lookup(stage1, key, entry, NULL, NULL);

	return !error && *entry & HPT_SWAPPED ? -ENOENT : error;
}

struct hpt_key stage1_key(const struct stage1 *stage1, uint64_t gva, enum hpt_size size)
{
	uint16_t asid = stage1->page.asid[stage1->vcpu];
	uint64_t vpn = (gva >> HPT_PAGE_SHIFT) & ((UINT64_C(1) << GVA_VPN_BITS) - 1);

	if (gva >= ABI_CPU_AREA)
		asid = stage1->page.own_asid[stage1->vcpu];
	else if (gva >= ABI_KERNEL_HALF || gva >> HPT_PAGE_SHIFT == ABI_TRAP_PAGE >> HPT_PAGE_SHIFT)
		asid = ABI_ASID_KERNEL;
	return hpt_key(asid, vpn & ~(hpt_pages_in(size) - 1), size);
}

int stage1_translate(struct stage1 *stage1, uint64_t gva, gpa_t *gpa)
{
	uint64_t entry;
	int error;

	error = lookup_frame(stage1, stage1_key(stage1, gva, HPT_4K), &entry);
	if (!error) {
		*gpa = (entry & HPT_FRAME_MASK) | (gva & (HPT_PAGE_SIZE - 1));
		return 0;
	}
	if (error != -ENOENT)
		return error;
	error = lookup_frame(stage1, stage1_key(stage1, gva, HPT_2M), &entry);
	if (!error)
		*gpa = (entry & HPT_FRAME_MASK & ~(LARGE_SIZE - 1)) | (gva & (LARGE_SIZE - 1));
	return error;
}
