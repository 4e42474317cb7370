/* SPDX-License-Identifier: MIT */
/*
 * The checks, one function each: whether there is something to say of this thread, and what. What a check needs and is
 * not there makes it silent.
 */
#include "checks.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token.h"
#include "vad.h"

#define TEXT_MAX 256
#define SYSTEM_SID "S-1-5-18"
#define NO_CODE_BELOW 0x10000 /* never mapped; until 2003 an LPC message id lies there by turns */
#define LEVEL_IMPERSONATION 2
#define REGISTER_SP 7    /* of struct stasis_registers */
#define DR7_ENABLED 0xff /* the enable bits, local and global, of four breakpoints */
#define MM_EXECUTE 2     /* set in protection codes that allow it (Windows Research Kernel, mm/mi.h) */

/* Facts that the checks read, by key: found once a system. */
enum check_fact {
        CHECK_STATE,
        CHECK_START,
        CHECK_WIN32_START,
        CHECK_KERNEL_STACK,
        CHECK_STACK_BASE,
        CHECK_STACK_LIMIT,
        CHECK_RESIDENT,
        CHECK_RUNNING_ON,
        CHECK_TRAP_FRAME,
        CHECK_TEB,
        CHECK_TEB_PID,
        CHECK_TEB_STACK_BASE,
        CHECK_TEB_STACK_LIMIT,
        CHECK_USER,
        CHECK_TOKEN,
        CHECK_LEVEL,
        CHECK_USER_REGISTERS,
        CHECK_FACTS
};
static const char *const check_keys[CHECK_FACTS] = {
        [CHECK_STATE] = "state",
        [CHECK_START] = "start_address",
        [CHECK_WIN32_START] = "win32_start_address",
        [CHECK_KERNEL_STACK] = "kernel_stack",
        [CHECK_STACK_BASE] = "stack_base",
        [CHECK_STACK_LIMIT] = "stack_limit",
        [CHECK_RESIDENT] = "kernel_stack_resident",
        [CHECK_RUNNING_ON] = "running_on",
        [CHECK_TRAP_FRAME] = "trap_frame",
        [CHECK_TEB] = "teb",
        [CHECK_TEB_PID] = "teb_pid",
        [CHECK_TEB_STACK_BASE] = "teb_stack_base",
        [CHECK_TEB_STACK_LIMIT] = "teb_stack_limit",
        [CHECK_USER] = "user",
        [CHECK_TOKEN] = "token",
        [CHECK_LEVEL] = "impersonation_level",
        [CHECK_USER_REGISTERS] = "user_registers",
};

/* Bound to a layout when the first thread is checked. */
struct checks {
        const struct stasis_layout *layout;
        const struct field_set *set;
        size_t fact[CHECK_FACTS];
        struct vad_places vad;
        struct place dr[4], dr7;
};

static const struct place_row debug_places[] = {
        { offsetof(struct checks, dr[0]), { "_KTRAP_FRAME.Dr0" } },
        { offsetof(struct checks, dr[1]), { "_KTRAP_FRAME.Dr1" } },
        { offsetof(struct checks, dr[2]), { "_KTRAP_FRAME.Dr2" } },
        { offsetof(struct checks, dr[3]), { "_KTRAP_FRAME.Dr3" } },
        { offsetof(struct checks, dr7), { "_KTRAP_FRAME.Dr7" } },
};

static struct checks *checks_of(const struct decode *d)
{
        struct checks *c = d->w->checks;
        if (!c)
                c = d->w->checks = calloc(1, sizeof *c);
        if (!c || (c->layout == d->w->layout && c->set == d->set))
                return c;
        c->layout = d->w->layout;
        c->set = d->set;
        vad_bind(c->layout, &c->vad);
        places_bind(c->layout, debug_places, sizeof debug_places / sizeof *debug_places, c);
        for (size_t k = 0; k < CHECK_FACTS; k++) {
                c->fact[k] = 0;
                while (c->fact[k] < d->set->count && strcmp(d->set->column[c->fact[k]].key, check_keys[k]) != 0)
                        c->fact[k]++;
        }
        return c;
}

