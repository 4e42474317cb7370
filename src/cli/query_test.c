/* SPDX-License-Identifier: MIT */
/* stasis query: what it answers in each format, what it refuses, and when it gives up. */
#include <sqlite3.h>

#include "runner.h"
#include "sqlite_sample.h"
#include "sqlite_schema.h"

static char path[32];

static void setup(void) { sample_make(path); }
static void teardown(void) { unlink(path); }

/* "@" in words is the file; sql: on the standard input. */
static struct ran query(const char *words, const char *sql)
{
        char line[256];
        size_t before = strcspn(words, "@");

        snprintf(line, sizeof(line), "query %.*s%s%s", (int)before, words, path, words + before + 1);
        return run_with(line, sql);
}

static void expect(const char *words, const char *sql, int status, const char *out, const char *err)
{
        struct ran ran = query(words, sql);

        ck_assert_msg(ran.status == status, "%s %s: status %d\n%s%s", words, sql ? sql : "", ran.status, ran.out,
                      ran.err);
        ck_assert_str_eq(ran.out, out);
        ck_assert_msg(*err ? strstr(ran.err, err) != NULL : !*ran.err, "%s %s: %s", words, sql ? sql : "", ran.err);
        ran_free(&ran);
}

START_TEST(formats)
{
        static const char sql[] = "SELECT 1 AS a, 'x,\"y' AS text, NULL AS n, x'00ff' AS b, 1.5 AS r";

        expect("@ -", sql, 0, "a  text  n  b       r\n1  x,\"y  -  00ff  1.5\n\n1 row\n", "");
        expect("@ - -q", sql, 0, "a  text  n  b       r\n1  x,\"y  -  00ff  1.5\n", "");
        expect("@ - -f csv", sql, 0, "a,text,n,b,r\r\n1,\"x,\"\"y\",,00ff,1.5\r\n", "");
        expect("@ - -f jsonl", sql, 0, "{\"a\":1,\"text\":\"x,\\\"y\",\"n\":null,\"b\":\"00ff\",\"r\":1.5}\n", "");
        struct ran ran = query("@ - -f json", sql);
        struct json_object *doc = ran_json(&ran);
        ck_assert_str_eq(text_at(doc, "schema"), "stasis/query/1");
        ck_assert_str_eq(text_at(doc, "columns[4]"), "r");
        ck_assert_int_eq(number_at(doc, "rows[0].a"), 1);
        ck_assert_ptr_null(at(doc, "rows[0].n"));
        ck_assert_uint_eq(json_object_array_length(at(doc, "rows")), 1);
        json_object_put(doc);
        ran_free(&ran);
        expect("@ -", "SELECT 1 AS a WHERE 0", 0, "a\n\n0 rows\n", "");
        expect("@ - -f csv", "SELECT 1 AS a WHERE 0", 0, "a\r\n", "");
        expect("@ - -f jsonl", "SELECT 1 AS a WHERE 0", 0, "", "");
}
END_TEST

/* A cell of several lines; numbers to the right; no line is longer than the page. */
START_TEST(table)
{
        expect("@ -",
               "SELECT 'a' || char(10) || 'bb' AS text, 7 AS number, 'x' AS c UNION ALL SELECT 'c', 1234567, 'y'", 0,
               "text   number  c\na           7  x\nbb\nc     1234567  y\n\n2 rows\n", "");
        struct ran ran =
                query("@ -", "SELECT replace(hex(zeroblob(40)), '00', 'ab') AS a, replace(hex(zeroblob(90)), '00',"
                             " 'c') AS b, replace(hex(zeroblob(200)), '00', 'd') AS d");
        size_t line = strcspn(ran.out, "\n");
        ck_assert_uint_le(line, 120);
        ck_assert_uint_le(strcspn(ran.out + line + 1, "\n"), 120 + 6); /* three "…" of three bytes */
        ck_assert_ptr_nonnull(strstr(ran.out, "ba…"));
        ran_free(&ran);
        /* thirteen columns: one value a line */
        expect("@ -", "SELECT 1 a, 2 b, 3 c, 4 d, 5 e, 6 f, 7 g, 8 h, 9 i, 10 j, 11 k, 12 l, 'x' || char(10) || 'y' m",
               0,
               "a                         1\nb                         2\nc                         3\n"
               "d                         4\ne                         5\nf                         6\n"
               "g                         7\nh                         8\ni                         9\n"
               "j                         10\nk                         11\nl                         12\n"
               "m                         x\n                          y\n\n1 row\n",
               "");
}
END_TEST

