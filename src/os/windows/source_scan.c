/* SPDX-License-Identifier: MIT */
/*
 * All of physical memory, for thread objects: at every aligned place, what begins like a dispatcher header of a thread
 * is held against the invariants of one (thread_shape.h), and pool tags are remembered. What is believed and lies where
 * the page tables say is a sighting like any other. What lies where no table leads to, or where another page has taken
 * its address, is what is left of a thread that ended: it is listed apart, read by its physical address.
 *
 * The tag is asked of the block that the object is in: pool-scan. It stands in the block's header, or where that is a
 * whole page and more, which have none, in PoolBigPageTable (pool_table.h). A driver may wipe it: the header scan needs
 * none.
 *
 * Where an object lies, its own empty list heads tell. One that has none is looked for in the kernel's page tables, by
 * its physical page; all of these in one pass.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pool_table.h"
#include "scan.h"
#include "sources.h"
#include "thread_shape.h"

enum { PATTERN_HEADER, PATTERN_TAG };
#define TAG_BEFORE 0x180 /* the tag's place before the object: pool header, optional headers, the header, alignment */
#define TAG UINT64_C(0x65726854) /* "Thre", and "Thr\xe5" but for the highest bit (PROTECTED_POOL) */
#define TAG_MASK UINT64_C(0x7fffffff)

/* Objects without an address of their own; no honest machine has a hundred. */
#define HOMELESS_MAX 65536

/* One that nothing in itself tells the address of. */
struct homeless {
        uint64_t pa, va; /* va: 0 until it is found */
        bool tagged, freed;
};

struct thread_scan {
        struct windows *w;
        struct thread_shape shape;
        struct pool_table pool;
        unsigned bits_page, bits;
        struct homeless *homeless; /* by pa, as the hits are */
        size_t homeless_count, homeless_capacity;
        size_t living, listed, ghosts, refused;
};

/* In a worker: what can be said of the page alone. */
static bool accept(const void *ctx, uint32_t pattern, struct stasis_bytes page, size_t at, struct scan_hit *hit)
{
        const struct thread_scan *s = ctx;
        if (pattern == PATTERN_TAG)
                return true;
        struct stasis_bytes bytes = { page.at + at, page.len - at };
        struct shape_score score = thread_shape_score(&s->shape, bytes, (uint32_t)(hit->pa & 0xfff));
        hit->bits = score.bits;
        return !score.refused && score.bits >= s->bits_page;
}

/* ---------------------------------------------------------------- one candidate */

/* The tag in the block of which a place is part: the nearest before it, in its page. bits: the pool header's first. */
static const struct scan_hit *tag_before(const struct scan_hit *hit, size_t i)
{
        for (size_t j = i; j-- > 0 && hit[j].pa >= hit[i].pa - TAG_BEFORE && hit[j].pa >> 12 == hit[i].pa >> 12;)
                if (hit[j].pattern == PATTERN_TAG)
                        return &hit[j];
        return NULL;
}

/* PoolType in the block's header: 0 where it is free. Nine low bits of the third and fourth byte on x86, one byte on
 * x64. */
static bool is_free(const struct windows *w, const struct scan_hit *tag)
{
        uint8_t head[8];
        if (stasis_image_read(w->image, tag->pa, head, sizeof head) != STASIS_OK)
                return false;
        return w->is64 ? head[3] == 0 : head[3] >> 1 == 0;
}

/* Scored with all bytes of the object, at its address. False: they are not all there. */
static bool score_at(const struct thread_scan *s, uint64_t va, struct shape_score *ret_score)
{
        uint8_t object[8192];
        size_t size = s->shape.size < sizeof object ? s->shape.size : sizeof object;
        if (stasis_space_read(s->w->kernel, va, object, size) != STASIS_OK)
                return false;
        *ret_score = thread_shape_score(&s->shape, (struct stasis_bytes){ object, size }, (uint32_t)(va & 0xfff));
        return true;
}

/*
 * Scored with all bytes of the object: those of its page, and where it goes on behind that, those that its own address
 * leads to.
 */
static struct shape_score score_whole(const struct thread_scan *s, uint64_t pa)
{
        uint8_t page[4096];
        size_t here = 4096 - (size_t)(pa & 0xfff);
        uint64_t now;
        struct stasis_bytes bytes = stasis_image_piece(s->w->image, pa, page, here);
        struct shape_score score = thread_shape_score(&s->shape, bytes, (uint32_t)(pa & 0xfff));
        if (!score.refused && s->shape.size > here && score.va &&
            stasis_space_pa(s->w->kernel, score.va, &now) == STASIS_OK && now == pa)
                (void)score_at(s, score.va, &score);
        return score;
}

/* Physical memory as a space of its own: its addresses are the image's. */
static bool open_flat(struct windows *w)
{
        if (w->flat)
                return true;
        w->flat = malloc(sizeof *w->flat);
        if (w->flat)
                stasis_space_init(w->flat, w->image, &stasis_paging_flat64, 0);
        return w->flat;
}

