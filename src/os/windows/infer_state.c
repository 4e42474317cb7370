/* SPDX-License-Identifier: MIT */
/* What a place of a thread object must hold to be this or that member: state and wait, times, start addresses. */
#include "infer_votes.h"

#define STATE_STANDBY 3
#define STATE_RUNNING 2
#define REASON_MAX 0x28 /* MaximumWaitReason of 24H2 */
#define REASON_QUEUE 15 /* WrQueue: no version changed the numbers to 20 */
#define DISPATCHER_QUEUE 4
#define IRQL_MAX 2 /* DISPATCH_LEVEL: nobody waits above */

/* ---------------------------------------------------------------- state */

VOTE(vote_wait_prcb)
{
        uint64_t value = infer_word(o, at, s->pointer);
        if (!value)
                return VOTE_NONE;
        for (size_t i = 0; i < s->prcb_count; i++)
                if (s->prcb[i] == value)
                        return VOTE_YES;
        return VOTE_NO;
}

/* Its dispatcher header is signalled when it has terminated, and only then. */
static bool is_signalled(const struct infer_object *o) { return infer_holds(o, 4, 4) && infer_word(o, 4, 4) != 0; }

/* What the processors run is in the state Running, and nobody else is; only the terminated are signalled. */
VOTE(vote_state)
{
        uint64_t state = infer_word(o, at, 1);
        if (state > THREAD_STATE_MAX || (state == THREAD_STATE_TERMINATED) != is_signalled(o))
                return VOTE_NO;
        if (o->current)
                return state == STATE_RUNNING ? VOTE_YES : VOTE_NO;
        if (o->next)
                return state == STATE_STANDBY ? VOTE_YES : VOTE_NO;
        if (state == STATE_RUNNING || state == STATE_STANDBY)
                return s->prcb_all ? VOTE_NO : VOTE_NONE;
        return VOTE_YES;
}

/*
 * Somebody runs, and many wait: a column of one value is no state. Where no processor block tells who runs, some must
 * have terminated, and some be in a third state.
 */
COLUMN(column_states)
{
        size_t of[THREAD_STATE_MAX + 1] = { 0 }, running = 0, kinds = 0, all = 0;
        for (size_t i = 0; i < s->thread_count; i++) {
                uint64_t state = infer_holds(&s->thread[i], at, 1) ? infer_word(&s->thread[i], at, 1) : UINT64_MAX;
                if (state > THREAD_STATE_MAX)
                        continue;
                all++;
                kinds += !of[state]++;
                running += state == STATE_RUNNING && s->thread[i].current;
        }
        bool told = s->prcb_count ? running > 0 : of[THREAD_STATE_TERMINATED] > 0 && kinds >= 3;
        return told && of[THREAD_STATE_WAITING] * 3 > all;
}

static bool waits(const struct infer *s, const struct infer_object *o)
{
        uint64_t state;
        return infer_get(s, o, INFER_STATE, &state) && state == THREAD_STATE_WAITING;
}

/* The wait block that a waiting thread names points back at it: KWAIT_BLOCK.Thread is its third or fourth word. */
static bool block_thread(struct infer *s, uint64_t block, uint64_t thread, uint64_t *ret_object)
{
        uint64_t value;
        for (uint32_t k = 2; k <= 3; k++)
                if (infer_read(s, block + k * s->pointer, s->pointer, &value) && value == thread &&
                    infer_read(s, block + (k + 1) * s->pointer, s->pointer, ret_object))
                        return true;
        return false;
}

VOTE(vote_wait_blocks)
{
        uint64_t block = infer_word(o, at, s->pointer), object;
        if (!waits(s, o))
                return VOTE_NONE;
        return infer_is_kernel(s, block) && block_thread(s, block, o->va, &object) ? VOTE_YES : VOTE_NO;
}

/* Another place that fits is NextWaitBlock of the thread's own wait blocks, which lie behind in every version. */
const struct infer_candidate *pick_blocks(const struct infer_candidate *c, size_t count)
{
        (void)count;
        return &c[0];
}

/* ---------------------------------------------------------------- reason, mode, level */

static void add(uint32_t at[static INFER_WHERE_MAX], size_t *count, int64_t place)
{
        for (size_t i = 0; i < *count; i++)
                if (at[i] == place)
                        return;
        if (place > 0 && place < INFER_SPAN && *count < INFER_WHERE_MAX)
                at[(*count)++] = (uint32_t)place;
}

/*
 * Since 7 the byte behind the three flags of SavedApcState; the distance from State serves where nobody is attached, so
 * that SavedApcState is not known. Before: beside WaitBlockList. All 112 measured layouts have one of these.
 */
