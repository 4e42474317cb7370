/* SPDX-License-Identifier: MIT */
/* Facts made of the frames of a task's kernel stack (unwind.h). */
#include <stdio.h>
#include <string.h>

#include "fields.h"

static void unwind(struct decode *d)
{
        if (d->unwound)
                return;
        d->unwound = true;
        d->frame = arena_array(d->arena, struct linux_frame, LINUX_FRAMES_MAX);
        d->frame_why = STASIS_NOT_KNOWN;
        if (d->frame)
                d->frame_count = linux_unwind(d->l, d->object, d->frame, LINUX_FRAMES_MAX, &d->frame_why);
}

/*
 * in_sched_functions: the text between these symbols, which kernel/sched and the locks are linked into (__sched), and
 * of which /proc/PID/wchan shows nothing.
 */
static bool in_scheduler(struct linux_system *l, uint64_t pc)
{
        static const char *const bounds[][2] = { { "__sched_text_start", "__sched_text_end" },
                                                 { "__lock_text_start", "__lock_text_end" } };
        for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
                uint64_t start, end;
                if (linux_symbol_find(l, bounds[i][0], &start) && linux_symbol_find(l, bounds[i][1], &end) &&
                    pc >= start && pc < end)
                        return true;
        }
        return false;
}

void linux_derive_wchan(struct decode *d, struct stasis_fact *fact)
{
        struct linux_symbol symbol;
        unwind(d);
        *fact = fact_absent(d->frame_why == STASIS_PRESENT ? STASIS_NOT_KNOWN : d->frame_why);
        for (size_t i = 0; i < d->frame_count; i++) {
                if (in_scheduler(d->l, d->frame[i].pc) || d->frame[i].how == LINUX_FRAME_SCAN)
                        continue;
                if (!linux_symbol_at(d->l, d->frame[i].pc, &symbol))
                        return;
                *fact = fact_derived(d->frame[i].pc);
                fact->text = stasis_arena_strndup(d->arena, symbol.name, strlen(symbol.name));
                return;
        }
}

void linux_derive_stack(struct decode *d, struct stasis_fact *fact)
{
        char line[KALLSYMS_NAME_MAX + 64];
        unwind(d);
        *fact = fact_absent(d->frame_why == STASIS_PRESENT ? STASIS_NOT_KNOWN : d->frame_why);
        if (!d->frame_count)
                return;
        char *text = stasis_arena_array(d->arena, d->frame_count, sizeof line);
        size_t used = 0;
        for (size_t i = 0; text && i < d->frame_count; i++) {
                linux_symbol_text(d->l, d->frame[i].pc, line, KALLSYMS_NAME_MAX);
                used += (size_t)sprintf(text + used, "%s%s (%s)", i ? "\n" : "", line,
                                        linux_frame_how_name(d->frame[i].how));
        }
        *fact = text ? fact_derived(d->frame_count) : fact_absent(STASIS_NOT_KNOWN);
        fact->text = text;
}
