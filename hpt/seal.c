/* SPDX-License-Identifier: MIT */
/* See seal.h. */
#include "hpt/seal.h"

uint64_t hpt_pad(const struct hpt_desc *desc, struct aes_block place)
{
	return hpt_pad_of(aes_encrypt(&desc->seal, place));
}
