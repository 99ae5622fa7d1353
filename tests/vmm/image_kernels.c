/* SPDX-License-Identifier: MIT */
/* Linux and multiboot kernels: what the image loader makes of them, and what it refuses. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "tests/vmm/build_kernel.h"
#include "tests/vmm/image_expect.h"
#include "vmm/image.h"

static struct built built;
static struct image image;
static struct problems problems;

static void expect_segment(unsigned i, struct image_segment expected)
{
	const struct image_segment *segment = &image.segments[i];

	cr_assert_lt(i, image.segment_count);
	cr_expect_eq(segment->address, expected.address, "segment %u at %lx", i, segment->address);
	cr_expect_eq(segment->file_offset, expected.file_offset);
	cr_expect_eq(segment->file_size, expected.file_size);
	cr_expect_eq(segment->memory_size, expected.memory_size);
}

static void accept(enum built_kernel_kind kind)
{
	build_kernel(kind, &built);
	expect_accepted(&built, &image);
}

Test(image_kernels, bzimage_is_its_protected_mode_part_at_1_mib)
{
	accept(KERNEL_BZIMAGE);
	cr_expect_eq(image.kind, IMAGE_LINUX_KERNEL);
	cr_expect_str_eq(image_kind_name(&image), "Linux kernel (bzImage)");
	cr_expect_eq(image.entry, 0x100200);
	cr_expect_eq(image.segment_count, 1);
	expect_segment(
		0, (struct image_segment){0x100000, BZIMAGE_SETUP, BZIMAGE_CODE, BZIMAGE_CODE, 0});
	cr_expect_eq(image.linux_kernel.protocol, 0x20f);
	cr_expect_eq(image.linux_kernel.command_line_max, 255);
	cr_expect_eq(image.linux_kernel.initrd_max, 0x7fffffff);
	cr_expect_str_eq(image.linux_kernel.name, "6.1.0-test (nobody) #1");
}

Test(image_kernels, bzimage_takes_init_size_from_where_it_runs)
{
	static const struct {
		uint64_t preferred, alignment;
		bool relocatable;
		uint64_t end;
	} cases[] = {
		{0x200000, 0x200000, true, 0x300000}, {0x200001, 0x200000, true, 0x500000},
		{0, 0x200000, true, 0x300000}, /* not below where it is loaded */
		{0, 0x100000, true, 0x200000},	      {0x200001, 0, false, 0x300001},
		{0x10000000, 1, false, 0x10100000},
	};
	uint64_t start, end;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		build_kernel(KERNEL_BZIMAGE, &built);
		built_poke(&built, 0x258, 8, cases[i].preferred);
		built_poke(&built, 0x230, 4, cases[i].alignment);
		built_poke(&built, 0x234, 1, cases[i].relocatable);
		expect_accepted(&built, &image);
		image_bounds(&image, &start, &end);
		cr_expect_eq(start, 0x100000);
		cr_expect_eq(end, cases[i].end, "case %zu: %lx", i, end);
	}
}

Test(image_kernels, bzimage_must_fit_the_memory_that_there_is)
{
	const struct image_ram ram = {.count = 1, .range = {{0, 0x2fffff}}};

	build_kernel(KERNEL_BZIMAGE, &built);
	cr_expect_eq(parse(&built, &ram, &image, &problems), -ENOEXEC);
	cr_expect_str_eq(problems.first.text,
			 "init_size: found 0x100000 bytes from 0x200000 on, wanted them inside "
			 "guest RAM below 0x100000000");
	cr_expect_eq(parse(&built, NULL, &image, &problems), 0, "any memory");
}

Test(image_kernels, name_of_a_bzimage_is_made_printable_and_cut)
{
	build_kernel(KERNEL_BZIMAGE, &built);
	built.bytes[BZIMAGE_NAME + 3] = 7;
	expect_accepted(&built, &image);
	cr_expect_str_eq(image.linux_kernel.name, "6.1?0-test (nobody) #1");
	memset(built.bytes + BZIMAGE_NAME, 'n', 200);
	expect_accepted(&built, &image);
	cr_expect_eq(strlen(image.linux_kernel.name), sizeof(image.linux_kernel.name) - 1);
	built_poke(&built, 0x20e, 2, 0);
	expect_accepted(&built, &image);
	cr_expect_str_eq(image.linux_kernel.name, "", "it does not say");
}

Test(image_kernels, multiboot_elf_is_placed_and_entered_by_physical_address)
{
	accept(KERNEL_MULTIBOOT_ELF);
	cr_expect_eq(image.kind, IMAGE_MULTIBOOT_KERNEL);
	cr_expect_str_eq(image_kind_name(&image), "multiboot 1 kernel");
	cr_expect_eq(image.entry, 0x101010);
	cr_expect_eq(image.segment_count, 2);
	expect_segment(0, (struct image_segment){0x101000, MULTIBOOT_CODE, 0x800, 0x800, 0});
	expect_segment(1, (struct image_segment){0x102100, MULTIBOOT_DATA, 0x200, 0x1000, 0});
}

