/* SPDX-License-Identifier: MIT */
#include "vmm/serial.h"

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

#define INTERRUPTS_WRITABLE 0x0f
#define IDENTITY_NONE	    0x01 /* no interrupt is pending */
#define IDENTITY_FIFO	    0xc0
#define FIFO_ENABLE	    0x01
#define FIFO_CLEAR_RECEIVE  0x02

#define DIVISOR_9600 12

void serial_init(struct serial *serial, void (*sink)(void *context, uint8_t byte), void *context)
{
	*serial = (struct serial){.sink = sink, .context = context, .divisor = DIVISOR_9600};
}

static void send(struct serial *serial, uint8_t byte)
{
	if (!(serial->modem & MODEM_LOOPBACK)) {
		serial->sink(serial->context, byte);
		return;
	}
	serial->received = byte;
	serial->has_received = true;
}

static uint8_t receive(struct serial *serial)
{
	if (!serial->has_received)
		return 0;
	serial->has_received = false;
	return serial->received;
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
	serial->fifo = value & FIFO_ENABLE;
	if (value & FIFO_CLEAR_RECEIVE)
		serial->has_received = false;
}

void serial_write(struct serial *serial, unsigned int offset, uint8_t value)
{
	bool dlab = serial->line & LINE_DLAB;

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
			serial->interrupts = value & INTERRUPTS_WRITABLE;
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

	switch (offset) {
	case SERIAL_DATA:
		return dlab ? (uint8_t)serial->divisor : receive(serial);
	case SERIAL_INTERRUPTS:
		return dlab ? (uint8_t)(serial->divisor >> 8) : serial->interrupts;
	case SERIAL_FIFO:
		return IDENTITY_NONE | (serial->fifo ? IDENTITY_FIFO : 0);
	case SERIAL_LINE:
		return serial->line;
	case SERIAL_MODEM:
		return serial->modem;
	case SERIAL_LINE_STATUS:
		return LINE_STATUS_EMPTY | (serial->has_received ? LINE_STATUS_DATA_READY : 0);
	case SERIAL_MODEM_STATUS:
		return modem_status(serial);
	case SERIAL_SCRATCH:
		return serial->scratch;
	default:
		return 0xff;
	}
}
