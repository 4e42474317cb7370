/* SPDX-License-Identifier: MIT */
/* What a place of a thread object must hold to be this or that member: whose it is, its stacks, its TEB. */
#include "infer_votes.h"

#define ID_MAX 0x4000000      /* see identify.c */
#define STACK_LEN_MAX 0x40000 /* a kernel stack; a large one has 0x12000 to 0x20000 */
#define PAGE_LEN 0x1000

static size_t one(uint32_t at, uint32_t ret_at[static 1])
{
        ret_at[0] = at;
        return at != 0;
}

static const struct infer_object *owner_of(const struct infer *s, const struct infer_object *o)
{
        return o->owner == INFER_NOBODY ? NULL : &s->process[o->owner];
}

/* ---------------------------------------------------------------- lists and ids */

WHERE(where_kthread_entry) { return one(s->found[INFER_KTHREAD_ENTRY].at, at); }
WHERE(where_ethread_entry) { return one(s->found[INFER_ETHREAD_ENTRY].at, at); }

/* One neighbour at least points back: the other side may be torn. */
VOTE(vote_entry)
{
        uint64_t next, before, back, forth;
        if (!infer_holds(o, at, 2 * s->pointer) || o->owner == INFER_NOBODY)
                return VOTE_NONE;
        next = infer_word(o, at, s->pointer);
        before = infer_word(o, at + s->pointer, s->pointer);
        bool points_back = infer_is_kernel(s, next) && infer_read(s, next + s->pointer, s->pointer, &back) &&
                           back == o->va + at && next != o->va + at;
        bool points_on = infer_is_kernel(s, before) && infer_read(s, before, s->pointer, &forth) &&
                         forth == o->va + at && before != o->va + at;
        return points_back || points_on ? VOTE_YES : VOTE_NO;
}

VOTE(vote_cid_process)
{
        const struct infer_object *owner = owner_of(s, o);
        if (!owner)
                return VOTE_NONE;
        if (!infer_holds(o, at, 2 * s->pointer))
                return VOTE_NONE;
        uint64_t tid = infer_word(o, at + s->pointer, s->pointer);
        return infer_word(o, at, s->pointer) == owner->pid && tid && tid <= ID_MAX ? VOTE_YES : VOTE_NO;
}

WHERE(where_cid_thread)
{
        return infer_has(s, INFER_CID_PROCESS) ? one(s->found[INFER_CID_PROCESS].at + s->pointer, at) : 0;
}

VOTE(vote_cid_thread)
{
        uint64_t tid = infer_word(o, at, s->pointer);
        return o->owner == INFER_NOBODY ? VOTE_NONE : tid && tid <= ID_MAX ? VOTE_YES : VOTE_NO;
}

COLUMN(column_tids_differ)
{
        for (size_t i = 0; i < s->thread_count; i++)
                for (size_t k = 0; k < i; k++)
                        if (s->thread[i].owner != INFER_NOBODY && s->thread[k].owner != INFER_NOBODY &&
                            infer_holds(&s->thread[i], at, s->pointer) && infer_holds(&s->thread[k], at, s->pointer) &&
                            infer_word(&s->thread[i], at, s->pointer) == infer_word(&s->thread[k], at, s->pointer))
                                return false;
        return true;
}

/* ---------------------------------------------------------------- processes */

/*
 * KAPC_STATE: two lists, then the process. It is the owner, or, while the thread is attached, another process.
 */
VOTE(vote_apc_process)
{
        const struct infer_object *owner = owner_of(s, o);
        uint64_t process = infer_word(o, at, s->pointer);
        if (!owner || at < 4u * s->pointer)
                return owner ? VOTE_NO : VOTE_NONE;
        if (process != owner->va && !infer_is_object(s, process, DISPATCHER_PROCESS))
                return VOTE_NO;
        return infer_is_list(s, o->va + at - 4u * s->pointer) && infer_is_list(s, o->va + at - 2u * s->pointer)
                       ? VOTE_YES
                       : VOTE_NO;
}

