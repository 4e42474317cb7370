/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define FILETIME_SECOND 10000000u
#define FILETIME_UNIX 11644473600 /* seconds from 1601-01-01 to 1970-01-01 */

void value_time(struct text *text, uint64_t filetime)
{
        time_t seconds = (time_t)(filetime / FILETIME_SECOND) - FILETIME_UNIX;
        struct tm tm = { 0 };

        gmtime_r(&seconds, &tm); /* cannot fail: 2^64 of 100 ns end in the year 60056 */
        text_printf(text, "%04d-%02d-%02dT%02d:%02d:%02d.%07" PRIu64 "Z", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                    tm.tm_hour, tm.tm_min, tm.tm_sec, filetime % FILETIME_SECOND);
}

bool value_flag(const struct stasis_name *name, uint64_t value, struct text *ret_text)
{
        unsigned len = name->len ? name->len : 1;

        if (name->bit > 63)
                return false;
        value >>= name->bit;
        if (len < 64)
                value &= (UINT64_C(1) << len) - 1;
        if (value == 0)
                return false;
        if (len == 1)
                text_str(ret_text, name->name);
        else
                text_printf(ret_text, "%s=%" PRIu64, name->name, value);
        return true;
}

bool value_symbol(const struct stasis_fact *fact, struct text *ret_text)
{
        if (!fact->text)
                return false;
        text_printf(ret_text, "%s+0x%" PRIx64, fact->text, fact->extra);
        return true;
}

static void value_flags(const struct stasis_column *column, uint64_t value, struct text *ret_text)
{
        struct text flag = { 0 };

        text_printf(ret_text, "0x%" PRIx64, value);
        for (size_t i = 0; i < column->name_count; i++) {
                text_reset(&flag);
                if (value_flag(&column->names[i], value, &flag))
                        text_printf(ret_text, "|%s", text_get(&flag));
        }
        text_free(&flag);
}

static void value_texts(const char *texts, struct text *ret_text)
{
        for (; *texts; texts++)
                text_add(ret_text, *texts == '\n' ? "|" : texts, 1);
}

/* "key=value key=value;key=value": what is absent is left out, as in a record. */
static void value_list(const struct stasis_list *list, struct text *ret_text)
{
        for (size_t row = 0; row < list->rows; row++) {
                const char *between = row ? ";" : "";
                for (size_t i = 0; i < list->columns; i++) {
                        const struct stasis_fact *fact = &list->fact[row * list->columns + i];
                        if (fact->absence != STASIS_PRESENT)
                                continue;
                        text_printf(ret_text, "%s%s=", between, list->column[i].key);
                        value_text(&list->column[i], fact, ret_text);
                        between = " ";
                }
        }
}

void value_text(const struct stasis_column *column, const struct stasis_fact *fact, struct text *ret_text)
{
        if (fact->absence != STASIS_PRESENT)
                return;
        switch (column->kind) {
        case STASIS_KIND_NUMBER: text_printf(ret_text, "%" PRIu64, fact->value); break;
        case STASIS_KIND_SIGNED: text_printf(ret_text, "%" PRId64, (int64_t)fact->value); break;
        case STASIS_KIND_BOOL: text_str(ret_text, fact->value ? "true" : "false"); break;
        case STASIS_KIND_HEX:
        case STASIS_KIND_ADDRESS:
        case STASIS_KIND_PHYSICAL:
        case STASIS_KIND_CODE: text_printf(ret_text, "0x%" PRIx64, fact->value); break;
        case STASIS_KIND_ENUM:
                if (fact->text)
                        text_utf8(ret_text, fact->text);
                else
                        text_printf(ret_text, "0x%" PRIx64, fact->value);
                break;
        case STASIS_KIND_FLAGS: value_flags(column, fact->value, ret_text); break;
        case STASIS_KIND_TIME: value_time(ret_text, fact->value); break;
        case STASIS_KIND_TEXT: text_utf8(ret_text, fact->text ? fact->text : ""); break;
        case STASIS_KIND_STACK:
        case STASIS_KIND_REGISTERS:
        case STASIS_KIND_TEXTS: value_texts(fact->text ? fact->text : "", ret_text); break;
        case STASIS_KIND_LIST: value_list(fact->list, ret_text); break;
        }
}

const struct stasis_fact *value_find(const struct stasis_record *record, const char *key, size_t expected)
{
        if (expected < record->count && strcmp(record->column[expected].key, key) == 0)
                return &record->fact[expected];
        return stasis_record_fact(record, key);
}

bool value_offset(const struct stasis_image *image, const struct stasis_fact *fact, uint64_t *ret_off)
{
        uint64_t at = stasis_image_is_virtual(image) ? fact->va : fact->pa;
        return at != STASIS_NOWHERE && stasis_image_offset(image, at, ret_off) == STASIS_OK;
}
