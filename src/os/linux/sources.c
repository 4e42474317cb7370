/* SPDX-License-Identifier: MIT */
/*
 * The ways of finding tasks. Each source only sights objects; the report merges the sightings by address. A new way is
 * one function and one row in the table (docs/ADD-A-SOURCE.md). A source that fails becomes a note.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sources.h"

/* ---------------------------------------------------------------- what a task is */

static bool reads_pointer(const struct linux_system *l, uint64_t object, const struct place *place, uint64_t *ret_value)
{
        return read_place(l->kernel, object, place, ret_value) == STASIS_OK && linux_is_kernel_address(l, *ret_value) &&
               *ret_value % l->pointer_size == 0;
}

/* Ids in range, a leader of the same group, a parent; what a freed or overwritten task does not keep. */
const char *linux_task_refused(const struct linux_system *l, uint64_t object)
{
        uint64_t pid, tgid = 0, leader, parent, leader_tgid;
        char comm[LINUX_COMM_LEN];
        if (!linux_is_kernel_address(l, object) || object % l->pointer_size)
                return "it is no kernel address";
        if (read_place(l->kernel, object, &l->at.pid, &pid) != STASIS_OK ||
            stasis_space_read(l->kernel, object + l->at.comm.offset, comm, sizeof comm) != STASIS_OK)
                return "it is not readable";
        if (pid > LINUX_TASKS_MAX ||
            (l->at.tgid.has &&
             (read_place(l->kernel, object, &l->at.tgid, &tgid) != STASIS_OK || tgid > LINUX_TASKS_MAX)))
                return "its ids are out of range";
        if (!memchr(comm, 0, sizeof comm))
                return "its name does not end";
        if (l->at.real_parent.has && !reads_pointer(l, object, &l->at.real_parent, &parent))
                return "its parent is no kernel address";
        if (l->at.group_leader.has &&
            (!reads_pointer(l, object, &l->at.group_leader, &leader) ||
             (l->at.tgid.has &&
              (read_place(l->kernel, leader, &l->at.tgid, &leader_tgid) != STASIS_OK || leader_tgid != tgid))))
                return "its group leader is of another group";
        return NULL;
}

/* ---------------------------------------------------------------- sightings */

enum stasis_status source_saw(struct linux_system *l, uint64_t object, enum linux_source source, bool behind_tear)
{
        if (l->task_count >= LINUX_TASKS_MAX)
                return STASIS_LIMIT;
        if (!stasis_grow(&l->task, &l->task_capacity, l->task_count + 1, sizeof *l->task))
                return STASIS_NOMEM;
        l->task[l->task_count++] = (struct linux_task){
                .object = object, .sources = 1u << source, .behind_tear = behind_tear, .cpu = UINT32_MAX
        };
        return STASIS_OK;
}

struct task_list {
        const struct linux_system *l;
        uint32_t links;
};

static bool accept_task(void *ctx, uint64_t entry)
{
        const struct task_list *list = ctx;
        return !linux_task_refused(list->l, entry - list->links);
}

static enum stasis_status walk_tasks(struct linux_system *l, uint64_t head, uint32_t links, enum linux_source source,
                                     struct list_walk *ret_walk)
{
        struct task_list list = { .l = l, .links = links };
        struct list_options options = {
                .pointer_size = l->pointer_size, .max = LINUX_TASKS_MAX, .accept = accept_task, .ctx = &list
        };
        enum stasis_status status = list_walk(l->kernel, head, &options, ret_walk);
        if (status == STASIS_OK && !list_whole(ret_walk))
                l->sources_torn |= 1u << source;
        for (size_t i = 0; status == STASIS_OK && i < ret_walk->count; i++)
                status = source_saw(l, ret_walk->entry[i] - links, source, i >= ret_walk->behind);
        if (status != STASIS_OK)
                list_free(ret_walk);
        return status;
}

static void note_torn(struct linux_system *l, const char *what, int64_t pid, const struct list_walk *walk)
{
        if (list_whole(walk))
                return;
        system_note(l->system, STASIS_NOTE_MISSING, "list-torn", walk->forward_at, pid, -1,
                    "%s is torn: forwards it ends at 0x%" PRIx64 " (%s), backwards at 0x%" PRIx64
                    " (%s); %zu tasks were reached, %zu of them only backwards",
                    what, walk->forward_at, list_end_name(walk->forward), walk->backward_at,
                    list_end_name(walk->backward), walk->count, walk->count - walk->behind);
}

/* ---------------------------------------------------------------- the list of init_task */

