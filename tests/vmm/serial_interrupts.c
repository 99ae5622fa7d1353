/* SPDX-License-Identifier: MIT */
/* The 16550 of a PC: its two interrupts, and what it receives. */
#include <criterion/criterion.h>

#include <string.h>

#include "vmm/serial.h"

#define RECEIVED    0x01 /* interrupts */
#define TRANSMITTED 0x02
#define FIFO_ON	    0x01
#define FIFO_CLEAR  0x07
#define LOOPBACK    0x10
#define READY	    0x01 /* line status */

#define IS_NONE	       0x01 /* identities */
#define IS_TRANSMITTED 0x02
#define IS_RECEIVED    0x04

static struct serial serial;
static const char *input; /* what the source has not given yet */
static bool high;
static unsigned int rises;
static size_t sent;

static void sink(void *context, uint8_t byte)
{
	(void)context;
	(void)byte;
	sent++;
}

static void line(void *context, bool is_high)
{
	cr_assert_eq(context, &input);
	cr_assert_neq(is_high, high, "only changes are told");
	high = is_high;
	rises += is_high;
}

static bool source(void *context, uint8_t *byte)
{
	cr_assert_eq(context, &input);
	if (!*input)
		return false;
	*byte = (uint8_t)*input++;
	return true;
}

static void reset(void)
{
	const struct serial_wire wire = {line, source, &input};

	serial_init(&serial, sink, NULL);
	serial_connect(&serial, &wire);
	input = "";
	high = false;
	rises = 0;
	sent = 0;
}

TestSuite(serial_interrupts, .init = reset);

static void out(unsigned int offset, uint8_t value)
{
	serial_write(&serial, offset, value);
	serial_feed(&serial);
}

static uint8_t in(unsigned int offset)
{
	uint8_t value = serial_read(&serial, offset);

	serial_feed(&serial);
	return value;
}

static uint8_t identity(void)
{
	return in(SERIAL_FIFO)&0x0f;
}

/* All that comes without waiting. */
static void expect_received(const char *text)
{
	for (; *text; text++) {
		cr_assert(in(SERIAL_LINE_STATUS)&READY, "before \"%s\"", text);
		cr_assert_eq(in(SERIAL_DATA), (uint8_t)*text, "at \"%s\"", text);
	}
	cr_expect_not(in(SERIAL_LINE_STATUS)&READY);
}

Test(serial_interrupts, nothing_is_due_after_reset)
{
	cr_expect_eq(identity(), IS_NONE);
	cr_expect_not(high);
}

Test(serial_interrupts, an_empty_transmitter_is_due_when_it_is_enabled)
{
	out(SERIAL_INTERRUPTS, TRANSMITTED);
	cr_expect(high);
	cr_expect_eq(identity(), IS_TRANSMITTED);
	cr_expect_not(high, "who reads it has been told");
	cr_expect_eq(identity(), IS_NONE);
	out(SERIAL_INTERRUPTS, TRANSMITTED);
	cr_expect_not(high, "it was enabled already");
	out(SERIAL_INTERRUPTS, 0);
	out(SERIAL_INTERRUPTS, TRANSMITTED);
	cr_expect(high, "Linux tries the port like this");
}

Test(serial_interrupts, each_burst_of_bytes_is_one_rise)
{
	out(SERIAL_INTERRUPTS, TRANSMITTED);
	for (unsigned int burst = 1; burst <= 3; burst++) {
		cr_expect_eq(rises, burst);
		cr_expect_eq(identity(), IS_TRANSMITTED);
		for (int i = 0; i < 16; i++)
			out(SERIAL_DATA, 'x');
	}
	cr_expect_eq(rises, 4);
	cr_expect_eq(sent, 48);
	out(SERIAL_INTERRUPTS, 0);
	cr_expect_not(high, "disabled is not due");
}

Test(serial_interrupts, what_is_sent_before_is_due_once_enabled)
{
	out(SERIAL_DATA, 'x');
	cr_expect_not(high);
	cr_expect_eq(identity(), IS_NONE);
	out(SERIAL_INTERRUPTS, TRANSMITTED);
	cr_expect(high);
}

Test(serial_interrupts, received_data_stays_due_until_it_is_read)
{
	input = "ab";
	out(SERIAL_FIFO, FIFO_ON);
	out(SERIAL_INTERRUPTS, RECEIVED);
	cr_expect(high);
	cr_expect_eq(identity(), IS_RECEIVED);
	cr_expect_eq(identity(), IS_RECEIVED);
	cr_expect_eq(in(SERIAL_DATA), 'a');
	cr_expect(high);
	cr_expect_eq(in(SERIAL_DATA), 'b');
	cr_expect_not(high);
	cr_expect_eq(rises, 1);
	input = "c";
	serial_feed(&serial);
	cr_expect_eq(rises, 2);
}

