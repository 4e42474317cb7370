/* SPDX-License-Identifier: MIT */
/* Stacks that a thread left for another one, and a processor's own: what says so, and each lie that is none. */
#include "../../test/tiny_system.h"
#include "stack_segment.h"

#define CONTROL 0x40u /* its length here */
#define SPARE UINT64_C(0x1000000)

static struct frames *f;
static struct thread_stand s;
static struct stack_segment found[STACK_SEGMENTS_MAX];

static void build(bool is64)
{
        tiny_build(&t, is64);
        sys_open();
        (void)sys_count(STASIS_THREADS);
        f = frames_get(sys->priv);
        ck_assert_ptr_nonnull(f);
}

static struct place at(uint64_t offset)
{
        return (struct place){ .offset = (uint32_t)offset, .size = t.pointer, .has = true };
}

/* Stack number i, of three pages; its last one is mapped. */
static uint64_t base(unsigned i) { return tiny_get(&t, t.thread[0], "KTHREAD.StackBase") + SPARE + 0x10000 * i; }
static uint64_t limit(unsigned i) { return base(i) - 0x3000; }
static uint64_t initial(unsigned i) { return base(i) - 0x100; }

static void put_words(uint64_t va, const uint64_t *value, size_t count)
{
        for (size_t i = 0; i < count; i++)
                tiny_pointer(&t, va + i * t.pointer, value[i]);
}

/* At va: the stack that ends at own_base was taken for that of i was left. */
static void put_control(uint64_t va, uint64_t own_base, unsigned i)
{
        const uint64_t value[] = { own_base, base(i), limit(i), limit(i) + 0x800, initial(i) };
        put_words(va, value, 5);
}

static void begin(bool own)
{
        f->control = (struct stack_control){ .base = at(t.pointer),
                                             .limit = at(2u * t.pointer),
                                             .sp = at(3u * t.pointer),
                                             .initial = at(4u * t.pointer),
                                             .size = CONTROL };
        if (own)
                f->control.own_base = at(0);
        s = (struct thread_stand){ .w = sys->priv, .f = f, .limit = limit(0), .base = base(0), .initial = initial(0) };
}

START_TEST(left_for_another)
{
        build(_i);
        for (unsigned i = 0; i < 3; i++)
                world_map(&t.world, base(i) - 0x1000, 0x1000);
        put_control(initial(0), base(0), 1);
        put_control(base(1) - CONTROL, base(1), 2); /* at the very end */
        for (unsigned own = 0; own < 2; own++) {
                begin(own);
                ck_assert_uint_eq(stack_segments(&s, found), 2);
                for (unsigned i = 0; i < 2; i++) {
                        ck_assert_uint_eq(found[i].base, base(i + 1));
                        ck_assert_uint_eq(found[i].limit, limit(i + 1));
                        ck_assert_uint_eq(found[i].sp, limit(i + 1) + 0x800);
                        ck_assert_uint_eq(found[i].initial, initial(i + 1));
                }
        }
        s.initial = 0; /* nobody knows where it is */
        ck_assert_uint_eq(stack_segments(&s, found), 0);
        begin(true);
        s.base = 0;
        ck_assert_uint_eq(stack_segments(&s, found), 0);
        begin(true);
        s.initial = initial(0) + 0x210; /* x86: the floating point area may lie between */
        ck_assert_uint_eq(stack_segments(&s, found), t.is64 ? 0 : 2);
}
END_TEST

/* Words of a control block, each as far as it may go and one step beyond. */
START_TEST(no_segments)
{
        build(_i);
        world_map(&t.world, base(0) - 0x1000, 0x1000);
        world_map(&t.world, base(1) - 0x1000, 0x1000);
        const struct {
                unsigned word;
                uint64_t value;
                bool good;
        } cases[] = { { 0, base(0) + 8, false },
                      { 1, base(1) + 8, false },
                      { 1, base(1) + 0x1000, true },
                      { 2, limit(1) + 8, false },
                      { 2, limit(1) - 0x1000, true },
                      { 2, base(1), false },
                      { 2, base(1) - WINDOWS_STACK_LEN_MAX, false }, /* over the first one */
                      { 2, 0x1000, false },
                      { 3, limit(1), true },
                      { 3, limit(1) - 1, false },
                      { 3, initial(1) - 1, true },
                      { 3, initial(1), false },
                      { 4, base(1), true },
                      { 4, base(1) + 1, false } };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                begin(true);
                put_control(initial(0), base(0), 1);
                tiny_pointer(&t, initial(0) + cases[i].word * t.pointer, cases[i].value);
                ck_assert_msg(stack_segments(&s, found) == cases[i].good, "case %zu", i);
        }
        put_control(initial(0), base(0), 1);
        s.limit = base(1); /* it is not below any more, and the longest there can be does not reach it */
        s.base = base(1) + 0x3000;
        s.initial = initial(0);
        tiny_pointer(&t, initial(0), s.base);
        tiny_pointer(&t, initial(0) + 2u * t.pointer, base(1) - WINDOWS_STACK_LEN_MAX);
        ck_assert_uint_eq(stack_segments(&s, found), 1);
        tiny_pointer(&t, initial(0) + 2u * t.pointer, base(1) - WINDOWS_STACK_LEN_MAX - 0x1000);
        ck_assert_uint_eq(stack_segments(&s, found), 0);
}
END_TEST