static const struct stasis_fact *fact_for(const struct decode *d, enum check_fact which)
{
        static const struct stasis_fact none = { .absence = STASIS_NOT_KNOWN };
        const struct checks *c = checks_of(d);
        return c && c->fact[which] < d->set->count ? &d->set->fact[c->fact[which]] : &none;
}

/* The value of a fact that is known. */
static bool known(const struct decode *d, enum check_fact which, uint64_t *ret_value)
{
        const struct stasis_fact *fact = fact_for(d, which);
        *ret_value = fact->value;
        return fact_is(fact);
}

/* ---------------------------------------------------------------- where it began */

static bool whole(const struct modules *modules) { return modules->count && !modules->torn && !modules->unreadable; }

/* Whether a list of modules that is whole has none that this address lies in. */
static bool in_no_module(const struct decode *d, uint64_t va)
{
        if (is_kernel_address(d->w, va))
                return d->w->modules_known && whole(&d->w->modules) && !modules_find(&d->w->modules, va);
        const struct modules *modules = windows_user_modules(d->w, d->process);
        return whole(modules) && !modules_find(modules, va);
}

/* The first of its start addresses that lies in no module. */
static bool stray_start(const struct decode *d, uint64_t *ret_va)
{
        static const enum check_fact starts[] = { CHECK_WIN32_START, CHECK_START };
        if (state_is(d, THREAD_STATE_TERMINATED)) /* its process may be gone */
                return false;
        for (size_t i = 0; i < 2; i++)
                if (known(d, starts[i], ret_va) && *ret_va >= NO_CODE_BELOW && in_no_module(d, *ret_va))
                        return true;
        return false;
}

static enum stasis_status vad_of(const struct decode *d, uint64_t va, struct vad *ret_vad)
{
        const struct checks *c = checks_of(d);
        if (!c || is_virtual(d->w) || is_kernel_address(d->w, va))
                return STASIS_UNSUPPORTED;
        return vad_find(d->w, &c->vad, d->w->process[d->process].object, va, d->w->kernel->paging->entry_size, ret_vad);
}

static bool check_private_start(struct decode *d, char text[static TEXT_MAX])
{
        uint64_t va, protection;
        struct vad vad;
        if (!stray_start(d, &va) || vad_of(d, va, &vad) != STASIS_OK || !vad.private_memory)
                return false;
        bool told = read_place(d->w->kernel, vad.object, &d->w->at.vad_protection, &protection) == STASIS_OK;
        snprintf(text, TEXT_MAX, "it began at 0x%" PRIx64 ", in private%s memory of its process (VAD 0x%" PRIx64 ")",
                 va, told && protection & MM_EXECUTE ? " executable" : "", vad.object);
        return true;
}

static bool check_stray_start(struct decode *d, char text[static TEXT_MAX])
{
        uint64_t va;
        struct vad vad;
        if (!stray_start(d, &va))
                return false;
        enum stasis_status status = vad_of(d, va, &vad);
        if (status == STASIS_OK && vad.private_memory)
                return false; /* the other check's */
        snprintf(text, TEXT_MAX, "it began at 0x%" PRIx64 ", in no module of %s%s", va,
                 is_kernel_address(d->w, va) ? "the kernel" : "its process",
                 status == STASIS_OK       ? ", where something is mapped"
                 : status == STASIS_ABSENT ? ", where its process has no memory"
                                           : "");
        return true;
}

/* ---------------------------------------------------------------- whom it hides from, and for whom it acts */

static bool check_hidden(struct decode *d, char text[static TEXT_MAX])
{
        struct stasis_fact hidden = load_place(d, &d->w->at.hide_from_debugger);
        if (!fact_is(&hidden) || !hidden.value || state_is(d, THREAD_STATE_TERMINATED))
                return false;
        snprintf(text, TEXT_MAX, "a debugger of its process is not told of it (ThreadHideFromDebugger)");
        return true;
}