static enum stasis_status add_ghost(struct thread_scan *s, uint64_t pa, const struct shape_score *score,
                                    uint32_t sources)
{
        struct windows *w = s->w;
        struct windows_thread t = {
                .object = score->va, .ghost = true, .pa = pa, .sources = sources, .shape_bits = (uint16_t)score->bits
        };
        uint64_t owner = 0;
        if (w->thread_count >= WINDOWS_THREADS_MAX)
                return STASIS_LIMIT;
        if (!open_flat(w))
                return STASIS_NOMEM;
        if (windows_owner_in(w, w->flat, pa, &owner) != STASIS_OK)
                return STASIS_OK;
        size_t index = windows_process_of(w, owner);
        if (index == w->process_count && !windows_add_ghost_process(w, owner, pa))
                return STASIS_NOMEM;
        t.process = (uint32_t)index;
        if (!stasis_grow(&w->thread, &w->thread_capacity, w->thread_count + 1, sizeof *w->thread))
                return STASIS_NOMEM;
        w->thread[w->thread_count++] = t;
        s->ghosts++;
        return STASIS_OK;
}

/* Something that lies where its own address leads: known, new, or one whose process is gone. */
static enum stasis_status saw_living(struct thread_scan *s, const struct shape_score *score, uint32_t sources,
                                     bool freed, uint64_t pa)
{
        struct windows *w = s->w;
        bool known = address_map_get(&w->thread_at, score->va) != ADDRESS_MAP_NONE, is = false;
        enum stasis_status status = windows_saw_thread(w, score->va, SOURCE_HEADER_SCAN, &is);
        if (status != STASIS_OK)
                return status;
        if (!is)
                return add_ghost(s, pa, score, sources);
        struct windows_thread *t = &w->thread[address_map_get(&w->thread_at, score->va)];
        t->sources |= sources;
        t->freed |= freed && !known;
        t->shape_bits = (uint16_t)score->bits;
        s->living += known;
        s->listed += !known;
        return STASIS_OK;
}

/* Whether the block of pool that it is in is a thread's, by its header (tag) or by the table of large ones. */
struct in_pool {
        bool tagged, freed;
};

static struct in_pool in_pool(const struct thread_scan *s, const struct scan_hit *tag, uint64_t va)
{
        const struct pool_block *block = tag ? NULL : pool_table_block(&s->pool, va);
        return (struct in_pool){ .tagged = tag || block, .freed = tag ? is_free(s->w, tag) : block && block->freed };
}

static uint32_t sources_of(bool tagged) { return 1u << SOURCE_HEADER_SCAN | (tagged ? 1u << SOURCE_POOL_SCAN : 0); }

static enum stasis_status keep_homeless(struct thread_scan *s, uint64_t pa, const struct scan_hit *tag)
{
        if (s->homeless_count >= HOMELESS_MAX)
                return STASIS_OK;
        if (!stasis_grow(&s->homeless, &s->homeless_capacity, s->homeless_count + 1, sizeof *s->homeless))
                return STASIS_NOMEM;
        s->homeless[s->homeless_count++] =
                (struct homeless){ .pa = pa, .tagged = tag, .freed = tag && is_free(s->w, tag) };
        return STASIS_OK;
}

static enum stasis_status take_hit(struct thread_scan *s, const struct scan_hit *hit, size_t i)
{
        struct windows *w = s->w;
        const struct scan_hit *tag = tag_before(hit, i);
        struct shape_score score = score_whole(s, hit[i].pa);
        uint64_t pa;
        if (!score.refused && !score.va)
                return keep_homeless(s, hit[i].pa, tag);
        if (score.refused || score.bits < s->bits) {
                s->refused++;
                return STASIS_OK;
        }
        struct in_pool block = in_pool(s, tag, score.va);
        if (stasis_space_pa(w->kernel, score.va, &pa) == STASIS_OK && pa == hit[i].pa)
                return saw_living(s, &score, sources_of(block.tagged), block.freed, pa);
        return add_ghost(s, hit[i].pa, &score, sources_of(block.tagged));
}

/* ---------------------------------------------------------------- those without an address */

/* A mapping of a page; of several the first in the kernel's half counts. */
static bool found_page(void *ctx, const struct stasis_mapping *mapping)
{
        struct thread_scan *s = ctx;
        uint64_t pa = mapping->walk.pa & ~UINT64_C(0xfff), va = mapping->walk.va & ~UINT64_C(0xfff);
        size_t low = 0, high = s->homeless_count;
        if (!is_kernel_address(s->w, va))
                return true;
        while (low < high) { /* the first in this page */
                size_t middle = low + (high - low) / 2;
                if (s->homeless[middle].pa < pa)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < s->homeless_count && s->homeless[low].pa - pa < 0x1000; low++)
                if (!s->homeless[low].va)
                        s->homeless[low].va = va + (s->homeless[low].pa - pa);
        return true;
}

