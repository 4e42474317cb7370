/* SPDX-License-Identifier: MIT */
/*
 * Ready threads that are not in their processor's own lists. Since 8.1 processors share queues (KPRCB.SharedReadyQueue
 * leads to a _KSHARED_READY_QUEUE, which 10 keeps in the block of one of them), and the threads of a scheduling group,
 * as a job with a CPU rate makes one, are in its _KSCB for their processor (KPRCB.ScbList, KTHREAD.QueuedScb). Each is
 * an array of list heads, one a priority, that a thread is on by KTHREAD.WaitListEntry, with a summary of which are not
 * empty, and a shared one since 15063 with a count. Places: structs-scheduler.txt says from where.
 *
 * KPRCB moves with servicing, and a likely layout may have it wrong: so an array is believed only where its heads are
 * heads of lists. Then it is no guess any more, a thread belongs to it though its links be torn, and a loss is told.
 */
#include <inttypes.h>
#include <string.h>

#include "rings.h"

#define SCBS_MAX 65536 /* scheduling groups of one processor */

/* One array of list heads. */
struct ready_lists {
        const char *what;
        uint64_t at; /* the structure; 0: none */
        const struct place *heads, *summary, *count;
        unsigned levels;
        bool named; /* the processor block says that it is there, whatever it looks like */
};

/* What was found in one. */
struct ready_found {
        uint64_t levels; /* bit by bit, those that have threads */
        size_t threads;
        bool torn;
};

static uint64_t head_at(const struct rings *r, const struct ready_lists *q, unsigned level)
{
        return q->at + q->heads->offset + (uint64_t)level * 2 * r->w->pointer_size;
}

/* Is this a LIST_ENTRY that is linked, or an empty head, which names itself? */
static bool is_head(const struct windows *w, uint64_t at)
{
        uint64_t flink, blink;
        if (read_pointer(w, w->kernel, at, &flink) != STASIS_OK ||
            read_pointer(w, w->kernel, at + w->pointer_size, &blink) != STASIS_OK)
                return false;
        return (flink == at && blink == at) || ring_linked(w, at);
}

/* Three of four heads: what is damaged is so here and there. */
static bool believed(const struct rings *r, const struct ready_lists *q)
{
        unsigned heads = 0;
        for (unsigned i = 0; i < q->levels; i++)
                heads += is_head(r->w, head_at(r, q, i));
        return heads * 4 >= q->levels * 3;
}

static void note_torn(struct windows *w, const struct ready_lists *q, unsigned level, const struct ring *ring)
{
        system_note(w->system, STASIS_NOTE_MISSING, "ready-queue-torn", q->at, -1, -1,
                    "priority %u of the %s at 0x%" PRIx64 " is torn: forwards it ends at 0x%" PRIx64
                    " (%s), backwards at 0x%" PRIx64 " (%s); %zu threads were reached",
                    level, q->what, q->at, ring->forward_at, list_end_name(ring->forward), ring->backward_at,
                    list_end_name(ring->backward), ring->threads);
}

static enum stasis_status walk_levels(struct rings *r, const struct ready_lists *q, struct ready_found *ret_found)
{
        struct ready_found found = { 0 };
        enum stasis_status status = STASIS_OK;
        r->trusted = true;
        for (unsigned i = 0; i < q->levels && status == STASIS_OK; i++) {
                struct ring ring;
                status = ring_walk(r, head_at(r, q, i), true, &ring);
                if (status != STASIS_OK)
                        break;
                found.levels |= (uint64_t)(ring.threads != 0) << i;
                found.threads += ring.threads;
                if (!ring.whole && !found.torn)
                        note_torn(r->w, q, i, &ring);
                found.torn |= !ring.whole;
        }
        r->trusted = false;
        *ret_found = found;
        return status;
}

