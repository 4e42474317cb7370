/* SPDX-License-Identifier: MIT */
/*
 * From a physical image to a kernel whose structures can be read: page tables, kernel, debugger block, version, layout,
 * System, list heads. Each step has several ways; each way that is tried leaves a line in the trace.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../base/error.h"
#include "windows.h"

#define LAYOUTS_TRIED_MAX 256
#define SYSTEM_THREADS_CHECKED 8
#define THREAD_ID_MAX 0x4000000 /* ids are handle values of one table: at most 2^26 (NT 4.0's are no multiples of 4) */

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
        /* the first module is the kernel; DllBase is at 0x30 (x64) or 0x18 (x86) of every LDR_DATA_TABLE_ENTRY */
        if ((h->known & STASIS_HINT_MODULE_HEAD) && read_pointer(w, w->kernel, h->module_head, &entry) == STASIS_OK &&
            read_pointer(w, w->kernel, entry + (w->is64 ? 0x30 : 0x18), &base) == STASIS_OK)
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
        w->pointer_size = w->is64 ? 8 : 4;
}

static bool try_root(struct windows *w, const struct windows_root *root)
{
        uint64_t hint[4];
        use_root(w, root->paging, root->root);
        size_t count = kernel_hints(w, root, hint);
        enum stasis_status status = kernel_find(w->kernel, hint, count, progress_adapter, w->system, &w->pe);
        if (status != STASIS_OK) {
                system_trace(w->system, "root", false, "%s 0x%" PRIx64 " (%s, rank %u): no kernel in this address space",
                             root->paging->name, root->root, root->how, root->rank);
                return false;
        }
        w->has_pe = true;
        system_trace(w->system, "root", true, "%s 0x%" PRIx64 " (%s, rank %u): leads to a kernel", root->paging->name,
                     root->root, root->how, root->rank);
        system_trace(w->system, "kernel", true, "PE at 0x%" PRIx64 ", 0x%x bytes, timestamp 0x%x, %s", w->pe.base,
                     w->pe.size, w->pe.timestamp, w->pe.pdb_known ? w->pe.pdb_name : "no PDB record readable");
        return true;
}

/* PE machine and paging must agree: an x64 kernel seen through x86 tables is an accident. */
static bool try_roots(struct windows *w, const struct windows_root *root, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (try_root(w, &root[i]) && w->pe.is64 == w->is64)
                        return true;
        w->has_pe = w->has_kdbg = false;
        return false;
}

static bool given_root(const struct windows *w, struct windows_root *ret_root)
{
        const struct stasis_system_options *o = &w->system->options;
        const struct stasis_paging *paging = o->mode ? stasis_paging_by_name(o->mode) : NULL;
        if (!o->root_known || !paging)
                return false;
        *ret_root = (struct windows_root){ .paging = paging, .root = o->root & paging->root_mask, .how = "given", .rank = 1000 };
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
        system_trace(w->system, "root", count > 0, "scan of the whole image for self-mapping tables: %zu candidates", count);
        return try_roots(w, root, count);
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
        system_trace(w->system, "shape", count > 0, "System's process object searched by its shape: %zu candidates", count);
        for (size_t i = 0; i < count; i++) {
                use_root(w, shape[i].paging, shape[i].root);
                unsigned score = windows_system_score(w->kernel, shape[i].layout, shape[i].object_va);
                system_trace(w->system, "shape", score > 0, "%s at pa 0x%" PRIx64 ", va 0x%" PRIx64 ", root 0x%" PRIx64
                             ": score %u", stasis_layout_name(shape[i].layout), shape[i].object_pa,
                             shape[i].object_va, shape[i].root, score);
                if (!score)
                        continue;
                w->layout = shape[i].layout;
                w->layout_how = "plausibility of System";
                w->match = STASIS_MATCH_NONE;
                w->system_object = shape[i].object_va;
                w->has_pe = kernel_find(w->kernel, NULL, 0, progress_adapter, w->system, &w->pe) == STASIS_OK;
                system_note(w->system, STASIS_NOTE_WARNING, "layout-by-plausibility", 0, -1, -1,
                            "no kernel image was found, only System's process object by its shape; %s fits it and is used, and the "
                            "names of flags and reasons may be those of a neighbouring version",
                            stasis_layout_name(w->layout));
                return true;
        }
        return false;
}

