/* SPDX-License-Identifier: MIT */
#include "sqlite.h"

#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "json_pull.h"
#include "sqlite_schema.h"
#include "text.h"

enum { TABLES_MAX = 16, BUSY_MS = 60000 };

struct sqlite_db {
        sqlite3 *handle;
        sqlite3_stmt *insert[TABLES_MAX]; /* by table */
        /* of the result that is being added */
        const char *why;      /* it is no document of ours */
        int64_t image;        /* its id */
        json_object *whole;   /* every member that is no table */
        bool has[TABLES_MAX]; /* that array was there */
};

static enum stasis_status say(struct stasis_error *err, enum stasis_status status, const char *fmt, ...)
        STASIS_PRINTF(3, 4);

static enum stasis_status say(struct stasis_error *err, enum stasis_status status, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(err->text, sizeof(err->text), fmt, ap);
        va_end(ap);
        return err->status = status;
}

static enum stasis_status say_sqlite(struct sqlite_db *db, struct stasis_error *err)
{
        int code = db->handle ? sqlite3_errcode(db->handle) : SQLITE_NOMEM;
        return say(err, code == SQLITE_NOMEM ? STASIS_NOMEM : STASIS_IO, "SQLite: %s",
                   db->handle ? sqlite3_errmsg(db->handle) : "out of memory");
}

static bool run(struct sqlite_db *db, const char *sql) { return !sqlite3_exec(db->handle, sql, NULL, NULL, NULL); }

/* A statement with one number in its answer; -1 where it has none or fails. */
static int64_t number_of(struct sqlite_db *db, const char *sql, const char *value)
{
        sqlite3_stmt *stmt = NULL;
        int64_t number = -1;

        if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL) == SQLITE_OK &&
            (!value || sqlite3_bind_text(stmt, 1, value, -1, SQLITE_STATIC) == SQLITE_OK) &&
            sqlite3_step(stmt) == SQLITE_ROW)
                number = sqlite3_column_int64(stmt, 0);
        sqlite3_finalize(stmt);
        return number;
}

/* ---- the schema */

static bool create_table(struct sqlite_db *db, const struct sql_table *table)
{
        struct text sql = { 0 };

        text_printf(&sql, "CREATE TABLE %s (", table->name);
        for (const struct sql_column *column = table->column; column->name; column++)
                text_printf(&sql, "%s%s %s", column == table->column ? "" : ", ", column->name, column->type);
        text_printf(&sql, "%s)", table->more);
        if (strstr(table->more, "PRIMARY KEY"))
                text_str(&sql, " WITHOUT ROWID");
        bool done = run(db, text_get(&sql));
        text_free(&sql);
        return done;
}

static bool create_views(struct sqlite_db *db)
{
        bool done = true;

        for (const struct sql_view *view = sql_views; view->name && done; view++) {
                struct text sql = { 0 };
                text_printf(&sql, "CREATE VIEW %s AS %s", view->name, view->sql);
                done = run(db, text_get(&sql));
                text_free(&sql);
        }
        return done;
}

static bool create(struct sqlite_db *db)
{
        char pragmas[128];
        bool done = true;

        for (const struct sql_table *table = sql_tables; table->name && done; table++)
                done = create_table(db, table);
        for (const char *const *index = sql_indexes; *index && done; index++)
                done = run(db, *index);
        snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 SQLITE_APPLICATION_ID, SQLITE_SCHEMA_VERSION);
        return done && create_views(db) && run(db, pragmas);
}

