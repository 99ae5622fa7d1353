/* SPDX-License-Identifier: MIT */
#include "vmm/exits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "vmm/status.h"

void exit_set(struct machine_exit *how, int status, const char *format, ...)
{
	va_list arguments;

	how->by = MACHINE_VMM;
	how->status = status;
	va_start(arguments, format);
	vsnprintf(how->reason, sizeof(how->reason), format, arguments);
	va_end(arguments);
}

/*
 * The bytes at the instruction that the emulator refused, as " (instruction: 0f 01 ...)", if KVM
 * gave them.
 */
static void describe_instruction(const struct kvm_run *run, char *text, size_t size)
{
	size_t used;
	unsigned int count;

	text[0] = 0;
	if (run->emulation_failure.ndata < 3 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	count = run->emulation_failure.insn_size;
	if (count > sizeof(run->emulation_failure.insn_bytes))
		count = sizeof(run->emulation_failure.insn_bytes);
	used = (size_t)snprintf(text, size, " (instruction:");
	for (unsigned int i = 0; i < count && used + 5 < size; i++)
		used += (size_t)snprintf(text + used, size - used, " %02x",
					 run->emulation_failure.insn_bytes[i]);
	snprintf(text + used, size - used, ")");
}

/* Whether the instruction to be executed next lies where no memory is, and at which gPA. */
static bool is_nowhere(struct machine *machine, unsigned int vcpu, gpa_t *gpa)
{
	struct kvm_regs registers;
	struct kvm_sregs special;
	int fd = machine->kvm.vcpus[vcpu].fd;
	uint8_t byte;

	return ioctl(fd, KVM_GET_REGS, &registers) >= 0 &&
	       ioctl(fd, KVM_GET_SREGS, &special) >= 0 &&
	       !machine_translate(machine, vcpu, special.cs.base + registers.rip, gpa) &&
	       guest_read(machine, *gpa, &byte, sizeof(byte));
}

static void describe_internal_error(struct machine *machine, unsigned int vcpu,
				    struct machine_exit *how)
{
	const struct kvm_run *run = machine->kvm.vcpus[vcpu].run;
	char instruction[96];

	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION) {
		exit_set(how, STATUS_GUEST_DIED, "KVM internal error, suberror %" PRIu32,
			 run->internal.suberror);
		return;
	}
	if (is_nowhere(machine, vcpu, &how->address)) {
		how->has_address = true;
		exit_set(how, STATUS_GUEST_DIED,
			 "instruction fetch at gpa 0x%" PRIx64 ", where no memory is",
			 how->address);
		return;
	}
	describe_instruction(run, instruction, sizeof(instruction));
	exit_set(how, STATUS_GUEST_DIED,
		 "KVM internal error: an instruction that KVM cannot emulate%s", instruction);
}

void exit_describe(struct machine *machine, unsigned int vcpu, struct machine_exit *how)
{
	const struct kvm_run *run = machine->kvm.vcpus[vcpu].run;

	switch (run->exit_reason) {
	case KVM_EXIT_HLT:
		exit_set(how, STATUS_GUEST_DIED, "halted for ever: no interrupt can wake it");
		break;
	case KVM_EXIT_SHUTDOWN:
		exit_set(how, STATUS_GUEST_DIED, "triple fault");
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		describe_internal_error(machine, vcpu, how);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		exit_set(how, STATUS_GUEST_DIED,
			 "the CPU refused to enter the guest, hardware reason 0x%" PRIx64,
			 (uint64_t)run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		exit_set(how, STATUS_GUEST_DIED, "system event %" PRIu32, run->system_event.type);
		break;
	default:
		exit_set(how, STATUS_GUEST_DIED, "unhandled exit, KVM reason %" PRIu32,
			 run->exit_reason);
		break;
	}
}
