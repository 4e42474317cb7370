/* SPDX-License-Identifier: MIT */
#include "tiny_linux.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- where things are, from the start of the image */

#define IMAGE_LEN 0x80000u
#define SYMBOLS_AT 0x10008u
#define BTF_AT 0x30000u
#define BANNER_AT 0x34000u
#define ROOT_AT 0x40000u
#define INIT_TASK_AT 0x42000u
#define PERCPU_OFFSET_AT 0x46000u
#define PID_NS_AT 0x47000u
#define VMCOREINFO_AT 0x48000u /* the pointer vmcoreinfo_data */
#define MODULES_AT 0x49000u
#define NR_CPU_IDS_AT 0x4a000u
#define UTS_AT 0x4b000u
#define PAGES_AT 0x4c000u /* the pointers vmemmap_base and task_struct_cachep: null until tl_slab */
#define CACHE_AT 0x4d000u
#define PID_HASH_AT 0x4e000u /* the pointer, and behind it pidhash_shift */

/* In physical memory. */
#define TABLES_PA 0x500000u
#define HEAP_PA 0x400000u
#define NOTE_PA 0x3f0000u
#define RUNQUEUES 0x1000u /* in a CPU's area */
#define AREA_PA(cpu) (0x3c0000u + (cpu)*0x10000u)

#define STACK_LEN 0x4000u

static const char banner[] =
        "Linux version 6.1.99-tiny (somebody@somewhere) (gcc) #7 SMP Mon Jan 1 00:00:00 UTC 2024\n";

static void must(bool holds, const char *what)
{
        if (holds)
                return;
        fprintf(stderr, "tiny_linux: %s\n", what);
        abort();
}

static uint64_t pa_of(const struct tl *t, uint64_t va)
{
        uint64_t image = va - t->text;
        return image < IMAGE_LEN ? TL_TEXT_PA + image : va - t->direct;
}

void tl_put(struct tl *t, uint64_t va, unsigned size, uint64_t value)
{
        uint64_t pa = pa_of(t, va);
        must(pa <= TL_LEN - size, "an address outside");
        for (unsigned i = 0; i < size; i++)
                t->mem[pa + i] = (uint8_t)(value >> 8 * i);
}

uint64_t tl_get(const struct tl *t, uint64_t va, unsigned size)
{
        uint64_t value = 0, pa = pa_of(t, va);
        must(pa <= TL_LEN - size, "an address outside");
        for (unsigned i = 0; i < size; i++)
                value |= (uint64_t)t->mem[pa + i] << 8 * i;
        return value;
}

static void put_p(struct tl *t, uint64_t va, uint64_t value) { tl_put(t, va, t->pointer, value); }

/* ---------------------------------------------------------------- structures */

enum shape { LONG, INT, U64, POINTER, LIST, HLIST, COMM, ATOMIC };

static const struct {
        const char *name; /* as BTF names it; members of the same embedded structure follow each other */
        enum shape shape;
} members[TL_MEMBERS] = {
        [TL_TI_FLAGS] = { "ti_flags", LONG },
        [TL_CPU] = { "cpu", INT },
        [TL_STATE] = { "__state", INT },
        [TL_STACK] = { "stack", POINTER },
        [TL_USAGE] = { "usage", ATOMIC },
        [TL_FLAGS] = { "flags", INT },
        [TL_PRIO] = { "prio", INT },
        [TL_STATIC_PRIO] = { "static_prio", INT },
        [TL_NORMAL_PRIO] = { "normal_prio", INT },
        [TL_RT_PRIORITY] = { "rt_priority", INT },
        [TL_POLICY] = { "policy", INT },
        [TL_TASKS] = { "tasks", LIST },
        [TL_MM] = { "mm", POINTER },
        [TL_ACTIVE_MM] = { "active_mm", POINTER },
        [TL_EXIT_STATE] = { "exit_state", INT },
        [TL_EXIT_CODE] = { "exit_code", INT },
        [TL_EXIT_SIGNAL] = { "exit_signal", INT },
        [TL_PID] = { "pid", INT },
        [TL_TGID] = { "tgid", INT },
        [TL_CANARY] = { "stack_canary", LONG },
        [TL_REAL_PARENT] = { "real_parent", POINTER },
        [TL_PARENT] = { "parent", POINTER },
        [TL_CHILDREN] = { "children", LIST },
        [TL_SIBLING] = { "sibling", LIST },
        [TL_GROUP_LEADER] = { "group_leader", POINTER },
        [TL_PID_LINKS] = { "pid_links", HLIST },
        [TL_THREAD_GROUP] = { "thread_group", LIST },
        [TL_THREAD_NODE] = { "thread_node", LIST },
        [TL_START_TIME] = { "start_time", U64 },
        [TL_START_BOOTTIME] = { "start_boottime", U64 },
        [TL_REAL_CRED] = { "real_cred", POINTER },
        [TL_CRED] = { "cred", POINTER },
        [TL_COMM] = { "comm", COMM },
        [TL_SIGNAL] = { "signal", POINTER },
        [TL_SP] = { "saved_sp", LONG },
};

