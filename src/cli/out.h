/* SPDX-License-Identifier: MIT */
/* Writers of lists of records: one row a format, all slots filled. A list is begun, given its records, and ended. */
#ifndef STASIS_CLI_OUT_H
#define STASIS_CLI_OUT_H

#include "cli.h"
#include "json.h"

struct list {
        struct cli *cli;
        enum stasis_what what;
        bool detail;                        /* text: every fact of each record (the verb thread) */
        size_t total, shown;                /* in the system; printed so far */
        const struct stasis_column *column; /* of this system */
        size_t column_count;
        size_t *chosen; /* text and csv: indexes into column */
        size_t chosen_count;
        struct json json;
        void *priv; /* of the writer */
        bool bad;   /* memory is exhausted */
};

struct list_writer {
        void (*begin)(struct list *list);
        void (*record)(struct list *list, const struct stasis_record *record);
        void (*end)(struct list *list);
};

extern const struct list_writer list_text, list_json, list_jsonl, list_csv, list_cross, list_cross_csv;
const struct list_writer *list_writer_of(enum cli_format format);

const char *list_noun(enum stasis_what what, size_t count); /* "thread", "threads" */
/* One field, quoted where it must be. */
void csv_field(FILE *out, const char *value);
/* On the standard error, where something is missing: a table of figures has no place for words. */
void csv_warn_partial(struct cli *cli);
/* Columns for text where none are asked for; indexes into list->column. */
void list_default_columns(struct list *list);

/* ---- cells of the table (cells.c); i counts the chosen columns */

#define CELL_MIN 8 /* a cut text keeps this much */

static inline const struct stasis_column *list_column(const struct list *list, size_t i)
{
        return &list->column[list->chosen[i]];
}
void cell_heading(const struct list *list, size_t i, struct text *ret_text);
/* The fact to show; where no columns were asked for, one may stand in for another. */
const struct stasis_fact *cell_fact(const struct list *list, size_t i, const struct stasis_record *record);
/* Shorter than what stasis_fact_text says: seconds, the symbol without the address, flags without the word. */
void cell_words(const struct stasis_column *column, const struct stasis_fact *fact, struct text *ret_text);
/* What a cell of this kind needs at least to say something. */
size_t cell_least_width(enum stasis_kind kind);
bool cell_may_shrink(enum stasis_kind kind);

/* ---- pieces of text that several verbs print (out_text.c, detail.c) */

/* "mem.raw: raw memory, 128 MiB" and "Windows XP ...": who speaks. Nothing with --quiet. */
void put_heading(struct cli *cli);
/* "Windows 10 ...": of the facts of a system; nothing where they do not tell. */
void put_system_title(const struct stasis_record *facts, struct text *line);
/* Every fact of a record, by group; chosen NULL: all of them. */
void put_detail(struct cli *cli, const struct stasis_record *record, const size_t *chosen, size_t chosen_count);
/* These facts by group, each group after an empty line. */
void put_rest(struct cli *cli, const struct stasis_record *record, const size_t *chosen, size_t chosen_count);
/* One thread as a page (page.c): what is asked for first stands first, and nothing is left out. */
void put_page(struct cli *cli, const struct stasis_record *record);
/* Notes of the system and gaps of the image; nothing where there are none. */
void put_notes(struct cli *cli);
/* The same; below a table without what is merely worth knowing of single threads. */
void put_notes_below(struct cli *cli, bool table);
/* "  Title      value" of a report. */
void put_pair(struct cli *cli, const char *title, const char *value);
/* A line of its own in bold (colours) and safe. */
void put_title(struct cli *cli, const char *title);
/* A size as people say it: "128 MiB", "4 KiB", "5 bytes"; exact, in the largest unit that is. */
void size_text(struct text *text, uint64_t len);

enum paint { PAINT_BOLD, PAINT_DIM, PAINT_RED, PAINT_YELLOW };
/* The escape sequence, or "" where colours are off. */
const char *paint(const struct cli *cli, enum paint color);
const char *paint_off(const struct cli *cli);

#endif
