/* SPDX-License-Identifier: MIT */
#include "regs.h"

#include <stdio.h>

/* In words. Source: arch/x86/include/asm/ptrace.h; the same as <sys/user.h> shows to a debugger. */
static const uint8_t words64[REG_COUNT] = {
        [REG_R15] = 0, [REG_R14] = 1, [REG_R13] = 2, [REG_R12] = 3,    [REG_BP] = 4,  [REG_BX] = 5,  [REG_R11] = 6,
        [REG_R10] = 7, [REG_R9] = 8,  [REG_R8] = 9,  [REG_AX] = 10,    [REG_CX] = 11, [REG_DX] = 12, [REG_SI] = 13,
        [REG_DI] = 14, [REG_IP] = 16, [REG_CS] = 17, [REG_FLAGS] = 18, [REG_SP] = 19, [REG_SS] = 20,
};
static const uint8_t words32[REG_COUNT] = {
        [REG_BX] = 0,  [REG_CX] = 1,     [REG_DX] = 2,  [REG_SI] = 3,  [REG_DI] = 4,  [REG_BP] = 5,
        [REG_AX] = 6,  [REG_DS] = 7,     [REG_ES] = 8,  [REG_FS] = 9,  [REG_GS] = 10, [REG_IP] = 12,
        [REG_CS] = 13, [REG_FLAGS] = 14, [REG_SP] = 15, [REG_SS] = 16,
};
static const char *const names[REG_COUNT] = {
        "ax",  "bx",  "cx",  "dx",  "si", "di",    "bp", "sp", "r8", "r9", "r10", "r11",
        "r12", "r13", "r14", "r15", "ip", "flags", "cs", "ss", "ds", "es", "fs",  "gs",
};

static bool exists(uint8_t word, unsigned reg)
{
        if (word == 8)
                return reg < REG_DS;
        return reg < REG_R8 || reg >= REG_IP;
}

void regs_bind(const struct stasis_layout *layout, uint8_t word, struct regs_shape *ret_shape)
{
        struct regs_shape shape = { .word = word, .size = word == 8 ? 21 * 8 : 17 * 4 };
        const uint8_t *words = word == 8 ? words64 : words32;
        for (unsigned i = 0; i < REG_COUNT; i++) {
                char path[32];
                struct stasis_member m;
                shape.offset[i] = exists(word, i) ? (uint16_t)(words[i] * word) : REG_NOWHERE;
                snprintf(path, sizeof path, "pt_regs.%s", names[i]);
                if (layout && exists(word, i) && stasis_layout_member(layout, path, &m) && m.offset < 1024)
                        shape.offset[i] = (uint16_t)m.offset;
        }
        uint32_t size = layout ? stasis_layout_sizeof(layout, "pt_regs") : 0;
        if (size >= shape.size && size <= 1024)
                shape.size = (uint16_t)size;
        *ret_shape = shape;
}

enum stasis_status regs_read(struct stasis_space *space, const struct regs_shape *shape, uint64_t va, unsigned reg,
                             uint64_t *ret_value)
{
        if (shape->offset[reg] == REG_NOWHERE)
                return STASIS_ABSENT;
        uint64_t value;
        enum stasis_status status = stasis_space_u(space, va + shape->offset[reg], shape->word, &value);
        if (status == STASIS_OK)
                *ret_value = reg >= REG_CS ? value & 0xffff : value;
        return status;
}

#define FLAG_FIXED 0x2u /* reads as one always */
#define FLAG_IF 0x200u  /* user mode cannot run without it, but for iopl 3 */

bool regs_are_user(struct stasis_space *space, const struct regs_shape *shape, uint64_t va)
{
        uint64_t cs, ss, flags;
        return regs_read(space, shape, va, REG_CS, &cs) == STASIS_OK && (cs & 3) == 3 &&
               regs_read(space, shape, va, REG_SS, &ss) == STASIS_OK && (ss & 3) == 3 &&
               regs_read(space, shape, va, REG_FLAGS, &flags) == STASIS_OK &&
               (flags & (FLAG_FIXED | FLAG_IF)) == (FLAG_FIXED | FLAG_IF);
}

static uint16_t *selector(struct stasis_cpu *cpu, unsigned reg)
{
        switch (reg) {
        case REG_CS: return &cpu->cs;
        case REG_SS: return &cpu->ss;
        case REG_DS: return &cpu->ds;
        case REG_ES: return &cpu->es;
        case REG_FS: return &cpu->fs;
        default: return &cpu->gs;
        }
}

void regs_load(struct stasis_space *space, const struct regs_shape *shape, uint64_t va,
               struct stasis_registers *ret_registers)
{
        struct stasis_registers r = { .cpu.origin = "pt_regs", .width = shape->word };
        uint64_t value;
        for (unsigned i = 0; i < REG_COUNT; i++) {
                if (i < STASIS_REGISTERS)
                        r.va[i] = STASIS_NOWHERE;
                if (regs_read(space, shape, va, i, &value) != STASIS_OK)
                        continue;
                if (i < STASIS_REGISTERS) {
                        r.known |= 1u << i;
                        r.va[i] = va + shape->offset[i];
                }
                if (i < 16)
                        r.cpu.gpr[i] = value;
                else if (i == REG_IP)
                        r.cpu.rip = value;
                else if (i == REG_FLAGS)
                        r.cpu.rflags = value;
                else
                        *selector(&r.cpu, i) = (uint16_t)value;
                if (i == REG_CS)
                        r.known |= STASIS_REGISTERS_SELECTORS;
                if (i == REG_DS)
                        r.cpu.known |= STASIS_CPU_SEGMENT;
        }
        *ret_registers = r;
}
