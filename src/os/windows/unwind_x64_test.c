/* SPDX-License-Identifier: MIT */
/*
 * Unwind data spelled out byte by byte, and stacks to follow with it: what mingw-w64 does not make (unwind-judge has
 * that), and what only damage makes. Places: Microsoft, "x64 exception handling".
 */
#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "unwind_x64.h"

#define BASE UINT64_C(0x140000000)
#define STACK UINT64_C(0x700000)
#define CODE 0x1000 /* of the one function: 0x100 bytes */
#define INFO 0x3000
#define WORDS 64

static uint8_t image[0x4000];
static uint64_t stack[WORDS];
static uint32_t unwind_at; /* of the function's entry */
static bool no_table, code_hidden;

static bool read_memory(void *ctx, uint64_t va, void *buf, size_t len)
{
        (void)ctx;
        if (va >= BASE && va - BASE <= sizeof image - len) {
                memcpy(buf, image + (va - BASE), len);
                return !(code_hidden && va - BASE < INFO);
        }
        if (va < STACK || va - STACK > sizeof stack - len)
                return false;
        memcpy(buf, (uint8_t *)stack + (va - STACK), len);
        return true;
}

static enum x64_found function_at(void *ctx, uint64_t pc, struct x64_function *ret_function)
{
        (void)ctx;
        if (no_table)
                return X64_NO_TABLE;
        if (pc < BASE + CODE || pc >= BASE + CODE + 0x100)
                return X64_NO_FUNCTION;
        *ret_function = (struct x64_function){ BASE, CODE, CODE + 0x100, unwind_at };
        return X64_FUNCTION;
}

static const struct x64_memory memory = { read_memory, function_at, NULL };

static void setup(void)
{
        memset(image, 0x90, sizeof image);
        memset(image + INFO, 0, sizeof image - INFO);
        for (size_t i = 0; i < WORDS; i++)
                stack[i] = 0x1000 + i;
        unwind_at = INFO;
        no_table = code_hidden = false;
}

static void put(uint32_t at, const void *bytes, size_t len) { memcpy(image + at, bytes, len); }
#define PUT(at, ...) put(at, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static struct x64_registers at_offset(uint32_t offset, bool exact)
{
        struct x64_registers r;
        x64_start(&r, BASE + CODE + offset, STACK, exact);
        x64_set(&r, X64_RBP, 0xb0, X64_NOWHERE);
        x64_set(&r, X64_RAX, 0xa0, X64_NOWHERE);
        return r;
}

static void broken(struct x64_registers r, const char *why)
{
        struct x64_registers before = r;
        struct x64_step step = x64_unwind(&memory, &r);
        ck_assert_int_eq(step.way, X64_BROKEN);
        ck_assert_str_eq(step.why, why);
        ck_assert_mem_eq(&before, &r, sizeof r);
}

START_TEST(a_leaf)
{
        struct x64_registers r = at_offset(0x200, true);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_LEAF);
        ck_assert_uint_eq(r.rip, 0x1000);
        ck_assert_uint_eq(r.rip_at, STACK);
        ck_assert_uint_eq(r.gpr[X64_RSP], STACK + 8);
        ck_assert(!r.exact);
        ck_assert_uint_eq(r.gpr[X64_RBP], 0xb0);
        ck_assert_uint_eq(r.known, 1u << X64_RBP | 1u << X64_RSP); /* rax need not be kept */
        ck_assert_uint_eq(r.gpr[X64_RAX], 0);
        no_table = true;
        broken(at_offset(0x200, true), "no unwind information is known for the code");
        no_table = false;
        r = at_offset(0x200, true);
        x64_set(&r, X64_RSP, 0x10, X64_NOWHERE);
        broken(r, "the stack is not in the image there");
}
END_TEST

