/* SPDX-License-Identifier: MIT */
/* Identity, process context, scheduling, TEB, life and start of a thread; derive_rest.c has security, LPC and I/O. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "derive.h"
#include "names.h"
#include "symbolize.h"

#define TEB32_DISTANCE 0x2000 /* from the native TEB to the 32-bit one, every version (REPORT.md 3.2) */
#define TEB32_SELF 0x18       /* NT_TIB32.Self */
#define NO_CODE_BELOW 0x10000 /* never mapped, so that null pointers fault */
#define FILETIME_SHIFTED_MIN (UINT64_C(1) << 59) /* unshifted, that would be after the year 3400 */
#define FILETIME_PLAUSIBLE_MAX (UINT64_C(1) << 59)

/* ---------------------------------------------------------------- for many rows */

bool state_is(const struct decode *d, uint64_t value)
{
        const struct stasis_fact *state = fact_of(d, FACT_STATE);
        return fact_is(state) && state->value == value;
}

void derive_zero_is_none(struct decode *d, struct stasis_fact *fact)
{
        (void)d;
        if (fact_is(fact) && !fact->value)
                fact->absence = STASIS_NOT_APPLICABLE;
}

void derive_list(struct decode *d, struct stasis_fact *fact)
{
        if (fact_is(fact) && fact->value == fact->va)
                fact->absence = STASIS_NOT_APPLICABLE;
        derive_zero_is_none(d, fact);
}

static void place_in(struct decode *d, const struct modules *modules, struct stasis_fact *fact)
{
        const struct windows_module *m = modules_find(modules, fact->value);
        if (!m)
                return;
        fact->text = stasis_arena_strndup(d->arena, m->name, strlen(m->name)); /* the list may go before the record */
        fact->extra = fact->value - m->base;
}

/*
 * By its symbol where that is sure. A nearest export is a neighbour as often as not: then the module tells enough, as
 * it does where nothing else is known.
 */
void put_routine(struct decode *d, uint32_t process, struct stasis_fact *fact)
{
        struct windows_name name;
        if (!fact_is(fact) || !fact->value)
                return;
        bool kernel = is_kernel_address(d->w, fact->value);
        windows_name_address(d->w, process, fact->value, &name);
        bool sure = name.symbol && strcmp(name.symbol_from, "nearest-export") != 0;
        if (sure || (name.module && !name.symbol)) {
                fact->text = sure ? stasis_arena_printf(d->arena, "%s!%s", name.module, name.symbol) : name.module;
                fact->extra = name.offset;
        } else if (kernel || process < d->w->process_count) {
                place_in(d, kernel ? &d->w->modules : windows_user_modules(d->w, process), fact);
        }
}

void derive_code(struct decode *d, struct stasis_fact *fact) { put_routine(d, d->process, fact); }

/* ---------------------------------------------------------------- identity */

void derive_object(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_at(d->space, d->at, 1);
        fact->value = d->object;
        fact->absence = STASIS_PRESENT;
}

void derive_object_pa(struct decode *d, struct stasis_fact *fact)
{
        *fact = load_at(d->space, d->at, 1);
        fact->value = fact->pa;
        if (is_virtual(d->w) || (fact_is(fact) && fact->pa == STASIS_NOWHERE))
                *fact = fact_absent(STASIS_NOT_APPLICABLE); /* it lies in a page file, or compressed */
        else if (fact->pa != STASIS_NOWHERE)
                fact->absence = STASIS_PRESENT;
}

void derive_process_name(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_process *p = &d->w->process[d->process];
        uint64_t va = p->object + d->w->at.process_name.offset;
        if (!p->name_known) {
                *fact = fact_absent(absence_at(d->w->kernel, va, sizeof p->name - 2, STASIS_ABSENT));
                return;
        }
        *fact = load_at(d->w->kernel, va, 1);
        fact->value = 0;
        fact->text = p->idle && !p->name[0] ? "Idle"
                                            : text_from_bytes(d->arena, (const uint8_t *)p->name, sizeof p->name - 1);
        fact->absence = fact->text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
}

