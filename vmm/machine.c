/* SPDX-License-Identifier: MIT */
#include "vmm/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest/abi.h"
#include "vmm/load.h"
#include "vmm/loop.h"
#include "vmm/snapshot.h"
#include "vmm/status.h"
#include "vmm/table_slab.h"

_Static_assert(ABI_CPUS_MAX == KVM_VCPUS_MAX && KVM_VCPUS_MAX == GATE_MEMBERS_MAX, "the same CPUs");

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

/* As many vCPUs may miss at once. */
static unsigned int handlers_of(const struct machine *machine)
{
	unsigned int cpus = machine->config.cpus;

	return cpus < EPT_HANDLERS_MAX ? cpus : EPT_HANDLERS_MAX;
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
		.handlers = handlers_of(machine),
		.failed = loop_host_failed,
		.context = machine,
	};
	const char *what = "second stage";
	int error;

	memcpy(config.ranges, machine->ranges, sizeof(config.ranges));
	if (machine->config.pin)
		pin_thread(&machine->pin);
	for (; config.cpu_count < config.handlers && machine->pin.count; config.cpu_count++)
		config.cpus[config.cpu_count] = pin_cpu(&machine->pin, config.cpu_count);
	error = ept_create(&machine->ept, &config, &what);
	if (error)
		return message_set(message, error, STATUS_UNAVAILABLE, "%s: %s", what,
				   strerror(-error));
	machine->has_ept = true;
	return 0;
}

static int check_cpus(const struct machine *machine, struct message *message)
{
	unsigned int most = kvm_vcpus_max(&machine->kvm);

	if (machine->config.cpus <= most)
		return 0;
	return message_set(message, -ENOTSUP, STATUS_UNAVAILABLE,
			   "--cpus: found %u, wanted at most %u, as many as this KVM has "
			   "(KVM_CAP_MAX_VCPUS)",
			   machine->config.cpus, most);
}

int machine_create_vm(struct machine *machine, struct message *message)
{
	const struct machine_config *config = &machine->config;
	int error = kvm_open(&machine->kvm, message);

	if (!error)
		error = kvm_create_vm(&machine->kvm, message);
	if (!error)
		error = check_cpus(machine, message);
	if (!error && (config->pc || config->apics))
		error = kvm_create_interrupts(&machine->kvm, config->pc, message);
	for (unsigned int i = 0; i < machine->range_count && !error; i++)
		error = kvm_add_memory(
			&machine->kvm, machine->ranges[i].start, machine->ranges[i].size,
			ept_window_address(&machine->ept, machine->ranges[i].start), message);
	machine->kvm.cpus = config->cpus;
	for (unsigned int i = 0; i < config->cpus && !error; i++)
		error = kvm_create_vcpu(&machine->kvm, message);
	return error;
}

static int device_read(void *context, gpa_t gpa, void *target, uint64_t size)
{
	return guest_read(context, gpa, target, size);
}

/* A device's access to guest memory is one as the guest's own: its page gets its frame. */
static int memory_read(void *context, gpa_t gpa, void *target, uint64_t size)
{
	struct machine *machine = context;

	return ept_copy_out(&machine->ept, gpa, target, size);
}