/* push rbp (1), push r13 (3), sub rsp, 0x18 (7): the offset tells how much of it was done. */
START_TEST(a_prologue)
{
        static const struct {
                uint32_t offset;
                unsigned words;
                bool rbp, r13;
        } cases[] = { { 0, 0, false, false }, { 1, 1, true, false }, { 2, 1, true, false },  { 3, 2, true, true },
                      { 6, 2, true, true },   { 7, 5, true, true },  { 0x40, 5, true, true } };
        PUT(INFO, 1, 7, 3, 0, 7, 0x22, 3, 0xd0, 1, 0x50);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct x64_registers r = at_offset(cases[i].offset, true);
                ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_UNWOUND);
                ck_assert_uint_eq(r.gpr[X64_RSP], STACK + 8 * cases[i].words + 8);
                ck_assert_uint_eq(r.rip, 0x1000 + cases[i].words);
                ck_assert_uint_eq(r.gpr[X64_RBP], cases[i].rbp ? 0x1000 + cases[i].words - 1 : 0xb0);
                ck_assert_uint_eq(r.known >> 13 & 1, cases[i].r13);
                if (cases[i].r13)
                        ck_assert_uint_eq(r.at[13], STACK + 8 * (cases[i].words - 2));
        }
}
END_TEST

START_TEST(large_frames)
{
        PUT(INFO, 1, 7, 2, 0, 7, 0x01, 3, 0); /* 3 words */
        struct x64_registers r = at_offset(0x40, true);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_UNWOUND);
        ck_assert_uint_eq(r.rip, 0x1003);
        PUT(INFO, 1, 7, 3, 0, 7, 0x11, 0x28, 0, 0, 0); /* 0x28 bytes */
        r = at_offset(0x40, true);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_UNWOUND);
        ck_assert_uint_eq(r.rip, 0x1005);
        PUT(INFO, 1, 7, 3, 0, 7, 0x11, 0xf8, 0xff, 0xff, 0xff);
        broken(at_offset(0x40, true), "the stack is not in the image there");
        PUT(INFO, 1, 7, 1, 0, 7, 0x11, 8, 0, 0, 0); /* its last place is not among the codes */
        broken(at_offset(0x40, true), "its unwind codes hold an unknown operation");
}
END_TEST

/* mov [rsp+0x10], r12; movaps [rsp+0x20], xmm6, near and far. */
START_TEST(saves)
{
        PUT(INFO, 1, 20, 8, 0, 20, 0x69, 0x20, 0, 0, 0, 10, 0xc5, 0x10, 0, 0, 0, 4, 0x62);
        PUT(INFO + 4 + 12, 4, 0x62, 4, 0x02);
        struct x64_registers r = at_offset(0x40, false);
        struct x64_step step = x64_unwind(&memory, &r);
        ck_assert_int_eq(step.way, X64_UNWOUND);
        ck_assert_uint_eq(step.frame, STACK);
        ck_assert_uint_eq(r.gpr[12], 0x1002);
        ck_assert_uint_eq(r.at[12], STACK + 0x10);
        ck_assert_mem_eq(r.xmm[6], stack + 4, 16);
        ck_assert_uint_eq(r.xmm_at[6], STACK + 0x20);
        ck_assert_uint_eq(r.xmm_known, 1u << 6);
        ck_assert_uint_eq(r.rip, 0x1000 + 7 + 1); /* 0x38 and 8 bytes */
}
END_TEST

/* rbp = rsp + 0x20 at 9; before that rsp is the frame. */
START_TEST(a_frame_register)
{
        PUT(INFO, 1, 9, 3, 0x25, 9, 0x03, 4, 0x32, 1, 0x50);
        struct x64_registers r = at_offset(0x40, true);
        x64_set(&r, X64_RBP, STACK + 0x60, X64_NOWHERE);
        struct x64_step step = x64_unwind(&memory, &r);
        ck_assert_int_eq(step.way, X64_UNWOUND);
        ck_assert_uint_eq(step.frame, STACK + 0x40);
        ck_assert_uint_eq(r.gpr[X64_RSP], STACK + 0x40 + 0x20 + 16);
        ck_assert_uint_eq(r.gpr[X64_RBP], 0x1000 + 12);
        r = at_offset(5, true);
        ck_assert_uint_eq(x64_unwind(&memory, &r).frame, STACK);
        ck_assert_uint_eq(r.rip, 0x1005);
        r = at_offset(0x40, true);
        r.known &= ~(1u << X64_RBP);
        broken(r, "its frame register is not known");
        r = at_offset(0x40, true);
        x64_set(&r, X64_RBP, STACK - 0x40, X64_NOWHERE);
        broken(r, "the stack is not in the image there");
        r.gpr[X64_RSP] = STACK + 0x100; /* to another stack */
        x64_set(&r, X64_RBP, STACK + 0x20, X64_NOWHERE);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_UNWOUND);
        ck_assert_uint_eq(r.gpr[X64_RSP], STACK + 0x30);
}
END_TEST