Test(serial_interrupts, received_data_goes_before_an_empty_transmitter)
{
	input = "a";
	out(SERIAL_INTERRUPTS, RECEIVED | TRANSMITTED);
	cr_expect_eq(identity(), IS_RECEIVED);
	cr_expect_eq(in(SERIAL_DATA), 'a');
	cr_expect(high);
	cr_expect_eq(identity(), IS_TRANSMITTED);
	cr_expect_eq(rises, 1);
}

Test(serial_interrupts, the_receiver_holds_one_byte_or_a_fifo_of_sixteen)
{
	input = "0123456789abcdefghij";
	out(SERIAL_INTERRUPTS, RECEIVED);
	cr_expect_str_eq(input, "123456789abcdefghij");
	out(SERIAL_FIFO, FIFO_ON);
	cr_expect_str_eq(input, "ghij");
	cr_expect_eq(in(SERIAL_FIFO), 0xc0 | IS_RECEIVED);
	expect_received("0123456789abcdefghij");
}

Test(serial_interrupts, nothing_comes_before_the_guest_listens)
{
	input = "ab";
	out(SERIAL_FIFO, FIFO_ON);
	out(SERIAL_INTERRUPTS, TRANSMITTED);
	out(SERIAL_DATA, 'x');
	for (int i = 0; i < 15; i++)
		cr_expect_not(in(SERIAL_LINE_STATUS)&READY);
	in(SERIAL_MODEM_STATUS);
	cr_expect_str_eq(input, "ab");
}

Test(serial_interrupts, who_asks_again_and_again_listens)
{
	unsigned int polls = 0;

	input = "ab";
	for (const char *c = "ab"; *c; c++) {
		while (!(in(SERIAL_LINE_STATUS)&READY))
			cr_assert_lt(polls++, 100);
		cr_expect_eq(in(SERIAL_DATA), (uint8_t)*c);
	}
	cr_expect_eq(polls, 32);
	cr_expect_not(high);
}

/* As Linux does: it tries the register, sizes the FIFO, clears it, reads once, then listens. */
Test(serial_interrupts, input_outlives_a_driver_that_tries_the_port)
{
	input = "a line of input\n";
	out(SERIAL_INTERRUPTS, 0x0f);
	cr_expect_eq(in(SERIAL_INTERRUPTS), 0x0f);
	out(SERIAL_INTERRUPTS, 0);
	out(SERIAL_FIFO, FIFO_ON);
	out(SERIAL_FIFO, FIFO_CLEAR);
	out(SERIAL_FIFO, 0);
	in(SERIAL_LINE_STATUS);
	cr_expect_eq(in(SERIAL_DATA), 0);
	out(SERIAL_INTERRUPTS, RECEIVED);
	out(SERIAL_FIFO, FIFO_ON);
	out(SERIAL_FIFO, FIFO_CLEAR);
	out(SERIAL_FIFO, 0);
	out(SERIAL_FIFO, FIFO_ON);
	expect_received("a line of input\n");
}

Test(serial_interrupts, nothing_is_lost_or_reordered_by_clearing)
{
	static const char text[] = "the quick brown fox jumps over the lazy dog";
	uint32_t random = 1;
	size_t got = 0;

	input = text;
	out(SERIAL_INTERRUPTS, RECEIVED);
	for (int i = 0; got < strlen(text); i++) {
		random = random * 1664525 + 1013904223;
		cr_assert_lt(i, 10000);
		if (random >> 30 == 0)
			out(SERIAL_FIFO, (random >> 20) & FIFO_CLEAR);
		else if (in(SERIAL_LINE_STATUS)&READY)
			cr_assert_eq(in(SERIAL_DATA), (uint8_t)text[got++], "byte %zu", got);
	}
	cr_expect_not(high);
}

Test(serial_interrupts, loopback_makes_interrupts_and_keeps_input_out)
{
	input = "a";
	out(SERIAL_MODEM, LOOPBACK);
	out(SERIAL_INTERRUPTS, RECEIVED);
	cr_expect_not(high);
	out(SERIAL_DATA, 'l');
	cr_expect(high);
	cr_expect_eq(sent, 0);
	cr_expect_eq(in(SERIAL_DATA), 'l');
	out(SERIAL_MODEM, 0);
	expect_received("a");
}
