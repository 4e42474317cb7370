/* SPDX-License-Identifier: MIT */
/* The verbs stacks and symbols against the double. Threads 0 and 2 have the same stack, thread 1 has none. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static void setup(void)
{
        double_reset();
        double_case.stacks = true;
}

START_TEST(text)
{
        double_case.noted = false;
        expect_all("stacks mem", 0,
                   "mem: raw memory, 16 KiB\nWindows XP\n\n"
                   "2 threads\n  smss.exe 4.8, System 264.16\n    nt!Swap+0x10 (register)\n    nt!Wait+0x20 (scan)\n\n"
                   "1 thread without a stack\n  System 4.12\n  no frames: not in this image\n\n"
                   "3 of 3 threads, 1 stack\n",
                   "");
        expect_all("stacks mem --quiet --tid 16", 0,
                   "1 thread\n  System 264.16\n    nt!Swap+0x10 (register)\n    nt!Wait+0x20 (scan)\n", "");
}
END_TEST

/* A user stack is compared by module and offset; that text is safe for a terminal. */
START_TEST(user)
{
        double_case.noted = false;
        expect_all("stacks mem --quiet --user --state waiting", 0,
                   "2 threads\n  smss.exe 4.8, System 264.16\n    nt!Swap+0x10 (register)\n    nt!Wait+0x20 (scan)\n"
                   "  user\n    nt\\x1bdll!Wait+0x4 (register)\n",
                   "");
}
END_TEST

START_TEST(filters)
{
        expect_all("stacks mem --state dreaming", 1, "", "there are Ready Waiting");
        expect_all("stacks mem --process 5 --format csv", 0, "count,frames,threads\r\n", "");
        expect_all("stacks mem --process 5 --quiet", 0, "\n0 of 3 threads, 0 different stacks\n", "");
        double_case.stacks = false;
        expect_all("stacks mem", 2, "", "stacks of this kind of system cannot be told");
}
END_TEST

START_TEST(csv)
{
        expect_all("stacks mem --format csv", 0,
                   "count,frames,threads\r\n2,nt!Swap+0x10 (register)|nt!Wait+0x20 (scan),4.8|264.16\r\n1,,4.12\r\n",
                   "");
}
END_TEST

START_TEST(json)
{
        struct json_object *doc = document("stacks mem --user --format json", 0);

        ck_assert_str_eq(text_at(doc, "schema"), "stasis/stacks/1");
        ck_assert_int_eq(number_at(doc, "total"), 3);
        ck_assert_int_eq(number_at(doc, "thread_count"), 3);
        ck_assert_int_eq(number_at(doc, "stack_count"), 2);
        ck_assert_int_eq(number_at(doc, "stacks[0].count"), 2);
        ck_assert_str_eq(text_at(doc, "stacks[0].frames[1].symbol"), "Wait");
        ck_assert_str_eq(text_at(doc, "stacks[0].frames[1].how"), "scan");
        ck_assert_str_eq(text_at(doc, "stacks[0].user_frames[0].pc"), "0x77001004");
        ck_assert_uint_eq((size_t)json_object_object_length(at(doc, "stacks[0].absent")), 0);
        ck_assert_int_eq(number_at(doc, "stacks[0].threads[1].tid"), 16);
        ck_assert_str_eq(text_at(doc, "stacks[0].threads[0].name"), "smss.exe");
        ck_assert_str_eq(text_at(doc, "stacks[0].threads[1].object"), "0x81230800");
        ck_assert_ptr_null(at(doc, "stacks[1].frames"));
        ck_assert_str_eq(text_at(doc, "stacks[1].absent.frames"), "not in this image");
        ck_assert_str_eq(text_at(doc, "stacks[1].absent.user_frames"), "not applicable");
        ck_assert_uint_eq(json_object_array_length(at(doc, "notes")), 1);
        json_object_put(doc);
}
END_TEST

