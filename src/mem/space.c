/* SPDX-License-Identifier: MIT */
/* An address space: walks with a memory, reads, and the pass over what is mapped. */
#include "space.h"

#include <stdlib.h>
#include <string.h>

#include "../base/bytes.h"
#include "../base/error.h"

#define PAGE UINT64_C(4096)

void stasis_space_init(struct stasis_space *space, const struct stasis_image *image, const struct stasis_paging *paging,
                       uint64_t root)
{
        memset(space, 0, sizeof(*space));
        space->image = image;
        space->paging = paging;
        space->root = root & paging->root_mask;
        space->prefix_shift = paging->levels ? paging->level[paging->levels - 2].shift : 12;
}

/* The only mode of a virtual image; as wide as the machine that its reader names. */
static const struct stasis_paging *flat_paging(const struct stasis_image *image, const char *mode)
{
        if (!mode || strcmp(mode, "flat") != 0)
                return NULL;
        return image->hints.machine == STASIS_MACHINE_X86 ? &stasis_paging_flat32 : &stasis_paging_flat64;
}

enum stasis_status stasis_space_open(const struct stasis_image *image, const char *mode, uint64_t root,
                                     struct stasis_space **ret_space, struct stasis_error *err)
{
        const struct stasis_paging *paging = image->is_virtual ? flat_paging(image, mode) : stasis_paging_by_name(mode);
        if (!paging)
                return stasis_fail(err, STASIS_USAGE,
                                   "no paging mode \"%s\" (x86, pae, x64, la57; flat for virtual images)",
                                   mode ? mode : "");
        struct stasis_space *space = malloc(sizeof(*space));
        if (!space)
                return stasis_fail(err, STASIS_NOMEM, "no memory for an address space");
        stasis_space_init(space, image, paging, root);
        *ret_space = space;
        return STASIS_OK;
}

void stasis_space_close(struct stasis_space *space) { free(space); }

const char *stasis_space_mode(const struct stasis_space *space) { return space->paging->name; }

uint64_t stasis_space_root(const struct stasis_space *space) { return space->root; }

enum stasis_status stasis_space_resolve(struct stasis_space *space, uint64_t va, struct stasis_soft_fault *fault)
{
        enum stasis_status status =
                stasis_paging_walk_again(space->image, &space->tables, space->paging, space->root, va, fault->walk);
        if (status != STASIS_ABSENT || !space->soft_fault || space->faults >= STASIS_FAULTS_MAX)
                return status;
        space->faults++;
        status = space->soft_fault(space->soft_fault_ctx, space, fault);
        space->faults--;
        return status;
}

enum stasis_status stasis_space_walk(struct stasis_space *space, uint64_t va, struct stasis_walk *ret_walk)
{
        struct stasis_soft_fault fault = { .walk = ret_walk };
        return stasis_space_resolve(space, va, &fault);
}

/*
 * ---- Translation in three steps, each for what the one before does not know: the TLB, by page; the prefixes, by
 * last-level table; the walk. An image never changes, so that nothing is ever remembered too long. Keys are never 0,
 * and never those of an address that cannot exist: such are not entered. Their high bits are folded in, for strides
 * that are powers of two.
 */

static inline struct stasis_tlb_entry *tlb_slot(struct stasis_space *space, uint64_t va)
{
        uint64_t key = va / PAGE;
        return &space->tlb[(key ^ key >> 10) % STASIS_TLB_SIZE];
}

static inline struct stasis_prefix *prefix_slot(struct stasis_space *space, uint64_t va)
{
        uint64_t key = va >> space->prefix_shift;
        return &space->prefix[(key ^ key >> 10) % STASIS_PREFIX_SIZE];
}

