/* SPDX-License-Identifier: MIT */
/* Single values: what they are worth, and how they read. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

/* ---- numbers */

static bool hex_number(const char *text, size_t len, uint64_t *ret_value)
{
        if (len < 3 || len > 2 + 16 || text[0] != '0' || text[1] != 'x' ||
            strspn(text + 2, "0123456789abcdefABCDEF") != len - 2)
                return false;
        *ret_value = strtoull(text + 2, NULL, 16);
        return true;
}

/* Days from 0001-01-01 in the Gregorian calendar: years before, and of this one the months before. */
static uint64_t days_of(unsigned year, unsigned month, unsigned day)
{
        static const unsigned before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
        unsigned y = year - 1;
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + before[month - 1] + (leap && month > 2) + day - 1;
}

/* "2004-12-28T12:00:00.1234567Z", in units of 100 ns. */
static bool time_number(const char *text, size_t len, uint64_t *ret_value)
{
        unsigned part[6], ticks = 0;
        int end = 0;

        if (len < 20 || len > 28 || strspn(text, "0123456789-T:.Z") != len || text[10] != 'T' ||
            sscanf(text, "%4u-%2u-%2uT%2u:%2u:%2u%n", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5],
                   &end) != 6)
                return false;
        if (text[end] == '.' && len == 28) {
                for (int i = end + 1; i < end + 8; i++)
                        ticks = ticks * 10 + (unsigned)(text[i] - '0') % 10;
                end += 8;
        }
        if (strcmp(text + end, "Z") != 0 || part[0] < 1 || part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31)
                return false;
        *ret_value = (((days_of(part[0], part[1], part[2]) * 24 + part[3]) * 60 + part[4]) * 60 + part[5]) * 10000000 +
                     ticks;
        return true;
}

bool value_number(struct json_object *value, bool *ret_negative, uint64_t *ret_magnitude, bool *ret_time)
{
        *ret_negative = *ret_time = false;
        if (json_object_is_type(value, json_type_int)) {
                int64_t number = json_object_get_int64(value);
                *ret_negative = number < 0;
                *ret_magnitude = number < 0 ? -(uint64_t)number : json_object_get_uint64(value);
                return true;
        }
        if (!json_object_is_type(value, json_type_string))
                return false;
        const char *text = json_object_get_string(value);
        size_t len = (size_t)json_object_get_string_len(value);
        if (hex_number(text, len, ret_magnitude))
                return true;
        *ret_time = time_number(text, len, ret_magnitude);
        return *ret_time;
}

bool value_not_above(struct json_object *a, struct json_object *b)
{
        bool a_negative, b_negative, a_time, b_time;
        uint64_t x, y;

        if (!value_number(a, &a_negative, &x, &a_time) || !value_number(b, &b_negative, &y, &b_time) ||
            a_time != b_time)
                return false;
        if (a_negative != b_negative)
                return a_negative;
        return a_negative ? x >= y : x <= y;
}

bool value_same(struct json_object *a, struct json_object *b)
{
        bool a_negative, b_negative, a_time, b_time;
        uint64_t x, y;

        if (json_object_equal(a, b))
                return true;
        return value_number(a, &a_negative, &x, &a_time) && value_number(b, &b_negative, &y, &b_time) && x == y &&
               a_negative == b_negative && a_time == b_time;
}

/* ---- words */

#define WORDS_MAX 600

const char *reason_of(struct json_object *record, const char *key)
{
        struct json_object *absent = NULL, *reason = NULL;

        if (!json_object_is_type(record, json_type_object) || !key ||
            !json_object_object_get_ex(record, "absent", &absent) || !json_object_is_type(absent, json_type_object) ||
            !json_object_object_get_ex(absent, key, &reason) || !json_object_is_type(reason, json_type_string))
                return NULL;
        return json_object_get_string(reason);
}

static struct json_object *member(struct json_object *record, const char *key)
{
        struct json_object *value = NULL;

        if (json_object_is_type(record, json_type_object))
                json_object_object_get_ex(record, key, &value);
        return value;
}

/* "KiSwapContext+0xa5", "tcpip.sys+0x10", "0xfffff8047e603135" */
static void frame_words(struct json_object *frame, struct text *text)
{
        struct json_object *symbol = member(frame, "symbol"), *module = member(frame, "module"),
                           *offset = member(frame, "offset"), *pc = member(frame, "pc"),
                           *name = symbol ? symbol : module;

        text_str(text, name ? json_object_get_string(name) : pc ? json_object_get_string(pc) : "?");
        if (name && json_object_is_type(offset, json_type_int) && json_object_get_int64(offset))
                text_printf(text, "+0x%" PRIx64, json_object_get_uint64(offset));
}

static bool is_plain(struct json_object *value)
{
        return !json_object_is_type(value, json_type_object) && !json_object_is_type(value, json_type_array);
}

