/* SPDX-License-Identifier: MIT */
/* Who holds what a thread waits for, as the object, the lock, the message or the port says. */
#include <stdlib.h>

#include "../../base/arena.h"
#include "wait_internal.h"

bool wait_owned_by(const struct wait_of *of, struct windows_wait *wait, uint64_t thread, const char *from)
{
        wait->from = from;
        if (windows_thread_refused(of->w, thread)) {
                wait->owner_why = wait->owners ? wait->owner_why : STASIS_CONTRADICTORY;
                return false;
        }
        wait->owners_all++;
        if (wait->owners < WAIT_OWNERS_MAX)
                wait->owner[wait->owners++] = thread;
        wait->owner_why = STASIS_PRESENT;
        return true;
}

static void answered_by(const struct wait_of *of, struct windows_wait *wait, uint64_t process, const char *from)
{
        wait->from = from;
        wait->owner_why = STASIS_CONTRADICTORY;
        if (windows_process_refused(of->w, process))
                return;
        wait->owner[0] = process;
        wait->owners = wait->owners_all = 1;
        wait->process = true;
        wait->owner_why = STASIS_PRESENT;
}

/* ---------------------------------------------------------------- objects */

bool wait_on_mutant(const struct wait_of *of, struct windows_wait *wait)
{
        uint64_t owner;
        const struct place *place = &of->w->waits->at.mutant_owner;
        if (!wait->kind_known || wait->kind != KIND_MUTANT)
                return false;
        enum stasis_status status = read_place(of->w->kernel, wait->object, place, &owner);
        wait->owner_why = absence_at(of->w->kernel, wait->object + place->offset, place->size, status);
        if (status == STASIS_UNSUPPORTED)
                wait->owner_why = STASIS_NOT_KNOWN;
        if (status == STASIS_OK && !owner)
                wait->owner_why = STASIS_NOT_APPLICABLE; /* free: the waiter is about to get it */
        else if (status == STASIS_OK)
                wait_owned_by(of, wait, owner, "_KMUTANT.OwnerThread");
        return true;
}

/* Waits for its end. */
bool wait_on_thread(const struct wait_of *of, struct windows_wait *wait)
{
        if (!wait->kind_known || wait->kind != DISPATCHER_THREAD)
                return false;
        wait_owned_by(of, wait, wait->object, "object");
        return true;
}

bool wait_on_process(const struct wait_of *of, struct windows_wait *wait)
{
        if (!wait->kind_known || wait->kind != DISPATCHER_PROCESS)
                return false;
        answered_by(of, wait, wait->object, "object");
        wait->all = true;
        return true;
}

/*
 * FAST_MUTEX and KGUARDED_MUTEX: { LONG Count; PKTHREAD Owner; ULONG Contention; KEVENT or KGATE; ... } (wdm.h of 2003
 * and later; until 7 a guarded one has a gate). The event lies three pointers behind the start.
 */
bool wait_on_fast_mutex(const struct wait_of *of, struct windows_wait *wait)
{
        const struct windows *w = of->w;
        uint64_t mutex = wait->object - 3 * (uint64_t)w->pointer_size, owner;
        bool found = read_pointer(w, w->kernel, mutex + w->pointer_size, &owner) == STASIS_OK &&
                     !windows_thread_refused(w, owner);
        if (!found && of->reason == REASON_EXECUTIVE)
                return false; /* an event like any other */
        wait->what = of->reason == REASON_GUARDED_MUTEX ? WAIT_GUARDED_MUTEX : WAIT_FAST_MUTEX;
        wait->owner_why = STASIS_NOT_KNOWN;
        if (!found)
                return true; /* free by now, or another lock that gives the same reason */
        wait->container = mutex;
        wait_owned_by(of, wait, owner, "FAST_MUTEX.Owner");
        return true;
}

/* ---------------------------------------------------------------- keyed events */

/* XP: an LPC wait is on the same semaphore, and has its own reason. */
bool wait_on_keyed_event(const struct wait_of *of, struct windows_wait *wait)
{
        const struct wait_places *at = &of->w->waits->at;
        uint64_t in_use = 0;
        bool told = wait_read(of->w, of->thread->object, &at->keyed_in_use, &in_use);
        if (of->reason != REASON_KEYED_EVENT &&
            (told ? !in_use : of->reason == REASON_LPC_REPLY || !at->keyed_value.has))
                return false;
        wait->what = WAIT_KEYED_EVENT;
        wait->owner_why = STASIS_NOT_KNOWN; /* whoever releases the key */
        if (!wait_read(of->w, of->thread->object, &at->keyed_value, &wait->container))
                wait->container = 0;
        wait->container &= ~UINT64_C(1);
        (void)wait_on_critical_section(of, wait);
        return true;
}

/* ---------------------------------------------------------------- ALPC */

