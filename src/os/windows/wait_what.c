/* SPDX-License-Identifier: MIT */
/* What a dispatcher object belongs to: by where it lies, what it is, and why the thread says that it waits. */
#include <string.h>

#include "names.h"
#include "wait_internal.h"

#define XP_BUILD 2600
#define IRPS_MAX 64 /* of one thread that are asked for the event */

static const char *const what_names[WAIT_WHATS] = {
        [WAIT_OBJECT] = "object",
        [WAIT_TIMEOUT] = "timeout",
        [WAIT_SUSPENSION] = "suspension",
        [WAIT_KEYED_EVENT] = "keyed event",
        [WAIT_LPC_REPLY] = "LPC reply",
        [WAIT_ALPC_REPLY] = "ALPC reply",
        [WAIT_RESOURCE_EXCLUSIVE] = "resource, exclusive",
        [WAIT_RESOURCE_SHARED] = "resource, shared",
        [WAIT_FAST_MUTEX] = "fast mutex",
        [WAIT_GUARDED_MUTEX] = "guarded mutex",
        [WAIT_PUSH_LOCK] = "push lock",
        [WAIT_CRITICAL_SECTION] = "critical section",
        [WAIT_ADDRESS] = "address",
        [WAIT_FILE] = "file",
        [WAIT_IRP] = "I/O request",
};

const char *wait_what_name(enum wait_what what) { return (size_t)what < WAIT_WHATS ? what_names[what] : "?"; }

/* ---------------------------------------------------------------- in the thread itself */

static bool is_own(const struct wait_of *of, const struct windows_wait *wait, const struct place *place)
{
        return place->has && wait->object == of->thread->object + place->offset;
}

static bool on_timeout(const struct wait_of *of, struct windows_wait *wait)
{
        if (wait->key != STATUS_TIMEOUT || !is_own(of, wait, &of->w->waits->at.timer))
                return false;
        wait->what = WAIT_TIMEOUT;
        wait->owner_why = STASIS_NOT_APPLICABLE;
        return true;
}

static bool on_suspension(const struct wait_of *of, struct windows_wait *wait)
{
        if (!is_own(of, wait, &of->w->waits->at.suspend))
                return false;
        wait->what = WAIT_SUSPENSION;
        wait->owner_why = STASIS_NOT_APPLICABLE; /* whoever resumes it */
        return true;
}

/* One semaphore serves keyed events, LPC and ALPC: what else the thread says tells which it is now. */
static bool on_own_semaphore(const struct wait_of *of, struct windows_wait *wait)
{
        const struct wait_places *at = &of->w->waits->at;
        if (!is_own(of, wait, &at->lpc_semaphore) && !is_own(of, wait, &at->alpc_semaphore) &&
            !is_own(of, wait, &at->keyed_semaphore))
                return false;
        wait->owner_why = STASIS_NOT_KNOWN;
        return wait_on_keyed_event(of, wait) || wait_on_alpc(of, wait) || wait_on_lpc(of, wait) || true;
}

/* ---------------------------------------------------------------- by the reason of the wait */

/* A critical section, an SRW lock, a condition variable, WaitOnAddress: of these only the first one names its owner. */
static bool on_address(const struct wait_of *of, struct windows_wait *wait)
{
        if (!wait->by_address)
                return false;
        wait->what = WAIT_ADDRESS;
        wait->container = wait->given;
        wait->owner_why = STASIS_NOT_KNOWN;
        (void)wait_on_critical_section(of, wait);
        return true;
}

static bool on_lock(const struct wait_of *of, struct windows_wait *wait)
{
        bool event = wait->kind == KIND_NOTIFICATION_EVENT || wait->kind == KIND_SYNCHRONIZATION_EVENT;
        if (!wait->kind_known || (!event && wait->kind != KIND_SEMAPHORE && wait->kind != KIND_GATE))
                return false;
        switch (of->reason) {
        case REASON_RESOURCE: return wait_on_resource(of, wait);
        case REASON_EXECUTIVE: /* XP and before have no reasons of their own for locks */
                return windows_build(of->w) <= XP_BUILD && (wait_on_resource(of, wait) || wait_on_fast_mutex(of, wait));
        case REASON_MUTEX:
        case REASON_FAST_MUTEX:
        case REASON_GUARDED_MUTEX: return wait_on_fast_mutex(of, wait);
        case REASON_PUSH_LOCK: return wait_on_push_lock(of, wait);
        default: return false;
        }
}

/* ---------------------------------------------------------------- files and I/O */

static const char *file_name(const struct wait_of *of, uint64_t file)
{
        struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        enum stasis_absence why;
        uint64_t device;
        const char *volume = NULL, *path = NULL;
        if (wait_pointer(w, file, &at->f_device, &device))
                volume = windows_object_name(w, device, of->arena, &why);
        if (at->f_name.has)
                path = read_unicode_string(w->kernel, file + at->f_name.offset, w->pointer_size, of->arena, &why);
        if (!volume || !path)
                return volume ? volume : path;
        return stasis_arena_printf(of->arena, "%s%s", volume, path);
}

/* The event or the lock of a file object, which has an object's header. */
bool wait_on_file(const struct wait_of *of, struct windows_wait *wait)
{
        const struct place *const inside[] = { &of->w->waits->at.f_event, &of->w->waits->at.f_lock };
        struct windows_object object;
        for (size_t i = 0; i < 2; i++) {
                uint64_t file = wait->object - inside[i]->offset;
                if (!inside[i]->has || !windows_object(of->w, file, of->arena, &object) ||
                    strcmp(object.type_name, "File") != 0)
                        continue;
                wait->what = WAIT_FILE;
                wait->container = file;
                wait->name = file_name(of, file);
                wait->owner_why = STASIS_NOT_APPLICABLE;
                return true;
        }
        return false;
}

/* The event that a pending I/O request of this thread will set. */
bool wait_on_irp(const struct wait_of *of, struct windows_wait *wait)
{
        struct windows *w = of->w;
        const struct wait_places *at = &w->waits->at;
        const struct place *link = &w->at.irp_link;
        uint64_t head = of->thread->object + at->irp_list.offset, entry, event, file;
        if (!at->irp_list.has || !link->has || !at->irp_event.has ||

            read_pointer(w, w->kernel, head, &entry) != STASIS_OK)
                return false;
        for (size_t i = 0; i < IRPS_MAX && entry != head && is_kernel_address(w, entry); i++) {
                uint64_t irp = entry - link->offset;
                if (wait_read(w, irp, &at->irp_event, &event) && event == wait->object) {
                        wait->what = WAIT_IRP;
                        wait->container = irp;
                        wait->name = wait_pointer(w, irp, &at->irp_file, &file) ? file_name(of, file) : NULL;
                        wait->owner_why = STASIS_NOT_APPLICABLE;
                        return true;
                }
                if (read_pointer(w, w->kernel, entry, &entry) != STASIS_OK)
                        break;
        }
        return false;
}

/* ---------------------------------------------------------------- all of it */

void wait_examine(const struct wait_of *of, struct windows_wait *wait)
{
        static wait_rule *const rules[] = {
                on_timeout,      on_suspension, on_own_semaphore, wait_on_mutant, wait_on_thread,
                wait_on_process, on_lock,       wait_on_file,     wait_on_irp,    wait_on_critical_section,
        };
        if (on_address(of, wait) || !wait->object)
                return;
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
                if (rules[i](of, wait))
                        return;
        wait->owner_why = wait->kind_known ? STASIS_NOT_APPLICABLE : STASIS_NOT_KNOWN; /* of an event nobody is */
}
