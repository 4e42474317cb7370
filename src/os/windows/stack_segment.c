/* SPDX-License-Identifier: MIT */
#include "stack_segment.h"

/* KERNEL_STACK_SIZE: of the stacks on which a processor runs DPCs and interrupts. */
#define PROCESSOR_STACK_LEN64 0x6000
#define PROCESSOR_STACK_LEN32 0x3000
/* x86: the floating point area, which lies at InitialStack until 7 */
#define NPX_FRAME_LEN 0x210

/* ---- segments that it left */

/* KSTACK_CONTROL (8 and later), KERNEL_STACK_CONTROL (until 7) at this place: is it of the segment that ends at base?
 */
static bool read_control(const struct thread_stand *s, uint64_t at, uint64_t base, struct stack_segment *seg)
{
        const struct stack_control *c = &s->f->control;
        const struct {
                const struct place *place;
                uint64_t *value;
        } parts[] = { { &c->base, &seg->base },
                      { &c->limit, &seg->limit },
                      { &c->sp, &seg->sp },
                      { &c->initial, &seg->initial } };
        uint64_t own;
        if (c->own_base.has && (read_place(s->w->kernel, at, &c->own_base, &own) != STASIS_OK || own != base))
                return false;
        for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
                if (read_place(s->w->kernel, at, parts[i].place, parts[i].value) != STASIS_OK)
                        return false;
        return is_kernel_address(s->w, seg->limit) && seg->base % 0x1000 == 0 && seg->limit % 0x1000 == 0 &&
               seg->limit < seg->base && seg->base - seg->limit <= WINDOWS_STACK_LEN_MAX && seg->sp >= seg->limit &&
               seg->sp < seg->initial && seg->initial <= seg->base;
}

/*
 * It lies at the segment's InitialStack, where what is used of it ends (Vista to 8, beside the floating point state; in
 * some at its very end; x86 until 7 may have its floating point area below it).
 */
static bool find_control(const struct thread_stand *s, uint64_t initial, uint64_t base, struct stack_segment *seg)
{
        const uint64_t places[] = { initial, base - s->f->control.size, initial - NPX_FRAME_LEN };
        for (size_t i = 0; i < (s->w->is64 ? 2 : 3); i++)
                if (read_control(s, places[i], base, seg))
                        return true;
        return false;
}

static bool is_new(const struct thread_stand *s, const struct stack_segment *segment, size_t count)
{
        const struct stack_segment *one = &segment[count];
        if (one->limit < s->base && s->limit < one->base)
                return false;
        for (size_t i = 0; i < count; i++)
                if (one->limit < segment[i].base && segment[i].limit < one->base)
                        return false;
        return true;
}

size_t stack_segments(const struct thread_stand *s, struct stack_segment ret_segment[static STACK_SEGMENTS_MAX])
{
        uint64_t initial = s->initial, base = s->base;
        size_t count = 0;
        while (s->base && initial && count < STACK_SEGMENTS_MAX) {
                if (!find_control(s, initial, base, &ret_segment[count]))
                        break;
                if (!is_new(s, ret_segment, count))
                        break;
                base = ret_segment[count].base;
                initial = ret_segment[count++].initial;
        }
        return count;
}

/* ---- those of a processor */

struct ranges {
        uint64_t (*range)[2];
        size_t count;
        uint64_t len;
        const struct windows *w;
};

/* The stack ends at the pointer. */
static void add_top(struct ranges *r, uint64_t top)
{
        if (r->count == PROCESSOR_STACKS_MAX || top <= r->len || !is_kernel_address(r->w, top - r->len))
                return;
        for (size_t i = 0; i < r->count; i++)
                if (r->range[i][1] == top)
                        return;
        r->range[r->count][0] = top - r->len;
        r->range[r->count++][1] = top;
}

/* Several may be next to each other, and shorter than they could be. */
static void part(struct ranges *r)
{
        for (size_t i = 0; i < r->count; i++)
                for (size_t k = 0; k < r->count; k++)
                        if (r->range[k][1] < r->range[i][1] && r->range[k][1] > r->range[i][0])
                                r->range[i][0] = r->range[k][1];
}

/* x64: what the processor takes by the interrupt's number in the gate (KTSS64.Ist). */
static void add_ist(struct ranges *r, const struct frames *f, uint64_t pcr)
{
        uint64_t tss, top;
        if (read_place(r->w->kernel, pcr, &f->tss, &tss) != STASIS_OK || !is_kernel_address(r->w, tss) || !f->ist.has)
                return;
        for (unsigned i = 1; i < 8; i++)
                if (stasis_space_u(r->w->kernel, tss + f->ist.offset + 8u * i, 8, &top) == STASIS_OK)
                        add_top(r, top);
}

/*
 * x86: double fault and NMI are tasks of their own, whose segments hold the stack pointer that they begin with (KTSS
 * .Esp0; descriptors: Intel SDM volume 3, "TSS Descriptor"; selectors KGDT_DF_TSS 50 and KGDT_NMI_TSS 58 of ReactOS'
 * ke.h).
 */
static void add_tasks(struct ranges *r, const struct frames *f, uint64_t pcr)
{
        enum { DF_TSS = 0x50, NMI_TSS = 0x58, TSS_ESP0 = 4 };
        uint64_t gdt, low, top;
        if (read_place(r->w->kernel, pcr, &f->gdt, &gdt) != STASIS_OK || !is_kernel_address(r->w, gdt))
                return;
        for (unsigned selector = DF_TSS; selector <= NMI_TSS; selector += 8) {
                if (stasis_space_u(r->w->kernel, gdt + selector, 8, &low) != STASIS_OK || !(low >> 47 & 1))
                        continue;
                uint64_t tss = (low >> 16 & 0xffffff) | (low >> 56 << 24);
                if (is_kernel_address(r->w, tss) && stasis_space_u(r->w->kernel, tss + TSS_ESP0, 4, &top) == STASIS_OK)
                        add_top(r, top);
        }
}

size_t processor_stacks(const struct windows *w, const struct frames *f, const struct stasis_processor *p,
                        uint64_t ret_range[static PROCESSOR_STACKS_MAX][2])
{
        struct ranges r = { .range = ret_range,
                            .len = w->is64 ? PROCESSOR_STACK_LEN64 : PROCESSOR_STACK_LEN32,
                            .w = w };
        const struct place *const places[] = { &f->dpc_stack, &f->isr_stack };
        uint64_t top;
        for (size_t i = 0; i < 2; i++)
                if (read_place(w->kernel, p->block, places[i], &top) == STASIS_OK)
                        add_top(&r, top);
        if (w->is64)
                add_ist(&r, f, p->block - f->prcb_in_pcr);
        else
                add_tasks(&r, f, p->block - f->prcb_in_pcr);
        part(&r);
        return r.count;
}
