/* SPDX-License-Identifier: MIT */
/* Following one stack: what both machines share. stacks.c says where to begin, stack_walk*.c follow. */
#ifndef STASIS_OS_WINDOWS_STACK_WALK_H
#define STASIS_OS_WINDOWS_STACK_WALK_H

#include "code_map.h"
#include "stack_segment.h"
#include "stacks.h"
#include "unwind_x86.h"

#define WALK_STACKS_MAX (1 + STACK_SEGMENTS_MAX + PROCESSOR_STACKS_MAX)

struct walk_stack {
        uint64_t low, high;
        bool left; /* each is walked once */
};

enum walk_end {
        WALK_RUNNING,
        WALK_USER,   /* at the registers that user mode left */
        WALK_BOTTOM, /* at the outermost function */
        WALK_FULL,   /* there is no room for more frames */
        WALK_BROKEN  /* why tells */
};

struct walk {
        struct thread_stand *s;
        struct stasis_space *space; /* of the stack */
        struct stasis_space *code;  /* of the code: the same, but for kernel code of a session */
        uint32_t process;           /* whose modules */
        uint8_t word;
        bool kernel;
        struct walk_stack stack[WALK_STACKS_MAX];
        size_t stack_count, current;
        uint64_t top;       /* x86, kernel: where the KSTART_FRAME of a system thread lies; 0: not known */
        uint64_t user_trap; /* kernel: the trap frame at which it ends; 0: not known */
        uint64_t scan_end;  /* how far words are looked at where nothing else leads on */
        struct thread_stack *out;
        enum walk_end end;
        const char *why;
};

/* It runs, on the stack that sp is of. */
void walk_begin(struct walk *k, uint64_t sp);
/* Adds a frame; false (and an end) where there is no room. */
bool walk_add(struct walk *k, uint64_t pc, uint64_t sp, uint64_t slot, enum stasis_how how, bool exact);
void walk_break(struct walk *k, const char *why);
/* Is [at, at+len) on one of its stacks? */
bool walk_on_stack(const struct walk *k, uint64_t at, uint64_t len);
/* Is next on a stack that was not walked yet, and sp on another? */
bool walk_leaves(const struct walk *k, uint64_t sp, uint64_t next);
/* From a frame at sp to one at next: it rises, or goes to a stack not walked yet. */
bool walk_rises(struct walk *k, uint64_t sp, uint64_t next);
/* The next word from *sp on that looks like a return address; *sp is then behind it. */
bool walk_scan(struct walk *k, uint64_t *sp, uint64_t *ret_pc, enum stasis_how *ret_how);

/* To the end, from registers whose frame is the first; slot of it, and how it was found. */
void walk_x64(struct walk *k, struct x64_registers r, enum stasis_how how);
void walk_x86(struct walk *k, struct x86_registers r, enum stasis_how how);
/*
 * From a stack pointer alone: the first word above it that looks like a return address is the first frame. Frames are
 * added to those that are there; nothing happens where there is none.
 */
void walk_x64_above(struct walk *k, uint64_t sp);
void walk_x86_above(struct walk *k, uint64_t sp);

#endif
