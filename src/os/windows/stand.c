/* SPDX-License-Identifier: MIT */
#include "stand.h"

#include <stdlib.h>
#include <string.h>

#include "stack_segment.h"

#define TRAP_CHAIN_MAX 16
/* NT 4.0 and 2000, whose layouts have no KPRCB: ProcessorState has this place on x86 up to Vista (w2k_def.h). */
#define PRCB32_CONTEXT 0x1c
#define VISTA_SP2_NEXT 6003
#define FLAG_IF 0x200u /* user mode cannot run without it */
/* x86: the floating point area above the first trap frame, until Vista (sizeof FX_SAVE_AREA), and of 7. */
#define NPX_FRAME_LEN 0x210
#define NPX_FRAME_LEN_7 0x110

/* ---- of the kernel */

static struct place place_at(const struct windows *w, const char *path)
{
        struct stasis_member m;
        if (!w->layout || !stasis_layout_member(w->layout, path, &m))
                return (struct place){ 0 };
        return (struct place){ .offset = m.offset, .size = (uint8_t)m.size, .bit = m.bit, .bits = m.bits, .has = true };
}

static struct place either_place(const struct windows *w, const char *path, const char *other)
{
        struct place place = place_at(w, path);
        return place.has ? place : place_at(w, other);
}

/* Has somebody called KeBugCheck? A crash dump's header says so, or the kernel's own record of it. */
static bool has_crashed(const struct windows *w)
{
        const struct stasis_hints *h = stasis_image_hints(w->image);
        uint64_t code;
        if (h->known & STASIS_HINT_BUGCHECK)
                return true;
        return w->has_kdbg && w->kdbg.KiBugcheckData &&
               stasis_space_u(w->kernel, w->kdbg.KiBugcheckData, 4, &code) == STASIS_OK && code != 0;
}

static void bind_control(const struct windows *w, struct stack_control *c)
{
        const char *name = place_at(w, "_KSTACK_CONTROL.StackBase").has ? "_KSTACK_CONTROL" : "_KERNEL_STACK_CONTROL";
        c->size = w->layout ? stasis_layout_sizeof(w->layout, name) : 0;
        c->own_base = either_place(w, "_KSTACK_CONTROL.StackBase",
                                   "_KERNEL_STACK_CONTROL.Current.StackBase"); /* x86 until 7: none */
        c->base = either_place(w, "_KSTACK_CONTROL.Previous.StackBase", "_KERNEL_STACK_CONTROL.Previous.StackBase");
        c->limit = either_place(w, "_KSTACK_CONTROL.Previous.StackLimit", "_KERNEL_STACK_CONTROL.Previous.StackLimit");
        c->sp = either_place(w, "_KSTACK_CONTROL.Previous.KernelStack", "_KERNEL_STACK_CONTROL.Previous.KernelStack");
        c->initial =
                either_place(w, "_KSTACK_CONTROL.Previous.InitialStack", "_KERNEL_STACK_CONTROL.Previous.InitialStack");
}

struct frames *frames_get(struct windows *w)
{
        struct stasis_member m;
        if (w->frames)
                return w->frames;
        struct frames *f = calloc(1, sizeof *f);
        if (!f)
                return NULL;
        saved_bind(w->layout, w->is64, f->shape);
        f->initial_stack = place_at(w, "_KTHREAD.InitialStack");
        f->stack_limit = place_at(w, "_KTHREAD.StackLimit");
        f->stack_base = place_at(w, "_KTHREAD.StackBase");
        f->kernel_stack = place_at(w, "_KTHREAD.KernelStack");
        f->trap_frame = place_at(w, "_KTHREAD.TrapFrame");
        f->debug_active = either_place(w, "_DISPATCHER_HEADER.DebugActive", "_KTHREAD.DebugActive");
        /* of a service frame: x64 has a member of its own, x86 keeps it in Edx */
        f->previous_trap = place_at(w, w->is64 ? "_KTRAP_FRAME.TrapFrame" : "_KTRAP_FRAME.Edx");
        f->dpc_stack = place_at(w, "_KPRCB.DpcStack");
        f->isr_stack = place_at(w, "_KPRCB.IsrStack");
        f->tss = place_at(w, "_KPCR.TssBase");
        f->gdt = place_at(w, "_KPCR.GDT");
        f->ist = place_at(w, "_KTSS64.Ist");
        bind_control(w, &f->control);
        f->prcb_in_pcr = w->is64 ? 0x180 : 0x120; /* KPCR.Prcb, KPCR.PrcbData: the same in every version */
        if (w->layout && stasis_layout_member(w->layout, "_KPRCB.ProcessorState.ContextFrame", &m))
                f->context_in_prcb = m.offset;
        else if (!w->is64 && w->version.build && w->version.build < VISTA_SP2_NEXT)
                f->context_in_prcb = PRCB32_CONTEXT;
        f->crashed = has_crashed(w);
        return w->frames = f;
}

