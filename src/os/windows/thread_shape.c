/* SPDX-License-Identifier: MIT */
#include "thread_shape.h"

#include <stddef.h>
#include <string.h>

#include "../../base/bytes.h"
#include "windows.h"

#define WAITERS 8 /* _DISPATCHER_HEADER.WaitListHead: the same in every version, of either pointer size */
#define ID_MAX (UINT64_C(4) << 24) /* ids are handles: 24 bits of index */
#define STACK_MAX (UINT64_C(1) << 20)
/* FILETIMEs of 1993 (NT 3.1) and 2146. */
#define TIME_MIN (UINT64_C(0x1b70000) << 32)
#define CREATE_SHIFT 3
#define TIME_MAX (UINT64_C(0x2640000) << 32)

static const struct place_row shape_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct shape_places, name), { __VA_ARGS__ } \
        }
        PLACE(state, "_KTHREAD.State"),
        PLACE(process, "_KTHREAD.Process"),
        PLACE(thread_process, "_ETHREAD.ThreadsProcess"),
        PLACE(apc_process, "_KTHREAD.ApcState.Process"),
        PLACE(initial_stack, "_KTHREAD.InitialStack"),
        PLACE(stack_base, "_KTHREAD.StackBase"),
        PLACE(stack_limit, "_KTHREAD.StackLimit"),
        PLACE(kernel_stack, "_KTHREAD.KernelStack"),
        PLACE(cid_process, "_ETHREAD.Cid.UniqueProcess"),
        PLACE(cid_thread, "_ETHREAD.Cid.UniqueThread"),
        PLACE(thread_links, "_ETHREAD.ThreadListEntry"),
        PLACE(kthread_links, "_KTHREAD.ThreadListEntry"),
        PLACE(teb, "_KTHREAD.Teb"),
        PLACE(create_time, "_ETHREAD.CreateTime"),
        PLACE(priority, "_KTHREAD.Priority"),
        PLACE(wait_irql, "_KTHREAD.WaitIrql"),
        PLACE(apc_lists, "_KTHREAD.ApcState.ApcListHead"),
#undef PLACE
};

static const char *const head_paths[] = { "_KTHREAD.MutantListHead", "_ETHREAD.IrpList", "_ETHREAD.ActiveTimerListHead",
                                          "_ETHREAD.PostBlockList" };

void thread_shape_bind(const struct stasis_layout *layout, uint64_t system_start, struct thread_shape *ret_shape)
{
        struct thread_shape s = { .pointer_size = stasis_layout_pointer_size(layout),
                                  .system_start = system_start,
                                  .size = stasis_layout_sizeof(layout, "_ETHREAD") };
        struct stasis_member m;
        places_bind(layout, shape_rows, sizeof shape_rows / sizeof *shape_rows, &s.at);
        s.id_step = stasis_layout_sizeof(layout, "_HANDLE_TABLE_ENTRY") ? 4 : 1;
        s.align = s.pointer_size == 8 ? 16 : 8;
        s.head[s.heads++] = WAITERS;
        for (unsigned i = 0; s.at.apc_lists.has && i < 2; i++) /* kernel APCs, then user ones */
                s.head[s.heads++] = s.at.apc_lists.offset + 2u * i * s.pointer_size;
        for (size_t i = 0; i < sizeof head_paths / sizeof *head_paths; i++)
                if (stasis_layout_member(layout, head_paths[i], &m))
                        s.head[s.heads++] = m.offset;
        if (!s.size) /* a layout that was inferred: what is known of it */
                s.size = s.at.cid_thread.has ? s.at.cid_thread.offset + s.pointer_size : 0;
        *ret_shape = s;
}

/* ---------------------------------------------------------------- one candidate */

struct candidate {
        const struct thread_shape *s;
        struct stasis_bytes bytes;
        uint32_t low;
        struct shape_score score;
};

/* What a test comes to: bits, NOTHING where it says nothing, or REFUSED. */
enum { NOTHING = 0, REFUSED = -1 };

static bool get_at(const struct candidate *c, uint32_t offset, size_t size, uint64_t *ret_value)
{
        if (offset > c->bytes.len || size > c->bytes.len - offset)
                return false;
        *ret_value = load_le(c->bytes.at + offset, size);
        return true;
}

