/* SPDX-License-Identifier: MIT */
/* What following a stack needs to know of this kernel, found once; and of a task, found each time. */
#ifndef STASIS_OS_LINUX_STACKS_H
#define STASIS_OS_LINUX_STACKS_H

#include "linux.h"
#include "unwind_walk.h"

/* What switching away pushed (struct inactive_task_frame); offsets from task_struct.thread.sp. */
struct inactive_shape {
        uint16_t size;
        uint16_t offset[REG_COUNT]; /* of the registers that it keeps; REG_IP: the return address */
};

struct linux_stacks {
        struct regs_shape regs;
        struct inactive_shape inactive; /* size 0: not known */
        uint64_t thread_size;
        struct orc_format format; /* size 0: no ORC */
        struct orc_table kernel;
        struct orc_table *module; /* beside l->modules.module; NULL: none */
        uint64_t text[2][2];      /* _stext to _etext, _sinittext to _einittext */
};

/* l->stacks; NULL where memory is exhausted. */
struct linux_stacks *linux_stacks_get(struct linux_system *l);

enum task_place {
        TASK_SLEEPS,    /* switched away: its registers lie on its stack */
        TASK_IN_KERNEL, /* on a processor, in the kernel */
        TASK_IN_USER,   /* on a processor, in user mode */
        TASK_ON_CPU     /* on a processor whose registers the image does not hold */
};

struct task_stack {
        uint64_t task;
        uint64_t low, high; /* its kernel stack; high 0: why tells */
        enum stasis_absence why;
        const char *text;
        enum task_place place;
        uint32_t cpu_number;
        const struct stasis_cpu *cpu; /* TASK_IN_KERNEL, TASK_IN_USER */
        bool kernel_thread;
        uint64_t regs;  /* where its pt_regs lie at the top; 0: not known */
        bool user_regs; /* and user mode left them */
};

/* Where the task stands and where its stack is. */
void linux_task_stack(struct linux_system *l, struct linux_stacks *s, uint64_t task, struct task_stack *ret_stack);
/* The stacks of a processor itself: interrupts, exceptions, entry. Added to u->stack. */
void linux_cpu_stacks(struct linux_system *l, uint32_t cpu, struct unwind *u);
/* Is that the kernel's text, or a module's? ctx: the system. */
bool linux_is_text(void *ctx, uint64_t pc);
bool linux_orc_at(void *ctx, uint64_t pc, struct orc_entry *ret_entry);

#endif
