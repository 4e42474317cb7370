/* SPDX-License-Identifier: MIT */
/* The fact wait_objects of a thread: a row for each thing that it waits for. */
#include <inttypes.h>

#include "derive.h"
#include "names.h"
#include "object_header.h"
#include "thread_io.h"
#include "wait_internal.h"
#include "../row_macros.h"

#define QUEUE_THREADS_MAX 1024

static const struct windows_wait *wait_of(const struct decode *d) { return d->item; }

static struct stasis_fact text_or(const char *text, enum stasis_absence why)
{
        struct stasis_fact fact = text ? fact_derived(0) : fact_absent(why);
        fact.text = text;
        return fact;
}

static struct stasis_fact value_or(bool known, uint64_t value, enum stasis_absence why)
{
        return known ? fact_derived(value) : fact_absent(why);
}

static void made_block(struct decode *d, struct stasis_fact *fact)
{
        *fact = value_or(wait_of(d)->block, wait_of(d)->block, STASIS_NOT_APPLICABLE);
}

/* Of a gate the member is the thread's, and there is no block. */
static void made_awaited(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        if (wait->by_address)
                *fact = fact_absent(STASIS_NOT_APPLICABLE);
        else if (!wait->block || wait->own_timer)
                *fact = value_or(wait->object, wait->object, STASIS_CONTRADICTORY);
        else if (fact_is(fact) && !is_kernel_address(d->w, fact->value))
                fact->absence = STASIS_CONTRADICTORY;
}

static void made_no_block(struct decode *d, struct stasis_fact *fact)
{
        if (!wait_of(d)->block)
                *fact = fact_absent(STASIS_NOT_APPLICABLE);
}

/* The wait block says in a version without BlockState nothing of it; where it has one, by the layout's names. */
static void made_kind(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        if (wait->by_address)
                *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (!wait->object)
                return;
        *fact = load_place_of(d->w->kernel, wait->object, &d->w->at.header_type);
        fact->value &= 0x7f; /* bit 7 is a lock */
}

static void made_signal_state(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        if (wait->by_address)
                *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (!wait->object)
                return;
        *fact = load_place_of(d->w->kernel, wait->object, &d->w->waits->at.signal);
        fact->value = (uint64_t)(int64_t)(int32_t)(uint32_t)fact->value;
}

static void made_object_type(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        struct windows_object object = { .type_why = wait->by_address ? STASIS_NOT_APPLICABLE : STASIS_NOT_KNOWN };
        if (wait->object)
                (void)windows_object(d->w, wait->object, d->arena, &object);
        *fact = text_or(object.type_name, object.type_why);
}

static void made_object_name(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        struct windows_object object = { .type_why = STASIS_NOT_KNOWN };
        if (wait->name)
                *fact = text_or(wait->name, STASIS_PRESENT);
        else if (wait->object && windows_object(d->w, wait->object, d->arena, &object))
                *fact = text_or(object.name, object.name_why);
        else
                *fact = fact_absent(STASIS_NOT_APPLICABLE);
}

static void made_waits_for(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_derived(wait_of(d)->what);
        fact->text = wait_what_name((enum wait_what)wait_of(d)->what);
}

static void made_container(struct decode *d, struct stasis_fact *fact)
{
        *fact = value_or(wait_of(d)->container, wait_of(d)->container, STASIS_NOT_APPLICABLE);
}

/* ---------------------------------------------------------------- its owner */

static void made_owner(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        *fact = value_or(wait->owners, wait->owners ? wait->owner[0] : 0, wait->owner_why);
}

static void made_owner_pid(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        *fact = fact_absent(wait->owner_why);
        if (wait->owners)
                *fact = load_place_of(d->w->kernel, wait->owner[0],
                                      wait->process ? &d->w->at.process_id : &d->w->at.cid_process);
}

static void made_owner_tid(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        *fact = fact_absent(wait->owners ? STASIS_NOT_KNOWN : wait->owner_why);
        if (wait->owners && !wait->process)
                *fact = load_place_of(d->w->kernel, wait->owner[0], &d->w->at.cid_thread);
}

static void made_owners(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        *fact = value_or(wait->owners, wait->owners_all, wait->owner_why);
}

static void made_owner_from(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        *fact = text_or(wait->owners ? wait->from : NULL, wait->owner_why);
}

/* ---------------------------------------------------------------- of one kind alone */

static bool kind_is(const struct windows_wait *wait, uint8_t a, uint8_t b)
{
        return wait->object && wait->kind_known && (wait->kind == a || wait->kind == b);
}

