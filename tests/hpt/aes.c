/* SPDX-License-Identifier: MIT */
/* AES-128: the standard's example, another implementation, and the forms against each other. */
#include <criterion/criterion.h>

#include <openssl/evp.h>
#include <string.h>

#include "hpt/aes.h"
#include "hpt/mix.h"

/* The guest's build of the same (hpt/aes.h). */
void guest_aes_expand(struct aes_keys *keys, const uint8_t key[16]);
struct aes_block guest_aes_encrypt(const struct aes_keys *keys, struct aes_block block);

static struct aes_block block_of(const uint8_t bytes[16])
{
	struct aes_block block;

	memcpy(&block, bytes, sizeof(block));
	return block;
}

/* FIPS 197, appendix B. */
Test(aes, the_example_of_the_standard_comes_out)
{
	static const uint8_t key[16] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
					0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
	static const uint8_t plain[16] = {0x32, 0x43, 0xf6, 0xa8, 0x88, 0x5a, 0x30, 0x8d,
					  0x31, 0x31, 0x98, 0xa2, 0xe0, 0x37, 0x07, 0x34};
	static const uint8_t cipher[16] = {0x39, 0x25, 0x84, 0x1d, 0x02, 0xdc, 0x09, 0xfb,
					   0xdc, 0x11, 0x85, 0x97, 0x19, 0x6a, 0x0b, 0x32};
	static const uint8_t last_round_key[16] = {0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee, 0x25, 0x89,
						   0xe1, 0x3f, 0x0c, 0xc8, 0xb6, 0x63, 0x0c, 0xa6};
	struct aes_block block;
	struct aes_keys keys;

	aes_expand(&keys, key);
	cr_assert_arr_eq(&keys.rounds[AES_ROUNDS], last_round_key, 16);
	block = aes_encrypt_portable(&keys, block_of(plain));
	cr_assert_arr_eq(&block, cipher, 16);
}

/* What OpenSSL makes of a block. */
static struct aes_block by_openssl(EVP_CIPHER_CTX *context, const uint8_t key[16],
				   struct aes_block block)
{
	struct aes_block result;
	int length = 0;

	cr_assert(EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, key, NULL));
	cr_assert(EVP_EncryptUpdate(context, (void *)&result, &length, (const void *)&block, 16));
	cr_assert_eq(length, 16);
	return result;
}

Test(aes, every_form_gives_what_another_implementation_gives)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	uint64_t random = 3;

	for (int i = 0; i < 2000; i++) {
		uint64_t secret[2] = {mix64_next(&random), mix64_next(&random)};
		struct aes_block blocks[AES_FOUR], single, portable, guest, expected;
		struct aes_keys keys, guest_keys;

		aes_expand(&keys, (const uint8_t *)secret);
		guest_aes_expand(&guest_keys, (const uint8_t *)secret);
		cr_assert_arr_eq(&keys, &guest_keys, sizeof(keys));
		for (int j = 0; j < AES_FOUR; j++)
			blocks[j] = (struct aes_block){mix64_next(&random), mix64_next(&random)};
		for (int j = 0; j < AES_FOUR; j++) {
			struct aes_block four[AES_FOUR];

			memcpy(four, blocks, sizeof(four));
			aes_encrypt_four(&keys, four);
			single = aes_encrypt(&keys, blocks[j]);
			portable = aes_encrypt_portable(&keys, blocks[j]);
			guest = guest_aes_encrypt(&keys, blocks[j]);
			expected = by_openssl(context, (const uint8_t *)secret, blocks[j]);
			cr_assert_arr_eq(&single, &expected, sizeof(expected));
			cr_assert_arr_eq(&portable, &expected, sizeof(expected));
			cr_assert_arr_eq(&guest, &expected, sizeof(expected));
			cr_assert_arr_eq(&four[j], &expected, sizeof(expected));
		}
	}
	EVP_CIPHER_CTX_free(context);
}
