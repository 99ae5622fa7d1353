/* SPDX-License-Identifier: MIT */
/* Starts CPUs 1 and 2: the first waits for no interrupt in HLT, the second spins, as CPU 0 does. */
#include "cpus.inc"

first:
	movl $1, %edi
	call start_cpu
	incl %edi
	call start_cpu
1:	pause
	jmp 1b

second:
	cmpl $1, %edi
	jne 1b
	hlt
	jmp second
