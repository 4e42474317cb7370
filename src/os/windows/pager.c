/* SPDX-License-Identifier: MIT */
/*
 * The hook, step by step: the entries from the one that a walk ended at down to the page's own, each read as Windows
 * reads it (pte.c); a prototype entry where one leads to it; the VADs where no entry tells (vad.c). No step calls
 * itself: what is read on the way (prototype entries lie in paged pool) may fault once more, and that is counted.
 */
#include "pager.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../../base/bytes.h"
#include "../../base/error.h"
#include "pagefile.h"
#include "pte.h"
#include "pte_mask.h"
#include "store.h"
#include "vad.h"

#define PAGE UINT64_C(4096)
#define PROTOTYPE_ADDRESS_BITS 48
#define NESTED_MAX 2 /* a fault, and one in what it reads */

struct pager {
        struct windows *w;
        struct pte_forms forms;
        struct vad_places vads;
        struct pagefiles files;
        struct store *store;
        bool store_tried;
        unsigned mask_tries;
        unsigned nested;
        struct { /* pages out of the store: the last ones */
                bool used;
                uint32_t pagefile;
                uint64_t page;
                uint8_t bytes[4096];
        } * kept;
        unsigned next; /* of them, to be used anew */
};

/* One fault on its way. */
struct fault {
        struct pager *pager;
        struct stasis_space *space;
        uint64_t process, va;
        struct stasis_soft_fault *soft;
        struct stasis_address *detail; /* of soft, or NULL */
        bool through_prototype;
};

/* ---------------------------------------------------------------- words */

static enum stasis_status verdict(const struct fault *f, enum stasis_verdict verdict, const char *why)
{
        if (f->detail) {
                f->detail->verdict = verdict;
                f->detail->why = why;
        }
        return verdict == STASIS_VERDICT_NOT_CAPTURED ? STASIS_IO : STASIS_ABSENT;
}

static void show(const struct fault *f, uint64_t va, uint64_t pa, uint64_t value, const struct pte_meaning *meaning)
{
        if (!f->detail || f->detail->pte_count == STASIS_PTES_MAX)
                return;
        struct stasis_pte *pte = &f->detail->pte[f->detail->pte_count++];
        pte->va = va;
        pte->pa = pa;
        pte->value = value;
        pte_show(&f->pager->forms, meaning, pte);
}

static void backed(const struct fault *f, enum stasis_backing backing, const struct pte_meaning *m)
{
        if (!f->detail)
                return;
        f->detail->backing = backing;
        f->detail->pagefile = m->pagefile;
        f->detail->off = m->page * PAGE + f->va % PAGE;
}

/* ---------------------------------------------------------------- where bytes are */

/* A page, or a table: a frame of the image, or bytes elsewhere. */
struct place_of_page {
        uint64_t pa;         /* STASIS_NOWHERE: host */
        const uint8_t *host; /* NULL: pa */
        bool fleeting;
};

static const uint8_t *kept_page(const struct pager *pager, const struct pte_meaning *m)
{
        for (size_t i = 0; pager->kept && i < STASIS_FLEETING; i++)
                if (pager->kept[i].used && pager->kept[i].pagefile == m->pagefile && pager->kept[i].page == m->page)
                        return pager->kept[i].bytes;
        return NULL;
}

static struct store *the_store(struct pager *pager)
{
        if (!pager->store_tried) {
                pager->store_tried = true;
                if (store_open(pager->w, &pager->store) != STASIS_OK)
                        pager->store = NULL;
        }
        return pager->store;
}

/* Out of the compressed store, into the oldest of the kept pages. */
static enum stasis_status from_store(struct fault *f, struct store *store, const struct pte_meaning *m,
                                     struct place_of_page *ret_place)
{
        struct pager *pager = f->pager;
        backed(f, STASIS_BACKING_STORE, m);
        (void)verdict(f, STASIS_VERDICT_COMPRESSED, NULL);
        *ret_place = (struct place_of_page){ STASIS_NOWHERE, kept_page(pager, m), true };
        if (ret_place->host)
                return STASIS_OK;
        if (!pager->kept && !(pager->kept = calloc(STASIS_FLEETING, sizeof *pager->kept)))
                return STASIS_NOMEM;
        unsigned i = pager->next;
        pager->kept[i].used = false;
        enum stasis_status status = store_page(store, m->pagefile, m->page, pager->kept[i].bytes);
        if (status != STASIS_OK)
                return verdict(f, STASIS_VERDICT_COMPRESSED, store_why(store));
        pager->next = (i + 1) % STASIS_FLEETING;
        pager->kept[i].used = true;
        pager->kept[i].pagefile = m->pagefile;
        pager->kept[i].page = m->page;
        ret_place->host = pager->kept[i].bytes;
        return STASIS_OK;
}

