/* SPDX-License-Identifier: MIT */
#include "saved.h"

#include <stdio.h>
#include <string.h>

/* A member, and where it is in versions whose layout nobody has told (NT 4.0, 2000, inferred layouts). */
struct member {
        uint8_t reg;
        const char *name;
        uint16_t offset, size;
};

/* x86: as in XP and 2003 (facts/windows REPORT.md); Windows 10 moved what lies below Edi by one word. */
static const struct member trap32[] = {
        { SAVED_RDI, "Edi", 0x54, 4 },          { SAVED_RSI, "Esi", 0x58, 4 },
        { SAVED_RBX, "Ebx", 0x5c, 4 },          { SAVED_RBP, "Ebp", 0x60, 4 },
        { SAVED_RIP, "Eip", 0x68, 4 },          { SAVED_CS, "SegCs", 0x6c, 2 },
        { SAVED_RFLAGS, "EFlags", 0x70, 4 },    { SAVED_RSP, "HardwareEsp", 0x74, 4 },
        { SAVED_SS, "HardwareSegSs", 0x78, 2 }, { SAVED_RAX, "Eax", 0x44, 4 },
        { SAVED_RCX, "Ecx", 0x40, 4 },          { SAVED_RDX, "Edx", 0x3c, 4 },
        { SAVED_DS, "SegDs", 0x38, 2 },         { SAVED_ES, "SegEs", 0x34, 2 },
        { SAVED_GS, "SegGs", 0x30, 2 },         { SAVED_FS, "SegFs", 0x50, 2 },
        { SAVED_DR0, "Dr0", 0x18, 4 },          { SAVED_DR0 + 1, "Dr1", 0x1c, 4 },
        { SAVED_DR0 + 2, "Dr2", 0x20, 4 },      { SAVED_DR0 + 3, "Dr3", 0x24, 4 },
        { SAVED_DR0 + 4, "Dr6", 0x28, 4 },      { SAVED_DR7, "Dr7", 0x2c, 4 },
};

/* x64: of every version. */
static const struct member trap64[] = {
        { SAVED_RAX, "Rax", 0x30, 8 },        { SAVED_RCX, "Rcx", 0x38, 8 },
        { SAVED_RDX, "Rdx", 0x40, 8 },        { SAVED_R8, "R8", 0x48, 8 },
        { SAVED_R8 + 1, "R9", 0x50, 8 },      { SAVED_R8 + 2, "R10", 0x58, 8 },
        { SAVED_R8 + 3, "R11", 0x60, 8 },     { SAVED_RBX, "Rbx", 0x140, 8 },
        { SAVED_RDI, "Rdi", 0x148, 8 },       { SAVED_RSI, "Rsi", 0x150, 8 },
        { SAVED_RBP, "Rbp", 0x158, 8 },       { SAVED_RIP, "Rip", 0x168, 8 },
        { SAVED_CS, "SegCs", 0x170, 2 },      { SAVED_RFLAGS, "EFlags", 0x178, 4 },
        { SAVED_RSP, "Rsp", 0x180, 8 },       { SAVED_SS, "SegSs", 0x188, 2 },
        { SAVED_DR0, "Dr0", 0xd8, 8 },        { SAVED_DR0 + 1, "Dr1", 0xe0, 8 },
        { SAVED_DR0 + 2, "Dr2", 0xe8, 8 },    { SAVED_DR0 + 3, "Dr3", 0xf0, 8 },
        { SAVED_DR0 + 4, "Dr6", 0xf8, 8 },    { SAVED_DR7, "Dr7", 0x100, 8 },
        { SAVED_MXCSR, "MxCsr", 0x2c, 4 },    { SAVED_XMM0, "Xmm0", 0x70, 16 },
        { SAVED_XMM0 + 1, "Xmm1", 0x80, 16 }, { SAVED_XMM0 + 2, "Xmm2", 0x90, 16 },
        { SAVED_XMM0 + 3, "Xmm3", 0xa0, 16 }, { SAVED_XMM0 + 4, "Xmm4", 0xb0, 16 },
        { SAVED_XMM0 + 5, "Xmm5", 0xc0, 16 },
};

