/* SPDX-License-Identifier: MIT */
/* Loaded modules: struct module, its parts in memory, and its own table of symbols. */
#ifndef STASIS_OS_LINUX_MODULES_H
#define STASIS_OS_LINUX_MODULES_H

#include <stasis/stasis.h>

struct linux_system;
struct linux_symbol;

#define LINUX_MODULES_MAX 4096

struct linux_module {
        uint64_t object; /* its struct module */
        uint64_t base, size;
        uint64_t symtab, strtab, num_symtab, state;
        const char *name; /* in the system's arena */
        uint8_t *symbols; /* its table, once it was asked for; NULL: not readable, or not tried */
        bool tried;
};

struct linux_modules {
        struct linux_module *module; /* sorted by base */
        size_t count, capacity;
        bool known, torn;
        bool inferred; /* the list by its shape, members by what must hold */
};

enum stasis_status linux_modules_find(struct linux_system *l) STASIS_MUST_CHECK;
/* modules_infer.c: where nothing tells the list, or the members. STASIS_ABSENT: it was not found. */
enum stasis_status linux_modules_infer(struct linux_system *l) STASIS_MUST_CHECK;
void linux_modules_free(struct linux_modules *modules);
/* The symbol of the module that va lies in; the module alone (its name as the symbol) where its table is not readable.
 */
bool linux_module_symbol(struct linux_system *l, const struct linux_module *module, uint64_t va,
                         struct linux_symbol *ret_symbol);
/* The module whose core part holds va; NULL where none does. */
const struct linux_module *linux_module_at(const struct linux_system *l, uint64_t va);

#endif
