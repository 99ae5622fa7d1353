/* SPDX-License-Identifier: MIT */
#include "vmm/vm_state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/status.h"

int vm_state_read(struct vm_state *state, const struct kvm *kvm, struct message *message)
{
	struct kvm_clock_data clock = {0};

	memset(state, 0, sizeof(*state));
	state->has_chips = kvm->has_apics;
	state->has_timer = kvm->has_timer;
	for (uint32_t i = 0; i < VM_STATE_CHIPS && state->has_chips; i++) {
		state->chips[i].chip_id = i;
		if (ioctl(kvm->vm, KVM_GET_IRQCHIP, &state->chips[i]) < 0)
			return kvm_failed(message, "KVM_GET_IRQCHIP");
	}
	if (state->has_timer && ioctl(kvm->vm, KVM_GET_PIT2, &state->timer) < 0)
		return kvm_failed(message, "KVM_GET_PIT2");
	if (ioctl(kvm->vm, KVM_GET_CLOCK, &clock) == 0)
		state->clock_ns = clock.clock;
	return 0;
}

static int refused(struct message *message, const char *what)
{
	int error = errno;

	return message_set(message, -error, STATUS_DATA,
			   "interrupt controllers: found a state that %s does not take (%s), "
			   "wanted one of this kind of host",
			   what, strerror(error));
}

static int check(const char *field, uint32_t found, uint32_t wanted, struct message *message)
{
	if (found == wanted)
		return 0;
	return message_set(message, -EINVAL, STATUS_DATA,
			   "%s: found %" PRIu32 ", wanted %" PRIu32 ", as the machine is", field,
			   found, wanted);
}

int vm_state_write(const struct vm_state *state, const struct kvm *kvm, struct message *message)
{
	struct kvm_clock_data clock = {.clock = state->clock_ns};
	int ret = check("has_chips", state->has_chips, kvm->has_apics, message);

	if (ret == 0)
		ret = check("has_timer", state->has_timer, kvm->has_timer, message);
	if (ret < 0)
		return ret;
	for (uint32_t i = 0; i < VM_STATE_CHIPS && state->has_chips; i++) {
		struct kvm_irqchip chip = state->chips[i];

		chip.chip_id = i;
		if (ioctl(kvm->vm, KVM_SET_IRQCHIP, &chip) < 0)
			return refused(message, "KVM_SET_IRQCHIP");
	}
	if (state->has_timer && ioctl(kvm->vm, KVM_SET_PIT2, &state->timer) < 0)
		return refused(message, "KVM_SET_PIT2");
	if (state->clock_ns)
		(void)ioctl(kvm->vm, KVM_SET_CLOCK, &clock);
	return 0;
}