START_TEST(hostile)
{
        static const char sql[] =
                "SELECT 'a' || char(27) || '[2J' || char(0) || 'b' || char(0x202e) || CAST(x'ff' AS TEXT) "
                "AS v";

        expect("@ -", sql, 0,
               "v\na\\x1b[2J\xef\xbf\xbd"
               "b\\u202e\\xff\n\n1 row\n",
               "");
        expect("@ - -f csv", sql, 0,
               "v\r\na\x1b[2J\xef\xbf\xbd"
               "b\xe2\x80\xae\xef\xbf\xbd\r\n",
               "");
        struct ran ran = query("@ - -f json", sql);
        struct json_object *doc = ran_json(&ran);
        ck_assert_str_eq(text_at(doc, "rows[0].v"), "a\x1b[2J\xef\xbf\xbd"
                                                    "b\xe2\x80\xae\xef\xbf\xbd");
        json_object_put(doc);
        ran_free(&ran);
}
END_TEST

/* Nothing but reading, one statement, of this file. */
START_TEST(refused)
{
        static const char *const denied[] = {
                "DELETE FROM threads",
                "DROP TABLE threads",
                "UPDATE images SET path = 'x'",
                "UPDATE sqlite_master SET sql = 'x'",
                "UPDATE sqlite_schema SET sql = 'x'",
                "DELETE FROM sqlite_master",
                "CREATE TABLE x (y)",
                "CREATE TEMP TABLE x (y)",
                "INSERT INTO paths VALUES (1, 'x')",
                "ATTACH '/tmp/x' AS y",
                "VACUUM INTO '/tmp/x'",
                "PRAGMA journal_mode = WAL",
                "PRAGMA user_version = 7",
                "PRAGMA writable_schema = 1",
                "BEGIN",
                "SELECT load_extension('x')",
                "REINDEX",
                "ANALYZE",
                "EXPLAIN DELETE FROM threads",
        };

        for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
                expect("@ -", denied[i], 1, "", "SQL: ");
        expect("@ -", "SELECT 1; SELECT 2", 1, "", "only one statement");
        expect("@ -", "SELECT 1; DROP TABLE threads", 1, "", "only one statement");
        expect("@ -", "SELECT 1 AS a; -- the end", 0, "a\n1\n\n1 row\n", "");
        expect("@ -", " -- nothing", 1, "", "there is no statement");
        expect("@ -", "SELECT x", 1, "", "no such column");
        expect("@ - -f json", "SELECT 1 AS a, 2 AS a", 1, "", "two columns are named 'a'");
        expect("@ - -f jsonl", "SELECT 1 AS a, 2 AS a", 1, "", "two columns are named 'a'");
        expect("@ -", "SELECT 1 AS a, 2 AS a", 0, "a  a\n1  2\n\n1 row\n", "");
        expect("@ -", "SELECT value AS v FROM json_each('[7]')", 0, "v\n7\n\n1 row\n", "");
        expect("@ -", "SELECT name FROM pragma_table_info('paths')", 0, "name\nimage_id\npath\n\n2 rows\n", "");
        expect("@ -", "PRAGMA user_version", 0, "user_version\n           1\n\n1 row\n", "");
        expect("@ nothing", NULL, 1, "", "no question 'nothing'");
        expect("@ in", NULL, 1, "", "in needs a value: FUNCTION");
        expect("@ versions 1", NULL, 1, "", "one value too many");
        expect("@ longest-waits abc", NULL, 1, "", "longest-waits: COUNT is a number, and 'abc' is none");
        expect("@ hanging-drivers 1e3", NULL, 1, "", "SECONDS is a number");
        expect("@ -", "DELETE FROM threads", 1, "", "the file is only read, and only SELECT is run");
        expect("@ -", "SELECT ?1", 1, "", "1 values to be given, and 0 are");
        expect("@ - 1", "SELECT 1", 1, "", "0 values to be given, and 1 are");
        expect("@ versions --reader raw", NULL, 1, "", "no option --reader");
        char words[96];
        snprintf(words, sizeof(words), "@ versions --output %s", path);
        expect(words, NULL, 1, "", "is an input");
}
END_TEST

