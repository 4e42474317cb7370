/* SPDX-License-Identifier: MIT */
/* What came of cases, as text and as JSON. */
#include <inttypes.h>
#include <string.h>

#include "check.h"
#include "json.h"
#include "out.h"
#include "sides.h"

#define UNMET_SHOWN 4

const char *check_text(struct json_object *object, const char *key)
{
        struct json_object *value = NULL;

        if (json_object_is_type(object, json_type_object))
                json_object_object_get_ex(object, key, &value);
        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

uint64_t check_number(struct json_object *object, const char *key)
{
        struct json_object *value = NULL;

        if (json_object_is_type(object, json_type_object))
                json_object_object_get_ex(object, key, &value);
        return json_object_get_uint64(value);
}

static bool is_true(struct json_object *object, const char *key)
{
        struct json_object *value = NULL;

        return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

static bool is_known(struct json_object *object, const char *key)
{
        struct json_object *value = NULL;

        return json_object_object_get_ex(object, key, &value) && value;
}

/* ---- words that every format uses */

/* A rule at whose path nothing is asks for nothing: it may be mistyped, and it may be meant for another image. */
static void unmet_words(struct json_object *told, struct text *text)
{
        struct json_object *unmet = NULL;
        size_t count = json_object_object_get_ex(told, "unmet", &unmet) ? json_object_array_length(unmet) : 0;

        for (size_t i = 0; i < count && i < UNMET_SHOWN; i++) {
                text_str(text, i ? ", " : "; rules at whose path nothing is: ");
                text_safe(text, json_object_get_string(json_object_array_get_idx(unmet, i)));
        }
        if (count > UNMET_SHOWN)
                text_printf(text, " and %zu more", count - UNMET_SHOWN);
}

void check_words(struct json_object *told, struct text *text)
{
        uint64_t count = check_number(told, "difference_count"), records = check_number(told, "records");
        uint64_t values = check_number(told, "values");

        switch (check_outcome_of(told)) {
        case CHECK_EQUAL:
                if (is_true(told, "updated") && !records && !values) {
                        text_str(text, "there was no reference: it was made of all that there is");
                        break;
                }
                text_printf(text, "%" PRIu64 " %s, %" PRIu64 " %s", records, records == 1 ? "record" : "records",
                            values, values == 1 ? "value" : "values");
                unmet_words(told, text);
                if (is_true(told, "updated"))
                        text_printf(text, "; the reference was rewritten, %" PRIu64 " %s", count,
                                    count == 1 ? "difference" : "differences");
                break;
        case CHECK_DIFFERENT:
                text_printf(text, "%" PRIu64 " %s", count, count == 1 ? "difference" : "differences");
                break;
        case CHECK_PARTIAL:
                text_str(text, "nothing differs, but something is missing in the image, and the reference does not say "
                               "so");
                break;
        default: text_safe(text, check_text(told, "error")); break;
        }
}

void check_totals_words(const struct check_totals *totals, struct text *text)
{
        static const char *const what[] = { "equal", "different", "partial", "in error" };

        text_printf(text, "%zu %s:", totals->count, totals->count == 1 ? "case" : "cases");
        for (size_t i = 0, some = 0; i < CHECK_OUTCOMES; i++)
                if (totals->of[i] || i == CHECK_EQUAL)
                        text_printf(text, "%s %zu %s", some++ ? "," : "", totals->of[i], what[i]);
}

static const char *one_sided(struct json_object *difference)
{
        const char *kind = check_text(difference, "kind");

        return strcmp(kind, "missing") == 0      ? "missing"
               : strcmp(kind, "unexpected") == 0 ? "not expected"
               : strcmp(kind, "ambiguous") == 0  ? "several are like this: the reference must name more of it"
                                                 : NULL;
}

void check_difference_words(struct json_object *difference, bool who, struct text *text)
{
        const char *path = check_text(difference, "path"), *sided = one_sided(difference);
        const char *whom = who ? check_text(difference, "who") : "";

        text_safe(text, whom);
        text_str(text, *whom && *path ? ": " : "");
        text_safe(text, path);
        text_str(text, text->len ? ": " : "");
        text_str(text, sided ? sided : "");
        if (is_known(difference, "expected")) {
                text_str(text, sided ? ": " : "expected ");
                text_safe(text, check_text(difference, "expected"));
        }
        if (is_known(difference, "found")) {
                text_str(text, sided ? ": " : ", found ");
                text_safe(text, check_text(difference, "found"));
        }
}

/* ---- text */

static void put_difference(struct cli *cli, struct json_object *difference, size_t indent)
{
        struct text path = { 0 };
        const char *sided = one_sided(difference);

        if (sided) {
                check_difference_words(difference, false, &path);
                fprintf(cli->out, "%*s", (int)indent, "");
                text_put_wrapped(cli->out, text_get(&path), indent, indent + 4, CLI_WIDTH);
                text_free(&path);
                return;
        }
        const struct side side[2] = { { "expected", check_text(difference, "expected") },
                                      { "found", check_text(difference, "found") } };
        put_sides(cli->out, check_text(difference, "path"), indent, side);
}

/* Of one record, its name and then each difference; of the document just those. */
static void put_differences(struct cli *cli, struct json_object *told)
{
        struct json_object *all = NULL;
        const char *before = "";
        uint64_t total = check_number(told, "difference_count");

        if (!json_object_object_get_ex(told, "differences", &all))
                return;
        size_t count = json_object_array_length(all);
        for (size_t i = 0; i < count; i++) {
                struct json_object *difference = json_object_array_get_idx(all, i);
                const char *who = check_text(difference, "who");
                bool alone = *who && !*check_text(difference, "path"); /* the record itself */
                if (*who && (alone || strcmp(who, before) != 0)) {
                        struct text line = { 0 };
                        text_safe(&line, who);
                        if (alone)
                                text_printf(&line, ": %s", one_sided(difference) ? one_sided(difference) : "different");
                        fprintf(cli->out, "  %s", paint(cli, PAINT_BOLD));
                        text_put_wrapped(cli->out, text_get(&line), 2, 4, CLI_WIDTH);
                        fputs(paint_off(cli), cli->out);
                        text_free(&line);
                }
                before = who;
                if (!alone)
                        put_difference(cli, difference, *who ? 4 : 2);
        }
        if (total > count)
                fprintf(cli->out, "  and %" PRIu64 " more differences\n", total - count);
}

static void put_case(struct cli *cli, struct json_object *told)
{
        static const enum paint color[] = { PAINT_DIM, PAINT_RED, PAINT_YELLOW, PAINT_RED };
        enum check_outcome outcome = check_outcome_of(told);
        struct text line = { 0 };
        bool updated = outcome == CHECK_EQUAL && is_true(told, "updated");

        if (cli->quiet && outcome == CHECK_EQUAL && !updated)
                return;
        const char *word = updated ? "updated" : check_outcome_name(outcome);
        fprintf(cli->out, "%s%-9s%s ", paint(cli, color[outcome]), word, paint_off(cli));
        text_safe(&line, check_text(told, "name"));
        text_str(&line, ": ");
        check_words(told, &line);
        text_put_wrapped(cli->out, text_get(&line), 10, 10, CLI_WIDTH);
        text_free(&line);
        if (outcome == CHECK_DIFFERENT || updated)
                put_differences(cli, told);
}

void check_put_text(struct cli *cli, struct json_object *cases, const struct check_totals *totals)
{
        struct text line = { 0 };

        for (size_t i = 0; i < totals->count; i++)
                put_case(cli, json_object_array_get_idx(cases, i));
        if (totals->count > 1 || cli->folder) {
                check_totals_words(totals, &line);
                fprintf(cli->out, "%s\n", text_get(&line));
        }
        text_free(&line);
}

/* ---- JSON */

void check_put_json(struct cli *cli, struct json_object *cases, const struct check_totals *totals)
{
        struct json json = { .out = cli->out, .pretty = true };

        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", "stasis/check/1");
        json_begin(&json, "cases", '[');
        for (size_t i = 0; i < totals->count; i++)
                json_put(&json, NULL, json_object_get(json_object_array_get_idx(cases, i)));
        json_end(&json);
        json_put_number(&json, "case_count", totals->count);
        for (enum check_outcome o = CHECK_EQUAL; o < CHECK_OUTCOMES; o++)
                json_put_number(&json, check_outcome_name(o), totals->of[o]);
        json_end(&json);
        json_line(&json);
}
