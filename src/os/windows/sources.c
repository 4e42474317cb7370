/* SPDX-License-Identifier: MIT */
/*
 * The ways of finding threads. Each source only sights objects; the report merges the sightings by object address. A
 * new way is one function and one row in the table (docs/ADD-A-SOURCE.md). A source that fails becomes a note.
 */
#include <inttypes.h>
#include <stddef.h>

#include "../../base/arena.h"
#include "sources.h"

/* ---------------------------------------------------------------- sightings */

static enum stasis_status add_thread(struct windows *w, const struct windows_thread *t)
{
        if (w->thread_count >= WINDOWS_THREADS_MAX)
                return STASIS_LIMIT;
        if (!stasis_grow(&w->thread, &w->thread_capacity, w->thread_count + 1, sizeof *w->thread) ||
            !address_map_put(&w->thread_at, t->object, (uint32_t)w->thread_count))
                return STASIS_NOMEM;
        w->thread[w->thread_count++] = *t;
        return STASIS_OK;
}

enum stasis_status windows_saw(struct windows *w, uint64_t object, uint32_t process, enum windows_source source,
                               bool behind_tear)
{
        bool listed = source == SOURCE_PROCESS_LIST || source == SOURCE_KPROCESS_LIST;
        uint32_t known = address_map_get(&w->thread_at, object);
        if (known == ADDRESS_MAP_NONE)
                return add_thread(w, &(struct windows_thread){ .object = object,
                                                               .process = process,
                                                               .sources = 1u << source,
                                                               .behind_tear = behind_tear,
                                                               .listed = listed });
        struct windows_thread *t = &w->thread[known];
        bool better = listed && (!t->listed || process < t->process); /* of two lists, the first process's */
        if (better)
                t->process = process;
        if (listed)
                t->behind_tear = t->listed ? t->behind_tear && behind_tear : behind_tear;
        t->listed |= listed;
        t->sources |= 1u << source;
        return STASIS_OK;
}

/* A process that only this source leads to, and with it what is on its own lists. */
static enum stasis_status add_process(struct windows *w, uint64_t object, enum windows_source source)
{
        if (w->process_count >= WINDOWS_PROCESSES_MAX)
                return STASIS_LIMIT;
        if (!windows_add_process(w, object, 1u << source))
                return STASIS_NOMEM;
        return w->lists_walked && !is_virtual(w) ? windows_walk_threads(w, (uint32_t)w->process_count - 1) : STASIS_OK;
}

enum stasis_status windows_saw_process(struct windows *w, uint64_t object, enum windows_source source, bool *ret_is)
{
        size_t index = windows_process_of(w, object);
        *ret_is = index < w->process_count || !windows_process_refused(w, object);
        if (index < w->process_count)
                w->process[index].sources |= 1u << source;
        return index == w->process_count && *ret_is ? add_process(w, object, source) : STASIS_OK;
}

enum stasis_status windows_saw_thread(struct windows *w, uint64_t object, enum windows_source source, bool *ret_is)
{
        uint32_t known = address_map_get(&w->thread_at, object);
        uint64_t owner;
        enum stasis_status status = STASIS_OK;
        if (ret_is)
                *ret_is = known != ADDRESS_MAP_NONE;
        if (known != ADDRESS_MAP_NONE)
                return windows_saw(w, object, w->thread[known].process, source, false);
        if (windows_thread_refused(w, object) || windows_owner_of(w, object, &owner) != STASIS_OK)
                return STASIS_OK;
        size_t index = windows_process_of(w, owner);
        if (index == w->process_count)
                status = add_process(w, owner, SOURCE_OWNER);
        if (ret_is)
                *ret_is = true;
        return status == STASIS_OK ? windows_saw(w, object, (uint32_t)index, source, false) : status;
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
                status = windows_saw(w, ret_walk->entry[i] - links->offset, process, source, i >= ret_walk->behind);
        if (status != STASIS_OK)
                list_free(ret_walk);
        return status;
}

