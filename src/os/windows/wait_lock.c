/* SPDX-License-Identifier: MIT */
/*
 * ERESOURCEs. A waiter waits on an event (exclusive) or a semaphore (shared) that the resource points to; it is found
 * by that pointer, among all resources (ExpSystemResourcesList: the debugger block, a symbol, or the exported
 * PsLoadedModuleResource, which is on it), or among what the waiter's own stack points to.
 */
#include <stdlib.h>

#include "../../base/arena.h"

#include "wait_internal.h"

#define RESOURCES_MAX 1048576
#define ENTRIES_MAX 4096     /* of a table of owners */
#define OWNED_EXCLUSIVE 0x80 /* ERESOURCE.Flag (ntddk.h: ResourceOwnedExclusive) */
#define CHAIN_MAX 64         /* waiters of one resource that are passed */

/* ---------------------------------------------------------------- all of them */

static int by_awaited(const void *a, const void *b)
{
        const struct resource_at *x = a, *y = b;
        return x->awaited != y->awaited ? (x->awaited > y->awaited) - (x->awaited < y->awaited)
                                        : (x->resource > y->resource) - (x->resource < y->resource);
}

static bool keep(struct wait_state *s, uint64_t awaited, uint64_t resource, bool shared)
{
        if (!stasis_grow(&s->resource, &s->resource_capacity, s->resource_count + 1, sizeof *s->resource))
                return false;
        s->resource[s->resource_count++] = (struct resource_at){ awaited, resource, shared };
        return true;
}

/* Some place of the ring: its head or a resource. */
static bool ring_entry(const struct windows *w, const struct wait_state *s, uint64_t *ret_entry, bool *ret_is_head)
{
        uint64_t va;
        *ret_is_head = true;
        *ret_entry = w->has_kdbg ? w->kdbg.ExpSystemResourcesList : 0;
        if (*ret_entry || windows_symbol(w, "ExpSystemResourcesList", ret_entry))
                return true;
        *ret_is_head = false;
        if (!w->has_pe || pe_export(w->kernel, &w->pe, "PsLoadedModuleResource", &va) != STASIS_OK)
                return false;
        *ret_entry = va + s->at.r_list.offset;
        return true;
}

/*
 * Since 10 each waiter has a block of its own in its stack (_KWAIT_CHAIN_ENTRY: the public symbols of 14393 and of
 * 17763 to 22000, and Vergilius of 1703). In the first versions only shared ones have: a chain of { next, KEVENT };
 * exclusive ones wait on an event that the resource points to, as all did before. Since 15063 both kinds are in rings
 * without a head, of { LIST_ENTRY; KEVENT } and soon of { LIST_ENTRY; PKTHREAD; KEVENT }.
 */
static void take_chain(const struct windows *w, struct wait_state *s, uint64_t resource, uint64_t first)
{
        uint64_t block = first;
        for (unsigned i = 0; i < CHAIN_MAX; i++)
                if (!keep(s, block + w->pointer_size, resource, true) ||
                    read_pointer(w, w->kernel, block, &block) != STASIS_OK || !is_kernel_address(w, block) ||
                    block % w->pointer_size || block == first)
                        return;
}

/* Behind the links, and the thread: an event's header is no kernel address. */
static bool event_of(const struct windows *w, uint64_t block, uint64_t *ret_event)
{
        uint64_t thread;
        if (read_pointer(w, w->kernel, block + 2 * w->pointer_size, &thread) != STASIS_OK)
                return false;
        *ret_event = block + (is_kernel_address(w, thread) ? 3u : 2u) * w->pointer_size;
        return true;
}

static void take_ring(const struct windows *w, struct wait_state *s, uint64_t resource, uint64_t first, bool shared)
{
        uint64_t block = first, next, back, event;
        for (unsigned i = 0; i < CHAIN_MAX; i++) {
                if (read_pointer(w, w->kernel, block, &next) != STASIS_OK || !is_kernel_address(w, next) ||
                    read_pointer(w, w->kernel, next + w->pointer_size, &back) != STASIS_OK || back != block ||
                    !event_of(w, block, &event) || !keep(s, event, resource, shared))
                        return;
                block = next;
                if (block == first)
                        return;
        }
}

