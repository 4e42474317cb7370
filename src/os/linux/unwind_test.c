/* SPDX-License-Identifier: MIT */
/* Stacks that are written here word by word, then followed: by ORC, by frame pointers, by looking for calls. */
#include <check.h>
#include <string.h>

#include "../../test/world.h"
#include "unwind_walk.h"

/* ---- a kernel of functions of 0x100 bytes, each with one rule */

#define TEXT64 UINT64_C(0xffffffff81000000)
#define TEXT32 UINT64_C(0xc1000000)
#define FUNCTIONS 12

static struct world world;
static struct orc_entry rule[FUNCTIONS];
static struct linux_frame frames[32];
static struct regs_shape shape;
static uint64_t text;
static uint64_t asked[64]; /* addresses that were asked for in the tables */
static unsigned asked_count;

static bool orc_at(void *ctx, uint64_t pc, struct orc_entry *ret_entry)
{
        (void)ctx;
        asked[asked_count++ % 64] = pc;
        if (pc < text || pc >= text + FUNCTIONS * 0x100 || rule[(pc - text) / 0x100].type == ORC_UNKNOWN)
                return false;
        *ret_entry = rule[(pc - text) / 0x100];
        return true;
}

static bool is_text(void *ctx, uint64_t pc)
{
        (void)ctx;
        return pc >= text && pc < text + FUNCTIONS * 0x100;
}

static struct unwind walker(void)
{
        return (struct unwind){
                .space = &world.space, .regs = &shape, .orc_at = orc_at, .is_text = is_text, .frame = frames, .max = 32
        };
}

static void frames_are(const struct unwind *u, const uint64_t *pc, size_t count)
{
        ck_assert_msg(u->count == count, "%zu frames: %s", u->count, u->why ? u->why : "");
        for (size_t i = 0; i < count; i++)
                ck_assert_msg(frames[i].pc == pc[i], "frame %zu is %llx", i, (unsigned long long)frames[i].pc);
}
#define FRAMES(u, ...) \
        frames_are(u, (const uint64_t[]){ __VA_ARGS__ }, sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

static void start(enum pt_mode mode)
{
        world_start(&world, mode);
        memset(rule, 0, sizeof rule);
        for (size_t i = 0; i < FUNCTIONS; i++)
                rule[i].type = ORC_UNKNOWN;
        asked_count = 0;
        text = mode == PT_X64 ? TEXT64 : TEXT32;
        regs_bind(NULL, mode == PT_X64 ? 8 : 4, &shape);
}

#define TASK UINT64_C(0xffffc90000010000) /* a stack of 16 KiB */
#define TASK_END (TASK + 0x4000)
#define IRQ UINT64_C(0xffffc90000000000)
#define IRQ_END (IRQ + 0x4000)

static void start64(void)
{
        start(PT_X64);
        world_map(&world, TASK, 0x4000);
        world_map(&world, IRQ, 0x4000);
        world_map(&world, TEXT64, 0x1000);
}

static void word(uint64_t va, uint64_t value) { world_u(&world, va, 8, value); }

static struct orc_entry call(uint8_t sp_reg, int16_t sp_offset, uint8_t bp_reg, int16_t bp_offset)
{
        return (struct orc_entry){
                .sp_reg = sp_reg, .sp_offset = sp_offset, .bp_reg = bp_reg, .bp_offset = bp_offset, .type = ORC_CALL
        };
}

/* A pt_regs of 64 bits: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig_ax ip cs flags sp ss. */
static void regs64(uint64_t at, uint64_t ip, uint64_t cs, uint64_t sp, uint64_t bp)
{
        word(at + 4 * 8, bp);
        word(at + 16 * 8, ip);
        word(at + 17 * 8, cs);
        word(at + 18 * 8, 0x246);
        word(at + 19 * 8, sp);
        word(at + 20 * 8, (cs & 3) ? 0x2b : 0x18);
}

#define PT_REGS (TASK_END - 21 * 8)

/* A sleeping task: schedule (SP rules), a wait (RBP frame), the system call, then user mode's registers. */
START_TEST(orc_sleeping)
{
        start64();
        rule[0] = call(ORC_SP, 0x20, ORC_PREV_SP, -16); /* CFA = SP + 32, the caller's RBP at CFA - 16 */
        rule[1] = call(ORC_BP, 16, ORC_PREV_SP, -16);
        rule[2] = call(ORC_SP, 16, ORC_UNDEFINED, 0);
        rule[3] = (struct orc_entry){ .sp_reg = ORC_SP, .type = ORC_REGS, .signal = true };
        word(TASK + 0x3000 + 0x10, TASK + 0x3080); /* RBP of function 1 */
        word(TASK + 0x3000 + 0x18, TEXT64 + 0x150);
        word(TASK + 0x3080, 0x1234);
        word(TASK + 0x3088, TEXT64 + 0x200); /* the call was the last instruction of its function */
        word(TASK + 0x3090 + 8, TEXT64 + 0x350);
        rule[1].signal = false;
        rule[2].sp_offset = (int16_t)16;
        /* behind a call at the very end of function 1: the rule must be that of function 1, not of 2 */
        word(TASK + 0x3088, TEXT64 + 0x280);
        word(TASK + 0x30a0, 0);
        rule[3].sp_offset = (int16_t)(PT_REGS - (TASK + 0x30a0));
        regs64(PT_REGS, 0x401704, 0x33, 0x7ffe00000000, 0);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        unwind_begin(&u, TEXT64 + 0x40, TASK + 0x3000, 0, false);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_USER);
        FRAMES(&u, TEXT64 + 0x40, TEXT64 + 0x150, TEXT64 + 0x280, TEXT64 + 0x350);
        ck_assert_int_eq(frames[0].how, STASIS_HOW_REGISTER);
        ck_assert_int_eq(frames[1].how, STASIS_HOW_ORC);
        ck_assert_uint_eq(frames[0].slot, STASIS_NOWHERE);
        ck_assert_uint_eq(frames[1].slot, TASK + 0x3018);
        ck_assert_uint_eq(frames[1].sp, TASK + 0x3020);
        ck_assert_uint_eq(frames[2].slot, TASK + 0x3088);
        ck_assert_uint_eq(frames[3].sp, TASK + 0x30a0);
        ck_assert_uint_eq(asked[0], TEXT64 + 0x3f); /* behind a call: one less */
}
END_TEST

