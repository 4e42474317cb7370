/* SPDX-License-Identifier: MIT */
/* Rings that thread objects are links of: what source_rings.c and source_ready.c share. */
#ifndef STASIS_OS_WINDOWS_RINGS_H
#define STASIS_OS_WINDOWS_RINGS_H

#include "sources.h"

#define READY_QUEUES 32 /* lists of ready threads, one a priority; of a scheduling group 16: realtime is in none */
#define SCB_QUEUES 16

struct rings {
        struct windows *w;
        enum windows_source source;
        const struct place *links;
        struct address_map seen;  /* entries of the rings so far, of this source */
        struct address_map lists; /* places of ready lists that were looked at */
        size_t count, torn;       /* rings */
        bool trusted; /* the head is known for what it is: a thread belongs to it though its neighbours be torn off */
};

/* What a walk of one ring came to. */
struct ring {
        size_t threads;
        bool whole;
        enum list_end forward, backward;
        uint64_t forward_at, backward_at;
};

/* Do both neighbours of this entry name it? */
bool ring_linked(const struct windows *w, uint64_t entry);

/* The ring of which entry is a link, or the head: its threads are sighted. ret_ring may be NULL. */
enum stasis_status ring_walk(struct rings *r, uint64_t entry, bool is_head, struct ring *ret_ring) STASIS_MUST_CHECK;

/*
 * ---- source_ready.c: queues that processors share (_KSHARED_READY_QUEUE, since 8.1) and those of scheduling groups
 * (_KSCB), from the processor blocks; a list of these that is torn, and a count that is wrong, is a note.
 */
enum stasis_status ready_walk_queues(struct rings *r) STASIS_MUST_CHECK;
/* The lists beside one that a ready thread led to: head is that of the thread's priority. */
enum stasis_status ready_walk_beside(struct rings *r, uint64_t thread, uint64_t head) STASIS_MUST_CHECK;

#endif
