/* SPDX-License-Identifier: MIT */
/* Exports by name and by address. Places: Microsoft, "PE Format", the .edata section. */
#include "pe.h"

#include <stdlib.h>

#include "../../base/bytes.h"

enum {
        EXPORT_LEN = 40,
        EXPORT_NAMES_MAX = 0x10000 /* ordinals are 16 bits wide */
};

struct export_table {
        uint32_t functions, names, ordinals; /* RVAs of the three arrays */
        uint32_t function_count, name_count;
};

static enum stasis_status export_table(struct stasis_space *space, const struct pe_image *pe, struct export_table *ret)
{
        uint8_t raw[EXPORT_LEN];

        if (pe->export_len < sizeof(raw) ||
            stasis_space_read(space, pe->base + pe->export_rva, raw, sizeof(raw)) != STASIS_OK)
                return STASIS_ABSENT;
        ret->function_count = load_le32(raw + 20);
        ret->name_count = load_le32(raw + 24);
        ret->functions = load_le32(raw + 28);
        ret->names = load_le32(raw + 32);
        ret->ordinals = load_le32(raw + 36);
        if (ret->name_count > EXPORT_NAMES_MAX || !pe_holds(pe, ret->functions, (uint64_t)ret->function_count * 4) ||
            !pe_holds(pe, ret->names, (uint64_t)ret->name_count * 4) ||
            !pe_holds(pe, ret->ordinals, (uint64_t)ret->name_count * 2))
                return STASIS_CORRUPT;
        return STASIS_OK;
}

/* Name number index against name, as strcmp orders them; false where it cannot be read. */
static bool compare_name(struct stasis_space *space, const struct pe_image *pe, const struct export_table *table,
                         uint32_t index, const char *name, int *ret_order)
{
        uint64_t rva;
        size_t len = strlen(name) + 1, done = 0;

        if (stasis_space_u(space, pe->base + table->names + UINT64_C(4) * index, 4, &rva) != STASIS_OK)
                return false;
        while (done < len) {
                struct stasis_bytes view = { NULL, 0 };

                if (pe_holds(pe, rva + done, 1))
                        view = stasis_space_view(space, pe->base + rva + done, len - done);
                if (!view.len)
                        return false;
                for (size_t i = 0; i < view.len; i++, done++) {
                        *ret_order = view.at[i] - (unsigned char)name[done];
                        if (*ret_order)
                                return true;
                }
        }
        return true;
}

/*
 * Names are sorted in every honest image, so that a binary search touches few pages. A page that is not there, or a
 * table that is not sorted, sends us through all of them.
 */
static bool find_name(struct stasis_space *space, const struct pe_image *pe, const struct export_table *table,
                      const char *name, uint32_t *ret_index)
{
        int order;

        for (uint32_t low = 0, high = table->name_count; low < high;) {
                uint32_t middle = low + (high - low) / 2;

                if (!compare_name(space, pe, table, middle, name, &order))
                        break;
                if (!order) {
                        *ret_index = middle;
                        return true;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (uint32_t i = 0; i < table->name_count; i++) {
                if (compare_name(space, pe, table, i, name, &order) && !order) {
                        *ret_index = i;
                        return true;
                }
        }
        return false;
}

/* A forwarder's function is no code: its text lies in the export data itself. */
static bool is_forwarder(const struct pe_image *pe, uint64_t rva)
{
        return rva >= pe->export_rva && rva - pe->export_rva < pe->export_len;
}

enum stasis_status pe_export(struct stasis_space *space, const struct pe_image *pe, const char *name, uint64_t *ret_va)
{
        struct export_table table;
        uint32_t index;
        uint64_t ordinal, rva;
        enum stasis_status status = export_table(space, pe, &table);

        if (status != STASIS_OK)
                return status;
        if (!find_name(space, pe, &table, name, &index) ||
            stasis_space_u(space, pe->base + table.ordinals + UINT64_C(2) * index, 2, &ordinal) != STASIS_OK)
                return STASIS_ABSENT;
        if (ordinal >= table.function_count)
                return STASIS_CORRUPT;
        if (stasis_space_u(space, pe->base + table.functions + 4 * ordinal, 4, &rva) != STASIS_OK)
                return STASIS_ABSENT;
        if (!rva || is_forwarder(pe, rva))
                return STASIS_ABSENT;
        if (!pe_holds(pe, rva, 1))
                return STASIS_CORRUPT;
        *ret_va = pe->base + rva;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- by address */

static int by_address(const void *a, const void *b)
{
        const struct pe_exported *x = a, *y = b;

        if (x->rva != y->rva)
                return x->rva < y->rva ? -1 : 1;
        return (x->name > y->name) - (x->name < y->name);
}

/* STASIS_OK: *ret_one is one; STASIS_CORRUPT: it is no place in this image; STASIS_ABSENT: not readable. */
static enum stasis_status exported_at(struct stasis_space *space, const struct pe_image *pe,
                                      const struct export_table *table, uint32_t index, struct pe_exported *ret_one)
{
        uint64_t name, ordinal, rva;

        if (stasis_space_u(space, pe->base + table->ordinals + UINT64_C(2) * index, 2, &ordinal) != STASIS_OK ||
            stasis_space_u(space, pe->base + table->names + UINT64_C(4) * index, 4, &name) != STASIS_OK)
                return STASIS_ABSENT;
        if (ordinal >= table->function_count || !pe_holds(pe, name, 1))
                return STASIS_CORRUPT;
        if (stasis_space_u(space, pe->base + table->functions + 4 * ordinal, 4, &rva) != STASIS_OK)
                return STASIS_ABSENT;
        if (!rva || is_forwarder(pe, rva) || !pe_holds(pe, rva, 1))
                return STASIS_CORRUPT;
        *ret_one = (struct pe_exported){ (uint32_t)rva, (uint32_t)name };
        return STASIS_OK;
}

enum stasis_status pe_exports_read(struct stasis_space *space, const struct pe_image *pe,
                                   struct pe_exports *ret_exports)
{
        struct export_table table;
        enum stasis_status status = export_table(space, pe, &table);

        memset(ret_exports, 0, sizeof(*ret_exports));
        if (status != STASIS_OK || !table.name_count)
                return status;
        struct pe_exported *at = calloc(table.name_count, sizeof(*at));
        if (!at)
                return STASIS_NOMEM;
        ret_exports->at = at;
        for (uint32_t i = 0; i < table.name_count; i++) {
                status = exported_at(space, pe, &table, i, &at[ret_exports->count]);
                ret_exports->count += status == STASIS_OK;
                ret_exports->torn = ret_exports->torn || status == STASIS_ABSENT;
        }
        qsort(at, ret_exports->count, sizeof(*at), by_address);
        return STASIS_OK;
}

const struct pe_exported *pe_exports_below(const struct pe_exports *exports, uint64_t rva)
{
        size_t low = 0, high = exports->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (exports->at[middle].rva <= rva)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low > 1 && exports->at[low - 2].rva == exports->at[low - 1].rva)
                low--;
        return low ? &exports->at[low - 1] : NULL;
}

void pe_exports_free(struct pe_exports *exports)
{
        free(exports->at);
        memset(exports, 0, sizeof(*exports));
}
