/* SPDX-License-Identifier: MIT */
/* Waits for locks of the kernel, which are no objects: mutexes, resources, push locks. */
#include "../../test/tiny_blocks.h"
#include "wait_internal.h"

#define RESOURCE 27
#define PUSH_LOCK 28
#define FAST_MUTEX 34
#define GUARDED_MUTEX 35

/* ---------------------------------------------------------------- mutexes */

/* Count, Owner, Contention, then the event. */
static uint64_t fast_mutex(unsigned kind, uint64_t owner)
{
        uint64_t mutex = tiny_take(&t, &o, 0x40);
        tiny_pointer(&t, mutex + t.pointer, owner);
        world_u(&t.world, mutex + 2 * t.pointer, 4, 1);
        header(mutex + 3 * t.pointer, kind, 0);
        return mutex;
}

START_TEST(mutexes)
{
        build(_i);
        uint64_t fast = fast_mutex(1, t.thread[TINY_CLIENT]), none = fast_mutex(1, 0);
        uint64_t guarded = fast_mutex(7, t.thread[TINY_RUNNER]);
        uint64_t event[] = { fast + 3 * t.pointer, none + 3 * t.pointer, guarded + 3 * t.pointer };
        waits_on(TINY_MAIN, &event[0], 1, FAST_MUTEX);
        waits_on(TINY_CLIENT, &event[1], 1, FAST_MUTEX);
        waits_on(TINY_WORKER, &event[2], 1, GUARDED_MUTEX);
        waits_on(TINY_ATTACHED, &event[0], 1, PUSH_LOCK);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "fast mutex");
        expect_value(at(list, 0, "container"), fast);
        expect_owner(list, 0, TINY_CLIENT);
        list = list_of(TINY_CLIENT, 1);
        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
        expect_absent(at(list, 0, "container"), STASIS_NOT_APPLICABLE);
        list = list_of(TINY_WORKER, 1);
        expect_text(at(list, 0, "waits_for"), "guarded mutex");
        expect_owner(list, 0, TINY_RUNNER);
        list = list_of(TINY_ATTACHED, 1);
        expect_text(at(list, 0, "waits_for"), "push lock");
        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
}
END_TEST

/* The same bytes before an event that somebody waits on for another reason are no mutex. */
START_TEST(an_event_is_no_mutex)
{
        build(_i);
        uint64_t event = fast_mutex(1, t.thread[TINY_CLIENT]) + 3 * t.pointer;
        waits_on(TINY_MAIN, &event, 1, 6);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "object");
        expect_absent(at(list, 0, "owner"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* ---------------------------------------------------------------- resources */

/* On a ring with one neighbour, waited for through these. */
static uint64_t resource(uint64_t exclusive, uint64_t shared)
{
        uint64_t at_ = tiny_take(&t, &o, 0x70), head = tiny_take(&t, &o, 0x10);
        uint64_t entry = member(at_, "ERESOURCE.SystemResourcesList");
        tiny_ring(&t, head, &entry, 1);
        tiny_set(&t, at_, "ERESOURCE.ExclusiveWaiters", exclusive);
        tiny_set(&t, at_, "ERESOURCE.SharedWaiters", shared);
        tiny_set(&t, at_, "ERESOURCE.ActiveCount", 1);
        return at_;
}

/* The waiter's stack points to the resource. */
static void remember(enum tiny_thread thread, uint64_t value)
{
        uint64_t top = tiny_get(&t, t.thread[thread], "KTHREAD.KernelStack") & ~UINT64_C(0xfff);
        world_map(&t.world, top, 0x1000);
        tiny_pointer(&t, top + 0xf00, value);
}

static void owns(uint64_t entry, enum tiny_thread thread, uint32_t flags)
{
        tiny_set(&t, entry, "OWNER_ENTRY.OwnerThread", t.thread[thread] | flags);
        tiny_set(&t, entry, "OWNER_ENTRY.OwnerCount", 1);
}

START_TEST(exclusive_resource)
{
        build(_i);
        uint64_t event = header(tiny_take(&t, &o, 0x20), 1, 0), lock = resource(event, 0);
        tiny_set(&t, lock, "ERESOURCE.Flag", 0x80);
        owns(member(lock, t.is64 ? "ERESOURCE.OwnerEntry" : "ERESOURCE.OwnerThreads"), TINY_CLIENT, 0);
        waits_on(TINY_MAIN, &event, 1, RESOURCE);
        remember(TINY_MAIN, lock);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "resource, exclusive");
        expect_value(at(list, 0, "container"), lock);
        expect_owner(list, 0, TINY_CLIENT);
}
END_TEST

START_TEST(shared_resource)
{
        build(_i);
        uint64_t semaphore = header(tiny_take(&t, &o, 0x20), 5, 0), lock = resource(0, semaphore);
        uint64_t table = tiny_take(&t, &o, 0x40), size = t.is64 ? 0x10 : 8;
        owns(member(lock, t.is64 ? "ERESOURCE.OwnerEntry" : "ERESOURCE.OwnerThreads") + (t.is64 ? 0 : size),
             TINY_CLIENT, 0);
        tiny_set(&t, lock, "ERESOURCE.OwnerTable", table);
        tiny_set(&t, table, "OWNER_ENTRY.TableSize", 4);
        owns(table + size, TINY_RUNNER, 0);
        owns(table + 3 * size, TINY_WORKER, 3); /* an owner that is no thread */
        waits_on(TINY_MAIN, &semaphore, 1, RESOURCE);
        remember(TINY_MAIN, lock);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "resource, shared");
        expect_owner(list, 0, TINY_CLIENT);
        expect_value(at(list, 0, "owners"), 2);
}
END_TEST

