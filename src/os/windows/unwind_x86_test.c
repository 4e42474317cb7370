/* SPDX-License-Identifier: MIT */
/* x86 code and stacks spelled out byte by byte, and followed. */
#include <check.h>
#include <stdbool.h>
#include <string.h>

#include "unwind_x86.h"

#define TEXT 0x401000u /* 0x200 bytes; its second half counts as behind a call */
#define STACK 0x12f000u
#define WORDS 64

static uint8_t text[0x200];
static uint32_t stack[WORDS];
static struct x86_fpo fpo;
static bool has_fpo, code_hidden;
static uint32_t trap_at; /* 0: none */

static bool read_memory(void *ctx, uint32_t va, void *buf, size_t len)
{
        (void)ctx;
        if (va >= TEXT && va - TEXT < sizeof text) {
                size_t have = sizeof text - (va - TEXT);
                memset(buf, 0xcc, len);
                memcpy(buf, text + (va - TEXT), have < len ? have : len);
                return !code_hidden;
        }
        if (va < STACK || va - STACK > sizeof stack - len)
                return false;
        memcpy(buf, (uint8_t *)stack + (va - STACK), len);
        return true;
}

static enum x86_code code_at(void *ctx, uint32_t pc)
{
        (void)ctx;
        if (pc < TEXT || pc >= TEXT + sizeof text)
                return X86_NO_CODE;
        return pc < TEXT + 0x100 ? X86_OTHER_CODE : X86_RETURN;
}

static bool on_stack(void *ctx, uint32_t va, size_t len)
{
        (void)ctx;
        return va >= STACK && va - STACK <= sizeof stack - len;
}

static bool fpo_at(void *ctx, uint32_t pc, struct x86_fpo *ret_fpo)
{
        (void)ctx;
        *ret_fpo = fpo;
        return has_fpo && pc - fpo.begin < fpo.size;
}

static bool trap(void *ctx, uint32_t va, struct x86_registers *ret_registers, bool *ret_user)
{
        (void)ctx;
        if (!trap_at || va != trap_at)
                return false;
        *ret_registers = (struct x86_registers){ .eip = 0x7c901234, .exact = true, .known = 1u << X86_ESP };
        *ret_user = true;
        return true;
}

static struct x86_memory memory;
static struct x86_registers r;

static void setup(void)
{
        fpo.is_block = false;
        memset(text, 0xcc, sizeof text);
        for (uint32_t i = 0; i < WORDS; i++)
                stack[i] = TEXT + 0x100 + i;
        memory = (struct x86_memory){
                .read = read_memory, .code = code_at, .on_stack = on_stack, .fpo = fpo_at, .trap = trap
        };
        r = (struct x86_registers){ .eip = TEXT, .exact = true, .esp_sure = true, .known = 0xff };
        r.gpr[X86_ESP] = STACK;
        r.gpr[X86_EBP] = STACK + 0x40;
        has_fpo = code_hidden = false;
        trap_at = 0;
}

static void code(const char *bytes, size_t len) { memcpy(text, bytes, len); }
#define CODE(bytes) code(bytes, sizeof(bytes) - 1)

static void goes(enum x86_way way, uint32_t word, uint32_t esp)
{
        struct x86_step step = x86_unwind(&memory, &r);
        ck_assert_msg(step.way == way, "way %d: %s", step.way, step.why ? step.why : "");
        ck_assert_uint_eq(r.eip, TEXT + 0x100 + word);
        ck_assert_uint_eq(r.eip_at, STACK + 4 * word);
        ck_assert_uint_eq(r.gpr[X86_ESP], esp);
        ck_assert(!r.exact);
}

static void broken(const char *why)
{
        struct x86_registers before = r;
        struct x86_step step = x86_unwind(&memory, &r);
        ck_assert_int_eq(step.way, X86_BROKEN);
        ck_assert_str_eq(step.why, why);
        ck_assert_mem_eq(&before, &r, sizeof r);
}

START_TEST(code_that_returns)
{
        CODE("\xc3");
        goes(X86_BY_CODE, 0, STACK + 4);
        setup();
        CODE("\xc2\x0c\x00");
        goes(X86_BY_CODE, 0, STACK + 16);
        setup();
        CODE("\x8b\xc6\x5f\x5e\x83\xc4\x08\xc3"); /* mov eax, esi; pop edi; pop esi; add esp, 8; ret */
        goes(X86_BY_CODE, 4, STACK + 20);
        ck_assert_uint_eq(r.gpr[X86_EDI], TEXT + 0x100);
        ck_assert_uint_eq(r.gpr[X86_ESI], TEXT + 0x101);
        setup();
        CODE("\x5f\xc9\xc3"); /* pop edi; leave; ret: by the frame pointer */
        goes(X86_BY_CODE, 17, STACK + 0x48);
        ck_assert_uint_eq(r.gpr[X86_EBP], TEXT + 0x110);
        setup();
        CODE("\x8d\x65\xf8\x5e\x5b\x5d\xc3"); /* lea esp, [ebp-8]; pop esi; pop ebx; pop ebp; ret */
        goes(X86_BY_CODE, 17, STACK + 0x48);
        setup();
        CODE("\x8b\x2c\x24\x8b\x7c\x24\x04\x83\xc4\x10\xc3"); /* as KiSwapContext gives back */
        goes(X86_BY_CODE, 4, STACK + 20);
        ck_assert_uint_eq(r.gpr[X86_EBP], TEXT + 0x100);
        ck_assert_uint_eq(r.gpr[X86_EDI], TEXT + 0x101);
}
END_TEST

