/* SPDX-License-Identifier: MIT */
/*
 * PspCidTable: the handle table whose handles are the ids of processes and threads. It knows what was taken off every
 * list; an id stays in it until its object is deleted. Where it is, three may tell: a PDB symbol, the debugger block,
 * or its shape: a word of the kernel's data that leads to a handle table in which the id of a known process names that
 * process. Whoever tells, the last test is always made.
 */
#include <inttypes.h>
#include <string.h>

#include "../../base/bytes.h"
#include "handle_table.h"
#include "sources.h"

/* Processes whose ids are tried: System's may have been taken out by hand, all of the first ones hardly. */
#define WITNESSES_MAX 16

struct cid {
        struct windows *w;
        struct handle_format format;
        size_t unreadable; /* ids whose object is not there */
        uint64_t first;    /* of these */
        size_t strange;    /* ids of objects that are neither process nor thread */
        size_t processes, threads;
};

/* ---------------------------------------------------------------- where it is */

static bool names_a_process(const struct cid *cid, uint64_t table)
{
        const struct windows *w = cid->w;
        struct handle_entry entry;
        for (size_t i = 0; i < w->process_count && i < WITNESSES_MAX; i++) {
                const struct windows_process *p = &w->process[i];
                if (!p->pid_known || !p->pid)
                        continue;
                enum stasis_status status = handle_table_lookup(w->kernel, &cid->format, table, p->pid, &entry);
                if (status == STASIS_OK && entry.object == p->object)
                        return true;
                if (status == STASIS_CORRUPT) /* no table at all */
                        return false;
        }
        return false;
}

static bool table_at(const struct cid *cid, uint64_t variable, const char *how, uint64_t *ret_table)
{
        const struct windows *w = cid->w;
        uint64_t table;
        if (read_pointer(w, w->kernel, variable, &table) != STASIS_OK || !is_kernel_address(w, table)) {
                system_trace(w->system, "cid-table", false, "PspCidTable 0x%" PRIx64 " (%s): no pointer to a table",
                             variable, how);
                return false;
        }
        bool is = names_a_process(cid, table);
        system_trace(w->system, "cid-table", is,
                     is ? "PspCidTable 0x%" PRIx64 " (%s): table at 0x%" PRIx64
                        : "PspCidTable 0x%" PRIx64 " (%s): the table at 0x%" PRIx64 " names no known process",
                     variable, how, table);
        *ret_table = table;
        return is;
}

/* Could this word be the address of a _HANDLE_TABLE? Most words of the kernel's data are refused before a page is read.
 */
static bool maybe_table(const struct windows *w, uint64_t word)
{
        return word % 8 == 0 && is_kernel_address(w, word) && !(word >= w->pe.base && word - w->pe.base < w->pe.size);
}

/* One page's worth of the kernel's data, or what of it lies before end. */
static bool table_in(const struct cid *cid, uint64_t va, struct stasis_bytes bytes, uint64_t *ret_variable,
                     uint64_t *ret_table)
{
        size_t size = cid->w->pointer_size;
        for (size_t i = 0; i + size <= bytes.len; i += size) {
                uint64_t word = load_le(bytes.at + i, size);
                if (!maybe_table(cid->w, word) || !names_a_process(cid, word))
                        continue;
                *ret_variable = va + i;
                *ret_table = word;
                return true;
        }
        return false;
}

static bool table_by_shape(const struct cid *cid, uint64_t *ret_table)
{
        const struct windows *w = cid->w;
        uint8_t page[4096]; /* a copy: what is looked up meanwhile may take the view's place */
        uint64_t variable;
        for (struct pe_part part = { 0 }; pe_next_part(&w->pe, PE_WRITABLE, &part);)
                for (uint64_t va = part.va, step; va < part.end; va += step) {
                        step = 4096 - va % 4096;
                        struct stasis_bytes bytes = stasis_space_view(w->kernel, va, (size_t)step);
                        if (!bytes.at)
                                continue;
                        memcpy(page, bytes.at, bytes.len);
                        bytes.at = page;
                        if (!table_in(cid, va, bytes, &variable, ret_table))
                                continue;
                        system_trace(w->system, "cid-table", true,
                                     "PspCidTable 0x%" PRIx64 " (by its shape): table at 0x%" PRIx64, variable,
                                     *ret_table);
                        return true;
                }
        system_trace(w->system, "cid-table", false, "no word of the kernel's data leads to a table of ids");
        return false;
}

