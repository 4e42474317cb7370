/* SPDX-License-Identifier: MIT */
/* Facts about tasks and thread groups that are more than a load. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../base/bytes.h"
#include "fields.h"

/* ---------------------------------------------------------------- identity */

void linux_derive_zero_is_none(struct decode *d, struct stasis_fact *fact)
{
        (void)d;
        if (fact_is(fact) && !fact->value)
                fact->absence = STASIS_NOT_APPLICABLE;
}

void linux_derive_object(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_at(d->l->kernel, d->object, 1);
        fact->value = d->object;
        fact->absence = STASIS_PRESENT;
}

void linux_derive_object_pa(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_at(d->l->kernel, d->object, 1);
        fact->value = fact->pa;
        fact->absence = fact->pa == STASIS_NOWHERE ? (uint8_t)STASIS_PAGED_OUT : (uint8_t)STASIS_PRESENT;
}

/* The parent's thread group; its task is where the id stands. */
void linux_derive_ppid(struct decode *d, struct stasis_fact *fact)
{
        if (!fact_is(fact))
                return;
        *fact = linux_is_kernel_address(d->l, fact->value) ? load_place_of(d->l->kernel, fact->value, &d->l->at.tgid)
                                                           : fact_absent(STASIS_CONTRADICTORY);
}

static void names_of_sources(struct decode *d, uint32_t sources, struct stasis_fact *fact)
{
        char text[128];
        size_t used = 0;
        for (int i = 0; i < LINUX_SOURCE_COUNT; i++)
                if (sources >> i & 1)
                        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? "\n" : "",
                                                 linux_source_name((enum linux_source)i));
        *fact = fact_derived(sources);
        fact->text = stasis_arena_strndup(d->arena, text, used);
        fact->absence = fact->text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
}

void linux_derive_sources(struct decode *d, struct stasis_fact *fact)
{
        names_of_sources(d, d->task ? d->task->sources : d->process->sources, fact);
}

/* One that was given by address was not looked for. */
void linux_derive_unseen(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (d->task && d->task->sources)
                names_of_sources(d, linux_unseen_by(d->l, d->task), fact);
}

void linux_derive_hidden(struct decode *d, struct stasis_fact *fact)
{
        const char *why = d->task && d->task->sources ? linux_hidden_why(d->l, d->task) : NULL;
        *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (!why)
                return;
        *fact = fact_derived(0);
        fact->text = why;
}

/* Before 2.6.27 a kernel thread was known by its lack of memory. */
void linux_derive_kernel_thread(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_place_of(d->l->kernel, d->object, &d->l->at.flags);
        if (fact_is(fact))
                fact->value = (fact->value & LINUX_PF_KTHREAD) != 0;
        else if (fact->absence == STASIS_NOT_IN_VERSION)
                fact->absence = STASIS_NOT_KNOWN;
}

void linux_derive_threads(struct decode *d, struct stasis_fact *fact) { *fact = fact_derived(d->process->threads); }

/* ---------------------------------------------------------------- scheduling */

#define STATE_LETTERS "RSDTtXZPI"
#define TASK_UNINTERRUPTIBLE 2u
#define TASK_NOLOAD 0x400u
#define TASK_RTLOCK_WAIT 0x1000u
#define TASK_FROZEN 0x8000u

/*
 * The index of its letter, by the rule of __task_state_index (include/linux/sched.h): the highest bit of what is
 * reported. Before 4.14 a parked task was not told apart, and before 3.14 the bits of the two kinds of dead were
 * exchanged; bits that a version does not know stay unset there.
 */
static unsigned state_index(const struct linux_system *l, uint64_t state, uint64_t exit_state)
{
        bool old = l->version && l->version < LINUX_VERSION(4, 14);
        if (l->version && l->version < LINUX_VERSION(3, 14))
                exit_state = (exit_state & 0x10 ? 0x20 : 0) | (exit_state & 0x20 ? 0x10 : 0);
        uint64_t report = (state | exit_state) & (old ? 0x3f : 0x7f);
        bool idle = (state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) == (TASK_UNINTERRUPTIBLE | TASK_NOLOAD);
        if (!old && idle)
                report = 0x80;
        if (!old && (state & (TASK_RTLOCK_WAIT | (l->version >= LINUX_VERSION(6, 1) ? TASK_FROZEN : 0))))
                report = TASK_UNINTERRUPTIBLE;
        unsigned index = 0;
        while (report >> index)
                index++;
        return index;
}