static const struct member context32[] = {
        { SAVED_DR0, "Dr0", 0x4, 4 },      { SAVED_DR0 + 1, "Dr1", 0x8, 4 },    { SAVED_DR0 + 2, "Dr2", 0xc, 4 },
        { SAVED_DR0 + 3, "Dr3", 0x10, 4 }, { SAVED_DR0 + 4, "Dr6", 0x14, 4 },   { SAVED_DR7, "Dr7", 0x18, 4 },
        { SAVED_GS, "SegGs", 0x8c, 2 },    { SAVED_FS, "SegFs", 0x90, 2 },      { SAVED_ES, "SegEs", 0x94, 2 },
        { SAVED_DS, "SegDs", 0x98, 2 },    { SAVED_RDI, "Edi", 0x9c, 4 },       { SAVED_RSI, "Esi", 0xa0, 4 },
        { SAVED_RBX, "Ebx", 0xa4, 4 },     { SAVED_RDX, "Edx", 0xa8, 4 },       { SAVED_RCX, "Ecx", 0xac, 4 },
        { SAVED_RAX, "Eax", 0xb0, 4 },     { SAVED_RBP, "Ebp", 0xb4, 4 },       { SAVED_RIP, "Eip", 0xb8, 4 },
        { SAVED_CS, "SegCs", 0xbc, 2 },    { SAVED_RFLAGS, "EFlags", 0xc0, 4 }, { SAVED_RSP, "Esp", 0xc4, 4 },
        { SAVED_SS, "SegSs", 0xc8, 2 },
};

#define XMM(n, off) \
        { \
                SAVED_XMM0 + (n), "Xmm" #n, (off), 16 \
        }
static const struct member context64[] = {
        { SAVED_MXCSR, "MxCsr", 0x34, 4 },
        { SAVED_CS, "SegCs", 0x38, 2 },
        { SAVED_DS, "SegDs", 0x3a, 2 },
        { SAVED_ES, "SegEs", 0x3c, 2 },
        { SAVED_FS, "SegFs", 0x3e, 2 },
        { SAVED_GS, "SegGs", 0x40, 2 },
        { SAVED_SS, "SegSs", 0x42, 2 },
        { SAVED_RFLAGS, "EFlags", 0x44, 4 },
        { SAVED_DR0, "Dr0", 0x48, 8 },
        { SAVED_DR0 + 1, "Dr1", 0x50, 8 },
        { SAVED_DR0 + 2, "Dr2", 0x58, 8 },
        { SAVED_DR0 + 3, "Dr3", 0x60, 8 },
        { SAVED_DR0 + 4, "Dr6", 0x68, 8 },
        { SAVED_DR7, "Dr7", 0x70, 8 },
        { SAVED_RAX, "Rax", 0x78, 8 },
        { SAVED_RCX, "Rcx", 0x80, 8 },
        { SAVED_RDX, "Rdx", 0x88, 8 },
        { SAVED_RBX, "Rbx", 0x90, 8 },
        { SAVED_RSP, "Rsp", 0x98, 8 },
        { SAVED_RBP, "Rbp", 0xa0, 8 },
        { SAVED_RSI, "Rsi", 0xa8, 8 },
        { SAVED_RDI, "Rdi", 0xb0, 8 },
        { SAVED_R8, "R8", 0xb8, 8 },
        { SAVED_R8 + 1, "R9", 0xc0, 8 },
        { SAVED_R8 + 2, "R10", 0xc8, 8 },
        { SAVED_R8 + 3, "R11", 0xd0, 8 },
        { SAVED_R12, "R12", 0xd8, 8 },
        { SAVED_R12 + 1, "R13", 0xe0, 8 },
        { SAVED_R12 + 2, "R14", 0xe8, 8 },
        { SAVED_R12 + 3, "R15", 0xf0, 8 },
        { SAVED_RIP, "Rip", 0xf8, 8 },
        XMM(0, 0x1a0),
        XMM(1, 0x1b0),
        XMM(2, 0x1c0),
        XMM(3, 0x1d0),
        XMM(4, 0x1e0),
        XMM(5, 0x1f0),
        XMM(6, 0x200),
        XMM(7, 0x210),
        XMM(8, 0x220),
        XMM(9, 0x230),
        XMM(10, 0x240),
        XMM(11, 0x250),
        XMM(12, 0x260),
        XMM(13, 0x270),
        XMM(14, 0x280),
        XMM(15, 0x290),
};

