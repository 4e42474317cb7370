/* SPDX-License-Identifier: MIT */
/* What a place of a process object must hold to be this or that member. */
#include <string.h>

#include "infer_votes.h"

#define ID_MAX 0x4000000 /* see identify.c */
#define YEARS_20 (UINT64_C(20) * 365 * 86400 * 10000000)

static bool is_system(const struct infer *s, const struct infer_object *o) { return o == &s->process[0]; }

static size_t one(uint32_t at, uint32_t ret_at[static 1])
{
        ret_at[0] = at;
        return at != 0;
}

WHERE(where_links) { return one(s->found[INFER_LINKS].at, at); }
WHERE(where_pid) { return infer_has(s, INFER_LINKS) ? one(s->found[INFER_LINKS].at - s->pointer, at) : 0; }
WHERE(where_kprocess_threads) { return one(s->found[INFER_KPROCESS_THREADS].at, at); }
WHERE(where_eprocess_threads) { return one(s->found[INFER_EPROCESS_THREADS].at, at); }

/* ---------------------------------------------------------------- lists and names */

static VOTE(vote_list)
{
        uint64_t next = infer_word(o, at, s->pointer), before = infer_word(o, at + s->pointer, s->pointer), back, forth;
        if (!infer_is_kernel(s, next) || !infer_is_kernel(s, before))
                return VOTE_NO;
        if (!infer_read(s, next + s->pointer, s->pointer, &back) || !infer_read(s, before, s->pointer, &forth))
                return VOTE_NONE;
        return back == o->va + at && forth == o->va + at ? VOTE_YES : VOTE_NO;
}

VOTE(vote_process_links) { return infer_holds(o, at, 2 * s->pointer) ? vote_list(s, o, at) : VOTE_NONE; }

VOTE(vote_pid)
{
        (void)s;
        return infer_word(o, at, s->pointer) == o->pid ? VOTE_YES : VOTE_NO;
}

/* At most 15 printable bytes, ended by a zero; System's is known. */
VOTE(vote_name)
{
        if (!infer_holds(o, at, 16))
                return VOTE_NONE;
        const uint8_t *text = o->bytes + at;
        size_t len = strnlen((const char *)text, 16);
        if (is_system(s, o))
                return memcmp(text, "System", 7) == 0 ? VOTE_YES : VOTE_NO;
        for (size_t i = 0; i < len; i++)
                if (text[i] < 0x20 || text[i] == 0x7f)
                        return VOTE_NO;
        return len > 0 && len < 16 ? VOTE_YES : VOTE_NO;
}

/* System's must be there, whoever else may be unreadable: the tail of a name is a name for all but System. */
COLUMN(column_system_named)
{
        return infer_holds(&s->process[0], at, 16) && vote_name(s, &s->process[0], at) == VOTE_YES;
}

/* An empty list of a process that has ended says nothing. */
VOTE(vote_thread_head)
{
        bool of_kprocess = at < s->found[INFER_LINKS].at;
        uint32_t entry = s->found[of_kprocess ? INFER_KTHREAD_ENTRY : INFER_ETHREAD_ENTRY].at;
        uint64_t next;
        if (!infer_holds(o, at, 2 * s->pointer))
                return VOTE_NONE;
        next = infer_word(o, at, s->pointer);
        if (next == o->va + at)
                return VOTE_NONE;
        if (vote_list(s, o, at) != VOTE_YES)
                return vote_list(s, o, at);
        return infer_is_object(s, next - entry, DISPATCHER_THREAD) ? VOTE_YES : VOTE_NO;
}

/* ---------------------------------------------------------------- memory */

/* Tables that translate System's object to where it lies: every process's do. */
VOTE(vote_dtb)
{
        const struct stasis_paging *paging = s->space->paging;
        uint64_t root = infer_word(o, at, s->pointer) & paging->root_mask, pa;
        struct stasis_bytes held = stasis_image_view(s->w->image, root, 8);
        if (!root || !held.len)
                return VOTE_NO;
        s->reads += 8;
        s->user_of = INFER_NOBODY;
        stasis_space_init(s->user, s->w->image, paging, root);
        return stasis_space_pa(s->user, s->system, &pa) == STASIS_OK && pa == s->system_pa ? VOTE_YES : VOTE_NO;
}

