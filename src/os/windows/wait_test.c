/* SPDX-License-Identifier: MIT */
/*
 * What threads wait for: rings and arrays of wait blocks, whole, torn and looping; each kind of thing with an owner;
 * and what must not be taken for one.
 */
#include "../../test/tiny_objects.h"
#include "../../test/tiny_system.h"

#define KEYED 21
#define RESOURCE 27
#define PUSH_LOCK 28
#define FAST_MUTEX 34
#define GUARDED_MUTEX 35

static struct tiny_objects o;
static uint64_t block_len;

static void build(int is64)
{
        tiny_build(&t, is64);
        tiny_objects(&t, &o);
        block_len = t.is64 ? 0x30 : 0x18;
}

static uint64_t member(uint64_t object, const char *name) { return object + tiny_place(&t, name).at; }

static uint64_t header(uint64_t at, unsigned kind, uint32_t signal)
{
        world_u(&t.world, at, 1, kind);
        tiny_set(&t, at, "DISPATCHER_HEADER.SignalState", signal);
        tiny_ring(&t, member(at, "DISPATCHER_HEADER.WaitListHead"), NULL, 0);
        return at;
}

/* Block number i of a thread, in its own array. */
static uint64_t block(enum tiny_thread thread, unsigned i)
{
        return member(t.thread[thread], "KTHREAD.WaitBlock") + i * block_len;
}

static void put_block(enum tiny_thread thread, unsigned i, uint64_t object, uint64_t next)
{
        uint64_t at = block(thread, i);
        tiny_set(&t, at, "KWAIT_BLOCK.Thread", t.thread[thread]);
        tiny_set(&t, at, "KWAIT_BLOCK.Object", object);
        tiny_set(&t, at, "KWAIT_BLOCK.WaitKey", i);
        tiny_set(&t, at, "KWAIT_BLOCK.WaitType", 1);
        if (!t.is64)
                tiny_set(&t, at, "KWAIT_BLOCK.NextWaitBlock", next);
        else
                tiny_set(&t, at, "KWAIT_BLOCK.BlockState", 4);
}

static void waits_on(enum tiny_thread thread, const uint64_t *object, unsigned count, unsigned reason)
{
        tiny_set(&t, t.thread[thread], "KTHREAD.State", 5);
        tiny_set(&t, t.thread[thread], "KTHREAD.WaitReason", reason);
        tiny_set(&t, t.thread[thread], "KTHREAD.WaitBlockList", block(thread, 0));
        if (t.is64)
                tiny_set(&t, t.thread[thread], "KTHREAD.WaitBlockCount", count);
        for (unsigned i = 0; i < count; i++)
                put_block(thread, i, object[i], block(thread, (i + 1) % count));
}

static const struct stasis_list *list_of(enum tiny_thread thread, size_t rows)
{
        const struct stasis_fact *fact = thread_fact(thread, "wait_objects");
        ck_assert_msg(fact->absence == STASIS_PRESENT, "%s", stasis_absence_name((enum stasis_absence)fact->absence));
        ck_assert_uint_eq(fact->list->rows, rows);
        return fact->list;
}

static const struct stasis_fact *at(const struct stasis_list *list, size_t row, const char *key)
{
        for (size_t i = 0; i < list->columns; i++)
                if (!strcmp(list->column[i].key, key))
                        return &list->fact[row * list->columns + i];
        ck_abort_msg("no column %s", key);
}

static void expect_owner(const struct stasis_list *list, size_t row, enum tiny_thread owner)
{
        expect_value(at(list, row, "owner"), t.thread[owner]);
        expect_value(at(list, row, "owner_tid"), tiny_tid(owner));
        expect_value(at(list, row, "owner_pid"), tiny_pid(tiny_owner(owner)));
}

/* ---------------------------------------------------------------- blocks */

