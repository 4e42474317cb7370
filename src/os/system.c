/* SPDX-License-Identifier: MIT */
#include "system.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/error.h"

/* The one place where an operating system is registered. */
static const struct stasis_os *const stasis_oses[] = { &stasis_os_windows, &stasis_os_linux, NULL };
#define OS_COUNT (sizeof stasis_oses / sizeof *stasis_oses - 1)

static char *arena_vprintf(struct stasis_arena *arena, const char *fmt, va_list args)
{
        char text[512];
        int len = vsnprintf(text, sizeof text, fmt, args);
        if (len < 0)
                return NULL;
        return stasis_arena_strndup(arena, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

void system_note(struct stasis_system *system, enum stasis_severity severity, const char *code, uint64_t object,
                 int64_t pid, int64_t tid, const char *fmt, ...)
{
        va_list args;
        va_start(args, fmt);
        char *text = system->note_count < STASIS_NOTES_MAX ? arena_vprintf(&system->arena, fmt, args) : NULL;
        va_end(args);
        if (!text ||
            !stasis_grow(&system->note, &system->note_capacity, system->note_count + 1, sizeof *system->note)) {
                system->notes_dropped++;
                return;
        }
        system->note[system->note_count++] = (struct stasis_note){
                .severity = severity, .code = code, .text = text, .object = object, .pid = pid, .tid = tid
        };
}

void system_trace(struct stasis_system *system, const char *step, bool success, const char *fmt, ...)
{
        va_list args;
        va_start(args, fmt);
        char *text = arena_vprintf(&system->arena, fmt, args);
        va_end(args);
        if (!text ||
            !stasis_grow(&system->trace, &system->trace_capacity, system->trace_count + 1, sizeof *system->trace))
                return;
        system->trace[system->trace_count++] = (struct stasis_trace){ .step = step, .text = text, .success = success };
}

void system_progress(const struct stasis_system *system, const char *what, uint64_t done, uint64_t total)
{
        if (system->options.progress)
                system->options.progress(system->options.progress_ctx, what, done, total);
}

/* The likely ones first, then the others: a search through the whole image for a system that is not there costs time.
 */
static size_t order(const struct stasis_image *image, const struct stasis_os *ret_os[static OS_COUNT])
{
        size_t count = 0;
        bool likely[OS_COUNT];
        for (size_t i = 0; i < OS_COUNT; i++) {
                likely[i] = stasis_oses[i]->likely && stasis_oses[i]->likely(image);
                if (likely[i])
                        ret_os[count++] = stasis_oses[i];
        }
        for (size_t i = 0; i < OS_COUNT; i++)
                if (!likely[i])
                        ret_os[count++] = stasis_oses[i];
        return count;
}

/* Where none is there, the message says what each of them missed. */
static enum stasis_status try_all(struct stasis_system *system, struct stasis_error *err)
{
        const struct stasis_os *os[OS_COUNT];
        char missed[sizeof err->text] = "";
        size_t used = 0;
        for (size_t i = 0; i < order(system->image, os); i++) {
                struct stasis_error own = { 0 };
                system->os = os[i];
                enum stasis_status status = os[i]->open(system, &system->priv, &own);
                if (status != STASIS_ABSENT) {
                        if (err && status != STASIS_OK)
                                *err = own;
                        return status;
                }
                if (used < sizeof missed)
                        used += (size_t)snprintf(missed + used, sizeof missed - used, "%s%s", i ? "; " : "", own.text);
                os[i]->close(system->priv);
                system->priv = NULL;
        }
        system->os = NULL;
        return stasis_fail(err, STASIS_ABSENT, "%s", missed);
}

enum stasis_status stasis_system_open(const struct stasis_image *image, const struct stasis_system_options *options,
                                      struct stasis_system **ret_system, struct stasis_error *err)
{
        if (!image || !ret_system)
                return stasis_fail(err, STASIS_USAGE, "no image");
        struct stasis_system *system = calloc(1, sizeof *system);
        if (!system)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        system->image = image;
        if (options)
                system->options = *options;
        *ret_system = system;

        return try_all(system, err);
}

void stasis_system_close(struct stasis_system *system)
{
        if (!system)
                return;
        if (system->os)
                system->os->close(system->priv);
        free(system->note);
        free(system->trace);
        stasis_arena_free(&system->arena);
        free(system);
}

const struct stasis_record *stasis_system_facts(const struct stasis_system *system)
{
        return system->os ? system->os->facts(system->priv) : NULL;
}

const struct stasis_trace *stasis_system_trace(const struct stasis_system *system, size_t *ret_count)
{
        *ret_count = system->trace_count;
        return system->trace;
}

const struct stasis_inference *stasis_system_inferred(const struct stasis_system *system, size_t *ret_count)
{
        *ret_count = system->inference_count;
        return system->inference;
}

const struct stasis_note *stasis_system_notes(const struct stasis_system *system, size_t *ret_count)
{
        *ret_count = system->note_count;
        return system->note;
}

enum stasis_status stasis_system_count(struct stasis_system *system, enum stasis_what what, size_t *ret_count,
                                       struct stasis_error *err)
{
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        return system->os->count(system->priv, what, ret_count, err);
}

enum stasis_status stasis_system_record(struct stasis_system *system, enum stasis_what what, size_t index,
                                        const struct stasis_record **ret_record, struct stasis_error *err)
{
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        return system->os->record(system->priv, what, index, ret_record, err);
}

const struct stasis_column *stasis_system_columns(struct stasis_system *system, enum stasis_what what,
                                                  size_t *ret_count)
{
        *ret_count = 0;
        return system->os ? system->os->columns(system->priv, what, ret_count) : NULL;
}

void stasis_system_choose(struct stasis_system *system, enum stasis_what what, const char *const *keys, size_t count)
{
        if (system->os && system->os->choose)
                system->os->choose(system->priv, what, keys, count);
}

const char *stasis_os_name_at(size_t index, const char **ret_title)
{
        for (size_t i = 0; stasis_oses[i]; i++)
                if (i == index) {
                        *ret_title = stasis_oses[i]->title;
                        return stasis_oses[i]->name;
                }
        return NULL;
}

static const struct stasis_os *os_by_name(const char *name)
{
        for (size_t i = 0; stasis_oses[i]; i++)
                if (strcmp(stasis_oses[i]->name, name) == 0)
                        return stasis_oses[i];
        return NULL;
}

const struct stasis_column *stasis_column_at(const char *os, enum stasis_what what, size_t index)
{
        const struct stasis_os *found = os_by_name(os);
        return found ? found->column_at(what, index) : NULL;
}

const struct stasis_column *stasis_system_fact_column_at(const char *os, size_t index)
{
        const struct stasis_os *found = os_by_name(os);
        return found ? found->fact_column_at(index) : NULL;
}

enum stasis_status stasis_system_modules_of(struct stasis_system *system, uint64_t pid, struct stasis_error *err)
{
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        return system->os->modules_of(system->priv, pid, err);
}

enum stasis_status stasis_system_module_debug(struct stasis_system *system, size_t index,
                                              struct stasis_debug *ret_debug, struct stasis_error *err)
{
        size_t count;
        enum stasis_status status = stasis_system_count(system, STASIS_MODULES, &count, err);
        if (status != STASIS_OK)
                return status;
        if (!system->os->module_debug)
                return stasis_fail(err, STASIS_UNSUPPORTED, "modules of %s have no PDBs", system->os->title);
        if (index >= count)
                return stasis_fail(err, STASIS_USAGE, "no module %zu: there are %zu", index, count);
        system->os->module_debug(system->priv, index, ret_debug);
        return STASIS_OK;
}

const struct stasis_unloaded *stasis_system_unloaded(struct stasis_system *system, size_t *ret_count)
{
        *ret_count = 0;
        return system->os && system->os->unloaded ? system->os->unloaded(system->priv, ret_count) : NULL;
}

const struct stasis_processor *stasis_system_processors(struct stasis_system *system, size_t *ret_count)
{
        *ret_count = 0;
        return system->os && system->os->processors ? system->os->processors(system->priv, ret_count) : NULL;
}

const struct stasis_source *stasis_system_sources(struct stasis_system *system, size_t *ret_count)
{
        *ret_count = 0;
        return system->os && system->os->sources ? system->os->sources(system->priv, ret_count) : NULL;
}

enum stasis_status stasis_system_thread_at(struct stasis_system *system, uint64_t object,
                                           const struct stasis_record **ret_record, struct stasis_error *err)
{
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        return system->os->thread_at(system->priv, object, ret_record, err);
}

struct stasis_space *stasis_system_space(struct stasis_system *system)
{
        return system->os ? system->os->space(system->priv) : NULL;
}

enum stasis_status stasis_system_process_space(struct stasis_system *system, uint64_t pid,
                                               struct stasis_space **ret_space, struct stasis_error *err)
{
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        return system->os->process_space(system->priv, pid, ret_space, err);
}