static uint32_t size_of(const struct tl *t, enum shape shape)
{
        switch (shape) {
        case INT:
        case ATOMIC: return 4;
        case U64: return 8;
        case COMM: return 16;
        case LIST:
        case HLIST: return 2 * t->pointer;
        default: return t->pointer;
        }
}

/* Offsets as a compiler gives them, from 0x80 on: what is before them stands for what a real one has there. */
static void lay_out(struct tl *t)
{
        uint32_t at = 0x80;
        for (int i = 0; i < TL_MEMBERS; i++) {
                uint32_t size = size_of(t, members[i].shape);
                uint32_t align = size == 4 ? 4 : members[i].shape == COMM ? 1 : t->pointer;
                at = (at + align - 1) & ~(align - 1);
                t->offset[i] = at;
                t->size[i] = size;
                at += size;
        }
}

/* ---------------------------------------------------------------- BTF */

struct btf {
        uint8_t type[8192];
        char text[4096];
        uint32_t type_len, text_len, count;
};

static void word(struct btf *b, uint32_t value)
{
        must(b->type_len + 4 <= sizeof b->type, "too many types");
        for (unsigned i = 0; i < 4; i++)
                b->type[b->type_len++] = (uint8_t)(value >> 8 * i);
}

static uint32_t name(struct btf *b, const char *text)
{
        uint32_t at = b->text_len;
        must(at + strlen(text) + 1 <= sizeof b->text, "too many names");
        memcpy(b->text + at, text, strlen(text) + 1);
        b->text_len += (uint32_t)strlen(text) + 1;
        return at;
}

/* Number of the new type. */
static uint32_t type(struct btf *b, const char *text, unsigned kind, uint32_t vlen, uint32_t size)
{
        word(b, *text ? name(b, text) : 0);
        word(b, kind << 24 | vlen);
        word(b, size);
        return ++b->count;
}

static uint32_t integer(struct btf *b, const char *text, uint32_t size)
{
        uint32_t id = type(b, text, 1, 0, size);
        word(b, size * 8);
        return id;
}

static uint32_t array(struct btf *b, uint32_t of, uint32_t index, uint32_t count)
{
        uint32_t id = type(b, "", 3, 0, 0);
        word(b, of);
        word(b, index);
        word(b, count);
        return id;
}

static void member(struct btf *b, const char *text, uint32_t of, uint32_t offset)
{
        word(b, name(b, text));
        word(b, of);
        word(b, offset * 8);
}

static const char *member_name(const struct tl *t, int i)
{
        if (i == TL_STATE && t->era)
                return "state";
        if (i == TL_PID_LINKS && t->era)
                return "pids";
        return i == TL_THREAD_NODE && t->era == TL_2_6 ? "filler" : members[i].name;
}