START_TEST(values)
{
        expect("@ - 7 x", "SELECT typeof(?1) AS a, typeof(?2) AS b, ?1 + 1 AS c", 0,
               "a        b     c\ninteger  text  8\n\n1 row\n", "");
        expect("@ - 007 +7", "SELECT ?1 AS a, ?2 AS b", 0, "a    b\n007  +7\n\n1 row\n", "");
        expect("@ - ');DROP", "SELECT ?1 AS a", 0, "a\n');DROP\n\n1 row\n", "");
}
END_TEST

START_TEST(bounds)
{
        static const char endless[] =
                "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r";
        struct ran ran = query("@ - --timeout 1", endless);

        ck_assert_int_eq(ran.status, 2);
        ck_assert_ptr_nonnull(strstr(ran.err, "no answer within 1 seconds"));
        ran_free(&ran);
        ran = query("@ - --timeout 0",
                    "SELECT count(*) FROM threads a, threads b, threads c, threads d, threads e, threads f");
        ck_assert_int_eq(ran.status, 2);
        ran_free(&ran);
        ran = query("@ -", "SELECT zeroblob(100000000)");
        ck_assert_int_ne(ran.status, 0);
        ran_free(&ran);
}
END_TEST

START_TEST(files)
{
        expect_all("query", 1, "", "no file or folder is given");
        expect_all("query /nowhere/at/all", 2, "", "No such file");
        expect_all("query /", 2, "", "/: is a folder");
        sqlite3 *raw = NULL;
        sqlite3_open(path, &raw);
        sqlite3_exec(raw, "PRAGMA user_version = 2", NULL, NULL, NULL);
        expect("@ versions", NULL, 2, "", "tables of version 2");
        sqlite3_exec(raw, "PRAGMA application_id = 2", NULL, NULL, NULL);
        expect("@ versions", NULL, 2, "", "is no database that 'stasis batch --sqlite' wrote");
        sqlite3_close(raw);
        FILE *file = fopen(path, "w");
        fputs("nothing of that kind at all, but long enough to be looked at", file);
        fclose(file);
        expect("@ versions", NULL, 2, "", "not a database");
}
END_TEST

START_TEST(listed)
{
        struct ran ran = query("@", NULL);

        ck_assert_int_eq(ran.status, 0);
        for (const struct question *question = questions; question->name; question++)
                ck_assert_msg(strstr(ran.out, question->name) != NULL, "%s", question->name);
        ck_assert_ptr_nonnull(strstr(ran.out, "in FUNCTION [MODULE]"));
        ran_free(&ran);
}
END_TEST

