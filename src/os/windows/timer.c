/* SPDX-License-Identifier: MIT */
/*
 * Timers that a thread set with an APC routine: ETIMERs on its ActiveTimerListHead. No PDB tells of ETIMER; it is made
 * of KTIMER, KAPC, KDPC and the link, and since 8 there is a lock in front of the KAPC (ReactOS,
 * ntoskrnl/include/internal/ex.h; Windows 8: its public symbols, _ETIMER). Which of both it is shows in the object: its
 * KAPC says that it is one.
 */
#include "../row_macros.h"
#include "names.h"
#include "thread_io.h"

#define APC_OBJECT 18
enum { TIMER_NOTIFICATION = 8, TIMER_SYNCHRONIZATION = 9 }; /* _KOBJECTS */

/*
 * A dispatcher header of a timer, whose list of waiters comes back to it: a pointer's size into one stands an address,
 * whose low byte may be that of a timer.
 */
static bool is_timer(const struct decode *d, const struct thread_io *io, uint64_t timer)
{
        const struct windows *w = d->w;
        uint64_t header, flink, back, head = timer + io->timer_waiters.offset;
        return read_place(w->kernel, timer, &io->timer_type, &header) == STASIS_OK &&
               (is_dispatcher(header, TIMER_NOTIFICATION) || is_dispatcher(header, TIMER_SYNCHRONIZATION)) &&
               (!io->timer_waiters.has ||
                (read_pointer(w, w->kernel, head, &flink) == STASIS_OK &&
                 read_pointer(w, w->kernel, flink + w->pointer_size, &back) == STASIS_OK && back == head));
}

/* From the link back to the ETIMER, and from there to its APC, where this is such a timer. */
static bool find_timer(const struct decode *d, const struct thread_io *io, uint64_t link, uint64_t *ret_timer,
                       uint64_t *ret_apc)
{
        for (unsigned lock = 0; lock <= d->w->pointer_size; lock += d->w->pointer_size) {
                uint64_t apc = link - io->dpc_size - io->apc_size, timer = apc - lock - io->timer_size;
                uint64_t type;
                if (read_place(d->w->kernel, apc, &io->apc_type, &type) == STASIS_OK && (type & 0xff) == APC_OBJECT &&
                    is_timer(d, io, timer)) {
                        *ret_timer = timer;
                        *ret_apc = apc;
                        return true;
                }
        }
        return false;
}

/* ---------------------------------------------------------------- rows: the object is the ETIMER, inner its APC */

static void derive_timer(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_at(d->w->kernel, d->object, 1);
        fact->value = d->object;
        fact->absence = STASIS_PRESENT;
        const struct thread_io *io = thread_io(d->w);
        if (!io || !find_timer(d, io, d->object, &d->object, &d->inner)) {
                d->inner_why = STASIS_CONTRADICTORY;
                return;
        }
        d->inner_why = STASIS_PRESENT;
        d->at = fact->value = d->object;
}

static void only_of_timer(struct decode *d, struct stasis_fact *fact)
{
        if (d->inner_why != STASIS_PRESENT)
                *fact = fact_absent(d->inner_why);
}

static void derive_due(struct decode *d, struct stasis_fact *fact)
{
        if (fact->va != STASIS_NOWHERE)
                *fact = load_at(d->w->kernel, fact->va, 8); /* a LARGE_INTEGER, on x86 too */
        only_of_timer(d, fact);
        derive_zero_is_none(d, fact);
}

/* Interrupt time counts from the boot; the shared data has both clocks as of the image. */
void due_to_time(const struct windows *w, struct stasis_fact *fact)
{
        if (fact_is(fact) && !w->has_shared)
                *fact = fact_absent(STASIS_NOT_KNOWN);
        if (fact_is(fact))
                fact->value = fact->value - w->shared.InterruptTime + w->shared.SystemTime;
        if (fact_is(fact) && fact->value >> 59)
                fact->absence = STASIS_CONTRADICTORY;
}

void due_to_delay(const struct windows *w, struct stasis_fact *fact)
{
        if (fact_is(fact) && !w->has_shared)
                *fact = fact_absent(STASIS_NOT_KNOWN);
        if (fact_is(fact))
                fact->value = (uint64_t)((int64_t)(fact->value - w->shared.InterruptTime) / 10000);
}

static void derive_due_time(struct decode *d, struct stasis_fact *fact)
{
        derive_due(d, fact);
        due_to_time(d->w, fact);
}

static void derive_due_in(struct decode *d, struct stasis_fact *fact)
{
        derive_due(d, fact);
        due_to_delay(d->w, fact);
}

static void derive_timer_routine(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        put_routine(d, d->process, fact);
}

static const struct row timer_rows[] = {
        MADE("timer", "Timer", "", ADDRESS, derive_timer, "its address; where it is none, that of the list entry"),
        ROW_D("due", "Due", "", NUMBER, ON_OBJECT, derive_due, "interrupt time: 100 ns since the boot",
              "_KTIMER.DueTime"),
        ROW_D("due_time", "Due at", "", TIME, ON_OBJECT, derive_due_time, "UTC, by the image's clocks",
              "_KTIMER.DueTime"),
        ROW_D("due_in", "Due in", "", SIGNED, ON_OBJECT, derive_due_in, "milliseconds after the image",
              "_KTIMER.DueTime"),
        ROW_D("period", "Period", "", NUMBER, ON_OBJECT, only_of_timer, "milliseconds; 0: once", "_KTIMER.Period"),
        ROW_D("signalled", "Signalled", "", BOOL, ON_OBJECT, only_of_timer, "", "_DISPATCHER_HEADER.SignalState"),
        ROW_D("routine", "APC routine", "", CODE, ON_INNER, derive_timer_routine, "", "_KAPC.NormalRoutine", "@0x30:8"),
        ROW("context", "Context", "", HEX, ON_INNER, "given to the routine", "_KAPC.NormalContext"),
};
const struct stasis_list_rows timer_list_rows = { .row = timer_rows, .count = sizeof timer_rows / sizeof *timer_rows };

void derive_timers(struct decode *d, struct stasis_fact *fact)
{
        const struct thread_io *io = thread_io(d->w);
        struct list_walk walk;
        struct list_maker maker = list_begin(d->set, fact, d->arena, QUEUED_MAX);
        if (!fact_is(fact))
                return;
        uint64_t head = fact->va;
        if (!io || !fact->value) {
                fact->absence = STASIS_NOT_APPLICABLE;
                return;
        }
        if (!queued_entries(d, head, NULL, NULL, "timers", &walk, fact))
                return;
        for (size_t i = 0; i < walk.count; i++)
                keep_queued(d, &maker, walk.entry[i], 0);
        list_free(&walk);
        list_end(&maker, fact);
}
