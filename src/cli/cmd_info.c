/* SPDX-License-Identifier: MIT */
/* stasis info: what the image holds, what is missing, the system in it, and with --trace how it was looked for. */
#include <inttypes.h>
#include <string.h>

#include "hints.h"
#include "info.h"
#include "out.h"

#define RANGES_SHOWN 16 /* in text; JSON gives all */
#define BLOBS_SHOWN 64

/* How much of each kind the lists hold: walking them also tells what of them is missing. */
struct counts {
        size_t of[3]; /* enum stasis_what */
        bool known[3];
};

static void count_all(struct cli *cli, struct counts *counts)
{
        struct stasis_error err;

        for (int what = STASIS_PROCESSES; what <= STASIS_MODULES && cli->understood; what++) {
                counts->known[what] =
                        stasis_system_count(cli->system, (enum stasis_what)what, &counts->of[what], &err) == STASIS_OK;
                cli->partial |= !counts->known[what];
        }
        cli_progress_end(cli);
}

/* ---- text */

void put_section(struct cli *cli, const char *title)
{
        putc('\n', cli->out);
        put_title(cli, title);
}

static void put_size(struct cli *cli, const char *title, uint64_t len)
{
        struct text text = { 0 };

        size_text(&text, len);
        put_pair(cli, title, text_get(&text));
        text_free(&text);
}

static void put_range(struct cli *cli, const char *title, uint64_t pa, uint64_t len, const char *tail)
{
        struct text text = { 0 };

        text_printf(&text, "0x%" PRIx64 " - 0x%" PRIx64 "  ", pa, pa + (len - 1));
        size_text(&text, len);
        if (*tail)
                text_printf(&text, "  %s", tail);
        put_pair(cli, title, text_get(&text));
        text_free(&text);
}

static void put_ranges(struct cli *cli)
{
        size_t runs;
        const struct stasis_run *run = stasis_image_runs(cli->image, &runs);
        char tail[64] = "";

        for (size_t i = 0; i < runs && i < RANGES_SHOWN; i++) {
                if (!stasis_image_is_packed(cli->image))
                        snprintf(tail, sizeof(tail), "at 0x%" PRIx64 " in the file", run[i].off);
                put_range(cli, i ? "" : "Ranges", run[i].pa, run[i].len, tail);
        }
        if (runs > RANGES_SHOWN) {
                snprintf(tail, sizeof(tail), "and %zu more ('--format json' gives all)", runs - RANGES_SHOWN);
                put_pair(cli, "", tail);
        }
        if (runs == 0)
                put_pair(cli, "Ranges", "none: the file holds no physical memory");
}

static void put_gaps_of(struct cli *cli, const char *title, bool filtered, size_t of)
{
        size_t count, shown = 0;
        const struct stasis_gap *gap = stasis_image_gaps(cli->image, &count);
        char tail[64];

        for (size_t i = 0; i < count && shown < RANGES_SHOWN; i++) {
                if (gap[i].filtered != filtered)
                        continue;
                put_range(cli, shown++ ? "" : title, gap[i].pa, gap[i].len, gap[i].why);
        }
        if (of > shown) {
                snprintf(tail, sizeof(tail), "and %zu more ('--format json' gives all)", of - shown);
                put_pair(cli, "", tail);
        }
}

/* "zip, 12.3 MiB: member dumps/one.raw, at 0x40 as it is" */
static void put_containers(struct cli *cli)
{
        const struct stasis_container *c;
        struct text text = { 0 };

        for (size_t i = 0; (c = stasis_image_container_at(cli->image, i)); i++) {
                text_printf(&text, "%s, ", c->kind);
                size_text(&text, c->size);
                if (c->member)
                        text_printf(&text, ": member %s", c->member);
                if (c->blocks)
                        text_printf(&text, ", read by its %" PRIu64 " blocks", c->blocks);
                else if (c->off == STASIS_NOWHERE)
                        text_str(&text, ", unpacked");
                else
                        text_printf(&text, ", at 0x%" PRIx64 " as it is", c->off);
                put_pair(cli, i ? "" : "Inside of", text_get(&text));
                text_reset(&text);
        }
        text_free(&text);
}

