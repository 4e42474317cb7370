/* SPDX-License-Identifier: MIT */
/* Deadlocks and chains as text: a line a thread, and what it waits for, which the next line has. */
#include <inttypes.h>
#include <string.h>

#include "waits.h"

#define NAMED_MAX 24 /* threads that are named of those that a deadlock holds beside its cycle */

/* ---- words that all forms share */

static bool is_kind(const struct stasis_wait *wait, const char *kind)
{
        return wait->kind && !strcmp(wait->kind, kind);
}

void waits_words(const struct stasis_wait *wait, struct text *words)
{
        if (is_kind(wait, "ThreadObject") || is_kind(wait, "ProcessObject")) {
                text_printf(words, "the end of the %s", is_kind(wait, "ThreadObject") ? "thread" : "process");
                return;
        }
        if (strcmp(wait->what, "timeout") == 0) {
                text_str(words, "a time to pass");
                return;
        }
        if (strcmp(wait->what, "object") != 0)
                text_str(words, wait->what);
        else
                text_str(words, wait->type ? wait->type : wait->kind ? wait->kind : "an object");
        if (wait->name)
                text_printf(words, " %s", wait->name);
        else if (wait->container || wait->object)
                text_printf(words, " 0x%" PRIx64, wait->container ? wait->container : wait->object);
}

/* "6000.6004 deadlock.exe", of a process "6000 deadlock.exe". */
static void who_words(const struct waits *w, const struct stasis_wait_step *step, struct text *words)
{
        const struct waits_who *who = step->thread != SIZE_MAX    ? &w->thread[step->thread]
                                      : step->process != SIZE_MAX ? &w->process[step->process]
                                                                  : NULL;
        if (!who) {
                text_str(words, "?");
                return;
        }
        if (who->pid == STASIS_NOWHERE || (step->thread != SIZE_MAX && who->tid == STASIS_NOWHERE))
                text_printf(words, "0x%" PRIx64, who->object);
        else if (step->thread != SIZE_MAX)
                text_printf(words, "%" PRIu64 ".%" PRIu64, who->pid, who->tid);
        else
                text_printf(words, "%" PRIu64, who->pid);
        text_printf(words, " %s", who->name);
}

/* ---- what a step says of itself */

static void wait_words(const struct stasis_wait *wait, struct text *words)
{
        text_str(words, "waits for ");
        waits_words(wait, words);
        if (wait->owner_count > 1)
                text_printf(words, ", which %zu threads have, among them", wait->owner_count);
        if (!wait->alone)
                text_str(words, ", or for something else");
        if (wait->timed)
                text_str(words, ", for a time");
}

/* The last thread of a chain: what keeps it, as far as that is known. */
static void last_words(const struct waits *w, size_t thread, struct text *words)
{
        const struct waits_who *who = &w->thread[thread];
        size_t first = w->first[thread];

        if (first < w->all->wait_count) {
                const struct stasis_wait *wait = &w->all->wait[first];
                text_str(words, "waits for ");
                waits_words(wait, words);
                return;
        }
        text_printf(words, "does not wait: %s", who->state ? who->state : "its state is not known");
}

static void process_words(const struct waits *w, const struct stasis_wait_step *before, struct text *words)
{
        bool ends = before && before->wait != SIZE_MAX && w->all->wait[before->wait].ends;

        text_str(words, ends ? "ends with the last of its threads" : "must answer: any of its threads may");
}

static void put_step(struct waits *w, const struct stasis_wait_step *step, const struct stasis_wait_step *before,
                     const char *instead)
{
        struct text who = { 0 }, words = { 0 };

        who_words(w, step, &who);
        if (instead)
                text_str(&words, instead);
        else if (step->wait != SIZE_MAX)
                wait_words(&w->all->wait[step->wait], &words);
        else if (step->thread != SIZE_MAX)
                last_words(w, step->thread, &words);
        else
                process_words(w, before, &words);
        put_pair(w->cli, text_get(&who), text_get(&words));
        text_free(&who);
        text_free(&words);
}

/* ---- text */

static void put_others(struct waits *w, const struct stasis_deadlock *deadlock)
{
        struct text words = { 0 };
        size_t cycle = 0;

        for (size_t i = 0; i < deadlock->count; i++)
                cycle += deadlock->step[i].thread != SIZE_MAX;
        if (deadlock->thread_count == cycle)
                return;
        for (size_t i = 0; i < deadlock->thread_count && i < NAMED_MAX; i++) {
                const struct stasis_wait_step step = { deadlock->thread[i], SIZE_MAX, SIZE_MAX };
                text_str(&words, i ? ", " : "");
                who_words(w, &step, &words);
        }
        if (deadlock->thread_count > NAMED_MAX)
                text_printf(&words, " and %zu more", deadlock->thread_count - NAMED_MAX);
        put_pair(w->cli, "all that are in its cycles", text_get(&words));
        text_free(&words);
}

