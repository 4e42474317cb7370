/* SPDX-License-Identifier: MIT */
/*
 * Programs may be built without frame pointers, and then that register is anything: such a frame counts only where the
 * chain rises and its return address stands behind a call. The function that the innermost one returns to is then
 * missing where the innermost has not set up its frame (a system call's stub never does).
 */
#include "unwind_user.h"

#include <string.h>

#include "stacks.h"
#include "user.h"

#define USER_STEP_MAX (UINT64_C(1) << 20) /* bytes from one frame pointer to the next: more is no frame */
#define USER_CS32 0x23                    /* a 32-bit program on x86-64; source: arch/x86/include/asm/segment.h */
#define BRIDGE_WORDS 128

static uint64_t reg(const struct user_walk *w, unsigned i) { return w->registers.value[i]; }

static bool known(const struct user_walk *w, unsigned i) { return w->registers.known >> i & 1; }

/* ---------------------------------------------------------------- steps */

static bool add(struct user_walk *w, enum stasis_how how)
{
        unsigned ra = w->machine->ra;
        if (w->count == w->max) {
                w->end = "more frames than are followed";
                return false;
        }
        w->frame[w->count++] = (struct linux_frame){ .pc = reg(w, ra),
                                                     .sp = reg(w, w->machine->sp),
                                                     .slot = w->registers.at[ra],
                                                     .how = how,
                                                     .exact = w->exact };
        return true;
}

#define UNCOVERED "no unwind table covers the code"

static const char *why(const struct user_walk *w, enum stasis_status status)
{
        if (!w->entry_at)
                return "what the process maps is not known";
        switch (status) {
        case STASIS_UNSUPPORTED: return UNCOVERED;
        case STASIS_CORRUPT:
        case STASIS_LIMIT: return "the unwind table of the code makes no sense";
        default: return "a page of the program that tells how to go on is not in the image";
        }
}

/* Where the stack pointer was not told by tables, a word of the stack must prove more: that it stands behind a call. */
static bool is_return(const struct user_walk *w, uint64_t pc, bool doubted)
{
        if (w->is_code && !w->is_code(w->ctx, pc))
                return false;
        return (w->is_code && !doubted) || unwind_behind_call(w->space, pc);
}

/* By the tables. STASIS_OK: a step was made, or *ended. */
static enum stasis_status step_tables(struct user_walk *w, bool *ret_ended)
{
        struct cfi_entry e;
        struct cfi_row row;
        uint64_t pc = reg(w, w->machine->ra) - !w->exact;    /* behind a call the next function may begin */
        uint64_t above = reg(w, w->machine->sp) + !w->exact; /* vfork took its return address off the stack */
        enum stasis_status status = w->entry_at ? w->entry_at(w->ctx, pc, &e) : STASIS_UNSUPPORTED;
        if (status == STASIS_OK)
                status = cfi_row_at(w->space, w->machine, &e, pc, &row);
        if (status != STASIS_OK)
                return status;
        *ret_ended = true;
        switch (cfi_step(w->space, w->machine, &e, &row, &w->registers, &status)) {
        case CFI_STEPPED: break;
        case CFI_OUTERMOST:
                w->outermost = true;
                w->end = "outermost function";
                return STASIS_OK;
        case CFI_UNKNOWN:
                w->end = status == STASIS_CORRUPT ? why(w, status)
                                                  : "a register or a word of the stack that is needed is not known";
                return STASIS_OK;
        }
        w->exact = e.signal;
        if (reg(w, w->machine->ra) == 0) {
                w->outermost = true;
                w->end = "outermost function";
        } else if (!is_return(w, reg(w, w->machine->ra), w->doubted)) {
                w->end = "a return address does not lie in code";
        } else if (!e.signal && reg(w, w->machine->sp) < above) { /* a signal may have a stack of its own */
                w->end = "the stack pointer does not rise";
        } else {
                *ret_ended = !add(w, STASIS_HOW_EH_FRAME);
        }
        return STASIS_OK;
}

/* By the frame pointer; false where it is none. What else the function kept is not known above it. */
static bool step_pointer(struct user_walk *w)
{
        uint8_t word = w->machine->word;
        uint64_t at = reg(w, w->machine->bp), floor = reg(w, w->machine->sp), next, pc;
        if (!known(w, w->machine->bp) || at < floor || at - floor > USER_STEP_MAX || at % word ||
            stasis_space_u(w->space, at, word, &next) != STASIS_OK ||
            stasis_space_u(w->space, at + word, word, &pc) != STASIS_OK || !is_return(w, pc, true))
                return false;
        w->registers.known = 1u << w->machine->bp | 1u << w->machine->sp | 1u << w->machine->ra;
        w->registers.value[w->machine->bp] = next;
        w->registers.at[w->machine->bp] = at;
        w->registers.value[w->machine->sp] = at + 2u * word;
        w->registers.at[w->machine->sp] = STASIS_NOWHERE;
        w->registers.value[w->machine->ra] = pc;
        w->registers.at[w->machine->ra] = at + word;
        w->exact = false;
        w->doubted = true;
        return true;
}

/* ---------------------------------------------------------------- the walk */

