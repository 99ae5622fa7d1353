/* SPDX-License-Identifier: MIT */
#include "vmm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "guest/abi.h"
#include "vmm/pvh.h"
#include "vmm/run.h"
#include "vmm/status.h"
#include "vmm/table_slab.h"

#define PAGE_MASK (HPT_PAGE_SIZE - 1)

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

static int create_vm(struct machine *machine, struct message *message)
{
	int error = kvm_open(&machine->kvm, message);

	if (!error)
		error = kvm_create_vm(&machine->kvm, message);
	for (unsigned int i = 0; i < machine->range_count && !error; i++)
		error = kvm_add_memory(
			&machine->kvm, machine->ranges[i].start, machine->ranges[i].size,
			ept_window_address(&machine->ept, machine->ranges[i].start), message);
	return error ? error : kvm_create_vcpu(&machine->kvm, message);
}

static int copy_in(void *context, uint64_t address, const void *bytes, uint64_t size)
{
	struct machine *machine = context;

	return ept_copy_in(&machine->ept, address, bytes, size);
}

static int load_failed(struct message *message, int error, const char *what)
{
	if (error == -EIO)
		return message_set(message, error, STATUS_NOINPUT,
				   "the swap file cannot be read or written while %s is loaded; "
				   "fix: --swap on another device",
				   what);
	if (error == -ENOMEM || error == -ENOSPC)
		return message_set(
			message, error, STATUS_GUEST_DIED,
			"host memory exhausted while loading %s, before the guest started; fix: a "
			"larger --host-mem",
			what);
	return message_set(message, error, STATUS_DATA, "%s cannot be loaded: %s", what,
			   strerror(-error));
}

/* The module lies at the top of the RAM below the hole, from a page boundary on. */
static int place_module(struct machine *machine, gpa_t *module, struct message *message)
{
	uint64_t top = machine->ranges[0].size;
	uint64_t start, end;

	*module = 0;
	if (!machine->config.module_size)
		return 0;
	image_bounds(machine->config.kernel, &start, &end);
	if (machine->slab.size)
		end = machine->slab.start + machine->slab.size;
	if (machine->config.module_size > top ||
	    (top - machine->config.module_size) < ((end + PAGE_MASK) & ~PAGE_MASK))
		return message_set(message, -ENOSPC, STATUS_DATA,
				   "program: found %zu bytes, wanted at most the memory between "
				   "0x%" PRIx64 " and 0x%" PRIx64 "; fix: a larger --mem",
				   machine->config.module_size, end, top);
	*module = (top - machine->config.module_size) & ~PAGE_MASK;
	return 0;
}

/* What the kernel would have to measure or could not know, as keys of its command line. */
static void write_keys(const struct machine *machine, char *text, size_t size)
{
	uint64_t khz = kvm_tsc_khz(&machine->kvm);
	struct timespec now;
	int used = 0;

	text[0] = 0;
	if (machine->slab.size)
		used = snprintf(text, size, "slab_start=%" PRIu64 " slab_size=%" PRIu64 " ",
				machine->slab.start, machine->slab.size);
	if (!machine->config.clocks)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (khz)
		used += snprintf(text + used, size - (size_t)used, "tsc_khz=%" PRIu64 " ", khz);
	snprintf(text + used, size - (size_t)used, "wall_ns=%" PRIu64 " ",
		 (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec);
}

static int copy_command_line(struct machine *machine, const char *keys)
{
	const char *text = machine->config.command_line;
	size_t length = strlen(keys);
	int error = ept_copy_in(&machine->ept, PVH_COMMAND_LINE, keys, length);

	if (error)
		return error;
	return ept_copy_in(&machine->ept, PVH_COMMAND_LINE + length, text, strlen(text) + 1);
}

static int load_boot(struct machine *machine, gpa_t module, struct message *message)
{
	struct pvh_boot boot;
	char keys[160];
	size_t length;
	int error;

	write_keys(machine, keys, sizeof(keys));
	length = strlen(keys) + strlen(machine->config.command_line);
	if (length > PVH_COMMAND_MAX)
		return message_set(message, -E2BIG, STATUS_USAGE,
				   "arguments: found %zu bytes of kernel command line, wanted at "
				   "most %d",
				   length, (int)PVH_COMMAND_MAX);
	pvh_build(&boot, machine->ranges, machine->range_count, module,
		  machine->config.module_size);
	error = ept_copy_in(&machine->ept, PVH_START_INFO, &boot, sizeof(boot));
	if (!error)
		error = copy_command_line(machine, keys);
	return error ? load_failed(message, error, "the boot structures") : 0;
}

static int load_guest(struct machine *machine, struct message *message)
{
	const struct machine_config *config = &machine->config;
	gpa_t module;
	int error = place_module(machine, &module, message);

	if (error)
		return error;
	error = image_load(config->kernel, config->kernel_bytes, config->kernel_size, copy_in,
			   machine);
	if (error)
		return load_failed(message, error, "the kernel");
	if (config->module_size)
		error = ept_copy_in(&machine->ept, module, config->module, config->module_size);
	if (error)
		return load_failed(message, error, "the program");
	error = load_boot(machine, module, message);
	if (error)
		return error;
	return kvm_set_pvh_state(&machine->kvm, (uint32_t)config->kernel->entry, PVH_START_INFO,
				 message);
}

static int device_read(void *context, gpa_t gpa, void *target, uint64_t size)
{
	return guest_read(context, gpa, target, size);
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
	console_init(&machine->out, config->out_fd);
	console_init(&machine->err, config->err_fd);
	devices_init(&machine->devices, &machine->out, &machine->err, device_read, machine);

	error = place_slab(machine, message);
	if (!error)
		error = create_second_stage(machine, message);
	if (!error)
		error = create_vm(machine, message);
	if (!error)
		error = load_guest(machine, message);
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
