/* SPDX-License-Identifier: MIT */
/* InvalidPteMask: the bits that serviced kernels set in entries which are not present. */
#ifndef STASIS_OS_WINDOWS_PTE_MASK_H
#define STASIS_OS_WINDOWS_PTE_MASK_H

#include "pte.h"
#include "windows.h"

/*
 * Fills invalid_mask and mask_known: read from the kernel's variables where a symbol tells their place, else inferred
 * from the entries in the tables of the processes that are known by now. The trace says which.
 */
void pte_find_mask(struct windows *w, struct pte_forms *forms);

/*
 * What entries that are not present say of it. One in transition names a frame, and no frame is past the end of memory:
 * what stands there is the mask. One of a page file must have it too.
 */
struct pte_mask_guess {
        uint64_t past_memory; /* the bits that no frame of this machine has */
        uint64_t mask;        /* what the entries in transition have of them */
        uint64_t paged;       /* what all entries of page files have in common */
        uint32_t transitions, pages;
        bool differ; /* not all entries in transition have the same */
};
void pte_mask_begin(uint64_t memory_end, struct pte_mask_guess *ret_guess);
void pte_mask_see(const struct pte_forms *forms, uint64_t value, struct pte_mask_guess *guess);
/* True where the evidence is enough for a mask (0: this machine needs none). */
bool pte_mask_tells(const struct pte_mask_guess *guess, uint64_t *ret_mask);

#endif
