/* SPDX-License-Identifier: MIT */
/* What must hold of each member, for every process of the sample; a rule that fits several places finds none. */
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "infer.h"

#define STACK_END_MAGIC 0x57ac6e9du
#define PF_EXITING 4u
#define RING_MAX 65536
#define SECOND UINT64_C(1000000000)
#define PGD_BEFORE 256 /* mm_struct.pgd lies within its first words */
#define INFO_BEFORE 64 /* and thread_info.cpu too */

static bool is_pointer(const struct infer *n, uint64_t value)
{
        return linux_is_kernel_address(n->l, value) && value % n->l->pointer_size == 0;
}

/* ---------------------------------------------------------------- tasks: the ring of all processes */

static const struct infer_sample *sample_of(const struct infer *n, uint64_t object)
{
        for (size_t i = 0; i < n->count; i++)
                if (n->sample[i].object == object)
                        return &n->sample[i];
        return NULL;
}

/* Each points to the next process and is pointed back to; the whole ring is exactly the sample. */
static bool fits_tasks(const struct infer *n, uint32_t o)
{
        uint32_t p = n->l->pointer_size;
        const struct infer_sample *s = &n->sample[0];
        size_t steps = 0;
        do {
                uint64_t next = infer_load(s, o, p), back = s->object + o;
                s = sample_of(n, next - o);
                if (!s || infer_load(s, o + p, p) != back)
                        return false;
        } while (s != &n->sample[0] && ++steps <= n->count);
        return steps + 1 == n->count;
}

/* ---------------------------------------------------------------- flags, stack, state */

/* PF_KTHREAD: kthreadd, its children and init_task, and nobody else. */
static bool fits_flags(const struct infer *n, uint32_t o)
{
        uint64_t kthreadd = 0;
        for (size_t i = 0; i < n->count; i++)
                kthreadd = n->sample[i].pid == 2 ? n->sample[i].object : kthreadd;
        for (size_t i = 0; i < n->count; i++) {
                const struct infer_sample *s = &n->sample[i];
                bool kernel = i == 0 || s->object == kthreadd ||
                              infer_load(s, n->real_parent, n->l->pointer_size) == kthreadd;
                if (((infer_load(s, o, 4) & LINUX_PF_KTHREAD) != 0) != kernel)
                        return false;
        }
        return true;
}

/*
 * The lowest word of each kernel stack is a mark against overflow; before 4.9 thread_info lies there, which begins with
 * its task. A task that has ended may have lost its stack.
 */
static bool fits_stack(const struct infer *n, uint32_t o)
{
        size_t marked = 0;
        for (size_t i = 0; i < n->count; i++) {
                uint64_t stack = infer_load(&n->sample[i], o, n->l->pointer_size), mark, task;
                if (!stack)
                        continue;
                if (!linux_is_kernel_address(n->l, stack) || stack % 4096 ||
                    stasis_space_u(n->l->kernel, stack, 4, &mark) != STASIS_OK ||
                    linux_read_pointer(n->l, stack, &task) != STASIS_OK ||
                    (mark != STACK_END_MAGIC && task != n->sample[i].object))
                        return false;
                marked++;
        }
        return marked * 4 >= n->count * 3;
}

/* One of the states or none, and what only qualifies it. */
static bool is_state(uint64_t state)
{
        uint64_t base = state & 0xff;
        return state <= 0xffff && (base & (base - 1)) == 0;
}

/* Most tasks sleep (1), workers idle (UNINTERRUPTIBLE | NOLOAD). */
static bool fits_state(const struct infer *n, uint32_t o)
{
        size_t asleep = 0, idle = 0;
        for (size_t i = 0; i < n->count; i++) {
                uint64_t state = infer_load(&n->sample[i], o, 4);
                if (!is_state(state))
                        return false;
                asleep += (state & 0xff) == 1;
                idle += (state & 0x4ff) == 0x402;
        }
        return asleep >= 2 && (asleep + idle) * 3 >= n->count * 2;
}

/* ---------------------------------------------------------------- memory */

/* Null in every kernel thread; in the others, but for the ended ones, a pointer, and active_mm behind it the same. */
static bool fits_mm(const struct infer *n, uint32_t o)
{
        uint32_t p = n->l->pointer_size;
        size_t with = 0, user = 0;
        for (size_t i = 0; i < n->count; i++) {
                const struct infer_sample *s = &n->sample[i];
                uint64_t mm = infer_load(s, o, p);
                if (s->kernel ? mm != 0 : mm && (!is_pointer(n, mm) || infer_load(s, o + p, p) != mm))
                        return false;
                user += !s->kernel;
                with += mm != 0;
        }
        return with >= 1 && with * 3 >= user * 2;
}

