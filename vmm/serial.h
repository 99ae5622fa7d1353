/* SPDX-License-Identifier: MIT */
/*
 * A 16550 for guests that poll (National Semiconductor PC16550D data sheet).
 *
 * What is written is handed to the sink at once, so the transmitter is always empty. Nothing is
 * received but what the loopback mode sends back; there are no interrupts.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_PORTS 8

enum serial_register {
	SERIAL_DATA,	   /* or divisor, low byte, with DLAB */
	SERIAL_INTERRUPTS, /* IER, or divisor, high byte, with DLAB */
	SERIAL_FIFO,	   /* FCR when written, IIR when read */
	SERIAL_LINE,	   /* LCR: DLAB is bit 7 */
	SERIAL_MODEM,	   /* MCR: loopback is bit 4 */
	SERIAL_LINE_STATUS,
	SERIAL_MODEM_STATUS,
	SERIAL_SCRATCH,
};

struct serial {
	void (*sink)(void *context, uint8_t byte);
	void *context;
	uint16_t divisor;
	uint8_t interrupts;
	uint8_t line;
	uint8_t modem;
	uint8_t scratch;
	uint8_t received; /* in loopback */
	bool has_received;
	bool fifo;
};

/* The state after reset; the sink gets every byte that is sent. */
void serial_init(struct serial *serial, void (*sink)(void *context, uint8_t byte), void *context);

/* `offset` is the port's distance from the base, below SERIAL_PORTS. */
void serial_write(struct serial *serial, unsigned int offset, uint8_t value);
uint8_t serial_read(struct serial *serial, unsigned int offset);

#endif