/* A return address at the start of the next function belongs to the function that called. */
START_TEST(orc_call_is_the_last_instruction)
{
        start64();
        rule[0] = call(ORC_SP, 8, ORC_UNDEFINED, 0);
        rule[1] = (struct orc_entry){ .type = ORC_END };
        word(TASK + 0x100, TEXT64 + 0x200);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        unwind_begin(&u, TEXT64 + 0x40, TASK + 0x100, 0, false);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_BOTTOM);
        FRAMES(&u, TEXT64 + 0x40, TEXT64 + 0x200);
        /* and an interrupted instruction at a start belongs to the function that starts there */
        u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        rule[2] = call(ORC_SP, 8, ORC_UNDEFINED, 0);
        word(TASK + 0x100, TEXT64 + 0x150);
        unwind_begin(&u, TEXT64 + 0x200, TASK + 0x100, 0, true);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_BOTTOM);
        FRAMES(&u, TEXT64 + 0x200, TEXT64 + 0x150);
}
END_TEST

/* Interrupted in the kernel: from the IRQ stack back to the task's, whose registers lie in a whole pt_regs. */
START_TEST(orc_across_stacks)
{
        start64();
        rule[0] = call(ORC_SP, 16, ORC_UNDEFINED, 0);         /* the handler, on the IRQ stack */
        rule[1] = call(ORC_SP_INDIRECT, 8, ORC_UNDEFINED, 0); /* call_on_stack: the top word is the old SP */
        rule[2] = (struct orc_entry){ .sp_reg = ORC_SP, .type = ORC_REGS, .signal = true }; /* entry code */
        rule[3] = call(ORC_BP, 16, ORC_PREV_SP, -16);                                       /* what was interrupted */
        rule[4] = call(ORC_R10, 0, ORC_UNDEFINED, 0);
        rule[5] = (struct orc_entry){ .type = ORC_END };
        uint64_t regs = TASK + 0x2000;
        word(IRQ_END - 0x18 + 8, TEXT64 + 0x120);
        word(IRQ_END - 8, TASK + 0x1ff0);
        word(TASK + 0x1ff0, TEXT64 + 0x210);
        rule[2].sp_offset = 8;
        regs64(regs, TEXT64 + 0x300, 0x10, TASK + 0x2100, TASK + 0x2110);
        word(TASK + 0x2110, 0);
        word(TASK + 0x2118, TEXT64 + 0x550);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = IRQ, .high = IRQ_END };
        unwind_begin(&u, TEXT64 + 0x10, IRQ_END - 0x18, 0, true);
        unwind_orc(&u);
        ck_assert_msg(u.end == UNWIND_BOTTOM, "%s", u.why);
        FRAMES(&u, TEXT64 + 0x10, TEXT64 + 0x120, TEXT64 + 0x210, TEXT64 + 0x300, TEXT64 + 0x550);
        ck_assert(frames[3].exact && !frames[4].exact);
        ck_assert_uint_eq(frames[3].slot, regs + 16 * 8);
}
END_TEST

