/* SPDX-License-Identifier: MIT */
/*
 * Following one stack: what leads from a frame to the next, what ends that, and what the stack of an adversary must not
 * do. Stacks, code and unwind data are written into a tiny system; places are those of Microsoft's public symbols.
 */
#include "../../test/tiny_system.h"
#include "stack_walk.h"

#define LEN 0x3000u    /* of the stack, whose first page alone is mostly used */
#define PDATA 0x7100u  /* in the kernel's image */
#define UNWIND 0x7200u /* of PUSHES, ALLOCATES, INTERRUPTED, BY_RBP in 16 bytes each */
enum { PUSHES = 0x1100, ALLOCATES = 0x1200, INTERRUPTED = 0x1300, BY_RBP = 0x1400 }; /* functions of 0x40 bytes */

static struct thread_stand stand;
static struct thread_stack out;
static struct walk k;
static uint64_t low, sp; /* sp: where each test begins */
static bool code_gone;

static uint64_t code(uint32_t rva) { return t.kernel + rva; }

/* Behind a call. */
static uint64_t return_to(uint32_t rva)
{
        world_u(&t.world, code(rva) - 5, 1, 0xe8);
        return code(rva);
}

static void word(uint64_t at, uint64_t value) { world_u(&t.world, at, t.pointer, value); }

/* push rbx; sub rsp, 0x28; what a processor pushed; push rbp, mov rbp, rsp. */
static void put_functions(void)
{
        static const uint8_t info[4][8] = {
                { 1, 1, 1, 0, 1, 0x30 }, { 1, 4, 1, 0, 4, 0x42 }, { 1, 0, 1, 0, 0, 0x0a }, { 1, 4, 2, 5, 4, 3, 1, 0x50 }
        };
        for (uint32_t i = 0; i < 4; i++) {
                uint64_t entry = code(PDATA) + 12 * i;
                world_u(&t.world, entry, 4, PUSHES + 0x100 * i);
                world_u(&t.world, entry + 4, 4, PUSHES + 0x100 * i + 0x40);
                world_u(&t.world, entry + 8, 4, UNWIND + 16 * i);
                world_put(&t.world, code(UNWIND + 16 * i), info[i], 8);
        }
        world_u(&t.world, world_pe_directory(&t.pe, 3), 4, PDATA);
        world_u(&t.world, world_pe_directory(&t.pe, 3) + 4, 4, 48);
}

/* A walk of the kernel over the stack of TINY_WORKER. */
static void begin(void)
{
        struct windows *w = sys->priv;
        out = (struct thread_stack){ 0 };
        k = (struct walk){ .s = &stand,
                           .space = w->kernel,
                           .code = w->kernel,
                           .process = stand.process,
                           .word = t.pointer,
                           .kernel = true,
                           .stack = { { .low = low, .high = low + LEN } },
                           .stack_count = 1,
                           .out = &out };
        stand.user_trap = 0;
}

static void build(bool is64)
{
        tiny_build(&t, is64);
        low = tiny_get(&t, t.thread[TINY_WORKER], "KTHREAD.StackLimit");
        sp = low + 0x100;
        world_map(&t.world, low, LEN);
        if (is64)
                put_functions();
        if (code_gone)
                world_unmap(&t.world, code(0x1000));
        code_gone = false;
        sys_open();
        (void)sys_count(STASIS_THREADS);
        struct windows *w = sys->priv;
        uint32_t process = (uint32_t)windows_process_of(w, t.process[TINY_SYSTEM]);
        ck_assert(thread_stand(w, t.thread[TINY_WORKER], process, &w->system->arena, &stand));
        begin();
}

static void expect_frame(size_t i, uint64_t pc, uint64_t at, uint64_t slot, enum stasis_how how)
{
        ck_assert_uint_gt(out.count, i);
        ck_assert_uint_eq(out.frame[i].pc, pc);
        ck_assert_uint_eq(out.frame[i].sp, at);
        ck_assert_uint_eq(out.frame[i].slot, slot);
        ck_assert_str_eq(stasis_how_name(out.frame[i].how), stasis_how_name(how));
        ck_assert_int_eq(out.frame[i].exact,
                         how == STASIS_HOW_REGISTER || how == STASIS_HOW_TRAP_FRAME || how == STASIS_HOW_MACHINE_FRAME);
}