/* Does the table at this kernel address map the kernel's text to where it is? */
static bool is_root(const struct infer *n, uint64_t va)
{
        const struct linux_system *l = n->l;
        struct stasis_walk walk;
        uint64_t pa;
        return is_pointer(n, va) && stasis_space_pa(l->kernel, va, &pa) == STASIS_OK &&
               (pa & ~l->kernel->paging->root_mask) == 0 &&
               stasis_paging_walk(l->image, l->kernel->paging, pa, l->place.text_va, &walk) == STASIS_OK &&
               walk.pa == l->place.text_pa;
}

static bool fits_pgd(const struct infer *n, uint32_t o)
{
        for (size_t i = 0; i < n->count; i++) {
                uint64_t mm = infer_load(&n->sample[i], n->mm, n->l->pointer_size), pgd;
                if (mm && (linux_read_pointer(n->l, mm + o, &pgd) != STASIS_OK || !is_root(n, pgd)))
                        return false;
        }
        return true;
}

/* ---------------------------------------------------------------- ends */

/* Not zero only in what has ended: PF_EXITING, no memory, and 16 or 32. */
static bool fits_exit_state(const struct infer *n, uint32_t o)
{
        size_t ended = 0;
        for (size_t i = 0; i < n->count; i++) {
                const struct infer_sample *s = &n->sample[i];
                uint64_t exit_state = infer_load(s, o, 4);
                bool exiting = infer_load(s, n->flags, 4) & PF_EXITING && !infer_load(s, n->mm, n->l->pointer_size);
                if (exit_state && (!exiting || (exit_state != 16 && exit_state != 32)))
                        return false;
                ended += exit_state != 0;
        }
        return ended >= 1;
}

/* Behind exit_state and exit_code: SIGCHLD in most. */
static bool fits_exit_signal(const struct infer *n, uint32_t o)
{
        size_t children = 0;
        for (size_t i = 1; i < n->count; i++) {
                uint64_t signal = infer_load(&n->sample[i], o, 4);
                children += signal == 17;
                if (signal > 64)
                        return false;
        }
        return children * 4 >= (n->count - 1) * 3 && o == n->exit_state + 8;
}

/* ---------------------------------------------------------------- scheduling */

/* prio, static_prio, normal_prio, rt_priority in a row: a real-time task's normal_prio is 99 - rt_priority. */
static bool fits_priority(const struct infer *n, uint32_t o)
{
        size_t real_time = 0;
        for (size_t i = 0; i < n->count; i++) {
                const struct infer_sample *s = &n->sample[i];
                int32_t prio = (int32_t)infer_load(s, o, 4), fixed = (int32_t)infer_load(s, o + 4, 4);
                int32_t normal = (int32_t)infer_load(s, o + 8, 4), rt = (int32_t)infer_load(s, o + 12, 4);
                if (prio < -1 || prio > 139 || fixed < 100 || fixed > 139 || rt < 0 || rt > 99 ||
                    normal != (rt             ? 99 - rt
                               : normal == -1 ? -1
                                              : fixed))
                        return false;
                real_time += rt != 0;
        }
        return real_time >= 1;
}

/* SCHED_FIFO or SCHED_RR exactly where there is a real-time priority. */
static bool fits_policy(const struct infer *n, uint32_t o)
{
        for (size_t i = 0; i < n->count; i++) {
                uint64_t policy = infer_load(&n->sample[i], o, 4);
                bool real_time = infer_load(&n->sample[i], n->priority + 12, 4) != 0;
                if (policy > 7 || policy == 4 || (policy == 1 || policy == 2) != real_time)
                        return false;
        }
        return true;
}

/* "ksoftirqd/1", "migration/1", "cpuhp/1", "kworker/1:0": kernel threads that are bound to the CPU that they name. */
static bool bound_to(const struct infer_sample *s, uint32_t *ret_cpu)
{
        static const char *const names[] = { "cpuhp/%u", "migration/%u", "ksoftirqd/%u", "kworker/%u:" };
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
                if (s->kernel && sscanf(s->comm, names[i], ret_cpu) == 1)
                        return true;
        return false;
}

