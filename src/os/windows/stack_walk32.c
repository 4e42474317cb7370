/* SPDX-License-Identifier: MIT */
/* x86: by code that returns at once, frame data, frame pointers, and the kernel's trap frames. */
#include "stack_walk.h"

#include "../../base/bytes.h"

enum { DBG_ARG_MARK = 8 }; /* KTRAP_FRAME.DbgArgMark, the same in every version, and what every entry writes into it */
#define DBG_MARK 0xbadb0d00u
#define CS_KERNEL32 8
#define FLAG_FIXED 2u
#define START_FRAME_LEN 16

static bool read_any(void *ctx, uint32_t va, void *buf, size_t len)
{
        const struct walk *k = ctx;
        return stasis_space_read(walk_on_stack(k, va, 1) ? k->space : k->code, va, buf, len) == STASIS_OK;
}

static bool on_stack(void *ctx, uint32_t va, size_t len) { return walk_on_stack(ctx, va, len); }

static bool leaves(void *ctx, uint32_t esp, uint32_t next) { return walk_leaves(ctx, esp, next); }

static bool fpo_at(void *ctx, uint32_t pc, struct x86_fpo *ret_fpo)
{
        const struct walk *k = ctx;
        return code_fpo(k->s->w, k->process, pc, ret_fpo);
}

static enum x86_code code_at(void *ctx, uint32_t pc)
{
        const struct walk *k = ctx;
        if (code_kind(k->s->w, k->process, pc) == CODE_NONE)
                return X86_NO_CODE;
        switch (code_behind_call(k->code, pc)) {
        case CALL_THERE: return X86_RETURN;
        case CALL_UNREADABLE: return X86_MAYBE_RETURN;
        case CALL_NONE: break;
        }
        return X86_OTHER_CODE;
}

static bool in_kernel_code(const struct walk *k, uint64_t pc)
{
        return code_kind(k->s->w, k->process, pc) != CODE_NONE;
}

/* A frame pointer of the kernel's entries is the trap frame itself. */
static bool is_kernel_trap(const struct walk *k, uint32_t va)
{
        const struct saved_shape *shape = &k->s->f->shape[SAVED_TRAP_FRAME];
        uint64_t mark, cs, flags, eip;
        return walk_on_stack(k, va, shape->size) &&
               stasis_space_u(k->space, va + DBG_ARG_MARK, 4, &mark) == STASIS_OK &&
               (mark == DBG_MARK || va == k->s->trap) && saved_read(k->space, shape, va, SAVED_CS, &cs) == STASIS_OK &&
               cs == CS_KERNEL32 && saved_read(k->space, shape, va, SAVED_RFLAGS, &flags) == STASIS_OK &&
               flags & FLAG_FIXED && saved_read(k->space, shape, va, SAVED_RIP, &eip) == STASIS_OK &&
               in_kernel_code(k, eip);
}

static void registers_of(const struct walk *k, uint32_t va, bool user, struct x86_registers *r)
{
        static const uint8_t reg[] = {
                [X86_EBX] = SAVED_RBX, [X86_EBP] = SAVED_RBP, [X86_ESI] = SAVED_RSI, [X86_EDI] = SAVED_RDI
        };
        const struct saved_shape *shape = &k->s->f->shape[SAVED_TRAP_FRAME];
        uint64_t value;
        *r = (struct x86_registers){ .exact = true, .esp_sure = true, .known = 1u << X86_ESP };
        for (unsigned i = X86_EBX; i < X86_REGISTERS; i++)
                if (reg[i] && saved_read(k->space, shape, va, reg[i], &value) == STASIS_OK) {
                        r->gpr[i] = (uint32_t)value;
                        r->known |= 1u << i;
                }
        /* the kernel interrupts itself on the same stack: nothing is pushed of it, and it is where that would be */
        r->gpr[X86_ESP] = va + shape->offset[SAVED_RSP];
        if (user && saved_read(k->space, shape, va, SAVED_RSP, &value) == STASIS_OK)
                r->gpr[X86_ESP] = (uint32_t)value;
        r->eip_at = va + shape->offset[SAVED_RIP];
        if (saved_read(k->space, shape, va, SAVED_RIP, &value) == STASIS_OK)
                r->eip = (uint32_t)value;
}

static bool trap_at(void *ctx, uint32_t va, struct x86_registers *ret_registers, bool *ret_user)
{
        struct walk *k = ctx;
        *ret_user = k->user_trap && va == k->user_trap;
        if (!*ret_user && !is_kernel_trap(k, va))
                return false;
        registers_of(k, va, *ret_user, ret_registers);
        return true;
}

