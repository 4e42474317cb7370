/* SPDX-License-Identifier: MIT */
/* The row that registers Windows: from the public calls to the files of the decoder. */
#include "windows.h"

#include <inttypes.h>
#include <stdlib.h>

#include "../../base/error.h"
#include "checks.h"
#include "debug_info.h"
#include "fields.h"
#include "object_header.h"
#include "symbol_files.h"
#include "stand.h"
#include "symbolize.h"
#include "system_rows.h"
#include "token.h"
#include "triage.h"
#include "wait.h"
#include "unloaded_user.h"
#include "wait_all.h"

static void windows_close(void *priv)
{
        struct windows *w = priv;
        if (!w)
                return;
        for (size_t i = 0; i < 3; i++) {
                rows_free(w->fields[i]);
                stasis_arena_free(&w->scratch[i]);
        }
        modules_free(&w->modules);
        modules_free(&w->user_modules);
        stasis_layout_close(w->own_layout);
        stasis_layout_close(w->inferred_layout);
        windows_infer_free(w->infer);
        symbolize_free(w->symbolizer);
        free(w->unloaded_user);
        symbol_files_close(w->symbol_files);
        frames_free(w->frames);
        object_types_free(w->types);
        windows_waits_free(w);
        free(w->processor);
        free(w->process);
        free(w->thread);
        address_map_free(&w->process_at);
        address_map_free(&w->thread_at);
        pager_close(w->pager);
        if (w->token)
                stasis_arena_free(&w->token->arena);
        free(w->token);
        free(w->io);
        free(w->checks);
        free(w->kernel);
        free(w->user);
        free(w->flat);
        free(w);
}

static enum stasis_status bind(struct windows *w, struct stasis_error *err)
{
        w->fields[STASIS_THREADS] = fields_bind(w, thread_rows, thread_row_count, STASIS_THREADS);
        w->fields[STASIS_PROCESSES] = fields_bind(w, process_rows, process_row_count, STASIS_PROCESSES);
        if (!w->fields[STASIS_THREADS] || !w->fields[STASIS_PROCESSES] || !system_facts_make(w))
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        return STASIS_OK;
}

/* Kernel modules serve every address in the answer; a torn list is said, not fatal. */
static void read_modules(struct windows *w)
{
        enum stasis_status status = is_virtual(w)    ? triage_modules(w->image, &w->modules)
                                    : w->module_head ? modules_kernel(w->kernel, w->layout, w->module_head, &w->modules)
                                                     : STASIS_ABSENT;
        w->modules_known = status == STASIS_OK;
        if (!w->modules_known)
                system_note(w->system, STASIS_NOTE_MISSING, "modules-missing", w->module_head, -1, -1,
                            "the list of kernel modules was not found or is not readable: addresses in the kernel have "
                            "no module");
        else if (w->modules.torn)
                system_note(w->system, STASIS_NOTE_MISSING, "module-list-torn", w->module_head, -1, -1,
                            "the list of kernel modules is torn: %zu modules were reached", w->modules.count);
}

/* A file that is given by itself and of no module of the kernel's may be of a user module; it is said all the same. */
static void note_unused_symbols(struct windows *w)
{
        struct pe_image pe;
        bool folder;
        for (size_t i = 0; i < w->modules.count && symbol_files_unused(w->symbol_files, 0, &folder); i++)
                if (pe_open(w->kernel, w->modules.module[i].base, &pe) == STASIS_OK && pe.pdb_known)
                        (void)symbol_files_find(w->symbol_files, pe.pdb_name, &pe.pdb);
        const char *path;
        for (size_t i = 0; (path = symbol_files_unused(w->symbol_files, i, &folder)); i++)
                system_note(w->system, STASIS_NOTE_WARNING, "symbols-unused", 0, -1, -1,
                            folder ? "nothing in %s belongs to a module of this kernel: it is looked into for user "
                                     "modules alone ('stasis symbols' tells which files would help)"
                                   : "%s belongs to no module of this kernel: it is used for user modules with its "
                                     "GUID alone",
                            path);
}

static enum stasis_status windows_open(struct stasis_system *system, void **ret_priv, struct stasis_error *err)
{
        struct windows *w = calloc(1, sizeof *w);
        if (!w)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        *ret_priv = w;
        w->system = system;
        w->image = system->image;
        w->user_process = w->modules_process = UINT32_MAX;
        w->kernel = calloc(1, sizeof *w->kernel);
        w->user = calloc(1, sizeof *w->user);
        w->token = calloc(1, sizeof *w->token);
        if (!w->kernel || !w->user || !w->token)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        enum stasis_status status = windows_discover(w, err);
        if (status == STASIS_OK && !is_virtual(w))
                status = pager_open(w, &w->pager, err);
        if (status != STASIS_OK)
                return status;
        pager_attach(w->pager, w->kernel, w->system_object, &w->kernel_view);
        read_modules(w);
        note_unused_symbols(w);
        return bind(w, err);
}

static const struct stasis_record *windows_facts(void *priv)
{
        struct windows *w = priv;
        system_facts_walked(w);
        return &w->facts;
}

