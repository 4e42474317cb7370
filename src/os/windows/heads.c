/* SPDX-License-Identifier: MIT */
/* The heads of the lists, and the root to keep. What somebody tells of a head is checked against System's own links. */
#include <inttypes.h>

#include "symbol_files.h"
#include "windows.h"

const struct stasis_layout *windows_symbol_layout(const struct windows *w)
{
        if (!w->has_pe || !w->pe.pdb_known)
                return NULL;
        return symbol_files_find(w->symbol_files, w->pe.pdb_name, &w->pe.pdb).layout;
}

bool windows_symbol(const struct windows *w, const char *symbol, uint64_t *ret_va)
{
        uint32_t rva;
        uint64_t isf_rva;
        if (!w->has_pe)
                return false;
        if (w->own_layout && stasis_layout_symbol(w->own_layout, symbol, &isf_rva)) {
                *ret_va = w->pe.base + isf_rva;
                return true;
        }
        const struct stasis_layout *own = windows_symbol_layout(w);
        if (own && stasis_layout_symbol(own, symbol, &isf_rva)) {
                *ret_va = w->pe.base + isf_rva;
                return true;
        }
        if (!w->pe.pdb_known || !stasis_symbol_rva(&w->pe.pdb, symbol, &rva))
                return false;
        *ret_va = w->pe.base + rva;
        return true;
}

void windows_find_process_head(struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        const char *how = NULL;
        uint64_t va;
        if (w->has_kdbg && w->kdbg.PsActiveProcessHead) {
                w->process_head = w->kdbg.PsActiveProcessHead;
                how = "debugger block";
        } else if (h->known & STASIS_HINT_PROCESS_HEAD) {
                w->process_head = h->process_head;
                how = "header";
        } else if (windows_symbol(w, "PsActiveProcessHead", &va)) {
                w->process_head = va;
                how = "PDB symbol";
        }
        system_trace(w->system, "processes", how != NULL,
                     how ? "PsActiveProcessHead 0x%" PRIx64 " (%s)"
                         : "no header, debugger block or symbol tells PsActiveProcessHead",
                     w->process_head, how);
}

static bool in_kernel_image(const struct windows *w, uint64_t va)
{
        return w->has_pe && va >= w->pe.base && va - w->pe.base < w->pe.size;
}

struct ring {
        const struct windows *w;
        uint64_t head; /* the entry of the ring that lies in the kernel's image */
};

static bool ring_accept(void *ctx, uint64_t entry)
{
        struct ring *ring = ctx;
        if (in_kernel_image(ring->w, entry))
                ring->head = entry;
        return true;
}

static bool leads_to_process(const struct windows *w, uint64_t head)
{
        uint64_t first;
        return head && read_pointer(w, w->kernel, head, &first) == STASIS_OK && first != head &&
               !windows_process_refused(w, first - w->at.process_links.offset);
}

/*
 * The head is the one entry of System's ring that lies in the kernel's image. A head told by somebody is believed only
 * where the ring goes through it.
 */
void windows_confirm_process_head(struct windows *w)
{
        struct ring ring = { .w = w };
        struct list_options options = {
                .pointer_size = w->pointer_size, .max = WINDOWS_PROCESSES_MAX, .accept = ring_accept, .ctx = &ring
        };
        struct list_walk walk;
        uint64_t first;
        uint64_t links = w->system_object + w->at.process_links.offset;
        if (w->process_head && read_pointer(w, w->kernel, w->process_head, &first) == STASIS_OK && first == links)
                return;
        if (list_walk(w->kernel, links, &options, &walk) != STASIS_OK)
                return;
        list_free(&walk);
        if (!ring.head && leads_to_process(w, w->process_head)) {
                system_trace(w->system, "processes", true,
                             "PsActiveProcessHead 0x%" PRIx64
                             " leads to processes, System's own links do not lead to it",
                             w->process_head);
                return; /* System was taken off the list */
        }
        if (ring.head && ring.head != w->process_head)
                system_trace(w->system, "processes", true,
                             "PsActiveProcessHead 0x%" PRIx64 " (System's own list links)", ring.head);
        else if (!ring.head)
                system_trace(w->system, "processes", false,
                             "the list is entered at System itself: no head found in the kernel");
        w->process_head = ring.head;
}

