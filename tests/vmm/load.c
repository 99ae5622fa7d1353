/* SPDX-License-Identifier: MIT */
/* What kernels of others find in memory and registers, and that they run from there. */
#include <criterion/criterion.h>

#include <asm/bootparam.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/vmm/build_kernel.h"
#include "tests/vmm/image_expect.h"
#include "vmm/machine.h"
#include "vmm/status.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct machine machine;
static struct machine_exit how;
static struct message message;
static struct built built;
static struct image image;
static struct machine_config config;

static char first[5000], second[3];

/* A machine's configuration with this kernel, 16 MiB, and no modules. */
static void configure(enum built_kernel_kind kind)
{
	build_kernel(kind, &built);
	expect_accepted(&built, &image);
	memset(first, '1', sizeof(first));
	memset(second, '2', sizeof(second));
	config = (struct machine_config){
		.mem = 16 * MIB,
		.host_mem = 16 * MIB,
		.organisation = HPT_CLUSTERED,
		.timeout_ns = UINT64_C(10000000000),
		.kernel = &image,
		.kernel_bytes = built.bytes,
		.kernel_size = built.size,
		.name = "kernel",
		.command_line = "some words",
		.pc = true,
		.in_fd = -1,
	};
}

static void add_module(const void *bytes, size_t size, const char *name)
{
	config.modules[config.module_count++] = (struct machine_module){bytes, size, name};
}

