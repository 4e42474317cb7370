/* SPDX-License-Identifier: MIT */
/* The report: what was sighted, checked against what the objects say of themselves, and put into one order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/error.h"
#include "windows.h"

/* ---------------------------------------------------------------- the report */

static int by_ids(const void *a, const void *b)
{
        const struct windows_thread *t = a, *u = b;
        if (t->owner_pid != u->owner_pid)
                return t->owner_pid > u->owner_pid ? 1 : -1;
        if (t->tid != u->tid)
                return t->tid > u->tid ? 1 : -1;
        if (t->object != u->object)
                return t->object > u->object ? 1 : -1;
        return (t->pa > u->pa) - (t->pa < u->pa);
}

static int by_pid(const void *a, const void *b)
{
        const struct windows_process *p = a, *q = b;
        if (p->ghost != q->ghost)
                return p->ghost ? 1 : -1;
        if (p->pid != q->pid)
                return p->pid > q->pid ? 1 : -1;
        return (p->object > q->object) - (p->object < q->object);
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

/* The maps from addresses, after everything has found its place. */
static enum stasis_status index_all(struct windows *w)
{
        address_map_free(&w->process_at);
        address_map_free(&w->thread_at);
        bool ok = true;
        for (size_t i = 0; ok && i < w->process_count; i++)
                ok = address_map_put(&w->process_at, w->process[i].object, (uint32_t)i);
        for (size_t i = 0; ok && i < w->thread_count; i++)
                ok = w->thread[i].ghost || address_map_put(&w->thread_at, w->thread[i].object, (uint32_t)i);
        return ok ? STASIS_OK : STASIS_NOMEM;
}

/* What the object says of itself against the list that it is on. */
static void check_ids(struct windows *w, struct windows_thread *t)
{
        struct windows_process *p = &w->process[t->process];
        uint64_t owner, state;
        struct stasis_space *space = thread_space(w, t);
        bool tid_known = read_place(space, thread_bytes(t), &w->at.cid_thread, &t->tid) == STASIS_OK;
        bool pid_known = read_place(space, thread_bytes(t), &w->at.cid_process, &t->pid) == STASIS_OK;
        t->owner_pid = p->pid;
        if (t->ghost || t->freed) /* it is none of its process's any more */
                return;
        p->threads++;
        p->living += read_place(w->kernel, t->object, &w->at.thread_state, &state) == STASIS_OK &&
                     state != THREAD_STATE_TERMINATED;
        if (!tid_known || !pid_known)
                system_note(w->system, STASIS_NOTE_MISSING, "thread-unreadable", t->object, (int64_t)p->pid, -1,
                            "the ids of the thread object at 0x%" PRIx64 " are not readable", t->object);
        else if (p->pid_known && t->pid != p->pid)
                system_note(w->system, STASIS_NOTE_WARNING, "cid-disagrees", t->object, (int64_t)p->pid,
                            (int64_t)t->tid,
                            "the thread says that it belongs to pid %" PRIu64 ", and is on the list of pid %" PRIu64,
                            t->pid, p->pid);
        if (windows_owner_of(w, t->object, &owner) == STASIS_OK && owner != p->object)
                system_note(w->system, STASIS_NOTE_WARNING, "owner-disagrees", t->object, (int64_t)p->pid,
                            (int64_t)t->tid,
                            "the thread's process pointer is 0x%" PRIx64 ", and it is on the list of 0x%" PRIx64, owner,
                            p->object);
}

#define TIDS_SHOWN 8

/* Threads that run or wait, and are on neither list of their process: one note a process, with the first of them. */
static void note_unlisted(struct windows *w, uint32_t process, const struct windows_thread *const *thread, size_t count)
{
        const struct windows_process *p = &w->process[process];
        char tids[TIDS_SHOWN * 12] = "";
        size_t used = 0;
        for (size_t i = 0; i < count && i < TIDS_SHOWN; i++)
                used += (size_t)snprintf(tids + used, sizeof tids - used, "%s%" PRIu32, i ? ", " : "",
                                         (uint32_t)thread[i]->tid);
        system_note(w->system, STASIS_NOTE_WARNING, "thread-unlisted", thread[0]->object, (int64_t)p->pid,
                    (int64_t)thread[0]->tid,
                    "%zu living threads of pid %" PRIu64 " are on neither of its thread lists, and other ways lead to "
                    "them: tid %s%s",
                    count, p->pid, tids, count > TIDS_SHOWN ? ", ..." : "");
}

static bool is_unlisted(const struct windows *w, const struct windows_thread *t)
{
        uint64_t state;
        return !t->listed && !t->ghost && !t->freed && !w->process[t->process].idle &&
               read_place(w->kernel, t->object, &w->at.thread_state, &state) == STASIS_OK &&
               state != THREAD_STATE_TERMINATED;
}

/* After the sort: the threads of a process stand together. */
static void check_listed(struct windows *w)
{
        const struct windows_thread *first[TIDS_SHOWN];
        for (size_t i = 0, end; i < w->thread_count; i = end) {
                size_t count = 0;
                for (end = i; end < w->thread_count && w->thread[end].process == w->thread[i].process; end++)
                        if (is_unlisted(w, &w->thread[end])) {
                                if (count < TIDS_SHOWN)
                                        first[count] = &w->thread[end];
                                count++;
                        }
                if (count)
                        note_unlisted(w, w->thread[i].process, first, count);
        }
        for (size_t i = 0; i < w->process_count; i++) {
                const struct windows_process *p = &w->process[i];
                if (!p->idle && !p->ghost && (p->living || p->sources != 1u << SOURCE_OWNER) &&
                    !(p->sources & 1u << SOURCE_PROCESS_LIST) && p->object != w->system_object)
                        system_note(w->system, STASIS_NOTE_WARNING, "process-unlisted", p->object, (int64_t)p->pid, -1,
                                    "pid %" PRIu64 " (%s) is not on the process list, and other ways lead to it",
                                    p->pid, p->name_known ? p->name : "its name is not readable");
        }
}

/* EPROCESS.ActiveThreads counts the living: fewer on the lists than that is a loss that no torn link shows. */
static void check_counts(struct windows *w)
{
        uint64_t active;
        for (size_t i = 0; i < w->process_count; i++) {
                const struct windows_process *p = &w->process[i];
                if (read_place(w->kernel, p->object, &w->at.active_threads, &active) != STASIS_OK ||
                    active <= p->living)
                        continue;
                system_note(w->system, STASIS_NOTE_MISSING, "threads-missing", p->object, (int64_t)p->pid, -1,
                            "pid %" PRIu64 " counts %" PRIu64 " active threads, %u were found", p->pid, active,
                            p->living);
        }
}

enum stasis_status windows_walk(struct windows *w, struct stasis_error *err)
{
        if (w->walked)
                return w->walk_status == STASIS_OK ? STASIS_OK
                                                   : stasis_fail(err, w->walk_status, "the lists could not be walked");
        w->walked = true;
        enum stasis_status status = windows_find_processes(w, err);
        if (status == STASIS_OK)
                status = windows_find_threads(w);
        if (status == STASIS_OK)
                status = sort_processes(w);
        w->walk_status = status;
        if (status != STASIS_OK)
                return stasis_fail_in(err, status, "walking the lists");
        w->listed = true;
        for (size_t i = 0; i < w->thread_count; i++)
                check_ids(w, &w->thread[i]);
        if (w->thread_count)
                qsort(w->thread, w->thread_count, sizeof *w->thread, by_ids);
        w->walk_status = index_all(w);
        if (w->walk_status != STASIS_OK)
                return stasis_fail_in(err, w->walk_status, "walking the lists");
        if (is_virtual(w)) /* there it is no loss, but what the file is */
                return STASIS_OK;
        check_listed(w);
        check_counts(w);
        return STASIS_OK;
}