/* False: it is no CPU, or not the one in the task's name. */
static bool is_cpu_of(const struct infer_sample *s, uint64_t value, uint32_t *seen)
{
        uint32_t cpu;
        if (value >= LINUX_CPUS_MAX)
                return false;
        if (!bound_to(s, &cpu))
                return true;
        *seen |= 1u << (cpu % 32);
        return cpu == value;
}

static bool fits_cpu(const struct infer *n, uint32_t o)
{
        uint32_t seen = 0;
        for (size_t i = 0; i < n->count; i++)
                if (!is_cpu_of(&n->sample[i], infer_load(&n->sample[i], o, 4), &seen))
                        return false;
        return seen & (seen - 1); /* one CPU alone would be any zero */
}

/* The same at the low end of the stack, where thread_info begins with its task (before 4.9). */
static bool fits_info_cpu(const struct infer *n, uint32_t o)
{
        uint32_t seen = 0;
        for (size_t i = 0; i < n->count; i++) {
                uint64_t stack = infer_load(&n->sample[i], n->stack, n->l->pointer_size), task, value;
                if (!stack)
                        continue;
                if (linux_read_pointer(n->l, stack, &task) != STASIS_OK || task != n->sample[i].object ||
                    stasis_space_u(n->l->kernel, stack + o, 4, &value) != STASIS_OK ||
                    !is_cpu_of(&n->sample[i], value, &seen))
                        return false;
        }
        return seen & (seen - 1);
}

/* ---------------------------------------------------------------- threads */

/* The ring of one group: every task on it has the same leader and thread group, and points back. */
static bool ring_of(const struct infer *n, const struct infer_sample *s, uint32_t o, size_t *ret_others)
{
        uint64_t at = infer_load(s, o, n->l->pointer_size), before = s->object + o;
        for (size_t i = 0; i < RING_MAX; i++) {
                uint64_t back, leader, tgid, next;
                if (linux_read_pointer(n->l, at + n->l->pointer_size, &back) != STASIS_OK || back != before)
                        return false;
                if (at == s->object + o)
                        return true;
                if (linux_read_pointer(n->l, at - o + n->group_leader, &leader) != STASIS_OK || leader != s->object ||
                    stasis_space_u(n->l->kernel, at - o + n->pid + 4, 4, &tgid) != STASIS_OK || tgid != s->pid ||
                    linux_read_pointer(n->l, at, &next) != STASIS_OK)
                        return false;
                (*ret_others)++;
                before = at;
                at = next;
        }
        return false;
}

static bool fits_thread_group(const struct infer *n, uint32_t o)
{
        size_t others = 0;
        for (size_t i = 1; i < n->count; i++)
                if (!ring_of(n, &n->sample[i], o, &others))
                        return false;
        return others >= 1;
}

/* ---------------------------------------------------------------- times, credentials, the saved stack pointer */

/*
 * Two clocks in nanoseconds, the second one counts sleep too: never less, by the same amount in all that started since
 * the last sleep, and rising with the pid.
 */
static bool fits_start(const struct infer *n, uint32_t o)
{
        uint64_t last = 0, slept = 0;
        size_t falls = 0, different = 0, sleeps = 0;
        for (size_t i = 1; i < n->count; i++) {
                uint64_t mono = infer_load(&n->sample[i], o, 8), boot = infer_load(&n->sample[i], o + 8, 8);
                if (boot < mono || mono >> 60 || boot >> 60 || mono < 1000000)
                        return false;
                sleeps += i == 1 || boot - mono + SECOND - slept > 2 * SECOND; /* they are read one after the other */
                slept = boot - mono;
                for (size_t k = 1; k < i; k++)
                        falls += n->sample[k].pid < n->sample[i].pid && infer_load(&n->sample[k], o, 8) > mono;
                different += mono != last;
                last = mono;
        }
        return different * 4 >= n->count * 3 && falls * 20 <= n->count * n->count && sleeps * 4 <= n->count + 3;
}

/* Both the same in every task that does not act for another, read-only afterwards; of init_task all ids are root's. */
static bool fits_cred(const struct infer *n, uint32_t o)
{
        uint32_t p = n->l->pointer_size;
        size_t same = 0;
        for (size_t i = 0; i < n->count; i++) {
                uint64_t real = infer_load(&n->sample[i], o - p, p), cred = infer_load(&n->sample[i], o, p), usage;
                if (!is_pointer(n, real) || !is_pointer(n, cred) ||
                    stasis_space_u(n->l->kernel, cred, 4, &usage) != STASIS_OK || usage == 0 || usage > 1u << 24)
                        return false;
                same += real == cred;
        }
        return same * 4 >= n->count * 3;
}

