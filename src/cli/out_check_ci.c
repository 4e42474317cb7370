/* SPDX-License-Identifier: MIT */
/*
 * What came of cases, for CI systems: JUnit's XML, TAP 13, commands of GitHub's runner. Texts are made safe first
 * (text_safe: no control character is left), then escaped as the form wants it.
 */
#include <inttypes.h>
#include <string.h>

#include "check.h"

#define SHOWN_MAX 200 /* differences of a case; a count says how many more there are */

/* A difference a line, of a case that has some. */
static void difference_lines(struct json_object *told, const char *before, struct text *lines)
{
        struct json_object *all = NULL;
        uint64_t total = check_number(told, "difference_count");
        size_t count = 0;

        if (check_outcome_of(told) == CHECK_DIFFERENT && json_object_object_get_ex(told, "differences", &all))
                count = json_object_array_length(all);
        for (size_t i = 0; i < count && i < SHOWN_MAX; i++) {
                text_str(lines, before);
                check_difference_words(json_object_array_get_idx(all, i), true, lines);
                text_str(lines, "\n");
        }
        size_t shown = count < SHOWN_MAX ? count : SHOWN_MAX;
        if (count && total > shown)
                text_printf(lines, "%sand %" PRIu64 " more\n", before, total - shown);
}

/* Bytes for which there is another spelling; all others stay. */
struct escape {
        char byte;
        const char *as;
};

static void escaped(struct text *text, const char *words, const struct escape *escapes, size_t count)
{
        for (; *words; words++) {
                size_t i = 0;
                while (i < count && escapes[i].byte != *words)
                        i++;
                if (i < count)
                        text_str(text, escapes[i].as);
                else
                        text_add(text, words, 1);
        }
}

/* ---- JUnit */

/* XML 1.0 (production Char) has neither U+FFFE nor U+FFFF, in no spelling; text_safe leaves them. */
static void without_noncharacters(struct text *text, const char *words)
{
        for (; *words; words++)
                if (memcmp(words, "\xef\xbf", 2) == 0 && ((unsigned char)words[2] | 1) == 0xbf) {
                        text_str(text, "\xef\xbf\xbd");
                        words += 2;
                } else {
                        text_add(text, words, 1);
                }
}

static void xml(struct text *text, const char *words)
{
        static const struct escape escapes[] = {
                { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" },
        };
        struct text clean = { 0 };

        without_noncharacters(&clean, words);
        escaped(text, text_get(&clean), escapes, sizeof(escapes) / sizeof(escapes[0]));
        text_free(&clean);
}

static void put_attribute(FILE *out, const char *name, const char *words)
{
        struct text safe = { 0 }, value = { 0 };

        text_safe(&safe, words);
        xml(&value, text_get(&safe));
        fprintf(out, " %s=\"%s\"", name, text_get(&value));
        text_free(&safe);
        text_free(&value);
}

static void junit_case(FILE *out, struct json_object *told)
{
        enum check_outcome outcome = check_outcome_of(told);
        const char *element = outcome == CHECK_DIFFERENT ? "failure" : "error";
        struct text words = { 0 }, lines = { 0 }, body = { 0 };

        fputs("    <testcase classname=\"stasis.check\"", out);
        put_attribute(out, "name", check_text(told, "name"));
        if (outcome == CHECK_EQUAL) {
                fputs("/>\n", out);
                return;
        }
        check_words(told, &words);
        difference_lines(told, "", &lines);
        xml(&body, text_get(&lines));
        fprintf(out, ">\n      <%s type=\"%s\"", element, check_outcome_name(outcome));
        put_attribute(out, "message", text_get(&words));
        fprintf(out, ">%s</%s>\n    </testcase>\n", text_get(&body), element);
        text_free(&words);
        text_free(&lines);
        text_free(&body);
}

void check_put_junit(struct cli *cli, struct json_object *cases, const struct check_totals *totals)
{
        char counts[160];
        FILE *out = cli->out;

        snprintf(counts, sizeof(counts), "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\"", totals->count,
                 totals->of[CHECK_DIFFERENT], totals->of[CHECK_PARTIAL] + totals->of[CHECK_ERROR]);
        fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"stasis check\" %s>\n", counts);
        fprintf(out, "  <testsuite name=\"stasis check\" %s skipped=\"0\">\n", counts);
        for (size_t i = 0; i < totals->count; i++)
                junit_case(out, json_object_array_get_idx(cases, i));
        fputs("  </testsuite>\n</testsuites>\n", out);
}

/* ---- TAP 13 */