static const struct modules *shown_modules(const struct windows *w)
{
        return w->show_user_modules ? &w->user_modules : &w->modules;
}

static enum stasis_status windows_count(void *priv, enum stasis_what what, size_t *ret_count, struct stasis_error *err)
{
        struct windows *w = priv;
        if (what == STASIS_MODULES) {
                *ret_count = shown_modules(w)->count;
                return STASIS_OK;
        }
        enum stasis_status status = windows_walk(w, err);
        if (status == STASIS_OK)
                *ret_count = what == STASIS_THREADS ? w->thread_count : w->process_count - w->ghost_processes;
        return status;
}

/* A ghost was read by its physical address: what is told is the address that it had. */
static void name_places(struct decode *d, const struct windows_thread *t)
{
        for (size_t i = 0; i < d->set->count; i++) {
                struct stasis_fact *fact = &d->set->fact[i];
                if (fact->va == fact->pa && fact->va - t->pa < 0x2000)
                        fact->va = t->object + (fact->va - t->pa);
        }
}

static const struct stasis_record *decode_thread(struct windows *w, struct windows_thread *t)
{
        struct decode d = { .w = w,
                            .set = w->fields[STASIS_THREADS],
                            .object = t->object,
                            .space = thread_space(w, t),
                            .at = thread_bytes(t),
                            .process = t->process,
                            .thread = t,
                            .arena = &w->scratch[STASIS_THREADS],
                            .quiet = t->decoded };
        stasis_arena_reset(d.arena);
        fields_decode(&d);
        if (!t->decoded && !t->ghost && !t->freed) /* of a thread that is gone there is nothing to check */
                thread_checks(&d);
        if (t->ghost)
                name_places(&d, t);
        t->decoded = true;
        return &d.set->record;
}

static const struct stasis_record *decode_process(struct windows *w, uint32_t index)
{
        struct decode d = { .w = w,
                            .set = w->fields[STASIS_PROCESSES],
                            .object = w->process[index].object,
                            .space = w->kernel,
                            .at = w->process[index].object,
                            .process = index,
                            .arena = &w->scratch[STASIS_PROCESSES] };
        stasis_arena_reset(d.arena);
        fields_decode(&d);
        return &d.set->record;
}

static const struct stasis_record *module_record(struct windows *w, const struct windows_module *module)
{
        size_t count;
        const struct stasis_column *column = module_columns(&count);
        struct stasis_fact *fact;
        stasis_arena_reset(&w->scratch[STASIS_MODULES]);
        fact = arena_array(&w->scratch[STASIS_MODULES], struct stasis_fact, count);
        struct stasis_record *record = arena_new(&w->scratch[STASIS_MODULES], struct stasis_record);
        if (!fact || !record)
                return NULL;
        module_facts(module, fact);
        *record = (struct stasis_record){
                .what = STASIS_MODULES, .object = module->entry, .column = column, .fact = fact, .count = count
        };
        return record;
}

static enum stasis_status windows_record(void *priv, enum stasis_what what, size_t index,
                                         const struct stasis_record **ret_record, struct stasis_error *err)
{
        struct windows *w = priv;
        size_t count;
        enum stasis_status status = windows_count(w, what, &count, err);
        if (status != STASIS_OK)
                return status;
        if (index >= count)
                return stasis_fail(err, STASIS_USAGE, "no object %zu: there are %zu", index, count);
        const struct stasis_record *record = what == STASIS_THREADS ? decode_thread(w, &w->thread[index])
                                             : what == STASIS_PROCESSES
                                                     ? decode_process(w, (uint32_t)index)
                                                     : module_record(w, &shown_modules(w)->module[index]);
        if (!record)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        *ret_record = record;
        return STASIS_OK;
}

static void windows_choose(void *priv, enum stasis_what what, const char *const *keys, size_t count)
{
        struct field_set *set = ((struct windows *)priv)->fields[what];
        if (set)
                rows_choose(set, keys, count);
}

static const struct stasis_column *windows_columns(void *priv, enum stasis_what what, size_t *ret_count)
{
        struct windows *w = priv;
        if (what == STASIS_MODULES)
                return module_columns(ret_count);
        *ret_count = w->fields[what] ? w->fields[what]->count : 0;
        return w->fields[what] ? w->fields[what]->column : NULL;
}

static const struct stasis_column *windows_column_at(enum stasis_what what, size_t index)
{
        size_t count;
        const struct stasis_column *modules = module_columns(&count);
        switch (what) {
        case STASIS_THREADS: return index < thread_row_count ? &thread_rows[index].column : NULL;
        case STASIS_PROCESSES: return index < process_row_count ? &process_rows[index].column : NULL;
        case STASIS_MODULES: return index < count ? &modules[index] : NULL;
        }
        return NULL;
}

