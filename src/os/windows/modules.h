/* SPDX-License-Identifier: MIT */
/* The modules of the kernel and of a process, from the loader's own lists: what tells to whom an address belongs. */
#ifndef STASIS_OS_WINDOWS_MODULES_H
#define STASIS_OS_WINDOWS_MODULES_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "../layout.h"
#include "pe.h"

#define MODULES_MAX 4096 /* of one list; the largest seen systems have a few hundred */

struct windows_module {
        uint64_t entry; /* its LDR_DATA_TABLE_ENTRY */
        uint64_t base, size;
        uint64_t entry_point;
        uint32_t timestamp, flags; /* timestamp 0: not known (the kernel's own entries name none before 8) */
        bool wow64;                /* in the list of the 32-bit loader of a 64-bit system */
        char name[128], path[512]; /* UTF-8, "" where not in memory */
};

struct modules {                       /* zeroed is empty and ready */
        struct windows_module *module; /* by base, each base once */
        size_t count, capacity;
        bool torn;         /* a list did not close both ways */
        size_t unreadable; /* entries that are named by a list and are not in memory */
};

/*
 * The list at head, walked from both ends. STASIS_OK where the head is readable, however torn the list is. ret_modules
 * is to be freed also after a failure. layout may be NULL: the places are the same in all versions that are known.
 */
enum stasis_status modules_kernel(struct stasis_space *space, const struct stasis_layout *layout, uint64_t list_head,
                                  struct modules *ret_modules) STASIS_MUST_CHECK;
/*
 * The list of a process, added to what is there; space is that of the process. The 32-bit one (WoW64) hangs on the
 * 32-bit PEB; what both lists name is wow64. STASIS_ABSENT: the PEB or its loader data is not in memory, or there is
 * none yet.
 */
enum stasis_status modules_user(struct stasis_space *space, const struct stasis_layout *layout, uint64_t peb,
                                struct modules *into) STASIS_MUST_CHECK;
enum stasis_status modules_user32(struct stasis_space *space, const struct stasis_layout *layout, uint64_t peb32,
                                  struct modules *into) STASIS_MUST_CHECK;
/* The module that address lies in, or NULL. */
const struct windows_module *modules_find(const struct modules *modules, uint64_t address);
/* By base, each base once; for whoever fills the array in another way. */
void modules_sort(struct modules *modules);
void modules_free(struct modules *modules);

/*
 * PsLoadedModuleList without symbols: a LIST_ENTRY among the kernel's variables whose first entry is this kernel and
 * whose neighbours both point back. STASIS_ABSENT where there is none.
 */
enum stasis_status modules_head_by_shape(struct stasis_space *space, const struct pe_image *kernel,
                                         const struct stasis_layout *layout, uint64_t *ret_head) STASIS_MUST_CHECK;

#endif
