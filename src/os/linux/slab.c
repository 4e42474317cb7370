/* SPDX-License-Identifier: MIT */
/*
 * Tasks by the allocator: the other objects in the slabs that hold known tasks, and those of the cache's partial slabs.
 * A slab's pages share one struct page (struct slab since 5.17), which tells its cache and how many objects it has. An
 * object is a task where it looks like one and somebody still holds it: a freed one has no user left.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "../../base/arena.h"
#include "sources.h"
#include "user.h"

#define PAGE UINT64_C(4096)
#define OBJECT_MAX 65536 /* kmem_cache.size of task_struct: less than 16 KiB without debugging */

struct slab_places {
        struct place cache, page_cache, objects, page_objects, head, info, size, usage, node, per_node, node_in,
                partial, links, page_links;
};

static const struct place_row rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct slab_places, name), { __VA_ARGS__ } \
        }
        PLACE(cache, "slab.slab_cache"),
        PLACE(page_cache, "page.slab_cache"),
        PLACE(objects, "slab.objects"),
        PLACE(page_objects, "page.objects"),
        PLACE(head, "page.compound_head"),
        PLACE(info, "page.compound_info"),
        PLACE(size, "kmem_cache.size"),
        PLACE(usage, "task_struct.usage.refs.counter", "task_struct.usage.counter"),
        PLACE(node, "kmem_cache.node"),
        PLACE(per_node, "kmem_cache.per_node"),
        PLACE(node_in, "kmem_cache_per_node_ptrs.node"),
        PLACE(partial, "kmem_cache_node.partial"),
        PLACE(links, "slab.slab_list"),
        PLACE(page_links, "page.slab_list", "page.lru"),
#undef PLACE
};

struct slabs {
        struct linux_system *l;
        struct slab_places at;
        uint64_t cache, object_size;
        uint64_t pages, page_size; /* the array of struct page, and one of them */
        uint64_t direct;           /* virtual address of physical address 0 */
        uint64_t *seen;            /* slabs by their first page frame */
        size_t count, capacity;
};

static const struct place *either(const struct place *a, const struct place *b) { return a->has ? a : b; }

static bool find_cache(struct slabs *s)
{
        uint64_t symbol, pa;
        struct linux_system *l = s->l;
        s->page_size = stasis_layout_sizeof(l->layout, "page");
        if (!s->page_size || !either(&s->at.head, &s->at.info)->has || !s->at.size.has ||
            !either(&s->at.cache, &s->at.page_cache)->has || !either(&s->at.objects, &s->at.page_objects)->has ||
            !s->at.usage.has || !linux_page_array(l, &s->pages) ||
            !linux_symbol_find(l, "task_struct_cachep", &symbol) ||
            linux_read_pointer(l, symbol, &s->cache) != STASIS_OK ||
            read_place(l->kernel, s->cache, &s->at.size, &s->object_size) != STASIS_OK || s->object_size < 256 ||
            s->object_size > OBJECT_MAX)
                return false;
        for (size_t i = 0; i < l->task_count; i++) /* any task but init_task, which lies in the kernel's image */
                if (l->task[i].object != l->init_task &&
                    stasis_space_pa(l->kernel, l->task[i].object, &pa) == STASIS_OK) {
                        s->direct = l->task[i].object - pa;
                        return true;
                }
        return false;
}

/*
 * The first page frame of the slab that this frame belongs to. All but the first page have bit 0 set, and tell the
 * first one's address; since 7.0 (compound_info) maybe a mask that leaves it of their own: then the upper half is all
 * ones.
 */
static bool first_frame(const struct slabs *s, uint64_t frame, uint64_t *ret_frame)
{
        uint64_t page = s->pages + frame * s->page_size, head;
        if (read_place(s->l->kernel, page, either(&s->at.head, &s->at.info), &head) != STASIS_OK)
                return false;
        *ret_frame = frame;
        if (head & 1) {
                head = s->at.info.has && head >> 32 == UINT32_MAX ? page & head : head - 1;
                if (head < s->pages || (head - s->pages) % s->page_size)
                        return false;
                *ret_frame = (head - s->pages) / s->page_size;
        }
        return *ret_frame <= frame && frame - *ret_frame < 64;
}

