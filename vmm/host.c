/* SPDX-License-Identifier: MIT */
#include "vmm/host.h"

#include <cpuid.h>
#include <sched.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ept/window.h"
#include "vmm/status.h"

#define CPUID_HYPERVISOR 0x40000000u

/* Defined here because Debian 12's headers are older than the kernels we meet. */
#define CAP_MEMORY_FAULT_INFO 232

static const int capability_numbers[HOST_CAPABILITIES] = {
	[HOST_USER_MEMORY] = KVM_CAP_USER_MEMORY,
	[HOST_SYNC_MMU] = KVM_CAP_SYNC_MMU,
	[HOST_IMMEDIATE_EXIT] = KVM_CAP_IMMEDIATE_EXIT,
	[HOST_MEMORY_SLOTS] = KVM_CAP_NR_MEMSLOTS,
	[HOST_VCPUS] = KVM_CAP_MAX_VCPUS,
	[HOST_IRQCHIP] = KVM_CAP_IRQCHIP,
	[HOST_TSC_CONTROL] = KVM_CAP_TSC_CONTROL,
	[HOST_TSC_KHZ] = KVM_CAP_GET_TSC_KHZ,
	[HOST_READONLY_MEMORY] = KVM_CAP_READONLY_MEM,
	[HOST_MEMORY_FAULT_INFO] = CAP_MEMORY_FAULT_INFO,
};

/*
 * TCG says so in the hypervisor's signature. This is a question for a name, not for what the CPU
 * can do.
 */
static bool is_software_cpu(void)
{
	unsigned int eax, text[4] = {0};

	if (!__get_cpuid(1, &eax, &text[0], &text[1], &text[2]) || !(text[1] & (1u << 31)))
		return false;
	__cpuid(CPUID_HYPERVISOR, eax, text[0], text[1], text[2]);
	return !memcmp(text, "TCGTCGTCGTCG", 12);
}

/* The first line of `path` that starts with `key`, from its first colon on; or all of line one. */
static void read_line(const char *path, const char *key, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[512];

	snprintf(text, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		char *value = line;

		line[strcspn(line, "\n")] = 0;
		if (key) {
			if (strncmp(line, key, strlen(key)))
				continue;
			value = strchr(line, ':');
			value = value ? value + 1 + strspn(value + 1, " \t") : line;
		}
		snprintf(text, size, "%.*s", (int)size - 1, value);
		break;
	}
	if (file)
		fclose(file);
}

static void read_kvm(struct host *host)
{
	struct message ignored;
	struct kvm kvm;

	host->kind = kvm_find_kind(&host->kvm_problem);
	if (kvm_open(&kvm, &ignored))
		return;
	host->api_version = KVM_API_VERSION;
	for (unsigned int i = 0; i < HOST_CAPABILITIES; i++)
		host->capabilities[i] = kvm_capability(&kvm, capability_numbers[i]);
	kvm_close(&kvm);
}

/* By the function that a run uses: what is said here holds there. */
static void read_userfaultfd(struct host *host)
{
	const char *what = "userfaultfd";
	int fd = ept_userfaultfd(false, &host->userfaultfd_features, &what);

	host->has_userfaultfd = fd >= 0;
	if (fd >= 0)
		close(fd);
	else
		message_set(&host->userfaultfd_problem, fd, STATUS_UNAVAILABLE, "%s: %s", what,
			    strerror(-fd));
}

void host_read(struct host *host)
{
	struct utsname name;
	cpu_set_t cpus;

	memset(host, 0, sizeof(*host));
	read_kvm(host);
	read_userfaultfd(host);
	host->software_cpu = is_software_cpu();
	host->cpus = sched_getaffinity(0, sizeof(cpus), &cpus) ? 0 : (unsigned int)CPU_COUNT(&cpus);
	if (!uname(&name))
		snprintf(host->kernel, sizeof(host->kernel), "%s %s", name.sysname, name.release);
	read_line("/proc/cpuinfo", "model name", host->cpu_model, sizeof(host->cpu_model));
	read_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled", NULL, host->huge_pages,
		  sizeof(host->huge_pages));
}

bool host_emulates_ring0(const struct host *host)
{
	return host->kind == KVM_PVM || host->software_cpu;
}

const char *host_timings(const struct host *host)
{
	if (host->kind == KVM_NONE)
		return "No guest can run here. The testbed (make testbed) runs it in software.";
	if (host->software_cpu)
		return "This CPU is itself software (QEMU's TCG): counts are right, timings mean "
		       "nothing.";
	if (host->kind == KVM_PVM)
		return "The guest's ring 3 runs natively, its ring 0 in KVM's instruction emulator "
		       "at 1 to 3 thousand cycles an instruction, and there is no hardware second "
		       "stage: times of the guest kernel are the emulator's, times of the VMM are "
		       "real.";
	return "Both rings of the guest run natively and the CPU walks both stages: all timings "
	       "are real.";
}