/* Skips the test where there is no KVM. */
static void make(void)
{
	int error;

	config.out_fd = config.err_fd = open("/dev/null", O_WRONLY);
	error = machine_create(&machine, &config, &message);
	if (error && message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	cr_assert_eq(error, 0, "%s", message.text);
}

static void read_at(gpa_t gpa, void *target, uint64_t size)
{
	cr_assert_eq(guest_read(&machine, gpa, target, size), 0, "at %lx", gpa);
}

static void expect_text_at(gpa_t gpa, const char *text)
{
	char found[64];

	read_at(gpa, found, strlen(text) + 1);
	cr_expect_str_eq(found, text);
}

static void expect_bytes_at(gpa_t gpa, const char *bytes, size_t size)
{
	static char found[sizeof(first)];

	read_at(gpa, found, size);
	cr_expect_eq(memcmp(found, bytes, size), 0);
}

static struct boot_params zero_page(void)
{
	struct boot_params page;
	struct kvm_regs registers;

	cr_assert_eq(ioctl(machine.kvm.vcpus[0].fd, KVM_GET_REGS, &registers), 0);
	cr_expect_eq(registers.rip, 0x100200);
	read_at(registers.rsi, &page, sizeof(page));
	return page;
}

Test(load, linux_is_entered_in_long_mode_with_4_gib_mapped, .timeout = 30)
{
	struct kvm_sregs special;
	uint64_t descriptors[4];
	gpa_t gpa;

	configure(KERNEL_BZIMAGE);
	make();
	cr_assert_eq(ioctl(machine.kvm.vcpus[0].fd, KVM_GET_SREGS, &special), 0);
	cr_expect_eq(special.cs.selector, 0x10);
	cr_expect_eq(special.cs.l, 1);
	cr_expect_eq(special.ds.selector, 0x18);
	cr_expect_eq(special.cr0 & 0x80000001, 0x80000001);
	cr_expect_eq(special.efer & 0x500, 0x500);
	cr_expect_eq(special.gdt.limit, 31);
	read_at(special.gdt.base, descriptors, sizeof(descriptors));
	cr_expect_eq(descriptors[2], 0x00af9b000000ffff);
	cr_expect_eq(descriptors[3], 0x00cf93000000ffff);
	for (uint64_t gva = 0; gva < 4 * GIB; gva += 0x1ffff1) {
		cr_assert_eq(machine_translate(&machine, 0, gva, &gpa), 0, "%lx", gva);
		cr_assert_eq(gpa, gva);
	}
	cr_expect_neq(machine_translate(&machine, 0, 4 * GIB, &gpa), 0);
	machine_destroy(&machine);
}

Test(load, linux_finds_its_header_its_memory_and_its_command_line, .timeout = 30)
{
	struct boot_params page;

	configure(KERNEL_BZIMAGE);
	make();
	page = zero_page();
	cr_expect_eq(page.hdr.header, 0x53726448);
	cr_expect_eq(page.hdr.version, 0x20f);
	cr_expect_eq(page.hdr.init_size, 0x100000);
	cr_expect_eq(page.hdr.type_of_loader, 0xff);
	cr_expect_eq(page.hdr.ramdisk_size, 0);
	cr_expect_eq(page.sentinel, 0);
	cr_expect_eq(page.e820_entries, 2);
	cr_expect_eq(page.e820_table[0].addr, 0);
	cr_expect_eq(page.e820_table[0].size, 639 << 10);
	cr_expect_eq(page.e820_table[1].addr, MIB);
	cr_expect_eq(page.e820_table[1].size, 15 * MIB);
	cr_expect_eq(page.e820_table[1].type, 1);
	expect_text_at(page.hdr.cmd_line_ptr, "some words");
	machine_destroy(&machine);
}

Test(load, the_header_of_linux_ends_where_its_jump_leads, .timeout = 30)
{
	struct boot_params page;

	configure(KERNEL_BZIMAGE);
	built_poke(&built, 0x201, 1, 0x62);
	built_poke(&built, 0x264, 4, 0x90909090);
	make();
	page = zero_page();
	cr_expect_eq(page.hdr.init_size, 0x100000);
	cr_expect_eq(page.hdr.handover_offset, 0, "what follows is code");
	machine_destroy(&machine);
}

Test(load, memory_of_linux_goes_on_behind_the_hole, .timeout = 30)
{
	struct boot_params page;

	configure(KERNEL_BZIMAGE);
	config.mem = config.host_mem = 4 * GIB;
	make();
	page = zero_page();
	cr_expect_eq(page.e820_entries, 3);
	cr_expect_eq(page.e820_table[1].size, 3 * GIB - MIB);
	cr_expect_eq(page.e820_table[2].addr, 4 * GIB);
	cr_expect_eq(page.e820_table[2].size, GIB);
	machine_destroy(&machine);
}

Test(load, an_initrd_lies_below_what_linux_can_reach, .timeout = 30)
{
	struct boot_params page;

	configure(KERNEL_BZIMAGE);
	image.linux_kernel.initrd_max = 0x9fffff;
	add_module(first, sizeof(first), "initrd");
	make();
	page = zero_page();
	cr_expect_eq(page.hdr.ramdisk_size, sizeof(first));
	cr_expect_eq(page.hdr.ramdisk_image, 0x9fe000);
	expect_bytes_at(page.hdr.ramdisk_image, first, sizeof(first));
	machine_destroy(&machine);
}

Test(load, an_initrd_that_does_not_fit_is_refused, .timeout = 30)
{
	configure(KERNEL_BZIMAGE);
	image.linux_kernel.initrd_max = 0x300fff; /* a page behind what the kernel takes */
	add_module(first, sizeof(first), "initrd");
	cr_assert_neq(machine_create(&machine, &config, &message), 0);
	if (message.status == STATUS_UNAVAILABLE)
		cr_skip_test("%s", message.text);
	cr_expect_eq(message.status, STATUS_DATA);
	cr_expect_str_eq(message.text,
			 "--initrd: found 5000 bytes, wanted at most the memory between 0x300000 "
			 "and 0x301000; fix: a larger --mem");
}

Test(load, a_command_line_is_as_long_as_linux_says, .timeout = 30)
{
	static char line[257];

	memset(line, 'w', 255);
	configure(KERNEL_BZIMAGE);
	config.command_line = line;
	make();
	machine_destroy(&machine);
	line[255] = 'w';
	cr_assert_neq(machine_create(&machine, &config, &message), 0);
	cr_expect_eq(message.status, STATUS_USAGE);
	cr_expect_str_eq(message.text,
			 "arguments: found 256 bytes of kernel command line, wanted at most 255");
}

/* Words of the information, as the specification numbers their bytes. */
static uint32_t word(const uint32_t *information, unsigned int offset)
{
	return information[offset / 4];
}

static gpa_t read_information(uint32_t words[29])
{
	struct kvm_regs registers;

	cr_assert_eq(ioctl(machine.kvm.vcpus[0].fd, KVM_GET_REGS, &registers), 0);
	cr_expect_eq(registers.rax, 0x2badb002);
	read_at(registers.rbx, words, 29 * sizeof(uint32_t));
	return registers.rbx;
}

Test(load, multiboot_information_leads_to_memory_modules_and_texts, .timeout = 30)
{
	uint32_t information[29], modules[8], memory[12];

	configure(KERNEL_MULTIBOOT_ELF);
	add_module(first, sizeof(first), "one");
	add_module(second, sizeof(second), "two words");
	make();
	cr_expect_lt(read_information(information), IMAGE_LOWEST);
	cr_expect_eq(word(information, 0), 0x24d);
	cr_expect_eq(word(information, 4), 639);
	cr_expect_eq(word(information, 8), 15 << 10);
	expect_text_at(word(information, 16), "kernel some words");
	expect_text_at(word(information, 64), "twostage");
	cr_expect_eq(word(information, 20), 2);
	read_at(word(information, 24), modules, sizeof(modules));
	cr_expect_eq(modules[0], 0xffe000);
	cr_expect_eq(modules[1], 0xffe000 + sizeof(first));
	expect_text_at(modules[2], "one");
	cr_expect_eq(modules[4], 0xffd000);
	cr_expect_eq(modules[5], 0xffd000 + sizeof(second));
	expect_text_at(modules[6], "two words");
	expect_bytes_at(modules[0], first, sizeof(first));
	expect_bytes_at(modules[4], second, sizeof(second));
	cr_expect_eq(word(information, 44), 48);
	read_at(word(information, 48), memory, sizeof(memory));
	cr_expect_eq(memory[0], 20);
	cr_expect_eq(memory[3], 639 << 10);
	cr_expect_eq(memory[6], 20);
	cr_expect_eq(memory[7], MIB);
	cr_expect_eq(memory[9], 15 * MIB);
	cr_expect_eq(memory[11], 1);
	machine_destroy(&machine);
}

Test(load, multiboot_texts_that_have_no_room_are_refused, .timeout = 30)
{
	static char line[0xd000];

	configure(KERNEL_MULTIBOOT_ELF);
	memset(line, 'w', 0xd000 - sizeof("kernel "));
	config.command_line = line;
	make();
	machine_destroy(&machine);
	line[0xd000 - sizeof("kernel ")] = 'w';
	cr_assert_neq(machine_create(&machine, &config, &message), 0);
	cr_expect_eq(message.status, STATUS_USAGE);
	cr_expect_str_eq(message.text,
			 "arguments: found 53249 bytes of kernel command line, wanted "
			 "at most 53248");
}

static void expect_42(enum built_kernel_kind kind)
{
	configure(kind);
	make();
	machine_run(&machine, &how);
	cr_expect_eq(how.by, MACHINE_GUEST, "%s", how.reason);
	cr_expect_eq(how.status, 42);
	machine_destroy(&machine);
}

Test(load, each_kind_runs_from_its_entry, .timeout = 60)
{
	for (int kind = 0; kind < KERNEL_KINDS; kind++)
		expect_42((enum built_kernel_kind)kind);
}
