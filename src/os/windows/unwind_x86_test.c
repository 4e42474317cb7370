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
        fpo = (struct x86_fpo){ 0 };
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
        r.known = 1u << X86_ESP; /* what is popped is known from then on, and nothing else */
        CODE("\x5f\x5e\xc3");
        goes(X86_BY_CODE, 2, STACK + 12);
        ck_assert_uint_eq(r.known, 1u << X86_ESP | 1u << X86_EDI | 1u << X86_ESI);
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

/* mov eax, [ebp+24h], the place of which looks like that of a stack pointer */
START_TEST(code_that_loads_by_ebp)
{
        stack[(0x40 + 0x24) / 4] = 0x5151;
        CODE("\x8b\x45\x24\xc3");
        goes(X86_BY_CODE, 0, STACK + 4);
        ck_assert_uint_eq(r.gpr[X86_EAX], 0x5151);
}
END_TEST

START_TEST(more_code_that_returns)
{
        CODE("\x81\xc4\x08\0\0\0\xc3"); /* add esp, 8 in the long form */
        goes(X86_BY_CODE, 2, STACK + 12);
        setup();
        CODE("\x8b\xe5\x5d\xc3"); /* mov esp, ebp; pop ebp; ret */
        stack[16] = 0x1234;
        goes(X86_BY_CODE, 17, STACK + 0x48);
        ck_assert_uint_eq(r.gpr[X86_EBP], 0x1234);
        setup();
        CODE("\x64\x89\x0d\0\0\0\0\xc3"); /* mov fs:[0], ecx */
        goes(X86_BY_CODE, 0, STACK + 4);
}
END_TEST

