/* SPDX-License-Identifier: MIT */
/*
 * A layout made member by member, of what an image itself shows (src/os/windows/infer.c). It has the members that were
 * put into it and no other; structures have no size, so that a member which is not there is "not known", and never
 * "not in this version". Enumerations are those of a related built-in layout, where one was named.
 */
#include "layout_made.h"

#include <stdlib.h>
#include <string.h>

struct made_member {
        const char *structure;
        const char *name;
        struct stasis_member member;
};

struct made {
        struct stasis_layout layout; /* first: a layout of this backend is one of these */
        const struct stasis_layout *family;
        size_t count;
        struct made_member member[LAYOUT_MADE_MEMBERS_MAX];
};

static bool made_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        const struct made *made = (const struct made *)layout;
        for (size_t i = 0; i < made->count; i++)
                if (strncmp(made->member[i].structure, name, len) == 0 && made->member[i].structure[len] == '\0') {
                        *ret_view = (struct layout_view){ .layout = layout, .id = i }; /* its first member */
                        return true;
                }
        return false;
}

static bool made_next(struct layout_walk *walk)
{
        const struct made *made = (const struct made *)walk->view.layout;
        const char *structure = made->member[walk->view.id].structure;
        while (walk->at < made->count) {
                const struct made_member *m = &made->member[walk->at++];
                if (strcmp(m->structure, structure) != 0)
                        continue;
                walk->name = m->name;
                walk->member = m->member;
                return true;
        }
        return false;
}

static size_t made_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max)
{
        const struct made *made = (const struct made *)layout;
        return made->family ? stasis_layout_enum(made->family, name, names, max) : 0;
}

static void made_close(struct stasis_layout *layout) { free(layout); }

static const struct layout_backend backend = {
        .open = made_open,
        .next = made_next,
        .enumeration = made_enum,
        .close = made_close,
};

struct stasis_layout *layout_made_new(const char *name, uint8_t pointer_size, const struct stasis_layout *family)
{
        struct made *made = calloc(1, sizeof *made);
        if (!made)
                return NULL;
        made->layout = (struct stasis_layout){ .name = name, .backend = &backend, .pointer_size = pointer_size };
        made->family = family;
        return &made->layout;
}

bool layout_made_add(struct stasis_layout *layout, const char *structure, const char *name,
                     const struct stasis_member *member)
{
        struct made *made = (struct made *)layout;
        if (made->count == LAYOUT_MADE_MEMBERS_MAX)
                return false;
        made->member[made->count++] = (struct made_member){ structure, name, *member };
        return true;
}

const struct stasis_layout *layout_made_family(const struct stasis_layout *layout)
{
        return layout->backend == &backend ? ((const struct made *)layout)->family : NULL;
}
