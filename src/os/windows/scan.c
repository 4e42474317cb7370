/* SPDX-License-Identifier: MIT */
#include "scan.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/bytes.h"

#define PAGE 4096
#define BLOCK 128         /* bytes that are looked at between two branches */
#define READ (256u << 10) /* bytes at once: a part of a second-level cache */

/* A stretch of a run that is looked through as a whole. */
struct piece {
        uint64_t pa;
        uint32_t len;
};

/*
 * Sixteen bytes at a time, as four words: what pattern 0 wants of the low word of a place, pattern 1 of the high one.
 * Of sixteen bytes that hold one place only, the other two words can not match. A block that passes is asked again,
 * place by place and whole: by chance three in a hundred do.
 */
typedef uint32_t words __attribute__((vector_size(16)));
typedef int32_t verdicts __attribute__((vector_size(16)));

struct filter {
        words mask, want;
};

struct shared {
        const struct scan *scan;
        struct filter filter;
        const struct piece *piece;
        size_t pieces;
        atomic_size_t next, done, hits;
        atomic_bool cut, failed;
};

struct worker {
        struct shared *shared;
        pthread_t thread;
        bool started;
        struct scan_hit *hit;
        size_t count, capacity;
        uint64_t bytes, unread;
        uint8_t *buf; /* of READ bytes */
};

/* ---------------------------------------------------------------- the loop that all bytes go through */

static struct filter filter_of(const struct scan *s)
{
        struct filter f = { .mask = { (uint32_t)s->pattern[0].mask, (uint32_t)(s->pattern[1].mask >> 32), 0, 0 },
                            .want = { (uint32_t)s->pattern[0].want, (uint32_t)(s->pattern[1].want >> 32), 1, 1 } };
        for (unsigned i = 2; s->align == 8 && i < 4; i++) {
                f.mask[i] = f.mask[i - 2];
                f.want[i] = f.want[i - 2];
        }
        return f;
}

/* Without a branch inside, and in two sums: the processor does four words and more of this at a time. */
static inline bool block_matches(const struct filter *f, const uint8_t *at)
{
        const words mask = f->mask, want = f->want;
        verdicts any[2] = { { 0 }, { 0 } };
#pragma GCC unroll 8
        for (size_t i = 0; i < BLOCK / sizeof(words); i++) {
                words v;
                memcpy(&v, at + i * sizeof v, sizeof v);
                any[i % 2] |= (v & mask) == want;
        }
        any[0] |= any[1];
        uint64_t half[2];
        memcpy(half, any, sizeof half);
        return half[0] | half[1];
}

static bool keep(struct worker *w, const struct scan_hit *hit)
{
        if (atomic_fetch_add_explicit(&w->shared->hits, 1, memory_order_relaxed) >= SCAN_HITS_MAX) {
                atomic_store(&w->shared->cut, true);
                return false;
        }
        if (!stasis_grow(&w->hit, &w->capacity, w->count + 1, sizeof *w->hit)) {
                atomic_store(&w->shared->failed, true);
                return false;
        }
        w->hit[w->count++] = *hit;
        return true;
}

static inline bool matches(const struct scan *s, size_t i, uint64_t v)
{
        return (v & s->pattern[i].mask) == s->pattern[i].want;
}

/* One place of a page, asked again with each pattern. */
static bool ask(struct worker *w, uint64_t page_pa, struct stasis_bytes page, size_t at)
{
        const struct scan *s = w->shared->scan;
        uint64_t v = load_le64(page.at + at);
        for (uint32_t i = 0; i < SCAN_PATTERNS; i++) {
                struct scan_hit hit = { .pa = page_pa + at, .pattern = i };
                if (matches(s, i, v) && s->accept(s->ctx, i, page, at, &hit) && !keep(w, &hit))
                        return false;
        }
        return true;
}