/*
 * KSTART_FRAME, which KiThreadStartup begins with: SystemRoutine, StartRoutine, StartContext, UserThread. It lies below
 * the first trap frame of a user thread, and below the floating point area of a system thread.
 */
static bool outermost(void *ctx, uint32_t slot)
{
        const struct walk *k = ctx;
        uint64_t routine, user;
        bool is_user = k->user_trap && slot == k->user_trap - START_FRAME_LEN;
        return (is_user || (k->top && slot == k->top)) && walk_on_stack(k, slot, START_FRAME_LEN) &&
               stasis_space_u(k->space, slot, 4, &routine) == STASIS_OK && in_kernel_code(k, routine) &&
               stasis_space_u(k->space, slot + 12, 1, &user) == STASIS_OK && user == is_user; /* a BOOLEAN */
}

static enum stasis_how how_of(enum x86_way way)
{
        switch (way) {
        case X86_BY_CODE: return STASIS_HOW_LEAF;
        case X86_BY_FPO: return STASIS_HOW_FPO;
        case X86_BY_TRAP: return STASIS_HOW_TRAP_FRAME;
        default: return STASIS_HOW_FRAME_POINTER;
        }
}

/* As it was when the call was made: what the callee takes off is still there. */
static uint64_t sp_of(const struct x86_step *done, const struct x86_registers *r)
{
        return done->way == X86_BY_TRAP ? r->gpr[X86_ESP] : r->eip_at + 4;
}

static void step(struct walk *k, const struct x86_memory *memory, struct x86_registers *r)
{
        uint32_t sp = r->gpr[X86_ESP];
        struct x86_step done = x86_unwind(memory, r);
        if (done.way == X86_BROKEN)
                walk_break(k, done.why);
        else if (done.way == X86_BOTTOM)
                k->end = WALK_BOTTOM;
        else if (done.way == X86_AT_USER) {
                k->end = WALK_USER;
                k->out->at_user = true;
        } else if (!walk_rises(k, sp, r->gpr[X86_ESP]))
                walk_break(k, "the stack pointer does not rise, or leads out of the stack");
        else
                (void)walk_add(k, r->eip, sp_of(&done, r), r->eip_at, how_of(done.way), r->exact);
}

/* A word that looks like a return address; below it may be a saved frame pointer. */
static bool resume(struct walk *k, struct x86_registers *r)
{
        uint64_t pc, sp = r->gpr[X86_ESP], ebp;
        enum stasis_how how;
        if (!walk_scan(k, &sp, &pc, &how) || !walk_add(k, pc, sp, sp - 4, how, false))
                return false;
        *r = (struct x86_registers){ .eip = (uint32_t)pc, .eip_at = sp - 4, .known = 1u << X86_ESP };
        r->gpr[X86_ESP] = (uint32_t)sp;
        if (walk_on_stack(k, sp - 8, 4) && stasis_space_u(k->space, sp - 8, 4, &ebp) == STASIS_OK && ebp > sp &&
            walk_on_stack(k, ebp, 8)) {
                r->gpr[X86_EBP] = (uint32_t)ebp;
                r->known |= 1u << X86_EBP;
        }
        k->end = WALK_RUNNING;
        return true;
}

static void follow(struct walk *k, struct x86_registers r)
{
        const struct x86_memory memory = { .read = read_any,
                                           .code = code_at,
                                           .on_stack = on_stack,
                                           .leaves = leaves,
                                           .fpo = fpo_at,
                                           .trap = k->kernel ? trap_at : NULL,
                                           .outermost = outermost,
                                           .user_trap = (uint32_t)k->user_trap,
                                           .ctx = k };
        const char *why = NULL;
        while (k->end == WALK_RUNNING) {
                step(k, &memory, &r);
                if (k->end != WALK_BROKEN)
                        continue;
                why = why ? why : k->why;
                if (!resume(k, &r))
                        break;
        }
        if (why && k->end != WALK_USER)
                walk_break(k, why);
}

void walk_x86(struct walk *k, struct x86_registers r, enum stasis_how how)
{
        walk_begin(k, r.gpr[X86_ESP]);
        (void)walk_add(k, r.eip, r.gpr[X86_ESP], r.eip_at, how, r.exact);
        follow(k, r);
}

void walk_x86_above(struct walk *k, uint64_t sp)
{
        struct x86_registers r = { .known = 1u << X86_ESP };
        r.gpr[X86_ESP] = (uint32_t)sp;
        walk_begin(k, sp);
        if (resume(k, &r))
                follow(k, r);
}
