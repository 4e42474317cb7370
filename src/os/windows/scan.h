/* SPDX-License-Identifier: MIT */
/*
 * All of physical memory, once, in as many threads as there are processors: at each multiple of align, eight bytes are
 * held against two patterns, and what matches is asked. The workers take pieces in turn and keep what they find; the
 * answer is in the order of addresses, the same whatever their number. Holes of a sparse file are passed over.
 */
#ifndef STASIS_OS_WINDOWS_SCAN_H
#define STASIS_OS_WINDOWS_SCAN_H

#include <stasis/stasis.h>

#include "../../mem/image.h"

#define SCAN_PIECE (1u << 20)
#define SCAN_HITS_MAX (1u << 20) /* 16 MiB of hits; no machine has as many threads */
#define SCAN_JOBS_MAX 64
#define SCAN_PATTERNS 2

struct scan_hit {
        uint64_t pa;
        uint32_t pattern;
        uint32_t bits; /* whatever accept makes of it */
};

struct scan {
        const struct stasis_image *image;
        uint32_t align; /* 8 or 16; a page begins with such a place */
        struct {        /* the first asks for bits of the low 32, the second for bits of the high 32 (and others) */
                uint64_t mask, want;
        } pattern[SCAN_PATTERNS];
        /*
         * page: the 4 KiB (or what the image holds of them) that the match is in, at: where. Called in several threads
         * at once: it looks at nothing that changes. False: no hit.
         */
        bool (*accept)(const void *ctx, uint32_t pattern, struct stasis_bytes page, size_t at, struct scan_hit *hit);
        const void *ctx;
        unsigned jobs;                                              /* 0: as many as this process may use */
        void (*progress)(void *ctx, uint64_t done, uint64_t total); /* NULL, or called in the calling thread only */
        void *progress_ctx;
};

struct scan_result {
        struct scan_hit *hit; /* by pa, then pattern; free it */
        size_t count;
        uint64_t bytes;  /* looked at */
        uint64_t unread; /* that the image should hold, and could not be read */
        bool cut;        /* SCAN_HITS_MAX was reached: what lies above the last hit was not looked at */
};

/* STASIS_NOMEM only. */
enum stasis_status scan_run(const struct scan *scan, struct scan_result *ret_result) STASIS_MUST_CHECK;

#endif