static void expect_end(size_t frames, enum walk_end end, const char *why)
{
        ck_assert_uint_eq(out.count, frames);
        ck_assert_int_eq(k.end, end);
        if (why)
                ck_assert_str_eq(k.why, why);
}

/* ---------------------------------------------------------------- what both machines share */

START_TEST(stacks_have_edges)
{
        struct walk w = { .stack = { { .low = 0x1000, .high = 0x2000 }, { .low = 0x8000, .high = 0x9000 } },
                          .stack_count = 2 };
        ck_assert(walk_on_stack(&w, 0x1000, 8) && walk_on_stack(&w, 0x1fff, 1) && walk_on_stack(&w, 0x8ff8, 8));
        ck_assert(!walk_on_stack(&w, 0xfff, 1) && !walk_on_stack(&w, 0x2000, 0) && !walk_on_stack(&w, 0x1fff, 2));
        ck_assert(!walk_on_stack(&w, 0x8ff8, 9) && !walk_on_stack(&w, 0x8ff8, UINT64_MAX));
        ck_assert(walk_leaves(&w, 0x1800, 0x8000) && walk_leaves(&w, 0x1800, 0x9000)); /* its top is of it */
        ck_assert(!walk_leaves(&w, 0x1800, 0x7fff) && !walk_leaves(&w, 0x1800, 0x9001));
        ck_assert(!walk_leaves(&w, 0x1800, 0x1900));
        w.stack[1].left = true;
        ck_assert(!walk_leaves(&w, 0x1800, 0x8000));
}
END_TEST

/* Upwards, or to a stack that was not walked; never back. */
START_TEST(a_walk_rises)
{
        struct walk w = { .stack = { { .low = 0x1000, .high = 0x2000 }, { .low = 0x8000, .high = 0x9000 } },
                          .stack_count = 2,
                          .end = WALK_BROKEN };
        walk_begin(&w, 0x9000);
        ck_assert_uint_eq(w.current, 1);
        ck_assert_int_eq(w.end, WALK_RUNNING);
        walk_begin(&w, 0x5000); /* on none */
        ck_assert_uint_eq(w.current, 0);
        walk_begin(&w, 0x1000);
        ck_assert_uint_eq(w.current, 0);
        ck_assert(walk_rises(&w, 0x1800, 0x1808) && walk_rises(&w, 0x1808, 0x2000));
        ck_assert(!walk_rises(&w, 0x1808, 0x1808) && !walk_rises(&w, 0x1808, 0x1800));
        ck_assert(!walk_rises(&w, 0x1808, 0x5000) && !walk_rises(&w, 0x1808, 0x2001));
        ck_assert(!w.stack[0].left);
        ck_assert(walk_rises(&w, 0x1808, 0x8100));
        ck_assert_uint_eq(w.current, 1);
        ck_assert(w.stack[0].left);
        ck_assert(walk_rises(&w, 0x8100, 0x8108));
        ck_assert(!walk_rises(&w, 0x8108, 0x1900));
}
END_TEST

START_TEST(frames_are_bounded)
{
        struct walk w = { .out = &out };
        out.count = 0;
        for (uint64_t i = 0; i < WINDOWS_FRAMES_MAX; i++)
                ck_assert(walk_add(&w, i, 2 * i, 3 * i, STASIS_HOW_SCAN, i == 5));
        ck_assert_int_eq(w.end, WALK_RUNNING);
        ck_assert(!walk_add(&w, 1, 1, 1, STASIS_HOW_SCAN, false));
        ck_assert_int_eq(w.end, WALK_FULL);
        ck_assert_uint_eq(out.count, WINDOWS_FRAMES_MAX);
        ck_assert_uint_eq(out.frame[127].pc, 127);
        ck_assert_uint_eq(out.frame[127].sp, 254);
        ck_assert_uint_eq(out.frame[127].slot, 381);
        ck_assert_int_eq(out.frame[127].how, STASIS_HOW_SCAN);
        ck_assert(out.frame[5].exact && !out.frame[6].exact);
}
END_TEST

