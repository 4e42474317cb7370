/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../base/utf.h"

static const char *const absence_names[] = {
        [STASIS_PRESENT] = "present",
        [STASIS_NOT_IN_VERSION] = "not in this version",
        [STASIS_NOT_IN_IMAGE] = "not in this image",
        [STASIS_PAGED_OUT] = "paged out",
        [STASIS_CONTRADICTORY] = "contradictory",
        [STASIS_NOT_APPLICABLE] = "not applicable",
        [STASIS_NOT_KNOWN] = "not known",
        [STASIS_DEMAND_ZERO] = "demand-zero",
        [STASIS_COMPRESSED] = "compressed store",
        [STASIS_MAPPED_FILE] = "mapped file",
        [STASIS_NOT_MAPPED] = "not mapped",
};

const char *stasis_absence_name(enum stasis_absence absence)
{
        size_t i = (size_t)absence;
        return i < sizeof absence_names / sizeof *absence_names ? absence_names[i] : "?";
}

static const char *const kind_names[] = {
        [STASIS_KIND_NUMBER] = "number",     [STASIS_KIND_SIGNED] = "signed number",
        [STASIS_KIND_BOOL] = "boolean",      [STASIS_KIND_HEX] = "hex word",
        [STASIS_KIND_ADDRESS] = "address",   [STASIS_KIND_PHYSICAL] = "physical address",
        [STASIS_KIND_CODE] = "code address", [STASIS_KIND_ENUM] = "name",
        [STASIS_KIND_FLAGS] = "flags",       [STASIS_KIND_TIME] = "time",
        [STASIS_KIND_TEXT] = "text",         [STASIS_KIND_TEXTS] = "list of texts",
        [STASIS_KIND_STACK] = "call stack",  [STASIS_KIND_REGISTERS] = "registers",
        [STASIS_KIND_LIST] = "list",
};

const char *stasis_kind_name(enum stasis_kind kind)
{
        size_t i = (size_t)kind;
        return i < sizeof kind_names / sizeof *kind_names ? kind_names[i] : "?";
}

const struct stasis_fact *stasis_record_fact(const struct stasis_record *record, const char *key)
{
        for (size_t i = 0; i < record->count; i++)
                if (strcmp(record->column[i].key, key) == 0)
                        return &record->fact[i];
        return NULL;
}

const char *name_of(const struct stasis_name *names, size_t count, uint64_t value)
{
        for (size_t i = 0; i < count; i++)
                if (names[i].value == value)
                        return names[i].name;
        return NULL;
}

