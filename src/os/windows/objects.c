/* SPDX-License-Identifier: MIT */
/* What is a process, what is a thread, whose it is; the process list; and what hangs on one process. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/error.h"
#include "sources.h"
#include "triage.h"

/* ---------------------------------------------------------------- is it one? */

static const char *header_refused(const struct windows *w, uint64_t object, unsigned want, const char *else_say)
{
        uint64_t type;
        if (!is_kernel_address(w, object) || object % 8)
                return "its address is no aligned kernel address";
        if (read_place(w->kernel, object, &w->at.header_type, &type) != STASIS_OK)
                return "it is not readable";
        return is_dispatcher(type, want) ? NULL : else_say;
}

const char *windows_process_refused(const struct windows *w, uint64_t object)
{
        return header_refused(w, object, DISPATCHER_PROCESS, "its dispatcher header is not a process's");
}

/*
 * The process that owns a thread. Without KTHREAD.Process (XP and before) ThreadsProcess tells; where that is not there
 * (it lies in the ETHREAD's second half), the APC state by its index.
 */
enum stasis_status windows_owner_in(const struct windows *w, struct stasis_space *space, uint64_t thread,
                                    uint64_t *ret_process)
{
        uint64_t index = 0;
        if (read_place(space, thread, &w->at.kthread_process, ret_process) == STASIS_OK ||
            read_place(space, thread, &w->at.thread_process, ret_process) == STASIS_OK)
                return STASIS_OK;
        enum stasis_status status = read_place(space, thread, &w->at.apc_index, &index);
        if (status != STASIS_OK)
                return status;
        return read_place(space, thread, index == 1 ? &w->at.saved_apc_process : &w->at.apc_process, ret_process);
}

enum stasis_status windows_owner_of(const struct windows *w, uint64_t thread, uint64_t *ret_process)
{
        return windows_owner_in(w, w->kernel, thread, ret_process);
}

const char *windows_thread_refused(const struct windows *w, uint64_t object)
{
        uint64_t state, process, tid;
        const char *why = header_refused(w, object, DISPATCHER_THREAD, "its dispatcher header is not a thread's");
        if (why)
                return why;
        enum stasis_status status = read_place(w->kernel, object, &w->at.thread_state, &state);
        if (status != STASIS_OK && status != STASIS_UNSUPPORTED) /* an inferred layout may lack it */
                return "it is not readable";
        if (status == STASIS_OK && state > THREAD_STATE_MAX)
                return "its state is out of range";
        status = windows_owner_of(w, object, &process);
        if (status == STASIS_UNSUPPORTED)
                return NULL;
        if (status != STASIS_OK)
                return "its process pointer is not readable";
        if (is_virtual(w)) /* its process need not be there, but a first piece of a thread is no thread */
                return read_place(w->kernel, object, &w->at.cid_thread, &tid) == STASIS_OK
                               ? NULL
                               : "it is not in the file as a whole";
        return windows_process_refused(w, process) ? "its process pointer does not lead to a process" : NULL;
}

/* ---------------------------------------------------------------- processes */

static void read_wow64(struct windows *w, struct windows_process *p)
{
        uint64_t block, peb32;
        if (read_place(w->kernel, p->object, &w->at.process_wow64, &block) == STASIS_OK && block) {
                p->wow64 = true; /* _EWOW64PROCESS since 10586 */
                if (read_place(w->kernel, block, &w->at.peb32, &peb32) == STASIS_OK)
                        p->peb32 = peb32;
        } else if (read_place(w->kernel, p->object, &w->at.process_wow64_old, &block) == STASIS_OK && block) {
                p->wow64 = true; /* _WOW64_PROCESS until 2008, the PEB32 itself in 7 .. 10240 */
                if (!is_kernel_address(w, block))
                        p->peb32 = block;
                else if (read_place(w->kernel, block, &w->at.peb32, &peb32) == STASIS_OK)
                        p->peb32 = peb32;
        }
}

bool windows_add_process(struct windows *w, uint64_t object, uint32_t sources)
{
        struct windows_process p = { .object = object, .sources = sources };
        uint64_t priority;
        if (!stasis_grow(&w->process, &w->process_capacity, w->process_count + 1, sizeof *w->process))
                return false;
        p.pid_known = read_place(w->kernel, object, &w->at.process_id, &p.pid) == STASIS_OK;
        p.name_known = stasis_space_read(w->kernel, object + w->at.process_name.offset, p.name, 15) == STASIS_OK;
        if (!p.name_known)
                memset(p.name, 0, sizeof p.name);
        if (read_place(w->kernel, object, &w->at.process_dtb, &p.dtb) != STASIS_OK)
                p.dtb = 0;
        if (read_place(w->kernel, object, &w->at.process_peb, &p.peb) != STASIS_OK)
                p.peb = 0;
        p.base_priority_known = read_place(w->kernel, object, &w->at.process_base_priority, &priority) == STASIS_OK;
        if (p.base_priority_known)
                p.base_priority = (int8_t)(uint8_t)priority;
        read_wow64(w, &p);
        if (!address_map_put(&w->process_at, object, (uint32_t)w->process_count))
                return false;
        w->process[w->process_count++] = p;
        return true;
}