/* From Vista on; 2003's has 0x40 bytes more above Xmm15, which its layout tells (3790.3959's). */
static const struct member exception64[] = {
        XMM(6, 0x30),
        XMM(7, 0x40),
        XMM(8, 0x50),
        XMM(9, 0x60),
        XMM(10, 0x70),
        XMM(11, 0x80),
        XMM(12, 0x90),
        XMM(13, 0xa0),
        XMM(14, 0xb0),
        XMM(15, 0xc0),
        { SAVED_MXCSR, "MxCsr", 0xf0, 4 },
        { SAVED_RBX, "Rbx", 0x100, 8 },
        { SAVED_RDI, "Rdi", 0x108, 8 },
        { SAVED_RSI, "Rsi", 0x110, 8 },
        { SAVED_R12, "R12", 0x118, 8 },
        { SAVED_R12 + 1, "R13", 0x120, 8 },
        { SAVED_R12 + 2, "R14", 0x128, 8 },
        { SAVED_R12 + 3, "R15", 0x130, 8 },
        { SAVED_RIP, "Return", 0x138, 8 },
};
#undef XMM

struct form {
        const char *structure;
        uint8_t width;
        uint16_t size;
        const struct member *member;
        size_t count;
};
#define FORM(name, width, size, members) \
        { \
                name, width, size, members, sizeof(members) / sizeof *(members) \
        }
static const struct form forms[2][SAVED_FORMS] = {
        {
                [SAVED_TRAP_FRAME] = FORM("_KTRAP_FRAME", 4, 0x8c, trap32),
                [SAVED_CONTEXT] = FORM("_CONTEXT", 4, 0x2cc, context32),
        },
        {
                [SAVED_TRAP_FRAME] = FORM("_KTRAP_FRAME", 8, 0x190, trap64),
                [SAVED_CONTEXT] = FORM("_CONTEXT", 8, 0x4d0, context64),
                [SAVED_EXCEPTION_FRAME] = FORM("_KEXCEPTION_FRAME", 8, 0x140, exception64),
                [SAVED_CONTEXT32] = FORM("_WOW64_CONTEXT", 4, 0x2cc, context32),
        },
};

static void bind_form(const struct stasis_layout *layout, const struct form *form, struct saved_shape *ret_shape)
{
        uint32_t size = layout ? stasis_layout_sizeof(layout, form->structure) : 0;
        *ret_shape = (struct saved_shape){ .width = form->width,
                                           .size = size && size < 0x1000 ? (uint16_t)size : form->size };
        for (size_t i = 0; i < SAVED_COUNT; i++)
                ret_shape->offset[i] = SAVED_NOWHERE;
        for (size_t i = 0; i < form->count; i++) {
                char path[64];
                struct stasis_member m;
                snprintf(path, sizeof path, "%s.%s", form->structure, form->member[i].name);
                bool told = size && stasis_layout_member(layout, path, &m) && m.offset < ret_shape->size;
                if (told || !size)
                        ret_shape->offset[form->member[i].reg] = told ? (uint16_t)m.offset : form->member[i].offset;
        }
}

void saved_bind(const struct stasis_layout *layout, bool is64, struct saved_shape ret_shape[static SAVED_FORMS])
{
        for (size_t i = 0; i < SAVED_FORMS; i++) {
                ret_shape[i] = (struct saved_shape){ 0 };
                if (forms[is64][i].structure)
                        bind_form(layout, &forms[is64][i], &ret_shape[i]);
        }
}