/* The port that is at the other end of the one that the message came from. */
static bool other_end(const struct wait_of *of, uint64_t message, uint64_t *ret_port, const char **ret_from)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t info, sender = 0, server = 0, client = 0;
        *ret_from = "_KALPC_MESSAGE.ConnectionPort";
        (void)!wait_pointer(w, message, &at->m_owner_port, &sender);
        if (wait_pointer(w, message, &at->m_info, &info)) {
                (void)!wait_pointer(w, info, &at->i_server, &server);
                (void)!wait_pointer(w, info, &at->i_client, &client);
        }
        if (sender && sender == server && client) { /* the server asks its client */
                *ret_from = "_ALPC_COMMUNICATION_INFO.ClientCommunicationPort";
                *ret_port = client;
                return true;
        }
        if (wait_pointer(w, message, &at->m_connection, ret_port))
                return true;
        *ret_from = "_ALPC_COMMUNICATION_INFO.ConnectionPort";
        return info && wait_pointer(w, info, &at->i_connection, ret_port);
}

/* Once somebody has received the message that thread must answer; until then any of the process that has the port. */
bool wait_on_alpc(const struct wait_of *of, struct windows_wait *wait)
{
        struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t message, waiting, server, port, process;
        const char *from;
        enum stasis_absence why;
        if (!wait_pointer(w, of->thread->object, &at->alpc_message, &message))
                return false;
        wait->what = WAIT_ALPC_REPLY;
        if (!wait_read(w, message, &at->m_waiting, &waiting) || waiting != of->thread->object)
                return true; /* not its message any more */
        bool known = other_end(of, message, &port, &from);
        wait->container = known ? port : 0;
        wait->name = known ? windows_object_name(w, port, of->arena, &why) : NULL;
        if (wait_pointer(w, message, &at->m_server, &server) &&
            wait_owned_by(of, wait, server, "_KALPC_MESSAGE.ServerThread"))
                return true;
        if (known && wait_pointer(w, port, &at->p_process, &process))
                answered_by(of, wait, process, from);
        return true;
}

/* ---------------------------------------------------------------- LPC */

static int by_id(const void *a, const void *b)
{
        const struct receiver *x = a, *y = b;
        return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->thread > y->thread) - (x->thread < y->thread);
}

/* Every thread that has received a message and not answered yet, by the message's id. */
static void find_receivers(struct windows *w, struct wait_state *s)
{
        uint64_t id, valid;
        s->receivers_known = true;
        for (size_t i = 0; i < w->thread_count && s->at.received_id.has; i++) {
                uint64_t thread = w->thread[i].object;
                if (s->at.received_valid.has && (!wait_read(w, thread, &s->at.received_valid, &valid) || !valid))
                        continue;
                if (!wait_read(w, thread, &s->at.received_id, &id) || !id)
                        continue;
                if (!stasis_grow(&s->receiver, &s->receiver_capacity, s->receiver_count + 1, sizeof *s->receiver))
                        break;
                s->receiver[s->receiver_count++] = (struct receiver){ id, thread };
        }
        if (s->receiver_count)
                qsort(s->receiver, s->receiver_count, sizeof *s->receiver, by_id);
}

/* The one thread that received this message; ids are given once for the whole system. 0: none, or several say so. */
static uint64_t receiver_of(struct windows *w, uint64_t id)
{
        struct wait_state *s = w->waits;
        size_t low = 0, high;
        if (!s->receivers_known)
                find_receivers(w, s);
        for (high = s->receiver_count; low < high;) {
                size_t middle = (low + high) / 2;
                if (s->receiver[middle].id < id)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low >= s->receiver_count || s->receiver[low].id != id)
                return 0;
        bool several = low + 1 < s->receiver_count && s->receiver[low + 1].id == id;
        return several ? 0 : s->receiver[low].thread;
}

/* The client's port: in the thread, with its low bit set, or the sender in the message. */
static bool lpc_port(const struct wait_of *of, uint64_t *ret_port)
{
        const struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t word, client;
        if (!wait_read(w, of->thread->object, &at->lpc_message, &word) || !word)
                return false;
        client = word & ~UINT64_C(1);
        if (!(word & 1) && !wait_pointer(w, client, &at->l_sender, &client))
                return false;
        return is_kernel_address(w, client) && wait_pointer(w, client, &at->l_connection, ret_port);
}

bool wait_on_lpc(const struct wait_of *of, struct windows_wait *wait)
{
        struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        uint64_t id, server, process;
        enum stasis_absence why;
        if (!wait_read(w, of->thread->object, &at->lpc_id, &id) || !id)
                return false;
        wait->what = WAIT_LPC_REPLY;
        bool known = lpc_port(of, &wait->container);
        if (!known)
                wait->container = 0;
        wait->name = known ? windows_object_name(w, wait->container, of->arena, &why) : NULL;
        server = receiver_of(w, id);
        if (server && wait_owned_by(of, wait, server, "_ETHREAD.LpcReceivedMessageId"))
                return true;
        if (known && wait_pointer(w, wait->container, &at->l_process, &process))
                answered_by(of, wait, process, "_LPCP_PORT_OBJECT.ServerProcess");
        return true;
}