/* Any other instruction, or a stack pointer in doubt: the frame pointer decides. */
START_TEST(code_that_does_not)
{
        stack[16] = STACK + 0x80;
        stack[17] = TEXT + 0x111;
        CODE("\x40\x90\xc3"); /* inc eax: not of an end */
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        setup();
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

/* The function is over, and goes on in another one: "pop edi; jmp". */
START_TEST(a_call_at_the_end)
{
        has_fpo = true;
        fpo = (struct x86_fpo){ .begin = TEXT + 0x26, .size = 0x10 };
        CODE("\x5f\xe9\x20\0\0\0");
        stack[0] = 0x77;
        goes(X86_BY_CODE, 1, STACK + 8);
        ck_assert_uint_eq(r.gpr[X86_EDI], 0x77);
        setup();
        has_fpo = true;
        fpo = (struct x86_fpo){ .begin = TEXT + 0x26, .size = 0x10 };
        CODE("\xeb\x24");
        goes(X86_BY_CODE, 0, STACK + 4);
        setup(); /* to the middle of one */
        has_fpo = true;
        fpo = (struct x86_fpo){ .begin = TEXT + 0x25, .size = 0x10 };
        CODE("\xeb\x24");
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        setup(); /* a loop over all of the function */
        has_fpo = true;
        fpo = (struct x86_fpo){ .begin = TEXT, .size = 0x10, .program = "" };
        CODE("\xeb\xfe");
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        setup(); /* without frame data it could be any jump */
        CODE("\xeb\x24");
        goes(X86_BY_FRAME, 17, STACK + 0x48);
}
END_TEST

/* Words of the stack that are no return addresses. */
static void plain(uint32_t from, uint32_t to)
{
        for (uint32_t i = from; i < to; i++)
                stack[i] = 0x1000 + i;
}

static void fpo_data(uint32_t begin)
{
        setup();
        has_fpo = true;
        fpo = (struct x86_fpo){ .begin = begin, .size = 0x40, .locals = 8, .saved = 4, .params = 8, .prologue = 4 };
}

START_TEST(frame_data)
{
        fpo_data(TEXT - 0x20);
        goes(X86_BY_FPO, 3, STACK + 16);
        ck_assert(!r.esp_sure);
        ck_assert_uint_eq(r.known, 1u << X86_ESP | 1u << X86_EBP);
        fpo_data(TEXT - 0x20); /* in the middle of pushing parameters */
        plain(0, 6);
        goes(X86_BY_FPO, 6, STACK + 28);
        fpo_data(TEXT - 0x20); /* what a callee may have taken off lies below */
        r.esp_sure = r.exact = false;
        plain(0, 6);
        goes(X86_BY_FPO, 6, STACK + 28);
        fpo_data(TEXT - 0x20); /* room for parameters that the callee took off, made again */
        r.gpr[X86_ESP] += 12;
        CODE("\x83\xec\x0c");
        goes(X86_BY_FPO, 3, STACK + 16);
        fpo_data(TEXT - 0x20);
        r.gpr[X86_ESP] += 12;
        CODE("\x81\xec\x0c\0\0\0");
        goes(X86_BY_FPO, 3, STACK + 16);
        fpo_data(TEXT - 4); /* right behind the prologue */
        r.gpr[X86_ESP] += 12;
        CODE("\x83\xec\x0c");
        goes(X86_BY_FPO, 3, STACK + 16);
        fpo_data(TEXT - 0x20); /* nobody knows whether it took any off */
        r.esp_sure = false;
        CODE("\x83\xec\x0c");
        goes(X86_BY_FPO, 3, STACK + 16);
        fpo_data(TEXT - 0x20);
        fpo.uses_ebp = true;
        goes(X86_BY_FPO, 3, STACK + 16);
        ck_assert_uint_eq(r.known, 1u << X86_ESP);
        fpo_data(TEXT - 0x20); /* too far */
        plain(0, 64);
        broken("a return address is not behind a call");
}
END_TEST

START_TEST(frame_data_in_a_prologue)
{
        fpo_data(TEXT); /* before its first instruction */
        goes(X86_BY_FPO, 0, STACK + 4);
        fpo_data(TEXT);
        stack[0] = 1;
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        fpo_data(TEXT - 2); /* how much was done is not told, but no more can be */
        plain(0, 2);
        goes(X86_BY_FPO, 2, STACK + 12);
        fpo_data(TEXT - 2);
        plain(0, 3);
        goes(X86_BY_FPO, 3, STACK + 16);
        fpo_data(TEXT - 2);
        plain(0, 4);
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        fpo_data(TEXT - 4); /* behind it */
        plain(0, 3);
        goes(X86_BY_FPO, 3, STACK + 16);
        fpo_data(TEXT - 2); /* a caller is never in its prologue */
        r.exact = false;
        goes(X86_BY_FPO, 3, STACK + 16);
}
END_TEST

START_TEST(the_search_ends_at_user_mode)
{
        fpo_data(TEXT - 0x20);
        plain(0, 7);
        memory.user_trap = STACK + 7 * 4;
        goes(X86_BY_FRAME, 17, STACK + 0x48);
        fpo_data(TEXT - 0x20);
        plain(0, 7);
        memory.user_trap = STACK + 8 * 4;
        goes(X86_BY_FPO, 7, STACK + 32);
}
END_TEST

static void program(const char *words)
{
        fpo_data(TEXT);
        fpo.program = words;
        plain(0, 3);
        r.gpr[X86_EBX] = 0x0b0b0b0b;
}

START_TEST(programs)
{
        program("$T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + = $ebp $T0 4 - ^ = ");
        goes(X86_BY_FPO, 3, STACK + 16);
        ck_assert_uint_eq(r.gpr[X86_EBP], 0x1002);
        ck_assert_uint_eq(r.gpr[X86_EBX], 0x0b0b0b0b);
        ck_assert_uint_eq(r.known, 1u << X86_ESP | 1u << X86_EBP | 1u << X86_EBX | 1u << X86_ESI | 1u << X86_EDI);
        program("$T0 $ebp = $eip $T0 4 + ^ = $ebp $T0 ^ = $esp $T0 8 + = $L $T0 .cbSavedRegs - = $P $T0 .cbParams + =");
        stack[16] = 0x12345678;
        goes(X86_BY_FPO, 17, STACK + 0x48);
        ck_assert_uint_eq(r.gpr[X86_EBP], 0x12345678);
        program("$T1 $ebp 4 + = $T0 $T1 8 - 16 @ = $eip $T1 ^ = $esp $T1 4 + = $esi $T0 ^ = $edi $T0 .cbLocals 4 / + ^ "
                "=");
        stack[12] = 0x51; /* (0x44 - 8) without its last 4 bits */
        stack[14] = 0xd1;
        fpo.locals = 32;
        goes(X86_BY_FPO, 17, STACK + 0x48);
        ck_assert_uint_eq(r.gpr[X86_ESI], 0x51);
        ck_assert_uint_eq(r.gpr[X86_EDI], 0xd1);
        program("$eip $esp 3 4 * + ^ = $esp $esp 21 16 % 11 + + = $ebx 5000000 ^ =");
        goes(X86_BY_FPO, 3, STACK + 16);
        ck_assert_uint_eq(r.known, 1u << X86_ESP | 1u << X86_EBP | 1u << X86_ESI | 1u << X86_EDI);
}
END_TEST

/* What is no program, or leads nowhere: the frame pointer is asked. */
START_TEST(programs_that_are_none)
{
        static const char *const bad[] = {
                "",
                "$eip",
                "$eip 1 =",
                "$eip $esp 12 + ^ =",
                "$esp $esp 16 + =",
                "$eip $esp 12 + ^ = $esp $esp 16 + = 4",
                "$eip $esp 12 + ^ = 5 $esp =",
                "$eip $esp 12 + ^ = $esp $esp 0 / =",
                "$eip $esp 12 + ^ = $esp $esp 0 % =",
                "$eip $esp 12 + ^ = $esp +",
                "^",
                "=",
                "+",
                "$T0 ^ =",
                "$eip $T9 ^ = $esp $esp 16 + =",
                "$eip 4198656 = $esp $esp 16 + =", /* a return address that lies nowhere */
                "$eip $esp 12 + ^ = $esp $T99 =",
                "$eip $esp 12 + ^ = $esp $zzz =",
                "$eip $esp 12 + ^ = $esp .cbNothing =",
                "$eip $esp 12 + ^ = $esp 12x =",
                "$eip $esp 12 + ^ = $esp aTokenThatIsMuchTooLongToBeOne =",
                "$eip $esp 8 + ^ = $esp $esp 16 + =",
                "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        };
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
                program(bad[i]);
                goes(X86_BY_FRAME, 17, STACK + 0x48);
        }
        program("$T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + =");
        r.known = 1u << X86_EBP; /* the stack pointer itself is not known: no search */
        plain(0, 16);
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

static bool is_last(void *ctx, uint32_t slot)
{
        (void)ctx;
        return slot == STACK + 0x44;
}

START_TEST(the_outermost)
{
        memory.outermost = is_last;
        ck_assert_int_eq(x86_unwind(&memory, &r).way, X86_BOTTOM);
        r.gpr[X86_EBP] = STACK + 0x48;
        goes(X86_BY_FRAME, 19, STACK + 0x50);
        setup();
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
        tcase_add_test(tc, code_that_loads_by_ebp);
        tcase_add_test(tc, more_code_that_returns);
        tcase_add_test(tc, code_that_does_not);
        tcase_add_test(tc, a_prologue);
        tcase_add_test(tc, a_call_at_the_end);
        tcase_add_test(tc, frame_data);
        tcase_add_test(tc, frame_data_in_a_prologue);
        tcase_add_test(tc, the_search_ends_at_user_mode);
        tcase_add_test(tc, programs);
        tcase_add_test(tc, programs_that_are_none);
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
