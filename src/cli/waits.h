/* SPDX-License-Identifier: MIT */
/* What the verb waits knows while it writes: who is who, and which chains and deadlocks are asked for. */
#ifndef STASIS_CLI_WAITS_H
#define STASIS_CLI_WAITS_H

#include "cli.h"
#include "json.h"
#include "out.h"

struct waits_who {
        uint64_t pid, tid, object; /* STASIS_NOWHERE: not known; tid also where it is a process */
        char *name;                /* "?" where not known */
        char *state;               /* of a thread; NULL: not known */
        bool wanted;
};

struct waits {
        struct cli *cli;
        const struct stasis_waits *all;
        struct waits_who *thread, *process;
        size_t threads, processes;
        size_t *first;     /* of each thread: number of its first wait; all->wait_count where it has none */
        size_t *deadlock;  /* of each thread: number of the deadlock that it is in; SIZE_MAX: none */
        bool *chain_shown; /* of each chain */
        bool *deadlock_shown;
        size_t chains, deadlocks; /* that are shown */
};

/* "mutant \BaseNamedObjects\a", "resource, exclusive 0x81234567", "the end of the thread". */
void waits_words(const struct stasis_wait *wait, struct text *words);
/* Who waits for whom, in w of which cli is set; to be freed also after a failure. Afterwards only cheap facts of
 * records are looked at. STASIS_UNSUPPORTED: this system does not keep it. */
enum stasis_status waits_gather(struct waits *w, struct stasis_error *err) STASIS_MUST_CHECK;
void waits_free(struct waits *w);
void waits_deadlocks(const struct waits *w, struct json *json); /* those that are shown, as elements of an array */
void waits_write(struct waits *w);                              /* as --format says */
void waits_dot(struct waits *w);
void waits_json(struct waits *w);

#endif
