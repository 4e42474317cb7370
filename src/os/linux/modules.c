/* SPDX-License-Identifier: MIT */
#include "modules.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "linux.h"

#define SYMTAB_MAX (8u << 20) /* bytes of one module's symbols */
#define NAME_LEN 56           /* MODULE_NAME_LEN of 64 bits, terminator included */

struct module_places {
        struct place list, name, state, base, size, old_base, old_size, mem, mem_base, mem_size, kallsyms, symtab,
                num_symtab, strtab, old_symtab, old_num_symtab, old_strtab;
};

static const struct place_row rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct module_places, name), { __VA_ARGS__ } \
        }
        PLACE(list, "module.list"),
        PLACE(name, "module.name"),
        PLACE(state, "module.state"),
        PLACE(base, "module.core_layout.base"), /* 4.5 to 6.3 */
        PLACE(size, "module.core_layout.size"),
        PLACE(old_base, "module.module_core"),
        PLACE(old_size, "module.core_size"),
        PLACE(mem, "module.mem"), /* since 6.4; its first element is the text */
        PLACE(mem_base, "module_memory.base"),
        PLACE(mem_size, "module_memory.size"),
        PLACE(kallsyms, "module.kallsyms"),
        PLACE(symtab, "mod_kallsyms.symtab"),
        PLACE(num_symtab, "mod_kallsyms.num_symtab"),
        PLACE(strtab, "mod_kallsyms.strtab"),
        PLACE(old_symtab, "module.symtab"),
        PLACE(old_num_symtab, "module.num_symtab"),
        PLACE(old_strtab, "module.strtab"),
#undef PLACE
};

/* ---------------------------------------------------------------- one module */

static bool read_extent(struct linux_system *l, const struct module_places *at, struct linux_module *m)
{
        struct stasis_space *s = l->kernel;
        if (at->base.has && at->size.has)
                return read_place(s, m->object, &at->base, &m->base) == STASIS_OK &&
                       read_place(s, m->object, &at->size, &m->size) == STASIS_OK;
        if (at->mem.has && at->mem_base.has && at->mem_size.has)
                return read_place(s, m->object + at->mem.offset, &at->mem_base, &m->base) == STASIS_OK &&
                       read_place(s, m->object + at->mem.offset, &at->mem_size, &m->size) == STASIS_OK;
        return read_place(s, m->object, &at->old_base, &m->base) == STASIS_OK &&
               read_place(s, m->object, &at->old_size, &m->size) == STASIS_OK;
}

static void read_symtab(struct linux_system *l, const struct module_places *at, struct linux_module *m)
{
        struct stasis_space *s = l->kernel;
        uint64_t table;
        bool good = at->kallsyms.has && read_place(s, m->object, &at->kallsyms, &table) == STASIS_OK
                            ? read_place(s, table, &at->symtab, &m->symtab) == STASIS_OK &&
                                      read_place(s, table, &at->num_symtab, &m->num_symtab) == STASIS_OK &&
                                      read_place(s, table, &at->strtab, &m->strtab) == STASIS_OK
                            : read_place(s, m->object, &at->old_symtab, &m->symtab) == STASIS_OK &&
                                      read_place(s, m->object, &at->old_num_symtab, &m->num_symtab) == STASIS_OK &&
                                      read_place(s, m->object, &at->old_strtab, &m->strtab) == STASIS_OK;
        if (!good)
                m->num_symtab = 0;
}

static char *read_name(struct linux_system *l, const struct module_places *at, uint64_t object)
{
        uint8_t name[NAME_LEN] = { 0 };
        size_t len = l->is64 ? 56 : 60;
        len = len < sizeof name ? len : sizeof name;
        if (stasis_space_read(l->kernel, object + at->name.offset, name, len) != STASIS_OK)
                return NULL;
        return text_from_utf8(&l->system->arena, name, strnlen((const char *)name, len));
}

static bool add_module(struct linux_system *l, const struct module_places *at, uint64_t object)
{
        struct linux_module m = { .object = object };
        struct linux_modules *all = &l->modules;
        m.name = read_name(l, at, object);
        if (!m.name || !read_extent(l, at, &m) || !linux_is_kernel_address(l, m.base) || m.size > (1u << 30))
                return true; /* said by the note of the list */
        if (read_place(l->kernel, object, &at->state, &m.state) != STASIS_OK)
                m.state = 0;
        read_symtab(l, at, &m);
        if (!stasis_grow(&all->module, &all->capacity, all->count + 1, sizeof *all->module))
                return false;
        all->module[all->count++] = m;
        return true;
}

/* ---------------------------------------------------------------- the list */

static int by_base(const void *a, const void *b)
{
        const struct linux_module *x = a, *y = b;
        return x->base < y->base ? -1 : x->base > y->base;
}

static bool accept(void *ctx, uint64_t entry)
{
        const struct linux_system *l = ctx;
        return linux_is_kernel_address(l, entry);
}

