/* SPDX-License-Identifier: MIT */
/* Between kdump.c (files and parts), kdump_header.c, kdump_hints.c and kdump_pages.c (bitmaps, descriptors, pages). */
#ifndef STASIS_FORMATS_KDUMP_H
#define STASIS_FORMATS_KDUMP_H

#include "flat.h"
#include "kdump_wire.h"
#include "unpack.h"

/* What the headers of one file say; a member that its version does not have is 0. */
struct kdump_headers {
        uint8_t bits;
        bool split;
        uint32_t version, status, dump_level, processors;
        uint64_t bitmap_at, bitmap_len, pages, first_pfn, end_pfn;
        uint64_t vmcoreinfo_at, vmcoreinfo_len, notes_at, notes_len, erased_len;
        uint8_t header[sizeof(struct kdump_header64)], sub[sizeof(struct kdump_sub_header64)]; /* as they lie there */
};

enum stasis_status kdump_read_headers(const struct flat *flat, struct kdump_headers *ret_headers,
                                      struct stasis_error *err) STASIS_MUST_CHECK;
/* Parts of one dump differ in their range of pages, and in nothing else. */
bool kdump_same_dump(const struct kdump_headers *a, const struct kdump_headers *b);
enum stasis_status kdump_read_hints(struct stasis_image *image, const struct kdump_headers *h,
                                    const struct flat *flat) STASIS_MUST_CHECK;

/* One file. All places are such of the arranged file, whether it is flattened or not. */
struct kdump_part {
        struct flat flat;
        uint32_t status;
        bool absent;                          /* stands for a file that is not given: its pages are gaps */
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
