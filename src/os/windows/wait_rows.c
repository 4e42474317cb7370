/* SPDX-License-Identifier: MIT */
/* The fact wait_objects of a thread: a row for each thing that it waits for. */
#include <inttypes.h>

#include "derive.h"
#include "names.h"
#include "object_header.h"
#include "wait_internal.h"
#include "../row_macros.h"

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
        if (!wait->block || wait->own_timer)
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
        if (!wait->object)
                return;
        *fact = load_place_of(d->w->kernel, wait->object, &d->w->at.header_type);
        fact->value &= 0x7f; /* bit 7 is a lock */
}

static void made_signal_state(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        if (!wait->object)
                return;
        *fact = load_place_of(d->w->kernel, wait->object, &d->w->waits->at.signal);
        fact->value = (uint64_t)(int64_t)(int32_t)(uint32_t)fact->value;
}

static void made_object_type(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_wait *wait = wait_of(d);
        struct windows_object object = { .type_why = STASIS_NOT_KNOWN };
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
             "`push lock`, `critical section`, `file`, `I/O request`"),
        MADE("container", "Belongs to", "", ADDRESS, made_container,
             "the lock, port, file or IRP; of a critical section and of a keyed event an address in the process"),
        MADE("owner", "Owner", "", ADDRESS, made_owner,
             "thread that has it, or must answer or end; the first one where several share it; of a port whose server "
             "has "
             "not received the message, and of a process, the process. Absent: nobody has such an object (not "
             "applicable), or the image does not tell (not known)"),
        MADE("owner_pid", "Owner's process id", "", NUMBER, made_owner_pid, ""),
        MADE("owner_tid", "Owner's thread id", "", NUMBER, made_owner_tid, "not known where the owner is a process"),
        MADE("owners", "Owners", "", NUMBER, made_owners, "how many share it"),
        MADE("owner_from", "Owner told by", "", TEXT, made_owner_from, "the member that names the owner"),
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
