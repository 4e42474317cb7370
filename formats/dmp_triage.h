/* SPDX-License-Identifier: MIT */
/* Between dmp_triage.c (the memory of a triage dump) and dmp_triage_lists.c (what it lists beside it). */
#ifndef STASIS_FORMATS_DMP_TRIAGE_H
#define STASIS_FORMATS_DMP_TRIAGE_H

#include "../src/base/bytes.h"
#include "dmp.h"
#include "dmp_triage_wire.h"

/* The second header, and the entries it leads to, in either width. */
struct triage_width {
        size_t size, block_size, driver_size;
        struct dmp_member size_of_dump, valid, prcb, process, thread, stack, stack_len, drivers, driver_count;
        struct dmp_member top_of_stack, page_va, page, page_len, kdbg, kdbg_len, blocks, block_count;
        struct dmp_member block_va, block_off, block_len, name, base, entry_point, image_size, timestamp;
        struct dmp_member unloaded, broken, gone_name_len, gone_name, gone_start, gone_end;
        size_t gone_size, gone_first;       /* one unloaded driver; where the first one is behind the count */
        uint16_t prcb_current, apc_process; /* where the debugger block does not tell; 0: no version was without */
};

struct triage {
        struct stasis_image *image;
        struct stasis_bytes file;
        const struct triage_width *width;
        uint8_t pointer; /* size */
        const uint8_t *header;
        struct stasis_bytes kdbg;
        size_t block_count;
        const uint8_t *block;
};

static inline uint64_t triage_get(const uint8_t *at, struct dmp_member member)
{
        return load_le(at + member.at, member.size);
}

static inline uint64_t triage_head(const struct triage *t, struct dmp_member member)
{
        return triage_get(t->header, member);
}

/* Drivers, unloaded drivers, the driver that is blamed: as hints. */
enum stasis_status triage_read_lists(struct triage *t) STASIS_MUST_CHECK;

#endif
