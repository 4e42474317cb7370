/* SPDX-License-Identifier: MIT */
/* What one result becomes in the tables; and that nothing else becomes anything. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "json_pull.h"
#include "sqlite_sample.h"

static char path[32];

/* The first value of an answer as text, "NULL" for none; its columns joined by '|'. */
static const char *ask(const char *sql)
{
        static char answer[1024];
        sqlite3 *db = NULL;
        sqlite3_stmt *stmt = NULL;

        ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
        ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
        strcpy(answer, "no row");
        if (sqlite3_step(stmt) == SQLITE_ROW) {
                *answer = '\0';
                for (int i = 0; i < sqlite3_column_count(stmt); i++) {
                        const char *text = (const char *)sqlite3_column_text(stmt, i);
                        size_t len = strlen(answer);
                        snprintf(answer + len, sizeof(answer) - len, "%s%s", i ? "|" : "", text ? text : "NULL");
                }
        }
        sqlite3_finalize(stmt);
        sqlite3_close(db);
        return answer;
}

static void setup(void) { sample_make(path); }
static void teardown(void) { unlink(path); }

START_TEST(columns)
{
        ck_assert_str_eq(
                ask("SELECT path, verdict, exit_status, error, sandbox, stasis, schema, format, size, bugcheck "
                    "FROM images WHERE sha256 = 'a'"),
                "a|partial|3|NULL|[\"seccomp\"]|0.1.0|stasis/result/1|raw|4096|0x1e");
        ck_assert_str_eq(ask("SELECT name, version, build, architecture, kernel_base, layout_confidence, up_time FROM "
                             "systems LIMIT 1"),
                         "Windows 7|6.1.7601|7601|x64|0x80000000|exact|NULL");
        ck_assert_str_eq(ask("SELECT pid, name, object, create_time, command_line FROM processes LIMIT 1"),
                         "4|System|0x10|2009-01-01T00:00:00Z|NULL");
        ck_assert_str_eq(
                ask("SELECT typeof(tid), tid, process, state, wait_age, teb, start_address FROM threads ORDER BY "
                    "thread_id LIMIT 1"),
                "integer|8|System|Waiting|90000|NULL|0x6");
        ck_assert_str_eq(
                ask("SELECT stack, number, module, symbol, offset, pc, slot, how, trust, exact FROM frames WHERE"
                    " thread_id = 2 ORDER BY 1, 2"),
                "kernel|0|ntoskrnl.exe|KiSwapContext|5|0x80001000|NULL|register|proved|1");
        ck_assert_str_eq(ask("SELECT group_concat(stack || number || module) FROM frames WHERE thread_id = 2"),
                         "kernel0ntoskrnl.exe,kernel1disk.sys,user0ntdll.dll");
        ck_assert_str_eq(
                ask("SELECT number, kind, name, waits_for, owner, owner_pid, owner_tid, record FROM waits WHERE"
                    " thread_id = 2"),
                "0|MutantObject|m|mutant|0x100|4|8|{\"block\":\"0x301\",\"absent\":{}}");
        ck_assert_str_eq(ask("SELECT name, base, size FROM modules"), "disk.sys|0x80001000|0x1000");
        ck_assert_str_eq(ask("SELECT number, timed, threads FROM deadlocks"), "1|0|[]");
        ck_assert_str_eq(ask("SELECT number, pid, tid, object, waits_for FROM deadlock_steps"), "0|4|8|0x100|Mutant");
        ck_assert_str_eq(ask("SELECT severity, code, text, object, pid, tid FROM notes"),
                         "warning|cid-disagrees|t|0x100|4|8");
}
END_TEST

/* What has a column or rows is not in the record again; what is absent is there by its reason alone. */
START_TEST(records)
{
        ck_assert_str_eq(ask("SELECT record FROM threads WHERE thread_id = 1"),
                         "{\"affinity\":\"0x3\",\"start_address\":\"0x7\",\"absent\":{\"teb\":\"paged out\"}}");
        ck_assert_str_eq(ask("SELECT record FROM processes LIMIT 1"),
                         "{\"directory_table_base\":\"0x1000\",\"absent\":{\"command_line\":\"paged out\"}}");
        ck_assert_str_eq(ask("SELECT json_extract(record, '$.hints.bugcheck'), json_extract(analysis, '$.exit_status') "
                             "FROM images WHERE sha256 = 'a'"),
                         "0x1e|3");
}
END_TEST

