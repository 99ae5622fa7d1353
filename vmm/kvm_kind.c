/* SPDX-License-Identifier: MIT */
/*
 * Which KVM this is.
 *
 *   vmx, svm   hardware translates both stages; all of the guest runs natively
 *   pvm        no hardware second stage; ring 3 runs natively, ring 0 in KVM's instruction emulator
 *   none       no usable /dev/kvm
 *
 * CPUID flags are not asked: a nested machine shows flags of things it cannot do. Whether ring 0 is
 * emulated is tried out: popcnt is an instruction that every CPU with KVM has and that the
 * emulator lacks, so a VM that executes it either ends at the `out` behind it or with an internal
 * error.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/kvm.h"
#include "vmm/status.h"

#define PROBE_ADDRESS 0x1000
#define PROBE_RUNS    100 /* a signal may interrupt KVM_RUN; this often is not by chance */

static const uint8_t probe_code[] = {
	0xf3, 0x0f, 0xb8, 0xc3, /* popcnt %ebx, %eax */
	0xe6, 0x80,		/* out %al, $0x80 */
	0xf4,			/* hlt */
};

const char *kvm_kind_name(enum kvm_kind kind)
{
	static const char *const names[] = {"none", "pvm", "svm", "vmx"};

	return names[kind];
}

static bool has_module(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

/* Runs the probe until it leaves for another reason than a signal; the exit reason or -1. */
static int run_probe(struct kvm *kvm, void *page, struct message *message)
{
	memcpy((uint8_t *)page + PROBE_ADDRESS, probe_code, sizeof(probe_code));
	if (kvm_create_vm(kvm, message) ||
	    kvm_add_memory(kvm, 0, 2 * PROBE_ADDRESS, page, message) ||
	    kvm_create_vcpu(kvm, message) || kvm_set_pvh_state(kvm, PROBE_ADDRESS, 0, message))
		return -1;
	for (int i = 0; i < PROBE_RUNS; i++) {
		if (!ioctl(kvm->vcpus[0].fd, KVM_RUN, 0))
			return (int)kvm->vcpus[0].run->exit_reason;
		if (errno != EINTR && errno != EAGAIN)
			break;
	}
	message_set(message, 0, STATUS_UNAVAILABLE, "%s: KVM_RUN failed: %s", KVM_DEVICE,
		    strerror(errno));
	return -1;
}

static enum kvm_kind kind_of_exit(int reason, struct message *message)
{
	if (reason == KVM_EXIT_INTERNAL_ERROR)
		return KVM_PVM;
	if (reason == KVM_EXIT_IO)
		return has_module("kvm_amd") ? KVM_SVM : KVM_VMX;
	if (reason >= 0)
		message_set(message, 0, STATUS_UNAVAILABLE,
			    "%s: a trial guest ended with exit reason %d, wanted %d", KVM_DEVICE,
			    reason, KVM_EXIT_IO);
	return KVM_NONE;
}

enum kvm_kind kvm_find_kind(struct message *message)
{
	enum kvm_kind kind;
	struct kvm kvm;
	void *page;

	if (kvm_open(&kvm, message))
		return KVM_NONE;
	page = mmap(NULL, 2 * PROBE_ADDRESS, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (page == MAP_FAILED) {
		message_set(message, 0, STATUS_INTERNAL, "mmap of two pages failed: %m");
		kvm_close(&kvm);
		return KVM_NONE;
	}
	kind = kind_of_exit(run_probe(&kvm, page, message), message);
	kvm_close(&kvm);
	munmap(page, 2 * PROBE_ADDRESS);
	return kind;
}