START_TEST(objects_and_blocks)
{
        build(_i);
        uint64_t base = tiny_object(&t, &o, TINY_DIRECTORY, 0x140, "BaseNamedObjects", o.root);
        uint64_t object[] = { header(tiny_object(&t, &o, TINY_EVENT, 0x18, "go", base), 0, 0),
                              header(tiny_object(&t, &o, TINY_SEMAPHORE, 0x20, NULL, 0), 5, 3),
                              header(tiny_take(&t, &o, 0x20), 1, 0) };
        waits_on(TINY_MAIN, object, 3, 6);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 3);
        expect_value(at(list, 0, "object"), object[0]);
        expect_value(at(list, 0, "block"), block(TINY_MAIN, 0));
        expect_text(at(list, 0, "kind"), "EventNotificationObject");
        expect_text(at(list, 0, "object_type"), "Event");
        expect_text(at(list, 0, "name"), "\\BaseNamedObjects\\go");
        expect_text(at(list, 0, "waits_for"), "object");
        expect_absent(at(list, 0, "owner"), STASIS_NOT_APPLICABLE);
        expect_text(at(list, 1, "kind"), "SemaphoreObject");
        expect_value(at(list, 1, "signal_state"), 3);
        expect_value(at(list, 1, "wait_key"), 1);
        expect_text(at(list, 1, "wait_type"), "WaitAny");
        expect_text(at(list, 2, "kind"), "EventSynchronizationObject");
        expect_absent(at(list, 2, "object_type"), STASIS_NOT_APPLICABLE);
        if (t.is64)
                expect_text(at(list, 2, "block_state"), "WaitBlockActive");
        else
                expect_absent(at(list, 2, "block_state"), STASIS_NOT_IN_VERSION);
        ck_assert_ptr_null(sys_note("wait-blocks-torn"));
}
END_TEST

