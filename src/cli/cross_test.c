/* SPDX-License-Identifier: MIT */
/* threads --cross-view and --hidden against the double: thread 1 is off the list of its process, two ways saw nothing.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

static void setup(void)
{
        double_reset();
        double_case.ways = true;
        double_case.noted = false;
        double_case.process = "smss\033.exe";
}

static const char legend[] =
        "  LST      2  process-list   the process's list of threads\n"
        "  CID      3  cid-table      PspCidTable, by its id\n"
        "  XYZ      0  cid            its name is the beginning of another's\n"
        "  TAG      0  pool-scan      no: not asked for\n"
        "  +  seen;  -  not seen, although it should be;  .  not seen, and nothing follows from that\n";

/* A column for each way that was gone; the reason behind them. */
START_TEST(text)
{
        char out[2048];
        snprintf(out, sizeof(out), "%s%s",
                 "mem: raw memory, 16 KiB\nWindows XP\n\n"
                 "   PID     TID  PROCESS         STATE         LST CID XYZ  WHY NOT ALL\n"
                 "     4       8  smss\\x1b.exe    Waiting        +   +   .\n"
                 "     4      12  System          Ready          -   +   .   cid-only\n"
                 "   264      16  System          Waiting        +   +   .\n"
                 "\n3 of 3 threads\n\n",
                 legend);
        expect_all("threads mem --cross-view", 0, out, "");
        expect_all("threads mem --cross-view --quiet --tid 12", 0,
                   "     4      12  System          Ready          -   +   .   cid-only\n", "");
}
END_TEST

/* Names that are too long for their column do not move the others. */
START_TEST(long_name)
{
        double_case.process = "a-name-that-is-much-too-long.exe";
        expect_all("threads mem --cross-view --quiet --tid 8", 0,
                   "     4       8  a-name-that-i…  Waiting        +   +   .\n", "");
}
END_TEST

START_TEST(csv)
{
        expect_all("threads mem --cross-view --format csv", 0,
                   "object,pid,tid,process,state,process-list,cid-table,cid,pool-scan,hidden\r\n"
                   "0x81230000,4,8,smss\033.exe,Waiting,yes,yes,,,\r\n"
                   "0x81230400,4,12,System,Ready,no,yes,,,cid-only\r\n"
                   "0x81230800,264,16,System,Waiting,yes,yes,,,\r\n",
                   "");
}
END_TEST

/* What is missing is said on standard error, as a table of this kind has no room for it. */
START_TEST(csv_partial)
{
        double_case.noted = true;
        double_case.severity = STASIS_NOTE_MISSING;
        expect_all("threads mem --cross-view --format csv --tid 99", 3,
                   "object,pid,tid,process,state,process-list,cid-table,cid,pool-scan,hidden\r\n",
                   "the list is partial (1 note)");
}
END_TEST

START_TEST(own_columns)
{
        expect_all("threads mem --cross-view --columns tid", 1, "", "--cross-view has its own columns");
        expect_all("threads mem --cross-view --all-columns", 1, "", "--cross-view has its own columns");
        expect_all("threads mem --cross-view --evidence", 1, "", "--cross-view has its own columns");
}
END_TEST

/* Only those on which the ways disagree, with the reason. */
START_TEST(hidden)
{
        struct json_object *doc = document("threads mem --hidden --format json", 0);

        ck_assert_int_eq(number_at(doc, "total"), 3);
        ck_assert_uint_eq(json_object_array_length(at(doc, "threads")), 1);
        ck_assert_int_eq(number_at(doc, "threads[0].tid"), 12);
        ck_assert_str_eq(text_at(doc, "threads[0].hidden"), "cid-only");
        ck_assert_str_eq(text_at(doc, "threads[0].unseen_by[0]"), "process-list");
        ck_assert_str_eq(text_at(doc, "sources[3].why_not"), "not asked for");
        json_object_put(doc);
        double_case.thread_count = 1;
        expect_all("threads mem --hidden --quiet", 0, "\nNone of the 1 thread found is as asked for.\n", "");
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cross");
        TCase *tcase = tcase_create("all");
        const TTest *const tests[] = { text, long_name, csv, csv_partial, own_columns, hidden };

        tcase_add_checked_fixture(tcase, setup, NULL);
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