COLUMN(column_roots_differ)
{
        for (size_t i = 1; i < s->process_count; i++)
                if (infer_holds(&s->process[i], at, s->pointer) &&
                    infer_word(&s->process[i], at, s->pointer) != infer_word(&s->process[0], at, s->pointer))
                        return true;
        return false;
}

struct stasis_space *infer_user_space(struct infer *s, uint32_t process)
{
        uint64_t root;
        if (process == INFER_NOBODY || !infer_get(s, &s->process[process], INFER_DTB, &root))
                return NULL;
        if (s->user_of != process)
                stasis_space_init(s->user, s->w->image, s->space->paging, root & s->space->paging->root_mask);
        s->user_of = process;
        return s->user;
}

bool infer_read_user(struct infer *s, uint32_t process, uint64_t va, uint8_t size, uint64_t *ret_value)
{
        struct stasis_space *space = infer_user_space(s, process);
        if (!space || s->reads == INFER_READS_MAX)
                return false;
        s->reads++;
        return stasis_space_u(space, va, size, ret_value) == STASIS_OK;
}

/* ---- by the TEBs of its threads, whose own places never moved */

/* The TEB of some thread of this process, where one can be read. */
static bool any_teb(struct infer *s, const struct infer_object *o, uint32_t *ret_process, uint64_t *ret_teb)
{
        uint32_t process = (uint32_t)(o - s->process), self = s->pointer == 8 ? 0x30 : 0x18;
        uint64_t teb, said;
        for (size_t i = 0; i < s->thread_count; i++) {
                if (s->thread[i].owner != process || !infer_get(s, &s->thread[i], INFER_TEB, &teb) || !teb ||
                    !infer_read_user(s, process, teb + self, s->pointer, &said) || said != teb)
                        continue;
                *ret_process = process;
                *ret_teb = teb;
                return true;
        }
        return false;
}

/* TEB.ProcessEnvironmentBlock */
VOTE(vote_peb)
{
        uint64_t teb, peb, own = infer_word(o, at, s->pointer);
        uint32_t process;
        if (!own || is_kernel_address(s->w, own))
                return is_system(s, o) && !own ? VOTE_NONE : own ? VOTE_NO : VOTE_NONE;
        if (!any_teb(s, o, &process, &teb) ||
            !infer_read_user(s, process, teb + (s->pointer == 8 ? 0x60 : 0x30), s->pointer, &peb))
                return VOTE_NONE;
        return own == peb ? VOTE_YES : VOTE_NO;
}

#define TEB32_DISTANCE 0x2000 /* see derive.c */

/* The PEB32 that the 32-bit TEB names, or the address of a block that begins with it. */
VOTE(vote_wow64)
{
        uint64_t teb, self, peb32, own = infer_word(o, at, s->pointer), first;
        uint32_t process;
        if (s->pointer != 8)
                return VOTE_NO;
        if (!any_teb(s, o, &process, &teb))
                return VOTE_NONE;
        teb += TEB32_DISTANCE;
        bool wow64 = infer_read_user(s, process, teb + 0x18, 4, &self) && self == teb &&
                     infer_read_user(s, process, teb + 0x30, 4, &peb32) && peb32;
        if (!wow64)
                return own ? VOTE_NO : VOTE_NONE;
        if (!infer_is_kernel(s, own) || !infer_read(s, own, 4, &first))
                return VOTE_NO; /* 7 .. 10240 keep the PEB32 itself under the older name: left out */
        return first == peb32 ? VOTE_YES : VOTE_NO;
}

/* ---------------------------------------------------------------- numbers */

static bool is_known_pid(const struct infer *s, uint64_t pid)
{
        for (size_t i = 0; i < s->process_count; i++)
                if (s->process[i].pid == pid)
                        return true;
        return false;
}

