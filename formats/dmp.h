/* SPDX-License-Identifier: MIT */
/*
 * Between dmp.c (dispatch by type), dmp_header.c (header fields), dmp_context.c (registers, exception), dmp_pages.c
 * (run lists and bitmaps), dmp_ranges.c (the debugger's ranges) and dmp_secondary.c (what lies behind the pages).
 */
#ifndef STASIS_FORMATS_DMP_H
#define STASIS_FORMATS_DMP_H

#include "../src/mem/image.h"

/* One member of the first header; size 0: this width has none. */
struct dmp_member {
        uint16_t at, size;
};

/* The two widths of the first header are one header with other places. */
struct dmp_width {
        const char *magic;
        uint8_t bits, run_word; /* run_word: size of BasePage and of PageCount */
        uint16_t header_size;
        enum stasis_machine machine; /* where the header names none */
        struct dmp_member machine_type, dump_type, run_count, page_count, runs, context, exception, comment, pae;
        struct dmp_member major, minor, root, pfn_database, module_head, process_head, kdbg, processors;
        struct dmp_member bugcheck, parameter, system_time, up_time, product_type, suite_mask, attributes;
};

struct dmp {
        struct stasis_image *image;
        struct stasis_bytes file;
        const struct dmp_width *width;
        uint32_t attributes; /* 0 where the header has none */
        uint64_t end;        /* of the primary dump in the file, set by the reader of its type; 0: not known */
};

extern const struct dmp_width dmp_width32, dmp_width64;

/* The member's value; false where it holds the filler and so is not there. */
bool dmp_get(const struct dmp *dmp, struct dmp_member member, uint64_t *ret_value) STASIS_MUST_CHECK;
/* All hints of the first header. */
enum stasis_status dmp_read_header(struct dmp *dmp) STASIS_MUST_CHECK;

/* dmp_context.c: the header's CONTEXT as a CPU of the image, its EXCEPTION_RECORD as a hint; record.at may be NULL. */
enum stasis_status dmp_read_context(struct dmp *dmp) STASIS_MUST_CHECK;
void dmp_read_exception(const struct dmp *dmp, struct stasis_bytes record);

/* Its attributes, with a remark that names them; bits that no system sets mean that the member is not there. */
enum stasis_status dmp_read_attributes(struct dmp *dmp) STASIS_MUST_CHECK;

/* Is there a bitmap header of either form, with numbers that can be? */
bool dmp_has_bitmap(const struct dmp *dmp);
enum stasis_status dmp_read_runs(struct dmp *dmp, struct stasis_error *err) STASIS_MUST_CHECK;
/* dmp_triage.c; the second one: SizeOfDump, 0 where there is none */
enum stasis_status dmp_read_triage(struct dmp *dmp, struct stasis_error *err) STASIS_MUST_CHECK;
uint64_t dmp_triage_end(const struct dmp *dmp);
enum stasis_status dmp_read_bitmap(struct dmp *dmp, struct stasis_error *err) STASIS_MUST_CHECK;
/* A bitmap of the newer or of the older form, whichever header makes sense; refused where none does. */
enum stasis_status dmp_read_summary(struct dmp *dmp, struct stasis_error *err) STASIS_MUST_CHECK;
enum stasis_status dmp_read_ranges(struct dmp *dmp, struct stasis_error *err) STASIS_MUST_CHECK;
/*
 * Looks for secondary data from start (the end of the primary dump) on, and lists its blobs in the image. Damage is a
 * remark; no secondary data is nothing to say.
 */
enum stasis_status dmp_read_secondary(struct dmp *dmp, uint64_t start) STASIS_MUST_CHECK;

#endif
