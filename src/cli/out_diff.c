/* SPDX-License-Identifier: MIT */
/* What became of one machine, as text and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "diff.h"
#include "json.h"
#include "out.h"
#include "sides.h"

static size_t in_both(const struct diff_list *list)
{
        size_t a = json_object_array_length(list->side[DIFF_A]);

        return a - list->gone - list->changed;
}

static bool is_first(const struct diff *d, size_t i)
{
        const struct finding *at = d->compare.findings.at;

        return i == 0 || at[i - 1].want != at[i].want || at[i - 1].found != at[i].found;
}

/* ---- text */

static void put_change(struct cli *cli, const struct finding *f)
{
        const struct side side[2] = { { "was", f->wanted }, { "is", f->told } };

        put_sides(cli->out, f->path, 4, side);
}

static void put_record(const struct diff *d, const struct diff_list *list, const struct finding *f)
{
        const char *word = !f->found ? "gone" : !f->want ? "born" : "changed";
        const char *reuse = !f->want ? diff_reuse(d, list, f) : NULL;
        struct text line = { 0 };

        text_safe(&line, f->who);
        if (reuse)
                text_printf(&line, "; %s", reuse);
        fprintf(d->cli->out, "  %s%-7s%s ", paint(d->cli, f->want && f->found ? PAINT_YELLOW : PAINT_BOLD), word,
                paint_off(d->cli));
        text_put_wrapped(d->cli->out, text_get(&line), 10, 10, CLI_WIDTH);
        text_free(&line);
}

static void put_list(const struct diff *d, const struct diff_list *list)
{
        const struct finding *at = d->compare.findings.at;
        struct text title = { 0 };

        text_printf(&title, "%s: %zu born, %zu gone, %zu changed, %zu as they were", list->name, list->born, list->gone,
                    list->changed, in_both(list));
        put_title(d->cli, text_get(&title));
        for (size_t i = list->first; i < list->end; i++) {
                if (is_first(d, i))
                        put_record(d, list, &at[i]);
                if (at[i].want && at[i].found)
                        put_change(d->cli, &at[i]);
        }
        text_free(&title);
}

/* Of the system, and of what else is no record. */
static void put_others(const struct diff *d)
{
        bool some = false;

        for (size_t i = 0; i < d->compare.findings.count; i++) {
                if (d->compare.findings.at[i].list)
                        continue;
                if (!some)
                        put_title(d->cli, "system");
                some = true;
                put_change(d->cli, &d->compare.findings.at[i]);
        }
}

static void put_ignored(const struct diff *d)
{
        struct text line = { 0 };
        size_t some = 0;

        for (size_t i = 0; i < d->compare.rules.count; i++) {
                const struct rule *rule = &d->compare.rules.at[i];
                if (rule->skipped && !d->cli->columns)
                        text_printf(&line, "%s%s (%" PRIu64 ")",
                                    some++ ? ", " : "changed too, and not shown without --all: ", rule->pattern,
                                    rule->skipped);
        }
        if (line.len)
                text_put_wrapped(d->cli->out, text_get(&line), 0, 2, CLI_WIDTH);
        if (d->unknown)
                fprintf(d->cli->out, "%zu %s told by one of the two alone, as the other has not the page\n", d->unknown,
                        d->unknown == 1 ? "value is" : "values are");
        text_free(&line);
}

void diff_put_text(const struct diff *d)
{
        struct cli *cli = d->cli;

        for (size_t i = 0; i < d->remark_count; i++) {
                struct text line = { 0 };
                text_str(&line, "not of one machine and boot? ");
                text_safe(&line, d->remark[i]);
                text_put_wrapped(cli->out, text_get(&line), 0, 2, CLI_WIDTH);
                text_free(&line);
        }
        for (size_t i = 0; i < d->list_count; i++)
                put_list(d, &d->list[i]);
        put_others(d);
        if (!cli->quiet)
                put_ignored(d);
}

/* ---- JSON */

/* Who it is, by the members that tell it. */
static void json_who(struct json *json, struct json_object *record, const char *who)
{
        static const char *const keys[] = { "pid",     "tid",  "object",      "base",
                                            "process", "name", "create_time", "start_time" };
        struct json_object *value;

        json_put_text(json, "who", who);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
                if (json_object_object_get_ex(record, keys[i], &value) && value)
                        json_put(json, keys[i], json_object_get(value));
}

