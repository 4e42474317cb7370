/* SPDX-License-Identifier: MIT */
#include "out_result.h"

#include <string.h>

#include "json.h"
#include "out.h"
#include "waits.h"

struct writer {
        struct cli *cli;
        const struct result_about *about;
        struct result_outcome *outcome;
        struct json json;
};

static void begin_phase(const struct writer *w, const char *name)
{
        if (w->about->phase)
                w->about->phase(w->about->ctx, name);
}

/* The first failure is told; a status that says nothing about the image makes the whole document worthless. */
static void failed(struct writer *w, const struct stasis_error *err)
{
        w->outcome->exit = CLI_UNREADABLE;
        w->outcome->no_memory |= err->status == STASIS_NOMEM;
        if (!*w->outcome->error)
                snprintf(w->outcome->error, sizeof(w->outcome->error), "%s", err->text);
}

/* Facts of the system are known (its processors) once its threads were looked for. */
static void open_system(struct writer *w)
{
        struct stasis_error err = { 0 };
        size_t count;

        begin_phase(w, "system");
        enum stasis_status status = cli_try_system(w->cli, &err);
        if (status == STASIS_OK)
                status = stasis_system_count(w->cli->system, STASIS_THREADS, &count, &err);
        if (status != STASIS_OK)
                failed(w, &err);
}

static void name_system(struct writer *w)
{
        struct text name = { 0 };

        if (w->cli->understood)
                put_system_title(stasis_system_facts(w->cli->system), &name);
        snprintf(w->outcome->system, sizeof(w->outcome->system), "%s", text_get(&name));
        text_free(&name);
}

static size_t put_records(struct writer *w, enum stasis_what what)
{
        struct cli *cli = w->cli;
        const struct stasis_record *record;
        struct stasis_error err = { 0 };
        size_t count = 0, i = 0;

        begin_phase(w, list_noun(what, 0));
        json_begin(&w->json, list_noun(what, 0), '[');
        if (cli->understood && stasis_system_count(cli->system, what, &count, &err) != STASIS_OK)
                failed(w, &err);
        for (; i < count && !w->json.bad; i++) {
                if (stasis_system_record(cli->system, what, i, &record, &err) != STASIS_OK) {
                        failed(w, &err);
                        break;
                }
                json_put(&w->json, NULL, json_record(record, NULL));
        }
        json_end(&w->json);
        return i;
}

/* A system that does not keep who holds what has none that could be told. */
static void put_deadlocks(struct writer *w)
{
        struct waits waits = { .cli = w->cli };
        struct stasis_error err = { 0 };

        begin_phase(w, "waits");
        json_begin(&w->json, "deadlocks", '[');
        enum stasis_status status = w->cli->understood ? waits_gather(&waits, &err) : STASIS_UNSUPPORTED;
        if (status == STASIS_OK) {
                waits_deadlocks(&waits, &w->json);
                w->outcome->deadlocks = waits.all->deadlock_count;
        } else if (status != STASIS_UNSUPPORTED) {
                failed(w, &err);
        }
        json_end(&w->json);
        waits_free(&waits);
}

static void count_notes(struct writer *w)
{
        size_t count = 0;
        const struct stasis_note *note = w->cli->system ? stasis_system_notes(w->cli->system, &count) : NULL;

        for (size_t i = 0; i < count; i++)
                if (note[i].severity <= STASIS_NOTE_MISSING)
                        w->outcome->notes[note[i].severity]++;
}

/* Last, as only now it is known how it ended. */
static void put_analysis(struct writer *w)
{
        struct json *json = &w->json;
        const struct result_about *about = w->about;

        if (!w->outcome->exit)
                w->outcome->exit = cli_outcome(w->cli);
        json_begin(json, "analysis", '{');
        json_put_text(json, "stasis", STASIS_VERSION);
        json_put_text(json, "sha256", about->sha256);
        json_begin(json, "sandbox", '[');
        for (size_t i = 0; about->sandbox && about->sandbox[i]; i++)
                json_put_text(json, NULL, about->sandbox[i]);
        json_end(json);
        json_put_bool(json, "scan", w->cli->scan);
        json_put_number(json, "exit_status", (uint64_t)w->outcome->exit);
        json_put_text(json, "error", *w->outcome->error ? w->outcome->error : NULL);
        json_end(json);
}

void result_write(struct cli *cli, const struct result_about *about, FILE *out, struct result_outcome *ret_outcome)
{
        struct writer w = { cli, about, ret_outcome, { .out = out, .pretty = true } };
        struct json *json = &w.json;

        *ret_outcome = (struct result_outcome){ .exit = cli->image ? CLI_COMPLETE : CLI_UNREADABLE };
        if (about->error)
                snprintf(ret_outcome->error, sizeof(ret_outcome->error), "%s", about->error);
        if (cli->image)
                open_system(&w);
        name_system(&w);
        json_begin(json, NULL, '{');
        json_put_text(json, "schema", RESULT_SCHEMA);
        if (cli->image)
                json_image_contents(json, cli->image);
        else
                json_put_null(json, "image");
        json_system(json, cli);
        ret_outcome->processes = put_records(&w, STASIS_PROCESSES);
        ret_outcome->threads = put_records(&w, STASIS_THREADS);
        put_records(&w, STASIS_MODULES);
        json_unloaded(json, cli);
        put_deadlocks(&w);
        ret_outcome->counted = cli->understood;
        count_notes(&w);
        json_notes(json, cli);
        put_analysis(&w);
        json_end(json);
        json_line(json);
        ret_outcome->no_memory |= json->bad;
}
