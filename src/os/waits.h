/* SPDX-License-Identifier: MIT */
/* What a decoder tells of the waits of its threads, and what is made of it: waits.c. */
#ifndef STASIS_OS_WAITS_H
#define STASIS_OS_WAITS_H

#include "system.h"

/* More waits, or owners of all of them together, are not kept: a hostile image must not fill memory. */
#define STASIS_WAITS_MAX 4194304

struct wait_input {
        struct stasis_wait *wait; /* by thread */
        size_t count;
        const size_t *process_of; /* of each thread; SIZE_MAX: not known */
        size_t threads, processes;
        size_t waiting;
        bool cut;
};

/* Chains and deadlocks of these waits, in the arena. Linear in waits, owners, threads and processes. */
enum stasis_status waits_make(struct stasis_arena *arena, const struct wait_input *input,
                              const struct stasis_waits **ret_waits) STASIS_MUST_CHECK;

#endif
