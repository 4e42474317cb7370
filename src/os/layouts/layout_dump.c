/* SPDX-License-Identifier: MIT */
/*
 * layout-dump NAME|FILE...: answers what is asked on standard input, a line each; check.py compares. Answers are in
 * hex.
 *
 *   m PATH    offset size count bit bits type target, or -
 *   s STRUCT  its size
 *   e ENUM    value=name ... (decimal), or -
 *   b PATH    bit+len:name ...
 *   y SYMBOL  address, or -
 */
#include <stdio.h>
#include <string.h>

#include "src/os/layout.h"

static void show_member(const struct stasis_layout *layout, const char *path)
{
        static const char *const types[] = { "unsigned", "signed", "pointer", "struct", "opaque" };
        struct stasis_member m;
        if (stasis_layout_member(layout, path, &m))
                printf("%x %x %x %x %x %s %s\n", m.offset, m.size, m.count, m.bit, m.bits, types[m.type],
                       m.target ? m.target : "");
        else
                printf("-\n");
}

static void show_names(const struct stasis_layout *layout, char kind, const char *what)
{
        struct stasis_name names[512];
        size_t count = kind == 'e' ? stasis_layout_enum(layout, what, names, 512)
                                   : stasis_layout_bits(layout, what, names, 512);
        for (size_t i = 0; i < count && i < 512; i++) {
                if (kind == 'e')
                        printf("%s%d=%s", i ? " " : "", (int32_t)names[i].value, names[i].name);
                else
                        printf("%s%u+%u:%s", i ? " " : "", names[i].bit, names[i].len, names[i].name);
        }
        printf(count ? "\n" : "-\n");
}

static void answer(const struct stasis_layout *layout, char kind, const char *what)
{
        uint64_t rva;
        if (kind == 'm')
                show_member(layout, what);
        else if (kind == 's')
                printf("%x\n", stasis_layout_sizeof(layout, what));
        else if (kind == 'e' || kind == 'b')
                show_names(layout, kind, what);
        else if (kind == 'y' && stasis_layout_symbol(layout, what, &rva))
                printf("%llx\n", (unsigned long long)rva);
        else
                printf("-\n");
}

int main(int argc, char **argv)
{
        char line[1024];
        struct stasis_error err;
        struct stasis_layout *own = NULL;
        const struct stasis_layout *layout = argc == 2 ? stasis_layout_by_name(argv[1]) : NULL;
        if (argc < 2) {
                fprintf(stderr, "usage: layout-dump NAME|FILE...\n");
                return 1;
        }
        if (!layout) {
                const char *const *paths = (const char *const *)&argv[1];
                if (stasis_layout_open_symbols(paths, (size_t)argc - 1, &own, &err) != STASIS_OK) {
                        fprintf(stderr, "%s\n", err.text);
                        return 2;
                }
                layout = own;
        }
        while (fgets(line, sizeof line, stdin)) {
                line[strcspn(line, "\n")] = '\0';
                if (line[0] && line[1] == ' ')
                        answer(layout, line[0], line + 2);
        }
        stasis_layout_close(own);
        return 0;
}
