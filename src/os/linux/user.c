/* SPDX-License-Identifier: MIT */
/* The memory of one process at a time: l->memory. */
#include "user.h"

#include <stddef.h>
#include <stdlib.h>

static const struct place_row rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct user_places, name), { __VA_ARGS__ } \
        }
        PLACE(tree, "mm_struct.mm_mt.ma_root"), /* since 6.1 */
        PLACE(rb, "mm_struct.mm_rb.rb_node"),
        PLACE(rb_left, "rb_node.rb_left"),
        PLACE(rb_right, "rb_node.rb_right"),
        PLACE(vm_rb, "vm_area_struct.vm_rb"),
        PLACE(range, "maple_node.mr64"),
        PLACE(arange, "maple_node.ma64"),
        PLACE(start, "vm_area_struct.vm_start"),
        PLACE(end, "vm_area_struct.vm_end"),
        PLACE(page, "vm_area_struct.vm_pgoff"),
        PLACE(file, "vm_area_struct.vm_file"),
        PLACE(flags, "vm_area_struct.vm_flags"),
        PLACE(mapping, "file.f_mapping"),
        PLACE(xa_head, "address_space.i_pages.xa_head"),
        PLACE(rnode, "address_space.i_pages.rnode"), /* 4.17 to 4.19 */
        PLACE(page_rnode, "address_space.page_tree.rnode"),
        PLACE(radix_height, "address_space.page_tree.height"),
        PLACE(xa_slots, "xa_node.slots"),
        PLACE(radix_slots, "radix_tree_node.slots"),
        PLACE(xa_shift, "xa_node.shift"),
        PLACE(radix_shift, "radix_tree_node.shift"),
        PLACE(page_mapping, "folio.mapping", "page.mapping"),
        PLACE(page_index, "folio.index", "page.index"),
        PLACE(page_head, "page.compound_head"),
        PLACE(vdso, "mm_struct.context.vdso"),
#undef PLACE
};

static struct linux_user *user_new(struct linux_system *l)
{
        struct linux_user *user = calloc(1, sizeof *user);
        if (!user) {
                l->no_memory = true;
                return NULL;
        }
        user->l = l;
        places_bind(l->layout, rows, sizeof rows / sizeof *rows, &user->at);
        user->at.page_size = l->layout ? stasis_layout_sizeof(l->layout, "page") : 0;
        user_vma_bind(user);
        user_file_bind(user);
        return user;
}

struct linux_user *linux_user_get(struct linux_system *l, uint64_t mm)
{
        struct stasis_space *plain = linux_user_space(l, mm);
        if (!plain || (!l->memory && !(l->memory = user_new(l))))
                return NULL;
        struct linux_user *user = l->memory;
        if (user->mm != mm) {
                stasis_space_init(&user->space, l->image, plain->paging, plain->root);
                user->space.soft_fault = user_fault;
                user->space.soft_fault_ctx = user;
                user->mm = mm;
                user->last = (struct user_vma){ .start = 0 };
                user->module_count = user->module_next = 0;
                stasis_arena_reset(&user->names);
                for (size_t i = 0; i < user->file_count; i++) /* known by where they are mapped alone */
                        if (!user->files[i].mapping)
                                user_file_drop(&user->files[i]);
        }
        return user;
}

void linux_user_free(struct linux_user *user)
{
        if (!user)
                return;
        for (size_t i = 0; i < user->file_count; i++)
                user_file_drop(&user->files[i]);
        stasis_arena_free(&user->names);
        free(user);
}
