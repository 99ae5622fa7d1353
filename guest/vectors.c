/* SPDX-License-Identifier: MIT */
/* See vectors.h. */
#include "guest/vectors.h"

#include <errno.h>

#include "guest/cpu.h"
#include "guest/layout.h"
#include "guest/memory.h"
#include "guest/user.h"

/* The image that XSAVE and FXSAVE make: what is not 0 at a start (Intel SDM volume 1, 10.5.1). */
#define AT_CONTROL	0
#define AT_MXCSR	24
#define INITIAL_CONTROL 0x037f
#define INITIAL_MXCSR	0x1f80

/* x87, SSE, AVX, AVX-512, as far as there are: at most 2,696 bytes (13.4). */
#define COMPONENTS 0xe7

#define FEATURE_OSXSAVE (1u << 27)

int vectors_prepare(struct space *space)
{
	const uint64_t vpn = USER_VECTORS >> HPT_PAGE_SHIFT;

	if (region_find(&space->regions, vpn))
		return 0;
	return memory_add(space, vpn, SPACE_VECTORS, PROTECTION_READ | PROTECTION_WRITE, 0);
}

static int find_free(const struct space *space)
{
	for (unsigned int i = 0; i < SPACE_VECTORS / 64; i++) {
		if (~space->vectors_used[i])
			return (int)(64 * i +
				     (unsigned int)__builtin_ctzll(~space->vectors_used[i]));
	}
	return -EAGAIN;
}

int vectors_get(struct space *space, unsigned int *place)
{
	const uint32_t control = INITIAL_CONTROL, mxcsr = INITIAL_MXCSR;
	int found = find_free(space);

	if (found < 0)
		return found;
	if (vectors_prepare(space))
		return -ENOMEM;
	*place = (unsigned int)found;
	if (user_clear(vectors_at(*place), HPT_PAGE_SIZE) ||
	    user_write(vectors_at(*place) + AT_CONTROL, &control, sizeof(control)) ||
	    user_write(vectors_at(*place) + AT_MXCSR, &mxcsr, sizeof(mxcsr)))
		return -ENOMEM;
	space->vectors_used[*place / 64] |= UINT64_C(1) << *place % 64;
	return 0;
}

void vectors_put(struct space *space, unsigned int place)
{
	space->vectors_used[place / 64] &= ~(UINT64_C(1) << place % 64);
}

/* As programs see it: whoever sees XSAVE uses AVX. */
static bool has_xsave;

void vectors_start(uint32_t features)
{
	has_xsave = features & FEATURE_OSXSAVE;
}

struct trap_frame vectors_frame(unsigned int place, bool is_save)
{
	uint64_t with = is_save ? TRAP_PAGE_XSAVE : TRAP_PAGE_XRSTOR;
	uint64_t without = is_save ? TRAP_PAGE_FXSAVE : TRAP_PAGE_FXRSTOR;

	return (struct trap_frame){
		.rdi = vectors_at(place),
		.rax = COMPONENTS,
		.cpu = {.rip = TRAP_PAGE + (has_xsave ? with : without),
			.cs = USER_CODE,
			.rflags = 0x2,
			.ss = USER_DATA},
	};
}

bool vectors_moved(uint64_t rip)
{
	uint64_t at = rip - TRAP_PAGE;

	return at > TRAP_PAGE_XSAVE && at < TRAP_PAGE_END;
}
