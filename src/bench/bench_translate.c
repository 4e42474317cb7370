/* SPDX-License-Identifier: MIT */
/*
 * Translations per second, ours and libaddrxlat's, on the same addresses in one run.
 *
 * usage: bench-translate [IMAGE [MODE ROOT]]
 *
 * Without an argument: tables of our own making, 65,536 pages of 4 KiB in x64 mode. With an image: the best root that
 * it tells or that the scan finds, and the pages that are mapped there. Warm: 512 pages again and again, which is how
 * structures are read. Cold: pages in random order over all that is mapped, so that hardly any is in our TLB; and the
 * walk that keeps every entry, which never looks there. libaddrxlat gets its table pages by a callback that costs
 * nothing but a lookup; it keeps a few of them.
 */
#include <inttypes.h>
#include <libkdumpfile/addrxlat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../mem/space.h"
#include "../os/windows/root.h"

enum { PAGES_MAX = 1 << 20, WARM_PAGES = 512, ADDRESSES = 1 << 16 };
#define MEMORY (UINT64_C(320) << 20)
#define SYNTHETIC_PAGES 65536u
#define SECONDS 0.5

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t draw(void)
{
        static uint64_t state = 88172645463325252;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
}

/* ---- the other side */

static void put_page(const addrxlat_buffer_t *buf) { (void)buf; }

static addrxlat_status get_page(const addrxlat_cb_t *cb, addrxlat_buffer_t *buf)
{
        buf->addr.addr &= ~(addrxlat_addr_t)0xfff;
        struct stasis_bytes page = stasis_image_view(cb->priv, buf->addr.addr, 0x1000);
        if (page.len < 0x1000)
                return ADDRXLAT_ERR_NODATA;
        buf->ptr = page.at;
        buf->size = page.len;
        buf->byte_order = ADDRXLAT_LITTLE_ENDIAN;
        buf->put_page = put_page;
        return ADDRXLAT_OK;
}

static unsigned long read_caps(const addrxlat_cb_t *cb)
{
        (void)cb;
        return ADDRXLAT_CAPS(ADDRXLAT_MACHPHYSADDR);
}

struct peer {
        addrxlat_ctx_t *ctx;
        addrxlat_meth_t meth;
};

static void peer_open(struct peer *peer, const struct stasis_space *space)
{
        const struct stasis_paging *paging = space->paging;
        addrxlat_paging_form_t form = { .nfields = (unsigned short)(paging->levels + 1), .fieldsz = { 12 } };
        addrxlat_cb_t *cb;

        for (unsigned i = 0; i < paging->levels; i++)
                form.fieldsz[paging->levels - i] = paging->level[i].bits;
        form.pte_format = paging->entry_size == 4 ? ADDRXLAT_PTE_IA32
                          : paging->levels == 3   ? ADDRXLAT_PTE_IA32_PAE
                                                  : ADDRXLAT_PTE_X86_64;
        peer->ctx = addrxlat_ctx_new();
        cb = peer->ctx ? addrxlat_ctx_add_cb(peer->ctx) : NULL;
        if (!cb)
                exit(EXIT_FAILURE);
        cb->priv = (void *)space->image;
        cb->get_page = get_page;
        cb->read_caps = read_caps;
        peer->meth = (addrxlat_meth_t){ .kind = ADDRXLAT_PGT, .target_as = ADDRXLAT_MACHPHYSADDR };
        peer->meth.param.pgt.root = (addrxlat_fulladdr_t){ space->root, ADDRXLAT_MACHPHYSADDR };
        peer->meth.param.pgt.pf = form;
}

static uint64_t by_peer(void *ctx, uint64_t va)
{
        struct peer *peer = ctx;
        addrxlat_step_t step = { .ctx = peer->ctx, .meth = &peer->meth, .base = { va, ADDRXLAT_KVADDR } };
        return addrxlat_walk(&step) == ADDRXLAT_OK ? step.base.addr : STASIS_NOWHERE;
}

/* ---- ours */

static uint64_t by_tlb(void *ctx, uint64_t va)
{
        uint64_t pa;
        return stasis_space_pa(ctx, va, &pa) == STASIS_OK ? pa : STASIS_NOWHERE;
}

static uint64_t by_walk(void *ctx, uint64_t va)
{
        struct stasis_walk walk;
        return stasis_space_walk(ctx, va, &walk) == STASIS_OK ? walk.pa : STASIS_NOWHERE;
}

/* ---- the measurement: translations per second, and what they came to */

struct result {
        double rate;
        uint64_t sum;
};

static struct result measure(uint64_t (*translate)(void *, uint64_t), void *ctx, const uint64_t *va)
{
        struct result r = { 0, 0 };
        uint64_t done = 0;
        for (unsigned i = 0; i < ADDRESSES; i++) /* caches and branch predictors, and the sum to compare */
                r.sum += translate(ctx, va[i]);
        double start = now(), elapsed = 0;
        while (elapsed < SECONDS) {
                uint64_t sum = 0;
                for (unsigned i = 0; i < ADDRESSES; i++)
                        sum += translate(ctx, va[i]);
                if (sum != r.sum)
                        exit(EXIT_FAILURE);
                done += ADDRESSES;
                elapsed = now() - start;
        }
        r.rate = (double)done / elapsed;
        return r;
}