/* The id of another process, or of one that is gone; System has no parent. */
VOTE(vote_parent)
{
        uint64_t parent = infer_word(o, at, s->pointer);
        if (is_system(s, o))
                return parent ? VOTE_NO : VOTE_YES;
        if (parent == o->pid || parent > ID_MAX || parent == 0)
                return VOTE_NO;
        return is_known_pid(s, parent) ? VOTE_YES : VOTE_NONE;
}

/* Most parents live, and they are not all one. */
COLUMN(column_parents)
{
        uint64_t first = 0, living = 0, all = 0;
        bool differ = false;
        for (size_t i = 1; i < s->process_count; i++) {
                if (!infer_holds(&s->process[i], at, s->pointer))
                        continue;
                uint64_t parent = infer_word(&s->process[i], at, s->pointer);
                all++;
                living += is_known_pid(s, parent);
                differ |= first && parent != first;
                first = parent;
        }
        return differ && living * 2 > all;
}

bool infer_is_time(const struct infer *s, uint64_t value)
{
        uint64_t now = s->w->shared.SystemTime;
        return s->w->has_shared && now > YEARS_20 && value > now - YEARS_20 && value <= now;
}

VOTE(vote_process_created)
{
        uint64_t time = infer_word(o, at, 8);
        return infer_is_time(s, time) ? VOTE_YES : time ? VOTE_NO : VOTE_NONE;
}

VOTE(vote_process_exited)
{
        uint64_t created, time = infer_word(o, at, 8);
        if (!time)
                return VOTE_NONE;
        if (!infer_is_time(s, time) || !infer_has(s, INFER_PROCESS_CREATED) ||
            !infer_holds(o, s->found[INFER_PROCESS_CREATED].at, 8))
                return VOTE_NO;
        created = infer_word(o, s->found[INFER_PROCESS_CREATED].at, 8);
        return time >= created ? VOTE_YES : VOTE_NO;
}

/* ---------------------------------------------------------------- counts and handles */

#define STATE_TERMINATED 4

/* How many threads of it live; no number where the sample does not hold them all. */
static bool living_threads(const struct infer *s, const struct infer_object *o, uint32_t *ret_count)
{
        uint32_t process = (uint32_t)(o - s->process), all = 0;
        uint64_t state;
        *ret_count = 0;
        for (size_t i = 0; i < s->thread_count; i++) {
                if (s->thread[i].owner != process)
                        continue;
                all++;
                if (!infer_get(s, &s->thread[i], INFER_STATE, &state))
                        return false;
                *ret_count += state != STATE_TERMINATED;
        }
        return all < INFER_THREADS_OF_ONE && s->thread_count < INFER_THREADS_MAX;
}

VOTE(vote_active_threads)
{
        uint32_t count;
        if (!living_threads(s, o, &count))
                return VOTE_NONE;
        return infer_word(o, at, 4) == count ? VOTE_YES : VOTE_NO;
}

COLUMN(column_active_differ)
{
        uint64_t seen = 0;
        unsigned kinds = 0;
        for (size_t i = 0; i < s->process_count; i++) {
                uint64_t value = infer_holds(&s->process[i], at, 4) ? infer_word(&s->process[i], at, 4) : 64;
                if (value >= 64 || (seen >> value & 1))
                        continue;
                seen |= UINT64_C(1) << value;
                kinds++;
        }
        return kinds >= 3;
}

#define HANDLE_TABLE_SPAN 0x40

/*
 * A HANDLE_TABLE names its process (QuotaProcess, never its first word: that is win32k's block) and its id at its
 * beginning; System's, which every System has, names no process.
 */
VOTE(vote_object_table)
{
        uint64_t table = infer_word(o, at, s->pointer), value;
        bool process = false, id = false;
        if (!infer_is_kernel(s, table))
                return table || is_system(s, o) ? VOTE_NO : VOTE_NONE;
        for (uint32_t k = s->pointer; k < HANDLE_TABLE_SPAN; k += 4) {
                process |= k % s->pointer == 0 && infer_read(s, table + k, s->pointer, &value) && value == o->va;
                id |= infer_read(s, table + k, 4, &value) && value == o->pid;
        }
        return process && id ? VOTE_YES : is_system(s, o) ? VOTE_NONE : VOTE_NO;
}