/* The member of an object of this kind (or of the other one); else not applicable. */
static void of_kind(const struct decode *d, uint8_t a, uint8_t b, const struct place *place, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        *fact = fact_absent(STASIS_NOT_APPLICABLE);
        if (kind_is(wait, a, b))
                *fact = load_place_of(d->w->kernel, wait->object, place);
}

/* 1: free; 0: its owner has it once; one less for each time more (KeReleaseMutant). */
static void made_recursion(struct decode *d, struct stasis_fact *fact)
{
        of_kind(d, KIND_MUTANT, KIND_MUTANT, &d->w->waits->at.signal, fact);
        if (!fact_is(fact))
                return;
        int64_t state = (int32_t)(uint32_t)fact->value;
        fact->value = (uint64_t)(1 - state);
        if (state > 1)
                fact->absence = STASIS_CONTRADICTORY;
}

static void made_abandoned(struct decode *d, struct stasis_fact *fact)
{
        of_kind(d, KIND_MUTANT, KIND_MUTANT, &d->w->waits->at.mutant_abandoned, fact);
}

/* Of a timer that is not set it is that of the last time. */
static void made_due(struct decode *d, struct stasis_fact *fact)
{
        uint64_t inserted;
        const struct place *due = &d->w->waits->at.due;
        of_kind(d, KIND_TIMER, KIND_SYNCHRONIZATION_TIMER, due, fact);
        if (fact->va != STASIS_NOWHERE && due->has)
                *fact = load_at(d->w->kernel, fact->va, 8); /* a LARGE_INTEGER, on x86 too */
        if (fact_is(fact) && wait_read(d->w, wait_of(d)->object, &d->w->waits->at.inserted, &inserted) && !inserted)
                fact->absence = STASIS_NOT_APPLICABLE;
}

static void made_due_time(struct decode *d, struct stasis_fact *fact)
{
        made_due(d, fact);
        due_to_time(d->w, fact);
}

static void made_due_in(struct decode *d, struct stasis_fact *fact)
{
        made_due(d, fact);
        due_to_delay(d->w, fact);
}

static void made_queue_running(struct decode *d, struct stasis_fact *fact)
{
        of_kind(d, KIND_QUEUE, KIND_QUEUE, &d->w->waits->at.q_current, fact);
}

static void made_queue_maximum(struct decode *d, struct stasis_fact *fact)
{
        of_kind(d, KIND_QUEUE, KIND_QUEUE, &d->w->waits->at.q_maximum, fact);
}

/* Those that took something from it last, by its list of them. */
static void made_queue_threads(struct decode *d, struct stasis_fact *fact)
{
        struct list_options options = { .pointer_size = d->w->pointer_size, .max = QUEUE_THREADS_MAX };
        struct list_walk walk;
        const struct windows_wait *wait = wait_of(d);
        const struct place *head = &d->w->waits->at.q_threads;
        *fact = fact_absent(head->has ? STASIS_NOT_APPLICABLE : STASIS_NOT_IN_VERSION);
        if (!head->has || !kind_is(wait, KIND_QUEUE, KIND_QUEUE))
                return;
        *fact = load_at(d->w->kernel, wait->object + head->offset, d->w->pointer_size);
        if (!fact_is(fact))
                return;
        enum stasis_status status = list_walk(d->w->kernel, wait->object + head->offset, &options, &walk);
        if (status != STASIS_OK) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        fact->value = walk.count;
        if (!list_whole(&walk))
                fact->absence = (uint8_t)(walk.forward == LIST_FULL ? STASIS_NOT_KNOWN : STASIS_CONTRADICTORY);
        list_free(&walk);
}

/* ---------------------------------------------------------------- the tables */

#define MADE_N(k, t, g, kd, d, e, n, h) \
        { \
                COLUMN(k, t, g, kd, h, NULL), .base = ON_NOTHING, .derive = (d), .enumeration = (e), .names = (n) \
        }
#define ROW_DEN(k, t, g, kd, b, d, e, n, h, ...) \
        { \
                COLUMN_OF(k, t, g, kd, h, __VA_ARGS__), .base = (b), .derive = (d), .enumeration = (e), .names = (n) \
        }