/* A tear is always said, and also whether the process's other list is whole: then nothing need be lost. */
static void note_thread_list(struct windows *w, uint32_t process, enum windows_source source,
                             const struct list_walk *walk, bool other_whole)
{
        struct windows_process *p = &w->process[process];
        if (list_whole(walk) || (p->idle && !walk->forward_at && !walk->backward_at))
                return; /* some kernels never initialise EPROCESS.ThreadListHead of Idle: zeros, and nothing is lost */
        p->torn = true;
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
enum stasis_status windows_walk_threads(struct windows *w, uint32_t process)
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

/*
 * A process on no list: Idle as a rule, whose threads only the processors name. It is marked as such before its lists
 * are walked, as they may say less of it.
 */
static enum stasis_status add_unlisted(struct windows *w, uint64_t process, const struct stasis_processor *p)
{
        uint64_t idle;
        if (!windows_add_process(w, process, 1u << SOURCE_PRCB))
                return STASIS_NOMEM;
        uint32_t index = (uint32_t)w->process_count - 1;
        w->process[index].idle = windows_owner_of(w, p->idle, &idle) == STASIS_OK && idle == process;
        return is_virtual(w) ? STASIS_OK : windows_walk_threads(w, index);
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
        return status == STASIS_OK ? windows_saw(w, thread, (uint32_t)index, SOURCE_PRCB, false) : status;
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
                status = windows_walk_threads(w, (uint32_t)i);
        }
        w->lists_walked = true;
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
        return index < w->process_count ? windows_saw(w, h->thread, (uint32_t)index, SOURCE_DUMP, false) : STASIS_OK;
}

/* The table, by what each source is called. One function may serve several sources: each sighting names its own. */
static const struct source_row {
        const char *name;
        enum stasis_status (*find)(struct windows *w);
        bool walks; /* from object to object: in a virtual image that leads out of the file */
        const char *heading, *title;
} source_rows[SOURCE_COUNT] = {
        [SOURCE_PROCESS_LIST] = { "process-list", find_by_process_lists, true, "LST",
                                  "the process's list of threads (EPROCESS.ThreadListHead)" },
        [SOURCE_KPROCESS_LIST] = { "kprocess-list", NULL, true, "KPR",
                                   "the kernel's list of the process's threads (KPROCESS.ThreadListHead)" }, /* walked
                                                                                                                together
                                                                                                                with the
                                                                                                                other
                                                                                                                list of
                                                                                                                the
                                                                                                                process
                                                                                                              */
        [SOURCE_PRCB] = { "prcb", find_by_processors, false, "CPU", "current, next and idle thread of a processor" },
        [SOURCE_DUMP] = { "dump", find_by_dump, false, "DMP", "the thread that the dump names" },
        [SOURCE_CID] = { "cid-table", windows_find_by_cid, true, "CID", "PspCidTable, by its id" },
        [SOURCE_WAIT_LIST] = { "wait-list", windows_find_by_wait_list, true, "WAI",
                               "the dispatcher's list of waiting threads" },
        [SOURCE_READY_QUEUE] = { "ready-queue", windows_find_by_ready_queue, true, "RDY",
                                 "the dispatcher's ready queues" },
        [SOURCE_QUEUE] = { "queue", windows_find_by_queue, true, "QUE", "a queue that it serves" },
        [SOURCE_MUTANT] = { "mutant-owner", windows_find_by_waits, true, "MUT",
                            "owner of a mutant that another thread waits for" },
        [SOURCE_WAIT_BLOCK] = { "wait-block", NULL, true, "BLK",
                                "waits for an object that another thread waits for" }, /* with the owners, object by
                                                                                          object */
        [SOURCE_TYPE_LIST] = { "type-list", windows_find_by_type, true, "TYP",
                               "the object type's list of its objects" },
        [SOURCE_HANDLE_TABLE] = { "handle-table", windows_find_by_handles, true, "HND", "a handle of some process" },
        [SOURCE_HEADER_SCAN] = { "header-scan", windows_find_by_scan, true, "HDR",
                                 "a scan of all physical memory for thread objects" },
        [SOURCE_POOL_SCAN] = { "pool-scan", NULL, true, "TAG", "the tag of the block of pool that it is in" },
        [SOURCE_OWNER] = { "thread-owner", NULL, true, "OWN", "a thread's process pointer" },
};

/*
 * The order in which they run: what adds processes comes before the lists of their threads, what follows the threads
 * that are known (as the processors are found through them) comes after.
 */