START_TEST(counts)
{
        ck_assert_str_eq(
                ask("SELECT (SELECT count(*) FROM images), (SELECT count(*) FROM systems), (SELECT count(*) FROM"
                    " threads), (SELECT count(*) FROM frames), (SELECT count(*) FROM notes), (SELECT count(*) "
                    "FROM paths)"),
                "4|3|9|15|6|5");
        ck_assert_str_eq(ask("SELECT verdict, exit_status, error, schema, format FROM images WHERE sha256 = 'd'"),
                         "killed|2|its worker was killed|NULL|NULL");
        ck_assert_str_eq(
                ask("SELECT group_concat(path, '+') FROM (SELECT path FROM paths WHERE image_id = 1 ORDER BY 1)"),
                "a+a again");
        ck_assert_str_eq(ask("PRAGMA user_version"), "1");
        ck_assert_str_eq(ask("PRAGMA application_id"), "1937006963");
        ck_assert_str_eq(ask("PRAGMA journal_mode"), "delete");
}
END_TEST

START_TEST(views)
{
        ck_assert_str_eq(ask("SELECT images, threads, version FROM machines ORDER BY images DESC"), "2|6|6.1.7601");
        ck_assert_str_eq(ask("SELECT count(*) FROM machines"), "2");
        ck_assert_str_eq(ask("SELECT frames, text FROM stack_text WHERE thread_id = 2 AND stack = 'kernel'"),
                         "2|ntoskrnl.exe!KiSwapContext+0x5\ndisk.sys+0x1000");
        ck_assert_str_eq(ask("SELECT count(*) FROM stack_text"), "9");
        ck_assert_str_eq(ask("SELECT tid, owner_thread_id, owner_tid, owner_state FROM blocked_by"), "12|1|8|Waiting");
        ck_assert_str_eq(ask("SELECT tid, ppid, system, session, process_created FROM thread_full WHERE thread_id = 1"),
                         "8|NULL|Windows 7|NULL|2009-01-01T00:00:00Z");
        ck_assert_str_eq(ask("SELECT count(*) FROM thread_full"), "9");
        ck_assert_str_eq(ask("SELECT number, driver, symbol, offset FROM driver_frame WHERE thread_id = 1"),
                         "1|disk.sys|NULL|4096");
        ck_assert_str_eq(ask("SELECT tid, code FROM thread_notes"), "8|cid-disagrees");
}
END_TEST

START_TEST(comes_again)
{
        struct stasis_error err = { 0 };
        struct sqlite_db *db = sample_open(path);

        ck_assert_int_eq(sample_add(db, "a", SAMPLE("0xa0000000"), &err), STASIS_OK);
        ck_assert_int_eq(sqlite_has(db, "a", &err), STASIS_OK);
        ck_assert_int_eq(sqlite_has(db, "z", &err), STASIS_ABSENT);
        ck_assert_int_eq(sqlite_add_path(db, "z", "p", &err), STASIS_ABSENT);
        ck_assert_int_eq(sqlite_add_path(db, "a", "a", &err), STASIS_OK); /* it is there */
        ck_assert_str_eq(ask("SELECT count(*) FROM paths WHERE image_id = 1"), "1");
        ck_assert_str_eq(ask("SELECT count(*) FROM threads"), "9");
        ck_assert_str_eq(ask("SELECT count(*) FROM frames"), "15");
        ck_assert_str_eq(ask("SELECT count(*) FROM machines"), "3");
        ck_assert_int_eq(sample_add(db, "a", NULL, &err), STASIS_OK); /* and now its worker did not end */
        ck_assert_str_eq(ask("SELECT count(*) FROM frames"), "10");
        ck_assert_str_eq(ask("SELECT count(*), max(image_id) FROM images"), "4|4");
        sqlite_close(db);
        ck_assert_str_eq(ask("PRAGMA foreign_key_check"), "no row");
        ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
}
END_TEST

