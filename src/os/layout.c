/* SPDX-License-Identifier: MIT */
/* Questions about structures, whatever answers them: built-in tables, an ISF file, BTF, DWARF. */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

#include "layout_internal.h"

static const struct layout_backend layout_builtin_backend = {
        .open = layout_builtin_open,
        .next = layout_builtin_next,
        .enumeration = layout_builtin_enum,
};

static const struct layout_backend *backend_of(const struct stasis_layout *layout)
{
        return layout->backend ? layout->backend : &layout_builtin_backend;
}

static bool view_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        const struct layout_backend *backend = backend_of(layout);
        return backend->open && backend->open(layout, name, len, ret_view);
}

/* A view tells whose it is: of several files in one layout, the one that knows the structure. */
static bool walk_next(struct layout_walk *walk) { return backend_of(walk->view.layout)->next(walk); }

/* The structure that the member is which the walk stands at. */
static bool view_enter(const struct layout_walk *walk, struct layout_view *ret_view)
{
        const struct stasis_layout *layout = walk->view.layout;
        const char *target = walk->member.target;
        if (walk->member.type != STASIS_TYPE_STRUCT)
                return false;
        if (backend_of(layout)->enter)
                return backend_of(layout)->enter(walk, ret_view);
        return target && view_open(layout, target, strlen(target), ret_view);
}

/* How much of path the member name takes up: all of it, or up to a dot. 0 where it is another name. */
static size_t name_match(const char *name, const char *path)
{
        size_t len = 0;
        while (name[len] && name[len] == path[len])
                len++;
        return name[len] == '\0' && (path[len] == '\0' || path[len] == '.') ? len : 0;
}

/*
 * The member that path starts with: one that is the whole path, else the longest structure in front of a dot ("a.b" may
 * be a member by itself, part of a foreign structure a).
 */
static bool member_step(const struct layout_view *view, const char *path, struct layout_walk *ret_walk, size_t *ret_len)
{
        struct layout_walk walk = { .view = *view };
        size_t best = 0;
        while (walk_next(&walk)) {
                size_t len = name_match(walk.name, path);
                bool whole = path[len] == '\0';
                if (len == 0 || len < best || (!whole && walk.member.type != STASIS_TYPE_STRUCT))
                        continue;
                best = len;
                *ret_walk = walk;
                if (whole)
                        break;
        }
        *ret_len = best;
        return best > 0;
}

/* Follows path from its first structure; ret_view and ret_base: the structure that the member lies in, and where that
 * starts. */
static bool path_find(const struct stasis_layout *layout, const char *path, struct stasis_member *ret_member,
                      struct layout_view *ret_view, uint32_t *ret_base)
{
        size_t len = strcspn(path, ".");
        uint32_t base = 0;
        struct layout_view view;
        if (path[len] == '\0' || !view_open(layout, path, len, &view))
                return false;
        for (path += len + 1;; path += len + 1) {
                struct layout_walk at;
                if (!member_step(&view, path, &at, &len))
                        return false;
                if (path[len] == '\0') {
                        *ret_view = view;
                        *ret_base = base;
                        at.member.offset += base;
                        *ret_member = at.member;
                        return true;
                }
                base += at.member.offset;
                if (!view_enter(&at, &view))
                        return false;
        }
}

bool stasis_layout_member(const struct stasis_layout *layout, const char *path, struct stasis_member *ret_member)
{
        struct layout_view view;
        uint32_t base;
        return path_find(layout, path, ret_member, &view, &base);
}

uint32_t stasis_layout_sizeof(const struct stasis_layout *layout, const char *structure)
{
        struct layout_view view;
        return view_open(layout, structure, strlen(structure), &view) ? view.size : 0;
}

/* ---- flag words */

#define BITS_MAX 256 /* bit-fields that may lie in one word, all views of it together */

struct bit_name {
        struct stasis_name name;
        bool exact; /* declared as part of a word at the very place and of the very size that was asked for */
};

