/* SPDX-License-Identifier: MIT */
/* Values of options: what is taken, what is refused, and in which words. */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/options.h"
#include "vmm/status.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void expect_size(const char *text, uint64_t wanted)
{
	struct message message;
	uint64_t value = 1;

	cr_expect_eq(option_size("--mem", text, 4096, UINT64_C(1) << 62, &value, &message), 0, "%s",
		     text);
	cr_expect_eq(value, wanted, "%s", text);
}

static void expect_no_size(const char *text, const char *wanted)
{
	struct message message;
	uint64_t value = 1;

	cr_expect_eq(option_size("--mem", text, 4 * MIB, 112 * GIB, &value, &message), -EINVAL,
		     "%s", text);
	cr_expect_eq(value, 1, "%s changed the value", text);
	cr_expect_eq(message.status, STATUS_USAGE);
	cr_expect_str_eq(message.text, wanted);
}

Test(options, sizes_have_power_of_two_suffixes)
{
	expect_size("4096", 4096);
	expect_size("4K", 4096);
	expect_size("256M", 256 * MIB);
	expect_size("3G", 3 * GIB);
	expect_size("1000K", 1000 * 1024);
	expect_size("00012K", 12 * 1024);
	expect_size("4611686018427387904", UINT64_C(1) << 62);
	expect_size("4294967296G", UINT64_C(1) << 62);
}

Test(options, what_is_no_size_is_refused)
{
	static const char *const texts[] = {"",
					    "M",
					    "12Q",
					    "12MB",
					    "1 2M",
					    " 1M",
					    "1M ",
					    "+1M",
					    "-1M",
					    "0x10",
					    "1.5G",
					    "1m",
					    "99999999999999999999",
					    "18446744073709551616"};
	char wanted[160];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(
			wanted, sizeof(wanted),
			"--mem: found \"%s\", wanted SIZE: a whole number with an optional K, M or "
			"G",
			texts[i]);
		expect_no_size(texts[i], wanted);
	}
}

Test(options, sizes_out_of_range_name_the_range)
{
	expect_no_size("0", "--mem: found \"0\", wanted a size from 4M to 112G, a multiple of 4K");
	expect_no_size("4092K",
		       "--mem: found \"4092K\", wanted a size from 4M to 112G, a multiple of 4K");
	expect_no_size("113G",
		       "--mem: found \"113G\", wanted a size from 4M to 112G, a multiple of 4K");
	expect_no_size(
		"17179869184G",
		"--mem: found \"17179869184G\", wanted a size from 4M to 112G, a multiple of 4K");
	expect_no_size(
		"18446744073709551615",
		"--mem: found \"18446744073709551615\", wanted a size from 4M to 112G, a multiple of 4K");
}

Test(options, sizes_are_multiples_of_a_page)
{
	expect_no_size("4194305", "--mem: found \"4194305\", wanted a multiple of 4K");
	expect_no_size("4097K", "--mem: found \"4097K\", wanted a multiple of 4K");
}

Test(options, counts_have_a_range)
{
	struct message message;
	uint64_t value = 7;

	cr_expect_eq(option_count("--window", "16", 16, 99, &value, &message), 0);
	cr_expect_eq(value, 16);
	cr_expect_eq(option_count("--window", "99", 16, 99, &value, &message), 0);
	cr_expect_eq(value, 99);
	for (const char *const *text = (const char *const[]){"15", "100", "", "x", "16K", "-16",
							     "99999999999999999999", NULL};
	     *text; text++) {
		cr_expect_eq(option_count("--window", *text, 16, 99, &value, &message), -EINVAL);
		cr_expect(strstr(message.text, "--window: found \""), "%s", message.text);
		cr_expect(strstr(message.text, "\", wanted a whole number from 16 to 99"), "%s",
			  message.text);
		cr_expect_eq(message.status, STATUS_USAGE);
	}
	cr_expect_eq(value, 99);
}

Test(options, seconds_may_have_a_fraction)
{
	static const struct {
		const char *text;
		uint64_t nanoseconds;
	} good[] = {{"1", 1000000000},
		    {"0.5", 500000000},
		    {"2.000000001", 2000000001},
		    {"0.000000001", 1},
		    {"1000000000", 1000000000000000000},
		    {"10.25", 10250000000}};
	static const char *const bad[] = {"",	   "0",	  "0.0",	".5",	       "1.",
					  "1.2.3", "1e3", "-1",		"1s",	       " ",
					  "inf",   "nan", "1000000001", "0.0000000001"};
	struct message message;
	uint64_t value = 0;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		cr_expect_eq(option_seconds("--timeout", good[i].text, &value, &message), 0, "%s",
			     good[i].text);
		cr_expect_eq(value, good[i].nanoseconds, "%s", good[i].text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_expect_eq(option_seconds("--timeout", bad[i], &value, &message), -EINVAL, "%s",
			     bad[i]);
		cr_expect(strstr(message.text, "wanted SECONDS"), "%s", message.text);
	}
}

Test(options, organisations_are_those_of_the_library)
{
	enum hpt_organisation value;
	struct message message;

	for (int i = 0; i < HPT_ORGANISATIONS; i++) {
		cr_expect_eq(option_organisation("--host-table",
						 hpt_organisation_name((enum hpt_organisation)i),
						 &value, &message),
			     0);
		cr_expect_eq((int)value, i);
	}
	cr_expect_eq(option_organisation("--host-table", "Radix", &value, &message), -EINVAL);
	cr_expect_str_eq(message.text,
			 "--host-table: found \"Radix\", wanted an organisation: one "
			 "of radix, chained, open, bucket, clustered, cuckoo, adaptive");
	cr_expect_eq(message.status, STATUS_USAGE);
	cr_expect_eq(option_organisation("--host-table", "", &value, &message), -EINVAL);
}
