/* SPDX-License-Identifier: MIT */
/*
 * Names of kernel addresses, both ways. They come from the image's own kallsyms, from the tables of each loaded module,
 * and, for what kallsyms leaves out (data, where CONFIG_KALLSYMS_ALL is off), from VMCOREINFO and from the files that
 * --symbols names, moved by what KASLR moved the kernel.
 */
#ifndef STASIS_OS_LINUX_SYMBOLS_H
#define STASIS_OS_LINUX_SYMBOLS_H

#include <stasis/stasis.h>

#include "kallsyms.h"

struct linux_system;

struct linux_symbol {
        char name[KALLSYMS_NAME_MAX];
        uint64_t va;        /* where the symbol starts */
        uint64_t end;       /* where the next one starts; 0: not known */
        const char *module; /* NULL: the kernel itself; lives as long as the system */
};

/*
 * Address of the kernel's symbol of this name, as the kernel ran. A variable of each CPU has its offset in the CPU's
 * area (linux_percpu adds that). False where nobody knows it.
 */
bool linux_symbol_find(struct linux_system *l, const char *name, uint64_t *ret_va);
/* The symbol that a kernel address lies in. */
bool linux_symbol_at(struct linux_system *l, uint64_t va, struct linux_symbol *ret_symbol);
/* "do_wait+0x114" or "jfs_lazycommit+0x8 [jfs]"; "0x..." where it lies in none. Returns the length, as snprintf. */
size_t linux_symbol_text(struct linux_system *l, uint64_t va, char *buf, size_t len);
/* The same of a variable of each CPU, which was called per_cpu__NAME before 2.6.34. */
bool linux_percpu_find(struct linux_system *l, const char *name, uint64_t *ret_offset);
/* A variable of CPU number cpu: __per_cpu_offset[cpu] + offset. Without that table, which kernels for one processor do
 * not have, the offset is an address itself. False where the area is not known. */
bool linux_percpu(struct linux_system *l, uint64_t offset, uint32_t cpu, uint64_t *ret_va);

#endif