static enum stasis_status find_pages(struct thread_scan *s)
{
        uint64_t *page = calloc(s->homeless_count, sizeof *page);
        if (!page)
                return STASIS_NOMEM;
        for (size_t i = 0; i < s->homeless_count; i++)
                page[i] = s->homeless[i].pa & ~UINT64_C(0xfff);
        enum stasis_status status = stasis_space_reverse(s->w->kernel, page, s->homeless_count, found_page, s, NULL);
        free(page);
        return status == STASIS_NOMEM ? status : STASIS_OK; /* what was found before a bound stands */
}

/* With its address known: asked again, with all of its bytes. */
static enum stasis_status take_homeless(struct thread_scan *s, const struct homeless *h, size_t *lost)
{
        struct shape_score score = score_whole(s, h->pa);
        if (h->va)
                (void)score_at(s, h->va, &score);
        if (score.refused || score.bits < s->bits) {
                s->refused++;
                return STASIS_OK;
        }
        if (!h->va) {
                ++*lost;
                return STASIS_OK;
        }
        struct in_pool block = { h->tagged, h->freed };
        if (!h->tagged)
                block = in_pool(s, NULL, h->va);
        score.va = h->va;
        return saw_living(s, &score, sources_of(block.tagged), block.freed, h->pa);
}

static enum stasis_status take_all_homeless(struct thread_scan *s)
{
        size_t lost = 0, found = s->living + s->listed;
        enum stasis_status status = s->homeless_count ? find_pages(s) : STASIS_OK;
        for (size_t i = 0; i < s->homeless_count && status == STASIS_OK; i++)
                status = take_homeless(s, &s->homeless[i], &lost);
        if (status != STASIS_OK || !s->homeless_count)
                return status;
        system_trace(s->w->system, "header-scan", true,
                     "%zu places without an empty list head: the page tables lead to %zu threads there; %zu look like "
                     "one, and no address leads to them",
                     s->homeless_count, s->living + s->listed - found, lost);
        if (lost)
                system_note(s->w->system, STASIS_NOTE_MISSING, "scan-no-address", 0, -1, -1,
                            "%zu places of memory look like threads, and neither they nor the page tables tell their "
                            "addresses: they are not listed",
                            lost);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- the pass */

static void progress(void *ctx, uint64_t done, uint64_t total)
{
        const struct windows *w = ctx;
        system_progress(w->system, "scan for threads", done, total);
}

static enum stasis_status take_hits(struct thread_scan *s, const struct scan_result *result)
{
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; status == STASIS_OK && i < result->count; i++)
                if (result->hit[i].pattern == PATTERN_HEADER)
                        status = take_hit(s, result->hit, i);
        return status == STASIS_OK ? take_all_homeless(s) : status;
}

static void tell(const struct thread_scan *s, const struct scan_result *result)
{
        const struct windows *w = s->w;
        system_trace(w->system, "header-scan", true,
                     "%" PRIu64
                     " bytes: %zu threads that were known, %zu that were not, %zu without an address; %zu places "
                     "looked like one at first",
                     result->bytes, s->living, s->listed, s->ghosts, s->refused);
        if (result->cut)
                system_note(w->system, STASIS_NOTE_MISSING, "scan-cut", result->hit[result->count - 1].pa, -1, -1,
                            "the scan for threads ended at physical 0x%" PRIx64 ": too many places look like one",
                            result->hit[result->count - 1].pa);
        if (result->unread)
                system_note(w->system, STASIS_NOTE_MISSING, "scan-unread", 0, -1, -1,
                            "the scan for threads could not read %" PRIu64 " of the image's bytes", result->unread);
}

enum stasis_status windows_find_by_scan(struct windows *w)
{
        struct thread_scan s = { .w = w,
                                 .bits_page = w->is64 ? SHAPE_BITS_PAGE_64 : SHAPE_BITS_PAGE_32,
                                 .bits = w->is64 ? SHAPE_BITS_64 : SHAPE_BITS_32 };
        struct scan scan = { .image = w->image,
                             .accept = accept,
                             .ctx = &s,
                             .jobs = w->system->options.jobs,
                             .progress = progress,
                             .progress_ctx = w };
        struct scan_result result = { 0 };
        thread_shape_bind(w->layout, w->system_start, &s.shape);
        scan.align = s.shape.align;
        scan.pattern[PATTERN_HEADER].mask = SHAPE_HEADER_MASK;
        scan.pattern[PATTERN_HEADER].want = SHAPE_HEADER;
        scan.pattern[PATTERN_TAG].mask = TAG_MASK << 32;
        scan.pattern[PATTERN_TAG].want = TAG << 32;
        enum stasis_status status = pool_table_read(w, (uint32_t)TAG, (uint32_t)TAG_MASK, &s.pool);
        if (status == STASIS_OK)
                status = scan_run(&scan, &result);
        if (status == STASIS_OK)
                status = take_hits(&s, &result);
        if (status == STASIS_OK)
                tell(&s, &result);
        free(result.hit);
        free(s.homeless);
        pool_table_free(&s.pool);
        return status;
}
