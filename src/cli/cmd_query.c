/* SPDX-License-Identifier: MIT */
/*
 * stasis query: one statement of SQL, or a named question, over what "batch --sqlite" wrote. The file may be anybody's,
 * and so may the SQL: the connection only reads, runs nothing but SELECT, for so long, with so much memory.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "query.h"
#include "sqlite.h"
#include "sqlite_schema.h"

enum {
        TIMEOUT_SECONDS = 60,
        STEPS = 10000,           /* of SQLite's machine between two looks at the clock */
        MEMORY_MAX = 1 << 29,    /* of SQLite: bytes */
        VALUE_MAX = 64 << 20,    /* bytes of one value */
        STATEMENT_MAX = 1 << 20, /* bytes of SQL from the standard input */
        BUSY_MS = 60000
};

struct query {
        struct cli *cli;
        sqlite3 *db;
        sqlite3_stmt *stmt;
        const struct question *question; /* NULL: SQL */
        char *sql;
        struct timespec end;
        bool late;
};

/* ---- the connection */

static int watch(void *ctx)
{
        struct query *q = ctx;
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        q->late = now.tv_sec > q->end.tv_sec || (now.tv_sec == q->end.tv_sec && now.tv_nsec >= q->end.tv_nsec);
        return q->late;
}

/* Reading alone: no ATTACH, no PRAGMA but what tells of tables, nothing that loads or writes. */
static int allow(void *ctx, int action, const char *a, const char *b, const char *database, const char *inner)
{
        static const char *const pragmas[] = { "table_info", "table_xinfo",  "table_list",    "index_list",
                                               "index_info", "user_version", "application_id" };
        (void)ctx;
        (void)database;
        (void)inner;
        switch (action) {
        case SQLITE_SELECT:
        case SQLITE_READ:
        case SQLITE_RECURSIVE: return SQLITE_OK;
        /* SQLite asks so while it makes a table-valued function known (json_each). The table itself is out of reach. */
        case SQLITE_UPDATE: return a && strcmp(a, "sqlite_master") == 0 ? SQLITE_OK : SQLITE_DENY;
        case SQLITE_FUNCTION: return b && strcasecmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
        case SQLITE_PRAGMA:
                for (size_t i = 0; i < sizeof(pragmas) / sizeof(pragmas[0]); i++)
                        if (a && strcasecmp(a, pragmas[i]) == 0 && (!b || i < 5))
                                return SQLITE_OK;
        }
        return SQLITE_DENY;
}

static enum cli_exit fail_open(struct query *q)
{
        enum cli_exit status =
                cli_fail(q->cli, "%s: %s", q->cli->image_path, q->db ? sqlite3_errmsg(q->db) : "out of memory");
        return status;
}

/* A writer that was killed left its journal: only who may write can take back what it had begun. */
static void roll_back(const char *path)
{
        sqlite3 *db = NULL;

        if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
                sqlite3_busy_timeout(db, BUSY_MS);
                sqlite3_exec(db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
        }
        sqlite3_close(db);
}