static enum stasis_status find_by_list(struct linux_system *l)
{
        struct list_walk walk;
        if (!l->init_task || !l->at.tasks.has)
                return STASIS_ABSENT;
        const char *why = linux_task_refused(l, l->init_task);
        if (why) {
                system_note(l->system, STASIS_NOTE_MISSING, "init-task", l->init_task, -1, -1,
                            "what should be init_task is no task: %s", why);
                return STASIS_ABSENT;
        }
        enum stasis_status status = source_saw(l, l->init_task, LINUX_TASK_LIST, false);
        if (status == STASIS_OK)
                status = walk_tasks(l, l->init_task + l->at.tasks.offset, l->at.tasks.offset, LINUX_TASK_LIST, &walk);
        if (status != STASIS_OK)
                return status;
        note_torn(l, "init_task's list of processes", -1, &walk);
        list_free(&walk);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- thread groups */

/* Before 3.13 the tasks of a group are a ring without a head. */
static enum stasis_status walk_ring(struct linux_system *l, uint64_t object)
{
        struct list_walk walk;
        enum stasis_status status =
                walk_tasks(l, object + l->at.thread_group.offset, l->at.thread_group.offset, LINUX_THREAD_GROUP, &walk);
        if (status != STASIS_OK)
                return status;
        note_torn(l, "a ring of threads", -1, &walk);
        list_free(&walk);
        return source_saw(l, object, LINUX_THREAD_GROUP, false);
}

static enum stasis_status walk_group(struct linux_system *l, uint64_t object)
{
        struct list_walk walk;
        uint64_t signal, pid = 0;
        if (!l->at.thread_node.has || !l->at.thread_head.has)
                return l->at.thread_group.has ? walk_ring(l, object) : STASIS_ABSENT;
        enum stasis_status status = read_place(l->kernel, object, &l->at.signal, &signal);
        if (status != STASIS_OK || !signal)
                return STASIS_OK; /* signal: gone once the last thread was reaped */
        if (read_place(l->kernel, object, &l->at.tgid, &pid) != STASIS_OK)
                pid = 0;
        status = walk_tasks(l, signal + l->at.thread_head.offset, l->at.thread_node.offset, LINUX_THREAD_GROUP, &walk);
        if (status == STASIS_ABSENT || status == STASIS_IO) {
                system_note(l->system, STASIS_NOTE_MISSING, "list-unreadable", signal, (int64_t)pid, -1,
                            "the list of threads of pid %" PRIu64 " is not readable", pid);
                return STASIS_OK;
        }
        if (status != STASIS_OK)
                return status;
        char what[64];
        snprintf(what, sizeof what, "the list of threads of pid %" PRIu64, pid);
        note_torn(l, what, (int64_t)pid, &walk);
        list_free(&walk);
        return STASIS_OK;
}

/* Of every task seen so far; one group once, by its leader. */
static enum stasis_status find_by_groups(struct linux_system *l)
{
        enum stasis_status status = STASIS_OK;
        size_t count = l->task_count;
        for (size_t i = 0; i < count && status == STASIS_OK; i++) {
                uint64_t leader = l->task[i].object;
                if (l->task[i].sources & 1u << LINUX_THREAD_GROUP)
                        continue; /* gone through, before other ways found more */
                if (l->task[i].object == l->init_task || l->task[i].idle)
                        continue; /* idle tasks share a signal_struct, and are on no such list */
                if (l->at.group_leader.has &&
                    read_place(l->kernel, l->task[i].object, &l->at.group_leader, &leader) == STASIS_OK &&
                    leader != l->task[i].object)
                        continue;
                status = walk_group(l, l->task[i].object);
        }
        return status;
}

/* ---------------------------------------------------------------- run queues */

struct rq_places {
        struct place curr, idle;
};

static const struct place_row rq_rows[] = {
        { offsetof(struct rq_places, curr), { "rq.curr", NULL } },
        { offsetof(struct rq_places, idle), { "rq.idle", NULL } },
};

/* nr_cpu_ids, where it is told: else as many as have an area of their own. */
static uint32_t cpu_limit(struct linux_system *l)
{
        uint64_t va, count;
        if (linux_symbol_find(l, "nr_cpu_ids", &va) && stasis_space_u(l->kernel, va, 4, &count) == STASIS_OK &&
            count > 0 && count <= LINUX_CPUS_MAX)
                return (uint32_t)count;
        return LINUX_CPUS_MAX;
}

static enum stasis_status saw_on(struct linux_system *l, uint64_t object, uint32_t cpu, bool idle)
{
        if (linux_task_refused(l, object))
                return STASIS_OK;
        enum stasis_status status = source_saw(l, object, LINUX_RUN_QUEUE, false);
        if (status == STASIS_OK) {
                l->task[l->task_count - 1].cpu = cpu;
                l->task[l->task_count - 1].idle = idle;
                l->task[l->task_count - 1].current = !idle;
        }
        return status;
}

static enum stasis_status find_by_run_queues(struct linux_system *l)
{
        struct rq_places at;
        uint64_t runqueues, rq, curr, idle, first = 0;
        enum stasis_status status = STASIS_OK;
        places_bind(l->layout, rq_rows, 2, &at);
        if (!at.curr.has || !at.idle.has || !linux_percpu_find(l, "runqueues", &runqueues))
                return STASIS_ABSENT;
        uint32_t limit = cpu_limit(l);
        for (uint32_t cpu = 0; cpu < limit && status == STASIS_OK; cpu++) {
                /* Areas of CPUs that cannot be are all the same place, where no run queue has an idle task. */
                if (!linux_percpu(l, runqueues, cpu, &rq) || (cpu && rq == first) ||
                    read_place(l->kernel, rq, &at.curr, &curr) != STASIS_OK ||
                    read_place(l->kernel, rq, &at.idle, &idle) != STASIS_OK || linux_task_refused(l, idle))
                        break;
                first = cpu ? first : rq;
                l->cpu_count = cpu + 1;
                status = saw_on(l, idle, cpu, true);
                if (status == STASIS_OK)
                        status = saw_on(l, curr, cpu, false);
        }
        return status;
}

/* ---------------------------------------------------------------- children */

/* A hidden task's parent may still have it as its child. */
static enum stasis_status find_by_children(struct linux_system *l)
{
        enum stasis_status status = STASIS_OK;
        size_t count = l->task_count;
        if (!l->at.children.has || !l->at.sibling.has)
                return STASIS_ABSENT;
        for (size_t i = 0; i < count && status == STASIS_OK; i++) {
                struct list_walk walk;
                uint64_t pid = 0;
                status = walk_tasks(l, l->task[i].object + l->at.children.offset, l->at.sibling.offset, LINUX_CHILDREN,
                                    &walk);
                if (status == STASIS_ABSENT || status == STASIS_IO) {
                        status = STASIS_OK;
                        continue;
                }
                if (status != STASIS_OK)
                        break;
                if (read_place(l->kernel, l->task[i].object, &l->at.pid, &pid) != STASIS_OK)
                        pid = 0;
                char what[64];
                snprintf(what, sizeof what, "the list of children of tid %" PRIu64, pid);
                note_torn(l, what, -1, &walk);
                list_free(&walk);
        }
        return status;
}

/* ---------------------------------------------------------------- the table */

static const struct source_row {
        const char *name;
        enum stasis_status (*find)(struct linux_system *l); /* STASIS_ABSENT: this kernel, or the layout, has none */
        const char *heading, *title;
} source_rows[LINUX_SOURCE_COUNT] = {
        [LINUX_TASK_LIST] = { "task-list", find_by_list, "LST", "init_task's list of processes" },
        [LINUX_THREAD_GROUP] = { "thread-group", find_by_groups, "GRP", "its process's list of threads" },
        [LINUX_PID_TABLE] = { "pid-table", source_pid_table, "PID", "the kernel's table of ids" },
        [LINUX_RUN_QUEUE] = { "run-queue", find_by_run_queues, "CPU", "current and idle task of a processor" },
        [LINUX_CHILDREN] = { "children", find_by_children, "CHD", "its parent's list of children" },
        [LINUX_SLAB] = { "slab", source_slab, "SLB", "the slabs that tasks are allocated from" },
};

/* Of processes that the list of processes does not tell, the threads may hang together all the same. */
static enum stasis_status find_rest_of_groups(struct linux_system *l)
{
        linux_merge(l);
        enum stasis_status status = find_by_groups(l);
        return status == STASIS_NOMEM ? status : STASIS_OK;
}

enum stasis_status linux_find_tasks(struct linux_system *l)
{
        for (size_t i = 0; i < LINUX_SOURCE_COUNT; i++) {
                linux_merge(l); /* so that each asks every task once */
                size_t before = l->task_count;
                enum stasis_status status = source_rows[i].find(l);
                if (status == STASIS_NOMEM)
                        return status;
                if (status != STASIS_ABSENT)
                        l->sources_ran |= 1u << i;
                if (status != STASIS_OK && status != STASIS_ABSENT) {
                        l->sources_torn |= 1u << i;
                        system_note(l->system, STASIS_NOTE_MISSING, "source-failed", 0, -1, -1,
                                    "the source %s ended early (%s): tasks that it alone would have seen are missing",
                                    source_rows[i].name, stasis_status_name(status));
                }
                system_trace(l->system, "tasks", status == STASIS_OK, "%s: %zu sightings%s", source_rows[i].name,
                             l->task_count - before, status == STASIS_ABSENT ? " (not known where to look)" : "");
        }
        return find_rest_of_groups(l);
}

const char *linux_source_name(enum linux_source source) { return source_rows[source].name; }

const struct stasis_source *linux_sources(void *priv, size_t *ret_count)
{
        struct linux_system *l = priv;
        if (linux_walk(l, NULL) != STASIS_OK)
                return NULL;
        struct stasis_source *source = arena_array(&l->system->arena, struct stasis_source, LINUX_SOURCE_COUNT);
        for (size_t i = 0; source && i < LINUX_SOURCE_COUNT; i++)
                source[i] =
                        (struct stasis_source){ .name = source_rows[i].name,
                                                .heading = source_rows[i].heading,
                                                .title = source_rows[i].title,
                                                .why_not = l->sources_ran >> i & 1 ? NULL : "not known where to look" };
        for (size_t i = 0; source && i < l->task_count; i++)
                for (size_t k = 0; k < LINUX_SOURCE_COUNT; k++)
                        source[k].threads += l->task[i].sources >> k & 1;
        *ret_count = source ? LINUX_SOURCE_COUNT : 0;
        return source;
}
