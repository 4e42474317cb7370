/* SPDX-License-Identifier: MIT */
#include "list.h"

#include <check.h>
#include <stdlib.h>

#include "../test/world.h"

/* A head and up to seven entries, each on a page of its own. _i: 0 is 32 bits, 1 is 64. */
static struct world w;
static struct list_options options;
static struct list_walk ring;
static uint64_t base;
static unsigned pointer;

static uint64_t at(unsigned i) { return base + i * UINT64_C(0x1000) + 0x40; } /* 0: the head */

static void flink(unsigned i, uint64_t value) { world_u(&w, at(i), pointer, value); }
static void blink(unsigned i, uint64_t value) { world_u(&w, at(i) + pointer, pointer, value); }

static void build(int is64, unsigned entries)
{
        base = is64 ? UINT64_C(0xfffff80000100000) : 0x80100000;
        pointer = is64 ? 8 : 4;
        options = (struct list_options){ .pointer_size = (uint8_t)pointer, .max = 100 };
        world_start(&w, is64 ? PT_X64 : PT_X86);
        world_map(&w, base, 0x8000);
        for (unsigned i = 0; i <= entries; i++) {
                unsigned next = i == entries ? 0 : i + 1;
                flink(i, at(next));
                blink(next, at(i));
        }
}

static void walk(void) { ck_assert_int_eq(list_walk(&w.space, at(0), &options, &ring), STASIS_OK); }

/* The entries that were found, as digits in list order. */
static void expect(unsigned digits, size_t behind)
{
        unsigned found = 0;
        for (size_t i = 0; i < ring.count; i++)
                for (unsigned k = 1; k < 8; k++)
                        if (ring.entry[i] == at(k))
                                found = found * 10 + k;
        ck_assert_uint_eq(found, digits);
        ck_assert_uint_eq(ring.behind, behind);
}

static void ends(enum list_end forward, uint64_t forward_at, enum list_end backward, uint64_t backward_at)
{
        ck_assert_str_eq(list_end_name(ring.forward), list_end_name(forward));
        ck_assert_str_eq(list_end_name(ring.backward), list_end_name(backward));
        ck_assert_uint_eq(ring.forward_at, forward_at);
        ck_assert_uint_eq(ring.backward_at, backward_at);
}

static void teardown(void)
{
        list_free(&ring);
        world_end(&w);
}

START_TEST(whole)
{
        build(_i, 4);
        walk();
        expect(1234, 4);
        ends(LIST_CLOSED, at(0), LIST_CLOSED, at(0));
        ck_assert(list_whole(&ring));
        ck_assert_uint_eq(ring.bad_blink, 0);
}
END_TEST

START_TEST(empty)
{
        build(_i, 0);
        walk();
        expect(0, 0);
        ends(LIST_CLOSED, at(0), LIST_CLOSED, at(0));
        ck_assert(list_whole(&ring));
}
END_TEST

START_TEST(head_not_there)
{
        build(_i, 2);
        ck_assert_int_eq(list_walk(&w.space, base + 0x100000, &options, &ring), STASIS_ABSENT);
        ck_assert_ptr_null(ring.entry);
        pt_put(&w.tables, pt_slot(&w.tables, at(0), PT_4K), (uint64_t)WORLD_LEN | 3);
        ck_assert_int_eq(list_walk(&w.space, at(0), &options, &ring), STASIS_IO);
}
END_TEST

/* The third of five is gone: two are reached forwards, two backwards. */
START_TEST(entry_not_there)
{
        build(_i, 5);
        world_unmap(&w, at(3));
        walk();
        expect(1245, 2);
        ends(LIST_UNREADABLE, at(3), LIST_UNREADABLE, at(3));
        ck_assert(!list_whole(&ring));
}
END_TEST

/* Only the way there is torn: the way back reaches everything. */
START_TEST(torn_forwards)
{
        build(_i, 5);
        flink(2, 0);
        walk();
        expect(12345, 2);
        ends(LIST_REFUSED, 0, LIST_CLOSED, at(0));
        ck_assert(!list_whole(&ring));
}
END_TEST

START_TEST(torn_backwards)
{
        build(_i, 5);
        blink(4, 0);
        walk();
        expect(12345, 5);
        ends(LIST_CLOSED, at(0), LIST_REFUSED, 0);
        ck_assert(!list_whole(&ring));
        ck_assert_uint_eq(ring.bad_blink, 1);
}
END_TEST

