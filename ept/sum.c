/* SPDX-License-Identifier: MIT */
/* Checksums (see sum.h). */
#include "ept/sum.h"

#include "hpt/mix.h"

uint64_t ept_sum(const void *bytes, size_t size, uint64_t first, uint64_t second)
{
	const uint64_t *words = bytes;
	uint64_t sum[2] = {first, second};

	for (size_t i = 0; i < size / sizeof(*words); i += 2) {
		for (unsigned int part = 0; part < 2; part++) {
			sum[part] = (sum[part] ^ words[i + part]) * UINT64_C(0x9e3779b97f4a7c15);
			sum[part] ^= sum[part] >> 32;
		}
	}
	return mix64(sum[0]) ^ mix64(~sum[1]);
}