static enum stasis_status process_of_pid(struct windows *w, uint64_t pid, uint32_t *ret_index, struct stasis_error *err)
{
        enum stasis_status status = windows_walk(w, err);
        if (status != STASIS_OK)
                return status;
        for (size_t i = 0; i < w->process_count; i++)
                if (w->process[i].pid_known && w->process[i].pid == pid && !w->process[i].ghost) {
                        *ret_index = (uint32_t)i;
                        return STASIS_OK;
                }
        return stasis_fail(err, STASIS_ABSENT, "no process with id %" PRIu64 " was found", pid);
}

static enum stasis_status windows_modules_of(void *priv, uint64_t pid, struct stasis_error *err)
{
        struct windows *w = priv;
        uint32_t index = 0;
        enum stasis_status status = process_of_pid(w, pid, &index, err);
        if (status != STASIS_OK)
                return status;
        (void)windows_user_modules(w, index);
        w->show_user_modules = true;
        if (w->user_modules.torn)
                system_note(w->system, STASIS_NOTE_MISSING, "module-list-torn", w->process[index].peb, (int64_t)pid, -1,
                            "the loader's list of pid %" PRIu64 " is torn or paged out: %zu modules were reached", pid,
                            w->user_modules.count);
        return STASIS_OK;
}

static enum stasis_status windows_thread_at(void *priv, uint64_t object, const struct stasis_record **ret_record,
                                            struct stasis_error *err)
{
        struct windows *w = priv;
        enum stasis_status status = windows_walk(w, err);
        if (status != STASIS_OK)
                return status;
        uint32_t known = address_map_get(&w->thread_at, object);
        if (known != ADDRESS_MAP_NONE) {
                *ret_record = decode_thread(w, &w->thread[known]);
                return STASIS_OK;
        }
        const char *why = windows_thread_refused(w, object);
        if (why)
                return stasis_fail(err, STASIS_ABSENT, "0x%" PRIx64 " is no thread object: %s", object, why);
        uint64_t owner;
        if (windows_owner_of(w, object, &owner) != STASIS_OK)
                return stasis_fail(err, STASIS_ABSENT, "0x%" PRIx64 ": its process is not readable", object);
        size_t process = windows_process_of(w, owner);
        if (process == w->process_count)
                return stasis_fail(err, STASIS_ABSENT,
                                   "0x%" PRIx64 " looks like a thread of the process at 0x%" PRIx64
                                   ", which is on no list",
                                   object, owner);
        w->lone = (struct windows_thread){ .object = object, .process = (uint32_t)process };
        *ret_record = decode_thread(w, &w->lone);
        return STASIS_OK;
}

static void module_debug(void *priv, size_t index, struct stasis_debug *ret_debug)
{
        struct windows *w = priv;
        windows_module_debug(w, w->show_user_modules ? w->modules_process : UINT32_MAX,
                             &shown_modules(w)->module[index], ret_debug);
}

static const struct stasis_processor *windows_processor_list(void *priv, size_t *ret_count)
{
        struct windows *w = priv;
        if (windows_walk(w, NULL) != STASIS_OK)
                return NULL;
        *ret_count = w->processor_count;
        return w->processor;
}

static bool windows_process_root(void *priv, size_t index, struct os_root *ret_root)
{
        const struct windows *w = priv;
        if (index >= w->process_count)
                return false;
        const struct windows_process *p = &w->process[index];
        *ret_root = (struct os_root){ .root = p->dtb,
                                      .like = { .pid = p->pid_known ? (int64_t)p->pid : -1,
                                                .object = p->object,
                                                .process = p->name_known ? p->name : NULL } };
        return true;
}

static struct stasis_space *windows_space(void *priv) { return ((struct windows *)priv)->kernel; }

static enum stasis_status windows_process_space(void *priv, uint64_t pid, struct stasis_space **ret_space,
                                                struct stasis_error *err)
{
        struct windows *w = priv;
        uint32_t index = 0;
        enum stasis_status status = process_of_pid(w, pid, &index, err);
        if (status != STASIS_OK)
                return status;
        struct stasis_space *space = windows_user_space(w, index);
        if (!space)
                return stasis_fail(err, STASIS_ABSENT, "the page tables of pid %" PRIu64 " are gone", pid);
        *ret_space = space;
        return STASIS_OK;
}

static const struct stasis_unloaded *unloaded_shown(void *priv, size_t *ret_count)
{
        struct windows *w = priv;
        return w->show_user_modules ? unloaded_user(w, w->modules_process, ret_count) : windows_unloaded(w, ret_count);
}

const struct stasis_os stasis_os_windows = {
        .name = "windows",
        .title = "Windows",
        .open = windows_open,
        .close = windows_close,
        .facts = windows_facts,
        .count = windows_count,
        .record = windows_record,
        .columns = windows_columns,
        .choose = windows_choose,
        .column_at = windows_column_at,
        .fact_column_at = system_column_at,
        .modules_of = windows_modules_of,
        .thread_at = windows_thread_at,
        .module_debug = module_debug,
        .unloaded = unloaded_shown,
        .processors = windows_processor_list,
        .sources = windows_sources,
        .waits = windows_all_waits,
        .space = windows_space,
        .process_root = windows_process_root,
        .process_space = windows_process_space,
};
