/* SPDX-License-Identifier: MIT */
/*
 * Functions of an x64 image, as its table for unwinding tells them. Places: Microsoft, "PE Format", the .pdata section,
 * and "x64 exception handling", struct RUNTIME_FUNCTION and UNWIND_INFO.
 */
#include "../../base/bytes.h"
#include "pe.h"

enum {
        FUNCTION_LEN = 12,
        FUNCTION_INDIRECT = 1, /* in unwind: it is the place of another entry, which has the unwind data */
        UNWIND_CHAINED = 4,    /* UNW_FLAG_CHAININFO: behind the codes follows an entry, of the part before */
        CHAIN_MAX = 32
};

static bool read_function(struct stasis_space *space, const struct pe_image *pe, uint64_t rva,
                          struct pe_function *ret_function)
{
        uint8_t raw[FUNCTION_LEN];

        if (!pe_holds(pe, rva, sizeof(raw)) || stasis_space_read(space, pe->base + rva, raw, sizeof(raw)) != STASIS_OK)
                return false;
        *ret_function = (struct pe_function){ load_le32(raw), load_le32(raw + 4), load_le32(raw + 8) };
        return true;
}

enum stasis_status pe_function_below(struct stasis_space *space, const struct pe_image *pe, uint64_t rva,
                                     struct pe_function *ret_function)
{
        struct pe_function one, best = { 0 };
        bool found = false;

        if (pe->exception_len < FUNCTION_LEN)
                return STASIS_ABSENT;
        for (uint32_t low = 0, high = pe->exception_len / FUNCTION_LEN; low < high;) {
                uint32_t middle = low + (high - low) / 2;

                if (!read_function(space, pe, pe->exception_rva + UINT64_C(12) * middle, &one))
                        return STASIS_ABSENT;
                if (one.begin <= rva) {
                        low = middle + 1;
                        best = one;
                        found = true;
                } else {
                        high = middle;
                }
        }
        if (!found)
                return STASIS_CORRUPT;
        *ret_function = best;
        return STASIS_OK;
}

enum stasis_status pe_function_primary(struct stasis_space *space, const struct pe_image *pe,
                                       const struct pe_function *part, struct pe_function *ret_function)
{
        struct pe_function one = *part;
        uint64_t head;

        for (unsigned i = 0; i < CHAIN_MAX; i++) {
                uint64_t next = one.unwind - UINT64_C(1);

                if (!(one.unwind & FUNCTION_INDIRECT)) {
                        if (!pe_holds(pe, one.unwind, 4) ||
                            stasis_space_u(space, pe->base + one.unwind, 4, &head) != STASIS_OK)
                                return STASIS_ABSENT;
                        if (!(head >> 3 & UNWIND_CHAINED)) { /* version in 3 bits, flags in 5, prologue, codes */
                                *ret_function = one;
                                return STASIS_OK;
                        }
                        next = one.unwind + 4 + 2 * ((head >> 16 & 0xff) + (head >> 16 & 1));
                }
                if (!read_function(space, pe, next, &one))
                        return STASIS_ABSENT;
        }
        return STASIS_CORRUPT;
}
