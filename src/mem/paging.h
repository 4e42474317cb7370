/* SPDX-License-Identifier: MIT */
/* Paging modes as data, one walker for all of them. Knows nothing of any operating system. */
#ifndef STASIS_MEM_PAGING_H
#define STASIS_MEM_PAGING_H

#include <stasis/stasis.h>

struct stasis_paging {
        const char *name;
        uint8_t entry_size, levels, va_bits;
        bool pse36;                     /* x86: a 4 MiB entry carries bits 32..39 of the frame in bits 13..20 */
        bool sign_extended;             /* canonical addresses (x64, la57) */
        uint64_t root_mask, frame_mask;
        struct {
                uint8_t shift, bits;
                bool large_ok;
        } level[STASIS_LEVELS_MAX];     /* from the root down */
};

extern const struct stasis_paging stasis_paging_x86, stasis_paging_pae, stasis_paging_x64, stasis_paging_la57;
/* All of them, ended by NULL. */
extern const struct stasis_paging *const stasis_pagings[];
const struct stasis_paging *stasis_paging_by_name(const char *name);

/* The walk itself, without a space: see stasis_space_walk for what the statuses mean. */
enum stasis_status stasis_paging_walk(const struct stasis_image *image, const struct stasis_paging *paging,
                                      uint64_t root, uint64_t va, struct stasis_walk *ret_walk) STASIS_MUST_CHECK;

#endif
