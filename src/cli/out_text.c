/* SPDX-License-Identifier: MIT */
/*
 * Lists as a table of at most CLI_WIDTH columns, for a person. Widths are measured over the first WINDOW rows, so that
 * memory is bounded however many there are. Columns that cannot fit side by side are printed one fact a line instead.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "value.h"

#define WINDOW 8192 /* rows; a thread's row takes some 100 bytes */
#define CELL_MIN 8  /* a cut text keeps this much */

/* Columns shown where none are asked for, and the headings that are shorter than their keys. */
static const struct shown {
        enum stasis_what what;
        const char *key, *heading;
        const char *or_key; /* shown where the first is absent or zero */
} shown[] = {
        { STASIS_PROCESSES, "pid", "PID", NULL },
        { STASIS_PROCESSES, "ppid", "PARENT", NULL },
        { STASIS_PROCESSES, "name", "NAME", NULL },
        { STASIS_PROCESSES, "threads", "THREADS", NULL },
        { STASIS_PROCESSES, "create_time", "CREATED", NULL },
        { STASIS_PROCESSES, "exit_time", "EXITED", NULL },
        { STASIS_PROCESSES, "directory_table_base", "ROOT", NULL },
        { STASIS_PROCESSES, "object", "OBJECT", NULL },
        { STASIS_THREADS, "pid", "PID", NULL },
        { STASIS_THREADS, "tid", "TID", NULL },
        { STASIS_THREADS, "process", "PROCESS", NULL },
        { STASIS_THREADS, "state", "STATE", NULL },
        { STASIS_THREADS, "wait_reason", "WAIT REASON", NULL },
        { STASIS_THREADS, "priority", "PRI", NULL },
        { STASIS_THREADS, "next_processor", "CPU", NULL },
        { STASIS_THREADS, "create_time", "CREATED", NULL },
        { STASIS_THREADS, "win32_start_address", "START", "start_address" },
        { STASIS_MODULES, "base", "BASE", NULL },
        { STASIS_MODULES, "size", "SIZE", NULL },
        { STASIS_MODULES, "name", "NAME", NULL },
        { STASIS_MODULES, "path", "PATH", NULL },
};

#define SHOWN_COUNT (sizeof(shown) / sizeof(shown[0]))

struct table {
        struct text cells; /* of the rows not yet printed, one after the other, each with its terminator */
        size_t rows;
        size_t *width; /* by chosen column */
        bool laid;     /* width is final and the heading is out */
        bool blocks;   /* no table: one fact a line */
        bool unknown;  /* a '?' was shown */
};

void list_default_columns(struct list *list)
{
        for (size_t i = 0; i < SHOWN_COUNT; i++)
                for (size_t j = 0; shown[i].what == list->what && j < list->column_count; j++)
                        if (strcmp(shown[i].key, list->column[j].key) == 0)
                                list->chosen[list->chosen_count++] = j;
        for (size_t j = 0; list->chosen_count == 0 && j < list->column_count; j++)
                list->chosen[list->chosen_count++] = j;
}

static const struct stasis_column *column_at(const struct list *list, size_t i)
{
        return &list->column[list->chosen[i]];
}

static const struct shown *shown_of(const struct list *list, const char *key)
{
        for (size_t j = 0; j < SHOWN_COUNT; j++)
                if (shown[j].what == list->what && strcmp(shown[j].key, key) == 0)
                        return &shown[j];
        return NULL;
}

