/* SPDX-License-Identifier: MIT */
/*
 * A whole Linux in six MiB: a kernel's image with kallsyms and BTF, page tables, init_task and a dozen tasks. Tests of
 * the decoder build it, break one thing, and look at facts, notes and trace; the fuzz target "linux" patches its bytes.
 * Its structures have an order of their own, which its BTF describes; no header of the decoder is used.
 */
#ifndef STASIS_TEST_TINY_LINUX_H
#define STASIS_TEST_TINY_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ksyms.h"
#include "ptbuild.h"

#define TL_LEN 0x600000u
#define TL_TEXT_PA 0x200000u /* of the kernel's image */

/* Members of task_struct, in the order in which they lie. */
enum tl_member {
        TL_TI_FLAGS,
        TL_CPU,
        TL_STATE,
        TL_STACK,
        TL_USAGE,
        TL_FLAGS,
        TL_PRIO,
        TL_STATIC_PRIO,
        TL_NORMAL_PRIO,
        TL_RT_PRIORITY,
        TL_POLICY,
        TL_TASKS,
        TL_MM,
        TL_ACTIVE_MM,
        TL_EXIT_STATE,
        TL_EXIT_CODE,
        TL_EXIT_SIGNAL,
        TL_PID,
        TL_TGID,
        TL_CANARY,
        TL_REAL_PARENT,
        TL_PARENT,
        TL_CHILDREN,
        TL_SIBLING,
        TL_GROUP_LEADER,
        TL_PID_LINKS,
        TL_THREAD_GROUP,
        TL_THREAD_NODE,
        TL_START_TIME,
        TL_START_BOOTTIME,
        TL_REAL_CRED,
        TL_CRED,
        TL_COMM,
        TL_SIGNAL,
        TL_SP,
        TL_MEMBERS
};

/*
 * How its structures are called and linked. Sources: include/linux/sched.h (state became __state in 5.14, thread_group
 * was joined by signal->thread_head in 3.14), kernel/pid.c and include/linux/idr.h (pid_hash until 4.14; a radix tree
 * in 4.15 to 4.19, with bit 0 for a node; an XArray since 4.20, with 2), include/linux/pid.h (pids became pid_links
 * in 4.19).
 */
enum tl_era {
        TL_SINCE_5_14,
        TL_4_15, /* to 4.18 */
        TL_3_14, /* to 4.14 */
        TL_2_6   /* to 3.13 */
};

/* What kind of kernel. */
struct tl_kind {
        enum pt_mode mode;
        enum ksyms_order order;
        bool data_symbols; /* CONFIG_KALLSYMS_ALL */
        bool btf;
        bool vmcoreinfo;
        bool text;      /* it begins as a kernel's text does */
        uint64_t slide; /* KASLR */
};

enum tl_task {
        TL_SWAPPER,
        TL_INIT,
        TL_KTHREADD,
        TL_KSOFTIRQD0,
        TL_KSOFTIRQD1,
        TL_MIGRATION,
        TL_WORKER,
        TL_SHELL,
        TL_SERVER, /* three threads: itself and the next two */
        TL_SERVER1,
        TL_SERVER2,
        TL_ZOMBIE,
        TL_SWAPPER1, /* idle task of the second CPU, on no list */
        TL_TASKS_COUNT
};

struct tl {
        struct tl_kind kind;
        enum tl_era era;
        unsigned pointer;
        uint64_t text, direct; /* virtual addresses of the image and of physical address 0 */
        uint32_t offset[TL_MEMBERS], size[TL_MEMBERS];
        uint64_t task[TL_TASKS_COUNT]; /* virtual */
        uint64_t root;                 /* physical */
        uint64_t btf, btf_len;         /* physical */
        struct ksyms symbols;
        uint64_t symbols_pa;
        struct ptbuild tables;
        uint8_t mem[TL_LEN];
};

void tl_build(struct tl *t, const struct tl_kind *kind);
void tl_build_era(struct tl *t, const struct tl_kind *kind, enum tl_era era);
/* The allocator's view of the tasks; without it there is none. */
void tl_slab(struct tl *t);
/* Takes the leader of a group of one task off every list, out of the tree of ids, away from its parent. */
void tl_hide(struct tl *t, enum tl_task task);
/* A word at a virtual address of the image or the direct map. */
void tl_put(struct tl *t, uint64_t va, unsigned size, uint64_t value);
uint64_t tl_get(const struct tl *t, uint64_t va, unsigned size);
static inline uint64_t tl_at(const struct tl *t, enum tl_task task, enum tl_member member)
{
        return t->task[task] + t->offset[member];
}

#endif
