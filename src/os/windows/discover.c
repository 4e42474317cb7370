/* SPDX-License-Identifier: MIT */
/*
 * From a physical image to a kernel whose structures can be read: page tables, kernel, debugger block, version; then
 * layout and System (identify.c), then the list heads (heads.c). Each step has several ways; each way that is tried
 * leaves a line in the trace.
 */
#include <inttypes.h>

#include "../../base/error.h"
#include "symbol_files.h"
#include "windows.h"

#define X86_SYSTEM_START 0x80000000u
#define X86_SYSTEM_START_3GB 0xc0000000u

/* ---------------------------------------------------------------- page tables and kernel */

/* Addresses inside the kernel that the dump header or the low stub tell; kdbg is kept where it could be read. */
static size_t kernel_hints(struct windows *w, const struct windows_root *root, uint64_t hint[static 4])
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        size_t count = 0;
        uint64_t entry, base;
        w->has_kdbg = (h->known & STASIS_HINT_KDBG) && kdbg_read(w->kernel, h->kdbg, &w->kdbg) == STASIS_OK;
        if (w->has_kdbg)
                hint[count++] = w->kdbg.KernBase;
        if ((h->known & STASIS_HINT_MODULE_HEAD) && windows_first_module(w, h->module_head, &entry, &base))
                hint[count++] = base;
        if (root->entry)
                hint[count++] = root->entry;
        return count;
}

static void progress_adapter(void *ctx, const char *what, uint64_t done, uint64_t total)
{
        system_progress(ctx, what, done, total);
}

static void use_root(struct windows *w, const struct stasis_paging *paging, uint64_t root)
{
        stasis_space_init(w->kernel, w->image, paging, root);
        w->is64 = paging->va_bits > 32;
        w->system_start =
                w->is64 ? UINT64_C(0xff00000000000000) : X86_SYSTEM_START; /* la57's half; 4 levels lie in it */
        w->pointer_size = w->is64 ? 8 : 4;
}

/* Started with /3GB (or increaseuserva) the kernel and all that is its own lie above 3 GB. */
static void note_3gb(struct windows *w)
{
        if (!w->is64 && w->has_pe && w->pe.base >= X86_SYSTEM_START_3GB)
                w->system_start = X86_SYSTEM_START_3GB;
}

static bool try_root(struct windows *w, const struct windows_root *root)
{
        uint64_t hint[4];
        use_root(w, root->paging, root->root);
        size_t count = kernel_hints(w, root, hint);
        enum stasis_status status = kernel_find(w->kernel, hint, count, progress_adapter, w->system, &w->pe);
        if (status != STASIS_OK) {
                system_trace(w->system, "root", false,
                             "%s 0x%" PRIx64 " (%s, rank %u): no kernel in this address space", root->paging->name,
                             root->root, root->how, root->rank);
                return false;
        }
        w->has_pe = true;
        note_3gb(w);
        system_trace(w->system, "root", true, "%s 0x%" PRIx64 " (%s, rank %u): leads to a kernel", root->paging->name,
                     root->root, root->how, root->rank);
        system_trace(w->system, "kernel", true, "PE at 0x%" PRIx64 ", 0x%x bytes, timestamp 0x%x, %s", w->pe.base,
                     w->pe.size, w->pe.timestamp, w->pe.pdb_known ? w->pe.pdb_name : "no PDB record readable");
        return true;
}

/*
 * Best first; where so many lead to no kernel, the others do not either. Each may cost a search through all that a
 * hostile table maps: 0.5 s, however small the image.
 */
#define ROOTS_SEARCHED_MAX 16

/* PE machine and paging must agree: an x64 kernel seen through x86 tables is an accident. */
static bool try_roots(struct windows *w, const struct windows_root *root, size_t count)
{
        for (size_t i = 0; i < count && i < ROOTS_SEARCHED_MAX; i++)
                if (try_root(w, &root[i]) && w->pe.is64 == w->is64)
                        return true;
        if (count > ROOTS_SEARCHED_MAX)
                system_trace(w->system, "root", false, "%zu candidates of lower rank were not tried",
                             count - ROOTS_SEARCHED_MAX);
        w->has_pe = w->has_kdbg = false;
        return false;
}

static bool given_root(const struct windows *w, struct windows_root *ret_root)
{
        const struct stasis_system_options *o = &w->system->options;
        const struct stasis_paging *paging = o->mode ? stasis_paging_by_name(o->mode) : NULL;
        if (!o->root_known || !paging)
                return false;
        *ret_root = (struct windows_root){
                .paging = paging, .root = o->root & paging->root_mask, .how = "given", .rank = 1000
        };
        return true;
}

