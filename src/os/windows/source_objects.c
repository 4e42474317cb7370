/* SPDX-License-Identifier: MIT */
/*
 * Threads that other objects name: the owner of a mutant that somebody waits for, whoever waits for the same object as
 * a thread that is known, handles of every process, and the list that an object type keeps of its objects where it was
 * told to (FLG_MAINTAIN_OBJECT_TYPELIST).
 */
#include <inttypes.h>

#include "handle_table.h"
#include "sources.h"

#define WAIT_BLOCKS_MAX 64 /* MAXIMUM_WAIT_OBJECTS */
#define DISPATCHER_MUTANT 2
#define HANDLE_PAGES_MAX 65536 /* of entries, of all processes together: 16 million handles and more */

/* ---------------------------------------------------------------- what threads wait for */

struct waits {
        struct windows *w;
        uint32_t block_size;     /* of a KWAIT_BLOCK; 0: not known */
        struct address_map seen; /* objects */
        size_t owners, waiters;
};

/* Whose thread owns it, if it can be owned. */
static enum stasis_status saw_owner(struct waits *s, uint64_t object)
{
        struct windows *w = s->w;
        uint64_t type, owner;
        bool is = false;
        if (read_place(w->kernel, object, &w->at.header_type, &type) != STASIS_OK ||
            !is_dispatcher(type, DISPATCHER_MUTANT) ||
            read_place(w->kernel, object, &w->at.mutant_owner, &owner) != STASIS_OK || !owner)
                return STASIS_OK;
        enum stasis_status status = windows_saw_thread(w, owner, SOURCE_MUTANT, &is);
        s->owners += is;
        return status;
}

static bool accept_block(void *ctx, uint64_t entry)
{
        const struct waits *s = ctx;
        uint64_t thread;
        return read_place(s->w->kernel, entry - s->w->at.wait_block_links.offset, &s->w->at.wait_block_thread,
                          &thread) == STASIS_OK &&
               is_kernel_address(s->w, thread);
}

/* Everybody on an object's list of wait blocks; a thread that waits alone leads to nobody. */
static enum stasis_status saw_waiters(struct waits *s, uint64_t object)
{
        struct windows *w = s->w;
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = WINDOWS_THREADS_MAX, .accept = accept_block, .ctx = s
        };
        struct list_walk walk;
        if (!w->at.header_wait_list.has || !w->at.wait_block_thread.has)
                return STASIS_OK;
        enum stasis_status status = list_walk(w->kernel, object + w->at.header_wait_list.offset, &options, &walk);
        if (status != STASIS_OK)
                return status == STASIS_NOMEM ? status : STASIS_OK;
        for (size_t i = 0; list_whole(&walk) && walk.count > 1 && i < walk.count && status == STASIS_OK; i++) {
                uint64_t thread;
                bool is = false;
                if (read_place(w->kernel, walk.entry[i] - w->at.wait_block_links.offset, &w->at.wait_block_thread,
                               &thread) == STASIS_OK)
                        status = windows_saw_thread(w, thread, SOURCE_WAIT_BLOCK, &is);
                s->waiters += is;
        }
        list_free(&walk);
        return status;
}

static enum stasis_status follow_object(struct waits *s, uint64_t object)
{
        if (!is_kernel_address(s->w, object) || address_map_get(&s->seen, object) != ADDRESS_MAP_NONE)
                return STASIS_OK;
        if (!address_map_put(&s->seen, object, 0))
                return STASIS_NOMEM;
        enum stasis_status status = saw_owner(s, object);
        return status == STASIS_OK ? saw_waiters(s, object) : status;
}

