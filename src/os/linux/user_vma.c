/* SPDX-License-Identifier: MIT */
/*
 * Mappings of a process by address: a maple tree of ranges since 6.1 (mm_struct.mm_mt; lib/maple_tree.c), before that a
 * red-black tree (mm_struct.mm_rb).
 */
#include "user.h"

#define DEPTH_MAX 64
#define PIVOTS_MAX 64
#define VM_WRITE 2u
#define VM_EXEC 4u

static bool load_vma(struct linux_user *user, uint64_t vma, struct user_vma *ret_vma)
{
        struct stasis_space *s = user->l->kernel;
        struct user_vma v = { .file = 0 };
        uint64_t flags = 0;
        if (read_place(s, vma, &user->at.start, &v.start) != STASIS_OK ||
            read_place(s, vma, &user->at.end, &v.end) != STASIS_OK || v.end <= v.start)
                return false;
        if (read_place(s, vma, &user->at.flags, &flags) == STASIS_OK) {
                v.code = flags & VM_EXEC;
                v.writable = flags & VM_WRITE;
        }
        if (read_place(s, vma, &user->at.page, &v.first_page) != STASIS_OK ||
            read_place(s, vma, &user->at.file, &v.file) != STASIS_OK)
                v.file = 0;
        *ret_vma = v;
        return true;
}

/* ---------------------------------------------------------------- the maple tree */

/* A pointer to a node: its kind in bits 3 to 6, aligned to 256 bytes; leaves are of kind 0 and 1, ranges 2, 3 has gaps.
 */
#define MAPLE_KIND(entry) ((entry) >> 3 & 0xf)
#define MAPLE_NODE(entry) ((entry) & ~UINT64_C(0xff))
#define MAPLE_DENSE 0u
#define MAPLE_LEAF 1u
#define MAPLE_ARANGE 3u

static bool is_pointer(uint64_t entry) { return entry > 4096; }

/*
 * The slot that holds for va: the first whose pivot, its last address, is not below it. A pivot of 0 behind the first
 * is none: that slot holds for the rest of the node.
 */
static bool maple_step(struct linux_user *user, uint64_t entry, uint64_t va, uint64_t *ret_entry)
{
        bool arange = MAPLE_KIND(entry) == MAPLE_ARANGE;
        const struct stasis_member *pivot = arange ? &user->at.arange_pivot : &user->at.range_pivot;
        const struct stasis_member *slot = arange ? &user->at.arange_slot : &user->at.range_slot;
        uint64_t node = MAPLE_NODE(entry) + (arange ? user->at.arange.offset : user->at.range.offset), last;
        uint32_t i = 0, count = pivot->count < PIVOTS_MAX ? pivot->count : PIVOTS_MAX;
        uint8_t word = user->l->pointer_size;
        for (; i < count; i++) {
                if (linux_read_pointer(user->l, node + pivot->offset + (uint64_t)i * word, &last) != STASIS_OK)
                        return false;
                if ((i && last == 0) || va <= last)
                        break;
        }
        return i < slot->count &&
               linux_read_pointer(user->l, node + slot->offset + (uint64_t)i * word, ret_entry) == STASIS_OK;
}

static bool find_in_tree(struct linux_user *user, uint64_t va, uint64_t *ret_vma)
{
        uint64_t entry;
        if (read_place(user->l->kernel, user->mm, &user->at.tree, &entry) != STASIS_OK || (entry & 3) != 2)
                return false; /* the root alone is marked so */
        for (unsigned i = 0; i < DEPTH_MAX && is_pointer(entry); i++) {
                unsigned kind = MAPLE_KIND(entry);
                if (kind == MAPLE_DENSE || kind > MAPLE_ARANGE || !maple_step(user, entry, va, &entry))
                        return false;
                *ret_vma = entry;
                if (kind == MAPLE_LEAF)
                        return is_pointer(entry);
        }
        return false;
}

/* ---------------------------------------------------------------- the red-black tree */

static bool find_in_rb(struct linux_user *user, uint64_t va, uint64_t *ret_vma)
{
        const struct linux_system *l = user->l;
        uint64_t node, start, end;
        if (read_place(l->kernel, user->mm, &user->at.rb, &node) != STASIS_OK)
                return false;
        for (unsigned i = 0; i < DEPTH_MAX && node; i++) {
                uint64_t vma = node - user->at.vm_rb.offset;
                if (read_place(l->kernel, vma, &user->at.start, &start) != STASIS_OK ||
                    read_place(l->kernel, vma, &user->at.end, &end) != STASIS_OK)
                        return false;
                *ret_vma = vma;
                if (va >= start && va < end)
                        return true;
                if (read_place(l->kernel, node, va < start ? &user->at.rb_left : &user->at.rb_right, &node) !=
                    STASIS_OK)
                        return false;
        }
        return false;
}

bool user_vma_at(struct linux_user *user, uint64_t va, struct user_vma *ret_vma)
{
        uint64_t vma;
        struct user_vma v = user->last;
        if (!user->vmas)
                return false;
        if (va < v.start || va >= v.end) {
                if (!(user->at.tree.has ? find_in_tree(user, va, &vma) : find_in_rb(user, va, &vma)) ||
                    !load_vma(user, vma, &v) || va < v.start || va >= v.end)
                        return false;
                user->last = v;
        }
        *ret_vma = v;
        return true;
}

static bool words(const struct linux_user *user, const char *path, struct stasis_member *ret_member)
{
        return stasis_layout_member(user->l->layout, path, ret_member) && ret_member->size == user->l->pointer_size &&
               ret_member->count > 1;
}

void user_vma_bind(struct linux_user *user)
{
        const struct user_places *at = &user->at;
        bool maple = at->tree.has && at->range.has && at->arange.has &&
                     words(user, "maple_range_64.pivot", &user->at.range_pivot) &&
                     words(user, "maple_range_64.slot", &user->at.range_slot) &&
                     words(user, "maple_arange_64.pivot", &user->at.arange_pivot) &&
                     words(user, "maple_arange_64.slot", &user->at.arange_slot);
        bool rb = !at->tree.has && at->rb.has && at->rb_left.has && at->rb_right.has && at->vm_rb.has;
        user->vmas = at->start.has && at->end.has && (maple || rb);
}