static enum stasis_status from_pagefile(struct fault *f, const struct pte_meaning *m, struct place_of_page *ret_place)
{
        const char *why;
        if (m->doubtful)
                return verdict(f, STASIS_VERDICT_PAGED_OUT,
                               "which page of it is not known: the kernel's InvalidPteMask is not");
        /* what the store's own structures need is never in the store */
        struct store *store = f->pager->nested == 1 ? the_store(f->pager) : NULL;
        if (store && store_is_pagefile(store, m->pagefile))
                return from_store(f, store, m, ret_place);
        backed(f, STASIS_BACKING_PAGEFILE, m);
        const uint8_t *host = pagefile_page(&f->pager->files, m->pagefile, m->page, &why);
        enum stasis_status status = verdict(f, STASIS_VERDICT_PAGED_OUT, why);
        if (!host)
                return status;
        *ret_place = (struct place_of_page){ STASIS_NOWHERE, host, false };
        return STASIS_OK;
}

/* A frame that is named where the mask is not known: what memory does not have is of the mask. */
static uint64_t frame_of(const struct fault *f, const struct pte_meaning *m)
{
        size_t count;
        const struct stasis_run *run = stasis_image_runs(f->pager->w->image, &count);
        if (!m->doubtful || !count)
                return m->frame;
        uint64_t top = (run[count - 1].pa + run[count - 1].len - 1) / PAGE, mask = 0;
        while (mask < top)
                mask = mask << 1 | 1;
        return m->frame & mask;
}

static enum stasis_status in_frame(struct fault *f, uint64_t frame, enum stasis_verdict plain,
                                   struct place_of_page *ret_place)
{
        (void)verdict(f, f->through_prototype ? STASIS_VERDICT_PROTOTYPE : plain, NULL);
        *ret_place = (struct place_of_page){ .pa = frame * PAGE };
        return STASIS_OK;
}

/* ---------------------------------------------------------------- what entries and VADs lead to */

/* An entry that stands for a page or a table by itself. Whatever needs more comes back as STASIS_UNSUPPORTED. */
static enum stasis_status by_itself(struct fault *f, const struct pte_meaning *m, struct place_of_page *ret_place)
{
        switch (m->kind) {
        case PTE_IS_VALID: return in_frame(f, m->frame, STASIS_VERDICT_PRESENT, ret_place);
        case PTE_IS_TRANSITION: return in_frame(f, frame_of(f, m), STASIS_VERDICT_TRANSITION, ret_place);
        case PTE_IS_PAGEFILE: return from_pagefile(f, m, ret_place);
        case PTE_IS_DEMAND_ZERO: return verdict(f, STASIS_VERDICT_DEMAND_ZERO, NULL);
        case PTE_IS_DECOMMITTED: return verdict(f, STASIS_VERDICT_INVALID, "decommitted");
        case PTE_IS_SUBSECTION:
                return verdict(f, STASIS_VERDICT_MAPPED_FILE, "its prototype entry names the mapped file's subsection");
        case PTE_IS_UNKNOWN:
                return verdict(f, STASIS_VERDICT_NOT_PRESENT, "the forms of this kernel's entries are not known");
        case PTE_IS_ZERO:
        case PTE_IS_LOOKUP:
        case PTE_IS_PROTOTYPE: break;
        }
        return STASIS_UNSUPPORTED;
}

static enum stasis_status by_prototype(struct fault *f, uint64_t va, struct place_of_page *ret_place)
{
        struct pager *pager = f->pager;
        uint64_t value, pa = STASIS_NOWHERE;
        f->through_prototype = true;
        if (!is_kernel_address(pager->w, va))
                return verdict(f, STASIS_VERDICT_INVALID, "its prototype entry is at no kernel address");
        if (stasis_space_u(pager->w->kernel, va, pager->forms.entry_size, &value) != STASIS_OK)
                return verdict(f, STASIS_VERDICT_NOT_CAPTURED, "its prototype entry is not readable");
        struct pte_meaning m = pte_read(&pager->forms, value, true);
        if (f->detail && stasis_space_pa(pager->w->kernel, va, &pa) != STASIS_OK)
                pa = STASIS_NOWHERE;
        show(f, va, pa, value, &m);
        if (m.kind == PTE_IS_ZERO)
                return verdict(f, STASIS_VERDICT_INVALID, "its prototype entry is zero: nothing was committed there");
        return by_itself(f, &m, ret_place);
}