/* R10 holds the caller's stack where gcc realigned: known from a processor's registers, or from a whole pt_regs. */
START_TEST(orc_registers)
{
        start64();
        struct stasis_cpu cpu = { .gpr[10] = TASK + 0x800 };
        rule[0] = call(ORC_R10, 0, ORC_UNDEFINED, 0);
        rule[1] = call(ORC_R10, 0, ORC_UNDEFINED, 0);
        rule[2] = (struct orc_entry){ .sp_reg = ORC_SP, .type = ORC_REGS, .signal = true };
        word(TASK + 0x7f8, TEXT64 + 0x280);
        regs64(TASK + 0x800, TEXT64 + 0x120, 0x10, TASK + 0x900, 0x77);
        word(TASK + 0x800 + 7 * 8, TASK + 0xa00); /* r10 */
        rule[3] = (struct orc_entry){ .type = ORC_END };
        word(TASK + 0x9f8, TEXT64 + 0x310);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        u.cpu = &cpu;
        unwind_begin(&u, TEXT64 + 0x10, TASK + 0x100, 0, true);
        unwind_orc(&u);
        ck_assert_msg(u.end == UNWIND_BOTTOM, "%s", u.why);
        FRAMES(&u, TEXT64 + 0x10, TEXT64 + 0x280, TEXT64 + 0x120, TEXT64 + 0x310);
        ck_assert_uint_eq(u.bp, 0x77);
        /* without them it is not known, and nothing is invented */
        u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        unwind_begin(&u, TEXT64 + 0x10, TASK + 0x100, 0, true);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_BROKEN);
        FRAMES(&u, TEXT64 + 0x10);
}
END_TEST

/* Of __crash_kexec ORC knows nothing: the first word from which ORC leads to the end is its caller. */
START_TEST(orc_bridge)
{
        start64();
        struct stasis_cpu cpu = { .rip = TEXT64 + 0x210 };
        rule[3] = call(ORC_BP, 16, ORC_PREV_SP, -16);
        rule[4] = (struct orc_entry){ .type = ORC_END };
        world_put(&world, TEXT64 + 0x310, "\xe8\x01\x02\x03\x04", 5);
        world_put(&world, TEXT64 + 0x710, "\xe8\x01\x02\x03\x04", 5);
        word(TASK + 0x120, TEXT64 + 0x715); /* left from before: leads nowhere */
        word(TASK + 0x130, TEXT64 + 0x317); /* not behind a call */
        word(TASK + 0x138, TEXT64 + 0x315);
        word(TASK + 0x200, 0);
        word(TASK + 0x208, TEXT64 + 0x450);
        for (int proved = 1; proved >= 0; proved--) {
                struct unwind u = walker();
                u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
                u.cpu = &cpu;
                unwind_begin(&u, cpu.rip, TASK + 0x100, TASK + 0x200, true);
                unwind_orc(&u);
                ck_assert_int_eq(u.end, UNWIND_BROKEN);
                unwind_bridge(&u);
                ck_assert_int_eq(u.end, proved ? UNWIND_BOTTOM : UNWIND_BROKEN);
                ck_assert_uint_eq(u.count, proved ? 3 : 1);
                word(TASK + 0x208, 0x1234); /* from there it does not go on */
                if (!proved)
                        break;
                FRAMES(&u, TEXT64 + 0x210, TEXT64 + 0x315, TEXT64 + 0x450);
                ck_assert_int_eq(frames[1].how, STASIS_HOW_SCAN);
                ck_assert_int_eq(frames[2].how, STASIS_HOW_ORC);
                ck_assert_uint_eq(frames[1].slot, TASK + 0x138);
        }
}
END_TEST

