/* SPDX-License-Identifier: MIT */
/* Which threads and processes are found, by which sources, and what is said where something is missing. */
#include "../../test/tiny_system.h"

enum { BY_PROCESS = 1, BY_KPROCESS = 2, BY_PRCB = 4 };

static uint64_t thread_entry(enum tiny_thread thread, const char *member)
{
        return t.thread[thread] + tiny_place(&t, member).at;
}

static void open_and_walk(void)
{
        sys_open();
        (void)sys_count(STASIS_THREADS);
}

static bool found(enum tiny_thread thread) { return sys_record(STASIS_THREADS, t.thread[thread]) != NULL; }

static void expect_note(const char *code, enum stasis_severity severity, int64_t pid, const char *text)
{
        const struct stasis_note *note = sys_note(code);
        ck_assert_msg(note != NULL, "no note %s", code);
        ck_assert_int_eq(note->severity, severity);
        ck_assert_int_eq(note->pid, pid);
        ck_assert_msg(strstr(note->text, text) != NULL, "%s", note->text);
}

static uint64_t process_entry(enum tiny_process process)
{
        return t.process[process] + tiny_place(&t, "EPROCESS.ActiveProcessLinks").at;
}

/* System off the list by hand: its links close on themselves, the head's ring holds the others. */
static void take_system_off(void)
{
        const uint64_t others[] = { process_entry(TINY_ALPHA), process_entry(TINY_BETA) };
        tiny_ring(&t, t.head, others, 2);
        tiny_ring(&t, process_entry(TINY_SYSTEM), NULL, 0);
}

/* ---------------------------------------------------------------- nothing is broken */

