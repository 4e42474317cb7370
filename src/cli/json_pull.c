/* SPDX-License-Identifier: MIT */
#include "json_pull.h"

#include <string.h>

static const char cut[] = "the document is cut off";

struct source {
        FILE *in;
        struct json_tokener *tokener;
        const struct json_pull *pull;
        size_t at, len;
        char buf[1 << 16];
};

static bool fill(struct source *s)
{
        if (s->at < s->len)
                return true;
        s->at = 0;
        s->len = fread(s->buf, 1, sizeof(s->buf), s->in);
        return s->len > 0;
}

/* The next character that is no space, not taken; 0 at the end. */
static char peek(struct source *s)
{
        while (fill(s)) {
                char c = s->buf[s->at];
                if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
                        return c;
                s->at++;
        }
        return 0;
}

static bool take(struct source *s, char wanted)
{
        if (peek(s) != wanted)
                return false;
        s->at++;
        return true;
}

static const char *read_value(struct source *s, struct json_object **ret_value)
{
        enum json_tokener_error error = json_tokener_continue;
        struct json_object *value = NULL;
        size_t taken = 0;

        json_tokener_reset(s->tokener);
        while (error == json_tokener_continue) {
                if (!fill(s))
                        return ferror(s->in) ? "it cannot be read" : cut;
                value = json_tokener_parse_ex(s->tokener, s->buf + s->at, (int)(s->len - s->at));
                error = json_tokener_get_error(s->tokener);
                size_t used = json_tokener_get_parse_end(s->tokener);
                s->at += used;
                taken += used;
                if (taken > JSON_PULL_VALUE_MAX && error == json_tokener_continue)
                        return "a value in it is longer than 4 MiB";
        }
        if (error != json_tokener_success)
                return json_tokener_error_desc(error);
        *ret_value = value;
        return NULL;
}

static const char *give(struct source *s, const char *key, size_t index)
{
        struct json_object *value = NULL;

        const char *why = read_value(s, &value);
        if (!why && !s->pull->member(s->pull->ctx, key, index, value))
                why = "";
        json_object_put(value);
        return why;
}

static const char *read_elements(struct source *s, const char *key)
{
        const char *why = NULL;

        s->at++;
        if (take(s, ']'))
                return NULL;
        for (size_t i = 0; !why; i++) {
                why = give(s, key, i);
                if (!why && take(s, ']'))
                        return NULL;
                if (!why && !take(s, ','))
                        why = peek(s) ? "between two elements of an array there is no comma" : cut;
        }
        return why;
}

static const char *read_key(struct source *s, char key[static JSON_PULL_KEY_MAX])
{
        struct json_object *name = NULL;

        if (peek(s) != '"')
                return peek(s) ? "a member has no key" : cut;
        const char *why = read_value(s, &name);
        if (why)
                return why;
        snprintf(key, JSON_PULL_KEY_MAX, "%s", json_object_get_string(name));
        json_object_put(name);
        return take(s, ':') ? NULL : "a member has no value";
}

static const char *read_members(struct source *s)
{
        char key[JSON_PULL_KEY_MAX];

        if (!take(s, '{'))
                return "it is no JSON document";
        if (take(s, '}'))
                return NULL;
        for (;;) {
                const char *why = read_key(s, key);
                if (!why && peek(s) == '[' && s->pull->is_streamed(s->pull->ctx, key))
                        why = read_elements(s, key);
                else if (!why)
                        why = give(s, key, 0);
                if (why)
                        return why;
                if (take(s, '}'))
                        return NULL;
                if (!take(s, ','))
                        return peek(s) ? "between two members there is no comma" : cut;
        }
}

const char *json_pull_all(FILE *in, const struct json_pull *pull)
{
        struct source s = { .in = in, .tokener = json_tokener_new(), .pull = pull };

        if (!s.tokener)
                return "out of memory";
        json_tokener_set_flags(s.tokener,
                               JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS | JSON_TOKENER_VALIDATE_UTF8);
        const char *why = read_members(&s);
        if (!why && peek(&s))
                why = "something follows the document";
        json_tokener_free(s.tokener);
        return why;
}
