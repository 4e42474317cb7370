/* SPDX-License-Identifier: MIT */
/*
 * Why a task is not seen by all that should see it: the reasons as a table, the first that holds is told. None of them
 * is a verdict. A task that was forked is put on its lists and into the table of ids at once, under one lock, and taken
 * off together when its end was reported (copy_process of kernel/fork.c, __unhash_process of kernel/exit.c); what is
 * not, somebody took apart, or the image was made in between.
 */
#include "linux.h"

#define LISTS (1u << LINUX_TASK_LIST | 1u << LINUX_THREAD_GROUP)
#define IDS (1u << LINUX_PID_TABLE)
#define ALLOCATOR (1u << LINUX_SLAB)
#define TASK_NEW 0x800u /* since 4.8 */

struct sighting {
        const struct linux_system *l;
        uint64_t state, exit_state;
        uint32_t seen, unseen;
};

/* Idle tasks are on no list and have no id of their own; who leads no group is on no list of processes. */
static uint32_t should_see(const struct linux_system *l, const struct linux_task *t)
{
        if (t->idle || t->tid == 0)
                return 0;
        uint32_t ran = l->sources_ran & (LISTS | IDS);
        return t->tid == t->pid ? ran : ran & ~(1u << LINUX_TASK_LIST);
}

static bool is_dead(const struct sighting *s)
{
        return s->unseen && s->exit_state == (s->l->version && s->l->version < LINUX_VERSION(3, 14) ? 32u : 16u);
}
static bool is_starting(const struct sighting *s)
{
        return s->unseen && s->state & TASK_NEW && s->l->version >= LINUX_VERSION(4, 8);
}
static bool is_torn(const struct sighting *s) { return s->unseen && (s->unseen & s->l->sources_torn) == s->unseen; }
static bool by_slab_only(const struct sighting *s) { return s->unseen && !(s->seen & ~ALLOCATOR); }
static bool without_id(const struct sighting *s) { return s->unseen == IDS; }
static bool off_lists(const struct sighting *s) { return (s->unseen & LISTS) && !(s->seen & LISTS); }
static bool off_a_list(const struct sighting *s) { return (s->unseen & LISTS) != 0; }

static const struct reason_row {
        const char *name; /* docs/FIELDS.md tells them */
        bool (*holds)(const struct sighting *s);
} reason_rows[] = {
        { "terminated", is_dead },     { "starting", is_starting }, { "torn-list", is_torn },
        { "slab-only", by_slab_only }, { "unlinked", off_lists },   { "half-unlinked", off_a_list },
        { "no-id", without_id },
};

static struct sighting sight(const struct linux_system *l, const struct linux_task *t)
{
        struct sighting s = { .l = l, .seen = t->sources, .unseen = should_see(l, t) & ~t->sources };
        if (read_place(l->kernel, t->object, &l->at.state, &s.state) != STASIS_OK)
                s.state = 0;
        if (read_place(l->kernel, t->object, &l->at.exit_state, &s.exit_state) != STASIS_OK)
                s.exit_state = 0;
        return s;
}

uint32_t linux_unseen_by(const struct linux_system *l, const struct linux_task *t)
{
        return should_see(l, t) & ~t->sources;
}

const char *linux_hidden_why(const struct linux_system *l, const struct linux_task *t)
{
        struct sighting s = sight(l, t);
        for (size_t i = 0; i < sizeof reason_rows / sizeof *reason_rows; i++)
                if (reason_rows[i].holds(&s))
                        return reason_rows[i].name;
        return NULL;
}
