/* SPDX-License-Identifier: MIT */
/*
 * The ways of finding threads. Each source only sights objects; the report merges the sightings by object address. A
 * new way is one function and one row in the table (docs/ADD-A-SOURCE.md). A source that fails becomes a note.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/error.h"
#include "windows.h"

#define DISPATCHER_PROCESS 3 /* _KOBJECTS: ProcessObject */
#define DISPATCHER_THREAD 6  /* ThreadObject */
#define DISPATCHER_LOCK 0x80 /* bit 7 of Type is the dispatcher lock */
#define THREAD_STATE_MAX 9   /* WaitingForProcessInSwap */

/* ---------------------------------------------------------------- is it one? */

static const char *header_refused(const struct windows *w, uint64_t object, uint64_t want, const char *else_say)
{
        uint64_t type;
        if (!is_kernel_address(w, object) || object % 8)
                return "its address is no aligned kernel address";
        if (read_place(w->kernel, object, &w->at.header_type, &type) != STASIS_OK)
                return "it is not readable";
        return (type & ~(uint64_t)DISPATCHER_LOCK) == want ? NULL : else_say;
}

const char *windows_process_refused(const struct windows *w, uint64_t object)
{
        return header_refused(w, object, DISPATCHER_PROCESS, "its dispatcher header is not a process's");
}

/* The process that owns a thread. Without KTHREAD.Process (XP and before) ThreadsProcess tells, or the APC state by its index. */
enum stasis_status windows_owner_of(const struct windows *w, uint64_t thread, uint64_t *ret_process)
{
        uint64_t index = 0;
        enum stasis_status status = read_place(w->kernel, thread, &w->at.kthread_process, ret_process);
        if (status == STASIS_UNSUPPORTED)
                status = read_place(w->kernel, thread, &w->at.thread_process, ret_process);
        if (status != STASIS_UNSUPPORTED)
                return status;
        status = read_place(w->kernel, thread, &w->at.apc_index, &index);
        if (status != STASIS_OK)
                return status;
        return read_place(w->kernel, thread, index == 1 ? &w->at.saved_apc_process : &w->at.apc_process, ret_process);
}