/* What the structure itself says of its lists. More threads than were found is a loss that no torn link need show. */
static void check_found(struct windows *w, const struct ready_lists *q, const struct ready_found *found)
{
        uint64_t count, summary;
        if (q->count && read_place(w->kernel, q->at, q->count, &count) == STASIS_OK && count != found->threads)
                system_note(w->system, count > found->threads ? STASIS_NOTE_MISSING : STASIS_NOTE_WARNING,
                            "ready-threads-disagree", q->at, -1, -1,
                            "the %s at 0x%" PRIx64 " counts %" PRIu64 " ready threads, %zu were found", q->what, q->at,
                            count, found->threads);
        if (!found->torn && read_place(w->kernel, q->at, q->summary, &summary) == STASIS_OK && summary != found->levels)
                system_note(w->system, STASIS_NOTE_WARNING, "ready-summary-disagrees", q->at, -1, -1,
                            "the %s at 0x%" PRIx64 " has threads of the priorities 0x%" PRIx64
                            " (a bit each), and its summary says 0x%" PRIx64,
                            q->what, q->at, found->levels, summary);
}

static void refuse(struct windows *w, const struct ready_lists *q)
{
        bool sure = w->layout_evidence.sure && !strcmp(w->layout_evidence.sure, "exact");
        system_trace(w->system, "ready-queue", false, "0x%" PRIx64 " is no %s, or it is not readable", q->at, q->what);
        if (q->named && sure)
                system_note(w->system, STASIS_NOTE_MISSING, "ready-queue-unreadable", q->at, -1, -1,
                            "the %s at 0x%" PRIx64 " is not readable, or its lists are none", q->what, q->at);
}

static enum stasis_status walk_lists(struct rings *r, const struct ready_lists *q)
{
        struct ready_found found;
        if (!q->heads->has || !is_kernel_address(r->w, q->at) || q->at % r->w->pointer_size ||
            address_map_get(&r->lists, q->at) != ADDRESS_MAP_NONE)
                return STASIS_OK;
        if (!address_map_put(&r->lists, q->at, 0))
                return STASIS_NOMEM;
        if (!believed(r, q)) {
                refuse(r->w, q);
                return STASIS_OK;
        }
        enum stasis_status status = walk_levels(r, q, &found);
        if (status == STASIS_OK)
                check_found(r->w, q, &found);
        return status;
}

/* ---------------------------------------------------------------- queues that processors share */

static enum stasis_status walk_shared(struct rings *r, uint64_t queue, bool named)
{
        const struct windows_places *at = &r->w->at;
        const struct ready_lists q = { .what = "shared ready queue",
                                       .at = queue,
                                       .heads = &at->shared_ready,
                                       .summary = &at->shared_summary,
                                       .count = &at->shared_count,
                                       .levels = READY_QUEUES,
                                       .named = named };
        return walk_lists(r, &q);
}

/* The queue that the processor uses, and the one in its block, which is another's where it is in a group of them. */
static enum stasis_status walk_processor(struct rings *r, uint64_t block)
{
        const struct windows *w = r->w;
        uint64_t queue;
        enum stasis_status status = STASIS_OK;
        if (read_place(w->kernel, block, &w->at.prcb_shared_queue, &queue) == STASIS_OK && queue)
                status = walk_shared(r, queue, true);
        if (status == STASIS_OK && w->at.prcb_local_queue.has)
                status = walk_shared(r, block + w->at.prcb_local_queue.offset, false);
        return status;
}

/* ---------------------------------------------------------------- scheduling groups */

static enum stasis_status walk_scb(struct rings *r, uint64_t scb)
{
        const struct windows_places *at = &r->w->at;
        const struct ready_lists q = { .what = "ready queue of a scheduling group",
                                       .at = scb,
                                       .heads = &at->scb_ready,
                                       .summary = &at->scb_summary,
                                       .levels = SCB_QUEUES };
        return walk_lists(r, &q);
}

static bool accept_scb(void *ctx, uint64_t entry)
{
        const struct rings *r = ctx;
        return is_kernel_address(r->w, entry - r->w->at.scb_links.offset);
}

