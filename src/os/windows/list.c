/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"

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

/* Open addressing over entry addresses: a loop in a hostile ring is seen at once, not at the bound. */
struct seen {
        uint64_t *slot;
        size_t capacity, count;
};

static bool seen_grow(struct seen *seen)
{
        size_t capacity = seen->capacity ? seen->capacity * 2 : 256;
        uint64_t *slot = calloc(capacity, sizeof *slot);
        if (!slot)
                return false;
        for (size_t i = 0; i < seen->capacity; i++) {
                if (!seen->slot[i])
                        continue;
                size_t at = (size_t)((seen->slot[i] >> 3) * 0x9e3779b97f4a7c15u >> 20) & (capacity - 1);
                while (slot[at])
                        at = (at + 1) & (capacity - 1);
                slot[at] = seen->slot[i];
        }
        free(seen->slot);
        seen->slot = slot;
        seen->capacity = capacity;
        return true;
}

enum seen_result { SEEN_NEW, SEEN_BEFORE, SEEN_NOMEM };

static enum seen_result seen_add(struct seen *seen, uint64_t value)
{
        if (seen->count * 2 >= seen->capacity && !seen_grow(seen))
                return SEEN_NOMEM;
        size_t at = (size_t)((value >> 3) * 0x9e3779b97f4a7c15u >> 20) & (seen->capacity - 1);
        for (; seen->slot[at]; at = (at + 1) & (seen->capacity - 1))
                if (seen->slot[at] == value)
                        return SEEN_BEFORE;
        seen->slot[at] = value;
        seen->count++;
        return SEEN_NEW;
}

struct way {
        struct stasis_space *space;
        const struct list_options *options;
        uint64_t head;
        unsigned link, back; /* offsets of the link that is followed and of the one that must point back */
        struct seen *seen;
};

/* Follows one way; an entry that the other way has seen already is passed, not added again. */
static enum stasis_status follow(struct way *way, struct list_walk *walk, bool second, enum list_end *ret_end,
                                 uint64_t *ret_at)
{
        uint8_t size = way->options->pointer_size;
        uint64_t before = way->head, at;
        struct seen own = { 0 };
        enum stasis_status status = STASIS_OK;
        *ret_end = LIST_UNREADABLE;
        *ret_at = way->head;
        if (stasis_space_u(way->space, way->head + way->link, size, &at) != STASIS_OK)
                return STASIS_OK;
        for (size_t steps = 0;; steps++) {
                *ret_at = at;
                *ret_end = LIST_CLOSED;
                if (at == way->head)
                        break;
                *ret_end = LIST_FULL;
                if (steps >= way->options->max)
                        break;
                *ret_end = LIST_REFUSED;
                if (!at || at % size)
                        break;
                uint64_t next, back;
                *ret_end = LIST_UNREADABLE;
                if (stasis_space_u(way->space, at + way->link, size, &next) != STASIS_OK ||
                    stasis_space_u(way->space, at + way->back, size, &back) != STASIS_OK)
                        break;
                *ret_end = LIST_REFUSED;
                if (way->options->accept && !way->options->accept(way->options->ctx, at))
                        break;
                enum seen_result fresh = seen_add(&own, at);
                *ret_end = LIST_LOOP;
                if (fresh == SEEN_BEFORE)
                        break;
                enum seen_result known = fresh == SEEN_NOMEM ? SEEN_NOMEM : seen_add(way->seen, at);
                status = STASIS_NOMEM;
                if (known == SEEN_NOMEM || (known == SEEN_NEW && !stasis_grow(&walk->entry, &walk->capacity,
                                                                              walk->count + 1, sizeof *walk->entry)))
                        break;
                status = STASIS_OK;
                if (known == SEEN_NEW)
                        walk->entry[walk->count++] = at;
                if (!second && back != before)
                        walk->bad_blink++;
                before = at;
                at = next;
        }
        free(own.slot);
        return status;
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

        struct seen seen = { 0 };
        struct way way = { .space = space, .options = options, .head = head, .link = 0, .back = size, .seen = &seen };
        status = follow(&way, ret_walk, false, &ret_walk->forward, &ret_walk->forward_at);
        ret_walk->behind = ret_walk->count;
        if (status == STASIS_OK) {
                way.link = size;
                way.back = 0;
                status = follow(&way, ret_walk, true, &ret_walk->backward, &ret_walk->backward_at);
                if (ret_walk->count > ret_walk->behind)
                        reverse(ret_walk->entry + ret_walk->behind, ret_walk->count - ret_walk->behind);
        }
        free(seen.slot);
        if (status != STASIS_OK)
                list_free(ret_walk);
        return status;
}
