/* SPDX-License-Identifier: MIT */
/* From a task to a walk over its kernel stack. */
#include "unwind.h"

#include <string.h>

#include "stacks.h"

#define INACTIVE_WORDS \
        8 /* where nothing tells what switching away pushes: as far as the return address is looked for */

static void end_of(const struct unwind *u, enum stasis_absence *ret_why, const char **ret_end)
{
        *ret_why = STASIS_PRESENT;
        switch (u->end) {
        case UNWIND_USER: *ret_end = "entered from user mode"; return;
        case UNWIND_BOTTOM: *ret_end = "outermost function"; return;
        case UNWIND_FULL: *ret_end = "more frames than are followed"; return;
        case UNWIND_RUNNING:
        case UNWIND_BROKEN: break;
        }
        *ret_why = STASIS_CONTRADICTORY;
        *ret_end = u->why ? u->why : "broken off";
}

/* Who follows: ORC where there are tables, else frame pointers. */
static bool has_orc(const struct linux_stacks *s) { return s->format.size != 0; }

static void follow_running(struct linux_system *l, const struct linux_stacks *s, const struct task_stack *t,
                           struct unwind *u)
{
        const struct stasis_cpu *cpu = t->cpu;
        linux_cpu_stacks(l, t->cpu_number, u);
        u->cpu = cpu;
        unwind_begin(u, cpu->rip, cpu->gpr[REG_SP], cpu->gpr[REG_BP], true);
        if (has_orc(s)) {
                unwind_orc(u);
                unwind_bridge(u);
        } else if (u->end == UNWIND_RUNNING) {
                unwind_fp(u);
        }
}

/*
 * Where the types do not tell: the first word above sp that is an address in the function that switches (or where a new
 * task begins), with the saved frame pointer below it. Before 4.9 there was only the frame pointer.
 */
static bool inactive_by_shape(struct linux_system *l, const struct task_stack *t, uint64_t sp, uint64_t *ret_bp_at)
{
        uint8_t word = l->pointer_size;
        for (unsigned i = 1; i < INACTIVE_WORDS; i++) {
                uint64_t pc, at = sp + i * word;
                struct linux_symbol symbol;
                if (at >= t->high || linux_read_pointer(l, at, &pc) != STASIS_OK || !linux_is_text(l, pc) ||
                    !linux_symbol_at(l, pc, &symbol))
                        continue;
                if (strncmp(symbol.name, "__schedule", 10) == 0 || strncmp(symbol.name, "ret_from_", 9) == 0 ||
                    strncmp(symbol.name, "__switch_to", 11) == 0) {
                        *ret_bp_at = at - word;
                        return true;
                }
        }
        return false;
}

/* A saved return address at the very start of a function is where a new task will begin, not behind a call. */
static bool is_start(struct linux_system *l, uint64_t pc)
{
        struct linux_symbol symbol;
        return linux_symbol_at(l, pc, &symbol) && symbol.va == pc;
}

static void follow_sleeping(struct linux_system *l, const struct linux_stacks *s, const struct task_stack *t,
                            struct unwind *u)
{
        uint64_t sp, bp_at, pc, bp;
        uint8_t word = l->pointer_size;
        if (read_place(l->kernel, t->task, &l->at.thread_sp, &sp) != STASIS_OK || sp < t->low || sp >= t->high) {
                unwind_break(u, "its saved stack pointer does not point into its stack");
                return;
        }
        if (s->inactive.size)
                bp_at = sp + s->inactive.offset[REG_BP];
        else if (!inactive_by_shape(l, t, sp, &bp_at) && linux_read_pointer(l, sp, &bp_at) != STASIS_OK)
                bp_at = 0;
        if (linux_read_pointer(l, bp_at, &bp) != STASIS_OK || linux_read_pointer(l, bp_at + word, &pc) != STASIS_OK) {
                unwind_break(u, "what was saved when it was switched away is not in the image");
                return;
        }
        if (has_orc(s)) {
                unwind_begin(u, pc, bp_at + 2u * word, bp, is_start(l, pc));
                if (u->count)
                        u->frame[0].slot = bp_at + word;
                unwind_orc(u);
        } else {
                u->bp = bp_at;
                unwind_fp(u);
        }
}

size_t linux_unwind(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                    enum stasis_absence *ret_why, const char **ret_end)
{
        struct linux_stacks *s = linux_stacks_get(l);
        struct task_stack t;
        const char *unused;
        ret_end = ret_end ? ret_end : &unused;
        *ret_why = STASIS_NOT_KNOWN;
        *ret_end = "out of memory";
        if (!s)
                return 0;
        linux_task_stack(l, s, task, &t);
        *ret_why = t.high ? STASIS_NOT_KNOWN : t.why;
        *ret_end = t.high ? "it ran, and the image does not hold the registers of its processor" : t.text;
        if (!t.high || t.place == TASK_ON_CPU)
                return 0;
        if (t.place == TASK_IN_USER) {
                *ret_why = STASIS_NOT_APPLICABLE;
                *ret_end = "it ran in user mode";
                return 0;
        }
        struct unwind u = { .space = l->kernel,
                            .regs = &s->regs,
                            .orc_at = has_orc(s) ? linux_orc_at : NULL,
                            .is_text = linux_is_text,
                            .ctx = l,
                            .stack = { { .low = t.low, .high = t.high } },
                            .stack_count = 1,
                            .task_regs = t.regs,
                            .frame = ret_frames,
                            .max = max };
        if (t.place == TASK_IN_KERNEL)
                follow_running(l, s, &t, &u);
        else
                follow_sleeping(l, s, &t, &u);
        unwind_scan(&u);
        end_of(&u, ret_why, ret_end);
        return u.count;
}
