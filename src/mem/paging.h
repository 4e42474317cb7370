/* SPDX-License-Identifier: MIT */
/* Paging modes as data, one walker for all of them. Knows nothing of any operating system. */
#ifndef STASIS_MEM_PAGING_H
#define STASIS_MEM_PAGING_H

#include <stasis/stasis.h>

struct stasis_paging {
        const char *name;
        uint8_t entry_size, levels, va_bits;
        bool pse36;         /* x86: a 4 MiB entry carries bits 32..39 of the frame in bits 13..20 */
        bool sign_extended; /* canonical addresses (x64, la57) */
        uint64_t root_mask, frame_mask;
        struct {
                uint8_t shift, bits;
                bool large_ok;
        } level[STASIS_LEVELS_MAX]; /* from the root down */
};

extern const struct stasis_paging stasis_paging_x86, stasis_paging_pae, stasis_paging_x64, stasis_paging_la57;
/*
 * No tables at all (levels 0): a virtual image (see image.h) holds an address or does not, byte by byte. Not in the
 * list below: nobody chooses them by name.
 */
extern const struct stasis_paging stasis_paging_flat32, stasis_paging_flat64;
/* All of them, ended by NULL. */
extern const struct stasis_paging *const stasis_pagings[];
const struct stasis_paging *stasis_paging_by_name(const char *name);

/* The pieces of a walk, for those who go through tables themselves. */

#define STASIS_ENTRY_PRESENT 0x01u

/* Can va exist in this mode: below 2^va_bits, or with all bits above the sign bit equal to it? */
bool stasis_paging_canonical(const struct stasis_paging *paging, uint64_t va);
static inline uint64_t stasis_paging_index(const struct stasis_paging *paging, unsigned level, uint64_t va)
{
        return va >> paging->level[level].shift & ((UINT64_C(1) << paging->level[level].bits) - 1);
}
/* Does a present entry of this level name a page (and not a table)? */
bool stasis_paging_leaf(const struct stasis_paging *paging, unsigned level, uint64_t value);
/* Physical address of the page that a leaf names. */
uint64_t stasis_paging_page(const struct stasis_paging *paging, unsigned level, uint64_t value);
/* One entry; STASIS_IO where the image does not hold it. */
enum stasis_status stasis_paging_load(const struct stasis_image *image, const struct stasis_paging *paging, uint64_t pa,
                                      uint64_t *ret_value) STASIS_MUST_CHECK;

/*
 * The walk itself, without a space: see stasis_space_walk for what the statuses mean. Where it is not STASIS_OK, pa is
 * STASIS_NOWHERE and page_size 0.
 */
enum stasis_status stasis_paging_walk(const struct stasis_image *image, const struct stasis_paging *paging,
                                      uint64_t root, uint64_t va, struct stasis_walk *ret_walk) STASIS_MUST_CHECK;

/*
 * The same with a memory of where table pages lie, for whoever walks often; zeroed is empty. Good for one image.
 */
#define STASIS_TABLES_SIZE 512 /* a power of two */
struct stasis_tables {
        struct {
                uint64_t page;       /* physical address of a page, plus one so that zeroed is empty */
                const uint8_t *host; /* its bytes */
        } slot[STASIS_TABLES_SIZE];
};
enum stasis_status stasis_paging_walk_again(const struct stasis_image *image, struct stasis_tables *tables,
                                            const struct stasis_paging *paging, uint64_t root, uint64_t va,
                                            struct stasis_walk *ret_walk) STASIS_MUST_CHECK;

#endif