/* Inside the task's own stack, in all that do not run. */
static bool fits_sp(const struct infer *n, uint32_t o)
{
        size_t inside = 0, asleep = 0;
        for (size_t i = 0; i < n->count; i++) {
                const struct infer_sample *s = &n->sample[i];
                uint64_t stack = infer_load(s, n->stack, n->l->pointer_size);
                uint64_t sp = infer_load(s, o, n->l->pointer_size);
                uint64_t size = linux_thread_size(n->l);
                if (!stack || !infer_load(s, n->state, 4))
                        continue;
                asleep++;
                if (sp % n->l->pointer_size || sp - stack >= size - 64 || sp - stack < 64)
                        return false;
                inside++;
        }
        return asleep && inside == asleep;
}

/* ---------------------------------------------------------------- the table */

#define UNKNOWN UINT32_MAX
#define TO(member) offsetof(struct infer, member)
#define NO_PLACE SIZE_MAX

static const struct rule {
        const char *structure, *name;
        size_t from, to; /* members of struct infer that bound the stretch; NO_PLACE: its start, its end */
        uint32_t step;   /* 0: a pointer's size */
        uint32_t size;   /* 0: a pointer's size */
        bool (*fits)(const struct infer *n, uint32_t o);
        size_t keep;  /* where others look for it; NO_PLACE: nowhere */
        size_t needs; /* what must be known before */
        const char *why;
} rules[] = {
        { "task_struct", "tasks", NO_PLACE, TO(real_parent), 0, 0, fits_tasks, TO(tasks), NO_PLACE,
          "one ring of exactly these processes" },
        { "task_struct", "flags", NO_PLACE, TO(tasks), 4, 4, fits_flags, TO(flags), TO(tasks),
          "PF_KTHREAD in kthreadd's children and no other" },
        { "task_struct", "stack", NO_PLACE, TO(flags), 0, 0, fits_stack, TO(stack), TO(flags),
          "STACK_END_MAGIC where it points" },
        { "task_struct", "__state", NO_PLACE, TO(stack), 4, 4, fits_state, TO(state), TO(stack),
          "a state in every process, most asleep or idle" },
        { "task_struct", "mm", TO(tasks), TO(pid), 0, 0, fits_mm, TO(mm), TO(flags),
          "none in kernel threads; elsewhere active_mm behind it is the same" },
        { "mm_struct", "pgd", NO_PLACE, NO_PLACE, 0, 0, fits_pgd, NO_PLACE, TO(mm), "page tables that map the kernel" },
        { "task_struct", "exit_state", TO(mm), TO(pid), 4, 4, fits_exit_state, TO(exit_state), TO(mm),
          "16 or 32 in what has ended, else 0" },
        { "task_struct", "exit_signal", TO(exit_state), TO(pid), 4, 4, fits_exit_signal, NO_PLACE, TO(exit_state),
          "SIGCHLD in most" },
        { "task_struct", "prio", TO(flags), TO(tasks), 4, 4, fits_priority, TO(priority), TO(flags),
          "four priorities that agree" },
        { "task_struct", "policy", TO(priority), TO(tasks), 4, 4, fits_policy, NO_PLACE, TO(priority),
          "real-time where the priority is" },
        { "task_struct", "cpu", NO_PLACE, TO(state), 4, 4, fits_cpu, NO_PLACE, TO(state),
          "the CPU in the names of bound kernel threads" },
        { "thread_info", "cpu", NO_PLACE, NO_PLACE, 4, 4, fits_info_cpu, NO_PLACE, TO(stack),
          "the same, at the low end of each stack (before 4.9)" },
        { "task_struct", "thread_group", TO(group_leader), TO(comm), 0, 0, fits_thread_group, TO(thread_group),
          NO_PLACE, "rings of tasks of one group" },
        { "task_struct", "start_time", TO(group_leader), TO(comm), 0, 8, fits_start, TO(start_time), NO_PLACE,
          "two clocks that rise with the pid" },
        { "task_struct", "cred", TO(group_leader), TO(comm), 0, 0, fits_cred, NO_PLACE, NO_PLACE,
          "twice the same object before comm" },
        { "task_struct", "thread.sp", TO(comm), NO_PLACE, 0, 0, fits_sp, NO_PLACE, TO(state),
          "inside the stack of all that wait" },
};

