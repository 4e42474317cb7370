/* SPDX-License-Identifier: MIT */
#include "stack_walk.h"

bool walk_add(struct walk *k, uint64_t pc, uint64_t sp, uint64_t slot, enum stasis_how how, bool exact)
{
        if (k->out->count == WINDOWS_FRAMES_MAX) {
                k->end = WALK_FULL;
                return false;
        }
        k->out->frame[k->out->count++] =
                (struct stasis_frame){ .pc = pc, .sp = sp, .slot = slot, .how = how, .exact = exact };
        return true;
}

void walk_break(struct walk *k, const char *why)
{
        k->end = WALK_BROKEN;
        k->why = why;
}

bool walk_on_stack(const struct walk *k, uint64_t at, uint64_t len)
{
        for (size_t i = 0; i < k->stack_count; i++)
                if (at >= k->stack[i].low && at < k->stack[i].high && len <= k->stack[i].high - at)
                        return true;
        return false;
}

/* The top itself counts: there the outermost frame may end. */
static size_t stack_of(const struct walk *k, uint64_t sp)
{
        size_t i = 0;
        while (i < k->stack_count && !(sp >= k->stack[i].low && sp <= k->stack[i].high))
                i++;
        return i;
}

bool walk_leaves(const struct walk *k, uint64_t sp, uint64_t next)
{
        size_t to = stack_of(k, next);
        return to < k->stack_count && to != stack_of(k, sp) && !k->stack[to].left;
}

bool walk_rises(struct walk *k, uint64_t sp, uint64_t next)
{
        size_t to = stack_of(k, next);
        if (to == k->stack_count)
                return false;
        if (to == stack_of(k, sp))
                return next > sp;
        k->stack[k->current].left = true;
        k->current = to;
        return !k->stack[to].left;
}

void walk_begin(struct walk *k, uint64_t sp)
{
        k->end = WALK_RUNNING;
        k->current = stack_of(k, sp);
        if (k->current == k->stack_count)
                k->current = 0;
}

static bool is_return(struct walk *k, uint64_t pc, enum stasis_how *ret_how)
{
        if (pc < 0x10000 || code_kind(k->s->w, k->process, pc) == CODE_NONE)
                return false;
        switch (code_behind_call(k->code, pc)) {
        case CALL_THERE: *ret_how = STASIS_HOW_CALL_CHECKED; return true;
        case CALL_UNREADABLE: *ret_how = STASIS_HOW_SCAN; return true;
        case CALL_NONE: break;
        }
        return false;
}

bool walk_scan(struct walk *k, uint64_t *sp, uint64_t *ret_pc, enum stasis_how *ret_how)
{
        size_t i = stack_of(k, *sp);
        uint64_t at = *sp & ~(uint64_t)(k->word - 1u);
        if (i == k->stack_count)
                return false;
        uint64_t end = k->scan_end > at && k->scan_end < k->stack[i].high ? k->scan_end : k->stack[i].high;
        for (; at < end && end - at >= k->word; at += k->word) {
                uint64_t pc;
                if (stasis_space_u(k->space, at, k->word, &pc) != STASIS_OK || !is_return(k, pc, ret_how))
                        continue;
                *ret_pc = pc;
                *sp = at + k->word;
                return true;
        }
        return false;
}
