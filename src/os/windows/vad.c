/* SPDX-License-Identifier: MIT */
/*
 * The VAD tree. Three shapes, each asked of the layout: a pointer to the top node (until XP), a table whose root's
 * right child is the top (2003 .. 8), an RTL_AVL_TREE (8.1 and later). Nodes are MMVADs; private ones only
 * MMVAD_SHORTs, whose members are MMVAD's first ones.
 */
#include "vad.h"

#include <assert.h>
#include <stddef.h>

#define DEPTH_MAX 128          /* an AVL tree of 2^48 pages is at most 70 deep */
#define SUBSECTIONS_MAX 100000 /* of one mapped file */
#define PAGE_SHIFT 12

static const struct {
        size_t place;
        const char *path[3];
} vad_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct vad_places, name), { __VA_ARGS__ } \
        }
        PLACE(root, "_EPROCESS.VadRoot.BalancedRoot.RightChild", "_EPROCESS.VadRoot.Root", "_EPROCESS.VadRoot"),
        PLACE(left, "_MMVAD_SHORT.VadNode.Left", "_MMVAD_SHORT.VadNode.LeftChild", "_MMVAD_SHORT.LeftChild"),
        PLACE(right, "_MMVAD_SHORT.VadNode.Right", "_MMVAD_SHORT.VadNode.RightChild", "_MMVAD_SHORT.RightChild"),
        PLACE(start, "_MMVAD_SHORT.StartingVpn"),
        PLACE(start_high, "_MMVAD_SHORT.StartingVpnHigh"),
        PLACE(start_higher, "_MMVAD_SHORT.u5.StartingVpnHigher"),
        PLACE(end, "_MMVAD_SHORT.EndingVpn"),
        PLACE(end_high, "_MMVAD_SHORT.EndingVpnHigh"),
        PLACE(end_higher, "_MMVAD_SHORT.u5.EndingVpnHigher", "_MMVAD_SHORT.u5.StartingVpnHigher"), /* one for both */
        PLACE(private_memory, "_MMVAD_SHORT.u.VadFlags.PrivateMemory",
              "_MMVAD_SHORT.u.PrivateVadFlags.PrivateMemoryAlwaysSet"),
        PLACE(commit, "_MMVAD_SHORT.u1.VadFlags1.MemCommit", "_MMVAD_SHORT.u.PrivateVadFlags.MemCommit",
              "_MMVAD_SHORT.u.VadFlags.MemCommit"),
        PLACE(first_prototype, "_MMVAD.FirstPrototypePte"),
        PLACE(last_prototype, "_MMVAD.LastContiguousPte"),
        PLACE(subsection, "_MMVAD.Subsection"),
        PLACE(subsection_base, "_SUBSECTION.SubsectionBase"),
        PLACE(subsection_ptes, "_SUBSECTION.PtesInSubsection"),
        PLACE(subsection_next, "_SUBSECTION.NextSubsection"),
#undef PLACE
};

void vad_bind(const struct stasis_layout *layout, struct vad_places *ret_places)
{
        for (size_t i = 0; i < sizeof vad_rows / sizeof *vad_rows; i++) {
                struct place *place = (struct place *)((char *)ret_places + vad_rows[i].place);
                struct stasis_member m;
                *place = (struct place){ 0 };
                for (size_t k = 0; k < 3 && vad_rows[i].path[k] && !place->has; k++)
                        if (stasis_layout_member(layout, vad_rows[i].path[k], &m) && m.type != STASIS_TYPE_STRUCT &&
                            (m.size == 1 || m.size == 2 || m.size == 4 || m.size == 8))
                                *place = (struct place){ m.offset, (uint8_t)m.size, m.bit, m.bits, true };
        }
}

/* A page number in up to three parts: 32 bits, then 8, then 4. Parts that this kernel lacks are zero. */
static enum stasis_status read_vpn(const struct windows *w, uint64_t node, const struct place *low, uint64_t *ret_vpn)
{
        static const uint8_t shift[] = { 0, 32, 40 };
        uint64_t vpn = 0, part;
        for (size_t i = 0; i < 3; i++) { /* high and higher lie behind low in struct vad_places */
                enum stasis_status status = read_place(w->kernel, node, &low[i], &part);
                if (status == STASIS_UNSUPPORTED && i > 0)
                        continue;
                if (status != STASIS_OK)
                        return status;
                vpn |= part << shift[i];
        }
        *ret_vpn = vpn;
        return STASIS_OK;
}
static_assert(offsetof(struct vad_places, start_higher) ==
                      offsetof(struct vad_places, start) + 2 * sizeof(struct place),
              "parts in a row");
