/* SPDX-License-Identifier: MIT */
/* Call stacks of a thread: in the kernel, in user mode, and of the 32-bit code of WoW64. Frames are not named yet. */
#ifndef STASIS_OS_WINDOWS_STACKS_H
#define STASIS_OS_WINDOWS_STACKS_H

#include "stand.h"
#include "unwind_x64.h"

#define WINDOWS_FRAMES_MAX 128

struct thread_stack {
        struct stasis_frame frame[WINDOWS_FRAMES_MAX]; /* innermost first */
        size_t count;
        enum stasis_absence why;     /* where there is no frame; beside some: STASIS_CONTRADICTORY, it broke off */
        const char *end;             /* static: how it ended, in words */
        bool at_user;                /* a kernel stack: it ends at the trap frame that user mode left */
        bool called_out;             /* behind that the frames follow for which user mode was called */
        struct x64_registers border; /* x64, at_user: user mode's registers, so far as unwinding tells them */
};

/* s->kernel, made on the first call; NULL where memory is exhausted. */
const struct thread_stack *windows_kernel_stack(struct thread_stand *s);
void windows_user_stack(struct thread_stand *s, struct thread_stack *ret_stack);
/* teb and teb32 as of windows_wow64_registers. */
void windows_wow64_stack(struct thread_stand *s, uint64_t teb, uint64_t teb32, struct thread_stack *ret_stack);

#endif
