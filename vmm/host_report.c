/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "vmm/host.h"

static const char *const capability_names[HOST_CAPABILITIES] = {
	[HOST_USER_MEMORY] = "user_memory",
	[HOST_SYNC_MMU] = "sync_mmu",
	[HOST_IMMEDIATE_EXIT] = "immediate_exit",
	[HOST_MEMORY_SLOTS] = "memory_slots",
	[HOST_VCPUS] = "vcpus",
	[HOST_IRQCHIP] = "irqchip",
	[HOST_TSC_CONTROL] = "tsc_control",
	[HOST_TSC_KHZ] = "tsc_khz",
	[HOST_READONLY_MEMORY] = "readonly_memory",
	[HOST_MEMORY_FAULT_INFO] = "memory_fault_info",
};

/* By bit, as <linux/userfaultfd.h> of Linux 6.18 has them. */
static const char *const userfault_features[] = {
	"write_protect",
	"event_fork",
	"event_remap",
	"event_remove",
	"missing_hugetlbfs",
	"missing_shmem",
	"event_unmap",
	"sigbus",
	"thread_id",
	"minor_hugetlbfs",
	"minor_shmem",
	"exact_address",
	"wp_hugetlbfs_shmem",
	"wp_unpopulated",
	"poison",
	"wp_async",
	"move",
};

#define USERFAULT_FEATURES (sizeof(userfault_features) / sizeof(userfault_features[0]))

static bool has_feature(const struct host *host, size_t bit)
{
	return host->userfaultfd_features >> bit & 1;
}

static json_t *capabilities_json(const struct host *host)
{
	json_t *object = json_object();

	for (unsigned int i = 0; i < HOST_CAPABILITIES; i++)
		json_object_set_new(object, capability_names[i],
				    json_integer(host->capabilities[i]));
	return object;
}

static json_t *features_json(const struct host *host)
{
	json_t *array = json_array();

	for (size_t i = 0; i < USERFAULT_FEATURES; i++) {
		if (has_feature(host, i))
			json_array_append_new(array, json_string(userfault_features[i]));
	}
	return array;
}

json_t *host_json(const struct host *host)
{
	bool has_kvm = host->kind != KVM_NONE;

	return json_pack("{s:s, s:b, s:b, s:s*, s:i, s:o, s:b, s:s*, s:o, s:s, s:s, s:i, s:s, s:s}",
			 "kind", kvm_kind_name(host->kind), "ring0_emulated",
			 host_emulates_ring0(host), "software_cpu", host->software_cpu, "problem",
			 has_kvm ? NULL : host->kvm_problem.text, "api_version", host->api_version,
			 "capabilities", capabilities_json(host), "userfaultfd",
			 host->has_userfaultfd, "userfaultfd_problem",
			 host->has_userfaultfd ? NULL : host->userfaultfd_problem.text,
			 "userfaultfd_features", features_json(host), "kernel", host->kernel,
			 "cpu_model", host->cpu_model, "cpus", (int)host->cpus, "huge_pages",
			 host->huge_pages, "timings", host_timings(host));
}

void host_print(FILE *stream, const struct host *host)
{
	fprintf(stream, "kvm           %s%s\n", kvm_kind_name(host->kind),
		host_emulates_ring0(host) ? " (guest ring 0 is emulated)" : "");
	if (host->kind == KVM_NONE)
		fprintf(stream, "problem       %s\n", host->kvm_problem.text);
	else
		fprintf(stream, "api version   %d\n", host->api_version);
	fprintf(stream, "timings       %s\n", host_timings(host));
	if (host->kind != KVM_NONE) {
		fputs("capabilities ", stream);
		for (unsigned int i = 0; i < HOST_CAPABILITIES; i++)
			fprintf(stream, " %s=%d", capability_names[i], host->capabilities[i]);
		fputc('\n', stream);
	}
	if (host->has_userfaultfd) {
		fputs("userfaultfd  ", stream);
		for (size_t i = 0; i < USERFAULT_FEATURES; i++) {
			if (has_feature(host, i))
				fprintf(stream, " %s", userfault_features[i]);
		}
		fputc('\n', stream);
	} else {
		fprintf(stream, "userfaultfd   no: %s\n", host->userfaultfd_problem.text);
	}
	fprintf(stream, "cpu           %s, %u for this process\n", host->cpu_model, host->cpus);
	fprintf(stream, "kernel        %s\n", host->kernel);
	fprintf(stream, "huge pages    %s (shared memory)\n", host->huge_pages);
}
