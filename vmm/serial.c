/* SPDX-License-Identifier: MIT */
#include "vmm/serial.h"

#include <string.h>

#define LINE_DLAB 0x80

#define MODEM_DTR      0x01
#define MODEM_RTS      0x02
#define MODEM_OUT1     0x04
#define MODEM_OUT2     0x08
#define MODEM_LOOPBACK 0x10
#define MODEM_WRITABLE 0x1f

#define LINE_STATUS_DATA_READY 0x01
#define LINE_STATUS_EMPTY      0x60 /* holding register and shift register */

#define MODEM_STATUS_CTS 0x10
#define MODEM_STATUS_DSR 0x20
#define MODEM_STATUS_RI	 0x40
#define MODEM_STATUS_DCD 0x80

#define INTERRUPT_RECEIVED    0x01
#define INTERRUPT_TRANSMITTED 0x02
#define INTERRUPTS_WRITABLE   0x0f

#define IDENTITY_NONE	     0x01 /* no interrupt is pending */
#define IDENTITY_TRANSMITTED 0x02
#define IDENTITY_RECEIVED    0x04
#define IDENTITY_FIFO	     0xc0
#define FIFO_ENABLE	     0x01
#define FIFO_CLEAR_RECEIVE   0x02

#define DIVISOR_9600 12

/* More than drivers make that only look, few enough that one who waits does not notice. */
#define POLLS_OF_A_LISTENER 16

void serial_init(struct serial *serial, void (*sink)(void *context, uint8_t byte), void *context)
{
	*serial = (struct serial){.sink = sink, .context = context, .divisor = DIVISOR_9600};
}

void serial_connect(struct serial *serial, const struct serial_wire *wire)
{
	serial->wire = *wire;
}

/* The interrupt of highest priority that is enabled and due. */
static uint8_t identity(const struct serial *serial)
{
	if (serial->count && serial->interrupts & INTERRUPT_RECEIVED)
		return IDENTITY_RECEIVED;
	if (serial->transmitted && serial->interrupts & INTERRUPT_TRANSMITTED)
		return IDENTITY_TRANSMITTED;
	return IDENTITY_NONE;
}

/* To be called after every change of what identity() looks at. */
static void set_line(struct serial *serial)
{
	bool high = identity(serial) != IDENTITY_NONE;

	if (high == serial->high)
		return;
	serial->high = high;
	if (serial->wire.interrupt)
		serial->wire.interrupt(serial->wire.context, high);
}

static bool has_room(const struct serial *serial)
{
	return serial->count < (serial->fifo ? SERIAL_FIFO_SIZE : 1);
}

/* Without room the byte is lost. */
static void receive(struct serial *serial, uint8_t byte)
{
	if (!has_room(serial))
		return;
	serial->received[(serial->first + serial->count) % SERIAL_FIFO_SIZE] = byte;
	serial->count++;
	set_line(serial);
}

static bool listens(const struct serial *serial)
{
	return !(serial->modem & MODEM_LOOPBACK) &&
	       (serial->interrupts & INTERRUPT_RECEIVED || serial->polls >= POLLS_OF_A_LISTENER);
}

static bool next_byte(struct serial *serial, uint8_t *byte)
{
	if (!serial->again_count)
		return serial->wire.source && serial->wire.source(serial->wire.context, byte);
	*byte = serial->again[0];
	serial->again_count--;
	memmove(serial->again, serial->again + 1, serial->again_count);
	return true;
}

void serial_feed(struct serial *serial)
{
	uint8_t byte;

	while (listens(serial) && has_room(serial) && next_byte(serial, &byte))
		receive(serial, byte);
}

/*
 * What the loopback has sent is gone, all else comes again. There is room for it: the source is
 * asked only when all has come again, and so never more than a FIFO is on the way.
 */
static void clear_received(struct serial *serial)
{
	uint8_t bytes[SERIAL_FIFO_SIZE];
	unsigned int count = serial->modem & MODEM_LOOPBACK ? 0 : serial->count;

	for (unsigned int i = 0; i < count; i++)
		bytes[i] = serial->received[(serial->first + i) % SERIAL_FIFO_SIZE];
	if (count + serial->again_count > SERIAL_FIFO_SIZE)
		count = SERIAL_FIFO_SIZE - serial->again_count;
	memmove(serial->again + count, serial->again, serial->again_count);
	memcpy(serial->again, bytes, count);
	serial->again_count += count;
	serial->count = 0;
}

