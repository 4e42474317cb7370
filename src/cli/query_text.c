/* SPDX-License-Identifier: MIT */
/*
 * Rows of a query as a table of at most CLI_WIDTH columns. A cell may have several lines: a call stack is one value.
 * Widths are measured over the first rows, as long as these take no more than WINDOW bytes; memory stays there.
 */
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "query.h"

#define WINDOW (1 << 20)
#define COLUMNS_MAX ((CLI_WIDTH + 2) / (CELL_MIN + 2)) /* side by side; more become one value a line */

struct column {
        size_t width;
        bool number; /* all that it has */
};

struct grid {
        struct text cells; /* of rows not yet printed: each made safe, with its terminator; lines end in \n */
        size_t rows;
        struct column *column;
        bool laid; /* widths are final and the heading is out */
};

/* ---- cells */

/* Line by line, so that only line ends stay what they are. */
static void add_safe(struct text *cells, char *value)
{
        for (char *line = value, *next; line; line = next) {
                next = strchr(line, '\n');
                if (next)
                        *next++ = '\0';
                text_safe(cells, line);
                if (next)
                        text_str(cells, "\n");
        }
        text_add(cells, "", 1);
}

static size_t line_len(const char *cell) { return strcspn(cell, "\n"); }

/* One line of a cell as a text of its own; "" behind the last. */
static const char *line_of(const char *cell, size_t number, struct text *line)
{
        text_reset(line);
        for (; number && *cell; number--) {
                cell += line_len(cell);
                cell += *cell == '\n';
        }
        text_add(line, cell, line_len(cell));
        return text_get(line);
}

static size_t count_lines(const char *cell)
{
        size_t count = 1;

        for (; *cell; cell++)
                count += *cell == '\n';
        return count;
}

static size_t cell_width(const char *cell)
{
        struct text line = { 0 };
        size_t widest = 0;

        for (size_t i = 0; i < count_lines(cell); i++) {
                size_t width = text_width(line_of(cell, i, &line));
                widest = width > widest ? width : widest;
        }
        text_free(&line);
        return widest;
}

/* ---- the table */

static void put_line(const struct answer *answer, const char *cell, size_t number)
{
        struct text out = { 0 }, line = { 0 }, clipped = { 0 };

        for (int i = 0; i < answer->columns; i++, cell += strlen(cell) + 1) {
                const struct column *column = &answer->grid->column[i];
                text_reset(&clipped);
                text_clip(&clipped, line_of(cell, number, &line), column->width);
                size_t width = text_width(text_get(&clipped));
                if (column->number)
                        text_pad(&out, ' ', column->width - width);
                text_str(&out, text_get(&clipped));
                if (!column->number)
                        text_pad(&out, ' ', column->width - width);
                text_str(&out, "  ");
        }
        while (out.len && out.at[out.len - 1] == ' ')
                out.at[--out.len] = '\0';
        fprintf(answer->cli->out, "%s\n", text_get(&out));
        text_free(&out);
        text_free(&line);
        text_free(&clipped);
}

static const char *put_row(const struct answer *answer, const char *cell)
{
        const char *at = cell;
        size_t lines = 1;

        for (int i = 0; i < answer->columns; i++, at += strlen(at) + 1)
                lines = count_lines(at) > lines ? count_lines(at) : lines;
        for (size_t i = 0; i < lines; i++)
                put_line(answer, cell, i);
        return at;
}

/* The widest gives way, one column at a time. */
static void shrink(struct answer *answer)
{
        struct column *column = answer->grid->column;
        size_t sum = 2 * ((size_t)answer->columns - 1);

        for (int i = 0; i < answer->columns; i++)
                sum += column[i].width;
        for (; sum > CLI_WIDTH; sum--) {
                struct column *widest = column;
                for (int i = 1; i < answer->columns; i++)
                        if (column[i].width > widest->width)
                                widest = &column[i];
                widest->width--;
        }
}

