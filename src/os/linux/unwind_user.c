/* SPDX-License-Identifier: MIT */
/*
 * The stack of user mode, by its frame pointers. Programs may be built without, and then the register is anything: a
 * frame counts only where the chain rises and its return address stands behind a call. The function that the innermost
 * one returns to is missing where that has not set up its frame (a system call's stub never does).
 */
#include "stacks.h"

#define USER_STEP_MAX (UINT64_C(1) << 20) /* bytes from one frame to the next: more is no frame */
#define USER_CS32 0x23                    /* a 32-bit program on x86-64; source: arch/x86/include/asm/segment.h */

static struct stasis_space *user_space(struct linux_system *l, uint64_t task)
{
        uint64_t mm;
        if (read_place(l->kernel, task, &l->at.mm, &mm) != STASIS_OK || mm == 0)
                return NULL;
        return linux_user_space(l, mm);
}

/* The frame that bp points to; false where it is none. */
static bool step(struct stasis_space *space, uint8_t word, uint64_t *bp, uint64_t floor, struct linux_frame *ret_frame)
{
        uint64_t at = *bp, next, pc;
        if (at < floor || at - floor > USER_STEP_MAX || at % word ||
            stasis_space_u(space, at, word, &next) != STASIS_OK ||
            stasis_space_u(space, at + word, word, &pc) != STASIS_OK || !unwind_behind_call(space, pc))
                return false;
        *bp = next;
        *ret_frame = (struct linux_frame){
                .pc = pc, .sp = at + 2u * word, .slot = at + word, .how = STASIS_HOW_FRAME_POINTER
        };
        return true;
}

size_t unwind_user(struct stasis_space *space, const struct stasis_registers *r, struct linux_frame *frames, size_t max)
{
        uint8_t word = r->known & STASIS_REGISTERS_SELECTORS && r->cpu.cs == USER_CS32 ? 4 : r->width;
        uint64_t bp = r->cpu.gpr[REG_BP], floor = r->cpu.gpr[REG_SP];
        size_t count = 0;
        if (max == 0)
                return 0;
        frames[count++] = (struct linux_frame){ .pc = r->cpu.rip,
                                                .sp = floor,
                                                .slot = r->va[STASIS_REGISTER_RIP],
                                                .how = STASIS_HOW_REGISTER,
                                                .exact = true };
        if (!space || !(r->known >> REG_BP & 1) || !(r->known >> REG_SP & 1))
                return count;
        while (count < max && step(space, word, &bp, floor, &frames[count]))
                floor = frames[count++].sp;
        return count;
}

size_t linux_unwind_user(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                         enum stasis_absence *ret_why)
{
        struct stasis_registers r;
        linux_registers(l, task, LINUX_SIDE_USER, &r);
        *ret_why = r.absence;
        if (r.absence != STASIS_PRESENT || !(r.known >> STASIS_REGISTER_RIP & 1))
                return 0;
        return unwind_user(user_space(l, task), &r, ret_frames, max);
}