/* Nobody has it: entries without a thread, without a count, or with an owner that is no thread. */
START_TEST(free_resource)
{
        for (unsigned i = 0; i < 5; i++) {
                build(_i);
                uint64_t semaphore = header(tiny_take(&t, &o, 0x20), 5, 0), lock = resource(0, semaphore);
                uint64_t first = member(lock, t.is64 ? "ERESOURCE.OwnerEntry" : "ERESOURCE.OwnerThreads");
                uint64_t size = t.is64 ? 0x10 : 8, second = first + (t.is64 ? 0 : size),
                         table = tiny_take(&t, &o, 0x40);
                bool exclusive = i == 3 || i == 4;
                tiny_set(&t, lock, "ERESOURCE.Flag", exclusive ? 0x80 : 0);
                tiny_set(&t, lock, "ERESOURCE.OwnerTable", table);
                if (i == 1) { /* no count; one behind the table's end, and the table's own first, which is none */
                        owns(second, TINY_CLIENT, 0);
                        tiny_set(&t, second, "OWNER_ENTRY.OwnerCount", 0);
                        tiny_set(&t, table, "OWNER_ENTRY.TableSize", 2);
                        owns(table + 2 * size, TINY_RUNNER, 0);
                        tiny_set(&t, table, "OWNER_ENTRY.OwnerThread", t.thread[TINY_RUNNER]);
                } else if (i == 2) {
                        owns(second, TINY_CLIENT, 3);
                } else if (i == 3) {
                        owns(first, TINY_CLIENT, 3);
                }
                waits_on(TINY_MAIN, &semaphore, 1, RESOURCE);
                remember(TINY_MAIN, lock);
                sys_open();
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), "resource, shared");
                expect_absent(at(list, 0, "owner"), exclusive ? STASIS_NOT_KNOWN : STASIS_NOT_APPLICABLE);
                sys_close();
        }
}
END_TEST