static bool find_table(const struct cid *cid, uint64_t *ret_table)
{
        const struct windows *w = cid->w;
        uint64_t va;
        if (windows_symbol(w, "PspCidTable", &va) && table_at(cid, va, "PDB symbol", ret_table))
                return true;
        if (w->has_kdbg && w->kdbg.PspCidTable && table_at(cid, w->kdbg.PspCidTable, "debugger block", ret_table))
                return true;
        return w->has_pe && table_by_shape(cid, ret_table);
}

/* ---------------------------------------------------------------- what it names */

/* An id that names an object of another id: one of the two was changed, or the table's page is of another moment. */
static void check_id(const struct cid *cid, const struct handle_entry *entry, bool thread)
{
        const struct windows *w = cid->w;
        uint64_t id;
        const struct place *place = thread ? &w->at.cid_thread : &w->at.process_id;
        if (read_place(w->kernel, entry->object, place, &id) != STASIS_OK || id == entry->handle)
                return;
        system_note(w->system, STASIS_NOTE_WARNING, "cid-entry-disagrees", entry->object, thread ? -1 : (int64_t)id,
                    thread ? (int64_t)id : -1, "id %" PRIu64 " of PspCidTable names a %s that says its id is %" PRIu64,
                    entry->handle, thread ? "thread" : "process", id);
}

static enum stasis_status take_entry(void *ctx, const struct handle_entry *entry)
{
        struct cid *cid = ctx;
        struct windows *w = cid->w;
        uint64_t type;
        bool is = false;
        if (!is_kernel_address(w, entry->object) ||
            read_place(w->kernel, entry->object, &w->at.header_type, &type) != STASIS_OK) {
                if (!cid->unreadable++)
                        cid->first = entry->handle;
                return STASIS_OK;
        }
        bool thread = is_dispatcher(type, DISPATCHER_THREAD);
        enum stasis_status status = thread ? windows_saw_thread(w, entry->object, SOURCE_CID, &is)
                                           : windows_saw_process(w, entry->object, SOURCE_CID, &is);
        if (status != STASIS_OK)
                return status;
        if (is)
                check_id(cid, entry, thread);
        cid->strange += !is;
        cid->threads += is && thread;
        cid->processes += is && !thread;
        return STASIS_OK;
}

static void note_losses(const struct cid *cid, uint64_t table, const struct handle_walk *walk)
{
        const struct windows *w = cid->w;
        if (walk->missing)
                system_note(w->system, STASIS_NOTE_MISSING, "cid-table-torn", table, -1, -1,
                            "%zu pages of PspCidTable are not readable, the first at 0x%" PRIx64
                            ": what only their ids would lead to is missing",
                            walk->missing, walk->missing_at);
        if (cid->unreadable)
                system_note(w->system, STASIS_NOTE_MISSING, "cid-object-missing", table, -1, -1,
                            "%zu ids of PspCidTable name objects that are not readable, the first is id %" PRIu64
                            ": these processes or threads are missing",
                            cid->unreadable, cid->first);
        if (cid->strange)
                system_note(w->system, STASIS_NOTE_WARNING, "cid-object-strange", table, -1, -1,
                            "%zu ids of PspCidTable name what is neither a process nor a thread", cid->strange);
}

enum stasis_status windows_find_by_cid(struct windows *w)
{
        struct cid cid = { .w = w };
        struct handle_walk walk;
        uint64_t table;
        if (!handle_format_bind(w->layout, w->kernel->paging, &cid.format) &&
            !handle_format_old(w->version.build, &cid.format)) {
                system_trace(w->system, "cid-table", false, "this layout has no handle tables");
                return STASIS_OK;
        }
        if (!find_table(&cid, &table))
                return STASIS_OK;
        enum stasis_status status = handle_table_walk(w->kernel, &cid.format, table, 0, take_entry, &cid, &walk);
        if (status != STASIS_OK)
                return status;
        w->sources_ran |= 1u << SOURCE_CID;
        w->ids_torn = walk.missing || cid.unreadable;
        system_trace(w->system, "cid-table", true, "%zu processes and %zu threads in %zu pages", cid.processes,
                     cid.threads, walk.pages);
        note_losses(&cid, table, &walk);
        return STASIS_OK;
}
