/* SPDX-License-Identifier: MIT */
/* Asks a layout for everything that it names; answers must keep what layout.h promises. */
#ifndef STASIS_FUZZ_LAYOUT_ASK_H
#define STASIS_FUZZ_LAYOUT_ASK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../os/layout_internal.h"

/* All bit-fields of a word: sorted, apart, inside. */
static inline void ask_bits(const struct stasis_layout *layout, const char *path, const struct stasis_member *m)
{
        struct stasis_name names[64];
        unsigned at = 0;
        size_t count = stasis_layout_bits(layout, path, names, 64);
        for (size_t i = 0; i < count && i < 64; i++) {
                if (names[i].bit < at || names[i].len == 0)
                        abort();
                at = names[i].bit + names[i].len;
        }
        if (m->size <= 8 && at > m->size * 8)
                abort();
}

/* The first members of a structure, and what lies in them. */
static inline void ask_structure(const struct stasis_layout *layout, const char *structure)
{
        struct layout_view view;
        size_t asked = 0;
        if (!layout->backend->open(layout, structure, strlen(structure), &view))
                return;
        struct layout_walk walk = { .view = view };
        while (asked++ < 16 && view.layout->backend->next(&walk)) {
                char path[256];
                struct stasis_member m;
                snprintf(path, sizeof path, "%s.%s", structure, walk.name);
                if (!stasis_layout_member(layout, path, &m))
                        continue; /* a name with a dot in it, or too long */
                if (m.bits && m.bit + m.bits > m.size * 8)
                        abort();
                ask_bits(layout, path, &m);
                snprintf(path, sizeof path, "%s.%s.%s.%s", structure, walk.name, walk.name, walk.name);
                stasis_layout_member(layout, path, &m);
        }
}

/* Every string of bytes as a name, the first few. */
static inline void ask_strings(const struct stasis_layout *layout, struct stasis_bytes strings)
{
        struct stasis_name values[8];
        uint64_t address;
        unsigned asked = 0;
        for (size_t at = 0; at < strings.len && asked++ < 32;) {
                char name[128];
                size_t len = strnlen((const char *)strings.at + at, strings.len - at);
                snprintf(name, sizeof name, "%.*s", (int)(len < 127 ? len : 127), (const char *)strings.at + at);
                if (layout->backend->open)
                        ask_structure(layout, name);
                stasis_layout_sizeof(layout, name);
                stasis_layout_enum(layout, name, values, 8);
                stasis_layout_symbol(layout, name, &address);
                at += len + 1;
        }
}

#endif