/* XP and before have ThreadsProcess; where that is not in the image, and before it existed, the APC state tells. */
void derive_process_object(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_places *at = &d->w->at;
        if (!fact_is(fact))
                *fact = load_place(d, load_place(d, &at->apc_index).value == 1 ? &at->saved_apc_process
                                                                               : &at->apc_process);
}

void derive_thread_name(struct decode *d, struct stasis_fact *fact)
{
        enum stasis_absence why;
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        fact->text = read_unicode_string(d->w->kernel, fact->value, d->w->pointer_size, d->arena, &why);
        fact->absence = (uint8_t)why;
}

static void names_of_sources(struct decode *d, uint32_t sources, struct stasis_fact *fact)
{
        char text[256]; /* all their names together */
        size_t used = 0;
        for (int i = 0; i < SOURCE_COUNT; i++)
                if (sources >> i & 1)
                        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? "\n" : "",
                                                 windows_source_name((enum windows_source)i));
        *fact = fact_derived(sources);
        fact->text = stasis_arena_strndup(d->arena, text, used);
}

void derive_sources(struct decode *d, struct stasis_fact *fact)
{
        if (d->thread)
                names_of_sources(d, d->thread->sources, fact);
}

void derive_unseen(struct decode *d, struct stasis_fact *fact)
{
        if (d->thread && !is_virtual(d->w))
                names_of_sources(d, windows_unseen_by(d->w, d->thread), fact);
}

void derive_hidden(struct decode *d, struct stasis_fact *fact)
{
        const char *why = d->thread ? windows_hidden_why(d->w, d->thread, NULL) : NULL;
        *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (!why)
                return;
        *fact = fact_derived(0);
        fact->text = why;
        fact->origin = d->thread->ghost || d->thread->freed ? STASIS_ORIGIN_SCAN : fact->origin;
}

void derive_shape_bits(struct decode *d, struct stasis_fact *fact)
{
        *fact = d->thread && d->thread->shape_bits ? fact_derived(d->thread->shape_bits)
                                                   : fact_absent(STASIS_NOT_APPLICABLE);
}

void derive_process_sources(struct decode *d, struct stasis_fact *fact)
{
        names_of_sources(d, d->w->process[d->process].sources, fact);
}

/* ---------------------------------------------------------------- process context */

void derive_attached(struct decode *d, struct stasis_fact *fact)
{
        (void)d;
        if (fact_is(fact))
                fact->value = fact->value == 1;
}

void derive_saved_process(struct decode *d, struct stasis_fact *fact)
{
        const struct stasis_fact *attached = fact_of(d, FACT_ATTACHED);
        derive_zero_is_none(d, fact);
        if (fact_is(fact) && fact_is(attached) && !attached->value)
                fact->absence = STASIS_NOT_APPLICABLE; /* left over from an attach that is over */
}

/* ---------------------------------------------------------------- scheduling */

void derive_next_processor(struct decode *d, struct stasis_fact *fact)
{
        (void)d;
        if (fact_is(fact))
                fact->value &= 0x7fffffff; /* bit 31 is SharedReadyQueue where a layout has no bit-field for it */
}

/* Server 2022 and later: KTHREAD.Affinity points to a KAFFINITY_EX {u16 Count, u16 Size, u32 Reserved, mask Bitmap[]}.
 */
static bool affinity_is_pointer(const struct decode *d, const struct stasis_fact *fact)
{
        const struct bound *b = bound_of(d, fact);
        return b->path && b->member.type == STASIS_TYPE_POINTER;
}

void derive_affinity(struct decode *d, struct stasis_fact *fact)
{
        if (!fact_is(fact) || !affinity_is_pointer(d, fact))
                return;
        uint64_t group = load_place(d, &d->w->at.affinity_group).value;
        struct stasis_fact count = load_at(d->w->kernel, fact->value, 2);
        if (!fact_is(&count)) {
                *fact = fact_absent((enum stasis_absence)count.absence);
                return;
        }
        if (group >= count.value || count.value > 64) {
                *fact = fact_absent(STASIS_CONTRADICTORY);
                return;
        }
        *fact = load_at(d->w->kernel, fact->value + 8 + group * d->w->pointer_size, d->w->pointer_size);
}

