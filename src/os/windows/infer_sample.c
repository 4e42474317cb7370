/* SPDX-License-Identifier: MIT */
/*
 * What rules are held against: processes and threads found by what never moved (infer_processors.c: processor blocks).
 * A dispatcher header begins every process and thread (Type, and at 8 a list that points back); LIST_ENTRYs point back;
 * the process id stands before the links of the process list in all 114 measured layouts.
 */
#include <stdlib.h>
#include <string.h>

#include "infer.h"

#define PROCESSES_LEAST 3
#define PAIR_PROCESSES 24 /* processes and entries of each that a pair of head and entry is tried on */
#define PAIR_ENTRIES 12
#define HEAD_FROM 0x18 /* behind a dispatcher header */
#define LINKS_FROM 0x40
#define ID_MAX 0x4000000 /* see identify.c */

/* ---------------------------------------------------------------- readers */

uint64_t infer_word(const struct infer_object *o, uint32_t at, uint8_t size)
{
        uint64_t value = 0;
        for (unsigned i = size; i-- > 0;)
                value = value << 8 | o->bytes[at + i];
        return value;
}

bool infer_read(struct infer *s, uint64_t va, uint8_t size, uint64_t *ret_value)
{
        if (s->reads == INFER_READS_MAX)
                return false;
        s->reads++;
        return stasis_space_u(s->space, va, size, ret_value) == STASIS_OK;
}

bool infer_is_kernel(const struct infer *s, uint64_t va) { return is_kernel_address(s->w, va) && va % s->pointer == 0; }

bool infer_is_list(struct infer *s, uint64_t va)
{
        uint64_t next, before, back, forth;
        return infer_read(s, va, s->pointer, &next) && infer_is_kernel(s, next) &&
               infer_read(s, va + s->pointer, s->pointer, &before) && infer_is_kernel(s, before) &&
               infer_read(s, next + s->pointer, s->pointer, &back) && back == va &&
               infer_read(s, before, s->pointer, &forth) && forth == va;
}

bool infer_is_object(struct infer *s, uint64_t va, unsigned kind)
{
        uint64_t type;
        return is_kernel_address(s->w, va) && va % 8 == 0 && infer_read(s, va, 1, &type) && is_dispatcher(type, kind) &&
               infer_is_list(s, va + 8);
}

/* ---------------------------------------------------------------- objects */

bool infer_snapshot(struct infer *s, struct infer_object *o, uint64_t va)
{
        *o = (struct infer_object){ .va = va, .owner = INFER_NOBODY };
        o->bytes = stasis_arena_alloc(&s->arena, INFER_SPAN);
        s->no_memory |= !o->bytes;
        while (o->bytes && o->len < INFER_SPAN) {
                struct stasis_bytes piece = stasis_space_view(s->space, va + o->len, INFER_SPAN - o->len);
                if (!piece.len)
                        break;
                memcpy(o->bytes + o->len, piece.at, piece.len);
                o->len += (uint32_t)piece.len;
        }
        return o->len > 0;
}

static int by_address(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;
        return (*x > *y) - (*x < *y);
}

static void cut(struct infer_object *o, size_t count, uint64_t span)
{
        for (size_t i = 0; i < count; i++)
                if (o[i].len > span)
                        o[i].len = (uint32_t)span;
}

/* Objects do not overlap: none is longer than the least distance from one of its kind to any other. */
static void cut_to_distance(struct infer *s)
{
        uint64_t va[INFER_PROCESSES_MAX + INFER_THREADS_MAX], span[2] = { INFER_SPAN, INFER_SPAN };
        size_t count = 0;
        for (size_t i = 0; i < s->process_count; i++)
                va[count++] = s->process[i].va | OF_PROCESS;
        for (size_t i = 0; i < s->thread_count; i++)
                va[count++] = s->thread[i].va | OF_THREAD; /* objects are aligned to 8 */
        qsort(va, count, sizeof *va, by_address);
        for (size_t i = 0; i + 1 < count; i++) {
                uint64_t distance = (va[i + 1] & ~UINT64_C(1)) - (va[i] & ~UINT64_C(1));
                if (distance && distance < span[va[i] & 1])
                        span[va[i] & 1] = distance;
        }
        cut(s->process, s->process_count, span[OF_PROCESS]);
        cut(s->thread, s->thread_count, span[OF_THREAD]);
}

