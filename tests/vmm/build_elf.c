/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <string.h>

#include "tests/vmm/build_elf.h"
#include "vmm/status.h"

void built_poke(struct built *built, uint64_t offset, unsigned width, uint64_t value)
{
	for (unsigned i = 0; i < width; i++)
		built->bytes[offset + i] = (unsigned char)(value >> (8 * i));
}

static void put_note(struct built *built, uint64_t offset, const char *name, uint32_t type,
		     uint32_t descriptor_size, uint64_t descriptor)
{
	Elf64_Nhdr note = {.n_namesz = 4, .n_descsz = descriptor_size, .n_type = type};

	memcpy(built->bytes + offset, &note, sizeof(note));
	memcpy(built->bytes + offset + sizeof(note), name, 4);
	built_poke(built, offset + sizeof(note) + 4, descriptor_size, descriptor);
}

static void put_dynamic(struct built *built)
{
	const Elf64_Dyn dynamic[] = {
		{.d_tag = DT_FLAGS, .d_un.d_val = 0},
		{.d_tag = DT_FLAGS_1, .d_un.d_val = DF_1_PIE},
		{.d_tag = DT_NULL},
	};

	memcpy(built->bytes + BUILT_NOTES, dynamic, sizeof(dynamic));
}

void build_image(enum built_kind kind, struct built *out)
{
	uint64_t base = kind == BUILT_PIE ? 0 : kind == BUILT_PROGRAM ? 0x400000 : 0x100000;
	uint32_t descriptor = kind == BUILT_PVH_4 ? 4 : 8;
	Elf64_Ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = kind == BUILT_PIE || kind == BUILT_PVH_DYN ? ET_DYN : ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = base + 0x1010,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	/* The two kinds of address differ, so that a test sees which one the loader took. */
	uint64_t virtual = kind <= BUILT_PVH_DYN ? 0xffffffff80000000 : 0;
	Elf64_Phdr phdrs[3] = {
		{PT_LOAD, PF_R | PF_X, BUILT_CODE, base + 0x1000, base + 0x1000, 0x800, 0x800,
		 0x1000},
		{PT_LOAD, PF_R | PF_W, BUILT_DATA, base + 0x2100, base + 0x2100, 0x200, 0x1000,
		 0x1000},
		{PT_NULL, 0, 0, 0, 0, 0, 0, 0},
	};

	memset(out, 0, sizeof(*out));
	out->size = BUILT_SIZE;
	if (kind == BUILT_FOREIGN)
		return;
	if (kind == BUILT_PIE) {
		phdrs[2] = (Elf64_Phdr){PT_DYNAMIC, PF_R, BUILT_NOTES, 0, 0, 48, 48, 8};
		put_dynamic(out);
	}
	if (kind <= BUILT_PVH_DYN) {
		phdrs[2] = (Elf64_Phdr){PT_NOTE, PF_R, BUILT_NOTES, 0, 0, 36 + descriptor, 0, 4};
		put_note(out, BUILT_NOTES, "GNU", NT_GNU_ABI_TAG, 4, 0);
		put_note(out, BUILT_XEN, "Xen", 18, descriptor, base + 0x1020);
	}
	for (int i = 0; i < 2; i++) {
		phdrs[i].p_vaddr += virtual;
		if (!virtual)
			phdrs[i].p_paddr ^= 0x70000000;
	}
	memset(out->bytes + BUILT_CODE, 0xf4, 0x800);
	memset(out->bytes + BUILT_DATA, 0xda, 0x200);
	memcpy(out->bytes, &header, sizeof(header));
	memcpy(out->bytes + sizeof(header), phdrs, sizeof(phdrs));
}

/*
 * A broken image is a sound one over which a text and up to four values are written, and which is
 * then cut.
 */
struct poke {
	unsigned width; /* 0: none */
	uint64_t offset, value;
};

#define AT(offset, width, value)     \
	{                            \
		width, offset, value \
	}
#define EHDR(field, value)                                                           \
	{                                                                            \
		sizeof(((Elf64_Ehdr *)0)->field), offsetof(Elf64_Ehdr, field), value \
	}
#define IDENT(index, value)     \
	{                       \
		1, index, value \
	}
#define PHDR(n, field, value)                                           \
	{                                                               \
		sizeof(((Elf64_Phdr *)0)->field),                       \
			sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + \
				offsetof(Elf64_Phdr, field),            \
			value                                           \
	}
#define PHYS32_ENTRY "XEN_ELFNOTE_PHYS32_ENTRY"

#define BROKEN(name_, field_, from_, ...)                                                      \
	{                                                                                      \
		.name = name_, .field = field_, .from = from_, .size = BUILT_SIZE, .text = "", \
		.pokes = {                                                                     \
			__VA_ARGS__                                                            \
		}                                                                              \
	}