/* A head that one of its ends names: the other may be torn off; where neither does, it is no head of this kernel's. */
static bool names_head(const struct windows *w, uint64_t head)
{
        uint64_t flink, blink, back;
        if (read_pointer(w, w->kernel, head, &flink) != STASIS_OK ||
            read_pointer(w, w->kernel, head + w->pointer_size, &blink) != STASIS_OK)
                return false;
        return (is_kernel_address(w, flink) &&
                read_pointer(w, w->kernel, flink + w->pointer_size, &back) == STASIS_OK && back == head) ||
               (is_kernel_address(w, blink) && read_pointer(w, w->kernel, blink, &back) == STASIS_OK && back == head);
}

/* Every group's block for this processor. */
static enum stasis_status walk_groups(struct rings *r, uint64_t block)
{
        struct windows *w = r->w;
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = SCBS_MAX, .accept = accept_scb, .ctx = r
        };
        struct list_walk walk;
        uint64_t head = block + w->at.prcb_scbs.offset;
        if (!w->at.prcb_scbs.has || !w->at.scb_links.has || !names_head(w, head))
                return STASIS_OK;
        enum stasis_status status = list_walk(w->kernel, head, &options, &walk);
        if (status != STASIS_OK)
                return status == STASIS_NOMEM ? status : STASIS_OK;
        if (!list_whole(&walk))
                system_note(w->system, STASIS_NOTE_MISSING, "scheduling-groups-torn", head, -1, -1,
                            "a processor's list of scheduling groups is torn: forwards it ends at 0x%" PRIx64
                            " (%s), backwards at 0x%" PRIx64 " (%s); %zu groups were reached",
                            walk.forward_at, list_end_name(walk.forward), walk.backward_at,
                            list_end_name(walk.backward), walk.count);
        for (size_t i = 0; i < walk.count && status == STASIS_OK; i++)
                status = walk_scb(r, walk.entry[i] - w->at.scb_links.offset);
        list_free(&walk);
        return status;
}

static enum stasis_status walk_queued(struct rings *r)
{
        const struct windows *w = r->w;
        enum stasis_status status = STASIS_OK;
        uint64_t scb;
        for (size_t i = 0; i < w->thread_count && status == STASIS_OK; i++)
                if (read_place(w->kernel, w->thread[i].object, &w->at.queued_scb, &scb) == STASIS_OK && scb)
                        status = walk_scb(r, scb);
        return status;
}

enum stasis_status ready_walk_queues(struct rings *r)
{
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; i < r->w->processor_count && status == STASIS_OK; i++) {
                status = walk_processor(r, r->w->processor[i].block);
                if (status == STASIS_OK)
                        status = walk_groups(r, r->w->processor[i].block);
        }
        return status == STASIS_OK ? walk_queued(r) : status;
}

/* ---------------------------------------------------------------- heads that nothing names */

/* Does this head have a thread that is ready and of this priority at its front? */
static bool has_ready(const struct rings *r, uint64_t head, unsigned level)
{
        const struct windows *w = r->w;
        uint64_t entry, state, priority;
        if (!ring_linked(w, head) || read_pointer(w, w->kernel, head, &entry) != STASIS_OK)
                return false;
        uint64_t thread = entry - r->links->offset;
        return !windows_thread_refused(w, thread) &&
               read_place(w->kernel, thread, &w->at.thread_state, &state) == STASIS_OK && state == THREAD_STATE_READY &&
               read_place(w->kernel, thread, &w->at.thread_priority, &priority) == STASIS_OK && priority == level;
}

enum stasis_status ready_walk_beside(struct rings *r, uint64_t thread, uint64_t head)
{
        const struct windows *w = r->w;
        uint64_t priority, step = 2 * (uint64_t)w->pointer_size;
        if (read_place(w->kernel, thread, &w->at.thread_priority, &priority) != STASIS_OK || priority >= READY_QUEUES ||
            head < priority * step)
                return STASIS_OK;
        enum stasis_status status = STASIS_OK;
        uint64_t first = head - priority * step;
        for (unsigned i = 0; i < READY_QUEUES && status == STASIS_OK; i++)
                if (i != priority && has_ready(r, first + i * step, i))
                        status = ring_walk(r, first + i * step, true, NULL);
        return status;
}
