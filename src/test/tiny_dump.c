/* SPDX-License-Identifier: MIT */
/* Places of the header: Microsoft's debugger documentation and REPORT.md section 5, as in samples.c. */
#include "tiny_dump.h"

#include <string.h>

void tiny_dump_put(struct tiny_dump *d, uint32_t at, uint64_t value, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                d->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static void filler(struct tiny_dump *d, uint32_t header, const char *second)
{
        d->header = header;
        for (uint32_t at = 0; at < header; at += 4)
                memcpy(d->bytes + at, "PAGE", 4);
        memcpy(d->bytes + 4, second, 4);
}

static void header32(struct tiny_dump *d, const struct tiny *t)
{
        filler(d, 0x1000, "DUMP");
        tiny_dump_put(d, 0x08, 15, 4);
        tiny_dump_put(d, 0x0c, 2600, 4);
        tiny_dump_put(d, 0x10, t->root[TINY_SYSTEM], 4);
        tiny_dump_put(d, 0x18, t->modules, 4);
        tiny_dump_put(d, 0x1c, t->head, 4);
        tiny_dump_put(d, 0x20, 0x14c, 4);
        tiny_dump_put(d, 0x24, 1, 4);
        tiny_dump_put(d, 0x5c, 0, 1);
        tiny_dump_put(d, 0x60, 0, 4);
        tiny_dump_put(d, 0x64, 1, 4);
        tiny_dump_put(d, 0x68, WORLD_LEN >> 12, 4);
        tiny_dump_put(d, 0x6c, 0, 4);
        tiny_dump_put(d, 0x70, WORLD_LEN >> 12, 4);
        tiny_dump_put(d, 0xf88, 1, 4);
}

static void header64(struct tiny_dump *d, const struct tiny *t)
{
        filler(d, 0x2000, "DU64");
        tiny_dump_put(d, 0x08, 15, 4);
        tiny_dump_put(d, 0x0c, 19041, 4);
        tiny_dump_put(d, 0x10, t->root[TINY_SYSTEM], 8);
        tiny_dump_put(d, 0x20, t->modules, 8);
        tiny_dump_put(d, 0x28, t->head, 8);
        tiny_dump_put(d, 0x30, 0x8664, 4);
        tiny_dump_put(d, 0x34, 1, 4);
        tiny_dump_put(d, 0x80, 0, 8);
        tiny_dump_put(d, 0x88, 1, 4);
        tiny_dump_put(d, 0x90, WORLD_LEN >> 12, 8);
        tiny_dump_put(d, 0x98, 0, 8);
        tiny_dump_put(d, 0xa0, WORLD_LEN >> 12, 8);
        tiny_dump_put(d, 0xf98, 1, 4);
}

void tiny_dump(struct tiny_dump *d, const struct tiny *t)
{
        (t->is64 ? header64 : header32)(d, t);
        memcpy(d->bytes + d->header, t->world.mem, WORLD_LEN);
}
