/* SPDX-License-Identifier: MIT */
/* The graph of waits for programs: JSON, and the language of graphviz. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "waits.h"

/* ---- JSON */

static void put_id(struct json *json, const char *key, uint64_t id)
{
        if (id == STASIS_NOWHERE)
                json_put_null(json, key);
        else
                json_put_number(json, key, id);
}

static void put_number(struct json *json, const char *key, size_t number)
{
        if (number == SIZE_MAX)
                json_put_null(json, key);
        else
                json_put_number(json, key, number);
}

static void put_address(struct json *json, const char *key, uint64_t address)
{
        if (address)
                json_put_hex(json, key, address);
        else
                json_put_null(json, key);
}

static void put_who(struct json *json, const struct waits_who *who)
{
        put_id(json, "pid", who->pid);
        put_id(json, "tid", who->tid);
        json_put_text(json, "process", who->name);
        json_put_hex(json, "object", who->object);
}

static void put_wait(struct json *json, const struct waits *w, const struct stasis_wait *wait)
{
        size_t deadlock = w->deadlock[wait->thread];

        json_begin(json, NULL, '{');
        put_who(json, &w->thread[wait->thread]);
        json_put_text(json, "waits_for", wait->what);
        put_address(json, "awaited", wait->object);
        json_put_text(json, "kind", wait->kind);
        json_put_text(json, "object_type", wait->type);
        json_put_text(json, "name", wait->name);
        put_address(json, "container", wait->container);
        json_begin(json, "owners", '[');
        for (size_t i = 0; i < wait->owner_count; i++) {
                json_begin(json, NULL, '{');
                put_who(json, &w->thread[wait->owner[i]]);
                json_end(json);
        }
        json_end(json);
        put_id(json, "owner_pid", wait->process != SIZE_MAX ? w->process[wait->process].pid : STASIS_NOWHERE);
        json_put_text(json, "owner_from", wait->from);
        json_put_bool(json, "alone", wait->alone);
        json_put_bool(json, "timed", wait->timed);
        put_number(json, "deadlock", deadlock == SIZE_MAX ? SIZE_MAX : deadlock + 1);
        json_end(json);
}

static bool is_shown(const struct waits *w, const struct stasis_wait *wait)
{
        size_t deadlock = w->deadlock[wait->thread];
        return w->thread[wait->thread].wanted || (deadlock != SIZE_MAX && w->deadlock_shown[deadlock]);
}

static void put_steps(struct json *json, const struct waits *w, const struct stasis_wait_step *step, size_t count)
{
        json_begin(json, "steps", '[');
        for (size_t i = 0; i < count; i++) {
                static const struct waits_who nobody = { STASIS_NOWHERE, STASIS_NOWHERE, 0, NULL, NULL, false };
                const struct waits_who *who = step[i].thread != SIZE_MAX    ? &w->thread[step[i].thread]
                                              : step[i].process != SIZE_MAX ? &w->process[step[i].process]
                                                                            : &nobody;
                struct text words = { 0 };
                if (step[i].wait != SIZE_MAX)
                        waits_words(&w->all->wait[step[i].wait], &words);
                json_begin(json, NULL, '{');
                put_who(json, who);
                json_put_text(json, "waits_for", step[i].wait != SIZE_MAX ? text_get(&words) : NULL);
                json_end(json);
                text_free(&words);
        }
        json_end(json);
}

static void put_deadlock(struct json *json, const struct waits *w, size_t number)
{
        const struct stasis_deadlock *deadlock = &w->all->deadlock[number];

        json_begin(json, NULL, '{');
        json_put_number(json, "number", number + 1);
        json_put_bool(json, "timed", deadlock->timed);
        json_begin(json, "threads", '[');
        for (size_t i = 0; i < deadlock->thread_count; i++) {
                json_begin(json, NULL, '{');
                put_who(json, &w->thread[deadlock->thread[i]]);
                json_end(json);
        }
        json_end(json);
        put_steps(json, w, deadlock->step, deadlock->count);
        json_end(json);
}

static void put_chain(struct json *json, const struct waits *w, size_t number)
{
        const struct stasis_wait_chain *chain = &w->all->chain[number];

        json_begin(json, NULL, '{');
        json_put_number(json, "number", number + 1);
        json_put_number(json, "depth", chain->depth);
        put_number(json, "deadlock", chain->deadlock == SIZE_MAX ? SIZE_MAX : chain->deadlock + 1);
        put_number(json, "joins", chain->joins == SIZE_MAX ? SIZE_MAX : chain->joins + 1);
        put_steps(json, w, chain->step, chain->count);
        json_end(json);
}

void waits_deadlocks(const struct waits *w, struct json *json)
{
        for (size_t i = 0; i < w->all->deadlock_count; i++)
                if (w->deadlock_shown[i])
                        put_deadlock(json, w, i);
}

