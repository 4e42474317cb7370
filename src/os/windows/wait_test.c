/* SPDX-License-Identifier: MIT */
/*
 * What threads wait for: rings and arrays of wait blocks, whole, torn and looping; each kind of thing with an owner;
 * and what must not be taken for one. Locks of the kernel: wait_lock_test.c, of programs: wait_user_test.c.
 */
#include "../../test/tiny_blocks.h"

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

/* Woken in another way, its list is empty; a state that cannot be read says nothing at all. */
START_TEST(no_list)
{
        build(_i);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.State", 5);
        tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitBlockList", 0);
        sys_open();
        expect_absent(thread_fact(TINY_MAIN, "wait_objects"), STASIS_NOT_KNOWN);
        ck_assert_ptr_null(sys_note("wait-blocks-torn"));
}
END_TEST

/* A block of another kernel address, not in its place, or of user mode, is none; the note says of whom it speaks. */
START_TEST(no_blocks)
{
        for (unsigned i = 0; i < 3; i++) {
                uint8_t copy[0x30];
                build(_i);
                uint64_t event = header(tiny_take(&t, &o, 0x20), 1, 0), between = block(TINY_MAIN, 0) + t.pointer / 2;
                waits_on(TINY_MAIN, &event, 1, 6);
                memcpy(copy, world_at(&t.world, block(TINY_MAIN, 0)), block_len);
                world_put(&t.world, between, copy, block_len);
                tiny_set(&t, t.thread[TINY_MAIN], "KTHREAD.WaitBlockList",
                         i == 0   ? between
                         : i == 1 ? 0x20000
                                  : t.pool + 0x800000);
                sys_open();
                expect_absent(thread_fact(TINY_MAIN, "wait_objects"), STASIS_CONTRADICTORY);
                const struct stasis_note *note = sys_note("wait-blocks-torn");
                ck_assert_ptr_nonnull(note);
                ck_assert_uint_eq(note->object, t.thread[TINY_MAIN]);
                ck_assert_int_eq(note->pid, (int64_t)tiny_pid(TINY_BETA));
                ck_assert_int_eq(note->tid, (int64_t)tiny_tid(TINY_MAIN));
                sys_close();
        }
}
END_TEST

/* The key of a timeout on something else, and the thread's timer with another key, are no timeouts. */
START_TEST(no_timeout)
{
        build(_i);
        uint64_t object[] = { header(tiny_take(&t, &o, 0x20), 1, 0),
                              header(member(t.thread[TINY_MAIN], "KTHREAD.Timer"), 8, 0) };
        waits_on(TINY_MAIN, object, 2, 6);
        tiny_set(&t, block(TINY_MAIN, 0), "KWAIT_BLOCK.WaitKey", 0x102);
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 2);
        expect_text(at(list, 0, "waits_for"), "object");
        expect_text(at(list, 1, "waits_for"), "object");
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

/* ---------------------------------------------------------------- ports */

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

static void put_message(enum tiny_thread thread, uint64_t message, uint64_t owner, uint64_t info)
{
        uint64_t semaphore = own_semaphore(thread);
        waits_on(thread, &semaphore, 1, 17);
        tiny_set(&t, t.thread[thread], "ETHREAD.AlpcMessage", message);
        tiny_set(&t, message, "KALPC_MESSAGE.WaitingThread", t.thread[thread]);
        tiny_set(&t, message, "KALPC_MESSAGE.OwnerPort", owner);
        tiny_set(&t, message, "KALPC_MESSAGE.CommunicationInfo", info);
}

/* A message that came from the server's own port goes to the client; one from no port, as every other, to the server.
 */
