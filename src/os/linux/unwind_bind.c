/* SPDX-License-Identifier: MIT */
/* What of this kernel is needed to follow stacks: its text, its ORC tables, the shapes of what lies on a stack. */
#include <stdio.h>
#include <stdlib.h>

#include "stacks.h"

/* ---- text */

static void bind_text(struct linux_system *l, struct linux_stacks *s)
{
        static const char *const bounds[2][2] = { { "_stext", "_etext" }, { "_sinittext", "_einittext" } };
        for (size_t i = 0; i < 2; i++)
                if (!linux_symbol_find(l, bounds[i][0], &s->text[i][0]) ||
                    !linux_symbol_find(l, bounds[i][1], &s->text[i][1]))
                        s->text[i][0] = s->text[i][1] = 0;
}

/*
 * Functions of the start are gone from memory, but an idle task still returns to them. Where the list of modules is not
 * known, what stands behind a call is a module's: it has an address and no name.
 */
bool linux_is_text(void *ctx, uint64_t pc)
{
        struct linux_system *l = ctx;
        const struct linux_stacks *s = l->stacks;
        for (size_t i = 0; i < 2; i++)
                if (pc >= s->text[i][0] && pc < s->text[i][1])
                        return true;
        if (l->modules.known)
                return linux_module_at(l, pc) != NULL;
        return linux_is_kernel_address(l, pc) && unwind_behind_call(l->kernel, pc);
}

/* ---- ORC */

static bool kernel_table(struct linux_system *l, struct orc_table *ret, uint64_t *ret_len)
{
        uint64_t ip_end, end;
        if (!linux_symbol_find(l, "__start_orc_unwind_ip", &ret->ip) ||
            !linux_symbol_find(l, "__stop_orc_unwind_ip", &ip_end) ||
            !linux_symbol_find(l, "__start_orc_unwind", &ret->entry) ||
            !linux_symbol_find(l, "__stop_orc_unwind", &end) || ip_end <= ret->ip)
                return false;
        ret->count = (ip_end - ret->ip) / 4;
        *ret_len = end - ret->entry;
        return ret->count <= ORC_COUNT_MAX;
}

/* A module's tables hang on its struct module (struct mod_arch_specific). */
static bool module_table(struct linux_system *l, uint64_t module, struct orc_table *ret)
{
        static const char *const paths[3] = { "module.arch.orc_unwind_ip", "module.arch.orc_unwind",
                                              "module.arch.num_orcs" };
        uint64_t value[3];
        for (size_t i = 0; i < 3; i++) {
                struct stasis_member m;
                if (!stasis_layout_member(l->layout, paths[i], &m) ||
                    stasis_space_u(l->kernel, module + m.offset, m.size, &value[i]) != STASIS_OK)
                        return false;
        }
        *ret = (struct orc_table){ .ip = value[0], .entry = value[1], .count = value[2] };
        return ret->count <= ORC_COUNT_MAX;
}

static void bind_orc(struct linux_system *l, struct linux_stacks *s)
{
        struct orc_format format;
        uint64_t len;
        if (!l->is64 || !l->layout || !kernel_table(l, &s->kernel, &len))
                return;
        bool told = orc_bind(l->layout, &format);
        bool found = told || (!stasis_layout_sizeof(l->layout, "orc_entry") && len == s->kernel.count * 6 &&
                              orc_infer(l->kernel, &s->kernel, &format));
        system_trace(l->system, "orc", found, "%llu entries at 0x%llx; how one lies %s",
                     (unsigned long long)s->kernel.count, (unsigned long long)s->kernel.entry,
                     told    ? "types tell"
                     : found ? "they tell themselves"
                             : "nothing tells");
        if (!found)
                return;
        orc_number(l->kernel, &s->kernel, &format);
        s->format = format;
        s->module = calloc(l->modules.count + 1, sizeof *s->module);
        for (size_t i = 0; s->module && i < l->modules.count; i++)
                if (!module_table(l, l->modules.module[i].object, &s->module[i]))
                        s->module[i].count = 0;
}

bool linux_orc_at(void *ctx, uint64_t pc, struct orc_entry *ret_entry)
{
        struct linux_system *l = ctx;
        const struct linux_stacks *s = l->stacks;
        const struct linux_module *module = linux_module_at(l, pc);
        const struct orc_table *table = !module     ? &s->kernel
                                        : s->module ? &s->module[module - l->modules.module]
                                                    : NULL;
        return table && orc_find(l->kernel, &s->format, table, pc, ret_entry) == STASIS_OK;
}

/* ---- struct inactive_task_frame: since 4.9 */

static void bind_inactive(struct linux_system *l, struct linux_stacks *s)
{
        static const char *const names[REG_COUNT] = {
                [REG_BX] = "bx",   [REG_BP] = "bp",   [REG_SI] = "si",   [REG_DI] = "di",       [REG_R12] = "r12",
                [REG_R13] = "r13", [REG_R14] = "r14", [REG_R15] = "r15", [REG_FLAGS] = "flags", [REG_IP] = "ret_addr",
        };
        struct inactive_shape shape = { .size = 0 };
        uint32_t size = l->layout ? stasis_layout_sizeof(l->layout, "inactive_task_frame") : 0;
        for (unsigned i = 0; i < REG_COUNT; i++) {
                char path[64];
                struct stasis_member m;
                shape.offset[i] = REG_NOWHERE;
                snprintf(path, sizeof path, "inactive_task_frame.%s", names[i] ? names[i] : "");
                if (size && names[i] && stasis_layout_member(l->layout, path, &m) && m.offset + m.size <= size)
                        shape.offset[i] = (uint16_t)m.offset;
        }
        if (size <= 256 && shape.offset[REG_BP] != REG_NOWHERE && shape.offset[REG_IP] != REG_NOWHERE)
                shape.size = (uint16_t)size;
        s->inactive = shape;
}

/* THREAD_SIZE. Without types: 16 KiB on x86-64 since 3.15, before and on x86 8 KiB. */
static uint64_t thread_size(const struct linux_system *l)
{
        uint32_t size = l->layout ? stasis_layout_sizeof(l->layout, "thread_union") : 0;
        if (size >= 4096 && size <= 0x40000 && (size & (size - 1)) == 0)
                return size;
        return l->is64 && (!l->version || l->version >= LINUX_VERSION(3, 15)) ? 0x4000 : 0x2000;
}

struct linux_stacks *linux_stacks_get(struct linux_system *l)
{
        if (l->stacks)
                return l->stacks;
        struct linux_stacks *s = calloc(1, sizeof *s);
        if (!s) {
                l->no_memory = true;
                return NULL;
        }
        regs_bind(l->layout, l->pointer_size, &s->regs);
        s->thread_size = thread_size(l);
        bind_text(l, s);
        bind_inactive(l, s);
        bind_orc(l, s);
        l->stacks = s;
        return s;
}

uint64_t linux_thread_size(struct linux_system *l) { return thread_size(l); }

void linux_stacks_free(struct linux_stacks *stacks)
{
        if (stacks)
                free(stacks->module);
        free(stacks);
}