void frames_free(struct frames *f) { free(f); }

/* ---- trap frames */

static uint64_t word_of(const struct thread_stand *s, const struct place *place)
{
        uint64_t value;
        return read_place(s->w->kernel, s->object, place, &value) == STASIS_OK ? value : 0;
}

static bool in_stack(const struct thread_stand *s, uint64_t va, uint64_t len)
{
        return s->base && va >= s->limit && va < s->base && len <= s->base - va;
}

/* Or in one of the segments that it left. */
static bool in_stacks(const struct thread_stand *s, uint64_t va, uint64_t len)
{
        bool in = in_stack(s, va, len);
        for (size_t i = 0; i < s->segment_count && !in; i++)
                in = va >= s->segment[i].limit && va < s->segment[i].base && len <= s->segment[i].base - va;
        return in;
}

/* Selectors of Windows' own table: code of 32 bits on x86, on x64 of 64 and of 32 bits. */
static bool is_user_code(const struct windows *w, uint64_t cs)
{
        return w->is64 ? cs == 0x33 || cs == 0x23 : cs == 0x1b;
}

bool trap_frame_is_user(const struct thread_stand *s, uint64_t va)
{
        const struct saved_shape *shape = &s->f->shape[SAVED_TRAP_FRAME];
        struct stasis_space *space = s->w->kernel;
        uint64_t cs, ss, flags, rip;
        return saved_read(space, shape, va, SAVED_CS, &cs) == STASIS_OK && is_user_code(s->w, cs) &&
               saved_read(space, shape, va, SAVED_SS, &ss) == STASIS_OK && ss == (s->w->is64 ? 0x2b : 0x23) &&
               saved_read(space, shape, va, SAVED_RFLAGS, &flags) == STASIS_OK && flags & FLAG_IF &&
               saved_read(space, shape, va, SAVED_RIP, &rip) == STASIS_OK && !is_kernel_address(s->w, rip);
}

uint64_t trap_frame_previous(const struct thread_stand *s, uint64_t va)
{
        uint64_t previous;
        if (read_place(s->w->kernel, va, &s->f->previous_trap, &previous) != STASIS_OK || previous <= va ||
            !in_stacks(s, previous, s->f->shape[SAVED_TRAP_FRAME].size))
                return 0;
        return previous;
}

/*
 * Entering from user mode always begins at the top of the kernel stack, so that whatever entered last (a service, an
 * interrupt) left its frame there; x86 keeps the floating point area above it, until 8.
 */
uint64_t trap_frame_at_top(const struct thread_stand *s, uint64_t initial)
{
        static const uint16_t above[] = { NPX_FRAME_LEN, NPX_FRAME_LEN_7, 0 };
        uint64_t size = s->f->shape[SAVED_TRAP_FRAME].size;
        for (size_t i = s->w->is64 ? 2 : 0; initial && i < 3; i++) {
                uint64_t at = initial - above[i] - size;
                if (in_stacks(s, at, size) && trap_frame_is_user(s, at))
                        return at;
        }
        return 0;
}

static void find_traps(struct thread_stand *s)
{
        uint64_t at;
        if (read_place(s->w->kernel, s->object, &s->f->trap_frame, &at) == STASIS_OK &&
            in_stacks(s, at, s->f->shape[SAVED_TRAP_FRAME].size))
                s->trap = at;
        at = s->trap;
        for (unsigned i = 0; i < TRAP_CHAIN_MAX && at && !s->user_trap; i++, at = trap_frame_previous(s, at))
                if (trap_frame_is_user(s, at))
                        s->user_trap = at;
        if (!s->user_trap)
                s->user_trap = trap_frame_at_top(s, s->initial);
        for (size_t i = 0; i < s->segment_count && !s->user_trap; i++)
                s->user_trap = trap_frame_at_top(s, s->segment[i].initial);
}