WHERE(where_wait_reason)
{
        static const int16_t from_state[2][2] = { { 251, 287 }, { 255, 263 } };
        static const int8_t from_blocks[2][3] = { { -1, 6, 8 }, { 10, 12, 12 } };
        bool is64 = s->pointer == 8;
        size_t count = 0;
        if (infer_has(s, INFER_SAVED_PROCESS))
                add(at, &count, s->found[INFER_SAVED_PROCESS].at + s->pointer + 3);
        for (size_t i = 0; i < 2 && infer_has(s, INFER_STATE); i++)
                add(at, &count, (int64_t)s->found[INFER_STATE].at + from_state[is64][i]);
        for (size_t i = 0; i < 3 && infer_has(s, INFER_WAIT_BLOCKS); i++)
                add(at, &count, (int64_t)s->found[INFER_WAIT_BLOCKS].at + from_blocks[is64][i]);
        return count;
}

/* A byte of WaitListEntry can be as small as a reason, where pool and processor blocks lie so. */
static bool is_in_pointer(const struct infer *s, const struct infer_object *o, uint32_t at)
{
        uint32_t word = at - at % s->pointer;
        return infer_holds(o, word, s->pointer) && infer_is_kernel(s, infer_word(o, word, s->pointer));
}

/* Who waits on a queue waits for that reason, and who has that reason waits on a queue. */
VOTE(vote_wait_reason)
{
        uint64_t reason = infer_word(o, at, 1), block, object, type;
        if (reason > REASON_MAX || is_in_pointer(s, o, at))
                return VOTE_NO;
        if (!waits(s, o))
                return VOTE_NONE;
        if (infer_get(s, o, INFER_WAIT_BLOCKS, &block) && block_thread(s, block, o->va, &object) &&
            infer_read(s, object, 1, &type) && is_dispatcher(type, DISPATCHER_QUEUE) && infer_is_list(s, object + 8) &&
            reason != REASON_QUEUE)
                return VOTE_NO;
        return VOTE_YES;
}

/* Waiting threads have three reasons at least, and none of them is shared by nearly all. */
COLUMN(column_reasons)
{
        size_t of[REASON_MAX + 1] = { 0 }, all = 0, kinds = 0, most = 0;
        for (size_t i = 0; i < s->thread_count; i++) {
                uint64_t reason = infer_holds(&s->thread[i], at, 1) ? infer_word(&s->thread[i], at, 1) : UINT64_MAX;
                if (reason > REASON_MAX || !waits(s, &s->thread[i]))
                        continue;
                all++;
                kinds += !of[reason]++;
                if (of[reason] > most)
                        most = of[reason];
        }
        return kinds >= 3 && most * 10 <= all * 9;
}

/* Three bytes behind State since 2003, before it two bytes before WaitReason. */
WHERE(where_wait_mode)
{
        size_t count = 0;
        if (infer_has(s, INFER_STATE))
                add(at, &count, s->found[INFER_STATE].at + 3);
        if (infer_has(s, INFER_WAIT_REASON))
                add(at, &count, (int64_t)s->found[INFER_WAIT_REASON].at - 2);
        return count;
}

/* System's threads wait in kernel mode. */
VOTE(vote_wait_mode)
{
        uint64_t mode = infer_word(o, at, 1);
        if (mode > 1 || (mode == 1 && o->owner == 0))
                return VOTE_NO;
        return waits(s, o) ? VOTE_YES : VOTE_NONE;
}

/* Threads with a TEB wait in user mode as a rule. */
COLUMN(column_modes)
{
        size_t user = 0, all = 0;
        uint64_t teb;
        for (size_t i = 0; i < s->thread_count; i++) {
                if (!infer_holds(&s->thread[i], at, 1) || !waits(s, &s->thread[i]) ||
                    !infer_get(s, &s->thread[i], INFER_TEB, &teb) || !teb)
                        continue;
                all++;
                user += infer_word(&s->thread[i], at, 1) == 1;
        }
        return user * 2 > all && user >= 2;
}

/* The byte before WaitMode, in every version. */
WHERE(where_wait_irql)
{
        size_t count = 0;
        if (infer_has(s, INFER_WAIT_MODE))
                add(at, &count, (int64_t)s->found[INFER_WAIT_MODE].at - 1);
        return count;
}

VOTE(vote_wait_irql)
{
        if (!waits(s, o))
                return VOTE_NONE;
        return infer_word(o, at, 1) <= IRQL_MAX ? VOTE_YES : VOTE_NO;
}

/* ---------------------------------------------------------------- life */

#define SHIFTED_MIN (UINT64_C(1) << 59) /* see derive.c: XP and 2003 shift it left by three bits */