/* System's own root is the one to keep: whichever process the first root was of, the answers are then the same. */
void windows_use_system_root(struct windows *w)
{
        uint64_t dtb, pa;
        if (read_place(w->kernel, w->system_object, &w->at.process_dtb, &dtb) != STASIS_OK)
                return;
        uint64_t root = dtb & w->kernel->paging->root_mask, before = w->kernel->root;
        if (root == before)
                return;
        stasis_space_init(w->kernel, w->image, w->kernel->paging, root);
        bool works = stasis_space_pa(w->kernel, w->system_object, &pa) == STASIS_OK;
        system_trace(w->system, "root", works, "0x%" PRIx64 " (System's DirectoryTableBase)%s", root,
                     works ? "" : ": does not map System");
        if (!works)
                stasis_space_init(w->kernel, w->image, w->kernel->paging, before);
}

/* DllBase is at 0x30 (x64) or 0x18 (x86) of every LDR_DATA_TABLE_ENTRY: this serves before a layout is known. */
bool windows_first_module(const struct windows *w, uint64_t head, uint64_t *ret_entry, uint64_t *ret_base)
{
        return read_pointer(w, w->kernel, head, ret_entry) == STASIS_OK &&
               read_pointer(w, w->kernel, *ret_entry + (w->is64 ? 0x30 : 0x18), ret_base) == STASIS_OK;
}

/* The first module is the kernel, and it points back. */
static bool is_module_head(const struct windows *w, uint64_t head)
{
        uint64_t first, back, base;
        return windows_first_module(w, head, &first, &base) && (!w->has_pe || base == w->pe.base) &&
               read_pointer(w, w->kernel, first + w->pointer_size, &back) == STASIS_OK && back == head;
}

struct told_head {
        uint64_t va;
        const char *how;
};

static size_t told_module_heads(const struct windows *w, struct told_head told[static 3])
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        size_t count = 0;
        uint64_t va;
        if (w->has_kdbg && w->kdbg.PsLoadedModuleList)
                told[count++] = (struct told_head){ w->kdbg.PsLoadedModuleList, "debugger block" };
        if (h->known & STASIS_HINT_MODULE_HEAD)
                told[count++] = (struct told_head){ h->module_head, "header" };
        if (windows_symbol(w, "PsLoadedModuleList", &va) ||
            (w->has_pe && pe_export(w->kernel, &w->pe, "PsLoadedModuleList", &va) == STASIS_OK))
                told[count++] = (struct told_head){ va, "symbol" };
        return count;
}

/* A head that is told is taken where the kernel is its first entry; where none is, the shape decides; else the first.
 */
void windows_find_module_head(struct windows *w)
{
        struct told_head told[3], head = { 0 };
        size_t i = 0, count = told_module_heads(w, told);
        uint64_t va;
        while (i < count && !is_module_head(w, told[i].va))
                i++;
        if (i < count)
                head = told[i];
        else if (w->has_pe && modules_head_by_shape(w->kernel, &w->pe, w->layout, &va) == STASIS_OK)
                head = (struct told_head){ va, "shape of the kernel's own entry" };
        else if (count)
                head = told[0];
        w->module_head = head.va;
        system_trace(w->system, "modules", head.how != NULL,
                     head.how ? "PsLoadedModuleList 0x%" PRIx64 " (%s)" : "PsLoadedModuleList not found", head.va,
                     head.how);
        if (w->has_kdbg && w->kdbg.KiProcessorBlock)
                w->processor_block = w->kdbg.KiProcessorBlock;
        else if (windows_symbol(w, "KiProcessorBlock", &va))
                w->processor_block = va;
}