/* Of a walk that came to a last-level table which the image holds in one piece, or to a large page. */
static void prefix_keep(struct stasis_space *space, uint64_t va, const struct stasis_walk *walk)
{
        uint64_t inside = va & ((UINT64_C(1) << space->prefix_shift) - 1);
        struct stasis_prefix kept = { .key = (va >> space->prefix_shift) + 1, .pa = walk->pa - inside };
        if (walk->depth == space->paging->levels) {
                struct stasis_bytes table =
                        stasis_image_hold(space->image, walk->entry[walk->depth - 1].pa & ~(PAGE - 1), PAGE);
                if (table.len < PAGE)
                        return;
                kept.table = table.at;
        }
        *prefix_slot(space, va) = kept;
}

/*
 * Needs the walk for what is absent, too: it tells why, and a soft fault may say otherwise. What such a one comes to
 * holds for this page alone, and a fleeting page is not remembered at all.
 */
static __attribute__((noinline)) enum stasis_status page_by_walk(struct stasis_space *space, uint64_t va,
                                                                 struct stasis_tlb_entry *ret_entry)
{
        struct stasis_walk walk;
        struct stasis_soft_fault fault = { .walk = &walk };
        enum stasis_status status = stasis_space_resolve(space, va, &fault);
        if (status != STASIS_OK)
                return status;
        if (walk.entry[walk.depth - 1].value & STASIS_ENTRY_PRESENT)
                prefix_keep(space, va, &walk);
        *ret_entry = (struct stasis_tlb_entry){ .page = fault.fleeting ? 0 : va / PAGE + 1,
                                                .pa = fault.host ? STASIS_NOWHERE : walk.pa & ~(PAGE - 1),
                                                .host = fault.host };
        return STASIS_OK;
}

static inline bool page_by_prefix(struct stasis_space *space, uint64_t va, uint64_t *ret_page)
{
        const struct stasis_prefix *prefix = prefix_slot(space, va);
        if (prefix->key != (va >> space->prefix_shift) + 1)
                return false;
        if (!prefix->table) {
                *ret_page = (prefix->pa + (va & ((UINT64_C(1) << space->prefix_shift) - 1))) & ~(PAGE - 1);
                return true;
        }
        uint64_t i = va / PAGE, entry = space->paging->entry_size == 8 ? load_le64(prefix->table + i % 512 * 8)
                                                                       : load_le32(prefix->table + i % 1024 * 4);
        *ret_page = entry & space->paging->frame_mask;
        return entry & STASIS_ENTRY_PRESENT;
}

static __attribute__((noinline)) enum stasis_status tlb_fill(struct stasis_space *space, uint64_t va)
{
        struct stasis_tlb_entry found = { .page = va / PAGE + 1 };
        if (!space->paging->levels) { /* flat: a page may be held in part, so that none is remembered */
                *tlb_slot(space, va) = (struct stasis_tlb_entry){ .pa = va & ~(PAGE - 1) };
                return stasis_paging_canonical(space->paging, va)
                               ? stasis_image_find(space->image, va) ? STASIS_OK : STASIS_IO
                               : STASIS_CORRUPT;
        }
        if (!page_by_prefix(space, va, &found.pa)) {
                enum stasis_status status = page_by_walk(space, va, &found);
                if (status != STASIS_OK)
                        return status;
        }
        *tlb_slot(space, va) = found; /* now: a hook may have used the slot */
        return STASIS_OK;
}

static inline enum stasis_status tlb_get(struct stasis_space *space, uint64_t va, struct stasis_tlb_entry **ret_entry)
{
        struct stasis_tlb_entry *entry = tlb_slot(space, va);
        if (__builtin_expect(entry->page != va / PAGE + 1, 0)) {
                enum stasis_status status = tlb_fill(space, va);
                if (status != STASIS_OK)
                        return status;
        }
        *ret_entry = entry;
        return STASIS_OK;
}

/* The bytes of a page are looked for when they are wanted: to translate is not to touch. */
static inline const uint8_t *tlb_host(const struct stasis_space *space, struct stasis_tlb_entry *entry)
{
        if (__builtin_expect(!entry->host, 0)) {
                struct stasis_bytes page = stasis_image_hold(space->image, entry->pa, PAGE);
                entry->host = page.len == PAGE ? page.at : NULL;
        }
        return entry->host;
}

