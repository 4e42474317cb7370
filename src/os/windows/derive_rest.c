/* SPDX-License-Identifier: MIT */
/* Security, LPC and ALPC, I/O, and the places that several members share by turns. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "derive.h"

#define IRPS_SHOWN 64
#define WAIT_LPC_RECEIVE 16
#define WAIT_LPC_REPLY 17

static bool impersonating(const struct decode *d)
{
        const struct stasis_fact *fact = fact_of(d, FACT_IMPERSONATING);
        return fact_is(fact) && fact->value;
}

/*
 * Since Vista ClientSecurity packs all of it into one word: level in bits 0..1, EffectiveOnly in bit 2, the token
 * above. Before, ImpersonationInfo points to a structure that stays allocated after the thread reverted: the flag
 * decides. Returns false, with the fact absent, where there is nothing.
 */
static bool client_security(struct decode *d, struct stasis_fact *fact, bool *ret_packed)
{
        const struct bound *b = bound_of(d, fact);
        if (!fact_is(fact))
                return false;
        *ret_packed = strstr(b->path, "ClientSecurity") != NULL;
        if (impersonating(d) && (fact->value || *ret_packed))
                return true;
        fact->absence = STASIS_NOT_APPLICABLE;
        return false;
}

/* A member of the _PS_IMPERSONATION_INFORMATION that the fact points to. */
static void from_structure(struct decode *d, struct stasis_fact *fact, const struct place *place)
{
        *fact = place->has ? load_at(d->w->kernel, fact->value + place->offset, place->size)
                           : fact_absent(STASIS_NOT_KNOWN);
}

void derive_impersonation_level(struct decode *d, struct stasis_fact *fact)
{
        bool packed;
        if (!client_security(d, fact, &packed))
                return;
        if (packed)
                fact->value &= 3;
        else
                from_structure(d, fact, &d->w->at.impersonation_level);
}

void derive_effective_only(struct decode *d, struct stasis_fact *fact)
{
        bool packed;
        if (!client_security(d, fact, &packed))
                return;
        if (packed)
                fact->value = fact->value >> 2 & 1;
        else
                from_structure(d, fact, &d->w->at.impersonation_effective);
}

void derive_token(struct decode *d, struct stasis_fact *fact)
{
        bool packed;
        if (!client_security(d, fact, &packed))
                return;
        if (packed)
                fact->value &= ~UINT64_C(7);
        else
                from_structure(d, fact, &d->w->at.impersonation_token);
}

void derive_copy_on_open(struct decode *d, struct stasis_fact *fact)
{
        const struct bound *b = bound_of(d, fact);
        if (!fact_is(fact))
                return;
        if (!impersonating(d) || !fact->value) {
                if (!impersonating(d) || strstr(b->path, "ImpersonationInfo"))
                        fact->absence = STASIS_NOT_APPLICABLE;
                return;
        }
        if (strstr(b->path, "ImpersonationInfo"))
                from_structure(d, fact, &d->w->at.impersonation_copy);
}

/* ---------------------------------------------------------------- LPC and ALPC */

/* One word for two things: a message that a reply is awaited for, or, with bit 0 set, a port that is waited on. */
void derive_lpc_reply_message(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        if (fact_is(fact) && fact->value & 1)
                fact->absence = STASIS_NOT_APPLICABLE;
}

void derive_lpc_waiting_on_port(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        if (fact->value & 1)
                fact->value &= ~UINT64_C(1);
        else
                fact->absence = STASIS_NOT_APPLICABLE;
}

/* The place is shared with AlpcReceiveAttributeSet, a small set of bits: only an address is a message. */
void derive_alpc_message(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        if (fact_is(fact) && !is_kernel_address(d->w, fact->value))
                fact->absence = STASIS_NOT_APPLICABLE;
}

/* ---------------------------------------------------------------- one place, three members */