static void follow(struct user_walk *w)
{
        while (!w->end) { /* each step adds a frame, of which there is room for so many */
                bool ended = false;
                enum stasis_status status = step_tables(w, &ended);
                if (status == STASIS_OK)
                        continue;
                if (!step_pointer(w))
                        w->end = why(w, status);
                else
                        (void)add(w, STASIS_HOW_FRAME_POINTER);
        }
}

/*
 * A function that no table covers (assembly without annotations), and that keeps no frame pointer either. The first
 * word above that looks like a return address, and from which tables lead to the outermost function, is taken as the
 * caller: a scanned frame, with the others behind it.
 */
static void bridge(struct user_walk *w)
{
        uint8_t word = w->machine->word;
        uint64_t sp = reg(w, w->machine->sp);
        for (uint64_t i = 0; i < BRIDGE_WORDS && sp % word == 0; i++) {
                struct user_walk try = *w;
                uint64_t at = sp + i * word, pc;
                if (stasis_space_u(w->space, at, word, &pc) != STASIS_OK)
                        return;
                if (!is_return(w, pc, true))
                        continue;
                try.registers.known = 1u << w->machine->sp | 1u << w->machine->ra;
                try.registers.value[w->machine->sp] = at + word;
                try.registers.value[w->machine->ra] = pc;
                try.registers.at[w->machine->ra] = at;
                try.exact = false;
                try.doubted = true;
                try.end = NULL;
                if (!add(&try, STASIS_HOW_SCAN))
                        return;
                follow(&try);
                if (try.outermost && try.count > w->count + 1) {
                        *w = try;
                        return;
                }
        }
}

static void begin(struct user_walk *w, const struct stasis_registers *r)
{
        const struct cfi_machine *m = w->machine;
        for (unsigned i = 0; i < m->registers; i++) {
                unsigned to = m->number[i];
                w->registers.value[to] = m->word == 4 ? r->cpu.gpr[i] & UINT32_MAX : r->cpu.gpr[i];
                w->registers.at[to] = r->va[i];
                w->registers.known |= (r->known >> i & 1) << to;
        }
        w->registers.value[m->ra] = m->word == 4 ? r->cpu.rip & UINT32_MAX : r->cpu.rip;
        w->registers.at[m->ra] = r->va[STASIS_REGISTER_RIP];
        w->registers.known |= 1u << m->ra;
        w->exact = true;
}

void unwind_user(struct user_walk *w, const struct stasis_registers *r)
{
        bool is32 = r->width == 4 || (r->known & STASIS_REGISTERS_SELECTORS && r->cpu.cs == USER_CS32);
        w->machine = is32 ? &cfi_x86 : &cfi_x64;
        begin(w, r);
        if (!add(w, STASIS_HOW_REGISTER))
                return;
        if (!w->space || !known(w, w->machine->sp)) {
                w->end = "its memory, or its stack pointer, is not known";
                return;
        }
        follow(w);
        if (w->count == 1 && !w->outermost && w->entry_at && strcmp(w->end, UNCOVERED) == 0)
                bridge(w);
}

/* ---------------------------------------------------------------- of a task */

static enum stasis_status entry_at(void *ctx, uint64_t pc, struct cfi_entry *ret_entry)
{
        return user_entry_at(ctx, pc, ret_entry);
}

/* Mapped to be executed; where mappings cannot be looked up, behind a call. */
static bool is_code(void *ctx, uint64_t pc)
{
        struct linux_user *user = ctx;
        struct user_vma vma;
        if (!user->vmas)
                return unwind_behind_call(&user->space, pc);
        return user_vma_at(user, pc, &vma) && vma.code;
}

size_t linux_unwind_user(struct linux_system *l, uint64_t task, struct linux_frame *ret_frames, size_t max,
                         enum stasis_absence *ret_why, const char **ret_end)
{
        struct stasis_registers r;
        uint64_t mm = 0;
        linux_registers(l, task, LINUX_SIDE_USER, &r);
        *ret_why = r.absence;
        *ret_end = NULL;
        if (r.absence != STASIS_PRESENT || !(r.known >> STASIS_REGISTER_RIP & 1))
                return 0;
        if (read_place(l->kernel, task, &l->at.mm, &mm) != STASIS_OK)
                mm = 0;
        struct linux_user *user = linux_user_get(l, mm);
        struct user_walk w = { .space = user ? &user->space : NULL,
                               .entry_at = user && user->vmas ? entry_at : NULL,
                               .is_code = is_code,
                               .ctx = user,
                               .frame = ret_frames,
                               .max = max };
        unwind_user(&w, &r);
        *ret_end = w.end;
        return w.count;
}

void linux_user_name(struct linux_system *l, uint64_t pc, bool exact, struct linux_user_name *ret_name)
{
        struct linux_user *user = l->memory; /* turned to the task that was unwound last */
        uint64_t asked = exact || pc == 0 ? pc : pc - 1, start;
        const struct user_module *m = user ? user_module_at(user, asked) : NULL;
        *ret_name = (struct linux_user_name){ .module = m ? m->name : NULL };
        if (!m)
                return;
        ret_name->offset = pc - m->low;
        if (!user_symbol_at(user, m, asked, ret_name->symbol, sizeof ret_name->symbol, &start))
                ret_name->symbol[0] = '\0';
        else
                ret_name->offset = pc - start;
}