enum stasis_status stasis_space_pa(struct stasis_space *space, uint64_t va, uint64_t *ret_pa)
{
        struct stasis_tlb_entry *entry;
        enum stasis_status status = tlb_get(space, va, &entry);
        if (status == STASIS_OK && entry->pa == STASIS_NOWHERE)
                return STASIS_ABSENT;
        if (status == STASIS_OK)
                *ret_pa = entry->pa | va % PAGE;
        return status;
}

struct stasis_bytes stasis_space_view(struct stasis_space *space, uint64_t va, size_t len)
{
        struct stasis_tlb_entry *entry;
        if (tlb_get(space, va, &entry) != STASIS_OK)
                return (struct stasis_bytes){ NULL, 0 };
        size_t left = PAGE - va % PAGE;
        if (len > left)
                len = left;
        const uint8_t *host = tlb_host(space, entry);
        if (host)
                return (struct stasis_bytes){ host + va % PAGE, len };
        uint8_t *piece = space->piece[space->next_piece++ % STASIS_PIECES];
        return stasis_image_piece(space->image, entry->pa | va % PAGE, piece, len);
}

enum stasis_status stasis_space_read(struct stasis_space *space, uint64_t va, void *buf, size_t len)
{
        uint8_t *to = buf;
        if (len && va + (len - 1) < va)
                return STASIS_CORRUPT;
        while (len) {
                struct stasis_tlb_entry *entry;
                enum stasis_status status = tlb_get(space, va, &entry);
                if (status != STASIS_OK)
                        return status;
                size_t part = PAGE - va % PAGE;
                if (part > len)
                        part = len;
                const uint8_t *host = tlb_host(space, entry);
                if (host)
                        memcpy(to, host + va % PAGE, part);
                else if (stasis_image_read(space->image, entry->pa | va % PAGE, to, part) != STASIS_OK)
                        return STASIS_IO;
                to += part;
                va += part;
                len -= part;
        }
        return STASIS_OK;
}

enum stasis_status stasis_space_u(struct stasis_space *space, uint64_t va, size_t size, uint64_t *ret_value)
{
        uint8_t raw[8];
        if (size != 1 && size != 2 && size != 4 && size != 8)
                return STASIS_USAGE;
        enum stasis_status status = stasis_space_read(space, va, raw, size);
        if (status == STASIS_OK)
                *ret_value = load_le(raw, size);
        return status;
}

/* ---- the pass over what is mapped: a descent without recursion, one table a level. */

struct descent {
        const struct stasis_space *space;
        unsigned level;
        struct {
                uint64_t pa;
                struct stasis_bytes held; /* its bytes, where the image has them in one piece */
                bool counted;             /* as unreadable */
        } table[STASIS_LEVELS_MAX];
};

static void enter_table(struct descent *d, unsigned level, uint64_t pa)
{
        const struct stasis_paging *paging = d->space->paging;
        size_t len = (size_t)paging->entry_size << paging->level[level].bits;
        d->level = level;
        d->table[level].pa = pa;
        d->table[level].held = stasis_image_hold(d->space->image, pa, len);
        d->table[level].counted = false;
}

static enum stasis_status table_entry(const struct descent *d, uint64_t va, uint64_t *ret_value)
{
        const struct stasis_paging *paging = d->space->paging;
        uint64_t off = stasis_paging_index(paging, d->level, va) * paging->entry_size;
        struct stasis_bytes held = d->table[d->level].held;
        if (off + paging->entry_size > held.len)
                return stasis_paging_load(d->space->image, paging, d->table[d->level].pa + off, ret_value);
        *ret_value = paging->entry_size == 8 ? load_le64(held.at + off) : load_le32(held.at + off);
        return STASIS_OK;
}