static void send(struct serial *serial, uint8_t byte)
{
	if (serial->modem & MODEM_LOOPBACK)
		receive(serial, byte);
	else
		serial->sink(serial->context, byte);
	serial->transmitted = true;
	set_line(serial);
}

static uint8_t take_received(struct serial *serial)
{
	uint8_t byte = serial->received[serial->first];

	if (!serial->count)
		return 0;
	serial->first = (serial->first + 1) % SERIAL_FIFO_SIZE;
	serial->count--;
	set_line(serial);
	return byte;
}

/* Enabling the interrupt of an empty transmitter makes it due: this is how drivers start to send.
 */
static void write_interrupts(struct serial *serial, uint8_t value)
{
	if (value & ~serial->interrupts & INTERRUPT_TRANSMITTED)
		serial->transmitted = true;
	serial->interrupts = value & INTERRUPTS_WRITABLE;
	set_line(serial);
}

/* Whoever reads that the transmitter is empty has been told. */
static uint8_t read_identity(struct serial *serial)
{
	uint8_t found = identity(serial);

	if (found == IDENTITY_TRANSMITTED)
		serial->transmitted = false;
	set_line(serial);
	return found | (serial->fifo ? IDENTITY_FIFO : 0);
}

/* With loopback the four outputs come back as the four inputs; else the other side is ready. */
static uint8_t modem_status(const struct serial *serial)
{
	uint8_t status = 0;

	if (!(serial->modem & MODEM_LOOPBACK))
		return MODEM_STATUS_CTS | MODEM_STATUS_DSR | MODEM_STATUS_DCD;
	if (serial->modem & MODEM_RTS)
		status |= MODEM_STATUS_CTS;
	if (serial->modem & MODEM_DTR)
		status |= MODEM_STATUS_DSR;
	if (serial->modem & MODEM_OUT1)
		status |= MODEM_STATUS_RI;
	if (serial->modem & MODEM_OUT2)
		status |= MODEM_STATUS_DCD;
	return status;
}

static void write_fifo_control(struct serial *serial, uint8_t value)
{
	bool fifo = value & FIFO_ENABLE;

	/* Turning the FIFOs on or off empties them as well. */
	if (value & FIFO_CLEAR_RECEIVE || fifo != serial->fifo)
		clear_received(serial);
	serial->fifo = fifo;
	set_line(serial);
}

void serial_write(struct serial *serial, unsigned int offset, uint8_t value)
{
	bool dlab = serial->line & LINE_DLAB;

	serial->polls = 0;
	switch (offset) {
	case SERIAL_DATA:
		if (dlab)
			serial->divisor = (uint16_t)((serial->divisor & 0xff00) | value);
		else
			send(serial, value);
		break;
	case SERIAL_INTERRUPTS:
		if (dlab)
			serial->divisor = (uint16_t)(value << 8 | (serial->divisor & 0xff));
		else
			write_interrupts(serial, value);
		break;
	case SERIAL_FIFO:
		write_fifo_control(serial, value);
		break;
	case SERIAL_LINE:
		serial->line = value;
		break;
	case SERIAL_MODEM:
		serial->modem = value & MODEM_WRITABLE;
		break;
	case SERIAL_SCRATCH:
		serial->scratch = value;
		break;
	default: /* the two status registers are read-only */
		break;
	}
}

uint8_t serial_read(struct serial *serial, unsigned int offset)
{
	bool dlab = serial->line & LINE_DLAB;

	if (offset != SERIAL_LINE_STATUS)
		serial->polls = 0;
	else if (serial->polls < POLLS_OF_A_LISTENER)
		serial->polls++;
	switch (offset) {
	case SERIAL_DATA:
		return dlab ? (uint8_t)serial->divisor : take_received(serial);
	case SERIAL_INTERRUPTS:
		return dlab ? (uint8_t)(serial->divisor >> 8) : serial->interrupts;
	case SERIAL_FIFO:
		return read_identity(serial);
	case SERIAL_LINE:
		return serial->line;
	case SERIAL_MODEM:
		return serial->modem;
	case SERIAL_LINE_STATUS:
		return LINE_STATUS_EMPTY | (serial->count ? LINE_STATUS_DATA_READY : 0);
	case SERIAL_MODEM_STATUS:
		return modem_status(serial);
	case SERIAL_SCRATCH:
		return serial->scratch;
	default:
		return 0xff;
	}
}
