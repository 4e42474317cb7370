/* SPDX-License-Identifier: MIT */
/*
 * The paging modes of x86 processors as data, and the walker that serves all of them.
 *
 * Sources: Intel SDM volume 3A, chapter "Paging" (tables of the entry formats); AMD64 APM volume 2, chapter 5. What the
 * processor would refuse because of a reserved bit is followed here all the same: bits 52..62 are free for software or
 * reserved, bit 63 is NX, and none of them is part of an address. Large pages are always on (CR4.PSE is not in an
 * image).
 */
#include "paging.h"

#include <string.h>

#include "../base/bytes.h"
#include "image.h"

#define ENTRY_LARGE 0x80u
#define FRAME_64 UINT64_C(0x000ffffffffff000)

/* x86 with 4 MiB pages: bits 13..20 are bits 32..39 of the frame, bit 12 is PAT, bit 21 is reserved. */
#define PSE36_HIGH UINT64_C(0x1fe000)
#define PSE36_SHIFT 19

const struct stasis_paging stasis_paging_x86 = {
        .name = "x86",
        .entry_size = 4,
        .levels = 2,
        .va_bits = 32,
        .pse36 = true,
        .root_mask = 0xfffff000,
        .frame_mask = 0xfffff000,
        .level = { { 22, 10, true }, { 12, 10, false } },
};

/* The root holds four entries, is aligned to 32 bytes, and its entries never name a large page. */
const struct stasis_paging stasis_paging_pae = {
        .name = "pae",
        .entry_size = 8,
        .levels = 3,
        .va_bits = 32,
        .root_mask = 0xffffffe0,
        .frame_mask = FRAME_64,
        .level = { { 30, 2, false }, { 21, 9, true }, { 12, 9, false } },
};

const struct stasis_paging stasis_paging_x64 = {
        .name = "x64",
        .entry_size = 8,
        .levels = 4,
        .va_bits = 48,
        .sign_extended = true,
        .root_mask = FRAME_64,
        .frame_mask = FRAME_64,
        .level = { { 39, 9, false }, { 30, 9, true }, { 21, 9, true }, { 12, 9, false } },
};

const struct stasis_paging stasis_paging_la57 = {
        .name = "la57",
        .entry_size = 8,
        .levels = 5,
        .va_bits = 57,
        .sign_extended = true,
        .root_mask = FRAME_64,
        .frame_mask = FRAME_64,
        .level = { { 48, 9, false }, { 39, 9, false }, { 30, 9, true }, { 21, 9, true }, { 12, 9, false } },
};

/* 57 bits: whatever either mode of the processor can address. */
const struct stasis_paging stasis_paging_flat32 = { .name = "flat", .entry_size = 4, .va_bits = 32 };
const struct stasis_paging stasis_paging_flat64 = {
        .name = "flat", .entry_size = 8, .va_bits = 57, .sign_extended = true
};

const struct stasis_paging *const stasis_pagings[] = {
        &stasis_paging_x86, &stasis_paging_pae, &stasis_paging_x64, &stasis_paging_la57, NULL,
};

const struct stasis_paging *stasis_paging_by_name(const char *name)
{
        for (size_t i = 0; name && stasis_pagings[i]; i++)
                if (strcmp(stasis_pagings[i]->name, name) == 0)
                        return stasis_pagings[i];
        return NULL;
}

bool stasis_paging_canonical(const struct stasis_paging *paging, uint64_t va)
{
        if (!paging->sign_extended)
                return va >> paging->va_bits == 0;
        uint64_t top = va >> (paging->va_bits - 1);
        return top == 0 || top == UINT64_MAX >> (paging->va_bits - 1);
}

bool stasis_paging_leaf(const struct stasis_paging *paging, unsigned level, uint64_t value)
{
        return level + 1 == paging->levels || (paging->level[level].large_ok && (value & ENTRY_LARGE));
}