START_TEST(whole)
{
        tiny_build(&t, _i);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        for (int i = 0; i < TINY_LISTED; i++)
                expect_value(thread_fact((enum tiny_thread)i, "tid"), tiny_tid((enum tiny_thread)i));
        for (int i = 0; i < TINY_PROCESSES; i++) {
                expect_value(process_fact((enum tiny_process)i, "pid"), tiny_pid((enum tiny_process)i));
                expect_text(process_fact((enum tiny_process)i, "name"), tiny_name((enum tiny_process)i));
        }
        ck_assert(!found(TINY_HIDDEN));
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* By pid, then tid: the order in which the tiny system names them. */
START_TEST(order)
{
        const struct stasis_record *record;
        tiny_build(&t, _i);
        open_and_walk();
        for (size_t i = 0; i < TINY_LISTED; i++) {
                ck_assert_int_eq(stasis_system_record(sys, STASIS_THREADS, i, &record, &sys_err), STASIS_OK);
                ck_assert_uint_eq(record->object, t.thread[i]);
        }
        for (size_t i = 0; i < TINY_PROCESSES; i++) {
                ck_assert_int_eq(stasis_system_record(sys, STASIS_PROCESSES, i, &record, &sys_err), STASIS_OK);
                ck_assert_uint_eq(record->object, t.process[i]);
        }
        ck_assert_int_eq(stasis_system_record(sys, STASIS_THREADS, TINY_LISTED, &record, &sys_err), STASIS_USAGE);
        ck_assert_str_eq(sys_err.text, "no object 8: there are 8");
}
END_TEST

START_TEST(source_bits)
{
        tiny_build(&t, _i);
        open_and_walk();
        expect_value(thread_fact(TINY_WORKER, "sources"), BY_PROCESS | BY_KPROCESS);
        expect_text(thread_fact(TINY_WORKER, "sources"), "process-list\nkprocess-list");
        expect_value(thread_fact(TINY_DEAD, "sources"), BY_PROCESS | BY_KPROCESS);
        expect_value(thread_fact(TINY_RUNNER, "sources"), BY_PROCESS | BY_KPROCESS | BY_PRCB);
        expect_text(thread_fact(TINY_RUNNER, "sources"), "process-list\nkprocess-list\nprcb");
        expect_value(thread_fact(TINY_IDLE0, "sources"),
                     t.is64 ? BY_PROCESS | BY_KPROCESS | BY_PRCB : BY_KPROCESS | BY_PRCB);
        expect_text(process_fact(TINY_ALPHA, "sources"), "process-list");
        expect_text(process_fact(TINY_IDLE, "sources"), "prcb");
}
END_TEST

START_TEST(threads_per_process)
{
        static const uint64_t threads[TINY_PROCESSES] = { 1, 2, 3, 2 };
        tiny_build(&t, _i);
        open_and_walk();
        for (int i = 0; i < TINY_PROCESSES; i++)
                expect_value(process_fact((enum tiny_process)i, "threads"), threads[i]);
}
END_TEST

/* The dispatcher lock is bit 7 of Type: a locked object is one all the same. */
START_TEST(locked_header)
{
        tiny_build(&t, _i);
        world_u(&t.world, t.thread[TINY_MAIN], 1, 0x86);
        world_u(&t.world, t.process[TINY_BETA], 1, 0x83);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* ---------------------------------------------------------------- thread lists */

/* One of the two lists is cut: the other one and the way back know all, and a note says so. */
START_TEST(one_list_cut)
{
        tiny_build(&t, _i);
        tiny_pointer(&t, thread_entry(TINY_RUNNER, "ETHREAD.ThreadListEntry"), 0);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        ck_assert_uint_eq(sys_notes("thread-list-torn"), 1);
        expect_note("thread-list-torn", STASIS_NOTE_MISSING, 0x100, "process-list of pid 256 is torn");
        expect_note("thread-list-torn", STASIS_NOTE_MISSING, 0x100,
                    "3 threads were reached, 2 of them only backwards; the process's other list is whole");
        expect_value(thread_fact(TINY_DEAD, "sources"), BY_PROCESS | BY_KPROCESS);
}
END_TEST

/* An object in the middle is gone: both lists end there from both sides. */
START_TEST(entry_gone)
{
        tiny_build(&t, _i);
        tiny_gone(&t, t.thread[TINY_CLIENT]);
        open_and_walk();
        ck_assert(found(TINY_RUNNER));
        ck_assert(found(TINY_DEAD));
        ck_assert(!found(TINY_CLIENT));
        ck_assert_uint_eq(sys_notes("thread-list-torn"), 2);
        expect_note("thread-list-torn", STASIS_NOTE_MISSING, 0x100,
                    "(its links are not readable); 2 threads were reached, 1 of them only backwards");
        ck_assert_ptr_null(strstr(sys_note("thread-list-torn")->text, "other list is whole"));
        expect_note("threads-missing", STASIS_NOTE_MISSING, 0x100, "counts 2 active threads, 1 were found");
}
END_TEST

/* A link that leads out of the list, to itself. */
START_TEST(entry_loops)
{
        tiny_build(&t, _i);
        uint64_t entry = thread_entry(TINY_RUNNER, "KTHREAD.ThreadListEntry");
        tiny_pointer(&t, entry, entry);
        tiny_pointer(&t, entry + t.pointer, entry);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_note("thread-list-torn", STASIS_NOTE_MISSING, 0x100, "kprocess-list of pid 256 is torn");
        expect_note("thread-list-torn", STASIS_NOTE_MISSING, 0x100, "it was passed before");
}
END_TEST

/* What is no thread object ends a list: header, state, owner. */
static void expect_refused(void)
{
        open_and_walk();
        ck_assert(!found(TINY_CLIENT));
        ck_assert(found(TINY_DEAD));
        ck_assert_uint_eq(sys_notes("thread-list-torn"), 2);
        expect_note("thread-list-torn", STASIS_NOTE_MISSING, 0x100, "it is not such an object");
}

START_TEST(header_zeroed)
{
        tiny_build(&t, _i);
        world_u(&t.world, t.thread[TINY_CLIENT], 1, 0);
        expect_refused();
}
END_TEST

START_TEST(state_out_of_range)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_CLIENT], "KTHREAD.State", 10);
        expect_refused();
}
END_TEST

START_TEST(state_in_range)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_CLIENT], "KTHREAD.State", 9);
        open_and_walk();
        ck_assert(found(TINY_CLIENT));
}
END_TEST

START_TEST(owner_no_process)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_CLIENT], t.is64 ? "KTHREAD.Process" : "ETHREAD.ThreadsProcess", t.thread[TINY_MAIN]);
        expect_refused();
}
END_TEST

/* The heads of both lists are not there, as the rest of their process's object. */
START_TEST(process_object_gone_after_system)
{
        tiny_build(&t, _i);
        tiny_gone(&t, t.process[TINY_BETA]);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES - 1);
        ck_assert(!found(TINY_MAIN));
        ck_assert(found(TINY_DEAD));
        expect_note("process-list-torn", STASIS_NOTE_MISSING, -1, "2 processes were reached, 0 of them only backwards");
}
END_TEST

