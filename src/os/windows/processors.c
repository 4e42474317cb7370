/* SPDX-License-Identifier: MIT */
/*
 * Processor blocks: the only way to Idle and its threads, and to what ran. KiProcessorBlock where it is known; the
 * fixed place of the first KPCR before Vista; the block that each thread waited on (KTHREAD.WaitPrcb, Vista and later);
 * the registers that the container kept; the block of the boot processor by its shape inside the kernel's image; and
 * KiProcessorBlock itself, found as the array that begins with a block which is known.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "../../base/arena.h"
#include "region.h"
#include "windows.h"

#define X86_FIRST_KPCR \
        0xffdff000u /* x86 until Vista: the boot processor's KPCR, a fixed address (REPORT.md section 2: KPCR) */

#define PCR_ALIGN 0x40 /* a KPCR begins at least at a cache line */

static void bind_prcb(const struct windows *w, uint32_t *ret_prcb_in_pcr)
{
        struct stasis_member m;
        *ret_prcb_in_pcr = w->is64 ? 0x180 : 0x120; /* KPCR.Prcb, KPCR.PrcbData: the same in every version */
        if (stasis_layout_member(w->layout, w->is64 ? "_KPCR.Prcb" : "_KPCR.PrcbData", &m) &&
            m.type == STASIS_TYPE_STRUCT)
                *ret_prcb_in_pcr = m.offset;
}

/*
 * A processor block is believed where its idle thread is a thread object and its current one too; a virtual image holds
 * the block and not the threads.
 */
static bool add_prcb(struct windows *w, uint64_t prcb, size_t *capacity, const char *how)
{
        struct stasis_processor p = { .block = prcb };
        uint64_t number = w->processor_count;
        if (!is_kernel_address(w, prcb) || w->processor_count >= WINDOWS_PROCESSORS_MAX)
                return false;
        for (size_t i = 0; i < w->processor_count; i++)
                if (w->processor[i].block == prcb)
                        return true;
        if (read_place(w->kernel, prcb, &w->at.prcb_current, &p.current) != STASIS_OK ||
            read_place(w->kernel, prcb, &w->at.prcb_idle, &p.idle) != STASIS_OK ||
            read_place(w->kernel, prcb, &w->at.prcb_next, &p.next) != STASIS_OK)
                return false;
        bool real = is_virtual(w) ? is_kernel_address(w, p.idle) && is_kernel_address(w, p.current)
                                  : !windows_thread_refused(w, p.idle) && !windows_thread_refused(w, p.current);
        if (!real)
                return false;
        if (read_place(w->kernel, prcb, &w->at.prcb_number, &number) == STASIS_OK)
                p.number = (uint32_t)number;
        if (!stasis_grow(&w->processor, capacity, w->processor_count + 1, sizeof *w->processor))
                return false;
        w->processor[w->processor_count++] = p;
        system_trace(w->system, "processors", true, "processor %u: KPRCB 0x%" PRIx64 " (%s)", p.number, prcb, how);
        return true;
}

static void from_block(struct windows *w, size_t *capacity)
{
        uint64_t prcb;
        for (size_t i = 0; w->processor_block && i < WINDOWS_PROCESSORS_MAX; i++)
                if (read_pointer(w, w->kernel, w->processor_block + i * w->pointer_size, &prcb) != STASIS_OK || !prcb ||
                    !add_prcb(w, prcb, capacity, "KiProcessorBlock"))
                        break;
}

/* A KPCR names itself and its KPRCB. */
static bool is_pcr(const struct windows *w, uint64_t pcr, uint32_t prcb_in_pcr)
{
        uint64_t self, prcb;
        return read_place(w->kernel, pcr, &w->at.pcr_self, &self) == STASIS_OK && self == pcr &&
               read_place(w->kernel, pcr, &w->at.pcr_prcb, &prcb) == STASIS_OK && prcb == pcr + prcb_in_pcr;
}

static void from_registers(struct windows *w, uint32_t prcb_in_pcr, size_t *capacity)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        for (size_t i = 0; i < h->cpu_count; i++) {
                const struct stasis_cpu *cpu = &h->cpu[i];
                uint64_t base[3] = { cpu->gs_base, cpu->kernel_gs_base, cpu->fs_base };
                for (size_t k = 0; k < 3; k++)
                        if (is_kernel_address(w, base[k]) && is_pcr(w, base[k], prcb_in_pcr))
                                add_prcb(w, base[k] + prcb_in_pcr, capacity, "segment base of the CPU");
        }
}