/* The ids: a tree of either kind, or upids in a hash. */
static void write_btf_pids(struct btf *b, const struct tl *t, uint32_t u8, uint32_t u32, uint32_t pointer,
                           uint32_t hlist, uint32_t heads)
{
        uint32_t p = t->pointer, slots = array(b, pointer, u32, 64);
        bool hash = t->era >= TL_3_14, radix = t->era == TL_4_15;
        uint32_t tree = type(b, radix ? "radix_tree_root" : "xarray", 4, 1, 0x10);
        member(b, radix ? "rnode" : "xa_head", pointer, 8);
        uint32_t idr = type(b, "idr", 4, 1, 0x18);
        member(b, "idr_rt", tree, 0);
        (void)type(b, "pid_namespace", 4, 1, 0x100);
        member(b, hash ? "filler" : "idr", idr, 0);
        (void)type(b, radix ? "radix_tree_node" : "xa_node", 4, 2, 8 + 64 * p);
        member(b, "shift", u8, 0);
        member(b, "slots", slots, 8);
        uint32_t upid = type(b, "upid", 4, 3, 0x20);
        member(b, "nr", u32, 0);
        member(b, "ns", pointer, 8);
        member(b, hash ? "pid_chain" : "filler", hlist, 0x10);
        uint32_t numbers = array(b, upid, u32, 1);
        (void)type(b, "pid", 4, 2, 0x60);
        member(b, "tasks", heads, 8);
        member(b, "numbers", numbers, 0x20);
}

static void write_btf(struct tl *t)
{
        static struct btf b;
        uint32_t p = t->pointer;
        memset(&b, 0, sizeof b);
        b.text_len = 1;
        uint32_t u8 = integer(&b, "char", 1), u32 = integer(&b, "int", 4), u64 = integer(&b, "long long", 8);
        uint32_t ulong = integer(&b, "long", p), pointer = type(&b, "", 2, 0, 0);
        uint32_t list = type(&b, "list_head", 4, 2, 2 * p);
        member(&b, "next", pointer, 0);
        member(&b, "prev", pointer, p);
        uint32_t hlist = type(&b, "hlist_node", 4, 2, 2 * p);
        member(&b, "next", pointer, 0);
        member(&b, "pprev", pointer, p);
        uint32_t atomic = type(&b, "atomic", 4, 1, 4);
        member(&b, "counter", u32, 0);
        uint32_t head = type(&b, "hlist_head", 4, 1, p);
        member(&b, "first", pointer, 0);
        uint32_t comm = array(&b, u8, u32, 16), links = array(&b, hlist, u32, 1), heads = array(&b, head, u32, 1);
        const uint32_t of[] = { [LONG] = ulong, [INT] = u32,     [U64] = u64,   [POINTER] = pointer,
                                [LIST] = list,  [HLIST] = links, [COMM] = comm, [ATOMIC] = atomic };
        (void)type(&b, "task_struct", 4, TL_MEMBERS, 0x1000);
        for (int i = 0; i < TL_MEMBERS; i++)
                member(&b, member_name(t, i), of[members[i].shape], t->offset[i]);
        (void)type(&b, "mm_struct", 4, 1, 0x100);
        member(&b, "pgd", pointer, 0x18);
        (void)type(&b, "signal_struct", 4, 1, 0x100);
        member(&b, t->era == TL_2_6 ? "filler" : "thread_head", list, 0x10);
        (void)type(&b, "rq", 4, 2, 0x100);
        member(&b, "curr", pointer, 0x20);
        member(&b, "idle", pointer, 0x20 + p);
        write_btf_pids(&b, t, u8, u32, pointer, hlist, heads);
        (void)type(&b, "page", 4, 3, 0x40);
        member(&b, "compound_head", ulong, 8);
        member(&b, "slab_cache", pointer, 0x18);
        member(&b, "objects", u32, 0x28);
        (void)type(&b, "kmem_cache", 4, 1, 0x40);
        member(&b, "size", u32, 8);
        uint8_t *to = t->mem + TL_TEXT_PA + BTF_AT;
        const uint32_t header[] = { 0x0001eb9f, 24, 0, b.type_len, b.type_len, b.text_len };
        for (unsigned i = 0; i < 24; i++)
                to[i] = (uint8_t)(header[i / 4] >> 8 * (i % 4));
        memcpy(to + 24, b.type, b.type_len);
        memcpy(to + 24 + b.type_len, b.text, b.text_len);
        t->btf = TL_TEXT_PA + BTF_AT;
        t->btf_len = 24 + b.type_len + b.text_len;
}