/* On a list where it does not belong: it is shown, on that list, and both contradictions are said. */
START_TEST(foreign_thread)
{
        tiny_build(&t, _i);
        uint64_t entry[3] = { thread_entry(TINY_MAIN, "ETHREAD.ThreadListEntry"),
                              thread_entry(TINY_HIDDEN, "ETHREAD.ThreadListEntry"),
                              thread_entry(TINY_READY, "ETHREAD.ThreadListEntry") };
        tiny_ring(&t, t.process[TINY_BETA] + tiny_place(&t, "EPROCESS.ThreadListHead").at, entry, 3);
        open_and_walk();
        ck_assert(found(TINY_HIDDEN));
        expect_value(thread_fact(TINY_HIDDEN, "sources"), BY_PROCESS);
        expect_value(thread_fact(TINY_HIDDEN, "pid"), 0x100);
        expect_text(thread_fact(TINY_HIDDEN, "process"), "beta.exe");
        expect_note("cid-disagrees", STASIS_NOTE_WARNING, 0x200,
                    "says that it belongs to pid 256, and is on the list of pid 512");
        ck_assert_int_eq(sys_note("cid-disagrees")->tid, 0x110);
        expect_note("owner-disagrees", STASIS_NOTE_WARNING, 0x200, "the thread's process pointer is");
        ck_assert_uint_eq(sys_notes(NULL), 2);
}
END_TEST

START_TEST(cid_contradicts)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.thread[TINY_MAIN], "ETHREAD.Cid.UniqueProcess", 0x300);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_note("cid-disagrees", STASIS_NOTE_WARNING, 0x200, "belongs to pid 768");
        ck_assert_uint_eq(sys_note("cid-disagrees")->object, t.thread[TINY_MAIN]);
        ck_assert_uint_eq(sys_notes(NULL), 1);
}
END_TEST

/* ---------------------------------------------------------------- what the process counts */

/* Three living ones are counted and two are on the lists: the terminated one there does not make up for the hidden one.
 */
START_TEST(hidden_thread_is_missed)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.process[TINY_ALPHA], "EPROCESS.ActiveThreads", 3);
        open_and_walk();
        ck_assert_uint_eq(sys_notes(NULL), 1);
        expect_note("threads-missing", STASIS_NOTE_MISSING, 0x100, "pid 256 counts 3 active threads, 2 were found");
}
END_TEST

/* A thread on its way out is not counted any more, and still there. */
START_TEST(fewer_counted_than_found)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.process[TINY_ALPHA], "EPROCESS.ActiveThreads", 1);
        open_and_walk();
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* ---------------------------------------------------------------- the process list */

START_TEST(process_header_zeroed)
{
        tiny_build(&t, _i);
        world_u(&t.world, t.process[TINY_ALPHA], 1, 0);
        open_and_walk();
        ck_assert_ptr_null(sys_record(STASIS_PROCESSES, t.process[TINY_ALPHA]));
        ck_assert(found(TINY_MAIN));
        expect_note("process-list-torn", STASIS_NOTE_MISSING, -1, "2 processes were reached, 1 of them only backwards");
}
END_TEST

START_TEST(process_link_cut)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.process[TINY_SYSTEM], "EPROCESS.ActiveProcessLinks", 0);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_note("process-list-torn", STASIS_NOTE_MISSING, -1, "3 processes were reached, 2 of them only backwards");
}
END_TEST

/* ---------------------------------------------------------------- processors */

/* Somebody told the head: the others are found, System too, and no source is said to have seen it. */
START_TEST(system_taken_off)
{
        tiny_build(&t, _i);
        take_system_off();
        t.world.image->hints.known |= STASIS_HINT_PROCESS_HEAD;
        t.world.image->hints.process_head = t.head;
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_text(process_fact(TINY_SYSTEM, "sources"), "");
        expect_text(process_fact(TINY_ALPHA, "sources"), "process-list");
        expect_note("system-unlisted", STASIS_NOTE_WARNING, 4, "not on the process list");
}
END_TEST

/* Nobody did: the others are lost, and that is said. */
START_TEST(system_taken_off_and_no_head)
{
        tiny_build(&t, _i);
        take_system_off();
        open_and_walk();
        ck_assert(sys_record(STASIS_PROCESSES, t.process[TINY_BETA]) == NULL);
        expect_note("process-list-headless", STASIS_NOTE_MISSING, 4, "not known");
}
END_TEST

START_TEST(no_processor)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.prcb, "KPRCB.IdleThread", t.pool);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES - 1);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED - 1);
        expect_note("no-processor", STASIS_NOTE_MISSING, -1, "no processor block was found");
        expect_absent(thread_fact(TINY_RUNNER, "running_on"), STASIS_NOT_KNOWN);
        expect_value(system_fact("processors"), 0);
}
END_TEST

