/* SPDX-License-Identifier: MIT */
/* The parts of batch that no process is needed for: digests, sets, shards, lines of the journal, finding files. */
#include "batch.h"
#include "../test/folder.h"

#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

static void digest_of(const char *text, uint8_t ret_digest[static DIGEST_LEN])
{
        struct digest digest;

        digest_begin(&digest);
        digest_add(&digest, text, strlen(text));
        digest_end(&digest, ret_digest);
}

/* FIPS 180-2, appendix B.1 and the empty message. */
START_TEST(digests)
{
        uint8_t digest[DIGEST_LEN], back[DIGEST_LEN];
        char hex[DIGEST_HEX];

        digest_of("abc", digest);
        digest_hex(digest, hex);
        ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        ck_assert(digest_parse(hex, back));
        ck_assert_mem_eq(digest, back, DIGEST_LEN);
        digest_of("", digest);
        digest_hex(digest, hex);
        ck_assert_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        hex[5] = 'g';
        ck_assert(!digest_parse(hex, back));
        ck_assert(!digest_parse("e3b0", back));
        ck_assert(!digest_parse("../../../../../../../../../../../../../../../../../../etc/passwd.", back));
}
END_TEST

START_TEST(sets)
{
        struct digest_set set = { 0 };
        uint8_t digest[DIGEST_LEN];
        char text[16];

        for (int i = 0; i < 5000; i++) {
                snprintf(text, sizeof(text), "%d", i);
                digest_of(text, digest);
                ck_assert(!digest_set_has(&set, digest));
                digest_set_add(&set, digest);
                digest_set_add(&set, digest);
                ck_assert(digest_set_has(&set, digest));
        }
        ck_assert_uint_eq(set.count, 5000);
        digest_of("0", digest);
        ck_assert(digest_set_has(&set, digest));
        digest_set_free(&set);
}
END_TEST

/* ---- shards */

START_TEST(shard_words)
{
        struct shard shard = { 0 };
        char why[160];

        unsetenv("SLURM_ARRAY_TASK_ID");
        unsetenv("JOB_COMPLETION_INDEX");
        ck_assert(shard_parse("2/8", &shard, why));
        ck_assert_uint_eq(shard.number, 2);
        ck_assert_uint_eq(shard.of, 8);
        static const char *const bad[] = { "0/8", "9/8",  "1/0",   "/8",    "1/",   "1",
                                           "x/8", "-1/8", "slurm", "k8s/4", "auto", "" };
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                ck_assert_msg(!shard_parse(bad[i], &shard, why) && *why, "%s", bad[i]);
        setenv("JOB_COMPLETION_INDEX", "3", 1);
        ck_assert(shard_parse("k8s/4", &shard, why));
        ck_assert_uint_eq(shard.number, 4);
        ck_assert(shard_parse("auto/4", &shard, why));
        ck_assert(!shard_parse("k8s", &shard, why));
        ck_assert(!shard_parse("k8s/3", &shard, why)); /* the fourth of three */
        setenv("SLURM_ARRAY_TASK_ID", "14", 1);
        setenv("SLURM_ARRAY_TASK_MIN", "10", 1);
        setenv("SLURM_ARRAY_TASK_COUNT", "5", 1);
        ck_assert(shard_parse("slurm", &shard, why));
        ck_assert_uint_eq(shard.number, 5);
        ck_assert_uint_eq(shard.of, 5);
        setenv("SLURM_ARRAY_TASK_STEP", "2", 1);
        ck_assert(shard_parse("auto", &shard, why));
        ck_assert_uint_eq(shard.number, 3);
        setenv("SLURM_ARRAY_TASK_ID", "13", 1);
        ck_assert(!shard_parse("slurm", &shard, why));
        unsetenv("SLURM_ARRAY_TASK_STEP");
        unsetenv("SLURM_ARRAY_TASK_ID");
        unsetenv("JOB_COMPLETION_INDEX");
}
END_TEST

/* Each name is in one shard, and no shard is left out. */
START_TEST(shard_parts)
{
        unsigned counts[7] = { 0 };
        char name[32];

        for (int i = 0; i < 700; i++) {
                unsigned in = 0;
                snprintf(name, sizeof(name), "dump-%d.raw", i);
                for (uint64_t k = 1; k <= 7; k++) {
                        const struct shard shard = { k, 7, SHARD_BY_NAME };
                        bool has = shard_has_key(&shard, name, strlen(name));
                        counts[k - 1] += has;
                        in += has;
                }
                ck_assert_uint_eq(in, 1);
        }
        for (int k = 0; k < 7; k++)
                ck_assert_uint_gt(counts[k], 60);
        const struct shard none = { 0 };
        ck_assert(shard_has_key(&none, "x", 1));
}
END_TEST

