/* SPDX-License-Identifier: MIT */
/* Exits with 124, which is also a status of the VMM's own. */
#include "kernel.inc"

start:
	finish 124