void derive_running_on(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_absent(d->w->processor_count ? STASIS_NOT_APPLICABLE : STASIS_NOT_KNOWN);
        for (size_t i = 0; i < d->w->processor_count; i++)
                if (d->w->processor[i].current == d->object) {
                        *fact = fact_derived(d->w->processor[i].number);
                        fact->va = d->w->processor[i].block + d->w->at.prcb_current.offset;
                        fact->origin = STASIS_ORIGIN_CONTEXT;
                }
}

/* KeQueryBasePriorityThread's rule: a saturated thread counts 16 either way, else the distance to its process. */
void derive_base_priority_increment(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_process *p = &d->w->process[d->process];
        const struct stasis_fact *base = fact_of(d, FACT_BASE_PRIORITY);
        struct stasis_fact saturation = load_place(d, &d->w->at.saturation);
        *fact = fact_absent(STASIS_NOT_KNOWN);
        if (!fact_is(base) || !p->base_priority_known)
                return;
        int8_t saturated = fact_is(&saturation) ? (int8_t)(uint8_t)saturation.value : 0;
        *fact = fact_derived(saturated ? (uint64_t)(16 * (int64_t)saturated)
                                       : (uint64_t)((int64_t)base->value - p->base_priority));
}

/* Ticks since the wait began, in milliseconds: TickCountMultiplier is milliseconds a tick, with 24 binary places. */
void derive_wait_age(struct decode *d, struct stasis_fact *fact)
{
        const struct stasis_fact *state = fact_of(d, FACT_STATE), *since = fact_of(d, FACT_WAIT_TIME);
        *fact = fact_absent(STASIS_NOT_KNOWN);
        if (!fact_is(state) || !fact_is(since) || !d->w->has_shared || !d->w->shared.TickCountMultiplier)
                return;
        *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (state->value != THREAD_STATE_WAITING)
                return;
        uint32_t ticks = (uint32_t)d->w->shared.TickCount - (uint32_t)since->value; /* both wrap at 32 bits */
        *fact = ticks > INT32_MAX ? fact_absent(STASIS_CONTRADICTORY)
                                  : fact_derived((uint64_t)ticks * d->w->shared.TickCountMultiplier >> 24);
}

/* ---------------------------------------------------------------- TEB */

static void no_teb(struct decode *d, enum stasis_absence why)
{
        d->teb = d->teb32 = 0;
        d->teb_why = d->teb32_why = why;
}

static bool is_user_address(const struct decode *d, uint64_t va)
{
        uint64_t half = UINT64_C(1) << (d->w->kernel->paging->va_bits - 1); /* x86: 2 GB, or 3 with /3GB */
        return va >= 0x1000 && !is_kernel_address(d->w, va) && (!d->w->is64 || va < half);
}

/* The TEB names its thread. Another name: the block was reused, or somebody wrote there. */
static void check_client_id(const struct decode *d)
{
        struct stasis_space *space = windows_user_space(d->w, d->process);
        const struct stasis_fact *tid = fact_of(d, FACT_TID);
        uint64_t said;
        if (d->quiet || !space || !fact_is(tid) || read_place(space, d->teb, &d->w->at.teb_thread, &said) != STASIS_OK)
                return;
        if (said != tid->value)
                system_note(d->w->system, STASIS_NOTE_WARNING, "teb-disagrees", d->object,
                            (int64_t)d->w->process[d->process].pid, (int64_t)tid->value,
                            "the TEB at 0x%" PRIx64 " says that it is thread %" PRIu64 "'s", d->teb, said);
}

void derive_teb(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        no_teb(d, (enum stasis_absence)fact->absence);
        if (!fact_is(fact))
                return;
        if (!is_user_address(d, fact->value)) {
                no_teb(d, STASIS_CONTRADICTORY);
                return;
        }
        d->teb = fact->value;
        d->teb_why = STASIS_PRESENT;
        check_client_id(d);
}

static uint64_t teb32_distance(struct decode *d, struct stasis_space *space)
{
        uint64_t distance;
        if (read_place(space, d->teb, &d->w->at.wow_teb_offset, &distance) == STASIS_OK && distance &&
            distance < INT32_MAX)
                return distance;
        return TEB32_DISTANCE;
}

