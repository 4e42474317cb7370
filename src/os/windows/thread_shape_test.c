/* SPDX-License-Identifier: MIT */
/*
 * The score of what may be a thread object: those of a tiny system pass, each invariant broken refuses, and memory that
 * is no thread does not pass however it begins.
 */
#include "thread_shape.h"

#include "../../test/tiny_system.h"

static struct thread_shape shape;
static uint8_t object[0x1000];

static uint64_t either(uint64_t x86, uint64_t x64) { return t.is64 ? x64 : x86; }

static void bind(bool is64)
{
        tiny_build(&t, is64);
        const struct stasis_layout *layout = stasis_layout_by_name(is64 ? "10.0.19041.329-x64" : "5.1.2600.2180-x86");
        ck_assert(layout != NULL);
        thread_shape_bind(layout, is64 ? UINT64_C(0xffff800000000000) : 0x80000000, &shape);
}

/* A copy, so that what a test breaks is broken there alone. */
static struct shape_score score_of(enum tiny_thread thread, size_t len)
{
        for (size_t i = 0; i < len; i++)
                object[i] = *world_at(&t.world, t.thread[thread] + i);
        return thread_shape_score(&shape, (struct stasis_bytes){ object, len }, (uint32_t)(t.thread[thread] & 0xfff));
}

static struct shape_score again(void)
{
        return thread_shape_score(&shape, (struct stasis_bytes){ object, shape.size },
                                  (uint32_t)(t.thread[TINY_MAIN] & 0xfff));
}

START_TEST(threads_pass)
{
        bind(_i);
        for (int i = 0; i < TINY_THREADS; i++) {
                struct shape_score score = score_of((enum tiny_thread)i, shape.size);
                ck_assert_msg(!score.refused, "thread %d: %s", i, score.refused);
                ck_assert_uint_ge(score.bits, i == TINY_IDLE0 ? either(70, 110) : either(SHAPE_BITS_32, SHAPE_BITS_64));
                ck_assert_uint_eq(score.va, t.thread[i]);
                ck_assert_uint_ge(score.heads, 3);
        }
}
END_TEST

/* The first bytes at the end of a page are enough to look at the rest. */
START_TEST(first_bytes)
{
        bind(_i);
        struct shape_score score = score_of(TINY_MAIN, 0x30);
        ck_assert(!score.refused);
        ck_assert_uint_ge(score.bits, either(SHAPE_BITS_PAGE_32, SHAPE_BITS_PAGE_64));
        ck_assert_uint_lt(score.bits, either(SHAPE_BITS_32, SHAPE_BITS_64));
        ck_assert(score_of(TINY_MAIN, 7).refused != NULL);
}
END_TEST

static void put(uint64_t at, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                object[at + i] = (uint8_t)(value >> 8 * i);
}

static const struct {
        const char *member;
        uint64_t add;
        uint64_t x86, x64; /* what breaks it */
        const char *why;
} breaks[] = {
        { "DISPATCHER_HEADER.Type", 0, 5, 5, "dispatcher header" },
        { "DISPATCHER_HEADER.Type", 4, 2, 2, "dispatcher header" }, /* SignalState */
        { "DISPATCHER_HEADER.Type", 8, 0x1000, 0x1000, "list of waiters" },
        { "KTHREAD.State", 0, 10, 10, "state" },
        { "KTHREAD.ApcState.Process", 0, 0x82100001, 0xffffc60012300001, "process pointer" },
        { "KTHREAD.StackBase", 0, 0x1000, 0x1000, "stack" },
        { "KTHREAD.StackLimit", 0, 0xf8800000, 0xffffffffffff0000, "stack" },
        { "ETHREAD.Cid.UniqueThread", 0, 0x205, 0x205, "ids" },
        { "ETHREAD.Cid.UniqueProcess", 0, 0x80000000, 0x80000000, "ids" },
        { "KTHREAD.Teb", 0, 0x7ffd0004, 0x7ffd0004, "TEB" },
        { "ETHREAD.CreateTime", 0, 0x12345678, 0x12345678, "create time" },
        { "KTHREAD.Priority", 0, 32, 32, "priority" },
};

/* Each of these members alone, with what cannot stand there. */
START_TEST(broken_ones_are_refused)
{
        bind(_i);
        for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
                (void)score_of(TINY_MAIN, shape.size);
                struct tiny_place place = tiny_place(&t, breaks[i].member);
                if (!strcmp(breaks[i].member, "KTHREAD.ApcState.Process") && t.is64)
                        place = tiny_place(&t, "KTHREAD.Process");
                put(place.at + breaks[i].add, breaks[i].add ? t.pointer : place.size,
                    either(breaks[i].x86, breaks[i].x64));
                struct shape_score score = again();
                ck_assert_msg(score.refused && strstr(score.refused, breaks[i].why), "%s: %s", breaks[i].member,
                              score.refused ? score.refused : "passes");
        }
}
END_TEST

