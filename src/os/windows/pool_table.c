/* SPDX-License-Identifier: MIT */
#include "pool_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/bytes.h"

#define PAGE 4096
#define BATCH 128         /* entries that are read at once */
#define ENTRY_MAX 32      /* bytes */
#define SHAPE_BATCHES 32  /* the smallest table there is has as many: 4096 entries */
#define SHAPE_USED_MIN 3  /* entries in use that make a table, */
#define SHAPE_STRANGE 8   /* and one in so many of them may have an odd tag, as drivers do */
#define LOOK_BACK 16      /* blocks of pool do not overlap, but for freed ones */
#define FREED UINT64_C(1) /* POOL_BIG_TABLE_ENTRY_FREE */
#define BLOCK_LEN_MAX (UINT64_C(1) << 40)

/*
 * _POOL_TRACKER_BIG_PAGES: Va, then Key, then what is told here. No PDB before 7601.24540 has it; the older forms are
 * those of Volatility 3 (symbols/windows/bigpools), of the Windows Research Kernel (pool.h: NumberOfPages) and of
 * ReactOS (that, and a QuotaObject behind it). 20348 added ProcessBilled (public PDBs of 20348 and 22000).
 */
static const struct form {
        uint8_t pointer_size, size, len_at, len_size; /* len_size 0: it does not say how long the block is */
        bool pages;                                   /* in these, not in bytes */
        uint32_t since, until;                        /* builds */
} forms[] = {
        /* the longest first: of two that fit alike, a shorter one passes over half of what is there */
        { 8, 32, 16, 8, false, 20348, UINT32_MAX },
        { 8, 24, 16, 8, false, 6000, 20347 },
        { 8, 16, 12, 4, true, 0, 3790 },
        { 4, 16, 12, 4, false, 6000, UINT32_MAX },
        { 4, 16, 8, 4, true, 0, 3790 },
        { 4, 12, 8, 4, true, 0, 3790 },
        { 4, 8, 0, 0, false, 0, 3790 },
};

static bool applies(const struct windows *w, const struct form *f)
{
        uint32_t build = w->version.build;
        return f->pointer_size == w->pointer_size && (!build || (build >= f->since && build <= f->until));
}

/* ---------------------------------------------------------------- one entry */

struct entry {
        struct pool_block block;
        uint32_t key;
};

/* A tag is four characters, of which the last may have its highest bit set (PROTECTED_POOL) and the end may be zero. */
static bool is_tag(uint32_t key)
{
        bool ended = false;
        for (unsigned i = 0; i < 4; i++) {
                uint8_t c = (uint8_t)(key >> 8 * i) & (i == 3 ? 0x7f : 0xff);
                if (c ? ended || c < 0x20 || c > 0x7e : !i)
                        return false;
                ended |= !c;
        }
        return true;
}

enum shape { UNUSED, USED, STRANGE };

static enum shape decode(const struct windows *w, const struct form *f, const uint8_t *at, struct entry *ret_entry)
{
        uint64_t va = load_le(at, f->pointer_size);
        struct entry e = { .block = { .va = va & ~FREED, .len = PAGE, .freed = va & FREED },
                           .key = load_le32(at + f->pointer_size) };
        if (!e.block.va)
                return UNUSED;
        if (e.block.va % PAGE || !is_kernel_address(w, e.block.va) || !is_tag(e.key))
                return STRANGE;
        if (f->len_size) {
                uint64_t len = load_le(at + f->len_at, f->len_size);
                if (!len || len > (f->pages ? BLOCK_LEN_MAX / PAGE : BLOCK_LEN_MAX))
                        return STRANGE;
                e.block.len = f->pages ? len * PAGE : len;
        }
        if (e.block.len > (w->is64 ? UINT64_MAX : UINT32_MAX) - e.block.va + 1)
                return STRANGE;
        *ret_entry = e;
        return USED;
}

/* ---------------------------------------------------------------- the table */

struct batch {
        size_t used, strange;
};

static bool read_batch(const struct windows *w, const struct form *f, uint64_t table, size_t number, uint8_t *bytes)
{
        uint64_t len = (uint64_t)BATCH * f->size;
        return stasis_space_read(w->kernel, table + number * len, bytes, (size_t)len) == STASIS_OK;
}

static struct batch shape_of(const struct windows *w, const struct form *f, const uint8_t *bytes)
{
        struct batch sum = { 0 };
        struct entry entry;
        for (size_t i = 0; i < BATCH; i++) {
                enum shape shape = decode(w, f, bytes + i * f->size, &entry);
                sum.used += shape == USED;
                sum.strange += shape == STRANGE;
        }
        return sum;
}

/* How many entries of a table of this form are in use; 0: it is none. */
static size_t used_entries(const struct windows *w, const struct form *f, uint64_t table)
{
        uint8_t bytes[BATCH * ENTRY_MAX];
        struct batch sum = { 0 };
        for (size_t i = 0; i < SHAPE_BATCHES; i++) {
                if (!read_batch(w, f, table, i, bytes))
                        break;
                struct batch more = shape_of(w, f, bytes);
                sum.used += more.used;
                sum.strange += more.strange;
                if (sum.strange > BATCH / 2)
                        return 0;
        }
        return sum.used >= SHAPE_USED_MIN && sum.strange <= sum.used / SHAPE_STRANGE ? sum.used : 0;
}