/* Its process's user is known, and is not this one. */
static bool process_is_not(const struct decode *d, const char *user)
{
        uint64_t token;
        if (token_of_process(d->w, d->w->process[d->process].object, &token) != STASIS_PRESENT)
                return false;
        const struct token_cache *users = token_sids(d->w, token, TOKEN_USERS);
        return users->count && users->sid[0].absence == STASIS_PRESENT && !sid_is(&users->sid[0].sid, user);
}

/* At the level of Identification nothing can be done with it. */
static bool check_system(struct decode *d, char text[static TEXT_MAX])
{
        uint64_t token, level;
        const struct stasis_fact *user = fact_for(d, CHECK_USER);
        if (!known(d, CHECK_TOKEN, &token) || !known(d, CHECK_LEVEL, &level) || level < LEVEL_IMPERSONATION ||
            !fact_is(user) || !user->text || strcmp(user->text, SYSTEM_SID) != 0 || !process_is_not(d, SYSTEM_SID))
                return false;
        snprintf(text, TEXT_MAX, "it impersonates SYSTEM, which its process is not");
        return true;
}

/* ---------------------------------------------------------------- stacks */

/* What a thread that does not run left in KTHREAD.KernelStack. */
static bool check_kernel_stack(struct decode *d, char text[static TEXT_MAX])
{
        uint64_t sp, base, limit, resident, processor;
        bool idle = known(d, CHECK_RUNNING_ON, &processor) || state_is(d, THREAD_STATE_RUNNING) ||
                    state_is(d, THREAD_STATE_TERMINATED) || state_is(d, THREAD_STATE_INITIALIZED);
        if (idle || !known(d, CHECK_KERNEL_STACK, &sp) || !known(d, CHECK_STACK_BASE, &base) ||
            !known(d, CHECK_STACK_LIMIT, &limit) || (known(d, CHECK_RESIDENT, &resident) && !resident) ||
            (sp >= limit && sp <= base) || !base || !sp)
                return false;
        snprintf(text, TEXT_MAX,
                 "its kernel stack pointer 0x%" PRIx64 " is outside its kernel stack, 0x%" PRIx64 " to 0x%" PRIx64, sp,
                 limit, base);
        return true;
}

/* A thread of user mode that has switched to memory of its own; of a fiber the TEB has the bounds of its stack. */
static bool check_user_stack(struct decode *d, char text[static TEXT_MAX])
{
        uint64_t base, limit;
        const struct stasis_fact *fact = fact_for(d, CHECK_USER_REGISTERS);
        const struct stasis_registers *r = fact_is(fact) ? fact->registers : NULL;
        if (!r || !(r->known >> REGISTER_SP & 1) || !known(d, CHECK_TEB_STACK_BASE, &base) ||
            !known(d, CHECK_TEB_STACK_LIMIT, &limit) || !base || d->w->process[d->process].wow64)
                return false;
        uint64_t sp = stasis_register_value(r, REGISTER_SP);
        if (sp >= limit && sp <= base)
                return false;
        snprintf(text, TEXT_MAX,
                 "its user stack pointer 0x%" PRIx64 " is outside the stack that its TEB tells, 0x%" PRIx64
                 " to 0x%" PRIx64,
                 sp, limit, base);
        return true;
}

/* ---------------------------------------------------------------- the rest */

/* That it names another thread is said where the TEB is found (teb-disagrees). */
static bool check_teb(struct decode *d, char text[static TEXT_MAX])
{
        uint64_t teb, pid;
        const struct windows_process *p = &d->w->process[d->process];
        if (!known(d, CHECK_TEB, &teb) || !known(d, CHECK_TEB_PID, &pid) || !p->pid_known || pid == p->pid)
                return false;
        snprintf(text, TEXT_MAX, "the TEB at 0x%" PRIx64 " says that its process is %" PRIu64, teb, pid);
        return true;
}

/* DebugActive says that the registers are switched with the thread; what they are stands where it entered the kernel.
 */
