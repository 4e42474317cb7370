/* SPDX-License-Identifier: MIT */
/*
 * The ways of finding a thread that need no list of its process, each with the thread that is on none (TINY_HIDDEN).
 * What tiny.c has no row for is spelled out here, from Microsoft's public symbols: XP SP3 x86 and 10 2004 x64.
 */
#include "../../test/tiny_system.h"
#include "thread_shape.h"

static uint64_t more; /* three fresh pages */

static uint64_t either(uint64_t x86, uint64_t x64) { return t.is64 ? x64 : x86; }

static void build(bool is64)
{
        tiny_build(&t, is64);
        more = t.is64 ? UINT64_C(0xffffb00000100000) : 0xe1000000;
        world_map(&t.world, more, 0x3000);
}

static void expect_note(const char *code, enum stasis_severity severity, const char *text)
{
        const struct stasis_note *note = sys_note(code);
        ck_assert_msg(note != NULL, "no note %s", code);
        ck_assert_int_eq(note->severity, severity);
        ck_assert_msg(strstr(note->text, text) != NULL, "%s", note->text);
}

/* Exactly one thread more than the lists have, seen by these ways. */
static void expect_hidden(const char *sources)
{
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED + 1);
        expect_value(thread_fact(TINY_HIDDEN, "tid"), tiny_tid(TINY_HIDDEN));
        expect_value(thread_fact(TINY_HIDDEN, "pid"), tiny_pid(TINY_ALPHA));
        expect_text(thread_fact(TINY_HIDDEN, "sources"), sources);
        expect_note("thread-unlisted", STASIS_NOTE_WARNING, "1 living threads of pid 256");
}

static void expect_not_found(void)
{
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        ck_assert(sys_record(STASIS_THREADS, t.thread[TINY_HIDDEN]) == NULL);
}

static void take_beta_off(void)
{
        const uint64_t others[] = { t.process[TINY_SYSTEM] + tiny_place(&t, "EPROCESS.ActiveProcessLinks").at,
                                    t.process[TINY_ALPHA] + tiny_place(&t, "EPROCESS.ActiveProcessLinks").at };
        tiny_ring(&t, t.head, others, 2);
}

/* ---------------------------------------------------------------- PspCidTable */

#define VARIABLE (t.kernel + 0x2f00) /* PspCidTable, in the kernel's data */

static void put_entry(uint64_t leaf, uint64_t id, uint64_t object)
{
        uint64_t at = leaf + id / 4 * either(8, 16);
        if (t.is64) /* ObjectPointerBits 20+44, Unlocked 0 */
                world_u(&t.world, at, 8, (object >> 4) << 20 | 1);
        else
                world_u(&t.world, at, 4, object | 1);
}

/* A table of one page of entries, at more. */
static void put_table(unsigned level)
{
        tiny_pointer(&t, more + either(0, 8), (more + 0x1000) | level); /* TableCode */
}

