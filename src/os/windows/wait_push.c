/* SPDX-License-Identifier: MIT */
/*
 * Push locks. The lock is a word: its low bits say that it is taken and that somebody waits, the rest then points to
 * the wait block of who came last (EX_PUSH_LOCK, public PDBs). That block lies in the waiter's stack, and the event or
 * gate that is waited on is its first member, the link to who waited before it the next one. Which lock a thread waits
 * for is so proven by the lock alone; where to look for it says what the thread's stack points to, or AutoBoost.
 *
 * Who has it the word does not say. Since 10 AutoBoost keeps in each thread six entries of the locks that it waits for
 * or has (KLOCK_ENTRY: the lock's address with flags in bits 0, 1 and the highest one; AcquiredByte). Windows 8.1 has
 * them too, but with a pointer to the thread over that byte: what it means there is not known.
 */
#include <stdlib.h>

#include "../../base/arena.h"
#include "wait_internal.h"

#define LOCKED 1u
#define WAITING 2u
#define LOCK_BITS 15u /* wait blocks are aligned to 16 */
#define ENTRY_BITS 3u /* CrossThreadReleasable, Busy; the highest one is InTree, and that of every kernel address */
#define ENTRIES 6     /* of a thread */
#define CHAIN_MAX 64  /* waiters of one lock that are passed */

/* ---------------------------------------------------------------- AutoBoost's entries */

static uint64_t entry_of(const struct windows *w, uint64_t thread, size_t i)
{
        return thread + w->waits->at.lock_entries.offset + i * w->waits->entry_size;
}

static bool has_entries(const struct wait_state *s)
{
        return s->at.lock_entries.has && s->at.e_lock.has && s->at.e_acquired.has && !s->at.e_thread.has &&
               s->entry_size;
}

static bool entry_lock(const struct windows *w, uint64_t entry, uint64_t *ret_lock)
{
        uint64_t word;
        if (!wait_read(w, entry, &w->waits->at.e_lock, &word) || !word)
                return false;
        *ret_lock = (word | UINT64_C(1) << (8u * w->pointer_size - 1)) & ~(uint64_t)ENTRY_BITS;
        return is_kernel_address(w, *ret_lock);
}

static int by_lock(const void *a, const void *b)
{
        const struct holder *x = a, *y = b;
        return x->lock != y->lock ? (x->lock > y->lock) - (x->lock < y->lock)
                                  : (x->thread > y->thread) - (x->thread < y->thread);
}

/* Every thread that has a lock, by lock. */
static void find_holders(const struct windows *w, struct wait_state *s)
{
        uint64_t acquired, lock;
        s->holders_known = true;
        for (size_t i = 0; i < w->thread_count * ENTRIES && has_entries(s); i++) {
                uint64_t thread = w->thread[i / ENTRIES].object, entry = entry_of(w, thread, i % ENTRIES);
                if (!wait_read(w, entry, &s->at.e_acquired, &acquired) || !acquired || !entry_lock(w, entry, &lock))
                        continue;
                if (!stasis_grow(&s->holder, &s->holder_capacity, s->holder_count + 1, sizeof *s->holder))
                        break;
                s->holder[s->holder_count++] = (struct holder){ lock, thread };
        }
        if (s->holder_count)
                qsort(s->holder, s->holder_count, sizeof *s->holder, by_lock);
}

static void take_holders(const struct wait_of *of, struct windows_wait *wait, uint64_t lock)
{
        struct wait_state *s = of->w->waits;
        size_t low = 0;
        if (!s->holders_known)
                find_holders(of->w, s);
        for (size_t high = s->holder_count; low < high;) {
                size_t middle = (low + high) / 2;
                if (s->holder[middle].lock < lock)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < s->holder_count && s->holder[low].lock == lock; low++)
                wait_owned_by(of, wait, s->holder[low].thread, "_KLOCK_ENTRY.LockUnsafe");
}

/* ---------------------------------------------------------------- the lock */

/* The wait block is in the chain that begins at this word. */
static bool is_lock_of(const struct windows *w, uint64_t lock, uint64_t block)
{
        uint64_t value;
        if (read_pointer(w, w->kernel, lock, &value) != STASIS_OK || !(value & WAITING))
                return false;
        for (unsigned i = 0; i < CHAIN_MAX; i++) {
                value &= ~(uint64_t)LOCK_BITS;
                if (value == block)
                        return true;
                if (!is_kernel_address(w, value) ||
                    read_pointer(w, w->kernel, value + w->waits->header_size, &value) != STASIS_OK)
                        return false;
        }
        return false;
}

static bool lock_by_entry(const struct wait_of *of, uint64_t block, uint64_t *ret_lock)
{
        const struct windows *w = of->w;
        uint64_t waiting;
        for (unsigned i = 0; i < ENTRIES && has_entries(w->waits); i++) {
                uint64_t entry = entry_of(w, of->thread->object, i);
                if (wait_read(w, entry, &w->waits->at.e_waiting, &waiting) && waiting &&
                    entry_lock(w, entry, ret_lock) && is_lock_of(w, *ret_lock, block))
                        return true;
        }
        return false;
}

static bool lock_by_stack(const struct wait_of *of, uint64_t block, uint64_t *ret_lock)
{
        const struct windows *w = of->w;
        struct stack_part stack;
        if (!wait_stack_of(of, block, &stack))
                return false;
        for (uint64_t at = stack.top; at < stack.base && at - stack.top < STACK_MAX; at += w->pointer_size)
                if (read_pointer(w, w->kernel, at, ret_lock) == STASIS_OK && *ret_lock % w->pointer_size == 0 &&
                    is_kernel_address(w, *ret_lock) && !wait_in_stack(&stack, *ret_lock) &&
                    is_lock_of(w, *ret_lock, block))
                        return true;
        return false;
}

bool wait_on_push_lock(const struct wait_of *of, struct windows_wait *wait)
{
        uint64_t lock, value;
        wait->what = WAIT_PUSH_LOCK;
        wait->owner_why = STASIS_NOT_KNOWN;
        const struct place *bit = &of->w->waits->at.push_waiting; /* XP has other bits */
        if (is_virtual(of->w) || !of->w->waits->header_size || !bit->has || bit->bit != 1 ||
            (!lock_by_entry(of, wait->object, &lock) && !lock_by_stack(of, wait->object, &lock)))
                return true;
        wait->container = lock;
        if (read_pointer(of->w, of->w->kernel, lock, &value) != STASIS_OK)
                return true;
        if (value & LOCKED)
                take_holders(of, wait, lock);
        else
                wait->owner_why = STASIS_NOT_APPLICABLE; /* released: who waits is about to get it */
        return true;
}
