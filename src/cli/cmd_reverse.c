/* SPDX-License-Identifier: MIT */
/* stasis translate --reverse: physical addresses to the virtual ones that come to them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"

struct reverse {
        struct cli *cli;
        struct json json;
        uint64_t *pa; /* in the order of the command line */
        bool *mapped; /* of each */
        size_t count;
        uint64_t unreadable;
        uint64_t root; /* tables given by hand, or the container's; 0: those of the system */
};

/* ---- one answer in each format */

static void mark(struct reverse *r, uint64_t pa)
{
        for (size_t i = 0; i < r->count; i++)
                r->mapped[i] |= r->pa[i] == pa;
}

/* "kernel", "660 services.exe", or the tables that were given. */
static void whose(const struct reverse *r, const struct stasis_mapping *m, struct text *text)
{
        if (m->kernel)
                text_str(text, "kernel");
        else if (m->pid >= 0)
                text_printf(text, "pid %" PRId64 " ", m->pid);
        else
                text_printf(text, "page tables at 0x%" PRIx64, r->root);
        if (!m->kernel && m->pid >= 0)
                text_safe(text, m->process ? m->process : "?");
}

static void answer_text(struct reverse *r, const struct stasis_mapping *m)
{
        const struct stasis_walk *walk = &m->walk;
        struct text size = { 0 }, who = { 0 };

        size_text(&size, walk->page_size);
        whose(r, m, &who);
        fprintf(r->cli->out, "0x%012" PRIx64 "  0x%016" PRIx64 "  %s page, %s\n", walk->pa, walk->va, text_get(&size),
                text_get(&who));
        for (size_t i = 0; r->cli->explain && i < walk->depth && i < STASIS_LEVELS_MAX; i++)
                fprintf(r->cli->out, "    entry at 0x%012" PRIx64 "  0x%016" PRIx64 "\n", walk->entry[i].pa,
                        walk->entry[i].value);
        text_free(&size);
        text_free(&who);
}

static void json_process(struct json *json, const struct stasis_mapping *m)
{
        json_put_bool(json, "kernel", m->kernel);
        if (m->pid < 0)
                json_put_null(json, "pid");
        else
                json_put_number(json, "pid", (uint64_t)m->pid);
        json_put_text(json, "process", m->process);
        json_put_place(json, "process_object", m->object ? m->object : STASIS_NOWHERE);
}

static void answer_json(struct reverse *r, const struct stasis_mapping *m)
{
        struct json *json = &r->json;
        const struct stasis_walk *walk = &m->walk;

        json_begin(json, NULL, '{');
        json_put_hex(json, "pa", walk->pa);
        json_put_hex(json, "va", walk->va);
        json_put_number(json, "page_size", walk->page_size);
        json_process(json, m);
        json_begin(json, "entries", '[');
        for (size_t i = 0; i < walk->depth && i < STASIS_LEVELS_MAX; i++) {
                json_begin(json, NULL, '{');
                json_put_hex(json, "pa", walk->entry[i].pa);
                json_put_hex(json, "value", walk->entry[i].value);
                json_end(json);
        }
        json_end(json);
        json_end(json);
        if (r->cli->format == CLI_JSONL)
                json_line(json);
}

static void answer_csv(struct reverse *r, const struct stasis_mapping *m)
{
        FILE *out = r->cli->out;

        fprintf(out, "0x%" PRIx64 ",0x%" PRIx64 ",%" PRIu64 ",%s,", m->walk.pa, m->walk.va, m->walk.page_size,
                m->kernel ? "true" : "false");
        if (m->pid >= 0)
                fprintf(out, "%" PRId64, m->pid);
        fputs(",", out);
        csv_field(out, m->process ? m->process : "");
        fputs("\r\n", out);
}

static bool answer(void *ctx, const struct stasis_mapping *m)
{
        struct reverse *r = ctx;

        cli_progress_end(r->cli);
        mark(r, m->walk.pa);
        switch (r->cli->format) {
        case CLI_JSON:
        case CLI_JSONL: answer_json(r, m); break;
        case CLI_CSV: answer_csv(r, m); break;
        default: answer_text(r, m); break;
        }
        return !ferror(r->cli->out) && !r->json.bad;
}

/* ---- around them */

static void begin(struct reverse *r)
{
        struct json *json = &r->json;

        *json = (struct json){ .out = r->cli->out, .pretty = r->cli->format == CLI_JSON };
        if (r->cli->format == CLI_CSV)
                fputs("pa,va,page_size,kernel,pid,process\r\n", r->cli->out);
        if (r->cli->format != CLI_JSON && r->cli->format != CLI_JSONL)
                return;
        json_begin(json, NULL, '{');
        json_put_text(json, "schema", "stasis/reverse/1");
        json_image(json, r->cli->image, false);
        if (r->cli->format == CLI_JSONL) {
                json_end(json);
                json_line(json);
        } else {
                json_begin(json, "mappings", '[');
        }
}