/* Words are looked at in their own places, up to where the walk may look, and taken for a return behind a call alone.
 */
START_TEST(a_scan)
{
        build(_i);
        uint64_t at = sp + 3, pc, step = t.pointer, hit = sp + 3 * step;
        enum stasis_how how;
        word(sp, return_to(0x2100)); /* no code */
        word(sp + step, code(0x1180));
        word(sp + 2 * step, t.pool);
        word(hit, return_to(PUSHES + 0x20));
        ck_assert(walk_scan(&k, &at, &pc, &how));
        ck_assert_uint_eq(pc, code(PUSHES + 0x20));
        ck_assert_uint_eq(at, hit + step);
        ck_assert_int_eq(how, STASIS_HOW_CALL_CHECKED);
        ck_assert(!walk_scan(&k, &at, &pc, &how));
        ck_assert_uint_eq(at, hit + step); /* as it was */
        at = hit;
        ck_assert(walk_scan(&k, &at, &pc, &how));
        const uint64_t ends[] = { hit + step, hit, hit + step - 1, sp, sp - 1 };
        for (size_t i = 0; i < 5; i++) {
                at = sp;
                k.scan_end = ends[i]; /* one that is not above is none */
                ck_assert_msg(walk_scan(&k, &at, &pc, &how) == (i == 0 || i >= 3), "end %zu", i);
        }
        k.stack[0].high = hit; /* beyond the stack it is not looked, whatever the end */
        for (size_t i = 0; i < 3; i++) {
                at = sp;
                k.scan_end = i == 2 ? 0 : hit + i * 8 * step;
                ck_assert(!walk_scan(&k, &at, &pc, &how));
        }
        at = low - 8;
        ck_assert(!walk_scan(&k, &at, &pc, &how));
}
END_TEST

/* The call may stand in code that is not in the image. */
START_TEST(a_scan_without_code)
{
        uint64_t at, pc;
        enum stasis_how how;
        code_gone = true;
        build(_i);
        at = sp;
        word(sp, code(0x2100));
        word(sp + t.pointer, code(0x1180));
        ck_assert(walk_scan(&k, &at, &pc, &how));
        ck_assert_uint_eq(pc, code(0x1180));
        ck_assert_int_eq(how, STASIS_HOW_SCAN);
}
END_TEST

START_TEST(calls)
{
        static const struct {
                uint8_t code[7];
                bool call;
        } cases[] = { { { 0, 0, 0xe8, 1, 2, 3, 4 }, true },       { { 0, 0xe8, 1, 2, 3, 4, 0 }, false },
                      { { 0, 0, 0, 0, 0, 0xff, 0xd0 }, true },    { { 0, 0, 0, 0, 0xff, 0x50, 8 }, true },
                      { { 0, 0, 0, 0xff, 0x54, 0x24, 8 }, true }, { { 0xff, 0x94, 0x24, 0, 1, 0, 0 }, true },
                      { { 0, 0xff, 0x15, 1, 2, 3, 4 }, true },    { { 0, 0xff, 0x25, 1, 2, 3, 4 }, false },
                      { { 0, 0, 0, 0, 0, 0xff, 0xd8 }, false },   { { 0 }, false } };
        build(_i);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                world_put(&t.world, code(0x1800) - 7, cases[i].code, 7);
                ck_assert_msg(code_behind_call(k.code, code(0x1800)) == (cases[i].call ? CALL_THERE : CALL_NONE),
                              "case %zu", i);
        }
        ck_assert_int_eq(code_behind_call(k.code, 6), CALL_NONE);
        ck_assert_int_eq(code_behind_call(k.code, 7), CALL_UNREADABLE);
}
END_TEST