static void sort(struct linux_modules *modules)
{
        if (modules->count)
                qsort(modules->module, modules->count, sizeof *modules->module, by_base);
}

enum stasis_status linux_modules_find(struct linux_system *l)
{
        struct module_places at;
        struct list_walk walk;
        uint64_t head;
        places_bind(l->layout, rows, sizeof rows / sizeof *rows, &at);
        if (!linux_symbol_find(l, "modules", &head) || !at.list.has || !at.name.has) {
                enum stasis_status status = linux_modules_infer(l);
                sort(&l->modules);
                return status;
        }
        struct list_options options = {
                .pointer_size = l->pointer_size, .max = LINUX_MODULES_MAX, .accept = accept, .ctx = l
        };
        enum stasis_status status = list_walk(l->kernel, head, &options, &walk);
        if (status != STASIS_OK)
                return status;
        l->modules.known = true;
        l->modules.torn = !list_whole(&walk);
        for (size_t i = 0; i < walk.count && status == STASIS_OK; i++)
                if (!add_module(l, &at, walk.entry[i] - at.list.offset))
                        status = STASIS_NOMEM;
        list_free(&walk);
        sort(&l->modules);
        return status;
}

void linux_modules_free(struct linux_modules *modules)
{
        for (size_t i = 0; i < modules->count; i++)
                free(modules->module[i].symbols);
        free(modules->module);
}

const struct linux_module *linux_module_at(const struct linux_system *l, uint64_t va)
{
        size_t low = 0, high = l->modules.count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (l->modules.module[middle].base <= va)
                        low = middle + 1;
                else
                        high = middle;
        }
        const struct linux_module *m = low ? &l->modules.module[low - 1] : NULL;
        return m && va - m->base < m->size ? m : NULL;
}

/* ---------------------------------------------------------------- its symbols */

/* Elf64_Sym and Elf32_Sym, as their specification has them. */
static const struct symbol_places {
        uint8_t size, value, section;
} symbol_places[2] = { { 16, 4, 14 }, { 24, 8, 6 } };

static bool load_symbols(struct linux_system *l, struct linux_module *m)
{
        uint64_t len = m->num_symtab * symbol_places[l->is64].size;
        if (m->symbols || m->tried)
                return m->symbols != NULL;
        m->tried = true;
        if (m->num_symtab == 0 || m->num_symtab > SYMTAB_MAX / 24 || !(m->symbols = malloc((size_t)len)))
                return false;
        if (stasis_space_read(l->kernel, m->symtab, m->symbols, (size_t)len) == STASIS_OK)
                return true;
        free(m->symbols);
        m->symbols = NULL;
        return false;
}

/* The nearest at or below va; of several at one address the first, as the kernel takes it. */
static bool nearest(const struct linux_system *l, const struct linux_module *m, uint64_t va, uint64_t *ret_index,
                    uint64_t *ret_end)
{
        const struct symbol_places *p = &symbol_places[l->is64];
        uint64_t best = 0, end = m->base + m->size;
        for (uint64_t i = 1; i < m->num_symtab; i++) {
                const uint8_t *symbol = m->symbols + i * p->size;
                uint64_t value = load_le(symbol + p->value, l->pointer_size);
                char first = 0;
                if (load_le16(symbol + p->section) == 0 || value < m->base)
                        continue;
                if (value > va) {
                        end = value < end ? value : end;
                        continue;
                }
                if (value <= best ||
                    stasis_space_read(l->kernel, m->strtab + load_le32(symbol), &first, 1) != STASIS_OK ||
                    first == '\0' || first == '$')
                        continue;
                best = value;
                *ret_index = i;
        }
        *ret_end = end;
        return best != 0;
}

bool linux_module_symbol(struct linux_system *l, const struct linux_module *module, uint64_t va,
                         struct linux_symbol *ret_symbol)
{
        struct linux_module *m = &l->modules.module[module - l->modules.module];
        uint64_t index = 0, end = 0;
        *ret_symbol = (struct linux_symbol){ .va = m->base, .end = m->base + m->size, .module = m->name };
        memccpy(ret_symbol->name, m->name, '\0', sizeof ret_symbol->name - 1);
        if (!load_symbols(l, m) || !nearest(l, m, va, &index, &end))
                return true;
        const struct symbol_places *p = &symbol_places[l->is64];
        const uint8_t *symbol = m->symbols + index * p->size;
        uint64_t name = m->strtab + load_le32(symbol);
        ret_symbol->va = load_le(symbol + p->value, l->pointer_size);
        ret_symbol->end = end;
        for (size_t i = 0; i + 1 < sizeof ret_symbol->name; i++) {
                char *to = &ret_symbol->name[i];
                to[1] = '\0';
                if (stasis_space_read(l->kernel, name + i, to, 1) != STASIS_OK || !*to)
                        break;
        }
        return true;
}
