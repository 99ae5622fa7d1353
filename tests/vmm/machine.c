/* SPDX-License-Identifier: MIT */
/* Machines that run a few bytes of code: how they end, and that both stages can be seen then. */
#include <criterion/criterion.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/machine.h"
#include "vmm/pvh.h"
#include "vmm/status.h"

#define MIB   (UINT64_C(1) << 20)
#define ENTRY UINT64_C(0x100000)

static struct machine machine;
static struct machine_exit how;
static struct message message;

/* A kernel of a few bytes, entered at its first one; skips the test where there is no KVM. */
static void make(const uint8_t *code, size_t size, struct machine_config config)
{
	struct image image = {
		.kind = IMAGE_PVH_KERNEL,
		.entry = ENTRY,
		.segment_count = 1,
		.segments = {{.address = ENTRY, .file_size = size, .memory_size = size}},
	};
	int error;

	config.kernel = &image;
	config.kernel_bytes = code;
	config.kernel_size = size;
	config.command_line = "words";
	config.mem = 16 * MIB;
	config.host_mem = config.host_mem ? config.host_mem : 16 * MIB;
	config.organisation = HPT_CLUSTERED;
	config.out_fd = config.err_fd = open("/dev/null", O_WRONLY);
	if (!config.timeout_ns)
		config.timeout_ns = UINT64_C(10000000000);
	error = machine_create(&machine, &config, &message);
	if (error && message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	cr_assert_eq(error, 0, "%s", message.text);
}

#define MAKE(...)                                                                \
	do {                                                                     \
		static const uint8_t code[] = {__VA_ARGS__};                     \
                                                                                 \
		make(code, sizeof(code), (struct machine_config){.pin = false}); \
	} while (0)

/* mov $42, %al; out %al, $0xf4 */
#define EXIT_42 0xb0, 42, 0xe6, 0xf4

Test(machine, a_guests_status_is_its_own, .timeout = 30)
{
	MAKE(EXIT_42);
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_GUEST);
	cr_expect_eq(how.status, 42);
	machine_destroy(&machine);
}

Test(machine, both_stages_are_readable_after_the_end, .timeout = 30)
{
	struct pvh_boot boot;
	uint32_t word = 0;
	uint64_t frame;
	char text[6];
	gpa_t gpa;

	/* movl $0x11223344, 0x345678; then exit */
	MAKE(0xc7, 0x05, 0x78, 0x56, 0x34, 0x00, 0x44, 0x33, 0x22, 0x11, EXIT_42);
	cr_expect_neq(ept_translate(&machine.ept, 0x345000, &frame), 0, "nobody was there yet");
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_GUEST);
	cr_expect_eq(machine_translate(&machine, 0, 0x345678, &gpa), 0);
	cr_expect_eq(gpa, 0x345678, "paging is off");
	cr_expect_eq(ept_translate(&machine.ept, gpa & ~4095u, &frame), 0);
	cr_expect_eq(guest_read(&machine, gpa, &word, sizeof(word)), 0);
	cr_expect_eq(word, 0x11223344);
	cr_expect_eq(guest_read(&machine, PVH_START_INFO, &boot, sizeof(boot)), 0);
	cr_expect_eq(boot.info.magic, PVH_MAGIC);
	cr_expect_eq(guest_read(&machine, PVH_COMMAND_LINE, text, sizeof(text)), 0);
	cr_expect_str_eq(text, "words");
	machine_destroy(&machine);
}

Test(machine, what_was_loaded_is_found_not_touched, .timeout = 30)
{
	struct ept_snapshot snapshot;

	MAKE(EXIT_42);
	machine_run(&machine, &how);
	ept_read(&machine.ept, &snapshot);
	cr_expect_eq(snapshot.counts.touches, 0);
	cr_expect_eq(snapshot.counts.loaded, 1, "the page of its code");
	cr_expect_eq(snapshot.counts.misses, 1);
	machine_destroy(&machine);
}

Test(machine, a_guest_that_spins_is_ended_in_time, .timeout = 30)
{
	static const uint8_t code[] = {0xeb, 0xfe}; /* jmp . */

	make(code, sizeof(code), (struct machine_config){.timeout_ns = 30000000});
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_VMM);
	cr_expect_eq(how.status, STATUS_TIMEOUT);
	cr_expect_geq(machine.run_ns, 30000000);
	cr_expect_lt(machine.run_ns, 5000000000);
	machine_destroy(&machine);
}

Test(machine, exhausted_host_memory_is_named, .timeout = 30)
{
	/* mov $0x200000, %edi; 1: mov %eax, (%edi); add $0x1000, %edi; jmp 1b */
	static const uint8_t code[] = {0xbf, 0x00, 0x00, 0x20, 0x00, 0x89, 0x07, 0x81,
				       0xc7, 0x00, 0x10, 0x00, 0x00, 0xeb, 0xf6};

	make(code, sizeof(code),
	     (struct machine_config){.host_mem = 64 * 4096, .swap = "/dev/full", .pin = true});
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_VMM);
	cr_expect_eq(how.status, STATUS_GUEST_DIED);
	cr_expect_eq(memcmp(how.reason, "host memory exhausted", 21), 0, "%s", how.reason);
	cr_expect(how.has_address);
	cr_expect_geq(how.address, 0x200000);
	cr_expect_lt(how.address, 0x200000 + 64 * 4096);
	machine_destroy(&machine);
}

/* mov 0xd0000000, %eax; out %al, $0xf4 */
#define EXIT_BY_DISK 0xa1, 0x00, 0x00, 0x00, 0xd0, 0xe6, 0xf4

Test(machine, a_disk_is_where_it_should_be, .timeout = 30)
{
	static const uint8_t code[] = {EXIT_BY_DISK};
	const struct disk disk = {.fd = -1, .sectors = 8};

	make(code, sizeof(code), (struct machine_config){.disk = &disk});
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_GUEST);
	cr_expect_eq(how.status, VIRTIO_MAGIC & 0xff);
	cr_expect_eq(machine.vcpu_counts[0].mmio, 0);
	machine_destroy(&machine);
}

Test(machine, nothing_is_there_without_one, .timeout = 30)
{
	MAKE(EXIT_BY_DISK);
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_GUEST);
	cr_expect_eq(how.status, 0xff);
	cr_expect_eq(machine.vcpu_counts[0].mmio, 1);
	machine_destroy(&machine);
}

Test(machine, one_after_the_other, .timeout = 60)
{
	for (int i = 0; i < 20; i++) {
		MAKE(EXIT_42);
		machine_run(&machine, &how);
		cr_assert_eq(how.status, 42);
		machine_destroy(&machine);
	}
}

Test(machine, the_kind_of_kvm_has_a_name_or_a_fix)
{
	enum kvm_kind kind = kvm_find_kind(&message);

	if (kind == KVM_NONE)
		cr_expect(message.text[0]);
	else
		cr_expect_eq(strlen(kvm_kind_name(kind)), 3);
}