/* The blocks of a thread that does not wait are those of its last wait. */
START_TEST(who_does_not_wait)
{
        build(_i);
        uint64_t event = header(tiny_take(&t, &o, 0x20), 1, 0);
        waits_on(TINY_READY, &event, 1, 6);
        tiny_set(&t, t.thread[TINY_READY], "KTHREAD.State", 1);
        sys_open();
        expect_absent(thread_fact(TINY_READY, "wait_objects"), STASIS_NOT_APPLICABLE);
        expect_absent(thread_fact(TINY_RUNNER, "wait_objects"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* The timer's block: in the ring, or beside the array while the timer's list leads to it. */
START_TEST(timeout)
{
        build(_i);
        uint64_t timer = member(t.thread[TINY_MAIN], "KTHREAD.Timer");
        uint64_t object[] = { header(tiny_take(&t, &o, 0x20), 1, 0), header(timer, 8, 0) };
        waits_on(TINY_MAIN, object, 2, 6);
        uint64_t last = block(TINY_MAIN, t.is64 ? 3 : 1);
        if (t.is64) {
                put_block(TINY_MAIN, 3, 0x1234567, 0); /* other members stand in the place of its Object */
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitBlockCount", 1);
                tiny_pointer(&t, member(timer, "DISPATCHER_HEADER.WaitListHead"), last);
        }
        tiny_set(&t, last, "KWAIT_BLOCK.WaitKey", 0x102);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 2);
        expect_text(at(list, 1, "waits_for"), "timeout");
        expect_value(at(list, 1, "object"), timer);
        expect_value(at(list, 1, "wait_key"), 0x102);
        expect_absent(at(list, 1, "owner"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* A block of another thread, or none, ends the list; what was read stands, and a note says so. */
START_TEST(torn)
{
        build(_i);
        uint64_t event = header(tiny_take(&t, &o, 0x20), 1, 0), object[] = { event, event, event };
        waits_on(TINY_MAIN, object, 3, 6);
        tiny_set(&t, block(TINY_MAIN, 2), "KWAIT_BLOCK.Thread", t.thread[TINY_CLIENT]);
        waits_on(TINY_CLIENT, object, 1, 6);
        tiny_set(&t, t.thread[TINY_CLIENT], "KTHREAD.WaitBlockList", t.pool + 0x800000);
        sys_open();
        (void)list_of(TINY_MAIN, 2);
        ck_assert_int_eq(sys_note("wait-blocks-torn")->severity, STASIS_NOTE_MISSING);
        expect_absent(thread_fact(TINY_CLIENT, "wait_objects"), STASIS_CONTRADICTORY);
        ck_assert_uint_eq(sys_notes("wait-blocks-torn"), 2);
}
END_TEST

/* A ring that never comes back to its first block, and an array that is longer than any: both are bounded. */
START_TEST(endless)
{
        build(_i);
        uint64_t event = header(tiny_take(&t, &o, 0x20), 1, 0), object[] = { event, event };
        waits_on(TINY_MAIN, object, 2, 6);
        if (t.is64)
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitBlockCount", 255);
        else
                tiny_set(&t, block(TINY_MAIN, 1), "KWAIT_BLOCK.NextWaitBlock", block(TINY_MAIN, 1));
        sys_open();
        const struct stasis_fact *fact = thread_fact(TINY_MAIN, "wait_objects");
        ck_assert_uint_eq(fact->list->rows, t.is64 ? 2 : 65);
        ck_assert_ptr_nonnull(sys_note("wait-blocks-torn"));
}
END_TEST

/* ---------------------------------------------------------------- owners */

START_TEST(mutants)
{
        build(_i);
        uint64_t mutant[] = { header(tiny_object(&t, &o, TINY_MUTANT, 0x38, NULL, 0), 2, 0),
                              header(tiny_object(&t, &o, TINY_MUTANT, 0x38, NULL, 0), 2, 1),
                              header(tiny_object(&t, &o, TINY_MUTANT, 0x38, NULL, 0), 2, 0) };
        tiny_set(&t, mutant[0], "KMUTANT.OwnerThread", t.thread[TINY_CLIENT]);
        tiny_set(&t, mutant[2], "KMUTANT.OwnerThread", t.pool);
        tiny_set(&t, mutant[1], "KMUTANT.Abandoned", 1);
        tiny_set(&t, mutant[0], "DISPATCHER_HEADER.SignalState", (uint32_t)-2);
        tiny_set(&t, mutant[2], "DISPATCHER_HEADER.SignalState", 2); /* no mutant has that */
        waits_on(TINY_MAIN, mutant, 3, 6);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 3);
        expect_value(at(list, 0, "recursion"), 3);
        expect_value(at(list, 0, "abandoned"), 0);
        expect_value(at(list, 1, "recursion"), 0);
        expect_value(at(list, 1, "abandoned"), 1);
        expect_absent(at(list, 2, "recursion"), STASIS_CONTRADICTORY);
        expect_absent(at(list, 0, "due_time"), STASIS_NOT_APPLICABLE);
        expect_absent(at(list, 0, "queue_threads"), STASIS_NOT_APPLICABLE);
        expect_text(at(list, 0, "kind"), "MutantObject");
        expect_owner(list, 0, TINY_CLIENT);
        expect_text(at(list, 0, "owner_from"), "_KMUTANT.OwnerThread");
        expect_absent(at(list, 1, "owner"), STASIS_NOT_APPLICABLE);
        expect_absent(at(list, 2, "owner"), STASIS_CONTRADICTORY);
}
END_TEST

/* Who must end for the wait to end. */
START_TEST(threads_and_processes)
{
        build(_i);
        uint64_t object[] = { t.thread[TINY_WORKER], t.process[TINY_ALPHA] };
        waits_on(TINY_MAIN, object, 2, 6);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 2);
        expect_owner(list, 0, TINY_WORKER);
        expect_value(at(list, 1, "owner"), t.process[TINY_ALPHA]);
        expect_value(at(list, 1, "owner_pid"), tiny_pid(TINY_ALPHA));
        expect_absent(at(list, 1, "owner_tid"), STASIS_NOT_KNOWN);
}
END_TEST

/* The image's clocks: interrupt time and system time of the shared data. */
START_TEST(timers)
{
        build(_i);
        uint64_t timer[] = { header(tiny_object(&t, &o, TINY_TIMER, 0x60, NULL, 0), 8, 0),
                             header(tiny_object(&t, &o, TINY_TIMER, 0x60, NULL, 0), 9, 0) };
        uint64_t now = 0;
        memcpy(&now, world_at(&t.world, t.shared + 8), 8);
        for (unsigned i = 0; i < 2; i++)
                world_u(&t.world, timer[i] + (t.is64 ? 0x18 : 0x10), 8, now + 25000000);
        world_u(&t.world, timer[0] + 3, 1, t.is64 ? 0x40 : 1); /* Inserted; the other one is not set */
        waits_on(TINY_MAIN, timer, 2, 6);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 2);
        expect_value(at(list, 0, "due_in"), 2500);
        expect_value(at(list, 0, "due_time"), system_fact("system_time")->value + 25000000);
        expect_absent(at(list, 1, "due_in"), STASIS_NOT_APPLICABLE);
        expect_absent(at(list, 1, "due_time"), STASIS_NOT_APPLICABLE);
        expect_absent(at(list, 0, "recursion"), STASIS_NOT_APPLICABLE);
}
END_TEST

/* Header, EntryListHead, CurrentCount, MaximumCount, ThreadListHead. */
START_TEST(queues)
{
        build(_i);
        uint64_t queue[] = { header(tiny_take(&t, &o, 0x40), 4, 0), header(tiny_take(&t, &o, 0x40), 4, 0) };
        uint64_t entry[] = { tiny_take(&t, &o, 0x10), tiny_take(&t, &o, 0x10) };
        for (unsigned i = 0; i < 2; i++) {
                world_u(&t.world, queue[i] + (t.is64 ? 0x28 : 0x18), 4, 1 + i);
                world_u(&t.world, queue[i] + (t.is64 ? 0x2c : 0x1c), 4, 4 + i);
        }
        tiny_ring(&t, queue[0] + (t.is64 ? 0x30 : 0x20), entry, 2);
        tiny_pointer(&t, queue[1] + (t.is64 ? 0x30 : 0x20), t.pool + 0x800000); /* torn */
        waits_on(TINY_MAIN, queue, 2, 15);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 2);
        expect_value(at(list, 0, "queue_threads"), 2);
        expect_value(at(list, 0, "queue_running"), 1);
        expect_value(at(list, 0, "queue_maximum"), 4);
        expect_absent(at(list, 1, "queue_threads"), STASIS_CONTRADICTORY);
        expect_value(at(list, 1, "queue_maximum"), 5);
        expect_absent(at(list, 0, "due_in"), STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(suspension)
{
        build(_i);
        uint64_t object = member(t.thread[TINY_MAIN], t.is64 ? "KTHREAD.SuspendEvent" : "KTHREAD.SuspendSemaphore");
        header(object, t.is64 ? 0 : 5, 0);
        waits_on(TINY_MAIN, &object, 1, 5);
        sys_open();
        expect_text(at(list_of(TINY_MAIN, 1), 0, "waits_for"), "suspension");
}
END_TEST

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

/* ---------------------------------------------------------------- ports */

static uint64_t own_semaphore(enum tiny_thread thread)
{
        return header(member(t.thread[thread], "ETHREAD.KeyedWaitSemaphore"), 5, 0);
}

START_TEST(alpc)
{
        build(1);
        uint64_t port = tiny_object(&t, &o, TINY_PORT, 0x1d8, "lsarpc", o.root);
        uint64_t client = tiny_object(&t, &o, TINY_PORT, 0x1d8, NULL, 0);
        uint64_t info = tiny_take(&t, &o, 0x50), message[] = { tiny_take(&t, &o, 0x118), tiny_take(&t, &o, 0x118) };
        tiny_set(&t, info, "ALPC_COMMUNICATION_INFO.ConnectionPort", port);
        tiny_set(&t, info, "ALPC_COMMUNICATION_INFO.ClientCommunicationPort", client);
        tiny_set(&t, port, "ALPC_PORT.OwnerProcess", t.process[TINY_ALPHA] | 1);
        static const enum tiny_thread thread[] = { TINY_MAIN, TINY_WORKER };
        for (unsigned i = 0; i < 2; i++) {
                uint64_t semaphore = own_semaphore(thread[i]);
                waits_on(thread[i], &semaphore, 1, 17);
                tiny_set(&t, t.thread[thread[i]], "ETHREAD.AlpcMessage", message[i]);
                tiny_set(&t, message[i], "KALPC_MESSAGE.WaitingThread", t.thread[thread[i]]);
                tiny_set(&t, message[i], "KALPC_MESSAGE.OwnerPort", client);
                tiny_set(&t, message[i], "KALPC_MESSAGE.CommunicationInfo", info);
        }
        tiny_set(&t, message[1], "KALPC_MESSAGE.ServerThread", t.thread[TINY_RUNNER]);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "ALPC reply");
        expect_text(at(list, 0, "name"), "\\lsarpc");
        expect_value(at(list, 0, "container"), port);
        expect_value(at(list, 0, "owner"), t.process[TINY_ALPHA]);
        expect_absent(at(list, 0, "owner_tid"), STASIS_NOT_KNOWN);
        list = list_of(TINY_WORKER, 1);
        expect_owner(list, 0, TINY_RUNNER);
        expect_text(at(list, 0, "owner_from"), "_KALPC_MESSAGE.ServerThread");
}
END_TEST

/* A message that names another thread as the one that waits tells nothing. */
START_TEST(alpc_of_another)
{
        build(1);
        uint64_t semaphore = own_semaphore(TINY_MAIN), message = tiny_take(&t, &o, 0x118);
        waits_on(TINY_MAIN, &semaphore, 1, 17);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.AlpcMessage", message);
        tiny_set(&t, message, "KALPC_MESSAGE.WaitingThread", t.thread[TINY_WORKER]);
        tiny_set(&t, message, "KALPC_MESSAGE.ServerThread", t.thread[TINY_RUNNER]);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "ALPC reply");
        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
}
END_TEST

START_TEST(lpc)
{
        build(0);
        uint64_t port = tiny_object(&t, &o, TINY_PORT, 0xa4, "lsa", o.root),
                 client = tiny_object(&t, &o, TINY_PORT, 0xa4, NULL, 0);
        static const enum tiny_thread thread[] = { TINY_MAIN, TINY_WORKER };
        tiny_set(&t, client, "LPCP_PORT_OBJECT.ConnectionPort", port);
        tiny_set(&t, port, "LPCP_PORT_OBJECT.ServerProcess", t.process[TINY_ALPHA]);
        for (unsigned i = 0; i < 2; i++) {
                uint64_t semaphore = own_semaphore(thread[i]);
                waits_on(thread[i], &semaphore, 1, 17);
                tiny_set(&t, t.thread[thread[i]], "ETHREAD.LpcWaitingOnPort", client | 1);
                tiny_set(&t, t.thread[thread[i]], "ETHREAD.LpcReplyMessageId", 0x50 + i);
        }
        tiny_set(&t, t.thread[TINY_CLIENT], "ETHREAD.LpcReceivedMessageId", 0x51);
        tiny_set(&t, t.thread[TINY_CLIENT], "ETHREAD.LpcReceivedMsgIdValid", 1);
        tiny_set(&t, t.thread[TINY_RUNNER], "ETHREAD.LpcReceivedMessageId", 0x50); /* stale: not valid */
        static const struct {
                enum tiny_thread thread;
                uint64_t id;
        } others[] = { { TINY_ATTACHED, 0x20 }, { TINY_MAIN, 0x30 }, { TINY_READY, 0x40 }, { TINY_WORKER, 0x60 } };
        for (unsigned i = 0; i < sizeof others / sizeof *others; i++) {
                tiny_set(&t, t.thread[others[i].thread], "ETHREAD.LpcReceivedMessageId", others[i].id);
                tiny_set(&t, t.thread[others[i].thread], "ETHREAD.LpcReceivedMsgIdValid", 1);
        }
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "LPC reply");
        expect_text(at(list, 0, "name"), "\\lsa");
        expect_value(at(list, 0, "owner"), t.process[TINY_ALPHA]);
        expect_owner(list_of(TINY_WORKER, 1), 0, TINY_CLIENT);
}
END_TEST

