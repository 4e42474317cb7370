/* SPDX-License-Identifier: MIT */
#include "symbols.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "linux.h"

/* A file's address, moved by what KASLR moved the kernel; what lies below the text is a place in a CPU's area. */
static bool find_given(struct linux_system *l, const char *name, uint64_t *ret_va)
{
        uint64_t va, stext;
        if (!l->given || !stasis_layout_symbol(l->given, name, &va) ||
            !stasis_layout_symbol(l->given, "_stext", &stext))
                return false;
        *ret_va = va < 0x1000000 ? va : va + (l->stext - stext);
        if (!l->is64)
                *ret_va &= UINT32_MAX;
        return true;
}

bool linux_symbol_find(struct linux_system *l, const char *name, uint64_t *ret_va)
{
        if (l->kallsyms && kallsyms_find(l->kallsyms, name, ret_va))
                return true;
        return vmcoreinfo_symbol(l->vmcoreinfo, name, ret_va) || find_given(l, name, ret_va);
}

static bool kernel_symbol_at(struct linux_system *l, uint64_t va, struct linux_symbol *ret_symbol)
{
        uint32_t index;
        uint64_t end;
        if (!l->kallsyms || va < l->place.text_va || !kallsyms_at(l->kallsyms, va, &index, &end))
                return false;
        *ret_symbol = (struct linux_symbol){ .va = kallsyms_address(l->kallsyms, index), .end = end };
        return kallsyms_name(l->kallsyms, index, ret_symbol->name, sizeof ret_symbol->name) != 0;
}

bool linux_symbol_at(struct linux_system *l, uint64_t va, struct linux_symbol *ret_symbol)
{
        const struct linux_module *module = linux_module_at(l, va);
        return module ? linux_module_symbol(l, module, va, ret_symbol) : kernel_symbol_at(l, va, ret_symbol);
}

size_t linux_symbol_text(struct linux_system *l, uint64_t va, char *buf, size_t len)
{
        struct linux_symbol s;
        if (!linux_symbol_at(l, va, &s))
                return (size_t)snprintf(buf, len, "0x%" PRIx64, va);
        if (!s.module)
                return (size_t)snprintf(buf, len, "%s+0x%" PRIx64, s.name, va - s.va);
        return (size_t)snprintf(buf, len, "%s+0x%" PRIx64 " [%s]", s.name, va - s.va, s.module);
}

bool linux_percpu_find(struct linux_system *l, const char *name, uint64_t *ret_offset)
{
        char old[KALLSYMS_NAME_MAX];
        if (linux_symbol_find(l, name, ret_offset))
                return true;
        snprintf(old, sizeof old, "per_cpu__%s", name);
        return linux_symbol_find(l, old, ret_offset);
}

bool linux_percpu(struct linux_system *l, uint64_t offset, uint32_t cpu, uint64_t *ret_va)
{
        uint64_t area;
        if (cpu >= LINUX_CPUS_MAX)
                return false;
        if (!l->percpu_base) {
                *ret_va = offset;
                return cpu == 0 && linux_is_kernel_address(l, offset);
        }
        if (linux_read_pointer(l, l->percpu_base + (uint64_t)cpu * l->pointer_size, &area) != STASIS_OK)
                return false;
        *ret_va = area + offset;
        if (!l->is64)
                *ret_va &= UINT32_MAX;
        return linux_is_kernel_address(l, *ret_va);
}