static bool look_at_block(struct worker *w, uint64_t page_pa, struct stasis_bytes page, size_t from, size_t end)
{
        const struct scan *s = w->shared->scan;
        for (size_t at = from; at + 8 <= page.len && at < end; at += s->align) {
                uint64_t v = load_le64(page.at + at);
                if ((matches(s, 0, v) || matches(s, 1, v)) && !ask(w, page_pa, page, at))
                        return false;
        }
        return true;
}

static bool look_at_page(struct worker *w, uint64_t pa, struct stasis_bytes page)
{
        const struct filter f = w->shared->filter;
        size_t at = 0;
        for (; at + BLOCK <= page.len; at += BLOCK)
                if (__builtin_expect(block_matches(&f, page.at + at), 0) && !look_at_block(w, pa, page, at, at + BLOCK))
                        return false;
        return look_at_block(w, pa, page, at, page.len);
}

static bool look_at_piece(struct worker *w, const struct piece *piece)
{
        const struct scan *s = w->shared->scan;
        for (uint32_t done = 0; done < piece->len;) {
                uint32_t left = piece->len - done, want = left < READ ? left : READ;
                struct stasis_bytes bytes = stasis_image_stream(s->image, piece->pa + done, w->buf, want);
                if (!bytes.at) { /* a page that does not unpack, or that the disk does not give: the next one */
                        uint32_t to_page = PAGE - (uint32_t)((piece->pa + done) % PAGE);
                        want = want < to_page ? want : to_page;
                        w->unread += want;
                        done += want;
                        continue;
                }
                for (size_t at = 0, len; at < bytes.len; at += len) {
                        uint64_t pa = piece->pa + done + at;
                        len = PAGE - pa % PAGE;
                        len = len < bytes.len - at ? len : bytes.len - at;
                        struct stasis_bytes page = { bytes.at + at, len };
                        if (!look_at_page(w, pa, page))
                                return false;
                }
                w->bytes += bytes.len;
                done += (uint32_t)bytes.len;
        }
        return true;
}

/* ---------------------------------------------------------------- pieces and workers */

/* Every run in pieces, without holes; each begins at a place where an object may. */
static bool cut_run(const struct scan *scan, const struct stasis_run *run, struct piece **piece, size_t *count,
                    size_t *capacity)
{
        uint64_t end = run->pa + run->len;
        for (uint64_t pa = run->pa; pa < end;) {
                uint64_t data = stasis_image_skip_hole(scan->image, pa);
                pa = data > pa ? data : pa;
                pa += -pa % scan->align;
                if (pa >= end)
                        break;
                uint64_t len = SCAN_PIECE - pa % SCAN_PIECE;
                len = len < end - pa ? len : end - pa;
                if (!stasis_grow(piece, capacity, *count + 1, sizeof **piece))
                        return false;
                (*piece)[(*count)++] = (struct piece){ .pa = pa, .len = (uint32_t)len };
                pa += len;
        }
        return true;
}

static bool cut_image(const struct scan *scan, struct piece **ret_piece, size_t *ret_count)
{
        size_t runs, capacity = 0;
        const struct stasis_run *run = stasis_image_runs(scan->image, &runs);
        *ret_piece = NULL;
        *ret_count = 0;
        for (size_t i = 0; i < runs; i++)
                if (!cut_run(scan, &run[i], ret_piece, ret_count, &capacity)) {
                        free(*ret_piece);
                        return false;
                }
        return true;
}

static void *work(void *ctx)
{
        struct worker *w = ctx;
        struct shared *s = w->shared;
        for (;;) {
                size_t i = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
                if (i >= s->pieces || atomic_load_explicit(&s->cut, memory_order_relaxed) ||
                    atomic_load_explicit(&s->failed, memory_order_relaxed) || !look_at_piece(w, &s->piece[i]))
                        return NULL;
                size_t done = atomic_fetch_add_explicit(&s->done, 1, memory_order_relaxed);
                if (!w->started && s->scan->progress) /* the calling thread */
                        s->scan->progress(s->scan->progress_ctx, done, s->pieces);
        }
}