/* ---------------------------------------------------------------- files */

START_TEST(files)
{
        build(_i);
        uint64_t device = tiny_object(&t, &o, TINY_DEVICE, 0x40, "NamedPipe", o.root);
        uint64_t file = tiny_object(&t, &o, TINY_FILE, 0xd8, NULL, 0);
        uint64_t event = header(member(file, "FILE_OBJECT.Event"), 0, 0);
        tiny_set(&t, file, "FILE_OBJECT.DeviceObject", device);
        tiny_string(&t, member(file, "FILE_OBJECT.FileName"), tiny_take(&t, &o, 16), "\\srv");
        waits_on(TINY_MAIN, &event, 1, 0);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "file");
        expect_text(at(list, 0, "name"), "\\NamedPipe\\srv");
        expect_value(at(list, 0, "container"), file);
}
END_TEST

/* The event that the second of two pending requests will set; of a file with a name. */
START_TEST(requests)
{
        build(_i);
        uint64_t file = tiny_object(&t, &o, TINY_FILE, 0xd8, NULL, 0),
                 irp[] = { tiny_take(&t, &o, 0xd0), tiny_take(&t, &o, 0xd0) };
        uint64_t event[] = { header(tiny_take(&t, &o, 0x20), 0, 0), header(tiny_take(&t, &o, 0x20), 0, 0) };
        const uint32_t link = t.is64 ? 0x20 : 0x10, user_event = t.is64 ? 0x50 : 0x2c, original = t.is64 ? 0xc0 : 0x64;
        uint64_t entry[] = { irp[0] + link, irp[1] + link };
        tiny_string(&t, member(file, "FILE_OBJECT.FileName"), tiny_take(&t, &o, 16), "\\log");
        tiny_pointer(&t, irp[0] + user_event, t.pool);
        tiny_pointer(&t, irp[1] + user_event, event[0]);
        tiny_pointer(&t, irp[1] + original, file);
        tiny_ring(&t, member(t.thread[TINY_MAIN], "ETHREAD.IrpList"), entry, 2);
        tiny_ring(&t, member(t.thread[TINY_READY], "ETHREAD.IrpList"), NULL, 0);
        waits_on(TINY_MAIN, event, 2, 0);
        waits_on(TINY_READY, event, 1, 0);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 2);
        expect_text(at(list, 0, "waits_for"), "I/O request");
        expect_value(at(list, 0, "container"), irp[1]);
        expect_text(at(list, 0, "name"), "\\log");
        expect_absent(at(list, 0, "owner"), STASIS_NOT_APPLICABLE);
        expect_text(at(list, 1, "waits_for"), "object");
        expect_text(at(list_of(TINY_READY, 1), 0, "waits_for"), "object"); /* its own requests alone */
}
END_TEST

