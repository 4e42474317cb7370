/* SPDX-License-Identifier: MIT */
/* .eh_frame without .eh_frame_hdr: gone through once from its start, every entry beginning where the last one ends. */
#include <stdlib.h>

#include "../../base/arena.h"
#include "cfi.h"

#define ROWS_MAX (1u << 17) /* FDEs of one program; those with more have .eh_frame_hdr */

void cfi_index_free(struct cfi_index *index)
{
        free(index->row);
        *index = (struct cfi_index){ .row = NULL };
}

static int by_start(const void *a, const void *b)
{
        const struct cfi_index_row *x = a, *y = b;
        return x->start < y->start ? -1 : x->start > y->start;
}

/* false: memory is exhausted. */
static bool add(struct cfi_index *index, uint64_t start, uint64_t fde)
{
        if (!stasis_grow(&index->row, &index->capacity, index->count + 1, sizeof *index->row))
                return false;
        index->row[index->count++] = (struct cfi_index_row){ .start = start, .fde = fde };
        return true;
}

/*
 * A length of 0 ends the section; a linker leaves it to the last object file, so that what crtend.o brings may be
 * missing.
 */
static bool next(struct stasis_space *space, uint64_t at, uint64_t end, uint64_t *ret_len, bool *ret_whole)
{
        uint64_t len = 0;
        bool there = end - at >= 4 && stasis_space_u(space, at, 4, &len) == STASIS_OK;
        *ret_whole = at == end || (there && len == 0);
        *ret_len = len + 4;
        return there && len != 0 && len <= CFI_BYTES_MAX && len <= end - at - 4;
}

enum stasis_status cfi_index_make(struct stasis_space *space, const struct cfi_machine *machine, uint64_t va,
                                  uint64_t len, uint64_t bias, struct cfi_index *ret_index, bool *ret_whole)
{
        struct cfi_index index = { .row = NULL };
        uint64_t at = va, end = va + len, size;
        *ret_whole = false;
        while (end >= va && index.count < ROWS_MAX && next(space, at, end, &size, ret_whole)) {
                struct cfi_entry e;
                enum stasis_status status = cfi_entry_read(space, machine, at, &e);
                if (status == STASIS_OK && e.end > e.start && !add(&index, e.start - bias, at - bias)) {
                        cfi_index_free(&index);
                        return STASIS_NOMEM;
                }
                at += size;
        }
        if (index.count)
                qsort(index.row, index.count, sizeof *index.row, by_start);
        *ret_index = index;
        return STASIS_OK;
}

uint64_t cfi_index_find(const struct cfi_index *index, uint64_t pc)
{
        size_t low = 0, high = index->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (index->row[middle].start <= pc)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low ? index->row[low - 1].fde : 0;
}
