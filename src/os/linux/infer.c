/* SPDX-License-Identifier: MIT */
/* init_task by its shape, and the sample of processes that hang on it; infer_rules.c finds the other members. */
#include "infer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../layout_made.h"
#include "search.h"

#define BEFORE_COMM 8192 /* where task_struct may start before its name */
#define IMAGE_MAX (UINT64_C(96) << 20)

void infer_add(struct infer *n, const char *structure, const char *name, uint32_t offset, uint32_t size)
{
        const struct stasis_member m = { .offset = offset, .size = size, .count = 1, .type = STASIS_TYPE_UNSIGNED };
        n->no_memory |= !layout_made_add(n->layout, structure, name, &m);
}

/* ---------------------------------------------------------------- the sample */

static void read_window(struct linux_system *l, struct infer_sample *s)
{
        while (s->have < INFER_WINDOW) {
                uint32_t step = 4096 - (uint32_t)((s->object + s->have) & 4095);
                step = step < INFER_WINDOW - s->have ? step : INFER_WINDOW - s->have;
                if (stasis_space_read(l->kernel, s->object + s->have, s->bytes + s->have, step) != STASIS_OK)
                        break;
                s->have += step;
        }
}

static struct infer_sample *add_sample(struct infer *n, uint64_t object)
{
        if (!stasis_grow(&n->sample, &n->capacity, n->count + 1, sizeof *n->sample)) {
                n->no_memory = true;
                return NULL;
        }
        struct infer_sample *s = &n->sample[n->count];
        *s = (struct infer_sample){ .object = object, .bytes = calloc(1, INFER_WINDOW) };
        if (!s->bytes) {
                n->no_memory = true;
                return NULL;
        }
        n->count++;
        read_window(n->l, s);
        s->pid = (uint32_t)infer_load(s, n->pid, 4);
        if (n->comm + LINUX_COMM_LEN <= s->have)
                memcpy(s->comm, s->bytes + n->comm, LINUX_COMM_LEN);
        return s;
}

static void drop_samples(struct infer *n)
{
        for (size_t i = 0; i < n->count; i++)
                free(n->sample[i].bytes);
        n->count = 0;
}

/* The children of sample number parent: each says that it is its child, and that it leads its own group. */
static void add_children(struct infer *n, size_t parent)
{
        struct linux_system *l = n->l;
        uint64_t object = n->sample[parent].object;
        struct list_walk walk;
        const struct list_options options = { .pointer_size = l->pointer_size, .max = INFER_SAMPLES_MAX };
        enum stasis_status status = list_walk(l->kernel, object + n->children, &options, &walk);
        n->no_memory |= status == STASIS_NOMEM;
        if (status != STASIS_OK)
                return;
        for (size_t i = 0; i < walk.count && n->count < INFER_SAMPLES_MAX && !n->no_memory; i++) {
                uint64_t child = walk.entry[i] - n->sibling, up, leader;
                if (linux_read_pointer(l, child + n->real_parent, &up) == STASIS_OK && up == object &&
                    linux_read_pointer(l, child + n->group_leader, &leader) == STASIS_OK && leader == child)
                        (void)add_sample(n, child);
        }
        list_free(&walk);
}

/* ---------------------------------------------------------------- init_task */

struct ids {
        uint32_t offset;
        bool found;
};

/*
 * pid and tgid stand before real_parent, with nothing but the stack protector's canary between: 0, 0 in init_task, and
 * 1, 1 and 2, 2 in its children.
 */
static struct ids find_ids(const struct infer *n, uint64_t init, const uint64_t *child, size_t count)
{
        for (uint32_t back = 8; back <= 24; back += 4) {
                uint32_t seen = 0;
                bool good = true;
                for (size_t i = 0; i < count && good; i++) {
                        uint64_t pid, tgid;
                        good = stasis_space_u(n->l->kernel, child[i] + n->real_parent - back, 4, &pid) == STASIS_OK &&
                               stasis_space_u(n->l->kernel, child[i] + n->real_parent - back + 4, 4, &tgid) ==
                                       STASIS_OK &&
                               pid == tgid && pid > 0 && pid <= LINUX_TASKS_MAX;
                        seen |= good && pid <= 2 ? 1u << pid : 0;
                }
                uint64_t pid = 1, tgid = 1;
                good = good && stasis_space_u(n->l->kernel, init + n->real_parent - back, 4, &pid) == STASIS_OK &&
                       stasis_space_u(n->l->kernel, init + n->real_parent - back + 4, 4, &tgid) == STASIS_OK;
                if (good && seen == 6 && pid == 0 && tgid == 0)
                        return (struct ids){ n->real_parent - back, true };
        }
        return (struct ids){ 0, false };
}

#define FIRST_CHILDREN 64

