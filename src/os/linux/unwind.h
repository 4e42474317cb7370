/* SPDX-License-Identifier: MIT */
/* The kernel stack of one task, frame by frame; every frame says how it was found. */
#ifndef STASIS_OS_LINUX_UNWIND_H
#define STASIS_OS_LINUX_UNWIND_H

#include <stasis/stasis.h>

struct linux_system;

enum linux_frame_how { LINUX_FRAME_REGISTER, LINUX_FRAME_ORC, LINUX_FRAME_POINTER, LINUX_FRAME_SCAN };

struct linux_frame {
        uint64_t pc, sp;
        enum linux_frame_how how;
};

#define LINUX_FRAMES_MAX 128

/*
 * Frames of the task at this address, innermost first, at most max. *ret_why: STASIS_PRESENT where the stack was
 * followed to its end or as far as it can be (STASIS_CONTRADICTORY says that it broke off), else why there is none.
 */
size_t linux_unwind(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                    enum stasis_absence *ret_why);
const char *linux_frame_how_name(enum linux_frame_how how); /* "register", "orc", "frame-pointer", "scan" */

#endif
