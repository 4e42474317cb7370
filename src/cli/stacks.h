/* SPDX-License-Identifier: MIT */
/* Threads grouped by their stacks, for the verb stacks: what is counted, and the writers, one a format. */
#ifndef STASIS_CLI_STACKS_H
#define STASIS_CLI_STACKS_H

#include "out.h"

/* The stacks that a thread may have, in the order in which they are printed; which of them the key is made of. */
struct stack_part {
        const char *key;    /* of the column */
        const char *frames; /* of the member in JSON */
        const char *title;
        bool user; /* with --user only */
};
#define STACK_PARTS 3
extern const struct stack_part stack_parts[STACK_PARTS];

struct stack_thread {
        uint64_t hash[2]; /* of all that makes its stack the same as another's */
        size_t index;     /* in the system's list */
        uint64_t pid, tid, object;
        const char *name; /* shared with the thread before where it is the same */
        bool known;       /* it has a stack */
        bool owns_name;
};

struct stack_group {
        size_t first, count; /* in thread; the frames shown are those of the first, */
        size_t index;        /* which is this one of the system's list */
        bool known;
};

struct stacks {
        struct cli *cli;
        size_t total;                /* threads in the system */
        struct stack_thread *thread; /* those asked for, by group and in it in the order of the system */
        size_t thread_count, thread_capacity;
        struct stack_group *group; /* most threads first; those without a stack last */
        size_t group_count;
        struct json json;
};

/* Is this part there to be printed (with --user, or always), and does the system know it at all? */
bool stack_part_wanted(const struct cli *cli, size_t part);

struct stacks_writer {
        void (*begin)(struct stacks *s);
        void (*group)(struct stacks *s, const struct stack_group *group, const struct stasis_record *first);
        void (*end)(struct stacks *s);
};
const struct stacks_writer *stacks_writer_of(enum cli_format format);

#endif