static bool confirm_init(struct infer *n, uint64_t init)
{
        struct linux_system *l = n->l;
        uint64_t child[FIRST_CHILDREN];
        struct list_walk walk;
        const struct list_options options = { .pointer_size = l->pointer_size, .max = FIRST_CHILDREN };
        enum stasis_status status = list_walk(l->kernel, init + n->children, &options, &walk);
        n->no_memory |= status == STASIS_NOMEM;
        if (status != STASIS_OK)
                return false;
        size_t count = walk.count < FIRST_CHILDREN ? walk.count : FIRST_CHILDREN;
        for (size_t i = 0; i < count; i++)
                child[i] = walk.entry[i] - n->sibling;
        list_free(&walk);
        struct ids ids = count >= 2 ? find_ids(n, init, child, count) : (struct ids){ 0, false };
        n->pid = ids.offset;
        return ids.found;
}

/*
 * Around the name at comm: [real_parent][parent][children][sibling][group_leader], where the three single pointers are
 * init_task itself, and sibling, which is empty, points to itself.
 */
static bool try_init(struct infer *n, uint64_t comm)
{
        struct linux_system *l = n->l;
        uint8_t bytes[BEFORE_COMM];
        uint32_t p = l->pointer_size;
        uint64_t low = comm - BEFORE_COMM;
        if (stasis_space_read(l->kernel, low, bytes, sizeof bytes) != STASIS_OK)
                return false;
        for (uint32_t i = (uint32_t)(-low & (p - 1)); i + 7 * p <= BEFORE_COMM; i += p) {
                uint64_t init = load_le(bytes + i, p), sibling = low + i + 4 * p;
                if (init < low || init >= low + i || load_le(bytes + i + p, p) != init ||
                    load_le(bytes + i + 6 * p, p) != init || load_le(bytes + i + 4 * p, p) != sibling ||
                    load_le(bytes + i + 5 * p, p) != sibling)
                        continue;
                n->real_parent = (uint32_t)(low + i - init);
                n->children = n->real_parent + 2 * p;
                n->sibling = n->real_parent + 4 * p;
                n->group_leader = n->real_parent + 6 * p;
                n->comm = (uint32_t)(comm - init);
                if (n->real_parent >= 64 && confirm_init(n, init)) {
                        (void)add_sample(n, init);
                        return true;
                }
        }
        return false;
}

static bool hit_swapper(void *ctx, uint64_t pa, struct stasis_bytes left)
{
        struct infer *n = ctx;
        const struct linux_system *l = n->l;
        if (left.len < LINUX_COMM_LEN || (left.at[7] != '\0' && memcmp(left.at + 7, "/0", 3) != 0))
                return false;
        return try_init(n, l->place.text_va + (pa - l->place.text_pa));
}

static void add_known(struct infer *n)
{
        uint32_t p = n->l->pointer_size;
        infer_add(n, "task_struct", "comm", n->comm, LINUX_COMM_LEN);
        infer_add(n, "task_struct", "pid", n->pid, 4);
        infer_add(n, "task_struct", "tgid", n->pid + 4, 4);
        infer_add(n, "task_struct", "real_parent", n->real_parent, p);
        infer_add(n, "task_struct", "parent", n->real_parent + p, p);
        infer_add(n, "task_struct", "children", n->children, p);
        infer_add(n, "task_struct", "sibling", n->sibling, p);
        infer_add(n, "task_struct", "group_leader", n->group_leader, p);
}

/* ---------------------------------------------------------------- all of it */

static bool infer(struct infer *n)
{
        struct linux_system *l = n->l;
        struct search_pattern pattern = { "swapper", 7, hit_swapper, n, false };
        search_memory(l, "types", l->place.text_pa, l->place.text_pa + IMAGE_MAX, &pattern, 1);
        if (!n->count) {
                system_trace(l->system, "infer", false,
                             "no task named swapper in the kernel's image that is its own "
                             "parent and has children 1 and 2");
                return false;
        }
        for (size_t i = 0; i < n->count && !n->no_memory; i++)
                add_children(n, i);
        l->init_task = n->sample[0].object;
        system_trace(l->system, "infer", true,
                     "init_task at 0x%" PRIx64 ": its own parent and leader, with children 1 "
                     "and 2; comm at 0x%x, pid at 0x%x, real_parent at 0x%x; %zu processes below it",
                     l->init_task, n->comm, n->pid, n->real_parent, n->count - 1);
        add_known(n);
        infer_rules(n);
        return !n->no_memory && n->tasks != UINT32_MAX;
}

bool linux_infer(struct linux_system *l, struct stasis_layout **ret_layout)
{
        struct infer n = { .l = l, .layout = layout_made_new("inferred", l->pointer_size, NULL) };
        n.tasks = n.flags = n.stack = n.state = n.mm = n.exit_state = n.priority = n.thread_group = n.start_time =
                UINT32_MAX;
        bool good = n.layout && infer(&n);
        l->no_memory |= !n.layout || n.no_memory;
        if (good) {
                *ret_layout = n.layout;
                system_note(l->system, STASIS_NOTE_WARNING, "layout-inferred", l->init_task, -1, -1,
                            "nothing tells where members of task_struct lie: their places were inferred from %zu "
                            "processes, and what could not be inferred is absent ('stasis info --trace' has the "
                            "evidence)",
                            n.count);
        } else {
                stasis_layout_close(n.layout);
                l->init_task = 0;
        }
        drop_samples(&n);
        free(n.sample);
        return good;
}