static void from_kernel_image(struct windows *w, uint32_t prcb_in_pcr, size_t *capacity)
{
        for (struct pe_part part = { 0 }; pe_next_part(&w->pe, PE_WRITABLE, &part);)
                for (uint64_t pcr = part.va; pcr < part.end; pcr += PCR_ALIGN)
                        if (is_pcr(w, pcr, prcb_in_pcr))
                                add_prcb(w, pcr + prcb_in_pcr, capacity, "shape, in the kernel's image");
}

/* Where every thread last waited: the threads are at hand, so this costs one load each. */
static void from_threads(struct windows *w, size_t *capacity)
{
        uint64_t prcb, last = 0;
        for (size_t i = 0; i < w->thread_count; i++) {
                if (read_place(w->kernel, w->thread[i].object, &w->at.wait_prcb, &prcb) != STASIS_OK || prcb == last)
                        continue;
                last = prcb;
                add_prcb(w, prcb, capacity, "KTHREAD.WaitPrcb");
        }
}

/* KiProcessorBlock holds the blocks in order: a word that is the first block, followed by one that is another. */
static bool array_at(struct windows *w, uint64_t va, size_t *capacity)
{
        uint64_t next;
        if (read_pointer(w, w->kernel, va + w->pointer_size, &next) != STASIS_OK || next == w->processor[0].block ||
            !add_prcb(w, next, capacity, "array behind the first block"))
                return false;
        w->processor_block = va;
        from_block(w, capacity);
        return true;
}

static void from_array(struct windows *w, size_t *capacity)
{
        uint8_t first[8];
        for (size_t i = 0; i < sizeof first; i++)
                first[i] = (uint8_t)(w->processor[0].block >> 8 * i);
        for (struct pe_part part = { 0 }; pe_next_part(&w->pe, PE_WRITABLE, &part);)
                for (uint64_t va = part.va;
                     region_find(w->kernel, &va, part.end, first, w->pointer_size, w->pointer_size);
                     va += w->pointer_size)
                        if (array_at(w, va, capacity))
                                return;
}

static int by_number(const void *a, const void *b)
{
        const struct stasis_processor *p = a, *q = b;
        return p->number != q->number ? (p->number > q->number) - (p->number < q->number)
                                      : (p->block > q->block) - (p->block < q->block);
}

uint32_t windows_expected_processors(const struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t va, count;
        if (w->has_shared && w->shared.ActiveProcessorCount)
                return w->shared.ActiveProcessorCount;
        if (w->has_pe && pe_export(w->kernel, &w->pe, "KeNumberProcessors", &va) == STASIS_OK &&
            stasis_space_u(w->kernel, va, 1, &count) == STASIS_OK)
                return (uint32_t)count;
        return (h->known & STASIS_HINT_PROCESSORS) ? h->processors : 0;
}

static bool enough(const struct windows *w, uint32_t expected)
{
        return w->processor_count && w->processor_count >= expected;
}

enum stasis_status windows_processors(struct windows *w)
{
        uint32_t prcb_in_pcr, expected = windows_expected_processors(w);
        size_t capacity = 0;
        bind_prcb(w, &prcb_in_pcr);
        from_block(w, &capacity);
        if (!w->is64 && is_pcr(w, X86_FIRST_KPCR, prcb_in_pcr))
                add_prcb(w, X86_FIRST_KPCR + prcb_in_pcr, &capacity, "fixed KPCR");
        if (!enough(w, expected))
                from_threads(w, &capacity);
        if (!enough(w, expected))
                from_registers(w, prcb_in_pcr, &capacity);
        if (!w->processor_count && w->has_pe)
                from_kernel_image(w, prcb_in_pcr, &capacity);
        if (w->processor_count && !enough(w, expected) && w->has_pe)
                from_array(w, &capacity);
        if (w->processor_count)
                qsort(w->processor, w->processor_count, sizeof *w->processor, by_number);
        if (!w->processor_count)
                system_note(w->system, STASIS_NOTE_MISSING, "no-processor", 0, -1, -1,
                            "no processor block was found: Idle and its threads, and which threads ran, are not known");
        else if (w->processor_count < expected)
                system_note(w->system, STASIS_NOTE_MISSING, "processors-missing", 0, -1, -1,
                            "%zu of %u processor blocks were found: Idle's other threads are missing",
                            w->processor_count, expected);
        return STASIS_OK;
}