/* The blocks of one thread that waits: linked until 7, counted from 8 on. */
static enum stasis_status follow_thread(struct waits *s, uint64_t thread)
{
        struct windows *w = s->w;
        uint64_t first, object, count = WAIT_BLOCKS_MAX;
        if (read_place(w->kernel, thread, &w->at.wait_block_list, &first) != STASIS_OK || !first)
                return STASIS_OK;
        if (!w->at.wait_block_next.has && (!s->block_size || !w->at.wait_block_count.has ||
                                           read_place(w->kernel, thread, &w->at.wait_block_count, &count) != STASIS_OK))
                return STASIS_OK;
        uint64_t block = first;
        for (uint64_t i = 0; i < count && i < WAIT_BLOCKS_MAX; i++) {
                if (!is_kernel_address(w, block) ||
                    read_place(w->kernel, block, &w->at.wait_block_object, &object) != STASIS_OK)
                        break;
                enum stasis_status status = follow_object(s, object);
                if (status != STASIS_OK)
                        return status;
                if (!w->at.wait_block_next.has)
                        block += s->block_size;
                else if (read_place(w->kernel, block, &w->at.wait_block_next, &block) != STASIS_OK || block == first)
                        break;
        }
        return STASIS_OK;
}

enum stasis_status windows_find_by_waits(struct windows *w)
{
        struct waits s = { .w = w, .block_size = stasis_layout_sizeof(w->layout, "_KWAIT_BLOCK") };
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; w->at.wait_block_list.has && i < w->thread_count && status == STASIS_OK; i++) {
                uint64_t state;
                if (read_place(w->kernel, w->thread[i].object, &w->at.thread_state, &state) == STASIS_OK &&
                    state == THREAD_STATE_WAITING)
                        status = follow_thread(&s, w->thread[i].object);
        }
        system_trace(w->system, "mutant-owner", s.owners != 0,
                     "%zu objects are waited for; %zu of them name an owner, %zu threads wait", s.seen.count, s.owners,
                     s.waiters);
        address_map_free(&s.seen);
        return status;
}

/* ---------------------------------------------------------------- handles */

struct handles {
        struct windows *w;
        struct handle_format format;
        struct address_map seen; /* tables */
        size_t pages_left, tables, entries, threads, missing;
        bool cut;
};

static enum stasis_status take_handle(void *ctx, const struct handle_entry *entry)
{
        struct handles *h = ctx;
        struct windows *w = h->w;
        uint64_t type, object = entry->object + h->format.body;
        bool is = false;
        if (!is_kernel_address(w, object) || read_place(w->kernel, object, &w->at.header_type, &type) != STASIS_OK)
                return STASIS_OK;
        enum stasis_status status = STASIS_OK;
        if (is_dispatcher(type, DISPATCHER_THREAD))
                status = windows_saw_thread(w, object, SOURCE_HANDLE_TABLE, &is);
        else if (is_dispatcher(type, DISPATCHER_PROCESS))
                status = windows_saw_process(w, object, SOURCE_HANDLE_TABLE, &is);
        h->threads += is;
        return status;
}

static enum stasis_status walk_handles(struct handles *h, uint64_t table)
{
        struct handle_walk walk;
        if (!is_kernel_address(h->w, table) || address_map_get(&h->seen, table) != ADDRESS_MAP_NONE)
                return STASIS_OK;
        if (!address_map_put(&h->seen, table, 0))
                return STASIS_NOMEM;
        enum stasis_status status =
                handle_table_walk(h->w->kernel, &h->format, table, h->pages_left, take_handle, h, &walk);
        h->pages_left -= walk.pages + walk.missing < h->pages_left ? walk.pages + walk.missing : h->pages_left - 1;
        h->tables++;
        h->entries += walk.entries;
        h->missing += walk.missing + (status != STASIS_OK);
        h->cut |= walk.cut;
        return status == STASIS_NOMEM || status == STASIS_LIMIT ? status : STASIS_OK;
}

/* A table off HandleTableListHead, and the process that it says is charged for it. */
static enum stasis_status take_table(struct handles *h, uint64_t table)
{
        uint64_t process;
        bool is;
        enum stasis_status status = STASIS_OK;
        if (read_place(h->w->kernel, table, &h->format.quota_process, &process) == STASIS_OK && process)
                status = windows_saw_process(h->w, process, SOURCE_HANDLE_TABLE, &is);
        return status == STASIS_OK ? walk_handles(h, table) : status;
}