struct found {
        uint64_t table;
        const struct form *form;
        size_t used;
};

/* Is there a table at this address? The form in which most of its entries are in use. */
static void try_table(const struct windows *w, uint64_t table, struct found *best)
{
        if (table % PAGE || !is_kernel_address(w, table))
                return;
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
                size_t used = applies(w, &forms[i]) ? used_entries(w, &forms[i], table) : 0;
                if (used > best->used)
                        *best = (struct found){ table, &forms[i], used };
        }
}

/* One page's worth of the kernel's data. */
static void try_words(const struct windows *w, struct stasis_bytes bytes, struct found *best)
{
        for (size_t i = 0; i + w->pointer_size <= bytes.len; i += w->pointer_size) {
                uint64_t word = load_le(bytes.at + i, w->pointer_size);
                if (word % PAGE == 0 && word != best->table && !(word >= w->pe.base && word - w->pe.base < w->pe.size))
                        try_table(w, word, best);
        }
}

static void find_by_shape(const struct windows *w, struct found *best)
{
        uint8_t page[PAGE]; /* a copy: what is looked up meanwhile may take the view's place */
        for (struct pe_part part = { 0 }; pe_next_part(&w->pe, PE_WRITABLE, &part);)
                for (uint64_t va = part.va, step; va < part.end; va += step) {
                        step = PAGE - va % PAGE;
                        step = step < part.end - va ? step : part.end - va;
                        struct stasis_bytes bytes = stasis_space_view(w->kernel, va, (size_t)step);
                        if (!bytes.at)
                                continue;
                        memcpy(page, bytes.at, bytes.len);
                        try_words(w, (struct stasis_bytes){ page, bytes.len }, best);
                }
}

static bool find(const struct windows *w, struct found *ret_found)
{
        uint64_t variable, table;
        const char *how = "by its shape";
        *ret_found = (struct found){ 0 };
        if (windows_symbol(w, "PoolBigPageTable", &variable) &&
            read_pointer(w, w->kernel, variable, &table) == STASIS_OK) {
                try_table(w, table, ret_found);
                how = ret_found->used ? "PDB symbol" : how;
        }
        if (!ret_found->used && w->has_pe)
                find_by_shape(w, ret_found);
        if (!ret_found->used) {
                system_trace(w->system, "pool-table", false,
                             "no word of the kernel's data leads to a table of large "
                             "blocks of pool");
                return false;
        }
        system_trace(w->system, "pool-table", true,
                     "PoolBigPageTable (%s): table at 0x%" PRIx64 ", entries of %u bytes", how, ret_found->table,
                     ret_found->form->size);
        return true;
}

/* ---------------------------------------------------------------- what it holds */

static bool keep(struct pool_table *t, const struct pool_block *block)
{
        if (t->count >= POOL_BLOCKS_MAX)
                return true;
        if (!stasis_grow(&t->block, &t->capacity, t->count + 1, sizeof *t->block))
                return false;
        t->block[t->count++] = *block;
        return true;
}

static int by_va(const void *a, const void *b)
{
        const struct pool_block *p = a, *q = b;
        if (p->va != q->va)
                return p->va > q->va ? 1 : -1;
        return p->freed - q->freed;
}

/* To where it is a table no more: its size is in another variable, of which nothing is known. */
static bool read_all(const struct windows *w, const struct found *found, uint32_t tag, uint32_t mask,
                     struct pool_table *t)
{
        uint8_t bytes[BATCH * ENTRY_MAX];
        struct entry entry;
        for (size_t n = 0; n < POOL_TABLE_ENTRIES_MAX / BATCH; n++) {
                if (!read_batch(w, found->form, found->table, n, bytes) ||
                    shape_of(w, found->form, bytes).strange > BATCH / 2)
                        break;
                for (size_t i = 0; i < BATCH; i++)
                        if (decode(w, found->form, bytes + i * found->form->size, &entry) == USED &&
                            (entry.key & mask) == (tag & mask) && !keep(t, &entry.block))
                                return false;
        }
        return true;
}

enum stasis_status pool_table_read(const struct windows *w, uint32_t tag, uint32_t mask, struct pool_table *ret_table)
{
        struct found found;
        struct pool_table t = { 0 };
        *ret_table = t;
        if (!find(w, &found))
                return STASIS_OK;
        t.va = found.table;
        if (!read_all(w, &found, tag, mask, &t)) {
                pool_table_free(&t);
                return STASIS_NOMEM;
        }
        if (t.count)
                qsort(t.block, t.count, sizeof *t.block, by_va);
        *ret_table = t;
        return STASIS_OK;
}

const struct pool_block *pool_table_block(const struct pool_table *table, uint64_t va)
{
        size_t low = 0, high = table->count;
        const struct pool_block *freed = NULL;
        while (low < high) { /* the first that begins above va */
                size_t middle = low + (high - low) / 2;
                if (table->block[middle].va <= va)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (size_t back = 0; low-- > 0 && back < LOOK_BACK; back++) { /* a longer one may begin before a shorter one */
                const struct pool_block *b = &table->block[low];
                if (va - b->va >= b->len)
                        continue;
                if (!b->freed)
                        return b;
                freed = freed ? freed : b;
        }
        return freed;
}

void pool_table_free(struct pool_table *table)
{
        free(table->block);
        *table = (struct pool_table){ 0 };
}
