/* SPDX-License-Identifier: MIT */
/* Stacks of user mode that are written here word by word, then followed: by frame pointers, by tables, by both. */
#include <check.h>
#include <string.h>

#include "../../test/world.h"
#include "regs.h"
#include "unwind_user.h"

static struct world world;
static struct linux_frame frames[32];

static void word(uint64_t va, uint64_t value) { world_u(&world, va, 8, value); }

#define USER UINT64_C(0x7ffe00000000)
#define PROGRAM UINT64_C(0x401000)

#define USER32 UINT64_C(0x90000000)

static struct user_walk user_walk; /* the last one */
static bool covered_code;          /* what is mapped is known: the page of the program */

static bool is_code(void *ctx, uint64_t pc)
{
        (void)ctx;
        return pc >= PROGRAM && pc < PROGRAM + 0x1000;
}

static size_t followed(struct stasis_space *space,
                       enum stasis_status (*tables)(void *ctx, uint64_t pc, struct cfi_entry *ret_entry),
                       const struct stasis_registers *r, size_t max)
{
        user_walk = (struct user_walk){ .space = space,
                                        .entry_at = tables,
                                        .is_code = covered_code ? is_code : NULL,
                                        .frame = frames,
                                        .max = max };
        unwind_user(&user_walk, r);
        return user_walk.count;
}

START_TEST(user)
{
        world_start(&world, PT_X64);
        world_map(&world, USER, 0x2000);
        world_map(&world, PROGRAM, 0x1000);
        world_put(&world, PROGRAM + 0x100, "\xe8\x01\x02\x03\x04", 5);
        world_put(&world, PROGRAM + 0x200, "\xff\xd0", 2);
        word(USER + 0x100, USER + 0x140);
        word(USER + 0x108, PROGRAM + 0x105);
        word(USER + 0x140, USER + 0x180);
        word(USER + 0x148, PROGRAM + 0x202);
        word(USER + 0x180, 0);
        word(USER + 0x188, PROGRAM + 0x300); /* not behind a call */
        struct stasis_registers r = { .width = 8, .known = 1u << REG_BP | 1u << REG_SP | 1u << REG_IP };
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                r.va[i] = STASIS_NOWHERE;
        r.cpu.rip = PROGRAM + 0x50;
        r.cpu.gpr[REG_SP] = USER + 0xf0;
        r.cpu.gpr[REG_BP] = USER + 0x100;
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 32), 3);
        ck_assert(frames[0].pc == PROGRAM + 0x50 && frames[0].how == STASIS_HOW_REGISTER && frames[0].exact);
        ck_assert(frames[1].pc == PROGRAM + 0x105 && frames[1].how == STASIS_HOW_FRAME_POINTER);
        ck_assert(frames[1].slot == USER + 0x108 && frames[2].pc == PROGRAM + 0x202 && !frames[2].exact);
        ck_assert_str_eq(user_walk.end, "what the process maps is not known");
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 2), 2);
        ck_assert_uint_eq(followed(NULL, NULL, &r, 32), 1);
        r.cpu.gpr[REG_SP] = USER + 0x108; /* a chain below the stack pointer is of the past */
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 32), 1);
        r.cpu.gpr[REG_SP] = USER + 0xf0;
        r.cpu.gpr[REG_BP] = 0x5a00582e76d60005; /* anything */
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 32), 1);
        r.cpu.gpr[REG_BP] = USER + 0x100;
        word(USER + 0x140, USER + 0x140); /* does not rise */
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 32), 3);
        r.known &= ~(1u << REG_BP);
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 32), 1);
        /* a 32-bit program of a 64-bit kernel */
        r.known |= 1u << REG_BP | STASIS_REGISTERS_SELECTORS;
        r.cpu.cs = 0x23;
        r.cpu.gpr[REG_SP] = USER32 + 0x800;
        r.cpu.gpr[REG_BP] = USER32 + 0x804;
        world_map(&world, USER32, 0x1000);
        world_u(&world, USER32 + 0x804, 4, 0);
        world_u(&world, USER32 + 0x808, 4, PROGRAM + 0x105);
        ck_assert_uint_eq(followed(&world.space, NULL, &r, 32), 2);
        ck_assert_uint_eq(frames[1].sp, USER32 + 0x80c);
}
END_TEST

/* ---- user mode, by tables: functions of 0x100 bytes, each with instructions at TABLES + 0x20 * number */

#define TABLES UINT64_C(0x402000)
#define CODES 8

static struct {
        uint8_t len; /* 0: no table covers it */
        bool signal;
        enum stasis_status status;
} covered[CODES];

static enum stasis_status entry_at(void *ctx, uint64_t pc, struct cfi_entry *ret_entry)
{
        uint64_t i = (pc - PROGRAM) / 0x100;
        (void)ctx;
        if (pc < PROGRAM || i >= CODES || !covered[i].len)
                return STASIS_UNSUPPORTED;
        if (covered[i].status != STASIS_OK)
                return covered[i].status;
        *ret_entry = (struct cfi_entry){ .start = PROGRAM + i * 0x100,
                                         .end = PROGRAM + (i + 1) * 0x100,
                                         .at = TABLES + 0x20 * i,
                                         .len = covered[i].len,
                                         .code_align = 1,
                                         .data_align = -8,
                                         .ra = 16,
                                         .signal = covered[i].signal };
        return STASIS_OK;
}

