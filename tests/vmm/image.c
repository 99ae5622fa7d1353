/* SPDX-License-Identifier: MIT */
/* What the image loader accepts, and where it puts that. */
#include <criterion/criterion.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "tests/vmm/build_elf.h"
#include "tests/vmm/image_expect.h"
#include "vmm/image.h"

static void expect_segment(const struct image *image, unsigned i, struct image_segment expected)
{
	const struct image_segment *segment = &image->segments[i];

	cr_assert_lt(i, image->segment_count);
	cr_expect_eq(segment->address, expected.address, "segment %u at %lx", i, segment->address);
	cr_expect_eq(segment->file_offset, expected.file_offset);
	cr_expect_eq(segment->file_size, expected.file_size);
	cr_expect_eq(segment->memory_size, expected.memory_size);
	cr_expect_eq(segment->flags, expected.flags);
}

/* The image that each kind of sound file must become: they all look alike but for their base. */
static void expect_built(enum built_kind kind, uint64_t base, uint64_t entry)
{
	static struct built built;
	struct image image;

	build_image(kind, &built);
	expect_accepted(&built, &image);
	cr_expect_eq(image.kind, kind <= BUILT_PVH_DYN ? IMAGE_PVH_KERNEL : IMAGE_STATIC_PROGRAM);
	cr_expect_eq(image.relocatable, kind == BUILT_PIE);
	cr_expect_eq(image.entry, entry);
	cr_expect_eq(image.segment_count, 2);
	expect_segment(
		&image, 0,
		(struct image_segment){base + 0x1000, BUILT_CODE, 0x800, 0x800, PF_R | PF_X});
	expect_segment(
		&image, 1,
		(struct image_segment){base + 0x2100, BUILT_DATA, 0x200, 0x1000, PF_R | PF_W});
}

Test(image, pvh_kernel_is_placed_by_physical_address_and_entered_at_its_note)
{
	expect_built(BUILT_PVH, 0x100000, 0x101020);
}

Test(image, pvh_note_of_4_bytes_is_an_entry)
{
	expect_built(BUILT_PVH_4, 0x100000, 0x101020);
}

Test(image, pvh_kernel_may_be_et_dyn)
{
	expect_built(BUILT_PVH_DYN, 0x100000, 0x101020);
}

Test(image, static_program_is_placed_by_virtual_address_and_entered_at_e_entry)
{
	expect_built(BUILT_PROGRAM, 0x400000, 0x401010);
}

Test(image, static_pie_is_relocatable)
{
	expect_built(BUILT_PIE, 0, 0x1010);
}

Test(image, static_pie_may_start_at_0)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PIE, &built);
	POKE_PHDR(&built, 0, p_vaddr, 0);
	POKE_EHDR(&built, e_entry, 0);
	expect_accepted(&built, &image);
	cr_expect_eq(image.segments[0].address, 0);
	cr_expect_eq(image.entry, 0);
}

/* Moves the notes of a PVH kernel into 8-byte padding: another's note of 1 byte, then the entry. */
Test(image, notes_of_alignment_8_are_padded_to_8)
{
	static struct built built;
	struct image image;
	const Elf64_Nhdr first = {.n_namesz = 4, .n_descsz = 1, .n_type = 18};
	const Elf64_Nhdr second = {.n_namesz = 4, .n_descsz = 4, .n_type = 18};

	build_image(BUILT_PVH, &built);
	memset(built.bytes + BUILT_NOTES, 0, 64);
	memcpy(built.bytes + BUILT_NOTES, &first, sizeof(first));
	memcpy(built.bytes + BUILT_NOTES + 12, "Not", 4);
	memcpy(built.bytes + BUILT_NOTES + 24, &second, sizeof(second));
	memcpy(built.bytes + BUILT_NOTES + 36, "Xen", 4);
	built_poke(&built, BUILT_NOTES + 40, 4, 0x101004);
	POKE_PHDR(&built, 2, p_filesz, 44);
	POKE_PHDR(&built, 2, p_align, 8);
	expect_accepted(&built, &image);
	cr_expect_eq(image.entry, 0x101004);
}

Test(image, note_of_another_owner_or_type_does_not_make_a_kernel)
{
	static struct built built;
	struct image image;
	struct problems problems;

	build_image(BUILT_PVH, &built);
	built_poke(&built, BUILT_XEN + 12, 1, 'Y');
	parse(&built, NULL, &image, &problems);
	cr_expect_neq(image.kind, IMAGE_PVH_KERNEL);
	build_image(BUILT_PVH, &built);
	built_poke(&built, BUILT_XEN + 8, 4, 17);
	parse(&built, NULL, &image, &problems);
	cr_expect_neq(image.kind, IMAGE_PVH_KERNEL);
	build_image(BUILT_PVH, &built);
	built_poke(&built, BUILT_XEN, 4, 5);
	POKE_PHDR(&built, 2, p_filesz, 64);
	parse(&built, NULL, &image, &problems);
	cr_expect_neq(image.kind, IMAGE_PVH_KERNEL);
}

