/* SPDX-License-Identifier: MIT */
#include "vmm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest/abi.h"
#include "vmm/load.h"
#include "vmm/run.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"
#include "vmm/table_slab.h"

unsigned int machine_layout(uint64_t mem, struct ept_range ranges[EPT_RANGES_MAX])
{
	ranges[0] = (struct ept_range){.start = 0, .size = mem};
	if (mem <= ABI_HOLE_START)
		return 1;
	ranges[0].size = ABI_HOLE_START;
	ranges[1] = (struct ept_range){.start = ABI_HOLE_END, .size = mem - ABI_HOLE_START};
	return 2;
}

void machine_ram(uint64_t mem, struct image_ram *ram)
{
	struct ept_range ranges[EPT_RANGES_MAX];

	ram->count = machine_layout(mem, ranges);
	for (unsigned int i = 0; i < ram->count; i++) {
		ram->range[i].start = ranges[i].start;
		ram->range[i].end = ranges[i].start + ranges[i].size;
	}
}

/* The slab takes RAM behind the kernel, and frames that are nobody else's. */
static int place_slab(struct machine *machine, struct message *message)
{
	const struct machine_config *config = &machine->config;
	uint64_t top = machine->ranges[0].size;
	uint64_t start, end;

	if (!config->table_slab)
		return 0;
	image_bounds(config->kernel, &start, &end);
	machine->slab = table_slab_place(end, config->table_slab);
	if (machine->slab.start > top || machine->slab.size > top - machine->slab.start)
		return message_set(message, -ENOSPC, STATUS_USAGE,
				   "--table-slab: found %" PRIu64 "K, wanted at most the memory "
				   "between 0x%" PRIx64 " and 0x%" PRIx64 "; fix: a larger --mem",
				   config->table_slab >> 10, machine->slab.start, top);
	if (config->host_mem < MACHINE_HOST_MEM_MIN + config->table_slab)
		return message_set(message, -ENOSPC, STATUS_USAGE,
				   "--table-slab: found %" PRIu64 "K, wanted at most %" PRIu64
				   "K, which is --host-mem less 64K",
				   config->table_slab >> 10,
				   (config->host_mem - MACHINE_HOST_MEM_MIN) >> 10);
	return 0;
}

static int create_second_stage(struct machine *machine, struct message *message)
{
	struct ept_config config = {
		.range_count = machine->range_count,
		.pinned = machine->slab,
		.host_mem = machine->config.host_mem,
		.swap = machine->config.swap,
		.around = machine->config.around,
		.host_pages = machine->config.host_pages,
		.dedup = machine->config.dedup,
		.clones = machine->config.clones,
		.pages = machine->config.restore ? machine->config.restore->origin.page_count : 0,
		.track = machine->config.sample_ns,
		.organisation = machine->config.organisation,
		.seed = machine->config.seed,
		.cpu = machine->config.pin ? pin_thread(&machine->pin) : -1,
		.failed = run_host_failed,
		.context = machine,
	};
	const char *what = "second stage";
	int error;

	memcpy(config.ranges, machine->ranges, sizeof(config.ranges));
	error = ept_create(&machine->ept, &config, &what);
	if (error)
		return message_set(message, error, STATUS_UNAVAILABLE, "%s: %s", what,
				   strerror(-error));
	machine->has_ept = true;
	return 0;
}

int machine_create_vm(struct machine *machine, struct message *message)
{
	int error = kvm_open(&machine->kvm, message);

	if (!error)
		error = kvm_create_vm(&machine->kvm, message);
	if (!error && machine->config.pc)
		error = kvm_create_pc(&machine->kvm, message);
	for (unsigned int i = 0; i < machine->range_count && !error; i++)
		error = kvm_add_memory(
			&machine->kvm, machine->ranges[i].start, machine->ranges[i].size,
			ept_window_address(&machine->ept, machine->ranges[i].start), message);
	return error ? error : kvm_create_vcpu(&machine->kvm, message);
}

static int device_read(void *context, gpa_t gpa, void *target, uint64_t size)
{
	return guest_read(context, gpa, target, size);
}

static void set_interrupt(void *context, unsigned int number, bool high)
{
	struct machine *machine = context;

	kvm_set_interrupt(&machine->kvm, number, high);
}

static bool take_input(void *context, uint8_t *byte)
{
	struct machine *machine = context;

	return input_take(&machine->input, byte);
}

void machine_make_devices(struct machine *machine)
{
	const struct devices_pc pc = {
		.interrupt = set_interrupt, .input = take_input, .context = machine};

	console_init(&machine->out, machine->config.out_fd);
	console_init(&machine->err, machine->config.err_fd);
	devices_init(&machine->devices, &machine->out, &machine->err, device_read, machine);
	if (machine->config.pc)
		devices_make_pc(&machine->devices, &pc);
}

int machine_create(struct machine *machine, const struct machine_config *config,
		   struct message *message)
{
	int error;

	memset(machine, 0, sizeof(*machine));
	machine->config = *config;
	machine->kvm = (struct kvm){.fd = -1, .vm = -1, .vcpu = -1};
	machine->working_set.interval_ns = config->sample_ns;
	machine->range_count = machine_layout(config->mem, machine->ranges);
	machine_make_devices(machine);

	error = place_slab(machine, message);
	if (!error)
		error = create_second_stage(machine, message);
	if (!error)
		error = machine_create_vm(machine, message);
	if (!error)
		error = config->restore ? snapshot_restore(config->restore, machine, message)
					: load_guest(machine, message);
	if (!error)
		error = run_prepare(message);
	if (error)
		machine_destroy(machine);
	return error;
}

int machine_translate(struct machine *machine, uint64_t gva, gpa_t *gpa)
{
	struct kvm_translation translation = {.linear_address = gva};

	if (ioctl(machine->kvm.vcpu, KVM_TRANSLATE, &translation) < 0)
		return -errno;
	if (!translation.valid)
		return -ENOENT;
	*gpa = translation.physical_address;
	return 0;
}

int guest_read(struct machine *machine, gpa_t gpa, void *target, uint64_t size)
{
	return ept_peek(&machine->ept, gpa, target, size);
}

/* KVM goes first: nobody may touch the window when ept takes it away. */
void machine_destroy(struct machine *machine)
{
	kvm_close(&machine->kvm);
	if (machine->has_ept)
		ept_destroy(&machine->ept);
	machine->has_ept = false;
	working_set_destroy(&machine->working_set);
	pin_release(&machine->pin);
}
