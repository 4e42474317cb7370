/* SPDX-License-Identifier: MIT */
#include "registers.h"

#include <string.h>

#include "stacks.h"

#define CS_USER32 0x23 /* x64: code of 32 bits (KGDT64_R3_CMCODE | 3); x86: data (KGDT_R3_DATA | 3) */

/* ---- of a processor */

static void of_cpu(const struct thread_stand *s, struct stasis_registers *r)
{
        saved_absent(r, s->w->pointer_size, STASIS_PRESENT);
        r->cpu = s->cpu;
        r->known = (s->w->is64 ? 0xffffu : 0xffu) | 1u << SAVED_RIP | 1u << SAVED_RFLAGS | STASIS_REGISTERS_SELECTORS;
        if (s->cpu.known & STASIS_CPU_VECTOR)
                r->xmm_known = s->w->is64 ? 0xffffu : 0xffu;
        if (s->cpu_va == STASIS_NOWHERE)
                return;
        const struct saved_shape *shape = &s->f->shape[SAVED_CONTEXT];
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                if (shape->offset[i] != SAVED_NOWHERE)
                        r->va[i] = s->cpu_va + shape->offset[i];
}

/* ---- switched away */

/*
 * What SwapContext pushes (facts/windows common-formats.json: KSWITCH_FRAME; of ReactOS, Microsoft's PDBs lack it).
 * x64: Rbp at 0x30, its return into KiSwapContext at 0x38, then KiSwapContext's KEXCEPTION_FRAME. x86: exception list,
 * flags, return; then what KiSwapContext saved: ebp edi esi ebx, and its own return.
 */
enum { SWITCH64_RBP = 0x30, SWITCH64_RETURN = 0x38, SWITCH64_LEN = 0x40 };
enum { SWITCH32_RETURN = 8, SWITCH32_LEN = 0xc, SWAP32_RETURN = SWITCH32_LEN + 16 };

/* An address of the kernel's own code, so far as its headers tell. */
static bool in_kernel_image(const struct windows *w, uint64_t pc)
{
        if (w->has_pe)
                return pc >= w->pe.base && pc - w->pe.base < w->pe.size;
        return modules_find(&w->modules, pc) != NULL;
}

static bool kernel_word(const struct thread_stand *s, uint64_t at, uint64_t *ret_value)
{
        uint8_t size = s->w->pointer_size;
        return at >= s->limit && at < s->base && s->base - at >= size &&
               read_pointer(s->w, s->w->kernel, at, ret_value) == STASIS_OK;
}

static bool put_word(const struct thread_stand *s, unsigned reg, uint64_t at, struct stasis_registers *r)
{
        uint64_t value;
        if (!kernel_word(s, at, &value))
                return false;
        saved_put(r, reg, value, at);
        return true;
}

static bool switch_frame64(const struct thread_stand *s, struct stasis_registers *r)
{
        const struct saved_shape *shape = &s->f->shape[SAVED_EXCEPTION_FRAME];
        uint64_t returns, frame = s->saved_sp + SWITCH64_LEN;
        if (!put_word(s, SAVED_RIP, s->saved_sp + SWITCH64_RETURN, r) || !in_kernel_image(s->w, r->cpu.rip) ||
            !put_word(s, SAVED_RBP, s->saved_sp + SWITCH64_RBP, r))
                return false;
        saved_put(r, SAVED_RSP, frame, STASIS_NOWHERE);
        r->cpu.origin = "KSWITCH_FRAME";
        if (frame >= s->base || shape->size > s->base - frame ||
            saved_read(s->w->kernel, shape, frame, SAVED_RIP, &returns) != STASIS_OK || !in_kernel_image(s->w, returns))
                return true;
        saved_load(s->w->kernel, shape, frame,
                   SAVED_BIT(SAVED_RBX) | SAVED_BIT(SAVED_RDI) | SAVED_BIT(SAVED_RSI) | UINT64_C(15) << SAVED_R12, r);
        r->cpu.origin = "KSWITCH_FRAME, KEXCEPTION_FRAME";
        return true;
}