static void heading(const struct list *list, size_t i, struct text *ret_text)
{
        const struct stasis_column *column = column_at(list, i);
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

/* What a cell of this kind needs at least to say something. */
static size_t least_width(enum stasis_kind kind)
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

static bool may_shrink(enum stasis_kind kind)
{
        return kind == STASIS_KIND_TEXT || kind == STASIS_KIND_TEXTS || kind == STASIS_KIND_CODE ||
               kind == STASIS_KIND_FLAGS || kind == STASIS_KIND_ENUM;
}

static bool fits(const struct list *list)
{
        size_t sum = 0;

        for (size_t i = 0; i < list->chosen_count; i++)
                sum += least_width(column_at(list, i)->kind) + 2;
        return sum <= CLI_WIDTH + 2;
}

/* ---- cells */

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

/* Shorter than what stasis_fact_text says: seconds, the symbol without the address, flags without the word. */
static void cell_words(const struct stasis_column *column, const struct stasis_fact *fact, struct text *ret_text)
{
        switch (column->kind) {
        case STASIS_KIND_TIME:
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

static void add_cell(struct table *table, const struct stasis_column *column, const struct stasis_fact *fact)
{
        struct text words = { 0 };
        uint8_t absence = fact ? fact->absence : STASIS_NOT_KNOWN;

        if (absence == STASIS_NOT_APPLICABLE || absence == STASIS_NOT_IN_VERSION) {
                text_str(&words, "-");
        } else if (absence != STASIS_PRESENT) {
                text_str(&words, "?");
                table->unknown = true;
        } else {
                cell_words(column, fact, &words);
        }
        text_safe(&table->cells, text_get(&words));
        text_add(&table->cells, "", 1);
        table->cells.bad |= words.bad;
        text_free(&words);
}

/* Where no columns were asked for, one of them may stand in for another. */
static const struct stasis_fact *cell_fact(const struct list *list, size_t i, const struct stasis_record *record)
{
        const struct stasis_column *column = column_at(list, i);
        const struct stasis_fact *fact = value_find(record, column->key, list->chosen[i]);
        const struct shown *known = list->cli->columns ? NULL : shown_of(list, column->key);

        if (!known || !known->or_key || (fact && fact->absence == STASIS_PRESENT && fact->value))
                return fact;
        const struct stasis_fact *other = stasis_record_fact(record, known->or_key);
        return other && other->absence == STASIS_PRESENT ? other : fact;
}

/* ---- printing */

/* A symbol that is too long keeps its offset: the name gives way. */
static void clip_cell(struct text *line, const struct stasis_column *column, const char *cell, size_t width)
{
        const char *plus = column->kind == STASIS_KIND_CODE ? strrchr(cell, '+') : NULL;
        struct text name = { 0 };

        if (!plus || text_width(cell) <= width || strlen(plus) + 2 > width) {
                text_clip(line, cell, width);
                return;
        }
        text_add(&name, cell, (size_t)(plus - cell));
        text_clip(line, text_get(&name), width - strlen(plus));
        text_str(line, plus);
        text_free(&name);
}

static bool is_right(const struct stasis_column *column)
{
        return column->kind == STASIS_KIND_NUMBER || column->kind == STASIS_KIND_SIGNED;
}

static void put_cell(const struct list *list, size_t i, const char *cell, struct text *line)
{
        const struct table *table = list->priv;
        const struct stasis_column *column = column_at(list, i);
        struct text clipped = { 0 };

        clip_cell(&clipped, column, cell, may_shrink(column->kind) ? table->width[i] : SIZE_MAX);
        size_t width = text_width(text_get(&clipped));
        size_t pad = width < table->width[i] ? table->width[i] - width : 0;
        if (i)
                text_str(line, "  ");
        if (is_right(column))
                text_pad(line, ' ', pad);
        text_str(line, text_get(&clipped));
        if (!is_right(column) && i + 1 < list->chosen_count)
                text_pad(line, ' ', pad);
        text_free(&clipped);
}

static void put_row(const struct list *list, const char *cell)
{
        struct text line = { 0 }, cut = { 0 };

        for (size_t i = 0; i < list->chosen_count; i++) {
                put_cell(list, i, cell, &line);
                cell += strlen(cell) + 1;
        }
        while (line.len && line.at[line.len - 1] == ' ')
                line.at[--line.len] = '\0';
        text_clip(&cut, text_get(&line), CLI_WIDTH);
        fprintf(list->cli->out, "%s\n", text_get(&cut));
        text_free(&line);
        text_free(&cut);
}

static void put_head(const struct list *list)
{
        struct text cells = { 0 };

        for (size_t i = 0; i < list->chosen_count; i++) {
                heading(list, i, &cells);
                text_add(&cells, "", 1);
        }
        fputs(paint(list->cli, PAINT_BOLD), list->cli->out);
        put_row(list, text_get(&cells));
        fputs(paint_off(list->cli), list->cli->out);
        text_free(&cells);
}

static void measure(struct list *list)
{
        struct table *table = list->priv;
        const char *cell = text_get(&table->cells);

        for (size_t i = 0; i < list->chosen_count; i++) {
                struct text head = { 0 };
                heading(list, i, &head);
                table->width[i] = head.len;
                text_free(&head);
        }
        for (size_t n = 0; n < table->rows * list->chosen_count; n++, cell += strlen(cell) + 1) {
                size_t width = text_width(cell), i = n % list->chosen_count;
                if (width > table->width[i])
                        table->width[i] = width;
        }
}

/* The widest that may, gives way; one column at a time, so that similar ones end alike. */
static void shrink(struct list *list)
{
        struct table *table = list->priv;
        size_t sum = 2 * (list->chosen_count - 1);

        for (size_t i = 0; i < list->chosen_count; i++)
                sum += table->width[i];
        while (sum > CLI_WIDTH) {
                size_t widest = SIZE_MAX;
                for (size_t i = 0; i < list->chosen_count; i++)
                        if (may_shrink(column_at(list, i)->kind) && table->width[i] > CELL_MIN &&
                            (widest == SIZE_MAX || table->width[i] > table->width[widest]))
                                widest = i;
                if (widest == SIZE_MAX)
                        return;
                table->width[widest]--;
                sum--;
        }
}

static void flush(struct list *list)
{
        struct table *table = list->priv;

        if (!table->laid) {
                measure(list);
                shrink(list);
                put_head(list);
                table->laid = true;
        }
        const char *cell = text_get(&table->cells);
        for (size_t row = 0; row < table->rows && !table->cells.bad; row++) {
                put_row(list, cell);
                for (size_t i = 0; i < list->chosen_count; i++)
                        cell += strlen(cell) + 1;
        }
        table->rows = 0;
        text_reset(&table->cells);
}

/* ---- the writer */

static void begin(struct list *list)
{
        struct table *table = calloc(1, sizeof(*table));

        list->priv = table;
        if (!table || !(table->width = calloc(list->chosen_count, sizeof(*table->width)))) {
                list->bad = true;
                return;
        }
        table->blocks = list->detail || list->cli->evidence || list->cli->all_columns || !fits(list);
        put_heading(list->cli);
}

static void block_title(struct list *list, const struct stasis_record *record)
{
        static const char *const keys[] = { "pid", "tid", "process", "name" };
        struct text title = { 0 };

        text_printf(&title, "%s at 0x%llx", list_noun(list->what, 1), (unsigned long long)record->object);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                const struct stasis_fact *fact = stasis_record_fact(record, keys[i]);
                if (!fact || fact->absence != STASIS_PRESENT)
                        continue;
                if (fact->text)
                        text_printf(&title, ", %s", fact->text);
                else
                        text_printf(&title, ", %s %llu", keys[i], (unsigned long long)fact->value);
        }
        if (list->shown || !list->cli->quiet)
                putc('\n', list->cli->out);
        title.at[0] = (char)toupper((unsigned char)title.at[0]);
        put_title(list->cli, text_get(&title));
        text_free(&title);
}

static void record(struct list *list, const struct stasis_record *record)
{
        struct table *table = list->priv;
        bool all = list->detail && !list->cli->columns;

        if (table->blocks) {
                block_title(list, record);
                put_detail(list->cli, record, all ? NULL : list->chosen, list->chosen_count);
                return;
        }
        for (size_t i = 0; i < list->chosen_count; i++)
                add_cell(table, column_at(list, i), cell_fact(list, i, record));
        table->rows++;
        list->bad |= table->cells.bad;
        if (list->shown == 0 && !list->cli->quiet)
                putc('\n', list->cli->out);
        if (table->laid || table->rows == WINDOW)
                flush(list);
}

static void put_count(struct list *list)
{
        FILE *out = list->cli->out;

        if (list->shown && list->cli->quiet)
                return;
        putc('\n', out);
        if (list->total == 0)
                fprintf(out, "No %s found.\n", list_noun(list->what, 1));
        else if (list->shown == 0)
                fprintf(out, "None of the %zu %s found is as asked for.\n", list->total,
                        list_noun(list->what, list->total));
        else if (list->shown < list->total)
                fprintf(out, "%zu of %zu %s\n", list->shown, list->total, list_noun(list->what, list->total));
        else
                fprintf(out, "%zu %s\n", list->total, list_noun(list->what, list->total));
}

static void end(struct list *list)
{
        struct table *table = list->priv;

        if (table && table->width) {
                if (!table->blocks && table->rows)
                        flush(list);
                put_count(list);
                if (table->unknown && !list->cli->quiet)
                        fputs("'?' stands for what cannot be told: '--all-columns' gives the reasons.\n",
                              list->cli->out);
                put_notes(list->cli);
                text_free(&table->cells);
                free(table->width);
        }
        free(table);
        list->priv = NULL;
}

const struct list_writer list_text = { begin, record, end };
