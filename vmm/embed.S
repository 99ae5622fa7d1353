/* SPDX-License-Identifier: MIT */
/* The guest kernel, as built, in the binary: vmm/guest_kernel.h. */
	.section .rodata
	.balign 16
	.globl guest_kernel_start, guest_kernel_end
	.type guest_kernel_start, @object
	.type guest_kernel_end, @object
guest_kernel_start:
	.incbin GUEST_KERNEL_PATH
guest_kernel_end:
	.byte 0
	.size guest_kernel_start, guest_kernel_end - guest_kernel_start

	.section .note.GNU-stack, "", @progbits
