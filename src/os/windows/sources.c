/* SPDX-License-Identifier: MIT */
/*
 * The ways of finding threads. Each source only sights objects; the report merges the sightings by object address. A
 * new way is one function and one row in the table (docs/ADD-A-SOURCE.md). A source that fails becomes a note.
 */
#include <inttypes.h>
#include <stddef.h>

#include "../../base/arena.h"
#include "windows.h"

/* ---------------------------------------------------------------- sightings */

static enum stasis_status saw(struct windows *w, uint64_t object, uint32_t process, enum windows_source source,
                              bool behind_tear)
{
        if (w->thread_count >= WINDOWS_THREADS_MAX)
                return STASIS_LIMIT;
        if (!stasis_grow(&w->thread, &w->thread_capacity, w->thread_count + 1, sizeof *w->thread))
                return STASIS_NOMEM;
        w->thread[w->thread_count++] = (struct windows_thread){
                .object = object, .process = process, .sources = 1u << source, .behind_tear = behind_tear
        };
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

/* One thread list of one process. */
static enum stasis_status walk_threads(struct windows *w, uint32_t process, const struct place *head,
                                       const struct place *links, enum windows_source source,
                                       struct list_walk *ret_walk)
{
        struct thread_list list = { .w = w, .links = links->offset };
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = WINDOWS_THREADS_MAX, .accept = accept_thread, .ctx = &list
        };
        enum stasis_status status = list_walk(w->kernel, w->process[process].object + head->offset, &options, ret_walk);
        for (size_t i = 0; status == STASIS_OK && i < ret_walk->count; i++)
                status = saw(w, ret_walk->entry[i] - links->offset, process, source, i >= ret_walk->behind);
        if (status != STASIS_OK)
                list_free(ret_walk);
        return status;
}

/* A tear is always said, and also whether the process's other list is whole: then nothing need be lost. */
static void note_thread_list(struct windows *w, uint32_t process, enum windows_source source,
                             const struct list_walk *walk, bool other_whole)
{
        const struct windows_process *p = &w->process[process];
        if (list_whole(walk) || (p->idle && !walk->forward_at && !walk->backward_at))
                return; /* some kernels never initialise EPROCESS.ThreadListHead of Idle: zeros, and nothing is lost */
        system_note(w->system, STASIS_NOTE_MISSING, "thread-list-torn", walk->forward_at, (int64_t)p->pid, -1,
                    "%s of pid %" PRIu64 " is torn: forwards it ends at 0x%" PRIx64 " (%s), backwards at 0x%" PRIx64
                    " (%s); %zu threads were reached, %zu of them only backwards%s",
                    windows_source_name(source), p->pid, walk->forward_at, list_end_name(walk->forward),
                    walk->backward_at, list_end_name(walk->backward), walk->count, walk->count - walk->behind,
                    other_whole ? "; the process's other list is whole" : "");
}

static const struct list_row {
        enum windows_source source;
        size_t head, links; /* places */
} list_rows[] = {
        { SOURCE_PROCESS_LIST, offsetof(struct windows_places, process_threads),
          offsetof(struct windows_places, thread_links) },
        { SOURCE_KPROCESS_LIST, offsetof(struct windows_places, kprocess_threads),
          offsetof(struct windows_places, kthread_links) },
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
                        system_note(w->system, STASIS_NOTE_MISSING, "thread-list-unreadable",
                                    w->process[process].object, (int64_t)w->process[process].pid, -1,
                                    "the head of %s of pid %" PRIu64 " is not readable",
                                    windows_source_name(list_rows[i].source), w->process[process].pid);
                        status = STASIS_OK;
                }
        }
        for (size_t i = 0; i < LIST_ROWS; i++) {
                size_t other = (i + 1) % LIST_ROWS;
                if (!walked[i])
                        continue;
                if (status == STASIS_OK)
                        note_thread_list(w, process, list_rows[i].source, &walk[i],
                                         walked[other] && list_whole(&walk[other]));
        }
        for (size_t i = 0; i < LIST_ROWS; i++)
                if (walked[i])
                        list_free(&walk[i]);
        return status;
}

/* A process on no list: Idle as a rule, whose threads only the processors name. */
static enum stasis_status add_unlisted(struct windows *w, uint64_t process, const struct stasis_processor *p)
{
        uint64_t idle;
        if (!windows_add_process(w, process, 1u << SOURCE_PRCB))
                return STASIS_NOMEM;
        uint32_t index = (uint32_t)w->process_count - 1;
        w->process[index].idle = windows_owner_of(w, p->idle, &idle) == STASIS_OK && idle == process;
        return is_virtual(w) ? STASIS_OK : find_by_lists(w, index);
}

static enum stasis_status saw_on(struct windows *w, const struct stasis_processor *p, uint64_t thread)
{
        uint64_t process;
        enum stasis_status status = STASIS_OK;
        if (!thread || windows_thread_refused(w, thread) || windows_owner_of(w, thread, &process) != STASIS_OK)
                return STASIS_OK;
        size_t index = windows_process_of(w, process);
        if (index == w->process_count)
                status = add_unlisted(w, process, p);
        return status == STASIS_OK ? saw(w, thread, (uint32_t)index, SOURCE_PRCB, false) : status;
}

/* Current, next and idle thread of each processor; after the lists, whose threads name the processors too. */
static enum stasis_status find_by_processors(struct windows *w)
{
        enum stasis_status status = windows_processors(w);
        for (size_t i = 0; i < w->processor_count && status == STASIS_OK; i++) {
                const struct stasis_processor *p = &w->processor[i];
                status = saw_on(w, p, p->current);
                if (status == STASIS_OK)
                        status = saw_on(w, p, p->next);
                if (status == STASIS_OK)
                        status = saw_on(w, p, p->idle);
        }
        return status;
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

/* The thread that a triage dump was made of. */
static enum stasis_status find_by_dump(struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t owner;
        if (!(h->known & STASIS_HINT_THREAD) || windows_thread_refused(w, h->thread) ||
            windows_owner_of(w, h->thread, &owner) != STASIS_OK)
                return STASIS_OK;
        size_t index = windows_process_of(w, owner);
        return index < w->process_count ? saw(w, h->thread, (uint32_t)index, SOURCE_DUMP, false) : STASIS_OK;
}

/* The table. One function may serve several sources: each sighting names its own. */
static const struct source_row {
        const char *name;
        enum stasis_status (*find)(struct windows *w);
        bool walks; /* from object to object: in a virtual image that leads out of the file */
} source_rows[SOURCE_COUNT] = {
        [SOURCE_PROCESS_LIST] = { "process-list", find_by_process_lists, true },
        [SOURCE_KPROCESS_LIST] = { "kprocess-list", NULL,
                                   true }, /* walked together with the other list of the process */
        [SOURCE_PRCB] = { "prcb", find_by_processors, false },
        [SOURCE_DUMP] = { "dump", find_by_dump, false },
};

enum stasis_status windows_find_threads(struct windows *w)
{
        for (size_t i = 0; i < SOURCE_COUNT; i++) {
                if (!source_rows[i].find || (source_rows[i].walks && is_virtual(w)))
                        continue;
                enum stasis_status status = source_rows[i].find(w);
                if (status == STASIS_NOMEM)
                        return status;
                if (status != STASIS_OK)
                        system_note(w->system, STASIS_NOTE_MISSING, "source-failed", 0, -1, -1,
                                    "the source %s ended early (%s): threads that it alone would have seen are missing",
                                    source_rows[i].name, stasis_status_name(status));
        }
        return STASIS_OK;
}

const char *windows_source_name(enum windows_source source) { return source_rows[source].name; }
