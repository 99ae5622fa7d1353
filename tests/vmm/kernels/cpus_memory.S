/* SPDX-License-Identifier: MIT */
/*
 * Four CPUs add 1 to a word of each of 3072 pages, three times each, two of them upwards and two
 * downwards, all at once. CPU 0 then looks that each word has 12, and exits with 0 if so, else 1.
 * With --cpus 4.
 */
#include "cpus.inc"

#define START  0x200000
#define END    0xe00000
#define ROUNDS 3
#define CPUS   4

first:
	movl $1, %edi
1:	call start_cpu
	incl %edi
	cmpl $CPUS, %edi
	jne 1b
	xorl %edi, %edi
	call work
1:	pause
	cmpl $CPUS, done
	jne 1b
	movl $START, %ebx
1:	cmpl $(CPUS * ROUNDS), (%rbx)
	jne wrong
	addl $4096, %ebx
	cmpl $END, %ebx
	jne 1b
	finish 0
wrong:
	finish 1

/* Of the CPU in edi, when all are there. */
work:
	lock incl ready
1:	pause
	cmpl $CPUS, ready
	jne 1b
	movl $ROUNDS, %ecx
2:	movl $START, %ebx
	movl $4096, %eax
	testl $1, %edi
	jz 3f
	movl $(END - 4096), %ebx
	negl %eax
3:	lock incl (%rbx)
	addl %eax, %ebx
	cmpl $(START - 4096), %ebx
	je 4f
	cmpl $END, %ebx
	jne 3b
4:	loop 2b
	lock incl done
	ret

second:
	call work
1:	hlt
	jmp 1b

	.data
ready:
	.long 0
done:
	.long 0
