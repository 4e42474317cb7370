/* SPDX-License-Identifier: MIT */
/*
 * Rings that thread objects are links of: what the dispatcher keeps of those that wait (KPRCB.WaitListHead) and those
 * that are ready (DispatcherReadyListHead; source_ready.c has the queues of 8.1 and later), and what a KQUEUE keeps of
 * the threads that serve it. A thread that a process's lists have lost is still a link of these.
 *
 * Heads move with every servicing of KPRCB, and XP has them elsewhere (facts/windows/REPORT.md, 2 and 6.11): so a ring
 * is entered at the threads that are known, whose members do not move, and its head is what is no thread in it. The
 * heads of the processor block serve where the layout has them, for rings of which no thread is known. A thread that
 * waits with its stack pinned is on no such ring, and its entry is what an older wait has left: a ring is believed only
 * where each link's neighbours name it in turn.
 */
#include "rings.h"

static bool points_to(const struct windows *w, uint64_t at, uint64_t want)
{
        uint64_t value;
        return read_pointer(w, w->kernel, at, &value) == STASIS_OK && value == want;
}

bool ring_linked(const struct windows *w, uint64_t entry)
{
        uint64_t flink, blink;
        return read_pointer(w, w->kernel, entry, &flink) == STASIS_OK &&
               read_pointer(w, w->kernel, entry + w->pointer_size, &blink) == STASIS_OK &&
               is_kernel_address(w, flink) && is_kernel_address(w, blink) && flink != entry &&
               points_to(w, flink + w->pointer_size, entry) && points_to(w, blink, entry);
}

/* A thread, of a ring that was not walked before: a hostile one cannot have its links walked over and over. */
static bool accept_link(void *ctx, uint64_t entry)
{
        const struct rings *r = ctx;
        uint64_t object = entry - r->links->offset;
        return address_map_get(&r->seen, entry) == ADDRESS_MAP_NONE && (r->trusted || ring_linked(r->w, entry)) &&
               (address_map_get(&r->w->thread_at, object) != ADDRESS_MAP_NONE || !windows_thread_refused(r->w, object));
}

static enum stasis_status saw_link(struct rings *r, uint64_t entry)
{
        enum stasis_status status = windows_saw_thread(r->w, entry - r->links->offset, r->source, NULL);
        if (status == STASIS_OK && !address_map_put(&r->seen, entry, 0))
                status = STASIS_NOMEM;
        return status;
}

enum stasis_status ring_walk(struct rings *r, uint64_t entry, bool is_head, struct ring *ret_ring)
{
        struct list_options options = {
                .pointer_size = r->w->pointer_size, .max = WINDOWS_THREADS_MAX, .accept = accept_link, .ctx = r
        };
        struct list_walk walk;
        enum stasis_status status = list_walk(r->w->kernel, entry, &options, &walk);
        if (status != STASIS_OK) {
                if (ret_ring)
                        *ret_ring = (struct ring){ .forward = LIST_UNREADABLE,
                                                   .backward = LIST_UNREADABLE,
                                                   .forward_at = entry,
                                                   .backward_at = entry };
                return status == STASIS_NOMEM ? status : STASIS_OK;
        }
        struct ring ring = { .threads = walk.count + !is_head,
                             .whole = list_whole(&walk) || (!is_head && walk.forward_at == walk.backward_at),
                             .forward = walk.forward,
                             .backward = walk.backward,
                             .forward_at = walk.forward_at,
                             .backward_at = walk.backward_at };
        if (!is_head)
                status = saw_link(r, entry);
        for (size_t i = 0; i < walk.count && status == STASIS_OK; i++)
                status = saw_link(r, walk.entry[i]);
        r->count += ring.threads != 0;
        r->torn += !ring.whole;
        list_free(&walk);
        if (ret_ring)
                *ret_ring = ring;
        return status;
}

static enum stasis_status walk_heads(struct rings *r, const struct place *head, size_t count)
{
        struct windows *w = r->w;
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; head->has && i < w->processor_count; i++)
                for (size_t j = 0; j < count && status == STASIS_OK; j++) {
                        uint64_t at = w->processor[i].block + head->offset + j * 2 * w->pointer_size;
                        if (ring_linked(w, at)) /* an empty one names itself; a wrong place is refused */
                                status = ring_walk(r, at, true, NULL);
                }
        return status;
}

/* The ring that a thread is on; of a ready one, what lies beside its head. */
static enum stasis_status walk_from_thread(struct rings *r, uint64_t object)
{
        struct ring ring;
        enum stasis_status status = ring_walk(r, object + r->links->offset, false, &ring);
        if (status == STASIS_OK && r->source == SOURCE_READY_QUEUE && ring.whole && ring.forward == LIST_REFUSED)
                status = ready_walk_beside(r, object, ring.forward_at);
        return status;
}

/* Which threads may be on such a ring: those in this state, or, as many of a queue's threads run, all. */
#define ANY_STATE UINT64_MAX

static enum stasis_status walk_from_threads(struct rings *r, uint64_t state)
{
        struct windows *w = r->w;
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; i < w->thread_count && status == STASIS_OK; i++) { /* what is found is followed too */
                uint64_t object = w->thread[i].object, now, entry = object + r->links->offset;
                if (state != ANY_STATE &&
                    (read_place(w->kernel, object, &w->at.thread_state, &now) != STASIS_OK || now != state))
                        continue;
                if (address_map_get(&r->seen, entry) == ADDRESS_MAP_NONE && ring_linked(w, entry))
                        status = walk_from_thread(r, object);
        }
        return status;
}

static enum stasis_status find_rings(struct rings *r, const struct place *head, size_t heads, uint64_t state)
{
        struct windows *w = r->w;
        enum stasis_status status = STASIS_OK;
        if (!r->links->has)
                return STASIS_OK;
        if (head)
                status = walk_heads(r, head, heads);
        if (status == STASIS_OK && r->source == SOURCE_READY_QUEUE)
                status = ready_walk_queues(r);
        if (status == STASIS_OK)
                status = walk_from_threads(r, state);
        system_trace(w->system, windows_source_name(r->source), r->count != 0,
                     "%zu rings, %zu of them torn, of %zu threads", r->count, r->torn, r->seen.count);
        address_map_free(&r->seen);
        address_map_free(&r->lists);
        return status;
}

enum stasis_status windows_find_by_wait_list(struct windows *w)
{
        struct rings r = { .w = w, .source = SOURCE_WAIT_LIST, .links = &w->at.wait_links };
        return find_rings(&r, &w->at.prcb_wait_list, 1, THREAD_STATE_WAITING);
}

enum stasis_status windows_find_by_ready_queue(struct windows *w)
{
        struct rings r = { .w = w, .source = SOURCE_READY_QUEUE, .links = &w->at.wait_links };
        return find_rings(&r, &w->at.prcb_ready_queues, READY_QUEUES, THREAD_STATE_READY);
}

enum stasis_status windows_find_by_queue(struct windows *w)
{
        struct rings r = { .w = w, .source = SOURCE_QUEUE, .links = &w->at.queue_links };
        return find_rings(&r, NULL, 0, ANY_STATE);
}