void derive_teb32(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_space *space = windows_user_space(d->w, d->process);
        uint64_t self;
        d->teb32 = 0;
        d->teb32_why = STASIS_NOT_APPLICABLE;
        if (!d->w->is64)
                d->teb32_why = STASIS_NOT_IN_VERSION;
        else if (d->teb_why != STASIS_PRESENT || !space)
                d->teb32_why = d->teb_why;
        else if (d->w->process[d->process].wow64) {
                uint64_t va = d->teb + teb32_distance(d, space);
                enum stasis_status status = stasis_space_u(space, va + TEB32_SELF, 4, &self);
                d->teb32_why = absence_at(space, va + TEB32_SELF, 4, status);
                if (d->teb32_why == STASIS_PRESENT && self != va)
                        d->teb32_why = STASIS_CONTRADICTORY;
                d->teb32 = va;
        }
        *fact = d->teb32_why == STASIS_PRESENT ? fact_derived(d->teb32) : fact_absent(d->teb32_why);
}

/* ---------------------------------------------------------------- life */

/*
 * XP and 2003 keep the time shifted left by three bits. Which form stands there is seen at the value: a shifted
 * FILETIME of any year since 1829 is past 2^59, an unshifted one is past that only after the year 3400. ReactOS, 2003
 * by layout, keeps it unshifted. Zero stays zero: the first threads are made before the system has a clock, and that is
 * what stands there.
 */
void derive_create_time(struct decode *d, struct stasis_fact *fact)
{
        uint32_t build = windows_build(d->w);
        if (fact_is(fact) && fact->value >= FILETIME_SHIFTED_MIN && build >= 2600 && build <= 3790)
                fact->value >>= 3;
        if (fact_is(fact) && fact->value > FILETIME_PLAUSIBLE_MAX)
                fact->absence = STASIS_CONTRADICTORY;
}

/*
 * The place is shared with a list entry (LpcReplyChain, KeyedWaitChain) while the thread lives. One that is terminated
 * by flag but not by state yet may have either there: believed only where it is a time after the creation.
 */
void derive_exit_time(struct decode *d, struct stasis_fact *fact)
{
        const struct stasis_fact *created = fact_of(d, FACT_CREATE_TIME);
        if (!fact_is(fact))
                return;
        if (!state_is(d, THREAD_STATE_TERMINATED) && !load_place(d, &d->w->at.terminated).value)
                fact->absence = STASIS_NOT_APPLICABLE;
        else if (!fact->value || fact->value > FILETIME_PLAUSIBLE_MAX ||
                 (fact_is(created) && fact->value < created->value))
                fact->absence = state_is(d, THREAD_STATE_TERMINATED) ? (uint8_t)STASIS_CONTRADICTORY
                                                                     : (uint8_t)STASIS_NOT_APPLICABLE;
}

void derive_exit_status_name(struct decode *d, struct stasis_fact *fact)
{
        const struct stasis_column *c = &d->set->column[fact - d->set->fact];
        if (fact_is(fact) && !name_of(c->names, c->name_count, fact->value & UINT32_MAX))
                fact->absence = STASIS_NOT_KNOWN;
}

/* ---------------------------------------------------------------- start */

void derive_start_address(struct decode *d, struct stasis_fact *fact)
{
        if (fact_is(fact) && load_place(d, &d->w->at.start_address_invalid).value)
                fact->absence = STASIS_NOT_APPLICABLE;
        derive_code(d, fact);
}

void derive_win32_start_address(struct decode *d, struct stasis_fact *fact)
{
        if (fact_is(fact) && load_place(d, &d->w->at.lpc_message_valid).value)
                fact->absence = STASIS_NOT_APPLICABLE; /* the place holds a message id */
        if (fact_is(fact) && !d->w->at.lpc_message_valid.has && fact->value && fact->value < NO_CODE_BELOW)
                fact->absence = STASIS_CONTRADICTORY; /* the same, under a layout that lacks the bit */
        derive_code(d, fact);
}

void derive_lpc_received_message_id(struct decode *d, struct stasis_fact *fact)
{
        if (fact_is(fact) && !load_place(d, &d->w->at.lpc_message_valid).value)
                fact->absence = STASIS_NOT_APPLICABLE; /* the place holds the start address */
}