/* ---------------------------------------------------------------- debugger block, version */

static bool symbol_va(const struct windows *w, const char *symbol, uint64_t *ret_va)
{
        uint32_t rva;
        uint64_t isf_rva;
        if (!w->has_pe)
                return false;
        if (w->own_layout && stasis_layout_symbol(w->own_layout, symbol, &isf_rva)) {
                *ret_va = w->pe.base + isf_rva;
                return true;
        }
        if (!w->pe.pdb_known || !stasis_symbol_rva(&w->pe.pdb, symbol, &rva))
                return false;
        *ret_va = w->pe.base + rva;
        return true;
}

static void find_kdbg(struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t va;
        if (w->has_kdbg) {
                system_trace(w->system, "kdbg", true, "0x%" PRIx64 " (header), 0x%x bytes", w->kdbg.va, w->kdbg.size);
                return;
        }
        if (h->known & STASIS_HINT_KDBG)
                system_trace(w->system, "kdbg", false, "0x%" PRIx64 " (header): no plain block there", h->kdbg);
        if (!w->has_pe)
                return;
        if (symbol_va(w, "KdDebuggerDataBlock", &va)) {
                w->has_kdbg = kdbg_read(w->kernel, va, &w->kdbg) == STASIS_OK && w->kdbg.KernBase == w->pe.base;
                system_trace(w->system, "kdbg", w->has_kdbg, "0x%" PRIx64 " (PDB symbol): %s", va,
                             w->has_kdbg ? "plain" : "encoded, or not readable");
        }
        if (!w->has_kdbg) {
                w->has_kdbg = kdbg_scan(w->kernel, &w->pe, &w->kdbg) == STASIS_OK;
                system_trace(w->system, "kdbg", w->has_kdbg, w->has_kdbg ? "0x%" PRIx64 " (scan of the kernel's sections)"
                                                                         : "scan of the kernel's sections: no plain block",
                             w->kdbg.va);
        }
        if (w->has_kdbg && w->kdbg.KernBase != w->pe.base) {
                system_trace(w->system, "kdbg", false, "refused: its KernBase 0x%" PRIx64 " is not this kernel", w->kdbg.KernBase);
                w->has_kdbg = false;
        }
}

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

/* ---------------------------------------------------------------- layout and System */

/* Score of one thread list of System: 0 where the first entry is no thread of it. */
static unsigned thread_list_score(struct stasis_space *space, const struct windows_places *at, uint64_t process, uint64_t pid,
                                  const struct place *head, const struct place *links, uint8_t pointer_size)
{
        uint64_t entry, type, owner, tid;
        unsigned score = 0;
        if (!head->has || !links->has || stasis_space_u(space, process + head->offset, pointer_size, &entry) != STASIS_OK)
                return 0;
        for (unsigned i = 0; i < SYSTEM_THREADS_CHECKED && entry != process + head->offset; i++) {
                uint64_t object = entry - links->offset;
                if (read_place(space, object, &at->header_type, &type) != STASIS_OK || (type & 0x7f) != 6)
                        return 0;
                if (read_place(space, object, &at->cid_process, &owner) != STASIS_OK || owner != pid ||
                    read_place(space, object, &at->cid_thread, &tid) != STASIS_OK || !tid || tid > THREAD_ID_MAX)
                        return 0;
                score++;
                if (stasis_space_u(space, entry, pointer_size, &entry) != STASIS_OK)
                        break;
        }
        return score;
}

