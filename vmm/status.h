/* SPDX-License-Identifier: MIT */
/*
 * The exit statuses of `twostage` that are not a guest's own. They are a contract with the user:
 * a value here never changes its meaning.
 */
#ifndef TWOSTAGE_VMM_STATUS_H
#define TWOSTAGE_VMM_STATUS_H

enum status {
	STATUS_OK = 0,	     /* done */
	STATUS_USAGE = 64,   /* unknown option or bad value; the message names it */
	STATUS_DATA = 65,    /* image or trace malformed or unsupported: field and value named */
	STATUS_NOINPUT = 66, /* a file cannot be read or written */
	STATUS_UNAVAILABLE =
		69,	      /* a host facility is missing; the message says which, and the fix */
	STATUS_INTERNAL = 70, /* internal error in the VMM */
	STATUS_TIMEOUT = 124, /* --timeout ran out; a dump says where the guest was */
	STATUS_GUEST_DIED = 125, /* triple fault, unhandled exit, host memory exhausted: named */
};

#endif