/* ---- the processor that it runs on */

/* The KPCR that registers work with: base of GS (x64), which SWAPGS exchanges, of FS (x86) while in the kernel. */
static bool works_with(const struct thread_stand *s, const struct stasis_cpu *cpu, const struct stasis_processor *p)
{
        uint64_t pcr = p->block - s->f->prcb_in_pcr, teb;
        if (!s->w->is64 && cpu->known & STASIS_CPU_BASES && cpu->known & STASIS_CPU_SEGMENT && (cpu->cs & 3) == 3)
                return read_place(s->w->kernel, p->current, &s->w->at.teb, &teb) == STASIS_OK && teb &&
                       teb == cpu->fs_base;
        if (!s->w->is64)
                return cpu->known & STASIS_CPU_BASES && cpu->fs_base == pcr;
        return (cpu->known & STASIS_CPU_BASES && cpu->gs_base == pcr) ||
               (cpu->known & STASIS_CPU_KERNEL_GS && cpu->kernel_gs_base == pcr);
}

/* A crash dump's CONTEXT is of the processor that crashed: the one whose thread has this stack. */
static bool is_of_dump(const struct thread_stand *s, const struct stasis_cpu *cpu, const struct stasis_processor *p)
{
        const struct stasis_hints *h = stasis_image_hints(s->w->image);
        if (cpu->number != UINT32_MAX)
                return false;
        if (h->known & STASIS_HINT_PRCB)
                return h->prcb == p->block;
        return s->w->processor_count == 1 || in_stack(s, cpu->gpr[SAVED_RSP], 1);
}

/*
 * What the container says of the processor is the truth of the moment. Numbers count only where no segment base says
 * whose the registers are.
 */
static const struct stasis_cpu *cpu_of(const struct thread_stand *s, const struct stasis_processor *p)
{
        const struct stasis_hints *h = stasis_image_hints(s->w->image);
        for (size_t i = 0; i < h->cpu_count; i++)
                if (works_with(s, &h->cpu[i], p))
                        return &h->cpu[i];
        for (size_t i = 0; i < h->cpu_count; i++) {
                bool taken = false;
                for (size_t k = 0; k < s->w->processor_count; k++)
                        taken |= works_with(s, &h->cpu[i], &s->w->processor[k]);
                if (!taken && (h->cpu[i].number == p->number || is_of_dump(s, &h->cpu[i], p)))
                        return &h->cpu[i];
        }
        return NULL;
}

/* The thread's, or the processor's that it runs on. */
static bool on_its_stacks(const struct thread_stand *s, uint64_t sp)
{
        uint64_t range[PROCESSOR_STACKS_MAX][2];
        size_t count = s->processor ? processor_stacks(s->w, s->f, s->processor, range) : 0;
        bool on = in_stacks(s, sp, 1);
        for (size_t i = 0; i < count && !on; i++)
                on = sp >= range[i][0] && sp < range[i][1];
        return on;
}

/* Do these fit the thread: a stack pointer in its kernel stack, or an address of user mode with a stack of its own? */
static bool fit_thread(const struct thread_stand *s, const struct stasis_cpu *cpu)
{
        if ((cpu->cs & 3) != 3)
                return is_kernel_address(s->w, cpu->rip) && on_its_stacks(s, cpu->gpr[SAVED_RSP]);
        uint64_t teb = word_of(s, &s->w->at.teb), base, limit;
        struct stasis_space *space = stand_user_space(s);
        uint8_t size = s->w->pointer_size; /* NT_TIB: ExceptionList, StackBase, StackLimit */
        return teb && space && read_pointer(s->w, space, teb + size, &base) == STASIS_OK &&
               read_pointer(s->w, space, teb + 2u * size, &limit) == STASIS_OK && cpu->gpr[SAVED_RSP] > limit &&
               cpu->gpr[SAVED_RSP] <= base;
}

