/* SPDX-License-Identifier: MIT */
#include "layout_names.h"

#include <stdlib.h>
#include <string.h>

uint32_t layout_hash(const char *name, size_t len)
{
        uint32_t hash = 2166136261u;
        for (size_t i = 0; i < len; i++)
                hash = (hash ^ (uint8_t)name[i]) * 16777619u;
        return hash;
}

static int by_value(const void *a, const void *b)
{
        const struct stasis_name *x = a, *y = b;
        if (x->value != y->value)
                return (int32_t)x->value < (int32_t)y->value ? -1 : 1;
        return strcmp(x->name, y->name);
}

void layout_sort_names(struct stasis_name *names, size_t count)
{
        if (count > 1)
                qsort(names, count, sizeof *names, by_value);
}

bool layout_bit_field(struct stasis_member *m, uint64_t bit, uint64_t bits)
{
        uint64_t size = m->size;
        if (bits > 64 || bit > UINT32_MAX || (size != 1 && size != 2 && size != 4 && size != 8))
                return false;
        uint64_t offset = bit / (size * 8) * size;
        if (bit - offset * 8 + bits > size * 8) {
                offset = bit / 8;
                for (size = 1; bit % 8 + bits > size * 8;)
                        size *= 2;
                if (size > 8)
                        return false;
        }
        m->offset = (uint32_t)offset;
        m->size = (uint32_t)size;
        m->bit = (uint8_t)(bit - offset * 8);
        m->bits = (uint8_t)bits;
        return true;
}