/* Of .text, whose last byte is 0x1ffe; the other sections are no code, nor is what lies in no module. */
START_TEST(kinds_of_code)
{
        build(_i);
        static const struct {
                uint32_t rva;
                enum code_kind kind;
        } cases[] = { { 0xfff, CODE_NONE },       { 0x1000, CODE_EXECUTABLE }, { 0x1ffe, CODE_EXECUTABLE },
                      { 0x1fff, CODE_NONE },      { 0x2000, CODE_NONE },       { WORLD_PE_LEN - 1, CODE_NONE },
                      { WORLD_PE_LEN, CODE_NONE } };
        struct windows *w = sys->priv;
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
                ck_assert_int_eq(code_kind(w, UINT32_MAX, code(cases[i].rva)), cases[i].kind);
        ck_assert_int_eq(code_kind(w, UINT32_MAX, t.kernel - 1), CODE_NONE);
}
END_TEST

/* ---------------------------------------------------------------- x64 */

static struct x64_registers at64(uint32_t rva)
{
        struct x64_registers r;
        x64_start(&r, code(rva), sp, true);
        return r;
}

START_TEST(to_the_outermost_function)
{
        build(true);
        word(sp, 0x77);
        word(sp + 8, code(ALLOCATES + 0x20));
        walk_x64(&k, at64(PUSHES + 0x20), STASIS_HOW_REGISTER);
        expect_end(2, WALK_BOTTOM, NULL);
        expect_frame(0, code(PUSHES + 0x20), sp, X64_NOWHERE, STASIS_HOW_REGISTER);
        expect_frame(1, code(ALLOCATES + 0x20), sp + 0x10, sp + 8, STASIS_HOW_UNWIND_INFO);
        begin();
        word(sp, code(ALLOCATES + 0x20)); /* a leaf: no entry tells of it */
        walk_x64(&k, at64(0x1500), STASIS_HOW_REGISTER);
        expect_end(2, WALK_BOTTOM, NULL);
        expect_frame(1, code(ALLOCATES + 0x20), sp + 8, sp, STASIS_HOW_LEAF);
}
END_TEST

/* Where nothing leads on, the next word that is behind a call; why it broke off first is what counts. */
START_TEST(broken_and_resumed)
{
        build(true);
        word(sp + 8, t.pool);
        word(sp + 0x10, return_to(BY_RBP + 0x20));
        walk_x64(&k, at64(PUSHES + 0x20), STASIS_HOW_REGISTER);
        expect_end(2, WALK_BROKEN, "a return address lies in no module's code");
        expect_frame(1, code(BY_RBP + 0x20), sp + 0x18, sp + 0x10, STASIS_HOW_CALL_CHECKED);
        begin();
        word(sp + 0x10, return_to(PUSHES + 0x20)); /* goes on by its codes, to the end */
        word(sp + 0x20, code(ALLOCATES + 0x20));
        walk_x64(&k, at64(PUSHES + 0x20), STASIS_HOW_REGISTER);
        expect_end(3, WALK_BROKEN, "a return address lies in no module's code");
        expect_frame(2, code(ALLOCATES + 0x20), sp + 0x28, sp + 0x20, STASIS_HOW_UNWIND_INFO);
        begin();
        word(sp + 0x20, 0);
        walk_x64_above(&k, sp + 0x10);
        expect_end(1, WALK_BOTTOM, NULL);
        expect_frame(0, code(PUSHES + 0x20), sp + 0x18, sp + 0x10, STASIS_HOW_CALL_CHECKED);
        begin();
        walk_x64_above(&k, sp + 0x18);
        expect_end(0, WALK_RUNNING, NULL);
}
END_TEST

