/* SPDX-License-Identifier: MIT */
/* The processor blocks, without a layout: what they run is what tells State apart. */
#include "infer.h"
#include "region.h"

#define BEHIND_HEADER 0x18

/* CurrentThread, NextThread and IdleThread are at these places in every KPRCB (REPORT.md section 2). */
bool infer_is_prcb(struct infer *s, uint64_t va)
{
        uint64_t current, next, idle;
        uint32_t first = s->pointer == 8 ? 8 : 4;
        return infer_is_kernel(s, va) && infer_read(s, va + first, s->pointer, &current) &&
               infer_read(s, va + first + s->pointer, s->pointer, &next) &&
               infer_read(s, va + first + 2 * s->pointer, s->pointer, &idle) &&
               infer_is_object(s, current, DISPATCHER_THREAD) && infer_is_object(s, idle, DISPATCHER_THREAD) &&
               (!next || infer_is_object(s, next, DISPATCHER_THREAD));
}

static void add_prcb(struct infer *s, uint64_t va)
{
        for (size_t i = 0; i < s->prcb_count; i++)
                if (s->prcb[i] == va)
                        return;
        if (s->prcb_count < INFER_PROCESSORS_MAX && infer_is_prcb(s, va))
                s->prcb[s->prcb_count++] = va;
}

static struct infer_object *thread_at(struct infer *s, uint64_t va)
{
        size_t i = 0;
        while (i < s->thread_count && s->thread[i].va != va)
                i++;
        if (i == s->thread_count && (i == INFER_THREADS_MAX || !infer_snapshot(s, &s->thread[s->thread_count++], va)))
                return NULL;
        return &s->thread[i];
}

static void mark(struct infer *s, uint64_t prcb)
{
        uint32_t first = s->pointer == 8 ? 8 : 4, span = s->thread_count ? s->thread[0].len : 0;
        uint64_t current, next;
        struct infer_object *o;
        if (!infer_read(s, prcb + first, s->pointer, &current) ||
            !infer_read(s, prcb + first + s->pointer, s->pointer, &next))
                return;
        if ((o = thread_at(s, current)))
                o->current = true;
        if (next && (o = thread_at(s, next)))
                o->next = true;
        for (size_t i = 0; i < s->thread_count; i++)
                if (s->thread[i].len > span)
                        s->thread[i].len = span;
}

#define X86_FIRST_PRCB (UINT64_C(0xffdff000) + 0x120) /* see processors.c */

static void prcbs_told(struct infer *s)
{
        const struct stasis_hints *h = stasis_image_hints(s->w->image);
        uint64_t block = s->w->has_kdbg ? s->w->kdbg.KiProcessorBlock : 0, va, in_pcr = s->pointer == 8 ? 0x180 : 0x120;
        if (!block && !windows_symbol(s->w, "KiProcessorBlock", &block))
                block = 0;
        for (size_t i = 0; block && i < INFER_PROCESSORS_MAX; i++) {
                if (!infer_read(s, block + i * s->pointer, s->pointer, &va) || !infer_is_kernel(s, va))
                        break;
                add_prcb(s, va);
        }
        for (size_t i = 0; i < h->cpu_count; i++) {
                add_prcb(s, h->cpu[i].gs_base + in_pcr);
                add_prcb(s, h->cpu[i].kernel_gs_base + in_pcr);
                add_prcb(s, h->cpu[i].fs_base + in_pcr);
        }
        if (s->pointer == 4)
                add_prcb(s, X86_FIRST_PRCB);
}

/* KTHREAD.WaitPrcb: the one place where threads point at processor blocks; the rule INFER_WAIT_PRCB finds it again. */
static void prcbs_of_threads(struct infer *s)
{
        for (size_t i = 0; i < s->thread_count && i < 16; i++)
                for (uint32_t at = BEHIND_HEADER; infer_holds(&s->thread[i], at, s->pointer); at += s->pointer)
                        add_prcb(s, infer_word(&s->thread[i], at, s->pointer));
}

static void prcbs_in_kernel(struct infer *s)
{
        uint64_t self, prcb, in_pcr = s->pointer == 8 ? 0x180 : 0x120, at = s->pointer == 8 ? 0x18 : 0x1c;
        for (struct pe_part part = { 0 }; pe_next_part(&s->w->pe, PE_WRITABLE, &part);)
                for (uint64_t pcr = part.va; pcr < part.end && !s->prcb_count; pcr += 0x40)
                        if (stasis_space_u(s->space, pcr + at, s->pointer, &self) == STASIS_OK && self == pcr &&
                            infer_read(s, pcr + at + s->pointer, s->pointer, &prcb) && prcb == pcr + in_pcr)
                                add_prcb(s, prcb);
}

/* KiProcessorBlock: a word of the kernel's variables that is the first block, then the others. */
static void prcbs_in_array(struct infer *s)
{
        uint8_t first[8];
        uint64_t va, other;
        for (size_t i = 0; i < sizeof first; i++)
                first[i] = (uint8_t)(s->prcb[0] >> 8 * i);
        for (struct pe_part part = { 0 }; pe_next_part(&s->w->pe, PE_WRITABLE, &part);)
                for (va = part.va; region_find(s->space, &va, part.end, first, s->pointer, s->pointer);
                     va += s->pointer)
                        for (uint32_t i = 1; i < INFER_PROCESSORS_MAX; i++) {
                                if (!infer_read(s, va + i * s->pointer, s->pointer, &other) ||
                                    !infer_is_kernel(s, other) || !infer_is_prcb(s, other))
                                        break;
                                add_prcb(s, other);
                        }
}

void infer_sample_processors(struct infer *s)
{
        uint32_t expected = windows_expected_processors(s->w);
        prcbs_told(s);
        prcbs_of_threads(s);
        if (!s->prcb_count && s->w->has_pe)
                prcbs_in_kernel(s);
        if (s->prcb_count && s->prcb_count < expected && s->w->has_pe)
                prcbs_in_array(s);
        s->prcb_all = s->prcb_count && s->prcb_count >= expected;
        for (size_t i = 0; i < s->prcb_count; i++)
                mark(s, s->prcb[i]);
}