static bool switch_frame32(const struct thread_stand *s, struct stasis_registers *r)
{
        static const uint8_t saved[] = { SAVED_RBP, SAVED_RDI, SAVED_RSI, SAVED_RBX };
        uint64_t swap, frame = s->saved_sp + SWITCH32_LEN;
        if (!put_word(s, SAVED_RIP, s->saved_sp + SWITCH32_RETURN, r) || !in_kernel_image(s->w, r->cpu.rip))
                return false;
        saved_put(r, SAVED_RSP, frame, STASIS_NOWHERE);
        r->cpu.origin = "KSWITCHFRAME";
        if (!kernel_word(s, s->saved_sp + SWAP32_RETURN, &swap) || !in_kernel_image(s->w, swap))
                return true; /* a thread that has not begun has no such frame */
        for (unsigned i = 0; i < 4; i++)
                (void)put_word(s, saved[i], frame + 4 * i, r);
        return true;
}

bool windows_switch_frame(const struct thread_stand *s, struct stasis_registers *ret_registers)
{
        struct stasis_registers r;
        saved_absent(&r, s->w->pointer_size, STASIS_PRESENT);
        if (!s->base || s->saved_sp < s->limit || s->saved_sp >= s->base)
                return false;
        bool good = s->w->is64 ? switch_frame64(s, &r) : switch_frame32(s, &r);
        if (good)
                *ret_registers = r;
        return good;
}

void windows_kernel_registers(const struct thread_stand *s, struct stasis_registers *ret_registers)
{
        uint8_t width = s->w->pointer_size;
        switch (s->place) {
        case THREAD_IN_KERNEL: of_cpu(s, ret_registers); return;
        case THREAD_IN_USER:
        case THREAD_ENDED: saved_absent(ret_registers, width, STASIS_NOT_APPLICABLE); return;
        case THREAD_ON_CPU: saved_absent(ret_registers, width, STASIS_NOT_KNOWN); return;
        case THREAD_SWITCHED: break;
        }
        if (windows_switch_frame(s, ret_registers))
                return;
        enum stasis_absence why = s->why;
        uint64_t word;
        if (s->base && s->saved_sp >= s->limit && s->saved_sp < s->base) {
                enum stasis_status status = read_pointer(s->w, s->w->kernel, s->saved_sp, &word);
                why = status == STASIS_OK ? STASIS_CONTRADICTORY
                                          : absence_at(s->w->kernel, s->saved_sp, s->w->pointer_size, status);
        } else if (s->base) {
                why = STASIS_CONTRADICTORY;
        }
        saved_absent(ret_registers, width, why);
}

/* ---- user mode's, by a trap frame */

/* KTRAP_FRAME.ExceptionActive, as Microsoft's own header names its values. */
enum { TRAP64_KIND_AT = 0x2b, TRAP64_SERVICE = 2 };

/*
 * x64: volatile registers are kept by interrupts and exceptions only, rbx rdi rsi by system services only (the comments
 * of KTRAP_FRAME in Microsoft's ntosp.h); r12 to r15 by none.
 */
static uint64_t kept64(const struct thread_stand *s, uint64_t at)
{
        uint64_t kind, always = SAVED_BIT(SAVED_RIP) | SAVED_BIT(SAVED_RSP) | SAVED_BIT(SAVED_RBP) |
                                SAVED_BIT(SAVED_RFLAGS) | SAVED_BIT(SAVED_MXCSR) | SAVED_SELECTORS;
        if (stasis_space_u(s->w->kernel, at + TRAP64_KIND_AT, 1, &kind) != STASIS_OK)
                return always;
        if (kind == TRAP64_SERVICE)
                return always | SAVED_BIT(SAVED_RBX) | SAVED_BIT(SAVED_RDI) | SAVED_BIT(SAVED_RSI);
        return always | SAVED_BIT(SAVED_RAX) | SAVED_BIT(SAVED_RCX) | SAVED_BIT(SAVED_RDX) | UINT64_C(15) << SAVED_R8 |
               UINT64_C(0x3f) << SAVED_XMM0;
}

/*
 * May a service have been called there? There is a SYSENTER, a SYSCALL or an INT 2E in front of rip, or the code
 * returns at once: KiFastSystemCallRet, to which SYSEXIT goes and which need not stand behind the SYSENTER. STASIS_OK:
 * *ret_may.
 */
static enum stasis_status may_be_service(const struct thread_stand *s, uint64_t rip, bool *ret_may)
{
        uint8_t code[3];
        struct stasis_space *space = stand_user_space(s);
        enum stasis_status status = space && rip >= 2 ? stasis_space_read(space, rip - 2, code, 3) : STASIS_ABSENT;
        if (status != STASIS_OK)
                return status;
        *ret_may = (code[0] == 0x0f && (code[1] == 0x34 || code[1] == 0x05)) || (code[0] == 0xcd && code[1] == 0x2e) ||
                   code[2] == 0xc3;
        return STASIS_OK;
}

