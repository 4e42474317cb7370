/* SPDX-License-Identifier: MIT */
/* The row that registers Linux: from the public calls to the files of the decoder. */
#include "linux.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/error.h"
#include "fields.h"
#include "system_rows.h"
#include "user.h"

static void linux_close(void *priv)
{
        struct linux_system *l = priv;
        if (!l)
                return;
        for (size_t i = 0; i < 3; i++) {
                rows_free(l->fields[i]);
                stasis_arena_free(&l->scratch[i]);
        }
        stasis_arena_free(&l->root_name);
        linux_modules_free(&l->modules);
        linux_stacks_free(l->stacks);
        linux_user_free(l->memory);
        stasis_layout_close(l->types);
        stasis_layout_close(l->given);
        kallsyms_close(l->kallsyms);
        free(l->btf_bytes);
        free(l->task);
        free(l->process);
        free(l->kernel);
        free(l->user);
        free(l);
}

static enum stasis_status bind(struct linux_system *l, struct stasis_error *err)
{
        l->fields[STASIS_THREADS] = linux_fields_bind(l, linux_thread_rows, linux_thread_row_count, STASIS_THREADS);
        l->fields[STASIS_PROCESSES] =
                linux_fields_bind(l, linux_process_rows, linux_process_row_count, STASIS_PROCESSES);
        if (!l->fields[STASIS_THREADS] || !l->fields[STASIS_PROCESSES] || !linux_system_facts_make(l))
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        return STASIS_OK;
}

/* Modules serve every address in the answer; a torn list is said, not fatal. */
static enum stasis_status read_modules(struct linux_system *l, struct stasis_error *err)
{
        enum stasis_status status = linux_modules_find(l);
        if (status == STASIS_NOMEM)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        if (!l->modules.known)
                system_note(l->system, l->inferred ? STASIS_NOTE_WARNING : STASIS_NOTE_MISSING, "modules-missing", 0,
                            -1, -1, "the list of modules was not found: addresses in modules have no name");
        else if (l->modules.torn)
                system_note(l->system, STASIS_NOTE_MISSING, "module-list-torn", 0, -1, -1,
                            "the list of modules is torn: %zu modules were reached", l->modules.count);
        return STASIS_OK;
}

/* Its reader found where each range was by the kernel's own list; that a kernel is there then is the proof of it. */
static void say_joined(const struct linux_system *l)
{
        if (strcmp(stasis_image_format(l->image), "lime-raw") == 0)
                system_note(l->system, STASIS_NOTE_INFO, "ranges-joined", 0, -1, -1,
                            "the file holds ranges of memory without their addresses (LiME, format=raw): these were "
                            "taken from the kernel's list of \"System RAM\", and its page tables confirm them");
}

/* What was asked for and means nothing here is said. */
static void say_unused(const struct linux_system *l)
{
        const struct stasis_system_options *o = &l->system->options;
        if (o->pagefile_count)
                system_note(l->system, STASIS_NOTE_WARNING, "pagefile-unused", 0, -1, -1,
                            "%s is not used: page files are read for images of Windows, not swap areas of Linux",
                            o->pagefile[0].path);
}

static enum stasis_status linux_open(struct stasis_system *system, void **ret_priv, struct stasis_error *err)
{
        struct linux_system *l = calloc(1, sizeof *l);
        if (!l)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        *ret_priv = l;
        l->system = system;
        l->image = system->image;
        l->kernel = calloc(1, sizeof *l->kernel);
        l->user = calloc(1, sizeof *l->user);
        if (!l->kernel || !l->user)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        enum stasis_status status = linux_discover(l, err);
        if (status == STASIS_OK)
                status = read_modules(l, err);
        if (status != STASIS_OK)
                return status;
        linux_find_times(l);
        say_joined(l);
        say_unused(l);
        return bind(l, err);
}

static const struct stasis_record *linux_facts(void *priv)
{
        struct linux_system *l = priv;
        linux_system_facts_walked(l);
        return &l->facts;
}

