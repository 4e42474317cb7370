/* SPDX-License-Identifier: MIT */
/* Where a thread stands: on which processor with which registers, or switched away with its frames on its stack. */
#ifndef STASIS_OS_WINDOWS_STAND_H
#define STASIS_OS_WINDOWS_STAND_H

#include "saved.h"
#include "windows.h"

/* The headers of a module, through the space of one process (UINT32_MAX: the kernel's). */
struct code_image {
        uint64_t base;
        uint64_t used; /* when it was asked last; 0: empty */
        uint32_t process;
        bool is_open;
        struct pe_image pe;
};
#define FRAMES_IMAGES 64

/* KSTACK_CONTROL, KERNEL_STACK_CONTROL: StackBase of the segment that it is of, and the segment left for that one. */
struct stack_control {
        struct place own_base, base, limit, sp, initial;
        uint32_t size;
};
struct stack_segment {
        uint64_t base, limit, sp, initial; /* sp: what is used of it begins here */
};
#define STACK_SEGMENTS_MAX 8

/* What following stacks needs to know of this kernel, found once. */
struct frames {
        struct saved_shape shape[SAVED_FORMS];
        struct place initial_stack, stack_limit, stack_base, kernel_stack, trap_frame, debug_active, previous_trap,
                dpc_stack, isr_stack, tss, gdt, ist;
        struct stack_control control;
        uint32_t prcb_in_pcr;
        uint32_t context_in_prcb; /* of KPRCB.ProcessorState.ContextFrame; 0: not known */
        bool crashed;             /* the system was stopped by a bug check, so that each processor kept its registers */
        struct code_image image[FRAMES_IMAGES]; /* those asked for last */
        uint64_t clock;
};

/* w->frames; NULL where memory is exhausted. */
struct frames *frames_get(struct windows *w);
void frames_free(struct frames *f);

enum thread_place {
        THREAD_SWITCHED,  /* away: its registers lie on its stack */
        THREAD_IN_KERNEL, /* on a processor, in the kernel */
        THREAD_IN_USER,   /* on a processor, in user mode */
        THREAD_ON_CPU,    /* on a processor whose registers the image does not hold */
        THREAD_ENDED      /* terminated: its stack may be another's */
};

struct thread_stack; /* stacks.h */

struct thread_stand {
        struct windows *w;
        struct stasis_arena *arena;                 /* of what is made for it */
        struct thread_stack *kernel, *user, *wow64; /* stacks.h; NULL: not made yet */
        struct frames *f;
        uint64_t object;
        uint32_t process;
        enum thread_place place;
        const struct stasis_processor *processor; /* that it runs on; NULL: none names it */
        struct stasis_cpu cpu;                    /* THREAD_IN_KERNEL, THREAD_IN_USER */
        uint64_t cpu_va;                          /* where that was read in memory; STASIS_NOWHERE: of the container */
        uint64_t limit, base;                     /* its kernel stack; base 0: why tells */
        enum stasis_absence why;
        uint64_t initial, saved_sp;                       /* 0: not known */
        struct stack_segment segment[STACK_SEGMENTS_MAX]; /* that it left for this one, the newest first */
        size_t segment_count;
        uint64_t trap;      /* KTHREAD.TrapFrame, where that lies in its stacks; else 0 */
        uint64_t user_trap; /* the trap frame that user mode left; 0: none was found */
};

/* False where memory is exhausted. */
bool thread_stand(struct windows *w, uint64_t object, uint32_t process, struct stasis_arena *arena,
                  struct thread_stand *ret_stand);
/* Is a trap frame at va one that user mode left: selectors of privilege 3, sane flags, an address of the user's half?
 */
bool trap_frame_is_user(const struct thread_stand *s, uint64_t va);
/* The trap frame that user mode left at the top of a stack whose use ends at initial; 0: none. */
uint64_t trap_frame_at_top(const struct thread_stand *s, uint64_t initial);
/* The trap frame that the one at va keeps (of a system service that the kernel itself called); 0: none. */
uint64_t trap_frame_previous(const struct thread_stand *s, uint64_t va);
/* The address space that user addresses of the thread are of; NULL: gone. */
struct stasis_space *stand_user_space(const struct thread_stand *s);

#endif
