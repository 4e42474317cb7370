/* SPDX-License-Identifier: MIT */
/* What stands in the cells of the table: which columns, under which headings, and each fact in few words. */
#include <ctype.h>
#include <string.h>

#include "out.h"
#include "value.h"

/* Columns shown where none are asked for, and the headings that are shorter than their keys. */
static const struct shown {
        enum stasis_what what;
        const char *key, *heading;
        const char *or_key;   /* shown where the first is absent or zero */
        const char *in_state; /* shown only of threads in whose state's name this stands */
} shown[] = {
        { STASIS_PROCESSES, "pid", "PID", NULL, NULL },
        { STASIS_PROCESSES, "ppid", "PARENT", NULL, NULL },
        { STASIS_PROCESSES, "name", "NAME", NULL, NULL },
        { STASIS_PROCESSES, "threads", "THREADS", NULL, NULL },
        { STASIS_PROCESSES, "create_time", "CREATED (UTC)", NULL, NULL },
        { STASIS_PROCESSES, "exit_time", "EXITED (UTC)", NULL, NULL },
        { STASIS_PROCESSES, "state", "STATE", NULL, NULL },
        { STASIS_PROCESSES, "start_time", "STARTED (UTC)", NULL, NULL },
        { STASIS_PROCESSES, "directory_table_base", "ROOT", NULL, NULL },
        { STASIS_PROCESSES, "page_table_root", "ROOT", NULL, NULL },
        { STASIS_PROCESSES, "object", "OBJECT", NULL, NULL },
        { STASIS_THREADS, "pid", "PID", NULL, NULL },
        { STASIS_THREADS, "tid", "TID", NULL, NULL },
        { STASIS_THREADS, "process", "PROCESS", NULL, NULL },
        { STASIS_THREADS, "name", "NAME", NULL, NULL },
        { STASIS_THREADS, "state", "STATE", NULL, NULL },
        { STASIS_THREADS, "wait_reason", "WAIT REASON", NULL, "Wait" },
        { STASIS_THREADS, "wchan", "WAITS IN", NULL, NULL },
        { STASIS_THREADS, "priority", "PRI", NULL, NULL },
        { STASIS_THREADS, "next_processor", "CPU", NULL, NULL },
        { STASIS_THREADS, "cpu", "CPU", NULL, NULL },
        { STASIS_THREADS, "create_time", "CREATED (UTC)", NULL, NULL },
        { STASIS_THREADS, "start_time", "STARTED (UTC)", NULL, NULL },
        { STASIS_THREADS, "win32_start_address", "START", "start_address", NULL },
        { STASIS_MODULES, "base", "BASE", NULL, NULL },
        { STASIS_MODULES, "size", "SIZE", NULL, NULL },
        { STASIS_MODULES, "name", "NAME", NULL, NULL },
        { STASIS_MODULES, "path", "PATH", NULL, NULL },
};

#define SHOWN_COUNT (sizeof(shown) / sizeof(shown[0]))

void list_default_columns(struct list *list)
{
        for (size_t i = 0; i < SHOWN_COUNT; i++)
                for (size_t j = 0; shown[i].what == list->what && j < list->column_count; j++)
                        if (strcmp(shown[i].key, list->column[j].key) == 0)
                                list->chosen[list->chosen_count++] = j;
        for (size_t j = 0; list->chosen_count == 0 && j < list->column_count; j++)
                list->chosen[list->chosen_count++] = j;
}

static const struct shown *shown_of(const struct list *list, const char *key)
{
        for (size_t j = 0; j < SHOWN_COUNT; j++)
                if (shown[j].what == list->what && strcmp(shown[j].key, key) == 0)
                        return &shown[j];
        return NULL;
}

void cell_heading(const struct list *list, size_t i, struct text *ret_text)
{
        const struct stasis_column *column = list_column(list, i);
        const struct shown *known = shown_of(list, column->key);

        if (known && (!list->cli->columns || !known->or_key)) {
                text_str(ret_text, known->heading);
                return;
        }
        for (const char *at = column->key; *at; at++) {
                char upper = (char)toupper((unsigned char)*at);
                text_add(ret_text, &upper, 1);
        }
}

