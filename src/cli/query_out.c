/* SPDX-License-Identifier: MIT */
/* Rows of a query for programs: JSON, JSON lines, CSV. */
#include "query.h"

#include <string.h>

#include "out.h"

/* ---- values */

static void add_bytes(struct text *text, const char *bytes, size_t len)
{
        for (const char *end = bytes + len; bytes < end;) {
                size_t part = strnlen(bytes, (size_t)(end - bytes));
                text_add(text, bytes, part);
                bytes += part;
                if (bytes < end) {
                        text_str(text, "\xef\xbf\xbd");
                        bytes++;
                }
        }
}

void answer_value(sqlite3_stmt *stmt, int column, const char *null, struct text *ret_text)
{
        const uint8_t *blob;

        switch (sqlite3_column_type(stmt, column)) {
        case SQLITE_NULL: text_str(ret_text, null); break;
        case SQLITE_BLOB:
                blob = sqlite3_column_blob(stmt, column);
                for (int i = 0; i < sqlite3_column_bytes(stmt, column); i++)
                        text_printf(ret_text, "%02x", blob[i]);
                break;
        default: {
                const char *bytes = (const char *)sqlite3_column_text(stmt, column);
                if (bytes)
                        add_bytes(ret_text, bytes, (size_t)sqlite3_column_bytes(stmt, column));
                break;
        }
        }
}

/* ---- JSON and JSON lines */

static void json_value(struct json *json, const char *key, sqlite3_stmt *stmt, int column)
{
        struct text text = { 0 };

        switch (sqlite3_column_type(stmt, column)) {
        case SQLITE_NULL: json_put_null(json, key); break;
        case SQLITE_INTEGER: json_put(json, key, json_object_new_int64(sqlite3_column_int64(stmt, column))); break;
        default:
                answer_value(stmt, column, "", &text);
                if (sqlite3_column_type(stmt, column) == SQLITE_FLOAT)
                        json_put(json, key,
                                 json_object_new_double_s(sqlite3_column_double(stmt, column), text_get(&text)));
                else
                        json_put_text(json, key, text_get(&text));
                text_free(&text);
        }
}

static void json_start(struct answer *answer)
{
        struct json *json = &answer->json;

        *json = (struct json){ .out = answer->cli->out, .pretty = answer->cli->format == CLI_JSON };
        if (!json->pretty)
                return;
        json_begin(json, NULL, '{');
        json_put_text(json, "schema", "stasis/query/1");
        json_begin(json, "columns", '[');
        for (int i = 0; i < answer->columns; i++)
                json_put_text(json, NULL, sqlite3_column_name(answer->stmt, i));
        json_end(json);
        json_begin(json, "rows", '[');
}

static void json_row(struct answer *answer)
{
        struct json *json = &answer->json;

        json_begin(json, NULL, '{');
        for (int i = 0; i < answer->columns; i++)
                json_value(json, sqlite3_column_name(answer->stmt, i), answer->stmt, i);
        json_end(json);
        if (!json->pretty)
                json_line(json);
}

static void json_stop(struct answer *answer)
{
        struct json *json = &answer->json;

        if (!json->pretty)
                return;
        json_end(json);
        json_end(json);
        json_line(json);
}

static const struct answer_writer answer_json = { json_start, json_row, json_stop };

/* ---- CSV */

static void csv_head(struct answer *answer)
{
        for (int i = 0; i < answer->columns; i++) {
                if (i)
                        putc(',', answer->cli->out);
                csv_field(answer->cli->out, sqlite3_column_name(answer->stmt, i));
        }
        fputs("\r\n", answer->cli->out);
}

static void csv_row(struct answer *answer)
{
        struct text raw = { 0 }, text = { 0 };

        for (int i = 0; i < answer->columns; i++) {
                text_reset(&raw);
                text_reset(&text);
                answer_value(answer->stmt, i, "", &raw);
                text_utf8(&text, text_get(&raw));
                if (i)
                        putc(',', answer->cli->out);
                csv_field(answer->cli->out, text_get(&text));
        }
        fputs("\r\n", answer->cli->out);
        text_free(&raw);
        text_free(&text);
}

static void csv_end(struct answer *answer) { (void)answer; }

static const struct answer_writer answer_csv = { csv_head, csv_row, csv_end };

const struct answer_writer *answer_writer_of(enum cli_format format)
{
        switch (format) {
        case CLI_JSON:
        case CLI_JSONL: return &answer_json;
        case CLI_CSV: return &answer_csv;
        default: return &answer_text;
        }
}