static uint64_t time_at(const struct infer_object *o, uint32_t at)
{
        uint64_t time = infer_word(o, at, 8);
        return time >= SHIFTED_MIN ? time >> 3 : time;
}

/* Not before its process, where that one's time is known. */
VOTE(vote_created)
{
        uint64_t time = time_at(o, at), process;
        if (!time || o->owner == INFER_NOBODY)
                return VOTE_NONE;
        if (!infer_is_time(s, time))
                return VOTE_NO;
        const struct infer_object *owner = &s->process[o->owner];
        uint32_t created = s->found[INFER_PROCESS_CREATED].at;
        process = infer_has(s, INFER_PROCESS_CREATED) && infer_holds(owner, created, 8) ? infer_word(owner, created, 8)
                                                                                        : 0;
        return time >= process ? VOTE_YES : VOTE_NO;
}

WHERE(where_exited)
{
        size_t count = 0;
        if (infer_has(s, INFER_CREATED))
                add(at, &count, s->found[INFER_CREATED].at + 8);
        return count;
}

/* A terminated thread's is a time after its creation; the place holds a list entry before. */
VOTE(vote_exited)
{
        uint64_t state, time = infer_word(o, at, 8);
        if (!infer_get(s, o, INFER_STATE, &state))
                return VOTE_NONE;
        if (state != THREAD_STATE_TERMINATED)
                return infer_is_time(s, time) ? VOTE_NO : VOTE_NONE;
        return infer_is_time(s, time) && infer_has(s, INFER_CREATED) && time >= time_at(o, s->found[INFER_CREATED].at)
                       ? VOTE_YES
                       : VOTE_NO;
}

/* ---------------------------------------------------------------- start */

static bool in_kernel_image(const struct infer *s, uint64_t va)
{
        return s->w->has_pe && va > s->w->pe.base && va - s->w->pe.base < s->w->pe.size;
}

#define MESSAGE_ID_MAX 0x100000 /* until 2003 the place of Win32StartAddress may hold an LPC message id */

/* System's threads start in the kernel or a driver, others in user code. */
VOTE(vote_start)
{
        uint64_t start = infer_word(o, at, s->pointer), first;
        if (o->owner == INFER_NOBODY || !start)
                return VOTE_NONE;
        if (o->owner == 0)
                return in_kernel_image(s, start) ? VOTE_YES : is_kernel_address(s->w, start) ? VOTE_NONE : VOTE_NO;
        if (start < MESSAGE_ID_MAX)
                return VOTE_NONE;
        if (is_kernel_address(s->w, start))
                return in_kernel_image(s, start) ? VOTE_NONE : VOTE_NO;
        return infer_read_user(s, o->owner, start, 1, &first) ? VOTE_YES : VOTE_NONE;
}

static bool is_user_start(const struct infer *s, const struct infer_object *o, uint32_t at, uint64_t *ret_start)
{
        if (o->owner == INFER_NOBODY || o->owner == 0 || !infer_holds(o, at, s->pointer))
                return false;
        *ret_start = infer_word(o, at, s->pointer);
        return *ret_start >= MESSAGE_ID_MAX && !is_kernel_address(s->w, *ret_start);
}

/* System's threads and others speak for it. */
static bool both_kinds(const struct infer *s, uint32_t at)
{
        size_t of_system = 0, of_users = 0;
        uint64_t start;
        for (size_t i = 0; i < s->thread_count; i++) {
                const struct infer_object *o = &s->thread[i];
                of_system += o->owner == 0 && infer_holds(o, at, s->pointer) &&
                             in_kernel_image(s, infer_word(o, at, s->pointer));
                of_users += is_user_start(s, o, at, &start);
        }
        return of_system >= 2 && of_users >= 2;
}

COLUMN(column_starts) { return infer_has(s, INFER_START) && at > s->found[INFER_START].at && both_kinds(s, at); }

/* User threads start in the loader's or kernel32's thunk, at one address in most processes. */
COLUMN(column_shared_starts)
{
        size_t most = 0, all = 0;
        uint64_t start, other;
        for (size_t i = 0; i < s->thread_count; i++) {
                size_t same = 0;
                if (!is_user_start(s, &s->thread[i], at, &start))
                        continue;
                all++;
                for (size_t k = 0; k < s->thread_count; k++)
                        same += is_user_start(s, &s->thread[k], at, &other) && other == start;
                if (same > most)
                        most = same;
        }
        return most * 3 > all && both_kinds(s, at);
}

/* StartAddress lies before Win32StartAddress in every version. */
const struct infer_candidate *pick_start(const struct infer_candidate *c, size_t count)
{
        return count == 2 ? &c[0] : NULL;
}
