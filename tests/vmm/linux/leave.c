/* SPDX-License-Identifier: MIT */
/* leave STATUS: ends the virtual machine with this status, from a program of its Linux. */
#include <stdlib.h>
#include <sys/io.h>

#define EXIT_PORT 0xf4

int main(int argc, char **argv)
{
	if (argc == 2 && !ioperm(EXIT_PORT, 1, 1))
		outb((unsigned char)atoi(argv[1]), EXIT_PORT);
	return 1;
}