unsigned windows_system_score(struct stasis_space *space, const struct stasis_layout *layout, uint64_t object)
{
        struct windows_places at;
        uint8_t pointer_size = stasis_layout_pointer_size(layout);
        uint64_t type, pid, dtb, flink, back;
        char name[8] = { 0 };
        windows_bind_places(layout, &at);
        if (pointer_size != (space->paging->va_bits > 32 ? 8 : 4) || !at.process_name.has || !at.process_links.has)
                return 0;
        if (read_place(space, object, &at.header_type, &type) != STASIS_OK || (type & 0x7f) != 3)
                return 0;
        if (read_place(space, object, &at.process_id, &pid) != STASIS_OK || (pid != 4 && pid != 8 && pid != 2))
                return 0; /* System is 2 in NT 4.0, 8 in 2000, 4 since XP */
        if (stasis_space_read(space, object + at.process_name.offset, name, 7) != STASIS_OK || strcmp(name, "System") != 0)
                return 0;
        unsigned score = 1;
        if (read_place(space, object, &at.process_dtb, &dtb) == STASIS_OK && dtb >> 12) /* low bits may be flags or a PCID */
                score += 2;
        uint64_t links = object + at.process_links.offset;
        if (stasis_space_u(space, links, pointer_size, &flink) == STASIS_OK &&
            stasis_space_u(space, flink + pointer_size, pointer_size, &back) == STASIS_OK && back == links)
                score += 2;
        score += thread_list_score(space, &at, object, pid, &at.process_threads, &at.thread_links, pointer_size);
        score += thread_list_score(space, &at, object, pid, &at.kprocess_threads, &at.kthread_links, pointer_size);
        return score;
}

/* Where System's object may be, for this layout: the export, then the head of the list. */
static size_t system_candidates(struct windows *w, const struct stasis_layout *layout, uint64_t object[static 4])
{
        struct stasis_member links;
        uint64_t va, value;
        size_t count = 0;
        if (w->has_pe && pe_export(w->kernel, &w->pe, "PsInitialSystemProcess", &va) == STASIS_OK &&
            read_pointer(w, w->kernel, va, &value) == STASIS_OK && is_kernel_address(w, value))
                object[count++] = value;
        if (symbol_va(w, "PsInitialSystemProcess", &va) && read_pointer(w, w->kernel, va, &value) == STASIS_OK &&
            is_kernel_address(w, value))
                object[count++] = value;
        if (w->process_head && stasis_layout_member(layout, "_EPROCESS.ActiveProcessLinks", &links) &&
            read_pointer(w, w->kernel, w->process_head, &value) == STASIS_OK)
                object[count++] = value - links.offset;
        return count;
}

static unsigned try_layout(struct windows *w, const struct stasis_layout *layout, uint64_t *ret_object)
{
        uint64_t object[4];
        unsigned best = 0;
        size_t count = system_candidates(w, layout, object);
        for (size_t i = 0; i < count; i++) {
                unsigned score = windows_system_score(w->kernel, layout, object[i]);
                if (score > best) {
                        best = score;
                        *ret_object = object[i];
                }
        }
        return best;
}

static void find_process_head(struct windows *w)
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
        } else if (symbol_va(w, "PsActiveProcessHead", &va)) {
                w->process_head = va;
                how = "PDB symbol";
        }
        system_trace(w->system, "processes", how != NULL, how ? "PsActiveProcessHead 0x%" PRIx64 " (%s)"
                                                              : "no header, debugger block or symbol tells PsActiveProcessHead",
                     w->process_head, how);
}

static void kernel_id(const struct windows *w, struct stasis_kernel_id *id)
{
        *id = (struct stasis_kernel_id){ .machine = w->is64 ? 0x8664 : 0x14c, .build = w->version.build,
                                         .service_pack = w->version.service_pack };
        if (w->has_pe) {
                id->pdb = w->pe.pdb_known ? &w->pe.pdb : NULL;
                id->timestamp = w->pe.timestamp;
                id->image_size = w->pe.size;
        }
        if (w->has_kdbg && w->kdbg.sizes) {
                id->kdbg_sizes = true;
                id->size_eprocess = w->kdbg.SizeEProcess;
                id->size_ethread = w->kdbg.SizeEThread;
                id->size_prcb = w->kdbg.SizePrcb;
                id->kthread_state = w->kdbg.OffsetKThreadState;
                id->kthread_teb = w->kdbg.OffsetKThreadTeb;
                id->kthread_next_processor = w->kdbg.OffsetKThreadNextProcessor;
                id->eprocess_peb = w->kdbg.OffsetEprocessPeb;
        }
}

