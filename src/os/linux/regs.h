/* SPDX-License-Identifier: MIT */
/* struct pt_regs: what entering the kernel saved. Its order is that of the user's ABI and has not changed. */
#ifndef STASIS_OS_LINUX_REGS_H
#define STASIS_OS_LINUX_REGS_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "../layout.h"

/* The first 16 in the order of stasis_cpu.gpr; up to and with FLAGS as stasis_registers numbers them. */
enum {
        REG_AX,
        REG_BX,
        REG_CX,
        REG_DX,
        REG_SI,
        REG_DI,
        REG_BP,
        REG_SP,
        REG_R8,
        REG_R9,
        REG_R10,
        REG_R11,
        REG_R12,
        REG_R13,
        REG_R14,
        REG_R15,
        REG_IP,
        REG_FLAGS,
        REG_CS,
        REG_SS,
        REG_DS,
        REG_ES,
        REG_FS,
        REG_GS,
        REG_COUNT
};

#define REG_NOWHERE UINT16_MAX

struct regs_shape {
        uint8_t word;
        uint16_t size;
        uint16_t offset[REG_COUNT]; /* REG_NOWHERE: this machine's pt_regs has none */
};

/* layout may be NULL. */
void regs_bind(const struct stasis_layout *layout, uint8_t word, struct regs_shape *ret_shape);
/* One of a pt_regs at va; STASIS_ABSENT where there is none such. Selectors are cut to 16 bits. */
enum stasis_status regs_read(struct stasis_space *space, const struct regs_shape *shape, uint64_t va, unsigned reg,
                             uint64_t *ret_value) STASIS_MUST_CHECK;
/* Is a pt_regs at va one that user mode left: selectors of privilege 3, the flag IF, a stack pointer of user space? */
bool regs_are_user(struct stasis_space *space, const struct regs_shape *shape, uint64_t va);
/* All of them. Whatever cannot be read is not known. */
void regs_load(struct stasis_space *space, const struct regs_shape *shape, uint64_t va,
               struct stasis_registers *ret_registers);

#endif
