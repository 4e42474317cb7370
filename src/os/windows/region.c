/* SPDX-License-Identifier: MIT */
#include "region.h"

#include <string.h>

#define PAGE_LEN UINT64_C(0x1000)
#define NEEDLE_MAX 64

/* A needle that begins on this page and may end on the next one. */
static bool matches(struct stasis_space *space, uint64_t va, const uint8_t *at, size_t left, const uint8_t *needle,
                    size_t len)
{
        uint8_t copy[NEEDLE_MAX];

        if (left >= len)
                return !memcmp(at, needle, len);
        return !memcmp(at, needle, left) && stasis_space_read(space, va, copy, len) == STASIS_OK &&
               !memcmp(copy, needle, len);
}

bool region_find(struct stasis_space *space, uint64_t *va, uint64_t end, const void *needle, size_t len, size_t align)
{
        const uint8_t *bytes = (const uint8_t *)needle;
        uint64_t at = (*va + align - 1) / align * align;

        if (len > NEEDLE_MAX || end < len || at < *va)
                return false;
        if (end - at > REGION_LEN_MAX && end > at)
                end = at + REGION_LEN_MAX;
        while (at <= end - len) {
                uint64_t next = (at | (PAGE_LEN - 1)) + 1;
                struct stasis_bytes view = stasis_space_view(space, at, PAGE_LEN);

                for (size_t i = 0; i < view.len && at + i <= end - len; i += align) {
                        if (view.at[i] == bytes[0] && matches(space, at + i, view.at + i, view.len - i, bytes, len)) {
                                *va = at + i;
                                return true;
                        }
                }
                if (next < at)
                        return false;
                at = next;
        }
        return false;
}
