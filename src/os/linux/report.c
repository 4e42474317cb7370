/* SPDX-License-Identifier: MIT */
/* Sightings of tasks merged by address, their ids read, gathered into thread groups, sorted. */
#include <inttypes.h>
#include <stdlib.h>

#include "../../base/error.h"
#include "linux.h"

static int by_object(const void *a, const void *b)
{
        const struct linux_task *x = a, *y = b;
        return x->object < y->object ? -1 : x->object > y->object;
}

static int by_ids(const void *a, const void *b)
{
        const struct linux_task *x = a, *y = b;
        if (x->pid != y->pid)
                return x->pid < y->pid ? -1 : 1;
        if (x->tid != y->tid)
                return x->tid < y->tid ? -1 : 1;
        return by_object(a, b);
}

void linux_merge(struct linux_system *l)
{
        size_t kept = 0;
        if (!l->task_count)
                return;
        qsort(l->task, l->task_count, sizeof *l->task, by_object);
        for (size_t i = 1; i < l->task_count; i++) {
                struct linux_task *to = &l->task[kept], *from = &l->task[i];
                if (to->object != from->object) {
                        l->task[++kept] = *from;
                        continue;
                }
                to->sources |= from->sources;
                to->behind_tear &= from->behind_tear;
                to->idle |= from->idle;
                to->current |= from->current;
                if (to->cpu == UINT32_MAX)
                        to->cpu = from->cpu;
        }
        l->task_count = kept + 1;
}

static void read_ids(struct linux_system *l)
{
        for (size_t i = 0; i < l->task_count; i++) {
                struct linux_task *t = &l->task[i];
                if (read_place(l->kernel, t->object, &l->at.pid, &t->tid) != STASIS_OK)
                        t->tid = 0;
                if (read_place(l->kernel, t->object, &l->at.tgid, &t->pid) != STASIS_OK)
                        t->pid = t->tid;
                t->idle |= t->tid == 0;
        }
}

/* Tasks lie sorted by group: each first one opens its group. */
static bool gather(struct linux_system *l)
{
        for (size_t i = 0; i < l->task_count; i++) {
                struct linux_task *t = &l->task[i];
                if (i == 0 || t->pid != l->task[i - 1].pid) {
                        if (!stasis_grow(&l->process, &l->process_capacity, l->process_count + 1, sizeof *l->process))
                                return false;
                        l->process[l->process_count++] = (struct linux_process){ .object = t->object,
                                                                                 .pid = t->pid,
                                                                                 .leaderless = t->tid != t->pid };
                }
                struct linux_process *p = &l->process[l->process_count - 1];
                if ((t->tid == t->pid && p->leaderless) || t->object == l->init_task)
                        *p = (struct linux_process){
                                .object = t->object, .pid = p->pid, .threads = p->threads, .sources = p->sources
                        };
                t->process = (uint32_t)(l->process_count - 1);
                p->threads++;
                p->sources |= t->sources;
        }
        return true;
}

static void note_ids(struct linux_system *l)
{
        for (size_t i = 1; i < l->task_count; i++) {
                const struct linux_task *a = &l->task[i - 1], *b = &l->task[i];
                if (b->tid && a->tid == b->tid)
                        system_note(l->system, STASIS_NOTE_WARNING, "tid-twice", b->object, (int64_t)b->pid,
                                    (int64_t)b->tid, "two tasks say that they are tid %" PRIu64, b->tid);
        }
}

static enum stasis_status walk(struct linux_system *l)
{
        enum stasis_status status = linux_find_tasks(l);
        if (status != STASIS_OK)
                return status;
        linux_merge(l);
        read_ids(l);
        if (l->task_count)
                qsort(l->task, l->task_count, sizeof *l->task, by_ids);
        if (!gather(l))
                return STASIS_NOMEM;
        note_ids(l);
        if (!l->task_count)
                system_note(l->system, STASIS_NOTE_MISSING, "no-tasks", 0, -1, -1,
                            "no source found a task: init_task is not known or not readable");
        return STASIS_OK;
}

enum stasis_status linux_walk(struct linux_system *l, struct stasis_error *err)
{
        if (!l->walked) {
                l->walk_status = walk(l);
                l->walked = true;
        }
        if (l->walk_status != STASIS_OK)
                return stasis_fail(err, l->walk_status, "the tasks could not be walked: %s",
                                   l->walk_status == STASIS_NOMEM ? "out of memory"
                                                                  : stasis_status_name(l->walk_status));
        return STASIS_OK;
}
