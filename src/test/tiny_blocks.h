/* SPDX-License-Identifier: MIT */
/* Wait blocks in a tiny system, and questions about the list that the decoder makes of them; for the tests of waits. */
#ifndef STASIS_TEST_TINY_BLOCKS_H
#define STASIS_TEST_TINY_BLOCKS_H

#include "tiny_objects.h"
#include "tiny_system.h"

static struct tiny_objects o;
static uint64_t block_len;

static inline void build(int is64)
{
        tiny_build(&t, is64);
        tiny_objects(&t, &o);
        block_len = t.is64 ? 0x30 : 0x18;
}

static inline uint64_t member(uint64_t object, const char *name) { return object + tiny_place(&t, name).at; }

static inline uint64_t header(uint64_t at, unsigned kind, uint32_t signal)
{
        world_u(&t.world, at, 1, kind);
        tiny_set(&t, at, "DISPATCHER_HEADER.SignalState", signal);
        tiny_ring(&t, member(at, "DISPATCHER_HEADER.WaitListHead"), NULL, 0);
        return at;
}

/* Block number i of a thread, in its own array. */
static inline uint64_t block(enum tiny_thread thread, unsigned i)
{
        return member(t.thread[thread], "KTHREAD.WaitBlock") + i * block_len;
}

static inline void put_block(enum tiny_thread thread, unsigned i, uint64_t object, uint64_t next)
{
        uint64_t at = block(thread, i);
        tiny_set(&t, at, "KWAIT_BLOCK.Thread", t.thread[thread]);
        tiny_set(&t, at, "KWAIT_BLOCK.Object", object);
        tiny_set(&t, at, "KWAIT_BLOCK.WaitKey", i);
        tiny_set(&t, at, "KWAIT_BLOCK.WaitType", 1);
        if (!t.is64)
                tiny_set(&t, at, "KWAIT_BLOCK.NextWaitBlock", next);
        else
                tiny_set(&t, at, "KWAIT_BLOCK.BlockState", 4);
}

static inline void waits_on(enum tiny_thread thread, const uint64_t *object, unsigned count, unsigned reason)
{
        tiny_set(&t, t.thread[thread], "KTHREAD.State", 5);
        tiny_set(&t, t.thread[thread], "KTHREAD.WaitReason", reason);
        tiny_set(&t, t.thread[thread], "KTHREAD.WaitBlockList", block(thread, 0));
        if (t.is64)
                tiny_set(&t, t.thread[thread], "KTHREAD.WaitBlockCount", count);
        for (unsigned i = 0; i < count; i++)
                put_block(thread, i, object[i], block(thread, (i + 1) % count));
}

static inline const struct stasis_list *list_of(enum tiny_thread thread, size_t rows)
{
        const struct stasis_fact *fact = thread_fact(thread, "wait_objects");
        ck_assert_msg(fact->absence == STASIS_PRESENT, "%s", stasis_absence_name((enum stasis_absence)fact->absence));
        ck_assert_uint_eq(fact->list->rows, rows);
        return fact->list;
}

static inline const struct stasis_fact *at(const struct stasis_list *list, size_t row, const char *key)
{
        for (size_t i = 0; i < list->columns; i++)
                if (!strcmp(list->column[i].key, key))
                        return &list->fact[row * list->columns + i];
        ck_abort_msg("no column %s", key);
}

static inline void expect_owner(const struct stasis_list *list, size_t row, enum tiny_thread owner)
{
        expect_value(at(list, row, "owner"), t.thread[owner]);
        expect_value(at(list, row, "owner_tid"), tiny_tid(owner));
        expect_value(at(list, row, "owner_pid"), tiny_pid(tiny_owner(owner)));
}

static inline uint64_t own_semaphore(enum tiny_thread thread)
{
        return header(member(t.thread[thread], "ETHREAD.KeyedWaitSemaphore"), 5, 0);
}

#endif
