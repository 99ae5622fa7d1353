/* SPDX-License-Identifier: MIT */
/* Ports and doorbells: what is believed of a guest's word, and what is not. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "guest/abi.h"
#include "vmm/devices.h"

#define RAM_SIZE   (UINT64_C(1) << 20)
#define PAGE_FRAME 16 /* where the guest's page is */

static uint8_t ram[RAM_SIZE];
static struct console out, err;
static struct devices devices;

/* Guest memory is one array here; the machine's is behind the gateway. */
static int read_ram(void *context, gpa_t gpa, void *target, uint64_t size)
{
	cr_assert_eq(context, ram);
	if (gpa > RAM_SIZE || size > RAM_SIZE - gpa)
		return -EFAULT;
	memcpy(target, ram + gpa, size);
	return 0;
}

static void reset(void)
{
	console_init(&out, -1);
	console_init(&err, -1);
	devices_init(&devices, &out, &err, read_ram, ram);
}

TestSuite(devices, .init = reset);

static void out32(uint16_t port, uint32_t value)
{
	devices_write(&devices, port, sizeof(value), &value);
}

static void request(uint64_t gpa, uint32_t size, uint32_t fd)
{
	struct abi_page *page = (struct abi_page *)(ram + PAGE_FRAME * HPT_PAGE_SIZE);

	page->write = (struct abi_write){.gpa = gpa, .size = size, .fd = fd};
	out32(ABI_PORT_WRITE, 0);
}

static void expect_ignored(uint64_t count)
{
	cr_expect_eq(devices.ignored_doorbells, count);
	cr_expect_eq(out.used, 0);
}

Test(devices, com1_is_out_and_com2_is_err)
{
	devices_write(&devices, ABI_PORT_COM1, 1, "a");
	devices_write(&devices, ABI_PORT_COM2, 1, "b");
	cr_expect_eq(out.used, 1);
	cr_expect_eq(out.bytes[0], 'a');
	cr_expect_eq(err.used, 1);
	cr_expect_eq(err.bytes[0], 'b');
}

Test(devices, the_exit_port_takes_eight_bits_at_every_width)
{
	for (unsigned int size = 1; size <= 4; size *= 2) {
		uint32_t value = 0xa5a5a500u + 0xc0 + size;

		reset();
		devices_write(&devices, ABI_PORT_EXIT, size, &value);
		cr_expect(devices.exited);
		cr_expect_eq(devices.exit_status, 0xc0 + size);
	}
}

Test(devices, unknown_ports_read_as_ones)
{
	for (unsigned int size = 1; size <= 4; size *= 2) {
		uint32_t value = 0;

		devices_read(&devices, 0x64, size, &value);
		cr_expect_eq(value, size == 4 ? 0xffffffff : (1u << 8 * size) - 1);
	}
	out32(0x1234, 1);
	cr_expect_eq(devices.unknown_ports, 1 + 2 + 4 + 4);
	cr_expect_not(devices.exited);
}

Test(devices, interrupt_masks_are_known_and_stay_ones)
{
	for (uint16_t port = 0x21; port <= 0xa1; port += 0x80) {
		uint8_t value = 0;

		devices_write(&devices, port, 1, &value);
		devices_read(&devices, port, 1, &value);
		cr_expect_eq(value, 0xff);
		cr_expect_eq(devices.unknown_ports, 0);
	}
}

Test(devices, a_wide_access_covers_neighbouring_registers)
{
	uint16_t value = 'x' | 0x0500;
	uint32_t read;

	devices_write(&devices, ABI_PORT_COM1, 2, &value);
	cr_expect_eq(out.bytes[0], 'x');
	devices_read(&devices, ABI_PORT_COM1, 4, &read);
	cr_expect_eq(read, 0x00010500);
	devices_read(&devices, 0xffff, 4, &read);
	cr_expect_eq(read, 0xffffffff, "the last port does not wrap into memory");
}

Test(devices, what_a_guest_asks_for_is_written)
{
	out32(ABI_PORT_PUBLISH, PAGE_FRAME);
	cr_expect(devices.published);
	memcpy(ram + 0x5000, "to out", 6);
	memcpy(ram + 0x6ffd, "err", 3);
	request(0x5000, 6, 1);
	request(0x6ffd, 3, 2);
	request(0x7000, 0, 1);
	cr_expect_eq(out.used, 6);
	cr_expect_eq(memcmp(out.bytes, "to out", 6), 0);
	cr_expect(console_is_due(&out));
	cr_expect_eq(err.used, 3);
	cr_expect_eq(devices.ignored_doorbells, 0);
}

Test(devices, a_whole_page_is_written)
{
	out32(ABI_PORT_PUBLISH, PAGE_FRAME);
	memset(ram + 0x5000, 'p', HPT_PAGE_SIZE);
	request(0x5000, HPT_PAGE_SIZE, 1);
	cr_expect_eq(out.used, HPT_PAGE_SIZE);
	cr_expect_eq(devices.ignored_doorbells, 0);
}