/* One that leads back to the stack itself, or to one before it, and more of them than a thread can have. */
START_TEST(no_segment_twice)
{
        build(_i);
        for (unsigned i = 0; i < 11; i++)
                world_map(&t.world, base(i) - 0x1000, 0x1000);
        for (unsigned back = 0; back < 4; back++) {
                begin(true);
                for (unsigned i = 0; i < 3; i++)
                        put_control(initial(i), base(i), i + 1);
                if (back < 3)
                        put_control(initial(2), base(2), back);
                ck_assert_msg(stack_segments(&s, found) == (back < 3 ? 2 : 3), "back to %u", back);
        }
        put_control(initial(0), base(0), 0);
        ck_assert_uint_eq(stack_segments(&s, found), 0);
        for (unsigned i = 0; i < 10; i++)
                put_control(initial(i), base(i), i + 1);
        ck_assert_uint_eq(stack_segments(&s, found), STACK_SEGMENTS_MAX);
}
END_TEST

/* ---------------------------------------------------------------- a processor's */

static struct stasis_processor p;
static uint64_t range[PROCESSOR_STACKS_MAX][2];

static void expect_range(size_t i, uint64_t low, uint64_t high)
{
        ck_assert_uint_eq(range[i][0], low);
        ck_assert_uint_eq(range[i][1], high);
}

/* Its block has DpcStack and IsrStack at its start, its KPCR a pointer 0x40 behind that. */
static void begin_processor(uint64_t dpc, uint64_t isr, uint64_t table)
{
        p.block = t.pool + TINY_POOL_FREE;
        tiny_pointer(&t, p.block, dpc);
        tiny_pointer(&t, p.block + t.pointer, isr);
        tiny_pointer(&t, p.block + 0x40, table);
        f->dpc_stack = at(0);
        f->isr_stack = at(t.pointer);
        f->tss = f->gdt = at(f->prcb_in_pcr + 0x40);
        f->ist = at(0x24);
}

/* KTSS64.Ist: entry 0 is not used. */
START_TEST(stacks_of_a_processor64)
{
        build(true);
        uint64_t top = base(0), tss = t.pool + TINY_POOL_FREE + 0x100;
        const uint64_t ist[] = { top + 0x30000, top, top + 0x10000, 0x6000, 0x10000000, 0, 0, top + 0x20000 };
        for (unsigned i = 0; i < 8; i++)
                tiny_pointer(&t, tss + 0x24 + 8 * i, ist[i]);
        begin_processor(top, top + 0x2000, tss);
        ck_assert_uint_eq(processor_stacks(sys->priv, f, &p, range), 4);
        expect_range(0, top - 0x6000, top);
        expect_range(1, top, top + 0x2000); /* where the other one begins it ends */
        expect_range(2, top + 0xa000, top + 0x10000);
        expect_range(3, top + 0x1a000, top + 0x20000);
        f->ist.has = false;
        ck_assert_uint_eq(processor_stacks(sys->priv, f, &p, range), 2);
        begin_processor(top, top, 0x7000); /* a table in user mode's half is none */
        ck_assert_uint_eq(processor_stacks(sys->priv, f, &p, range), 1);
}
END_TEST

/* A TSS descriptor (Intel SDM volume 3): base in bits 16 to 39 and 56 to 63, present in bit 47. */
static void put_task(uint64_t gdt, unsigned selector, uint64_t tss, bool present, uint64_t top)
{
        uint64_t low = 0x67 | (tss & 0xffffff) << 16 | UINT64_C(0x09) << 40 | (uint64_t)present << 47 | tss >> 24 << 56;
        world_u(&t.world, gdt + selector, 8, low);
        if (top)
                world_u(&t.world, tss + 4, 4, top);
}

START_TEST(stacks_of_a_processor32)
{
        build(false);
        uint64_t top = base(0), gdt = t.pool + TINY_POOL_FREE + 0x200, tss = gdt + 0x100;
        begin_processor(top, 0, gdt);
        put_task(gdt, 0x48, tss + 0x80, true, top + 0x30000);
        put_task(gdt, 0x50, tss, true, top + 0x10000);
        put_task(gdt, 0x58, tss + 0x40, true, top + 0x20000);
        put_task(gdt, 0x60, tss + 0x80, true, 0);
        ck_assert_uint_eq(processor_stacks(sys->priv, f, &p, range), 3);
        expect_range(0, top - 0x3000, top);
        expect_range(1, top + 0xd000, top + 0x10000);
        expect_range(2, top + 0x1d000, top + 0x20000);
        put_task(gdt, 0x50, tss, false, 0);
        put_task(gdt, 0x58, 0x7000, true, 0);
        ck_assert_uint_eq(processor_stacks(sys->priv, f, &p, range), 1);
        begin_processor(top, 0, 0x7000);
        ck_assert_uint_eq(processor_stacks(sys->priv, f, &p, range), 1);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { left_for_another, no_segments, no_segment_twice };
        const TTest *const single[] = { stacks_of_a_processor64, stacks_of_a_processor32 };
        return sys_main("stack_segment", both, sizeof both / sizeof *both, single, sizeof single / sizeof *single);
}