size_t cell_least_width(enum stasis_kind kind)
{
        switch (kind) {
        case STASIS_KIND_TIME: return 19;
        case STASIS_KIND_ADDRESS:
        case STASIS_KIND_CODE: return 18;
        case STASIS_KIND_HEX:
        case STASIS_KIND_PHYSICAL: return 10;
        case STASIS_KIND_NUMBER:
        case STASIS_KIND_SIGNED:
        case STASIS_KIND_BOOL: return 5;
        default: return CELL_MIN;
        }
}

bool cell_may_shrink(enum stasis_kind kind)
{
        return kind == STASIS_KIND_TEXT || kind == STASIS_KIND_TEXTS || kind == STASIS_KIND_CODE ||
               kind == STASIS_KIND_FLAGS || kind == STASIS_KIND_ENUM || kind == STASIS_KIND_STACK ||
               kind == STASIS_KIND_REGISTERS || kind == STASIS_KIND_LIST;
}

static void flag_names(const struct stasis_column *column, uint64_t value, struct text *ret_text)
{
        for (size_t i = 0; i < column->name_count; i++) {
                struct text flag = { 0 };
                if (value_flag(&column->names[i], value, &flag))
                        text_printf(ret_text, "%s%s", ret_text->len ? " " : "", text_get(&flag));
                text_free(&flag);
        }
        if (ret_text->len == 0)
                text_printf(ret_text, "0x%llx", (unsigned long long)value);
}

void cell_words(const struct stasis_column *column, const struct stasis_fact *fact, struct text *ret_text)
{
        switch (column->kind) {
        case STASIS_KIND_TIME:
                if (fact->value == 0) {
                        text_str(ret_text, "-"); /* never: the year 1601 would be taken for a date */
                        return;
                }
                value_text(column, fact, ret_text);
                if (ret_text->len < 9)
                        return;
                *strchr(ret_text->at, 'T') = ' ';
                ret_text->len -= 9; /* ".1234567Z" */
                ret_text->at[ret_text->len] = '\0';
                return;
        case STASIS_KIND_CODE:
                if (value_symbol(fact, ret_text))
                        return;
                break;
        case STASIS_KIND_FLAGS: flag_names(column, fact->value, ret_text); return;
        case STASIS_KIND_TEXT:
                text_str(ret_text, fact->text ? fact->text : "");
                return; /* bad bytes are shown as they are */
        case STASIS_KIND_BOOL: text_str(ret_text, fact->value ? "yes" : "no"); return;
        default: break;
        }
        value_text(column, fact, ret_text);
}

/* Of a thread that does not wait, the wait reason is that of its last wait: true, and misleading in a table. */
static bool is_stale(const struct shown *known, const struct stasis_record *record)
{
        const struct stasis_fact *state = known->in_state ? stasis_record_fact(record, "state") : NULL;

        return state && state->absence == STASIS_PRESENT && state->text && !strstr(state->text, known->in_state);
}

const struct stasis_fact *cell_fact(const struct list *list, size_t i, const struct stasis_record *record)
{
        static const struct stasis_fact none = { .absence = STASIS_NOT_APPLICABLE };
        const struct stasis_column *column = list_column(list, i);
        const struct stasis_fact *fact = value_find(record, column->key, list->chosen[i]);
        const struct shown *known = list->cli->columns ? NULL : shown_of(list, column->key);

        if (known && is_stale(known, record))
                return &none;
        if (!known || !known->or_key || (fact && fact->absence == STASIS_PRESENT && fact->value))
                return fact;
        const struct stasis_fact *other = stasis_record_fact(record, known->or_key);
        if (!other || other->absence != STASIS_PRESENT)
                return fact;
        return other->value ? other : &none;
}