static const struct row rows[] = {
        MADE("block", "Wait block", "", ADDRESS, made_block, "KWAIT_BLOCK; none of a gate"),
        ROW_D("object", "Object", "", ADDRESS, ON_OBJECT, made_awaited, "what is waited on: a dispatcher header",
              "_KWAIT_BLOCK.Object"),
        MADE_N("kind", "Kind", "", ENUM, made_kind, "_KOBJECTS", names_kobjects, "as the dispatcher header says"),
        MADE("signal_state", "Signal state", "", SIGNED, made_signal_state,
             "of the dispatcher header; of an owned mutant 0 or less"),
        MADE("object_type", "Object type", "", TEXT, made_object_type,
             "as the object manager has it; not applicable to what is no executive object"),
        MADE("name", "Name", "", TEXT, made_object_name, "of the object, or of the port or file that it belongs to"),
        ROW_DEN("wait_type", "Wait type", "", ENUM, ON_OBJECT, made_no_block, NULL, names_wait_type,
                "WaitAll: all objects of the list together", "_KWAIT_BLOCK.WaitType"),
        ROW_D("wait_key", "Wait key", "", NUMBER, ON_OBJECT, made_no_block,
              "what the wait returns by this object: its number, or 258 (STATUS_TIMEOUT)", "_KWAIT_BLOCK.WaitKey"),
        ROW_DEN("block_state", "Block state", "", ENUM, ON_OBJECT, made_no_block, "_KWAIT_BLOCK_STATE", NULL,
                "since 7; the numbers changed with 8.1 Update", "_KWAIT_BLOCK.BlockState"),
        MADE("waits_for", "Waits for", "", ENUM, made_waits_for,
             "what the object is, or belongs to, where that is proven: `object timeout suspension`, `keyed event`, "
             "`LPC reply`, `ALPC reply`, `resource, exclusive`, `resource, shared`, `fast mutex`, `guarded mutex`, "
             "`push lock`, `critical section`, `address` (NtWaitForAlertByThreadId: of an SRW lock, a condition "
             "variable, "
             "WaitOnAddress), `file`, `I/O request`"),
        MADE("container", "Belongs to", "", ADDRESS, made_container,
             "the lock, port, file or IRP; of a critical section its address in the process, of a keyed event its key, "
             "of "
             "a wait for an address that"),
        MADE("owner", "Owner", "", ADDRESS, made_owner,
             "thread that has it, or must answer or end; the first one where several share it; of a port whose server "
             "has not received the message, and of a process, the process. Absent: nobody has such an object (not "
             "applicable), or the image does not tell (not known): so of a keyed event, of which the kernel does not "
             "know "
             "who will release the key; of a push lock before 10, and where AutoBoost has no entry of it"),
        MADE("owner_pid", "Owner's process id", "", NUMBER, made_owner_pid, ""),
        MADE("owner_tid", "Owner's thread id", "", NUMBER, made_owner_tid, "not known where the owner is a process"),
        MADE("owners", "Owners", "", NUMBER, made_owners, "how many share it"),
        MADE("owner_from", "Owner told by", "", TEXT, made_owner_from, "the member that names the owner"),
        MADE("recursion", "Held", "", NUMBER, made_recursion, "of a mutant: how often its owner has it; 0: it is free"),
        MADE("abandoned", "Abandoned", "", BOOL, made_abandoned,
             "of a mutant: an owner ended without giving it back, and who gets it next is told so"),
        MADE("due_time", "Due at", "", TIME, made_due_time,
             "of a timer, and of a timeout; UTC, by the image's clocks; not applicable where it is not set"),
        MADE("due_in", "Due in", "", SIGNED, made_due_in, "milliseconds after the image"),
        MADE("queue_threads", "Threads of the queue", "", NUMBER, made_queue_threads,
             "of a queue: threads that it counts as its own"),
        MADE("queue_running", "Running of these", "", NUMBER, made_queue_running, "of a queue: who does not wait"),
        MADE("queue_maximum", "At most", "", NUMBER, made_queue_maximum, "of a queue: so many shall run at a time"),
};

const struct stasis_list_rows wait_object_rows = { .row = rows, .count = sizeof rows / sizeof *rows };

static void note_torn(const struct decode *d, const struct wait_list *list)
{
        const struct windows_process *p = &d->w->process[d->process];
        if (list->torn && !d->quiet)
                system_note(d->w->system, STASIS_NOTE_MISSING, "wait-blocks-torn", d->object,
                            p->pid_known ? (int64_t)p->pid : -1, (int64_t)d->thread->tid,
                            "the wait blocks end at 0x%" PRIx64
                            ", which is not readable or no block of this thread: %zu "
                            "were reached",
                            list->torn_at, list->count);
}

void derive_wait_objects(struct decode *d, struct stasis_fact *fact)
{
        struct wait_list list;
        struct list_maker maker = list_begin(d->set, fact, d->arena, WAITS_MAX);
        windows_waits(d->w, d->thread, d->arena, true, &list);
        note_torn(d, &list);
        if (list.why != STASIS_PRESENT) {
                fact->absence = (uint8_t)list.why;
                fact->value = 0;
                return;
        }
        for (size_t i = 0; i < list.count; i++)
                if (!list_add(d, &maker, list.wait[i].block, &list.wait[i]))
                        break;
        list_done(d, &maker, fact);
}