/* A frame register leads to a second stack and back: each is walked once. */
START_TEST(no_stack_is_walked_twice)
{
        build(true);
        uint64_t other = low + 0x2000;
        struct x64_registers r = at64(BY_RBP + 0x20);
        k.stack[0].high = low + 0x1000;
        k.stack[k.stack_count++] = (struct walk_stack){ .low = other, .high = low + LEN };
        x64_set(&r, X64_RBP, other + 0x100, X64_NOWHERE);
        word(other + 0x100, sp + 0x200);
        word(other + 0x108, code(BY_RBP + 0x20));
        word(sp + 0x208, code(BY_RBP + 0x20));
        walk_x64(&k, r, STASIS_HOW_REGISTER);
        expect_end(2, WALK_BROKEN, "the stack pointer does not rise, or leads out of the stack");
        expect_frame(1, code(BY_RBP + 0x20), other + 0x110, other + 0x108, STASIS_HOW_UNWIND_INFO);
}
END_TEST

static void put_machine_frame(uint64_t rip, uint16_t cs)
{
        const uint64_t frame[] = { rip, cs, 0x246, cs & 3 ? 0x12ff00 : sp + 0x100, cs & 3 ? 0x2b : 0x18 };
        for (unsigned i = 0; i < 5; i++)
                word(sp + 8 * i, frame[i]);
}

/* KTRAP_FRAME.Rip is at 0x168: the trap frame ends with what the processor pushed. */
START_TEST(from_user_mode)
{
        build(true);
        sp += 0x400;
        put_machine_frame(0x401000, 0x33);
        walk_x64(&k, at64(INTERRUPTED + 0x20), STASIS_HOW_REGISTER);
        expect_end(1, WALK_USER, NULL);
        ck_assert(out.at_user);
        ck_assert_uint_eq(out.border.rip, 0x401000);
        ck_assert_uint_eq(out.border.gpr[X64_RSP], 0x12ff00);
        ck_assert_uint_eq(stand.user_trap, sp - 0x168);
        ck_assert_uint_eq(k.user_trap, sp - 0x168);
        begin();
        stand.user_trap = sp; /* another one is known: this is none that user mode left last */
        walk_x64(&k, at64(INTERRUPTED + 0x20), STASIS_HOW_REGISTER);
        expect_end(1, WALK_USER, NULL);
        ck_assert(!out.at_user);
        begin();
        k.stack[0].low = sp - 0x160; /* it does not lie in the stack */
        walk_x64(&k, at64(INTERRUPTED + 0x20), STASIS_HOW_REGISTER);
        expect_end(1, WALK_USER, NULL);
        ck_assert(!out.at_user);
        ck_assert_uint_eq(stand.user_trap, 0);
        begin();
        put_machine_frame(0x401000, 0x13); /* no selector of user mode's code */
        walk_x64(&k, at64(INTERRUPTED + 0x20), STASIS_HOW_REGISTER);
        expect_end(1, WALK_USER, NULL);
        ck_assert(!out.at_user);
        begin();
        put_machine_frame(0x401000, 0x33);
        k.kernel = false; /* of user mode's own stack it is an address like any other */
        walk_x64(&k, at64(INTERRUPTED + 0x20), STASIS_HOW_REGISTER);
        expect_end(1, WALK_BROKEN, "the stack pointer does not rise, or leads out of the stack");
        begin();
        put_machine_frame(code(ALLOCATES + 0x20), 0x10); /* the kernel was interrupted */
        word(sp + 0x100 + 0x28, 0);
        walk_x64(&k, at64(INTERRUPTED + 0x20), STASIS_HOW_REGISTER);
        expect_end(2, WALK_BOTTOM, NULL);
        expect_frame(1, code(ALLOCATES + 0x20), sp + 0x100, sp, STASIS_HOW_MACHINE_FRAME);
}
END_TEST

/* Behind user mode: a break with no more return addresses below the trap frame is the end, and none above counts. */
START_TEST(at_the_trap_frame)
{
        build(true);
        for (unsigned more = 0; more < 4; more++) {
                begin();
                out.at_user = more != 2;
                k.user_trap = k.scan_end = more == 3 ? 0 : sp + 0x200;
                word(sp, return_to(BY_RBP + 0x20)); /* whose frame register is not known */
                word(sp + 0x80, more == 1 ? return_to(BY_RBP + 0x30) : 0);
                walk_x64_above(&k, sp);
                ck_assert_uint_eq(out.count, more == 1 ? 2 : 1);
                ck_assert_int_eq(k.end, more ? WALK_BROKEN : WALK_USER);
        }
}
END_TEST

