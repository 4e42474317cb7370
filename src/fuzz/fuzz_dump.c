/* SPDX-License-Identifier: MIT */
/*
 * A tiny system with patched memory, as a full crash dump whose header may be patched too: places below its length are
 * in it. Places of the header: "Windows kernel dump" documentation of Microsoft's debugger (dumpchk) and REPORT.md
 * section 5.
 */
#include "../test/tiny_dump.h"
#include "fuzz_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tiny_dump *dump_ready(bool is64)
{
        static struct tiny_dump ready[2];
        struct tiny_dump *d = &ready[is64];
        const struct tiny *t = tiny_ready(is64);
        if (d->header)
                return d;
        tiny_dump(d, t);
        return d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct patch patch[PATCHES_MAX];
        if (!size)
                return 0;
        struct tiny_dump *d = dump_ready(data[0] & 1);
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