START_TEST(machine_frames)
{
        for (unsigned error = 0; error < 2; error++) {
                PUT(INFO, 1, 0, 2, 0, 0, 0x02, 0, 0x0a);
                image[INFO + 7] = (uint8_t)(0x0a | error << 4);
                uint64_t *frame = stack + 1 + error;
                memcpy(frame, (const uint64_t[]){ BASE + CODE + 0x50, 0x33, 0x246, STACK - 0x1000, 0x2b }, 40);
                struct x64_registers r = at_offset(0x40, true);
                struct x64_step step = x64_unwind(&memory, &r);
                ck_assert_int_eq(step.way, X64_MACHINE_FRAME);
                ck_assert_uint_eq(step.machine, STACK + 8 + 8 * error);
                ck_assert_uint_eq(r.rip, BASE + CODE + 0x50);
                ck_assert_uint_eq(r.gpr[X64_RSP], STACK - 0x1000); /* may lead anywhere */
                ck_assert_uint_eq(r.rflags, 0x246);
                ck_assert_uint_eq(r.cs, 0x33);
                ck_assert_uint_eq(r.ss, 0x2b);
                ck_assert(r.exact);
        }
}
END_TEST

/* sub rsp at 9, rbp the frame register from 4 on, machine frame: interrupted between them. */
START_TEST(a_frame_register_over_a_machine_frame)
{
        PUT(INFO, 1, 9, 3, 0x05, 9, 0x42, 4, 0x03, 0, 0x0a);
        memcpy(stack + 8, (const uint64_t[]){ BASE + CODE + 0x50, 0x10, 0x246, STACK + 0x100, 0x18 }, 40);
        struct x64_registers r = at_offset(6, true);
        x64_set(&r, X64_RBP, STACK + 0x40, X64_NOWHERE);
        struct x64_step step = x64_unwind(&memory, &r);
        ck_assert_int_eq(step.way, X64_MACHINE_FRAME);
        ck_assert_uint_eq(step.machine, STACK + 0x40);
        ck_assert_uint_eq(r.gpr[X64_RSP], STACK + 0x100);
}
END_TEST

START_TEST(damage)
{
        PUT(INFO, 3, 0, 0, 0);
        broken(at_offset(0x40, true), "its unwind information is of no known version");
        PUT(INFO, 1, 0, 1, 0, 0, 0x0b);
        broken(at_offset(0x40, true), "its unwind codes hold an unknown operation");
        PUT(INFO, 1, 0, 2, 0, 0, 0x06, 0, 0); /* an epilogue's code in version 1 */
        broken(at_offset(0x40, true), "its unwind codes hold an unknown operation");
        PUT(INFO, 1, 0, 2, 0, 0, 0x06, 0, 0x0a); /* behind a code that is none a machine frame is none */
        broken(at_offset(0x40, true), "its unwind codes hold an unknown operation");
        PUT(INFO, 2, 0, 3, 0, 0, 0x07, 0, 0, 0, 0);
        broken(at_offset(0x40, true), "its unwind codes hold an unknown operation");
        unwind_at = 0x7000;
        broken(at_offset(0x40, true), "its unwind information is not in the image");
        unwind_at = INFO + 1; /* as the entry at INFO, which says: as the entry at INFO */
        PUT(INFO, 0, 0x10, 0, 0, 0, 0x11, 0, 0, 1, 0x30, 0, 0);
        broken(at_offset(0x40, true), "its unwind information is not in the image");
        unwind_at = INFO;
        PUT(INFO, 0x21, 0, 0, 0, 0, 0x10, 0, 0, 0, 0x11, 0, 0, 0, 0x30, 0, 0); /* chained to itself */
        broken(at_offset(0x40, true), "its unwind information is chained without end");
}
END_TEST