/* A new file gets its tables; anybody else's stays as it is. */
static enum stasis_status make_ours(struct sqlite_db *db, const char *path, struct stasis_error *err)
{
        if (!run(db, "BEGIN IMMEDIATE"))
                return say_sqlite(db, err);
        int64_t id = number_of(db, "PRAGMA application_id", NULL);
        int64_t version = number_of(db, "PRAGMA user_version", NULL);
        if (id == SQLITE_APPLICATION_ID && version != SQLITE_SCHEMA_VERSION)
                return say(err, STASIS_UNSUPPORTED, "%s has tables of version %lld, and this stasis writes version %d",
                           path, (long long)version, SQLITE_SCHEMA_VERSION);
        if (id != SQLITE_APPLICATION_ID && number_of(db, "SELECT count(*) FROM sqlite_schema", NULL) != 0)
                return say(err, STASIS_UNSUPPORTED, "%s is somebody else's database", path);
        if ((id != SQLITE_APPLICATION_ID && !create(db)) || !run(db, "COMMIT"))
                return say_sqlite(db, err);
        return STASIS_OK;
}

static bool prepare_insert(struct sqlite_db *db, size_t i)
{
        struct text sql = { 0 }, values = { 0 };
        unsigned number = 0;

        text_printf(&sql, "INSERT INTO %s (", sql_tables[i].name);
        for (const struct sql_column *column = sql_tables[i].column; column->name; column++) {
                if (column->from == SQL_ROW || column->from == SQL_LATER)
                        continue;
                text_printf(&sql, "%s%s", number ? ", " : "", column->name);
                text_printf(&values, "%s?%u", number ? ", " : "", number + 1);
                number++;
        }
        text_printf(&sql, ") VALUES (%s)", text_get(&values));
        bool done = sqlite3_prepare_v3(db->handle, text_get(&sql), -1, SQLITE_PREPARE_PERSISTENT, &db->insert[i],
                                       NULL) == SQLITE_OK;
        text_free(&sql);
        text_free(&values);
        return done;
}

enum stasis_status sqlite_open(const char *path, struct sqlite_db **ret_db, struct stasis_error *err)
{
        struct sqlite_db *db = calloc(1, sizeof(*db));