void linux_derive_state(struct decode *d, struct stasis_fact *fact)
{
        uint64_t exit_state = 0;
        if (!fact_is(fact))
                return;
        enum stasis_status status = read_place(d->l->kernel, d->object, &d->l->at.exit_state, &exit_state);
        if (status != STASIS_OK && status != STASIS_UNSUPPORTED) {
                fact->absence = (uint8_t)absence_of(status);
                return;
        }
        fact->value = state_index(d->l, fact->value, exit_state);
}

void linux_derive_state_letter(struct decode *d, struct stasis_fact *fact)
{
        char letter[2] = "";
        *fact = load_place_of(d->l->kernel, d->object, &d->l->at.state);
        if (fact->absence == STASIS_NOT_IN_VERSION)
                fact->absence = STASIS_NOT_KNOWN;
        linux_derive_state(d, fact);
        if (!fact_is(fact))
                return;
        letter[0] = STATE_LETTERS[fact->value];
        fact->text = stasis_arena_strndup(d->arena, letter, 1);
        fact->absence = fact->text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
}

void linux_derive_running_on(struct decode *d, struct stasis_fact *fact)
{
        bool known = d->task && (d->task->sources & 1u << LINUX_RUN_QUEUE) && d->task->current;
        *fact = known ? fact_derived(d->task->cpu) : fact_absent(STASIS_NOT_APPLICABLE);
}

struct stasis_fact linux_load_thread_info(struct linux_system *l, uint64_t task, const struct place *place)
{
        struct stasis_fact stack = load_place_of(l->kernel, task, &l->at.stack);
        if (!fact_is(&stack))
                return stack;
        if (!linux_is_kernel_address(l, stack.value))
                return fact_absent(stack.value ? STASIS_CONTRADICTORY : STASIS_NOT_APPLICABLE);
        return load_place_of(l->kernel, stack.value, place);
}

/* Since 4.9 in the task itself. Members that were inferred have it at one place alone. */
static void off_stack(struct decode *d, struct stasis_fact *fact, const struct place *place)
{
        bool elsewhere =
                fact->absence == STASIS_NOT_IN_VERSION || (fact->absence == STASIS_NOT_KNOWN && d->l->inferred);
        if (elsewhere && place->has)
                *fact = linux_load_thread_info(d->l, d->object, place);
}

void linux_derive_cpu(struct decode *d, struct stasis_fact *fact) { off_stack(d, fact, &d->l->at.info_cpu); }

void linux_derive_thread_info_flags(struct decode *d, struct stasis_fact *fact)
{
        off_stack(d, fact, &d->l->at.info_flags);
}

/* ---------------------------------------------------------------- stacks, life, memory, security */

void linux_derive_stack_base(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_place_of(d->l->kernel, d->object, &d->l->at.stack);
        if (fact->absence == STASIS_NOT_IN_VERSION)
                fact->absence = STASIS_NOT_KNOWN;
        linux_derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        fact->value += linux_thread_size(d->l);
}

#define SECOND UINT64_C(1000000000)

/* Until 3.16 a struct timespec: seconds, and nanoseconds behind them. */
void linux_derive_start_boottime(struct decode *d, struct stasis_fact *fact)
{
        const struct linux_places *at = &d->l->at;
        uint64_t seconds, nanoseconds;
        if (!fact_is(fact) || !at->start_seconds.has)
                return;
        bool good = read_place(d->l->kernel, d->object, &at->start_seconds, &seconds) == STASIS_OK &&
                    read_place(d->l->kernel, d->object, &at->start_nanoseconds, &nanoseconds) == STASIS_OK &&
                    nanoseconds < SECOND && seconds < UINT64_MAX / SECOND;
        fact->value = good ? seconds * SECOND + nanoseconds : 0;
        fact->absence = good ? STASIS_PRESENT : STASIS_CONTRADICTORY;
}

#define FILETIME_1970 UINT64_C(116444736000000000)

void linux_derive_start_time(struct decode *d, struct stasis_fact *fact)
{
        linux_derive_start_boottime(d, fact);
        if (!fact_is(fact))
                return;
        if (!d->l->boot_time) {
                fact->absence = STASIS_NOT_KNOWN;
                return;
        }
        fact->value = FILETIME_1970 + (fact->value + (uint64_t)d->l->boot_time) / 100;
}

/* Two words of 32 bits before 6.3, one of 64 since: the same bytes. */
void linux_derive_capability(struct decode *d, struct stasis_fact *fact)
{
        if (fact_is(fact))
                *fact = load_at(d->l->kernel, fact->va, 8);
}

void linux_derive_page_table_root(struct decode *d, struct stasis_fact *fact)
{
        uint64_t pa;
        if (!fact_is(fact))
                return;
        if (stasis_space_pa(d->l->kernel, fact->value, &pa) == STASIS_OK)
                fact->value = pa;
        else
                fact->absence = STASIS_CONTRADICTORY;
}