static void put_cid(bool hidden)
{
        tiny_pointer(&t, VARIABLE, more);
        put_table(0);
        for (int i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                put_entry(more + 0x1000, tiny_pid((enum tiny_process)i), t.process[i]);
        for (int i = TINY_WORKER; i < TINY_LISTED + hidden; i++)
                put_entry(more + 0x1000, tiny_tid((enum tiny_thread)i), t.thread[i]);
}

START_TEST(cid)
{
        build(_i);
        put_cid(true);
        expect_hidden("cid-table");
        expect_text(thread_fact(TINY_WORKER, "sources"), "process-list\nkprocess-list\ncid-table");
        expect_text(thread_fact(TINY_IDLE0, "sources"),
                    t.is64 ? "process-list\nkprocess-list\nprcb" : "kprocess-list\nprcb");
        expect_text(process_fact(TINY_BETA, "sources"), "process-list\ncid-table");
        expect_text(process_fact(TINY_IDLE, "sources"), "prcb");
        ck_assert_uint_eq(sys_notes(NULL), 1);
        ck_assert(sys_traced("cid-table", true, "by its shape"));
        ck_assert(sys_traced("cid-table", true, "3 processes and 8 threads in 1 pages"));
}
END_TEST

/* System's id was taken out: another process's tells that it is the table. */
START_TEST(cid_without_system)
{
        build(_i);
        put_cid(true);
        world_u(&t.world, more + 0x1000 + either(8, 16), t.pointer, 0);
        expect_hidden("cid-table");
}
END_TEST

/* A table that names other objects under these ids is none. */
START_TEST(cid_of_another)
{
        build(_i);
        put_cid(true);
        for (int i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                put_entry(more + 0x1000, tiny_pid((enum tiny_process)i), t.process[TINY_IDLE]);
        expect_not_found();
        ck_assert(sys_traced("cid-table", false, "no word of the kernel's data leads to a table of ids"));
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

START_TEST(cid_object_missing)
{
        build(_i);
        put_cid(false);
        put_entry(more + 0x1000, 0x300, more + 0x100000);
        put_entry(more + 0x1000, 0x304, more + 0x100000);
        expect_not_found();
        ck_assert_uint_eq(sys_notes(NULL), 1);
        expect_note("cid-object-missing", STASIS_NOTE_MISSING, "2 ids of PspCidTable name objects");
        expect_note("cid-object-missing", STASIS_NOTE_MISSING, "the first is id 768");
}
END_TEST

START_TEST(cid_object_strange)
{
        build(_i);
        put_cid(false);
        put_entry(more + 0x1000, 0x300, t.pool + TINY_POOL_FREE);
        expect_not_found();
        expect_note("cid-object-strange", STASIS_NOTE_WARNING, "1 ids of PspCidTable");
}
END_TEST

START_TEST(cid_of_another_id)
{
        build(_i);
        put_cid(false);
        put_entry(more + 0x1000, 0x300, t.thread[TINY_MAIN]);
        put_entry(more + 0x1000, 0x304, t.process[TINY_BETA]);
        expect_not_found();
        ck_assert_uint_eq(sys_notes("cid-entry-disagrees"), 2);
        expect_note("cid-entry-disagrees", STASIS_NOTE_WARNING,
                    "id 768 of PspCidTable names a thread that says its id is 516");
}
END_TEST

/* Two pages of entries, of which the second is not there. */
START_TEST(cid_torn)
{
        build(_i);
        put_cid(true);
        put_table(1);
        tiny_pointer(&t, more + 0x1000, more + 0x2000);
        tiny_pointer(&t, more + 0x1000 + t.pointer, more + 0x100000);
        for (uint64_t i = 2 * t.pointer; i < 0x1000; i += 8) /* what was entries is pointers now */
                world_u(&t.world, more + 0x1000 + i, 8, 0);
        for (int i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                put_entry(more + 0x2000, tiny_pid((enum tiny_process)i), t.process[i]);
        put_entry(more + 0x2000, tiny_tid(TINY_HIDDEN), t.thread[TINY_HIDDEN]);
        expect_hidden("cid-table");
        expect_note("cid-table-torn", STASIS_NOTE_MISSING, "1 pages of PspCidTable are not readable");
}
END_TEST

/* A process off the list: its id leads to it, its own lists to its threads. */
START_TEST(cid_process)
{
        build(_i);
        put_cid(false);
        take_beta_off();
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_text(process_fact(TINY_BETA, "sources"), "cid-table");
        expect_text(thread_fact(TINY_MAIN, "sources"), "process-list\nkprocess-list\ncid-table");
        ck_assert_uint_eq(sys_notes(NULL), 1);
        expect_note("process-unlisted", STASIS_NOTE_WARNING, "pid 512 (beta.exe)");
}
END_TEST

/* The same, and its own id is gone too: a thread's process pointer leads to it. */
START_TEST(cid_owner)
{
        build(_i);
        put_cid(false);
        take_beta_off();
        world_u(&t.world, more + 0x1000 + tiny_pid(TINY_BETA) / 4 * either(8, 16), t.pointer, 0);
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_text(process_fact(TINY_BETA, "sources"), "thread-owner");
        expect_text(thread_fact(TINY_READY, "sources"), "process-list\nkprocess-list\ncid-table");
}
END_TEST

/* Ended threads that the lists have let go are no news. */
START_TEST(cid_ended)
{
        build(_i);
        put_cid(true);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 4);
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED + 1);
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* ---------------------------------------------------------------- rings */

static uint64_t link_of(enum tiny_thread thread, bool queue)
{
        return t.thread[thread] + (queue ? either(0x118, 0x208) : either(0x60, 0xd8));
}

static void put_ring(enum tiny_thread known, bool queue)
{
        const uint64_t links[] = { link_of(known, queue), link_of(TINY_HIDDEN, queue) };
        tiny_ring(&t, t.pool + TINY_POOL_FREE, links, 2);
}

START_TEST(wait_list)
{
        build(_i);
        put_ring(TINY_MAIN, false);
        expect_hidden("wait-list");
        expect_text(thread_fact(TINY_MAIN, "sources"), "process-list\nkprocess-list\nwait-list");
        ck_assert(sys_traced("wait-list", true, "1 rings, 0 of them torn, of 2 threads"));
}
END_TEST

/* Of a ring on which no thread is known, 10's processor block tells the head (19041: 0x7c00 and 0x8000 do not fit into
 * this one): not found there, and nothing else happens. */
START_TEST(ready_queue)
{
        build(_i);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 1);
        put_ring(TINY_READY, false);
        expect_hidden("ready-queue");
}
END_TEST

START_TEST(queue)
{
        build(_i);
        put_ring(TINY_RUNNER, true); /* one that runs, too */
        expect_hidden("queue");
}
END_TEST

/* What an older wait has left: the neighbours do not name this entry. */
START_TEST(stale_links)
{
        build(_i);
        tiny_ring(&t, t.pool + TINY_POOL_FREE, NULL, 0);
        tiny_pointer(&t, link_of(TINY_MAIN, false), link_of(TINY_HIDDEN, false));
        tiny_pointer(&t, link_of(TINY_MAIN, false) + t.pointer, link_of(TINY_HIDDEN, false));
        tiny_pointer(&t, link_of(TINY_HIDDEN, false), t.pool + TINY_POOL_FREE);
        tiny_pointer(&t, link_of(TINY_HIDDEN, false) + t.pointer, t.pool + TINY_POOL_FREE);
        expect_not_found();
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* A ring without a head, and one that is torn behind its first link: what is linked is found, and it ends. */
START_TEST(torn_ring)
{
        build(_i);
        put_ring(TINY_MAIN, false);
        tiny_pointer(&t, link_of(TINY_HIDDEN, false), more + 0x100000);
        tiny_pointer(&t, t.pool + TINY_POOL_FREE + t.pointer, more + 0x100000);
        sys_open();
        ck_assert_uint_le(sys_count(STASIS_THREADS), TINY_LISTED + 1);
        sys_close();
        build(_i);
        const uint64_t links[] = { link_of(TINY_HIDDEN, false) };
        tiny_ring(&t, link_of(TINY_MAIN, false), links, 1);
        expect_hidden("wait-list");
}
END_TEST

/* ---------------------------------------------------------------- objects */

/* One wait block of the thread, in its own object as always, on this object. */
static void put_wait(enum tiny_thread thread, uint64_t block, uint64_t object)
{
        tiny_set(&t, t.thread[thread], "KTHREAD.WaitBlockList", block);
        if (t.is64)
                world_u(&t.world, t.thread[thread] + 0x24b, 1, 1); /* WaitBlockCount */
        else
                tiny_pointer(&t, block + 0x10, block); /* NextWaitBlock */
        tiny_pointer(&t, block + either(0x8, 0x18), t.thread[thread]);
        tiny_set(&t, block, "KWAIT_BLOCK.Object", object);
}

#define OBJECT (t.pool + TINY_POOL_FREE)
#define BLOCK(n) (t.pool + TINY_POOL_FREE + 0x100 + UINT64_C(0x40) * (n))

START_TEST(mutant_owner)
{
        build(_i);
        world_u(&t.world, OBJECT, 1, 2); /* a mutant */
        tiny_ring(&t, OBJECT + 8, NULL, 0);
        tiny_pointer(&t, OBJECT + either(0x18, 0x28), t.thread[TINY_HIDDEN]); /* OwnerThread */
        put_wait(TINY_MAIN, BLOCK(0), OBJECT);
        expect_hidden("mutant-owner");
}
END_TEST

/* An event has no owner, whatever stands there; nor has an object that nobody waits for any more. */
START_TEST(no_owner)
{
        build(_i);
        world_u(&t.world, OBJECT, 1, 1);
        tiny_ring(&t, OBJECT + 8, NULL, 0);
        tiny_pointer(&t, OBJECT + either(0x18, 0x28), t.thread[TINY_HIDDEN]);
        put_wait(TINY_MAIN, BLOCK(0), OBJECT);
        world_u(&t.world, OBJECT + 0x80, 1, 2);
        tiny_ring(&t, OBJECT + 0x88, NULL, 0);
        tiny_pointer(&t, OBJECT + 0x80 + either(0x18, 0x28), t.thread[TINY_HIDDEN]);
        put_wait(TINY_READY, BLOCK(1), OBJECT + 0x80);
        expect_not_found();
}
END_TEST

START_TEST(wait_block)
{
        build(_i);
        world_u(&t.world, OBJECT, 1, 1);
        put_wait(TINY_MAIN, BLOCK(0), OBJECT);
        put_wait(TINY_HIDDEN, BLOCK(1), OBJECT);
        const uint64_t blocks[] = { BLOCK(0), BLOCK(1) };
        tiny_ring(&t, OBJECT + 8, blocks, 2);
        expect_hidden("wait-block");
        expect_text(thread_fact(TINY_MAIN, "sources"), "process-list\nkprocess-list\nwait-block");
}
END_TEST

/* A handle leads to the object's header. */
START_TEST(handle)
{
        build(_i);
        put_table(0);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ObjectTable", more);
        put_entry(more + 0x1000, 4, t.thread[TINY_HIDDEN] - either(0x18, 0x30));
        put_entry(more + 0x1000, 8, t.process[TINY_ALPHA] - either(0x18, 0x30));
        put_entry(more + 0x1000, 12, t.pool + TINY_POOL_FREE); /* something else */
        put_entry(more + 0x1000, 16, more + 0x100000);         /* something that is not there */
        expect_hidden("handle-table");
        expect_text(process_fact(TINY_ALPHA, "sources"), "process-list\nhandle-table");
        ck_assert_uint_eq(sys_notes(NULL), 1);
}
END_TEST

/* A handle of another process leads to one that is off the list: its own lists have its threads. */
START_TEST(handle_process)
{
        build(_i);
        put_table(0);
        tiny_set(&t, t.process[TINY_ALPHA], "EPROCESS.ObjectTable", more);
        put_entry(more + 0x1000, 8, t.process[TINY_BETA] - either(0x18, 0x30));
        take_beta_off();
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_text(process_fact(TINY_BETA, "sources"), "handle-table");
        expect_text(thread_fact(TINY_MAIN, "sources"), "process-list\nkprocess-list");
}
END_TEST

/* OBJECT_TYPE.TypeList links the creator information before each object's header. */
START_TEST(type_list)
{
        build(_i);
        const uint64_t links[] = { t.thread[TINY_MAIN] - either(0x28, 0x50),
                                   t.thread[TINY_HIDDEN] - either(0x28, 0x50) };
        tiny_pointer(&t, t.kernel + 0x2028, OBJECT); /* PsThreadType */
        tiny_ring(&t, OBJECT + either(0x38, 0), links, 2);
        expect_hidden("type-list");
}
END_TEST

/* ---------------------------------------------------------------- the scan */

static const struct stasis_system_options everything = { .every_source = true };

static void open_with_scan(unsigned jobs)
{
        struct stasis_system_options options = everything;
        options.jobs = jobs;
        ck_assert_int_eq(sys_open_with(&options), STASIS_OK);
}

static void expect_scanned(const char *sources, const char *why)
{
        open_with_scan(0);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED + 1);
        expect_value(thread_fact(TINY_HIDDEN, "tid"), tiny_tid(TINY_HIDDEN));
        expect_value(thread_fact(TINY_HIDDEN, "pid"), tiny_pid(TINY_ALPHA));
        expect_text(thread_fact(TINY_HIDDEN, "sources"), sources);
        expect_text(thread_fact(TINY_HIDDEN, "hidden"), why);
        ck_assert_uint_ge(thread_fact(TINY_HIDDEN, "scan_bits")->value, either(80, 120));
}

/* On no list, in no table: memory has it. The others are seen by the scan too, each where it was known. */
START_TEST(scan)
{
        build(_i);
        expect_scanned("header-scan", "scan-only");
        for (int i = TINY_WORKER; i < TINY_LISTED; i++) {
                expect_text(thread_fact((enum tiny_thread)i, "sources"),
                            i == TINY_RUNNER ? "process-list\nkprocess-list\nprcb\nheader-scan"
                                             : "process-list\nkprocess-list\nheader-scan");
                ck_assert_int_eq(thread_fact((enum tiny_thread)i, "hidden")->absence, STASIS_NOT_APPLICABLE);
        }
        expect_note("thread-unlisted", STASIS_NOTE_WARNING, "1 living threads of pid 256");
        expect_note("scan-only", STASIS_NOTE_INFO, "only the scan of memory has it");
        ck_assert(sys_traced("header-scan", true, "8 threads that were known, 1 that were not, 0 without an address"));
}
END_TEST

/* Only where it is asked for. */
START_TEST(no_scan)
{
        build(_i);
        expect_not_found();
        ck_assert_int_ne(thread_fact(TINY_MAIN, "scan_bits")->absence, STASIS_PRESENT);
}
END_TEST

/* A pool header before it: with its tag the scan by tag sees it too, and PoolType tells whether the block is free. */
static void put_pool(uint32_t tag, unsigned type)
{
        uint64_t head = t.thread[TINY_HIDDEN] - either(0x20, 0x40);
        world_u(&t.world, head + 3, 1, t.is64 ? type : type << 1);
        world_u(&t.world, head + 4, 4, tag);
}

START_TEST(pool_tag)
{
        build(_i);
        put_pool(0xe5726854, 2);
        expect_scanned("header-scan\npool-scan", "scan-only");
        sys_close();
        build(_i);
        put_pool(0x65726854, 2);
        expect_scanned("header-scan\npool-scan", "scan-only");
        sys_close();
        build(_i);
        put_pool(0xe5726855, 2); /* wiped */
        expect_scanned("header-scan", "scan-only");
}
END_TEST

/* Free pool: it is what is left of a thread, and no thread of its process is missed for it. */
START_TEST(freed)
{
        build(_i);
        put_pool(0xe5726854, 0);
        expect_scanned("header-scan\npool-scan", "freed");
        ck_assert_int_eq(thread_fact(TINY_HIDDEN, "hidden")->origin, STASIS_ORIGIN_SCAN);
        expect_value(process_fact(TINY_ALPHA, "threads"), 3);
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* No table leads to its page any more: it is read where it lies, and named as it was. */
START_TEST(unmapped)
{
        build(_i);
        put_pool(0xe5726854, 0);
        world_unmap(&t.world, t.thread[TINY_HIDDEN]);
        expect_scanned("header-scan\npool-scan", "unmapped");
        const struct stasis_fact *tid = thread_fact(TINY_HIDDEN, "tid");
        ck_assert_uint_eq(tid->va, t.thread[TINY_HIDDEN] + tiny_place(&t, "ETHREAD.Cid.UniqueThread").at);
        ck_assert_uint_lt(tid->pa, WORLD_LEN);
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* Its address leads to another page now; and it is not the only one. */
START_TEST(two_unmapped)
{
        build(_i);
        world_unmap(&t.world, t.thread[TINY_HIDDEN]);
        world_map(&t.world, t.thread[TINY_HIDDEN] & ~UINT64_C(0xfff), 0x1000);
        world_unmap(&t.world, t.thread[TINY_READY]);
        open_with_scan(0);
        expect_text(thread_fact(TINY_HIDDEN, "hidden"), "unmapped");
        expect_value(thread_fact(TINY_HIDDEN, "tid"), tiny_tid(TINY_HIDDEN));
        expect_text(thread_fact(TINY_READY, "hidden"), "unmapped");
        expect_value(thread_fact(TINY_READY, "tid"), tiny_tid(TINY_READY));
        ck_assert(sys_traced("header-scan", true, "7 threads that were known, 0 that were not, 2 without an address"));
}
END_TEST

/* And its process is gone as well. */
START_TEST(unmapped_of_nobody)
{
        build(_i);
        const uint64_t gone = more + 0x200000;
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.ApcState.Process", gone);
        if (t.is64)
                tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.Process", gone);
        else
                tiny_set(&t, t.thread[TINY_HIDDEN], "ETHREAD.ThreadsProcess", gone);
        world_unmap(&t.world, t.thread[TINY_HIDDEN]);
        expect_scanned("header-scan", "unmapped");
        ck_assert_int_ne(thread_fact(TINY_HIDDEN, "process")->absence, STASIS_PRESENT);
        ck_assert_uint_eq(sys_count(STASIS_PROCESSES), TINY_PROCESSES);
}
END_TEST

/* Its object is torn: nothing else than its first bytes says that it is a thread. */
START_TEST(scan_refuses)
{
        build(_i);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 0x20);
        open_with_scan(0);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        sys_close();
        build(_i); /* of its page all is well, of the rest not */
        tiny_set(&t, t.thread[TINY_HIDDEN], "ETHREAD.CreateTime", 0x12345678);
        open_with_scan(0);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
}
END_TEST

/* None of its list heads is empty any more: nothing in it tells where it lies. */
static void fill_heads(enum tiny_thread thread)
{
        struct thread_shape shape;
        const char *name = t.is64 ? "10.0.19041.329-x64" : "5.1.2600.2180-x86";
        thread_shape_bind(stasis_layout_by_name(name), either(0x80000000, UINT64_C(0xffff800000000000)), &shape);
        for (size_t i = 0; i < shape.heads; i++) {
                tiny_pointer(&t, t.thread[thread] + shape.head[i], t.pool + 0x1800);
                tiny_pointer(&t, t.thread[thread] + shape.head[i] + t.pointer, t.pool + 0x1900);
        }
}

START_TEST(without_empty_heads)
{
        build(_i);
        put_pool(0xe5726854, 2);
        fill_heads(TINY_HIDDEN);
        fill_heads(TINY_READY);
        expect_scanned("header-scan\npool-scan", "scan-only");
        expect_text(thread_fact(TINY_READY, "sources"), "process-list\nkprocess-list\nheader-scan");
        ck_assert(sys_traced("header-scan", true, "lead to 2 threads there; 0 look like one"));
        ck_assert_uint_eq(sys_notes("scan-no-address"), 0);
        sys_close();
        build(_i); /* its block is free */
        put_pool(0xe5726854, 0);
        fill_heads(TINY_HIDDEN);
        expect_scanned("header-scan\npool-scan", "freed");
}
END_TEST

/* Nor do the page tables: it cannot be listed, and that is said. */
START_TEST(without_any_address)
{
        build(_i);
        fill_heads(TINY_HIDDEN);
        world_unmap(&t.world, t.thread[TINY_HIDDEN]);
        open_with_scan(0);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        expect_note("scan-no-address", STASIS_NOTE_MISSING, "1 places of memory look like threads");
        sys_close();
        build(_i); /* what is not whole is no thread that is missed */
        fill_heads(TINY_HIDDEN);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 0x20);
        world_unmap(&t.world, t.thread[TINY_HIDDEN]);
        open_with_scan(0);
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
        ck_assert_uint_eq(sys_notes("scan-no-address"), 0);
}
END_TEST

START_TEST(scan_jobs)
{
        for (unsigned jobs = 1; jobs <= 5; jobs += 2) {
                build(_i);
                world_unmap(&t.world, t.thread[TINY_HIDDEN]);
                open_with_scan(jobs);
                ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED + 1);
                expect_text(thread_fact(TINY_HIDDEN, "hidden"), "unmapped");
                sys_close();
        }
}
END_TEST

/* ---------------------------------------------------------------- reasons */

static const char *why(void)
{
        const struct stasis_fact *fact = thread_fact(TINY_HIDDEN, "hidden");
        return fact->absence == STASIS_PRESENT ? fact->text : "-";
}

START_TEST(reasons)
{
        build(_i);
        put_cid(true);
        sys_open();
        ck_assert_str_eq(why(), "cid-only");
        expect_text(thread_fact(TINY_HIDDEN, "unseen_by"), "process-list\nkprocess-list");
        expect_value(thread_fact(TINY_MAIN, "unseen_by"), 0);
        sys_close();

        build(_i);
        put_cid(true);
        put_ring(TINY_MAIN, false);
        sys_open();
        ck_assert_str_eq(why(), "unlinked");
        sys_close();

        build(_i);
        put_cid(true);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 4);
        sys_open();
        ck_assert_str_eq(why(), "terminated");
        expect_text(thread_fact(TINY_HIDDEN, "unseen_by"), "process-list");
        sys_close();

        build(_i);
        put_cid(true);
        tiny_set(&t, t.thread[TINY_HIDDEN], "ETHREAD.Terminated", 1);
        sys_open();
        ck_assert_str_eq(why(), "exiting");
        sys_close();

        build(_i);
        put_cid(true);
        world_u(&t.world, more + 0x1000 + tiny_tid(TINY_MAIN) / 4 * either(8, 16), t.pointer, 0);
        sys_open();
        expect_text(thread_fact(TINY_MAIN, "hidden"), "no-id");
        sys_close();

        build(_i);
        put_cid(false);
        take_beta_off();
        sys_open();
        expect_text(thread_fact(TINY_MAIN, "hidden"), "process-unlinked");
        sys_close();

        build(_i);
        put_table(0);
        tiny_set(&t, t.process[TINY_BETA], "EPROCESS.ObjectTable", more);
        put_entry(more + 0x1000, 4, t.thread[TINY_HIDDEN] - either(0x18, 0x30));
        sys_open();
        ck_assert_str_eq(why(), "handle-only");
}
END_TEST