Test(image, a_kernel_may_name_an_interpreter_and_carry_a_multiboot_header)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	built_poke(&built, 0x1004, 8, 0x1badb002);
	built_poke(&built, 0x100c, 4, -0x1badb002u);
	POKE_EHDR(&built, e_phnum, 4);
	POKE_PHDR(&built, 3, p_type, PT_INTERP);
	expect_accepted(&built, &image);
	cr_expect_eq(image.kind, IMAGE_PVH_KERNEL);
}

Test(image, program_headers_may_lie_unaligned_anywhere_in_the_file)
{
	static struct built built;
	struct image image;

	for (uint64_t offset = 0x2801; offset < 0x2809; offset++) {
		build_image(BUILT_PROGRAM, &built);
		memcpy(built.bytes + offset, built.bytes + sizeof(Elf64_Ehdr),
		       3 * sizeof(Elf64_Phdr));
		memset(built.bytes + sizeof(Elf64_Ehdr), 0, 3 * sizeof(Elf64_Phdr));
		POKE_EHDR(&built, e_phoff, offset);
		expect_accepted(&built, &image);
		cr_expect_eq(image.segment_count, 2);
	}
}

Test(image, program_headers_may_end_where_the_file_ends)
{
	static struct built built;
	struct image image;
	uint64_t offset = BUILT_SIZE - 3 * sizeof(Elf64_Phdr);

	build_image(BUILT_PVH, &built);
	memcpy(built.bytes + offset, built.bytes + sizeof(Elf64_Ehdr), 3 * sizeof(Elf64_Phdr));
	POKE_EHDR(&built, e_phoff, offset);
	expect_accepted(&built, &image);
}

Test(image, two_segments_of_a_program_may_touch_but_share_no_page)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PROGRAM, &built);
	POKE_PHDR(&built, 0, p_memsz, 0x1000);
	POKE_PHDR(&built, 1, p_vaddr, 0x402000);
	POKE_PHDR(&built, 1, p_offset, 0x2000);
	expect_accepted(&built, &image);
	POKE_PHDR(&built, 0, p_memsz, 0x1001);
	expect_refused(&built, &any_ram, "phdr[1].p_vaddr");
}

Test(image, segments_may_touch)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	POKE_PHDR(&built, 1, p_paddr, 0x100000);
	expect_accepted(&built, &image);
	POKE_PHDR(&built, 1, p_paddr, 0x101800);
	expect_accepted(&built, &image);
}

Test(image, segment_flags_are_access_only)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PROGRAM, &built);
	POKE_PHDR(&built, 0, p_flags, 0xfffffff8 | PF_X);
	expect_accepted(&built, &image);
	cr_expect_eq(image.segments[0].flags, PF_X);
}

Test(image, alignment_may_be_none_or_up_to_1_gib)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PIE, &built);
	POKE_PHDR(&built, 0, p_align, 0);
	POKE_PHDR(&built, 1, p_align, 1 << 30);
	expect_accepted(&built, &image);
}

Test(image, dynamic_entries_behind_the_last_do_not_count)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PIE, &built);
	built_poke(&built, BUILT_NOTES + 48, 8, DT_NEEDED);
	POKE_PHDR(&built, 2, p_filesz, 64);
	expect_accepted(&built, &image);
}

Test(image, multiboot_magic_without_its_checksum_is_data)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PROGRAM, &built);
	built_poke(&built, 0x1004, 8, 0x1badb002);
	built_poke(&built, 0x100c, 4, -0x1badb001u);
	expect_accepted(&built, &image);
}

Test(image, segments_may_stand_in_any_order)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PROGRAM, &built);
	POKE_PHDR(&built, 1, p_vaddr, 0x3ff100);
	expect_accepted(&built, &image);
	cr_expect_eq(image.segments[1].address, 0x3ff100);
}

Test(image, segments_without_memory_are_left_out)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PROGRAM, &built);
	POKE_PHDR(&built, 1, p_filesz, 0);
	POKE_PHDR(&built, 1, p_memsz, 0);
	POKE_PHDR(&built, 1, p_offset, UINT64_MAX);
	expect_accepted(&built, &image);
	cr_expect_eq(image.segment_count, 1);
}

Test(image, segments_of_zeros_need_no_place_in_the_file)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	POKE_PHDR(&built, 1, p_filesz, 0);
	POKE_PHDR(&built, 1, p_offset, UINT64_MAX);
	expect_accepted(&built, &image);
	cr_expect_eq(image.segment_count, 2);
}

Test(image, as_many_segments_as_allowed_are_accepted)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	memcpy(built.bytes + 0x2800, built.bytes + sizeof(Elf64_Ehdr), 3 * sizeof(Elf64_Phdr));
	built.size = 0x2800 + IMAGE_SEGMENTS_MAX * sizeof(Elf64_Phdr);
	POKE_EHDR(&built, e_phoff, 0x2800);
	POKE_EHDR(&built, e_phnum, IMAGE_SEGMENTS_MAX);
	for (unsigned i = 3; i < IMAGE_SEGMENTS_MAX; i++) {
		const Elf64_Phdr phdr = {
			.p_type = PT_LOAD, .p_paddr = 0x200000 + 16 * i, .p_memsz = 16};

		memcpy(built.bytes + 0x2800 + i * sizeof(phdr), &phdr, sizeof(phdr));
	}
	expect_accepted(&built, &image);
	cr_expect_eq(image.segment_count, IMAGE_SEGMENTS_MAX - 1);
}

