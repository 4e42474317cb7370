/* SPDX-License-Identifier: MIT */
/* Where a task stands, and the stacks that it may stand on. */
#include <stdio.h>

#include "fields.h"
#include "stacks.h"

#define PF_KTHREAD 0x00200000u
#define PF_IO_WORKER 0x00000010u /* since 5.12: has the user's memory, never runs its code */

/* Before, the bit said that a guest of KVM runs in the task. */
static uint32_t io_worker(const struct linux_system *l)
{
        return l->version && l->version < LINUX_VERSION(5, 12) ? 0 : PF_IO_WORKER;
}

/* ---- the processor that a task runs on */

/* What the processor keeps of its own area: the base of GS while the kernel runs, else the one that it swaps in. */
static bool area_of(const struct linux_system *l, const struct stasis_cpu *cpu, uint64_t *ret_area)
{
        bool user = cpu->known & STASIS_CPU_SEGMENT && (cpu->cs & 3) == 3;
        if (!l->is64) {
                *ret_area = cpu->fs_base;
                return cpu->known & STASIS_CPU_BASES && !user;
        }
        *ret_area = user ? cpu->kernel_gs_base : cpu->gs_base;
        return cpu->known & (user ? STASIS_CPU_KERNEL_GS : STASIS_CPU_BASES);
}

/*
 * The registers of Linux' processor number. A container numbers processors in its own order: the per-CPU area that a
 * processor works with tells which one it is, where its container kept that.
 */
static const struct stasis_cpu *cpu_of(struct linux_system *l, uint32_t number)
{
        const struct stasis_hints *hints = stasis_image_hints(l->image);
        uint64_t area, own;
        bool have = linux_percpu(l, 0, number, &own);
        for (size_t i = 0; have && i < hints->cpu_count; i++)
                if (area_of(l, &hints->cpu[i], &area) && area == own)
                        return &hints->cpu[i];
        for (size_t i = 0; i < hints->cpu_count; i++)
                if (hints->cpu[i].number == number &&
                    !(have && area_of(l, &hints->cpu[i], &area) && area && linux_is_kernel_address(l, area)))
                        return &hints->cpu[i];
        return NULL;
}

static bool is_running(struct linux_system *l, uint64_t task)
{
        uint64_t on_cpu;
        if (l->at.on_cpu.has && read_place(l->kernel, task, &l->at.on_cpu, &on_cpu) == STASIS_OK)
                return on_cpu != 0;
        for (size_t i = 0; i < l->task_count; i++)
                if (l->task[i].object == task)
                        return l->task[i].current;
        return false;
}

/* Where no types tell, there is one processor. */
static bool cpu_number(struct linux_system *l, uint64_t task, uint64_t *ret_number)
{
        *ret_number = 0;
        if (l->at.cpu.has)
                return read_place(l->kernel, task, &l->at.cpu, ret_number) == STASIS_OK;
        if (!l->at.info_cpu.has)
                return true;
        struct stasis_fact fact = linux_load_thread_info(l, task, &l->at.info_cpu);
        *ret_number = fact.value;
        return fact_is(&fact);
}

static void find_place(struct linux_system *l, struct task_stack *t)
{
        uint64_t number = 0;
        t->place = TASK_SLEEPS;
        if (!is_running(l, t->task))
                return;
        t->place = TASK_ON_CPU;
        if (!cpu_number(l, t->task, &number))
                return;
        t->cpu_number = (uint32_t)number;
        t->cpu = number < LINUX_CPUS_MAX ? cpu_of(l, (uint32_t)number) : NULL;
        if (!t->cpu || !(t->cpu->known & STASIS_CPU_GPR) || !(t->cpu->known & STASIS_CPU_SEGMENT))
                return;
        t->place = (t->cpu->cs & 3) == 3 ? TASK_IN_USER : TASK_IN_KERNEL;
}

/* ---- its registers at the top of its stack */

/* The frame below them is the outermost one: its frame pointer is none, or these registers (encoded: unwind_fp.c). */
static bool is_outermost(struct linux_system *l, uint64_t regs)
{
        uint64_t bp, pc, encoded = l->is64 ? regs | 1 : regs & 0x7fffffff;
        return linux_read_pointer(l, regs - 2u * l->pointer_size, &bp) == STASIS_OK && (bp == 0 || bp == encoded) &&
               linux_read_pointer(l, regs - l->pointer_size, &pc) == STASIS_OK && linux_is_text(l, pc);
}

/* TOP_OF_KERNEL_STACK_PADDING depends on the configuration (VM86, FRED). thread.sp0 tells it on 32 bits. */
static void find_regs(struct linux_system *l, const struct linux_stacks *s, struct task_stack *t)
{
        static const uint8_t paddings[2][3] = { { 8, 16, 0 }, { 0, 16, 16 } };
        struct stasis_member m;
        uint64_t sp0;
        if (!l->is64 && l->layout && stasis_layout_member(l->layout, "task_struct.thread.sp0", &m) &&
            stasis_space_u(l->kernel, t->task + m.offset, m.size, &sp0) == STASIS_OK && sp0 <= t->high &&
            sp0 > t->low + s->regs.size)
                t->regs = sp0 - s->regs.size;
        for (size_t i = 0; !t->regs && i < 3; i++)
                if (regs_are_user(l->kernel, &s->regs, t->high - paddings[l->is64][i] - s->regs.size))
                        t->regs = t->high - paddings[l->is64][i] - s->regs.size;
        for (size_t i = 0; !t->regs && t->kernel_thread && i < 3; i++) /* they are there all the same, and empty */
                if (is_outermost(l, t->high - paddings[l->is64][i] - s->regs.size))
                        t->regs = t->high - paddings[l->is64][i] - s->regs.size;
        t->user_regs = t->regs && !t->kernel_thread && regs_are_user(l->kernel, &s->regs, t->regs);
}