/* What the processor alone pushed (an NMI's first instructions): ip cs flags sp ss. */
START_TEST(orc_partial)
{
        start64();
        rule[0] = (struct orc_entry){ .sp_reg = ORC_SP, .type = ORC_REGS_PARTIAL, .signal = true };
        rule[1] = (struct orc_entry){ .type = ORC_END };
        regs64(IRQ_END - 21 * 8, TEXT64 + 0x100, 0x10, TASK + 0x100, 0);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = IRQ, .high = IRQ_END };
        unwind_begin(&u, TEXT64 + 1, IRQ_END - 5 * 8, 0, true);
        unwind_orc(&u);
        ck_assert_msg(u.end == UNWIND_BOTTOM, "%s", u.why);
        FRAMES(&u, TEXT64 + 1, TEXT64 + 0x100);
        regs64(IRQ_END - 21 * 8, 0x401000, 0x33, 0x7ffe00000000, 0);
        u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = IRQ, .high = IRQ_END };
        unwind_begin(&u, TEXT64 + 1, IRQ_END - 5 * 8, 0, true);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_USER);
}
END_TEST

static struct unwind broken(uint64_t sp)
{
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = IRQ, .high = IRQ_END };
        unwind_begin(&u, TEXT64 + 0x10, sp, 0, true);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_BROKEN);
        return u;
}

START_TEST(orc_breaks_off)
{
        start64();
        rule[0] = call(ORC_SP, 8, ORC_UNDEFINED, 0);
        word(TASK + 0x100, 0x1234);
        struct unwind u = broken(TASK + 0x100);
        ck_assert_str_eq(u.why, "a return address does not lie in the kernel's text");
        rule[0] = call(ORC_SP, 0, ORC_UNDEFINED, 0); /* does not rise */
        word(TASK + 0xf8, TEXT64 + 0x10);
        u = broken(TASK + 0x100);
        ck_assert_str_eq(u.why, "the stack pointer does not rise");
        ck_assert_uint_eq(u.count, 1);
        rule[0] = call(ORC_SP, 16, ORC_UNDEFINED, 0); /* past the end */
        u = broken(TASK_END - 8);
        ck_assert_uint_eq(u.count, 1);
        rule[0] = call(ORC_SP_INDIRECT, 0, ORC_UNDEFINED, 0); /* to and fro between two stacks: each once */
        word(TASK + 0x100, IRQ + 0x108);
        word(IRQ + 0x100, TEXT64 + 0x20);
        word(IRQ + 0x108, TASK + 0x80);
        word(TASK + 0x78, TEXT64 + 0x30);
        u = broken(TASK + 0x100);
        FRAMES(&u, TEXT64 + 0x10, TEXT64 + 0x20);
        rule[0].type = ORC_UNKNOWN;
        u = broken(TASK + 0x100);
        ck_assert_str_eq(u.why, "no ORC entry for the code");
        world_unmap(&world, TASK);
        rule[0] = call(ORC_SP, 8, ORC_UNDEFINED, 0);
        u = broken(TASK + 0x100);
        ck_assert_uint_eq(u.count, 1);
}
END_TEST

/* An endless stack ends where there is no more room. */
START_TEST(orc_full)
{
        start64();
        rule[0] = call(ORC_SP, 8, ORC_UNDEFINED, 0);
        for (uint64_t at = TASK; at < TASK_END; at += 8)
                word(at, TEXT64 + 0x20);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        unwind_begin(&u, TEXT64 + 0x10, TASK, 0, true);
        unwind_orc(&u);
        ck_assert(u.end == UNWIND_FULL && u.count == 32);
}
END_TEST