static void put_deadlock(struct waits *w, size_t number)
{
        const struct stasis_deadlock *deadlock = &w->all->deadlock[number];
        struct text title = { 0 };

        text_printf(&title, "Deadlock %zu: %zu %s, each waits for the next one, the last for the first%s", number + 1,
                    deadlock->thread_count, list_noun(STASIS_THREADS, deadlock->thread_count),
                    deadlock->timed ? "; one of them only for a time" : "");
        putc('\n', w->cli->out);
        fputs(paint(w->cli, PAINT_RED), w->cli->out);
        put_title(w->cli, text_get(&title));
        for (size_t i = 0; i < deadlock->count; i++)
                put_step(w, &deadlock->step[i], i ? &deadlock->step[i - 1] : NULL, NULL);
        put_others(w, deadlock);
        text_free(&title);
}

static void put_chain(struct waits *w, size_t number)
{
        const struct stasis_wait_chain *chain = &w->all->chain[number];
        struct text title = { 0 }, instead = { 0 };

        text_printf(&title, "Chain %zu: %zu %s", number + 1, chain->depth, list_noun(STASIS_THREADS, chain->depth));
        if (chain->deadlock != SIZE_MAX)
                text_printf(&instead, "is in deadlock %zu", chain->deadlock + 1);
        else if (chain->joins != SIZE_MAX)
                text_printf(&instead, "goes on in chain %zu", chain->joins + 1);
        putc('\n', w->cli->out);
        put_title(w->cli, text_get(&title));
        for (size_t i = 0; i < chain->count; i++)
                put_step(w, &chain->step[i], i ? &chain->step[i - 1] : NULL,
                         i + 1 == chain->count && instead.len ? text_get(&instead) : NULL);
        text_free(&title);
        text_free(&instead);
}

/* Threads that were asked for and are in no chain: what they wait for all the same. */
static void put_alone(struct waits *w)
{
        struct cli *cli = w->cli;
        bool begun = false;

        for (size_t i = 0; i < w->threads && (cli->tid.known || cli->process.known); i++) {
                size_t first = w->first[i];
                if (!w->thread[i].wanted || first == w->all->wait_count || w->all->wait[first].owner_count ||
                    w->all->wait[first].process != SIZE_MAX)
                        continue;
                if (!begun) {
                        putc('\n', cli->out);
                        put_title(cli, "For what nobody is known to have");
                }
                begun = true;
                const struct stasis_wait_step step = { i, SIZE_MAX, first };
                put_step(w, &step, NULL, NULL);
        }
}

static void put_sums(struct waits *w)
{
        const struct stasis_waits *all = w->all;
        size_t held = 0;

        for (size_t i = 0; i < all->wait_count; i++)
                if (w->first[all->wait[i].thread] == i || all->wait[i].thread != all->wait[i - 1].thread) {
                        bool known = false;
                        for (size_t k = i; k < all->wait_count && all->wait[k].thread == all->wait[i].thread; k++)
                                known |= all->wait[k].owner_count || all->wait[k].process != SIZE_MAX;
                        held += known;
                }
        fprintf(w->cli->out, "\n%zu of %zu %s wait, %zu of them for somebody; %zu %s, %zu %s\n", all->waiting,
                w->threads, list_noun(STASIS_THREADS, w->threads), held, w->chains, w->chains == 1 ? "chain" : "chains",
                w->deadlocks, w->deadlocks == 1 ? "deadlock" : "deadlocks");
}

static void waits_text(struct waits *w)
{
        put_heading(w->cli);
        for (size_t i = 0; i < w->all->deadlock_count; i++)
                if (w->deadlock_shown[i])
                        put_deadlock(w, i);
        for (size_t i = 0; i < w->all->chain_count; i++)
                if (w->chain_shown[i])
                        put_chain(w, i);
        put_alone(w);
        put_sums(w);
        put_notes(w->cli);
}

void waits_write(struct waits *w)
{
        if (w->cli->format == CLI_JSON)
                waits_json(w);
        else if (w->cli->format == CLI_DOT)
                waits_dot(w);
        else
                waits_text(w);
}