/* Any other instruction, or a stack pointer in doubt: the frame pointer decides. */
START_TEST(code_that_does_not)
{
        stack[16] = STACK + 0x80;
        stack[17] = TEXT + 0x111;
        CODE("\x5f\x90\xe8\x00\x00\x00\x00\xc3");
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        ck_assert(!r.esp_sure);
        ck_assert_uint_eq(r.gpr[X86_EBP], STACK + 0x80);
        setup();
        r.esp_sure = false;
        CODE("\xc3");
        stack[16] = STACK + 0x80;
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        setup();
        code_hidden = true;
        CODE("\xc3");
        goes(X86_BY_FRAME, 17, STACK + 0x48);
}
END_TEST

START_TEST(a_prologue)
{
        CODE("\x8b\xff\x55\x8b\xec");
        goes(X86_BY_CODE, 0, STACK + 4);
        setup();
        CODE("\x8b\xff\x55\x8b\xec");
        r.eip = TEXT + 3;
        goes(X86_BY_CODE, 1, STACK + 8);
        ck_assert_uint_eq(r.gpr[X86_EBP], TEXT + 0x100);
}
END_TEST

START_TEST(frame_data)
{
        has_fpo = true;
        fpo = (struct x86_fpo){ .begin = TEXT - 0x20, .size = 0x40, .locals = 8, .saved = 4, .prologue = 4 };
        goes(X86_BY_FPO, 3, STACK + 16);
        ck_assert(!r.esp_sure);
        setup();
        has_fpo = true;
        fpo.begin = TEXT; /* before its first instruction */
        goes(X86_BY_FPO, 0, STACK + 4);
        setup();
        has_fpo = true;
        fpo.begin = TEXT - 2; /* in its prologue: nobody tells how much was done */
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        setup();
        has_fpo = true;
        fpo.is_block = true; /* of a block it is told */
        goes(X86_BY_FPO, 3, STACK + 16);
        setup();
        has_fpo = fpo.is_block = true;
        fpo.begin = TEXT;
        goes(X86_BY_FPO, 3, STACK + 16);
        setup();
        has_fpo = true;
        r.esp_sure = false;
        goes(X86_BY_FRAME, 17, STACK + 0x48);
}
END_TEST

START_TEST(frame_pointers_that_are_none)
{
        static const char above[] = "the frame pointer does not point into the stack above it";
        r.gpr[X86_EBP] = STACK + 0x41;
        broken(above);
        r.gpr[X86_EBP] = STACK - 4;
        broken(above);
        r.gpr[X86_EBP] = STACK + sizeof stack - 4;
        broken(above);
        r.gpr[X86_EBP] = UINT32_MAX - 3;
        broken(above);
        r.gpr[X86_EBP] = STACK + 0x40;
        r.gpr[X86_ESP] = STACK + 0x80;
        broken(above);
        setup();
        stack[17] = TEXT + 4; /* code, not behind a call */
        broken("a return address is not behind a call");
        stack[17] = 0x500000;
        broken("a return address is not behind a call");
        setup();
        r.known &= ~(1u << X86_EBP);
        broken("the frame pointer is not known");
        CODE("\xc3");
        stack[0] = 0x500000;
        broken("a return address lies in no module's code");
}
END_TEST

START_TEST(the_outermost)
{
        r.gpr[X86_EBP] = 0;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_BOTTOM);
        setup();
        stack[17] = 0;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_BOTTOM);
        setup();
        CODE("\xc3");
        stack[0] = 0;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_BOTTOM);
}
END_TEST

/* A trap frame is where the frame pointer, the stack pointer, or a return address would be. */
START_TEST(user_mode_behind)
{
        trap_at = memory.user_trap = STACK + 0x40;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_AT_USER);
        ck_assert_uint_eq(r.eip, 0x7c901234);
        setup();
        trap_at = memory.user_trap = STACK;
        r.gpr[X86_EBP] = 0x99999998;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_AT_USER);
        setup();
        trap_at = memory.user_trap = STACK + 0x44;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_AT_USER);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("unwind_x86");
        TCase *tc = tcase_create("unwind_x86");
        tcase_add_checked_fixture(tc, setup, NULL);
        tcase_add_test(tc, code_that_returns);
        tcase_add_test(tc, code_that_does_not);
        tcase_add_test(tc, a_prologue);
        tcase_add_test(tc, frame_data);
        tcase_add_test(tc, frame_pointers_that_are_none);
        tcase_add_test(tc, the_outermost);
        tcase_add_test(tc, user_mode_behind);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? 1 : 0;
}