/* ---------------------------------------------------------------- critical sections, by the key */

START_TEST(keyed_section)
{
        build(_i);
        uint64_t section = 0x20000, debug = 0x20100, semaphore = own_semaphore(TINY_MAIN);
        tiny_map_user(&t, TINY_BETA, 0x20000, 0x1000);
        tiny_user_u(&t, TINY_BETA, section, t.pointer, debug);
        tiny_user_u(&t, TINY_BETA, section + (t.is64 ? 0x10 : 0xc), t.pointer, tiny_tid(TINY_READY));
        tiny_user_u(&t, TINY_BETA, debug + t.pointer, t.pointer, section);
        waits_on(TINY_MAIN, &semaphore, 1, KEYED);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.KeyedWaitValue", section | 1);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "critical section");
        expect_value(at(list, 0, "container"), section);
        expect_owner(list, 0, TINY_READY);
}
END_TEST

/* A key that is no critical section's stays a key. */
START_TEST(keyed_event)
{
        build(_i);
        uint64_t semaphore = own_semaphore(TINY_MAIN);
        tiny_map_user(&t, TINY_BETA, 0x20000, 0x1000);
        waits_on(TINY_MAIN, &semaphore, 1, KEYED);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.KeyedWaitValue", 0x20000);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "keyed event");
        expect_value(at(list, 0, "container"), 0x20000);
        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
}
END_TEST

