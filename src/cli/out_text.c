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

struct table {
        struct text cells; /* of the rows not yet printed, one after the other, each with its terminator */
        size_t rows;
        size_t *width; /* by chosen column */
        bool laid;     /* width is final and the heading is out */
        bool blocks;   /* no table: one fact a line */
        bool unknown;  /* a '?' was shown */
};

static bool fits(const struct list *list)
{
        size_t sum = 0;

        for (size_t i = 0; i < list->chosen_count; i++)
                sum += cell_least_width(list_column(list, i)->kind) + 2;
        return sum <= CLI_WIDTH + 2;
}

/* ---- cells */

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
        text_free(&words);
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
        const struct stasis_column *column = list_column(list, i);
        struct text clipped = { 0 };

        clip_cell(&clipped, column, cell, cell_may_shrink(column->kind) ? table->width[i] : SIZE_MAX);
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
                cell_heading(list, i, &cells);
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
                cell_heading(list, i, &head);
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
                        if (cell_may_shrink(list_column(list, i)->kind) && table->width[i] > CELL_MIN &&
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
        for (size_t row = 0; row < table->rows; row++) {
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

        if (all && !list->cli->evidence) {
                if (list->shown || !list->cli->quiet)
                        putc('\n', list->cli->out);
                put_page(list->cli, record);
                return;
        }
        if (table->blocks) {
                block_title(list, record);
                put_detail(list->cli, record, all ? NULL : list->chosen, list->chosen_count);
                return;
        }
        for (size_t i = 0; i < list->chosen_count; i++)
                add_cell(table, list_column(list, i), cell_fact(list, i, record));
        table->rows++;
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

/* As the debugger's lm does: what is there no more stands apart. */
static void put_unloaded(struct cli *cli)
{
        size_t count;
        const struct stasis_unloaded *gone = stasis_system_unloaded(cli->system, &count);

        if (count) {
                putc('\n', cli->out);
                put_title(cli, "Unloaded modules");
        }
        for (size_t i = 0; i < count; i++) {
                struct text line = { 0 };
                text_printf(&line, "0x%llx - 0x%llx  ", (unsigned long long)gone[i].start,
                            (unsigned long long)gone[i].end);
                text_safe(&line, gone[i].name ? gone[i].name : "?");
                if (gone[i].time) {
                        text_str(&line, "  ");
                        value_time(&line, gone[i].time);
                }
                fprintf(cli->out, "%s\n", text_get(&line));
                text_free(&line);
        }
}

static void end(struct list *list)
{
        struct table *table = list->priv;

        if (table && table->width) {
                if (!table->blocks && table->rows)
                        flush(list);
                put_count(list);
                if (list->what == STASIS_MODULES && !list->cli->quiet)
                        put_unloaded(list->cli);
                if (table->unknown && !list->cli->quiet)
                        fputs("'?' stands for what cannot be told: '--all-columns' gives the reasons.\n",
                              list->cli->out);
                put_notes_below(list->cli, !table->blocks && !list->cli->noticed);
                text_free(&table->cells);
                free(table->width);
        }
        free(table);
        list->priv = NULL;
}

const struct list_writer list_text = { begin, record, end };
