/* SPDX-License-Identifier: MIT */
/*
 * Page-table entries as Windows reads them where the processor does not: the forms of one kernel, as its layout has
 * them, and what an entry means. Pure: nothing is looked up here.
 */
#ifndef STASIS_OS_WINDOWS_PTE_H
#define STASIS_OS_WINDOWS_PTE_H

#include <stasis/stasis.h>

#include "../layout.h"

enum pte_form { PTE_HARDWARE, PTE_TRANSITION, PTE_PROTOTYPE, PTE_SOFTWARE, PTE_SUBSECTION, PTE_FORMS };

/* Every member that is looked at, by its form; pte.c has the names. */
enum pte_member {
        HARDWARE_FRAME,
        TRANSITION_FRAME,
        TRANSITION_PROTECTION,
        TRANSITION_SWIZZLE,
        PROTOTYPE_ADDRESS,
        PROTOTYPE_LOW,
        PROTOTYPE_HIGH,
        PROTOTYPE_READ_ONLY,
        PROTOTYPE_PROTECTION,
        PROTOTYPE_SWIZZLE,
        SOFTWARE_TRANSITION, /* these two bits are the same in all forms */
        SOFTWARE_PROTOTYPE,
        SOFTWARE_PROTECTION,
        SOFTWARE_LOW,
        SOFTWARE_HIGH,
        SOFTWARE_IN_STORE,
        SOFTWARE_SWIZZLE,
        SUBSECTION_ADDRESS,
        SUBSECTION_LOW,
        SUBSECTION_HIGH,
        SUBSECTION_PROTECTION,
        SUBSECTION_SWIZZLE,
        PTE_MEMBERS
};

struct pte_bits {
        uint8_t at, len; /* len 0: this kernel has none */
};

struct pte_forms {
        uint8_t entry_size; /* 0: not known */
        struct pte_bits bits[PTE_MEMBERS];
        const char *origin; /* the layout that they are of */
        bool lent;          /* which is that of another kernel */
        /* x86 without PAE: prototype entries are named relative to this. */
        uint64_t prototype_base;
        /*
         * Serviced kernels (2018) set bits in entries that are not present, so that no such entry names memory that
         * exists (L1TF), unless the entry has some of them anyway: then SwizzleBit is set.
         */
        uint64_t invalid_mask;
        bool mask_known;
};

/* The forms for entries of this size; of a neighbour's where the layout was measured on a kernel of the other size. */
void pte_bind(const struct stasis_layout *layout, uint8_t entry_size, struct pte_forms *ret_forms);
static inline bool pte_swizzles(const struct pte_forms *forms) { return forms->bits[SOFTWARE_SWIZZLE].len > 0; }

enum pte_kind {
        PTE_IS_ZERO,
        PTE_IS_VALID,
        PTE_IS_TRANSITION,
        PTE_IS_PROTOTYPE,  /* address: where the prototype entry is */
        PTE_IS_LOOKUP,     /* a prototype that the process's VADs tell */
        PTE_IS_SUBSECTION, /* of prototype entries: in the mapped file; address: its SUBSECTION */
        PTE_IS_DEMAND_ZERO,
        PTE_IS_DECOMMITTED,
        PTE_IS_PAGEFILE,
        PTE_IS_UNKNOWN /* no form is known */
};

struct pte_meaning {
        enum pte_kind kind;
        enum pte_form form;
        uint64_t value; /* without the bits that servicing added */
        uint64_t frame, address, page;
        uint32_t pagefile;
        bool doubtful; /* high bits are masked, and the mask is not known */
};
/* prototype: the entry is itself a prototype one. */
struct pte_meaning pte_read(const struct pte_forms *forms, uint64_t value, bool prototype);
/* The entry as an answer shows it: its form, and the members that there are. */
void pte_show(const struct pte_forms *forms, const struct pte_meaning *meaning, struct stasis_pte *ret_pte);

#endif
