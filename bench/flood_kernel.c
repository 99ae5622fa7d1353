/* SPDX-License-Identifier: MIT */
/* See flood_kernel.h. */
#include "bench/flood_kernel.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOADED	    0x100000 /* where the image lies in guest memory */
#define PHYS32_NOTE 18	     /* XEN_ELFNOTE_PHYS32_ENTRY: entered at 32 bits without paging */

struct note {
	Elf64_Nhdr head;
	char name[4];
	uint32_t entry;
};

struct file {
	Elf64_Ehdr head;
	Elf64_Phdr load, named;
	struct note note;
	uint8_t code[64];
	uint32_t addresses[FLOOD_KERNEL_ADDRESSES];
};

/*
 * In 32-bit protected mode:
 *
 *		mov	$addresses, %esi
 *		mov	$count, %ecx
 *	1:	mov	(%esi), %eax
 *		mov	(%eax), %ebx
 *		add	$4, %esi
 *		dec	%ecx
 *		jnz	1b
 *		xor	%eax, %eax
 *		out	%eax, $0xf4
 *	2:	hlt
 *		jmp	2b
 */
static void write_code(uint8_t *code, uint32_t addresses, uint32_t count)
{
	static const uint8_t loop[] = {0x8b, 0x06, 0x8b, 0x18, 0x83, 0xc6, 0x04, 0x49, 0x75,
				       0xf6, 0x31, 0xc0, 0xe7, 0xf4, 0xf4, 0xeb, 0xfd};

	code[0] = 0xbe;
	memcpy(&code[1], &addresses, sizeof(addresses));
	code[5] = 0xb9;
	memcpy(&code[6], &count, sizeof(count));
	memcpy(&code[10], loop, sizeof(loop));
}

static void write_headers(struct file *file)
{
	uint64_t note = offsetof(struct file, note);

	file->head = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = LOADED + offsetof(struct file, code),
		.e_phoff = offsetof(struct file, load),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	file->load = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W | PF_X,
		.p_vaddr = LOADED,
		.p_paddr = LOADED,
		.p_filesz = sizeof(*file),
		.p_memsz = sizeof(*file),
		.p_align = 4096,
	};
	file->named = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_flags = PF_R,
		.p_offset = note,
		.p_vaddr = LOADED + note,
		.p_paddr = LOADED + note,
		.p_filesz = sizeof(file->note),
		.p_memsz = sizeof(file->note),
		.p_align = 4,
	};
	file->note = (struct note){
		.head = {.n_namesz = 4, .n_descsz = sizeof(uint32_t), .n_type = PHYS32_NOTE},
		.name = "Xen",
		.entry = LOADED + offsetof(struct file, code),
	};
}

int flood_kernel(const uint32_t *addresses, size_t count)
{
	static struct file file;
	int descriptor;

	if (!count || count > FLOOD_KERNEL_ADDRESSES)
		return -EINVAL;
	write_headers(&file);
	write_code(file.code, LOADED + offsetof(struct file, addresses), (uint32_t)count);
	memcpy(file.addresses, addresses, count * sizeof(*addresses));
	descriptor = memfd_create("flood", 0);
	if (descriptor < 0)
		return -errno;
	if (write(descriptor, &file, sizeof(file)) != (ssize_t)sizeof(file)) {
		close(descriptor);
		return -EIO;
	}
	return descriptor;
}