static void covers(unsigned i, const char *program, size_t len)
{
        covered[i].len = (uint8_t)len;
        covered[i].status = STASIS_OK;
        covered[i].signal = false;
        world_put(&world, TABLES + 0x20 * i, program, len);
}
#define COVERS(i, program) covers(i, program, sizeof(program) - 1)
#define LEAF "\x0c\x07\x08\x90\x01"           /* CFA = rsp + 8 */
#define FRAMED "\x0c\x06\x10\x90\x01\x86\x02" /* push rbp; mov rbp, rsp */
#define PUSHED "\x0c\x07\x10\x90\x01\x86\x02" /* push rbp */
#define OUTERMOST "\x0c\x07\x08\x07\x10"      /* the return address is undefined */

static void start_user(struct stasis_registers *r)
{
        world_start(&world, PT_X64);
        world_map(&world, USER, 0x2000);
        world_map(&world, PROGRAM, 0x2000);
        memset(covered, 0, sizeof covered);
        for (unsigned i = 0; i < CODES; i++) /* each function calls something */
                world_put(&world, PROGRAM + 0x100 * i + 0x10, "\xe8\x01\x02\x03\x04", 5);
        *r = (struct stasis_registers){ .width = 8, .known = 1u << REG_BP | 1u << REG_SP | 1u << REG_IP };
        for (unsigned i = 0; i < STASIS_REGISTERS; i++)
                r->va[i] = STASIS_NOWHERE;
        r->cpu.rip = PROGRAM + 0x50;
        r->cpu.gpr[REG_SP] = USER + 0xf8;
        r->cpu.gpr[REG_BP] = 1;
}
#define RETURN(i) (PROGRAM + 0x100 * (i) + 0x15)

