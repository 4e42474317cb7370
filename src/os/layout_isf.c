/* SPDX-License-Identifier: MIT */
/* Answers from an ISF file. */
#include "layout_isf.h"

#include <stdlib.h>
#include <string.h>

const void *isf_find(const void *items, size_t count, size_t item_size, const char *name, size_t len)
{
        size_t low = 0, high = count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const char *const *item = (const void *)((const char *)items + middle * item_size);
                int order = strncmp(*item, name, len);
                if (order == 0 && (*item)[len] == '\0')
                        return item;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

static const struct isf *isf_of(const struct stasis_layout *layout) { return (const struct isf *)layout; }

bool layout_isf_open(const struct stasis_layout *layout, const char *name, size_t len, struct layout_view *ret_view)
{
        const struct isf *isf = isf_of(layout);
        const struct isf_struct *s = isf_find(isf->structs.at, isf->structs.count, sizeof *isf->structs.at, name, len);
        if (!s)
                return false;
        *ret_view = (struct layout_view){ .layout = layout, .size = s->size, .isf = s };
        return true;
}

bool layout_isf_next(struct layout_walk *walk)
{
        const struct isf *isf = isf_of(walk->view.layout);
        if (walk->at >= walk->view.isf->count)
                return false;
        const struct isf_member *m = &isf->members.at[walk->view.isf->first + walk->at++];
        walk->name = m->name;
        walk->member = m->member;
        return true;
}

static size_t isf_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max)
{
        const struct isf *isf = isf_of(layout);
        const struct isf_enum *e = isf_find(isf->enums.at, isf->enums.count, sizeof *isf->enums.at, name, strlen(name));
        if (!e)
                return 0;
        for (size_t i = 0; i < e->count && i < max; i++)
                names[i] = isf->values.at[e->first + i];
        return e->count;
}

static bool isf_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva)
{
        const struct isf *isf = isf_of(layout);
        const struct isf_symbol *s =
                isf_find(isf->symbols.at, isf->symbols.count, sizeof *isf->symbols.at, symbol, strlen(symbol));
        if (!s)
                return false;
        *ret_rva = s->address;
        return true;
}

static int by_address(const void *a, const void *b)
{
        const struct isf_symbol *x = a, *y = b;
        if (x->address != y->address)
                return x->address < y->address ? -1 : 1;
        return strcmp(x->name, y->name);
}

/* A layout belongs to one thread at a time, so that the second order may be made when it is asked for first. */
static const struct isf_symbol *symbols_by_address(struct isf *isf)
{
        if (!isf->by_address && isf->symbols.count) {
                isf->by_address = calloc(isf->symbols.count, sizeof *isf->by_address);
                if (!isf->by_address)
                        return NULL;
                memcpy(isf->by_address, isf->symbols.at, isf->symbols.count * sizeof *isf->by_address);
                qsort(isf->by_address, isf->symbols.count, sizeof *isf->by_address, by_address);
        }
        return isf->by_address;
}

bool layout_isf_symbol_below(const struct stasis_layout *layout, uint64_t address, const char **ret_name,
                             uint64_t *ret_address)
{
        struct isf *isf = (struct isf *)(uintptr_t)layout;
        const struct isf_symbol *at = layout->backend == &layout_isf ? symbols_by_address(isf) : NULL;
        size_t low = 0, high = at ? isf->symbols.count : 0;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (at[middle].address <= address)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low > 1 && at[low - 2].address == at[low - 1].address)
                low--;
        if (!low)
                return false;
        *ret_name = at[low - 1].name;
        *ret_address = at[low - 1].address;
        return true;
}

bool layout_isf_pdb(const struct stasis_layout *layout, struct stasis_pdb_id *ret_pdb)
{
        const struct isf *isf = layout->backend == &layout_isf ? isf_of(layout) : NULL;
        if (!isf || !isf->pdb_known)
                return false;
        *ret_pdb = isf->pdb;
        return true;
}

void layout_isf_close(struct stasis_layout *layout)
{
        struct isf *isf = (struct isf *)layout;
        free(isf->bases.at);
        free(isf->structs.at);
        free(isf->members.at);
        free(isf->enums.at);
        free(isf->values.at);
        free(isf->symbols.at);
        free(isf->by_address);
        stasis_arena_free(&isf->names);
        free(isf);
}

static bool isf_has_types(const struct stasis_layout *layout) { return isf_of(layout)->structs.count > 0; }

static bool isf_has_symbols(const struct stasis_layout *layout) { return isf_of(layout)->symbols.count > 0; }

const struct layout_backend layout_isf = {
        .open = layout_isf_open,
        .next = layout_isf_next,
        .enumeration = isf_enum,
        .symbol = isf_symbol,
        .has_types = isf_has_types,
        .has_symbols = isf_has_symbols,
        .close = layout_isf_close,
};