static void put_image(struct cli *cli)
{
        size_t remarks;
        const char *path;
        struct image_gaps missing = image_missing(cli->image), filtered = image_filtered(cli->image);
        const char *const *remark = stasis_image_remarks(cli->image, &remarks);

        put_title(cli, "Image");
        for (size_t i = 0; (path = stasis_image_file_at(cli->image, i)); i++)
                put_pair(cli, i ? "" : "File", path);
        put_containers(cli);
        put_pair(cli, "Format", stasis_image_format_title(cli->image));
        put_pair(cli, "Reader", stasis_image_format(cli->image));
        put_size(cli, "File size", stasis_image_file_size(cli->image));
        put_size(cli, "Memory in it", image_held(cli->image));
        if (filtered.count)
                put_size(cli, "Memory left out", filtered.bytes);
        if (missing.count)
                put_size(cli, "Memory missing", missing.bytes);
        put_ranges(cli);
        put_gaps_of(cli, "Left out", true, filtered.count);
        put_gaps_of(cli, "Missing", false, missing.count);
        for (size_t i = 0; i < remarks; i++)
                put_pair(cli, i ? "" : "Remarks", remark[i]);
}

static void put_hints(struct cli *cli)
{
        const struct stasis_hints *hints = stasis_image_hints(cli->image);
        struct text text = { 0 };
        bool some = false;

        for (const struct hint_row *row = hint_rows; row->key; row++) {
                text_reset(&text);
                if (!hint_text(row, hints, &text))
                        continue;
                if (!some)
                        put_section(cli, "What the file's own headers say");
                some = true;
                put_pair(cli, row->title, text_get(&text));
        }
        text_free(&text);
}

static void put_secondary(struct cli *cli)
{
        size_t count;
        const struct stasis_blob *blob = stasis_image_blobs(cli->image, &count);
        struct text text = { 0 };

        if (count)
                put_section(cli, "Secondary data");
        for (size_t i = 0; i < count && i < BLOBS_SHOWN; i++) {
                text_reset(&text);
                guid_text(&text, blob[i].guid);
                text_printf(&text, "  ");
                size_text(&text, blob[i].len);
                text_printf(&text, "  at 0x%" PRIx64 " in the file", blob[i].off);
                put_pair(cli, i ? "" : "Blobs", text_get(&text));
        }
        if (count > BLOBS_SHOWN) {
                text_reset(&text);
                text_printf(&text, "and %zu more ('--format json' gives all)", count - BLOBS_SHOWN);
                put_pair(cli, "", text_get(&text));
        }
        text_free(&text);
}

/* With --trace every attempt; without, how each thing was found, and of inferred members only their number, which the
 * layout's own line tells. */
static bool is_shown(const struct cli *cli, const struct stasis_trace *trace)
{
        return cli->trace || (trace->success && strcmp(trace->step, "infer") != 0);
}

/* How each thing was found; with --trace every attempt, and why it failed. */
static void put_trace(struct cli *cli)
{
        size_t count = 0, shown = 0;
        const struct stasis_trace *trace = cli->system ? stasis_system_trace(cli->system, &count) : NULL;
        struct text text = { 0 };

        put_section(cli, cli->trace ? "What was tried" : "How it was found");
        for (size_t i = 0; i < count; i++) {
                if (!is_shown(cli, &trace[i]))
                        continue;
                text_reset(&text);
                if (cli->trace)
                        text_printf(&text, "%s  ", trace[i].success ? "yes" : "no ");
                text_printf(&text, "%s", trace[i].text);
                put_pair(cli, trace[i].step, text_get(&text));
                shown++;
        }
        if (!shown)
                put_pair(cli, "nothing", count ? "every attempt failed: --trace tells each" : "no attempt was made");
        text_free(&text);
}

static void put_counts(struct cli *cli, const struct counts *counts)
{
        struct text text = { 0 };

        for (int what = STASIS_PROCESSES; what <= STASIS_MODULES; what++) {
                if (counts->known[what])
                        text_printf(&text, "%s%zu", text.len ? ", " : "", counts->of[what]);
                else
                        text_printf(&text, "%sunknown", text.len ? ", " : "");
                text_printf(&text, " %s",
                            list_noun((enum stasis_what)what, counts->known[what] ? counts->of[what] : 0));
        }
        put_section(cli, "Found");
        put_pair(cli, "In its lists", text_get(&text));
        text_free(&text);
}