COLUMN(column_mostly_own)
{
        size_t own = 0, all = 0;
        for (size_t i = 0; i < s->thread_count; i++) {
                struct infer_object *o = &s->thread[i];
                if (!owner_of(s, o) || !infer_holds(o, at, s->pointer))
                        continue;
                all++;
                own += infer_word(o, at, s->pointer) == owner_of(s, o)->va;
        }
        return own * 2 > all;
}

/* KTHREAD's own members lie before its list entry, ETHREAD's behind the client id. */
static size_t between(const struct infer *s, uint32_t from, uint32_t to, uint32_t ret_at[static INFER_WHERE_MAX])
{
        size_t count = 0;
        for (uint32_t at = from; at + s->pointer <= to && count < INFER_WHERE_MAX; at += s->pointer) {
                size_t own = 0, all = 0;
                for (size_t i = 0; i < s->thread_count; i++) {
                        const struct infer_object *o = &s->thread[i];
                        if (!owner_of(s, o) || !infer_holds(o, at, s->pointer))
                                continue;
                        all++;
                        own += infer_word(o, at, s->pointer) == owner_of(s, o)->va;
                }
                if (own && own * 2 > all)
                        ret_at[count++] = at;
        }
        return count;
}

WHERE(where_kthread)
{
        uint32_t end = s->found[INFER_KTHREAD_ENTRY].at;
        /* Without it ApcState's would be taken for the other where few threads are attached. */
        bool told_apart = infer_has(s, INFER_KTHREAD_ENTRY) && infer_has(s, INFER_APC_PROCESS);
        return told_apart ? between(s, 0x18, end, at) : 0;
}

WHERE(where_ethread)
{
        return infer_has(s, INFER_CID_THREAD) ? between(s, s->found[INFER_CID_THREAD].at, INFER_SPAN, at) : 0;
}

VOTE(vote_owner)
{
        const struct infer_object *owner = owner_of(s, o);
        return !owner ? VOTE_NONE : infer_word(o, at, s->pointer) == owner->va ? VOTE_YES : VOTE_NO;
}

static bool is_attached(const struct infer *s, const struct infer_object *o)
{
        uint64_t now;
        return infer_get(s, o, INFER_APC_PROCESS, &now) && owner_of(s, o) && now != owner_of(s, o)->va;
}

/* Where an attached thread returns to; nobody else has one. */
VOTE(vote_saved_process)
{
        uint64_t process = infer_word(o, at, s->pointer);
        if (!owner_of(s, o) || !infer_has(s, INFER_APC_PROCESS))
                return VOTE_NONE;
        if (is_attached(s, o))
                return process == owner_of(s, o)->va ? VOTE_YES : VOTE_NO;
        return process ? VOTE_NO : VOTE_NONE;
}

VOTE(vote_apc_index)
{
        uint64_t index = infer_word(o, at, 1);
        if (!owner_of(s, o) || !infer_has(s, INFER_APC_PROCESS))
                return VOTE_NONE;
        if (index != is_attached(s, o))
                return VOTE_NO;
        return index ? VOTE_YES : VOTE_NONE;
}

/* ---------------------------------------------------------------- kernel stacks */

/* The word before StackLimit is InitialStack in all 114 measured layouts: both must be ends of one stack. */
VOTE(vote_stack_limit)
{
        uint64_t limit = infer_word(o, at, s->pointer), initial;
        if (at < 0x10u + s->pointer)
                return VOTE_NO;
        initial = infer_word(o, at - s->pointer, s->pointer);
        if (!limit && !initial)
                return VOTE_NONE; /* a terminated thread's stack may be gone */
        return infer_is_kernel(s, limit) && limit % PAGE_LEN == 0 && initial > limit &&
                               initial - limit <= STACK_LEN_MAX && initial % 4 == 0
                       ? VOTE_YES
                       : VOTE_NO;
}