static size_t size_of(const struct saved_shape *shape, unsigned reg)
{
        if (reg >= SAVED_CS && reg <= SAVED_GS)
                return 2;
        if (reg == SAVED_RFLAGS || reg == SAVED_MXCSR)
                return 4;
        return shape->width;
}

enum stasis_status saved_read(struct stasis_space *space, const struct saved_shape *shape, uint64_t va, unsigned reg,
                              uint64_t *ret_value)
{
        if (!shape->size || shape->offset[reg] == SAVED_NOWHERE)
                return STASIS_ABSENT;
        return stasis_space_u(space, va + shape->offset[reg], size_of(shape, reg), ret_value);
}

void saved_absent(struct stasis_registers *r, uint8_t width, enum stasis_absence why)
{
        *r = (struct stasis_registers){ .absence = why, .width = width };
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                r->va[i] = STASIS_NOWHERE;
        for (unsigned i = 0; i < 16; i++)
                r->xmm_va[i] = STASIS_NOWHERE;
}

static uint64_t *numbered(struct stasis_registers *r, unsigned reg)
{
        return reg < 16 ? &r->cpu.gpr[reg] : reg == SAVED_RIP ? &r->cpu.rip : &r->cpu.rflags;
}

void saved_put(struct stasis_registers *r, unsigned reg, uint64_t value, uint64_t va)
{
        static const uint8_t dr[] = { 0, 1, 2, 3, 6, 7 };
        uint16_t *const selector[] = { &r->cpu.cs, &r->cpu.ss, &r->cpu.ds, &r->cpu.es, &r->cpu.fs, &r->cpu.gs };
        if (reg < STASIS_REGISTERS) {
                *numbered(r, reg) = value;
                r->known |= 1u << reg;
                r->va[reg] = va;
        } else if (reg <= SAVED_GS) {
                *selector[reg - SAVED_CS] = (uint16_t)value;
        } else if (reg <= SAVED_DR7) {
                r->cpu.dr[dr[reg - SAVED_DR0]] = value;
        } else if (reg == SAVED_MXCSR) {
                r->cpu.mxcsr = (uint32_t)value;
                r->cpu.known |= STASIS_CPU_VECTOR;
        }
}

void saved_forget(struct stasis_registers *r, unsigned reg)
{
        *numbered(r, reg) = 0;
        r->known &= ~(1u << reg);
        r->va[reg] = STASIS_NOWHERE;
}

static bool load_xmm(struct stasis_space *space, uint64_t va, unsigned number, struct stasis_registers *r)
{
        if (stasis_space_read(space, va, r->cpu.xmm[number], sizeof r->cpu.xmm[number]) != STASIS_OK)
                return false;
        r->xmm_known |= 1u << number;
        r->xmm_va[number] = va;
        return true;
}

/* A group (selectors, debug registers) counts where all of it that the structure has was read. */
void saved_load(struct stasis_space *space, const struct saved_shape *shape, uint64_t va, uint64_t which,
                struct stasis_registers *r)
{
        uint64_t value, missing = 0, have = 0;
        for (unsigned i = 0; i < SAVED_COUNT && shape->size; i++) {
                if (!(which >> i & 1) || shape->offset[i] == SAVED_NOWHERE)
                        continue;
                bool good = i >= SAVED_XMM0 ? load_xmm(space, va + shape->offset[i], i - SAVED_XMM0, r)
                                            : saved_read(space, shape, va, i, &value) == STASIS_OK;
                if (good && i < SAVED_XMM0)
                        saved_put(r, i, value, va + shape->offset[i]);
                *(good ? &have : &missing) |= SAVED_BIT(i);
        }
        if (have & SAVED_SELECTORS && !(missing & SAVED_SELECTORS))
                r->known |= STASIS_REGISTERS_SELECTORS;
        if (have & SAVED_DATA_SELECTORS && !(missing & SAVED_DATA_SELECTORS))
                r->cpu.known |= STASIS_CPU_SEGMENT;
        if (have & SAVED_DEBUG && !(missing & SAVED_DEBUG))
                r->cpu.known |= STASIS_CPU_DEBUG;
}