const char *windows_thread_refused(const struct windows *w, uint64_t object)
{
        uint64_t state, process;
        const char *why = header_refused(w, object, DISPATCHER_THREAD, "its dispatcher header is not a thread's");
        if (why)
                return why;
        if (read_place(w->kernel, object, &w->at.thread_state, &state) != STASIS_OK)
                return "it is not readable";
        if (state > THREAD_STATE_MAX)
                return "its state is out of range";
        if (windows_owner_of(w, object, &process) != STASIS_OK)
                return "its process pointer is not readable";
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

static bool add_process(struct windows *w, uint64_t object, bool listed)
{
        struct windows_process p = { .object = object, .listed = listed };
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
        p.sources = 1u << (listed ? SOURCE_PROCESS_LIST : SOURCE_PRCB);
        w->process[w->process_count++] = p;
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
        if (list_whole(walk) || head_between)
                return;
        system_note(w->system, STASIS_NOTE_MISSING, "process-list-torn", walk->forward_at, -1, -1,
                    "the process list is torn: forwards it ends at 0x%" PRIx64 " (%s), backwards at 0x%" PRIx64
                    " (%s); %zu processes were reached, %zu of them only backwards", walk->forward_at,
                    list_end_name(walk->forward), walk->backward_at, list_end_name(walk->backward), walk->count,
                    walk->count - walk->behind);
}

static enum stasis_status find_processes(struct windows *w, struct stasis_error *err)
{
        struct list_options options = { .pointer_size = w->pointer_size, .max = WINDOWS_PROCESSES_MAX,
                                        .accept = accept_process, .ctx = w };
        struct list_walk walk;
        uint64_t head = w->process_head ? w->process_head : w->system_object + w->at.process_links.offset;
        enum stasis_status status = list_walk(w->kernel, head, &options, &walk);
        if (status != STASIS_OK)
                return stasis_fail(err, status, "the head of the process list at 0x%" PRIx64 " is not readable", head);
        bool ok = w->process_head || add_process(w, w->system_object, true);
        for (size_t i = 0; ok && i < walk.count; i++)
                ok = add_process(w, walk.entry[i] - w->at.process_links.offset, true);
        note_process_list(w, &walk);
        bool has_system = false;
        for (size_t i = 0; i < w->process_count; i++)
                has_system |= w->process[i].object == w->system_object;
        if (ok && !has_system) {
                system_note(w->system, STASIS_NOTE_WARNING, "system-unlisted", w->system_object, 4, -1,
                            "System's process object is not on the process list");
                ok = add_process(w, w->system_object, false);
        }
        list_free(&walk);
        return ok ? STASIS_OK : stasis_fail(err, STASIS_NOMEM, "out of memory");
}

static size_t process_of_object(const struct windows *w, uint64_t object)
{
        size_t i = 0;
        while (i < w->process_count && w->process[i].object != object)
                i++;
        return i;
}

/* ---------------------------------------------------------------- sightings */

static enum stasis_status saw(struct windows *w, uint64_t object, uint32_t process, enum windows_source source, bool behind_tear)
{
        if (w->thread_count >= WINDOWS_THREADS_MAX)
                return STASIS_LIMIT;
        if (!stasis_grow(&w->thread, &w->thread_capacity, w->thread_count + 1, sizeof *w->thread))
                return STASIS_NOMEM;
        w->thread[w->thread_count++] = (struct windows_thread){ .object = object, .process = process,
                                                                .sources = 1u << source, .behind_tear = behind_tear };
        return STASIS_OK;
}

struct thread_list {
        const struct windows *w;
        uint32_t links;
};

static bool accept_thread(void *ctx, uint64_t entry)
{
        const struct thread_list *list = ctx;
        return !windows_thread_refused(list->w, entry - list->links);
}

/* One thread list of one process. ret_whole: the ring was closed both ways. */
static enum stasis_status walk_threads(struct windows *w, uint32_t process, const struct place *head, const struct place *links,
                                       enum windows_source source, struct list_walk *ret_walk)
{
        struct thread_list list = { .w = w, .links = links->offset };
        struct list_options options = { .pointer_size = w->pointer_size, .max = WINDOWS_THREADS_MAX, .accept = accept_thread,
                                        .ctx = &list };
        enum stasis_status status = list_walk(w->kernel, w->process[process].object + head->offset, &options, ret_walk);
        for (size_t i = 0; status == STASIS_OK && i < ret_walk->count; i++)
                status = saw(w, ret_walk->entry[i] - links->offset, process, source, i >= ret_walk->behind);
        if (status != STASIS_OK)
                list_free(ret_walk);
        return status;
}

/* A tear is a loss only where no other list of the process is whole. */
static void note_thread_list(struct windows *w, uint32_t process, enum windows_source source, const struct list_walk *walk,
                             bool other_whole)
{
        const struct windows_process *p = &w->process[process];
        if (list_whole(walk) || (p->idle && !walk->forward_at && !walk->backward_at))
                return; /* some kernels never initialise EPROCESS.ThreadListHead of Idle: zeros, and nothing is lost */
        system_note(w->system, STASIS_NOTE_MISSING, "thread-list-torn", walk->forward_at, (int64_t)p->pid, -1,
                    "%s of pid %" PRIu64 " is torn: forwards it ends at 0x%" PRIx64 " (%s), backwards at 0x%" PRIx64
                    " (%s); %zu threads were reached, %zu of them only backwards%s", windows_source_name(source), p->pid,
                    walk->forward_at, list_end_name(walk->forward), walk->backward_at, list_end_name(walk->backward),
                    walk->count, walk->count - walk->behind, other_whole ? "; the process's other list is whole" : "");
}

static const struct list_row {
        enum windows_source source;
        size_t head, links; /* places */
} list_rows[] = {
        { SOURCE_PROCESS_LIST, offsetof(struct windows_places, process_threads), offsetof(struct windows_places, thread_links) },
        { SOURCE_KPROCESS_LIST, offsetof(struct windows_places, kprocess_threads), offsetof(struct windows_places, kthread_links) },
};
#define LIST_ROWS (sizeof list_rows / sizeof *list_rows)

static const struct place *place_at(const struct windows *w, size_t offset)
{
        return (const struct place *)((const char *)&w->at + offset);
}

/* Both lists of a process, so that each can speak for the other. */
static enum stasis_status find_by_lists(struct windows *w, uint32_t process)
{
        struct list_walk walk[LIST_ROWS];
        bool walked[LIST_ROWS] = { false };
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; i < LIST_ROWS && status == STASIS_OK; i++) {
                const struct place *head = place_at(w, list_rows[i].head), *links = place_at(w, list_rows[i].links);
                if (!head->has || !links->has)
                        continue; /* NT 4.0 and 2000 keep only KPROCESS's */
                status = walk_threads(w, process, head, links, list_rows[i].source, &walk[i]);
                walked[i] = status == STASIS_OK;
                if (status == STASIS_ABSENT || status == STASIS_IO) {
                        system_note(w->system, STASIS_NOTE_MISSING, "thread-list-unreadable", w->process[process].object,
                                    (int64_t)w->process[process].pid, -1, "the head of %s of pid %" PRIu64 " is not readable",
                                    windows_source_name(list_rows[i].source), w->process[process].pid);
                        status = STASIS_OK;
                }
        }
        for (size_t i = 0; i < LIST_ROWS; i++) {
                size_t other = (i + 1) % LIST_ROWS;
                if (!walked[i])
                        continue;
                if (status == STASIS_OK)
                        note_thread_list(w, process, list_rows[i].source, &walk[i], walked[other] && list_whole(&walk[other]));
        }
        for (size_t i = 0; i < LIST_ROWS; i++)
                if (walked[i])
                        list_free(&walk[i]);
        return status;
}