/* FILETIME counts 100 ns since 1601-01-01 UTC; 11,644,473,600 s before the Unix epoch. */
void text_time(uint64_t filetime, char buf[static 64])
{
        time_t seconds = (time_t)(filetime / 10000000) - 11644473600;
        struct tm tm;
        if (filetime >= 2650467744000000000 || !gmtime_r(&seconds, &tm)) { /* 10000-01-01 */
                snprintf(buf, 64, "0x%" PRIx64, filetime);
                return;
        }
        snprintf(buf, 64, "%04d-%02d-%02dT%02d:%02d:%02d.%07uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(filetime % 10000000));
}

static size_t flags_text(const struct stasis_column *column, uint64_t value, char *buf, size_t len)
{
        size_t used = (size_t)snprintf(buf, len, "0x%" PRIx64, value);
        for (size_t i = 0; i < column->name_count; i++) {
                const struct stasis_name *n = &column->names[i];
                uint64_t field = value >> n->bit & (n->len >= 64 ? UINT64_MAX : (UINT64_C(1) << n->len) - 1);
                if (!field)
                        continue;
                char *at = used < len ? buf + used : NULL;
                size_t room = used < len ? len - used : 0;
                used += (size_t)(n->len == 1 ? snprintf(at, room, " %s", n->name)
                                             : snprintf(at, room, " %s=%" PRIu64, n->name, field));
        }
        return used;
}

static size_t code_text(const struct stasis_fact *fact, char *buf, size_t len)
{
        if (!fact->text)
                return (size_t)snprintf(buf, len, "0x%" PRIx64, fact->value);
        return (size_t)snprintf(buf, len, "0x%" PRIx64 " %s+0x%" PRIx64, fact->value, fact->text, fact->extra);
}

static size_t time_text(uint64_t filetime, char *buf, size_t len)
{
        char text[64];
        text_time(filetime, text);
        return (size_t)snprintf(buf, len, "%s", text);
}

static size_t texts_text(const struct stasis_fact *fact, char *buf, size_t len)
{
        size_t used = (size_t)snprintf(buf, len, "%s", fact->text ? fact->text : "");
        for (size_t i = 0; i + 1 < len && i < used; i++)
                if (buf[i] == '\n')
                        buf[i] = ' ';
        return used;
}

/* Where the rest of a text goes, of which `used` characters were said: NULL where the room is used up. */
static char *rest(char *buf, size_t len, size_t used, size_t *ret_room)
{
        *ret_room = used < len ? len - used : 0;
        return *ret_room ? buf + used : NULL;
}

/* What a row has not at all says nothing of it. */
static bool is_said(const struct stasis_fact *fact)
{
        return fact->absence != STASIS_NOT_IN_VERSION && fact->absence != STASIS_NOT_APPLICABLE;
}

/* "key value  key value; key value": no more than two levels, as inner facts are no lists. */
static size_t list_text(const struct stasis_list *list, char *buf, size_t len)
{
        size_t used = 0, room;
        char *at;
        if (len)
                buf[0] = '\0';
        for (size_t row = 0; row < list->rows; row++) {
                const char *between = row ? "; " : "";
                for (size_t i = 0; i < list->columns; i++) {
                        const struct stasis_fact *fact = &list->fact[row * list->columns + i];
                        if (!is_said(fact))
                                continue;
                        at = rest(buf, len, used, &room);
                        used += (size_t)snprintf(at, room, "%s%s ", between, list->column[i].key);
                        at = rest(buf, len, used, &room);
                        used += stasis_fact_text(&list->column[i], fact, at, room);
                        between = "  ";
                }
        }
        return used;
}

size_t stasis_fact_text(const struct stasis_column *column, const struct stasis_fact *fact, char *buf, size_t len)
{
        if (!fact_is(fact))
                return (size_t)snprintf(buf, len, "<%s>", stasis_absence_name((enum stasis_absence)fact->absence));
        switch (column->kind) {
        case STASIS_KIND_NUMBER: return (size_t)snprintf(buf, len, "%" PRIu64, fact->value);
        case STASIS_KIND_SIGNED: return (size_t)snprintf(buf, len, "%" PRId64, (int64_t)fact->value);
        case STASIS_KIND_BOOL: return (size_t)snprintf(buf, len, "%s", fact->value ? "yes" : "no");
        case STASIS_KIND_ENUM:
                if (fact->text)
                        return (size_t)snprintf(buf, len, "%s", fact->text);
                return (size_t)snprintf(buf, len, "0x%" PRIx64, fact->value);
        case STASIS_KIND_FLAGS: return flags_text(column, fact->value, buf, len);
        case STASIS_KIND_CODE: return code_text(fact, buf, len);
        case STASIS_KIND_TIME: return time_text(fact->value, buf, len);
        case STASIS_KIND_TEXT: return (size_t)snprintf(buf, len, "%s", fact->text ? fact->text : "");
        case STASIS_KIND_TEXTS:
        case STASIS_KIND_STACK:
        case STASIS_KIND_REGISTERS: return texts_text(fact, buf, len);
        case STASIS_KIND_LIST: return list_text(fact->list, buf, len);
        case STASIS_KIND_HEX:
        case STASIS_KIND_ADDRESS:
        case STASIS_KIND_PHYSICAL: break;
        }
        return (size_t)snprintf(buf, len, "0x%" PRIx64, fact->value);
}

char *text_from_utf16(struct stasis_arena *arena, const uint8_t *units, size_t len)
{
        size_t count = len / 2, used = 0;
        char *out = stasis_arena_array(arena, 3, count + 2); /* a pair of units makes 4 bytes, a single one at most 3 */
        for (size_t at = 0; out && at < count;) {
                uint32_t code = utf16_next(units, count, &at);
                if (!code)
                        break;
                used += utf8_put(code, out + used);
        }
        return out;
}

char *text_from_bytes(struct stasis_arena *arena, const uint8_t *bytes, size_t len)
{
        size_t used = 0;
        char *out = stasis_arena_array(arena, 2, len + 2);
        for (size_t i = 0; out && i < len && bytes[i]; i++)
                used += utf8_put(bytes[i], out + used);
        return out;
}

/* Length of the sequence at bytes, 0 where it is no valid one (overlong, surrogate, above U+10FFFF, cut). */
static size_t utf8_len(const uint8_t *b, size_t left)
{
        static const struct {
                uint8_t mask, lead, len;
                uint32_t least;
        } forms[] = {
                { 0x80, 0x00, 1, 0 }, { 0xe0, 0xc0, 2, 0x80 }, { 0xf0, 0xe0, 3, 0x800 }, { 0xf8, 0xf0, 4, 0x10000 }
        };
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
                uint32_t code = b[0] & (uint8_t)~forms[i].mask;
                if ((b[0] & forms[i].mask) != forms[i].lead)
                        continue;
                for (size_t k = 1; k < forms[i].len; k++) {
                        if (k >= left || (b[k] & 0xc0) != 0x80)
                                return 0;
                        code = code << 6 | (b[k] & 0x3f);
                }
                bool good = code >= forms[i].least && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
                return good ? forms[i].len : 0;
        }
        return 0;
}

char *text_from_utf8(struct stasis_arena *arena, const uint8_t *bytes, size_t len)
{
        static const char hex[] = "0123456789abcdef";
        size_t used = 0;
        char *out = stasis_arena_array(arena, 4, len + 1);
        for (size_t i = 0; out && i < len;) {
                size_t valid = bytes[i] ? utf8_len(bytes + i, len - i) : 0;
                if (valid) {
                        memcpy(out + used, bytes + i, valid);
                        used += valid;
                        i += valid;
                        continue;
                }
                const char escape[] = { '\\', 'x', hex[bytes[i] >> 4], hex[bytes[i] & 15] };
                memcpy(out + used, escape, 4);
                used += 4;
                i++;
        }
        return out;
}
