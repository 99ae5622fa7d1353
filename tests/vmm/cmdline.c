/* SPDX-License-Identifier: MIT */
/* Kernel command lines and the encoding of their words. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "vmm/cmdline.h"

static void expect_encoded(const char *value, const char *wanted)
{
	char text[64];

	cr_expect_eq(cmdline_encode(value, text), strlen(wanted));
	cr_expect_str_eq(text, wanted);
}

Test(cmdline, encoding)
{
	expect_encoded("plain-1.txt~", "plain-1.txt~");
	expect_encoded("", "%");
	expect_encoded("%", "%25");
	expect_encoded("a b", "a%20b");
	expect_encoded("\t\n\x01", "%09%0A%01");
	expect_encoded("\x7f\x80\xff", "%7F%80%FF");
	expect_encoded("--", "--");
}

static int digit(char character)
{
	return character <= '9' ? character - '0' : character - 'A' + 10;
}

Test(cmdline, every_byte_comes_back)
{
	for (int byte = 1; byte < 256; byte++) {
		char value[] = {(char)byte, 0};
		char text[8];
		size_t length = cmdline_encode(value, text);
		int back =
			length == 1 ? (unsigned char)text[0] : digit(text[1]) * 16 + digit(text[2]);

		cr_expect_eq(back, byte);
		for (size_t i = 0; i < length; i++)
			cr_expect(text[i] > ' ' && text[i] < 127, "byte %d", byte);
	}
}

Test(cmdline, words_are_separated_by_one_space)
{
	struct cmdline line = {0};

	cr_assert_eq(cmdline_add(&line, "window=%d", 64), 0);
	cr_assert_eq(cmdline_add_encoded(&line, "name=", "my program"), 0);
	cr_assert_eq(cmdline_add(&line, "--"), 0);
	cr_assert_eq(cmdline_add_encoded(&line, "", ""), 0);
	cr_assert_eq(cmdline_add_encoded(&line, "", "x"), 0);
	cr_expect_str_eq(line.text, "window=64 name=my%20program -- % x");
	cr_expect_eq(line.length, strlen(line.text));
	free(line.text);
}

Test(cmdline, an_empty_line_is_text)
{
	struct cmdline line = {0};

	cr_assert_eq(cmdline_add(&line, "%s", ""), 0);
	cr_expect_str_eq(line.text, "");
	cr_assert_eq(cmdline_add(&line, "a"), 0);
	cr_expect_str_eq(line.text, "a");
	free(line.text);
}

Test(cmdline, it_grows)
{
	struct cmdline line = {0};

	for (int i = 0; i < 1000; i++)
		cr_assert_eq(cmdline_add_encoded(&line, "", "\xff\xff"), 0);
	cr_expect_eq(line.length, 7 * 1000 - 1);
	cr_expect_eq(strlen(line.text), line.length);
	free(line.text);
}