/*
 * x86: nothing in the frame tells a service's from an interrupt's, the code does. A service keeps no volatile register;
 * nor do the entry paths of every version keep ds and es, so that these count where they are what user mode has.
 */
static uint64_t kept32(const struct thread_stand *s, uint64_t at)
{
        const struct saved_shape *shape = &s->f->shape[SAVED_TRAP_FRAME];
        uint64_t rip = 0, ds = 0, es = 0, kept = SAVED_SELECTORS;
        static const uint8_t always[] = {
                SAVED_RIP, SAVED_RSP, SAVED_RBP, SAVED_RFLAGS, SAVED_RBX, SAVED_RDI, SAVED_RSI
        };
        bool service;
        for (size_t i = 0; i < sizeof always; i++)
                kept |= SAVED_BIT(always[i]);
        if (saved_read(s->w->kernel, shape, at, SAVED_RIP, &rip) == STASIS_OK &&
            may_be_service(s, rip, &service) == STASIS_OK && !service)
                kept |= SAVED_BIT(SAVED_RAX) | SAVED_BIT(SAVED_RCX) | SAVED_BIT(SAVED_RDX);
        if (saved_read(s->w->kernel, shape, at, SAVED_DS, &ds) == STASIS_OK && ds == CS_USER32 &&
            saved_read(s->w->kernel, shape, at, SAVED_ES, &es) == STASIS_OK && es == CS_USER32)
                kept |= SAVED_DATA_SELECTORS;
        return kept;
}

/* Debug registers are in the frame where the thread has some set: Dr7 is zeroed where it has not. */
static bool has_debug(const struct thread_stand *s, uint64_t at)
{
        uint64_t dr7, active = 1;
        if (read_place(s->w->kernel, s->object, &s->f->debug_active, &active) == STASIS_OK && !active)
                return false;
        return saved_read(s->w->kernel, &s->f->shape[SAVED_TRAP_FRAME], at, SAVED_DR7, &dr7) == STASIS_OK && dr7 & 0xff;
}

/* What entering the kernel did not save, its functions did: as unwinding back to the border finds them. */
static void add_unwound(struct thread_stand *s, struct stasis_registers *r)
{
        static const uint8_t kept[] = { SAVED_RBX,     SAVED_RSI,     SAVED_RDI,    SAVED_R12,
                                        SAVED_R12 + 1, SAVED_R12 + 2, SAVED_R12 + 3 };
        static const uint8_t x64[] = { X64_RBX, X64_RSI, X64_RDI, 12, 13, 14, 15 };
        const struct thread_stack *stack = s->w->is64 && s->place != THREAD_ON_CPU ? windows_kernel_stack(s) : NULL;
        if (!stack || !stack->at_user)
                return;
        for (size_t i = 0; i < sizeof kept; i++)
                if (!(r->known >> kept[i] & 1) && stack->border.known >> x64[i] & 1)
                        saved_put(r, kept[i], stack->border.gpr[x64[i]], stack->border.at[x64[i]]);
        for (unsigned i = 6; i < 16; i++)
                if (stack->border.xmm_known >> i & 1) {
                        memcpy(r->cpu.xmm[i], stack->border.xmm[i], sizeof r->cpu.xmm[i]);
                        r->xmm_va[i] = stack->border.xmm_at[i];
                        r->xmm_known |= 1u << i;
                }
}

static void of_trap_frame(struct thread_stand *s, uint64_t at, struct stasis_registers *r)
{
        uint64_t kept = s->w->is64 ? kept64(s, at) : kept32(s, at);
        saved_absent(r, s->w->pointer_size, STASIS_PRESENT);
        r->cpu.origin = s->place == THREAD_ON_CPU ? "KTRAP_FRAME of its last entry" : "KTRAP_FRAME";
        if (has_debug(s, at))
                kept |= SAVED_DEBUG;
        saved_load(s->w->kernel, &s->f->shape[SAVED_TRAP_FRAME], at, kept, r);
        add_unwound(s, r);
}