static bool line(const char *what, struct result ours, struct result theirs)
{
        printf("  %-28s %9.2f M/s   libaddrxlat %7.2f M/s   %6.1f times\n", what, ours.rate / 1e6, theirs.rate / 1e6,
               ours.rate / theirs.rate);
        if (ours.sum == theirs.sum)
                return true;
        fprintf(stderr, "%s: the results differ\n", what);
        return false;
}

static bool compare(struct stasis_space *space, const uint64_t *page, size_t pages)
{
        static uint64_t warm[ADDRESSES], cold[ADDRESSES];
        struct peer peer;
        size_t first = pages > WARM_PAGES ? pages / 2 : 0;
        for (unsigned i = 0; i < ADDRESSES; i++) {
                warm[i] = page[first + draw() % (pages < WARM_PAGES ? pages : WARM_PAGES)] | (draw() & 0xff8);
                cold[i] = page[draw() % pages] | (draw() & 0xff8);
        }
        peer_open(&peer, space);
        printf("translate: %s, root 0x%" PRIx64 ", %zu pages\n", space->paging->name, space->root, pages);
        struct result theirs_warm = measure(by_peer, &peer, warm), theirs_cold = measure(by_peer, &peer, cold);
        bool same = line("warm", measure(by_tlb, space, warm), theirs_warm);
        same = line("cold", measure(by_tlb, space, cold), theirs_cold) && same;
        same = line("cold, every entry kept", measure(by_walk, space, cold), theirs_cold) && same;
        addrxlat_ctx_decref(peer.ctx);
        return same;
}

/* ---- what is translated */

static size_t mapped_pages(struct stasis_space *space, uint64_t *page)
{
        struct stasis_range range;
        uint64_t va = 0, at;
        size_t count = 0;
        while (count < PAGES_MAX && stasis_space_next(space, va, 0, &range, NULL) == STASIS_OK) {
                for (at = range.va; count < PAGES_MAX && at - range.va < range.len; at += 0x1000)
                        page[count++] = at;
                va = range.va + range.len;
        }
        return count;
}

static struct stasis_image *synthetic(uint64_t *ret_root)
{
        struct stasis_image *image;
        uint8_t *memory = calloc(MEMORY, 1); /* never freed: the image borrows it until the end */
        if (!memory)
                return NULL;
        /* PML4 at 0x1000, PDPT 0x2000, PD 0x3000, page tables from 0x4000 on; frames from 64 MiB on, scattered */
        uint64_t *word = (uint64_t *)(void *)memory; /* little-endian machines only */
        word[(0x1000 >> 3) + 0x1f0] = 0x2063;
        word[(0x2000 >> 3)] = 0x3063;
        for (uint64_t i = 0; i < SYNTHETIC_PAGES; i++) {
                word[(0x3000 >> 3) + i / 512] = (0x4000 + i / 512 * 0x1000) | 0x63;
                word[(0x4000 >> 3) + i] =
                        ((UINT64_C(64) << 20) + i * 40503 % SYNTHETIC_PAGES * 0x1000) | 0x8000000000000063;
        }
        *ret_root = 0x1000;
        if (stasis_image_open_memory(memory, MEMORY, "synthetic", &(struct stasis_image_options){ .format = "raw" },
                                     &image, NULL) != STASIS_OK)
                return NULL;
        return image;
}

static bool choose_root(const struct stasis_image *image, char **argv, struct stasis_space *space)
{
        struct windows_root root[WINDOWS_ROOTS_MAX];
        if (argv[2] && argv[3]) {
                const struct stasis_paging *paging = stasis_paging_by_name(argv[2]);
                if (paging)
                        stasis_space_init(space, image, paging, strtoull(argv[3], NULL, 16));
                return paging != NULL;
        }
        size_t count = windows_roots_told(image, root, WINDOWS_ROOTS_MAX);
        if (count == 0)
                count = windows_roots_scan(image, root, WINDOWS_ROOTS_MAX, NULL, NULL);
        if (count)
                stasis_space_init(space, image, root[0].paging, root[0].root);
        return count != 0;
}

static int run(struct stasis_space *space, uint64_t *page)
{
        size_t pages = mapped_pages(space, page);
        if (pages == 0) {
                fprintf(stderr, "nothing is mapped there\n");
                return EXIT_FAILURE;
        }
        return compare(space, page, pages) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
        static struct stasis_space space;
        static uint64_t page[PAGES_MAX];
        struct stasis_image *image;
        struct stasis_error err;
        uint64_t root;

        if (argc < 2) {
                image = synthetic(&root);
                if (!image)
                        return EXIT_FAILURE;
                stasis_space_init(&space, image, &stasis_paging_x64, root);
        } else {
                if (stasis_image_open(argv[1], NULL, &image, &err) != STASIS_OK) {
                        fprintf(stderr, "%s\n", err.text);
                        return EXIT_FAILURE;
                }
                if (!choose_root(image, argv, &space)) {
                        fprintf(stderr, "%s: no page-table root found\n", argv[1]);
                        return EXIT_FAILURE;
                }
        }
        int status = run(&space, page);
        stasis_image_close(image);
        return status;
}
