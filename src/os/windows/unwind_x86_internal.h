/* SPDX-License-Identifier: MIT */
/* Between unwind_x86.c and unwind_x86_fpo.c. */
#ifndef STASIS_OS_WINDOWS_UNWIND_X86_INTERNAL_H
#define STASIS_OS_WINDOWS_UNWIND_X86_INTERNAL_H

#include "unwind_x86.h"

#define X86_BIT(reg) (1u << (reg))

/* A word of the stack. */
bool x86_word(const struct x86_memory *m, uint32_t at, uint32_t *ret_value);
/* Frame data of a PDB: the caller's registers, where there is some of this code and it leads to a return address. */
bool x86_by_fpo(const struct x86_memory *m, struct x86_registers *r);

#endif
