/* SPDX-License-Identifier: MIT */
/* Where the members lie that moved, by build: x64. store_internal.h says what F and M are. */
#include "store_internal.h"

static const struct store_places places[] = {
        /* first, last, regions, owner, format, link, back, number_in_key */
        { 14393, 14393, 0x17a8, 0x1918, 0x50 + 0x3d0, 0, 0, true, "F, M" },
        { 15063, 15063, 0x1828, 0x1988, 0x50 + 0x3d0, 0, 0, true, "F, M" },
        { 16299, 17763, 0x1848, 0x19a8, 0x50 + 0x3e0, 0, 0, true, "F, M" },
        { 18362, 18363, 0x1848, 0x19a8, 0x50 + 0x3e0, 0, 0, true, "F (18362), M" },
        { 19041, 19045, 0x1848, 0x19b8, 0x50 + 0x3e0, 0, 0, true, "M" },
        { 20348, 20348, 0x1848, 0x19b8, 0x50 + 0x3e0, 0, 0, true, "M" },
        { 22000, 22000, 0x1848, 0x19b8, 0x50 + 0x3e0, 0, 0, true, "M" },
        { 22621, 22631, 0x1848, 0x19b8, 0x50 + 0x3e0, 0x8, 0x7a8, true, "M" },
        { 26100, 26100, 0x1b70, 0x1d08, 0, 0x10, 0xc30, false, "M" },
};

const struct store_places *store_places_of(uint32_t build)
{
        for (size_t i = 0; i < sizeof places / sizeof *places; i++)
                if (build >= places[i].first && build <= places[i].last)
                        return &places[i];
        return NULL;
}
