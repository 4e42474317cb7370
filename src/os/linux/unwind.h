/* SPDX-License-Identifier: MIT */
/* Stacks and registers of one task. unwind.c finds what to follow, unwind_*.c follow it. */
#ifndef STASIS_OS_LINUX_UNWIND_H
#define STASIS_OS_LINUX_UNWIND_H

#include <stasis/stasis.h>

#include "kallsyms.h"

struct linux_system;
struct linux_stacks;

enum linux_side { LINUX_SIDE_KERNEL, LINUX_SIDE_USER };

struct linux_frame {
        uint64_t pc;
        uint64_t sp;   /* the stack pointer that belongs to pc */
        uint64_t slot; /* where pc was read; STASIS_NOWHERE: in a register */
        enum stasis_how how;
        bool exact; /* pc is the instruction itself (interrupted, or a register), not the one behind a call */
};

#define LINUX_FRAMES_MAX 128

/*
 * Frames of the kernel stack of the task at this address, innermost first, at most max. *ret_why: STASIS_PRESENT where
 * the stack was followed to its end (STASIS_CONTRADICTORY beside frames: it broke off), else why there is none;
 * *ret_end (may be NULL) says it in words (static).
 */
size_t linux_unwind(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                    enum stasis_absence *ret_why, const char **ret_end);
/*
 * The same of its user stack: by .eh_frame of the files mapped, else by frame pointers, which programs need not have.
 * *ret_end: why the last frame is the last (static); NULL beside no frames.
 */
size_t linux_unwind_user(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                         enum stasis_absence *ret_why, const char **ret_end);
struct linux_user_name {
        const char *module; /* the file that is mapped there; NULL: not known; good until another task is asked for */
        char symbol[KALLSYMS_NAME_MAX]; /* empty: not known */
        uint64_t offset;                /* in the symbol, without one in the module */
};
/* A frame of the user stack that was asked for last. */
void linux_user_name(struct linux_system *l, uint64_t pc, bool exact, struct linux_user_name *ret_name);
/* Its registers on one side; absence says why there are none. */
void linux_registers(struct linux_system *l, uint64_t task, enum linux_side side,
                     struct stasis_registers *ret_registers);
/* Bytes of a kernel stack: THREAD_SIZE. */
uint64_t linux_thread_size(struct linux_system *l);
void linux_stacks_free(struct linux_stacks *stacks);

#endif