/* By the system's list, without a word in the waiter's stack; each is found once, however often it is asked for. */
START_TEST(listed_resources)
{
        build(_i);
        uint64_t awaited[] = { header(tiny_take(&t, &o, 0x20), 5, 0), header(tiny_take(&t, &o, 0x20), 1, 0) };
        uint64_t lock[] = { resource(0, awaited[0]), resource(awaited[1], 0), resource(0, 0) }, ring[3];
        uint64_t head = tiny_take(&t, &o, 0x10);
        for (unsigned i = 0; i < 3; i++)
                ring[i] = member(lock[i], "ERESOURCE.SystemResourcesList");
        tiny_ring(&t, head, ring, 3);
        waits_on(TINY_MAIN, &awaited[0], 1, RESOURCE);
        waits_on(TINY_CLIENT, &awaited[1], 1, RESOURCE);
        sys_open();
        struct windows *w = sys->priv;
        w->has_kdbg = true;
        w->kdbg.ExpSystemResourcesList = head;
        for (unsigned i = 0; i < 4; i++) {
                const struct stasis_list *list = list_of(i % 2 ? TINY_CLIENT : TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), i % 2 ? "resource, exclusive" : "resource, shared");
                expect_value(at(list, 0, "container"), lock[i % 2]);
                ck_assert_uint_eq(w->waits->resource_count, 2);
        }
}
END_TEST

/* What only looks like one: not on any list, or waited for through another event. */
START_TEST(no_resource)
{
        build(_i);
        uint64_t event = header(tiny_take(&t, &o, 0x20), 1, 0), lock = resource(event, 0),
                 other = resource(event + 8, 0);
        tiny_pointer(&t, member(lock, "ERESOURCE.SystemResourcesList"), t.pool);
        waits_on(TINY_MAIN, &event, 1, RESOURCE);
        remember(TINY_MAIN, lock);
        waits_on(TINY_CLIENT, &event, 1, RESOURCE);
        remember(TINY_CLIENT, other);
        sys_open();
        expect_text(at(list_of(TINY_MAIN, 1), 0, "waits_for"), "object");
        expect_text(at(list_of(TINY_CLIENT, 1), 0, "waits_for"), "object");
}
END_TEST

/* 10: blocks { LIST_ENTRY; PKTHREAD; KEVENT } in a ring, wherever they lie; the resource is on the system's list. */
START_TEST(ring_of_waiters)
{
        build(1);
        uint64_t waiter[] = { tiny_take(&t, &o, 0x30), tiny_take(&t, &o, 0x30), tiny_take(&t, &o, 0x30) };
        static const enum tiny_thread thread[] = { TINY_MAIN, TINY_CLIENT, TINY_WORKER };
        for (unsigned i = 0; i < 3; i++) {
                tiny_pointer(&t, waiter[i], waiter[(i + 1) % 3]);
                tiny_pointer(&t, waiter[i] + 8, waiter[(i + 2) % 3]);
                tiny_pointer(&t, waiter[i] + 0x10, t.thread[thread[i]]);
                uint64_t event = header(waiter[i] + 0x18, 1, 0);
                waits_on(thread[i], &event, 1, RESOURCE);
        }
        uint64_t lock = resource(waiter[0], 0);
        tiny_set(&t, lock, "ERESOURCE.Flag", 0x80);
        owns(member(lock, "ERESOURCE.OwnerEntry"), TINY_RUNNER, 0);
        tiny_pointer(&t, waiter[0] + 8, t.pool); /* torn behind the last one */
        sys_open();
        struct windows *w = sys->priv; /* a debugger block would tell the list's head */
        w->has_kdbg = true;
        w->kdbg.ExpSystemResourcesList = tiny_get(&t, lock, "ERESOURCE.SystemResourcesList");
        for (unsigned i = 0; i < 2; i++) {
                const struct stasis_list *list = list_of(thread[i], 1);
                expect_text(at(list, 0, "waits_for"), "resource, exclusive");
                expect_value(at(list, 0, "container"), lock);
                expect_owner(list, 0, TINY_RUNNER);
        }
        expect_text(at(list_of(TINY_WORKER, 1), 0, "waits_for"), "object");
}
END_TEST