/* What was not found, and what may be missing: also the last line of jsonl. */
static void end_json(struct reverse *r, const char *error)
{
        struct json *json = &r->json;

        if (r->cli->format == CLI_JSON)
                json_end(json);
        else
                json_begin(json, NULL, '{');
        json_begin(json, "unmapped", '[');
        for (size_t i = 0; i < r->count; i++)
                if (!r->mapped[i] && !error) /* a search that ended early knows of none */
                        json_put_hex(json, NULL, r->pa[i]);
        json_end(json);
        json_put_number(json, "unreadable_tables", r->unreadable);
        json_put_text(json, "error", error);
        json_end(json);
        json_line(json);
}

static void end_text(struct reverse *r)
{
        for (size_t i = 0; i < r->count; i++)
                if (!r->mapped[i])
                        fprintf(r->cli->out, "0x%012" PRIx64 "  no virtual address comes to it\n", r->pa[i]);
        if (r->unreadable)
                fprintf(r->cli->out, "\n%" PRIu64 " page %s not in the image: what %s would map is not known\n",
                        r->unreadable, r->unreadable == 1 ? "table is" : "tables are",
                        r->unreadable == 1 ? "it" : "they");
}

static void end(struct reverse *r, const char *error)
{
        cli_progress_end(r->cli);
        if (r->cli->format == CLI_JSON || r->cli->format == CLI_JSONL)
                end_json(r, error);
        else if (r->cli->format == CLI_TEXT && !error)
                end_text(r);
}

/* ---- which tables */

static enum stasis_status through_space(struct reverse *r, struct stasis_space *space)
{
        uint64_t unreadable = 0;

        r->root = stasis_space_root(space);
        enum stasis_status status = stasis_space_reverse(space, r->pa, r->count, answer, r, &unreadable);
        r->unreadable += unreadable;
        return status;
}

/* No system: the tables that the image's registers name beside the first ones. */
static enum stasis_status through_cpus(struct reverse *r, struct stasis_space *first)
{
        const struct stasis_hints *hints = stasis_image_hints(r->cli->image);
        enum stasis_status status = through_space(r, first);
        uint64_t seen[64] = { stasis_space_root(first) };
        size_t count = 1;

        for (size_t i = 0; i < hints->cpu_count && status == STASIS_OK; i++) {
                struct stasis_space *space;
                bool known = !(hints->cpu[i].known & STASIS_CPU_CONTROL) || count == 64;
                if (known || stasis_space_open(r->cli->image, stasis_space_mode(first), hints->cpu[i].cr[3], &space,
                                               NULL) != STASIS_OK)
                        continue;
                for (size_t k = 0; k < count; k++)
                        known |= seen[k] == stasis_space_root(space);
                if (!known) {
                        seen[count++] = stasis_space_root(space);
                        status = through_space(r, space);
                }
                stasis_space_close(space);
        }
        return status;
}

static enum cli_exit run(struct reverse *r, struct stasis_space *space)
{
        struct cli *cli = r->cli;
        struct stasis_error err = { 0 };
        enum stasis_status status;

        begin(r);
        if (cli->understood && !cli->root.known)
                status = stasis_system_reverse(cli->system, cli->process.known ? &cli->process.value : NULL, r->pa,
                                               r->count, answer, r, &r->unreadable, &err);
        else
                status = cli->root.known ? through_space(r, space) : through_cpus(r, space);
        if (status != STASIS_OK && !err.text[0])
                snprintf(err.text, sizeof(err.text), "%s",
                         status == STASIS_LIMIT ? "the page tables go on without end: given up"
                                                : stasis_status_name(status));
        end(r, status == STASIS_OK ? NULL : err.text);
        if (r->json.bad)
                return cli_fail(cli, "out of memory: the answer is not whole");
        if (status != STASIS_OK && status != STASIS_LIMIT)
                return cli_fail_library(cli, &err, NULL);
        if (status == STASIS_LIMIT)
                cli_warn(cli, "%s: %s", cli->image_path, err.text);
        return status == STASIS_LIMIT || r->unreadable ? CLI_PARTIAL : cli->partial ? CLI_PARTIAL : CLI_COMPLETE;
}

static enum cli_exit parse(struct reverse *r)
{
        struct cli *cli = r->cli;

        r->pa = calloc(cli->arg_count + 1, sizeof(*r->pa));
        r->mapped = calloc(cli->arg_count + 1, sizeof(*r->mapped));
        if (!r->pa || !r->mapped)
                return cli_fail(cli, "out of memory");
        for (; r->count < cli->arg_count; r->count++)
                if (!cli_parse_address(cli->arg[r->count], &r->pa[r->count]))
                        return cli_usage(cli, "translate: '%s' is not an address (hexadecimal, with or without 0x)",
                                         cli->arg[r->count]);
        return CLI_COMPLETE;
}

enum cli_exit cmd_reverse(struct cli *cli)
{
        struct reverse r = { .cli = cli };
        struct cli_space space = { 0 };

        enum cli_exit failed = parse(&r);
        if (!failed && stasis_image_is_virtual(cli->image))
                failed = cli_usage(cli, "this file holds virtual memory only: it has no page tables");
        if (!failed)
                failed = cli_open_space(cli, &space);
        if (!failed)
                failed = run(&r, space.space);
        cli_close_space(&space);
        free(r.pa);
        free(r.mapped);
        return failed;
}
