/* SPDX-License-Identifier: MIT */
/* threads --cross-view: one column a way of finding threads, as a table and as CSV. */
#include <string.h>

#include "list.h"
#include "out.h"
#include "value.h"

enum { WIDE_PROCESS = 14, WIDE_STATE = 12, WIDE_ID = 6 };

/* Is this name a line of the fact's text? */
static bool names(const struct stasis_fact *fact, const char *name)
{
        size_t len = strlen(name);
        const char *at = fact && fact->absence == STASIS_PRESENT ? fact->text : NULL;

        while (at && *at) {
                size_t line = strcspn(at, "\n");
                if (line == len && strncmp(at, name, len) == 0)
                        return true;
                at += line + (at[line] == '\n');
        }
        return false;
}

static const char *text_of(const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(record, key);

        return fact && fact->absence == STASIS_PRESENT && fact->text ? fact->text : "";
}

/* Whose thread it is: of Windows the process, of Linux the task itself has the name. */
static const char *whose(const struct list *list)
{
        return list_column_of(list->cli, STASIS_THREADS, "process") ? "process" : "name";
}

static void add_id(struct text *line, const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(record, key);

        if (fact && fact->absence == STASIS_PRESENT)
                text_printf(line, "%*llu  ", WIDE_ID, (unsigned long long)fact->value);
        else
                text_printf(line, "%*s  ", WIDE_ID, "?");
}

static void add_words(struct text *line, const char *words, size_t width)
{
        struct text safe = { 0 }, cut = { 0 };

        text_safe(&safe, words);
        text_clip(&cut, text_get(&safe), width);
        size_t len = text_width(text_get(&cut));
        text_str(line, text_get(&cut));
        text_pad(line, ' ', width - (len < width ? len : width) + 2);
        text_free(&safe);
        text_free(&cut);
}

static void put_line(const struct list *list, struct text *line)
{
        while (line->len && line->at[line->len - 1] == ' ')
                line->at[--line->len] = '\0';
        fprintf(list->cli->out, "%s\n", text_get(line));
        text_free(line);
}

/* The ways, with a column for each that was gone; the others are told below. */
static const struct stasis_source *sources(const struct list *list, size_t *ret_count)
{
        return stasis_system_sources(list->cli->system, ret_count);
}

static void begin(struct list *list)
{
        struct text line = { 0 };
        size_t count;
        const struct stasis_source *source = sources(list, &count);

        put_heading(list->cli);
        if (list->cli->quiet)
                return;
        fputs(paint(list->cli, PAINT_BOLD), list->cli->out);
        text_printf(&line, "\n%*s  %*s  ", WIDE_ID, "PID", WIDE_ID, "TID");
        add_words(&line, strcmp(whose(list), "process") == 0 ? "PROCESS" : "NAME", WIDE_PROCESS);
        add_words(&line, "STATE", WIDE_STATE);
        for (size_t i = 0; i < count; i++)
                if (!source[i].why_not)
                        text_printf(&line, "%s ", source[i].heading);
        text_str(&line, " WHY NOT ALL");
        put_line(list, &line);
        fputs(paint_off(list->cli), list->cli->out);
}

/* "+": seen; "-": not, although it should; ".": nothing follows from that. */
static void record(struct list *list, const struct stasis_record *record)
{
        struct text line = { 0 };
        size_t count;
        const struct stasis_source *source = sources(list, &count);
        const struct stasis_fact *seen = stasis_record_fact(record, "sources");
        const struct stasis_fact *unseen = stasis_record_fact(record, "unseen_by");

        add_id(&line, record, "pid");
        add_id(&line, record, "tid");
        add_words(&line, text_of(record, whose(list)), WIDE_PROCESS);
        add_words(&line, text_of(record, "state"), WIDE_STATE);
        for (size_t i = 0; i < count; i++)
                if (!source[i].why_not)
                        text_printf(&line, " %c  ",
                                    names(seen, source[i].name)     ? '+'
                                    : names(unseen, source[i].name) ? '-'
                                                                    : '.');
        text_printf(&line, " %s", text_of(record, "hidden"));
        put_line(list, &line);
}

static void end(struct list *list)
{
        size_t count;
        const struct stasis_source *source = sources(list, &count);
        FILE *out = list->cli->out;

        if (list->cli->quiet) {
                put_notes(list->cli);
                return;
        }
        fprintf(out, "\n%zu of %zu %s\n\n", list->shown, list->total, list_noun(list->what, list->total));
        for (size_t i = 0; i < count; i++)
                fprintf(out, "  %s  %5zu  %-14s %s%s\n", source[i].heading, source[i].threads, source[i].name,
                        source[i].why_not ? "no: " : "", source[i].why_not ? source[i].why_not : source[i].title);
        fputs("  +  seen;  -  not seen, although it should be;  .  not seen, and nothing follows from that\n", out);
        put_notes(list->cli);
}

const struct list_writer list_cross = { begin, record, end };

static void begin_csv(struct list *list)
{
        size_t count;
        const struct stasis_source *source = sources(list, &count);

        fprintf(list->cli->out, "object,pid,tid,%s,state", whose(list));
        for (size_t i = 0; i < count; i++)
                fprintf(list->cli->out, ",%s", source[i].name);
        fputs(",hidden\r\n", list->cli->out);
}

static void field(FILE *out, const struct list *list, const struct stasis_record *record, const char *key)
{
        struct text value = { 0 };

        for (size_t i = 0; i < list->column_count; i++)
                if (strcmp(list->column[i].key, key) == 0) {
                        const struct stasis_fact *fact = stasis_record_fact(record, key);
                        if (fact)
                                value_text(&list->column[i], fact, &value);
                }
        csv_field(out, text_get(&value));
        text_free(&value);
}

/* "yes", "no" (it should be seen), or nothing where nothing follows or the way was not gone. */
static void record_csv(struct list *list, const struct stasis_record *record)
{
        const char *const keys[] = { "object", "pid", "tid", whose(list), "state" };
        size_t count;
        const struct stasis_source *source = sources(list, &count);
        const struct stasis_fact *seen = stasis_record_fact(record, "sources");
        const struct stasis_fact *unseen = stasis_record_fact(record, "unseen_by");
        FILE *out = list->cli->out;

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (i)
                        putc(',', out);
                field(out, list, record, keys[i]);
        }
        for (size_t i = 0; i < count; i++)
                fprintf(out, ",%s", names(seen, source[i].name) ? "yes" : names(unseen, source[i].name) ? "no" : "");
        putc(',', out);
        csv_field(out, text_of(record, "hidden"));
        fputs("\r\n", out);
}

static void end_csv(struct list *list) { csv_warn_partial(list->cli); }

const struct list_writer list_cross_csv = { begin_csv, record_csv, end_csv };
