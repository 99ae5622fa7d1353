/* SPDX-License-Identifier: MIT */
#include "vmm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/status.h"

/*
 * Intel CPUs without "unrestricted guest" run real mode and unpaged protected mode with the help of
 * four pages that must not be guest RAM: in the hole below 4 GiB, below where firmware would be.
 */
#define IDENTITY_MAP_ADDRESS UINT64_C(0xfffbc000)
#define TSS_ADDRESS	     0xfffbd000ul

#define COMPLETIONS 64 /* of one instruction: it may have accesses for ever */

int kvm_failed(struct message *message, const char *what)
{
	int error = errno;

	return message_set(message, -error, STATUS_UNAVAILABLE, "%s: %s failed: %s", KVM_DEVICE,
			   what, strerror(error));
}

static int open_failed(struct message *message)
{
	int error = errno;
	const char *fix = "check what the device is";

	if (error == ENOENT || error == ENODEV || error == ENXIO)
		fix = "load the module kvm_intel or kvm_amd (virtualization must be enabled in the "
		      "firmware, or in the hypervisor of this machine), or use the testbed";
	else if (error == EACCES || error == EPERM)
		fix = "run as root, or join the group that owns the device (often \"kvm\")";
	else if (error == EMFILE || error == ENFILE)
		fix = "raise RLIMIT_NOFILE";
	return message_set(message, -error, STATUS_UNAVAILABLE, "%s: cannot open: %s; fix: %s",
			   KVM_DEVICE, strerror(error), fix);
}

int kvm_open(struct kvm *kvm, struct message *message)
{
	int version;

	*kvm = (struct kvm){.fd = -1, .vm = -1};
	kvm->fd = open(KVM_DEVICE, O_RDWR | O_CLOEXEC);
	if (kvm->fd < 0)
		return open_failed(message);
	version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
	if (version == KVM_API_VERSION)
		return 0;
	if (version < 0)
		message_set(message, 0, STATUS_UNAVAILABLE,
			    "%s: is not a KVM device; fix: load the module kvm", KVM_DEVICE);
	else
		message_set(message, 0, STATUS_UNAVAILABLE,
			    "%s: found API version %d, wanted %d; fix: use a current kernel",
			    KVM_DEVICE, version, KVM_API_VERSION);
	kvm_close(kvm);
	return -ENOTSUP;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void kvm_close(struct kvm *kvm)
{
	while (kvm->vcpu_count) {
		struct kvm_vcpu *vcpu = &kvm->vcpus[--kvm->vcpu_count];

		if (vcpu->run)
			munmap(vcpu->run, kvm->run_size);
		close_one(&vcpu->fd);
	}
	close_one(&kvm->vm);
	close_one(&kvm->fd);
}

int kvm_create_vm(struct kvm *kvm, struct message *message)
{
	uint64_t identity = IDENTITY_MAP_ADDRESS;

	do {
		kvm->vm = ioctl(kvm->fd, KVM_CREATE_VM, 0ul);
	} while (kvm->vm < 0 && errno == EINTR);
	if (kvm->vm < 0)
		return kvm_failed(message, "KVM_CREATE_VM");
	/* Only Intel's needs them, so only Intel's must know them. */
	if (kvm_capability(kvm, KVM_CAP_SET_IDENTITY_MAP_ADDR))
		ioctl(kvm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (kvm_capability(kvm, KVM_CAP_SET_TSS_ADDR))
		ioctl(kvm->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS);
	return 0;
}

int kvm_set_memory(const struct kvm *kvm, uint32_t slot, gpa_t gpa, uint64_t size, void *address,
		   struct message *message)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)address,
	};

	if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return kvm_failed(message, "KVM_SET_USER_MEMORY_REGION");
	return 0;
}

int kvm_add_memory(struct kvm *kvm, gpa_t gpa, uint64_t size, void *address,
		   struct message *message)
{
	int error = kvm_set_memory(kvm, kvm->slots, gpa, size, address, message);

	kvm->slots += !error;
	return error;
}

int kvm_create_interrupts(struct kvm *kvm, bool timer, struct message *message)
{
	/* With the port of the speaker, by which kernels read the timer's third channel. */
	struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

	if (ioctl(kvm->vm, KVM_CREATE_IRQCHIP, 0) < 0)
		return kvm_failed(message, "KVM_CREATE_IRQCHIP");
	kvm->has_apics = true;
	if (timer && ioctl(kvm->vm, KVM_CREATE_PIT2, &pit) < 0)
		return kvm_failed(message, "KVM_CREATE_PIT2");
	kvm->has_timer = timer;
	return 0;
}

void kvm_set_interrupt(struct kvm *kvm, unsigned int number, bool high)
{
	struct kvm_irq_level level = {.irq = number, .level = high};

	/* It can fail only without the controllers that kvm_create_interrupts() has made. */
	ioctl(kvm->vm, KVM_IRQ_LINE, &level);
}

int kvm_create_vcpu(struct kvm *kvm, struct message *message)
{
	int size = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	unsigned int number = kvm->vcpu_count;
	struct kvm_vcpu *vcpu = &kvm->vcpus[number];
	void *run;

	if (number == KVM_VCPUS_MAX)
		return message_set(message, -EINVAL, STATUS_INTERNAL, "more than %d vCPUs",
				   KVM_VCPUS_MAX);
	if (size < (int)sizeof(struct kvm_run))
		return kvm_failed(message, "KVM_GET_VCPU_MMAP_SIZE");
	kvm->run_size = (size_t)size;
	*vcpu = (struct kvm_vcpu){.fd = ioctl(kvm->vm, KVM_CREATE_VCPU, (unsigned long)number)};
	if (vcpu->fd < 0)
		return kvm_failed(message, "KVM_CREATE_VCPU");
	kvm->vcpu_count++;
	run = mmap(NULL, kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return kvm_failed(message, "mmap of the run area");
	vcpu->run = run;
	return kvm_set_cpuid(kvm, number, message);
}

unsigned int kvm_vcpus_max(const struct kvm *kvm)
{
	int most = kvm_capability(kvm, KVM_CAP_MAX_VCPUS);

	/* A kernel that does not say has four (Documentation/virt/kvm/api.rst). */
	return most ? (unsigned int)most : 4;
}

void kvm_complete(struct kvm_vcpu *vcpu)
{
	int ret = 0;

	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_RELAXED);
	for (int i = 0; i < COMPLETIONS && ret == 0; i++)
		ret = ioctl(vcpu->fd, KVM_RUN, 0);
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_RELAXED);
}

int kvm_capability(const struct kvm *kvm, int capability)
{
	int value = ioctl(kvm->vm >= 0 ? kvm->vm : kvm->fd, KVM_CHECK_EXTENSION, capability);

	return value > 0 ? value : 0;
}

uint64_t kvm_tsc_khz(const struct kvm *kvm)
{
	int khz = ioctl(kvm->vcpus[0].fd, KVM_GET_TSC_KHZ, 0);

	return khz > 0 ? (uint64_t)khz : 0;
}