/* What the thread's first wait block waits on, or 0. */
static uint64_t waited_object(const struct decode *d)
{
        const struct windows_places *at = &d->w->at;
        uint64_t block, object;
        if (read_place(d->space, d->at, &at->wait_block_list, &block) != STASIS_OK ||
            read_place(d->w->kernel, block, &at->wait_block_object, &object) != STASIS_OK)
                return 0;
        return object;
}

/*
 * TerminationPort, ReaperLink and KeyedWaitValue share a place. A terminated thread is on its way to the reaper; a
 * keyed wait owns the place while it lasts: told by its wait reason (7 and later), by a flag (2003 and later), or, as
 * in XP, by waiting on the thread's own KeyedWaitSemaphore alone. Else it is the port.
 */
static bool keyed_wait(const struct decode *d)
{
        const struct stasis_fact *reason = fact_of(d, FACT_WAIT_REASON);
        const struct windows_places *at = &d->w->at;
        if (!state_is(d, THREAD_STATE_WAITING))
                return false;
        if (reason->text && strcmp(reason->text, "WrKeyedEvent") == 0)
                return true;
        struct stasis_fact in_use = load_place(d, &at->keyed_in_use);
        if (fact_is(&in_use))
                return in_use.value;
        if (reason->value == WAIT_LPC_RECEIVE || reason->value == WAIT_LPC_REPLY)
                return false; /* XP: an LPC wait is on the same semaphore */
        return at->keyed_semaphore.has && waited_object(d) == d->object + at->keyed_semaphore.offset;
}

static void only_if(bool holds, struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        if (fact_is(fact) && !holds)
                fact->absence = STASIS_NOT_APPLICABLE;
}

void derive_keyed_wait_value(struct decode *d, struct stasis_fact *fact)
{
        only_if(!state_is(d, THREAD_STATE_TERMINATED) && keyed_wait(d), d, fact);
}

void derive_termination_port(struct decode *d, struct stasis_fact *fact)
{
        only_if(!state_is(d, THREAD_STATE_TERMINATED) && !keyed_wait(d), d, fact);
        const struct bound *b = bound_of(d, fact);
        if (fact_is(fact) && strstr(b->path, "TerminationPortList"))
                derive_list(d, fact); /* NT 4.0 and 2000: a list */
}

void derive_reaper_link(struct decode *d, struct stasis_fact *fact)
{
        only_if(state_is(d, THREAD_STATE_TERMINATED), d, fact);
}

/* Since Vista StartAddress lies in the place of the list's second word: only an entry in the kernel is one. */
void derive_post_block_list(struct decode *d, struct stasis_fact *fact)
{
        derive_list(d, fact);
        if (fact_is(fact) && !is_kernel_address(d->w, fact->value))
                fact->absence = STASIS_NOT_APPLICABLE;
}

/* ---------------------------------------------------------------- IRPs */

void derive_irp_list(struct decode *d, struct stasis_fact *fact)
{
        struct list_options options = { .pointer_size = d->w->pointer_size, .max = IRPS_SHOWN };
        struct list_walk walk;
        const struct place *link = &d->w->at.irp_link;
        char text[IRPS_SHOWN * 20 + 32];
        size_t used = 0;
        if (!fact_is(fact))
                return;
        fact->text = "";
        uint64_t head = fact->va;
        if (fact->value == head || !fact->value)
                return;
        if (!link->has) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        if (list_walk(d->w->kernel, head, &options, &walk) != STASIS_OK)
                return;
        for (size_t i = 0; i < walk.count && i < IRPS_SHOWN; i++)
                used += (size_t)snprintf(text + used, sizeof text - used, "%s0x%" PRIx64, used ? "\n" : "",
                                         walk.entry[i] - link->offset);
        if (!list_whole(&walk))
                used += (size_t)snprintf(text + used, sizeof text - used, "%s(list torn or longer)", used ? "\n" : "");
        fact->text = stasis_arena_strndup(d->arena, text, used);
        list_free(&walk);
}
