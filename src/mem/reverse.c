/* SPDX-License-Identifier: MIT */
#include "reverse.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "../base/error.h"

#define PAGE_SHIFT 12
#define SIEVE_BITS 4096

/* One table on the way down, and the one that the twin has in its place. */
struct table {
        uint64_t pa, va; /* va: of its first entry */
        struct stasis_bytes held;
        uint64_t twin; /* STASIS_NOWHERE: none */
        uint32_t next; /* the entry to look at */
        bool counted;  /* as unreadable */
};

struct reverse {
        const struct stasis_image *image;
        stasis_found *found;
        void *ctx;
        uint64_t left, unreadable;
        uint64_t *pa; /* sorted, each once */
        size_t count;
        uint8_t sieve[SIEVE_BITS / 8]; /* by the low bits of the frame's number: most frames end here */
        struct stasis_mapping mapping;
        const struct stasis_paging *paging;
        struct table table[STASIS_LEVELS_MAX];
};

/* ---------------------------------------------------------------- what is asked for */

static int by_pa(const void *a, const void *b)
{
        uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
        return (p > q) - (p < q);
}

static void put_in_sieve(struct reverse *r, uint64_t pa)
{
        uint64_t bit = (pa >> PAGE_SHIFT) % SIEVE_BITS;
        r->sieve[bit / 8] |= (uint8_t)(1u << bit % 8);
}

static bool sieve_lets(const struct reverse *r, uint64_t pa)
{
        uint64_t bit = (pa >> PAGE_SHIFT) % SIEVE_BITS;
        return r->sieve[bit / 8] >> bit % 8 & 1;
}

struct reverse *reverse_new(const struct stasis_image *image, const uint64_t *pa, size_t count, stasis_found *found,
                            void *ctx)
{
        struct reverse *r = calloc(1, sizeof *r);
        uint64_t *sorted = calloc(count + 1, sizeof *sorted);
        if (!r || !sorted) {
                free(r);
                free(sorted);
                return NULL;
        }
        *r = (struct reverse){ .image = image,
                               .found = found,
                               .ctx = ctx,
                               .left = STASIS_PASS_MIN + stasis_image_file_size(image) / 2,
                               .pa = sorted };
        if (count) {
                memcpy(sorted, pa, count * sizeof *sorted);
                qsort(sorted, count, sizeof *sorted, by_pa);
        }
        for (size_t i = 0; i < count; i++)
                if (!i || sorted[i] != sorted[i - 1]) {
                        put_in_sieve(r, sorted[i]);
                        sorted[r->count++] = sorted[i];
                }
        return r;
}

void reverse_free(struct reverse *reverse)
{
        if (reverse)
                free(reverse->pa);
        free(reverse);
}

uint64_t reverse_unreadable(const struct reverse *reverse) { return reverse->unreadable; }

