/* SPDX-License-Identifier: MIT */
#include "layout_json.h"

#include <string.h>

#define NESTING_MAX 128 /* an ISF needs about a dozen */

static char peek(struct json *j)
{
        while (!j->bad && j->at < j->end && memchr(" \t\r\n", *j->at, 4))
                j->at++;
        if (j->bad || j->at == j->end) {
                j->bad = true;
                return '\0';
        }
        return *j->at;
}

static bool take(struct json *j, char what)
{
        if (peek(j) != what)
                return false;
        j->at++;
        return true;
}

/* At a quote: the text up to the closing one. */
static struct json_text quoted(struct json *j)
{
        const char *start = ++j->at;
        while (j->at < j->end && *j->at != '"')
                j->at += *j->at == '\\' ? 2 : 1;
        if (j->at >= j->end) {
                j->at = j->end;
                j->bad = true;
                return (struct json_text){ "", 0 };
        }
        return (struct json_text){ start, (size_t)(j->at++ - start) };
}

/* A number or a word, to the next character that ends one. */
static void bare(struct json *j)
{
        const char *start = j->at;
        while (j->at < j->end && !memchr(" \t\r\n,:]}[{\"", *j->at, 11))
                j->at++;
        if (j->at == start)
                j->bad = true;
}

void json_skip(struct json *j)
{
        unsigned depth = 0;
        do {
                char c = peek(j);
                if (c == '"') {
                        quoted(j);
                } else if (c == '{' || c == '[') {
                        j->at++;
                        if (++depth > NESTING_MAX)
                                j->bad = true;
                } else if (depth > 0 && (c == '}' || c == ']')) {
                        j->at++;
                        depth--;
                } else if (depth > 0 && (c == ',' || c == ':')) {
                        j->at++;
                } else {
                        bare(j);
                }
        } while (depth > 0 && !j->bad);
}

bool json_open(struct json *j)
{
        if (take(j, '{'))
                return true;
        json_skip(j);
        return false;
}

bool json_key(struct json *j, struct json_text *ret_key)
{
        take(j, ',');
        if (take(j, '}'))
                return false;
        if (peek(j) != '"') {
                j->bad = true;
                return false;
        }
        *ret_key = quoted(j);
        if (!take(j, ':'))
                j->bad = true;
        return !j->bad;
}

bool json_is(struct json_text text, const char *what)
{
        return text.len == strlen(what) && memcmp(text.at, what, text.len) == 0;
}

struct json_text json_string(struct json *j)
{
        if (peek(j) == '"')
                return quoted(j);
        json_skip(j);
        return (struct json_text){ "", 0 };
}

uint64_t json_number(struct json *j)
{
        char c = peek(j);
        bool negative = c == '-';
        uint64_t value = 0;
        if (c != '-' && (c < '0' || c > '9')) {
                json_skip(j);
                return 0;
        }
        const char *at = j->at + negative;
        bare(j);
        for (; at < j->at && *at >= '0' && *at <= '9'; at++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
                        j->bad = true;
        return negative ? -value : value;
}

bool json_true(struct json *j)
{
        bool yes = peek(j) == 't';
        json_skip(j);
        return yes && !j->bad;
}
