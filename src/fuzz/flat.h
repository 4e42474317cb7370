/* SPDX-License-Identifier: MIT */
/*
 * The input as the memory of a machine: byte 0 chooses the mode (odd: x64), the rest is physical memory from address 0,
 * and one large page shows it at base, in the kernel half. Behind the input there are zeros, and then the end.
 */
#ifndef STASIS_FUZZ_FLAT_H
#define STASIS_FUZZ_FLAT_H

#include <stdlib.h>
#include <string.h>

#include "../mem/space.h"

#define FLAT_LEN 0x40000u
#define FLAT_TABLES FLAT_LEN /* the root table and what it needs, behind all input */

struct flat {
        uint8_t mem[FLAT_LEN + 0x3000];
        struct stasis_image *image;
        struct stasis_space space;
        uint64_t base;
};

static inline void flat_entry(struct flat *flat, uint64_t at, uint64_t value, size_t size)
{
        for (size_t i = 0; i < size; i++)
                flat->mem[at + i] = (uint8_t)(value >> 8 * i);
}

static inline void flat_tables(struct flat *flat, bool is64)
{
        if (is64) {
                flat->base = UINT64_C(0xfffff80000200000);
                flat_entry(flat, FLAT_TABLES + 8 * 0x1f0, (FLAT_TABLES + 0x1000) | 3, 8);
                flat_entry(flat, FLAT_TABLES + 0x1000, (FLAT_TABLES + 0x2000) | 3, 8);
                flat_entry(flat, FLAT_TABLES + 0x2000 + 8, 0x83, 8);
        } else {
                flat->base = 0x80400000;
                flat_entry(flat, FLAT_TABLES + 4 * 0x201, 0x83, 4);
        }
}

static inline struct flat *flat_open(const uint8_t *data, size_t size)
{
        static const struct stasis_image_options raw = { .format = "raw" };
        struct flat *flat = size ? calloc(1, sizeof(*flat)) : NULL;

        if (!flat || size - 1 > FLAT_LEN) {
                free(flat);
                return NULL;
        }
        memcpy(flat->mem, data + 1, size - 1);
        flat_tables(flat, data[0] & 1);
        if (stasis_image_open_memory(flat->mem, sizeof(flat->mem), "flat", &raw, &flat->image, NULL) != STASIS_OK)
                abort();
        stasis_space_init(&flat->space, flat->image, data[0] & 1 ? &stasis_paging_x64 : &stasis_paging_x86,
                          FLAT_TABLES);
        return flat;
}

static inline void flat_close(struct flat *flat)
{
        stasis_image_close(flat->image);
        free(flat);
}

static inline void flat_promise(bool kept)
{
        if (!kept)
                abort();
}

#endif