static uint32_t known(const struct infer *n, size_t member) { return *(const uint32_t *)((const char *)n + member); }

void infer_keep(struct linux_system *l, const struct stasis_inference *evidence)
{
        struct stasis_system *system = l->system;
        size_t count = system->inference_count;
        struct stasis_inference *all = arena_array(&system->arena, struct stasis_inference, count + 1);
        if (!all)
                return;
        if (count)
                memcpy(all, system->inference, count * sizeof *all);
        all[count] = *evidence;
        system->inference = all;
        system->inference_count = count + 1;
}

/* What 'stasis info' lists; the trace has it too, in the order of the attempts. */
static void keep_evidence(struct infer *n, const struct rule *r, unsigned places, uint32_t found, uint32_t other)
{
        const char *member = stasis_arena_printf(&n->l->system->arena, "%s.%s", r->structure, r->name);
        if (!member)
                return;
        infer_keep(n->l, &(struct stasis_inference){
                                 .member = member,
                                 .verdict = places == 1 ? "found"
                                            : places    ? "ambiguous"
                                                        : "thin",
                                 .rule = r->why,
                                 .offset = places ? found : 0,
                                 .other = places > 1 ? other : 0,
                                 .agreed = places == 1 ? (uint32_t)n->count : 0,
                                 .of = (uint32_t)n->count,
                         });
}

static void try_rule(struct infer *n, const struct rule *r)
{
        uint32_t p = n->l->pointer_size, step = r->step ? r->step : p, size = r->size ? r->size : p;
        uint32_t from = r->from == NO_PLACE ? 0 : known(n, r->from);
        uint32_t to = r->to != NO_PLACE          ? known(n, r->to)
                      : r->fits == fits_pgd      ? PGD_BEFORE
                      : r->fits == fits_info_cpu ? INFO_BEFORE
                                                 : INFER_WINDOW;
        uint32_t found = UNKNOWN, other = UNKNOWN;
        unsigned places = 0;
        if ((r->needs != NO_PLACE && known(n, r->needs) == UNKNOWN) || from == UNKNOWN || to == UNKNOWN)
                return;
        from += r->from == NO_PLACE ? 0 : step;
        for (uint32_t o = (from + step - 1) / step * step; o + size <= to; o += step)
                if (r->fits(n, o)) {
                        other = places == 1 ? o : other;
                        found = places ? found : o;
                        places++;
                }
        keep_evidence(n, r, places, found, other);
        if (places != 1) {
                system_trace(n->l->system, "infer", false, "%s.%s: %u places are right (%s)", r->structure, r->name,
                             places, r->why);
                return;
        }
        system_trace(n->l->system, "infer", true, "%s.%s at 0x%x: %s, in all of %zu", r->structure, r->name, found,
                     r->why, n->count);
        infer_add(n, r->structure, r->name, found, size);
        if (r->keep != NO_PLACE)
                *(uint32_t *)((char *)n + r->keep) = found;
}

/* What stands beside a member that was found, in every version. */
static void add_neighbours(struct infer *n)
{
        if (n->mm != UNKNOWN)
                infer_add(n, "task_struct", "active_mm", n->mm + n->l->pointer_size, n->l->pointer_size);
        if (n->exit_state != UNKNOWN)
                infer_add(n, "task_struct", "exit_code", n->exit_state + 4, 4);
        if (n->start_time != UNKNOWN)
                infer_add(n, "task_struct", "start_boottime", n->start_time + 8, 8);
        if (n->priority != UNKNOWN) {
                infer_add(n, "task_struct", "static_prio", n->priority + 4, 4);
                infer_add(n, "task_struct", "normal_prio", n->priority + 8, 4);
                infer_add(n, "task_struct", "rt_priority", n->priority + 12, 4);
        }
}

void infer_rules(struct infer *n)
{
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
                try_rule(n, &rules[i]);
                for (size_t k = 0; n->flags != UNKNOWN && k < n->count; k++)
                        n->sample[k].kernel = infer_load(&n->sample[k], n->flags, 4) & LINUX_PF_KTHREAD;
        }
        add_neighbours(n);
}