#define CUT(name_, field_, from_, text_, size_)                                             \
	{                                                                                   \
		.name = name_, .field = field_, .from = from_, .size = size_, .text = text_ \
	}

static const struct broken {
	const char *name, *field;
	enum built_kind from;
	struct poke pokes[4];
	const char *text; /* over the start of the file */
	size_t size;
} brokens[] = {
	/* Not ELF. */
	CUT("empty", "size", BUILT_FOREIGN, "", 0),
	CUT("zeros", "e_ident", BUILT_FOREIGN, "", BUILT_SIZE),
	CUT("random", "e_ident", BUILT_FOREIGN, "\x9b\x31\xe2\x07\x5c\xaa\x11\xf0\x42\x8d",
	    BUILT_SIZE),
	CUT("script", "e_ident", BUILT_FOREIGN, "#!/bin/sh\necho no\n", BUILT_SIZE),
	CUT("short-script", "e_ident", BUILT_FOREIGN, "#!/bin/sh\n", 10),
	CUT("one-byte", "size", BUILT_FOREIGN, "\x7f", 1),
	BROKEN("wrong-magic", "e_ident", BUILT_PROGRAM, IDENT(EI_MAG3, 'G')),
	BROKEN("bzimage-of-zeros", "version", BUILT_FOREIGN, AT(0x1fe, 2, 0xaa55),
	       AT(0x202, 4, 0x53726448)),
	BROKEN("multiboot1-no-format", "flags", BUILT_FOREIGN, AT(0x1004, 4, 0x1badb002),
	       AT(0x1008, 4, 3), AT(0x100c, 4, -(0x1badb002u + 3))),
	BROKEN("multiboot2", "kind", BUILT_FOREIGN, AT(0x1008, 4, 0xe85250d6), AT(0x1010, 4, 24),
	       AT(0x1014, 4, -(0xe85250d6u + 24))),
	BROKEN("multiboot1-elf64", "flags", BUILT_PROGRAM, AT(0x1004, 4, 0x1badb002),
	       AT(0x1008, 4, 0), AT(0x100c, 4, -0x1badb002u)),
	BROKEN("multiboot1-elf32", "e_machine", BUILT_PROGRAM, IDENT(EI_CLASS, ELFCLASS32),
	       AT(0x1004, 8, 0x1badb002), AT(0x100c, 4, -0x1badb002u)),
	/* The ELF header. */
	CUT("magic-only", "size", BUILT_PROGRAM, "", SELFMAG),
	CUT("half-header", "size", BUILT_PROGRAM, "", sizeof(Elf64_Ehdr) - 1),
	BROKEN("elf32", "EI_CLASS", BUILT_PROGRAM, IDENT(EI_CLASS, ELFCLASS32)),
	BROKEN("no-class", "EI_CLASS", BUILT_PROGRAM, IDENT(EI_CLASS, ELFCLASSNONE)),
	BROKEN("big-endian", "EI_DATA", BUILT_PROGRAM, IDENT(EI_DATA, ELFDATA2MSB)),
	BROKEN("ident-version", "EI_VERSION", BUILT_PROGRAM, IDENT(EI_VERSION, 2)),
	BROKEN("wrong-version", "e_version", BUILT_PROGRAM, EHDR(e_version, 0)),
	BROKEN("wrong-machine", "e_machine", BUILT_PROGRAM, EHDR(e_machine, EM_ARM)),
	BROKEN("unknown-machine", "e_machine", BUILT_PVH, EHDR(e_machine, 0xbeef)),
	BROKEN("object", "e_type", BUILT_PROGRAM, EHDR(e_type, ET_REL), EHDR(e_phnum, 0),
	       EHDR(e_phentsize, 0)),
	BROKEN("core", "e_type", BUILT_PROGRAM, EHDR(e_type, ET_CORE)),
	BROKEN("no-type", "e_type", BUILT_PVH, EHDR(e_type, ET_NONE)),
	BROKEN("wrong-phentsize", "e_phentsize", BUILT_PROGRAM, EHDR(e_phentsize, 32)),
	BROKEN("no-phdrs", "e_phnum", BUILT_PROGRAM, EHDR(e_phnum, 0)),
	BROKEN("too-many-phdrs", "e_phnum", BUILT_PROGRAM, EHDR(e_phnum, 33)),
	BROKEN("extended-phnum", "e_phnum", BUILT_PVH, EHDR(e_phnum, PN_XNUM)),
	BROKEN("phdrs-outside", "e_phoff", BUILT_PROGRAM, EHDR(e_phoff, BUILT_SIZE)),
	BROKEN("phdrs-run-over", "e_phoff", BUILT_PVH, EHDR(e_phoff, BUILT_SIZE - 167)),
	BROKEN("overflow-phoff", "e_phoff", BUILT_PROGRAM, EHDR(e_phoff, UINT64_MAX - 100)),
	/* Segments and the file. */
	CUT("truncated-headers", "e_phoff", BUILT_PROGRAM, "", 100),
	CUT("truncated-code", "phdr[0].p_filesz", BUILT_PROGRAM, "", BUILT_CODE + 0x10),
	CUT("truncated-data", "phdr[1].p_filesz", BUILT_PVH, "", BUILT_DATA + 0x1ff),
	BROKEN("no-load", "PT_LOAD", BUILT_PROGRAM, PHDR(0, p_type, PT_NULL),
	       PHDR(1, p_type, PT_NULL)),
	BROKEN("empty-load", "PT_LOAD", BUILT_PVH, PHDR(0, p_type, PT_NULL), PHDR(1, p_filesz, 0),
	       PHDR(1, p_memsz, 0)),
	BROKEN("offset-outside", "phdr[1].p_offset", BUILT_PROGRAM, PHDR(1, p_offset, 0x4100)),
	BROKEN("overflow-offset", "phdr[1].p_offset", BUILT_PROGRAM,
	       PHDR(1, p_offset, UINT64_MAX - 0xfff + 0x100)),
	BROKEN("overflow-offset-sum", "phdr[0].p_filesz", BUILT_PVH,
	       PHDR(0, p_filesz, UINT64_MAX - 0xff0), PHDR(0, p_memsz, UINT64_MAX - 0xff0)),
	BROKEN("file-larger-than-memory", "phdr[1].p_filesz", BUILT_PVH, PHDR(1, p_memsz, 0x1ff)),
	BROKEN("dynamic-outside", "phdr[2].p_offset", BUILT_PIE, PHDR(2, p_offset, 0x5000)),
	/* What it asks for. */
	BROKEN("interpreter", "PT_INTERP", BUILT_PROGRAM, PHDR(2, p_type, PT_INTERP),
	       PHDR(2, p_offset, BUILT_NOTES), PHDR(2, p_filesz, 8),
	       AT(BUILT_NOTES, 8, 0x6f732e646c2f)),
	BROKEN("interpreter-control-bytes", "PT_INTERP", BUILT_PIE, PHDR(2, p_type, PT_INTERP)),
	BROKEN("needs-library", "DT_NEEDED", BUILT_PIE, AT(BUILT_NOTES, 8, DT_NEEDED)),
	BROKEN("shared-library", "DT_FLAGS_1", BUILT_PIE, AT(BUILT_NOTES + 24, 8, 1)),
	BROKEN("pie-without-dynamic", "DT_FLAGS_1", BUILT_PIE, PHDR(2, p_type, PT_NULL)),
	/* Notes. */
	BROKEN("note-outside", "phdr[2].p_filesz", BUILT_PVH, PHDR(2, p_filesz, 0x10000)),
	{.name = "note-too-large",
	 .field = "phdr[2].p_filesz",
	 .from = BUILT_PVH,
	 .pokes = {PHDR(2, p_filesz, 0x10001)},
	 .text = "",
	 .size = BUILT_MAX},
	BROKEN("note-half-header", "note", BUILT_PVH, PHDR(2, p_filesz, 24)),
	BROKEN("note-name-runs-over", "n_namesz", BUILT_PVH, AT(BUILT_XEN, 4, 0xfffffff0)),
	BROKEN("note-descriptor-runs-over", "n_descsz", BUILT_PVH, AT(BUILT_XEN + 4, 4, 9)),
	BROKEN("overflow-note", "n_descsz", BUILT_PVH, AT(BUILT_NOTES + 4, 4, 0xffffffff)),
	BROKEN("phys32-entry-empty", "n_descsz", BUILT_PVH, AT(BUILT_XEN + 4, 4, 0)),
	BROKEN("phys32-entry-5-bytes", "n_descsz", BUILT_PVH, AT(BUILT_XEN + 4, 4, 5)),
	BROKEN("phys32-entry-above-4g", PHYS32_ENTRY, BUILT_PVH,
	       AT(BUILT_XEN + 16, 8, 0x100000000)),
	BROKEN("phys32-entry-twice", PHYS32_ENTRY, BUILT_PVH, AT(BUILT_NOTES + 8, 4, 18),
	       AT(BUILT_NOTES + 12, 4, 0x6e6558), AT(BUILT_NOTES + 16, 4, 1)),
	/* Where it goes. */
	BROKEN("kernel-in-boot-area", "phdr[0].p_paddr", BUILT_PVH, PHDR(0, p_paddr, 0xf000)),
	BROKEN("kernel-in-first-page", "phdr[1].p_paddr", BUILT_PVH, PHDR(1, p_paddr, 0)),
	BROKEN("kernel-in-hole", "phdr[1].p_paddr", BUILT_PVH, PHDR(1, p_paddr, 0xc0000000)),
	BROKEN("kernel-across-hole", "phdr[1].p_paddr", BUILT_PVH, PHDR(1, p_paddr, 0xbffff100)),
	BROKEN("kernel-into-hole", "phdr[1].p_paddr", BUILT_PVH, PHDR(1, p_memsz, 0xc0000000)),
	BROKEN("program-too-low", "phdr[0].p_vaddr", BUILT_PROGRAM, PHDR(0, p_vaddr, 0xf000)),
	BROKEN("program-too-high", "phdr[1].p_vaddr", BUILT_PROGRAM,
	       PHDR(1, p_vaddr, 0x7ffffffff100)),
	BROKEN("program-in-kernel-half", "phdr[1].p_vaddr", BUILT_PROGRAM,
	       PHDR(1, p_vaddr, 0xffffffff80002100)),
	BROKEN("program-not-canonical", "phdr[1].p_vaddr", BUILT_PROGRAM,
	       PHDR(1, p_vaddr, 0x800000002100)),
	BROKEN("pie-too-large", "phdr[1].p_vaddr", BUILT_PIE, PHDR(1, p_memsz, 0x7ffeffffff00)),
	BROKEN("pie-too-high", "phdr[1].p_vaddr", BUILT_PIE, PHDR(1, p_vaddr, 0x2aaaaaaa2100)),
	BROKEN("overflow-size", "phdr[1].p_memsz", BUILT_PROGRAM, PHDR(1, p_memsz, UINT64_MAX)),
	BROKEN("overflow-address", "phdr[0].p_memsz", BUILT_PVH,
	       PHDR(0, p_paddr, UINT64_MAX - 0x7fe)),
	BROKEN("overlap", "phdr[1].p_vaddr", BUILT_PROGRAM, PHDR(1, p_vaddr, 0x4017ff),
	       PHDR(1, p_offset, 0x17ff)),
	BROKEN("overlap-page", "phdr[1].p_vaddr", BUILT_PROGRAM, PHDR(1, p_vaddr, 0x401900),
	       PHDR(1, p_offset, 0x1900)),
	BROKEN("overlap-kernel", "phdr[1].p_paddr", BUILT_PVH, PHDR(1, p_paddr, 0x100001)),
	BROKEN("overlap-in-zeros", "phdr[1].p_paddr", BUILT_PVH, PHDR(0, p_memsz, 0x1101)),
	BROKEN("overlap-same", "phdr[1].p_vaddr", BUILT_PIE, PHDR(1, p_vaddr, 0x1000),
	       PHDR(1, p_offset, 0x1000)),
	BROKEN("offset-not-congruent", "phdr[1].p_offset", BUILT_PROGRAM,
	       PHDR(1, p_offset, 0x2000)),
	BROKEN("alignment-no-power", "phdr[0].p_align", BUILT_PROGRAM, PHDR(0, p_align, 0x1800)),
	BROKEN("alignment-too-large", "phdr[1].p_align", BUILT_PIE, PHDR(1, p_align, 1ull << 31)),
	BROKEN("entry-outside", "e_entry", BUILT_PROGRAM, EHDR(e_entry, 0x500000)),
	BROKEN("entry-zero", "e_entry", BUILT_PIE, EHDR(e_entry, 0)),
	BROKEN("entry-behind-code", "e_entry", BUILT_PROGRAM, EHDR(e_entry, 0x401800)),
	BROKEN("entry-in-data", "e_entry", BUILT_PROGRAM, EHDR(e_entry, 0x402110)),
	BROKEN("entry-in-zeros", PHYS32_ENTRY, BUILT_PVH, AT(BUILT_XEN + 16, 8, 0x102300)),
	BROKEN("entry-outside-kernel", PHYS32_ENTRY, BUILT_PVH_4, AT(BUILT_XEN + 16, 4, 0x200000)),
};

size_t bad_image_count(void)
{
	return sizeof(brokens) / sizeof(brokens[0]);
}

struct bad_image build_bad_image(size_t i, struct built *out)
{
	const struct broken *broken = &brokens[i];

	build_image(broken->from, out);
	for (size_t p = 0; p < sizeof(broken->pokes) / sizeof(broken->pokes[0]); p++) {
		const struct poke *poke = &broken->pokes[p];

		built_poke(out, poke->offset, poke->width, poke->value);
	}
	memcpy(out->bytes, broken->text, strlen(broken->text));
	out->size = broken->size;
	return (struct bad_image){broken->name, STATUS_DATA, broken->field};
}
