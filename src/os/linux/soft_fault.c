/* SPDX-License-Identifier: MIT */
/*
 * Pages that are in memory although their entry does not say so to the processor: PROT_NONE mappings and those that
 * NUMA balancing took the bit from keep _PAGE_PROTNONE (bit 8, which no swap entry has set). Since 4.18 (L1TF) the
 * frame of an entry that is not present is stored inverted where entries have 64 bits
 * (arch/x86/include/asm/pgtable-invert.h).
 */
#include "linux.h"

#define PROTNONE 0x100u
#define LARGE 0x80u

static bool held(const struct linux_system *l, uint64_t pa) { return stasis_image_find(l->image, pa) != NULL; }

/* Which of both kernels it is the image tells: one of the two frames lies in memory. */
static bool frame_of(const struct linux_system *l, const struct stasis_paging *p, uint64_t value, uint64_t *ret_frame)
{
        uint64_t plain = value & p->frame_mask, inverted = ~value & p->frame_mask;
        *ret_frame = p->entry_size == 8 && held(l, inverted) ? inverted : plain;
        return *ret_frame == inverted || held(l, plain);
}

enum stasis_status linux_soft_fault(void *ctx, struct stasis_space *space, struct stasis_soft_fault *fault)
{
        const struct linux_system *l = ctx;
        const struct stasis_paging *p = space->paging;
        struct stasis_walk *walk = fault->walk;
        unsigned level = walk->depth - 1u;
        uint64_t frame;
        if (!walk->depth)
                return STASIS_ABSENT;
        uint64_t value = walk->entry[level].value;
        bool last = level + 1u == p->levels;
        if (!(value & PROTNONE) || (!last && !(p->level[level].large_ok && value & LARGE)) ||
            !frame_of(l, p, value, &frame))
                return STASIS_ABSENT;
        walk->page_size = UINT64_C(1) << p->level[level].shift;
        walk->pa = (frame & ~(walk->page_size - 1)) | (walk->va & (walk->page_size - 1));
        return STASIS_OK;
}