START_TEST(hostile_text)
{
        static const char document[] = "{\"schema\":\"stasis/threads/1\",\"threads\":[{\"process\":\"" HOSTILE_JSON
                                       "\",\"tid\":18446744073709551615,\"pid\":\"" HOSTILE_JSON "\",\"" HOSTILE_JSON
                                       "\":1,\"wait_age\":-5,\"state\":[1,{\"a\":2}],\"priority\":1.5}]}";
        struct stasis_error err = { 0 };
        struct sqlite_db *db = sample_open(path);

        ck_assert_msg(sample_add(db, "\xff'\"", document, &err) == STASIS_OK, "%s", err.text);
        sqlite_close(db);
        ck_assert_str_eq(ask("SELECT count(*) FROM threads"), "10");
        ck_assert_str_eq(ask("SELECT length(CAST(process AS BLOB)), hex(process) LIKE '%2D2D00%' FROM threads WHERE "
                             "image_id = 5"),
                         "41|1");
        ck_assert_str_eq(
                ask("SELECT typeof(tid), tid, typeof(pid), state, wait_age, priority FROM threads WHERE image_id = 5"),
                "text|0xffffffffffffffff|text|[1,{\"a\":2}]|-5|1.5");
        ck_assert_str_eq(ask("SELECT sha256 FROM images WHERE image_id = 5"), "\xef\xbf\xbd'\"");
}
END_TEST

static void expect_refused(struct sqlite_db *db, const char *document, const char *why)
{
        struct stasis_error err = { 0 };

        ck_assert_msg(sample_add(db, "a", document, &err) == STASIS_CORRUPT, "%s: taken", document);
        ck_assert_msg(strstr(err.text, why) != NULL, "%s: %s", document, err.text);
}

START_TEST(no_document)
{
        struct sqlite_db *db = sample_open(path);

        expect_refused(db, " ", "no JSON document");
        expect_refused(db, "[]", "no JSON document");
        expect_refused(db, "{}", "no result of stasis");
        expect_refused(db, "{\"schema\":\"stasis/modules/1\"}", "no result of stasis");
        expect_refused(db, "{\"schema\":7}", "no result of stasis");
        expect_refused(db, "{\"threads\":[1]}", "a record in it is no object");
        expect_refused(db, "{\"threads\":[null]}", "a record in it is no object");
        expect_refused(db, "{\"threads\":{}}", "records are none");
        expect_refused(db, "{\"threads\":[],\"threads\":[{}]}", "a record in it is no object");
        expect_refused(db, "{\"threads\":[{\"stack\":[1]}]}", "no object");
        expect_refused(db, "{\"threads\":[{} {}]}", "no comma");
        expect_refused(db, "{\"threads\":[{},]}", "");
        expect_refused(db, "{\"a\":1 \"b\":2}", "no comma");
        expect_refused(db, "{a:1}", "no key");
        expect_refused(db, "{\"a\" 1}", "no value");
        expect_refused(db, "{\"schema\":\"stasis/threads/1\"} x", "something follows");
        expect_refused(db, "{\"threads\":[{\"a\":\"\xff\"}]}", "");
        ck_assert_str_eq(ask("SELECT count(*) FROM threads"), "9"); /* nothing of them is left, nothing went */
        ck_assert_str_eq(ask("SELECT count(*) FROM images"), "4");
        sqlite_close(db);
}
END_TEST

START_TEST(cut)
{
        static const char whole[] = SAMPLE("0xb0000000");
        struct sqlite_db *db = sample_open(path);
        struct stasis_error err = { 0 };

        for (size_t len = 1; len + 2 < sizeof(whole); len += 13) {
                char *part = strndup(whole, len);
                ck_assert_msg(sample_add(db, "a", part, &err) == STASIS_CORRUPT, "%zu: taken", len);
                free(part);
        }
        ck_assert_str_eq(ask("SELECT count(*) FROM threads"), "9");
        ck_assert_str_eq(ask("SELECT kernel_base FROM systems WHERE image_id = 1"), "0x80000000");
        ck_assert_int_eq(sample_add(db, "a", whole, &err), STASIS_OK); /* and it is as good as before */
        sqlite_close(db);
}
END_TEST

