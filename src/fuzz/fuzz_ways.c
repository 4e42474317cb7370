/* SPDX-License-Identifier: MIT */
/*
 * A tiny system in which every way of finding threads leads to one that is on no list: PspCidTable, a handle, a list
 * of waiting threads, a queue, owners of mutants and wait blocks (tiny_waits.c), the scan of all memory, pool tags and
 * the table of large blocks of pool; 10's processor has a shared ready queue and a scheduling group. Its memory is
 * patched, and then all ways are gone. Input as in fuzz_system.h.
 */
#define SYSTEM_OPTIONS .every_source = true, .jobs = 1,
#include "../test/tiny_objects.h"
#include "../test/tiny_waits.h"
#include "fuzz_system.h"

static uint64_t either(const struct tiny *t, uint64_t x86, uint64_t x64) { return t->is64 ? x64 : x86; }

static void put_entry(struct tiny *t, uint64_t page, uint64_t index, uint64_t object)
{
        uint64_t at = page + index * either(t, 8, 16);
        if (t->is64) /* ObjectPointerBits 20+44, Unlocked 0 */
                world_u(&t->world, at, 8, (object >> 4) << 20 | 1);
        else
                world_u(&t->world, at, 4, object | 1);
}

/* Two tables of one page of entries each: PspCidTable, and beta's. */
static void put_tables(struct tiny *t, uint64_t at)
{
        tiny_pointer(t, at + either(t, 0, 8), at + 0x1000);
        tiny_pointer(t, at + 0x100 + either(t, 0, 8), at + 0x2000);
        tiny_pointer(t, t->kernel + 0x2f00, at);
        for (int i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                put_entry(t, at + 0x1000, tiny_pid((enum tiny_process)i) / 4, t->process[i]);
        for (int i = TINY_WORKER; i < TINY_THREADS; i++)
                put_entry(t, at + 0x1000, tiny_tid((enum tiny_thread)i) / 4, t->thread[i]);
        tiny_set(t, t->process[TINY_BETA], "EPROCESS.ObjectTable", at + 0x100);
        put_entry(t, at + 0x2000, 1, t->thread[TINY_HIDDEN] - either(t, 0x18, 0x30));
        put_entry(t, at + 0x2000, 2, t->process[TINY_ALPHA] - either(t, 0x18, 0x30));
}

static void put_rings(struct tiny *t, uint64_t head)
{
        const uint64_t wait = either(t, 0x60, 0xd8), queue = either(t, 0x118, 0x208);
        const uint64_t waiting[] = { t->thread[TINY_MAIN] + wait, t->thread[TINY_HIDDEN] + wait };
        const uint64_t serving[] = { t->thread[TINY_RUNNER] + queue, t->thread[TINY_HIDDEN] + queue };
        tiny_ring(t, head, waiting, 2);
        tiny_ring(t, head + 0x40, serving, 2);
}

/* PoolBigPageTable, of XP's form (Va, Key, pages) and 10's (24 bytes, the length behind): one block has the thread. */
static void put_pool(struct tiny *t, uint64_t at)
{
        static const uint32_t tag[] = { 0x6c6f6f50, 0x20206d4d, 0x65726854, 0xe5726854 };
        tiny_pointer(t, t->kernel + 0x2f40, at);
        for (size_t i = 0; i < 4; i++) {
                uint64_t entry = at + (3 + 7 * i) * either(t, 12, 24);
                tiny_pointer(t, entry, i == 3 ? t->thread[TINY_HIDDEN] & ~UINT64_C(0xfff) : at + 0x10000 * i);
                world_u(&t->world, entry + t->pointer, 4, tag[i]);
                world_u(&t->world, entry + either(t, 8, 16), 4, either(t, 1, 0x1000));
        }
        world_u(&t->world, t->thread[TINY_READY] - either(t, 0x20, 0x40) + 3, 5, UINT64_C(0xe572685402));
}

/*
 * _KPRCB of 19041: SharedReadyQueue 0x8448, LocalSharedReadyQueue 0x8880, ScbList 0x8208; the queue's lists at 0x10,
 * its summary at 8, its count at 0x260; of a group's block PerProcessorList 0x48, the lists 0x88, the summary 0x72.
 */
static void put_ready(struct tiny *t, uint64_t at)
{
        const uint64_t queue = t->prcb + 0x8880, scb[] = { at + 0x48 };
        const uint64_t shared = t->thread[TINY_READY] + 0xd8, grouped = t->thread[TINY_WORKER] + 0xd8;
        world_map(&t->world, (t->prcb + 0x8448) & ~UINT64_C(0xfff), 0x1000);
        tiny_pointer(t, t->prcb + 0x8448, queue);
        for (uint64_t i = 0; i < 32; i++)
                tiny_ring(t, queue + 0x10 + 0x10 * i, &shared,
                          i == tiny_get(t, t->thread[TINY_READY], "KTHREAD.Priority"));
        world_u(&t->world, queue + 8, 4, 1u << tiny_get(t, t->thread[TINY_READY], "KTHREAD.Priority"));
        world_u(&t->world, queue + 0x260, 4, 1);
        tiny_ring(t, t->prcb + 0x8208, scb, 1);
        for (uint64_t i = 0; i < 16; i++)
                tiny_ring(t, at + 0x88 + 0x10 * i, &grouped, i == 4);
        world_u(&t->world, at + 0x72, 2, 1 << 4);
}

/* Built once; every input puts back what it changed. */
static struct tiny *led_to(bool is64)
{
        static struct tiny ready[2];
        struct tiny *t = &ready[is64];
        if (t->world.image)
                return t;
        tiny_build(t, is64);
        tiny_waits(t);
        uint64_t at = is64 ? UINT64_C(0xffffb00000300000) : 0xe1300000;
        world_map(&t->world, at, 0x5000);
        put_tables(t, at);
        put_rings(t, at + 0x800);
        put_pool(t, at + 0x3000);
        if (is64)
                put_ready(t, at + 0x4000);
        return t;
}

RAW_TARGET(led_to)
