/* SPDX-License-Identifier: MIT */
/*
 * The stack of user mode: for each frame the tables of its ELF file where they cover the code, else the saved frame
 * pointer where it can be one. Nothing here knows where the tables come from.
 */
#ifndef STASIS_OS_LINUX_UNWIND_USER_H
#define STASIS_OS_LINUX_UNWIND_USER_H

#include "cfi.h"
#include "unwind.h"

struct user_walk {
        struct stasis_space *space; /* NULL: there is none */
        const struct cfi_machine *machine;
        /* STASIS_UNSUPPORTED: no table covers pc. NULL: nobody has tables. */
        enum stasis_status (*entry_at)(void *ctx, uint64_t pc, struct cfi_entry *ret_entry);
        bool (*is_code)(void *ctx, uint64_t pc); /* NULL: not known of any address */
        void *ctx;

        struct linux_frame *frame;
        size_t count, max;
        const char *end; /* why there are no more; static */
        bool outermost;  /* that is because there are none */

        /* where the walk stands */
        struct cfi_registers registers;
        bool exact;
        bool doubted; /* the stack pointer: it was taken from a frame pointer, or from a word that was looked for */
};

/* The registers' own frame and those behind it. */
void unwind_user(struct user_walk *walk, const struct stasis_registers *registers);

#endif
