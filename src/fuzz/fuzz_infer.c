/* SPDX-License-Identifier: MIT */
/* A tiny system with patched memory, as a raw image, read with a layout that is inferred from it. */
#define SYSTEM_OPTIONS .infer_layout = true,
#include "fuzz_system.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct patch patch[PATCHES_MAX];
        if (!size)
                return 0;
        struct tiny *t = tiny_ready(data[0] & 1);
        size_t count = patches_apply(t, data + 1, size - 1, t->world.mem, 0, patch);
        read_through(t, t->world.mem, WORLD_LEN, "raw", data[0] & 2);
        patches_undo(t->world.mem, patch, count);
        return 0;
}

#ifdef FUZZING
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
        return mutate(tiny_ready(size && data[0] & 1), 0, data, size, max_size, seed);
}
#endif
