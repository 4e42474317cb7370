/* SPDX-License-Identifier: MIT */
/*
 * ORC, the unwind tables of x86-64 kernels (Documentation/arch/x86/orc-unwinder.rst): for each stretch of code one
 * entry that tells where the caller's stack pointer and RBP are. Two arrays beside each other: addresses (32 bits,
 * relative to their own place), sorted, and entries. How an entry is laid out the types tell, never the version.
 */
#ifndef STASIS_OS_LINUX_ORC_H
#define STASIS_OS_LINUX_ORC_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "../layout.h"

/* Where the caller's stack pointer comes from. */
enum orc_register {
        ORC_UNDEFINED,
        ORC_PREV_SP,
        ORC_DX,
        ORC_DI,
        ORC_BP,
        ORC_SP,
        ORC_R10,
        ORC_R13,
        ORC_BP_INDIRECT,
        ORC_SP_INDIRECT,
        ORC_AX,
        ORC_NO_REGISTER /* a number that no kernel gives */
};

enum orc_type {
        ORC_CALL,         /* the return address lies below the caller's stack pointer */
        ORC_REGS,         /* a whole struct pt_regs lies there */
        ORC_REGS_PARTIAL, /* of one only what the processor pushed: ip cs flags sp ss */
        ORC_END,          /* the outermost frame */
        ORC_UNKNOWN       /* here the stack cannot be followed */
};

struct orc_entry {
        int16_t sp_offset, bp_offset;
        uint8_t sp_reg, bp_reg; /* enum orc_register */
        enum orc_type type;
        bool signal; /* the caller was interrupted: its address is the instruction itself, not the one behind a call */
};

/* How struct orc_entry lies in this kernel. */
struct orc_format {
        struct stasis_member sp_offset, bp_offset, sp_reg, bp_reg, type, end, signal;
        uint32_t size;   /* of an entry; 0: not known */
        bool has_end;    /* 4.18 to 6.3: the outermost frame is a bit */
        bool has_signal; /* from 6.3 on; before, each entry of type REGS is one */
        bool renumbered; /* 7.x gave registers other numbers, and no type tells them */
};

/* False where the layout has no struct orc_entry, or one of a shape that is not known. */
bool orc_bind(const struct stasis_layout *layout, struct orc_format *ret_format);
/* One entry from its bytes, format->size of them. */
void orc_decode(const struct orc_format *format, const uint8_t *bytes, struct orc_entry *ret_entry);

/* The tables of the kernel, or of one module. */
struct orc_table {
        uint64_t ip, entry; /* addresses of the arrays */
        uint64_t count;
};
#define ORC_COUNT_MAX (UINT64_C(1) << 24) /* entries of one table; a distribution's kernel has 300,000 */

/*
 * How entries lie where no types are at hand, from the entries themselves: each format leaves other bits unused, and
 * most entries are calls, which have another number since 6.4. False where the table fits none, or is not in the image.
 */
bool orc_infer(struct stasis_space *space, const struct orc_table *table, struct orc_format *ret_format);

/*
 * How registers are numbered, which no types tell: of every kernel's entries most are based on the stack pointer, whose
 * number is 5 or, in 7.x, 3; as the other's number these are among the rarest (of 7.2's 392,677 entries 327,000 and
 * none).
 */
void orc_number(struct stasis_space *space, const struct orc_table *table, struct orc_format *format);

/*
 * The entry that holds for pc: the last one at or below it. STASIS_ABSENT where pc lies before all; else as reading
 * memory goes.
 */
enum stasis_status orc_find(struct stasis_space *space, const struct orc_format *format, const struct orc_table *table,
                            uint64_t pc, struct orc_entry *ret_entry) STASIS_MUST_CHECK;

#endif