/* 1703: blocks { LIST_ENTRY; KEVENT }, without the thread. */
START_TEST(ring_without_threads)
{
        static const enum tiny_thread thread[] = { TINY_MAIN, TINY_CLIENT };
        build(1);
        uint64_t waiter[] = { tiny_take(&t, &o, 0x28), tiny_take(&t, &o, 0x28) };
        for (unsigned i = 0; i < 2; i++) {
                tiny_pointer(&t, waiter[i], waiter[!i]);
                tiny_pointer(&t, waiter[i] + 8, waiter[!i]);
                uint64_t event = header(waiter[i] + 0x10, 1, 0);
                waits_on(thread[i], &event, 1, RESOURCE);
        }
        uint64_t lock = resource(0, waiter[1]);
        sys_open();
        struct windows *w = sys->priv;
        w->has_kdbg = true;
        w->kdbg.ExpSystemResourcesList = tiny_get(&t, lock, "ERESOURCE.SystemResourcesList");
        for (unsigned i = 0; i < 2; i++) {
                expect_text(at(list_of(thread[i], 1), 0, "waits_for"), "resource, shared");
                expect_value(at(list_of(thread[i], 1), 0, "container"), lock);
        }
}
END_TEST

/*
 * 10240 to 14393: shared waiters are a chain of { next; KEVENT }, that ends, is torn or loops; 19041's layout is told
 * that it has such a head.
 */
START_TEST(chain_of_waiters)
{
        static const enum tiny_thread thread[] = { TINY_MAIN, TINY_CLIENT };
        const uint64_t behind[] = { 0, UINT64_C(0xffffb00000900000) };
        for (unsigned end = 0; end < 3; end++) {
                build(1);
                uint64_t waiter[] = { tiny_take(&t, &o, 0x20), tiny_take(&t, &o, 0x20) };
                for (unsigned i = 0; i < 2; i++) {
                        uint64_t event = header(waiter[i] + 8, 1, 0);
                        waits_on(thread[i], &event, 1, RESOURCE);
                }
                tiny_pointer(&t, waiter[0], waiter[1]);
                tiny_pointer(&t, waiter[1], end == 2 ? waiter[0] : behind[end]);
                uint64_t lock = resource(0, waiter[0]);
                sys_open();
                struct windows *w = sys->priv;
                w->has_kdbg = true;
                w->kdbg.ExpSystemResourcesList = tiny_get(&t, lock, "ERESOURCE.SystemResourcesList");
                ck_assert(wait_state(w) != NULL);
                w->waits->at.r_chain = w->waits->at.r_shared;
                for (unsigned i = 0; i < 2; i++) {
                        expect_text(at(list_of(thread[i], 1), 0, "waits_for"), "resource, shared");
                        expect_value(at(list_of(thread[i], 1), 0, "container"), lock);
                }
                sys_close();
        }
}
END_TEST

/* 10: the event and the link of the chain both lie in the waiter's stack. */
START_TEST(chained_resource)
{
        build(1);
        uint64_t top = tiny_get(&t, t.thread[TINY_MAIN], "KTHREAD.KernelStack") & ~UINT64_C(0xfff),
                 before = tiny_take(&t, &o, 16);
        remember(TINY_MAIN, 0);
        uint64_t event = header(top + 0xf40, 1, 0), link = top + 0xf80, lock = resource(before, 0);
        tiny_pointer(&t, top + 0xf00, lock);
        tiny_pointer(&t, before, link);
        waits_on(TINY_MAIN, &event, 1, RESOURCE);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "resource, exclusive");
        expect_value(at(list, 0, "container"), lock);
}
END_TEST

/* ---------------------------------------------------------------- push locks */

/* 10 (public PDB): ETHREAD.LockEntries at 0x650, each 0x60: flags 0x18, WaitingBit 0x19, AcquiredByte 0x1a, lock 0x20.
 */
static uint64_t lock_entry(enum tiny_thread thread, unsigned i, uint64_t lock, bool waits, bool has)
{
        uint64_t entry = t.thread[thread] + 0x650 + i * 0x60;
        world_u(&t.world, entry + 0x19, 1, waits);
        world_u(&t.world, entry + 0x1a, 1, has);
        tiny_pointer(&t, entry + 0x20, lock);
        return entry;
}