static bool find_kernel(struct windows *w)
{
        struct windows_root root[WINDOWS_ROOTS_MAX];
        if (given_root(w, root))
                return try_roots(w, root, 1);
        size_t count = windows_roots_told(w->image, root, WINDOWS_ROOTS_MAX);
        if (!count)
                system_trace(w->system, "root", false, "no header, register or low stub tells a page-table root");
        if (try_roots(w, root, count))
                return true;
        count = windows_roots_scan(w->image, root, WINDOWS_ROOTS_MAX, progress_adapter, w->system);
        if (count == WINDOWS_NO_MEMORY) {
                w->no_memory = true;
                return false;
        }
        system_trace(w->system, "root", count > 0, "scan of the whole image for self-mapping tables: %zu candidates",
                     count);
        return try_roots(w, root, count);
}

/* A virtual image has no page tables, and rarely more of the kernel's image than its first page. */
static bool enter_virtual(struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        const struct windows_root none = { 0 };
        uint64_t hint[4];
        if (!(h->known & STASIS_HINT_MACHINE) || h->machine == STASIS_MACHINE_ARM64)
                return false;
        use_root(w, h->machine == STASIS_MACHINE_X64 ? &stasis_paging_flat64 : &stasis_paging_flat32, 0);
        size_t count = kernel_hints(w, &none, hint);
        uint64_t base = count ? hint[0] : h->driver_count ? h->driver[0].base : 0; /* the first driver is the kernel */
        w->has_pe = base && pe_open(w->kernel, base, &w->pe) == STASIS_OK && w->pe.is64 == w->is64;
        note_3gb(w);
        system_trace(w->system, "root", true, "a virtual image: what it holds is found by its virtual address");
        if (w->has_pe)
                system_trace(w->system, "kernel", true, "PE at 0x%" PRIx64 ", 0x%x bytes, timestamp 0x%x", w->pe.base,
                             w->pe.size, w->pe.timestamp);
        return true;
}

/* The layout by whose shape System was found, where the image does not contradict it; else any that it does not. */
static bool settle_shape(struct windows *w, const struct system_shape *shape)
{
        const struct stasis_layout *layout = w->own_layout ? w->own_layout : shape->layout;
        unsigned score = windows_system_score(w->kernel, layout, shape->object_va);
        system_trace(w->system, "shape", score > 0,
                     "%s at pa 0x%" PRIx64 ", va 0x%" PRIx64 ", root 0x%" PRIx64 ": score %u",
                     stasis_layout_name(layout), shape->object_pa, shape->object_va, shape->root, score);
        if (!score)
                return false;
        w->system_object = shape->object_va;
        w->has_pe = kernel_find(w->kernel, NULL, 0, progress_adapter, w->system, &w->pe) == STASIS_OK;
        note_3gb(w);
        if (w->system->options.infer_layout || (!w->own_layout && windows_layout_doubts(w, layout, NULL, 0)))
                return windows_choose_layout(w);
        w->layout = layout;
        w->layout_evidence = (struct windows_evidence){ "shape of System's object", "weak" };
        system_note(w->system, STASIS_NOTE_WARNING, "layout-by-plausibility", 0, -1, -1,
                    "System was found by the shape of its process object alone; %s fits it and is used, and the names "
                    "of flags and reasons may be those of a neighbouring version",
                    stasis_layout_name(w->layout));
        return true;
}

/* Where no kernel image could be seen, System's own object leads to page tables. */
static bool find_by_shape(struct windows *w)
{
        struct system_shape shape[8];
        size_t count = windows_system_by_shape(w, shape, 8);
        if (count == WINDOWS_NO_MEMORY) {
                w->no_memory = true;
                return false;
        }
        system_trace(w->system, "shape", count > 0, "System's process object searched by its shape: %zu candidates",
                     count);
        for (size_t i = 0; i < count; i++) {
                use_root(w, shape[i].paging, shape[i].root);
                windows_infer_free(w->infer);
                w->infer = NULL; /* of another address space */
                if (settle_shape(w, &shape[i]))
                        return true;
        }
        return false;
}

/* ---------------------------------------------------------------- version */

static void find_version(struct windows *w)
{
        w->has_shared = shared_data_read(w->kernel, &w->shared) == STASIS_OK;
        if (w->has_pe)
                kernel_version_read(w->kernel, &w->pe, w->has_kdbg ? &w->kdbg : NULL, &w->version);
        const struct stasis_hints *h = stasis_image_hints(w->image);
        if (h->known & STASIS_HINT_BUILD)
                w->version.witness[WITNESS_HEADER] = h->build;
        for (int i = 0; i < WITNESS_COUNT; i++) {
                uint32_t build = w->version.witness[i];
                if (!build)
                        continue;
                system_trace(w->system, "version", true, "%s says build %u",
                             version_witness_name((enum version_witness)i), build);
                if (!w->version.build)
                        w->version.build = build;
                if (build != w->version.build)
                        system_note(w->system, STASIS_NOTE_WARNING, "build-disagreement", 0, -1, -1,
                                    "the %s says build %u, the system is taken as %u",
                                    version_witness_name((enum version_witness)i), build, w->version.build);
        }
        if (!w->version.build)
                system_trace(w->system, "version", false, "no witness of the build number is readable");
}

