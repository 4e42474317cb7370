/* SPDX-License-Identifier: MIT */
/*
 * TINY_WORKER and TINY_ATTACHED have each a mutant that the other waits for (and TINY_ATTACHED for a time); TINY_MAIN
 * waits for a resource that TINY_CLIENT has; TINY_CLIENT for a reply of TINY_WORKER, TINY_READY for a fast mutex of
 * TINY_MAIN (XP) or a push lock of its (10), TINY_RUNNER for a critical section of TINY_CLIENT.
 */
#include "tiny_waits.h"

static uint64_t member(const struct tiny *t, uint64_t object, const char *name)
{
        return object + tiny_place(t, name).at;
}

static uint64_t header(struct tiny *t, uint64_t at, unsigned kind)
{
        world_u(&t->world, at, 1, kind);
        tiny_ring(t, member(t, at, "DISPATCHER_HEADER.WaitListHead"), NULL, 0);
        return at;
}

static uint64_t put_block(struct tiny *t, enum tiny_thread thread, unsigned i, uint64_t object, unsigned next)
{
        uint64_t first = member(t, t->thread[thread], "KTHREAD.WaitBlock"), len = t->is64 ? 0x30 : 0x18,
                 at = first + i * len;
        tiny_set(t, at, "KWAIT_BLOCK.Thread", t->thread[thread]);
        tiny_set(t, at, "KWAIT_BLOCK.Object", object);
        tiny_set(t, at, "KWAIT_BLOCK.WaitType", 1);
        if (!t->is64)
                tiny_set(t, at, "KWAIT_BLOCK.NextWaitBlock", first + next * len);
        return at;
}

static void waits_on(struct tiny *t, enum tiny_thread thread, uint64_t object, unsigned reason)
{
        uint64_t block = put_block(t, thread, 0, object, 0);
        tiny_set(t, t->thread[thread], "KTHREAD.State", 5);
        tiny_set(t, t->thread[thread], "KTHREAD.WaitReason", reason);
        tiny_set(t, t->thread[thread], "KTHREAD.WaitBlockList", block);
        if (t->is64)
                tiny_set(t, t->thread[thread], "KTHREAD.WaitBlockCount", 1);
}

static void for_a_time(struct tiny *t, enum tiny_thread thread)
{
        uint64_t timer = header(t, member(t, t->thread[thread], "KTHREAD.Timer"), 8);
        uint64_t block = put_block(t, thread, 3, timer, 0);
        tiny_set(t, block, "KWAIT_BLOCK.WaitKey", 0x102);
        tiny_pointer(t, member(t, timer, "DISPATCHER_HEADER.WaitListHead"), block);
        if (!t->is64)
                tiny_set(t, member(t, t->thread[thread], "KTHREAD.WaitBlock"), "KWAIT_BLOCK.NextWaitBlock", block);
}

static void put_mutants(struct tiny *t, struct tiny_objects *o)
{
        uint64_t one = header(t, tiny_object(t, o, TINY_MUTANT, 0x38, "one", o->root), 2);
        uint64_t two = header(t, tiny_object(t, o, TINY_MUTANT, 0x38, NULL, 0), 2);
        tiny_set(t, one, "KMUTANT.OwnerThread", t->thread[TINY_WORKER]);
        tiny_set(t, two, "KMUTANT.OwnerThread", t->thread[TINY_ATTACHED]);
        waits_on(t, TINY_ATTACHED, one, 6);
        waits_on(t, TINY_WORKER, two, 6);
        for_a_time(t, TINY_ATTACHED);
}

/* Lock entries of 10 (public PDB): ETHREAD + 0x650; WaitingBit 0x19, AcquiredByte 0x1a, the lock 0x20. */
static void put_push_lock(struct tiny *t, struct tiny_objects *o)
{
        uint64_t lock = tiny_take(t, o, 16), block = header(t, tiny_take(t, o, 0x40), 1);
        uint64_t mine = t->thread[TINY_READY] + 0x650, its = t->thread[TINY_MAIN] + 0x650;
        tiny_pointer(t, lock, block | 3);
        tiny_pointer(t, mine + 0x20, lock | 2);
        world_u(&t->world, mine + 0x19, 1, 1);
        tiny_pointer(t, its + 0x20, lock);
        world_u(&t->world, its + 0x1a, 1, 1);
        waits_on(t, TINY_READY, block, 28);
}

