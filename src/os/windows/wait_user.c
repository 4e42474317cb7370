/* SPDX-License-Identifier: MIT */
/*
 * Critical sections: locks in a process's own memory. A waiter waits on the event whose handle the section has
 * (LockSemaphore), or on a keyed event with the section's address as the key; since 8 for LockCount's address, by
 * NtWaitForAlertByThreadId. Sections with debug information are on one list, which the loader's lock leads to; which
 * section an event is of is proven by the handle. An address may be any lock's: of a section it is where its debug
 * information names the section in return, or where all of its members say that somebody has it and others wait.
 */
#include <stdlib.h>

#include "../../base/arena.h"
#include "critical_section_wire.h"
#include "handle_table.h"
#include "wait_internal.h"

#define SECTIONS_MAX 16384 /* of one process that are looked at */

struct user {
        struct windows *w;
        struct stasis_space *space;
        const struct critical_section_wire *wire;
        uint8_t width;
};

static bool user_read(const struct user *u, uint64_t va, uint64_t *ret_value)
{
        return stasis_space_u(u->space, va, u->width, ret_value) == STASIS_OK;
}

/* The debug information of a section, which names the section in return. */
static bool debug_of(const struct user *u, uint64_t section, uint64_t *ret_debug)
{
        uint64_t back;
        return section && section % u->width == 0 && user_read(u, section + u->wire->debug, ret_debug) && *ret_debug &&
               user_read(u, *ret_debug + u->wire->section, &back) && back == section;
}

static bool body_of_handle(const struct windows *w, uint64_t process, uint64_t handle, uint64_t *ret_body)
{
        struct handle_format format;
        struct handle_entry entry;
        uint64_t table;
        if (!handle_format_of_process(w->layout, w->kernel->paging, w->version.build, &format) || !format.body ||
            !wait_pointer(w, process, &w->waits->at.handles, &table) ||
            handle_table_lookup(w->kernel, &format, table, handle, &entry) != STASIS_OK)
                return false;
        *ret_body = entry.object + format.body;
        return true;
}

/* A section that has an event: those who wait for it do so on that. */
static void take_section(const struct user *u, uint64_t process, uint64_t section)
{
        struct wait_state *s = u->w->waits;
        uint64_t handle, owner, event;
        if (!user_read(u, section + u->wire->semaphore, &handle) || !handle || handle % 4 ||
            !user_read(u, section + u->wire->owner, &owner) || !body_of_handle(u->w, process, handle, &event) ||
            !stasis_grow(&s->section, &s->section_capacity, s->section_count + 1, sizeof *s->section))
                return;
        s->section[s->section_count++] = (struct section_at){ event, section, owner };
}

static void walk_sections(const struct user *u, uint64_t process, uint64_t first)
{
        uint64_t debug, entry, section;
        if (!debug_of(u, first, &debug))
                return;
        uint64_t start = entry = debug + u->wire->list;
        for (size_t i = 0; i < SECTIONS_MAX; i++) {
                uint64_t at = entry - u->wire->list, again;
                if (user_read(u, at + u->wire->section, &section) && debug_of(u, section, &again) && again == at)
                        take_section(u, process, section); /* the list's head has no section */
                if (!user_read(u, entry, &entry) || entry == start || !entry || entry % u->width)
                        break;
        }
}

static void find_sections(struct windows *w, uint32_t process)
{
        struct wait_state *s = w->waits;
        const struct windows_process *p = &w->process[process];
        struct user u = { .w = w, .space = windows_user_space(w, process), .width = w->pointer_size };
        uint64_t lock;
        s->sections_of = process;
        s->section_count = 0;
        if (!u.space || !p->peb)
                return;
        u.wire = w->is64 ? &critical_section_64 : &critical_section_32;
        if (s->at.loader_lock.has && user_read(&u, p->peb + s->at.loader_lock.offset, &lock))
                walk_sections(&u, p->object, lock);
        u.wire = &critical_section_32;
        u.width = 4;
        if (w->is64 && p->peb32 && user_read(&u, p->peb32 + PEB32_LOADER_LOCK, &lock))
                walk_sections(&u, p->object, lock);
}

/* Threads are sorted by the process's id and their own. */
static const struct windows_thread *thread_of(const struct windows *w, uint32_t process, uint64_t tid)
{
        const struct windows_process *p = &w->process[process];
        size_t low = 0;
        for (size_t high = w->thread_count; low < high;) {
                size_t middle = (low + high) / 2;
                const struct windows_thread *t = &w->thread[middle];
                if (t->owner_pid < p->pid || (t->owner_pid == p->pid && t->tid < tid))
                        low = middle + 1;
                else
                        high = middle;
        }
        for (; low < w->thread_count && w->thread[low].owner_pid == p->pid && w->thread[low].tid == tid; low++)
                if (w->thread[low].process == process)
                        return &w->thread[low];
        return NULL;
}

