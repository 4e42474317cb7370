/* SPDX-License-Identifier: MIT */
/* Every fact of one record, one a line, by group. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "out.h"
#include "value.h"

/* As the library words it, whatever its length. */
static void fact_words(const struct stasis_column *column, const struct stasis_fact *fact, struct text *ret_text)
{
        char small[512];

        size_t len = stasis_fact_text(column, fact, small, sizeof(small));
        if (len < sizeof(small)) {
                text_str(ret_text, small);
                return;
        }
        text_pad(ret_text, ' ', len);
        stasis_fact_text(column, fact, ret_text->at, len + 1);
}

static void add_place(struct text *line, const char *name, bool known, uint64_t value)
{
        if (known)
                text_printf(line, "  %s 0x%" PRIx64, name, value);
}

/* of: its key, where a line tells several. */
static void put_evidence(struct cli *cli, const char *of, const struct stasis_fact *fact)
{
        struct text line = { 0 }, elsewhere = { 0 };
        uint64_t off = 0;

        bool held = value_offset(cli->image, fact, &off);
        add_place(&line, "va", fact->va != STASIS_NOWHERE, fact->va);
        add_place(&line, "pa", fact->pa != STASIS_NOWHERE, fact->pa);
        add_place(&line, "file", held, off);
        if (backing_words((enum stasis_backing)fact->backing, fact->pagefile, fact->off, &elsewhere))
                text_printf(&line, "  %s", text_get(&elsewhere));
        if (line.len)
                fprintf(cli->out, "%s    %s%sfrom%s%s\n", paint(cli, PAINT_DIM), of, *of ? " " : "", text_get(&line),
                        paint_off(cli));
        text_free(&line);
        text_free(&elsewhere);
}

/* One line each, under each other. */
static void put_lines(struct cli *cli, const char *title, char *lines)
{
        for (char *end; lines; lines = end, title = "") {
                end = strchr(lines, '\n');
                if (end)
                        *end++ = '\0';
                put_pair(cli, title, lines);
        }
}

/* A line each row: its facts by key. */
static void put_list(struct cli *cli, const char *title, const struct stasis_list *list)
{
        struct stasis_list one = *list;
        const struct stasis_column column = { .kind = STASIS_KIND_LIST };
        struct text words = { 0 };

        one.rows = 1;
        for (size_t i = 0; i < list->rows; i++, one.fact += list->columns) {
                const struct stasis_fact row = { .value = 1, .list = &one };
                text_reset(&words);
                fact_words(&column, &row, &words);
                put_pair(cli, i ? "" : title, text_get(&words));
                for (size_t k = 0; cli->evidence && k < list->columns; k++)
                        put_evidence(cli, list->column[k].key, &one.fact[k]);
        }
        if (!list->rows)
                put_pair(cli, title, "none");
        text_free(&words);
}

static bool is_lines(enum stasis_kind kind) { return kind == STASIS_KIND_STACK || kind == STASIS_KIND_REGISTERS; }

static void put_value(struct cli *cli, const struct stasis_column *column, const struct stasis_fact *fact)
{
        struct text words = { 0 };

        if (is_lines(column->kind) && fact->absence == STASIS_PRESENT && fact->text)
                text_str(&words, fact->text);
        else
                fact_words(column, fact, &words);
        for (char *at = words.at; at && *at; at++)
                if (*at == '\n' && column->kind == STASIS_KIND_TEXTS)
                        *at = ' ';
        if (is_lines(column->kind) && words.len)
                put_lines(cli, column->title, words.at);
        else
                put_pair(cli, column->title, text_get(&words));
        text_free(&words);
}

static void put_fact(struct cli *cli, const struct stasis_column *column, const struct stasis_fact *fact)
{
        if (column->kind == STASIS_KIND_LIST && fact->absence == STASIS_PRESENT)
                put_list(cli, column->title, fact->list);
        else
                put_value(cli, column, fact);
        if (cli->evidence)
                put_evidence(cli, "", fact);
}

/* "Life", in bold, with an empty line before it. */
static void put_group(struct cli *cli, const char *group, bool first)
{
        struct text title = { 0 };

        text_str(&title, group);
        if (title.len)
                title.at[0] = (char)toupper((unsigned char)title.at[0]);
        if (!first)
                putc('\n', cli->out);
        put_title(cli, text_get(&title));
        text_free(&title);
}

/* What this version of the system does not have would be half of the page: one line a group. */
static void put_not_in_version(struct cli *cli, struct text *titles)
{
        if (titles->len)
                put_pair(cli, "Not in this version", text_get(titles));
        text_reset(titles);
}

static void put_facts(struct cli *cli, const struct stasis_record *record, const size_t *chosen, size_t count,
                      bool groups)
{
        struct text lacking = { 0 };
        const char *group = NULL;

        for (size_t i = 0; i < count; i++) {
                size_t at = chosen ? chosen[i] : i;
                if (at >= record->count)
                        continue;
                const struct stasis_column *column = &record->column[at];
                const char *of = column->group ? column->group : "";
                if (groups && (!group || strcmp(group, of))) {
                        put_not_in_version(cli, &lacking);
                        put_group(cli, of, !group && !chosen);
                        group = of;
                }
                if (groups && record->fact[at].absence == STASIS_NOT_IN_VERSION)
                        text_printf(&lacking, "%s%s", lacking.len ? ", " : "", column->title);
                else
                        put_fact(cli, column, &record->fact[at]);
        }
        put_not_in_version(cli, &lacking);
        text_free(&lacking);
}

void put_detail(struct cli *cli, const struct stasis_record *record, const size_t *chosen, size_t chosen_count)
{
        put_facts(cli, record, chosen, chosen ? chosen_count : record->count, !chosen);
}

void put_rest(struct cli *cli, const struct stasis_record *record, const size_t *chosen, size_t chosen_count)
{
        put_facts(cli, record, chosen, chosen_count, true);
}
