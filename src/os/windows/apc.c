/* SPDX-License-Identifier: MIT */
/*
 * APCs queued to a thread: two lists (kernel and user mode) in ApcState, and while it is attached to another process
 * two more in SavedApcState, for its own. A special kernel APC is one without a normal routine.
 */
#include <string.h>

#include "../row_macros.h"
#include "names.h"
#include "thread_io.h"

#define APC_OBJECT 18 /* _KOBJECTS, in all versions */

/* which: bit 0 the list (0 kernel, 1 user mode), bit 1 in SavedApcState. */
enum { WHICH_USER = 1, WHICH_SAVED = 2 };

/* ---------------------------------------------------------------- rows */

static void derive_queue(struct decode *d, struct stasis_fact *fact)
{
        static const char *const names[] = { "kernel", "user", "saved kernel", "saved user" };
        *fact = fact_derived(d->which);
        fact->text = names[d->which & 3];
}

static void derive_apc_kind(struct decode *d, struct stasis_fact *fact)
{
        uint64_t normal = fact->value;
        if (!fact_is(fact))
                return;
        fact->value = 0;
        fact->text = d->which & WHICH_USER ? "user" : normal ? "kernel" : "special kernel";
}

/* The process whose address space the APC will run in. */
static uint32_t space_of(const struct decode *d)
{
        uint64_t process;
        if (!(d->which & WHICH_SAVED) &&
            read_place(d->w->kernel, d->owner, &d->w->at.apc_process, &process) == STASIS_OK) {
                size_t i = windows_process_of(d->w, process);
                if (i < d->w->process_count)
                        return (uint32_t)i;
        }
        return d->process;
}

static void derive_routine(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        put_routine(d, space_of(d), fact);
}

static const struct row apc_rows[] = {
        MADE("apc", "APC", "", ADDRESS, derive_object, "its address"),
        MADE("queue", "Queue", "", TEXT, derive_queue, "saved: those of its own process, while it is attached"),
        ROW_D("kind", "Kind", "", TEXT, ON_APC, derive_apc_kind, "special kernel: without a normal routine",
              "_KAPC.NormalRoutine", "@0x30:8"),
        ROW_D("kernel_routine", "Kernel routine", "", CODE, ON_APC, derive_routine, "", "_KAPC.KernelRoutine",
              "@0x20:8"),
        ROW_D("rundown_routine", "Rundown routine", "", CODE, ON_APC, derive_routine, "", "_KAPC.RundownRoutine",
              "@0x28:8"),
        ROW_D("normal_routine", "Normal routine", "", CODE, ON_APC, derive_routine, "", "_KAPC.NormalRoutine",
              "@0x30:8"),
        ROW("normal_context", "Normal context", "", HEX, ON_APC, "", "_KAPC.NormalContext"),
        ROW("argument1", "First argument", "", HEX, ON_APC, "", "_KAPC.SystemArgument1"),
        ROW("argument2", "Second argument", "", HEX, ON_APC, "", "_KAPC.SystemArgument2"),
        ROW_N("environment", "Environment", "", ENUM, ON_APC, names_apc_environment, "for which it was made",
              "_KAPC.ApcStateIndex"),
        ROW("inserted", "Inserted", "", BOOL, ON_APC, "", "_KAPC.Inserted"),
        ROW("thread", "Thread", "", ADDRESS, ON_APC, "to which it is queued", "_KAPC.Thread"),
};
const struct stasis_list_rows apc_list_rows = { .row = apc_rows, .count = sizeof apc_rows / sizeof *apc_rows };

/* ---------------------------------------------------------------- the list */

static bool accept_apc(void *ctx, uint64_t entry)
{
        struct decode *d = ctx;
        const struct thread_io *io = thread_io(d->w);
        uint64_t type;
        return read_place(d->w->kernel, entry - io->apc_link.offset, &io->apc_type, &type) == STASIS_OK &&
               (type & 0xff) == APC_OBJECT;
}

static bool list_queue(struct decode *d, struct list_maker *maker, uint64_t head, uint8_t which,
                       struct stasis_fact *fact)
{
        static const char *const names[] = { "kernel APCs", "user APCs", "saved kernel APCs", "saved user APCs" };
        const struct thread_io *io = thread_io(d->w);
        struct list_walk walk;
        if (!queued_entries(d, head, accept_apc, d, names[which], &walk, fact))
                return false;
        for (size_t i = 0; i < walk.count; i++)
                keep_queued(d, maker, walk.entry[i] - io->apc_link.offset, which);
        list_free(&walk);
        return true;
}

/* The lists are the first members of a KAPC_STATE; zeros: the thread is not made yet. */
void derive_apcs(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        const struct stasis_fact *attached = fact_of(d, FACT_ATTACHED);
        struct list_maker maker = list_begin(d->set, fact, d->arena, 4 * QUEUED_MAX);
        if (!fact_is(fact))
                return;
        if (!io || !io->apc_link.has || !fact->value) {
                *fact = fact_absent(io && io->apc_link.has ? STASIS_NOT_APPLICABLE : STASIS_NOT_KNOWN);
                return;
        }
        uint64_t head = fact->va;
        bool saved = fact_is(attached) && attached->value && io->saved_apc_state.has;
        uint64_t saved_head = d->object + io->saved_apc_state.offset;
        for (unsigned which = 0; which < (saved ? 4u : 2u); which++) {
                uint64_t from = which & WHICH_SAVED ? saved_head : head;
                if (!list_queue(d, &maker, from + (which & WHICH_USER ? 2u * d->w->pointer_size : 0), (uint8_t)which,
                                fact))
                        return;
        }
        list_end(&maker, fact);
}
