/* SPDX-License-Identifier: MIT */
#include "ptbuild.h"

#include <stdbool.h>

static unsigned width(const struct ptbuild *b) { return b->mode == PT_X86 ? 4 : 8; }

void pt_put(struct ptbuild *b, uint64_t at, uint64_t value)
{
        for (unsigned i = 0; i < width(b); i++)
                if (at + i < b->len)
                        b->mem[at + i] = (uint8_t)(value >> 8 * i);
}

uint64_t pt_get(const struct ptbuild *b, uint64_t at)
{
        uint64_t value = 0;
        for (unsigned i = 0; i < width(b); i++)
                if (at + i < b->len)
                        value |= (uint64_t)b->mem[at + i] << 8 * i;
        return value;
}

static uint64_t new_page(struct ptbuild *b)
{
        uint64_t at = b->next;
        for (uint64_t i = at; i < at + 0x1000 && i < b->len; i++)
                b->mem[i] = 0;
        b->next += 0x1000;
        return at;
}

void pt_start(struct ptbuild *b, enum pt_mode mode, uint8_t *mem, uint64_t len, uint64_t next, uint64_t offset)
{
        *b = (struct ptbuild){ .mode = mode, .mem = mem, .len = len, .next = next };
        b->root = new_page(b) + (mode == PT_PAE ? offset : 0);
}

/* The table that the entry at `at` names; made where the entry is not present. */
static uint64_t below(struct ptbuild *b, uint64_t at, bool pdpt)
{
        uint64_t entry = pt_get(b, at);
        if (entry & 1)
                return b->mode == PT_X86 ? entry & 0xfffff000 : entry & 0x000ffffffffff000;
        uint64_t table = new_page(b);
        /* present, writable, user, accessed; a PAE directory pointer has only the present bit */
        pt_put(b, at, table | (pdpt ? 0x1 : 0x27) | (width(b) == 8 ? b->noise : 0));
        return table;
}

uint64_t pt_slot(struct ptbuild *b, uint64_t va, uint64_t size)
{
        uint64_t at = b->root;

        if (b->mode == PT_X86) {
                at += (va >> 22 & 0x3ff) * 4;
                return size == PT_4M ? at : below(b, at, false) + (va >> 12 & 0x3ff) * 4;
        }
        if (b->mode == PT_LA57) {
                at += (va >> 48 & 0x1ff) * 8;
                if (size == PT_256T)
                        return at;
                at = below(b, at, false);
        }
        if (b->mode == PT_LA57 || b->mode == PT_X64) {
                at += (va >> 39 & 0x1ff) * 8;
                if (size == PT_512G)
                        return at;
                at = below(b, at, false);
                at += (va >> 30 & 0x1ff) * 8;
        } else {
                at += (va >> 30 & 0x3) * 8;
        }
        if (size == PT_1G)
                return at;
        at = below(b, at, b->mode == PT_PAE) + (va >> 21 & 0x1ff) * 8;
        if (size == PT_2M)
                return at;
        return below(b, at, false) + (va >> 12 & 0x1ff) * 8;
}

void pt_map(struct ptbuild *b, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits)
{
        uint64_t entry = pa | bits | 1;
        if (size != PT_4K)
                entry |= 0x80;
        if (b->mode == PT_X86 && size == PT_4M) /* PSE-36: address bits 32..39 go to 13..20 */
                entry = (entry & 0xffc01fff) | (pa >> 32 & 0xff) << 13;
        pt_put(b, pt_slot(b, va, size), entry);
}