START_TEST(too_long)
{
        struct sqlite_db *db = sample_open(path);
        size_t len = 2 * JSON_PULL_VALUE_MAX;
        char *document = malloc(len + 64);

        ck_assert_ptr_nonnull(document);
        strcpy(document, "{\"x\":\"");
        memset(document + 6, 'a', len);
        strcpy(document + 6 + len, "\"}");
        expect_refused(db, document, "longer than 4 MiB");
        free(document);
        sqlite_close(db);
}
END_TEST

static void expect_not_opened(const char *sql, const char *why)
{
        struct sqlite_db *db = NULL;
        struct stasis_error err = { 0 };
        sqlite3 *raw = NULL;

        ck_assert_int_eq(sqlite3_open(path, &raw), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(raw);
        enum stasis_status status = sqlite_open(path, &db, &err);
        ck_assert_ptr_null(db);
        ck_assert_int_eq(status, STASIS_UNSUPPORTED);
        ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
}

START_TEST(not_ours)
{
        expect_not_opened("PRAGMA user_version = 2", "tables of version 2");
        expect_not_opened("PRAGMA application_id = 0", "somebody else's");
        ck_assert_str_eq(ask("SELECT count(*) FROM threads"), "9");

        FILE *file = fopen(path, "w");
        fputs("this is no database, and is longer than its header", file);
        fclose(file);
        struct sqlite_db *db = NULL;
        struct stasis_error err = { 0 };
        ck_assert_int_eq(sqlite_open(path, &db, &err), STASIS_IO);
        ck_assert_int_eq(sqlite_open("/nowhere/at/all", &db, &err), STASIS_IO);
        ck_assert_ptr_null(db);
}
END_TEST

/* A writer killed in the middle of a result, with pages of it already in the file. */
START_TEST(killed)
{
        int ends[2];
        char ready = 0;

        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        if (child == 0) {
                struct stasis_error err = { 0 };
                struct sqlite_db *db = sample_open(path);
                char *document = NULL;
                size_t len = 0;
                FILE *out = open_memstream(&document, &len);
                fputs("{\"schema\":\"stasis/threads/1\",\"threads\":[", out);
                for (int i = 0; i < 30000; i++) /* more than SQLite keeps in memory */
                        fprintf(out, "{\"tid\":%d,\"process\":\"%0200d\"},", i, i);
                fputs("{}", out); /* no end: the rest never comes */
                fclose(out);
                struct sqlite_facts facts = { .sha256 = "a", .path = "a", .verdict = "complete" };
                int feed[2];
                if (pipe(feed) || write(ends[1], "r", 1) != 1)
                        _exit(1);
                if (fork() == 0) {
                        ssize_t wrote = write(feed[1], document, len);
                        pause(); /* and the reader waits for more */
                        _exit(wrote > 0);
                }
                FILE *in = fdopen(feed[0], "r");
                enum stasis_status status = sqlite_add_result(db, &facts, in, &err);
                _exit((int)status);
        }
        ck_assert_int_eq(read(ends[0], &ready, 1), 1);
        char journal[64];
        snprintf(journal, sizeof(journal), "%s-journal", path);
        struct stat st = { 0 };
        for (int i = 0; i < 3000 && (stat(path, &st) != 0 || st.st_size < 1 << 21); i++)
                usleep(10000); /* until more than the cache has room for */
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        ck_assert_int_eq(access(journal, F_OK), 0); /* it was in the middle */
        ck_assert_str_eq(ask("SELECT count(*) FROM threads"), "9");
        ck_assert_str_eq(ask("PRAGMA integrity_check"), "ok");
        ck_assert_int_ne(access(journal, F_OK), 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("sqlite");
        TCase *tcase = tcase_create("sqlite");

        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_add_test(tcase, columns);
        tcase_add_test(tcase, records);
        tcase_add_test(tcase, counts);
        tcase_add_test(tcase, views);
        tcase_add_test(tcase, comes_again);
        tcase_add_test(tcase, hostile_text);
        tcase_add_test(tcase, no_document);
        tcase_add_test(tcase, cut);
        tcase_add_test(tcase, too_long);
        tcase_add_test(tcase, not_ours);
        tcase_add_test(tcase, killed);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