/* ---------------------------------------------------------------- critical sections, by the event's handle */

#define SECTIONS 0x20000u

/* A section with debug information, number i: the list's entries are linked by link_sections. */
static uint64_t put_section(unsigned width, unsigned i, uint64_t owner, uint64_t semaphore)
{
        bool wide = width == 8;
        uint64_t section = SECTIONS + 0x100u + i * 0x100u, debug = section + 0x80;
        tiny_user_u(&t, TINY_BETA, section, width, debug);
        tiny_user_u(&t, TINY_BETA, section + width, 4, (uint32_t)-6);
        tiny_user_u(&t, TINY_BETA, section + width + 4, 4, 1);
        tiny_user_u(&t, TINY_BETA, section + (wide ? 0x10 : 0xc), width, owner);
        tiny_user_u(&t, TINY_BETA, section + (wide ? 0x18 : 0x10), width, semaphore);
        tiny_user_u(&t, TINY_BETA, debug + width, width, section);
        return section;
}

/* The list's head, RtlCriticalSectionList, lies in ntdll and has no section. */
static void link_sections(unsigned width, unsigned count)
{
        uint64_t head = SECTIONS, at_ = head;
        for (unsigned i = 0; i < count; i++) {
                uint64_t entry = SECTIONS + 0x100u + i * 0x100u + 0x80 + 2 * width;
                tiny_user_u(&t, TINY_BETA, at_, width, entry);
                tiny_user_u(&t, TINY_BETA, entry + width, width, at_);
                at_ = entry;
        }
        tiny_user_u(&t, TINY_BETA, at_, width, head);
}