/* Exact ones first, since they are the named view of the word; then by place, wide ones first, then by name. */
static int bit_rank(const void *a, const void *b)
{
        const struct bit_name *x = a, *y = b;
        if (x->exact != y->exact)
                return x->exact ? -1 : 1;
        if (x->name.bit != y->name.bit)
                return x->name.bit < y->name.bit ? -1 : 1;
        if (x->name.len != y->name.len)
                return x->name.len > y->name.len ? -1 : 1;
        return strcmp(x->name.name, y->name.name);
}

static int bit_place(const void *a, const void *b)
{
        const struct bit_name *x = a, *y = b;
        return x->name.bit - y->name.bit;
}

static uint64_t bit_mask(const struct stasis_name *name)
{
        return (name->len < 64 ? (UINT64_C(1) << name->len) - 1 : UINT64_MAX) << name->bit;
}

/* All bit-fields of the structure that lie in [word->offset, word->offset + word->size). */
static size_t bits_collect(const struct layout_view *view, const struct stasis_member *word,
                           struct bit_name bits[BITS_MAX])
{
        struct layout_walk walk = { .view = *view };
        size_t count = 0;
        while (count < BITS_MAX && walk_next(&walk)) {
                const struct stasis_member *m = &walk.member;
                int64_t bit = ((int64_t)m->offset - word->offset) * 8 + m->bit;
                if (m->bits == 0 || bit < 0 || bit + m->bits > (int64_t)word->size * 8)
                        continue;
                const char *dot = strrchr(walk.name, '.');
                bits[count++] = (struct bit_name){
                        .name = { .name = dot ? dot + 1 : walk.name, .bit = (uint8_t)bit, .len = m->bits },
                        .exact = m->offset == word->offset && m->size == word->size,
                };
        }
        return count;
}

/* Where views of the word overlap, the better ranked names stay. */
static size_t bits_settle(struct bit_name *bits, size_t count)
{
        uint64_t taken = 0;
        size_t kept = 0;
        qsort(bits, count, sizeof *bits, bit_rank);
        for (size_t i = 0; i < count; i++) {
                uint64_t mask = bit_mask(&bits[i].name);
                if (taken & mask)
                        continue;
                taken |= mask;
                bits[kept++] = bits[i];
        }
        qsort(bits, kept, sizeof *bits, bit_place);
        return kept;
}

size_t stasis_layout_bits(const struct stasis_layout *layout, const char *path, struct stasis_name *names, size_t max)
{
        struct bit_name bits[BITS_MAX];
        struct layout_view view;
        struct stasis_member word;
        uint32_t base;
        if (!path_find(layout, path, &word, &view, &base) || word.size > 8)
                return 0;
        word.offset -= base;
        size_t count = bits_settle(bits, bits_collect(&view, &word, bits));
        for (size_t i = 0; i < count && i < max; i++)
                names[i] = bits[i].name;
        return count;
}

size_t stasis_layout_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max)
{
        const struct layout_backend *backend = backend_of(layout);
        return backend->enumeration ? backend->enumeration(layout, name, names, max) : 0;
}

/* ---- the layout itself */

const char *stasis_layout_name(const struct stasis_layout *layout) { return layout->name; }

uint8_t stasis_layout_pointer_size(const struct stasis_layout *layout) { return layout->pointer_size; }

void stasis_layout_version(const struct stasis_layout *layout, uint32_t ret_version[4])
{
        memcpy(ret_version, layout->version, sizeof layout->version);
}

void stasis_layout_close(struct stasis_layout *layout)
{
        if (layout && layout->backend)
                layout->backend->close(layout);
}

bool stasis_layout_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva)
{
        const struct layout_backend *backend = backend_of(layout);
        return backend->symbol && backend->symbol(layout, symbol, ret_rva);
}

bool stasis_layout_has_types(const struct stasis_layout *layout)
{
        const struct layout_backend *backend = backend_of(layout);
        return backend->has_types ? backend->has_types(layout) : backend->open != NULL;
}

bool stasis_layout_has_symbols(const struct stasis_layout *layout)
{
        const struct layout_backend *backend = backend_of(layout);
        return backend->has_symbols ? backend->has_symbols(layout) : backend->symbol != NULL;
}