static int64_t pragma_number(struct query *q, const char *sql)
{
        sqlite3_stmt *stmt = NULL;
        int64_t number = -1;

        if (sqlite3_prepare_v2(q->db, sql, -1, &stmt, NULL) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
                number = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        return number;
}

static int open_reading(struct query *q)
{
        int code = sqlite3_open_v2(q->cli->image_path, &q->db, SQLITE_OPEN_READONLY, NULL);

        if (code == SQLITE_OK) {
                sqlite3_extended_result_codes(q->db, 1);
                sqlite3_busy_timeout(q->db, BUSY_MS);
                sqlite3_db_config(q->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
                sqlite3_db_config(q->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
                code = sqlite3_exec(q->db, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL);
        }
        return code;
}

static enum cli_exit open_db(struct query *q)
{
        const char *path = q->cli->image_path;
        struct stat st;

        if (access(path, R_OK) != 0)
                return cli_fail(q->cli, "%s: cannot be read: %m", path);
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
                return cli_fail(q->cli, "%s: is a folder; 'stasis batch --sqlite FILE' writes the database", path);
        sqlite3_hard_heap_limit64(MEMORY_MAX);
        int code = open_reading(q);
        if (code == SQLITE_READONLY_ROLLBACK || code == SQLITE_READONLY_RECOVERY || code == SQLITE_CANTOPEN) {
                sqlite3_close(q->db);
                q->db = NULL;
                roll_back(path);
                code = open_reading(q);
        }
        if (code != SQLITE_OK)
                return fail_open(q);
        if (pragma_number(q, "PRAGMA application_id") != SQLITE_APPLICATION_ID)
                return cli_fail(q->cli, "%s: is no database that 'stasis batch --sqlite' wrote", path);
        int64_t version = pragma_number(q, "PRAGMA user_version");
        if (version != SQLITE_SCHEMA_VERSION)
                return cli_fail(q->cli, "%s: has tables of version %lld, and this stasis reads version %d", path,
                                (long long)version, SQLITE_SCHEMA_VERSION);
        sqlite3_limit(q->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
        sqlite3_limit(q->db, SQLITE_LIMIT_ATTACHED, 0);
        sqlite3_progress_handler(q->db, STEPS, watch, q);
        sqlite3_set_authorizer(q->db, allow, q);
        return CLI_COMPLETE;
}

/* ---- what is asked */

static const struct question *question_named(const char *name)
{
        for (const struct question *question = questions; question->name; question++)
                if (strcmp(question->name, name) == 0)
                        return question;
        return NULL;
}

static size_t values_of(const struct question *question)
{
        size_t count = 0;

        while (count < QUESTION_VALUES && question->value[count].name)
                count++;
        return count;
}

static void list_questions(struct cli *cli)
{
        for (const struct question *question = questions; question->name; question++) {
                struct text line = { 0 }, wrapped = { 0 };
                text_str(&line, question->name);
                for (size_t i = 0; i < values_of(question); i++)
                        text_printf(&line, question->value[i].otherwise ? " [%s]" : " %s", question->value[i].name);
                text_wrap(&wrapped, question->help, 34, 34, CLI_WIDTH);
                fprintf(cli->out, "%-32s  %s\n", text_get(&line), text_get(&wrapped));
                text_free(&line);
                text_free(&wrapped);
        }
        if (!cli->quiet)
                fprintf(cli->out, "\n'stasis query FILE NAME' asks one of these; docs/SQL.md has their SQL, the tables "
                                  "and the views.\n");
}

static enum cli_exit read_sql(struct query *q)
{
        size_t len = 0;

        q->sql = malloc(STATEMENT_MAX + 1);
        if (!q->sql)
                return cli_fail(q->cli, "out of memory");
        len = fread(q->sql, 1, STATEMENT_MAX + 1, q->cli->in);
        if (len > STATEMENT_MAX)
                return cli_usage(q->cli, "the standard input has more than 1 MiB of SQL");
        q->sql[len] = '\0';
        return CLI_COMPLETE;
}

static enum cli_exit choose(struct query *q)
{
        struct cli *cli = q->cli;
        const char *word = cli->arg[0];

        q->question = question_named(word);
        if (strcmp(word, "-") == 0)
                return read_sql(q);
        if (!q->question && !strpbrk(word, " \t\n"))
                return cli_usage(cli, "there is no question '%s'; 'stasis query %s' lists them", word, cli->image_path);
        if (q->question && cli->arg_count - 1 > values_of(q->question))
                return cli_usage(cli, "'%s' is one value too many for %s", cli->arg[cli->arg_count - 1], word);
        q->sql = strdup(q->question ? q->question->sql : word);
        return q->sql ? CLI_COMPLETE : cli_fail(cli, "out of memory");
}

/* A number where it looks like one: 007 and +7 do not. */
static int bind_word(sqlite3_stmt *stmt, int number, const char *word)
{
        char *end;
        char again[32];
        long long value = strtoll(word, &end, 10);

        snprintf(again, sizeof(again), "%lld", value);
        if (strcmp(again, word) == 0)
                return sqlite3_bind_int64(stmt, number, value);
        return sqlite3_bind_text(stmt, number, word, -1, SQLITE_STATIC);
}

static bool is_number(const char *word) { return word && *word && strspn(word, "0123456789") == strlen(word); }

static enum cli_exit bind_values(struct query *q)
{
        struct cli *cli = q->cli;
        int wanted = sqlite3_bind_parameter_count(q->stmt);

        if (!q->question && (size_t)wanted != cli->arg_count - 1)
                return cli_usage(cli, "the statement has %d values to be given, and %zu are", wanted,
                                 cli->arg_count - 1);
        for (int i = 0; i < wanted; i++) {
                const char *word = (size_t)i + 1 < cli->arg_count ? cli->arg[i + 1] : NULL;
                if (!word && q->question)
                        word = q->question->value[i].otherwise;
                if (!word)
                        return cli_usage(cli, "%s needs a value: %s", cli->arg[0],
                                         q->question ? q->question->value[i].name : "?");
                if (q->question && is_number(q->question->value[i].otherwise) && !is_number(word))
                        return cli_usage(cli, "%s: %s is a number, and '%s' is none", cli->arg[0],
                                         q->question->value[i].name, word);
                if (bind_word(q->stmt, i + 1, word) != SQLITE_OK)
                        return cli_fail(cli, "SQL: %s", sqlite3_errmsg(q->db));
        }
        return CLI_COMPLETE;
}

static enum cli_exit prepare(struct query *q)
{
        struct cli *cli = q->cli;
        const char *rest = NULL;
        sqlite3_stmt *second = NULL;

        if (sqlite3_prepare_v2(q->db, q->sql, -1, &q->stmt, &rest) != SQLITE_OK)
                return q->late ? CLI_COMPLETE
                               : cli_usage(cli, "SQL: %s%s", sqlite3_errmsg(q->db),
                                           (sqlite3_errcode(q->db) & 0xff) == SQLITE_AUTH
                                                   ? ": the file is only read, and only SELECT is run"
                                                   : "");
        bool more = sqlite3_prepare_v2(q->db, rest, -1, &second, NULL) != SQLITE_OK || second;
        sqlite3_finalize(second);
        if (!q->stmt || more)
                return cli_usage(cli, q->stmt ? "SQL: only one statement at a time" : "SQL: there is no statement");
        if (!sqlite3_stmt_readonly(q->stmt) || sqlite3_column_count(q->stmt) == 0)
                return cli_usage(cli, "SQL: that is no question: only SELECT is run");
        return bind_values(q);
}

/* ---- the answer */

/* An object of JSON cannot have two members of one name. */
static enum cli_exit check_names(struct query *q)
{
        int count = sqlite3_column_count(q->stmt);

        if (q->cli->format != CLI_JSON && q->cli->format != CLI_JSONL)
                return CLI_COMPLETE;
        for (int i = 1; i < count; i++)
                for (int j = 0; j < i; j++)
                        if (strcmp(sqlite3_column_name(q->stmt, i), sqlite3_column_name(q->stmt, j)) == 0)
                                return cli_usage(q->cli, "two columns are named '%s': give one another name with AS",
                                                 sqlite3_column_name(q->stmt, i));
        return CLI_COMPLETE;
}

static enum cli_exit answer(struct query *q)
{
        struct answer answer = { .cli = q->cli, .stmt = q->stmt, .columns = sqlite3_column_count(q->stmt) };
        const struct answer_writer *writer = answer_writer_of((enum cli_format)q->cli->format);
        int code;

        writer->begin(&answer);
        for (; (code = sqlite3_step(q->stmt)) == SQLITE_ROW; answer.rows++)
                writer->row(&answer);
        writer->end(&answer);
        if (answer.json.bad)
                return cli_fail(q->cli, "out of memory: the answer is not whole");
        if (code == SQLITE_DONE)
                return CLI_COMPLETE;
        if (q->late)
                return cli_fail(q->cli,
                                "no answer within %llu seconds, and what was printed is not whole; '--timeout' "
                                "allows more",
                                (unsigned long long)q->cli->timeout.value);
        return cli_fail(q->cli, "SQL: %s; the answer is not whole", sqlite3_errmsg(q->db));
}

enum cli_exit cmd_query(struct cli *cli)
{
        struct query q = { .cli = cli };

        if (!cli->timeout.known)
                cli->timeout = (struct cli_number){ true, TIMEOUT_SECONDS };
        clock_gettime(CLOCK_MONOTONIC, &q.end);
        q.end.tv_sec += (time_t)(cli->timeout.value < INT32_MAX ? cli->timeout.value : INT32_MAX);
        enum cli_exit status = open_db(&q);
        if (!status && cli->arg_count == 0)
                list_questions(cli);
        else if (!status) {
                status = choose(&q);
                if (!status)
                        status = prepare(&q);
                if (!status)
                        status = check_names(&q);
                if (!status)
                        status = answer(&q);
        }
        sqlite3_finalize(q.stmt);
        sqlite3_close(q.db);
        free(q.sql);
        return status;
}