/* Current, next and idle thread of each processor; Idle's process is known through them alone. After the lists, whose threads
   name the processors too. */
static enum stasis_status find_by_processors(struct windows *w)
{
        enum stasis_status status = windows_processors(w);
        if (status != STASIS_OK)
                return status;
        for (size_t i = 0; i < w->processor_count; i++) {
                const uint64_t seen[3] = { w->processor[i].current, w->processor[i].next, w->processor[i].idle };
                for (size_t k = 0; k < 3; k++) {
                        uint64_t process;
                        if (!seen[k] || windows_thread_refused(w, seen[k]) || windows_owner_of(w, seen[k], &process) != STASIS_OK)
                                continue;
                        size_t index = process_of_object(w, process);
                        if (index == w->process_count) {
                                if (!add_process(w, process, false))
                                        return STASIS_NOMEM;
                                w->process[index].idle = k == 2;
                                status = find_by_lists(w, (uint32_t)index);
                                if (status != STASIS_OK)
                                        return status;
                        }
                        status = saw(w, seen[k], (uint32_t)index, SOURCE_PRCB, false);
                        if (status != STASIS_OK)
                                return status;
                }
        }
        return STASIS_OK;
}

static enum stasis_status find_by_process_lists(struct windows *w)
{
        enum stasis_status status = STASIS_OK;
        size_t count = w->process_count; /* Idle is added behind these */
        for (size_t i = 0; i < count && status == STASIS_OK; i++) {
                system_progress(w->system, "thread lists", i, count);
                status = find_by_lists(w, (uint32_t)i);
        }
        return status;
}

/* The table. One function may serve several sources: each sighting names its own. */
static const struct source_row {
        const char *name;
        enum stasis_status (*find)(struct windows *w);
} source_rows[SOURCE_COUNT] = {
        [SOURCE_PROCESS_LIST] = { "process-list", find_by_process_lists },
        [SOURCE_KPROCESS_LIST] = { "kprocess-list", NULL }, /* walked together with the other list of the process */
        [SOURCE_PRCB] = { "prcb", find_by_processors },
};

const char *windows_source_name(enum windows_source source) { return source_rows[source].name; }

/* ---------------------------------------------------------------- the report */

static int by_object(const void *a, const void *b)
{
        const struct windows_thread *t = a, *u = b;
        if (t->object != u->object)
                return t->object > u->object ? 1 : -1;
        return (t->process > u->process) - (t->process < u->process);
}

static int by_ids(const void *a, const void *b)
{
        const struct windows_thread *t = a, *u = b;
        if (t->owner_pid != u->owner_pid)
                return t->owner_pid > u->owner_pid ? 1 : -1;
        if (t->tid != u->tid)
                return t->tid > u->tid ? 1 : -1;
        return (t->object > u->object) - (t->object < u->object);
}

static int by_pid(const void *a, const void *b)
{
        const struct windows_process *p = a, *q = b;
        if (p->pid != q->pid)
                return p->pid > q->pid ? 1 : -1;
        return (p->object > q->object) - (p->object < q->object);
}

static void merge_threads(struct windows *w)
{
        size_t count = 0;
        if (w->thread_count)
                qsort(w->thread, w->thread_count, sizeof *w->thread, by_object);
        for (size_t i = 0; i < w->thread_count; i++) {
                if (count && w->thread[count - 1].object == w->thread[i].object) {
                        w->thread[count - 1].sources |= w->thread[i].sources;
                        w->thread[count - 1].behind_tear &= w->thread[i].behind_tear;
                } else {
                        w->thread[count++] = w->thread[i];
                }
        }
        w->thread_count = count;
}

