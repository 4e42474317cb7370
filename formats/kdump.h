/* SPDX-License-Identifier: MIT */
/* Between kdump.c (headers, hints) and kdump_pages.c (bitmaps, descriptors, pages). */
#ifndef STASIS_FORMATS_KDUMP_H
#define STASIS_FORMATS_KDUMP_H

#include "flat.h"
#include "unpack.h"

/* One file. All places are such of the arranged file, whether it is flattened or not. */
struct kdump_part {
        struct flat flat;
        uint32_t version, status, dump_level, processors;
        bool split;
        uint64_t first_pfn, end_pfn, max_pfn; /* the pages of this file, and of the whole dump */
        uint64_t ram_at, held_at;             /* the two bitmaps; 0: there is no such one */
        uint64_t desc_at, desc_count;
        /* How many pages before number first_pfn + n * KDUMP_RANK are in the file. */
        uint64_t *rank;
};
#define KDUMP_RANK 4096 /* pages; their piece of the bitmap has 512 bytes */

struct kdump {
        struct kdump_part *part; /* in the order of their pages */
        size_t count;
};

/* How flags (of a page, or of the header's status) say that pages are packed; false: they are not. */
bool kdump_packing(uint32_t flags, enum unpack *ret_method);
/* Adds the runs and the gaps of one part, and makes what kdump_read_page needs. */
enum stasis_status kdump_add_pages(struct stasis_image *image, struct kdump_part *part,
                                   struct stasis_error *err) STASIS_MUST_CHECK;
enum stasis_status kdump_read_page(const struct stasis_image *image, void *priv, uint64_t pa, void *page);

#endif
