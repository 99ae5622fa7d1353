/* SPDX-License-Identifier: MIT */
#include <argp.h>
#include <stdio.h>

#include "vmm/command.h"
#include "vmm/version.h"

static const struct argp argp = {.doc = "Print the version."};

int cmd_version(int argc, char **argv)
{
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	puts("twostage " TWOSTAGE_VERSION);
	return 0;
}
