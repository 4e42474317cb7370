/* SPDX-License-Identifier: MIT */
/*
 * A program of functions with known frames, for ../unwind_judge.c: compiled by mingw-w64 at several levels of
 * optimisation into a PE with real unwind data, and stepped through. It needs nothing of any system.
 */
#include <stddef.h>
#include <stdint.h>

#define KEEP __attribute__((noinline, noclone))

extern uint64_t asm_all(uint64_t depth); /* frames.S */
uint64_t from_asm(uint64_t value);
int entry(void);

static volatile uint64_t sink;

KEEP static uint64_t leaf(uint64_t a, uint64_t b) { return a * 3 + b; }

KEEP static uint64_t pushes(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
        uint64_t x = leaf(a, b), y = leaf(c, d), z = leaf(e, f), w = leaf(x, y), v = leaf(y, z), u = leaf(w, v);
        return leaf(x, u) + leaf(y, w) + leaf(z, v) + leaf(u, a) + leaf(v, b) + leaf(w, c);
}

KEEP static double floats(double a, double b, double c)
{
        double x = a + b, y = b * c, z = c - a, w = a * c, v = a / (b + 2), u = c / (a + 3), t = x * y, s = z * w;
        sink = leaf((uint64_t)x, (uint64_t)y);
        double r = x + y * z + w;
        sink = leaf((uint64_t)r, (uint64_t)z);
        return x + y + z + w + v + u + t + s + r;
}

KEEP static uint64_t small_array(uint64_t a)
{
        volatile uint64_t array[12];
        for (size_t i = 0; i < 12; i++)
                array[i] = leaf(a, i);
        return array[a % 12];
}

KEEP static uint64_t large(uint64_t a)
{
        volatile uint8_t array[0x3000];
        array[a % sizeof array] = (uint8_t)leaf(a, 7);
        array[0] = 1;
        return array[a % sizeof array] + leaf(a, array[0]);
}

KEEP static uint64_t very_large(uint64_t a)
{
        volatile uint8_t array[0xa0000];
        array[a % sizeof array] = (uint8_t)leaf(a, 7);
        return array[a % sizeof array];
}

KEEP static uint64_t dynamic(uint64_t count)
{
        volatile uint8_t *array = __builtin_alloca(count);
        for (uint64_t i = 0; i < count; i += 16)
                array[i] = (uint8_t)leaf(i, count);
        return array[0] + leaf(count, array[count / 2 & ~15ul]);
}

KEEP static double dynamic_floats(uint64_t count, double a, double b)
{
        volatile double *array = __builtin_alloca(count * 8);
        for (uint64_t i = 0; i < count; i++)
                array[i] = floats(a, b, (double)i);
        return array[0] + a * b + floats(b, a, array[count - 1]);
}

KEEP static uint64_t tail(uint64_t a, uint64_t b)
{
        a += leaf(b, a);
        b ^= leaf(a, b);
        return pushes(a, b, a, b, a, b);
}

KEEP static uint64_t recursive(uint64_t depth)
{
        if (depth == 0)
                return asm_all(3);
        return recursive(depth - 1) + leaf(depth, 1);
}

KEEP static uint64_t mutual(uint64_t depth, uint64_t (*other)(uint64_t))
{
        switch (depth % 5) {
        case 0: return other(depth);
        case 1: return tail(depth, depth);
        case 2: return leaf(depth, 2) + other(depth + 1);
        case 3: return dynamic(64 + depth);
        default: return small_array(depth) * mutual(depth - 1, other);
        }
}

uint64_t from_asm(uint64_t value) { return small_array(value) + pushes(value, 1, 2, 3, 4, 5); }

int entry(void)
{
        sink = pushes(1, 2, 3, 4, 5, 6);
        sink = (uint64_t)floats(1.5, 2.5, 3.5);
        sink = small_array(5) + large(100) + very_large(1000) + dynamic(200);
        sink = (uint64_t)dynamic_floats(3, 1.25, 2.25);
        sink = tail(3, 4) + recursive(4);
        for (uint64_t i = 0; i < 10; i++)
                sink = mutual(i, small_array);
        return (int)sink;
}
