/* SPDX-License-Identifier: MIT */
/* See console.h. */
#include "guest/console.h"

#include <stdarg.h>
#include <stdbool.h>

#include "guest/abi.h"
#include "guest/boot.h"
#include "guest/cpu.h"
#include "guest/frames.h"
#include "guest/publish.h"

#define UART_DATA	0
#define UART_FIFO	2
#define UART_LINE	3
#define UART_MODEM	4
#define UART_STATUS	5
#define UART_SCRATCH	7
#define UART_EMPTY	0x20 /* in UART_STATUS: the FIFO takes 16 bytes */
#define UART_DIVISOR	0x80 /* in UART_LINE: DATA is the divisor's low byte */
#define UART_8N1	0x03
#define UART_FIFO_RESET 0x07
#define UART_READY	0x03 /* DTR, RTS */
#define UART_FIFO_BYTES 16

#define REFUSE_STATUS 126
#define PANIC_STATUS  134

static uint16_t port_of_fd[3] = {0, ABI_PORT_COM1, ABI_PORT_COM1};

/* A message is put together here and goes out as a whole. */
static struct {
	char text[512];
	uint32_t size;
} line __attribute__((aligned(1024)));

static bool start_port(uint16_t port)
{
	outb(port + UART_SCRATCH, 0x5a);
	if (inb(port + UART_SCRATCH) != 0x5a)
		return false;
	outb(port + UART_LINE, UART_DIVISOR);
	outb(port + UART_DATA, 1); /* 115200 baud */
	outb(port + 1, 0);
	outb(port + UART_LINE, UART_8N1);
	outb(port + UART_FIFO, UART_FIFO_RESET);
	outb(port + UART_MODEM, UART_READY);
	return true;
}

void console_start(void)
{
	start_port(ABI_PORT_COM1);
	if (start_port(ABI_PORT_COM2))
		port_of_fd[2] = ABI_PORT_COM2;
}

static void write_port(uint16_t port, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		while (i % UART_FIFO_BYTES == 0 && !(inb(port + UART_STATUS) & UART_EMPTY))
			continue;
		outb(port + UART_DATA, bytes[i]);
	}
}

void console_write(int fd, uint64_t gpa, uint32_t size)
{
	if (boot.doorbells && published.desc)
		publish_write(fd, gpa, size);
	else
		write_port(port_of_fd[fd], direct(gpa), size);
}

static void put(char byte)
{
	if (line.size < sizeof(line.text))
		line.text[line.size++] = byte;
}

static void put_text(const char *text)
{
	while (*text)
		put(*text++);
}

static void put_number(uint64_t value, unsigned int base)
{
	char digits[20];
	unsigned int count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (count)
		put(digits[--count]);
}

static void put_signed(int64_t value)
{
	if (value < 0)
		put('-');
	put_number(value < 0 ? -(uint64_t)value : (uint64_t)value, 10);
}

static void put_format(const char *format, va_list arguments)
{
	for (; *format; format++) {
		bool is_long;

		if (*format != '%') {
			put(*format);
			continue;
		}
		is_long = *++format == 'l';
		format += is_long;
		if (*format == 's')
			put_text(va_arg(arguments, const char *));
		else if (*format == 'd')
			put_signed(va_arg(arguments, int));
		else if (*format == '%')
			put('%');
		else
			put_number(is_long ? va_arg(arguments, uint64_t)
					   : va_arg(arguments, uint32_t),
				   *format == 'x' ? 16 : 10);
	}
}

static void flush(void)
{
	console_write(2, kernel_gpa(line.text), line.size);
	line.size = 0;
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	put_format(format, arguments);
	va_end(arguments);
	flush();
}

void refuse(const char *format, ...)
{
	va_list arguments;

	put_text("twostage guest: ");
	va_start(arguments, format);
	put_format(format, arguments);
	va_end(arguments);
	put('\n');
	flush();
	cpu_exit(REFUSE_STATUS);
}

void panic(const char *format, ...)
{
	va_list arguments;

	put_text("twostage guest: panic: ");
	va_start(arguments, format);
	put_format(format, arguments);
	va_end(arguments);
	put('\n');
	flush();
	publish_panic();
	cpu_exit(PANIC_STATUS);
}
