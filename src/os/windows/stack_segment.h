/* SPDX-License-Identifier: MIT */
/*
 * The stacks that a thread and its processor have beside the one that KTHREAD names: segments of kernel stack that it
 * left for another, and those on which a processor runs DPCs, interrupts, and what has a stack of its own always (NMI,
 * double fault, machine check).
 */
#ifndef STASIS_OS_WINDOWS_STACK_SEGMENT_H
#define STASIS_OS_WINDOWS_STACK_SEGMENT_H

#include "stand.h"

/* Those that it left, the newest first; how many. s->limit, s->base and s->initial are the current one's. */
size_t stack_segments(const struct thread_stand *s, struct stack_segment ret_segment[static STACK_SEGMENTS_MAX]);

#define PROCESSOR_STACKS_MAX 10
/* [low, high) of each; p: whose. */
size_t processor_stacks(const struct windows *w, const struct frames *f, const struct stasis_processor *p,
                        uint64_t ret_range[static PROCESSOR_STACKS_MAX][2]);

#endif
