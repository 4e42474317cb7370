/* SPDX-License-Identifier: MIT */
/* stasis/result/1 out of the double: what is in it, what is not, and how each way of failing ends. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "out_result.h"
#include "runner.h"

#define SHA "6666666666666666666666666666666666666666666666666666666666666666"

struct written {
        struct result_outcome outcome;
        struct json_object *document;
        char *bytes;
        char phases[256];
};

static void see_phase(void *ctx, const char *name)
{
        struct written *written = ctx;
        size_t len = strlen(written->phases);

        snprintf(written->phases + len, sizeof(written->phases) - len, "%s ", name);
}

static void write_document(const char *path, struct written *ret_written)
{
        static const char *const sandbox[] = { "landlock", "seccomp", NULL };
        struct cli cli = { .err = stderr, .image_path = path, .quiet = true };
        struct stasis_image_options options = { 0 };
        struct stasis_error err = { 0 };
        size_t len = 0;
        FILE *out;

        *ret_written = (struct written){ 0 };
        if (stasis_image_open_files(&path, 1, &options, &cli.image, &err) != STASIS_OK)
                cli.image = NULL;
        struct result_about about = { .sha256 = SHA,
                                      .sandbox = sandbox,
                                      .error = cli.image ? NULL : err.text,
                                      .phase = see_phase,
                                      .ctx = ret_written };
        out = open_memstream(&ret_written->bytes, &len);
        ck_assert_ptr_nonnull(out);
        result_write(&cli, &about, out, &ret_written->outcome);
        ck_assert_int_eq(fclose(out), 0);
        stasis_system_close(cli.system);
        stasis_image_close(cli.image);
        ret_written->document = json_tokener_parse(ret_written->bytes);
        ck_assert_ptr_nonnull(ret_written->document);
}

static void drop(struct written *written)
{
        json_object_put(written->document);
        free(written->bytes);
}

START_TEST(whole)
{
        struct written w;

        write_document("/somewhere/mem", &w);
        ck_assert_str_eq(text_at(w.document, "schema"), "stasis/result/1");
        ck_assert_int_eq(number_at(w.document, "image.size"), 0x4200);
        ck_assert_uint_eq(json_object_array_length(at(w.document, "image.ranges")), 2);
        ck_assert_str_eq(text_at(w.document, "system.name"), "Windows XP");
        ck_assert_uint_eq(json_object_array_length(at(w.document, "threads")), 3);
        ck_assert_uint_eq(json_object_array_length(at(w.document, "processes")), w.outcome.processes);
        ck_assert_uint_ge(json_object_array_length(at(w.document, "modules")), 1);
        ck_assert_uint_eq(json_object_array_length(at(w.document, "deadlocks")), w.outcome.deadlocks);
        ck_assert_uint_eq(json_object_array_length(at(w.document, "notes")), 1);
        ck_assert_str_eq(text_at(w.document, "analysis.sha256"), SHA);
        ck_assert_str_eq(text_at(w.document, "analysis.sandbox[1]"), "seccomp");
        ck_assert_int_eq(number_at(w.document, "analysis.exit_status"), 0);
        ck_assert_ptr_null(at(w.document, "analysis.error"));
        ck_assert_int_eq(w.outcome.exit, CLI_COMPLETE);
        ck_assert_uint_eq(w.outcome.threads, 3);
        ck_assert_uint_eq(w.outcome.notes[STASIS_NOTE_INFO], 1);
        ck_assert(w.outcome.counted && !w.outcome.no_memory);
        ck_assert_ptr_nonnull(strstr(w.outcome.system, "Windows XP"));
        ck_assert_str_eq(w.phases, "system processes threads modules waits ");
        drop(&w);
}
END_TEST

/* Two places, the same bytes. */
START_TEST(no_place)
{
        struct written a, b;

        write_document("/somewhere/mem", &a);
        write_document("/elsewhere/mem.img", &b);
        ck_assert_str_eq(a.bytes, b.bytes);
        ck_assert_ptr_null(strstr(a.bytes, "somewhere"));
        drop(&a);
        drop(&b);
}
END_TEST

START_TEST(deadlocks)
{
        struct written w;

        write_document("mem", &w);
        ck_assert_uint_ge(w.outcome.deadlocks, 1);
        ck_assert_int_eq(number_at(w.document, "deadlocks[0].number"), 1);
        ck_assert_uint_ge(json_object_array_length(at(w.document, "deadlocks[0].threads")), 2);
        drop(&w);
}
END_TEST

START_TEST(partial)
{
        struct written w;

        double_case.severity = STASIS_NOTE_MISSING;
        write_document("mem", &w);
        ck_assert_int_eq(w.outcome.exit, CLI_PARTIAL);
        ck_assert_int_eq(number_at(w.document, "analysis.exit_status"), 3);
        ck_assert_uint_eq(w.outcome.notes[STASIS_NOTE_MISSING], 1);
        drop(&w);
        double_reset();
        double_case.gap = true;
        write_document("mem", &w);
        ck_assert_int_eq(w.outcome.exit, CLI_PARTIAL);
        drop(&w);
}
END_TEST

START_TEST(not_understood)
{
        struct written w;

        double_case.system = STASIS_ABSENT;
        write_document("mem", &w);
        ck_assert_int_eq(w.outcome.exit, CLI_UNREADABLE);
        ck_assert(!w.outcome.counted);
        ck_assert_ptr_null(at(w.document, "system"));
        ck_assert_uint_eq(json_object_array_length(at(w.document, "threads")), 0);
        ck_assert_ptr_nonnull(text_at(w.document, "analysis.error"));
        ck_assert_str_eq(text_at(w.document, "analysis.error"), w.outcome.error);
        ck_assert_int_eq(number_at(w.document, "image.size"), 0x4200);
        drop(&w);
}
END_TEST

START_TEST(not_opened)
{
        struct written w;

        double_case.image = STASIS_CORRUPT;
        write_document("mem", &w);
        ck_assert_int_eq(w.outcome.exit, CLI_UNREADABLE);
        ck_assert_ptr_null(at(w.document, "image"));
        ck_assert_str_eq(text_at(w.document, "analysis.error"), "bad header: e_phoff is past the end");
        ck_assert_int_eq(number_at(w.document, "analysis.exit_status"), 2);
        drop(&w);
}
END_TEST

/* Says nothing about the image: whoever reads the outcome must throw the document away. */
START_TEST(no_memory)
{
        struct written w;

        double_case.system = STASIS_NOMEM;
        write_document("mem", &w);
        ck_assert(w.outcome.no_memory);
        drop(&w);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("result-write");
        TCase *tc = tcase_create("all");

        tcase_add_checked_fixture(tc, double_reset, NULL);
        tcase_add_test(tc, whole);
        tcase_add_test(tc, no_place);
        tcase_add_test(tc, deadlocks);
        tcase_add_test(tc, partial);
        tcase_add_test(tc, not_understood);
        tcase_add_test(tc, not_opened);
        tcase_add_test(tc, no_memory);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