/*
 * The process that a ghost says it belongs to, where there is none at that address any more: what can be told of it is
 * the id that the ghost has.
 */
bool windows_add_ghost_process(struct windows *w, uint64_t object, uint64_t thread_pa)
{
        struct windows_process p = { .object = object, .ghost = true };
        if (!stasis_grow(&w->process, &w->process_capacity, w->process_count + 1, sizeof *w->process) ||
            !address_map_put(&w->process_at, object, (uint32_t)w->process_count))
                return false;
        p.pid_known = read_place(w->flat, thread_pa, &w->at.cid_process, &p.pid) == STASIS_OK;
        w->process[w->process_count++] = p;
        w->ghost_processes++;
        return true;
}

static bool accept_process(void *ctx, uint64_t entry)
{
        const struct windows *w = ctx;
        return !windows_process_refused(w, entry - w->at.process_links.offset);
}

static void note_process_list(struct windows *w, const struct list_walk *walk)
{
        bool head_between = !w->process_head && walk->forward == LIST_REFUSED && walk->backward == LIST_REFUSED &&
                            walk->forward_at == walk->backward_at; /* entered at System: the refused one is the head */
        if (!w->process_head && w->has_pe && list_whole(walk))
                system_note(w->system, STASIS_NOTE_MISSING, "process-list-headless", w->system_object, 4, -1,
                            "System's list links close without the kernel's list head: System was taken off the list, "
                            "and what is on it is not known");
        if (list_whole(walk) || head_between)
                return;
        system_note(w->system, STASIS_NOTE_MISSING, "process-list-torn", walk->forward_at, -1, -1,
                    "the process list is torn: forwards it ends at 0x%" PRIx64 " (%s), backwards at 0x%" PRIx64
                    " (%s); %zu processes were reached, %zu of them only backwards",
                    walk->forward_at, list_end_name(walk->forward), walk->backward_at, list_end_name(walk->backward),
                    walk->count, walk->count - walk->behind);
}

/* The head is not there: System's object is, and the processors may name more. */
static bool head_lost(struct windows *w, uint64_t head)
{
        system_note(w->system, STASIS_NOTE_MISSING, "process-list-unreadable", head, -1, -1,
                    "the head of the process list at 0x%" PRIx64 " is not readable: only System and what ran is listed",
                    head);
        return windows_add_process(w, w->system_object, 0);
}

static bool take_processes(struct windows *w, const struct list_walk *walk)
{
        bool ok = w->process_head || windows_add_process(w, w->system_object, 1u << SOURCE_PROCESS_LIST);
        for (size_t i = 0; ok && i < walk->count; i++)
                ok = windows_add_process(w, walk->entry[i] - w->at.process_links.offset, 1u << SOURCE_PROCESS_LIST);
        note_process_list(w, walk);
        if (!ok || windows_process_of(w, w->system_object) < w->process_count)
                return ok;
        system_note(w->system, STASIS_NOTE_WARNING, "system-unlisted", w->system_object, 4, -1,
                    "System's process object is not on the process list");
        return windows_add_process(w, w->system_object, 0);
}

enum stasis_status windows_find_processes(struct windows *w, struct stasis_error *err)
{
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = WINDOWS_PROCESSES_MAX, .accept = accept_process, .ctx = w
        };
        struct list_walk walk;
        if (is_virtual(w))
                return triage_processes(w, err);
        uint64_t head = w->process_head ? w->process_head : w->system_object + w->at.process_links.offset;
        enum stasis_status status = list_walk(w->kernel, head, &options, &walk);
        if (status == STASIS_NOMEM)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        bool ok = status == STASIS_OK ? take_processes(w, &walk) : head_lost(w, head);
        if (status == STASIS_OK)
                list_free(&walk);
        return ok ? STASIS_OK : stasis_fail(err, STASIS_NOMEM, "out of memory");
}

size_t windows_process_of(const struct windows *w, uint64_t object)
{
        uint32_t index = address_map_get(&w->process_at, object);
        return index == ADDRESS_MAP_NONE ? w->process_count : index;
}

/* ---------------------------------------------------------------- of one process */

struct stasis_space *windows_user_space(struct windows *w, uint32_t process)
{
        if (is_virtual(w))
                return w->kernel; /* what the dump holds of the process that it stopped in */
        uint64_t root = w->process[process].dtb & w->kernel->paging->root_mask;
        if (!root)
                return NULL;
        if (w->user_process != process) {
                stasis_space_init(w->user, w->image, w->kernel->paging, root);
                pager_attach(w->pager, w->user, w->process[process].object, &w->user_view);
                w->user_process = process;
        }
        return w->user;
}

const struct modules *windows_user_modules(struct windows *w, uint32_t process)
{
        if (w->modules_process == process)
                return &w->user_modules;
        modules_free(&w->user_modules);
        w->modules_process = process;
        const struct windows_process *p = &w->process[process];
        struct stasis_space *space = windows_user_space(w, process);
        if (!space)
                return &w->user_modules;
        if (p->peb)
                (void)!modules_user(space, w->layout, p->peb, &w->user_modules);
        if (p->wow64 && p->peb32)
                (void)!modules_user32(space, w->layout, p->peb32, &w->user_modules);
        return &w->user_modules;
}
