/* SPDX-License-Identifier: MIT */
/* Reading the PVH start of the world and the kernel command line. */
#include "guest/boot.h"

#include "guest/abi.h"
#include "guest/console.h"
#include "guest/frames.h"
#include "hpt/hpt.h"

struct boot boot = {.window_pages = ABI_WINDOW_PAGES, .organisation = HPT_CLUSTERED, .cpus = 1};

static void add_ram(const struct pvh_memory *memory)
{
	struct boot_range range = {
		.start = (memory->address + HPT_PAGE_SIZE - 1) & ~(HPT_PAGE_SIZE - 1),
		.end = (memory->address + memory->size) & ~(HPT_PAGE_SIZE - 1),
	};
	unsigned int at = boot.ram_count;

	if (memory->type != PVH_RAM || range.end <= range.start)
		return;
	if (boot.ram_count == BOOT_RANGES)
		panic("more than %u ranges of RAM", BOOT_RANGES);
	for (; at && boot.ram[at - 1].start > range.start; at--)
		boot.ram[at] = boot.ram[at - 1];
	boot.ram[at] = range;
	boot.ram_count++;
	boot.ram_pages += (range.end - range.start) / HPT_PAGE_SIZE;
}

/* The text after `key` and '=', if the word begins with them. */
static const char *value_of(const char *word, const char *key)
{
	while (*key) {
		if (*word++ != *key++)
			return NULL;
	}
	return *word == '=' ? word + 1 : NULL;
}

static uint64_t number(const char *text)
{
	uint64_t value = 0;

	if (!*text)
		panic("the command line has an empty number");
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10)
			panic("the command line has a number that is none: %s", text);
		value = value * 10 + (uint64_t)(*text - '0');
	}
	return value;
}

static void read_option(const char *word)
{
	const char *value;

	if ((value = value_of(word, "window"))) {
		boot.window_pages = number(value);
		if (boot.window_pages < ABI_WINDOW_PAGES_MIN ||
		    boot.window_pages > ABI_WINDOW_PAGES_MAX)
			panic("window=%s: wanted %u to %u", value, ABI_WINDOW_PAGES_MIN,
			      ABI_WINDOW_PAGES_MAX);
	} else if ((value = value_of(word, "table"))) {
		boot.organisation = hpt_organisation_find(value);
		if (boot.organisation < 0)
			panic("table=%s: there is no such organisation", value);
	} else if ((value = value_of(word, "tsc_khz"))) {
		boot.tsc_khz = number(value);
	} else if ((value = value_of(word, "wall_ns"))) {
		boot.wall_ns = number(value);
	} else if ((value = value_of(word, "seed"))) {
		boot.seed = number(value);
	} else if ((value = value_of(word, "slab_start"))) {
		boot.slab.start = number(value);
	} else if ((value = value_of(word, "slab_size"))) {
		boot.slab.end = number(value);
	} else if ((value = value_of(word, "cpus"))) {
		boot.cpus = (unsigned int)number(value);
		if (!boot.cpus || boot.cpus > ABI_CPUS_MAX)
			panic("cpus=%s: wanted 1 to %u", value, ABI_CPUS_MAX);
	} else if ((value = value_of(word, "disk"))) {
		boot.disk = number(value);
	} else if ((value = value_of(word, "doorbells"))) {
		boot.doorbells = number(value);
	}
	/* Other words are another VMM's business (QEMU adds none, but a user may). */
}

static const char *skip_spaces(const char *text)
{
	while (*text == ' ')
		text++;
	return text;
}

static void read_command_line(const char *text)
{
	char word[64];

	for (text = skip_spaces(text); *text; text = skip_spaces(text)) {
		const char *name = value_of(text, "name");
		unsigned int length = 0;

		if (text[0] == '-' && text[1] == '-' && (!text[2] || text[2] == ' ')) {
			boot.arguments = text + 2;
			return;
		}
		if (name)
			boot.name = name;
		for (; *text && *text != ' '; text++) {
			if (length < sizeof(word) - 1)
				word[length++] = *text;
		}
		word[length] = 0;
		if (!name)
			read_option(word);
	}
}