/* ---------------------------------------------------------------- x86 */

static struct x86_registers at32(uint32_t rva, uint64_t ebp)
{
        struct x86_registers r = { .eip = (uint32_t)code(rva),
                                   .eip_at = STASIS_NOWHERE,
                                   .known = 1u << X86_ESP | 1u << X86_EBP,
                                   .exact = true,
                                   .esp_sure = true };
        r.gpr[X86_ESP] = (uint32_t)sp;
        r.gpr[X86_EBP] = (uint32_t)ebp;
        return r;
}

START_TEST(frame_pointers)
{
        build(false);
        word(sp + 0x10, sp + 0x40);
        word(sp + 0x14, return_to(0x1220));
        word(sp + 0x40, 0);
        word(sp + 0x44, return_to(0x1240));
        walk_x86(&k, at32(0x1120, sp + 0x10), STASIS_HOW_REGISTER);
        expect_end(3, WALK_BOTTOM, NULL);
        expect_frame(0, code(0x1120), sp, STASIS_NOWHERE, STASIS_HOW_REGISTER);
        expect_frame(1, code(0x1220), sp + 0x18, sp + 0x14, STASIS_HOW_FRAME_POINTER);
        expect_frame(2, code(0x1240), sp + 0x48, sp + 0x44, STASIS_HOW_FRAME_POINTER);
}
END_TEST

/* ret: the caller's stack pointer is above the return address. */
START_TEST(code_that_returns)
{
        build(false);
        world_u(&t.world, code(0x1120), 1, 0xc3);
        word(sp, return_to(0x1220));
        walk_x86(&k, at32(0x1120, 0), STASIS_HOW_REGISTER);
        expect_end(2, WALK_BOTTOM, NULL);
        expect_frame(1, code(0x1220), sp + 4, sp, STASIS_HOW_LEAF);
}
END_TEST

/* Below a word behind a call a frame pointer may have been saved: one that leads on, in the stack. */
START_TEST(resumed_with_a_frame_pointer)
{
        build(false);
        const uint64_t saved[] = { sp + 0x40, sp + 8, sp + 4, low + LEN - 4, low - 8 };
        for (size_t i = 0; i < sizeof saved / sizeof *saved; i++) {
                struct x86_registers r = at32(0x1120, 0);
                r.known = 1u << X86_ESP;
                begin();
                word(sp, saved[i]);
                word(sp + 4, return_to(0x1220));
                word(sp + 0x40, 0);
                word(sp + 0x44, return_to(0x1240));
                walk_x86(&k, r, STASIS_HOW_REGISTER);
                expect_end(3, WALK_BROKEN, "the frame pointer is not known");
                expect_frame(1, code(0x1220), sp + 8, sp + 4, STASIS_HOW_CALL_CHECKED);
                expect_frame(2, code(0x1240), sp + 0x48, sp + 0x44,
                             i ? STASIS_HOW_CALL_CHECKED : STASIS_HOW_FRAME_POINTER);
        }
        begin();
        word(sp, saved[0]);
        walk_x86_above(&k, sp);
        expect_end(2, WALK_BOTTOM, NULL);
        begin();
        walk_x86_above(&k, sp + 0x48);
        expect_end(0, WALK_RUNNING, NULL);
}
END_TEST

/* KTRAP_FRAME of XP: DbgArgMark 8, Ebx 5c, Ebp 60, Eip 68, SegCs 6c, EFlags 70, HardwareEsp 74; 8c bytes. */
static void put_trap(uint64_t at)
{
        for (unsigned i = 0; i < 0x8c; i += 4)
                word(at + i, 0);
        word(at + 4, t.pool); /* no return address: it is no frame of a function */
        word(at + 8, 0xbadb0d00);
        word(at + 0x60, sp + 0x200);
        word(at + 0x68, code(0x1330));
        word(at + 0x6c, 8);
        word(at + 0x70, 0x202);
        word(sp + 0x200, 0);
        word(sp + 0x204, return_to(0x1240));
}