/* ---- frame pointers */

#define STACK32 UINT64_C(0xc2000000) /* 8 KiB */
#define STACK32_END (STACK32 + 0x2000)
#define PT_REGS32 (STACK32_END - 16 - 17 * 4)

static void word32(uint64_t va, uint64_t value) { world_u(&world, va, 4, value); }

static void start32(void)
{
        start(PT_PAE);
        world_map(&world, STACK32, 0x2000);
        world_map(&world, TEXT32, 0x1000);
}

/* bx cx dx si di bp ax ds es fs gs orig_ax ip cs flags sp ss */
static void regs32(uint64_t at, uint64_t ip, uint64_t cs, uint64_t bp)
{
        word32(at + 5 * 4, bp);
        word32(at + 12 * 4, ip);
        word32(at + 13 * 4, cs);
        word32(at + 14 * 4, 0x246);
        word32(at + 15 * 4, 0xbfb39bf0);
        word32(at + 16 * 4, (cs & 3) ? 0x7b : 0x68);
}

static struct unwind walk32(uint64_t bp)
{
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = STACK32, .high = STACK32_END };
        u.task_regs = PT_REGS32;
        u.bp = bp;
        unwind_fp(&u);
        return u;
}

static void chain32(uint64_t at, uint64_t next, uint64_t pc)
{
        word32(at, next);
        word32(at + 4, pc);
}

START_TEST(fp_sleeping)
{
        start32();
        chain32(STACK32 + 0x1000, STACK32 + 0x1040, TEXT32 + 0x10);
        chain32(STACK32 + 0x1040, PT_REGS32 - 8, TEXT32 + 0x120);
        chain32(PT_REGS32 - 8, 0x77, TEXT32 + 0x230);
        regs32(PT_REGS32, 0xb7f81559, 0x73, 0);
        struct unwind u = walk32(STACK32 + 0x1000);
        ck_assert_msg(u.end == UNWIND_USER, "%s", u.why);
        FRAMES(&u, TEXT32 + 0x10, TEXT32 + 0x120, TEXT32 + 0x230);
        ck_assert_int_eq(frames[0].how, STASIS_HOW_REGISTER);
        ck_assert_int_eq(frames[1].how, STASIS_HOW_FRAME_POINTER);
        ck_assert_uint_eq(frames[1].slot, STACK32 + 0x1044);
        /* a kernel thread: there are registers, but user mode never left any */
        regs32(PT_REGS32, 0, 0, 0);
        u = walk32(STACK32 + 0x1000);
        ck_assert_int_eq(u.end, UNWIND_BOTTOM);
        FRAMES(&u, TEXT32 + 0x10, TEXT32 + 0x120, TEXT32 + 0x230);
}
END_TEST

/* Interrupted in the kernel: the saved frame pointer is the pt_regs, without its highest bit. */
START_TEST(fp_interrupted)
{
        start32();
        uint64_t regs = STACK32 + 0x1100;
        chain32(STACK32 + 0x1000, regs & ~UINT64_C(0x80000000), TEXT32 + 0x10);
        regs32(regs, TEXT32 + 0x100, 0x60, STACK32 + 0x1200);
        chain32(STACK32 + 0x1200, PT_REGS32 - 8, TEXT32 + 0x220);
        chain32(PT_REGS32 - 8, 0, TEXT32 + 0x330);
        regs32(PT_REGS32, 0xb7f81559, 0x73, 0);
        struct unwind u = walk32(STACK32 + 0x1000);
        ck_assert_msg(u.end == UNWIND_USER, "%s", u.why);
        FRAMES(&u, TEXT32 + 0x10, TEXT32 + 0x100, TEXT32 + 0x220, TEXT32 + 0x330);
        ck_assert(frames[1].exact && !frames[2].exact);
        /* user mode interrupted: encoded registers of user mode are the end */
        regs32(regs, 0xb7f81559, 0x73, 0);
        u = walk32(STACK32 + 0x1000);
        ck_assert_int_eq(u.end, UNWIND_USER);
        FRAMES(&u, TEXT32 + 0x10);
}
END_TEST