static const char *const match_names[] = {
        [STASIS_MATCH_NONE] = "plausibility of System alone", [STASIS_MATCH_BUILD] = "build number",
        [STASIS_MATCH_KDBG] = "sizes in the debugger block",  [STASIS_MATCH_PE] = "PE timestamp and size",
        [STASIS_MATCH_PDB] = "PDB GUID",
};

static void take_layout(struct windows *w, const struct stasis_layout *layout, enum stasis_match match,
                        const uint32_t revision[4], uint64_t object, unsigned score)
{
        size_t i = (size_t)match;
        w->layout = layout;
        w->match = match;
        w->layout_how = i < sizeof match_names / sizeof *match_names && match_names[i] ? match_names[i] : "nearest build";
        if (revision)
                memcpy(w->revision, revision, sizeof w->revision);
        w->system_object = object;
        system_trace(w->system, "layout", true, "%s (%s), System at 0x%" PRIx64 ", score %u", stasis_layout_name(layout),
                     w->layout_how, object, score);
}

/* The best of the candidates by how well System fits; ties go to the stronger evidence, which comes first. */
static bool choose_among(struct windows *w, const struct stasis_layout_choice *choice, size_t count)
{
        size_t best = count;
        unsigned best_score = 0;
        uint64_t best_object = 0;
        for (size_t i = 0; i < count; i++) {
                uint64_t object = 0;
                unsigned score = try_layout(w, choice[i].layout, &object);
                if (!score)
                        system_trace(w->system, "layout", false, "%s: System's object does not fit",
                                     stasis_layout_name(choice[i].layout));
                if (score <= best_score)
                        continue;
                best = i;
                best_score = score;
                best_object = object;
                if (choice[i].match >= STASIS_MATCH_PE)
                        break; /* told exactly; that System fits confirms it */
        }
        if (best == count)
                return false;
        take_layout(w, choice[best].layout, choice[best].match, choice[best].revision, best_object, best_score);
        return true;
}

static bool choose_any(struct windows *w)
{
        const struct stasis_layout *layout, *best = NULL;
        unsigned best_score = 0;
        uint64_t best_object = 0;
        for (size_t i = 0; i < LAYOUTS_TRIED_MAX && (layout = stasis_layout_at(i)); i++) {
                uint64_t object = 0;
                unsigned score = stasis_layout_pointer_size(layout) == w->pointer_size ? try_layout(w, layout, &object) : 0;
                if (score <= best_score)
                        continue;
                best = layout;
                best_score = score;
                best_object = object;
        }
        if (!best)
                return false;
        take_layout(w, best, STASIS_MATCH_NONE, NULL, best_object, best_score);
        system_note(w->system, STASIS_NOTE_WARNING, "layout-by-plausibility", 0, -1, -1,
                    "no built-in layout is known for this kernel; %s fits System best and is used", stasis_layout_name(best));
        return true;
}

static bool choose_reactos(struct windows *w)
{
        const struct stasis_layout *layout = stasis_layout_by_name(w->is64 ? "reactos-0.4-x64" : "reactos-0.4-x86");
        uint64_t object = 0;
        unsigned score = layout ? try_layout(w, layout, &object) : 0;
        if (!score)
                return false;
        take_layout(w, layout, STASIS_MATCH_BUILD, NULL, object, score);
        w->layout_how = "recognised as ReactOS";
        return true;
}

static bool choose_given(struct windows *w)
{
        uint64_t object = 0;
        unsigned score = try_layout(w, w->own_layout, &object);
        if (!score) {
                system_trace(w->system, "layout", false, "%s (given): System's object does not fit",
                             stasis_layout_name(w->own_layout));
                return false;
        }
        take_layout(w, w->own_layout, STASIS_MATCH_NONE, NULL, object, score);
        w->layout_how = "given file";
        return true;
}