/* The first one at or above pa. */
static size_t first_at(const struct reverse *r, uint64_t pa)
{
        size_t low = 0, high = r->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (r->pa[middle] < pa)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* ---------------------------------------------------------------- the descent */

static uint64_t canonical(const struct stasis_paging *paging, uint64_t va)
{
        bool upper = paging->sign_extended && va >> (paging->va_bits - 1) & 1;
        return upper ? va | UINT64_MAX << (paging->va_bits - 1) : va;
}

static bool upper_half(const struct stasis_paging *paging, uint64_t va) { return va >> (paging->va_bits - 1) & 1; }

static void enter(struct reverse *r, unsigned level, uint64_t pa, uint64_t va, uint64_t twin)
{
        size_t len = (size_t)r->paging->entry_size << r->paging->level[level].bits;
        r->table[level] =
                (struct table){ .pa = pa, .va = va, .held = stasis_image_hold(r->image, pa, len), .twin = twin };
}

static enum stasis_status load(const struct reverse *r, const struct table *table, uint32_t index, uint64_t *ret_value)
{
        size_t size = r->paging->entry_size, off = index * size;
        if (off + size > table->held.len)
                return stasis_paging_load(r->image, r->paging, table->pa + off, ret_value);
        *ret_value = load_le(table->held.at + off, size);
        return STASIS_OK;
}

/* What the twin's table has in this place; 0 (not present) where it has none. */
static uint64_t twin_entry(const struct reverse *r, unsigned level, uint32_t index)
{
        uint64_t twin = r->table[level].twin, value;
        if (twin == STASIS_NOWHERE ||
            stasis_paging_load(r->image, r->paging, twin + (uint64_t)index * r->paging->entry_size, &value) !=
                    STASIS_OK)
                return 0;
        return value;
}

/* Do both name the same page, or the same table? Accessed and dirty bits may differ. */
static bool same_target(const struct stasis_paging *paging, unsigned level, uint64_t a, uint64_t b)
{
        return (b & STASIS_ENTRY_PRESENT) && (a & paging->frame_mask) == (b & paging->frame_mask) &&
               stasis_paging_leaf(paging, level, a) == stasis_paging_leaf(paging, level, b);
}

/* In the kernel's own tables the upper half is nobody's, and the lower one that process's whose tables they are. */
static struct stasis_mapping of_half(const struct stasis_mapping *mapping, bool upper)
{
        struct stasis_mapping told = *mapping;
        if (told.kernel && upper) {
                told.pid = -1;
                told.object = 0;
                told.process = NULL;
        }
        told.kernel &= upper;
        return told;
}

/* Every address asked for that lies in this page. False: the caller wants no more. */
static bool tell(struct reverse *r, unsigned level, uint64_t value, uint64_t va)
{
        const struct stasis_paging *paging = r->paging;
        const uint64_t size = UINT64_C(1) << paging->level[level].shift;
        const uint64_t pa = stasis_paging_page(paging, level, value);
        struct stasis_walk *walk = &r->mapping.walk;
        if (size == UINT64_C(1) << PAGE_SHIFT && !sieve_lets(r, pa))
                return true;
        for (size_t i = first_at(r, pa); i < r->count && r->pa[i] - pa < size; i++) {
                walk->va = canonical(paging, va) + (r->pa[i] - pa);
                walk->pa = r->pa[i];
                walk->page_size = size;
                walk->depth = (uint8_t)(level + 1);
                walk->entry[level].pa = r->table[level].pa + (uint64_t)(r->table[level].next - 1) * paging->entry_size;
                walk->entry[level].value = value;
                const struct stasis_mapping told = of_half(&r->mapping, upper_half(paging, va));
                if (!r->found(r->ctx, &told))
                        return false;
        }
        return true;
}

/* The next entry of the table at *level: told, entered, or passed over. */
static enum stasis_status step(struct reverse *r, unsigned *level)
{
        const struct stasis_paging *paging = r->paging;
        struct table *table = &r->table[*level];
        const uint32_t index = table->next++;
        const uint64_t va = table->va | (uint64_t)index << paging->level[*level].shift;
        uint64_t value;
        if (load(r, table, index, &value) != STASIS_OK) {
                r->unreadable += !table->counted;
                table->counted = true;
                return STASIS_OK;
        }
        if (!(value & STASIS_ENTRY_PRESENT))
                return STASIS_OK;
        const uint64_t twin = twin_entry(r, *level, index), child = value & paging->frame_mask;
        if (upper_half(paging, va) && same_target(paging, *level, value, twin))
                return STASIS_OK;
        if (stasis_paging_leaf(paging, *level, value))
                return tell(r, *level, value, va) ? STASIS_OK : STASIS_ABSENT;
        const bool table_too = (twin & STASIS_ENTRY_PRESENT) && !stasis_paging_leaf(paging, *level, twin);
        r->mapping.walk.entry[*level].pa = table->pa + (uint64_t)index * paging->entry_size;
        r->mapping.walk.entry[*level].value = value;
        enter(r, ++*level, child, va, table_too ? twin & paging->frame_mask : STASIS_NOWHERE);
        return STASIS_OK;
}

enum stasis_status reverse_pass(struct reverse *r, const struct stasis_paging *paging, uint64_t root, uint64_t twin,
                                const struct stasis_mapping *like)
{
        enum stasis_status status = STASIS_OK;
        unsigned level = 0;
        r->paging = paging;
        r->mapping = *like;
        enter(r, 0, root & paging->root_mask, 0, twin == STASIS_NOWHERE ? twin : twin & paging->root_mask);
        while (status == STASIS_OK) {
                if (r->table[level].next >> paging->level[level].bits) {
                        if (level-- == 0)
                                return STASIS_OK;
                        continue;
                }
                if (r->left-- == 0) {
                        r->left = 0;
                        return STASIS_LIMIT;
                }
                status = step(r, &level);
        }
        return status;
}

enum stasis_status stasis_space_reverse(struct stasis_space *space, const uint64_t *pa, size_t count,
                                        stasis_found *found, void *ctx, uint64_t *ret_unreadable)
{
        const struct stasis_mapping nobody = { .pid = -1 };
        if (!space->paging->levels)
                return STASIS_USAGE;
        struct reverse *r = reverse_new(space->image, pa, count, found, ctx);
        if (!r)
                return STASIS_NOMEM;
        enum stasis_status status = reverse_pass(r, space->paging, space->root, STASIS_NOWHERE, &nobody);
        if (ret_unreadable)
                *ret_unreadable = reverse_unreadable(r);
        reverse_free(r);
        return status == STASIS_ABSENT ? STASIS_OK : status;
}
