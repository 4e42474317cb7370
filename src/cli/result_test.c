/* SPDX-License-Identifier: MIT */
/* Documents from files: what is taken, what is refused and with which words; images in their place. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "result.h"
#include "runner.h"

static struct result parsed;
static struct text why;

static void setup(void)
{
        double_reset();
        parsed = (struct result){ 0 };
}

static void teardown(void)
{
        result_free(&parsed);
        text_free(&why);
}

static bool parse(const char *bytes, uint32_t kinds)
{
        text_reset(&why);
        result_free(&parsed);
        return result_parse(bytes, strlen(bytes), kinds, &parsed, &why);
}

static const struct taken_case {
        const char *bytes;
        enum result_kind kind;
        enum cli_exit status;
} taken[] = {
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[]}", RESULT_THREADS, CLI_COMPLETE },
        { " \n{\"threads\":[{}],\"schema\":\"stasis/threads/1\"}\n ", RESULT_THREADS, CLI_COMPLETE },
        { "{\"schema\":\"stasis/processes/1\",\"processes\":[],\"system\":null}", RESULT_PROCESSES, CLI_COMPLETE },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[],\"notes\":[{\"severity\":\"missing\"}]}", RESULT_THREADS,
          CLI_PARTIAL },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[],\"notes\":[{\"severity\":\"warning\"},{}]}", RESULT_THREADS,
          CLI_COMPLETE },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[],\"image\":{\"gap_count\":1}}", RESULT_THREADS, CLI_PARTIAL },
        { "{\"schema\":\"stasis/result/1\",\"threads\":[],\"analysis\":{\"exit_status\":3}}", RESULT_WHOLE,
          CLI_PARTIAL },
        { "{\"schema\":\"stasis/result/1\",\"threads\":[],\"analysis\":{\"exit_status\":2}}", RESULT_WHOLE,
          CLI_UNREADABLE },
        { "{\"schema\":\"stasis/result/1\",\"threads\":[],\"analysis\":{\"exit_status\":77}}", RESULT_WHOLE,
          CLI_UNREADABLE },
        { "{\"schema\":\"stasis/reference/1\"}", RESULT_REFERENCE, CLI_COMPLETE },
};

START_TEST(test_taken)
{
        ck_assert_msg(parse(taken[_i].bytes, UINT32_MAX), "%s", text_get(&why));
        ck_assert_int_eq(parsed.kind, taken[_i].kind);
        ck_assert_int_eq(parsed.status, taken[_i].status);
        ck_assert(!parsed.from_image);
}
END_TEST

static const struct refused_case {
        const char *bytes, *says;
} refused[] = {
        { "", "ends after 0 bytes, in line 1, in the middle" },
        { "{", "ends after 1 byte, in line 1, in the middle" },
        { "{\n\n\"a\":", "in line 3, in the middle" },
        { "null ", "null at byte 5" },
        { "{\"a\":[\n7,\n]}", "unexpected character at byte 10, in line 3" },
        { "[1]", "is none of those that are known" },
        { "7 ", "is none of those" },
        { "{\"schema\":7}", "is none of those" },
        { "{\"schema\":\"stasis/threads/2\",\"threads\":[]}",
          "one of stasis/threads/1, stasis/processes/1, stasis/res" },
        { "{\"schema\":\"stasis/reference/1\"}", "stasis/reference/1; it must be one of" },
        { "{\"schema\":\"stasis/threads/1\"}", "no member \"threads\"" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":{}}", "\"threads\" is no array of objects" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[7]}", "\"threads\" is no array of objects" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[null]}", "\"threads\" is no array of objects" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[],\"notes\":null}", "\"notes\" is no array" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[],\"system\":[]}", "\"system\" is no object" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[]}{", "something follows" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[]}\n{\"tid\":1}\n", "jsonl is not read" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[],}", "no JSON document" },
        { "{'schema':'stasis/threads/1','threads':[]}", "no JSON document" },
        { "{\"schema\":\"stasis/threads/1\",\"threads\":[{\"a\":\"\xff\"}]}", "no JSON document" },
        { "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nesting too deep" },
};

START_TEST(test_refused)
{
        ck_assert_msg(!parse(refused[_i].bytes, RESULT_ANSWERS), "%s", refused[_i].bytes);
        ck_assert_msg(strstr(text_get(&why), refused[_i].says) != NULL, "%s: %s", refused[_i].bytes, text_get(&why));
        ck_assert(!parsed.document);
}
END_TEST

START_TEST(test_bytes_of_zero)
{
        static const char bytes[] = "{\"schema\":\"stasis/threads/1\"\0,\"threads\":[]}";

        ck_assert(!result_parse(bytes, sizeof(bytes) - 1, RESULT_ANSWERS, &parsed, &why));
        ck_assert_str_eq(text_get(&why), "a byte of zero in it");
}
END_TEST

/* Twelve MiB that json-c would make five GiB of: refused before it makes any. */
START_TEST(test_costly)
{
        struct text bytes = { 0 };

        text_str(&bytes, "{\"a\":[{}");
        while (bytes.len < 12U << 20)
                text_str(&bytes, ",{},{},{},{},{},{},{},{}");
        text_str(&bytes, "]}");
        ck_assert(!parse(text_get(&bytes), RESULT_ANSWERS));
        ck_assert_str_eq(text_get(&why), "it would take more than 4 GiB of memory");
        text_free(&bytes);
}
END_TEST