/* ---------------------------------------------------------------- the sequence */

static enum stasis_status open_given_layout(struct windows *w, struct stasis_error *err)
{
        if (!w->system->options.layout_path)
                return STASIS_OK;
        return stasis_layout_open_isf(w->system->options.layout_path, &w->own_layout, err);
}

static enum stasis_status not_found(struct windows *w, struct stasis_error *err)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        if (w->no_memory)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        if ((h->known & STASIS_HINT_MACHINE) && h->machine == STASIS_MACHINE_ARM64)
                return stasis_fail(err, STASIS_UNSUPPORTED, "an ARM64 machine: this version reads x86 and x64 systems");
        size_t runs;
        (void)stasis_image_runs(w->image, &runs);
        if (!runs)
                return stasis_fail(err, STASIS_UNSUPPORTED, "the dump holds its header only, and no memory");
        if (w->system->options.root_known)
                return stasis_fail(err, STASIS_ABSENT,
                                   "no Windows kernel found through the page-table root that was given");
        return stasis_fail(err, STASIS_ABSENT, "no Windows kernel found: no page tables in the image lead to one");
}

static enum stasis_status no_layout(struct windows *w, struct stasis_error *err)
{
        if (w->no_memory)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        if (w->own_layout)
                return stasis_fail(err, STASIS_UNSUPPORTED, "the layout of %s does not fit the %s (build %u)",
                                   w->system->options.layout_path,
                                   is_virtual(w) ? "thread of this triage dump" : "System process of this kernel",
                                   w->version.build);
        if (w->system->options.infer_layout && !is_virtual(w))
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a Windows kernel (build %u), but what the image shows is not enough to infer where "
                                   "its members lie: see the trace",
                                   w->version.build);
        if (is_virtual(w))
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a triage dump of Windows (build %u), but no layout fits the thread in it",
                                   w->version.build);
        return stasis_fail(err, STASIS_UNSUPPORTED,
                           "a Windows kernel (build %u) at 0x%" PRIx64 ", but no layout fits its System process",
                           w->version.build, w->pe.base);
}

static enum stasis_status discover_virtual(struct windows *w, struct stasis_error *err)
{
        if (w->system->options.root_known)
                return stasis_fail(err, STASIS_USAGE, "a triage dump has no page tables: no root can be given");
        if (!enter_virtual(w))
                return not_found(w, err);
        enum stasis_status status = symbol_files_open(w->system, &w->symbol_files, err);
        if (status != STASIS_OK)
                return status;
        windows_find_kdbg(w);
        find_version(w);
        windows_find_process_head(w);
        if (!windows_choose_layout(w))
                return no_layout(w, err);
        windows_bind_places(w->layout, &w->at);
        windows_find_module_head(w);
        return STASIS_OK;
}

enum stasis_status windows_discover(struct windows *w, struct stasis_error *err)
{
        enum stasis_status status = open_given_layout(w, err);
        if (status != STASIS_OK)
                return status;
        if (w->system->options.infer_layout && (w->own_layout || is_virtual(w)))
                return stasis_fail(err, STASIS_USAGE,
                                   w->own_layout ? "a layout is either given or inferred"
                                                 : "a triage dump holds too little to infer a layout from");
        if (is_virtual(w))
                return discover_virtual(w, err);
        if (!find_kernel(w) && (w->system->options.root_known || !find_by_shape(w)))
                return not_found(w, err); /* a root that was given is the only one that is tried */
        status = symbol_files_open(w->system, &w->symbol_files, err); /* of another system they would be its own */
        if (status != STASIS_OK)
                return status;
        windows_find_kdbg(w);
        find_version(w);
        windows_find_process_head(w);
        if (!w->layout && !windows_choose_layout(w) && (w->own_layout || !find_by_shape(w)))
                return no_layout(w, err); /* a layout that was given is the only one that is tried */
        windows_infer_free(w->infer);     /* the sample is large, and has served */
        w->infer = NULL;
        windows_bind_places(w->layout, &w->at);
        windows_use_system_root(w);
        windows_confirm_process_head(w);
        windows_find_module_head(w);
        return STASIS_OK;
}
