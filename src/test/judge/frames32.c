/* SPDX-License-Identifier: MIT */
/*
 * Functions without frame pointers, for ../unwind_judge32.c: compiled by clang for 32-bit Windows at several levels of
 * optimisation, and linked with a PDB that has their frame data. It needs nothing of any system.
 */
#define KEEP __attribute__((noinline))
#ifdef __i386__
#define STDCALL __attribute__((stdcall))
#define FASTCALL __attribute__((fastcall))
#else /* to be looked at, and not to be run */
#define STDCALL
#define FASTCALL
#endif

typedef unsigned u32;

int entry(void);

static volatile u32 sink;

KEEP static u32 leaf(u32 a, u32 b) { return a * 3 + b; }

KEEP static u32 STDCALL pops(u32 a, u32 b, u32 c) { return leaf(a, b) + leaf(b, c) * leaf(a, c); }

KEEP static u32 FASTCALL fast(u32 a, u32 b, u32 c) { return pops(a, b, c) ^ leaf(c, a); }

KEEP static u32 pushes(u32 a, u32 b, u32 c, u32 d, u32 e, u32 f)
{
        u32 x = leaf(a, b), y = leaf(c, d), z = leaf(e, f), w = leaf(x, y);
        return leaf(x, w) + leaf(y, z) + pops(a, x, y) + leaf(w, a) + fast(x, y, z);
}

KEEP static u32 small_array(u32 a)
{
        volatile u32 array[12];
        for (u32 i = 0; i < 12; i++)
                array[i] = leaf(a, i);
        return array[a % 12];
}

KEEP static u32 large(u32 a)
{
        volatile unsigned char array[0x3000];
        array[a % sizeof array] = (unsigned char)leaf(a, 7);
        array[0] = 1;
        return array[a % sizeof array] + leaf(a, array[0]);
}

KEEP static u32 dynamic(u32 count)
{
        volatile unsigned char *array = __builtin_alloca(count);
        for (u32 i = 0; i < count; i += 16)
                array[i] = (unsigned char)leaf(i, count);
        return array[0] + leaf(count, array[count / 2]);
}

KEEP static u32 aligned(u32 n)
{
        volatile u32 array[8] __attribute__((aligned(32)));
        array[n & 7] = leaf(n, 2);
        return array[n & 7] + leaf(n, (u32)(__UINTPTR_TYPE__)array >> 5);
}

KEEP static u32 nested(u32 a) { return leaf(leaf(leaf(a, 1), leaf(a, 2)), pops(leaf(a, 3), a, leaf(4, a))); }

KEEP static u32 recursive(u32 depth) { return depth ? recursive(depth - 1) + leaf(depth, 1) : aligned(3); }

KEEP static u32 mutual(u32 depth, u32 (*other)(u32))
{
        switch (depth % 5) {
        case 0: return other(depth);
        case 1: return nested(depth);
        case 2: return leaf(depth, 2) + other(depth + 1);
        case 3: return dynamic(64 + depth);
        default: return small_array(depth) * mutual(depth - 1, other);
        }
}

int entry(void)
{
        sink = pushes(1, 2, 3, 4, 5, 6) + small_array(5) + large(100) + dynamic(200) + aligned(9);
        sink += recursive(4) + nested(7);
        for (u32 i = 0; i < 10; i++)
                sink += mutual(i, small_array);
        return (int)sink;
}
