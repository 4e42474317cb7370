/* SPDX-License-Identifier: MIT */
/* From a thread to its walks. */
#include "stacks.h"

#include <string.h>

#include "registers.h"
#include "stack_walk.h"

#define USER_SCAN_LEN 0x4000 /* bytes of a user stack that are looked at for return addresses */
/* x86: the floating point area (until 7), and below it KSTART_FRAME, which KiThreadStartup begins with. */
#define X86_START_LEN (0x210 + 0x10)
/* A user stack whose TEB is not readable: as far as its default size goes. */
#define USER_STACK_LEN UINT64_C(0x100000)

/* ---- registers to begin with */

static const uint8_t x64_of[16] = { X64_RAX, X64_RBX, X64_RCX, X64_RDX, X64_RSI, X64_RDI, X64_RBP, X64_RSP,
                                    8,       9,       10,      11,      12,      13,      14,      15 };
static const uint8_t x86_of[8] = { X86_EAX, X86_EBX, X86_ECX, X86_EDX, X86_ESI, X86_EDI, X86_EBP, X86_ESP };

static struct x64_registers registers64(const struct stasis_registers *from, bool exact)
{
        struct x64_registers r;
        x64_start(&r, from->cpu.rip, from->cpu.gpr[SAVED_RSP], exact);
        r.rip_at = from->va[SAVED_RIP];
        for (unsigned i = 0; i < 16; i++) {
                if (from->known >> i & 1)
                        x64_set(&r, x64_of[i], from->cpu.gpr[i], from->va[i]);
                if (from->xmm_known >> i & 1) {
                        memcpy(r.xmm[i], from->cpu.xmm[i], sizeof r.xmm[i]);
                        r.xmm_at[i] = from->xmm_va[i];
                        r.xmm_known |= 1u << i;
                }
        }
        return r;
}

static struct x86_registers registers32(const struct stasis_registers *from, bool exact)
{
        struct x86_registers r = {
                .eip = (uint32_t)from->cpu.rip, .eip_at = from->va[SAVED_RIP], .exact = exact, .esp_sure = true
        };
        for (unsigned i = 0; i < 8; i++)
                if (from->known >> i & 1) {
                        r.gpr[x86_of[i]] = (uint32_t)from->cpu.gpr[i];
                        r.known |= 1u << x86_of[i];
                }
        return r;
}

static void begin(struct walk *k, const struct stasis_registers *from, enum stasis_how how, bool exact)
{
        if (k->word == 8)
                walk_x64(k, registers64(from, exact), how);
        else
                walk_x86(k, registers32(from, exact), how);
}

static void add_stack(struct walk *k, uint64_t low, uint64_t high)
{
        if (k->stack_count < WALK_STACKS_MAX && low < high)
                k->stack[k->stack_count++] = (struct walk_stack){ .low = low, .high = high };
}

static void ended(const struct walk *k, struct thread_stack *out)
{
        static const char *const words[] = { [WALK_USER] = "entered from user mode",
                                             [WALK_BOTTOM] = "outermost function",
                                             [WALK_FULL] = "more frames than are followed" };
        out->why = k->end == WALK_BROKEN ? STASIS_CONTRADICTORY : STASIS_PRESENT;
        out->end = k->end == WALK_BROKEN || k->end == WALK_RUNNING ? k->why : words[k->end];
        if (k->end == WALK_USER && out->called_out)
                out->end = "entered from user mode, called out of the kernel, entered from user mode";
}

static void none(struct thread_stack *out, enum stasis_absence why, const char *end)
{
        out->count = 0;
        out->why = why;
        out->end = end;
}

/* ---- the kernel's */

static void add_processor_stacks(struct walk *k, const struct stasis_processor *p)
{
        uint64_t range[PROCESSOR_STACKS_MAX][2];
        size_t count = processor_stacks(k->s->w, k->s->f, p, range);
        for (size_t i = 0; i < count; i++)
                add_stack(k, range[i][0], range[i][1]);
}

/* The address at which a switched thread goes on is behind a call, but where it has not begun. */
static bool goes_on_behind_call(const struct thread_stand *s, uint64_t pc)
{
        return code_behind_call(s->w->kernel, pc) != CALL_NONE;
}

/*
 * What SwapContext returns into is KiSwapContext, of which the switch frame tells rip, rsp and rbp; the others that
 * windows_switch_frame tells are its caller's.
 */
static struct stasis_registers switched(const struct stasis_registers *from)
{
        static const uint8_t keep[] = { SAVED_RIP, SAVED_RSP, SAVED_RBP };
        struct stasis_registers r = *from;
        for (unsigned i = 0; i < STASIS_REGISTERS; i++) {
                bool kept = r.width == 8 && i >= SAVED_R12 && i < SAVED_RIP; /* nobody there uses them */
                for (size_t n = 0; n < sizeof keep; n++)
                        kept |= keep[n] == i && (i != SAVED_RBP || r.width == 8);
                if (!kept && r.known >> i & 1)
                        saved_forget(&r, i);
        }
        return r;
}

/*
 * The kernel called out to user mode (KeUserModeCallback), which called a service again: that one has a stack of its
 * own, and what it was called for stands on the one that was left. A stack that the walk came to by itself was left for
 * code of the kernel (KeExpandKernelStackAndCallout), and is not gone over again.
 */
