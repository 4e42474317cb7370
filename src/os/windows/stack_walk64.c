/* SPDX-License-Identifier: MIT */
/* x64: by the unwind data of the modules in memory. */
#include "stack_walk.h"

static bool read_any(void *ctx, uint64_t va, void *buf, size_t len)
{
        const struct walk *k = ctx;
        struct stasis_space *space = is_kernel_address(k->s->w, va) && walk_on_stack(k, va, 1) ? k->space : k->code;
        return stasis_space_read(space, va, buf, len) == STASIS_OK;
}

static enum x64_found function_at(void *ctx, uint64_t pc, struct x64_function *ret_function)
{
        const struct walk *k = ctx;
        return code_function(k->s->w, k->process, pc, ret_function);
}

static enum stasis_how how_of(enum x64_way way)
{
        return way == X64_LEAF            ? STASIS_HOW_LEAF
               : way == X64_MACHINE_FRAME ? STASIS_HOW_MACHINE_FRAME
                                          : STASIS_HOW_UNWIND_INFO;
}

/* An interrupt or a service came from user mode: its trap frame ends with what the processor pushed. */
static void came_from_user(struct walk *k, const struct x64_registers *r, const struct x64_step *step)
{
        uint64_t trap = step->machine - k->s->f->shape[SAVED_TRAP_FRAME].offset[SAVED_RIP];
        k->end = WALK_USER;
        if (!k->s->user_trap && walk_on_stack(k, trap, 1) && trap_frame_is_user(k->s, trap))
                k->s->user_trap = k->user_trap = trap;
        if (trap != k->s->user_trap)
                return;
        k->out->at_user = true;
        k->out->border = *r;
}

/* One frame further; the new one is added. */
static void step(struct walk *k, const struct x64_memory *memory, struct x64_registers *r)
{
        uint64_t sp = r->gpr[X64_RSP];
        struct x64_registers next = *r;
        struct x64_step done = x64_unwind(memory, &next);
        if (done.way == X64_BROKEN) {
                walk_break(k, done.why);
                return;
        }
        if (done.way == X64_MACHINE_FRAME && k->kernel && (next.cs & 3) == 3) {
                came_from_user(k, &next, &done);
                return;
        }
        if (next.rip == 0) {
                k->end = WALK_BOTTOM;
                return;
        }
        if (!walk_rises(k, sp, next.gpr[X64_RSP]))
                walk_break(k, "the stack pointer does not rise, or leads out of the stack");
        else if (code_kind(k->s->w, k->process, next.rip) == CODE_NONE)
                walk_break(k, "a return address lies in no module's code");
        else if (walk_add(k, next.rip, next.gpr[X64_RSP], next.rip_at, how_of(done.way), next.exact))
                *r = next;
}

/* A word that looks like a return address, and only its stack pointer is known. */
static bool resume(struct walk *k, struct x64_registers *r)
{
        uint64_t pc, sp = r->gpr[X64_RSP];
        enum stasis_how how;
        if (!walk_scan(k, &sp, &pc, &how) || !walk_add(k, pc, sp, sp - 8, how, false))
                return false;
        x64_start(r, pc, sp, false);
        k->end = WALK_RUNNING;
        return true;
}

/*
 * Of a stack that was left only the pointer is known, and the entry's code, which the trap frame lies above, goes by
 * rbp: no other return address is between.
 */
static bool at_the_end(struct walk *k, const struct x64_registers *r)
{
        uint64_t pc, sp = r->gpr[X64_RSP];
        enum stasis_how how;
        return k->out->at_user && k->user_trap > sp && !walk_scan(k, &sp, &pc, &how);
}

static void follow(struct walk *k, struct x64_registers r)
{
        const struct x64_memory memory = { read_any, function_at, k };
        const char *why = NULL;
        while (k->end == WALK_RUNNING) {
                step(k, &memory, &r);
                if (k->end != WALK_BROKEN)
                        continue;
                if (!why && at_the_end(k, &r)) {
                        k->end = WALK_USER;
                        break;
                }
                why = why ? why : k->why; /* the first break is what counts */
                if (!resume(k, &r))
                        break;
        }
        if (why)
                walk_break(k, why);
}

void walk_x64(struct walk *k, struct x64_registers r, enum stasis_how how)
{
        walk_begin(k, r.gpr[X64_RSP]);
        (void)walk_add(k, r.rip, r.gpr[X64_RSP], r.rip_at, how, r.exact);
        follow(k, r);
}

void walk_x64_above(struct walk *k, uint64_t sp)
{
        struct x64_registers r;
        x64_start(&r, 0, sp, false);
        walk_begin(k, sp);
        if (resume(k, &r))
                follow(k, r);
}
