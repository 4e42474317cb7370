/* SPDX-License-Identifier: MIT */
/* A doubly linked LIST_ENTRY ring, walked from both ends, so that a torn one still yields both of its parts. */
#ifndef STASIS_OS_LIST_H
#define STASIS_OS_LIST_H

#include <stasis/stasis.h>

#include "../mem/space.h"

enum list_end {
        LIST_CLOSED,     /* came back to the head */
        LIST_UNREADABLE, /* an entry's links are not in memory or not in the image */
        LIST_REFUSED,    /* an entry is not what the caller expects (its accept said no), or no kernel address */
        LIST_LOOP,       /* came back to an entry that is not the head */
        LIST_FULL        /* the bound was reached */
};

struct list_walk {
        uint64_t *entry; /* addresses of the LIST_ENTRYs inside the objects, in list order, each once; free with
                            list_free */
        size_t count, capacity;
        enum list_end forward, backward;
        uint64_t forward_at, backward_at; /* where it ended, when not closed */
        size_t behind;                    /* entry[behind..count) were reached only backwards: behind a tear */
        size_t bad_blink;                 /* entries whose Blink does not name their predecessor, on the forward way */
};

struct list_options {
        uint8_t pointer_size;
        size_t max;
        bool (*accept)(void *ctx, uint64_t entry); /* NULL: anything readable */
        void *ctx;
};

/* STASIS_OK where the head itself is readable, however torn the ring is. An empty ring gives count 0 and LIST_CLOSED.
 */
enum stasis_status list_walk(struct stasis_space *space, uint64_t head, const struct list_options *options,
                             struct list_walk *ret_walk) STASIS_MUST_CHECK;
void list_free(struct list_walk *walk);
static inline bool list_whole(const struct list_walk *walk)
{
        return walk->forward == LIST_CLOSED && walk->backward == LIST_CLOSED && walk->behind == walk->count;
}
const char *list_end_name(enum list_end end);

#endif