static void behind_user(struct walk *k)
{
        const struct thread_stand *s = k->s;
        while (k->end == WALK_USER && k->current < s->segment_count) {
                const struct stack_segment *left = &s->segment[k->current]; /* stacks: the current one, then these */
                size_t before = k->out->count;
                k->stack[k->current].left = true;
                k->user_trap = k->scan_end = trap_frame_at_top(s, left->initial);
                if (k->word == 8)
                        walk_x64_above(k, left->sp);
                else
                        walk_x86_above(k, left->sp);
                k->out->called_out = k->out->called_out || k->out->count > before;
        }
        if (k->end == WALK_RUNNING) /* nothing there looks like a return address */
                k->end = WALK_USER;
}

static void follow_kernel(struct thread_stand *s, struct thread_stack *out)
{
        struct stasis_registers r;
        windows_kernel_registers(s, &r);
        if (r.absence != STASIS_PRESENT) {
                none(out, r.absence, "its registers are not known");
                return;
        }
        struct walk k = { .s = s,
                          .space = s->w->kernel,
                          .process = s->process,
                          .word = s->w->pointer_size,
                          .kernel = true,
                          .out = out };
        struct stasis_space *code = stand_user_space(s);
        k.code = code ? code : s->w->kernel;
        add_stack(&k, s->limit, s->base);
        for (size_t i = 0; i < s->segment_count; i++)
                add_stack(&k, s->segment[i].limit, s->segment[i].base);
        if (s->place == THREAD_IN_KERNEL && s->processor)
                add_processor_stacks(&k, s->processor);
        k.user_trap = k.scan_end = s->user_trap;
        if (!s->w->is64 && s->initial > X86_START_LEN && walk_on_stack(&k, s->initial - X86_START_LEN, 1))
                k.top = s->initial - X86_START_LEN;
        bool on_cpu = s->place == THREAD_IN_KERNEL;
        struct stasis_registers first = on_cpu ? r : switched(&r);
        begin(&k, &first, STASIS_HOW_REGISTER, on_cpu || !goes_on_behind_call(s, r.cpu.rip));
        if (out->at_user)
                behind_user(&k);
        ended(&k, out);
}

const struct thread_stack *windows_kernel_stack(struct thread_stand *s)
{
        if (!s->kernel) {
                s->kernel = arena_new(s->arena, struct thread_stack);
                if (!s->kernel)
                        return NULL;
                if (s->place == THREAD_IN_USER)
                        none(s->kernel, STASIS_NOT_APPLICABLE, "it ran in user mode");
                else if (s->place == THREAD_ENDED)
                        none(s->kernel, STASIS_NOT_APPLICABLE, "it has ended, and its stack may be another's");
                else if (s->place == THREAD_ON_CPU)
                        none(s->kernel, STASIS_NOT_KNOWN,
                             "it ran, and the image does not hold the registers of its processor");
                else
                        follow_kernel(s, s->kernel);
        }
        return s->kernel;
}

/* ---- user mode's */

/* NT_TIB of a TEB with words of this size: StackBase and StackLimit behind ExceptionList. */
static bool user_bounds(struct stasis_space *space, uint64_t teb, uint8_t word, uint64_t *ret_low, uint64_t *ret_high)
{
        return stasis_space_u(space, teb + word, word, ret_high) == STASIS_OK &&
               stasis_space_u(space, teb + 2u * word, word, ret_low) == STASIS_OK && *ret_low < *ret_high;
}

static void follow_user(struct thread_stand *s, uint64_t teb, const struct stasis_registers *r, enum stasis_how how,
                        struct thread_stack *out)
{
        uint64_t low, high;
        struct walk k = { .s = s, .space = stand_user_space(s), .process = s->process, .word = r->width, .out = out };
        if (!k.space) {
                none(out, STASIS_NOT_KNOWN, "the page tables of its process are gone");
                return;
        }
        k.code = k.space;
        if (user_bounds(k.space, teb, r->width, &low, &high))
                add_stack(&k, low, high);
        else
                add_stack(&k, r->cpu.gpr[SAVED_RSP] & ~UINT64_C(0xfff),
                          (r->cpu.gpr[SAVED_RSP] & ~UINT64_C(0xfff)) + USER_STACK_LEN);
        k.scan_end = r->cpu.gpr[SAVED_RSP] + USER_SCAN_LEN;
        begin(&k, r, how, true);
        ended(&k, out);
}

void windows_user_stack(struct thread_stand *s, struct thread_stack *ret_stack)
{
        struct stasis_registers r;
        uint64_t teb = 0;
        *ret_stack = (struct thread_stack){ 0 };
        windows_user_registers(s, &r);
        if (r.absence != STASIS_PRESENT || !(r.known >> SAVED_RIP & 1)) {
                none(ret_stack, r.absence != STASIS_PRESENT ? r.absence : STASIS_NOT_IN_IMAGE,
                     "its registers are not known");
                return;
        }
        (void)!read_place(s->w->kernel, s->object, &s->w->at.teb, &teb);
        if (s->w->is64 && r.known & STASIS_REGISTERS_SELECTORS && r.cpu.cs == 0x23) {
                none(ret_stack, STASIS_NOT_APPLICABLE, "it ran 32-bit code");
                return;
        }
        follow_user(s, teb, &r, s->place == THREAD_IN_USER ? STASIS_HOW_REGISTER : STASIS_HOW_TRAP_FRAME, ret_stack);
}

void windows_wow64_stack(struct thread_stand *s, uint64_t teb, uint64_t teb32, struct thread_stack *ret_stack)
{
        struct stasis_registers r;
        *ret_stack = (struct thread_stack){ 0 };
        windows_wow64_registers(s, teb, teb32, &r);
        if (r.absence != STASIS_PRESENT)
                none(ret_stack, r.absence, "its registers are not known");
        else
                follow_user(s, teb32, &r, STASIS_HOW_REGISTER, ret_stack);
}