static bool choose_layout(struct windows *w)
{
        struct stasis_layout_choice choice[LAYOUTS_TRIED_MAX];
        struct stasis_kernel_id id;
        if (w->own_layout)
                return choose_given(w);
        if (w->version.reactos && choose_reactos(w))
                return true;
        kernel_id(w, &id);
        size_t count = stasis_layout_choose(&id, choice, LAYOUTS_TRIED_MAX);
        if (!count)
                system_trace(w->system, "layout", false, "no built-in layout for this PDB, PE or build %u", id.build);
        return choose_among(w, choice, count) || choose_any(w);
}

/* ---------------------------------------------------------------- after System is known */

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

/*
 * The head is the one entry of System's ring that lies in the kernel's image. A head told by somebody is believed only where the
 * ring goes through it.
 */
static void confirm_process_head(struct windows *w)
{
        struct ring ring = { .w = w };
        struct list_options options = { .pointer_size = w->pointer_size, .max = WINDOWS_PROCESSES_MAX, .accept = ring_accept,
                                        .ctx = &ring };
        struct list_walk walk;
        uint64_t first;
        uint64_t links = w->system_object + w->at.process_links.offset;
        if (w->process_head && read_pointer(w, w->kernel, w->process_head, &first) == STASIS_OK && first == links)
                return;
        if (list_walk(w->kernel, links, &options, &walk) != STASIS_OK)
                return;
        list_free(&walk);
        if (ring.head && ring.head != w->process_head)
                system_trace(w->system, "processes", true, "PsActiveProcessHead 0x%" PRIx64 " (System's own list links)", ring.head);
        else if (!ring.head)
                system_trace(w->system, "processes", false, "the list is entered at System itself: no head found in the kernel");
        w->process_head = ring.head;
}

/* System's own root is the one to keep: whichever process the first root was of, the answers are then the same. */
static void use_system_root(struct windows *w)
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

static void find_module_head(struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        const char *how = NULL;
        uint64_t va;
        if (w->has_kdbg && w->kdbg.PsLoadedModuleList) {
                w->module_head = w->kdbg.PsLoadedModuleList;
                how = "debugger block";
        } else if (h->known & STASIS_HINT_MODULE_HEAD) {
                w->module_head = h->module_head;
                how = "header";
        } else if (symbol_va(w, "PsLoadedModuleList", &va) ||
                   (w->has_pe && pe_export(w->kernel, &w->pe, "PsLoadedModuleList", &va) == STASIS_OK)) {
                w->module_head = va;
                how = "symbol";
        } else if (w->has_pe && modules_head_by_shape(w->kernel, &w->pe, w->layout, &va) == STASIS_OK) {
                w->module_head = va;
                how = "shape of the kernel's own entry";
        }
        system_trace(w->system, "modules", how != NULL, how ? "PsLoadedModuleList 0x%" PRIx64 " (%s)" : "PsLoadedModuleList not found",
                     w->module_head, how);
        if (w->has_kdbg && w->kdbg.KiProcessorBlock)
                w->processor_block = w->kdbg.KiProcessorBlock;
        else if (symbol_va(w, "KiProcessorBlock", &va))
                w->processor_block = va;
}

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
        return stasis_fail(err, STASIS_ABSENT, "no Windows kernel found: no page tables in the image lead to one");
}

enum stasis_status windows_discover(struct windows *w, struct stasis_error *err)
{
        enum stasis_status status = open_given_layout(w, err);
        if (status != STASIS_OK)
                return status;
        if (!find_kernel(w) && !find_by_shape(w))
                return not_found(w, err);
        find_kdbg(w);
        find_version(w);
        find_process_head(w);
        if (!w->layout && !choose_layout(w)) {
                if (!find_by_shape(w) && w->no_memory)
                        return stasis_fail(err, STASIS_NOMEM, "out of memory");
                if (!w->layout)
                        return stasis_fail(err, STASIS_UNSUPPORTED,
                                           "a Windows kernel (build %u) at 0x%" PRIx64 ", but no layout fits its System process",
                                           w->version.build, w->pe.base);
        }
        windows_bind_places(w->layout, &w->at);
        use_system_root(w);
        confirm_process_head(w);
        find_module_head(w);
        return STASIS_OK;
}
