/* SPDX-License-Identifier: MIT */
/* Exits with 125, which is also a status of the VMM's own. */
#include "kernel.inc"

start:
	finish 125
