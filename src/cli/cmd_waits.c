/* SPDX-License-Identifier: MIT */
/* stasis waits: who waits for whom. The library makes chains and deadlocks; here each thread gets its name, and what
 * was not asked for is left out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "waits.h"

/* ---- who is who */

static uint64_t number_of(const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(record, key);

        return fact && fact->absence == STASIS_PRESENT ? fact->value : STASIS_NOWHERE;
}

static char *text_of(const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(record, key);

        return fact && fact->absence == STASIS_PRESENT && fact->text ? strdup(fact->text) : NULL;
}

static bool take_who(struct waits *w, enum stasis_what what, const struct stasis_record *record, struct waits_who *who)
{
        bool thread = what == STASIS_THREADS;

        who->pid = number_of(record, "pid");
        who->tid = thread ? number_of(record, "tid") : STASIS_NOWHERE;
        who->object = record->object;
        who->state = thread ? text_of(record, "state") : NULL;
        who->wanted = thread && list_is_wanted(w->cli, what, record);
        who->name = text_of(record, thread ? "process" : "name");
        if (!who->name)
                who->name = strdup("?");
        return who->name != NULL;
}

static enum stasis_status no_memory(struct stasis_error *err)
{
        snprintf(err->text, sizeof(err->text), "out of memory");
        return err->status = STASIS_NOMEM;
}

static enum stasis_status take_all(struct waits *w, enum stasis_what what, struct waits_who **ret_who,
                                   size_t *ret_count, struct stasis_error *err)
{
        struct stasis_system *system = w->cli->system;
        const struct stasis_record *record;
        size_t count = 0;

        enum stasis_status status = stasis_system_count(system, what, &count, err);
        if (status != STASIS_OK)
                return status;
        *ret_who = calloc(count + 1, sizeof(**ret_who));
        if (!*ret_who)
                return no_memory(err);
        *ret_count = count;
        for (size_t i = 0; i < count; i++) {
                status = stasis_system_record(system, what, i, &record, err);
                if (status != STASIS_OK)
                        return status;
                if (!take_who(w, what, record, &(*ret_who)[i]))
                        return no_memory(err);
        }
        return STASIS_OK;
}

static void who_free(struct waits_who *who, size_t count)
{
        for (size_t i = 0; who && i < count; i++) {
                free(who[i].name);
                free(who[i].state);
        }
        free(who);
}

/* ---- what is asked for */

static bool is_wanted(const struct waits *w, const struct stasis_wait_step *step)
{
        return step->thread < w->threads && w->thread[step->thread].wanted;
}

static bool any_wanted(const struct waits *w, const struct stasis_wait_step *step, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (is_wanted(w, &step[i]))
                        return true;
        return false;
}

/* A deadlock with a wanted thread, and a chain with one or that leads to such a deadlock or chain, which tells the
 * rest. */
static void choose(struct waits *w)
{
        const struct stasis_waits *all = w->all;

        for (size_t i = 0; i < all->deadlock_count; i++) {
                const struct stasis_deadlock *deadlock = &all->deadlock[i];
                for (size_t k = 0; k < deadlock->thread_count; k++) {
                        w->deadlock[deadlock->thread[k]] = i;
                        w->deadlock_shown[i] |= w->thread[deadlock->thread[k]].wanted;
                }
        }
        for (size_t i = 0; i < all->chain_count; i++) {
                const struct stasis_wait_chain *chain = &all->chain[i];
                w->chain_shown[i] = any_wanted(w, chain->step, chain->count);
        }
        for (size_t i = all->chain_count; i-- > 0;) { /* a chain joins one before it */
                const struct stasis_wait_chain *chain = &all->chain[i];
                if (w->chain_shown[i] && chain->joins != SIZE_MAX)
                        w->chain_shown[chain->joins] = true;
                if (w->chain_shown[i] && chain->deadlock != SIZE_MAX)
                        w->deadlock_shown[chain->deadlock] = true;
        }
        for (size_t i = 0; i < all->chain_count; i++)
                w->chains += w->chain_shown[i];
        for (size_t i = 0; i < all->deadlock_count; i++)
                w->deadlocks += w->deadlock_shown[i];
}

static bool index_waits(struct waits *w)
{
        const struct stasis_waits *all = w->all;

        w->first = calloc(w->threads + 1, sizeof(*w->first));
        w->deadlock = calloc(w->threads + 1, sizeof(*w->deadlock));
        w->chain_shown = calloc(all->chain_count + 1, sizeof(*w->chain_shown));
        w->deadlock_shown = calloc(all->deadlock_count + 1, sizeof(*w->deadlock_shown));
        if (!w->first || !w->deadlock || !w->chain_shown || !w->deadlock_shown)
                return false;
        for (size_t i = 0; i < w->threads; i++) {
                w->first[i] = all->wait_count;
                w->deadlock[i] = SIZE_MAX;
        }
        for (size_t i = all->wait_count; i-- > 0;)
                w->first[all->wait[i].thread] = i;
        choose(w);
        return true;
}

/* ---- the verb */

enum stasis_status waits_gather(struct waits *w, struct stasis_error *err)
{
        static const char *const cheap[] = { "pid", "tid", "process", "name", "state" };
        struct stasis_system *system = w->cli->system;

        enum stasis_status status = stasis_system_waits(system, &w->all, err);
        if (status != STASIS_OK)
                return status;
        stasis_system_choose(system, STASIS_THREADS, cheap, sizeof(cheap) / sizeof(cheap[0]));
        stasis_system_choose(system, STASIS_PROCESSES, cheap, sizeof(cheap) / sizeof(cheap[0]));
        status = take_all(w, STASIS_THREADS, &w->thread, &w->threads, err);
        if (status == STASIS_OK)
                status = take_all(w, STASIS_PROCESSES, &w->process, &w->processes, err);
        if (status == STASIS_OK && !index_waits(w))
                status = no_memory(err);
        return status;
}

void waits_free(struct waits *w)
{
        who_free(w->thread, w->threads);
        who_free(w->process, w->processes);
        free(w->first);
        free(w->deadlock);
        free(w->chain_shown);
        free(w->deadlock_shown);
}

static enum cli_exit gather(struct waits *w)
{
        struct stasis_error err = { 0 };

        enum stasis_status status = waits_gather(w, &err);
        if (status == STASIS_OK)
                return CLI_COMPLETE;
        return cli_fail_library(
                w->cli, &err, status == STASIS_UNSUPPORTED ? "'stasis threads --columns tid,name,state,wchan'" : NULL);
}

enum cli_exit cmd_waits(struct cli *cli)
{
        struct waits w = { .cli = cli };

        enum cli_exit failed = cli_open_system(cli);
        if (!failed)
                failed = gather(&w);
        cli_progress_end(cli);
        if (!failed)
                waits_write(&w);
        waits_free(&w);
        return failed ? failed : cli_outcome(cli);
}