/* Every question runs; what each says of the sample. */
START_TEST(named)
{
        static const struct {
                const char *words, *out;
        } row[] = {
                { "@ hanging-drivers -q", "driver    machines  threads  seconds  stack\n"
                                          "disk.sys         2        6       90  ntoskrnl.exe!KiSwapContext+0x5\n"
                                          "                                      disk.sys+0x1000\n" },
                { "@ hanging-drivers 60 -q -f csv",
                  "driver,machines,threads,seconds,stack\r\n"
                  "disk.sys,2,3,90,\"ntoskrnl.exe!KiSwapContext+0x5\ndisk.sys+0x1000\"\r\n" },
                { "@ longest-waits 1 -f csv",
                  "seconds,image,pid,tid,process,wait_reason,waits_for\r\n90,a,4,8,System,,\r\n" },
                { "@ deadlocks -f csv", "image,deadlock,timed,pid,tid,process,waits_for\r\na,1,0,4,8,,Mutant\r\n"
                                        "b,1,0,4,8,,Mutant\r\nc,1,0,4,8,,Mutant\r\n" },
                { "@ blocked 1 -f csv",
                  "seconds,image,process,pid,tid,waits_for,owner_process,owner_pid,owner_tid,owner_state\r\n"
                  "1,a,System,4,12,m,System,4,8,Waiting\r\n" },
                { "@ hidden-threads -f csv",
                  "reason,image,pid,tid,process,object,start_symbol,unseen_by\r\ncid-only,a,4,12,System,0x200,,\r\n"
                  "cid-only,b,4,12,System,0x200,,\r\ncid-only,c,4,12,System,0x200,,\r\n" },
                { "@ not-understood -f csv",
                  "verdict,exit_status,image,format,size,error\r\nkilled,2,d,,,its worker was killed\r\n" },
                { "@ partial -f csv", "code,images,notes,example\r\ntorn,3,3,torn\r\n" },
                { "@ stacks 1 -f jsonl",
                  "{\"machines\":2,\"threads\":6,\"stack\":\"ntoskrnl.exe!KiSwapContext+0x5\\ndisk.sys+0x1000\"}\n" },
                { "@ in NtWait -f csv", "stack,number,frame,image,pid,tid,process,state\r\nuser,0,ntdll.dll!NtWait+0xa,"
                                        "a,4,12,System,Waiting\r\n"
                                        "user,0,ntdll.dll!NtWait+0xa,b,4,12,System,Waiting\r\n"
                                        "user,0,ntdll.dll!NtWait+0xa,c,4,12,System,Waiting\r\n" },
                { "@ in NtWait nt%.exe -f csv", "stack,number,frame,image,pid,tid,process,state\r\n" },
                { "@ threads-of sys% -f csv",
                  "image,pid,tid,process,state,wait_reason,start_symbol\r\na,4,8,System,Waiting,,\r\n"
                  "a,4,12,System,Waiting,,\r\nb,4,8,System,Waiting,,\r\nb,4,12,System,Waiting,,\r\n"
                  "c,4,8,System,Waiting,,\r\nc,4,12,System,Waiting,,\r\n" },
                { "@ noted-threads -f csv", "code,image,pid,tid,process,text\r\ncid-disagrees,a,4,8,System,t\r\n"
                                            "cid-disagrees,b,4,8,System,t\r\ncid-disagrees,c,4,8,System,t\r\n" },
                { "@ noted-threads other -f csv", "code,image,pid,tid,process,text\r\n" },
                { "@ versions -f csv", "name,version,architecture,images,machines,layout\r\n"
                                       "Windows 7,6.1.7601,x64,3,2,exact\r\n" },
                { "@ drivers -f csv", "machines,name,timestamp,size,path\r\n2,disk.sys,,0x1000,\r\n" },
                { "@ crashes -f csv", "bugcheck,images,example\r\n0x1e,3,a\r\n" },
                { "@ duplicates -f csv", "sha256,places,paths\r\na,2,\"a\na again\"\r\n" },
        };

        for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
                expect(row[i].words, NULL, 0, row[i].out, "");
        for (const struct question *question = questions; question->name; question++) {
                bool asked = false;
                for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
                        size_t len = strlen(question->name);
                        asked |= strncmp(row[i].words + 2, question->name, len) == 0 && row[i].words[2 + len] == ' ';
                }
                ck_assert_msg(asked, "%s is not asked here", question->name);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("query");
        TCase *tcase = tcase_create("query");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, formats);
        tcase_add_test(tcase, table);
        tcase_add_test(tcase, hostile);
        tcase_add_test(tcase, refused);
        tcase_add_test(tcase, values);
        tcase_add_test(tcase, bounds);
        tcase_add_test(tcase, files);
        tcase_add_test(tcase, listed);
        tcase_add_test(tcase, named);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