static_assert(offsetof(struct vad_places, end_higher) == offsetof(struct vad_places, end) + 2 * sizeof(struct place),
              "parts in a row");

/* A file in several pieces: the first subsection's entries end before this page's. */
static enum stasis_status in_later_subsection(const struct windows *w, const struct vad_places *at, uint64_t node,
                                              uint64_t first, uint64_t index, uint8_t entry_size, uint64_t *ret_va)
{
        uint64_t subsection, base, count;
        enum stasis_status status = read_place(w->kernel, node, &at->subsection, &subsection);
        for (unsigned i = 0; status == STASIS_OK && i < SUBSECTIONS_MAX; i++) {
                if (!is_kernel_address(w, subsection))
                        return STASIS_ABSENT;
                status = read_place(w->kernel, subsection, &at->subsection_base, &base);
                if (status == STASIS_OK)
                        status = read_place(w->kernel, subsection, &at->subsection_ptes, &count);
                if (status != STASIS_OK)
                        return status;
                if (i == 0 && first >= base)
                        index += (first - base) / entry_size;
                if (index < count) {
                        *ret_va = base + index * entry_size;
                        return STASIS_OK;
                }
                index -= count;
                status = read_place(w->kernel, subsection, &at->subsection_next, &subsection);
        }
        return status == STASIS_OK ? STASIS_LIMIT : status;
}

static enum stasis_status prototype_of(const struct windows *w, const struct vad_places *at, uint64_t node,
                                       uint64_t index, uint8_t entry_size, uint64_t *ret_va)
{
        uint64_t first, last;
        enum stasis_status status = read_place(w->kernel, node, &at->first_prototype, &first);
        if (status == STASIS_OK)
                status = read_place(w->kernel, node, &at->last_prototype, &last);
        if (status != STASIS_OK)
                return status;
        *ret_va = 0;
        if (!is_kernel_address(w, first))
                return STASIS_OK; /* physical memory, and what else has no prototype entries */
        if (last < first || index <= (last - first) / entry_size) { /* ~0: all are contiguous */
                *ret_va = first + index * entry_size;
                return STASIS_OK;
        }
        status = in_later_subsection(w, at, node, first, index, entry_size, ret_va);
        return status == STASIS_UNSUPPORTED ? STASIS_OK : status;
}

static enum stasis_status read_vad(const struct windows *w, const struct vad_places *at, uint64_t node, uint64_t index,
                                   uint8_t entry_size, struct vad *ret_vad)
{
        struct vad vad = { .object = node, .committed = true };
        uint64_t value;
        enum stasis_status status = read_place(w->kernel, node, &at->private_memory, &value);
        if (status != STASIS_OK)
                return status;
        vad.private_memory = value;
        if (read_place(w->kernel, node, &at->commit, &value) == STASIS_OK)
                vad.committed = value;
        if (!vad.private_memory)
                status = prototype_of(w, at, node, index, entry_size, &vad.prototype);
        if (status == STASIS_OK)
                *ret_vad = vad;
        return status;
}

enum stasis_status vad_find(const struct windows *w, const struct vad_places *at, uint64_t process, uint64_t va,
                            uint8_t entry_size, struct vad *ret_vad)
{
        uint64_t node, start, end, vpn = va >> PAGE_SHIFT;
        enum stasis_status status = read_place(w->kernel, process, &at->root, &node);
        for (unsigned i = 0; status == STASIS_OK && i < DEPTH_MAX; i++) {
                if (!is_kernel_address(w, node))
                        return STASIS_ABSENT;
                status = read_vpn(w, node, &at->start, &start);
                if (status == STASIS_OK)
                        status = read_vpn(w, node, &at->end, &end);
                if (status != STASIS_OK)
                        break;
                if (vpn >= start && vpn <= end)
                        return read_vad(w, at, node, vpn - start, entry_size, ret_vad);
                status = read_place(w->kernel, node, vpn < start ? &at->left : &at->right, &node);
        }
        return status == STASIS_OK ? STASIS_LIMIT : status == STASIS_ABSENT ? STASIS_IO : status;
}