static int memory_write(void *context, gpa_t gpa, const void *source, uint64_t size)
{
	struct machine *machine = context;

	return ept_copy_in(&machine->ept, gpa, source, size);
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

/* The doorbell by which the guest starts a CPU, on the vCPU whose exit is being served. */
static int start_cpu(void *context, uint32_t number, const struct abi_cpu_start *start)
{
	struct machine *machine = context;
	const struct kvm_start_state state = {
		.cr3 = start->cr3, .rip = start->rip, .rsp = start->rsp};

	if (number >= machine->config.cpus || gate_is_started(&machine->gate, number) ||
	    kvm_start_vcpu(&machine->kvm, number, machine->serving, &state))
		return -EINVAL;
	gate_start(&machine->gate, number);
	return 0;
}

void machine_make_devices(struct machine *machine)
{
	const struct devices_pc pc = {
		.interrupt = set_interrupt, .input = take_input, .context = machine};
	const struct virtio_memory memory = {memory_read, memory_write, machine};

	console_init(&machine->out, machine->config.out_fd);
	console_init(&machine->err, machine->config.err_fd);
	devices_init(&machine->devices, &machine->out, &machine->err, device_read, machine);
	if (machine->config.pc)
		devices_make_pc(&machine->devices, &pc);
	else
		devices_add_cpus(&machine->devices, start_cpu, machine->config.cpus);
	if (machine->config.disk)
		virtio_block_init(&machine->disk, MACHINE_DISK, &memory, machine->config.disk);
}

/*
 * What threads share. CPU 0 may run from the beginning, and so may all of a PC: KVM has them wait
 * until they are started by an interrupt.
 */
int machine_make_gate(struct machine *machine, struct message *message)
{
	unsigned int started = machine->config.pc ? machine->config.cpus : 1;

	gate_init(&machine->gate, machine->config.cpus);
	for (unsigned int i = 0; i < started; i++)
		gate_start(&machine->gate, i);
	pthread_mutex_init(&machine->lock, NULL);
	machine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (machine->wake_fd < 0)
		return message_set(message, -errno, STATUS_UNAVAILABLE,
				   "eventfd failed: %m; fix: raise RLIMIT_NOFILE");
	return 0;
}

int machine_create(struct machine *machine, const struct machine_config *config,
		   struct message *message)
{
	int error;

	memset(machine, 0, sizeof(*machine));
	machine->config = *config;
	machine->config.cpus = config->cpus ? config->cpus : 1;
	machine->kvm = (struct kvm){.fd = -1, .vm = -1};
	machine->working_set.interval_ns = config->sample_ns;
	machine->range_count = machine_layout(config->mem, machine->ranges);
	machine_make_devices(machine);

	error = machine_make_gate(machine, message);
	if (!error)
		error = place_slab(machine, message);
	if (!error)
		error = create_second_stage(machine, message);
	if (!error)
		error = machine_create_vm(machine, message);
	if (!error)
		error = config->restore ? snapshot_restore(config->restore, machine, message)
					: load_guest(machine, message);
	if (!error)
		error = gate_prepare(message);
	if (error)
		machine_destroy(machine);
	return error;
}

int machine_translate(struct machine *machine, unsigned int vcpu, uint64_t gva, gpa_t *gpa)
{
	struct kvm_translation translation = {.linear_address = gva};

	if (ioctl(machine->kvm.vcpus[vcpu].fd, KVM_TRANSLATE, &translation) < 0)
		return -errno;
	if (!translation.valid)
		return -ENOENT;
	*gpa = translation.physical_address;
	return 0;
}

struct machine_counts machine_counts(const struct machine *machine)
{
	struct machine_counts sum = {0};

	for (unsigned int i = 0; i < machine->config.cpus; i++) {
		const struct machine_counts *one = &machine->vcpu_counts[i];

		sum.entries += one->entries;
		sum.port += one->port;
		sum.mmio += one->mmio;
		sum.interruptions += one->interruptions;
	}
	return sum;
}

int guest_read(struct machine *machine, gpa_t gpa, void *target, uint64_t size)
{
	return ept_peek(&machine->ept, gpa, target, size);
}

static bool is_disk(const struct machine *machine, gpa_t gpa)
{
	return machine->config.disk && virtio_mmio_has(&machine->disk.mmio, gpa);
}

bool machine_mmio_read(struct machine *machine, gpa_t gpa, unsigned int size, void *data)
{
	if (is_disk(machine, gpa)) {
		virtio_mmio_read(&machine->disk.mmio, gpa, size, data);
		return true;
	}
	memset(data, 0xff, size);
	return false;
}

bool machine_mmio_write(struct machine *machine, gpa_t gpa, unsigned int size, const void *data)
{
	if (!is_disk(machine, gpa))
		return false;
	virtio_mmio_write(&machine->disk.mmio, gpa, size, data);
	return true;
}

/* KVM goes first: nobody may touch the window when ept takes it away. */
void machine_destroy(struct machine *machine)
{
	kvm_close(&machine->kvm);
	if (machine->has_ept)
		ept_destroy(&machine->ept);
	machine->has_ept = false;
	if (machine->config.disk)
		virtio_block_destroy(&machine->disk);
	working_set_destroy(&machine->working_set);
	pin_release(&machine->pin);
	if (machine->wake_fd >= 0)
		close(machine->wake_fd);
	machine->wake_fd = -1;
	pthread_mutex_destroy(&machine->lock);
	gate_destroy(&machine->gate);
}
