/* SPDX-License-Identifier: MIT */
/*
 * Following one kernel stack, with nothing known of where it comes from: the stretches of memory that are stacks, where
 * to start, and who knows the tables. unwind.c fills it from a task; unwind_orc.c and unwind_fp.c follow.
 */
#ifndef STASIS_OS_LINUX_UNWIND_WALK_H
#define STASIS_OS_LINUX_UNWIND_WALK_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "orc.h"
#include "regs.h"
#include "unwind.h"

/* How a walk ended. */
enum unwind_end {
        UNWIND_RUNNING,
        UNWIND_USER,   /* at the registers that user mode left */
        UNWIND_BOTTOM, /* at the outermost function of a kernel thread */
        UNWIND_FULL,   /* there is no room for more frames */
        UNWIND_BROKEN  /* why tells */
};

#define UNWIND_STACKS_MAX 16

struct unwind_stack {
        uint64_t low, high;
        bool left; /* each stack is walked once */
};

struct unwind {
        struct stasis_space *space;
        const struct regs_shape *regs;
        bool (*orc_at)(void *ctx, uint64_t pc, struct orc_entry *ret_entry); /* NULL: no tables */
        bool (*is_text)(void *ctx, uint64_t pc);                             /* of the kernel or of a module */
        void *ctx;
        struct unwind_stack stack[UNWIND_STACKS_MAX];
        size_t stack_count;
        uint64_t task_regs; /* where the task's pt_regs lie at the top of its stack; 0: it has none */

        struct linux_frame *frame;
        size_t count, max;
        enum unwind_end end;
        const char *why; /* static */

        /* where the walk stands */
        uint64_t pc, sp, bp;
        bool exact;
        const struct stasis_cpu *cpu; /* its registers hold in this frame; NULL: not */
        uint64_t full_regs;           /* the same of a whole pt_regs at this address; 0: none */
        uint64_t prev_regs;           /* a whole one whose unsaved registers still hold */
        size_t current;               /* stack */
};

/* Starts at pc with these; pc becomes the first frame. */
void unwind_begin(struct unwind *u, uint64_t pc, uint64_t sp, uint64_t bp, bool exact);
/* To the end; u->end and u->frame tell what came of it. */
void unwind_orc(struct unwind *u);
/*
 * After unwind_orc broke off in the very first frame: a function of which ORC knows nothing on purpose (__crash_kexec,
 * in which each panic ends). The first word that looks like a return address, and from which ORC leads to the end, is
 * taken as the caller: a scanned frame, with the others behind it.
 */
void unwind_bridge(struct unwind *u);
/* Begins with bp as the address of a saved frame pointer, with a return address above it (unwind_begin is not called).
 */
void unwind_fp(struct unwind *u);
/* After a walk that broke off: words above sp on its stack that look like return addresses. */
void unwind_scan(struct unwind *u);

/* Is there a call in front of pc? */
bool unwind_behind_call(struct stasis_space *space, uint64_t pc);

/* ---- for the walkers */
void unwind_break(struct unwind *u, const char *why);
/* Adds u->pc; false (and an end) where it is no kernel text, or where there is no room. */
bool unwind_frame_add(struct unwind *u, uint64_t slot, enum stasis_how how);
/* Is [at, at+len) on the current stack, or on one not walked yet (which then is the current one)? */
bool unwind_on_stack(struct unwind *u, uint64_t at, uint64_t len);
/* A word of a stack. */
bool unwind_word(struct unwind *u, uint64_t at, uint64_t *ret_value);

#endif