static void take_resource(const struct windows *w, struct wait_state *s, uint64_t resource)
{
        const struct place *const of[] = { &s->at.r_shared, &s->at.r_exclusive };
        uint64_t awaited;
        for (unsigned i = 0; i < 2; i++) {
                if (!wait_pointer(w, resource, of[i], &awaited))
                        continue;
                if (i == 0 && s->at.r_chain.has) {
                        take_chain(w, s, resource, awaited);
                        continue;
                }
                (void)!keep(s, awaited, resource, i == 0);
                take_ring(w, s, resource, awaited, i == 0);
        }
}

static void find_resources(struct windows *w, struct wait_state *s)
{
        struct list_options options = { .pointer_size = w->pointer_size, .max = RESOURCES_MAX };
        struct list_walk walk;
        uint64_t entry;
        bool is_head;
        s->resources_known = true;
        if (is_virtual(w) || !s->at.r_list.has || !s->at.r_shared.has || !s->at.r_exclusive.has ||
            !ring_entry(w, s, &entry, &is_head) || list_walk(w->kernel, entry, &options, &walk) != STASIS_OK)
                return;
        if (!is_head)
                take_resource(w, s, entry - s->at.r_list.offset);
        for (size_t i = 0; i < walk.count; i++)
                take_resource(w, s, walk.entry[i] - s->at.r_list.offset);
        list_free(&walk);
        if (s->resource_count)
                qsort(s->resource, s->resource_count, sizeof *s->resource, by_awaited);
}

static const struct resource_at *listed(const struct wait_state *s, uint64_t awaited)
{
        size_t low = 0;
        for (size_t high = s->resource_count; low < high;) {
                size_t middle = (low + high) / 2;
                if (s->resource[middle].awaited < awaited)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < s->resource_count && s->resource[low].awaited == awaited ? &s->resource[low] : NULL;
}

/* ---------------------------------------------------------------- in the waiter's stack */

/* A resource is on the system's list: its neighbours point back at it. */
static bool is_resource(const struct windows *w, const struct wait_state *s, uint64_t resource)
{
        uint64_t entry = resource + s->at.r_list.offset, next, back;
        return read_pointer(w, w->kernel, entry, &next) == STASIS_OK && is_kernel_address(w, next) &&
               read_pointer(w, w->kernel, next + w->pointer_size, &back) == STASIS_OK && back == entry;
}

bool wait_in_stack(const struct stack_part *stack, uint64_t va) { return va >= stack->top && va < stack->base; }

/*
 * Until 8.1 the resource points to the event. Later its waiters are a chain, each in the stack of its thread, as is the
 * event then: a link of the chain that lies in this stack is this waiter's.
 */
static bool leads_to(const struct windows *w, const struct place *place, uint64_t resource,
                     const struct stack_part *stack)
{
        uint64_t value;
        if (!wait_pointer(w, resource, place, &value))
                return false;
        for (unsigned i = 0; i < CHAIN_MAX; i++) {
                if (value == stack->awaited || (wait_in_stack(stack, value) && wait_in_stack(stack, stack->awaited)))
                        return true;
                if (!wait_in_stack(stack, stack->awaited) || read_pointer(w, w->kernel, value, &value) != STASIS_OK ||
                    !is_kernel_address(w, value) || value % w->pointer_size)
                        return false;
        }
        return false;
}

bool wait_stack_of(const struct wait_of *of, uint64_t awaited, struct stack_part *ret_stack)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        ret_stack->awaited = awaited;
        return wait_read(w, of->thread->object, &at->kernel_stack, &ret_stack->top) &&
               wait_read(w, of->thread->object, &at->stack_base, &ret_stack->base) &&
               ret_stack->top % w->pointer_size == 0 && ret_stack->base > ret_stack->top &&
               is_kernel_address(w, ret_stack->top);
}