static bool check_debug(struct decode *d, char text[static TEXT_MAX])
{
        const struct checks *c = checks_of(d);
        struct stasis_fact active = load_place(d, &d->w->at.debug_active);
        uint64_t frame, dr7, dr[4];
        if (!fact_is(&active))
                active = load_place(d, &d->w->at.old_debug_active);
        if (!c || !fact_is(&active) || !active.value || state_is(d, THREAD_STATE_TERMINATED) ||
            !known(d, CHECK_TRAP_FRAME, &frame) || read_place(d->w->kernel, frame, &c->dr7, &dr7) != STASIS_OK ||
            !(dr7 & DR7_ENABLED))
                return false;
        for (size_t i = 0; i < 4; i++)
                if (read_place(d->w->kernel, frame, &c->dr[i], &dr[i]) != STASIS_OK)
                        return false;
        snprintf(text, TEXT_MAX,
                 "its debug registers are set: 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64
                 ", dr7 0x%" PRIx64,
                 dr[0], dr[1], dr[2], dr[3], dr7);
        return true;
}

static bool check_terminated(struct decode *d, char text[static TEXT_MAX])
{
        const uint32_t lists = 1u << SOURCE_PROCESS_LIST | 1u << SOURCE_KPROCESS_LIST;
        if (!d->thread || !(d->thread->sources & lists) || !state_is(d, THREAD_STATE_TERMINATED))
                return false;
        snprintf(text, TEXT_MAX, "it is terminated and still listed: somebody holds a handle to it, or a reference");
        return true;
}

/* An ended thread's memory is found that way as a rule: `hidden` tells whether it is free. */
static bool check_scan(struct decode *d, char text[static TEXT_MAX])
{
        if (!d->thread || !d->thread->sources || d->thread->sources & ~SOURCES_SCAN)
                return false;
        snprintf(text, TEXT_MAX, "only the scan of memory has it: no list, no table and no processor names it");
        return true;
}

/* ---------------------------------------------------------------- the table */

static const struct {
        const char *code;
        enum stasis_severity severity;
        const char *needs;
        bool (*check)(struct decode *d, char text[static TEXT_MAX]); /* whether there is something to say, and what */
} checks[] = {
        { "start-in-private-memory", STASIS_NOTE_WARNING,
          "its start address, a whole list of modules, the process's VADs", check_private_start },
        { "start-outside-modules", STASIS_NOTE_WARNING, "its start address, a whole list of modules",
          check_stray_start },
        { "hidden-from-debugger", STASIS_NOTE_INFO, "_ETHREAD.HideFromDebugger", check_hidden },
        { "impersonates-system", STASIS_NOTE_INFO, "its token, its process's token", check_system },
        { "stack-pointer-outside", STASIS_NOTE_WARNING, "its saved kernel stack pointer, and the stack's bounds",
          check_kernel_stack },
        { "user-stack-pointer-outside", STASIS_NOTE_WARNING, "its user registers (where they are asked for), its TEB",
          check_user_stack },
        { "teb-process-disagrees", STASIS_NOTE_WARNING, "its TEB", check_teb },
        { "debug-registers", STASIS_NOTE_INFO, "DebugActive, its trap frame", check_debug },
        { "terminated-listed", STASIS_NOTE_INFO, "its state", check_terminated },
        { "scan-only", STASIS_NOTE_INFO, "the scan of memory (where it is asked for)", check_scan },
};

const char *thread_check_at(size_t index, enum stasis_severity *ret_severity, const char **ret_needs)
{
        if (index >= sizeof checks / sizeof *checks)
                return NULL;
        *ret_severity = checks[index].severity;
        *ret_needs = checks[index].needs;
        return checks[index].code;
}

void thread_checks(struct decode *d)
{
        const struct windows_process *p = &d->w->process[d->process];
        char text[TEXT_MAX];
        for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
                if (checks[i].check(d, text))
                        system_note(d->w->system, checks[i].severity, checks[i].code, d->object,
                                    p->pid_known ? (int64_t)p->pid : -1, d->thread ? (int64_t)d->thread->tid : -1, "%s",
                                    text);
}