/* ---------------------------------------------------------------- symbols */

#define FUNCTIONS 300

static void write_symbols(struct tl *t)
{
        static char names[FUNCTIONS][16];
        static struct ksyms_symbol s[FUNCTIONS + 32];
        size_t n = 0;
        if (t->kind.data_symbols && t->kind.mode >= PT_X64 && t->kind.order != KSYMS_PLACE)
                s[n++] = (struct ksyms_symbol){ 'A', "runqueues", RUNQUEUES };
        s[n++] = (struct ksyms_symbol){ 'T', "_text", t->text };
        s[n++] = (struct ksyms_symbol){ 'T', "_stext", t->text };
        if (t->kind.order == KSYMS_PLACE && t->pointer == 8)
                s[n++] = (struct ksyms_symbol){ 'T', "startup_64", t->text };
        for (unsigned i = 0; i < FUNCTIONS; i++) {
                snprintf(names[i], sizeof names[i], "function_%u", i);
                s[n++] = (struct ksyms_symbol){ 't', names[i], t->text + 0x40 + 16 * i };
        }
        const struct ksyms_symbol data[] = {
                { 'R', "__start_BTF", t->text + BTF_AT },     { 'R', "__stop_BTF", t->text + BTF_AT + t->btf_len },
                { 'R', "linux_banner", t->text + BANNER_AT }, { 'D', "init_top_pgt", t->text + ROOT_AT },
                { 'D', "init_task", t->text + INIT_TASK_AT }, { 'D', "__per_cpu_offset", t->text + PERCPU_OFFSET_AT },
                { 'D', "init_pid_ns", t->text + PID_NS_AT },  { 'D', "vmcoreinfo_data", t->text + VMCOREINFO_AT },
                { 'D', "modules", t->text + MODULES_AT },     { 'D', "nr_cpu_ids", t->text + NR_CPU_IDS_AT },
                { 'D', "vmemmap_base", t->text + PAGES_AT },  { 'D', "task_struct_cachep", t->text + CACHE_AT },
                { 'd', "pid_hash", t->text + PID_HASH_AT },   { 'd', "pidhash_shift", t->text + PID_HASH_AT + 8 },
        };
        for (size_t i = 0; t->kind.data_symbols && i < sizeof data / sizeof *data; i++)
                if ((t->kind.btf || i >= 2) && (t->era >= TL_3_14 || data[i].type != 'd'))
                        s[n++] = data[i];
        s[n++] = (struct ksyms_symbol){ 'B', "_end", t->text + IMAGE_LEN };
        t->symbols = (struct ksyms){ .order = t->kind.order,
                                     .pointer = t->pointer,
                                     .percpu = t->pointer == 8,
                                     .wide_markers = t->kind.order == KSYMS_ABSOLUTE,
                                     .sequence = t->kind.order >= KSYMS_BEHIND,
                                     .base = t->text + (t->kind.order == KSYMS_PLACE ? SYMBOLS_AT : 0),
                                     .symbol = s,
                                     .count = n };
        t->symbols_pa = TL_TEXT_PA + SYMBOLS_AT;
        must(ksyms_write(&t->symbols, t->mem + t->symbols_pa, BTF_AT - SYMBOLS_AT), "symbols do not fit");
}

/* ---------------------------------------------------------------- tasks */

