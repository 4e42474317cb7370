/* SPDX-License-Identifier: MIT */
/* Facts made of a thread's stacks and registers. */
#include <inttypes.h>
#include <stdio.h>

#include "derive.h"
#include "registers.h"
#include "stacks.h"
#include "symbolize.h"

#define LINE_LEN 256

static struct thread_stand *stand_of(struct decode *d)
{
        if (!d->stand) {
                struct thread_stand *s = arena_new(d->arena, struct thread_stand);
                if (s && thread_stand(d->w, d->object, d->process, d->arena, s))
                        d->stand = s;
        }
        return d->stand;
}

/* ---- stacks */

static void name_frame(struct decode *d, struct stasis_frame *f)
{
        struct windows_name name;
        /* behind a call that does not return the next function may begin */
        uint64_t behind = f->exact || f->pc == 0 ? 0 : 1;
        windows_name_address(d->w, d->process, f->pc - behind, &name);
        f->module = name.module;
        f->symbol = name.symbol;
        f->offset = name.module ? name.offset + behind : 0;
        f->symbol_from = name.symbol_from;
}

/* "ntoskrnl.exe!KiSwapContext+0x76 (unwind-info)"; of a guess "? ntoskrnl.exe+0x1234 (scan)". */
static size_t frame_text(const struct stasis_frame *f, char *buf, size_t len)
{
        const struct windows_name name = {
                .module = f->module, .symbol = f->symbol, .offset = f->offset, .symbol_from = f->symbol_from
        };
        char text[LINE_LEN - 32];
        (void)windows_name_text(&name, f->pc, text, sizeof text);
        int used = snprintf(buf, len, "%s%s (%s)", f->trust == STASIS_TRUST_GUESS ? "? " : "", text,
                            stasis_how_name(f->how));
        return used < 0 ? 0 : (size_t)used < len ? (size_t)used : len - 1;
}

static void stack_fact(struct decode *d, const struct thread_stack *stack, struct stasis_fact *fact)
{
        size_t count = stack->count, used = 0;
        struct stasis_frame *frame = arena_array(d->arena, struct stasis_frame, count + 1);
        char *text = stasis_arena_array(d->arena, count + 1, LINE_LEN);
        *fact = fact_absent(count || stack->why == STASIS_PRESENT ? STASIS_NOT_KNOWN : stack->why);
        if (count == 0 || !frame || !text)
                return;
        for (size_t i = 0; i < count; i++) {
                frame[i] = stack->frame[i];
                name_frame(d, &frame[i]);
        }
        frames_trust(frame, count);
        for (size_t i = 0; i < count; i++) {
                if (i)
                        text[used++] = '\n';
                used += frame_text(&frame[i], text + used, LINE_LEN - 1);
        }
        *fact = fact_derived(count);
        fact->text = text;
        fact->frame = frame;
}

/* A kernel stack that could not be followed to its end is said once; of user mode's that is nothing unusual. */
static void note_broken(struct decode *d, const struct thread_stack *stack)
{
        size_t sure = 0;
        if (d->quiet || stack->count == 0 || stack->why != STASIS_CONTRADICTORY)
                return;
        while (sure < stack->count && stack->frame[sure].how != STASIS_HOW_SCAN &&
               stack->frame[sure].how != STASIS_HOW_CALL_CHECKED)
                sure++;
        system_note(d->w->system, STASIS_NOTE_WARNING, "stack-broken", d->object,
                    d->thread ? (int64_t)d->thread->pid : -1, d->thread ? (int64_t)d->thread->tid : -1,
                    "the kernel stack could be followed for %zu frames: %s", sure, stack->end);
}

void derive_stack(struct decode *d, struct stasis_fact *fact)
{
        struct thread_stand *s = stand_of(d);
        const struct thread_stack *stack = s ? windows_kernel_stack(s) : NULL;
        *fact = fact_absent(STASIS_NOT_KNOWN);
        if (!stack)
                return;
        note_broken(d, stack);
        stack_fact(d, stack, fact);
}

void derive_user_stack(struct decode *d, struct stasis_fact *fact)
{
        struct thread_stand *s = stand_of(d);
        struct thread_stack *stack = s ? arena_new(d->arena, struct thread_stack) : NULL;
        *fact = fact_absent(STASIS_NOT_KNOWN);
        if (!stack)
                return;
        windows_user_stack(s, stack);
        s->user = stack;
        stack_fact(d, stack, fact);
}

void derive_wow64_stack(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_absent(d->teb32_why);
        if (d->teb32_why != STASIS_PRESENT)
                return;
        struct thread_stand *s = stand_of(d);
        struct thread_stack *stack = s ? arena_new(d->arena, struct thread_stack) : NULL;
        *fact = fact_absent(STASIS_NOT_KNOWN);
        if (!stack)
                return;
        windows_wow64_stack(s, d->teb, d->teb32, stack);
        s->wow64 = stack;
        stack_fact(d, stack, fact);
}

/* How they ended; decoded behind the stacks. */
static void end_fact(struct decode *d, const struct thread_stack *stack, struct stasis_fact *fact)
{
        *fact = fact_absent(stack && stack->count == 0 && stack->why != STASIS_PRESENT ? stack->why : STASIS_NOT_KNOWN);
        if (!stack || stack->count == 0 || !stack->end)
                return;
        *fact = fact_derived(0);
        fact->text =
                stack->why == STASIS_PRESENT ? stack->end : stasis_arena_printf(d->arena, "broken off: %s", stack->end);
}

void derive_stack_end(struct decode *d, struct stasis_fact *fact)
{
        end_fact(d, d->stand ? d->stand->kernel : NULL, fact);
}

void derive_user_stack_end(struct decode *d, struct stasis_fact *fact)
{
        end_fact(d, d->stand ? d->stand->user : NULL, fact);
}

void derive_wow64_stack_end(struct decode *d, struct stasis_fact *fact)
{
        if (d->teb32_why != STASIS_PRESENT)
                *fact = fact_absent(d->teb32_why);
        else
                end_fact(d, d->stand ? d->stand->wow64 : NULL, fact);
}

/* ---- registers */

static struct stasis_registers *new_registers(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_registers *r = stand_of(d) ? arena_new(d->arena, struct stasis_registers) : NULL;
        *fact = fact_absent(STASIS_NOT_KNOWN);
        return r;
}

static void registers_fact(struct decode *d, struct stasis_registers *r, struct stasis_fact *fact)
{
        char *text = r->absence == STASIS_PRESENT ? registers_text(d->arena, r) : NULL;
        *fact = text ? fact_derived(r->cpu.rip) : fact_absent(r->absence);
        fact->text = text;
        fact->registers = r;
}

void derive_kernel_registers(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_registers *r = new_registers(d, fact);
        if (!r)
                return;
        windows_kernel_registers(d->stand, r);
        registers_fact(d, r, fact);
}

void derive_user_registers(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_registers *r = new_registers(d, fact);
        if (!r)
                return;
        windows_user_registers(d->stand, r);
        registers_fact(d, r, fact);
}

void derive_wow64_registers(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_absent(d->teb32_why);
        if (d->teb32_why != STASIS_PRESENT)
                return;
        struct stasis_registers *r = new_registers(d, fact);
        if (!r)
                return;
        windows_wow64_registers(d->stand, d->teb, d->teb32, r);
        registers_fact(d, r, fact);
}