/* Processes into the order of the answer; the threads' indices follow. */
static enum stasis_status sort_processes(struct windows *w)
{
        uint32_t *now = calloc(w->process_count + 1, sizeof *now);
        if (!now)
                return STASIS_NOMEM;
        for (size_t i = 0; i < w->process_count; i++)
                w->process[i].order = (uint32_t)i;
        if (w->process_count)
                qsort(w->process, w->process_count, sizeof *w->process, by_pid);
        for (size_t i = 0; i < w->process_count; i++)
                now[w->process[i].order] = (uint32_t)i;
        for (size_t i = 0; i < w->thread_count; i++)
                w->thread[i].process = now[w->thread[i].process];
        free(now);
        return STASIS_OK;
}

/* What the object says of itself against the list that it is on. */
static void check_ids(struct windows *w, struct windows_thread *t)
{
        struct windows_process *p = &w->process[t->process];
        uint64_t owner;
        bool tid_known = read_place(w->kernel, t->object, &w->at.cid_thread, &t->tid) == STASIS_OK;
        bool pid_known = read_place(w->kernel, t->object, &w->at.cid_process, &t->pid) == STASIS_OK;
        t->owner_pid = p->pid;
        p->threads++;
        if (!tid_known || !pid_known)
                system_note(w->system, STASIS_NOTE_MISSING, "thread-unreadable", t->object, (int64_t)p->pid, -1,
                            "the ids of the thread object at 0x%" PRIx64 " are not readable", t->object);
        else if (p->pid_known && t->pid != p->pid)
                system_note(w->system, STASIS_NOTE_WARNING, "cid-disagrees", t->object, (int64_t)p->pid, (int64_t)t->tid,
                            "the thread says that it belongs to pid %" PRIu64 ", and is on the list of pid %" PRIu64, t->pid, p->pid);
        if (windows_owner_of(w, t->object, &owner) == STASIS_OK && owner != p->object)
                system_note(w->system, STASIS_NOTE_WARNING, "owner-disagrees", t->object, (int64_t)p->pid, (int64_t)t->tid,
                            "the thread's process pointer is 0x%" PRIx64 ", and it is on the list of 0x%" PRIx64, owner, p->object);
}

/* EPROCESS.ActiveThreads counts the living: fewer on the lists than that is a loss that no torn link shows. */
static void check_counts(struct windows *w)
{
        uint32_t *living = calloc(w->process_count + 1, sizeof *living);
        uint64_t state, active;
        for (size_t i = 0; living && i < w->thread_count; i++)
                if (read_place(w->kernel, w->thread[i].object, &w->at.thread_state, &state) == STASIS_OK)
                        living[w->thread[i].process]++;
        for (size_t i = 0; living && i < w->process_count; i++) {
                const struct windows_process *p = &w->process[i];
                if (read_place(w->kernel, p->object, &w->at.active_threads, &active) != STASIS_OK || active <= living[i])
                        continue;
                system_note(w->system, STASIS_NOTE_MISSING, "threads-missing", p->object, (int64_t)p->pid, -1,
                            "pid %" PRIu64 " counts %" PRIu64 " active threads, %u were found", p->pid, active, living[i]);
        }
        free(living);
}

enum stasis_status windows_walk(struct windows *w, struct stasis_error *err)
{
        if (w->walked)
                return w->walk_status == STASIS_OK ? STASIS_OK
                                                   : stasis_fail(err, w->walk_status, "the lists could not be walked");
        w->walked = true;
        enum stasis_status status = find_processes(w, err);
        for (size_t i = 0; i < SOURCE_COUNT && status == STASIS_OK; i++)
                if (source_rows[i].find)
                        status = source_rows[i].find(w);
        if (status == STASIS_LIMIT) {
                system_note(w->system, STASIS_NOTE_MISSING, "threads-limit", 0, -1, -1,
                            "more than %d thread sightings: the rest was not walked", WINDOWS_THREADS_MAX);
                status = STASIS_OK;
        }
        if (status == STASIS_OK) {
                merge_threads(w);
                status = sort_processes(w);
        }
        w->walk_status = status;
        if (status != STASIS_OK)
                return stasis_fail_in(err, status, "walking the lists");
        for (size_t i = 0; i < w->thread_count; i++)
                check_ids(w, &w->thread[i]);
        if (w->thread_count)
                qsort(w->thread, w->thread_count, sizeof *w->thread, by_ids);
        check_counts(w);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- of one process */

struct stasis_space *windows_user_space(struct windows *w, uint32_t process)
{
        uint64_t root = w->process[process].dtb & w->kernel->paging->root_mask;
        if (!root)
                return NULL;
        if (w->user_process != process) {
                stasis_space_init(w->user, w->image, w->kernel->paging, root);
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