static const enum windows_source source_order[] = {
        SOURCE_CID,       SOURCE_PROCESS_LIST, SOURCE_PRCB,  SOURCE_DUMP,   SOURCE_HANDLE_TABLE, SOURCE_TYPE_LIST,
        SOURCE_WAIT_LIST, SOURCE_READY_QUEUE,  SOURCE_QUEUE, SOURCE_MUTANT, SOURCE_HEADER_SCAN,
};

/* Those that could have seen a thread: their places are known. What has no table to look in says so itself. */
static void mark_run(struct windows *w, enum windows_source source)
{
        const struct windows_places *at = &w->at;
        const bool there[SOURCE_COUNT] = {
                [SOURCE_PROCESS_LIST] = at->process_threads.has && at->thread_links.has,
                [SOURCE_PRCB] = w->processor_count,
                [SOURCE_WAIT_LIST] = at->wait_links.has,
                [SOURCE_READY_QUEUE] = at->wait_links.has,
                [SOURCE_QUEUE] = at->queue_links.has,
                [SOURCE_MUTANT] = at->wait_block_list.has && at->mutant_owner.has,
                [SOURCE_HANDLE_TABLE] = at->object_table.has,
                [SOURCE_HEADER_SCAN] = true,
        };
        for (unsigned i = 0; i < SOURCE_COUNT; i++)
                if (i == source && there[i])
                        w->sources_ran |= 1u << i;
        if (source == SOURCE_PROCESS_LIST && at->kprocess_threads.has && at->kthread_links.has)
                w->sources_ran |= 1u << SOURCE_KPROCESS_LIST;
        if (source == SOURCE_MUTANT && at->wait_block_thread.has && at->header_wait_list.has)
                w->sources_ran |= 1u << SOURCE_WAIT_BLOCK;
        if (source == SOURCE_HEADER_SCAN)
                w->sources_ran |= 1u << SOURCE_POOL_SCAN;
}

enum stasis_status windows_find_threads(struct windows *w)
{
        for (size_t i = 0; i < sizeof source_order / sizeof *source_order; i++) {
                const struct source_row *row = &source_rows[source_order[i]];
                if ((row->walks && is_virtual(w)) ||
                    (source_order[i] == SOURCE_HEADER_SCAN && !w->system->options.every_source))
                        continue;
                enum stasis_status status = row->find(w);
                if (status == STASIS_OK)
                        mark_run(w, source_order[i]);
                if (status == STASIS_NOMEM)
                        return status;
                if (status != STASIS_OK)
                        system_note(w->system, STASIS_NOTE_MISSING, "source-failed", 0, -1, -1,
                                    "the source %s ended early (%s): threads that it alone would have seen are missing",
                                    row->name, stasis_status_name(status));
        }
        return STASIS_OK;
}

const char *windows_source_name(enum windows_source source) { return source_rows[source].name; }

/* What a source that saw nothing could have seen: without its places or its table, nothing. */
static const char *not_asked(const struct windows *w, enum windows_source source)
{
        if (is_virtual(w) && source_rows[source].walks)
                return "this file does not hold whole lists";
        bool scan = source == SOURCE_HEADER_SCAN || source == SOURCE_POOL_SCAN;
        if (scan && !w->system->options.every_source)
                return "not asked for";
        if (source == SOURCE_DUMP && !(stasis_image_hints(w->image)->known & STASIS_HINT_THREAD))
                return "this image names none";
        return w->sources_ran >> source & 1 ? NULL : "not in this version, or not found";
}

const struct stasis_source *windows_sources(void *priv, size_t *ret_count)
{
        struct windows *w = priv;
        if (windows_walk(w, NULL) != STASIS_OK)
                return NULL;
        struct stasis_source *source = arena_array(&w->system->arena, struct stasis_source, SOURCE_OWNER);
        for (size_t i = 0; source && i < SOURCE_OWNER; i++)
                source[i] = (struct stasis_source){ .name = source_rows[i].name,
                                                    .heading = source_rows[i].heading,
                                                    .title = source_rows[i].title,
                                                    .why_not = not_asked(w, (enum windows_source)i) };
        for (size_t i = 0; source && i < w->thread_count; i++)
                for (size_t k = 0; k < SOURCE_OWNER; k++)
                        source[k].threads += w->thread[i].sources >> k & 1;
        for (size_t k = 0; source && k < SOURCE_OWNER; k++)
                if (source[k].threads)
                        source[k].why_not = NULL;
        *ret_count = source ? SOURCE_OWNER : 0;
        return source;
}