/* add rsp, 0x10; pop rbp; ret: one instruction more is done at each step. A return address is in no epilogue. */
START_TEST(an_epilogue)
{
        PUT(INFO, 1, 5, 2, 0, 5, 0x12, 1, 0x50);
        PUT(CODE + 0x40, 0x48, 0x83, 0xc4, 0x10, 0x5d, 0xc3);
        static const uint32_t offsets[] = { 0x40, 0x44, 0x45 }, words[] = { 3, 1, 0 };
        for (unsigned i = 0; i < 3; i++) {
                struct x64_registers r = at_offset(offsets[i], true);
                ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_EPILOGUE);
                ck_assert_uint_eq(r.rip, 0x1000 + words[i]);
        }
        struct x64_registers r = at_offset(0x44, false);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_UNWOUND);
        ck_assert_uint_eq(r.rip, 0x1003);
        PUT(INFO, 1, 5, 1, 0x05, 5, 0x12); /* rbp is its frame register; lea rsp, [rbp + 8]; ret */
        PUT(CODE + 0x60, 0x48, 0x8d, 0x65, 8, 0xc3);
        r = at_offset(0x60, true);
        x64_set(&r, X64_RBP, STACK + 0x20, X64_NOWHERE);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_EPILOGUE);
        ck_assert_uint_eq(r.rip, 0x1005);
        r = at_offset(0x60, true);
        r.known &= ~(1u << X64_RBP);
        broken(r, "the stack is not in the image there");
        r = at_offset(0x64, true); /* behind it the register is not needed */
        r.known &= ~(1u << X64_RBP);
        ck_assert_int_eq(x64_unwind(&memory, &r).way, X64_EPILOGUE);
        PUT(INFO, 1, 5, 2, 0, 5, 0x12, 1, 0x50);
        code_hidden = true;
        r = at_offset(0x44, true);
        struct x64_step step = x64_unwind(&memory, &r);
        ck_assert_int_eq(step.way, X64_UNWOUND);
        ck_assert(step.code_missing);
}
END_TEST

/* Jumps leave where they lead out of the function, or to its start. */
START_TEST(jumps)
{
        static const struct {
                uint8_t code[8];
                bool leaves;
        } cases[] = {
                { { 0xeb, 0x10 }, false },
                { { 0xe9, 0x00, 0x02, 0x00, 0x00 }, true },
                { { 0xe9, 0xbb, 0xff, 0xff, 0xff }, true }, /* 0x45 back: the start */
                { { 0xe9, 0xbc, 0xff, 0xff, 0xff }, false },
                { { 0xff, 0x25, 0, 0, 0, 0 }, true },
                { { 0x48, 0xff, 0xe0 }, true },
                { { 0xff, 0xe0 }, false }, /* a switch */
                { { 0xf3, 0xc3 }, true },
                { { 0xf2, 0xc3 }, true },
                { { 0xc2, 8, 0 }, true },
                { { 0x48, 0xcf }, true },
                { { 0xcc }, false },
        };
        PUT(INFO, 1, 5, 1, 0, 5, 0x12);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                put(CODE + 0x40, cases[i].code, sizeof cases[i].code);
                struct x64_registers r = at_offset(0x40, true);
                enum x64_way way = x64_unwind(&memory, &r).way;
                ck_assert_msg((way != X64_UNWOUND) == cases[i].leaves, "case %zu went way %d", i, way);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("unwind_x64");
        TCase *tc = tcase_create("unwind_x64");
        tcase_add_checked_fixture(tc, setup, NULL);
        tcase_add_test(tc, a_leaf);
        tcase_add_test(tc, a_prologue);
        tcase_add_test(tc, large_frames);
        tcase_add_test(tc, saves);
        tcase_add_test(tc, a_frame_register);
        tcase_add_test(tc, machine_frames);
        tcase_add_test(tc, a_frame_register_over_a_machine_frame);
        tcase_add_test(tc, damage);
        tcase_add_test(tc, an_epilogue);
        tcase_add_test(tc, jumps);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
