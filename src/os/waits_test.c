/* SPDX-License-Identifier: MIT */
/* Chains and deadlocks out of waits: each shape, and as many as a hostile image has. */
#include "waits.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 12
#define LONG 200000

static struct stasis_arena arena;
static struct stasis_wait wait[LONG];
static size_t owner[LONG], process_of[LONG];
static struct wait_input input;
static const struct stasis_waits *made;

static void setup(void)
{
        memset(wait, 0, sizeof wait);
        for (size_t i = 0; i < LONG; i++)
                process_of[i] = i / 4;
        input = (struct wait_input){
                .wait = wait, .process_of = process_of, .threads = THREADS, .processes = THREADS / 4
        };
}

static void teardown(void) { stasis_arena_free(&arena); }

static struct stasis_wait *add(size_t thread, size_t of)
{
        size_t i = input.count++;
        owner[i] = of;
        wait[i] = (struct stasis_wait){
                .thread = thread, .owner = &owner[i], .owner_count = 1, .process = SIZE_MAX, .alone = true
        };
        return &wait[i];
}

static void make(void) { ck_assert_int_eq(waits_make(&arena, &input, &made), STASIS_OK); }

static void expect_steps(const struct stasis_wait_step *step, size_t count, const size_t *thread, size_t want)
{
        ck_assert_uint_eq(count, want);
        for (size_t i = 0; i < count; i++)
                ck_assert_msg(step[i].thread == thread[i], "step %zu: %zu, and not %zu", i, step[i].thread, thread[i]);
}

START_TEST(nobody_waits)
{
        make();
        ck_assert_uint_eq(made->chain_count, 0);
        ck_assert_uint_eq(made->deadlock_count, 0);
}
END_TEST

/* Longest first; a chain that comes to what another has told says so. */
START_TEST(chains)
{
        add(0, 1), add(1, 2), add(3, 1), add(4, 5), add(2, 6);
        make();
        ck_assert_uint_eq(made->chain_count, 3);
        expect_steps(made->chain[0].step, made->chain[0].count, (size_t[]){ 0, 1, 2, 6 }, 4);
        ck_assert_uint_eq(made->chain[0].depth, 4);
        ck_assert_uint_eq(made->chain[0].step[1].wait, 1);
        ck_assert_uint_eq(made->chain[0].step[3].wait, SIZE_MAX);
        expect_steps(made->chain[1].step, made->chain[1].count, (size_t[]){ 3, 1 }, 2);
        ck_assert_uint_eq(made->chain[1].joins, 0);
        ck_assert_uint_eq(made->chain[1].depth, 4);
        expect_steps(made->chain[2].step, made->chain[2].count, (size_t[]){ 4, 5 }, 2);
        ck_assert_uint_eq(made->chain[2].joins, SIZE_MAX);
}
END_TEST

/* Of several owners the one behind whom most stand. */
START_TEST(branches)
{
        static size_t owners[] = { 1, 2, 3 };
        struct stasis_wait *w = add(0, 1);
        w->owner = owners;
        w->owner_count = 3;
        add(2, 4);
        make();
        ck_assert_uint_eq(made->chain_count, 1);
        expect_steps(made->chain[0].step, made->chain[0].count, (size_t[]){ 0, 2, 4 }, 3);
}
END_TEST

START_TEST(deadlocks)
{
        add(3, 4), add(4, 5), add(5, 3), add(0, 3), add(7, 8)->timed = true, add(8, 7), add(9, 9);
        make();
        ck_assert_uint_eq(made->deadlock_count, 3);
        expect_steps(made->deadlock[0].step, made->deadlock[0].count, (size_t[]){ 3, 4, 5 }, 3);
        ck_assert_uint_eq(made->deadlock[0].thread_count, 3);
        ck_assert(!made->deadlock[0].timed);
        expect_steps(made->deadlock[1].step, made->deadlock[1].count, (size_t[]){ 7, 8 }, 2);
        ck_assert(made->deadlock[1].timed);
        expect_steps(made->deadlock[2].step, made->deadlock[2].count, (size_t[]){ 9 }, 1);
        ck_assert_uint_eq(made->chain_count, 1);
        expect_steps(made->chain[0].step, made->chain[0].count, (size_t[]){ 0, 3 }, 2);
        ck_assert_uint_eq(made->chain[0].deadlock, 0);
        ck_assert_uint_eq(made->chain[0].depth, 4);
}
END_TEST

