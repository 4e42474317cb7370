/* SPDX-License-Identifier: MIT */
/*
 * Any memory as page tables: a walk, reads, the pass over what is mapped, and the scan for roots.
 * Input: mode (1 byte), root (8), va (8), then the memory from address 0.
 */
#include <stdlib.h>

#include "../base/bytes.h"
#include "../mem/space.h"
#include "../os/windows/root.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 17, RANGES_MAX = 256, LOOKS_MAX = 1 << 16 };

static void promise(bool kept)
{
        if (!kept)
                abort();
}

static void walk_and_read(struct stasis_space *space, uint64_t va)
{
        struct stasis_walk walk;
        uint8_t buf[0x2100];
        uint64_t pa, value;
        enum stasis_status status = stasis_space_walk(space, va, &walk);

        promise(walk.depth <= space->paging->levels && walk.va == va);
        promise((status == STASIS_OK) == (walk.pa != STASIS_NOWHERE) && (status == STASIS_OK) == (walk.page_size != 0));
        promise(stasis_space_pa(space, va, &pa) == status && (status != STASIS_OK || pa == walk.pa));
        struct stasis_bytes view = stasis_space_view(space, va, sizeof(buf));
        promise(view.len <= 4096 - va % 4096);
        if (stasis_space_read(space, va, buf, sizeof(buf)) == STASIS_OK && view.len)
                promise(memcmp(buf, view.at, view.len) == 0);
        if (stasis_space_u(space, va, 8, &value) == STASIS_OK && view.len >= 8)
                promise(value == load_le64(view.at));
}

static void pass(struct stasis_space *space, uint64_t va)
{
        struct stasis_range range;
        uint64_t unreadable = 0, max = STASIS_PASS_MIN + stasis_image_file_size(space->image) / 2;
        space->next_va =
                0; /* in the middle of a pass that has little left of its account, so that an input costs little */
        space->looked = max - LOOKS_MAX;
        va += va == 0;
        for (unsigned i = 0; i < RANGES_MAX && stasis_space_next(space, va, 0, &range, &unreadable) == STASIS_OK; i++) {
                struct stasis_walk walk;
                promise(range.va >= va && range.len && range.va + range.len > range.va);
                promise(stasis_paging_walk(space->image, space->paging, space->root, range.va, &walk) == STASIS_OK &&
                        walk.pa == range.pa && range.len <= walk.page_size);
                va = range.va + range.len;
        }
        promise(space->looked <= max);
}

static void check_roots(const struct windows_root *root, size_t count, size_t max)
{
        promise(count <= max);
        for (size_t i = 0; i < count; i++) {
                promise(root[i].paging && root[i].how && !(root[i].root & ~root[i].paging->root_mask));
                promise(i == 0 || root[i - 1].rank >= root[i].rank);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct stasis_space space;
        struct windows_root root[WINDOWS_ROOTS_MAX];
        struct stasis_image *image = NULL;

        if (size <= HEAD ||
            stasis_image_open_memory(data + HEAD, size - HEAD, "fuzz",
                                     &(struct stasis_image_options){ .format = "raw" }, &image, NULL) != STASIS_OK)
                return 0;
        uint64_t va = load_le64(data + 9);
        stasis_space_init(&space, image, stasis_pagings[data[0] % 4], load_le64(data + 1));
        walk_and_read(&space, va);
        pass(&space, va);
        check_roots(root, windows_roots_told(image, root, 5), 5);
        check_roots(root, windows_roots_scan(image, root, WINDOWS_ROOTS_MAX, NULL, NULL), WINDOWS_ROOTS_MAX);
        stasis_image_close(image);
        return 0;
}
