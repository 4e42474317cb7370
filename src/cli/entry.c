/* SPDX-License-Identifier: MIT */
#include "entry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

const char *const verdict_names[VERDICTS] = {
        "complete", "partial", "not understood", "no image", "unsupported", "empty",  "unreadable", "archive",
        "skipped",  "crashed", "timeout",        "memory",   "output",      "failed", "same",       "elsewhere",
};

const char *const verdict_titles[VERDICTS] = {
        "complete",
        "partial",
        "not understood",
        "no image",
        "of a kind that is not read",
        "empty",
        "unreadable",
        "holding several files",
        "skipped",
        "killed the worker",
        "took too long",
        "took too much memory",
        "wrote too much",
        "failed",
        "known already",
        "of another shard",
};

bool verdict_has_result(enum verdict verdict) { return verdict <= VERDICT_NOT_UNDERSTOOD; }

bool verdict_is_of_image(enum verdict verdict)
{
        return verdict_has_result(verdict) || (verdict >= VERDICT_CRASHED && verdict <= VERDICT_FAILED);
}

bool verdict_may_change(enum verdict verdict)
{
        return verdict == VERDICT_UNREADABLE || (verdict >= VERDICT_CRASHED && verdict <= VERDICT_FAILED);
}

bool verdict_is_trouble(enum verdict verdict)
{
        switch (verdict) {
        case VERDICT_COMPLETE:
        case VERDICT_NO_IMAGE:
        case VERDICT_EMPTY:
        case VERDICT_ARCHIVE:
        case VERDICT_SKIPPED:
        case VERDICT_SAME:
        case VERDICT_ELSEWHERE: return false;
        default: return true;
        }
}

/* ---- members as data: what the journal holds */

enum entry_kind { ENTRY_TEXT, ENTRY_NUMBER };

#define ROW(name, kind, member) \
        { \
                name, kind, offsetof(struct entry, member) \
        }