static void owned_by_tid(const struct wait_of *of, struct windows_wait *wait, uint64_t section, uint64_t tid)
{
        const struct windows_thread *owner = tid ? thread_of(of->w, of->thread->process, tid) : NULL;
        wait->what = WAIT_CRITICAL_SECTION;
        wait->container = section;
        wait->owner_why = tid ? STASIS_CONTRADICTORY : STASIS_NOT_APPLICABLE;
        if (owner)
                wait_owned_by(of, wait, owner->object, "RTL_CRITICAL_SECTION.OwningThread");
}

/* By the key: the address of the section. */
static bool keyed_section(const struct wait_of *of, struct windows_wait *wait)
{
        struct windows *w = of->w;
        struct user u = { .w = w, .space = windows_user_space(w, of->thread->process) };
        uint64_t debug, owner;
        for (unsigned narrow = 0; u.space && narrow <= w->is64; narrow++) {
                u.wire = w->is64 && !narrow ? &critical_section_64 : &critical_section_32;
                u.width = w->is64 && !narrow ? 8 : 4;
                if (!debug_of(&u, wait->container, &debug) || !user_read(&u, wait->container + u.wire->owner, &owner))
                        continue;
                owned_by_tid(of, wait, wait->container, owner);
                return true;
        }
        return false;
}

static bool user_count(const struct user *u, uint64_t va, int32_t *ret_value)
{
        uint64_t value;
        if (stasis_space_u(u->space, va, 4, &value) != STASIS_OK)
                return false;
        *ret_value = (int32_t)(uint32_t)value;
        return true;
}

/* Taken, waited for, owned by a thread of this process, with no event and no debug information. */
static bool is_contended(const struct user *u, uint32_t process, uint64_t section)
{
        const uint64_t none = u->width == 8 ? UINT64_MAX : UINT32_MAX;
        uint64_t debug, owner, semaphore;
        int32_t count, recursion;
        return user_read(u, section + u->wire->debug, &debug) && debug == none &&
               user_count(u, section + u->wire->count, &count) && count < -4 && !(count & 1) &&
               user_count(u, section + u->wire->recursion, &recursion) && recursion > 0 &&
               user_read(u, section + u->wire->owner, &owner) && owner && thread_of(u->w, process, owner) &&
               user_read(u, section + u->wire->semaphore, &semaphore) && (!semaphore || semaphore == none);
}

/* The section whose LockCount is waited for. One of 64 bits looks like one of 32 there: those WoW64 alone has. */
static bool alerted_section(const struct wait_of *of, struct windows_wait *wait)
{
        struct windows *w = of->w;
        const uint32_t process = of->thread->process;
        struct user u = { .w = w, .space = windows_user_space(w, process) };
        uint64_t debug, owner;
        const unsigned forms = w->is64 && w->process[process].wow64 ? 2 : 1;
        for (unsigned narrow = 0; u.space && narrow < forms; narrow++) {
                u.wire = w->is64 && !narrow ? &critical_section_64 : &critical_section_32;
                u.width = w->is64 && !narrow ? 8 : 4;
                uint64_t section = wait->given - u.wire->count;
                if (wait->given < u.wire->count || section % u.width ||
                    (!debug_of(&u, section, &debug) && !is_contended(&u, process, section)) ||
                    !user_read(&u, section + u.wire->owner, &owner))
                        continue;
                owned_by_tid(of, wait, section, owner);
                return true;
        }
        return false;
}

bool wait_on_critical_section(const struct wait_of *of, struct windows_wait *wait)
{
        struct wait_state *s = of->w->waits;
        if (!of->user_mode || is_virtual(of->w))
                return false;
        if (wait->what == WAIT_KEYED_EVENT)
                return keyed_section(of, wait);
        if (wait->by_address)
                return alerted_section(of, wait);
        if ((of->reason != REASON_USER_REQUEST && of->reason != REASON_WR_USER_REQUEST) || !wait->kind_known ||
            (wait->kind != KIND_SYNCHRONIZATION_EVENT && wait->kind != KIND_SEMAPHORE))
                return false;
        if (s->sections_of != of->thread->process)
                find_sections(of->w, of->thread->process);
        for (size_t i = 0; i < s->section_count; i++)
                if (s->section[i].event == wait->object) {
                        owned_by_tid(of, wait, s->section[i].va, s->section[i].owner_tid);
                        return true;
                }
        return false;
}
