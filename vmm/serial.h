/* SPDX-License-Identifier: MIT */
/*
 * A 16550 (National Semiconductor PC16550D data sheet).
 *
 * What is written is handed to the sink at once, so the transmitter is always empty. What is
 * received waits in the FIFO of 16 bytes, or in a single byte while the guest has not enabled it;
 * whoever has more to give keeps it until serial_wants() it. Two interrupts are made: received
 * data, and transmitter empty. Modem lines never change and no byte is ever damaged, so the others
 * would never come. OUT2, which PCs have between this and the interrupt controller, is not looked
 * at.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

#define SERIAL_PORTS	 8
#define SERIAL_FIFO_SIZE 16

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

/* What a serial port is connected to besides its sink. */
struct serial_wire {
	void (*interrupt)(void *context, bool high); /* the interrupt line has risen or fallen */
	bool (*source)(void *context,
		       uint8_t *byte); /* the next byte to receive, if there is one */
	void *context;
};

struct serial {
	void (*sink)(void *context, uint8_t byte);
	void *context;
	struct serial_wire wire; /* all NULL: nothing is connected */
	uint16_t divisor;
	uint8_t interrupts;
	uint8_t line;
	uint8_t modem;
	uint8_t scratch;
	uint8_t received[SERIAL_FIFO_SIZE]; /* a ring: `count` bytes from `first` on */
	unsigned int first;
	unsigned int count;
	uint8_t again[SERIAL_FIFO_SIZE]; /* received before, but cleared unread; oldest first */
	unsigned int again_count;
	bool fifo;
	bool transmitted;   /* the interrupt "transmitter empty" is due */
	bool high;	    /* the level of the line */
	unsigned int polls; /* reads of the line status with nothing else between them */
};

/* The state after reset; the sink gets every byte that is sent. */
void serial_init(struct serial *serial, void (*sink)(void *context, uint8_t byte), void *context);

/* The interrupt line begins low. */
void serial_connect(struct serial *serial, const struct serial_wire *wire);

/*
 * Receives from the source while there is room and the guest listens: it has enabled the interrupt
 * of received data, or asks for the line status again and again. To be called when the source may
 * have something again, and after each access to a register.
 */
void serial_feed(struct serial *serial);

/* `offset` is the port's distance from the base, below SERIAL_PORTS. */
void serial_write(struct serial *serial, unsigned int offset, uint8_t value);
uint8_t serial_read(struct serial *serial, unsigned int offset);

#endif