/* The links of a list, without the thread that was taken off it. */
static void take_main_off(const char *head, const char *links)
{
        const uint64_t entry[] = { t.thread[TINY_READY] + tiny_place(&t, links).at };
        tiny_ring(&t, t.process[TINY_BETA] + tiny_place(&t, head).at, entry, 1);
}

START_TEST(reasons_of_lists)
{
        build(_i);
        take_main_off("EPROCESS.ThreadListHead", "ETHREAD.ThreadListEntry");
        sys_open();
        expect_text(thread_fact(TINY_MAIN, "hidden"), "half-unlinked");
        expect_text(thread_fact(TINY_MAIN, "unseen_by"), "process-list");
        sys_close();

        build(_i);
        take_main_off("KPROCESS.ThreadListHead", "KTHREAD.ThreadListEntry");
        sys_open();
        expect_text(thread_fact(TINY_MAIN, "hidden"), "half-unlinked");
        expect_text(thread_fact(TINY_MAIN, "unseen_by"), "kprocess-list");
        sys_close();

        build(_i); /* its list is torn: this says nothing of who is not on it */
        put_cid(true);
        uint64_t head = t.process[TINY_ALPHA] + tiny_place(&t, "EPROCESS.ThreadListHead").at;
        tiny_pointer(&t, head, more + 0x100000);
        sys_open();
        ck_assert_str_eq(why(), "torn-list");
        sys_close();

        build(_i); /* not all ids are there: this says nothing of who has none */
        put_cid(false);
        put_entry(more + 0x1000, 0x300, more + 0x100000);
        world_u(&t.world, more + 0x1000 + tiny_tid(TINY_MAIN) / 4 * either(8, 16), t.pointer, 0);
        sys_open();
        expect_text(thread_fact(TINY_MAIN, "hidden"), "torn-ids");
        sys_close();

        build(_i);
        put_cid(true);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.State", 0);
        sys_open();
        ck_assert_str_eq(why(), "starting");
        expect_value(thread_fact(TINY_IDLE0, "unseen_by"), 0);
        ck_assert_int_eq(thread_fact(TINY_IDLE0, "hidden")->absence, STASIS_NOT_APPLICABLE);
}
END_TEST

