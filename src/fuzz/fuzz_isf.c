/* SPDX-License-Identifier: MIT */
/* An ISF file from bytes: parsed, then asked for everything it names; answers must stay inside what it says. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../os/layout_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All bit-fields of a word: sorted, apart, inside. */
static void check_bits(const struct stasis_layout *layout, const char *path, const struct stasis_member *m)
{
        struct stasis_name names[64];
        unsigned at = 0;
        size_t count = stasis_layout_bits(layout, path, names, 64);
        if (count > 64)
                abort();
        for (size_t i = 0; i < count; i++) {
                if (names[i].bit < at || names[i].len == 0)
                        abort();
                at = names[i].bit + names[i].len;
        }
        if (at > m->size * 8)
                abort();
}

static void ask(const struct stasis_layout *layout, const char *structure)
{
        struct layout_view view;
        size_t len = strlen(structure), asked = 0;
        if (!layout_isf_open(layout, structure, len, &view))
                return;
        struct layout_walk walk = { .view = view };
        while (layout_isf_next(&walk) && asked++ < 16) {
                char path[256];
                struct stasis_member m;
                snprintf(path, sizeof path, "%s.%s", structure, walk.name);
                if (!stasis_layout_member(layout, path, &m))
                        continue; /* a name with a dot or a quote in it, or too long */
                if (m.bits && m.bit + m.bits > m.size * 8)
                        abort();
                check_bits(layout, path, &m);
                snprintf(path, sizeof path, "%s.%s.%s.%s", structure, walk.name, walk.name, walk.name);
                stasis_layout_member(layout, path, &m);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const char *const names[] = { "_KTHREAD", "_HEADER", "__unnamed_1", "_S" };
        struct stasis_layout *layout = NULL;
        struct stasis_error err;
        struct stasis_name values[8];
        uint64_t rva;
        if (size > 1 << 20)
                return 0;
        if (layout_isf_parse((struct stasis_bytes){ data, size }, "fuzz", &layout, &err) != STASIS_OK)
                return 0;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                ask(layout, names[i]);
        stasis_layout_enum(layout, "_KWAIT_REASON", values, 8);
        stasis_layout_symbol(layout, "PsActiveProcessHead", &rva);
        stasis_layout_close(layout);
        return 0;
}
