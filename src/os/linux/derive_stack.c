/* SPDX-License-Identifier: MIT */
/* Facts made of a task's stacks and registers (unwind.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"

#define LINE_MAX_LEN (KALLSYMS_NAME_MAX + 384) /* longer ones, of hostile files, are cut in the text */

/* A stack that could not be followed to its end is said once. */
static void note_broken(struct decode *d, const char *end)
{
        uint64_t tid;
        size_t sure = 0;
        if (d->frame_why != STASIS_CONTRADICTORY || !d->task || d->task->decoded)
                return;
        while (sure < d->frame_count && d->frame[sure].how != STASIS_HOW_SCAN)
                sure++;
        bool known = read_place(d->l->kernel, d->object, &d->l->at.pid, &tid) == STASIS_OK;
        system_note(d->l->system, STASIS_NOTE_WARNING, "stack-broken", d->object, -1, known ? (int64_t)tid : -1,
                    "the kernel stack could be followed for %zu frames: %s", sure, end);
}

static void unwind(struct decode *d)
{
        const char *end = "";
        if (d->unwound)
                return;
        d->unwound = true;
        d->frame = arena_array(d->arena, struct linux_frame, LINUX_FRAMES_MAX);
        d->frame_why = STASIS_NOT_KNOWN;
        if (!d->frame)
                return;
        d->frame_count = linux_unwind(d->l, d->object, d->frame, LINUX_FRAMES_MAX, &d->frame_why, &end);
        note_broken(d, end);
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

/* Only of one that sleeps: what runs, or may run, waits for nothing. A scanned word is no answer. */
void linux_derive_wchan(struct decode *d, struct stasis_fact *fact)
{
        struct linux_symbol symbol;
        uint64_t state;
        unwind(d);
        *fact = fact_absent(d->frame_why == STASIS_PRESENT ? STASIS_NOT_KNOWN : d->frame_why);
        if (read_place(d->l->kernel, d->object, &d->l->at.state, &state) == STASIS_OK && state == 0) {
                *fact = fact_absent(STASIS_NOT_APPLICABLE);
                return;
        }
        for (size_t i = 0; i < d->frame_count && d->frame[i].how != STASIS_HOW_SCAN; i++) {
                if (in_scheduler(d->l, d->frame[i].pc))
                        continue;
                if (!linux_symbol_at(d->l, d->frame[i].pc, &symbol))
                        return;
                *fact = fact_derived(d->frame[i].pc);
                fact->text = stasis_arena_strndup(d->arena, symbol.name, strlen(symbol.name));
                return;
        }
}

/* ---- frames */

static void user_named(struct decode *d, const struct linux_frame *from, struct stasis_frame *f)
{
        struct linux_user_name name;
        linux_user_name(d->l, from->pc, from->exact, &name);
        if (!name.module && !name.symbol[0])
                return;
        f->module = name.module ? stasis_arena_strndup(d->arena, name.module, strlen(name.module)) : NULL;
        f->symbol = name.symbol[0] ? text_from_utf8(d->arena, (const uint8_t *)name.symbol, strlen(name.symbol)) : NULL;
        f->offset = name.offset;
}

static void frame_named(struct decode *d, const struct linux_frame *from, bool kernel, struct stasis_frame *ret_frame)
{
        struct linux_symbol symbol;
        struct stasis_frame f = {
                .pc = from->pc, .sp = from->sp, .slot = from->slot, .how = from->how, .exact = from->exact
        };
        /* behind a call that does not return the next function may begin */
        uint64_t asked = from->exact || from->pc == 0 ? from->pc : from->pc - 1;
        if (!kernel) {
                user_named(d, from, &f);
        } else if (linux_symbol_at(d->l, asked, &symbol)) {
                f.symbol = stasis_arena_strndup(d->arena, symbol.name, strlen(symbol.name));
                f.module = symbol.module ? symbol.module : "vmlinux";
                f.offset = from->pc - symbol.va;
        }
        *ret_frame = f;
}

/* "do_wait+0x114 (orc)", "jfs_lazycommit+0x8 [jfs] (orc)", "busybox+0xbede3 (eh-frame)", "0x401704 (register)" */
static size_t frame_text(const struct stasis_frame *f, char *buf, size_t len)
{
        const char *how = stasis_how_name(f->how);
        if (!f->symbol && f->module)
                return (size_t)snprintf(buf, len, "%s+0x%" PRIx64 " (%s)", f->module, f->offset, how);
        if (!f->symbol)
                return (size_t)snprintf(buf, len, "0x%" PRIx64 " (%s)", f->pc, how);
        if (!f->module || strcmp(f->module, "vmlinux") == 0)
                return (size_t)snprintf(buf, len, "%s+0x%" PRIx64 " (%s)", f->symbol, f->offset, how);
        bool bare = f->module[0] == '['; /* [vdso] */
        return (size_t)snprintf(buf, len, "%s+0x%" PRIx64 " %s%s%s (%s)", f->symbol, f->offset, bare ? "" : "[",
                                f->module, bare ? "" : "]", how);
}

static void stack_fact(struct decode *d, const struct linux_frame *from, size_t count, enum stasis_absence why,
                       bool kernel, struct stasis_fact *fact)
{
        struct stasis_frame *frame = arena_array(d->arena, struct stasis_frame, count + 1);
        char *text = stasis_arena_array(d->arena, count + 1, LINE_MAX_LEN);
        size_t used = 0;
        *fact = fact_absent(count || why == STASIS_PRESENT ? STASIS_NOT_KNOWN : why);
        if (count == 0 || !frame || !text)
                return;
        for (size_t i = 0; i < count; i++)
                frame_named(d, &from[i], kernel, &frame[i]);
        frames_trust(frame, count);
        for (size_t i = 0; i < count; i++) {
                if (i)
                        text[used++] = '\n';
                size_t len = frame_text(&frame[i], text + used, LINE_MAX_LEN - 1);
                used += len < LINE_MAX_LEN - 1 ? len : LINE_MAX_LEN - 2;
        }
        *fact = fact_derived(count);
        fact->text = text;
        fact->frame = frame;
}

void linux_derive_stack(struct decode *d, struct stasis_fact *fact)
{
        unwind(d);
        stack_fact(d, d->frame, d->frame_count, d->frame_why, true, fact);
}

/* Found by the first row that asks. */
static void unwind_user_side(struct decode *d)
{
        if (d->user_unwound)
                return;
        d->user_unwound = true;
        d->user_why = STASIS_NOT_KNOWN;
        d->user_frame = arena_array(d->arena, struct linux_frame, LINUX_FRAMES_MAX);
        if (d->user_frame)
                d->user_count =
                        linux_unwind_user(d->l, d->object, d->user_frame, LINUX_FRAMES_MAX, &d->user_why, &d->user_end);
}

void linux_derive_user_stack(struct decode *d, struct stasis_fact *fact)
{
        unwind_user_side(d);
        stack_fact(d, d->user_frame, d->user_count, d->user_why, false, fact);
}

void linux_derive_user_stack_end(struct decode *d, struct stasis_fact *fact)
{
        unwind_user_side(d);
        *fact = fact_absent(d->user_why == STASIS_PRESENT ? STASIS_NOT_KNOWN : d->user_why);
        if (!d->user_end)
                return;
        *fact = fact_derived(0);
        fact->text = d->user_end;
}

/* ---- registers */

static void registers_fact(struct decode *d, enum linux_side side, struct stasis_fact *fact)
{
        struct stasis_registers *r = arena_new(d->arena, struct stasis_registers);
        *fact = fact_absent(STASIS_NOT_KNOWN);
        if (!r)
                return;
        linux_registers(d->l, d->object, side, r);
        char *text = r->absence == STASIS_PRESENT ? registers_text(d->arena, r) : NULL;
        *fact = text ? fact_derived(r->cpu.rip) : fact_absent(r->absence);
        fact->text = text;
        fact->registers = r;
}

void linux_derive_kernel_registers(struct decode *d, struct stasis_fact *fact)
{
        registers_fact(d, LINUX_SIDE_KERNEL, fact);
}

void linux_derive_user_registers(struct decode *d, struct stasis_fact *fact)
{
        registers_fact(d, LINUX_SIDE_USER, fact);
}
