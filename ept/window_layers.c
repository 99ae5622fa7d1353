/* SPDX-License-Identifier: MIT */
/* Windows that show several layers of a pool (window.h, family.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "ept/window.h"

int ept_window_layers(struct ept_window *window, uint64_t layer_frames)
{
	void *layers = mmap(NULL, window->size >> HPT_PAGE_SHIFT, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (layers == MAP_FAILED)
		return -ENOMEM;
	window->layers = layers;
	window->layer_frames = layer_frames;
	return 0;
}

static int map(const struct ept_window *window, int memfd, gpa_t gpa, uint64_t size)
{
	return ept_window_map_frames(window, memfd, gpa, ept_window_frame(window, gpa), size);
}

int ept_window_show(struct ept_window *window, int memfd, gpa_t gpa, unsigned int pages)
{
	const char *what;
	int ret = map(window, memfd, gpa, pages * HPT_PAGE_SIZE);

	if (ret == 0)
		ret = ept_window_arm(window, gpa, pages * HPT_PAGE_SIZE, &what);
	return ret < 0 ? ret : ept_window_install(window, gpa, pages, false);
}

/* Whether all pages of [gpa, gpa + size) show one layer. */
static bool is_even(const struct ept_window *window, gpa_t gpa, uint64_t size)
{
	const uint8_t *layers = ept_window_layer(window, gpa);

	return !memcmp(layers, layers + 1, (size >> HPT_PAGE_SHIFT) - 1);
}

/* The end of the piece that begins at `gpa`: its frames follow each other. */
static gpa_t piece_end(const struct ept_window *window, gpa_t gpa, gpa_t end)
{
	uint64_t frame = ept_window_frame(window, gpa);
	gpa_t at = gpa, next;

	for (; at < end; at = next) {
		uint64_t offset = (at - gpa) >> HPT_PAGE_SHIFT;

		if (ept_window_frame(window, at) != frame + offset)
			break;
		next = (at & ~(EPT_BLOCK_SIZE - 1)) + EPT_BLOCK_SIZE;
		if (next > end)
			next = end;
		if (!is_even(window, at, next - at))
			next = at + HPT_PAGE_SIZE;
	}
	return at;
}

uint64_t ept_window_frame_in(const struct ept_window *window, gpa_t gpa, unsigned int layer)
{
	return ept_window_frame(window, gpa) +
	       ((uint64_t)layer - *ept_window_layer(window, gpa)) * window->layer_frames;
}

unsigned int ept_window_pieces(const struct ept_window *window, gpa_t gpa, uint64_t size)
{
	unsigned int pieces = 0;

	for (gpa_t end = gpa + size; gpa < end; pieces++)
		gpa = piece_end(window, gpa, end);
	return pieces;
}

int ept_window_map_like(struct ept_window *window, int memfd, gpa_t start, uint64_t size,
			const char **what)
{
	gpa_t end = start + size, next;
	int ret = 0;

	for (gpa_t gpa = start; gpa < end && ret == 0; gpa = next) {
		next = piece_end(window, gpa, end);
		ret = map(window, memfd, gpa, next - gpa);
		window->mappings += ret == 0;
	}
	if (ret < 0)
		*what = "window: no mapping left for a clone's guest memory; raise "
			"vm.max_map_count";
	return ret;
}

int ept_window_like(struct ept_window *window, const struct ept_window *other, const char **what)
{
	uint64_t blocks = other->size >> EPT_BLOCK_SHIFT;
	int ret;

	*window = *other;
	window->uffd = -1;
	window->mappings = 0;
	ret = ept_window_reserve(window, what);
	if (ret < 0)
		return ret;
	memcpy(window->blocks, other->blocks, blocks * sizeof(*window->blocks));
	ret = ept_window_layers(window, other->layer_frames);
	if (ret < 0) {
		*what = "window: no memory for the layers of its pages";
		munmap(window->reserved, window->reserved_size);
		free(window->blocks);
		return ret;
	}
	memcpy(window->layers, other->layers, other->size >> HPT_PAGE_SHIFT);
	return 0;
}

int ept_window_elsewhere(struct ept_window *moved, const struct ept_window *window,
			 const char **what)
{
	int ret;

	*moved = *window;
	moved->mappings = 0;
	ret = ept_window_reserve(moved, what);
	if (ret < 0)
		return ret;
	free(moved->blocks);
	moved->blocks = window->blocks;
	return 0;
}