START_TEST(not_aligned)
{
        build(_i, 3);
        flink(1, at(2) + pointer / 2);
        walk();
        expect(123, 1);
        ends(LIST_REFUSED, at(2) + pointer / 2, LIST_CLOSED, at(0));
}
END_TEST

static bool not_third(void *ctx, uint64_t entry)
{
        (*(unsigned *)ctx)++;
        return entry != at(3);
}

START_TEST(refused)
{
        unsigned asked = 0;
        build(_i, 4);
        options.accept = not_third;
        options.ctx = &asked;
        walk();
        expect(124, 2);
        ends(LIST_REFUSED, at(3), LIST_REFUSED, at(3));
        ck_assert_uint_eq(asked, 5);
}
END_TEST

/* An entry between two others is skipped by both of its neighbours' links one way only: the other way finds it. */
START_TEST(unlinked_one_way)
{
        build(_i, 4);
        flink(2, at(4));
        walk();
        expect(1243, 3);
        ends(LIST_CLOSED, at(0), LIST_CLOSED, at(0));
        ck_assert(!list_whole(&ring));
        ck_assert_uint_eq(ring.bad_blink, 1);
}
END_TEST

START_TEST(loop)
{
        build(_i, 4);
        flink(3, at(1));
        walk();
        expect(1234, 3);
        ends(LIST_LOOP, at(1), LIST_CLOSED, at(0));
}
END_TEST

/* Each entry that names itself, both ways. */
START_TEST(self_loops)
{
        build(_i, 3);
        for (unsigned i = 1; i <= 3; i++) {
                flink(i, at(i));
                blink(i, at(i));
        }
        walk();
        expect(13, 1);
        ends(LIST_LOOP, at(1), LIST_LOOP, at(3));
}
END_TEST

START_TEST(bound)
{
        build(_i, 5);
        options.max = 2;
        walk();
        expect(1245, 2);
        ends(LIST_FULL, at(3), LIST_FULL, at(3));
        ck_assert(!list_whole(&ring));
}
END_TEST

START_TEST(exactly_the_bound)
{
        build(_i, 5);
        options.max = 5;
        walk();
        expect(12345, 5);
        ck_assert(list_whole(&ring));
}
END_TEST

START_TEST(wrong_blink)
{
        build(_i, 4);
        blink(2, at(4));
        blink(0, at(4));
        walk();
        expect(1234, 4);
        ck_assert_uint_eq(ring.bad_blink, 1);
        ends(LIST_CLOSED, at(0), LIST_LOOP, at(4)); /* 4, 3, 2, 4 */
}
END_TEST

/* More entries than the first table of seen ones holds, so that it grows: 2000 of them, 16 bytes apart. */
START_TEST(many)
{
        build(_i, 0);
        uint64_t before = at(0);
        for (unsigned i = 0; i < 2000; i++) {
                uint64_t entry = base + 0x100 + 16u * i;
                if (entry == at(0))
                        continue;
                world_u(&w, before, pointer, entry);
                world_u(&w, entry + pointer, pointer, before);
                before = entry;
        }
        world_u(&w, before, pointer, at(0));
        blink(0, before);
        options.max = 5000;
        walk();
        ck_assert_uint_eq(ring.count, 2000);
        ck_assert(list_whole(&ring));
        for (unsigned i = 0; i < 2000; i++)
                ck_assert_uint_eq(ring.entry[i], base + 0x100 + 16u * i);
}
END_TEST

START_TEST(names_of_ends)
{
        (void)_i;
        build(0, 0);
        for (int i = LIST_CLOSED; i <= LIST_FULL; i++)
                ck_assert(list_end_name((enum list_end)i)[0] != '?');
        ck_assert_str_eq(list_end_name((enum list_end)(LIST_FULL + 1)), "?");
}
END_TEST

int main(void)
{
        const TTest *const tests[] = { whole,          empty,       head_not_there,    entry_not_there,  torn_forwards,
                                       torn_backwards, not_aligned, refused,           unlinked_one_way, loop,
                                       self_loops,     bound,       exactly_the_bound, wrong_blink,      many,
                                       names_of_ends };
        Suite *suite = suite_create("list");
        TCase *tcase = tcase_create("list");
        tcase_add_checked_fixture(tcase, NULL, teardown);
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
                tcase_add_loop_test(tcase, tests[i], 0, 2);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