START_TEST(trap_frames_of_the_kernel)
{
        static const struct {
                uint8_t at;
                uint32_t value;
        } wrong[] = { { 8, 0 }, { 0x6c, 0x1b }, { 0x70, 0x200 }, { 0x68, 0x401000 }, { 0x68, 0 } };
        build(false);
        uint64_t trap = sp + 0x40;
        put_trap(trap);
        walk_x86(&k, at32(0x1120, trap), STASIS_HOW_REGISTER);
        expect_end(3, WALK_BOTTOM, NULL);
        expect_frame(1, code(0x1330), trap + 0x74, trap + 0x68, STASIS_HOW_TRAP_FRAME);
        expect_frame(2, code(0x1240), sp + 0x208, sp + 0x204, STASIS_HOW_FRAME_POINTER);
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
                begin();
                put_trap(trap);
                word(trap + wrong[i].at, wrong[i].value);
                walk_x86(&k, at32(0x1120, trap), STASIS_HOW_REGISTER);
                ck_assert_msg(out.frame[1].how != STASIS_HOW_TRAP_FRAME, "wrong %zu", i);
                ck_assert_int_eq(k.end, WALK_BROKEN);
        }
        begin();
        put_trap(trap);
        word(trap + 8, 0);
        stand.trap = trap; /* KTHREAD names it: the mark is not needed */
        walk_x86(&k, at32(0x1120, trap), STASIS_HOW_REGISTER);
        expect_frame(1, code(0x1330), trap + 0x74, trap + 0x68, STASIS_HOW_TRAP_FRAME);
        begin();
        put_trap(trap);
        k.stack[0].high = trap + 0x8b; /* its last byte is not of the stack */
        walk_x86(&k, at32(0x1120, trap), STASIS_HOW_REGISTER);
        ck_assert_int_eq(k.end, WALK_BROKEN);
        begin();
        k.kernel = false; /* user mode's stacks have none */
        walk_x86(&k, at32(0x1120, trap), STASIS_HOW_REGISTER);
        ck_assert_int_eq(k.end, WALK_BROKEN);
        begin();
        k.user_trap = trap;
        walk_x86(&k, at32(0x1120, trap), STASIS_HOW_REGISTER);
        expect_end(1, WALK_USER, NULL);
        ck_assert(out.at_user);
}
END_TEST

/* KSTART_FRAME: SystemRoutine, StartRoutine, StartContext, UserThread; at the top, or below user mode's trap frame. */
START_TEST(start_frames)
{
        build(false);
        uint64_t slot = sp + 0x100;
        for (unsigned i = 0; i < 7; i++) {
                bool user = i == 3 || i == 4;
                begin();
                k.top = user ? 0 : i == 5 ? slot + 4 : slot;
                k.user_trap = user ? slot + 16 : 0;
                k.stack[0].high = i == 6 ? slot + 15 : low + LEN;
                word(slot - 4, 0x1234);
                word(slot, i == 1 ? t.pool : code(0x1100));
                word(slot + 12, i == 2 || i == 3);
                walk_x86(&k, at32(0x1120, slot - 4), STASIS_HOW_REGISTER);
                ck_assert_msg((k.end == WALK_BOTTOM) == (i == 0 || i == 3), "case %u", i);
        }
}
END_TEST

int main(void)
{
        const TTest *const both[] = { a_scan, a_scan_without_code, calls, kinds_of_code };
        const TTest *const single[] = { stacks_have_edges,
                                        a_walk_rises,
                                        frames_are_bounded,
                                        to_the_outermost_function,
                                        broken_and_resumed,
                                        no_stack_is_walked_twice,
                                        from_user_mode,
                                        at_the_trap_frame,
                                        frame_pointers,
                                        code_that_returns,
                                        resumed_with_a_frame_pointer,
                                        trap_frames_of_the_kernel,
                                        start_frames };
        return sys_main("stack_walk", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