static enum stasis_status linux_count(void *priv, enum stasis_what what, size_t *ret_count, struct stasis_error *err)
{
        struct linux_system *l = priv;
        if (what == STASIS_MODULES) {
                *ret_count = l->modules.count;
                return STASIS_OK;
        }
        enum stasis_status status = linux_walk(l, err);
        if (status == STASIS_OK)
                *ret_count = what == STASIS_THREADS ? l->task_count : l->process_count;
        return status;
}

static const struct stasis_record *decode(struct linux_system *l, enum stasis_what what, uint64_t object,
                                          const struct linux_task *task, const struct linux_process *process)
{
        struct decode d = { .l = l,
                            .set = l->fields[what],
                            .object = object,
                            .task = task,
                            .process = process,
                            .arena = &l->scratch[what] };
        stasis_arena_reset(d.arena);
        linux_fields_decode(&d);
        return &d.set->record;
}

static const struct stasis_record *module_record(struct linux_system *l, const struct linux_module *module)
{
        size_t count;
        struct stasis_arena *arena = &l->scratch[STASIS_MODULES];
        const struct stasis_column *column = linux_module_columns(&count);
        stasis_arena_reset(arena);
        struct stasis_fact *fact = arena_array(arena, struct stasis_fact, count);
        struct stasis_record *record = arena_new(arena, struct stasis_record);
        if (!fact || !record)
                return NULL;
        linux_module_facts(module, fact);
        *record = (struct stasis_record){
                .what = STASIS_MODULES, .object = module->object, .column = column, .fact = fact, .count = count
        };
        return record;
}

static enum stasis_status linux_record(void *priv, enum stasis_what what, size_t index,
                                       const struct stasis_record **ret_record, struct stasis_error *err)
{
        struct linux_system *l = priv;
        size_t count;
        enum stasis_status status = linux_count(priv, what, &count, err);
        if (status != STASIS_OK)
                return status;
        if (index >= count)
                return stasis_fail(err, STASIS_USAGE, "no object %zu: there are %zu", index, count);
        const struct stasis_record *record =
                what == STASIS_THREADS
                        ? decode(l, what, l->task[index].object, &l->task[index], &l->process[l->task[index].process])
                : what == STASIS_PROCESSES ? decode(l, what, l->process[index].object, NULL, &l->process[index])
                                           : module_record(l, &l->modules.module[index]);
        if (!record)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        *ret_record = record;
        return STASIS_OK;
}

static void linux_choose(void *priv, enum stasis_what what, const char *const *keys, size_t count)
{
        struct field_set *set = ((struct linux_system *)priv)->fields[what];
        if (set)
                rows_choose(set, keys, count);
}

static const struct stasis_column *linux_columns(void *priv, enum stasis_what what, size_t *ret_count)
{
        struct linux_system *l = priv;
        if (what == STASIS_MODULES)
                return linux_module_columns(ret_count);
        *ret_count = l->fields[what] ? l->fields[what]->count : 0;
        return l->fields[what] ? l->fields[what]->column : NULL;
}

static const struct stasis_column *linux_column_at(enum stasis_what what, size_t index)
{
        size_t count;
        const struct stasis_column *modules = linux_module_columns(&count);
        switch (what) {
        case STASIS_THREADS: return index < linux_thread_row_count ? &linux_thread_rows[index].column : NULL;
        case STASIS_PROCESSES: return index < linux_process_row_count ? &linux_process_rows[index].column : NULL;
        case STASIS_MODULES: return index < count ? &modules[index] : NULL;
        }
        return NULL;
}

/* Programs of a process have no list of modules that the kernel keeps; their mappings are none. */
static enum stasis_status linux_modules_of(void *priv, uint64_t pid, struct stasis_error *err)
{
        (void)priv;
        return stasis_fail(
                err, STASIS_UNSUPPORTED,
                "pid %" PRIu64 ": modules of a Linux process are not listed; without --process the kernel's are", pid);
}