/* The first address past what the entry of va covers, in the highest table that holds it; false at the top. */
static bool step_over(struct descent *d, uint64_t *va)
{
        const struct stasis_paging *paging = d->space->paging;
        uint64_t next = (*va | ((UINT64_C(1) << paging->level[d->level].shift) - 1)) + 1;
        if (next == 0)
                return false;
        while (d->level && (next ^ *va) >> paging->level[d->level - 1].shift)
                d->level--;
        if (paging->sign_extended && !stasis_paging_canonical(paging, next))
                next = UINT64_MAX << (paging->va_bits - 1);
        *va = next;
        return true;
}

static void count_unreadable(struct descent *d, uint64_t *unreadable)
{
        if (unreadable && !d->table[d->level].counted)
                (*unreadable)++;
        d->table[d->level].counted = true;
}

static struct stasis_range page_range(const struct stasis_paging *paging, unsigned level, uint64_t value, uint64_t va,
                                      uint64_t last)
{
        uint64_t inside = (UINT64_C(1) << paging->level[level].shift) - 1;
        uint64_t page_last = va | inside;
        return (struct stasis_range){
                .va = va,
                .len = (page_last < last ? page_last : last) - va + 1,
                .pa = stasis_paging_page(paging, level, value) | (va & inside),
        };
}

static uint64_t last_address(const struct stasis_paging *paging, uint64_t end)
{
        uint64_t top = paging->sign_extended ? UINT64_MAX - 1 : (UINT64_C(1) << paging->va_bits) - 1;
        return end && end - 1 < top ? end - 1 : top;
}

/* Calls with rising va are one pass, and all of a pass pays into one account: see space.h. */
static uint64_t pass_left(struct stasis_space *space, uint64_t va)
{
        uint64_t max = STASIS_PASS_MIN + stasis_image_file_size(space->image) / 2;
        if (va <= space->next_va)
                space->looked = 0;
        space->next_va = va;
        return max > space->looked ? max - space->looked : 0;
}

static enum stasis_status next_flat(const struct stasis_image *image, uint64_t va, uint64_t last,
                                    struct stasis_range *ret_range)
{
        size_t low = 0, high, count;
        const struct stasis_run *run = stasis_image_runs(image, &count);
        for (high = count; low < high;) { /* the first run that ends above va */
                size_t middle = low + (high - low) / 2;
                if (run[middle].pa + (run[middle].len - 1) < va)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == count || va > last || run[low].pa > last)
                return STASIS_ABSENT;
        uint64_t first = run[low].pa > va ? run[low].pa : va, run_last = run[low].pa + (run[low].len - 1);
        *ret_range = (struct stasis_range){ .va = first,
                                            .pa = first,
                                            .len = (run_last < last ? run_last : last) - first + 1 };
        return STASIS_OK;
}

enum stasis_status stasis_space_next(struct stasis_space *space, uint64_t va, uint64_t end,
                                     struct stasis_range *ret_range, uint64_t *unreadable)
{
        const struct stasis_paging *paging = space->paging;
        if (!paging->levels)
                return next_flat(space->image, va, last_address(paging, end), ret_range);
        const uint64_t last = last_address(paging, end);
        struct descent d = { .space = space };
        uint64_t value, left = pass_left(space, va);

        enter_table(&d, 0, space->root);
        if (paging->sign_extended && !stasis_paging_canonical(paging, va))
                va = UINT64_MAX << (paging->va_bits - 1);
        while (va <= last) {
                if (left-- == 0)
                        return STASIS_LIMIT;
                space->looked++;
                enum stasis_status status = table_entry(&d, va, &value);
                if (status == STASIS_OK && (value & STASIS_ENTRY_PRESENT)) {
                        if (stasis_paging_leaf(paging, d.level, value)) {
                                *ret_range = page_range(paging, d.level, value, va, last);
                                return STASIS_OK;
                        }
                        enter_table(&d, d.level + 1, value & paging->frame_mask);
                        continue;
                }
                if (status != STASIS_OK)
                        count_unreadable(&d, unreadable);
                if (!step_over(&d, &va))
                        break;
        }
        return STASIS_ABSENT;
}