/* Of the slab the size was read. It is where chunks of tables can be, and within RAM. */
static void check_slab(void)
{
	const uint64_t chunk = UINT64_C(1) << HPT_CHUNK_SHIFT;
	uint64_t start = boot.slab.start, size = boot.slab.end;

	boot.slab.end = start + size;
	for (unsigned int i = 0; i < boot.ram_count && !((start | size) & (chunk - 1)); i++) {
		if (start >= boot.ram[i].start && start <= boot.ram[i].end &&
		    size <= boot.ram[i].end - start)
			return;
	}
	panic("slab: found %lx bytes at %lx, wanted a part of RAM, multiples of 2 MiB", size,
	      start);
}

static struct boot_range range_of(const struct pvh_module *module)
{
	return (struct boot_range){module->address, module->address + module->size};
}

/* What lies between the two is nobody's, so they may as well be one. */
static void read_modules(const struct pvh_module *module, uint32_t count)
{
	boot.module = boot.modules = range_of(&module[0]);
	if (count == 1)
		return;
	boot.archive = range_of(&module[1]);
	if (boot.archive.start < boot.module.start)
		boot.modules.start = boot.archive.start;
	if (boot.archive.end > boot.module.end)
		boot.modules.end = boot.archive.end;
	for (unsigned int i = 0; i < boot.ram_count; i++) {
		if (boot.modules.start >= boot.ram[i].start && boot.modules.end <= boot.ram[i].end)
			return;
	}
	panic("modules: found them from %lx to %lx, wanted both in one range of RAM",
	      boot.modules.start, boot.modules.end);
}

/* Its registers are in one page, and no RAM. */
static void check_disk(void)
{
	bool is_ram = false;

	for (unsigned int i = 0; i < boot.ram_count; i++)
		is_ram |= boot.disk >= boot.ram[i].start && boot.disk < boot.ram[i].end;
	if (is_ram || boot.disk % ABI_DISK_ALIGNMENT || boot.disk >> 46)
		panic("disk: found %lx, wanted a multiple of %u where no RAM is", boot.disk,
		      ABI_DISK_ALIGNMENT);
}

void boot_read(uint32_t start_info)
{
	const struct pvh_start_info *info = direct(start_info);
	const struct pvh_memory *memory;

	if (info->magic != PVH_MAGIC)
		panic("start_info.magic: found %x, wanted %x", info->magic, PVH_MAGIC);
	if (info->version < 1 || !info->memory_map)
		panic("start_info has no memory map (version %u)", info->version);
	memory = direct(info->memory_map);
	for (uint32_t i = 0; i < info->memory_map_count; i++)
		add_ram(&memory[i]);
	if (info->module_count)
		read_modules(direct(info->modules), info->module_count);
	boot.name = boot.arguments = "";
	if (info->command_line)
		read_command_line(direct(info->command_line));
	if (boot.slab.end)
		check_slab();
	if (boot.disk)
		check_disk();
}

static unsigned int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return (unsigned int)(digit - '0');
	return (unsigned int)((digit | 0x20) - 'a' + 10) & 15;
}

bool boot_next_argument(const char **text, char *word, unsigned long size)
{
	const char *from = skip_spaces(*text);
	unsigned long length = 0;

	if (!*from)
		return false;
	while (*from && *from != ' ') {
		char byte = *from++;

		if (byte == '%' && from[0] && from[0] != ' ' && from[1] && from[1] != ' ') {
			byte = (char)(hex_digit(from[0]) << 4 | hex_digit(from[1]));
			from += 2;
		} else if (byte == '%') {
			continue; /* alone it stands for nothing: the empty argument */
		}
		if (length + 1 >= size)
			refuse("arguments: found more bytes than the %lu that are left for this "
			       "one",
			       size - 1);
		word[length++] = byte;
	}
	word[length] = 0;
	*text = from;
	return true;
}