/* What is in a string costs nothing, whatever it looks like. */
START_TEST(test_strings_are_cheap)
{
        size_t len = 5U << 20;
        struct text bytes = { 0 };

        text_str(&bytes, "{\"schema\":\"stasis/threads/1\",\"threads\":[],\"a\":\"\\\"");
        text_pad(&bytes, '{', len);
        text_str(&bytes, "\\\\\"}");
        ck_assert_msg(parse(text_get(&bytes), RESULT_ANSWERS), "%s", text_get(&why));
        text_free(&bytes);
}
END_TEST

/* ---- files */

static const char *file(const char *bytes, size_t len)
{
        static char path[] = "/tmp/stasis-result-XXXXXX";

        memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
        int fd = mkstemp(path);
        ck_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
        close(fd);
        return path;
}

static enum cli_exit load(const char *path, struct text *ret_said)
{
        char *said = NULL;
        size_t len;
        FILE *err = open_memstream(&said, &len);
        struct cli cli = { .err = err, .out = stdout };

        ck_assert(err != NULL);
        enum cli_exit status = result_load(&cli, path, RESULT_ANSWERS, &parsed);
        fclose(err);
        text_str(ret_said, said);
        free(said);
        return status;
}

START_TEST(test_file)
{
        struct text said = { 0 };
        static const char bytes[] = "\n { \"schema\":\"stasis/threads/1\",\"threads\":[{\"tid\":7}]}";
        const char *path = file(bytes, sizeof(bytes) - 1);

        ck_assert(result_is_document(path));
        ck_assert_int_eq(load(path, &said), CLI_COMPLETE);
        ck_assert_str_eq(text_get(&said), "");
        ck_assert_int_eq(number_at(parsed.document, "threads[0].tid"), 7);
        unlink(path);
        text_free(&said);
}
END_TEST

START_TEST(test_file_refused)
{
        struct text said = { 0 };
        const char *path = file("{\"a\":1", 6);

        ck_assert_int_eq(load(path, &said), CLI_UNREADABLE);
        ck_assert(strncmp(text_get(&said), "stasis: /tmp/stasis-result-", 27) == 0);
        ck_assert(strstr(text_get(&said), ": no JSON document: it ends after 6 bytes, in line 1, in the middle\n") !=
                  NULL);
        unlink(path);
        text_free(&said);
}
END_TEST

/* Everything else goes to the image's readers: here to the double, which takes anything. */
START_TEST(test_image)
{
        struct text said = { 0 };

        ck_assert(!result_is_document("/dev/zero"));
        ck_assert(!result_is_document("/nowhere"));
        ck_assert_int_eq(load("mem.raw", &said), CLI_COMPLETE);
        ck_assert_str_eq(text_get(&said), "");
        ck_assert_int_eq(parsed.kind, RESULT_WHOLE);
        ck_assert(parsed.from_image);
        ck_assert_str_eq(text_at(parsed.document, "schema"), "stasis/result/1");
        ck_assert_int_eq(number_at(parsed.document, "threads[1].tid"), 12);
        ck_assert(at(parsed.document, "processes[0]") && at(parsed.document, "notes[0].code"));
        ck_assert_int_eq(number_at(parsed.document, "analysis.exit_status"), 0);
        text_free(&said);
}
END_TEST

START_TEST(test_image_outcomes)
{
        struct text said = { 0 };

        double_case.gap = true;
        ck_assert_int_eq(load("mem.raw", &said), CLI_COMPLETE);
        ck_assert_int_eq(parsed.status, CLI_PARTIAL);
        result_free(&parsed);
        double_case.image = STASIS_CORRUPT;
        ck_assert_int_eq(load("mem.raw", &said), CLI_UNREADABLE);
        ck_assert_msg(strstr(text_get(&said), "e_phoff") != NULL, "%s", text_get(&said));
        double_case.image = STASIS_OK;
        double_case.system = STASIS_ABSENT;
        text_reset(&said);
        ck_assert_int_eq(load("mem.raw", &said), CLI_UNREADABLE);
        ck_assert(said.len > 0 && !parsed.document);
        text_free(&said);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("result");
        TCase *tcase = tcase_create("result");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_loop_test(tcase, test_taken, 0, sizeof(taken) / sizeof(taken[0]));
        tcase_add_loop_test(tcase, test_refused, 0, sizeof(refused) / sizeof(refused[0]));
        tcase_add_test(tcase, test_bytes_of_zero);
        tcase_add_test(tcase, test_costly);
        tcase_add_test(tcase, test_strings_are_cheap);
        tcase_add_test(tcase, test_file);
        tcase_add_test(tcase, test_file_refused);
        tcase_add_test(tcase, test_image);
        tcase_add_test(tcase, test_image_outcomes);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