/* ---- lines */

static void set(char **text, const char *value) { entry_set(text, value, value ? strlen(value) : 0); }

START_TEST(journal_lines)
{
        struct entry entry, back;
        struct text line = { 0 };
        const char *hostile = "a\nb\tc\\d=e\x01\xff\xc3\xa4 f";

        entry_init(&entry);
        set(&entry.path, hostile);
        set(&entry.member, "m\n");
        set(&entry.inner, "");
        set(&entry.sha256, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        set(&entry.error, hostile);
        entry.verdict = VERDICT_PARTIAL;
        entry.threads = 0;
        entry.size = UINT64_MAX - 1;
        entry_line(&entry, &line);
        ck_assert_ptr_eq(strchr(line.at, '\n'), line.at + line.len - 1);
        ck_assert(entry_parse(line.at, line.len - 1, &back));
        ck_assert_str_eq(back.path, hostile);
        ck_assert_str_eq(back.member, "m\n");
        ck_assert_str_eq(back.inner, "");
        ck_assert_str_eq(back.error, hostile);
        ck_assert_uint_eq(back.verdict, VERDICT_PARTIAL);
        ck_assert_uint_eq(back.threads, 0);
        ck_assert_uint_eq(back.processes, STASIS_NOWHERE);
        ck_assert_uint_eq(back.size, UINT64_MAX - 1);
        ck_assert_int_eq(entry_compare(&entry, &back), 0);
        entry_free(&back);
        for (size_t cut = 0; cut + 1 < line.len; cut++)
                ck_assert(!entry_parse(line.at, cut, &back));
        text_free(&line);
        entry_free(&entry);
}
END_TEST

START_TEST(journal_damage)
{
        static const char *const bad[] = {
                "",
                "end",
                "path=a\tend",
                "path=a\tverdict=99\tend",
                "path=a\tverdict=x\tend",
                "verdict=0\tend",
                "path=a\tverdict=0\tinner=i\tend",
                "path=a\tverdict=0\tsha256=../x\tend",
                "path=\\0\tverdict=0\tend",
                "path=a\tverdict=0\tother=1\tend",
                "path=a\tverdict=0\tend\tsize=1",
        };
        struct entry entry;

        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                ck_assert_msg(!entry_parse(bad[i], strlen(bad[i]), &entry), "%s", bad[i]);
        ck_assert(entry_parse("path=a\tverdict=0\tend", 20, &entry));
        entry_free(&entry);
}
END_TEST

START_TEST(summary_lines)
{
        struct entry entry;
        char *bytes = NULL;
        size_t len = 0;
        FILE *out = open_memstream(&bytes, &len);

        entry_init(&entry);
        set(&entry.path, "d/\xff\n.zip");
        set(&entry.member, "m");
        entry.verdict = VERDICT_CRASHED;
        set(&entry.end, "SIGSEGV");
        set(&entry.phase, "threads");
        entry_summary(&entry, NULL, out);
        fclose(out);
        ck_assert_ptr_eq(strchr(bytes, '\n'), bytes + len - 1);
        struct json_object *line = json_tokener_parse(bytes), *value;
        ck_assert(json_object_object_get_ex(line, "name", &value));
        ck_assert_str_eq(json_object_get_string(value), "d/\\xff\n.zip");
        ck_assert(json_object_object_get_ex(line, "name_hex", &value));
        ck_assert_str_eq(json_object_get_string(value), "642fff0a2e7a6970006d");
        ck_assert(json_object_object_get_ex(line, "end", &value));
        ck_assert_str_eq(json_object_get_string(value), "SIGSEGV");
        ck_assert(json_object_object_get_ex(line, "result", &value) && !value);
        json_object_put(line);
        free(bytes);
        entry_free(&entry);
}
END_TEST

/* ---- finding */

static char folder[64];

static void setup(void)
{
        snprintf(folder, sizeof(folder), "/tmp/stasis-batch-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        ck_assert_int_eq(chdir(folder), 0);
        ck_assert_int_eq(mkdir("in", 0700) | mkdir("in/sub", 0700) | mkdir("in/out", 0700), 0);
        ck_assert_int_eq(symlink("..", "in/sub/loop") | symlink("../b", "in/sub/link") | symlink("nowhere", "in/gone"),
                         0);
        static const char *const files[] = { "in/b", "in/a", "in/sub/c\nd", "in/sub/\xff", "in/out/not" };
        for (size_t i = 0; i < 5; i++)
                close(open(files[i], O_CREAT | O_WRONLY, 0600));
        ck_assert_int_eq(mkfifo("in/pipe", 0600), 0);
}

static void teardown(void)
{
        ck_assert_int_eq(chdir("/"), 0);
        ck_assert_int_eq(folder_remove(folder), 0);
}

static void see_odd(void *ctx, const char *path, enum verdict verdict, const char *why)
{
        (void)why;
        text_printf(ctx, "%s %s|", verdict_names[verdict], path);
}

static void find(char **words, size_t count, const char *files, const char *odd_files, enum cli_exit status)
{
        struct cli cli = { .arg = words, .arg_count = count, .output = "in/out", .err = stderr, .in = stdin };
        struct batch_items items = { 0 };
        struct text found = { 0 }, odd = { 0 };
        int out = open("in/out", O_RDONLY | O_DIRECTORY);

        ck_assert_int_eq(batch_find(&cli, out, &items, see_odd, &odd), status);
        for (size_t i = 0; i < items.count; i++)
                text_printf(&found, "%s|", items.at[i].path);
        ck_assert_str_eq(text_get(&found), files);
        ck_assert_str_eq(text_get(&odd), odd_files);
        close(out);
        items_free(&items);
        text_free(&found);
        text_free(&odd);
}

START_TEST(folders)
{
        char *words[] = { (char[]){ "in" }, (char[]){ "in/a" } };

        find(words, 2, "in/a|in/b|in/sub/c\nd|in/sub/link|in/sub/\xff|",
             "unreadable in/gone|skipped in/pipe|skipped in/sub/loop|", CLI_COMPLETE);
}
END_TEST

static void write_list(const char *path, const char *bytes, size_t len)
{
        FILE *file = fopen(path, "w");

        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
        fclose(file);
}

START_TEST(lists)
{
        static const char lines[] = "# of today\nb\r\n\nsub/../a\nsub\nnone", nuls[] = "sub/c\nd\0b";
        char *words[] = { (char[]){ "@in/list" } }, *missing[] = { (char[]){ "@in/no-list" } };

        write_list("in/list", lines, sizeof(lines) - 1);
        find(words, 1, "in/b|in/sub/../a|in/sub/c\nd|in/sub/link|in/sub/\xff|",
             "skipped in/sub/loop|unreadable in/none|", CLI_COMPLETE);
        write_list("in/list", nuls, sizeof(nuls) - 1);
        find(words, 1, "in/b|in/sub/c\nd|", "", CLI_COMPLETE);
        find(missing, 1, "", "", CLI_UNREADABLE);
}
END_TEST

/* Deeper than is gone into: said, and no descriptor is lost on the way. */
START_TEST(depth)
{
        char path[1024] = "in/sub";
        char *words[] = { (char[]){ "in/sub" } };
        struct cli cli = { .arg = words, .arg_count = 1, .output = "in/out", .err = stderr };
        struct batch_items items = { 0 };
        struct text odd = { 0 };

        for (int i = 0; i < 80; i++) {
                strcat(path, "/d");
                ck_assert_int_eq(mkdir(path, 0700), 0);
        }
        int out = open("in/out", O_RDONLY | O_DIRECTORY);
        ck_assert_int_eq(batch_find(&cli, out, &items, see_odd, &odd), CLI_COMPLETE);
        ck_assert_ptr_nonnull(strstr(text_get(&odd), "skipped in/sub/d/d/"));
        close(out);
        items_free(&items);
        text_free(&odd);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("batch");
        TCase *tc = tcase_create("parts"), *files = tcase_create("files");

        tcase_add_test(tc, digests);
        tcase_add_test(tc, sets);
        tcase_add_test(tc, shard_words);
        tcase_add_test(tc, shard_parts);
        tcase_add_test(tc, journal_lines);
        tcase_add_test(tc, journal_damage);
        tcase_add_test(tc, summary_lines);
        suite_add_tcase(suite, tc);
        tcase_add_checked_fixture(files, setup, teardown);
        tcase_add_test(files, folders);
        tcase_add_test(files, lists);
        tcase_add_test(files, depth);
        suite_add_tcase(suite, files);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