/* ---------------------------------------------------------------- processes */

static bool in_kernel_image(const struct windows *w, uint64_t va)
{
        return w->has_pe && va >= w->pe.base && va - w->pe.base < w->pe.size;
}

struct ring {
        struct infer *s;
        uint32_t links;
        unsigned heads; /* entries that are no process: there is one, the head */
        uint64_t head;
};

static bool ring_accept(void *ctx, uint64_t entry)
{
        struct ring *ring = ctx;
        if (infer_is_object(ring->s, entry - ring->links, DISPATCHER_PROCESS))
                return true;
        if (ring->head == entry)
                return true;
        ring->head = entry;
        return ++ring->heads == 1 && (!ring->s->w->has_pe || in_kernel_image(ring->s->w, entry));
}

static bool ids_differ(const struct infer *s)
{
        for (size_t i = 0; i < s->process_count; i++) {
                uint64_t pid = s->process[i].pid;
                if (!pid || pid > ID_MAX)
                        return false;
                for (size_t k = 0; k < i; k++)
                        if (s->process[k].pid == pid)
                                return false;
        }
        return true;
}

/* Takes the processes of the ring through these links into the sample, System first. */
static bool take_ring(struct infer *s, uint32_t links)
{
        struct ring ring = { .s = s, .links = links };
        struct list_options options = {
                .pointer_size = s->pointer, .max = WINDOWS_PROCESSES_MAX / 8, .accept = ring_accept, .ctx = &ring
        };
        struct list_walk walk;
        enum stasis_status status = list_walk(s->space, s->system + links, &options, &walk);
        s->no_memory |= status == STASIS_NOMEM;
        if (status != STASIS_OK)
                return false;
        s->process_count = 1;
        for (size_t i = 0; i < walk.count && s->process_count < INFER_PROCESSES_MAX; i++) {
                struct infer_object *o = &s->process[s->process_count];
                if (walk.entry[i] != ring.head && infer_snapshot(s, o, walk.entry[i] - links) && o->len > links) {
                        o->pid = infer_word(o, links - s->pointer, s->pointer);
                        s->process_count++;
                }
        }
        list_free(&walk);
        return s->process_count >= PROCESSES_LEAST && ids_differ(s);
}

static bool is_system_pid(uint64_t pid) { return pid == 4 || pid == 8 || pid == 2; }

bool infer_sample_processes(struct infer *s, uint64_t system)
{
        struct infer_object *first = &s->process[0];
        uint32_t places = 0, at = 0;
        s->lacks = "a readable process object of System";
        if (!infer_is_object(s, system, DISPATCHER_PROCESS) || !infer_snapshot(s, first, system) ||
            stasis_space_pa(s->space, system, &s->system_pa) != STASIS_OK)
                return false;
        s->system = system;
        for (uint32_t links = LINKS_FROM; links + 2 * s->pointer <= first->len; links += s->pointer) {
                first->pid = infer_word(first, links - s->pointer, s->pointer);
                if (!is_system_pid(first->pid) || !infer_is_kernel(s, infer_word(first, links, s->pointer)) ||
                    !take_ring(s, links))
                        continue;
                places++;
                at = links;
        }
        s->lacks = places ? "one ring of processes (several fit)" : "a ring of processes through System";
        if (places != 1)
                return false;
        first->pid = infer_word(first, at - s->pointer, s->pointer);
        s->found[INFER_LINKS].at = at;
        bool ok = take_ring(s, at);
        cut_to_distance(s); /* a neighbour's heads are none of ours */
        return ok;
}

/* ---------------------------------------------------------------- threads */

struct pair {
        uint32_t head, entry, good;
};

/* Entries of a few processes' lists at this head, each of which must be a thread object entry bytes before. */
static uint32_t pair_good(struct infer *s, uint32_t head, uint32_t entry)
{
        uint32_t good = 0, bad = 0, lists = 0;
        for (size_t i = 0; i < s->process_count && i < PAIR_PROCESSES; i++) {
                const struct infer_object *o = &s->process[i];
                uint64_t at = infer_holds(o, head, s->pointer) ? infer_word(o, head, s->pointer) : 0;
                uint32_t before = good;
                for (unsigned k = 0; k < PAIR_ENTRIES && at && at != o->va + head; k++) {
                        bool is_thread = infer_is_object(s, at - entry, DISPATCHER_THREAD);
                        good += is_thread;
                        bad += !is_thread;
                        if (!is_thread || !infer_read(s, at, s->pointer, &at) || !infer_is_kernel(s, at))
                                break;
                }
                lists += good > before;
                if (bad > 2 && bad * 8 > good)
                        return 0;
        }
        return lists >= 2 && good >= 3 && bad * 8 <= good ? good : 0;
}