COLUMN(column_limits_differ)
{
        for (size_t i = 0; i < s->thread_count; i++)
                for (size_t k = 0; k < i; k++) {
                        uint64_t a, b;
                        if (!infer_holds(&s->thread[i], at, s->pointer) || !infer_holds(&s->thread[k], at, s->pointer))
                                continue;
                        a = infer_word(&s->thread[i], at, s->pointer);
                        b = infer_word(&s->thread[k], at, s->pointer);
                        if (a && a == b)
                                return false;
                }
        return true;
}

WHERE(where_initial_stack)
{
        return infer_has(s, INFER_STACK_LIMIT) ? one(s->found[INFER_STACK_LIMIT].at - s->pointer, at) : 0;
}

static bool limit_of(const struct infer *s, const struct infer_object *o, uint64_t *ret_limit)
{
        return infer_get(s, o, INFER_STACK_LIMIT, ret_limit) && *ret_limit;
}

VOTE(vote_initial_stack)
{
        uint64_t limit, initial = infer_word(o, at, s->pointer);
        if (!limit_of(s, o, &limit))
                return VOTE_NONE;
        return initial > limit && initial - limit <= STACK_LEN_MAX ? VOTE_YES : VOTE_NO;
}

VOTE(vote_stack_base)
{
        uint64_t limit, initial, base = infer_word(o, at, s->pointer);
        if (!limit_of(s, o, &limit) || !infer_get(s, o, INFER_INITIAL_STACK, &initial))
                return VOTE_NONE;
        return base % PAGE_LEN == 0 && base >= initial && base > limit && base - limit <= STACK_LEN_MAX ? VOTE_YES
                                                                                                        : VOTE_NO;
}

VOTE(vote_kernel_stack)
{
        uint64_t limit, initial, at_rest = infer_word(o, at, s->pointer);
        if (!limit_of(s, o, &limit) || !infer_get(s, o, INFER_INITIAL_STACK, &initial))
                return VOTE_NONE;
        if (!at_rest)
                return o->current ? VOTE_NONE : VOTE_NO;
        return at_rest >= limit && at_rest < initial && at_rest % 4 == 0 ? VOTE_YES : VOTE_NO;
}

/* Saved code segment of a KTRAP_FRAME, the same place in every build; user mode's has privilege level 3. */
VOTE(vote_trap_frame)
{
        uint64_t limit, initial, frame = infer_word(o, at, s->pointer), cs;
        if (!limit_of(s, o, &limit) || !infer_get(s, o, INFER_INITIAL_STACK, &initial))
                return VOTE_NONE;
        if (!frame)
                return VOTE_NONE;
        if (frame < limit || frame >= initial || frame % 4)
                return VOTE_NO;
        if (!infer_read(s, frame + (s->pointer == 8 ? 0x170 : 0x6c), 2, &cs))
                return VOTE_NONE;
        return o->owner && (cs & 3) == 3 ? VOTE_YES : VOTE_NONE;
}

/* ---------------------------------------------------------------- TEB */

/* NtTib.Self and ClientId: the same places in every TEB of its width. */
VOTE(vote_teb)
{
        uint64_t teb = infer_word(o, at, s->pointer), self, pid, tid, own;
        uint32_t client = s->pointer == 8 ? 0x40 : 0x20;
        if (!teb)
                return VOTE_NONE;
        if (is_kernel_address(s->w, teb) || teb % PAGE_LEN || o->owner == 0)
                return VOTE_NO; /* System's threads have none */
        if (o->owner == INFER_NOBODY ||
            !infer_read_user(s, o->owner, teb + (s->pointer == 8 ? 0x30 : 0x18), s->pointer, &self))
                return VOTE_NONE;
        if (self != teb || !infer_read_user(s, o->owner, teb + client, s->pointer, &pid) ||
            !infer_read_user(s, o->owner, teb + client + s->pointer, s->pointer, &tid))
                return VOTE_NO;
        return pid == s->process[o->owner].pid && infer_get(s, o, INFER_CID_THREAD, &own) && own == tid ? VOTE_YES
                                                                                                        : VOTE_NO;
}
