/* SPDX-License-Identifier: MIT */
/*
 * Words that one thread changes while others look at them (shared.h). They are aligned and not
 * longer than a register, so that x86 loads and stores them as a whole; loads stay in order among
 * themselves, and so do stores.
 *
 * HPT_STORE() is the store of such a word: the compiler keeps what was stored before in front of
 * it.
 *
 * HPT_LOAD() is the load in functions that the writer and readers share, and that a fault handler
 * has inline. It is a plain one, which becomes an operand of the instruction that needs it, where
 * an atomic one would be an instruction more. That is right: the writer sees its own stores; a
 * reader gives these functions a copy of the line, which it has loaded atomically, or compares a
 * counter before it goes by what they have read in the descriptor. Only the thread sanitizer cannot
 * know, and is told.
 */
#ifndef HPT_ATOMIC_H
#define HPT_ATOMIC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __SANITIZE_THREAD__
#define HPT_LOAD(place)	       __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define HPT_ADD(place, number) HPT_STORE(place, HPT_LOAD(place) + (number))
/* What `words` points to, in an array of the same size. */
#define HPT_LOAD_WORDS(copy, words) hpt_load_words(copy, words, sizeof(copy))

static inline void *hpt_load_words(uint64_t *copy, const void *words, size_t size)
{
	for (size_t i = 0; i < size / sizeof(uint64_t); i++)
		copy[i] = HPT_LOAD(((const uint64_t *)words)[i]);
	return copy;
}
#else
#define HPT_LOAD(place)		    (place)
#define HPT_ADD(place, number)	    ((place) += (number))
#define HPT_LOAD_WORDS(copy, words) ((void)(copy), (words))
#endif

#define HPT_STORE(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

#endif