static void info_text(struct cli *cli, const struct stasis_error *err, const struct counts *counts)
{
        put_image(cli);
        put_hints(cli);
        put_cpus(cli);
        put_exception(cli);
        put_secondary(cli);
        if (cli->understood) {
                putc('\n', cli->out);
                put_detail(cli, stasis_system_facts(cli->system), NULL, 0);
                put_processors(cli);
                put_counts(cli, counts);
        } else {
                put_section(cli, "System");
                put_pair(cli, "Not understood", err->text);
        }
        put_trace(cli);
        put_notes(cli);
}

/* ---- JSON */

static void json_trace(struct json *json, const struct cli *cli)
{
        size_t count = 0;
        const struct stasis_trace *trace = cli->system ? stasis_system_trace(cli->system, &count) : NULL;

        json_begin(json, "trace", '[');
        for (size_t i = 0; i < count; i++) {
                if (!is_shown(cli, &trace[i]))
                        continue;
                json_begin(json, NULL, '{');
                json_put_text(json, "step", trace[i].step);
                json_put_bool(json, "success", trace[i].success);
                json_put_text(json, "text", trace[i].text);
                json_end(json);
        }
        json_end(json);
}

static void json_inferred(struct json *json, const struct cli *cli)
{
        size_t count = 0;
        const struct stasis_inference *i = cli->system ? stasis_system_inferred(cli->system, &count) : NULL;

        json_begin(json, "inferred", '[');
        for (; count > 0; count--, i++) {
                bool found = strcmp(i->verdict, "found") == 0, none = strcmp(i->verdict, "thin") == 0;
                json_begin(json, NULL, '{');
                json_put_text(json, "member", i->member);
                json_put_text(json, "verdict", i->verdict);
                if (none)
                        json_put_null(json, "offset");
                else
                        json_put_hex(json, "offset", i->offset);
                if (found || none)
                        json_put_null(json, "other");
                else
                        json_put_hex(json, "other", i->other);
                json_put_number(json, "agreed", i->agreed);
                json_put_number(json, "of", i->of);
                json_put_bool(json, "told", i->told);
                json_put_text(json, "rule", i->rule);
                json_end(json);
        }
        json_end(json);
}

static void json_counts(struct json *json, const struct counts *counts)
{
        json_begin(json, "counts", '{');
        for (int what = STASIS_PROCESSES; what <= STASIS_MODULES; what++) {
                const char *key = list_noun((enum stasis_what)what, 0);
                if (counts->known[what])
                        json_put_number(json, key, counts->of[what]);
                else
                        json_put_null(json, key);
        }
        json_end(json);
}

static bool info_json(struct cli *cli, const struct stasis_error *err, const struct counts *counts)
{
        struct json json = { .out = cli->out, .pretty = cli->format == CLI_JSON };

        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", "stasis/info/1");
        json_image(&json, cli->image, true);
        json_system(&json, cli);
        json_processors(&json, cli);
        json_counts(&json, counts);
        json_put_text(&json, "error", cli->understood ? NULL : err->text);
        json_trace(&json, cli);
        json_inferred(&json, cli);
        json_notes(&json, cli);
        json_end(&json);
        json_line(&json);
        return !json.bad;
}

enum cli_exit cmd_info(struct cli *cli)
{
        struct stasis_error err = { 0 };
        struct counts counts = { 0 };

        enum stasis_status status = cli_try_system(cli, &err);
        if (status == STASIS_USAGE)
                return cli_fail_library(cli, &err, NULL);
        count_all(cli, &counts);
        if (cli->format == CLI_TEXT)
                info_text(cli, &err, &counts);
        else if (!info_json(cli, &err, &counts))
                return cli_fail(cli, "out of memory: the answer is not whole");
        if (cli->understood)
                return cli_outcome(cli);
        return cli_fail_library(cli, &err, cli->trace ? NULL : "'--trace' tells what was tried");
}
