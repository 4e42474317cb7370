/* SPDX-License-Identifier: MIT */
/*
 * The physical image behind the readers: what a reader may do while it opens (the building calls below), and what the
 * layers above may rely on afterwards: runs sorted, disjoint, inside the file; nobody checks their bounds again.
 */
#ifndef STASIS_MEM_IMAGE_H
#define STASIS_MEM_IMAGE_H

#include <stasis/stasis.h>

#include "../base/arena.h"
#include "../base/map.h"

struct stasis_format;

struct stasis_image {
        struct stasis_map map;
        struct stasis_arena arena; /* lives as long as the image */
        const struct stasis_format *format;
        void *priv; /* format->priv_size bytes, zeroed */
        const char *path, *title;
        struct stasis_run *run;
        size_t run_count, run_capacity;
        struct stasis_gap *gap;
        size_t gap_count, gap_capacity;
        const char **remark;
        size_t remark_count, remark_capacity;
        struct stasis_cpu *cpu;
        size_t cpu_capacity;
        struct stasis_hints hints;
};

/* ---- for readers, while opening. Each may fail with STASIS_NOMEM only, unless said otherwise. */

/*
 * Adds a run. A part past the end of the file is cut off and becomes a gap ("cut off: the file ends"); an empty run is
 * dropped. STASIS_CORRUPT where pa+len wraps.
 */
enum stasis_status stasis_image_add_run(struct stasis_image *image, uint64_t pa, uint64_t len, uint64_t off,
                                        struct stasis_error *err) STASIS_MUST_CHECK;
enum stasis_status stasis_image_add_gap(struct stasis_image *image, uint64_t pa, uint64_t len, const char *why)
        STASIS_MUST_CHECK;
enum stasis_status stasis_image_remark(struct stasis_image *image, const char *fmt, ...)
        STASIS_PRINTF(2, 3) STASIS_MUST_CHECK;
/* A new CPU, zeroed, number = its index; NULL where memory is exhausted. Sets hints.cpu and hints.cpu_count. */
struct stasis_cpu *stasis_image_add_cpu(struct stasis_image *image);
void stasis_image_set_title(struct stasis_image *image, const char *fmt, ...) STASIS_PRINTF(2, 3);

/* ---- the seam: sort, merge runs that touch in pa and in the file, refuse overlap (later ones in the file are dropped
   with a remark where their bytes contradict nothing is checked: overlap is STASIS_CORRUPT unless identical). */
enum stasis_status stasis_image_seal(struct stasis_image *image, struct stasis_error *err) STASIS_MUST_CHECK;

/* The run that holds pa, or NULL. Binary search. */
const struct stasis_run *stasis_image_find(const struct stasis_image *image, uint64_t pa);

#endif