static bool accept_table(void *ctx, uint64_t entry)
{
        const struct handles *h = ctx;
        uint64_t code;
        return read_place(h->w->kernel, entry - h->format.list.offset, &h->format.code, &code) == STASIS_OK &&
               is_kernel_address(h->w, code);
}

/* The ring of all tables, entered at System's: those of processes that no list has are on it too. */
static enum stasis_status walk_tables(struct handles *h, uint64_t table)
{
        struct windows *w = h->w;
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = WINDOWS_PROCESSES_MAX, .accept = accept_table, .ctx = h
        };
        struct list_walk walk;
        if (!h->format.list.has || list_walk(w->kernel, table + h->format.list.offset, &options, &walk) != STASIS_OK)
                return STASIS_OK;
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; i < walk.count && status == STASIS_OK; i++)
                status = take_table(h, walk.entry[i] - h->format.list.offset);
        list_free(&walk);
        return status;
}

enum stasis_status windows_find_by_handles(struct windows *w)
{
        struct handles h = { .w = w, .pages_left = HANDLE_PAGES_MAX };
        enum stasis_status status = STASIS_OK;
        uint64_t table, system_table = 0;
        if (!w->at.object_table.has ||
            !handle_format_of_process(w->layout, w->kernel->paging, w->version.build, &h.format) || !h.format.body)
                return STASIS_OK;
        for (size_t i = 0; i < w->process_count && status == STASIS_OK; i++) { /* also of those that handles lead to */
                if (read_place(w->kernel, w->process[i].object, &w->at.object_table, &table) != STASIS_OK || !table)
                        continue;
                if (w->process[i].object == w->system_object)
                        system_table = table;
                status = walk_handles(&h, table);
        }
        if (system_table && status == STASIS_OK)
                status = walk_tables(&h, system_table);
        system_trace(w->system, "handle-table", h.threads != 0,
                     "%zu handles in %zu tables, %zu of processes and threads; %zu pages are not readable%s", h.entries,
                     h.tables, h.threads, h.missing, h.cut ? "; the bound of pages was reached" : "");
        address_map_free(&h.seen);
        return status;
}

/* ---------------------------------------------------------------- the type's own list */

struct type_list {
        struct windows *w;
        uint32_t body; /* of an object, behind its creator information, which stands before its header */
};

static bool accept_object(void *ctx, uint64_t entry)
{
        const struct type_list *list = ctx;
        return !windows_thread_refused(list->w, entry + list->body);
}

/* PsThreadType, which drivers import. */
static bool thread_type(const struct windows *w, uint64_t *ret_type)
{
        uint64_t variable;
        return ((w->has_pe && pe_export(w->kernel, &w->pe, "PsThreadType", &variable) == STASIS_OK) ||
                windows_symbol(w, "PsThreadType", &variable)) &&
               read_pointer(w, w->kernel, variable, ret_type) == STASIS_OK && is_kernel_address(w, *ret_type);
}

enum stasis_status windows_find_by_type(struct windows *w)
{
        uint32_t creator = stasis_layout_sizeof(w->layout, "_OBJECT_HEADER_CREATOR_INFO");
        struct stasis_member body = { 0 };
        bool known = w->at.type_list.has && creator && stasis_layout_member(w->layout, "_OBJECT_HEADER.Body", &body);
        struct type_list list = { .w = w, .body = creator + body.offset };
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = WINDOWS_THREADS_MAX, .accept = accept_object, .ctx = &list
        };
        struct list_walk walk;
        uint64_t type;
        if (!known || !thread_type(w, &type) ||
            list_walk(w->kernel, type + w->at.type_list.offset, &options, &walk) != STASIS_OK)
                return STASIS_OK;
        enum stasis_status status = STASIS_OK;
        for (size_t i = 0; i < walk.count && status == STASIS_OK; i++)
                status = windows_saw_thread(w, walk.entry[i] + list.body, SOURCE_TYPE_LIST, NULL);
        system_trace(w->system, "type-list", walk.count != 0, "%zu threads on the list of the type Thread%s",
                     walk.count, walk.count ? "" : ": this kernel was not told to keep it");
        list_free(&walk);
        return status;
}