/* A table of one page: handle 4 * i for the i-th object. */
static void put_handles(const uint64_t *body, unsigned count)
{
        uint64_t table = tiny_take(&t, &o, 0x80), page = t.pool + 0x14000;
        world_map(&t.world, page, 0x1000);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ObjectTable", table);
        tiny_pointer(&t, table + (t.is64 ? 8 : 0), page);
        world_u(&t.world, table + (t.is64 ? 0 : 0x38), 4, 0x800); /* NextHandleNeedingPool */
        for (unsigned i = 0; i < count; i++) {
                uint64_t header_ = body[i] - (t.is64 ? 0x30 : 0x18), entry = page + (i + 1) * (t.is64 ? 0x10u : 8u);
                tiny_pointer(&t, entry, t.is64 ? (header_ >> 4) << 20 | 0x10001 : header_ | 1);
                tiny_pointer(&t, entry + t.pointer, 0x1f0003);
        }
}

START_TEST(section_by_event)
{
        build(_i);
        uint64_t event[] = { header(tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0), 1, 0),
                             header(tiny_object(&t, &o, TINY_EVENT, 0x18, NULL, 0), 1, 0) };
        tiny_map_user(&t, TINY_BETA, SECTIONS, 0x1000);
        (void)put_section(t.pointer, 0, 0, 0); /* the loader's own: nobody ever had to wait */
        uint64_t section = put_section(t.pointer, 1, tiny_tid(TINY_READY), 8);
        (void)put_section(t.pointer, 2, tiny_tid(TINY_READY), 5); /* no handle */
        link_sections(t.pointer, 3);
        tiny_user_u(&t, TINY_BETA, t.peb + (t.is64 ? 0x110 : 0xa0), t.pointer, SECTIONS + 0x100);
        put_handles(event, 2);
        waits_on(TINY_MAIN, &event[1], 1, 6);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        waits_on(TINY_READY, &event[0], 1, 6); /* no section's */
        tiny_set(&t, t.thread[TINY_READY], "KTHREAD.WaitMode", 1);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "critical section");
        expect_value(at(list, 0, "container"), section);
        expect_value(at(list, 0, "object"), event[1]);
        expect_owner(list, 0, TINY_READY);
        expect_text(at(list_of(TINY_READY, 1), 0, "waits_for"), "object");
}
END_TEST

/* ---------------------------------------------------------------- critical sections, by the address of LockCount */

#define ALERT_BY_THREAD_ID 37

static void alerted(uint64_t address)
{
        waits_on(TINY_MAIN, &address, 1, ALERT_BY_THREAD_ID);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitMode", 1);
        tiny_map_user(&t, TINY_BETA, SECTIONS, 0x1000);
}

