/* SPDX-License-Identifier: MIT */
/*
 * Members of task_struct, found by what must hold of them, where nothing tells their places (a kernel without BTF, and
 * no file given). It starts at init_task, whose name stands in the kernel's own data, which is its own parent and
 * leader, and whose two children are pids 1 and 2; from there the tree of children gives a sample of every process. A
 * member is believed where exactly one place in its stretch of the structure is right for the whole sample.
 */
#ifndef STASIS_OS_LINUX_INFER_H
#define STASIS_OS_LINUX_INFER_H

#include "../../base/bytes.h"
#include "linux.h"

#define INFER_WINDOW 12288 /* of a task_struct: what is looked at */
#define INFER_SAMPLES_MAX 1024

struct infer_sample {
        uint64_t object;
        uint32_t pid;
        bool kernel; /* PF_KTHREAD, once flags are known */
        char comm[LINUX_COMM_LEN + 1];
        uint32_t have;  /* bytes that were readable from its start */
        uint8_t *bytes; /* INFER_WINDOW */
};

struct infer {
        struct linux_system *l;
        struct stasis_layout *layout;
        struct infer_sample *sample; /* sample[0]: init_task */
        size_t count, capacity;
        /* Known from init_task and its children. */
        uint32_t comm, pid, real_parent, children, sibling, group_leader;
        /* Found by rules; UINT32_MAX: not. */
        uint32_t tasks, flags, stack, state, mm, exit_state, priority, thread_group, start_time;
        bool no_memory;
};

/* A word of a sample; 0 where it was not readable. */
static inline uint64_t infer_load(const struct infer_sample *s, uint32_t offset, uint32_t size)
{
        return offset <= s->have && size <= s->have - offset ? load_le(s->bytes + offset, size) : 0;
}

/* A layout of what was inferred, and l->init_task. False where that is not enough to walk. */
bool linux_infer(struct linux_system *l, struct stasis_layout **ret_layout);

/* ---- between infer.c and infer_rules.c */
void infer_add(struct infer *n, const char *structure, const char *name, uint32_t offset, uint32_t size);
/* Every rule, in its order. */
void infer_rules(struct infer *n);
/* A rule's evidence, as 'stasis info' lists it; its texts are kept. Lost where memory is exhausted. */
void infer_keep(struct linux_system *l, const struct stasis_inference *evidence);

#endif