void windows_user_registers(struct thread_stand *s, struct stasis_registers *ret_registers)
{
        uint64_t teb = 0;
        uint8_t width = s->w->pointer_size;
        if (s->place == THREAD_IN_USER) {
                of_cpu(s, ret_registers);
                return;
        }
        if (s->user_trap) {
                of_trap_frame(s, s->user_trap, ret_registers);
                return;
        }
        bool user = read_place(s->w->kernel, s->object, &s->w->at.teb, &teb) == STASIS_OK && teb;
        if (s->place == THREAD_ENDED || !user)
                saved_absent(ret_registers, width, STASIS_NOT_APPLICABLE);
        else
                saved_absent(ret_registers, width, s->base ? STASIS_NOT_KNOWN : s->why);
}

/* ---- WoW64 */

/*
 * TEB64.TlsSlots[1] (the TEB keeps its place in every x64 version) points to WOW64_CPURESERVED: flags, machine, then
 * WOW64_CONTEXT at 4. Source: Microsoft, WOW64_CONTEXT (winnt.h), for Vista to 8.1; the same later. Of 2003 and XP x64
 * nobody tells: there it is looked for at the next words too.
 */
static const uint8_t context_at[] = { 4, 0, 8, 12, 16 };
enum {
        TEB64_TLS_SLOT_1 = 0x1488,
        CONTEXT_I386 = 0x10000 /* of ContextFlags */,
        TEB32_STACK_BASE = 4,
        TEB32_STACK_LIMIT = 8
};

static bool in_stack32(struct stasis_space *space, uint64_t teb32, uint64_t sp)
{
        uint64_t base, limit;
        return stasis_space_u(space, teb32 + TEB32_STACK_BASE, 4, &base) == STASIS_OK &&
               stasis_space_u(space, teb32 + TEB32_STACK_LIMIT, 4, &limit) == STASIS_OK && sp >= limit && sp <= base;
}

/* 32-bit code itself entered the kernel, or runs: the registers are those of user mode, cut. */
static bool of_compatible_code(struct thread_stand *s, struct stasis_registers *r)
{
        windows_user_registers(s, r);
        if (r->absence != STASIS_PRESENT || !(r->known & STASIS_REGISTERS_SELECTORS) || r->cpu.cs != CS_USER32)
                return false;
        for (unsigned i = 0; i < STASIS_REGISTERS; i++) {
                if (i >= SAVED_R8 && i < SAVED_RIP)
                        saved_forget(r, i);
                if (i < SAVED_R8)
                        r->cpu.gpr[i] &= UINT32_MAX;
        }
        r->cpu.rip &= UINT32_MAX;
        r->width = 4;
        return true;
}

/* A context of 32-bit code there, with a stack pointer in the 32-bit stack; what was read of it in any case. */
static bool context_of(const struct thread_stand *s, struct stasis_space *space, uint64_t at, uint64_t teb32,
                       struct stasis_registers *r)
{
        uint64_t flags;
        saved_absent(r, 4, STASIS_PRESENT);
        saved_load(space, &s->f->shape[SAVED_CONTEXT32], at, UINT64_MAX & ~SAVED_DEBUG, r);
        r->cpu.origin = "WOW64_CONTEXT";
        return stasis_space_u(space, at, 4, &flags) == STASIS_OK && flags & CONTEXT_I386 && r->known >> SAVED_RSP & 1 &&
               r->cpu.cs == CS_USER32 && in_stack32(space, teb32, r->cpu.gpr[SAVED_RSP]);
}

void windows_wow64_registers(struct thread_stand *s, uint64_t teb, uint64_t teb32,
                             struct stasis_registers *ret_registers)
{
        struct stasis_space *space = stand_user_space(s);
        struct stasis_registers *r = ret_registers;
        uint64_t area;
        if (s->place != THREAD_ENDED && of_compatible_code(s, r))
                return;
        enum stasis_status status = space ? stasis_space_u(space, teb + TEB64_TLS_SLOT_1, 8, &area) : STASIS_ABSENT;
        if (status != STASIS_OK || !area) {
                saved_absent(r, 4,
                             !space                ? STASIS_NOT_KNOWN
                             : status == STASIS_OK ? STASIS_NOT_APPLICABLE
                                                   : absence_at(space, teb + TEB64_TLS_SLOT_1, 8, status));
                return;
        }
        for (size_t i = 0; i < sizeof context_at; i++)
                if (context_of(s, space, area + context_at[i], teb32, r))
                        return;
        (void)context_of(s, space, area + context_at[0], teb32, r);
        saved_absent(r, 4,
                     r->known >> SAVED_RSP & 1 ? STASIS_CONTRADICTORY : absence_at(space, area, 0x100, STASIS_ABSENT));
}
