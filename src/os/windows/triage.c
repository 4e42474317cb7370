/* SPDX-License-Identifier: MIT */
/* A triage dump's thread, process and drivers, as its reader found them (struct stasis_hints). */
#include "triage.h"

#include <inttypes.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/error.h"
#include "text.h"

#define ID_MAX 0x4000000 /* ids are handle values of one table: at most 2^26 */

/* ---------------------------------------------------------------- which layout? */

static bool read_member(const struct windows *w, const struct stasis_layout *layout, uint64_t object, const char *path,
                        uint64_t *ret_value)
{
        struct stasis_member m;
        return stasis_layout_member(layout, path, &m) &&
               stasis_space_u(w->kernel, object + m.offset, w->pointer_size, ret_value) == STASIS_OK;
}

/* Stack bounds that can be, and that end where the stack in the dump ends (unless the thread had changed stacks). */
static unsigned stack_score(const struct windows *w, const struct stasis_layout *layout)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t base, limit;
        if (!read_member(w, layout, h->thread, "_KTHREAD.StackBase", &base) ||
            !read_member(w, layout, h->thread, "_KTHREAD.StackLimit", &limit) || limit >= base || base % 0x1000 ||
            limit % 0x1000 || !is_kernel_address(w, limit))
                return 0;
        return (h->known & STASIS_HINT_STACK) && h->stack + h->stack_len == base ? 8 : 4;
}

static bool is_id(uint64_t id) { return id && id <= ID_MAX && id % 4 == 0; }

/* Name and id of the process, and whether the thread says the same. */
static unsigned process_score(const struct windows *w, const struct windows_places *at, uint64_t thread_pid,
                              uint64_t *ret_system)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t type, pid;
        char name[16];
        *ret_system = 0;
        if (!(h->known & STASIS_HINT_PROCESS))
                return 1; /* nothing speaks against it */
        if (read_place(w->kernel, h->process, &at->header_type, &type) != STASIS_OK ||
            !is_dispatcher(type, DISPATCHER_PROCESS) ||
            read_place(w->kernel, h->process, &at->process_id, &pid) != STASIS_OK || (pid && !is_id(pid)))
                return 0;
        bool named = text_ascii(w->kernel, h->process + at->process_name.offset, name, sizeof name) && name[0] &&
                     !strchr(name, '?');
        if (named && strcmp(name, "System") == 0 && pid == 4)
                *ret_system = h->process;
        return 1 + (pid == thread_pid ? 4u : 0) + (named ? 4u : 0);
}

unsigned triage_score(struct windows *w, const struct stasis_layout *layout, uint64_t *ret_system)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        struct windows_places at;
        uint64_t type, state, tid, pid, owner;
        *ret_system = 0;
        if (!(h->known & STASIS_HINT_THREAD) || stasis_layout_pointer_size(layout) != w->pointer_size)
                return 0;
        windows_bind_places(layout, &at);
        if (read_place(w->kernel, h->thread, &at.header_type, &type) != STASIS_OK ||
            !is_dispatcher(type, DISPATCHER_THREAD) ||
            read_place(w->kernel, h->thread, &at.thread_state, &state) != STASIS_OK || state > THREAD_STATE_MAX ||
            read_place(w->kernel, h->thread, &at.cid_thread, &tid) != STASIS_OK || (tid && !is_id(tid)) ||
            read_place(w->kernel, h->thread, &at.cid_process, &pid) != STASIS_OK || (pid && !is_id(pid)))
                return 0;
        unsigned stack = stack_score(w, layout), process = process_score(w, &at, pid, ret_system);
        if (!stack || !process)
                return 0;
        bool owned = read_place(w->kernel, h->thread, &at.kthread_process, &owner) == STASIS_OK ||
                     read_place(w->kernel, h->thread, &at.thread_process, &owner) == STASIS_OK;
        return stack + process + (owned && owner == h->process ? 4u : 0);
}

/* ---------------------------------------------------------------- the process */

static bool add_process(struct windows *w, uint64_t object)
{
        if (windows_process_of(w, object) < w->process_count)
                return true;
        return windows_add_process(w, object, 1u << SOURCE_DUMP);
}

enum stasis_status triage_processes(struct windows *w, struct stasis_error *err)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t owner;
        bool ok = true;
        if ((h->known & STASIS_HINT_PROCESS) && !windows_process_refused(w, h->process))
                ok = add_process(w, h->process);
        if (ok && (h->known & STASIS_HINT_THREAD) && windows_owner_of(w, h->thread, &owner) == STASIS_OK &&
            is_kernel_address(w, owner))
                ok = add_process(w, owner);
        system_note(
                w->system, STASIS_NOTE_MISSING, "triage-dump", 0, -1, -1,
                "a triage dump holds the one thread that the system stopped in, its process and its stack: all other "
                "processes and threads are not in the file");
        return ok ? STASIS_OK : stasis_fail(err, STASIS_NOMEM, "out of memory");
}

/* ---------------------------------------------------------------- drivers */

static void decode(const struct stasis_driver *driver, struct windows_module *module)
{
        memset(module, 0, sizeof *module);
        module->base = driver->base;
        module->size = driver->size;
        module->entry_point = driver->entry_point;
        module->timestamp = driver->timestamp;
        (void)text_utf16(driver->path.at, driver->path.len / 2, module->path, sizeof module->path);
        const char *name = text_basename(module->path);
        size_t len = strlen(name);
        len = len < sizeof module->name ? len : sizeof module->name - 1;
        memcpy(module->name, name, len);
}

enum stasis_status triage_modules(const struct stasis_image *image, struct modules *ret_modules)
{
        const struct stasis_hints *h = stasis_image_hints(image);
        size_t count = h->driver_count < MODULES_MAX ? h->driver_count : MODULES_MAX;
        memset(ret_modules, 0, sizeof *ret_modules);
        if (!(h->known & STASIS_HINT_DRIVERS))
                return STASIS_ABSENT;
        if (!stasis_grow(&ret_modules->module, &ret_modules->capacity, count, sizeof *ret_modules->module))
                return STASIS_NOMEM;
        for (size_t i = 0; i < count; i++)
                if (h->driver[i].base)
                        decode(&h->driver[i], &ret_modules->module[ret_modules->count++]);
        modules_sort(ret_modules);
        return STASIS_OK;
}