START_TEST(processor_missing)
{
        tiny_build(&t, _i);
        if (t.is64)
                world_u(&t.world, t.shared + 0x3c0, 4, 2); /* ActiveProcessorCount */
        else
                world_u(&t.world, t.kernel + 0x2018, 1, 2); /* KeNumberProcessors */
        open_and_walk();
        expect_value(system_fact("processors"), 1);
        expect_note("processors-missing", STASIS_NOTE_MISSING, -1, "1 of 2 processor blocks");
}
END_TEST

/* A second block, known only through KiProcessorBlock, an array of pointers in the kernel's data that nobody names. */
START_TEST(processor_by_array)
{
        uint64_t second, block;
        tiny_build(&t, _i);
        second = t.kernel + 0x4000;
        block = t.kernel + 0x2100;
        tiny_set(&t, second, "KPRCB.CurrentThread", t.thread[TINY_CLIENT]);
        tiny_set(&t, second, "KPRCB.IdleThread", t.thread[TINY_IDLE0]);
        tiny_set(&t, second, "KPRCB.Number", t.is64 ? 0x10001 : 1);
        if (!t.is64)
                world_u(&t.world, second + 0x11, 1, 0xff); /* Reserved, behind a Number of one byte */
        tiny_pointer(&t, block, t.prcb);
        tiny_pointer(&t, block + t.pointer, second);
        world_u(&t.world, t.is64 ? t.shared + 0x3c0 : t.kernel + 0x2018, 1, 2);
        open_and_walk();
        expect_value(system_fact("processors"), 2);
        expect_value(thread_fact(TINY_RUNNER, "running_on"), 0);
        expect_value(thread_fact(TINY_CLIENT, "running_on"), t.is64 ? 0x10001 : 1);
        expect_absent(thread_fact(TINY_MAIN, "running_on"), STASIS_NOT_APPLICABLE);
        ck_assert_uint_eq(thread_fact(TINY_CLIENT, "running_on")->va,
                          second + tiny_place(&t, "KPRCB.CurrentThread").at);
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* ---------------------------------------------------------------- what is no longer loaded */

static void put_gone(unsigned slot, uint64_t start, uint64_t end, uint64_t time, const char *name)
{
        uint64_t at = t.pool + TINY_POOL_FREE + slot * (t.is64 ? 0x28u : 0x18u);
        tiny_string(&t, at, t.pool + TINY_POOL_FREE + 0xc00 + slot * 0x40, name);
        tiny_pointer(&t, at + 2u * t.pointer, start);
        tiny_pointer(&t, at + 3u * t.pointer, end);
        world_u(&t.world, at + 4u * t.pointer, 8, time);
}

/* A plain debugger block names MmUnloadedDrivers, which points to the ring. */
START_TEST(unloaded)
{
        size_t count;
        uint64_t va, ring;
        tiny_build(&t, _i);
        va = t.kernel + 0x2800;
        ring = t.kernel + 0x2700;
        world_put(&t.world, va + 0x10, "KDBG", 4);
        world_u(&t.world, va + 0x14, 4, 0x290);
        world_u(&t.world, va + 0x18, 8, t.kernel);
        world_u(&t.world, va + 0x48, 8, t.modules);
        world_u(&t.world, va + 0x50, 8, t.head);
        world_u(&t.world, va + 0x220, 8, ring);
        tiny_pointer(&t, ring, t.pool + TINY_POOL_FREE);
        put_gone(0, t.kernel + 0x100000, t.kernel + 0x108000, TINY_CREATED, "old.sys");
        put_gone(1, t.kernel + 0x200000, t.kernel + 0x201000, TINY_EXITED, "new.sys");
        put_gone(2, t.kernel + 0x200001, t.kernel + 0x201000, TINY_EXITED, "odd.sys"); /* not on a page */
        put_gone(3, t.kernel + 0x201000, t.kernel + 0x201000, TINY_EXITED, "empty.sys");
        put_gone(4, 0x400000, 0x401000, TINY_EXITED, "user.sys");
        tiny_gone(&t, t.pool + TINY_POOL_FREE + 0x1000); /* slots past what is there are no entries either */
        sys_open();
        ck_assert(sys_traced("kdbg", true, "scan of the kernel"));
        const struct stasis_unloaded *gone = stasis_system_unloaded(sys, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(gone[0].name, "new.sys");
        ck_assert_uint_eq(gone[0].start, t.kernel + 0x200000);
        ck_assert_uint_eq(gone[0].end, t.kernel + 0x201000);
        ck_assert_uint_eq(gone[0].time, TINY_EXITED);
        ck_assert_uint_eq(gone[0].va, t.pool + TINY_POOL_FREE + (t.is64 ? 0x28 : 0x18));
        ck_assert_str_eq(gone[1].name, "old.sys");
        ck_assert_ptr_eq(stasis_system_unloaded(sys, &count), gone); /* read once */
        ck_assert_uint_eq(count, 2);
}
END_TEST

START_TEST(processor_blocks)
{
        size_t count;
        tiny_build(&t, _i);
        tiny_set(&t, t.prcb, "KPRCB.NextThread", t.thread[TINY_READY]);
        open_and_walk();
        const struct stasis_processor *p = stasis_system_processors(sys, &count);
        ck_assert_uint_eq(count, 1);
        ck_assert_uint_eq(p->number, 0);
        ck_assert_uint_eq(p->block, t.prcb);
        ck_assert_uint_eq(p->current, t.thread[TINY_RUNNER]);
        ck_assert_uint_eq(p->next, t.thread[TINY_READY]);
        ck_assert_uint_eq(p->idle, t.thread[TINY_IDLE0]);
        (void)stasis_system_unloaded(sys, &count);
        ck_assert_uint_eq(count, 0); /* nothing tells it */
}
END_TEST

/* The thread that runs next, on no list: the processor alone knows it. */
START_TEST(next_thread)
{
        tiny_build(&t, _i);
        tiny_set(&t, t.prcb, "KPRCB.NextThread", t.thread[TINY_HIDDEN]);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED + 1);
        expect_value(thread_fact(TINY_HIDDEN, "sources"), BY_PRCB);
        expect_text(thread_fact(TINY_HIDDEN, "process"), "alpha.exe");
}
END_TEST

/* x64: no thread tells where it waited; the block is found by its shape in the kernel's data. */
START_TEST(processor_by_shape)
{
        tiny_build(&t, true);
        for (int i = 0; i < TINY_THREADS; i++)
                tiny_set(&t, t.thread[i], "KTHREAD.WaitPrcb", 0);
        open_and_walk();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        ck_assert(sys_traced("processors", true, "shape, in the kernel's image"));
        expect_value(thread_fact(TINY_RUNNER, "running_on"), 0);
}
END_TEST

/* Before EWOW64PROCESS: the 32-bit PEB itself (7 to 10240), or a block in the kernel that names it (2003 to 2008). */
START_TEST(wow64_old)
{
        tiny_build(&t, true);
        sys_open();
        struct windows *w = sys->priv;
        w->at.process_wow64_old = w->at.process_wow64;
        w->at.process_wow64.has = false;
        w->at.peb32.offset = 0x8;
        if (_i)
                tiny_set(&t, t.process[TINY_BETA], "EPROCESS.WoW64Process", 0x7e000);
        tiny_pointer(&t, t.pool + TINY_POOL_FREE + 8, 0x7e000);
        if (!_i)
                tiny_set(&t, t.process[TINY_BETA], "EPROCESS.WoW64Process", t.pool + TINY_POOL_FREE);
        expect_value(process_fact(TINY_BETA, "wow64"), 1);
        expect_value(process_fact(TINY_BETA, "peb32"), 0x7e000);
        expect_value(process_fact(TINY_ALPHA, "wow64"), 0);
}
END_TEST

START_TEST(idle_without_name)
{
        tiny_build(&t, _i);
        for (unsigned i = 0; i < 4; i++)
                world_u(&t.world, t.process[TINY_IDLE] + tiny_place(&t, "EPROCESS.ImageFileName").at + i, 1, 0);
        open_and_walk();
        expect_text(process_fact(TINY_IDLE, "name"), "Idle");
        expect_text(thread_fact(TINY_IDLE0, "process"), "Idle");
}
END_TEST

int main(void)
{
        const TTest *const both[] = {
                whole,
                system_taken_off,
                system_taken_off_and_no_head,
                order,
                source_bits,
                threads_per_process,
                locked_header,
                one_list_cut,
                entry_gone,
                entry_loops,
                header_zeroed,
                state_out_of_range,
                state_in_range,
                owner_no_process,
                process_object_gone_after_system,
                foreign_thread,
                cid_contradicts,
                hidden_thread_is_missed,
                fewer_counted_than_found,
                process_header_zeroed,
                process_link_cut,
                no_processor,
                processor_missing,
                processor_by_array,
                next_thread,
                unloaded,
                processor_blocks,
                wow64_old,
                idle_without_name,
        };
        const TTest *const single[] = { processor_by_shape };
        return sys_main("sources", both, sizeof(both) / sizeof(both[0]), single, sizeof(single) / sizeof(single[0]));
}
