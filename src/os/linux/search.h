/* SPDX-License-Identifier: MIT */
/* What is looked for in physical memory itself, where nothing says where it is. */
#ifndef STASIS_OS_LINUX_SEARCH_H
#define STASIS_OS_LINUX_SEARCH_H

#include "linux.h"

struct search_pattern {
        const void *bytes;
        size_t len; /* at most SEARCH_OVERLAP */
        /* At pa; left is what the chunk holds from there on. True: found, and this pattern need not be searched on. */
        bool (*hit)(void *ctx, uint64_t pa, struct stasis_bytes left);
        void *ctx;
        bool done;
};
#define SEARCH_OVERLAP 4096

/* Every pattern, in [low, high) of physical memory, chunk by chunk, until all are done. */
void search_memory(struct linux_system *l, const char *what, uint64_t low, uint64_t high,
                   struct search_pattern *pattern, size_t count);

/*
 * Physical addresses at which a kernel's text seems to start, by the first instructions of startup_64 and startup_32:
 * cheap, as a kernel starts at a multiple of 2 MiB. At most max.
 */
size_t search_text(const struct stasis_image *image, uint64_t *ret_pa, size_t max);

/* VMCOREINFO's text and kallsyms' tables in [low, high), whichever of both l does not have yet. */
void search_kernel(struct linux_system *l, const char *what, uint64_t low, uint64_t high);

#endif