/* Where no entry tells: the VAD does, or nothing is there. */
static enum stasis_status by_vad(struct fault *f, struct place_of_page *ret_place)
{
        struct pager *pager = f->pager;
        struct vad vad;
        if (is_kernel_address(pager->w, f->va))
                return verdict(f, STASIS_VERDICT_INVALID, "no entry, in the kernel's half");
        enum stasis_status status = vad_find(pager->w, &pager->vads, f->process, f->va, pager->forms.entry_size, &vad);
        if (status == STASIS_ABSENT)
                return verdict(f, STASIS_VERDICT_INVALID, "no entry, and no VAD");
        if (status == STASIS_UNSUPPORTED)
                return verdict(f, STASIS_VERDICT_NOT_PRESENT, "no entry, and this kernel's VADs are not known");
        if (status != STASIS_OK)
                return verdict(f, STASIS_VERDICT_NOT_CAPTURED, "no entry, and the VAD tree is not readable");
        if (f->detail)
                f->detail->vad = vad.object;
        if (vad.private_memory && !vad.committed)
                return verdict(f, STASIS_VERDICT_INVALID, "reserved, not committed");
        if (vad.private_memory)
                return verdict(f, STASIS_VERDICT_DEMAND_ZERO, NULL);
        if (!vad.prototype)
                return verdict(f, STASIS_VERDICT_INVALID, "a mapped VAD without a prototype entry for it");
        return by_prototype(f, vad.prototype, ret_place);
}

static enum stasis_status by_entry(struct fault *f, const struct pte_meaning *m, struct place_of_page *ret_place)
{
        if (m->kind == PTE_IS_ZERO || m->kind == PTE_IS_LOOKUP)
                return by_vad(f, ret_place);
        if (m->kind != PTE_IS_PROTOTYPE)
                return by_itself(f, m, ret_place);
        if (f->space->paging->va_bits > PROTOTYPE_ADDRESS_BITS) /* the PDBs are those of four-level kernels */
                return verdict(f, STASIS_VERDICT_NOT_CAPTURED,
                               "how entries of five-level kernels name a prototype entry is not known");
        if (m->doubtful)
                return verdict(f, STASIS_VERDICT_NOT_CAPTURED,
                               "where its prototype entry is, is not known: the kernel's InvalidPteMask is not");
        return by_prototype(f, m->address, ret_place);
}

/* ---------------------------------------------------------------- from the entry that failed to the page */

static enum stasis_status load_entry(const struct fault *f, const struct place_of_page *table, uint64_t offset,
                                     uint64_t *ret_value)
{
        const struct stasis_paging *paging = f->space->paging;
        if (!table->host)
                return stasis_paging_load(f->space->image, paging, table->pa + offset, ret_value);
        *ret_value = load_le(table->host + offset, paging->entry_size);
        return STASIS_OK;
}

static struct pte_meaning read_entry(const struct fault *f, unsigned level, uint64_t value)
{
        struct pte_meaning m = pte_read(&f->pager->forms, value, false);
        /* a table that was never made: what it would say, the VADs say; the last level has entries of its own */
        if (level + 1 < f->space->paging->levels && m.kind != PTE_IS_TRANSITION && m.kind != PTE_IS_PAGEFILE)
                m.kind = PTE_IS_ZERO;
        return m;
}

static enum stasis_status resolve(struct fault *f, struct place_of_page *ret_place)
{
        const struct stasis_paging *paging = f->space->paging;
        const struct stasis_walk *walk = f->soft->walk;
        unsigned level = walk->depth - 1u;
        uint64_t value = walk->entry[level].value, at = walk->entry[level].pa;
        for (;;) {
                struct pte_meaning m = read_entry(f, level, value);
                show(f, STASIS_NOWHERE, at, value, &m);
                if (level + 1 == paging->levels || m.kind == PTE_IS_ZERO)
                        return by_entry(f, &m, ret_place);
                enum stasis_status status = by_itself(f, &m, ret_place);
                if (status != STASIS_OK)
                        return status;
                if (f->detail)
                        f->detail->backing = STASIS_BACKING_NONE; /* that was the table's */
                /* the table is there after all: on through it, as the processor would, while entries are present */
                do {
                        struct place_of_page table = *ret_place;
                        level++;
                        uint64_t offset = stasis_paging_index(paging, level, f->va) * paging->entry_size;
                        at = table.host ? STASIS_NOWHERE : table.pa + offset;
                        if (load_entry(f, &table, offset, &value) != STASIS_OK)
                                return verdict(f, STASIS_VERDICT_NOT_CAPTURED, "a table is not in the image");
                        if ((value & STASIS_ENTRY_PRESENT) && stasis_paging_leaf(paging, level, value)) {
                                uint64_t inside = (UINT64_C(1) << paging->level[level].shift) - 1;
                                uint64_t pa = stasis_paging_page(paging, level, value) | (f->va & inside);
                                return in_frame(f, pa / PAGE, STASIS_VERDICT_PRESENT, ret_place);
                        }
                        *ret_place = (struct place_of_page){ .pa = value & paging->frame_mask };
                } while (value & STASIS_ENTRY_PRESENT);
        }
}