/* The nearest dispatcher header before the first entry that is right for all others too. */
static bool pair_at(struct infer *s, uint32_t head, struct pair *ret_pair)
{
        uint64_t first = infer_word(&s->process[0], head, s->pointer);
        for (uint32_t entry = 0x40; entry < INFER_SPAN; entry += s->pointer) {
                if ((first - entry) % 8 || !infer_is_object(s, first - entry, DISPATCHER_THREAD))
                        continue;
                uint32_t good = pair_good(s, head, entry);
                if (!good)
                        continue;
                *ret_pair = (struct pair){ head, entry, good };
                return true;
        }
        return false;
}

#define PAIRS_MAX 8

static size_t all_pairs(struct infer *s, struct pair pair[static PAIRS_MAX])
{
        const struct infer_object *system = &s->process[0];
        size_t count = 0;
        for (uint32_t head = HEAD_FROM; head + 2 * s->pointer <= system->len && count < PAIRS_MAX; head += s->pointer) {
                uint64_t first = infer_word(system, head, s->pointer), back;
                if (infer_is_kernel(s, first) && first != system->va + head &&
                    infer_read(s, first + s->pointer, s->pointer, &back) && back == system->va + head)
                        count += pair_at(s, head, &pair[count]);
        }
        return count;
}

static bool accept_thread(void *ctx, uint64_t entry)
{
        struct ring *ring = ctx;
        return infer_is_object(ring->s, entry - ring->links, DISPATCHER_THREAD);
}

static void take_threads(struct infer *s, uint32_t process, const struct pair *pair)
{
        struct ring ring = { .s = s, .links = pair->entry };
        struct list_options options = {
                .pointer_size = s->pointer, .max = WINDOWS_THREADS_MAX / 256, .accept = accept_thread, .ctx = &ring
        };
        struct list_walk walk;
        enum stasis_status status = list_walk(s->space, s->process[process].va + pair->head, &options, &walk);
        s->no_memory |= status == STASIS_NOMEM;
        if (status != STASIS_OK)
                return;
        for (size_t i = 0; i < walk.count && i < INFER_THREADS_OF_ONE && s->thread_count < INFER_THREADS_MAX; i++) {
                struct infer_object *o = &s->thread[s->thread_count];
                if (!infer_snapshot(s, o, walk.entry[i] - pair->entry))
                        continue;
                o->owner = process;
                s->thread_count++;
        }
        list_free(&walk);
}

static void note_pair(struct infer *s, const struct pair *pair, enum infer_member head, enum infer_member entry)
{
        s->found[head].at = pair->head;
        s->found[entry].at = pair->entry;
}

/* KPROCESS's list head lies before the process id, EPROCESS's behind it, in all 114 measured layouts. */
bool infer_sample_threads(struct infer *s)
{
        struct pair pair[PAIRS_MAX];
        size_t count = all_pairs(s, pair), kept = 0, best = 0;
        uint32_t pid = s->found[INFER_LINKS].at - s->pointer;
        s->lacks = "lists of threads, one or two of each process";
        for (size_t i = 0; i < count; i++)
                if (pair[i].good > pair[best].good)
                        best = i;
        for (size_t i = 0; i < count; i++)
                if (pair[i].good * 4 >= pair[best].good * 3)
                        pair[kept++] = pair[i];
        if (kept == 0 || kept > 2 || (kept == 2 && (pair[0].head > pid || pair[1].head < pid)))
                return false;
        for (size_t i = 0; i < kept; i++)
                if (pair[i].head < pid)
                        note_pair(s, &pair[i], INFER_KPROCESS_THREADS, INFER_KTHREAD_ENTRY);
                else
                        note_pair(s, &pair[i], INFER_EPROCESS_THREADS, INFER_ETHREAD_ENTRY);
        for (size_t i = 0; i < s->process_count; i++)
                take_threads(s, (uint32_t)i, &pair[0]);
        cut_to_distance(s);
        return s->thread_count >= 3;
}