static const struct task {
        const char *comm;
        uint32_t pid, tgid, flags, state, exit_state, prio, rt, cpu;
        enum tl_task parent, leader;
} tasks[TL_TASKS_COUNT] = {
        [TL_SWAPPER] = { "swapper/0", 0, 0, 0x200002, 0, 0, 120, 0, 0, TL_SWAPPER, TL_SWAPPER },
        [TL_INIT] = { "init", 1, 1, 0x400100, 1, 0, 120, 0, 0, TL_SWAPPER, TL_INIT },
        [TL_KTHREADD] = { "kthreadd", 2, 2, 0x208040, 1, 0, 120, 0, 1, TL_SWAPPER, TL_KTHREADD },
        [TL_KSOFTIRQD0] = { "ksoftirqd/0", 3, 3, 0x4208040, 1, 0, 120, 0, 0, TL_KTHREADD, TL_KSOFTIRQD0 },
        [TL_KSOFTIRQD1] = { "ksoftirqd/1", 4, 4, 0x4208040, 1, 0, 120, 0, 1, TL_KTHREADD, TL_KSOFTIRQD1 },
        [TL_MIGRATION] = { "migration/1", 5, 5, 0x4208040, 1, 0, 0, 99, 1, TL_KTHREADD, TL_MIGRATION },
        [TL_WORKER] = { "kworker/0:0", 6, 6, 0x4208060, 0x402, 0, 120, 0, 0, TL_KTHREADD, TL_WORKER },
        [TL_SHELL] = { "sh\n\xff", 100, 100, 0x400000, 0, 0, 120, 0, 0, TL_INIT, TL_SHELL },
        [TL_SERVER] = { "server", 101, 101, 0x400000, 1, 0, 120, 0, 1, TL_INIT, TL_SERVER },
        [TL_SERVER1] = { "server-one", 102, 101, 0x400040, 1, 0, 120, 0, 1, TL_INIT, TL_SERVER },
        [TL_SERVER2] = { "server-two", 103, 101, 0x400040, 2, 0, 120, 0, 1, TL_INIT, TL_SERVER },
        [TL_ZOMBIE] = { "zombie", 104, 104, 0x40004c, 0x80, 32, 120, 0, 0, TL_SHELL, TL_ZOMBIE },
        [TL_SWAPPER1] = { "swapper/1", 0, 0, 0x200002, 0, 0, 120, 0, 1, TL_INIT, TL_SWAPPER1 },
};

static void set(struct tl *t, enum tl_task task, enum tl_member m, uint64_t value)
{
        tl_put(t, tl_at(t, task, m),
               t->size[m] > t->pointer && m != TL_START_TIME && m != TL_START_BOOTTIME ? t->pointer : t->size[m],
               value);
}

static void list_init(struct tl *t, uint64_t head)
{
        put_p(t, head, head);
        put_p(t, head + t->pointer, head);
}

static void list_add_tail(struct tl *t, uint64_t head, uint64_t entry)
{
        uint64_t last = tl_get(t, head + t->pointer, t->pointer);
        put_p(t, entry, head);
        put_p(t, entry + t->pointer, last);
        put_p(t, last, entry);
        put_p(t, head + t->pointer, entry);
}

#define TASK_PA(i) (HEAP_PA + (i)*0x2000u)
#define STACK_PA(i) (HEAP_PA + 0x20000u + (i)*STACK_LEN)
#define SMALL_PA(i) (HEAP_PA + 0x60000u + (i)*0x1000u) /* its mm, cred, signal, pid: a page of them */