static unsigned jobs_of(const struct scan *scan, size_t pieces)
{
        cpu_set_t set;
        size_t jobs = scan->jobs;
        if (!jobs && sched_getaffinity(0, sizeof set, &set) == 0)
                jobs = (size_t)CPU_COUNT(&set);
        jobs = jobs < SCAN_JOBS_MAX ? jobs : SCAN_JOBS_MAX;
        jobs = jobs < pieces ? jobs : pieces;
        return jobs ? (unsigned)jobs : 1;
}

static int by_place(const void *a, const void *b)
{
        const struct scan_hit *h = a, *k = b;
        if (h->pa != k->pa)
                return h->pa > k->pa ? 1 : -1;
        return (h->pattern > k->pattern) - (h->pattern < k->pattern);
}

static enum stasis_status gather(struct worker *worker, unsigned jobs, struct scan_result *result)
{
        size_t capacity = 0;
        for (unsigned i = 0; i < jobs; i++) {
                result->bytes += worker[i].bytes;
                result->unread += worker[i].unread;
                if (!worker[i].count)
                        continue;
                if (!stasis_grow(&result->hit, &capacity, result->count + worker[i].count, sizeof *result->hit))
                        return STASIS_NOMEM;
                memcpy(result->hit + result->count, worker[i].hit, worker[i].count * sizeof *worker[i].hit);
                result->count += worker[i].count;
        }
        if (result->count)
                qsort(result->hit, result->count, sizeof *result->hit, by_place);
        return STASIS_OK;
}

/* The calling thread is the first worker; where no other can be started, it does everything. */
static enum stasis_status run_jobs(struct shared *shared, struct worker *worker, unsigned jobs,
                                   struct scan_result *result)
{
        bool ok = true;
        for (unsigned i = 0; i < jobs; i++) {
                worker[i].shared = shared;
                worker[i].buf = malloc(READ);
                ok = ok && worker[i].buf;
        }
        for (unsigned i = 1; ok && i < jobs; i++)
                worker[i].started = true;
        for (unsigned i = 1; ok && i < jobs; i++)
                worker[i].started = pthread_create(&worker[i].thread, NULL, work, &worker[i]) == 0;
        if (ok)
                (void)work(&worker[0]);
        for (unsigned i = 1; i < jobs; i++)
                if (worker[i].started)
                        pthread_join(worker[i].thread, NULL);
        enum stasis_status status = ok && !atomic_load(&shared->failed) ? gather(worker, jobs, result) : STASIS_NOMEM;
        for (unsigned i = 0; i < jobs; i++) {
                free(worker[i].hit);
                free(worker[i].buf);
        }
        return status;
}

enum stasis_status scan_run(const struct scan *scan, struct scan_result *ret_result)
{
        struct worker worker[SCAN_JOBS_MAX] = { 0 };
        struct scan_result result = { 0 };
        struct piece *piece;
        struct shared shared = { .scan = scan, .filter = filter_of(scan) };
        if (!cut_image(scan, &piece, &shared.pieces))
                return STASIS_NOMEM;
        shared.piece = piece;
        unsigned jobs = jobs_of(scan, shared.pieces);
        enum stasis_status status = run_jobs(&shared, worker, jobs, &result);
        if (status == STASIS_OK && atomic_load(&shared.cut) && jobs > 1) {
                /* Which hits came first depends on the threads then: once more, in the order of addresses. */
                free(result.hit);
                result = (struct scan_result){ 0 };
                memset(worker, 0, sizeof worker);
                shared = (struct shared){
                        .scan = scan, .filter = shared.filter, .piece = piece, .pieces = shared.pieces
                };
                status = run_jobs(&shared, worker, 1, &result);
        }
        result.cut = atomic_load(&shared.cut);
        free(piece);
        if (status != STASIS_OK) {
                free(result.hit);
                return status;
        }
        *ret_result = result;
        return STASIS_OK;
}
