/* SPDX-License-Identifier: MIT */
#include "json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define FLAGS_PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define FLAGS_PRETTY (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE)

static void indent(struct json *json)
{
        if (json->pretty)
                fprintf(json->out, "\n%*s", (int)json->depth * 2, "");
}

/* Comma, new line and key: whatever stands before a value. */
static void lead(struct json *json, const char *key)
{
        if (json->depth == 0)
                return;
        if (json->some[json->depth - 1])
                putc(',', json->out);
        json->some[json->depth - 1] = true;
        indent(json);
        if (key)
                fprintf(json->out, "\"%s\":%s", key, json->pretty ? " " : "");
}

void json_begin(struct json *json, const char *key, char bracket)
{
        assert(json->depth < JSON_DEPTH);
        lead(json, key);
        putc(bracket, json->out);
        json->close[json->depth] = bracket == '{' ? '}' : ']';
        json->some[json->depth++] = false;
}

void json_end(struct json *json)
{
        assert(json->depth > 0);
        bool some = json->some[--json->depth];
        if (some)
                indent(json);
        putc(json->close[json->depth], json->out);
}

void json_line(struct json *json) { putc('\n', json->out); }

void json_put(struct json *json, const char *key, struct json_object *value)
{
        const char *text =
                value ? json_object_to_json_string_ext(value, json->pretty ? FLAGS_PRETTY : FLAGS_PLAIN) : NULL;

        if (!text) {
                json->bad = true;
                json_object_put(value);
                return;
        }
        lead(json, key);
        for (const char *at = text; *at;) { /* strings hold no line breaks: json-c escapes them */
                size_t len = strcspn(at, "\n");
                fwrite(at, 1, len, json->out);
                at += len;
                if (*at) {
                        indent(json);
                        at++;
                }
        }
        json_object_put(value);
}

void json_put_null(struct json *json, const char *key)
{
        lead(json, key);
        fputs("null", json->out);
}

void json_put_text(struct json *json, const char *key, const char *text)
{
        if (text)
                json_put(json, key, json_text(text));
        else
                json_put_null(json, key);
}

void json_put_number(struct json *json, const char *key, uint64_t value)
{
        lead(json, key);
        fprintf(json->out, "%" PRIu64, value);
}

void json_put_hex(struct json *json, const char *key, uint64_t value)
{
        lead(json, key);
        fprintf(json->out, "\"0x%" PRIx64 "\"", value);
}

void json_put_place(struct json *json, const char *key, uint64_t value)
{
        if (value == STASIS_NOWHERE)
                json_put_null(json, key);
        else
                json_put_hex(json, key, value);
}

void json_put_bool(struct json *json, const char *key, bool value)
{
        lead(json, key);
        fputs(value ? "true" : "false", json->out);
}

void json_string_begin(struct json *json, const char *key)
{
        lead(json, key);
        putc('"', json->out);
}

void json_string_end(struct json *json) { putc('"', json->out); }

struct json_object *json_text(const char *text)
{
        struct text clean = { 0 };

        text_utf8(&clean, text);
        struct json_object *value = json_object_new_string(text_get(&clean));
        text_free(&clean);
        return value;
}

struct json_object *json_hex(uint64_t value)
{
        char text[24];

        snprintf(text, sizeof(text), "0x%" PRIx64, value);
        return json_object_new_string(text);
}

bool json_add(struct json_object *object, const char *key, struct json_object *value)
{
        if (!value)
                return false;
        if (json_object_object_add(object, key, value) == 0)
                return true;
        json_object_put(value);
        return false;
}
