/* SPDX-License-Identifier: MIT */
/*
 * A tiny system with patched memory, as a full crash dump whose header may be patched too: places below its length are
 * in it. Places of the header: "Windows kernel dump" documentation of Microsoft's debugger (dumpchk) and REPORT.md
 * section 5.
 */
#include "fuzz_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct dump {
        uint8_t bytes[0x2000 + WORLD_LEN];
        uint32_t header;
};

static void put(struct dump *d, uint32_t at, uint64_t value, unsigned size)
{
        for (unsigned i = 0; i < size; i++)
                d->bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static void filler(struct dump *d, uint32_t header, const char *second)
{
        d->header = header;
        for (uint32_t at = 0; at < header; at += 4)
                memcpy(d->bytes + at, "PAGE", 4);
        memcpy(d->bytes + 4, second, 4);
}

static void header32(struct dump *d, const struct tiny *t)
{
        filler(d, 0x1000, "DUMP");
        put(d, 0x08, 15, 4);
        put(d, 0x0c, 2600, 4);
        put(d, 0x10, t->root[TINY_SYSTEM], 4);
        put(d, 0x18, t->modules, 4);
        put(d, 0x1c, t->head, 4);
        put(d, 0x20, 0x14c, 4);
        put(d, 0x24, 1, 4);
        put(d, 0x5c, 0, 1);
        put(d, 0x60, 0, 4);
        put(d, 0x64, 1, 4);
        put(d, 0x68, WORLD_LEN >> 12, 4);
        put(d, 0x6c, 0, 4);
        put(d, 0x70, WORLD_LEN >> 12, 4);
        put(d, 0xf88, 1, 4);
}

static void header64(struct dump *d, const struct tiny *t)
{
        filler(d, 0x2000, "DU64");
        put(d, 0x08, 15, 4);
        put(d, 0x0c, 19041, 4);
        put(d, 0x10, t->root[TINY_SYSTEM], 8);
        put(d, 0x20, t->modules, 8);
        put(d, 0x28, t->head, 8);
        put(d, 0x30, 0x8664, 4);
        put(d, 0x34, 1, 4);
        put(d, 0x80, 0, 8);
        put(d, 0x88, 1, 4);
        put(d, 0x90, WORLD_LEN >> 12, 8);
        put(d, 0x98, 0, 8);
        put(d, 0xa0, WORLD_LEN >> 12, 8);
        put(d, 0xf98, 1, 4);
}

static struct dump *dump_ready(bool is64)
{
        static struct dump ready[2];
        struct dump *d = &ready[is64];
        const struct tiny *t = tiny_ready(is64);
        if (d->header)
                return d;
        (is64 ? header64 : header32)(d, t);
        memcpy(d->bytes + d->header, t->world.mem, WORLD_LEN);
        return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct patch patch[PATCHES_MAX];
        if (!size)
                return 0;
        struct dump *d = dump_ready(data[0] & 1);
        const struct tiny *t = tiny_ready(data[0] & 1);
        size_t count = patches_apply(t, data + 1, size - 1, d->bytes, d->header, patch);
        read_through(t, d->bytes, d->header + WORLD_LEN, "dmp", data[0] & 2);
        patches_undo(d->bytes, patch, count);
        return 0;
}

#ifdef FUZZING
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        bool is64 = size && data[0] & 1;
        return mutate(tiny_ready(is64), dump_ready(is64)->header, data, size, max_size, seed);
}
#endif