/* A ring of waits that something else may end is no deadlock; it is told as a chain that comes back to itself. */
START_TEST(no_deadlock)
{
        add(0, 1), add(1, 2)->alone = false, add(2, 0);
        make();
        ck_assert_uint_eq(made->deadlock_count, 0);
        ck_assert_uint_eq(made->chain_count, 1);
        expect_steps(made->chain[0].step, made->chain[0].count, (size_t[]){ 0, 1, 2, 0 }, 4);
        ck_assert_uint_eq(made->chain[0].joins, 0);
}
END_TEST

/* Two cycles through one thread are one deadlock: one of them is told, and everybody in it. */
START_TEST(two_cycles)
{
        static size_t owners[] = { 1, 2 };
        struct stasis_wait *w = add(0, 1);
        w->owner = owners;
        w->owner_count = 2;
        add(1, 0), add(2, 0);
        make();
        ck_assert_uint_eq(made->deadlock_count, 1);
        ck_assert_uint_eq(made->deadlock[0].count, 2);
        ck_assert_uint_eq(made->deadlock[0].thread_count, 3);
}
END_TEST

/* Whoever waits for a process to end waits for each of its threads; for an answer, for none in particular. */
START_TEST(processes)
{
        struct stasis_wait *w = add(0, 0);
        w->owner_count = 0;
        w->process = 1; /* threads 4 .. 7 */
        w->ends = true;
        add(6, 0);
        w = add(8, 0);
        w->owner_count = 0;
        w->process = 1;
        make();
        ck_assert_uint_eq(made->deadlock_count, 1);
        expect_steps(made->deadlock[0].step, made->deadlock[0].count, (size_t[]){ 0, SIZE_MAX, 6 }, 3);
        ck_assert_uint_eq(made->deadlock[0].step[1].process, 1);
        ck_assert_uint_eq(made->chain_count, 1);
        expect_steps(made->chain[0].step, made->chain[0].count, (size_t[]){ 8, SIZE_MAX }, 2);
}
END_TEST

/* As long as memory: nothing recurses, and what is told is no longer than what there is. */
START_TEST(very_long)
{
        input.threads = LONG;
        input.processes = LONG / 4;
        for (size_t i = 0; i + 1 < LONG; i++)
                add(i, i + 1);
        if (_i)
                add(LONG - 1, 0);
        make();
        ck_assert_uint_eq(made->deadlock_count, (size_t)_i);
        ck_assert_uint_eq(_i ? made->deadlock[0].count : made->chain[0].count, LONG);
}
END_TEST

/* Everybody waits for one that waits in a long chain: it is told once. */
START_TEST(comb)
{
        size_t steps = 0;
        input.threads = LONG;
        input.processes = LONG / 4;
        for (size_t i = 0; i < LONG / 2; i++)
                add(i, i + 1);
        for (size_t i = LONG / 2 + 1; i < LONG; i++)
                add(i, 0);
        make();
        for (size_t i = 0; i < made->chain_count; i++)
                steps += made->chain[i].count;
        ck_assert_uint_eq(made->chain_count, LONG / 2 - 1);
        ck_assert_uint_le(steps, 2 * LONG);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = { nobody_waits, chains,     branches,  deadlocks,
                                       no_deadlock,  two_cycles, processes, comb };
        Suite *suite = suite_create("waits");
        TCase *tcase = tcase_create("waits");
        tcase_set_timeout(tcase, 60);
        tcase_add_checked_fixture(tcase, setup, teardown);
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
                tcase_add_test(tcase, tests[i]);
        tcase_add_loop_test(tcase, very_long, 0, 2);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