/* The section has debug information; of both widths, as beta is a WoW64 process. */
START_TEST(alerted_section)
{
        for (unsigned width = 4; width <= 8; width += 4) {
                build(1);
                alerted(SECTIONS + 0x100 + width);
                uint64_t section = put_section(width, 0, tiny_tid(TINY_READY), UINT64_MAX);
                sys_open();
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), "critical section");
                expect_value(at(list, 0, "container"), section);
                expect_absent(at(list, 0, "object"), STASIS_NOT_APPLICABLE);
                expect_absent(at(list, 0, "object_type"), STASIS_NOT_APPLICABLE);
                expect_absent(at(list, 0, "kind"), STASIS_NOT_APPLICABLE);
                expect_owner(list, 0, TINY_READY);
                expect_text(at(list, 0, "owner_from"), "RTL_CRITICAL_SECTION.OwningThread");
                sys_close();
        }
}
END_TEST

/* Without: all of its members must say so. One of them wrong: an address like any other. */
START_TEST(bare_section)
{
        static const struct {
                uint8_t at, size;
                uint64_t value;
        } wrong[] = { { 0, 8, 0x1234 }, { 8, 4, (uint32_t)-2 }, { 8, 4, (uint32_t)-5 }, { 8, 4, 6 },
                      { 12, 4, 0 },     { 16, 8, 0 },           { 16, 8, 0x4c4c },      { 24, 8, 0x58 } };
        for (unsigned i = 0; i <= sizeof wrong / sizeof *wrong; i++) {
                build(1);
                tiny_set(&t, t.process[TINY_BETA], "EPROCESS.WoW64Process", 0);
                alerted(SECTIONS + 0x108);
                uint64_t section = put_section(8, 0, tiny_tid(TINY_READY), i ? UINT64_MAX : 0);
                tiny_user_u(&t, TINY_BETA, section, 8, UINT64_MAX);
                if (i)
                        tiny_user_u(&t, TINY_BETA, section + wrong[i - 1].at, wrong[i - 1].size, wrong[i - 1].value);
                sys_open();
                const struct stasis_list *list = list_of(TINY_MAIN, 1);
                expect_text(at(list, 0, "waits_for"), i ? "address" : "critical section");
                expect_value(at(list, 0, "container"), i ? section + 8 : section);
                if (i)
                        expect_absent(at(list, 0, "owner"), STASIS_NOT_KNOWN);
                else
                        expect_owner(list, 0, TINY_READY);
                sys_close();
        }
}
END_TEST

/* A wait of the kernel's own by an address there; and one for nothing but its thread. */
START_TEST(other_addresses)
{
        build(1);
        alerted(0);
        uint64_t address = header(tiny_take(&t, &o, 0x20), 1, 0);
        waits_on(TINY_WORKER, &address, 1, ALERT_BY_THREAD_ID);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_text(at(list, 0, "waits_for"), "address");
        expect_absent(at(list, 0, "container"), STASIS_NOT_APPLICABLE);
        list = list_of(TINY_WORKER, 1);
        expect_text(at(list, 0, "waits_for"), "address");
        expect_value(at(list, 0, "container"), address);
        expect_absent(at(list, 0, "kind"), STASIS_NOT_APPLICABLE);
}
END_TEST

int main(void)
{
        const TTest *const both[] = {
                objects_and_blocks,    who_does_not_wait, timeout,     torn,   endless,  mutants,
                threads_and_processes, suspension,        timers,      queues, mutexes,  an_event_is_no_mutex,
                exclusive_resource,    shared_resource,   no_resource, files,  requests, keyed_section,
                keyed_event,           section_by_event
        };
        const TTest *const single[] = { ring_of_waiters,
                                        chained_resource,
                                        push_lock,
                                        push_lock_by_stack,
                                        no_push_lock,
                                        old_push_lock,
                                        alpc,
                                        alpc_of_another,
                                        lpc,
                                        alerted_section,
                                        bare_section,
                                        other_addresses };
        return sys_main("wait", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
