/* SPDX-License-Identifier: MIT */
/* RFC 4180: a header row of keys, CRLF, quotes where they are needed. Keys and values are those of JSON. */
#include <string.h>

#include "hints.h"
#include "out.h"
#include "value.h"

void csv_field(FILE *out, const char *value)
{
        if (!strpbrk(value, ",\"\r\n")) {
                fputs(value, out);
                return;
        }
        putc('"', out);
        for (; *value; value++) {
                if (*value == '"')
                        putc('"', out);
                putc(*value, out);
        }
        putc('"', out);
}

static void begin(struct list *list)
{
        FILE *out = list->cli->out;

        for (size_t i = 0; i < list->chosen_count; i++) {
                const struct stasis_column *column = &list->column[list->chosen[i]];
                fprintf(out, "%s%s", i ? "," : "", column->key);
                if (column->kind == STASIS_KIND_CODE)
                        fprintf(out, ",%s_symbol", column->key);
        }
        fputs("\r\n", out);
}

static void record(struct list *list, const struct stasis_record *record)
{
        FILE *out = list->cli->out;
        struct text value = { 0 };

        for (size_t i = 0; i < list->chosen_count; i++) {
                const struct stasis_column *column = &list->column[list->chosen[i]];
                const struct stasis_fact *fact = value_find(record, column->key, list->chosen[i]);
                text_reset(&value);
                if (fact)
                        value_text(column, fact, &value);
                if (i)
                        putc(',', out);
                csv_field(out, text_get(&value));
                if (column->kind != STASIS_KIND_CODE)
                        continue;
                text_reset(&value);
                if (fact && fact->absence == STASIS_PRESENT)
                        value_symbol(fact, &value);
                putc(',', out);
                csv_field(out, text_get(&value));
        }
        fputs("\r\n", out);
        text_free(&value);
}

void csv_warn_partial(struct cli *cli)
{
        size_t count, missing = 0;
        const struct stasis_note *note = stasis_system_notes(cli->system, &count);

        for (size_t i = 0; i < count; i++)
                missing += note[i].severity == STASIS_NOTE_MISSING;
        if (missing)
                cli_warn(cli, "%s: the list is partial (%zu %s); '--format text' tells what is missing",
                         cli->image_path, missing, missing == 1 ? "note" : "notes");
        else if (image_missing(cli->image).count)
                cli_warn(cli, "%s: parts of the memory are not in the image; 'stasis info' tells which",
                         cli->image_path);
}

static void end(struct list *list) { csv_warn_partial(list->cli); }

const struct list_writer list_csv = { begin, record, end };
