/* SPDX-License-Identifier: MIT */
/* Every wait of every thread, as the graph of waits wants them (../waits.h). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/error.h"
#include "../waits.h"
#include "names.h"
#include "object_header.h"
#include "wait_internal.h"
#include "wait_all.h"

struct gathered {
        struct windows *w;
        struct stasis_arena *arena;
        struct stasis_wait *wait; /* grows outside the arena */
        size_t count, capacity, owners;
        size_t waiting;
        bool cut, exhausted;
};

static const char *kind_name(const struct windows *w, uint8_t kind)
{
        struct stasis_name names[64];
        size_t count = stasis_layout_enum(w->layout, "_KOBJECTS", names, 64);
        const char *name = name_of(names, count < 64 ? count : 64, kind);
        if (name)
                return name;
        const struct stasis_name *common = names_kobjects(w, &count);
        return name_of(common, count, kind);
}

/* Those of the owners that are threads of the answer. */
static void take_owners(struct gathered *g, const struct windows_wait *from, struct stasis_wait *wait)
{
        size_t *owner = arena_array(g->arena, size_t, from->owners);
        g->exhausted |= !owner;
        for (size_t i = 0; owner && i < from->owners; i++) {
                owner[wait->owner_count] = windows_thread_index(g->w, from->owner[i]);
                wait->owner_count += owner[wait->owner_count] < g->w->thread_count;
        }
        wait->owner = owner;
        g->owners += wait->owner_count;
}

static void take_wait(struct gathered *g, size_t thread, const struct wait_list *list, const struct windows_wait *from)
{
        struct windows_object object;
        struct stasis_wait wait = { .thread = thread,
                                    .object = from->object,
                                    .container = from->container,
                                    .what = wait_what_name((enum wait_what)from->what),
                                    .kind = from->kind_known ? kind_name(g->w, from->kind) : NULL,
                                    .name = from->name,
                                    .from = from->owners ? from->from : NULL,
                                    .process = SIZE_MAX,
                                    .alone = list->all };
        if (from->object && windows_object(g->w, from->object, g->arena, &object)) {
                wait.type = object.type_name;
                wait.name = wait.name ? wait.name : object.name;
        }
        if (from->owners && from->process) {
                size_t process = windows_process_of(g->w, from->owner[0]);
                wait.process = process < g->w->process_count ? process : SIZE_MAX;
                wait.ends = from->all;
        } else if (from->owners) {
                take_owners(g, from, &wait);
        }
        if (!stasis_grow(&g->wait, &g->capacity, g->count + 1, sizeof *g->wait))
                g->exhausted = true;
        else
                g->wait[g->count++] = wait;
}

static void note_cut(const struct gathered *g)
{
        if (g->cut)
                system_note(g->w->system, STASIS_NOTE_MISSING, "waits-cut", 0, -1, -1,
                            "threads wait for more than the %u things that are kept: the rest is not in the graph",
                            STASIS_WAITS_MAX);
}

static void note_torn(const struct gathered *g, const struct windows_thread *thread, const struct wait_list *list)
{
        if (list->torn)
                system_note(g->w->system, STASIS_NOTE_MISSING, "wait-blocks-torn", thread->object, (int64_t)thread->pid,
                            (int64_t)thread->tid,
                            "the wait blocks end at 0x%" PRIx64
                            ", which is not readable or no block of this thread: %zu "
                            "were reached",
                            list->torn_at, list->count);
}

static void take_thread(struct gathered *g, size_t index)
{
        struct wait_list list;
        size_t first = g->count, others = 0;
        bool timed = false;
        windows_waits(g->w, &g->w->thread[index], g->arena, true, &list);
        g->waiting += list.why != STASIS_NOT_APPLICABLE;
        if (!g->w->thread[index].decoded)
                note_torn(g, &g->w->thread[index], &list);
        for (size_t i = 0; i < list.count && !g->exhausted; i++) {
                timed |= list.wait[i].what == WAIT_TIMEOUT;
                others += list.wait[i].what != WAIT_TIMEOUT;
                take_wait(g, index, &list, &list.wait[i]);
        }
        for (size_t i = first; i < g->count; i++) {
                g->wait[i].alone |= others == 1 && !list.torn;
                g->wait[i].timed = timed;
        }
        g->cut = g->count > STASIS_WAITS_MAX || g->owners > STASIS_WAITS_MAX;
}

enum stasis_status windows_all_waits(void *priv, struct wait_input *ret_input, struct stasis_error *err)
{
        struct windows *w = priv;
        struct gathered g = { .w = w, .arena = &w->system->arena };
        enum stasis_status status = windows_walk(w, err);
        if (status != STASIS_OK)
                return status;
        size_t *process_of = arena_array(g.arena, size_t, w->thread_count + 1);
        for (size_t i = 0; process_of && i < w->thread_count; i++)
                process_of[i] = w->thread[i].process < w->process_count ? w->thread[i].process : SIZE_MAX;
        for (size_t i = 0; i < w->thread_count && !g.cut && !g.exhausted; i++)
                take_thread(&g, i);
        note_cut(&g);
        *ret_input = (struct wait_input){ .count = g.count,
                                          .process_of = process_of,
                                          .threads = w->thread_count,
                                          .processes = w->process_count,
                                          .waiting = g.waiting,
                                          .cut = g.cut };
        ret_input->wait = arena_array(g.arena, struct stasis_wait, g.count + 1);
        if (ret_input->wait && g.count)
                memcpy(ret_input->wait, g.wait, g.count * sizeof *g.wait);
        free(g.wait);
        return ret_input->wait && process_of && !g.exhausted ? STASIS_OK
                                                             : stasis_fail(err, STASIS_NOMEM, "out of memory");
}
