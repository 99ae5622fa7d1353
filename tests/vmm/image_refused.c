/* SPDX-License-Identifier: MIT */
/* What the image loader refuses, in which words, and that no bytes whatever break it. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "tests/vmm/build_elf.h"
#include "tests/vmm/image_expect.h"
#include "vmm/image.h"
#include "vmm/status.h"

/* The matrix of bad images; a parameter is an index, because only static data survives the fork. */
static size_t bad_indices[256];

ParameterizedTestParameters(image_refused, bad_image_is_refused_by_its_field)
{
	size_t count = bad_image_count();

	for (size_t i = 0; i < count; i++)
		bad_indices[i] = i;
	return cr_make_param_array(size_t, bad_indices, count);
}

ParameterizedTest(size_t *i, image_refused, bad_image_is_refused_by_its_field)
{
	static struct built built;
	struct bad_image bad = build_bad_image(*i, &built);

	expect_refused(&built, &any_ram, bad.field);
	cr_expect_eq(bad.status, STATUS_DATA, "%s", bad.name);
}

static void build_named(const char *name, struct built *out)
{
	for (size_t i = 0; i < bad_image_count(); i++) {
		if (!strcmp(build_bad_image(i, out).name, name))
			return;
	}
	cr_assert_fail("no bad image %s", name);
}

Test(image_refused, refusals_say_what_was_found_and_what_was_wanted)
{
	static const struct {
		const char *name, *text;
	} expected[] = {
		{"empty", "size: found 0 bytes, wanted an ELF file"},
		{"half-header", "size: found 63 bytes, wanted at least 64 (an ELF header)"},
		{"script", "e_ident: found 23 21 2f 62 (a script), wanted 7f 45 4c 46 (ELF)"},
		{"elf32", "EI_CLASS: found 1 (32-bit), wanted 2 (64-bit)"},
		{"big-endian", "EI_DATA: found 2 (big endian), wanted 1 (little endian)"},
		{"wrong-machine", "e_machine: found 40 (ARM), wanted 62 (x86-64)"},
		{"wrong-phentsize", "e_phentsize: found 32, wanted 56"},
		{"too-many-phdrs", "e_phnum: found 33, wanted 1 to 32"},
		{"interpreter",
		 "PT_INTERP: found \"/ld.so\" (dynamically linked), wanted a static program"},
		{"interpreter-control-bytes",
		 "PT_INTERP: found \"?\" (dynamically linked), wanted a static program"},
		{"multiboot1-elf64",
		 "flags: found 0x0, wanted bit 16 set (address fields) or an ELF32 file"},
		{"multiboot2",
		 "kind: found a multiboot 2 kernel, wanted a PVH, Linux or multiboot 1 kernel or a "
		 "static program; this kind is not supported by this version"},
		{"overlap", "phdr[1].p_vaddr: found 0x4017ff to 0x4027ff, "
			    "wanted on other pages than phdr[0] at 0x401000 to 0x401800"},
		{"overlap-page", "phdr[1].p_vaddr: found 0x401900 to 0x402900, "
				 "wanted on other pages than phdr[0] at 0x401000 to 0x401800"},
		{"overlap-in-zeros", "phdr[1].p_paddr: found 0x102100 to 0x103100, "
				     "wanted apart from phdr[0] at 0x101000 to 0x102101"},
		{"pie-too-high", "phdr[1].p_vaddr: found 0x2aaaaaaa2100 to 0x2aaaaaaa3100, "
				 "wanted an end of at most 0x2aa9aaaac000"},
		{"phys32-entry-above-4g",
		 "XEN_ELFNOTE_PHYS32_ENTRY: found 0x100000000, wanted below 0x100000000"},
	};
	static struct built built;

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		build_named(expected[i].name, &built);
		expect_refused_with(&built, expected[i].text);
	}
}

