/* SPDX-License-Identifier: MIT */
/* Starts CPU 1, whose first instruction is invalid where no exception can be taken; spins. 125. */
#include "cpus.inc"

first:
	movl $1, %edi
	call start_cpu
1:	pause
	jmp 1b

second:
	ud2