static void element_words(struct json_object *element, struct text *text)
{
        if (json_object_is_type(element, json_type_object) && (member(element, "pc") || member(element, "symbol")))
                frame_words(element, text);
        else if (is_plain(element))
                text_str(text, element ? json_object_get_string(element) : "absent");
        else
                text_str(text, json_object_to_json_string_ext(element,
                                                              JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void array_words(struct json_object *array, struct text *text)
{
        size_t len = json_object_array_length(array);
        bool frames = len && member(json_object_array_get_idx(array, 0), "pc") != NULL;

        text_printf(text, "%zu %s%s%s", len, frames ? "frame" : "element", len == 1 ? "" : "s", len ? ": " : "");
        for (size_t i = 0; i < len && text->len < WORDS_MAX; i++) {
                text_str(text, i ? ", " : "");
                element_words(json_object_array_get_idx(array, i), text);
        }
}

static void flags_words(struct json_object *flags, struct text *text)
{
        struct json_object *value = member(flags, "value"), *names = member(flags, "names");

        text_str(text, value ? json_object_get_string(value) : "");
        for (size_t i = 0; json_object_is_type(names, json_type_array) && i < json_object_array_length(names); i++) {
                struct json_object *name = json_object_array_get_idx(names, i);
                text_printf(text, "%s%s", text->len ? " " : "", name ? json_object_get_string(name) : "absent");
        }
}

/* Not in the middle of a character. */
static void clip(struct text *text, const char *words)
{
        size_t len = strlen(words);

        if (len <= WORDS_MAX) {
                text_str(text, words);
                return;
        }
        for (len = WORDS_MAX; len && ((unsigned char)words[len] & 0xc0) == 0x80;)
                len--;
        text_add(text, words, len);
        text_str(text, " ...");
}

void value_words(struct json_object *value, struct json_object *record, const char *key, struct text *text)
{
        struct text words = { 0 };
        const char *reason = value ? NULL : reason_of(record, key);

        if (!value)
                text_printf(&words, "absent%s%s", reason ? ": " : "", reason ? reason : "");
        else if (json_object_is_type(value, json_type_array))
                array_words(value, &words);
        else if (member(value, "names"))
                flags_words(value, &words);
        else if (json_object_is_type(value, json_type_string) && json_object_get_string_len(value) == 0)
                text_str(&words, "\"\"");
        else
                element_words(value, &words);
        clip(text, text_get(&words));
        text_free(&words);
}

/* ---- who */

/* The first of these that is there and known, as words; false where none is. */
static bool first_words(struct json_object *record, const char *const *keys, struct text *text)
{
        for (size_t i = 0; keys[i]; i++)
                if (member(record, keys[i])) {
                        value_words(member(record, keys[i]), NULL, NULL, text);
                        return true;
                }
        return false;
}

static const struct named {
        const char *list, *noun;
        const char *id[4], *name[4], *beside[2];
} named[] = {
        { "threads", "thread", { "tid", "object" }, { "process", "comm", "name" }, { "pid" } },
        { "processes", "process", { "name", "object" }, { NULL }, { "pid" } },
        { "modules", "module", { "name", "base" }, { NULL }, { NULL } },
        { "notes", "note", { "code" }, { NULL }, { NULL } },
};

bool record_is_named(const char *list)
{
        for (size_t i = 0; list && i < sizeof(named) / sizeof(named[0]); i++)
                if (strcmp(named[i].list, list) == 0)
                        return true;
        return false;
}

void record_words(const char *list, struct json_object *record, struct text *text)
{
        struct text part = { 0 };

        for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
                if (strcmp(named[i].list, list) != 0)
                        continue;
                text_str(text, named[i].noun);
                if (first_words(record, named[i].id, &part))
                        text_printf(text, " %s", text_get(&part));
                text_reset(&part);
                if (first_words(record, named[i].name, &part))
                        text_printf(text, " of %s", text_get(&part));
                text_reset(&part);
                if (first_words(record, named[i].beside, &part))
                        text_printf(text, " (%s %s)", named[i].beside[0], text_get(&part));
        }
        text_free(&part);
}

/* ---- canonical form */

static int by_key(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void canonical_object(struct json_object *value, struct rules *rules, unsigned depth, struct text *text)
{
        size_t count = 0;
        const char **keys = calloc((size_t)json_object_object_length(value) + 1, sizeof(*keys));

        if (!keys) /* told by the record itself, then */
                return;
        json_object_object_foreach(value, key, inner)
        {
                (void)inner;
                keys[count++] = key;
        }
        qsort(keys, count, sizeof(*keys), by_key);
        text_str(text, "{");
        for (size_t i = 0; i < count; i++) {
                rules_enter_member(rules, depth, keys[i]);
                const struct rule *rule = rules_at(rules, depth + 1, false);
                if (rule && rule->kind == RULE_IGNORE)
                        continue;
                text_printf(text, "%s:", keys[i]);
                value_canonical(member(value, keys[i]), rules, depth + 1, text);
                text_str(text, ",");
        }
        text_str(text, "}");
        free(keys);
}

/* No deeper than the loader lets a document be. */
void value_canonical(struct json_object *value, struct rules *rules, unsigned depth, struct text *text)
{
        bool negative, time;
        uint64_t magnitude;

        if (json_object_is_type(value, json_type_object) && depth + 1 < RULE_LEVELS) {
                canonical_object(value, rules, depth, text);
        } else if (json_object_is_type(value, json_type_array) && depth + 1 < RULE_LEVELS) {
                text_str(text, "[");
                for (size_t i = 0; i < json_object_array_length(value); i++) {
                        rules_enter_element(rules, depth, i, json_object_array_get_idx(value, i));
                        value_canonical(json_object_array_get_idx(value, i), rules, depth + 1, text);
                        text_str(text, ",");
                }
                text_str(text, "]");
        } else if (value_number(value, &negative, &magnitude, &time) && !time) {
                text_printf(text, "%s%" PRIu64, negative ? "-" : "", magnitude);
        } else {
                text_str(text, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN));
        }
}