static void json_side(const struct diff *d, struct json *json, enum diff_side side)
{
        struct json_object *system = NULL;

        json_begin(json, side == DIFF_A ? "a" : "b", '{');
        json_put_text(json, "path", d->path[side]);
        json_object_object_get_ex(d->side[side].document, "system", &system);
        if (system)
                json_put(json, "system", json_object_get(system));
        else
                json_put_null(json, "system");
        json_put_number(json, "exit_status", (uint64_t)d->side[side].status);
        json_end(json);
}

/* Records of which one side is not there. */
static void json_one_sided(const struct diff *d, struct json *json, const struct diff_list *list, bool born)
{
        json_begin(json, born ? "born" : "gone", '[');
        for (size_t i = list->first; i < list->end; i++) {
                const struct finding *f = &d->compare.findings.at[i];
                if (born ? f->want != NULL : f->found != NULL)
                        continue;
                json_begin(json, NULL, '{');
                json_who(json, born ? f->found : f->want, f->who);
                if (born)
                        json_put_text(json, "reuse", diff_reuse(d, list, f));
                json_end(json);
        }
        json_end(json);
}

static void json_change(struct json *json, const struct finding *f)
{
        json_begin(json, NULL, '{');
        json_put_text(json, "path", f->path);
        json_put_text(json, "a", f->wanted);
        json_put_text(json, "b", f->told);
        json_end(json);
}

static void json_changed(const struct diff *d, struct json *json, const struct diff_list *list)
{
        const struct finding *at = d->compare.findings.at;

        json_begin(json, "changed", '[');
        for (size_t i = list->first; i < list->end;) {
                if (!at[i].want || !at[i].found) {
                        i++;
                        continue;
                }
                json_begin(json, NULL, '{');
                json_who(json, at[i].found, at[i].who);
                json_begin(json, "changes", '[');
                do
                        json_change(json, &at[i++]);
                while (i < list->end && !is_first(d, i));
                json_end(json);
                json_end(json);
        }
        json_end(json);
}

static void json_list(const struct diff *d, struct json *json, const struct diff_list *list)
{
        json_begin(json, list->name, '{');
        json_put_number(json, "a", json_object_array_length(list->side[DIFF_A]));
        json_put_number(json, "b", json_object_array_length(list->side[DIFF_B]));
        json_one_sided(d, json, list, true);
        json_one_sided(d, json, list, false);
        json_changed(d, json, list);
        json_put_number(json, "unchanged", in_both(list));
        json_end(json);
}

void diff_put_json(const struct diff *d)
{
        struct json json = { .out = d->cli->out, .pretty = true };

        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", "stasis/diff/1");
        json_side(d, &json, DIFF_A);
        json_side(d, &json, DIFF_B);
        json_put_bool(&json, "same_machine", d->remark_count == 0);
        json_begin(&json, "remarks", '[');
        for (size_t i = 0; i < d->remark_count; i++)
                json_put_text(&json, NULL, d->remark[i]);
        json_end(&json);
        for (size_t i = 0; i < d->list_count; i++)
                json_list(d, &json, &d->list[i]);
        json_begin(&json, "system", '[');
        for (size_t i = 0; i < d->compare.findings.count; i++)
                if (!d->compare.findings.at[i].list)
                        json_change(&json, &d->compare.findings.at[i]);
        json_end(&json);
        json_begin(&json, "ignored", '[');
        for (size_t i = 0; i < d->compare.rules.count; i++) {
                if (!d->compare.rules.at[i].skipped)
                        continue;
                json_begin(&json, NULL, '{');
                json_put_text(&json, "path", d->compare.rules.at[i].pattern);
                json_put_number(&json, "count", d->compare.rules.at[i].skipped);
                json_end(&json);
        }
        json_end(&json);
        json_put_number(&json, "unknown", d->unknown);
        json_put_bool(&json, "different", d->compare.findings.total != 0);
        json_end(&json);
        json_line(&json);
}