/* gcc realigns the stack: the return address is there twice. */
START_TEST(fp_realigned)
{
        start32();
        chain32(STACK32 + 0x1000, PT_REGS32 - 8 - 12, TEXT32 + 0x10);
        chain32(PT_REGS32 - 8 - 12, 0x77, TEXT32 + 0x230);
        word32(PT_REGS32 - 4, TEXT32 + 0x230);
        regs32(PT_REGS32, 0xb7f81559, 0x73, 0);
        struct unwind u = walk32(STACK32 + 0x1000);
        ck_assert_msg(u.end == UNWIND_USER, "%s", u.why);
        FRAMES(&u, TEXT32 + 0x10, TEXT32 + 0x230);
}
END_TEST

START_TEST(fp_breaks_off)
{
        start32();
        chain32(STACK32 + 0x1000, STACK32 + 0x1000, TEXT32 + 0x10); /* to itself */
        struct unwind u = walk32(STACK32 + 0x1000);
        ck_assert_str_eq(u.why, "a frame pointer leads nowhere");
        FRAMES(&u, TEXT32 + 0x10);
        chain32(STACK32 + 0x1000, STACK32 + 0xff0, TEXT32 + 0x10); /* down */
        ck_assert_int_eq(walk32(STACK32 + 0x1000).end, UNWIND_BROKEN);
        chain32(STACK32 + 0x1000, STACK32_END - 4, TEXT32 + 0x10); /* half outside */
        ck_assert_int_eq(walk32(STACK32 + 0x1000).end, UNWIND_BROKEN);
        chain32(STACK32 + 0x1000, STACK32 + 0x1100, TEXT32 + 0x10);
        chain32(STACK32 + 0x1100, 0, 0xb7000000);
        u = walk32(STACK32 + 0x1000);
        ck_assert_str_eq(u.why, "a return address does not lie in the kernel's text");
        ck_assert_int_eq(walk32(0x1000).end, UNWIND_BROKEN);
}
END_TEST

/* 64-bit kernels before ORC: the lowest bit marks registers. */
START_TEST(fp_64)
{
        start64();
        uint64_t regs = TASK + 0x2000;
        word(TASK + 0x1000, regs | 1);
        word(TASK + 0x1008, TEXT64 + 0x10);
        regs64(regs, TEXT64 + 0x100, 0x10, 0, TASK + 0x3000);
        word(TASK + 0x3000, PT_REGS - 16);
        word(TASK + 0x3008, TEXT64 + 0x220);
        word(PT_REGS - 16, 0);
        word(PT_REGS - 8, TEXT64 + 0x330);
        regs64(PT_REGS, 0x401704, 0x33, 0x7ffe00000000, 0);
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        u.task_regs = PT_REGS;
        u.bp = TASK + 0x1000;
        unwind_fp(&u);
        ck_assert_msg(u.end == UNWIND_USER, "%s", u.why);
        FRAMES(&u, TEXT64 + 0x10, TEXT64 + 0x100, TEXT64 + 0x220, TEXT64 + 0x330);
}
END_TEST

/* ---- looking for calls */

START_TEST(scan)
{
        start64();
        rule[0] = call(ORC_SP, 8, ORC_UNDEFINED, 0);
        world_put(&world, TEXT64 + 0x100, "\xe8\x01\x02\x03\x04", 5);
        world_put(&world, TEXT64 + 0x200, "\xff\x15\x01\x02\x03\x04", 6);
        world_put(&world, TEXT64 + 0x300, "\xff\xd0", 2);
        world_put(&world, TEXT64 + 0x400, "\xff\xe0", 2); /* a jump */
        word(TASK + 0x3000, 0x1234);
        word(TASK + 0x3020, TEXT64 + 0x105);
        word(TASK + 0x3028, TEXT64 + 0x402);
        word(TASK + 0x3030, TEXT64 + 0x206);
        word(TASK + 0x3038, TEXT64 + 0x107);
        word(TASK + 0x3040, TEXT64 + 0x302);
        word(PT_REGS + 8, TEXT64 + 0x302); /* a register, not a frame */
        struct unwind u = walker();
        u.stack[u.stack_count++] = (struct unwind_stack){ .low = TASK, .high = TASK_END };
        u.task_regs = PT_REGS;
        unwind_begin(&u, TEXT64 + 0x10, TASK + 0x3000, 0, true);
        unwind_orc(&u);
        ck_assert_int_eq(u.end, UNWIND_BROKEN);
        unwind_scan(&u);
        FRAMES(&u, TEXT64 + 0x10, TEXT64 + 0x105, TEXT64 + 0x206, TEXT64 + 0x302);
        ck_assert_int_eq(frames[1].how, STASIS_HOW_SCAN);
        ck_assert_uint_eq(frames[1].slot, TASK + 0x3020);
}
END_TEST