static void lay(struct answer *answer)
{
        struct grid *grid = answer->grid;
        struct text head = { 0 };
        const char *cell = text_get(&grid->cells);

        for (int i = 0; i < answer->columns; i++) {
                add_safe(&head, strdupa(sqlite3_column_name(answer->stmt, i)));
                grid->column[i].width = text_width(sqlite3_column_name(answer->stmt, i));
        }
        for (size_t n = 0; n < grid->rows * (size_t)answer->columns; n++, cell += strlen(cell) + 1) {
                struct column *column = &grid->column[n % (size_t)answer->columns];
                size_t width = cell_width(cell);
                column->width = width > column->width ? width : column->width;
        }
        shrink(answer);
        fputs(paint(answer->cli, PAINT_BOLD), answer->cli->out);
        put_row(answer, text_get(&head));
        fputs(paint_off(answer->cli), answer->cli->out);
        text_free(&head);
        grid->laid = true;
}

static void flush(struct answer *answer)
{
        struct grid *grid = answer->grid;

        if (!grid->laid)
                lay(answer);
        const char *cell = text_get(&grid->cells);
        for (size_t row = 0; row < grid->rows; row++)
                cell = put_row(answer, cell);
        grid->rows = 0;
        text_reset(&grid->cells);
}

/* ---- one value a line */

static void put_block(struct answer *answer)
{
        struct text value = { 0 }, safe = { 0 }, line = { 0 };

        if (answer->rows)
                putc('\n', answer->cli->out);
        for (int i = 0; i < answer->columns; i++) {
                text_reset(&value);
                text_reset(&safe);
                answer_value(answer->stmt, i, "-", &value);
                add_safe(&safe, text_get(&value)[0] ? value.at : (char[]){ "" });
                for (size_t n = 0; n < count_lines(text_get(&safe)); n++) {
                        text_reset(&value);
                        text_wrap(&value, line_of(text_get(&safe), n, &line), 26, 26, CLI_WIDTH);
                        char title[64];
                        snprintf(title, sizeof(title), "%s", n ? "" : sqlite3_column_name(answer->stmt, i));
                        for (char *at = title; *at; at++)
                                if (*at < ' ' || *at > '~')
                                        *at = '?';
                        fprintf(answer->cli->out, "%-24.24s  %s\n", title, text_get(&value));
                }
        }
        text_free(&value);
        text_free(&safe);
        text_free(&line);
}

/* ---- the writer */

static void begin(struct answer *answer)
{
        answer->grid = calloc(1, sizeof(*answer->grid) + (size_t)answer->columns * sizeof(struct column));
        if (!answer->grid) {
                answer->json.bad = true;
                return;
        }
        answer->grid->column = (struct column *)(answer->grid + 1);
        for (int i = 0; i < answer->columns; i++)
                answer->grid->column[i].number = true;
}

static void row(struct answer *answer)
{
        struct grid *grid = answer->grid;
        struct text value = { 0 };

        if (!grid)
                return;
        if (answer->columns > COLUMNS_MAX) {
                put_block(answer);
                return;
        }
        for (int i = 0; i < answer->columns; i++) {
                int type = sqlite3_column_type(answer->stmt, i);
                text_reset(&value);
                answer_value(answer->stmt, i, "-", &value);
                add_safe(&grid->cells, value.len ? value.at : (char[]){ "" });
                if (!grid->laid && type != SQLITE_INTEGER && type != SQLITE_FLOAT && type != SQLITE_NULL)
                        grid->column[i].number = false;
        }
        text_free(&value);
        grid->rows++;
        if (grid->laid || grid->cells.len > WINDOW)
                flush(answer);
}

static void end(struct answer *answer)
{
        struct grid *grid = answer->grid;

        if (!grid)
                return;
        if (answer->columns <= COLUMNS_MAX && (grid->rows || !answer->rows))
                flush(answer);
        if (!answer->cli->quiet)
                fprintf(answer->cli->out, "\n%zu %s\n", answer->rows, answer->rows == 1 ? "row" : "rows");
        text_free(&grid->cells);
        free(grid);
        answer->grid = NULL;
}

const struct answer_writer answer_text = { begin, row, end };
