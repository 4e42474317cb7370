/* SPDX-License-Identifier: MIT */
#include "unwind.h"

size_t linux_unwind(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                    enum stasis_absence *ret_why)
{
        (void)l;
        (void)task;
        (void)ret_frames;
        (void)max;
        *ret_why = STASIS_NOT_KNOWN;
        return 0;
}

const char *linux_frame_how_name(enum linux_frame_how how)
{
        static const char *const names[] = { "register", "orc", "frame-pointer", "scan" };
        return names[how];
}