START_TEST(alpc_of_the_server)
{
        build(1);
        uint64_t port = tiny_object(&t, &o, TINY_PORT, 0x1d8, "lsarpc", o.root), info = tiny_take(&t, &o, 0x50);
        uint64_t client = tiny_object(&t, &o, TINY_PORT, 0x1d8, NULL, 0),
                 server = tiny_object(&t, &o, TINY_PORT, 0x1d8, NULL, 0);
        tiny_set(&t, info, "ALPC_COMMUNICATION_INFO.ConnectionPort", port);
        tiny_set(&t, info, "ALPC_COMMUNICATION_INFO.ServerCommunicationPort", server);
        tiny_set(&t, info, "ALPC_COMMUNICATION_INFO.ClientCommunicationPort", client);
        tiny_set(&t, port, "ALPC_PORT.OwnerProcess", t.process[TINY_ALPHA]);
        tiny_set(&t, client, "ALPC_PORT.OwnerProcess", t.process[TINY_BETA]);
        put_message(TINY_WORKER, tiny_take(&t, &o, 0x118), server, info);
        uint64_t alone = tiny_take(&t, &o, 0x50); /* nothing is known of the server's port */
        tiny_set(&t, alone, "ALPC_COMMUNICATION_INFO.ConnectionPort", port);
        tiny_set(&t, alone, "ALPC_COMMUNICATION_INFO.ClientCommunicationPort", client);
        put_message(TINY_MAIN, tiny_take(&t, &o, 0x118), 0, alone);
        sys_open();
        const struct stasis_list *list = list_of(TINY_WORKER, 1);
        expect_value(at(list, 0, "container"), client);
        expect_value(at(list, 0, "owner"), t.process[TINY_BETA]);
        expect_text(at(list, 0, "owner_from"), "_ALPC_COMMUNICATION_INFO.ClientCommunicationPort");
        list = list_of(TINY_MAIN, 1);
        expect_value(at(list, 0, "container"), port);
        expect_value(at(list, 0, "owner"), t.process[TINY_ALPHA]);
        expect_text(at(list, 0, "owner_from"), "_ALPC_COMMUNICATION_INFO.ConnectionPort");
}
END_TEST

/* Two threads that say that they received the same message: neither is believed, and the port's process answers. */
START_TEST(lpc_of_two)
{
        build(0);
        uint64_t port = tiny_object(&t, &o, TINY_PORT, 0xa4, "lsa", o.root), semaphore = own_semaphore(TINY_MAIN);
        uint64_t client = tiny_object(&t, &o, TINY_PORT, 0xa4, NULL, 0);
        tiny_set(&t, client, "LPCP_PORT_OBJECT.ConnectionPort", port);
        tiny_set(&t, port, "LPCP_PORT_OBJECT.ServerProcess", t.process[TINY_ALPHA]);
        waits_on(TINY_MAIN, &semaphore, 1, 17);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.LpcWaitingOnPort", client | 1);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.LpcReplyMessageId", 0x50);
        static const enum tiny_thread both[] = { TINY_CLIENT, TINY_RUNNER };
        for (unsigned i = 0; i < 2; i++) {
                tiny_set(&t, t.thread[both[i]], "ETHREAD.LpcReceivedMessageId", 0x50);
                tiny_set(&t, t.thread[both[i]], "ETHREAD.LpcReceivedMsgIdValid", 1);
        }
        sys_open();
        const struct stasis_list *list = list_of(TINY_MAIN, 1);
        expect_value(at(list, 0, "owner"), t.process[TINY_ALPHA]);
        expect_text(at(list, 0, "owner_from"), "_LPCP_PORT_OBJECT.ServerProcess");
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

/* IRPs that lead to each other and never back to the thread, and an entry that is none: it ends. */
START_TEST(requests_without_end)
{
        build(_i);
        uint64_t irp[] = { tiny_take(&t, &o, 0xd0), tiny_take(&t, &o, 0xd0) };
        uint64_t event = header(tiny_take(&t, &o, 0x20), 0, 0);
        const uint32_t link = t.is64 ? 0x20 : 0x10;
        tiny_pointer(&t, member(t.thread[TINY_MAIN], "ETHREAD.IrpList"), irp[0] + link);
        for (unsigned i = 0; i < 2; i++)
                tiny_pointer(&t, irp[i] + link, irp[1 - i] + link);
        tiny_pointer(&t, member(t.thread[TINY_READY], "ETHREAD.IrpList"), 0x20000);
        waits_on(TINY_MAIN, &event, 1, 0);
        waits_on(TINY_READY, &event, 1, 0);
        sys_open();
        expect_text(at(list_of(TINY_MAIN, 1), 0, "waits_for"), "object");
        expect_text(at(list_of(TINY_READY, 1), 0, "waits_for"), "object");
}
END_TEST

int main(void)
{
        const TTest *const both[] = { objects_and_blocks,
                                      no_list,
                                      no_blocks,
                                      no_timeout,
                                      requests_without_end,
                                      who_does_not_wait,
                                      timeout,
                                      torn,
                                      endless,
                                      mutants,
                                      threads_and_processes,
                                      suspension,
                                      timers,
                                      queues,
                                      files,
                                      requests };
        const TTest *const single[] = { alpc, alpc_of_another, alpc_of_the_server, lpc, lpc_of_two };
        return sys_main("wait", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
