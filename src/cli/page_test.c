/* SPDX-License-Identifier: MIT */
/* The page of one thread against the double: what stands first, and that no fact is lost. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "double.h"
#include "runner.h"

static void setup(void)
{
        double_reset();
        double_case.stacks = true;
}

static void expect_page(const char *words, const char *want)
{
        struct ran ran = run(words);

        ck_assert_msg(ran.status == 0, "%s: status %d\n%s", words, ran.status, ran.err);
        ck_assert_str_eq(ran.out, want);
        ran_free(&ran);
}

/* What is not there for such a thread is no line of a part, and stands below with its reason. */
START_TEST(whole_page)
{
        expect_page("thread mem --tid 12 --quiet", "Thread 4.12  System  0x81230400\n"
                                                   "Ready; priority -15\n"
                                                   "\n"
                                                   "Identity\n"
                                                   "  Object                    0x81230400\n"
                                                   "  Created                   0x1c4ecd4c1c33687\n"
                                                   "  Exit status               0x103\n"
                                                   "  Start address             nt\n"
                                                   "  Win32 start address       0x7c810659\n"
                                                   "\n"
                                                   "Stacks\n"
                                                   "  Kernel stack              <not in this image>\n"
                                                   "\n"
                                                   "Further facts\n"
                                                   "\n"
                                                   "Identity\n"
                                                   "  Object, physical          0x1230400\n"
                                                   "  Process id                4\n"
                                                   "  Thread id                 12\n"
                                                   "  Process                   System\n"
                                                   "  Seen by                   process-list cid-table\n"
                                                   "\n"
                                                   "Scheduling\n"
                                                   "  State                     Ready\n"
                                                   "  Wait reason               UserRequest\n"
                                                   "  Priority                  0xfffffffffffffff1\n"
                                                   "  Alertable                 0x1\n"
                                                   "\n"
                                                   "Life\n"
                                                   "  Flags                     0x800000000000000b\n"
                                                   "\n"
                                                   "TEB\n"
                                                   "  TEB                       <not applicable>\n"
                                                   "\n"
                                                   "Stacks\n"
                                                   "  Stack base                <paged out>\n"
                                                   "  Waits                     object 0x81111110\n"
                                                   "                            object 0x82222220\n"
                                                   "  User stack                <not applicable>\n");
}
END_TEST

/* A thread that waits says for what; what was noticed about it stands on its page, whatever its weight. */
START_TEST(waiting_and_noticed)
{
        struct ran ran = run("thread mem --tid 8 --quiet");

        ck_assert_int_eq(ran.status, 0);
        static const char head[] =
                "Thread 4.8  smss.exe  0x81230000\nWaiting: UserRequest, not alertable; priority 9\n";
        ck_assert_msg(strncmp(ran.out, head, sizeof(head) - 1) == 0, "%s", ran.out);
        const char *stacks = strstr(ran.out, "\nStacks\n"), *noticed = strstr(ran.out, "\nNoticed\n"),
                   *further = strstr(ran.out, "\nFurther facts\n");
        ck_assert_msg(stacks && noticed && further && stacks < noticed && noticed < further, "%s", ran.out);
        ck_assert_ptr_nonnull(strstr(noticed, "is torn"));
        ran_free(&ran);
}
END_TEST

/* Asked for columns or for evidence, it stays a list of facts; JSON is what it was. */
START_TEST(other_forms)
{
        struct ran ran = run("thread mem --tid 12 --columns tid,state");
        ck_assert_ptr_null(strstr(ran.out, "Further facts"));
        ran_free(&ran);
        ran = run("thread mem --tid 12 --evidence");
        ck_assert_ptr_nonnull(strstr(ran.out, "Thread at 0x81230400, pid 4, tid 12, System\n"));
        ran_free(&ran);
        ran = run("thread mem --tid 12 --format json");
        struct json_object *document = ran_json(&ran);
        ck_assert_str_eq(text_at(document, "schema"), "stasis/threads/1");
        ck_assert_int_eq(number_at(document, "threads[0].tid"), 12);
        json_object_put(document);
        ran_free(&ran);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("page");
        TCase *tcase = tcase_create("all");
        tcase_add_checked_fixture(tcase, setup, NULL);
        tcase_add_test(tcase, whole_page);
        tcase_add_test(tcase, waiting_and_noticed);
        tcase_add_test(tcase, other_forms);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