static const struct {
        const char *member;
        uint64_t add; /* to what stands there; 0: zero both words */
        int x86, x64; /* bits that this costs */
} weights[] = {
        { "KTHREAD.StackBase", 8, 9, 9 },
        { "KTHREAD.StackLimit", 8, 9, 9 },
        { "KTHREAD.KernelStack", 0x100000, 12, 12 },
        { "ETHREAD.ThreadListEntry", 1, 6, 38 }, /* torn: it counts no more, and refuses nothing */
        { "ETHREAD.ThreadListEntry", 0, 6, 38 },
        { "KTHREAD.ThreadListEntry", 1, 6, 38 },
};

/* What each invariant is worth: the sum falls by so much where it does not hold. */
START_TEST(each_weighs)
{
        bind(_i);
        unsigned whole = score_of(TINY_MAIN, shape.size).bits;
        for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
                (void)score_of(TINY_MAIN, shape.size);
                struct tiny_place place = tiny_place(&t, weights[i].member);
                uint64_t old = tiny_get(&t, t.thread[TINY_MAIN], weights[i].member);
                put(place.at, t.pointer, weights[i].add ? old + weights[i].add : 0);
                if (!weights[i].add)
                        put(place.at + t.pointer, t.pointer, 0);
                struct shape_score score = again();
                ck_assert_msg(!score.refused, "%s: %s", weights[i].member, score.refused);
                ck_assert_int_eq((int)whole - (int)score.bits, t.is64 ? weights[i].x64 : weights[i].x86);
        }
}
END_TEST

/* XP's second pointer to the owner. */
START_TEST(second_owner)
{
        bind(false);
        (void)score_of(TINY_MAIN, shape.size);
        put(tiny_place(&t, "ETHREAD.ThreadsProcess").at, 4, 0x82100004);
        ck_assert(strstr(again().refused, "second process pointer") != NULL);
        put(tiny_place(&t, "ETHREAD.ThreadsProcess").at, 4, 0x72100000);
        ck_assert(strstr(again().refused, "second process pointer") != NULL);
        put(tiny_place(&t, "ETHREAD.ThreadsProcess").at, 4, 0);
        ck_assert(!again().refused);
}
END_TEST

/* The second half is another thing's, or zero: what is left is not enough. */
START_TEST(torn_ones_do_not_pass)
{
        bind(_i);
        for (size_t keep = 0x18; keep < shape.size / 4; keep += 8) {
                (void)score_of(TINY_MAIN, shape.size);
                memset(object + keep, 0xcc, shape.size - keep);
                struct shape_score score = again();
                ck_assert_msg(score.refused != NULL, "0x%zx bytes of it pass with %u bits", keep, score.bits);
        }
}
END_TEST

static uint64_t random_word(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Random bytes, pointers of the kernel, small numbers, one word over and over: each behind a thread's first eight
 * bytes. */
START_TEST(other_memory_does_not_pass)
{
        bind(_i);
        uint64_t state = 88172645463325252u, first = either(UINT64_C(0x81234568), UINT64_C(0xffffc60012345670));
        for (unsigned n = 0; n < 60000; n++) {
                uint64_t same = random_word(&state);
                for (size_t i = 0; i < shape.size; i += t.pointer) {
                        uint64_t word = random_word(&state);
                        if (n % 4 == 1)
                                word = first + (word & 0xffff0);
                        if (n % 4 == 2)
                                word &= 0x7f;
                        if (n % 4 == 3)
                                word = first + (same & 0xffff0);
                        put(i, t.pointer, word);
                }
                put(0, 8, 6);
                struct shape_score score = again();
                ck_assert_msg(score.refused || score.bits < either(SHAPE_BITS_32, SHAPE_BITS_64),
                              "kind %u passes with %u bits", n % 4, score.bits);
        }
        memset(object, 0, sizeof object);
        put(0, 8, 6);
        ck_assert(again().refused != NULL);
}
END_TEST

int main(void)
{
        const TTest *const both[] = { threads_pass, first_bytes,           broken_ones_are_refused,
                                      each_weighs,  torn_ones_do_not_pass, other_memory_does_not_pass };
        const TTest *const single[] = { second_owner };
        return sys_main("thread_shape", both, sizeof both / sizeof *both, single, 1);
}
