/* SPDX-License-Identifier: MIT */
/*
 * System's process object found by its shape alone: the image name "System", its process id, a directory table that
 * translates the object's own address (which the next process's list link tells) back to where it lies. Nothing else is
 * needed, so this serves where the kernel's headers are paged out or damaged.
 */
#include <stdlib.h>
#include <string.h>

#include "windows.h"

#define SHAPES_MAX 128
#define PIECE (UINT64_C(1) << 20)
#define PIECE_READ (PIECE + sizeof system_name - 1)
#define HITS_MAX 100000 /* "System" as text is common; a process object behind it is not */

struct shape {
        const struct stasis_layout *layout;
        struct windows_places at;
        uint8_t pointer_size;
};

static bool same_shape(const struct shape *a, const struct shape *b)
{
        return a->pointer_size == b->pointer_size && a->at.process_name.offset == b->at.process_name.offset &&
               a->at.process_id.offset == b->at.process_id.offset &&
               a->at.process_links.offset == b->at.process_links.offset &&
               a->at.process_dtb.offset == b->at.process_dtb.offset &&
               a->at.process_threads.offset == b->at.process_threads.offset &&
               a->at.thread_links.offset == b->at.thread_links.offset &&
               a->at.cid_thread.offset == b->at.cid_thread.offset &&
               a->at.kthread_links.offset == b->at.kthread_links.offset;
}

static size_t all_shapes(struct shape *shape, size_t max)
{
        const struct stasis_layout *layout;
        size_t count = 0;
        for (size_t i = 0; count < max && (layout = stasis_layout_at(i)); i++) {
                struct shape *s = &shape[count];
                *s = (struct shape){ .layout = layout, .pointer_size = stasis_layout_pointer_size(layout) };
                windows_bind_places(layout, &s->at);
                bool known = !s->at.process_name.has || !s->at.process_links.has || !s->at.process_id.has;
                for (size_t k = 0; k < count && !known; k++)
                        known = same_shape(&shape[k], s);
                count += !known;
        }
        return count;
}

static bool load_pa(const struct stasis_image *image, uint64_t pa, size_t size, uint64_t *ret_value)
{
        uint8_t bytes[8] = { 0 };
        if (stasis_image_read(image, pa, bytes, size) != STASIS_OK)
                return false;
        *ret_value = 0;
        for (size_t i = size; i-- > 0;)
                *ret_value = *ret_value << 8 | bytes[i];
        return true;
}

/* The object's own virtual address: what the next process's Blink says, if this root translates it back to pa. */
static bool proves_itself(const struct stasis_image *image, struct stasis_space *space, const struct shape *s,
                          uint64_t object_pa, uint64_t *ret_va)
{
        uint64_t flink, back, pa;
        if (!load_pa(image, object_pa + s->at.process_links.offset, s->pointer_size, &flink) ||
            stasis_space_u(space, flink + s->pointer_size, s->pointer_size, &back) != STASIS_OK)
                return false;
        *ret_va = back - s->at.process_links.offset;
        return stasis_space_pa(space, *ret_va, &pa) == STASIS_OK && pa == object_pa;
}

static bool fits(const struct stasis_image *image, struct stasis_space *space, const struct shape *s, uint64_t name_pa,
                 struct system_shape *ret)
{
        static const struct stasis_paging *const mode[2][2] = { { &stasis_paging_pae, &stasis_paging_x86 },
                                                                { &stasis_paging_x64, &stasis_paging_la57 } };
        uint64_t type, pid, dtb, object = name_pa - s->at.process_name.offset;
        if (name_pa < s->at.process_name.offset || object % 8)
                return false;
        if (!load_pa(image, object + s->at.header_type.offset, 1, &type) || !is_dispatcher(type, DISPATCHER_PROCESS) ||
            !load_pa(image, object + s->at.process_id.offset, s->pointer_size, &pid) ||
            (pid != 4 && pid != 8 && pid != 2) ||
            !load_pa(image, object + s->at.process_dtb.offset, s->pointer_size, &dtb) || !(dtb >> 5))
                return false;
        for (size_t i = 0; i < 2; i++) {
                const struct stasis_paging *paging = mode[s->pointer_size == 8][i];
                uint64_t va;
                stasis_space_init(space, image, paging, dtb & paging->root_mask);
                if (!proves_itself(image, space, s, object, &va))
                        continue;
                *ret = (struct system_shape){ .object_pa = object,
                                              .object_va = va,
                                              .root = dtb & paging->root_mask,
                                              .layout = s->layout,
                                              .paging = paging };
                return true;
        }
        return false;
}

struct search {
        const struct windows *w;
        struct stasis_space *space;
        struct shape *shape;
        size_t shape_count, count, max, hits;
        struct system_shape *ret;
        uint8_t *copy; /* of a piece, where the image is packed */
};

static const uint8_t system_name[8] = "System";

static void search_piece(struct search *s, uint64_t piece_pa, struct stasis_bytes b)
{
        const uint8_t *at = b.at, *end = b.at + b.len;
        while (at && s->count < s->max && s->hits < HITS_MAX &&
               (at = memmem(at, (size_t)(end - at), system_name, sizeof system_name))) {
                uint64_t pa = piece_pa + (uint64_t)(at - b.at);
                at++;
                if (pa % 4)
                        continue;
                if (s->hits++ == 0) /* binding every layout takes longer than going through a small file */
                        s->shape_count = all_shapes(s->shape, SHAPES_MAX);
                for (size_t i = 0; i < s->shape_count && s->count < s->max; i++)
                        s->count += fits(s->w->image, s->space, &s->shape[i], pa, &s->ret[s->count]);
        }
}

/* In pieces, so that what is resident stays bounded; they overlap by the name, so that none is cut. */
static void search_run(struct search *s, const struct stasis_run *run)
{
        uint64_t pa = run->pa;
        while (pa - run->pa < run->len && s->count < s->max && s->hits < HITS_MAX) {
                pa = stasis_image_skip_hole(s->w->image, pa);
                struct stasis_bytes piece = stasis_image_piece(s->w->image, pa, s->copy, PIECE_READ);
                search_piece(s, pa, piece);
                pa += piece.len > PIECE ? PIECE : piece.len ? piece.len : 4096 - pa % 4096;
        }
}

size_t windows_system_by_shape(const struct windows *w, struct system_shape *ret_shape, size_t max)
{
        size_t run_count;
        const struct stasis_run *run = stasis_image_runs(w->image, &run_count);
        struct search s = { .w = w, .max = max, .ret = ret_shape };
        s.shape = calloc(SHAPES_MAX, sizeof *s.shape);
        s.space = malloc(sizeof *s.space);
        bool packed = stasis_image_is_packed(w->image);
        s.copy = packed ? malloc(PIECE_READ) : NULL;
        if (s.shape && s.space && (s.copy || !packed)) {
                for (size_t i = 0; i < run_count; i++) {
                        system_progress(w->system, "search for System", i, run_count);
                        search_run(&s, &run[i]);
                }
        }
        bool no_memory = !s.shape || !s.space || (packed && !s.copy);
        free(s.copy);
        free(s.shape);
        free(s.space);
        return no_memory ? WINDOWS_NO_MEMORY : s.count;
}
