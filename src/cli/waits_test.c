/* SPDX-License-Identifier: MIT */
/* The verb waits against the double: a deadlock of two, and a thread behind it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static void setup(void)
{
        double_reset();
        double_case.noted = false;
}

START_TEST(text)
{
        expect_all("waits mem", 0,
                   "mem: raw memory, 16 KiB\nWindows XP\n\n"
                   "Deadlock 1: 2 threads, each waits for the next one, the last for the first; one of them only for a "
                   "time\n"
                   "  4.8 smss.exe              waits for Mutant \\a\"\\x1b, for a time\n"
                   "  4.12 System               waits for resource, shared 0x83333330\n\n"
                   "Chain 1: 3 threads\n"
                   "  264.16 System             waits for the end of the thread, or for something else\n"
                   "  4.8 smss.exe              is in deadlock 1\n\n"
                   "3 of 3 threads wait, 3 of them for somebody; 1 chain, 1 deadlock\n",
                   "");
}
END_TEST

/* A thread of the deadlock brings the deadlock, one of the chain both. */
START_TEST(filters)
{
        struct ran ran = run("waits mem -q --tid 12");
        ck_assert_ptr_nonnull(strstr(ran.out, "Deadlock 1"));
        ck_assert_ptr_null(strstr(ran.out, "Chain"));
        ran_free(&ran);
        ran = run("waits mem -q --tid 16");
        ck_assert_ptr_nonnull(strstr(ran.out, "Deadlock 1"));
        ck_assert_ptr_nonnull(strstr(ran.out, "Chain 1"));
        ran_free(&ran);
        ran = run("waits mem -q --tid 99");
        ck_assert_ptr_null(strstr(ran.out, "Deadlock"));
        ran_free(&ran);
}
END_TEST

START_TEST(json)
{
        struct ran ran = run("waits mem --format json");
        ck_assert_int_eq(ran.status, 0);
        struct json_object *doc = ran_json(&ran);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/waits/1");
        ck_assert_int_eq(number_at(doc, "total"), 3);
        ck_assert_int_eq(number_at(doc, "deadlocks[0].number"), 1);
        ck_assert_uint_eq(json_object_array_length(at(doc, "deadlocks[0].threads")), 2);
        ck_assert_int_eq(number_at(doc, "deadlocks[0].steps[1].tid"), 12);
        ck_assert_int_eq(number_at(doc, "chains[0].depth"), 3);
        ck_assert_int_eq(number_at(doc, "chains[0].deadlock"), 1);
        ck_assert_ptr_null(at(doc, "chains[0].joins"));
        ck_assert_str_eq(text_at(doc, "waits[0].name"), "\\a\"\x1b");
        ck_assert_int_eq(number_at(doc, "waits[0].owners[0].tid"), 12);
        ck_assert_str_eq(text_at(doc, "waits[1].container"), "0x83333330");
        ck_assert_ptr_null(at(doc, "waits[2].deadlock"));
        ck_assert(!json_object_get_boolean(at(doc, "waits[2].alone")));
        json_object_put(doc);
        ran_free(&ran);
}
END_TEST

/* What somebody else chose as a name ends no string of the graph. */
START_TEST(dot)
{
        expect_all("waits mem --format dot", 0,
                   "digraph waits {\n  rankdir=LR;\n"
                   "  t0 [label=\"smss.exe 4.8\", color=red];\n"
                   "  t1 [label=\"System 4.12\", color=red];\n"
                   "  t2 [label=\"System 264.16\"];\n"
                   "  t0 -> t1 [label=\"Mutant \\\\a\\\"\\\\x1b\", color=red];\n"
                   "  t1 -> t0 [label=\"resource, shared 0x83333330\", color=red];\n"
                   "  t2 -> t0 [label=\"the end of the thread\", style=dashed];\n"
                   "}\n",
                   "");
}
END_TEST

START_TEST(not_kept)
{
        double_case.stacks = true;
        expect_all("waits mem", 2, "", "it does not keep who holds what");
        double_case.stacks = false;
        expect_all("waits mem --format csv", 1, "", "one of text|json|dot");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("waits");
        TCase *tcase = tcase_create("waits");
        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, text);
        tcase_add_test(tcase, filters);
        tcase_add_test(tcase, json);
        tcase_add_test(tcase, dot);
        tcase_add_test(tcase, not_kept);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
