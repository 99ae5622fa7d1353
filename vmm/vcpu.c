/* SPDX-License-Identifier: MIT */
/* A vCPU's thread: enters the guest, and serves what it leaves for. See loop.h and gate.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/exits.h"
#include "vmm/loop.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"
#include "vmm/walk_check.h"

#define FLUSH_NS UINT64_C(100000000) /* how long half a line may wait */

struct vcpu {
	struct loop *loop;
	struct machine *machine;
	unsigned int number;
	struct kvm_vcpu *kvm;
	struct machine_counts *counts;
	bool comes_back; /* by its own wish */
};

static void lock(struct vcpu *vcpu)
{
	pthread_mutex_lock(&vcpu->machine->lock);
	vcpu->machine->serving = vcpu->number;
}

static void unlock(struct vcpu *vcpu)
{
	pthread_mutex_unlock(&vcpu->machine->lock);
}

static void end(struct vcpu *vcpu, struct machine_exit *how)
{
	how->vcpu = vcpu->number;
	loop_end(vcpu->loop, how);
}

/* Gets this vCPU out of the guest at its next entry, which completes what it has left for. */
static void come_back(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->kvm->run->immediate_exit, 1, __ATOMIC_RELAXED);
	vcpu->comes_back = true;
}

/* The keeper shall do something while all vCPUs are out: none goes in again before that. */
static void ask_keeper(struct vcpu *vcpu)
{
	gate_close(&vcpu->machine->gate);
	come_back(vcpu);
	loop_wake(vcpu->machine);
}

static void guest_exited(struct vcpu *vcpu)
{
	struct devices *devices = &vcpu->machine->devices;
	struct machine_exit how = {.by = MACHINE_GUEST, .status = devices->exit_status};

	snprintf(how.reason, sizeof(how.reason), "%s", devices->exit_reason);
	/* A snapshot of that moment: the access is done. */
	if (loop_snapshot_is_due(vcpu->loop))
		kvm_complete(vcpu->kvm);
	end(vcpu, &how);
}

static bool flush_due(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	return (console_is_due(&machine->out) && loop_flush(vcpu->loop, &machine->out)) ||
	       (console_is_due(&machine->err) && loop_flush(vcpu->loop, &machine->err));
}

/* Sees to it that what the consoles still hold is not held for long. */
static void set_flush(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	uint64_t *flush_at = &vcpu->loop->flush_at;

	if (*flush_at != UINT64_MAX || !(machine->out.used || machine->err.used))
		return;
	__atomic_store_n(flush_at, loop_now_ns() + FLUSH_NS, __ATOMIC_RELAXED);
	loop_wake(machine);
}

/* One exit may carry many accesses (rep outs): each is done by itself. True ends the run. */
static bool serve_port(struct vcpu *vcpu)
{
	struct devices *devices = &vcpu->machine->devices;
	struct kvm_run *run = vcpu->kvm->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
		if (run->io.direction == KVM_EXIT_IO_IN)
			devices_read(devices, run->io.port, run->io.size, data);
		else
			devices_write(devices, run->io.port, run->io.size, data);
		if (devices->exited) {
			guest_exited(vcpu);
			return true;
		}
		if (flush_due(vcpu))
			return true;
	}
	set_flush(vcpu);
	return false;
}

/* What else an exit for a port is the occasion for. */
static void look_around(struct vcpu *vcpu)
{
	struct loop *loop = vcpu->loop;
	struct walk_check *check = vcpu->machine->config.walk_check;
	bool is_due = check && walk_check_is_due(check, vcpu->machine);

	if (is_due && !loop->wants_check) {
		loop->wants_check = true;
		loop->check_vcpu = vcpu->number;
	}
	if (is_due || loop_snapshot_is_due(loop))
		ask_keeper(vcpu);
}

/* True: the vCPU goes on. */
static bool handle_port(struct vcpu *vcpu)
{
	bool over;

	vcpu->counts->port++;
	lock(vcpu);
	over = serve_port(vcpu);
	if (!over)
		look_around(vcpu);
	unlock(vcpu);
	return !over;
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->kvm->run;
	gpa_t gpa = run->mmio.phys_addr;
	bool is_device;

	if (run->mmio.is_write)
		is_device = machine_mmio_write(vcpu->machine, gpa, run->mmio.len, run->mmio.data);
	else
		is_device = machine_mmio_read(vcpu->machine, gpa, run->mmio.len, run->mmio.data);
	vcpu->counts->mmio += !is_device;
}

/* An exit that nothing can be done about: a miss that was given up shows as many things. */
static bool give_up(struct vcpu *vcpu, int error)
{
	struct machine_exit how = {0};

	lock(vcpu);
	if (!loop_is_over(vcpu->loop)) {
		if (error)
			exit_set(&how, STATUS_INTERNAL, "KVM_RUN failed: %s", strerror(error));
		else
			exit_describe(vcpu->machine, vcpu->number, &how);
		end(vcpu, &how);
	}
	unlock(vcpu);
	return false;
}

/* An entry by which the vCPU has just come back is none that the guest would see. */
static bool handle_interruption(struct vcpu *vcpu)
{
	if (vcpu->comes_back)
		vcpu->counts->entries--;
	else
		vcpu->counts->interruptions++;
	vcpu->comes_back = false;
	__atomic_store_n(&vcpu->kvm->run->immediate_exit, 0, __ATOMIC_RELAXED);
	return gate_is_open(&vcpu->machine->gate);
}

/* Enters the guest once and deals with what it left for. True: it goes on. */
static bool step(struct vcpu *vcpu)
{
	vcpu->counts->entries++;
	if (ioctl(vcpu->kvm->fd, KVM_RUN, 0) < 0)
		return errno == EINTR || errno == EAGAIN ? handle_interruption(vcpu)
							 : give_up(vcpu, errno);
	switch (vcpu->kvm->run->exit_reason) {
	case KVM_EXIT_IO:
		return handle_port(vcpu);
	case KVM_EXIT_MMIO:
		handle_mmio(vcpu);
		return true;
	case KVM_EXIT_INTR:
		return handle_interruption(vcpu);
	default:
		return give_up(vcpu, 0);
	}
}

void vcpu_run(struct loop *loop, unsigned int number)
{
	struct machine *machine = loop->machine;
	struct vcpu vcpu = {
		.loop = loop,
		.machine = machine,
		.number = number,
		.kvm = &machine->kvm.vcpus[number],
		.counts = &machine->vcpu_counts[number],
	};

	gate_join(&machine->gate, number, vcpu.kvm->run);
	while (gate_enter(&machine->gate, number)) {
		while (step(&vcpu))
			continue;
		gate_leave(&machine->gate, number);
	}
	gate_part();
}