/* A '#' would begin a directive: "# SKIP" must not come out of a name. */
static void tap_description(struct text *text, const char *words)
{
        static const struct escape escapes[] = { { '#', "\\#" }, { '\\', "\\\\" } };
        struct text safe = { 0 };

        text_safe(&safe, words);
        escaped(text, text_get(&safe), escapes, sizeof(escapes) / sizeof(escapes[0]));
        text_free(&safe);
}

/* In double quotes, of what is safe already. */
static void yaml(struct text *text, const char *words)
{
        static const struct escape escapes[] = { { '"', "\\\"" }, { '\\', "\\\\" } };

        text_str(text, "\"");
        escaped(text, words, escapes, sizeof(escapes) / sizeof(escapes[0]));
        text_str(text, "\"");
}

static void put_yaml_line(FILE *out, const char *before, const char *words, size_t len)
{
        struct text line = { 0 }, value = { 0 };

        text_add(&line, words, len);
        yaml(&value, text_get(&line));
        fprintf(out, "%s%s\n", before, text_get(&value));
        text_free(&line);
        text_free(&value);
}

static void tap_diagnostic(FILE *out, struct json_object *told)
{
        struct text words = { 0 }, lines = { 0 };

        check_words(told, &words);
        difference_lines(told, "", &lines);
        fprintf(out, "  ---\n  outcome: %s\n", check_outcome_name(check_outcome_of(told)));
        put_yaml_line(out, "  message: ", text_get(&words), words.len);
        if (lines.len)
                fputs("  differences:\n", out);
        for (const char *at = text_get(&lines); *at;) {
                size_t len = strcspn(at, "\n");
                put_yaml_line(out, "    - ", at, len);
                at += len + (at[len] == '\n');
        }
        fputs("  ...\n", out);
        text_free(&words);
        text_free(&lines);
}

void check_put_tap(struct cli *cli, struct json_object *cases, const struct check_totals *totals)
{
        FILE *out = cli->out;

        fprintf(out, "TAP version 13\n1..%zu\n", totals->count);
        for (size_t i = 0; i < totals->count; i++) {
                struct json_object *told = json_object_array_get_idx(cases, i);
                bool good = check_outcome_of(told) == CHECK_EQUAL;
                struct text name = { 0 };
                tap_description(&name, check_text(told, "name"));
                fprintf(out, "%sok %zu - %s\n", good ? "" : "not ", i + 1, text_get(&name));
                if (!good)
                        tap_diagnostic(out, told);
                text_free(&name);
        }
}

/* ---- GitHub: "::error file=...,title=...::text" */

/* Of a value behind the second '::'; a property has two more that end it. */
static void github(struct text *text, const char *words, bool property)
{
        static const struct escape escapes[] = {
                { '%', "%25" }, { '\r', "%0D" }, { '\n', "%0A" }, { ':', "%3A" }, { ',', "%2C" },
        };

        escaped(text, words, escapes, property ? 5 : 3);
}

static void github_property(FILE *out, const char *before, const char *name, const char *words)
{
        struct text safe = { 0 }, value = { 0 };

        text_safe(&safe, words);
        github(&value, text_get(&safe), true);
        fprintf(out, "%s%s=%s", before, name, text_get(&value));
        text_free(&safe);
        text_free(&value);
}

static void github_case(FILE *out, struct json_object *told)
{
        enum check_outcome outcome = check_outcome_of(told);
        const char *against = check_text(told, "against");
        struct text words = { 0 }, data = { 0 }, title = { 0 };

        text_str(&words, "");
        check_words(told, &words);
        text_str(&words, "\n");
        difference_lines(told, "", &words);
        words.at[--words.len] = '\0'; /* the last end of a line */
        text_printf(&title, "stasis check: %s", check_text(told, "name"));
        github(&data, text_get(&words), false);
        fprintf(out, "::%s", outcome == CHECK_PARTIAL ? "warning" : "error");
        github_property(out, " ", "file", *against ? against : check_text(told, "image"));
        github_property(out, ",", "title", text_get(&title));
        fprintf(out, "::%s\n", text_get(&data));
        text_free(&words);
        text_free(&data);
        text_free(&title);
}

/* No text of an image or a name outside of a command: the runner takes commands from anywhere at a line's beginning. */
void check_put_github(struct cli *cli, struct json_object *cases, const struct check_totals *totals)
{
        struct text line = { 0 };

        for (size_t i = 0; i < totals->count; i++)
                if (check_outcome_of(json_object_array_get_idx(cases, i)) != CHECK_EQUAL)
                        github_case(cli->out, json_object_array_get_idx(cases, i));
        check_totals_words(totals, &line);
        fprintf(cli->out, "%s\n", text_get(&line));
        text_free(&line);
}