static void no_stack(struct task_stack *t, enum stasis_absence why, const char *text)
{
        t->why = why;
        t->text = text;
}

void linux_task_stack(struct linux_system *l, struct linux_stacks *s, uint64_t task, struct task_stack *ret_stack)
{
        struct task_stack t = { .task = task };
        uint64_t flags = 0, low;
        if (read_place(l->kernel, task, &l->at.flags, &flags) == STASIS_OK)
                t.kernel_thread = flags & (PF_KTHREAD | io_worker(l));
        find_place(l, &t);
        enum stasis_status status = read_place(l->kernel, task, &l->at.stack, &low);
        if (status != STASIS_OK)
                no_stack(&t, status == STASIS_UNSUPPORTED ? STASIS_NOT_KNOWN : absence_of(status),
                         "where its stack is cannot be read");
        else if (low == 0)
                no_stack(&t, STASIS_NOT_APPLICABLE, "it has ended, and its stack was given back");
        else if (!linux_is_kernel_address(l, low) || low > UINT64_MAX - s->thread_size)
                no_stack(&t, STASIS_CONTRADICTORY, "its stack is at no kernel address");
        else {
                t.low = low;
                t.high = low + s->thread_size;
                find_regs(l, s, &t);
        }
        *ret_stack = t;
}

/* ---- stacks of a processor */

static void add(struct unwind *u, uint64_t low, uint64_t len)
{
        if (u->stack_count < UNWIND_STACKS_MAX && low && low <= UINT64_MAX - len)
                u->stack[u->stack_count++] = (struct unwind_stack){ .low = low, .high = low + len };
}

/* A pointer that is a variable of each processor; since 6.2 a member of pcpu_hot. */
static bool cpu_pointer(struct linux_system *l, uint32_t cpu, const char *name, const char *hot, uint64_t *ret_value)
{
        uint64_t offset, at;
        struct stasis_member m;
        if (!linux_percpu_find(l, name, &offset)) {
                if (!hot || !l->layout || !stasis_layout_member(l->layout, hot, &m) ||
                    !linux_symbol_find(l, "pcpu_hot", &offset))
                        return false;
                offset += m.offset;
        }
        return linux_percpu(l, offset, cpu, &at) && linux_read_pointer(l, at, ret_value) == STASIS_OK;
}

/* x86-64: 16 KiB that end with the page that the pointer is in (it may point to the topmost word). */
static void add_irq64(struct linux_system *l, uint32_t cpu, struct unwind *u)
{
        uint64_t top;
        if (cpu_pointer(l, cpu, "hardirq_stack_ptr", "pcpu_hot.hardirq_stack_ptr", &top) ||
            cpu_pointer(l, cpu, "irq_stack_ptr", NULL, &top))
                add(u, ((top + 0xfff) & ~UINT64_C(0xfff)) - 0x4000, 0x4000);
}

/* x86: the pointer is where the stack begins, which is as large as a task's. */
static void add_irq32(struct linux_system *l, uint32_t cpu, struct unwind *u)
{
        static const char *const names[2][2] = { { "hardirq_stack_ptr", "pcpu_hot.hardirq_stack_ptr" },
                                                 { "softirq_stack_ptr", "pcpu_hot.softirq_stack_ptr" } };
        uint64_t low;
        for (size_t i = 0; i < 2; i++)
                if (cpu_pointer(l, cpu, names[i][0], names[i][1], &low))
                        add(u, low, l->stacks->thread_size);
}

/* Exceptions have stacks of their own in the processor's cpu_entry_area, as has the way in from user mode. */
static void add_entry(struct linux_system *l, uint32_t cpu, struct unwind *u)
{
        static const char *const names[] = {
                "DF_stack", "NMI_stack", "DB_stack", "MCE_stack", "VC_stack", "VC2_stack"
        };
        struct stasis_member m, area;
        uint64_t base;
        if (!l->layout || !cpu_pointer(l, cpu, "cea_exception_stacks", NULL, &base))
                return;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                char path[64];
                snprintf(path, sizeof path, "cea_exception_stacks.%s", names[i]);
                if (stasis_layout_member(l->layout, path, &m))
                        add(u, base + m.offset, (uint64_t)m.size * m.count);
        }
        if (stasis_layout_member(l->layout, "cpu_entry_area.estacks", &area) &&
            stasis_layout_member(l->layout, "cpu_entry_area.entry_stack_page", &m))
                add(u, base - area.offset + m.offset, m.size);
}

void linux_cpu_stacks(struct linux_system *l, uint32_t cpu, struct unwind *u)
{
        if (l->is64) {
                add_irq64(l, cpu, u);
                add_entry(l, cpu, u);
        } else {
                add_irq32(l, cpu, u);
        }
}