/* Sought when it is first needed, and once more when all processes are known. */
static void know_mask(struct pager *pager)
{
        unsigned tries = pager->w->listed ? 2 : 1;
        if (pager->forms.mask_known || pager->mask_tries >= tries)
                return;
        pager->mask_tries = tries;
        pte_find_mask(pager->w, &pager->forms);
}

static enum stasis_status pager_fault(void *ctx, struct stasis_space *space, struct stasis_soft_fault *soft)
{
        struct pager_view *view = ctx;
        struct pager *pager = view->pager;
        struct fault f = { .pager = pager,
                           .space = space,
                           .process = view->process,
                           .va = soft->walk->va,
                           .soft = soft,
                           .detail = soft->detail };
        struct place_of_page found = { .pa = STASIS_NOWHERE };
        if (pager->nested >= NESTED_MAX)
                return STASIS_ABSENT;
        know_mask(pager);
        pager->nested++;
        enum stasis_status status = resolve(&f, &found);
        pager->nested--;
        if (status != STASIS_OK)
                return status;
        soft->walk->page_size = PAGE;
        soft->host = found.host;
        soft->fleeting = found.fleeting;
        if (!found.host)
                soft->walk->pa = found.pa | f.va % PAGE;
        return STASIS_OK;
}

/* ---------------------------------------------------------------- lifetime */

/* Prototype entries of x86 before Vista are named relative to the start of paged pool, which the debugger block tells.
 */
#define PAGED_POOL_START_XP 0xe1000000u

static void know_prototype_base(struct windows *w, struct pte_forms *forms)
{
        uint64_t start;
        if (forms->bits[PROTOTYPE_LOW].len != 7)
                return;
        forms->prototype_base = PAGED_POOL_START_XP;
        bool told = w->has_kdbg && w->kdbg.MmPagedPoolStart &&
                    read_pointer(w, w->kernel, w->kdbg.MmPagedPoolStart, &start) == STASIS_OK &&
                    is_kernel_address(w, start);
        if (told)
                forms->prototype_base = start;
        system_trace(w->system, "pte", told, "prototype entries are named from 0x%" PRIx64 " (%s)",
                     forms->prototype_base, told ? "MmPagedPoolStart" : "where paged pool starts by default");
}

enum stasis_status pager_open(struct windows *w, struct pager **ret_pager, struct stasis_error *err)
{
        struct pager *pager = calloc(1, sizeof *pager);
        if (!pager)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        *ret_pager = pager;
        pager->w = w;
        pte_bind(w->layout, w->kernel->paging->entry_size, &pager->forms);
        vad_bind(w->layout, &pager->vads);
        system_trace(w->system, "pte", pager->forms.entry_size > 0,
                     pager->forms.entry_size ? "entries that are not present have the forms of %s%s"
                                             : "the forms of entries that are not present are not known",
                     pager->forms.origin, pager->forms.lent ? " (this kernel's PDB has others)" : "");
        know_prototype_base(w, &pager->forms);
        return pagefiles_open(w->system->options.pagefile, w->system->options.pagefile_count, &pager->files, err);
}

void pager_close(struct pager *pager)
{
        if (!pager)
                return;
        store_close(pager->store);
        pagefiles_close(&pager->files);
        free(pager->kept);
        free(pager);
}

void pager_attach(struct pager *pager, struct stasis_space *space, uint64_t process, struct pager_view *view)
{
        if (!pager)
                return;
        *view = (struct pager_view){ pager, process };
        space->soft_fault = pager_fault;
        space->soft_fault_ctx = view;
}
