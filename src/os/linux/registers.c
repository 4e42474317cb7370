/* SPDX-License-Identifier: MIT */
/* Registers of a task: of the processor that it runs on, of what switching away saved, of what entering saved. */
#include "stacks.h"

static void absent(struct stasis_registers *r, enum stasis_absence why)
{
        *r = (struct stasis_registers){ .absence = why, .width = r->width };
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                r->va[i] = STASIS_NOWHERE;
}

static void of_cpu(const struct stasis_cpu *cpu, bool is64, struct stasis_registers *r)
{
        absent(r, STASIS_PRESENT);
        r->cpu = *cpu;
        r->known = (is64 ? 0xffffu : 0xffu) | 1u << STASIS_REGISTER_RIP | 1u << STASIS_REGISTER_RFLAGS;
        if (cpu->known & STASIS_CPU_SEGMENT)
                r->known |= STASIS_REGISTERS_SELECTORS;
}

static void put(struct stasis_registers *r, unsigned reg, uint64_t value, uint64_t va)
{
        if (reg < 16)
                r->cpu.gpr[reg] = value;
        else if (reg == REG_IP)
                r->cpu.rip = value;
        else
                r->cpu.rflags = value;
        r->known |= 1u << reg;
        r->va[reg] = va;
}

/* struct inactive_task_frame; the stack pointer is the one that it has behind it. */
static void of_inactive(struct linux_system *l, const struct linux_stacks *s, uint64_t task, struct stasis_registers *r)
{
        uint64_t sp, value;
        absent(r, STASIS_NOT_KNOWN);
        enum stasis_status status = read_place(l->kernel, task, &l->at.thread_sp, &sp);
        if (status != STASIS_OK) {
                r->absence = status == STASIS_UNSUPPORTED ? STASIS_NOT_KNOWN : absence_of(status);
                return;
        }
        r->cpu.origin = "inactive_task_frame";
        for (unsigned i = 0; s->inactive.size && i <= REG_FLAGS; i++)
                if (s->inactive.offset[i] != REG_NOWHERE &&
                    linux_read_pointer(l, sp + s->inactive.offset[i], &value) == STASIS_OK)
                        put(r, i, value, sp + s->inactive.offset[i]);
        if (!r->known)
                return;
        put(r, REG_SP, sp + s->inactive.size, STASIS_NOWHERE);
        r->absence = STASIS_PRESENT;
}

static void forget(struct stasis_registers *r, unsigned reg)
{
        r->known &= ~(1u << reg);
        r->va[reg] = STASIS_NOWHERE;
        if (reg < 16)
                r->cpu.gpr[reg] = 0;
        else if (reg == REG_FLAGS)
                r->cpu.rflags = 0;
}

/*
 * Before 4.16 a system call of x86-64 saved only what a function may change; the places of the others hold whatever was
 * there. (Linux commit "x86/entry/64: Save all regs on syscall entry", 2018.)
 */
static void drop_unsaved(const struct linux_system *l, struct stasis_registers *r)
{
        static const uint8_t unsaved[] = { REG_BX, REG_BP, REG_R12, REG_R13, REG_R14, REG_R15 };
        if (!l->is64 || l->version == 0 || l->version >= LINUX_VERSION(4, 16))
                return;
        for (size_t i = 0; i < sizeof unsaved; i++)
                forget(r, unsaved[i]);
}

/*
 * Before 4.1 a system call of x86-64 saved neither the stack pointer nor flags and segments: their places hold what an
 * earlier interrupt left. SYSCALL put the flags to R11 and the instruction pointer to RCX, by which it is known, and
 * switching away kept the stack pointer in thread.usersp. (Linux commit "x86/asm/entry/64: Save user RSP in
 * pt_regs->sp on SYSCALL64 fastpath", 2015.)
 */
static void complete_syscall(struct linux_system *l, uint64_t task, struct stasis_registers *r)
{
        struct stasis_member m;
        uint64_t sp;
        if (!l->is64 || l->version == 0 || l->version >= LINUX_VERSION(4, 1) || r->cpu.gpr[REG_CX] != r->cpu.rip)
                return;
        forget(r, REG_SP);
        forget(r, REG_FLAGS);
        r->known &= ~(uint32_t)STASIS_REGISTERS_SELECTORS;
        r->cpu.cs = r->cpu.ss = 0;
        if (r->known & 1u << REG_R11)
                put(r, REG_FLAGS, r->cpu.gpr[REG_R11], r->va[REG_R11]);
        if (stasis_layout_member(l->layout, "task_struct.thread.usersp", &m) &&
            linux_read_pointer(l, task + m.offset, &sp) == STASIS_OK)
                put(r, REG_SP, sp, task + m.offset);
}

static void of_user(struct linux_system *l, const struct linux_stacks *s, const struct task_stack *t,
                    struct stasis_registers *r)
{
        if (t->kernel_thread)
                absent(r, STASIS_NOT_APPLICABLE);
        else if (t->place == TASK_IN_USER)
                of_cpu(t->cpu, l->is64, r);
        else if (!t->high)
                absent(r, t->why);
        else if (t->place == TASK_ON_CPU ||
                 !t->user_regs) /* on a processor what lies on its stack may be of the past */
                absent(r, STASIS_NOT_KNOWN);
        else {
                regs_load(l->kernel, &s->regs, t->regs, r);
                drop_unsaved(l, r);
                complete_syscall(l, t->task, r);
                if (!r->known)
                        r->absence = STASIS_NOT_IN_IMAGE;
        }
}

static void of_kernel(struct linux_system *l, const struct linux_stacks *s, const struct task_stack *t,
                      struct stasis_registers *r)
{
        switch (t->place) {
        case TASK_IN_KERNEL: of_cpu(t->cpu, l->is64, r); return;
        case TASK_IN_USER: absent(r, STASIS_NOT_APPLICABLE); return;
        case TASK_ON_CPU: absent(r, STASIS_NOT_KNOWN); return;
        case TASK_SLEEPS: break;
        }
        if (t->high)
                of_inactive(l, s, t->task, r);
        else
                absent(r, t->why);
}

void linux_registers(struct linux_system *l, uint64_t task, enum linux_side side,
                     struct stasis_registers *ret_registers)
{
        struct linux_stacks *s = linux_stacks_get(l);
        struct task_stack t;
        ret_registers->width = l->pointer_size;
        absent(ret_registers, STASIS_NOT_KNOWN);
        if (!s)
                return;
        linux_task_stack(l, s, task, &t);
        if (side == LINUX_SIDE_USER)
                of_user(l, s, &t, ret_registers);
        else
                of_kernel(l, s, &t, ret_registers);
}
