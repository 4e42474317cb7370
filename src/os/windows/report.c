/* SPDX-License-Identifier: MIT */
/* The report: sightings merged by object, checked against what the objects say of themselves, and put into one order.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/error.h"
#include "windows.h"

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
        uint64_t owner, state;
        bool tid_known = read_place(w->kernel, t->object, &w->at.cid_thread, &t->tid) == STASIS_OK;
        bool pid_known = read_place(w->kernel, t->object, &w->at.cid_process, &t->pid) == STASIS_OK;
        t->owner_pid = p->pid;
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
        if (status == STASIS_OK) {
                merge_threads(w);
                status = sort_processes(w);
        }
        w->walk_status = status;
        if (status != STASIS_OK)
                return stasis_fail_in(err, status, "walking the lists");
        w->listed = true;
        for (size_t i = 0; i < w->thread_count; i++)
                check_ids(w, &w->thread[i]);
        if (w->thread_count)
                qsort(w->thread, w->thread_count, sizeof *w->thread, by_ids);
        if (!is_virtual(w)) /* there it is no loss, but what the file is */
                check_counts(w);
        return STASIS_OK;
}