static void user_is(const struct stasis_registers *r, const char *end, const uint64_t *pc, size_t count)
{
        ck_assert_msg(followed(&world.space, entry_at, r, 32) == count, "%zu frames: %s", user_walk.count,
                      user_walk.end);
        for (size_t i = 0; i < count; i++)
                ck_assert_msg(frames[i].pc == pc[i], "frame %zu is %llx", i, (unsigned long long)frames[i].pc);
        ck_assert_str_eq(user_walk.end, end);
}
#define USER_IS(r, end, ...) \
        user_is(r, end, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

START_TEST(user_tables)
{
        struct stasis_registers r;
        start_user(&r);
        COVERS(0, LEAF);
        COVERS(1, PUSHED);
        COVERS(2, FRAMED);
        COVERS(3, OUTERMOST);
        word(USER + 0xf8, RETURN(1));
        word(USER + 0x100, USER + 0x180); /* rbp of function 2 */
        word(USER + 0x108, RETURN(2));
        word(USER + 0x180, 0);
        word(USER + 0x188, RETURN(3));
        USER_IS(&r, "outermost function", PROGRAM + 0x50, RETURN(1), RETURN(2), RETURN(3));
        ck_assert(frames[0].exact && !frames[1].exact && frames[3].how == STASIS_HOW_EH_FRAME);
        ck_assert(frames[3].slot == USER + 0x188 && frames[3].sp == USER + 0x190);
        /* the call was the last instruction of function 1 */
        word(USER + 0xf8, PROGRAM + 0x200);
        world_put(&world, PROGRAM + 0x1fb, "\xe8\x01\x02\x03\x04", 5);
        USER_IS(&r, "outermost function", PROGRAM + 0x50, PROGRAM + 0x200, RETURN(2), RETURN(3));
        word(USER + 0xf8, RETURN(1));
        /* a word that is no code, one that is 0 */
        word(USER + 0x188, 0x1234);
        USER_IS(&r, "a return address does not lie in code", PROGRAM + 0x50, RETURN(1), RETURN(2));
        word(USER + 0x188, 0);
        USER_IS(&r, "outermost function", PROGRAM + 0x50, RETURN(1), RETURN(2));
        /* rbp leads back */
        word(USER + 0x100, USER + 0xe0);
        word(USER + 0xe8, RETURN(3));
        USER_IS(&r, "the stack pointer does not rise", PROGRAM + 0x50, RETURN(1), RETURN(2));
        /* rbp leads out of the image; its table does; nobody has one */
        word(USER + 0x100, USER + 0x100000);
        USER_IS(&r, "a register or a word of the stack that is needed is not known", PROGRAM + 0x50, RETURN(1),
                RETURN(2));
        covered[2].status = STASIS_IO;
        word(USER + 0x100, 1);
        USER_IS(&r, "a page of the program that tells how to go on is not in the image", PROGRAM + 0x50, RETURN(1),
                RETURN(2));
        covered[2].status = STASIS_CORRUPT;
        USER_IS(&r, "the unwind table of the code makes no sense", PROGRAM + 0x50, RETURN(1), RETURN(2));
        covered[2].len = 0;
        USER_IS(&r, "no unwind table covers the code", PROGRAM + 0x50, RETURN(1), RETURN(2));
        ck_assert_uint_eq(followed(&world.space, entry_at, &r, 2), 2);
        ck_assert_str_eq(user_walk.end, "more frames than are followed");
        COVERS(0, "\x0c\x11\x08");
        USER_IS(&r, "the unwind table of the code makes no sense", PROGRAM + 0x50);
}
END_TEST

/* vfork: the stack pointer is the caller's, the return address in rdi. */
START_TEST(user_in_register)
{
        struct stasis_registers r;
        start_user(&r);
        COVERS(0, "\x0c\x07\x00\x09\x10\x05");
        COVERS(1, OUTERMOST);
        r.known |= 1u << REG_DI;
        r.cpu.gpr[REG_DI] = RETURN(1);
        USER_IS(&r, "outermost function", PROGRAM + 0x50, RETURN(1));
        COVERS(1, "\x0c\x07\x00\x09\x10\x03"); /* only the innermost may keep the stack pointer where it is */
        r.known |= 1u << REG_BX;
        r.cpu.gpr[REG_BX] = RETURN(1);
        USER_IS(&r, "the stack pointer does not rise", PROGRAM + 0x50, RETURN(1));
}
END_TEST

/* A handler that returns to the trampoline, whose frame is the interrupted registers, on a stack of its own. */
START_TEST(user_signal)
{
        struct stasis_registers r;
        start_user(&r);
        COVERS(0, LEAF);
        COVERS(1, "\x0c\x07\x00\x10\x10\x03\x77\xa8\x01\x10\x07\x03\x77\xa0\x01"); /* rip at rsp+168, rsp at rsp+160 */
        covered[1].signal = true;
        COVERS(2, OUTERMOST);
        word(USER + 0xf8, PROGRAM + 0x101); /* behind a nop, not behind a call */
        word(USER + 0x100 + 160, USER + 0x10);
        word(USER + 0x100 + 168, PROGRAM + 0x200); /* interrupted at its first instruction */
        USER_IS(&r, "a return address does not lie in code", PROGRAM + 0x50);
        covered_code = true;
        USER_IS(&r, "outermost function", PROGRAM + 0x50, PROGRAM + 0x101, PROGRAM + 0x200);
        ck_assert(frames[2].exact && !frames[1].exact && frames[2].sp == USER + 0x10);
}
END_TEST

/* Function 0 has no table: by its frame pointer, and where that is none, by looking for its caller. */
START_TEST(user_mixed)
{
        struct stasis_registers r;
        start_user(&r);
        covered_code = true;
        COVERS(1, PUSHED);
        COVERS(2, OUTERMOST);
        r.cpu.gpr[REG_BP] = USER + 0x200;
        word(USER + 0x200, USER + 0x300);
        word(USER + 0x208, RETURN(1));
        word(USER + 0x218, RETURN(2));
        USER_IS(&r, "outermost function", PROGRAM + 0x50, RETURN(1), RETURN(2));
        ck_assert(frames[1].how == STASIS_HOW_FRAME_POINTER && frames[2].how == STASIS_HOW_EH_FRAME);
        word(USER + 0x218, PROGRAM + 0x220); /* code, but behind no call: the stack pointer was not sure */
        USER_IS(&r, "a return address does not lie in code", PROGRAM + 0x50, RETURN(1));
        word(USER + 0x218, RETURN(2));
        r.cpu.gpr[REG_BP] = 1;
        word(USER + 0x110, PROGRAM + 0x220);
        word(USER + 0x118, RETURN(2)); /* the outermost alone proves nothing */
        word(USER + 0x120, RETURN(3));
        USER_IS(&r, "outermost function", PROGRAM + 0x50, RETURN(1), RETURN(2));
        ck_assert(frames[1].how == STASIS_HOW_SCAN && frames[1].slot == USER + 0x208);
        COVERS(1, FRAMED); /* needs a register that is not known there */
        USER_IS(&r, "no unwind table covers the code", PROGRAM + 0x50);
        COVERS(1, PUSHED);
        word(USER + 0x1208, RETURN(1));
        word(USER + 0x1218, RETURN(2));
        r.cpu.gpr[REG_SP] = USER + 0x1208 - 128 * 8; /* too far */
        USER_IS(&r, "no unwind table covers the code", PROGRAM + 0x50);
        r.cpu.gpr[REG_SP] += 8;
        USER_IS(&r, "outermost function", PROGRAM + 0x50, RETURN(1), RETURN(2));
}
END_TEST

static void teardown(void) { world_end(&world); }

int main(void)
{
        Suite *suite = suite_create("unwind-user");
        TCase *tc = tcase_create("unwind-user");
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_test(tc, user);
        tcase_add_test(tc, user_tables);
        tcase_add_test(tc, user_in_register);
        tcase_add_test(tc, user_signal);
        tcase_add_test(tc, user_mixed);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