/* ---- registers */

START_TEST(registers)
{
        struct stasis_registers r;
        start64();
        for (uint64_t i = 0; i < 21; i++)
                word(PT_REGS + 8 * i, 0x1000 + i);
        regs_load(&world.space, &shape, PT_REGS, &r);
        static const uint8_t words[18] = { 10, 5, 11, 12, 13, 14, 4, 19, 9, 8, 7, 6, 3, 2, 1, 0, 16, 18 };
        for (unsigned i = 0; i < 18; i++) {
                uint64_t value = i < 16 ? r.cpu.gpr[i] : i == STASIS_REGISTER_RIP ? r.cpu.rip : r.cpu.rflags;
                ck_assert_msg(value == 0x1000u + words[i], "register %u is %llx", i, (unsigned long long)value);
                ck_assert_uint_eq(r.va[i], PT_REGS + 8u * words[i]);
        }
        ck_assert(r.known == (1u << 19) - 1 && r.cpu.cs == 0x1011 && r.cpu.ss == 0x1014);
        ck_assert(!regs_are_user(&world.space, &shape, PT_REGS));
        regs64(PT_REGS, 0x401704, 0x33, 0x7ffe00000000, 0);
        ck_assert(regs_are_user(&world.space, &shape, PT_REGS));
        regs64(PT_REGS, 0x401704, 0x10, 0x7ffe00000000, 0);
        ck_assert(!regs_are_user(&world.space, &shape, PT_REGS));
        world_unmap(&world, TASK + 0x3000);
        regs_load(&world.space, &shape, PT_REGS, &r);
        ck_assert(r.known == 0 && r.cpu.rip == 0);

        world_end(&world);
        start32();
        for (uint64_t i = 0; i < 17; i++)
                word32(PT_REGS32 + 4 * i, 0x1000 + i);
        regs_load(&world.space, &shape, PT_REGS32, &r);
        static const uint8_t words32[8] = { 6, 0, 1, 2, 3, 4, 5, 15 };
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(r.cpu.gpr[i], 0x1000u + words32[i]);
        ck_assert(r.known == (0xffu | 7u << 16) && r.cpu.rip == 0x100c && r.cpu.rflags == 0x100e);
        ck_assert(r.cpu.cs == 0x100d && r.cpu.ss == 0x1010 && r.cpu.ds == 0x1007 && r.cpu.gs == 0x100a);
        ck_assert_uint_eq(r.va[8], STASIS_NOWHERE);
}
END_TEST

static void teardown(void) { world_end(&world); }

int main(void)
{
        Suite *suite = suite_create("unwind");
        TCase *tc = tcase_create("unwind");
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_test(tc, orc_sleeping);
        tcase_add_test(tc, orc_call_is_the_last_instruction);
        tcase_add_test(tc, orc_across_stacks);
        tcase_add_test(tc, orc_registers);
        tcase_add_test(tc, orc_bridge);
        tcase_add_test(tc, orc_partial);
        tcase_add_test(tc, orc_breaks_off);
        tcase_add_test(tc, orc_full);
        tcase_add_test(tc, fp_sleeping);
        tcase_add_test(tc, fp_interrupted);
        tcase_add_test(tc, fp_realigned);
        tcase_add_test(tc, fp_breaks_off);
        tcase_add_test(tc, fp_64);
        tcase_add_test(tc, scan);
        tcase_add_test(tc, registers);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