static void write_task(struct tl *t, unsigned i)
{
        const struct task *w = &tasks[i];
        uint64_t small = t->direct + SMALL_PA(i), stack = t->direct + STACK_PA(i), self = t->task[i];
        bool user = !(w->flags & 0x200000), zombie = w->exit_state;
        set(t, i, TL_CPU, w->cpu);
        set(t, i, TL_STATE, w->state);
        set(t, i, TL_STACK, zombie ? 0 : stack);
        tl_put(t, stack, 4, 0x57ac6e9d);
        set(t, i, TL_USAGE, 2);
        set(t, i, TL_FLAGS, w->flags);
        set(t, i, TL_PRIO, w->prio);
        set(t, i, TL_STATIC_PRIO, 120);
        set(t, i, TL_NORMAL_PRIO, w->prio);
        set(t, i, TL_RT_PRIORITY, w->rt);
        set(t, i, TL_POLICY, w->rt ? 1 : 0);
        set(t, i, TL_MM, user && !zombie ? t->direct + SMALL_PA(w->leader) : 0);
        set(t, i, TL_ACTIVE_MM, user && !zombie ? t->direct + SMALL_PA(w->leader) : i == TL_SWAPPER ? small : 0);
        put_p(t, small + 0x18, t->direct + t->root); /* mm_struct.pgd; page tables that have the kernel's half */
        set(t, i, TL_EXIT_STATE, w->exit_state);
        set(t, i, TL_EXIT_CODE, zombie ? 0x300 : 0);
        set(t, i, TL_EXIT_SIGNAL, i == TL_SWAPPER ? 0 : w->pid == w->tgid ? 17 : UINT32_MAX);
        set(t, i, TL_PID, w->pid);
        set(t, i, TL_TGID, w->tgid);
        set(t, i, TL_CANARY, UINT64_C(0x1122334455667700) + i);
        set(t, i, TL_REAL_PARENT, t->task[w->parent]);
        set(t, i, TL_PARENT, t->task[w->parent]);
        set(t, i, TL_GROUP_LEADER, t->task[w->leader]);
        set(t, i, TL_START_TIME, UINT64_C(1000000000) + w->pid * UINT64_C(10000000));
        set(t, i, TL_START_BOOTTIME, UINT64_C(1000000500) + w->pid * UINT64_C(10000037));
        tl_put(t, small + 0x40, 4, 3); /* cred.usage */
        set(t, i, TL_REAL_CRED, small + 0x40);
        set(t, i, TL_CRED, small + 0x40);
        memcpy(t->mem + pa_of(t, tl_at(t, i, TL_COMM)), w->comm, strlen(w->comm));
        set(t, i, TL_SIGNAL, t->direct + SMALL_PA(w->leader) + 0x80);
        set(t, i, TL_SP, stack + STACK_LEN / 2 - 0x200 + 0x20 * i);
        for (unsigned k = 0; k < 4; k++) {
                static const enum tl_member heads[] = { TL_TASKS, TL_CHILDREN, TL_SIBLING, TL_THREAD_GROUP };
                list_init(t, self + t->offset[heads[k]]);
        }
        if (w->leader == (enum tl_task)i)
                list_init(t, small + 0x80 + 0x10);
}

/* A node of two levels, as pids above 63 need it; or the chain of its bucket, of which there are 16. */
static void put_pid(struct tl *t, uint64_t ns, uint64_t number, uint64_t pid)
{
        uint64_t top = t->direct + HEAP_PA + 0x80000, leaf = top + 0x1000 + (number / 64) * 0x1000, w = t->pointer;
        uint64_t mark = t->era == TL_4_15 ? 1 : 2, bucket = top + number % 16 * w, chain = pid + 0x20 + 0x10;
        if (t->era >= TL_3_14) {
                put_p(t, t->text + PID_HASH_AT, top);
                tl_put(t, t->text + PID_HASH_AT + 8, 4, 4);
                put_p(t, pid + 0x20 + 8, ns);
                put_p(t, chain, tl_get(t, bucket, t->pointer));
                put_p(t, bucket, chain);
                return;
        }
        put_p(t, ns + 8, top + mark);
        tl_put(t, top, 1, 6);
        put_p(t, top + 8 + (number / 64) * w, leaf + mark);
        put_p(t, leaf + 8 + (number % 64) * w, pid);
}