static bool add_slab(struct slabs *s, uint64_t frame)
{
        if (!stasis_grow(&s->seen, &s->capacity, s->count + 1, sizeof *s->seen))
                return false;
        s->seen[s->count++] = frame;
        return true;
}

static bool slabs_of_tasks(struct slabs *s)
{
        for (size_t i = 0; i < s->l->task_count; i++) {
                uint64_t object = s->l->task[i].object, pa, frame;
                if (object != s->l->init_task && stasis_space_pa(s->l->kernel, object, &pa) == STASIS_OK &&
                    first_frame(s, pa / PAGE, &frame) && !add_slab(s, frame))
                        return false;
        }
        return true;
}

/* Of the first node: slabs with free objects, which may hold no known task. */
static bool partial_slabs(struct slabs *s)
{
        const struct place *links = either(&s->at.links, &s->at.page_links);
        struct linux_system *l = s->l;
        const struct list_options options = { .pointer_size = l->pointer_size, .max = LINUX_TASKS_MAX };
        struct list_walk walk;
        uint64_t node, at = s->at.node.offset;
        bool good = true, in_pair = !s->at.node.has && s->at.per_node.has && s->at.node_in.has; /* 7.1 */
        if (in_pair)
                at = s->at.per_node.offset + s->at.node_in.offset;
        if ((!s->at.node.has && !in_pair) || !s->at.partial.has || !links->has ||
            linux_read_pointer(l, s->cache + at, &node) != STASIS_OK)
                return true;
        enum stasis_status status = list_walk(l->kernel, node + s->at.partial.offset, &options, &walk);
        if (status != STASIS_OK)
                return status != STASIS_NOMEM;
        for (size_t i = 0; i < walk.count && good; i++) {
                uint64_t page = walk.entry[i] - links->offset;
                if (page >= s->pages && (page - s->pages) % s->page_size == 0)
                        good = add_slab(s, (page - s->pages) / s->page_size);
        }
        list_free(&walk);
        return good;
}

/* EXIT_DEAD, and on no list any more: it only waits to be freed. */
static bool is_dead(const struct linux_system *l, uint64_t object)
{
        uint64_t exit_state, dead = l->version && l->version < LINUX_VERSION(3, 14) ? 32 : 16;
        return read_place(l->kernel, object, &l->at.exit_state, &exit_state) == STASIS_OK && exit_state == dead;
}

static enum stasis_status saw_object(struct slabs *s, uint64_t object)
{
        uint64_t usage;
        if (read_place(s->l->kernel, object, &s->at.usage, &usage) != STASIS_OK || usage == 0 || usage > INT32_MAX ||
            is_dead(s->l, object) || linux_task_refused(s->l, object))
                return STASIS_OK;
        return source_saw(s->l, object, LINUX_SLAB, false);
}

static enum stasis_status look_into(struct slabs *s, uint64_t frame)
{
        uint64_t page = s->pages + frame * s->page_size, cache, objects;
        enum stasis_status status = STASIS_OK;
        if (read_place(s->l->kernel, page, either(&s->at.cache, &s->at.page_cache), &cache) != STASIS_OK ||
            cache != s->cache ||
            read_place(s->l->kernel, page, either(&s->at.objects, &s->at.page_objects), &objects) != STASIS_OK ||
            objects > 64 * PAGE / s->object_size)
                return STASIS_OK;
        for (uint64_t i = 0; i < objects && status == STASIS_OK; i++)
                status = saw_object(s, s->direct + frame * PAGE + i * s->object_size);
        return status;
}

static int by_frame(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;
        return *x < *y ? -1 : *x > *y;
}

enum stasis_status source_slab(struct linux_system *l)
{
        struct slabs s = { .l = l };
        enum stasis_status status = STASIS_OK;
        places_bind(l->layout, rows, sizeof rows / sizeof *rows, &s.at);
        if (!find_cache(&s))
                return STASIS_ABSENT;
        if (!slabs_of_tasks(&s) || !partial_slabs(&s))
                status = STASIS_NOMEM;
        if (s.count)
                qsort(s.seen, s.count, sizeof *s.seen, by_frame);
        for (size_t i = 0; i < s.count && status == STASIS_OK; i++)
                if (i == 0 || s.seen[i] != s.seen[i - 1])
                        status = look_into(&s, s.seen[i]);
        free(s.seen);
        return status;
}