/* The wait block of a push lock: the event, and who waited before. */
static uint64_t push_block(enum tiny_thread thread, uint64_t before)
{
        uint64_t at_ = tiny_take(&t, &o, 0x40);
        tiny_pointer(&t, header(at_, 1, 0) + (t.is64 ? 0x18 : 0x10), before);
        waits_on(thread, &at_, 1, PUSH_LOCK);
        return at_;
}

/* Two wait; the lock's word leads to the later one, that one to the other. */
START_TEST(push_lock)
{
        build(1);
        uint64_t lock = tiny_take(&t, &o, 16), first = push_block(TINY_MAIN, 0), last = push_block(TINY_CLIENT, first);
        tiny_pointer(&t, lock, last | 3 | 8);
        lock_entry(TINY_MAIN, 1, lock | 2, true, false);
        lock_entry(TINY_CLIENT, 5, lock & ~(UINT64_C(1) << 63), true, false); /* not in AutoBoost's tree */
        lock_entry(TINY_WORKER, 0, lock, false, true);
        lock_entry(TINY_RUNNER, 5, (lock & ~(UINT64_C(1) << 63)) | 1, false, true);
        lock_entry(TINY_READY, 0, lock, false, false); /* had it once */
        lock_entry(TINY_ATTACHED, 0, lock + 8, false, true);
        for (unsigned i = 1; i < 4; i++) { /* other locks, before and behind */
                lock_entry(TINY_ATTACHED, i, lock - 0x40 * i, false, true);
                lock_entry(TINY_READY, i, lock + 0x40 * i, false, true);
        }
        sys_open();
        static const enum tiny_thread waiter[] = { TINY_MAIN, TINY_CLIENT };
        for (unsigned i = 0; i < 2; i++) {
                const struct stasis_list *list = list_of(waiter[i], 1);
                expect_text(at(list, 0, "waits_for"), "push lock");
                expect_value(at(list, 0, "container"), lock);
                expect_value(at(list, 0, "owners"), 2);
                expect_owner(list, 0, t.thread[TINY_WORKER] < t.thread[TINY_RUNNER] ? TINY_WORKER : TINY_RUNNER);
                expect_text(at(list, 0, "owner_from"), "_KLOCK_ENTRY.LockUnsafe");
        }
}
END_TEST

/* By what the waiter's stack points to; nobody has it any more, or nobody is known to. */
START_TEST(push_lock_by_stack)
{
        build(1);
        uint64_t lock[] = { tiny_take(&t, &o, 16), tiny_take(&t, &o, 16) };
        tiny_pointer(&t, lock[0], push_block(TINY_MAIN, 0) | 2);
        tiny_pointer(&t, lock[1], push_block(TINY_CLIENT, 0) | 3);
        remember(TINY_MAIN, lock[0]);
        remember(TINY_CLIENT, lock[1]);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_value(at(list, 0, "container"), lock[0]);
        expect_absent(at(list, 0, "owner"), STASIS_NOT_APPLICABLE);
        list = list_of(TINY_CLIENT, 1);
        expect_value(at(list, 0, "container"), lock[1]);
        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
}
END_TEST

/* A word that says that nobody waits, one that leads to others, an endless chain: no lock of this waiter's. */
START_TEST(no_push_lock)
{
        build(1);
        uint64_t lock[] = { tiny_take(&t, &o, 16), tiny_take(&t, &o, 16) }, other = tiny_take(&t, &o, 0x40);
        tiny_pointer(&t, lock[0], push_block(TINY_MAIN, 0) | 1);
        (void)push_block(TINY_CLIENT, 0);
        tiny_pointer(&t, other + 0x18, other);
        tiny_pointer(&t, lock[1], other | 3);
        remember(TINY_MAIN, lock[0]);
        remember(TINY_CLIENT, lock[1]);
        lock_entry(TINY_CLIENT, 0, lock[1], true, false);
        lock_entry(TINY_WORKER, 0, lock[1], false, true);
        sys_open();
        static const enum tiny_thread waiter[] = { TINY_MAIN, TINY_CLIENT };
        for (unsigned i = 0; i < 2; i++) {
                const struct stasis_list *list = list_of(waiter[i], 1);
                expect_text(at(list, 0, "waits_for"), "push lock");
                expect_absent(at(list, 0, "container"), STASIS_NOT_APPLICABLE);
                expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
        }
}
END_TEST

