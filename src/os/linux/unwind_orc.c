/* SPDX-License-Identifier: MIT */
/*
 * x86-64 kernel stacks by ORC. The rules are those of Documentation/arch/x86/orc-unwinder.rst and of the kernel's own
 * unwinder (arch/x86/kernel/unwind_orc.c), with whose answers the suite `real` compares ours.
 */
#include "unwind_walk.h"

/* What the processor pushes, and what pt_regs ends with: ip cs flags sp ss. */
#define IRET_WORDS 5

/* A register that the tables name, where its value in this frame is known. */
static bool register_value(struct unwind *u, unsigned reg, uint64_t *ret_value)
{
        if (u->cpu) {
                *ret_value = u->cpu->gpr[reg];
                return true;
        }
        uint64_t regs = u->full_regs ? u->full_regs : u->prev_regs;
        return regs && regs_read(u->space, u->regs, regs, reg, ret_value) == STASIS_OK;
}

/*
 * SP_INDIRECT: since 5.13 the word at SP plus the offset, before the word at SP plus offset; where that is not 0 the
 * one that leads to a stack is right.
 */
static bool indirect_sp(struct unwind *u, int64_t offset, uint64_t *ret_sp)
{
        uint64_t sp;
        if (unwind_word(u, u->sp, &sp)) {
                struct unwind probe = *u; /* so that looking does not leave a stack */
                if (unwind_on_stack(&probe, sp + (uint64_t)offset - 1, 1)) {
                        *ret_sp = sp + (uint64_t)offset;
                        return true;
                }
        }
        return unwind_word(u, u->sp + (uint64_t)offset, ret_sp);
}

/* The caller's stack pointer, or where its registers lie. */
static bool caller_sp(struct unwind *u, const struct orc_entry *e, uint64_t *ret_sp)
{
        uint64_t offset = (uint64_t)(int64_t)e->sp_offset;
        switch (e->sp_reg) {
        case ORC_SP: *ret_sp = u->sp + offset; return true;
        case ORC_BP: *ret_sp = u->bp + offset; return true;
        case ORC_SP_INDIRECT: return indirect_sp(u, e->sp_offset, ret_sp);
        case ORC_BP_INDIRECT: return unwind_word(u, u->bp + offset, ret_sp);
        case ORC_R10: return register_value(u, REG_R10, ret_sp);
        case ORC_R13: return register_value(u, REG_R13, ret_sp);
        case ORC_DI: return register_value(u, REG_DI, ret_sp);
        case ORC_AX: return register_value(u, REG_AX, ret_sp);
        case ORC_DX: return register_value(u, REG_DX, ret_sp);
        default: return false;
        }
}

/* A return address just below sp. */
static bool step_call(struct unwind *u, uint64_t sp)
{
        if (!unwind_word(u, sp - 8, &u->pc))
                return false;
        u->sp = sp;
        u->full_regs = u->prev_regs = 0;
        return true;
}

/* A pt_regs at sp, or its end. */
static bool step_regs(struct unwind *u, uint64_t sp, bool full)
{
        uint64_t regs = full ? sp : sp - u->regs->offset[REG_IP];
        uint64_t last = u->regs->offset[REG_SS] + 8u - u->regs->offset[REG_IP];
        if (!unwind_on_stack(u, sp, full ? u->regs->size : last) ||
            regs_read(u->space, u->regs, regs, REG_IP, &u->pc) != STASIS_OK ||
            regs_read(u->space, u->regs, regs, REG_SP, &u->sp) != STASIS_OK)
                return false;
        if (!full && u->full_regs)
                u->prev_regs = u->full_regs;
        else if (full)
                u->prev_regs = 0;
        u->full_regs = full ? regs : 0;
        return true;
}

static bool step_bp(struct unwind *u, const struct orc_entry *e, uint64_t caller)
{
        uint64_t offset = (uint64_t)(int64_t)e->bp_offset, value;
        switch (e->bp_reg) {
        case ORC_UNDEFINED: /* not changed; pt_regs holds what it was */
                if (register_value(u, REG_BP, &value))
                        u->bp = value;
                return true;
        case ORC_PREV_SP: return unwind_word(u, caller + offset, &u->bp);
        case ORC_BP: return unwind_word(u, u->bp + offset, &u->bp);
        default: return false;
        }
}

/* Did user mode leave the registers that a step of type REGS came to? */
static bool at_user(struct unwind *u, const struct orc_entry *e, uint64_t at)
{
        uint64_t cs, regs = e->type == ORC_REGS ? at : at - u->regs->offset[REG_IP];
        return (e->type == ORC_REGS || e->type == ORC_REGS_PARTIAL) &&
               regs_read(u->space, u->regs, regs, REG_CS, &cs) == STASIS_OK && (cs & 3) == 3;
}

/* From this frame to its caller's. */
static void step(struct unwind *u)
{
        struct orc_entry e;
        uint64_t caller, before = u->sp;
        size_t stack = u->current;
        /* an address behind a call may belong to the next function already */
        if (!u->orc_at || !u->orc_at(u->ctx, u->exact ? u->pc : u->pc - 1, &e)) {
                unwind_break(u, "no ORC entry for the code");
                return;
        }
        if (e.type == ORC_END) {
                u->end = UNWIND_BOTTOM;
                return;
        }
        if (e.type == ORC_UNKNOWN || !caller_sp(u, &e, &caller)) {
                unwind_break(u, "ORC does not tell the caller's stack pointer");
                return;
        }
        bool good = e.type == ORC_CALL ? step_call(u, caller) : step_regs(u, caller, e.type == ORC_REGS);
        u->cpu = NULL;
        if (!good || !step_bp(u, &e, caller)) {
                unwind_break(u, "it leads out of the stacks that are known, or to a page that is not there");
                return;
        }
        if (at_user(u, &e, caller)) {
                u->end = UNWIND_USER;
                return;
        }
        u->exact = e.signal;
        /* the stack that sp points into need not be the one that was read from: registers may name another */
        bool on = unwind_on_stack(u, u->sp - 1, 1);
        if (!on || (u->current == stack && u->sp <= before)) {
                unwind_break(u, on ? "the stack pointer does not rise" : "it leads out of the stacks that are known");
                return;
        }
        (void)unwind_frame_add(
                u, e.type == ORC_CALL ? caller - 8 : caller + (e.type == ORC_REGS ? u->regs->offset[REG_IP] : 0),
                STASIS_HOW_ORC);
}

void unwind_orc(struct unwind *u)
{
        while (u->end == UNWIND_RUNNING) /* each step adds a frame, of which there is room for so many */
                step(u);
}

#define BRIDGE_WORDS 128

void unwind_bridge(struct unwind *u)
{
        if (u->end != UNWIND_BROKEN || u->count != 1 || u->current >= u->stack_count)
                return;
        for (uint64_t i = 0; i < BRIDGE_WORDS; i++) {
                struct unwind try = *u;
                uint64_t at = u->sp + 8 * i;
                if (!unwind_word(&try, at, &try.pc) || try.current != u->current)
                        return;
                if (!u->is_text(u->ctx, try.pc) || !unwind_behind_call(u->space, try.pc))
                        continue;
                try.end = UNWIND_RUNNING;
                try.sp = at + 8;
                try.exact = false;
                try.cpu = NULL;
                if (unwind_frame_add(&try, at, STASIS_HOW_SCAN))
                        unwind_orc(&try);
                if (try.end == UNWIND_USER || try.end == UNWIND_BOTTOM) {
                        *u = try;
                        return;
                }
        }
}