static const struct entry_row {
        const char *key;
        enum entry_kind kind;
        size_t at;
} rows[] = {
        ROW("path", ENTRY_TEXT, path),
        ROW("member", ENTRY_TEXT, member),
        ROW("inner", ENTRY_TEXT, inner),
        ROW("size", ENTRY_NUMBER, size),
        ROW("mtime", ENTRY_NUMBER, mtime),
        ROW("sha256", ENTRY_TEXT, sha256),
        ROW("verdict", ENTRY_NUMBER, verdict),
        ROW("exit", ENTRY_NUMBER, exit_status),
        ROW("format", ENTRY_TEXT, format),
        ROW("system", ENTRY_TEXT, system),
        ROW("error", ENTRY_TEXT, error),
        ROW("sandbox", ENTRY_TEXT, sandbox),
        ROW("content", ENTRY_NUMBER, content),
        ROW("processes", ENTRY_NUMBER, processes),
        ROW("threads", ENTRY_NUMBER, threads),
        ROW("deadlocks", ENTRY_NUMBER, deadlocks),
        ROW("infos", ENTRY_NUMBER, infos),
        ROW("warnings", ENTRY_NUMBER, warnings),
        ROW("missing", ENTRY_NUMBER, missing),
        ROW("members", ENTRY_NUMBER, members),
        ROW("phase", ENTRY_TEXT, phase),
        ROW("end", ENTRY_TEXT, end),
        ROW("messages", ENTRY_TEXT, messages),
        ROW("ms", ENTRY_NUMBER, milliseconds),
        ROW("cpu_ms", ENTRY_NUMBER, cpu_milliseconds),
        ROW("peak_kib", ENTRY_NUMBER, peak_kib),
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static char **text_of(struct entry *entry, const struct entry_row *row)
{
        return (char **)(void *)((char *)entry + row->at);
}

static uint64_t *number_of(struct entry *entry, const struct entry_row *row)
{
        return (uint64_t *)(void *)((char *)entry + row->at);
}

void entry_init(struct entry *entry)
{
        memset(entry, 0, sizeof(*entry));
        for (size_t i = 0; i < ROWS; i++)
                if (rows[i].kind == ENTRY_NUMBER)
                        *number_of(entry, &rows[i]) = STASIS_NOWHERE;
}

void entry_free(struct entry *entry)
{
        for (size_t i = 0; i < ROWS; i++)
                if (rows[i].kind == ENTRY_TEXT)
                        free(*text_of(entry, &rows[i]));
        entry_init(entry);
}

void entry_set(char **text, const char *value, size_t len)
{
        struct text copy = { 0 };

        free(*text);
        *text = NULL;
        if (!value)
                return;
        text_add(&copy, value, len); /* ends the program where memory is exhausted */
        text_add(&copy, "", 0);
        *text = copy.at;
}

/* ---- names */

static int compare_texts(const char *a, const char *b) { return !a || !b ? (a != NULL) - (b != NULL) : strcmp(a, b); }

int entry_compare(const struct entry *a, const struct entry *b)
{
        int order = compare_texts(a->path, b->path);
        if (order == 0)
                order = compare_texts(a->member, b->member);
        return order ? order : compare_texts(a->inner, b->inner);
}

void entry_key(const struct entry *entry, bool state, struct text *ret_key)
{
        const char *parts[] = { entry->path, entry->member, entry->inner };

        for (size_t i = 0; i < 3 && parts[i]; i++)
                text_add(ret_key, parts[i], strlen(parts[i]) + 1);
        if (state)
                text_printf(ret_key, "%" PRIu64 " %" PRIu64, entry->size, entry->mtime);
}

/* What is no UTF-8 as \xff. */
static void add_shown(struct text *to, const char *bytes)
{
        size_t len = strlen(bytes), step;
        uint32_t code;

        for (size_t i = 0; i < len; i += step ? step : 1) {
                step = utf8_next(bytes + i, len - i, &code);
                if (step)
                        text_add(to, bytes + i, step);
                else
                        text_printf(to, "\\x%02x", (unsigned char)bytes[i]);
        }
}

void entry_name(const struct entry *entry, struct text *ret_name)
{
        add_shown(ret_name, entry->path);
        if (entry->member) {
                text_str(ret_name, "!");
                add_shown(ret_name, entry->member);
        }
        if (entry->inner) {
                text_str(ret_name, "!");
                add_shown(ret_name, entry->inner);
        }
}

/* ---- the journal's lines: key=value, separated by tabs; what would end a value or a line as \09 */

static void add_escaped(struct text *line, const char *value)
{
        for (; *value; value++) {
                unsigned char c = (unsigned char)*value;
                if (c < 0x20 || c == '\\')
                        text_printf(line, "\\%02x", c);
                else
                        text_add(line, value, 1);
        }
}

#define LINE_END "end" /* a line without it was cut */

void entry_line(const struct entry *entry, struct text *ret_line)
{
        for (size_t i = 0; i < ROWS; i++) {
                const char *text = rows[i].kind == ENTRY_TEXT ? *text_of((struct entry *)entry, &rows[i]) : NULL;
                uint64_t number =
                        rows[i].kind == ENTRY_NUMBER ? *number_of((struct entry *)entry, &rows[i]) : STASIS_NOWHERE;
                if (!text && number == STASIS_NOWHERE)
                        continue;
                text_printf(ret_line, "%s=", rows[i].key);
                if (text)
                        add_escaped(ret_line, text);
                else
                        text_printf(ret_line, "%" PRIu64, number);
                text_str(ret_line, "\t");
        }
        text_str(ret_line, LINE_END "\n");
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false where an escape is none. */
static bool unescape(char *value)
{
        char *to = value;

        for (; *value; value++) {
                if (*value != '\\') {
                        *to++ = *value;
                        continue;
                }
                int high = hex_digit(value[1]), low = high < 0 ? -1 : hex_digit(value[2]);
                if (low < 0)
                        return false;
                *to++ = (char)(high << 4 | low);
                value += 2;
        }
        *to = '\0';
        return true;
}

static bool parse_member(struct entry *entry, char *word)
{
        char *value = strchr(word, '='), *end;

        if (!value)
                return false;
        *value++ = '\0';
        for (size_t i = 0; i < ROWS; i++) {
                if (strcmp(rows[i].key, word) != 0)
                        continue;
                if (rows[i].kind == ENTRY_NUMBER) {
                        *number_of(entry, &rows[i]) = strtoull(value, &end, 10);
                        return *value && !*end;
                }
                if (!unescape(value))
                        return false;
                entry_set(text_of(entry, &rows[i]), value, strlen(value));
                return true;
        }
        return false;
}

bool entry_parse(const char *line, size_t len, struct entry *ret_entry)
{
        struct entry entry;
        char *copy = strndup(line, len), *save = NULL;
        bool ok = copy != NULL, ended = false;

        entry_init(&entry);
        for (char *word = copy ? strtok_r(copy, "\t", &save) : NULL; word && ok; word = strtok_r(NULL, "\t", &save)) {
                ok = !ended;
                ended = strcmp(word, LINE_END) == 0;
                ok = ok && (ended || parse_member(&entry, word));
        }
        free(copy);
        uint8_t digest[DIGEST_LEN];
        ok = ok && ended && entry.path && entry.verdict < VERDICTS && (entry.member || !entry.inner) &&
             (!entry.sha256 || digest_parse(entry.sha256, digest));
        if (!ok) {
                entry_free(&entry);
                return false;
        }
        *ret_entry = entry;
        return true;
}

/* ---- JSON */

static void put_number(struct json *json, const char *key, uint64_t value)
{
        if (value == STASIS_NOWHERE)
                json_put_null(json, key);
        else
                json_put_number(json, key, value);
}

static void put_shown(struct json *json, const char *key, const char *bytes)
{
        struct text shown = { 0 };

        if (bytes)
                add_shown(&shown, bytes);
        json_put_text(json, key, bytes ? text_get(&shown) : NULL);
        text_free(&shown);
}

static bool is_utf8(const char *bytes)
{
        size_t len = bytes ? strlen(bytes) : 0, step;
        uint32_t code;

        for (size_t i = 0; i < len; i += step)
                if (!(step = utf8_next(bytes + i, len - i, &code)))
                        return false;
        return true;
}

/* The bytes of a name that is no text: in hexadecimal, with 00 between the parts; null of one that is. */
static void put_bytes(struct json *json, const struct entry *entry)
{
        struct text key = { 0 }, hex = { 0 };

        if (is_utf8(entry->path) && is_utf8(entry->member) && is_utf8(entry->inner)) {
                json_put_null(json, "name_hex");
                return;
        }
        entry_key(entry, false, &key);
        for (size_t i = 0; i + 1 < key.len; i++)
                text_printf(&hex, "%02x", (unsigned char)key.at[i]);
        json_put_text(json, "name_hex", text_get(&hex));
        text_free(&key);
        text_free(&hex);
}

static void put_who(struct json *json, const struct entry *entry)
{
        put_shown(json, "name", entry->path);
        put_shown(json, "member", entry->member);
        put_shown(json, "inner", entry->inner);
        put_bytes(json, entry);
        json_put_text(json, "sha256", entry->sha256);
}

static void put_notes(struct json *json, const struct entry *entry)
{
        json_begin(json, "notes", '{');
        put_number(json, "info", entry->infos);
        put_number(json, "warning", entry->warnings);
        put_number(json, "missing", entry->missing);
        json_end(json);
}

void entry_summary(const struct entry *entry, const struct entry *same_as, FILE *out)
{
        struct json json = { .out = out };
        struct text text = { 0 };

        json_begin(&json, NULL, '{');
        put_who(&json, entry);
        json_put_text(&json, "status", verdict_names[entry->verdict]);
        put_number(&json, "exit_status", entry->exit_status);
        if (verdict_has_result((enum verdict)entry->verdict))
                text_printf(&text, "results/%s.json", entry->sha256);
        json_put_text(&json, "result", text.len ? text_get(&text) : NULL);
        text_reset(&text);
        if (same_as)
                entry_name(same_as, &text);
        json_put_text(&json, "same_as", same_as ? text_get(&text) : NULL);
        put_number(&json, "size", entry->content != STASIS_NOWHERE ? entry->content : entry->size);
        json_put_text(&json, "format", entry->format);
        json_put_text(&json, "system", entry->system);
        put_number(&json, "processes", entry->processes);
        put_number(&json, "threads", entry->threads);
        put_number(&json, "deadlocks", entry->deadlocks);
        put_notes(&json, entry);
        put_number(&json, "members", entry->members);
        json_put_text(&json, "sandbox", entry->sandbox);
        bool killed = entry->verdict >= VERDICT_CRASHED && entry->verdict <= VERDICT_FAILED;
        json_put_text(&json, "end", killed ? entry->end : NULL);
        json_put_text(&json, "phase", killed ? entry->phase : NULL);
        json_put_text(&json, "error", entry->error);
        json_end(&json);
        json_line(&json);
        text_free(&text);
}

void entry_worker(const struct entry *entry, FILE *out)
{
        struct json json = { .out = out };

        json_begin(&json, NULL, '{');
        put_who(&json, entry);
        json_put_text(&json, "status", verdict_names[entry->verdict]);
        put_number(&json, "milliseconds", entry->milliseconds);
        put_number(&json, "cpu_milliseconds", entry->cpu_milliseconds);
        put_number(&json, "peak_kib", entry->peak_kib);
        json_put_text(&json, "end", entry->end);
        json_put_text(&json, "phase", entry->phase);
        put_shown(&json, "stderr", entry->messages);
        json_end(&json);
        json_line(&json);
}