void waits_json(struct waits *w)
{
        struct json json = { .out = w->cli->out, .pretty = true };

        json_begin(&json, NULL, '{');
        json_put_text(&json, "schema", "stasis/waits/1");
        json_image(&json, w->cli->image, false);
        json_system(&json, w->cli);
        json_put_number(&json, "total", w->threads);
        json_put_number(&json, "waiting", w->all->waiting);
        json_begin(&json, "deadlocks", '[');
        waits_deadlocks(w, &json);
        json_end(&json);
        json_begin(&json, "chains", '[');
        for (size_t i = 0; i < w->all->chain_count; i++)
                if (w->chain_shown[i])
                        put_chain(&json, w, i);
        json_end(&json);
        json_begin(&json, "waits", '[');
        for (size_t i = 0; i < w->all->wait_count; i++)
                if (is_shown(w, &w->all->wait[i]))
                        put_wait(&json, w, &w->all->wait[i]);
        json_end(&json);
        json_notes(&json, w->cli);
        json_end(&json);
        json_line(&json);
        if (json.bad)
                cli_fail(w->cli, "out of memory: the answer is not whole");
}

/* ---- graphviz */

/* Inside quotes: a quote and a backslash are escaped, and nothing is left that a terminal or an editor would obey. */
static void put_quoted(FILE *out, const char *text)
{
        struct text safe = { 0 };

        text_safe(&safe, text);
        putc('"', out);
        for (const char *at = text_get(&safe); *at; at++) {
                if (*at == '"' || *at == '\\')
                        putc('\\', out);
                putc(*at, out);
        }
        putc('"', out);
        text_free(&safe);
}

static void dot_thread(struct waits *w, size_t i)
{
        const struct waits_who *who = &w->thread[i];
        struct text label = { 0 };

        text_printf(&label, "%s ", who->name);
        if (who->pid == STASIS_NOWHERE || who->tid == STASIS_NOWHERE)
                text_printf(&label, "0x%" PRIx64, who->object);
        else
                text_printf(&label, "%" PRIu64 ".%" PRIu64, who->pid, who->tid);
        fprintf(w->cli->out, "  t%zu [label=", i);
        put_quoted(w->cli->out, text_get(&label));
        fprintf(w->cli->out, "%s];\n", w->deadlock[i] != SIZE_MAX ? ", color=red" : "");
        text_free(&label);
}

static void dot_process(struct waits *w, size_t i)
{
        struct text label = { 0 };

        text_printf(&label, "%s", w->process[i].name);
        if (w->process[i].pid != STASIS_NOWHERE)
                text_printf(&label, " %" PRIu64, w->process[i].pid);
        fprintf(w->cli->out, "  p%zu [shape=box, label=", i);
        put_quoted(w->cli->out, text_get(&label));
        fputs("];\n", w->cli->out);
        text_free(&label);
}

static void dot_edge(struct waits *w, const struct stasis_wait *wait, char to, size_t number, bool red)
{
        struct text label = { 0 };

        waits_words(wait, &label);
        fprintf(w->cli->out, "  t%zu -> %c%zu [label=", wait->thread, to, number);
        put_quoted(w->cli->out, text_get(&label));
        fprintf(w->cli->out, "%s%s];\n", wait->alone ? "" : ", style=dashed", red ? ", color=red" : "");
        text_free(&label);
}

/* Nodes are threads that wait for somebody, and those and the processes that they wait for. */
static void dot_nodes(struct waits *w, bool *thread, bool *process)
{
        for (size_t i = 0; i < w->all->wait_count; i++) {
                const struct stasis_wait *wait = &w->all->wait[i];
                if (!is_shown(w, wait) || (!wait->owner_count && wait->process == SIZE_MAX))
                        continue;
                thread[wait->thread] = true;
                for (size_t k = 0; k < wait->owner_count; k++)
                        thread[wait->owner[k]] = true;
                if (wait->process != SIZE_MAX)
                        process[wait->process] = true;
        }
        for (size_t i = 0; i < w->threads; i++)
                if (thread[i])
                        dot_thread(w, i);
        for (size_t i = 0; i < w->processes; i++)
                if (process[i])
                        dot_process(w, i);
}

void waits_dot(struct waits *w)
{
        bool *thread = calloc(w->threads + 1, sizeof(*thread)), *process = calloc(w->processes + 1, sizeof(*process));

        if (!thread || !process) {
                cli_fail(w->cli, "out of memory");
                w->cli->partial = true;
                free(thread);
                free(process);
                return;
        }
        fputs("digraph waits {\n  rankdir=LR;\n", w->cli->out);
        dot_nodes(w, thread, process);
        for (size_t i = 0; i < w->all->wait_count; i++) {
                const struct stasis_wait *wait = &w->all->wait[i];
                size_t mine = w->deadlock[wait->thread];
                for (size_t k = 0; is_shown(w, wait) && k < wait->owner_count; k++)
                        dot_edge(w, wait, 't', wait->owner[k],
                                 wait->alone && mine != SIZE_MAX && w->deadlock[wait->owner[k]] == mine);
                if (is_shown(w, wait) && wait->process != SIZE_MAX)
                        dot_edge(w, wait, 'p', wait->process, false);
        }
        fputs("}\n", w->cli->out);
        free(thread);
        free(process);
}
