/* SPDX-License-Identifier: MIT */
/*
 * A stand-in for the library: one image and one system, whose every answer is known, behind the public calls alone.
 *
 * Physical memory: [0x1000, 0x4000) at 0x200 in the file, [0x8000, 0x9000) at 0x3200; byte pa holds pa >> 4.
 * Virtual memory: [0x10000, 0x14000) -> 0x1000 on; 0x18000 -> 0x8000; [0x20000, 0x24000) in page files; 0x30000 on:
 * table not in the image; from 2^47 on: not canonical; else not present. So 0x13000 is mapped, and its page is not in
 * the image.
 */
#ifndef STASIS_CLI_DOUBLE_H
#define STASIS_CLI_DOUBLE_H

#include <stasis/stasis.h>

struct double_case {
        enum stasis_status image, system; /* what opening them gives */
        bool gap;                         /* the image declares more than it holds */
        size_t thread_count;
        bool stacks;                   /* threads have stacks: of 0 and 2 the same, of 1 none */
        bool ways;                     /* the same, and the ways to each: thread 1 is off the list of its process */
        const char *process;           /* name of the first thread's process */
        char layout[256];              /* what the last system was opened with */
        char symbols[256];             /* the same, joined by '|' */
        char pagefiles[256];           /* the same, as number=path */
        uint32_t hints;                /* enum stasis_hint of the image */
        enum stasis_severity severity; /* of the one note */
        bool noted;                    /* there is a note */
};

extern struct double_case double_case;
void double_reset(void); /* all well: three threads, one note of no weight, no gap */

#endif