static bool on_stack(const struct wait_of *of, uint64_t awaited, struct resource_at *ret_resource)
{
        const struct windows *w = of->w;
        const struct wait_state *s = w->waits;
        struct stack_part stack;
        uint64_t word;
        if (!wait_stack_of(of, awaited, &stack))
                return false;
        for (uint64_t at = stack.top; at < stack.base && at - stack.top < STACK_MAX; at += w->pointer_size) {
                if (read_pointer(w, w->kernel, at, &word) != STASIS_OK || word % w->pointer_size ||
                    !is_kernel_address(w, word) || wait_in_stack(&stack, word))
                        continue;
                bool shared = leads_to(w, &s->at.r_shared, word, &stack);
                if ((!shared && !leads_to(w, &s->at.r_exclusive, word, &stack)) || !is_resource(w, s, word))
                        continue;
                *ret_resource = (struct resource_at){ awaited, word, shared };
                return true;
        }
        return false;
}

/* ---------------------------------------------------------------- who has it */

/* An owner with its two low bits set is no thread (ExSetResourceOwnerPointer). */
static void take_owner(const struct wait_of *of, struct windows_wait *wait, uint64_t entry, bool counted,
                       const char *from)
{
        const struct wait_places *at = &of->w->waits->at;
        uint64_t thread, count = 1;
        if (!wait_read(of->w, entry, &at->o_thread, &thread) || !thread || thread & 3)
                return;
        if (counted && (!wait_read(of->w, entry, &at->o_count, &count) || !count))
                return;
        wait_owned_by(of, wait, thread, from);
}

static void take_table(const struct wait_of *of, struct windows_wait *wait, uint64_t resource)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t table, size;
        if (!wait_pointer(w, resource, &at->r_table, &table) || !wait_read(w, table, &at->o_size, &size))
                return;
        for (uint64_t i = 1; i < size && i < ENTRIES_MAX; i++)
                take_owner(of, wait, table + i * w->waits->owner_size, true, "_ERESOURCE.OwnerTable");
}

static void find_owners(const struct wait_of *of, struct windows_wait *wait, uint64_t resource)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        const struct place *first = at->r_owner.has ? &at->r_owner : &at->r_owners;
        const char *from = at->r_owner.has ? "_ERESOURCE.OwnerEntry" : "_ERESOURCE.OwnerThreads";
        uint64_t flag;
        wait->owner_why = STASIS_NOT_KNOWN;
        if (!first->has || !wait_read(w, resource, &at->r_flag, &flag))
                return;
        if (flag & OWNED_EXCLUSIVE) {
                take_owner(of, wait, resource + first->offset, false, from);
                return;
        }
        /* shared: the second of two entries, or the only one; then the table */
        take_owner(of, wait, resource + first->offset + (at->r_owner.has ? 0 : w->waits->owner_size), true, from);
        take_table(of, wait, resource);
        if (!wait->owners && wait->owner_why == STASIS_NOT_KNOWN)
                wait->owner_why = STASIS_NOT_APPLICABLE; /* released: the waiter is about to get it */
}

bool wait_on_resource(const struct wait_of *of, struct windows_wait *wait)
{
        struct wait_state *s = of->w->waits;
        struct resource_at found;
        if (!s->resources_known)
                find_resources(of->w, s);
        const struct resource_at *known = listed(s, wait->object);
        if (!known && of->reason == REASON_RESOURCE && on_stack(of, wait->object, &found))
                known = &found;
        if (!known)
                return false;
        wait->what = known->shared ? WAIT_RESOURCE_SHARED : WAIT_RESOURCE_EXCLUSIVE;
        wait->container = known->resource;
        find_owners(of, wait, known->resource);
        return true;
}