/*
 * KPRCB.ProcessorState, which a processor fills when it is frozen: after a bug check that is its end. Of a system that
 * ran on, it is of the last freeze, and counts where it fits the thread that runs now; its origin says so.
 */
static bool frozen_registers(struct thread_stand *s)
{
        struct stasis_registers r;
        struct stasis_cpu *cpu = &r.cpu;
        uint64_t va = s->processor->block + s->f->context_in_prcb;
        if (!s->f->context_in_prcb)
                return false;
        saved_absent(&r, s->w->pointer_size, STASIS_NOT_KNOWN);
        saved_load(s->w->kernel, &s->f->shape[SAVED_CONTEXT], va, UINT64_MAX, &r);
        uint32_t gpr = (s->w->is64 ? 0xffffu : 0xffu) | 1u << SAVED_RIP | 1u << SAVED_RFLAGS;
        if ((r.known & gpr) != gpr || !(r.known & STASIS_REGISTERS_SELECTORS) || cpu->rip == 0 || cpu->cs == 0 ||
            (!s->f->crashed && !fit_thread(s, cpu)))
                return false;
        s->cpu = *cpu;
        s->cpu.known = STASIS_CPU_GPR | STASIS_CPU_SEGMENT | (cpu->known & STASIS_CPU_DEBUG);
        s->cpu.origin = s->f->crashed ? "KPRCB.ProcessorState" : "KPRCB.ProcessorState of its last freeze";
        s->cpu_va = va;
        return true;
}

static void find_place(struct thread_stand *s)
{
        uint64_t state = 0;
        s->place = THREAD_SWITCHED;
        if (read_place(s->w->kernel, s->object, &s->w->at.thread_state, &state) == STASIS_OK &&
            state == THREAD_STATE_TERMINATED) {
                s->place = THREAD_ENDED;
                return;
        }
        for (size_t i = 0; i < s->w->processor_count && !s->processor; i++)
                if (s->w->processor[i].current == s->object)
                        s->processor = &s->w->processor[i];
        if (!s->processor && state != THREAD_STATE_RUNNING)
                return;
        s->place = THREAD_ON_CPU;
        const struct stasis_cpu *cpu = s->processor ? cpu_of(s, s->processor) : NULL;
        if (cpu && cpu->known & STASIS_CPU_GPR && cpu->known & STASIS_CPU_SEGMENT)
                s->cpu = *cpu;
        else if (!s->processor || !frozen_registers(s))
                return;
        s->place = (s->cpu.cs & 3) == 3 ? THREAD_IN_USER : THREAD_IN_KERNEL;
}

/* ---- all of it */

static void find_stack(struct thread_stand *s)
{
        uint64_t limit, base;
        enum stasis_status status = read_place(s->w->kernel, s->object, &s->f->stack_limit, &limit);
        if (status == STASIS_OK)
                status = read_place(s->w->kernel, s->object, &s->f->stack_base, &base);
        s->why = status == STASIS_UNSUPPORTED ? STASIS_NOT_KNOWN : absence_of(status);
        if (status != STASIS_OK)
                return;
        s->initial = word_of(s, &s->f->initial_stack);
        s->saved_sp = word_of(s, &s->f->kernel_stack);
        if (limit >= base || !is_kernel_address(s->w, limit) || base - limit > WINDOWS_STACK_LEN_MAX) {
                s->why = limit || base ? STASIS_CONTRADICTORY : STASIS_NOT_APPLICABLE;
                return;
        }
        s->limit = limit;
        s->base = base;
        s->segment_count = stack_segments(s, s->segment);
}

bool thread_stand(struct windows *w, uint64_t object, uint32_t process, struct stasis_arena *arena,
                  struct thread_stand *ret_stand)
{
        struct thread_stand s = { .w = w,
                                  .f = frames_get(w),
                                  .arena = arena,
                                  .object = object,
                                  .process = process,
                                  .cpu_va = STASIS_NOWHERE };
        if (!s.f)
                return false;
        find_stack(&s);
        find_place(&s);
        if (s.place != THREAD_ENDED)
                find_traps(&s);
        *ret_stand = s;
        return true;
}

struct stasis_space *stand_user_space(const struct thread_stand *s)
{
        return s->process < s->w->process_count ? windows_user_space(s->w, s->process) : NULL;
}