START_TEST(json_lines)
{
        struct ran ran = run("stacks mem --format jsonl");
        char *save, *line = strtok_r(ran.out, "\n", &save);
        static const char *const has[] = { "stasis/stacks/1", "\"count\":2", "\"count\":1", "{\"notes\":[" };
        size_t count = 0;

        for (; line; line = strtok_r(NULL, "\n", &save), count++) {
                ck_assert_uint_lt(count, 4);
                ck_assert_msg(strstr(line, has[count]) != NULL, "%s", line);
        }
        ck_assert_uint_eq(count, 4);
        ran_free(&ran);
}
END_TEST

/* Threads that come first stand first where as many share a stack; 3000 of them grow the table. */
START_TEST(many)
{
        double_case.thread_count = 3000;
        struct json_object *doc = document("stacks mem --format json", 0);

        ck_assert_int_eq(number_at(doc, "stacks[0].count"), 2999);
        ck_assert_int_eq(number_at(doc, "stacks[0].threads[2998].tid"), 8 + 4 * 2999);
        ck_assert_int_eq(number_at(doc, "stacks[1].count"), 1);
        json_object_put(doc);
}
END_TEST

/* ---- the verb symbols: one module, of the kernel and of process 4 */

#define STORE "nt.pdb/030201000504070608090A0B0C0D0E0F1B/nt.pdb"

START_TEST(symbols)
{
        double_case.noted = false;
        expect_all("symbols mem --quiet", 0, "ntoskrnl.exe  " STORE "\n", "");
        expect_all("symbols mem --quiet --symbols here", 0, "ntoskrnl.exe  " STORE "  is here\n", "");
        expect_all("symbols mem --format raw", 0, STORE "\n", "");
        expect_all("symbols mem --format raw --symbols here", 0, "", "");
        expect_all("symbols mem --format csv --process 4", 0,
                   "module,base,pid,pdb,guid,age,path,found,why\r\n"
                   "ntoskrnl.exe,0x804d7000,4,nt.pdb,030201000504070608090A0B0C0D0E0F,27," STORE ",,\r\n",
                   "");
        expect_all("symbols mem --process 5", 2, "", "no process of that id");
        expect_all("symbols mem --process 4 --all", 1, "", "contradict");
        struct json_object *doc = document("symbols mem --format json", 0);
        ck_assert_str_eq(text_at(doc, "schema"), "stasis/symbols/1");
        ck_assert_int_eq(number_at(doc, "known"), 1);
        ck_assert_str_eq(text_at(doc, "modules[0].path"), STORE);
        ck_assert_int_eq(number_at(doc, "modules[0].age"), 27);
        ck_assert_ptr_null(at(doc, "modules[0].pid"));
        ck_assert_ptr_null(at(doc, "modules[0].found"));
        json_object_put(doc);
}
END_TEST

START_TEST(symbols_that_are_not_told)
{
        double_case.noted = false;
        double_case.gap = true;
        double_case.symbols[0] = '\0';
        struct json_object *doc = document("symbols mem --format json", 3);
        ck_assert_ptr_null(at(doc, "modules[0].guid"));
        ck_assert_str_eq(text_at(doc, "modules[0].why"), "its record, \"RSDS\", is gone");
        json_object_put(doc);
        struct ran ran = run("symbols mem --quiet");
        ck_assert_ptr_nonnull(strstr(ran.out, "ntoskrnl.exe  nt.pdb  <its record, \"RSDS\", is gone>\n"));
        ran_free(&ran);
        expect_all("symbols mem --format raw", 3, "", "");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("stacks");
        TCase *tcase = tcase_create("stacks");

        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, text);
        tcase_add_test(tcase, user);
        tcase_add_test(tcase, filters);
        tcase_add_test(tcase, csv);
        tcase_add_test(tcase, json);
        tcase_add_test(tcase, json_lines);
        tcase_add_test(tcase, many);
        tcase_add_test(tcase, symbols);
        tcase_add_test(tcase, symbols_that_are_not_told);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