static void put_locks(struct tiny *t, struct tiny_objects *o)
{
        uint64_t event = header(t, tiny_take(t, o, 0x20), 1), lock = tiny_take(t, o, 0x70),
                 head = tiny_take(t, o, 0x10);
        uint64_t entry = member(t, lock, "ERESOURCE.SystemResourcesList"), mutex = tiny_take(t, o, 0x40);
        uint64_t stack = tiny_get(t, t->thread[TINY_MAIN], "KTHREAD.KernelStack") & ~UINT64_C(0xfff);
        tiny_ring(t, head, &entry, 1);
        tiny_set(t, lock, "ERESOURCE.ExclusiveWaiters", event);
        tiny_set(t, lock, "ERESOURCE.Flag", 0x80);
        tiny_set(t, member(t, lock, t->is64 ? "ERESOURCE.OwnerEntry" : "ERESOURCE.OwnerThreads"),
                 "OWNER_ENTRY.OwnerThread", t->thread[TINY_CLIENT]);
        world_map(&t->world, stack, 0x1000);
        tiny_pointer(t, stack + 0xf00, lock);
        waits_on(t, TINY_MAIN, event, 27);
        tiny_pointer(t, mutex + t->pointer, t->thread[TINY_MAIN]);
        if (!t->is64)
                waits_on(t, TINY_READY, header(t, mutex + 3 * t->pointer, 1), 34);
        else
                put_push_lock(t, o);
}

/* By an event's handle nobody waits here: the key of a keyed event, or the address of LockCount. */
static void put_section(struct tiny *t)
{
        uint64_t section = 0x20000, debug = 0x20100, runner = t->thread[TINY_RUNNER];
        tiny_map_user(t, TINY_ALPHA, section, 0x1000);
        tiny_user_u(t, TINY_ALPHA, section, t->pointer, debug);
        tiny_user_u(t, TINY_ALPHA, section + t->pointer, 4, (uint32_t)-6);
        tiny_user_u(t, TINY_ALPHA, section + t->pointer + 4, 4, 1);
        tiny_user_u(t, TINY_ALPHA, section + (t->is64 ? 0x10 : 0xc), t->pointer, tiny_tid(TINY_CLIENT));
        tiny_user_u(t, TINY_ALPHA, debug + t->pointer, t->pointer, section);
        tiny_set(t, runner, "KTHREAD.WaitMode", 1);
        if (t->is64) {
                waits_on(t, TINY_RUNNER, section + 8, 37);
                return;
        }
        waits_on(t, TINY_RUNNER, header(t, member(t, runner, "ETHREAD.KeyedWaitSemaphore"), 5), 21);
        tiny_set(t, runner, "ETHREAD.KeyedWaitValue", section);
}

static void put_message(struct tiny *t, struct tiny_objects *o)
{
        uint64_t port = tiny_object(t, o, TINY_PORT, 0x1d8, "port", o->root), client = t->thread[TINY_CLIENT];
        uint64_t message = tiny_take(t, o, 0x118);
        waits_on(t, TINY_CLIENT, header(t, member(t, client, "ETHREAD.KeyedWaitSemaphore"), 5), 17);
        if (t->is64) {
                tiny_set(t, client, "ETHREAD.AlpcMessage", message);
                tiny_set(t, message, "KALPC_MESSAGE.WaitingThread", client);
                tiny_set(t, message, "KALPC_MESSAGE.ConnectionPort", port);
                tiny_set(t, message, "KALPC_MESSAGE.ServerThread", t->thread[TINY_WORKER]);
                tiny_set(t, port, "ALPC_PORT.OwnerProcess", t->process[TINY_SYSTEM]);
                return;
        }
        tiny_set(t, client, "ETHREAD.LpcWaitingOnPort", message | 1);
        tiny_set(t, client, "ETHREAD.LpcReplyMessageId", 0x50);
        tiny_set(t, message, "LPCP_PORT_OBJECT.ConnectionPort", port);
        tiny_set(t, port, "LPCP_PORT_OBJECT.ServerProcess", t->process[TINY_SYSTEM]);
        tiny_set(t, t->thread[TINY_WORKER], "ETHREAD.LpcReceivedMessageId", 0x50);
        tiny_set(t, t->thread[TINY_WORKER], "ETHREAD.LpcReceivedMsgIdValid", 1);
}

void tiny_waits(struct tiny *t)
{
        struct tiny_objects o;
        tiny_objects(t, &o);
        put_mutants(t, &o);
        put_locks(t, &o);
        put_message(t, &o);
        put_section(t);
}