static bool get(const struct candidate *c, const struct place *place, uint64_t *ret_value)
{
        if (!place->has || !get_at(c, place->offset, place->size, ret_value))
                return false;
        if (place->bits)
                *ret_value = *ret_value >> place->bit & UINT64_MAX >> (64 - place->bits);
        return true;
}

static bool is_kernel(const struct candidate *c, uint64_t va)
{
        return va >= c->s->system_start && va % c->s->pointer_size == 0;
}

/* That a random word is an aligned address of the kernel's half: 16 bits of sign and 3 of alignment, or 1 and 2. */
static int pointer_bits(const struct candidate *c) { return c->s->pointer_size == 8 ? 19 : 3; }

/* Both links of a LIST_ENTRY; zero: taken off and cleared, which says nothing. */
static int links_at(const struct candidate *c, uint32_t offset, bool zero_ok)
{
        uint64_t flink, blink;
        if (!get_at(c, offset, c->s->pointer_size, &flink) ||
            !get_at(c, offset + c->s->pointer_size, c->s->pointer_size, &blink))
                return NOTHING;
        if (!flink && !blink && zero_ok)
                return NOTHING;
        return is_kernel(c, flink) && is_kernel(c, blink) ? 2 * pointer_bits(c) : REFUSED;
}

static int test_header(struct candidate *c)
{
        uint64_t first;
        if (!get_at(c, 0, 8, &first))
                return REFUSED;
        return (first & SHAPE_HEADER_MASK) == SHAPE_HEADER ? 7 + 31 : REFUSED;
}

static int test_waiters(struct candidate *c) { return links_at(c, WAITERS, false); }

static int test_state(struct candidate *c)
{
        uint64_t state;
        if (!get(c, &c->s->at.state, &state))
                return NOTHING;
        return state <= THREAD_STATE_MAX ? 4 : REFUSED;
}

/* Signalled is ended, and ended is signalled (KiTerminateThread sets both, and nobody resets them). */
static int test_signal(struct candidate *c)
{
        uint64_t state, signalled;
        if (!get(c, &c->s->at.state, &state) || !get_at(c, 4, 4, &signalled))
                return NOTHING;
        return signalled && state != THREAD_STATE_TERMINATED ? REFUSED : 1;
}

static int test_owner(struct candidate *c)
{
        uint64_t process;
        if (!get(c, &c->s->at.process, &process) && !get(c, &c->s->at.apc_process, &process))
                return NOTHING;
        return is_kernel(c, process) && process % 8 == 0 ? pointer_bits(c) : REFUSED;
}

/* XP's second pointer to the owner: the object manager's view of it. */
static int test_second_owner(struct candidate *c)
{
        uint64_t process;
        if (!get(c, &c->s->at.thread_process, &process) || !process)
                return NOTHING;
        return is_kernel(c, process) && process % 8 == 0 ? pointer_bits(c) : REFUSED;
}

static int test_apcs(struct candidate *c)
{
        const struct place *lists = &c->s->at.apc_lists;
        if (!lists->has)
                return NOTHING;
        int kernel = links_at(c, lists->offset, true);
        int user = links_at(c, lists->offset + 2u * c->s->pointer_size, true);
        return kernel == REFUSED || user == REFUSED ? REFUSED : kernel + user;
}

/* Limit below base, both at page boundaries, the stack pointer between; all are gone with an ended thread's stack. */
static int test_stack(struct candidate *c)
{
        uint64_t base, limit, now;
        if (!get(c, &c->s->at.stack_base, &base) || !get(c, &c->s->at.stack_limit, &limit))
                return NOTHING;
        if (!base && !limit)
                return NOTHING;
        if (!is_kernel(c, base) || !is_kernel(c, limit) || base <= limit || base - limit > STACK_MAX)
                return REFUSED;
        /* A debugger's stack, or one of a thread that calls out to user mode, has its own: then only the bounds count.
         */
        bool inside = get(c, &c->s->at.kernel_stack, &now) && now > limit && now <= base;
        return 2 * pointer_bits(c) + (base % 4096 == 0 ? 9 : 0) + (limit % 4096 == 0 ? 9 : 0) + (inside ? 12 : 0);
}