START_TEST(source_table)
{
        size_t count;
        build(_i);
        put_cid(true);
        sys_open();
        const struct stasis_source *source = stasis_system_sources(sys, &count);
        ck_assert_uint_ge(count, 14);
        for (size_t i = 0; i < count; i++) {
                ck_assert_uint_eq(strlen(source[i].heading), 3);
                if (!strcmp(source[i].name, "cid-table"))
                        ck_assert(source[i].threads == 8 && !source[i].why_not);
                if (!strcmp(source[i].name, "header-scan"))
                        ck_assert_str_eq(source[i].why_not, "not asked for");
                if (!strcmp(source[i].name, "type-list"))
                        ck_assert_str_eq(source[i].why_not, "not in this version, or not found");
        }
}
END_TEST

int main(void)
{
        const TTest *const both[] = { cid,
                                      cid_without_system,
                                      cid_of_another,
                                      cid_object_missing,
                                      cid_object_strange,
                                      cid_of_another_id,
                                      cid_torn,
                                      cid_process,
                                      cid_owner,
                                      cid_ended,
                                      wait_list,
                                      ready_queue,
                                      queue,
                                      stale_links,
                                      torn_ring,
                                      mutant_owner,
                                      no_owner,
                                      wait_block,
                                      handle,
                                      handle_process,
                                      type_list,
                                      scan,
                                      no_scan,
                                      pool_tag,
                                      freed,
                                      unmapped,
                                      unmapped_of_nobody,
                                      two_unmapped,
                                      scan_refuses,
                                      without_empty_heads,
                                      without_any_address,
                                      scan_jobs,
                                      reasons,
                                      reasons_of_lists,
                                      source_table };
        return sys_main("ways", both, sizeof both / sizeof *both, NULL, 0);
}