static enum stasis_status linux_thread_at(void *priv, uint64_t object, const struct stasis_record **ret_record,
                                          struct stasis_error *err)
{
        struct linux_system *l = priv;
        enum stasis_status status = linux_walk(l, err);
        if (status != STASIS_OK)
                return status;
        for (size_t i = 0; i < l->task_count; i++)
                if (l->task[i].object == object) {
                        *ret_record = decode(l, STASIS_THREADS, object, &l->task[i], NULL);
                        return STASIS_OK;
                }
        const char *why = linux_task_refused(l, object);
        if (why)
                return stasis_fail(err, STASIS_ABSENT, "0x%" PRIx64 " is no task: %s", object, why);
        l->lone = (struct linux_task){ .object = object, .cpu = UINT32_MAX };
        *ret_record = decode(l, STASIS_THREADS, object, &l->lone, NULL);
        return STASIS_OK;
}

static struct stasis_space *linux_space(void *priv) { return ((struct linux_system *)priv)->kernel; }

/* The first task of a group: they are sorted by it (report.c). The count where there is none. */
static size_t first_of_group(const struct linux_system *l, uint64_t pid)
{
        size_t low = 0, high = l->task_count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (l->task[middle].pid < pid)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < l->task_count && l->task[low].pid == pid ? low : l->task_count;
}

/* The group's memory, or 0: a leader that has ended lost its own, another task of the group still has it. */
static uint64_t mm_of_group(const struct linux_system *l, uint64_t pid)
{
        uint64_t mm = 0;
        for (size_t i = first_of_group(l, pid); i < l->task_count && l->task[i].pid == pid && !mm; i++)
                if (read_place(l->kernel, l->task[i].object, &l->at.mm, &mm) != STASIS_OK)
                        mm = 0;
        return mm;
}

static enum stasis_status linux_process_space(void *priv, uint64_t pid, struct stasis_space **ret_space,
                                              struct stasis_error *err)
{
        struct linux_system *l = priv;
        enum stasis_status status = linux_walk(l, err);
        if (status != STASIS_OK)
                return status;
        uint64_t mm = mm_of_group(l, pid);
        if (first_of_group(l, pid) == l->task_count)
                return stasis_fail(err, STASIS_ABSENT, "no process with id %" PRIu64 " was found", pid);
        if (!mm)
                return stasis_fail(err, STASIS_ABSENT,
                                   "pid %" PRIu64 " has no memory of its own: it is a kernel thread, or has ended",
                                   pid);
        struct stasis_space *space = linux_user_space(l, mm);
        if (!space)
                return stasis_fail(err, STASIS_ABSENT, "the page tables of pid %" PRIu64 " are gone", pid);
        *ret_space = space;
        return STASIS_OK;
}

/* The name lasts until the next process is asked for. */
static bool linux_process_root(void *priv, size_t index, struct os_root *ret_root)
{
        struct linux_system *l = priv;
        uint8_t comm[LINUX_COMM_LEN];
        if (index >= l->process_count)
                return false;
        const struct linux_process *p = &l->process[index];
        struct stasis_space *space = linux_user_space(l, mm_of_group(l, p->pid));
        stasis_arena_reset(&l->root_name);
        *ret_root = (struct os_root){ .root = space ? space->root : 0,
                                      .like = { .pid = (int64_t)p->pid, .object = p->object } };
        if (l->at.comm.has &&
            stasis_space_read(l->kernel, p->object + l->at.comm.offset, comm, sizeof comm) == STASIS_OK)
                ret_root->like.process = text_from_utf8(&l->root_name, comm, strnlen((const char *)comm, sizeof comm));
        return true;
}

const struct stasis_os stasis_os_linux = {
        .name = "linux",
        .title = "Linux",
        .likely = linux_likely,
        .open = linux_open,
        .close = linux_close,
        .facts = linux_facts,
        .count = linux_count,
        .record = linux_record,
        .columns = linux_columns,
        .choose = linux_choose,
        .column_at = linux_column_at,
        .fact_column_at = linux_system_column_at,
        .modules_of = linux_modules_of,
        .thread_at = linux_thread_at,
        .space = linux_space,
        .process_root = linux_process_root,
        .process_space = linux_process_space,
        .sources = linux_sources,
};