static int test_ids(struct candidate *c)
{
        uint64_t pid, tid;
        if (!get(c, &c->s->at.cid_process, &pid) || !get(c, &c->s->at.cid_thread, &tid))
                return NOTHING;
        if (pid % c->s->id_step || tid % c->s->id_step || pid >= ID_MAX || tid >= ID_MAX)
                return REFUSED;
        return pid && tid ? (c->s->pointer_size == 8 ? 78 : 14) : NOTHING; /* Idle's have none */
}

/* Torn or overwritten, it is a thread all the same: they only count. */
static int test_links(struct candidate *c)
{
        int sum = 0;
        const struct place *places[] = { &c->s->at.thread_links, &c->s->at.kthread_links };
        for (size_t i = 0; i < 2; i++) {
                int bits = places[i]->has ? links_at(c, places[i]->offset, true) : NOTHING;
                sum += bits == REFUSED ? 0 : bits;
        }
        return sum;
}

static int test_teb(struct candidate *c)
{
        uint64_t teb;
        if (!get(c, &c->s->at.teb, &teb) || !teb)
                return NOTHING;
        return teb < c->s->system_start && teb % 4096 == 0 ? 12 : REFUSED;
}

static bool is_time(uint64_t time) { return time >= TIME_MIN && time < TIME_MAX; }

static int test_created(struct candidate *c)
{
        uint64_t time;
        if (!get(c, &c->s->at.create_time, &time) || !time)
                return NOTHING;
        /* XP and 2003 keep it shifted, ReactOS does not though its layout is theirs: either will do. */
        return is_time(time) || is_time(time >> CREATE_SHIFT) ? 7 : REFUSED;
}

static int test_priority(struct candidate *c)
{
        uint64_t priority, irql;
        if (!get(c, &c->s->at.priority, &priority) || !get(c, &c->s->at.wait_irql, &irql))
                return NOTHING;
        return priority <= 31 && irql <= 31 ? 3 + 3 : REFUSED;
}

/* Empty list heads name themselves, and so tell where the object lies: all of them the same place. */
static int test_heads(struct candidate *c)
{
        uint64_t flink, blink;
        for (size_t i = 0; i < c->s->heads; i++) {
                uint32_t at = c->s->head[i];
                if (!get_at(c, at, c->s->pointer_size, &flink) ||
                    !get_at(c, at + c->s->pointer_size, c->s->pointer_size, &blink) || flink != blink)
                        continue;
                uint64_t va = flink - at;
                if (!is_kernel(c, flink) || (va & 0xfff) != c->low || (c->score.va && va != c->score.va))
                        continue; /* a list of one entry */
                c->score.va = va;
                c->score.heads++;
        }
        return 12 * (int)c->score.heads;
}

static const struct shape_test {
        const char *name;
        int (*test)(struct candidate *c);
} shape_tests[] = {
        { "its dispatcher header is not a thread's", test_header },
        { "its list of waiters is none", test_waiters },
        { "its state is out of range", test_state },
        { "it is signalled and has not ended", test_signal },
        { "its process pointer is none", test_owner },
        { "its second process pointer is none", test_second_owner },
        { "its APC lists are none", test_apcs },
        { "its stack is none", test_stack },
        { "its ids are none", test_ids },
        { "", test_links },
        { "its TEB is none", test_teb },
        { "its create time is none", test_created },
        { "its priority or IRQL is out of range", test_priority },
        { "its list heads do not name it", test_heads },
};

struct shape_score thread_shape_score(const struct thread_shape *shape, struct stasis_bytes bytes, uint32_t low)
{
        struct candidate c = { .s = shape, .bytes = bytes, .low = low };
        for (size_t i = 0; i < sizeof shape_tests / sizeof *shape_tests; i++) {
                int bits = shape_tests[i].test(&c);
                if (bits == REFUSED) {
                        c.score.refused = shape_tests[i].name;
                        break;
                }
                c.score.bits += (unsigned)bits;
        }
        return c.score;
}