Test(image, kernel_must_fit_the_ram_there_is)
{
	static struct built built;
	struct image image;
	struct problems problems;
	struct image_ram ram = {.count = 1, .range = {{0, 0x103100}}};

	build_image(BUILT_PVH, &built);
	cr_expect_eq(parse(&built, &ram, &image, &problems), 0);
	ram.range[0].end--;
	expect_refused(&built, &ram, "phdr[1].p_paddr");
	ram.count = 0;
	expect_refused(&built, &ram, "phdr[0].p_paddr");
	cr_expect_eq(parse(&built, NULL, &image, &problems), 0);
}

Test(image, kernel_segments_may_lie_on_both_sides_of_the_hole)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	POKE_PHDR(&built, 1, p_paddr, 4ull << 30);
	expect_accepted(&built, &image);
	POKE_PHDR(&built, 1, p_paddr, (4ull << 30) - 1);
	expect_refused(&built, &any_ram, "phdr[1].p_paddr");
	POKE_PHDR(&built, 1, p_paddr, (3ull << 30) - 0x1000);
	expect_accepted(&built, &image);
}

Test(image, lowest_address_is_the_first_behind_the_boot_structures)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	POKE_PHDR(&built, 1, p_paddr, 0x10000);
	expect_accepted(&built, &image);
	POKE_PHDR(&built, 1, p_paddr, 0xffff);
	expect_refused(&built, &any_ram, "phdr[1].p_paddr");
	expect_refused(&built, NULL, "phdr[1].p_paddr");
}

Test(image, program_may_end_where_user_addresses_end)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PROGRAM, &built);
	POKE_PHDR(&built, 1, p_vaddr, 0x7ffeffffe100);
	POKE_PHDR(&built, 1, p_memsz, 0x1f00);
	expect_accepted(&built, &image);
	POKE_PHDR(&built, 1, p_memsz, 0x1f01);
	expect_refused(&built, &any_ram, "phdr[1].p_vaddr");
}

Test(image, bounds_span_all_segments)
{
	static struct built built;
	struct image image;
	uint64_t start, end;

	build_image(BUILT_PVH, &built);
	POKE_PHDR(&built, 1, p_paddr, 0x20100);
	expect_accepted(&built, &image);
	image_bounds(&image, &start, &end);
	cr_expect_eq(start, 0x20100);
	cr_expect_eq(end, 0x101800);
}

#define GUEST_START 0x101000
#define GUEST_SIZE  0x3000

struct guest {
	unsigned calls, fail_at; /* the call that fails; 0: none */
	unsigned char memory[GUEST_SIZE];
};

static int copy_to_guest(void *context, uint64_t address, const void *bytes, uint64_t size)
{
	struct guest *guest = context;

	if (++guest->calls == guest->fail_at)
		return -EFAULT;
	cr_assert(address >= GUEST_START && size <= GUEST_SIZE &&
		  address - GUEST_START <= GUEST_SIZE - size);
	if (bytes)
		memcpy(guest->memory + (address - GUEST_START), bytes, size);
	else
		memset(guest->memory + (address - GUEST_START), 0, size);
	return 0;
}

static struct guest guest;

Test(image, load_writes_file_bytes_then_zeros_and_nothing_else)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	expect_accepted(&built, &image);
	memset(guest.memory, 0x55, sizeof(guest.memory));
	cr_assert_eq(image_load(&image, built.bytes, built.size, copy_to_guest, &guest), 0);
	for (size_t i = 0; i < GUEST_SIZE; i++) {
		unsigned char expected = i < 0x800	       ? 0xf4
					 : i < 0x1100	       ? 0x55
					 : i < 0x1100 + 0x200  ? 0xda
					 : i < 0x1100 + 0x1000 ? 0
							       : 0x55;

		cr_assert_eq(guest.memory[i], expected, "byte 0x%zx", i);
	}
}

Test(image, load_stops_where_the_guest_refuses_bytes)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	expect_accepted(&built, &image);
	for (unsigned call = 1; call <= 3; call++) {
		guest.calls = 0;
		guest.fail_at = call;
		cr_expect_eq(image_load(&image, built.bytes, built.size, copy_to_guest, &guest),
			     -EFAULT);
		cr_expect_eq(guest.calls, call);
	}
}

Test(image, load_refuses_a_file_that_is_not_the_parsed_one)
{
	static struct built built;
	struct image image;

	build_image(BUILT_PVH, &built);
	expect_accepted(&built, &image);
	cr_expect_eq(image_load(&image, built.bytes, 0x17ff, copy_to_guest, &guest), -EINVAL);
	cr_expect_eq(guest.calls, 0);
	image.segments[0].file_size = UINT64_MAX;
	cr_expect_eq(image_load(&image, built.bytes, built.size, copy_to_guest, &guest), -EINVAL);
}
