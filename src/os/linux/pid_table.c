/* SPDX-License-Identifier: MIT */
/*
 * Tasks by the kernel's own table of ids: the tree in init_pid_ns.idr (since 4.15; an XArray since 4.20, a radix tree
 * before, which differ in the bit that marks a pointer to a node), or the hash pid_hash. Each struct pid leads to the
 * task that has the id.
 */
#include <stddef.h>
#include <stdlib.h>

#include "../../base/arena.h"
#include "sources.h"

#define SLOTS 64         /* of a node; RADIX_TREE_MAP_SHIFT is 6 in every kernel but tiny ones */
#define NODES_MAX 262144 /* LINUX_TASKS_MAX entries take 66,576 nodes */
#define CHAIN_MAX 4096
#define HASH_SHIFT_MAX 20

struct pid_places {
        struct place xa_head, rnode, xa_slots, radix_slots, xa_shift, radix_shift, tasks, numbers, links, old_links,
                chain, ns;
};

static const struct place_row rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct pid_places, name), { __VA_ARGS__ } \
        }
        PLACE(xa_head, "pid_namespace.idr.idr_rt.xa_head"),
        PLACE(rnode, "pid_namespace.idr.idr_rt.rnode"),
        PLACE(xa_slots, "xa_node.slots"),
        PLACE(radix_slots, "radix_tree_node.slots"),
        PLACE(xa_shift, "xa_node.shift"),
        PLACE(radix_shift, "radix_tree_node.shift"),
        PLACE(tasks, "pid.tasks"),
        PLACE(numbers, "pid.numbers"),
        PLACE(links, "task_struct.pid_links"),
        PLACE(old_links, "task_struct.pids"),
        PLACE(chain, "upid.pid_chain"),
        PLACE(ns, "upid.ns"),
#undef PLACE
};

/* The task whose id this is: the first of the list of PIDTYPE_PID. A struct pid may have none (a group's, a session's).
 */
static enum stasis_status saw_pid(struct linux_system *l, const struct pid_places *at, uint64_t pid)
{
        uint64_t first;
        uint32_t links = at->links.has ? at->links.offset : at->old_links.offset;
        if (linux_read_pointer(l, pid + at->tasks.offset, &first) != STASIS_OK || !first ||
            linux_task_refused(l, first - links))
                return STASIS_OK;
        return source_saw(l, first - links, LINUX_PID_TABLE, false);
}

/* ---------------------------------------------------------------- the tree */

struct tree {
        struct linux_system *l;
        const struct pid_places *at;
        uint64_t *node; /* still to be looked into */
        size_t count, capacity, seen;
};

static bool is_node(const struct tree *t, uint64_t entry)
{
        return t->at->xa_head.has ? (entry & 3) == 2 && entry > 4096 : (entry & 3) == 1;
}

static enum stasis_status push(struct tree *t, uint64_t entry)
{
        if (t->seen >= NODES_MAX)
                return STASIS_LIMIT;
        if (!stasis_grow(&t->node, &t->capacity, t->count + 1, sizeof *t->node))
                return STASIS_NOMEM;
        t->node[t->count++] = entry & ~UINT64_C(3);
        t->seen++;
        return STASIS_OK;
}

static enum stasis_status take(struct tree *t, uint64_t entry)
{
        if (is_node(t, entry))
                return push(t, entry);
        return entry && entry % t->l->pointer_size == 0 ? saw_pid(t->l, t->at, entry) : STASIS_OK;
}

static enum stasis_status walk_tree(struct linux_system *l, const struct pid_places *at, uint64_t ns)
{
        struct tree t = { .l = l, .at = at };
        const struct place *head = at->xa_head.has ? &at->xa_head : &at->rnode;
        uint32_t slots = at->xa_slots.has ? at->xa_slots.offset : at->radix_slots.offset;
        uint64_t entry;
        enum stasis_status status = read_place(l->kernel, ns, head, &entry);
        if (status == STASIS_OK)
                status = take(&t, entry);
        while (t.count && status == STASIS_OK) {
                uint64_t node = t.node[--t.count];
                for (unsigned i = 0; i < SLOTS && status == STASIS_OK; i++)
                        if (linux_read_pointer(l, node + slots + (uint64_t)i * l->pointer_size, &entry) == STASIS_OK)
                                status = take(&t, entry);
        }
        free(t.node);
        return status;
}

/* ---------------------------------------------------------------- the hash */

static enum stasis_status walk_chain(struct linux_system *l, const struct pid_places *at, uint64_t ns, uint64_t bucket)
{
        uint64_t node, owner;
        enum stasis_status status = STASIS_OK;
        if (linux_read_pointer(l, bucket, &node) != STASIS_OK)
                return STASIS_OK;
        for (unsigned i = 0; node && i < CHAIN_MAX && status == STASIS_OK; i++) {
                uint64_t upid = node - at->chain.offset;
                if (read_place(l->kernel, upid, &at->ns, &owner) != STASIS_OK)
                        break;
                if (owner == ns)
                        status = saw_pid(l, at, upid - at->numbers.offset);
                if (linux_read_pointer(l, node, &node) != STASIS_OK)
                        break;
        }
        return status;
}

static enum stasis_status walk_hash(struct linux_system *l, const struct pid_places *at, uint64_t ns)
{
        uint64_t symbol, table, shift_at, shift;
        enum stasis_status status = STASIS_OK;
        if (!linux_symbol_find(l, "pid_hash", &symbol) || !linux_symbol_find(l, "pidhash_shift", &shift_at) ||
            linux_read_pointer(l, symbol, &table) != STASIS_OK ||
            stasis_space_u(l->kernel, shift_at, 4, &shift) != STASIS_OK || shift > HASH_SHIFT_MAX)
                return STASIS_ABSENT;
        for (uint64_t i = 0; i < UINT64_C(1) << shift && status == STASIS_OK; i++)
                status = walk_chain(l, at, ns, table + i * l->pointer_size);
        return status;
}

enum stasis_status source_pid_table(struct linux_system *l)
{
        struct pid_places at;
        uint64_t ns;
        places_bind(l->layout, rows, sizeof rows / sizeof *rows, &at);
        if (!linux_symbol_find(l, "init_pid_ns", &ns) || !at.tasks.has || (!at.links.has && !at.old_links.has))
                return STASIS_ABSENT;
        if ((at.xa_head.has && at.xa_slots.has) || (at.rnode.has && at.radix_slots.has))
                return walk_tree(l, &at, ns);
        return at.chain.has && at.ns.has && at.numbers.has ? walk_hash(l, &at, ns) : STASIS_ABSENT;
}