Test(devices, bad_publications_are_ignored)
{
	uint8_t byte = PAGE_FRAME;

	out32(ABI_PORT_PUBLISH, 0xffffffff);
	out32(ABI_PORT_PUBLISH, RAM_SIZE / HPT_PAGE_SIZE);
	out32(ABI_PORT_PUBLISH, UINT32_MAX / 2);
	devices_write(&devices, ABI_PORT_PUBLISH, 1, &byte);
	cr_expect_not(devices.published);
	expect_ignored(4);
	out32(ABI_PORT_PUBLISH, PAGE_FRAME);
	cr_expect(devices.published, "a right one comes through after wrong ones");
	out32(ABI_PORT_PUBLISH, PAGE_FRAME + 8);
	expect_ignored(5);
	cr_expect_eq(devices.page, PAGE_FRAME * HPT_PAGE_SIZE);
}

Test(devices, bad_requests_are_ignored)
{
	out32(ABI_PORT_WRITE, 0); /* before a publication */
	expect_ignored(1);
	out32(ABI_PORT_PUBLISH, PAGE_FRAME);
	request(0x5000, 1, 0);
	request(0x5000, 1, 3);
	request(0x5000, 1, UINT32_MAX);
	request(0x5000, HPT_PAGE_SIZE + 1, 1);
	request(0x5000, UINT32_MAX, 1);
	request(0x5001, HPT_PAGE_SIZE, 1);
	request(0x5fff, 2, 1);
	request(RAM_SIZE, 1, 1);
	request(UINT64_MAX, 1, 1);
	request(UINT64_MAX - 7, 8, 1);
	request(UINT64_MAX - 7, 9, 1);
	request(UINT64_C(1) << 63, 1, 1);
	expect_ignored(13);
}

#define SAMPLES_GPA UINT64_C(0x40000)

static void hand_over(uint64_t gpa, uint64_t count)
{
	struct abi_page *page = (struct abi_page *)(ram + PAGE_FRAME * HPT_PAGE_SIZE);

	page->samples = gpa;
	page->sample_count = count;
	out32(ABI_PORT_SAMPLES, 0);
}

Test(devices, samples_become_histograms)
{
	struct abi_sample *sample = (struct abi_sample *)(ram + SAMPLES_GPA);
	struct hpt_histogram *legs = devices.samples.legs;

	out32(ABI_PORT_PUBLISH, PAGE_FRAME);
	sample[0] = (struct abi_sample){100, 110, 130, 170};
	sample[1] = (struct abi_sample){UINT32_MAX - 9, 10, 30, 70}; /* the counter wraps */
	hand_over(SAMPLES_GPA, 2);
	hand_over(SAMPLES_GPA, 1);
	hand_over(SAMPLES_GPA, 0);
	cr_expect_eq(devices.samples.faults, 3);
	cr_expect_eq(hpt_histogram_count(&legs[SAMPLES_TRAP]), 3);
	cr_expect_eq(legs[SAMPLES_TRAP].max, 20);
	cr_expect_eq(legs[SAMPLES_LOOKUP].max, 20);
	cr_expect_eq(legs[SAMPLES_INSTALL].max, 40);
	cr_expect_eq(legs[SAMPLES_FAULT].max, 80);
	cr_expect_eq(devices.ignored_doorbells, 0);
}

Test(devices, bad_samples_are_ignored)
{
	out32(ABI_PORT_SAMPLES, 0);
	out32(ABI_PORT_PUBLISH, PAGE_FRAME);
	hand_over(SAMPLES_GPA, ABI_SAMPLES + 1);
	hand_over(SAMPLES_GPA, UINT64_MAX);
	hand_over(SAMPLES_GPA, UINT64_C(1) << 60);
	hand_over(RAM_SIZE - 8, 1);
	hand_over(UINT64_MAX, 1);
	expect_ignored(6);
	cr_expect_eq(devices.samples.faults, 0);
	hand_over(RAM_SIZE - ABI_SAMPLES * sizeof(struct abi_sample), ABI_SAMPLES);
	cr_expect_eq(devices.samples.faults, ABI_SAMPLES);
}

Test(devices, only_the_first_complaint_is_said)
{
	size_t first;

	out32(ABI_PORT_WRITE, 0);
	first = err.used;
	cr_expect_gt(first, 0);
	cr_expect_eq(memcmp(err.bytes, "twostage: guest: doorbell ignored: ", 35), 0);
	for (int i = 0; i < 100; i++)
		out32(ABI_PORT_WRITE, 0);
	cr_expect_eq(err.used, first);
	cr_expect_eq(devices.ignored_doorbells, 101);
}
