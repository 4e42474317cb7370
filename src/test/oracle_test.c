/* SPDX-License-Identifier: MIT */
/*
 * Our walker against libaddrxlat's (libkdumpfile 0.5.1) on random page tables: status, address, page size and every
 * entry crossed must agree. Memory is a megabyte of random entries that mostly point back into it, so that every kind
 * of walk happens; the counts at the end prove it. STASIS_SEED=N starts another sequence.
 *
 * Where the oracle is silent, and the rules are ours alone (src/mem/paging_test.c holds them): it takes no CR3, so that
 * the masking of the root is done here; it knows nothing of a PDPT entry's reserved bits. It follows reserved
 * bits 52..62 as we do (masked) and ignores bit 7 above the levels that have large pages, as we do. Nothing was found
 * to be wrong in it.
 */
#include <libkdumpfile/addrxlat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../mem/space.h"

#define MEMORY (1u << 20)
#define ROUNDS 8
#define WALKS 32768
#define PASSES 256

static uint8_t memory[MEMORY];

static uint64_t seed;

static uint64_t draw(void)
{
        seed ^= seed << 13; /* xorshift64 */
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static bool chance(unsigned percent) { return (draw() >> 33) % 100 < percent; }

struct mode {
        const char *name;
        unsigned entry_size, va_bits;
        uint64_t root_align;
        addrxlat_paging_form_t form; /* from the offset inside a page up to the root */
};

static const struct mode modes[] = {
        { "x86", 4, 32, 4096, { ADDRXLAT_PTE_IA32, 3, { 12, 10, 10 } } },
        { "pae", 8, 32, 32, { ADDRXLAT_PTE_IA32_PAE, 4, { 12, 9, 9, 2 } } },
        { "x64", 8, 48, 4096, { ADDRXLAT_PTE_X86_64, 5, { 12, 9, 9, 9, 9 } } },
        { "la57", 8, 57, 4096, { ADDRXLAT_PTE_X86_64, 6, { 12, 9, 9, 9, 9, 9 } } },
};

/* ---- the oracle */

static addrxlat_status get_page(const addrxlat_cb_t *cb, addrxlat_buffer_t *buf)
{
        (void)cb;
        if (buf->addr.addr >= MEMORY)
                return ADDRXLAT_ERR_NODATA;
        buf->addr.addr &= ~(addrxlat_addr_t)0xfff;
        buf->ptr = memory + buf->addr.addr;
        buf->size = 0x1000;
        buf->byte_order = ADDRXLAT_LITTLE_ENDIAN;
        return ADDRXLAT_OK;
}

static void put_page(const addrxlat_buffer_t *buf) { (void)buf; }

static addrxlat_status get_page_and_put(const addrxlat_cb_t *cb, addrxlat_buffer_t *buf)
{
        buf->put_page = put_page;
        return get_page(cb, buf);
}

static unsigned long read_caps(const addrxlat_cb_t *cb)
{
        (void)cb;
        return ADDRXLAT_CAPS(ADDRXLAT_MACHPHYSADDR);
}

static addrxlat_ctx_t *oracle_new(void)
{
        addrxlat_ctx_t *ctx = addrxlat_ctx_new();
        addrxlat_cb_t *cb = ctx ? addrxlat_ctx_add_cb(ctx) : NULL;
        if (!cb)
                abort();
        cb->get_page = get_page_and_put;
        cb->read_caps = read_caps;
        return ctx;
}

/* What the oracle says, in our terms: its steps are our entries. */
static enum stasis_status oracle_walk(addrxlat_ctx_t *ctx, const struct mode *mode, uint64_t root, uint64_t va,
                                      struct stasis_walk *ret)
{
        addrxlat_meth_t meth = { .kind = ADDRXLAT_PGT, .target_as = ADDRXLAT_MACHPHYSADDR };
        addrxlat_step_t step = { .ctx = ctx, .meth = &meth };
        meth.param.pgt.root = (addrxlat_fulladdr_t){ root, ADDRXLAT_MACHPHYSADDR };
        meth.param.pgt.pf = mode->form;
        *ret = (struct stasis_walk){ .va = va, .pa = STASIS_NOWHERE };

        addrxlat_status status = addrxlat_launch(&step, va);
        while (status == ADDRXLAT_OK && step.remain > 1) {
                ret->entry[ret->depth].pa = step.base.addr + step.idx[step.remain - 1] * step.elemsz;
                status = addrxlat_step(&step);
                if (status == ADDRXLAT_OK || status == ADDRXLAT_ERR_NOTPRESENT)
                        ret->entry[ret->depth].value = step.raw.pte;
                ret->depth++;
        }
        if (status == ADDRXLAT_OK) {
                /* a large page leaves the rest of the address in idx[0] */
                unsigned shift = 12;
                for (unsigned i = 1; i + ret->depth < mode->form.nfields; i++)
                        shift += mode->form.fieldsz[i];
                ret->page_size = UINT64_C(1) << shift;
                status = addrxlat_step(&step);
                ret->pa = step.base.addr;
        }
        addrxlat_ctx_clear_err(ctx);
        switch (status) {
        case ADDRXLAT_OK: return STASIS_OK;
        case ADDRXLAT_ERR_NOTPRESENT: return STASIS_ABSENT;
        case ADDRXLAT_ERR_NODATA: return STASIS_IO;
        case ADDRXLAT_ERR_INVALID: return STASIS_CORRUPT;
        default: return STASIS_USAGE;
        }
}

/* ---- random memory, roots and addresses */

static void fill(const struct mode *mode)
{
        for (uint64_t at = 0; at < MEMORY; at += mode->entry_size) {
                uint64_t entry = draw();
                if (!chance(4)) /* most frames are tables in here; bits above the frame stay random */
                        entry = (entry & UINT64_C(0xfff0000000000fff)) | (draw() % MEMORY & ~UINT64_C(0xfff));
                if (chance(88))
                        entry |= 1;
                else
                        entry &= ~UINT64_C(1);
                if (chance(85))
                        entry &= ~UINT64_C(0x80);
                else if (chance(50)) /* a large page anywhere, PAT and reserved bits set at random */
                        entry ^= draw() & UINT64_C(0x000ffffffffff000);
                for (unsigned i = 0; i < mode->entry_size; i++)
                        memory[at + i] = (uint8_t)(entry >> 8 * i);
        }
}

static uint64_t random_root(const struct mode *mode)
{
        uint64_t root = draw() % MEMORY & ~(mode->root_align - 1);
        return chance(1) ? root + MEMORY : root;
}

static uint64_t random_va(const struct mode *mode)
{
        uint64_t va = draw();
        if (chance(3)) /* most of these cannot exist */
                return mode->va_bits == 32 ? va >> (28 + va % 8) : va;
        va >>= 64 - mode->va_bits;
        if (mode->va_bits > 32 && va >> (mode->va_bits - 1))
                va |= UINT64_MAX << mode->va_bits;
        return va;
}

/* ---- comparison */

static void print_walk(const char *who, enum stasis_status status, const struct stasis_walk *walk)
{
        fprintf(stderr, "  %-12s status %d pa %#llx size %#llx\n", who, (int)status, (unsigned long long)walk->pa,
                (unsigned long long)walk->page_size);
        for (unsigned i = 0; i < walk->depth; i++)
                fprintf(stderr, "    %#llx: %#llx\n", (unsigned long long)walk->entry[i].pa,
                        (unsigned long long)walk->entry[i].value);
}

static bool same(const struct stasis_walk *a, const struct stasis_walk *b)
{
        bool equal = a->pa == b->pa && a->page_size == b->page_size && a->depth == b->depth && a->va == b->va;
        for (unsigned i = 0; equal && i < a->depth; i++)
                equal = a->entry[i].pa == b->entry[i].pa && a->entry[i].value == b->entry[i].value;
        return equal;
}

struct context {
        const struct mode *mode;
        addrxlat_ctx_t *ctx;
        struct stasis_space *space;
        uint64_t walks, kind[STASIS_USAGE + 1][STASIS_LEVELS_MAX + 1]; /* how many: by status and depth */
};

static bool compare(struct context *c, uint64_t va)
{
        struct stasis_walk ours, theirs;
        enum stasis_status a = stasis_space_walk(c->space, va, &ours);
        enum stasis_status b = oracle_walk(c->ctx, c->mode, c->space->root, va, &theirs);
        c->walks++;
        c->kind[b][theirs.depth]++;
        uint64_t pa = STASIS_NOWHERE;
        enum stasis_status t = stasis_space_pa(c->space, va, &pa);
        if (a == b && same(&ours, &theirs) && t == b && pa == theirs.pa)
                return true;
        fprintf(stderr, "%s: root %#llx va %#llx: they differ (TLB: status %d, %#llx)\n", c->mode->name,
                (unsigned long long)c->space->root, (unsigned long long)va, (int)t, (unsigned long long)pa);
        print_walk("stasis", a, &ours);
        print_walk("libaddrxlat", b, &theirs);
        return false;
}

/* What stasis_space_next jumps over must not be mapped, and what it returns must be. */
static bool compare_pass(struct context *c, uint64_t va)
{
        struct stasis_walk walk;
        struct stasis_range range;
        uint64_t end = va + ((draw() & 0x3ffffff) | 0x1000);
        if (end < va || (c->mode->va_bits == 32 && end >> 32))
                return true;
        enum stasis_status status = stasis_space_next(c->space, va, end, &range, NULL);
        uint64_t mapped = status == STASIS_OK ? range.va : end;
        for (uint64_t at = va; at < mapped; at = (at | 0xfff) + 1 + (draw() & 0x7000)) {
                if (oracle_walk(c->ctx, c->mode, c->space->root, at, &walk) != STASIS_OK)
                        continue;
                fprintf(stderr, "%s: next from %#llx jumped over %#llx\n", c->mode->name, (unsigned long long)va,
                        (unsigned long long)at);
                return false;
        }
        if (status != STASIS_OK)
                return status == STASIS_ABSENT;
        if (oracle_walk(c->ctx, c->mode, c->space->root, range.va, &walk) == STASIS_OK && walk.pa == range.pa &&
            range.va >= va && range.len && range.va + range.len <= end &&
            range.va / walk.page_size == (range.va + range.len - 1) / walk.page_size)
                return true;
        fprintf(stderr, "%s: next from %#llx found %#llx+%#llx at %#llx\n", c->mode->name, (unsigned long long)va,
                (unsigned long long)range.va, (unsigned long long)range.len, (unsigned long long)range.pa);
        return false;
}

static bool run_round(struct context *c, const struct stasis_image *image)
{
        bool ok = true;
        fill(c->mode);
        c->ctx = oracle_new();
        uint64_t va = 0;
        for (unsigned i = 0; ok && i < WALKS; i++) {
                if (i % 64 == 0)
                        stasis_space_init(c->space, image, stasis_paging_by_name(c->mode->name), random_root(c->mode));
                /* often a neighbour of the last one, for what a space remembers of its walks */
                va = chance(40) ? va ^ (draw() & 0x3fffff) : random_va(c->mode);
                ok = compare(c, va);
        }
        for (unsigned i = 0; ok && i < PASSES; i++)
                ok = compare_pass(c, random_va(c->mode));
        addrxlat_ctx_decref(c->ctx);
        return ok;
}

/* Every way in which a walk can end must have been seen often, or the comparison says little. */
static bool covered(const struct context *c)
{
        unsigned levels = c->mode->form.nfields - 1u;
        bool ok = true;
        printf("%s: %llu walks;", c->mode->name, (unsigned long long)c->walks);
        for (unsigned depth = 1; depth <= levels; depth++) {
                bool leaf = depth + (c->mode->va_bits == 32 ? 1 : 2) >= levels;
                leaf = leaf && !(levels == 3 && depth == 1);
                printf(" level %u: %llu pages, %llu absent, %llu unreadable;", depth,
                       (unsigned long long)c->kind[STASIS_OK][depth], (unsigned long long)c->kind[STASIS_ABSENT][depth],
                       (unsigned long long)c->kind[STASIS_IO][depth]);
                ok = ok && c->kind[STASIS_ABSENT][depth] > 1000 && c->kind[STASIS_IO][depth] > 100 &&
                     (leaf ? c->kind[STASIS_OK][depth] > 1000 : c->kind[STASIS_OK][depth] == 0);
        }
        printf(" %llu impossible\n", (unsigned long long)c->kind[STASIS_CORRUPT][0]);
        ok = ok && c->kind[STASIS_CORRUPT][0] > 100;
        if (!ok)
                fprintf(stderr, "%s: some kind of walk was hardly seen\n", c->mode->name);
        return ok;
}

static bool run_mode(const struct mode *mode, const struct stasis_image *image)
{
        static struct stasis_space space;
        struct context c = { .mode = mode, .space = &space };
        for (unsigned round = 0; round < ROUNDS; round++)
                if (!run_round(&c, image))
                        return false;
        return covered(&c);
}

int main(void)
{
        struct stasis_image *image;
        struct stasis_error err;
        const char *asked = getenv("STASIS_SEED");
        uint64_t first = asked ? strtoull(asked, NULL, 0) : 20261121;
        bool ok = true;

        if (stasis_image_open_memory(memory, sizeof(memory), "memory",
                                     &(struct stasis_image_options){ .format = "raw" }, &image, &err) != STASIS_OK) {
                fprintf(stderr, "%s\n", err.text);
                return EXIT_FAILURE;
        }
        seed = first ? first : 1;
        for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
                ok = run_mode(&modes[i], image) && ok;
        if (!ok)
                fprintf(stderr, "STASIS_SEED=%llu\n", (unsigned long long)first);
        stasis_image_close(image);
        return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
