/* SPDX-License-Identifier: MIT */
/* Bytes of DNS messages (RFC 1035, section 4.1) that are read and changed in their place. */
#ifndef BENCH_DNS_WIRE_H
#define BENCH_DNS_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Where things are in the header. The number is at 0. */
#define WIRE_FLAGS	 2
#define WIRE_QUESTIONS	 4
#define WIRE_ANSWERS	 6
#define WIRE_AUTHORITIES 8
#define WIRE_ADDITIONALS 10

/* Flags. */
#define WIRE_QR	    0x8000
#define WIRE_OPCODE 0x7800
#define WIRE_TC	    0x0200
#define WIRE_RD	    0x0100
#define WIRE_RA	    0x0080

static inline uint16_t wire_get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t wire_get32(const uint8_t *bytes)
{
	return (uint32_t)wire_get16(bytes) << 16 | wire_get16(bytes + 2);
}

static inline void wire_put16(uint8_t *bytes, uint16_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline void wire_put32(uint8_t *bytes, uint32_t value)
{
	wire_put16(bytes, (uint16_t)(value >> 16));
	wire_put16(bytes + 2, (uint16_t)value);
}

/* Where the first question of a message ends; 0 if it does not end in it, or is compressed. */
size_t wire_question_end(const uint8_t *message, size_t size);

/*
 * Calls `change` with the four bytes of the TTL of each record of answer and authority section. How
 * many: it ends where the message does, or is malformed.
 */
size_t wire_each_ttl(uint8_t *message, size_t size, void (*change)(void *context, uint8_t *ttl),
		     void *context);

#endif