Test(image_kernels, multiboot_addresses_say_where_a_flat_file_goes)
{
	accept(KERNEL_MULTIBOOT_FLAT);
	cr_expect_eq(image.kind, IMAGE_MULTIBOOT_KERNEL);
	cr_expect_eq(image.entry, 0x100060);
	cr_expect_eq(image.segment_count, 1);
	expect_segment(0, (struct image_segment){0x100000, 0, FLAT_LOADED, 0x1800, 0});
	/* Without ends: the whole file, and nothing behind it; it may begin at the header. */
	built_poke(&built, MULTIBOOT_FLAT + 16, 4, 0x100040);
	built_poke(&built, MULTIBOOT_FLAT + 20, 8, 0);
	expect_accepted(&built, &image);
	expect_segment(0,
		       (struct image_segment){0x100040, MULTIBOOT_FLAT, FLAT_SIZE - MULTIBOOT_FLAT,
					      FLAT_SIZE - MULTIBOOT_FLAT, 0});
}

/* An ELF's own headers do not count then, be they of 32 or 64 bits. */
Test(image_kernels, multiboot_addresses_go_before_elf_headers)
{
	for (unsigned elf_class = ELFCLASS32; elf_class <= ELFCLASS64; elf_class++) {
		build_image(BUILT_PROGRAM, &built);
		built.bytes[EI_CLASS] = (unsigned char)elf_class;
		built_poke_flags(&built, 0x400, 0x10000);
		built_poke(&built, 0x40c, 4, 0x100400);
		built_poke(&built, 0x410, 4, 0x100000);
		built_poke(&built, 0x41c, 4, 0x101000);
		expect_accepted(&built, &image);
		cr_expect_eq(image.kind, IMAGE_MULTIBOOT_KERNEL);
		cr_expect_eq(image.entry, 0x101000);
		expect_segment(0, (struct image_segment){0x100000, 0, BUILT_SIZE, BUILT_SIZE, 0});
	}
}

Test(image_kernels, multiboot_header_is_found_in_the_first_8_kib_only)
{
	for (uint64_t at = 8192 - 12; at <= 8192; at += 4) {
		memset(&built, 0, sizeof(built));
		built.size = 16384;
		built_poke_flags(&built, at, 0x10003);
		built_poke(&built, at + 12, 4, 0x100000 + at);
		built_poke(&built, at + 16, 4, 0x100000);
		built_poke(&built, at + 28, 4, 0x100000);
		parse(&built, &any_ram, &image, &problems);
		cr_expect_eq(!problems.count, at < 8192, "%lu: %s", at, problems.first.text);
	}
}

Test(image_kernels, pvh_goes_before_multiboot)
{
	build_image(BUILT_PVH, &built);
	built_poke_flags(&built, 0x800, 3);
	expect_accepted(&built, &image);
	cr_expect_eq(image.kind, IMAGE_PVH_KERNEL);
}

/* An index, because only static data survives the fork. */
static size_t broken_indices[256];

ParameterizedTestParameters(image_kernels, broken_kernel_is_refused_with_its_text)
{
	for (size_t i = 0; i < broken_kernel_count; i++)
		broken_indices[i] = i;
	return cr_make_param_array(size_t, broken_indices, broken_kernel_count);
}

ParameterizedTest(size_t *i, image_kernels, broken_kernel_is_refused_with_its_text)
{
	build_broken_kernel(&broken_kernels[*i], &built);
	expect_refused_with(&built, broken_kernels[*i].text);
}

/* From this length on, nothing that is needed is missing. */
static void expect_truncations(enum built_kernel_kind kind, size_t needed)
{
	size_t size;

	accept(kind);
	size = built.size;
	for (built.size = 0; built.size < size; built.size++) {
		int error = parse(&built, &any_ram, &image, &problems);

		cr_assert_eq(error, built.size < needed ? -ENOEXEC : 0, "%zu bytes", built.size);
	}
}

Test(image_kernels, truncated_bzimage_is_refused_at_every_length)
{
	expect_truncations(KERNEL_BZIMAGE, BZIMAGE_SETUP + BZIMAGE_CODE);
}

Test(image_kernels, truncated_multiboot_elf_is_refused_at_every_length)
{
	expect_truncations(KERNEL_MULTIBOOT_ELF, MULTIBOOT_DATA + 0x200);
}

Test(image_kernels, truncated_flat_multiboot_is_refused_at_every_length)
{
	expect_truncations(KERNEL_MULTIBOOT_FLAT, FLAT_LOADED);
}

static const unsigned char mutations[] = {0x00, 0x01, 0x02, 0x07, 0x10, 0x20, 0x40,
					  0x7f, 0x80, 0xc0, 0xf0, 0xfe, 0xff};

static enum built_kernel_kind kinds[KERNEL_KINDS] = {KERNEL_BZIMAGE, KERNEL_MULTIBOOT_ELF,
						     KERNEL_MULTIBOOT_FLAT};

ParameterizedTestParameters(image_kernels, mutant_is_refused_or_keeps_every_promise)
{
	return cr_make_param_array(enum built_kernel_kind, kinds, KERNEL_KINDS);
}

/* Every byte of all headers gets every one of these values; parse() looks after the promises. */
ParameterizedTest(enum built_kernel_kind *kind, image_kernels,
		  mutant_is_refused_or_keeps_every_promise)
{
	unsigned accepted = 0, refused = 0;

	for (size_t at = 0; at < BZIMAGE_NAME + 32; at++) {
		for (size_t i = 0; i < sizeof(mutations); i++) {
			build_kernel(*kind, &built);
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
