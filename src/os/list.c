/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "../base/arena.h"
#include "address_map.h"

static const char *const end_names[] = {
        [LIST_CLOSED] = "closed",
        [LIST_UNREADABLE] = "its links are not readable",
        [LIST_REFUSED] = "it is not such an object",
        [LIST_LOOP] = "it was passed before",
        [LIST_FULL] = "the bound was reached",
};

const char *list_end_name(enum list_end end)
{
        size_t i = (size_t)end;
        return i < sizeof end_names / sizeof *end_names ? end_names[i] : "?";
}

void list_free(struct list_walk *walk)
{
        free(walk->entry);
        memset(walk, 0, sizeof *walk);
}

enum seen_result { SEEN_NEW, SEEN_BEFORE, SEEN_NOMEM };

/* A loop in a hostile ring is seen at once, not at the bound. */
static enum seen_result seen_add(struct address_map *seen, uint64_t value)
{
        if (address_map_get(seen, value) != ADDRESS_MAP_NONE)
                return SEEN_BEFORE;
        return address_map_put(seen, value, 0) ? SEEN_NEW : SEEN_NOMEM;
}

struct way {
        struct stasis_space *space;
        const struct list_options *options;
        uint64_t head;
        unsigned link, back; /* offsets of the link that is followed and of the one that must point back */
        bool forward;
        struct address_map *all; /* by either way: such an entry is passed, not added again */
        struct address_map own;  /* by this way: such an entry closes a loop */
        bool exhausted;          /* memory */
};

static bool keep(struct way *way, struct list_walk *walk, uint64_t at)
{
        enum seen_result known = seen_add(way->all, at);
        if (known == SEEN_BEFORE)
                return true;
        if (known == SEEN_NOMEM || !stasis_grow(&walk->entry, &walk->capacity, walk->count + 1, sizeof *walk->entry))
                return false;
        walk->entry[walk->count++] = at;
        return true;
}

/* Takes one entry and tells its successor. False: the way ends here, and *ret_end says why. */
static bool step(struct way *way, struct list_walk *walk, uint64_t at, uint64_t before, uint64_t *ret_next,
                 enum list_end *ret_end)
{
        uint8_t size = way->options->pointer_size;
        uint64_t back;
        *ret_end = LIST_REFUSED;
        if (!at || at % size)
                return false;
        *ret_end = LIST_UNREADABLE;
        if (stasis_space_u(way->space, at + way->link, size, ret_next) != STASIS_OK ||
            stasis_space_u(way->space, at + way->back, size, &back) != STASIS_OK)
                return false;
        *ret_end = LIST_REFUSED;
        if (way->options->accept && !way->options->accept(way->options->ctx, at))
                return false;
        *ret_end = LIST_LOOP;
        enum seen_result fresh = seen_add(&way->own, at);
        if (fresh == SEEN_BEFORE)
                return false;
        way->exhausted = fresh == SEEN_NOMEM || !keep(way, walk, at);
        walk->bad_blink += way->forward && back != before;
        return !way->exhausted;
}

static enum stasis_status follow(struct way *way, struct list_walk *walk, enum list_end *ret_end, uint64_t *ret_at)
{
        uint64_t before = way->head, at, next;
        *ret_end = LIST_UNREADABLE;
        *ret_at = way->head;
        if (stasis_space_u(way->space, way->head + way->link, way->options->pointer_size, &at) != STASIS_OK)
                return STASIS_OK;
        for (size_t steps = 0;; steps++, before = at, at = next) {
                *ret_at = at;
                *ret_end = at == way->head ? LIST_CLOSED : LIST_FULL;
                if (at == way->head || steps >= way->options->max || !step(way, walk, at, before, &next, ret_end))
                        break;
        }
        address_map_free(&way->own);
        return way->exhausted ? STASIS_NOMEM : STASIS_OK;
}

/* What the backward way added stands in reverse: put it into list order. */
static void reverse(uint64_t *entry, size_t count)
{
        for (size_t i = 0; i < count / 2; i++) {
                uint64_t swap = entry[i];
                entry[i] = entry[count - 1 - i];
                entry[count - 1 - i] = swap;
        }
}

enum stasis_status list_walk(struct stasis_space *space, uint64_t head, const struct list_options *options,
                             struct list_walk *ret_walk)
{
        uint64_t probe;
        uint8_t size = options->pointer_size;
        memset(ret_walk, 0, sizeof *ret_walk);
        enum stasis_status status = stasis_space_u(space, head, size, &probe);
        if (status != STASIS_OK)
                return status;

        struct address_map all = { 0 };
        struct way way = {
                .space = space, .options = options, .head = head, .back = size, .forward = true, .all = &all
        };
        status = follow(&way, ret_walk, &ret_walk->forward, &ret_walk->forward_at);
        ret_walk->behind = ret_walk->count;
        if (status == STASIS_OK) {
                way = (struct way){ .space = space, .options = options, .head = head, .link = size, .all = &all };
                status = follow(&way, ret_walk, &ret_walk->backward, &ret_walk->backward_at);
                if (ret_walk->count > ret_walk->behind)
                        reverse(ret_walk->entry + ret_walk->behind, ret_walk->count - ret_walk->behind);
        }
        address_map_free(&all);
        if (status != STASIS_OK)
                list_free(ret_walk);
        return status;
}
