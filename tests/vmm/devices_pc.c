/* SPDX-License-Identifier: MIT */
/* The devices that a kernel of others finds: interrupts, input, resets, and no doorbells. */
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>

#include "guest/abi.h"
#include "vmm/acpi.h"
#include "vmm/devices.h"

static struct console out, err;
static struct devices devices;
static unsigned int last_interrupt;
static bool last_level;
static const char *input;

static int read_nothing(void *context, gpa_t gpa, void *target, uint64_t size)
{
	(void)context;
	(void)gpa;
	(void)target;
	(void)size;
	return -EFAULT;
}

static void interrupt(void *context, unsigned int number, bool high)
{
	cr_assert_eq(context, &input);
	last_interrupt = number;
	last_level = high;
}

static bool take(void *context, uint8_t *byte)
{
	cr_assert_eq(context, &input);
	if (!*input)
		return false;
	*byte = (uint8_t)*input++;
	return true;
}

static void reset(void)
{
	const struct devices_pc pc = {interrupt, take, &input};

	console_init(&out, -1);
	console_init(&err, -1);
	devices_init(&devices, &out, &err, read_nothing, NULL);
	devices_make_pc(&devices, &pc);
	input = "";
	last_interrupt = 0;
	last_level = false;
}

TestSuite(devices_pc, .init = reset);

static void out8(uint16_t port, uint8_t value)
{
	devices_write(&devices, port, 1, &value);
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	devices_read(&devices, port, 1, &value);
	return value;
}

Test(devices_pc, com1_has_interrupt_4_and_com2_has_3)
{
	out8(ABI_PORT_COM1 + SERIAL_INTERRUPTS, 2);
	cr_expect_eq(last_interrupt, 4);
	cr_expect(last_level);
	in8(ABI_PORT_COM1 + SERIAL_FIFO);
	cr_expect_not(last_level);
	out8(ABI_PORT_COM2 + SERIAL_INTERRUPTS, 2);
	cr_expect_eq(last_interrupt, 3);
	cr_expect(last_level);
}

Test(devices_pc, input_goes_to_com1_as_it_listens)
{
	input = "ab";
	out8(ABI_PORT_COM2 + SERIAL_INTERRUPTS, 1);
	devices_feed(&devices);
	cr_expect_str_eq(input, "ab");
	out8(ABI_PORT_COM1 + SERIAL_INTERRUPTS, 1);
	cr_expect_eq(last_interrupt, 4);
	cr_expect_eq(in8(ABI_PORT_COM1), 'a');
	cr_expect_eq(in8(ABI_PORT_COM1), 'b');
	input = "c";
	cr_expect_not(last_level);
	devices_feed(&devices);
	cr_expect(last_level);
	cr_expect_eq(in8(ABI_PORT_COM1), 'c');
}

Test(devices_pc, a_reset_ends_the_guest_with_0)
{
	static const struct {
		uint16_t port;
		uint8_t value;
		bool resets;
	} cases[] = {
		{0x64, 0xfe, true},   {0x64, 0xff, false},  {0x64, 0xd1, false},
		{0x60, 0xfe, false},  {0xcf9, 0x06, true},  {0xcf9, 0x0e, true},
		{0xcf9, 0x02, false}, {0xcf8, 0x06, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reset();
		out8(cases[i].port, cases[i].value);
		cr_expect_eq(devices.exited, cases[i].resets, "case %zu", i);
		if (!devices.exited)
			continue;
		cr_expect_eq(devices.exit_status, 0);
		cr_expect_str_eq(devices.exit_reason, "reset");
	}
}

Test(devices_pc, a_wide_access_resets_nothing)
{
	uint32_t ones = 0xffffffff, pulse = 0xfefefefe;

	devices_write(&devices, 0xcf8, 4, &ones); /* PCI's address, as Linux tries it */
	devices_write(&devices, 0xcf8, 2, &ones);
	devices_write(&devices, 0x64, 2, &pulse);
	cr_expect_not(devices.exited);
}

Test(devices_pc, the_exit_port_has_its_own_reason)
{
	out8(ABI_PORT_EXIT, 200);
	cr_expect_eq(devices.exit_status, 200);
	cr_expect_str_eq(devices.exit_reason, "exit");
}

Test(devices_pc, the_keyboard_controller_and_all_others_read_as_ones)
{
	cr_expect_eq(in8(0x64), 0xff);
	cr_expect_eq(in8(0x60), 0xff);
	cr_expect_eq(in8(0x71), 0xff);
	cr_expect_eq(devices.unknown_ports, 3);
}

Test(devices_pc, there_are_no_doorbells)
{
	uint32_t value = 0;

	devices_write(&devices, ABI_PORT_PUBLISH, sizeof(value), &value);
	devices_write(&devices, ABI_PORT_WRITE, sizeof(value), &value);
	devices_write(&devices, ABI_PORT_SAMPLES, sizeof(value), &value);
	cr_expect_eq(devices.ignored_doorbells, 0);
	cr_expect_eq(devices.unknown_ports, 12);
	cr_expect_eq(err.used, 0);
}

/* The project's own kernel has neither. */
Test(devices_pc, without_a_pc_nothing_is_fed_or_reset)
{
	devices_init(&devices, &out, &err, read_nothing, NULL);
	out8(0x64, 0xfe);
	out8(0xcf9, 0x06);
	out8(ABI_PORT_COM1 + SERIAL_INTERRUPTS, 3);
	devices_feed(&devices);
	cr_expect_not(devices.exited);
	cr_expect_eq(last_interrupt, 0);
	cr_expect_eq(devices.unknown_ports, 2);
}

Test(devices_pc, power_management_has_no_event_and_keeps_what_is_written)
{
	uint16_t value = 0x0321;

	devices_write(&devices, ACPI_PORT_ENABLE, 2, &value);
	devices_write(&devices, ACPI_PORT_STATUS, 2, &value);
	devices_write(&devices, ACPI_PORT_CONTROL, 2, &value);
	value = 0;
	devices_read(&devices, ACPI_PORT_ENABLE, 2, &value);
	cr_expect_eq(value, 0x0321);
	devices_read(&devices, ACPI_PORT_CONTROL, 2, &value);
	cr_expect_eq(value, 0x0321);
	devices_read(&devices, ACPI_PORT_STATUS, 2, &value);
	cr_expect_eq(value, 0);
	cr_expect_eq(devices.unknown_ports, 0);
	cr_expect_not(devices.exited);
}

Test(devices_pc, a_sleep_switches_it_off)
{
	uint16_t value = ACPI_SLEEP;

	devices_write(&devices, ACPI_PORT_ENABLE, 2, &value);
	cr_expect_not(devices.exited);
	devices_write(&devices, ACPI_PORT_CONTROL, 2, &value);
	cr_expect(devices.exited);
	cr_expect_eq(devices.exit_status, 0);
	cr_expect_str_eq(devices.exit_reason, "power off");
}