uint64_t stasis_paging_page(const struct stasis_paging *paging, unsigned level, uint64_t value)
{
        uint64_t inside = (UINT64_C(1) << paging->level[level].shift) - 1;
        uint64_t pa = value & paging->frame_mask & ~inside;
        if (paging->pse36 && level + 1 < paging->levels)
                pa |= (value & PSE36_HIGH) << PSE36_SHIFT;
        return pa;
}

enum stasis_status stasis_paging_load(const struct stasis_image *image, const struct stasis_paging *paging, uint64_t pa,
                                      uint64_t *ret_value)
{
        uint8_t raw[8];
        struct stasis_bytes held = stasis_image_view(image, pa, paging->entry_size);
        if (held.len < paging->entry_size) { /* compressed, or torn between two runs */
                if (stasis_image_read(image, pa, raw, paging->entry_size) != STASIS_OK)
                        return STASIS_IO;
                held.at = raw;
        }
        *ret_value = paging->entry_size == 8 ? load_le64(held.at) : load_le32(held.at);
        return STASIS_OK;
}

/* A page that is not held in one piece is not remembered: it is read by entry, every time. */
static inline enum stasis_status load_again(const struct stasis_image *image, struct stasis_tables *tables,
                                            const struct stasis_paging *paging, uint64_t at, uint64_t *ret_value)
{
        if (!tables)
                return stasis_paging_load(image, paging, at, ret_value);
        uint64_t page = at & ~UINT64_C(0xfff);
        size_t i = at / 4096 % STASIS_TABLES_SIZE;
        if (__builtin_expect(tables->slot[i].page != page + 1, 0)) {
                struct stasis_bytes held = stasis_image_hold(image, page, 4096);
                if (held.len < 4096)
                        return stasis_paging_load(image, paging, at, ret_value);
                tables->slot[i].page = page + 1;
                tables->slot[i].host = held.at;
        }
        const uint8_t *entry = tables->slot[i].host + at % 4096;
        *ret_value = paging->entry_size == 8 ? load_le64(entry) : load_le32(entry);
        return STASIS_OK;
}

/* A page may be held in part: what counts is the very byte. pa is where the image keeps it, that is va itself. */
static enum stasis_status walk_flat(const struct stasis_image *image, uint64_t va, struct stasis_walk *ret_walk)
{
        if (!stasis_image_find(image, va))
                return STASIS_IO;
        ret_walk->pa = va;
        ret_walk->page_size = 1;
        return STASIS_OK;
}

enum stasis_status stasis_paging_walk_again(const struct stasis_image *image, struct stasis_tables *tables,
                                            const struct stasis_paging *paging, uint64_t root, uint64_t va,
                                            struct stasis_walk *ret_walk)
{
        *ret_walk = (struct stasis_walk){ .va = va, .pa = STASIS_NOWHERE };
        if (!stasis_paging_canonical(paging, va))
                return STASIS_CORRUPT;

        if (!paging->levels)
                return walk_flat(image, va, ret_walk);
        uint64_t table = root & paging->root_mask;
        for (unsigned i = 0; i < paging->levels; i++) {
                uint64_t value, at = table + stasis_paging_index(paging, i, va) * paging->entry_size;
                ret_walk->entry[i].pa = at;
                ret_walk->depth = (uint8_t)(i + 1);
                if (load_again(image, tables, paging, at, &value) != STASIS_OK)
                        return STASIS_IO;
                ret_walk->entry[i].value = value;
                if (!(value & STASIS_ENTRY_PRESENT))
                        return STASIS_ABSENT;
                if (stasis_paging_leaf(paging, i, value)) {
                        ret_walk->page_size = UINT64_C(1) << paging->level[i].shift;
                        ret_walk->pa = stasis_paging_page(paging, i, value) | (va & (ret_walk->page_size - 1));
                        return STASIS_OK;
                }
                table = value & paging->frame_mask;
        }
        return STASIS_CORRUPT; /* not reached: the last level is always a leaf */
}

enum stasis_status stasis_paging_walk(const struct stasis_image *image, const struct stasis_paging *paging,
                                      uint64_t root, uint64_t va, struct stasis_walk *ret_walk)
{
        return stasis_paging_walk_again(image, NULL, paging, root, va, ret_walk);
}