static void link_task(struct tl *t, unsigned i)
{
        const struct task *w = &tasks[i];
        uint64_t self = t->task[i], pid = t->direct + SMALL_PA(i) + 0x200, ns = t->text + PID_NS_AT;
        if (i != TL_SWAPPER && i != TL_SWAPPER1 && w->pid == w->tgid) {
                list_add_tail(t, tl_at(t, TL_SWAPPER, TL_TASKS), self + t->offset[TL_TASKS]);
                list_add_tail(t, tl_at(t, w->parent, TL_CHILDREN), self + t->offset[TL_SIBLING]);
        }
        if (w->pid != w->tgid)
                list_add_tail(t, tl_at(t, w->leader, TL_THREAD_GROUP), self + t->offset[TL_THREAD_GROUP]);
        list_add_tail(t, t->direct + SMALL_PA(w->leader) + 0x80 + 0x10, self + t->offset[TL_THREAD_NODE]);
        if (!w->pid)
                return;
        put_pid(t, ns, w->pid, pid);
        put_p(t, pid + 8, self + t->offset[TL_PID_LINKS]);
}

static void write_processors(struct tl *t)
{
        tl_put(t, t->text + NR_CPU_IDS_AT, 4, 2);
        for (unsigned cpu = 0; cpu < 2; cpu++) {
                uint64_t area = t->direct + AREA_PA(cpu), rq = area + RUNQUEUES;
                put_p(t, t->text + PERCPU_OFFSET_AT + cpu * t->pointer, area);
                put_p(t, rq + 0x20, cpu ? t->task[TL_SWAPPER1] : t->task[TL_SHELL]);
                put_p(t, rq + 0x20 + t->pointer, cpu ? t->task[TL_SWAPPER1] : t->task[TL_SWAPPER]);
        }
}

/* ---------------------------------------------------------------- tables, VMCOREINFO, all of it */

static void write_tables(struct tl *t)
{
        uint64_t root = TL_TEXT_PA + ROOT_AT;
        pt_start(&t->tables, t->kind.mode, t->mem, TL_LEN, root, 0);
        t->tables.next = TABLES_PA;
        t->root = t->tables.root;
        for (uint64_t at = 0; at < IMAGE_LEN && t->pointer == 8; at += 0x1000)
                pt_map(&t->tables, t->text + at, TL_TEXT_PA + at, PT_4K, 2);
        for (uint64_t at = 0; at < TABLES_PA; at += 0x1000)
                pt_map(&t->tables, t->direct + at, at, PT_4K, 2);
        must(t->tables.next <= TL_LEN, "tables do not fit");
}

static void write_vmcoreinfo(struct tl *t)
{
        char *text = (char *)t->mem + NOTE_PA;
        size_t room = 4096;
        long long base = (long long)(TL_TEXT_PA - (t->text - UINT64_C(0xffffffff80000000)));
        size_t used = (size_t)snprintf(
                text, room, "OSRELEASE=6.1.99-tiny\nBUILD-ID=%040d\nPAGESIZE=4096\nNUMBER(PG_lru)=%036d\n", 7, 4);
        used += (size_t)snprintf(text + used, room - used,
                                 "SYMBOL(init_uts_ns)=%llx\nOFFSET(uts_namespace.name)=0\n"
                                 "SYMBOL(swapper_pg_dir)=%llx\nSYMBOL(_stext)=%llx\n",
                                 (unsigned long long)t->text + UTS_AT, (unsigned long long)t->text + ROOT_AT,
                                 (unsigned long long)t->text);
        used += (size_t)snprintf(text + used, room - used, "SYMBOL(kallsyms_token_table)=%llx\n",
                                 (unsigned long long)t->text + SYMBOLS_AT + t->symbols.token_table);
        if (t->pointer == 8)
                used += (size_t)snprintf(text + used, room - used,
                                         "NUMBER(phys_base)=%lld\n"
                                         "NUMBER(pgtable_l5_enabled)=%d\nKERNELOFFSET=%llx\n",
                                         base, t->kind.mode == PT_LA57, (unsigned long long)t->kind.slide);
        else if (t->kind.mode == PT_PAE)
                used += (size_t)snprintf(text + used, room - used, "CONFIG_X86_PAE=y\n");
        put_p(t, t->text + VMCOREINFO_AT, t->direct + NOTE_PA);
}

