/* SPDX-License-Identifier: MIT */
/* From journals to a summary: lines spelled out, and what must stand of them in the answer. */
#include "batch.h"
#include "../test/folder.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

static char folder[64];

static void setup(void)
{
        snprintf(folder, sizeof(folder), "/tmp/stasis-finish-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        ck_assert_int_eq(chdir(folder), 0);
}

static void teardown(void)
{
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(folder_remove(folder), 0);
}

static void write_journal(const char *path, const char *lines)
{
        FILE *file = fopen(path, "w");

        ck_assert_ptr_nonnull(file);
        ck_assert_int_ge(fputs(lines, file), 0);
        fclose(file);
}

#define SHA_A "0000000000000000000000000000000000000000000000000000000000000001"
#define SHA_B "0000000000000000000000000000000000000000000000000000000000000002"
#define END "\tend\n"

static struct batch_totals totals;

/* "name status same_as|..." of the lines, out of these journals; "" stands for none. */
static void sum_up(const char *first, const char *second, const char *lines)
{
        static const char *const journals[] = { "one", "two" };
        struct cli cli = { .err = stderr };
        struct batch_out out = { .dir = open(".", O_RDONLY | O_DIRECTORY), .results = -1 };
        struct batch_answer answer;
        struct text told = { 0 };
        char *line = NULL;
        size_t capacity = 0;

        write_journal("one", first);
        write_journal("two", second);
        batch_finish_here(&cli, journals, *second ? 2 : 1, &out, &answer);
        ck_assert_int_eq(answer.error, 0);
        totals = answer.totals;
        FILE *file = fopen("summary.jsonl", "r");
        ck_assert_ptr_nonnull(file);
        while (getline(&line, &capacity, file) > 0) {
                struct json_object *object = json_tokener_parse(line);
                static const char *const keys[] = { "name", "member", "status", "same_as" };
                for (int i = 0; i < 4; i++) {
                        struct json_object *value = NULL;
                        ck_assert(json_object_object_get_ex(object, keys[i], &value));
                        text_printf(&told, "%s%s", value ? json_object_get_string(value) : "-", i < 3 ? " " : "|");
                }
                json_object_put(object);
        }
        ck_assert_str_eq(text_get(&told), lines);
        free(line);
        fclose(file);
        close(out.dir);
        text_free(&told);
}

/* The last line of a name counts; names stand in their order, whatever that of the journal is. */
START_TEST(last_lines)
{
        sum_up("path=b\tverdict=3" END "path=a\tverdict=9" END "path=b\tverdict=6" END, "",
               "a - crashed -|b - unreadable -|");
        ck_assert_uint_eq(totals.entries, 2);
        ck_assert_uint_eq(totals.inputs, 2);
        ck_assert_uint_eq(totals.counts[VERDICT_UNREADABLE], 1);
        ck_assert_uint_eq(totals.counts[VERDICT_NO_IMAGE], 0);
        ck_assert_uint_eq(totals.contents, 1);                                  /* the one that killed its worker */
        sum_up("path=a\tverdict=3" END "path=a\tverdi", "", "a - no image -|"); /* cut */
}
END_TEST

/* What is told of a content is told of all its names; the first name is that which the others are the same as. */
START_TEST(same_contents)
{
        sum_up("path=b\tverdict=0\tsha256=" SHA_A END "path=a\tverdict=14\tsha256=" SHA_A END
               "path=c\tverdict=1\tsha256=" SHA_B END,
               "", "a - complete -|b - complete a|c - partial -|");
        ck_assert_uint_eq(totals.contents, 2);
        ck_assert_uint_eq(totals.counts[VERDICT_COMPLETE], 2);
        sum_up("path=a\tverdict=14\tsha256=" SHA_A END "path=b\tverdict=0\tsha256=" SHA_B END, "",
               "b - complete -|"); /* nothing tells of it */
        ck_assert_uint_eq(totals.entries, 1);
}
END_TEST

/* Of another shard's journal what that one tells; each name once, though both have it. */
START_TEST(two_journals)
{
        sum_up("path=a\tverdict=15\tsha256=" SHA_A END "path=b\tverdict=3" END, "path=a\tverdict=0\tsha256=" SHA_A END,
               "a - complete -|b - no image -|");
        ck_assert_uint_eq(totals.entries, 2);
        sum_up("path=a\tverdict=3" END, "path=a\tverdict=3" END, "a - no image -|");
        ck_assert_uint_eq(totals.entries, 1);
        sum_up("path=a\tverdict=15\tsha256=" SHA_A END, "", ""); /* whose journal is not given */
        ck_assert_uint_eq(totals.entries, 0);
}
END_TEST

/* Files of archives without a line are counted, at both depths; names are those of the files alone. */
START_TEST(lost_members)
{
        sum_up("path=z\tverdict=7\tmembers=2" END "path=z\tmember=m\tverdict=7\tmembers=2" END
               "path=z\tmember=m\tinner=i\tverdict=3" END "path=z\tmember=n\tverdict=3" END,
               "", "z - archive -|z m archive -|z m no image -|z n no image -|");
        ck_assert_uint_eq(totals.lost_members, 1); /* one of m */
        ck_assert_uint_eq(totals.inputs, 1);
        sum_up("path=z\tverdict=7\tmembers=3" END "path=z\tmember=m\tverdict=3" END "path=zz\tverdict=3" END, "",
               "z - archive -|z m no image -|zz - no image -|");
        ck_assert_uint_eq(totals.lost_members, 2);
        uint8_t names[DIGEST_LEN] = { 0 };
        names_add(names, "zz");
        names_add(names, "z");
        ck_assert_mem_eq(totals.names, names, DIGEST_LEN);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("batch-finish");
        TCase *tc = tcase_create("all");

        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, last_lines);
        tcase_add_test(tc, same_contents);
        tcase_add_test(tc, two_journals);
        tcase_add_test(tc, lost_members);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
