/* SPDX-License-Identifier: MIT */
/* Halts, and nothing can wake it: 125. */
#include "kernel.inc"

start:
	cli
	hlt
	jmp start
