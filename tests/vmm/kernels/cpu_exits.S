/* SPDX-License-Identifier: MIT */
/* Starts CPU 1, which exits with 7, while CPU 0 spins. */
#include "cpus.inc"

first:
	movl $1, %edi
	call start_cpu
1:	pause
	jmp 1b

second:
	finish 7