void tl_build(struct tl *t, const struct tl_kind *kind) { tl_build_era(t, kind, TL_SINCE_5_14); }

void tl_build_era(struct tl *t, const struct tl_kind *kind, enum tl_era era)
{
        static const uint8_t text64[] = { 0x48, 0x8d, 0x25, 0x51, 0x3f, 0xa0, 1, 0 };
        static const uint8_t text32[] = { 0x8b, 0x0d, 0x40, 0xee, 0xc5, 4, 0x0f, 1, 0x15 };
        memset(t, 0, sizeof *t);
        t->kind = *kind;
        t->era = era;
        t->pointer = kind->mode >= PT_X64 ? 8 : 4;
        t->direct = kind->mode == PT_LA57  ? UINT64_C(0xff11000000000000)
                    : kind->mode == PT_X64 ? UINT64_C(0xffff888000000000)
                                           : 0xc0000000;
        t->text = t->pointer == 8 ? UINT64_C(0xffffffff81000000) + kind->slide : t->direct + TL_TEXT_PA;
        lay_out(t);
        write_tables(t);
        if (kind->text)
                memcpy(t->mem + TL_TEXT_PA, t->pointer == 8 ? text64 : text32, 8 + (t->pointer == 4));
        memcpy(t->mem + TL_TEXT_PA + BANNER_AT, banner, sizeof banner);
        memcpy(t->mem + TL_TEXT_PA + UTS_AT, "Linux", 6);
        if (kind->btf)
                write_btf(t);
        write_symbols(t);
        list_init(t, t->text + MODULES_AT);
        for (unsigned i = 0; i < TL_TASKS_COUNT; i++)
                t->task[i] = i == TL_SWAPPER ? t->text + INIT_TASK_AT : t->direct + TASK_PA(i);
        for (unsigned i = 0; i < TL_TASKS_COUNT; i++)
                write_task(t, i);
        for (unsigned i = 0; i < TL_TASKS_COUNT; i++)
                link_task(t, i);
        write_processors(t);
        if (kind->vmcoreinfo)
                write_vmcoreinfo(t);
}

/* Of struct page only those of the heap are there; the tasks' is one slab, in which every object is in use. */
void tl_slab(struct tl *t)
{
        enum { PAGES_PA = 0x490000, CACHE_PA = 0x4c0000, PAGE_LEN = 0x40, TASK_LEN = 0x2000 };
        uint64_t pages = t->direct + PAGES_PA, first = pages + (HEAP_PA >> 12) * PAGE_LEN;
        put_p(t, t->text + PAGES_AT, pages);
        put_p(t, t->text + CACHE_AT, t->direct + CACHE_PA);
        tl_put(t, t->direct + CACHE_PA + 8, 4, TASK_LEN);
        put_p(t, first + 0x18, t->direct + CACHE_PA);
        tl_put(t, first + 0x28, 4, TL_TASKS_COUNT);
        for (unsigned i = 1; i < TL_TASKS_COUNT * TASK_LEN / 4096; i++)
                put_p(t, first + i * PAGE_LEN + 8, first + 1);
}

static void unlink_entry(struct tl *t, uint64_t entry)
{
        uint64_t next = tl_get(t, entry, t->pointer), prev = tl_get(t, entry + t->pointer, t->pointer);
        put_p(t, prev, next);
        put_p(t, next + t->pointer, prev);
}

void tl_hide(struct tl *t, enum tl_task task)
{
        static const enum tl_member links[] = { TL_TASKS, TL_SIBLING, TL_THREAD_NODE };
        for (size_t i = 0; i < sizeof links / sizeof *links; i++)
                unlink_entry(t, tl_at(t, task, links[i]));
        uint64_t pid = t->direct + SMALL_PA(task) + 0x200;
        put_p(t, pid + 8, 0);
}
