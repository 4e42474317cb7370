/* SPDX-License-Identifier: MIT */
/*
 * x86 kernel stacks by frame pointers (CONFIG_FRAME_POINTER: all 32-bit kernels, and 64-bit ones before ORC). The rules
 * are those of arch/x86/kernel/unwind_frame.c: the saved registers of an interrupt are chained in as a pointer that is
 * encoded (ENCODE_FRAME_POINTER: 32 bit without its highest bit, 64 bit with the lowest one set), and the outermost
 * frame lies right below the task's pt_regs.
 */
#include "unwind_walk.h"

/* gcc pushes the return address a second time where it aligns the stack: so many words below the outermost frame. */
static uint64_t realign(const struct unwind *u) { return u->regs->word == 4 ? 3 * 4 : 8; }

static bool decode(const struct unwind *u, uint64_t bp, uint64_t *ret_regs)
{
        bool encoded = u->regs->word == 4 ? !(bp & 0x80000000) : bp & 1;
        *ret_regs = u->regs->word == 4 ? bp | 0x80000000 : bp & ~UINT64_C(1);
        return encoded;
}

/* Right below the task's pt_regs: nothing is above but user mode, or the beginning of a kernel thread. */
static bool is_last(struct unwind *u)
{
        uint8_t word = u->regs->word;
        uint64_t last = u->task_regs - 2u * word, a, b;
        if (!u->task_regs || u->full_regs)
                return false;
        return u->bp == last || (u->bp == last - realign(u) && unwind_word(u, u->bp + word, &a) &&
                                 unwind_word(u, last + word, &b) && a == b);
}

/* Goes to the frame at bp: a pair of words, or registers. */
static bool enter(struct unwind *u, uint64_t bp, uint64_t floor)
{
        uint64_t regs, word = u->regs->word, slot;
        size_t stack = u->current;
        bool encoded = decode(u, bp, &regs);
        uint64_t at = encoded ? regs : bp, len = encoded ? u->regs->size : 2 * word;
        if (!unwind_on_stack(u, at, len) || (u->current == stack && at < floor)) {
                unwind_break(u, "a frame pointer leads nowhere");
                return false;
        }
        u->full_regs = encoded ? regs : 0;
        u->bp = encoded ? 0 : bp;
        u->exact = encoded;
        if (encoded && regs_are_user(u->space, u->regs, regs)) {
                u->end = UNWIND_USER;
                return false;
        }
        slot = encoded ? regs + u->regs->offset[REG_IP] : bp + word;
        if (!unwind_word(u, slot, &u->pc)) {
                unwind_break(u, "a page of the stack is not there");
                return false;
        }
        u->sp = encoded ? regs + u->regs->size : bp + 2 * word;
        return unwind_frame_add(u, slot, STASIS_HOW_FRAME_POINTER);
}

static void step(struct unwind *u)
{
        uint64_t next, floor = u->full_regs ? u->full_regs + u->regs->size : u->bp + 2u * u->regs->word;
        bool good;
        if (is_last(u)) {
                u->end = regs_are_user(u->space, u->regs, u->task_regs) ? UNWIND_USER : UNWIND_BOTTOM;
                return;
        }
        if (u->full_regs)
                good = regs_read(u->space, u->regs, u->full_regs, REG_BP, &next) == STASIS_OK;
        else
                good = unwind_word(u, u->bp, &next);
        if (good)
                (void)enter(u, next, floor);
        else
                unwind_break(u, "a page of the stack is not there");
}

void unwind_fp(struct unwind *u)
{
        uint64_t start = u->bp;
        if (u->count == 0) { /* a sleeping task: its frame lies in what switching away saved */
                u->end = UNWIND_RUNNING;
                u->current = u->stack_count;
        }
        if (u->end == UNWIND_RUNNING && enter(u, start, 0) && u->count == 1)
                u->frame[0].how = STASIS_HOW_REGISTER;
        while (u->end == UNWIND_RUNNING)
                step(u);
}
