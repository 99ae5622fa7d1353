/* SPDX-License-Identifier: MIT */
/* The 16550, as a guest that polls sees it. */
#include <criterion/criterion.h>

#include <string.h>

#include "vmm/serial.h"

#define LOOPBACK 0x10
#define DLAB	 0x80

static struct serial serial;
static char sent[64];
static size_t sent_size;

static void keep(void *context, uint8_t byte)
{
	cr_assert_eq(context, sent);
	cr_assert_lt(sent_size, sizeof(sent));
	sent[sent_size++] = (char)byte;
}

static void reset(void)
{
	sent_size = 0;
	serial_init(&serial, keep, sent);
}

TestSuite(serial, .init = reset);

Test(serial, bytes_reach_the_sink_in_order)
{
	for (const char *text = "hello"; *text; text++)
		serial_write(&serial, SERIAL_DATA, (uint8_t)*text);
	cr_assert_eq(sent_size, 5);
	cr_assert_eq(memcmp(sent, "hello", 5), 0);
}

Test(serial, the_transmitter_is_always_empty)
{
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS), 0x60);
	serial_write(&serial, SERIAL_DATA, 'x');
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS), 0x60);
}

Test(serial, nothing_is_received)
{
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS) & 1, 0);
	cr_expect_eq(serial_read(&serial, SERIAL_DATA), 0);
}

Test(serial, the_divisor_hides_behind_its_bit)
{
	serial_write(&serial, SERIAL_INTERRUPTS, 5);
	serial_write(&serial, SERIAL_LINE, DLAB | 3);
	serial_write(&serial, SERIAL_DATA, 0x34);
	serial_write(&serial, SERIAL_INTERRUPTS, 0x12);
	cr_expect_eq(serial_read(&serial, SERIAL_DATA), 0x34);
	cr_expect_eq(serial_read(&serial, SERIAL_INTERRUPTS), 0x12);
	cr_expect_eq(serial.divisor, 0x1234);
	cr_expect_eq(sent_size, 0, "a divisor is not sent");
	serial_write(&serial, SERIAL_LINE, 3);
	cr_expect_eq(serial_read(&serial, SERIAL_INTERRUPTS), 5);
	cr_expect_eq(serial_read(&serial, SERIAL_LINE), 3);
	serial_write(&serial, SERIAL_DATA, 'a');
	cr_expect_eq(sent_size, 1);
}

Test(serial, no_interrupt_is_due_after_reset_and_fifos_show)
{
	cr_expect_eq(serial_read(&serial, SERIAL_FIFO), 0x01);
	serial_write(&serial, SERIAL_FIFO, 0x07);
	cr_expect_eq(serial_read(&serial, SERIAL_FIFO), 0xc1);
	serial_write(&serial, SERIAL_FIFO, 0);
	cr_expect_eq(serial_read(&serial, SERIAL_FIFO), 0x01);
}

Test(serial, loopback_returns_a_byte_and_sends_none)
{
	serial_write(&serial, SERIAL_MODEM, LOOPBACK);
	serial_write(&serial, SERIAL_DATA, 0xae);
	cr_expect_eq(sent_size, 0);
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS), 0x61);
	cr_expect_eq(serial_read(&serial, SERIAL_DATA), 0xae);
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS), 0x60);
}

Test(serial, loopback_turns_modem_outputs_into_inputs)
{
	static const uint8_t inputs[] = {0x00, 0x20, 0x10, 0x30, 0x40, 0x60, 0x50, 0x70,
					 0x80, 0xa0, 0x90, 0xb0, 0xc0, 0xe0, 0xd0, 0xf0};

	for (uint8_t outputs = 0; outputs < 16; outputs++) {
		serial_write(&serial, SERIAL_MODEM, LOOPBACK | outputs);
		cr_expect_eq(serial_read(&serial, SERIAL_MODEM_STATUS), inputs[outputs],
			     "outputs %x", outputs);
	}
	serial_write(&serial, SERIAL_MODEM, 0);
	cr_expect_eq(serial_read(&serial, SERIAL_MODEM_STATUS), 0xb0, "the other side is ready");
}

Test(serial, clearing_the_receive_fifo_drops_the_byte)
{
	serial_write(&serial, SERIAL_MODEM, LOOPBACK);
	serial_write(&serial, SERIAL_DATA, 1);
	serial_write(&serial, SERIAL_FIFO, 3);
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS), 0x60);
}

Test(serial, scratch_keeps_every_value)
{
	for (unsigned int value = 0; value < 256; value++) {
		serial_write(&serial, SERIAL_SCRATCH, (uint8_t)value);
		cr_expect_eq(serial_read(&serial, SERIAL_SCRATCH), value);
	}
}

Test(serial, status_registers_ignore_writes)
{
	serial_write(&serial, SERIAL_LINE_STATUS, 0xff);
	serial_write(&serial, SERIAL_MODEM_STATUS, 0xff);
	cr_expect_eq(serial_read(&serial, SERIAL_LINE_STATUS), 0x60);
	cr_expect_eq(serial_read(&serial, SERIAL_MODEM_STATUS), 0xb0);
}
