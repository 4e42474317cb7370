/* SPDX-License-Identifier: MIT */
/*
 * Ready threads outside of their processor's own lists: in a queue that processors share, and in a scheduling group's.
 * The tiny 10 (2004, x64), whose processor block gets the page that they are led to from. Places from the public
 * symbols of 19041, spelled out: _KPRCB.SharedReadyQueue, LocalSharedReadyQueue and ScbList, _KSHARED_READY_QUEUE,
 * _KSCB.
 */
#include "../../test/tiny_system.h"

enum {
        SHARED = 0x8448, /* of the KPRCB */
        LOCAL = 0x8880,
        SCBS = 0x8208,
        SUMMARY = 0x8, /* of the queue */
        HEADS = 0x10,
        COUNT = 0x260,
        SCB_LINKS = 0x48,
        SCB_SUMMARY = 0x72,
        SCB_HEADS = 0x88,
        QUEUED_SCB = 0x3b0, /* of the KTHREAD */
        WAIT_LINKS = 0xd8,
        PRIORITY = 11
};

static uint64_t queue, scb; /* a shared queue outside of the block; a group's block */

static uint64_t link_of(enum tiny_thread thread) { return t.thread[thread] + WAIT_LINKS; }

static void put_heads(uint64_t first, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                tiny_ring(&t, first + UINT64_C(0x10) * i, NULL, 0);
}

static void put_list(uint64_t first, unsigned level, const enum tiny_thread *thread, size_t count)
{
        uint64_t entry[4];
        for (size_t i = 0; i < count; i++) {
                entry[i] = link_of(thread[i]);
                tiny_set(&t, t.thread[thread[i]], "KTHREAD.State", 1);
                tiny_set(&t, t.thread[thread[i]], "KTHREAD.Priority", level);
        }
        tiny_ring(&t, first + UINT64_C(0x10) * level, entry, count);
}

/* A system whose lists are all there, and empty. */
static void build(void)
{
        tiny_build(&t, true);
        world_map(&t.world, (t.prcb + SHARED) & ~UINT64_C(0xfff), 0x1000);
        queue = UINT64_C(0xffffb00000100000);
        scb = queue + 0x800;
        world_map(&t.world, queue, 0x1000);
        put_heads(queue + HEADS, 32);
        put_heads(t.prcb + LOCAL + HEADS, 32);
        put_heads(scb + SCB_HEADS, 16);
        tiny_ring(&t, t.prcb + SCBS, NULL, 0);
        tiny_pointer(&t, t.prcb + SHARED, queue);
}

static void say(uint64_t at, uint32_t summary, uint32_t count)
{
        world_u(&t.world, at + SUMMARY, 4, summary);
        world_u(&t.world, at + COUNT, 4, count);
}

static const enum tiny_thread hidden[] = { TINY_HIDDEN };

static void expect_hidden(void)
{
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED + 1);
        expect_text(thread_fact(TINY_HIDDEN, "sources"), "ready-queue");
}

static void expect_lost(void)
{
        sys_open();
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
}

static void expect_note(const char *code, enum stasis_severity severity, const char *text)
{
        const struct stasis_note *note = sys_note(code);
        ck_assert_msg(note != NULL, "no note %s", code);
        ck_assert_int_eq(note->severity, severity);
        ck_assert_msg(strstr(note->text, text) != NULL, "%s", note->text);
}

/* Only what thread-unlisted says. */
static void expect_no_more(void) { ck_assert_uint_eq(sys_notes(NULL), sys_notes("thread-unlisted")); }

START_TEST(empty)
{
        build();
        expect_lost();
        expect_no_more();
}
END_TEST

START_TEST(shared)
{
        build();
        put_list(queue + HEADS, PRIORITY, hidden, 1);
        say(queue, 1u << PRIORITY, 1);
        expect_hidden();
        expect_no_more();
}
END_TEST

START_TEST(local)
{
        build();
        put_list(t.prcb + LOCAL + HEADS, 0, hidden, 1);
        say(t.prcb + LOCAL, 1, 1);
        expect_hidden();
        expect_no_more();
}
END_TEST

/* The same queue by two ways is walked once: its threads are counted once. */
START_TEST(shared_is_local)
{
        build();
        tiny_pointer(&t, t.prcb + SHARED, t.prcb + LOCAL);
        put_list(t.prcb + LOCAL + HEADS, 31, hidden, 1);
        say(t.prcb + LOCAL, 1u << 31, 1);
        expect_hidden();
        expect_no_more();
}
END_TEST

static void put_group(void)
{
        const uint64_t links[] = { scb + SCB_LINKS };
        tiny_ring(&t, t.prcb + SCBS, links, 1);
}

START_TEST(group)
{
        build();
        put_group();
        put_list(scb + SCB_HEADS, 15, hidden, 1);
        world_u(&t.world, scb + SCB_SUMMARY, 2, 0x8000);
        expect_hidden();
        expect_no_more();
}
END_TEST

/* No processor leads to the group: another thread of it does, at another priority. */
START_TEST(group_of_thread)
{
        const enum tiny_thread ready[] = { TINY_READY };
        build();
        put_list(scb + SCB_HEADS, 3, hidden, 1);
        put_list(scb + SCB_HEADS, 9, ready, 1);
        world_u(&t.world, scb + SCB_SUMMARY, 2, 0x208);
        tiny_pointer(&t, t.thread[TINY_READY] + QUEUED_SCB, scb);
        expect_hidden();
        expect_no_more();
}
END_TEST