Test(image_refused, every_failed_check_is_reported_in_order)
{
	static struct built built;
	struct image image;
	struct problems problems;

	build_image(BUILT_PROGRAM, &built);
	POKE_EHDR(&built, e_machine, EM_386);
	POKE_EHDR(&built, e_version, 7);
	POKE_EHDR(&built, e_phnum, 0);
	parse(&built, &any_ram, &image, &problems);
	cr_expect_eq(problems.count, 3);
	cr_expect_str_eq(problems.first.text, "e_machine: found 3 (i386), wanted 62 (x86-64)");
	build_image(BUILT_PROGRAM, &built);
	POKE_PHDR(&built, 0, p_vaddr, 0xf000);
	POKE_PHDR(&built, 1, p_offset, 0x2101);
	POKE_PHDR(&built, 1, p_align, 3);
	parse(&built, &any_ram, &image, &problems);
	cr_expect_eq(problems.count, 3);
}

Test(image_refused, refused_image_has_a_kind_only_once_that_is_clear)
{
	static struct built built;
	struct image image;
	struct problems problems;

	build_named("overlap-kernel", &built);
	parse(&built, &any_ram, &image, &problems);
	cr_expect_eq(image.kind, IMAGE_PVH_KERNEL);
	build_named("interpreter", &built);
	parse(&built, &any_ram, &image, &problems);
	cr_expect_eq(image.kind, IMAGE_DYNAMIC_PROGRAM);
	built.size = SELFMAG;
	parse(&built, &any_ram, &image, &problems);
	cr_expect_eq(image.kind, IMAGE_UNKNOWN);
}

/* What follows asks for nothing but that parse() holds: no crash, and no broken promise. */

static void expect_truncations(enum built_kind kind)
{
	static struct built built;
	struct image whole, cut;
	struct problems problems;

	build_image(kind, &built);
	expect_accepted(&built, &whole);
	/* Nothing lies behind the data: from there on, the image is whole. */
	for (built.size = 0; built.size < BUILT_SIZE; built.size++) {
		int error = parse(&built, &any_ram, &cut, &problems);

		cr_assert_eq(error, built.size < BUILT_DATA + 0x200 ? -ENOEXEC : 0, "%zu bytes",
			     built.size);
		if (!error)
			cr_assert_eq(memcmp(&cut, &whole, sizeof(cut)), 0);
	}
}

Test(image_refused, truncated_kernel_is_refused_at_every_length)
{
	expect_truncations(BUILT_PVH);
}

Test(image_refused, truncated_program_is_refused_at_every_length)
{
	expect_truncations(BUILT_PIE);
}

static const unsigned char mutations[] = {0x00, 0x01, 0x02, 0x06, 0x07, 0x10, 0x38,
					  0x40, 0x7f, 0x80, 0xf0, 0xfe, 0xff};

/* Every header byte and note byte gets every one of these values. */
static void mutate(enum built_kind kind)
{
	static struct built built;
	size_t headers = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
	unsigned accepted = 0, refused = 0;

	for (size_t at = 0; at < BUILT_NOTES + 64; at = at + 1 == headers ? BUILT_NOTES : at + 1) {
		for (size_t i = 0; i < sizeof(mutations); i++) {
			struct image image;
			struct problems problems;

			build_image(kind, &built);
			built.bytes[at] = mutations[i];
			if (parse(&built, &any_ram, &image, &problems))
				refused++;
			else
				accepted++;
		}
	}
	cr_expect_gt(accepted, 0);
	cr_expect_gt(refused, 0);
}

static enum built_kind sound_kinds[] = {BUILT_PVH, BUILT_PVH_4, BUILT_PVH_DYN, BUILT_PROGRAM,
					BUILT_PIE};

ParameterizedTestParameters(image_refused, mutant_is_refused_or_keeps_every_promise)
{
	return cr_make_param_array(enum built_kind, sound_kinds,
				   sizeof(sound_kinds) / sizeof(sound_kinds[0]));
}

ParameterizedTest(enum built_kind *kind, image_refused, mutant_is_refused_or_keeps_every_promise)
{
	mutate(*kind);
}
