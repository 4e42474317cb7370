/* SPDX-License-Identifier: MIT */
#include "unwind_walk.h"

void unwind_break(struct unwind *u, const char *why)
{
        u->end = UNWIND_BROKEN;
        u->why = why;
}

static bool holds(const struct unwind_stack *stack, uint64_t at, uint64_t len)
{
        return at >= stack->low && at < stack->high && len <= stack->high - at;
}

bool unwind_on_stack(struct unwind *u, uint64_t at, uint64_t len)
{
        if (u->current < u->stack_count && holds(&u->stack[u->current], at, len))
                return true;
        for (size_t i = 0; i < u->stack_count; i++) {
                if (u->stack[i].left || !holds(&u->stack[i], at, len))
                        continue;
                u->stack[i].left = true;
                u->current = i;
                return true;
        }
        return false;
}

bool unwind_word(struct unwind *u, uint64_t at, uint64_t *ret_value)
{
        uint8_t word = u->regs->word;
        return unwind_on_stack(u, at, word) && stasis_space_u(u->space, at, word, ret_value) == STASIS_OK;
}

bool unwind_frame_add(struct unwind *u, uint64_t slot, enum stasis_how how)
{
        if (!u->is_text(u->ctx, u->pc)) {
                unwind_break(u, "a return address does not lie in the kernel's text");
                return false;
        }
        if (u->count == u->max) {
                u->end = UNWIND_FULL;
                return false;
        }
        u->frame[u->count++] =
                (struct linux_frame){ .pc = u->pc, .sp = u->sp, .slot = slot, .how = how, .exact = u->exact };
        return true;
}

void unwind_begin(struct unwind *u, uint64_t pc, uint64_t sp, uint64_t bp, bool exact)
{
        u->pc = pc;
        u->sp = sp;
        u->bp = bp;
        u->exact = exact;
        u->end = UNWIND_RUNNING;
        u->current = u->stack_count;
        (void)unwind_on_stack(u, sp, 1);
        (void)unwind_frame_add(u, STASIS_NOWHERE, STASIS_HOW_REGISTER);
}

/*
 * E8 and four bytes, or FF /2 with any of its lengths? Source: Intel SDM volume 2,
 * CALL.
 */
bool unwind_behind_call(struct stasis_space *space, uint64_t pc)
{
        uint8_t code[7];
        if (stasis_space_read(space, pc - sizeof code, code, sizeof code) != STASIS_OK)
                return false;
        if (code[2] == 0xe8)
                return true;
        for (unsigned len = 2; len <= 7; len++)
                if (code[7 - len] == 0xff && (code[8 - len] >> 3 & 7) == 2)
                        return true;
        return false;
}

void unwind_scan(struct unwind *u)
{
        uint8_t word = u->regs->word;
        if (u->end != UNWIND_BROKEN || u->current >= u->stack_count)
                return;
        const struct unwind_stack *stack = &u->stack[u->current];
        uint64_t at = u->sp & ~(uint64_t)(word - 1u),
                 end = u->task_regs && holds(stack, u->task_regs, 1) ? u->task_regs : stack->high;
        for (; at >= stack->low && at < end && end - at >= word && u->count < u->max; at += word) {
                uint64_t pc;
                if (stasis_space_u(u->space, at, word, &pc) != STASIS_OK || !u->is_text(u->ctx, pc) ||
                    !unwind_behind_call(u->space, pc))
                        continue;
                u->frame[u->count++] =
                        (struct linux_frame){ .pc = pc, .sp = at + word, .slot = at, .how = STASIS_HOW_SCAN };
        }
}