/* A word of the stack counts below its base, and of a long one as far as is looked: 0x6000 bytes. */
START_TEST(words_far_away)
{
        static const struct {
                uint64_t at, base;
                bool found;
        } cases[] = {
                { 0x5ff8, 0x8000, true }, { 0x6000, 0x8000, false }, { 0x1000, 0x1000, false }, { 0xff8, 0x1000, true }
        };
        for (size_t i = 0; i < 2 * (sizeof cases / sizeof *cases); i++) {
                bool push = i & 1;
                build(1);
                uint64_t top = tiny_get(&t, t.thread[TINY_MAIN], "KTHREAD.StackLimit"), event, lock;
                if (push) {
                        event = push_block(TINY_MAIN, 0);
                        lock = tiny_take(&t, &o, 16);
                        tiny_pointer(&t, lock, event | 3);
                } else {
                        event = header(tiny_take(&t, &o, 0x20), 1, 0);
                        lock = resource(event, 0);
                        waits_on(TINY_MAIN, &event, 1, RESOURCE);
                }
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.KernelStack", top);
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.StackBase", top + cases[i / 2].base);
                world_map(&t.world, top, 0x8000);
                tiny_pointer(&t, top + cases[i / 2].at, lock);
                sys_open();
                const struct stasis_fact *container = at(list_of(TINY_MAIN, 1), 0, "container");
                ck_assert_msg((container->absence == STASIS_PRESENT) == cases[i / 2].found, "case %zu", i);
                sys_close();
        }
}
END_TEST

/* The first of its entries, and the last; versions that say less of them tell no owner. */
START_TEST(entries_of_a_waiter)
{
        for (unsigned i = 0; i < 8; i++) {
                build(1);
                uint64_t lock = tiny_take(&t, &o, 16);
                tiny_pointer(&t, lock, push_block(TINY_MAIN, 0) | 3);
                lock_entry(TINY_MAIN, i == 1 ? 5 : i == 2 ? 6 : 0, lock, true, false);
                lock_entry(TINY_WORKER, i == 1 ? 5 : i == 2 ? 6 : 0, lock, false, true);
                sys_open();
                struct wait_state *s = wait_state(sys->priv);
                struct place *const needed[] = { &s->at.lock_entries, &s->at.e_lock, &s->at.e_acquired };
                if (i >= 3 && i < 6)
                        needed[i - 3]->has = false;
                s->at.e_thread.has = i == 6;
                s->entry_size = i == 7 ? 0 : s->entry_size;
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                if (i < 2)
                        expect_owner(list, 0, TINY_WORKER);
                else
                        expect_absent(at(list, 0, "container"), STASIS_NOT_APPLICABLE);
                sys_close();
        }
}
END_TEST

/* XP: other bits. */
START_TEST(old_push_lock)
{
        build(0);
        uint64_t lock = tiny_take(&t, &o, 16);
        tiny_pointer(&t, lock, push_block(TINY_MAIN, 0) | 3);
        remember(TINY_MAIN, lock);
        sys_open();
        expect_absent(at(list_of(TINY_MAIN, 1), 0, "container"), STASIS_NOT_APPLICABLE);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { mutexes,     an_event_is_no_mutex, exclusive_resource, shared_resource,
                                      no_resource, free_resource,        listed_resources };
        const TTest *const single[] = { ring_of_waiters,     ring_without_threads, chain_of_waiters, chained_resource,
                                        push_lock,           push_lock_by_stack,   no_push_lock,     words_far_away,
                                        entries_of_a_waiter, old_push_lock };
        return sys_main("wait_lock", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