        if (!db)
                return say(err, STASIS_NOMEM, "out of memory");
        enum stasis_status status = STASIS_OK;
        if (sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
                status = say_sqlite(db, err);
        if (status == STASIS_OK) {
                sqlite3_busy_timeout(db->handle, BUSY_MS); /* shards may write to one file */
                /* What a row belongs to is written after it, hence: checked when all of it is there. */
                if (!run(db, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF"))
                        status = say_sqlite(db, err);
        }
        if (status == STASIS_OK)
                status = make_ours(db, path, err);
        if (status == STASIS_OK && !run(db, "PRAGMA foreign_keys = ON"))
                status = say_sqlite(db, err);
        for (size_t i = 0; sql_tables[i].name && status == STASIS_OK; i++)
                if (!prepare_insert(db, i))
                        status = say_sqlite(db, err);
        if (status != STASIS_OK)
                sqlite_close(db);
        else
                *ret_db = db;
        return status;
}

void sqlite_close(struct sqlite_db *db)
{
        if (!db)
                return;
        for (size_t i = 0; i < TABLES_MAX; i++)
                sqlite3_finalize(db->insert[i]);
        sqlite3_close(db->handle);
        free(db);
}

/* ---- values */

/* The member at "a.b", of the first of "a|b" that is there; NULL: none of them. */
static json_object *member_at(json_object *record, const char *key)
{
        for (const char *rest; *key; key = rest) {
                json_object *at = record;
                const char *end = key + strcspn(key, "|");
                rest = end + (*end == '|');
                while (at && key < end) {
                        char name[64];
                        size_t len = strcspn(key, ".|");
                        snprintf(name, sizeof(name), "%.*s", (int)len, key);
                        at = json_object_object_get(at, name);
                        key += len + (key[len] == '.');
                }
                if (at)
                        return at;
        }
        return NULL;
}

/* What the image says is bound and never becomes part of a statement. */
static int bind_json(sqlite3_stmt *stmt, int number, json_object *value)
{
        char hex[24];

        switch (json_object_get_type(value)) {
        case json_type_null: return sqlite3_bind_null(stmt, number);
        case json_type_boolean: return sqlite3_bind_int(stmt, number, json_object_get_boolean(value));
        case json_type_int:
                if (json_object_get_uint64(value) <= INT64_MAX)
                        return sqlite3_bind_int64(stmt, number, json_object_get_int64(value));
                /* SQLite has no such number, and would make a text of digits a fraction. */
                snprintf(hex, sizeof(hex), "0x%" PRIx64, json_object_get_uint64(value));
                return sqlite3_bind_text(stmt, number, hex, -1, SQLITE_TRANSIENT);
        case json_type_double: return sqlite3_bind_double(stmt, number, json_object_get_double(value));
        case json_type_string:
                return sqlite3_bind_text(stmt, number, json_object_get_string(value), json_object_get_string_len(value),
                                         SQLITE_TRANSIENT);
        case json_type_array:
        case json_type_object: break;
        }
        return sqlite3_bind_text(stmt, number, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN), -1,
                                 SQLITE_TRANSIENT);
}

static const struct sql_inside *inside_of(const char *table, const char *member)
{
        for (const struct sql_inside *inside = sql_insides; inside->table; inside++)
                if (strcmp(inside->table, table) == 0 && strcmp(inside->member, member) == 0)
                        return inside;
        return NULL;
}

/* Of "a|b" it is the one that was taken. */
static bool is_column(const struct sql_table *table, json_object *record, json_object *value)
{
        for (const struct sql_column *column = table->column; column->name; column++)
                if (column->from == SQL_MEMBER && member_at(record, column->key) == value)
                        return true;
        return false;
}

/* Not what has a column or rows of its own, nor what is absent: `absent` says so already. */
static int bind_record(sqlite3_stmt *stmt, int number, const struct sql_table *table, json_object *record)
{
        json_object *rest = json_object_new_object();
        int code = rest ? SQLITE_OK : SQLITE_NOMEM;

        json_object_object_foreach(record, key, value)
        {
                if (code != SQLITE_OK || !value || is_column(table, record, value) || inside_of(table->name, key))
                        continue;
                if (json_object_object_add(rest, key, json_object_get(value)))
                        code = SQLITE_NOMEM;
        }
        if (code == SQLITE_OK)
                code = bind_json(stmt, number, rest);
        json_object_put(rest);
        return code;
}

/* ---- rows */

struct place {
        int64_t parent;
        size_t index;
        const char *stack;
};

static int bind_column(struct sqlite_db *db, const struct sql_table *table, const struct sql_column *column,
                       sqlite3_stmt *stmt, int number, json_object *record, const struct place *place)
{
        switch (column->from) {
        case SQL_MEMBER: return bind_json(stmt, number, member_at(record, column->key));
        case SQL_IMAGE: return sqlite3_bind_int64(stmt, number, db->image);
        case SQL_PARENT: return sqlite3_bind_int64(stmt, number, place->parent);
        case SQL_INDEX: return sqlite3_bind_int64(stmt, number, (int64_t)place->index);
        case SQL_STACK: return sqlite3_bind_text(stmt, number, place->stack, -1, SQLITE_STATIC);
        case SQL_RECORD: return bind_record(stmt, number, table, record);
        case SQL_ROW:
        case SQL_LATER: break;
        }
        return SQLITE_OK;
}

static bool insert(struct sqlite_db *db, const struct sql_table *table, json_object *record, const struct place *place)
{
        sqlite3_stmt *stmt = db->insert[table - sql_tables];
        int number = 0, code = SQLITE_OK;

        for (const struct sql_column *column = table->column; column->name && code == SQLITE_OK; column++)
                if (column->from != SQL_ROW && column->from != SQL_LATER)
                        code = bind_column(db, table, column, stmt, ++number, record, place);
        bool done = code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
        return done;
}

static const struct sql_table *table_named(const char *name)
{
        const struct sql_table *table = sql_tables;

        while (strcmp(table->name, name) != 0)
                table++;
        return table;
}

/* Two levels and no more: what is inside of a record has nothing inside. */
static bool insert_inside(struct sqlite_db *db, const struct sql_inside *inside, json_object *record, int64_t parent)
{
        json_object *array = json_object_object_get(record, inside->member);
        const struct sql_table *table = table_named(inside->inner);

        if (!json_object_is_type(array, json_type_array))
                return true; /* absent */
        for (size_t i = 0; i < json_object_array_length(array); i++) {
                json_object *element = json_object_array_get_idx(array, i);
                if (!json_object_is_type(element, json_type_object)) {
                        db->why = "a frame or a step in it is no object";
                        return false;
                }
                if (!insert(db, table, element, &(struct place){ parent, i, inside->stack }))
                        return false;
        }
        return true;
}

static bool insert_record(struct sqlite_db *db, const struct sql_table *table, json_object *record)
{
        if (!json_object_is_type(record, json_type_object)) {
                db->why = "a record in it is no object";
                return false;
        }
        if (!insert(db, table, record, &(struct place){ 0 }))
                return false;
        int64_t row = sqlite3_last_insert_rowid(db->handle);
        for (const struct sql_inside *inside = sql_insides; inside->table; inside++)
                if (strcmp(inside->table, table->name) == 0 && !insert_inside(db, inside, record, row))
                        return false;
        return true;
}

/* ---- one result */

static const struct sql_table *table_of(const char *member)
{
        for (const struct sql_table *table = sql_tables; table->name; table++)
                if (table->member && strcmp(table->member, member) == 0)
                        return table;
        return NULL;
}

static bool is_streamed(void *ctx, const char *key)
{
        struct sqlite_db *db = ctx;
        const struct sql_table *table = table_of(key);

        if (table && !db->has[table - sql_tables])
                return db->has[table - sql_tables] = true;
        return false; /* no table; or a second one of that name: taken whole, and refused below */
}

static bool member(void *ctx, const char *key, size_t index, json_object *value)
{
        struct sqlite_db *db = ctx;
        const struct sql_table *table = table_of(key);

        (void)index;
        if (!table)
                return json_object_object_add(db->whole, key, json_object_get(value)) == 0;
        if (!db->has[table - sql_tables]) {
                db->why = value ? "what should be records are none" : db->why;
                return !value;
        }
        return insert_record(db, table, value);
}

static bool put_text(json_object *object, const char *key, const char *value)
{
        struct text safe = { 0 };
        bool done = true;

        if (value) {
                text_utf8(&safe, value); /* a path may hold any bytes */
                json_object *text = json_object_new_string_len(text_get(&safe), (int)safe.len);
                done = text && json_object_object_add(object, key, text) == 0;
        }
        text_free(&safe);
        return done;
}

static bool put_facts(struct sqlite_db *db, const struct sqlite_facts *facts)
{
        json_object *found = json_object_new_object();
        json_object *status = json_object_new_int(facts->exit_status);

        return found && status && json_object_object_add(db->whole, "found", found) == 0 &&
               put_text(found, "sha256", facts->sha256) && put_text(found, "path", facts->path) &&
               put_text(found, "verdict", facts->verdict) && put_text(found, "error", facts->error) &&
               json_object_object_add(found, "exit_status", status) == 0;
}

static bool is_ours(json_object *whole)
{
        static const char *const names[] = { "stasis/result/1", "stasis/threads/1", "stasis/processes/1" };
        const char *schema = json_object_get_string(json_object_object_get(whole, "schema"));

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
                if (schema && strcmp(schema, names[i]) == 0)
                        return true;
        return false;
}

static bool add_document(struct sqlite_db *db, FILE *document)
{
        const struct json_pull pull = { is_streamed, member, db };
        const char *why = json_pull_all(document, &pull);

        if (why && *why)
                db->why = why;
        else if (!why && !is_ours(db->whole))
                db->why = "it is no result of stasis";
        return !why && !db->why;
}

/* The rows of the image itself, once the document is known to its end. */
static bool add_whole(struct sqlite_db *db, const struct sqlite_facts *facts)
{
        sqlite3_stmt *stmt = NULL;
        struct json_object *system = json_object_object_get(db->whole, "system");

        if (!put_facts(db, facts) || !insert(db, table_named("images"), db->whole, &(struct place){ 0 }))
                return false;
        if (json_object_is_type(system, json_type_object) &&
            !insert(db, table_named("systems"), system, &(struct place){ 0 }))
                return false;
        if (facts->path &&
            !insert(db, table_named("paths"), json_object_object_get(db->whole, "found"), &(struct place){ 0 }))
                return false;
        bool done = sqlite3_prepare_v2(db->handle, sql_finish, -1, &stmt, NULL) == SQLITE_OK &&
                    sqlite3_bind_int64(stmt, 1, db->image) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;
        sqlite3_finalize(stmt);
        return done;
}

/* What the file has about this content goes, and its number is used again. */
static bool clear_image(struct sqlite_db *db, const char *sha256)
{
        sqlite3_stmt *stmt = NULL;

        db->image = number_of(db, "SELECT image_id FROM images WHERE sha256 = ?1", sha256);
        if (db->image < 0) {
                db->image = number_of(db, "SELECT coalesce(max(image_id), 0) + 1 FROM images", NULL);
                return db->image > 0;
        }
        bool done = sqlite3_prepare_v2(db->handle, "DELETE FROM images WHERE image_id = ?1", -1, &stmt, NULL) ==
                            SQLITE_OK &&
                    sqlite3_bind_int64(stmt, 1, db->image) == SQLITE_OK && sqlite3_step(stmt) == SQLITE_DONE;
        sqlite3_finalize(stmt);
        return done;
}

enum stasis_status sqlite_add_result(struct sqlite_db *db, const struct sqlite_facts *facts, FILE *document,
                                     struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;

        db->why = NULL;
        memset(db->has, 0, sizeof(db->has));
        db->whole = json_object_new_object();
        if (!db->whole)
                return say(err, STASIS_NOMEM, "out of memory");
        /* Rows come before the one that they belong to: held to it when all are there. */
        bool done = run(db, "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON") && clear_image(db, facts->sha256) &&
                    (!document || add_document(db, document)) && add_whole(db, facts) && run(db, "COMMIT");
        if (!done && db->why)
                status = say(err, STASIS_CORRUPT, "the result of %s: %s", facts->sha256, db->why);
        else if (!done)
                status = say_sqlite(db, err);
        if (!done)
                run(db, "ROLLBACK");
        json_object_put(db->whole);
        db->whole = NULL;
        return status;
}

enum stasis_status sqlite_add_path(struct sqlite_db *db, const char *sha256, const char *path, struct stasis_error *err)
{
        struct text safe = { 0 };
        sqlite3_stmt *stmt = NULL;

        enum stasis_status status = sqlite_has(db, sha256, err);
        if (status != STASIS_OK)
                return status;
        text_utf8(&safe, path);
        if (sqlite3_prepare_v2(db->handle,
                               "INSERT OR IGNORE INTO paths SELECT image_id, ?2 FROM images WHERE sha256 = ?1", -1,
                               &stmt, NULL) != SQLITE_OK ||
            sqlite3_bind_text(stmt, 1, sha256, -1, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_bind_text(stmt, 2, text_get(&safe), -1, SQLITE_STATIC) != SQLITE_OK ||
            sqlite3_step(stmt) != SQLITE_DONE)
                status = say_sqlite(db, err);
        sqlite3_finalize(stmt);
        text_free(&safe);
        return status;
}

enum stasis_status sqlite_has(struct sqlite_db *db, const char *sha256, struct stasis_error *err)
{
        int64_t count = number_of(db, "SELECT count(*) FROM images WHERE sha256 = ?1", sha256);

        if (count < 0)
                return say_sqlite(db, err);
        return count ? STASIS_OK : say(err, STASIS_ABSENT, "no result of %s is there", sha256);
}