/* Nothing names the queue at all: the list that a known thread is on lies among the others. */
START_TEST(beside)
{
        const enum tiny_thread ready[] = { TINY_READY };
        build();
        tiny_pointer(&t, t.prcb + SHARED, 0);
        put_list(queue + HEADS, 3, hidden, 1);
        put_list(queue + HEADS, 9, ready, 1);
        expect_hidden();
        expect_no_more();
        sys_close();
        build();
        tiny_pointer(&t, t.prcb + SHARED, 0);
        put_list(queue + HEADS, 3, hidden, 1);
        put_list(queue + HEADS, 9, ready, 1);
        tiny_set(&t, t.thread[TINY_HIDDEN], "KTHREAD.Priority", 4); /* what it says is not where it is: no such list */
        expect_lost();
}
END_TEST

static void tear(uint64_t at) { tiny_pointer(&t, at, UINT64_C(0x4242424242424242)); }

/* Between the two threads of one list: each is reached from its own end. Then one that is reached from none. */
START_TEST(torn)
{
        const enum tiny_thread two[] = { TINY_HIDDEN, TINY_READY }, three[] = { TINY_READY, TINY_HIDDEN, TINY_MAIN };
        build();
        put_list(queue + HEADS, PRIORITY, two, 2);
        tear(link_of(TINY_HIDDEN));
        tear(link_of(TINY_READY) + 8);
        say(queue, 1u << PRIORITY, 2);
        expect_hidden();
        expect_note("ready-queue-torn", STASIS_NOTE_MISSING, "priority 11 of the shared ready queue at 0xffffb0000010");
        expect_note("ready-queue-torn", STASIS_NOTE_MISSING, "2 threads were reached");
        ck_assert(!sys_note("ready-threads-disagree"));
        sys_close();
        build();
        put_list(queue + HEADS, PRIORITY, three, 3);
        tear(link_of(TINY_READY));
        tear(link_of(TINY_MAIN) + 8);
        say(queue, 1u << PRIORITY | 2, 3); /* of a torn one the summary is no news */
        expect_lost();
        expect_note("ready-queue-torn", STASIS_NOTE_MISSING, "2 threads were reached");
        expect_note("ready-threads-disagree", STASIS_NOTE_MISSING, "counts 3 ready threads, 2 were found");
        ck_assert(!sys_note("ready-summary-disagrees"));
}
END_TEST

START_TEST(disagree)
{
        build();
        put_list(queue + HEADS, PRIORITY, hidden, 1);
        say(queue, 1u << PRIORITY | 2, 7);
        expect_hidden();
        expect_note("ready-threads-disagree", STASIS_NOTE_MISSING, "counts 7 ready threads, 1 were found");
        expect_note("ready-summary-disagrees", STASIS_NOTE_WARNING,
                    "priorities 0x800 (a bit each), and its summary says 0x802");
        sys_close();
        build();
        put_list(queue + HEADS, PRIORITY, hidden, 1);
        expect_hidden();
        expect_note("ready-threads-disagree", STASIS_NOTE_WARNING, "counts 0 ready threads, 1 were found");
        expect_note("ready-summary-disagrees", STASIS_NOTE_WARNING, "its summary says 0x0");
}
END_TEST

/* A block of another servicing: what stands there is no queue, and nothing is made of it. */
START_TEST(no_queue)
{
        build();
        put_list(queue + HEADS, PRIORITY, hidden, 1);
        for (unsigned i = 0; i < 9; i++)
                world_u(&t.world, queue + HEADS + UINT64_C(0x10) * (i + 16), 8, 0);
        expect_lost();
        expect_no_more();
        ck_assert(sys_traced("ready-queue", false, "is no shared ready queue, or it is not readable"));
        sys_close();
        build();
        put_list(queue + HEADS, PRIORITY, hidden, 1);
        say(queue, 1u << PRIORITY, 1);
        for (unsigned i = 0; i < 8; i++) /* three of four heads are */
                world_u(&t.world, queue + HEADS + UINT64_C(0x10) * (i + 16), 8, 0);
        expect_hidden();
        ck_assert(sys_note("ready-queue-torn") != NULL);
}
END_TEST

START_TEST(queue_gone)
{
        build();
        tiny_pointer(&t, t.prcb + SHARED, queue + 0x100000);
        expect_lost();
        expect_no_more();
        ck_assert(sys_traced("ready-queue", false, "is no shared ready queue, or it is not readable"));
}
END_TEST

/* A group's links lead nowhere behind it, and into a loop. */
START_TEST(groups_torn)
{
        build();
        put_group();
        put_list(scb + SCB_HEADS, 2, hidden, 1);
        world_u(&t.world, scb + SCB_SUMMARY, 2, 4);
        tear(scb + SCB_LINKS);
        expect_hidden();
        expect_note("scheduling-groups-torn", STASIS_NOTE_MISSING, "1 groups were reached");
        sys_close();
        build();
        put_group();
        tiny_pointer(&t, scb + SCB_LINKS, scb + SCB_LINKS);
        expect_lost();
        expect_note("scheduling-groups-torn", STASIS_NOTE_MISSING, "it was passed before");
}
END_TEST

int main(void)
{
        const TTest *const single[] = { empty,  shared, local,    shared_is_local, group,      group_of_thread,
                                        beside, torn,   disagree, no_queue,        queue_gone, groups_torn };
        return sys_main("ready", NULL, 0, single, sizeof single / sizeof *single);
}
