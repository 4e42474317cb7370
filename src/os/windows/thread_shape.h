/* SPDX-License-Identifier: MIT */
/*
 * Is this piece of memory a thread object? Asked of every place of physical memory that begins like one, so the answer
 * is a score, and not the look of one byte. Each invariant of a thread object is a test (the table in thread_shape.c)
 * with a weight in bits: how unlikely it is that memory which is no thread passes it (a pointer of 64 bits that is an
 * aligned address of the kernel's half: 19 bits; a state below 10 in a byte: 4). A test that fails refuses the
 * candidate, whatever the others say; one that cannot be made (the layout lacks the member, or the bytes are not at
 * hand) and one that zero passes weigh nothing. What passes is believed from a sum on that image-sized random memory
 * does not reach: see SHAPE_BITS_*. The sum is told where a scan alone saw a thread.
 *
 * A structure of the right size with the right bytes is a thread object all the same: who forges one is found out by
 * what other ways say of it, not here.
 */
#ifndef STASIS_OS_WINDOWS_THREAD_SHAPE_H
#define STASIS_OS_WINDOWS_THREAD_SHAPE_H

#include <stasis/stasis.h>

#include "../layout.h"
#include "../rows.h"

/*
 * Positions that a scan looks at in 1 TiB: 2^36. A sum of n bits is reached by chance at 2^(36 - n) of them. Real
 * memory is not random, and so there is much to spare; a thread whose bytes are all at hand has some 250 bits on x64,
 * 150 on x86.
 */
#define SHAPE_BITS_64 120
#define SHAPE_BITS_32 80
/* The same where only the bytes up to the end of a page are at hand: enough to look at the rest. */
#define SHAPE_BITS_PAGE_64 70
#define SHAPE_BITS_PAGE_32 40

#define SHAPE_HEADS 8

struct thread_shape {
        uint8_t pointer_size, align;
        uint64_t system_start; /* the kernel's half */
        uint8_t id_step;       /* ids are multiples of it: four where they are handles, NT 4.0 has any */
        uint32_t size;         /* of an ETHREAD */
        struct shape_places {
                struct place state, process, thread_process, apc_process, initial_stack, stack_base, stack_limit,
                        kernel_stack, cid_process, cid_thread, thread_links, kthread_links, teb, create_time, priority,
                        wait_irql, apc_lists;
        } at;
        uint32_t head[SHAPE_HEADS]; /* list heads inside the object, that name themselves while they are empty */
        size_t heads;
};

void thread_shape_bind(const struct stasis_layout *layout, uint64_t system_start, struct thread_shape *ret_shape);

struct shape_score {
        unsigned bits;
        const char *refused; /* the test that failed; NULL: none */
        uint64_t va;         /* the object's own address, as its empty list heads tell it; 0: none is empty */
        unsigned heads;      /* that agree on it */
};

/*
 * The bytes of the object, from its first on, as many as are at hand. low: the last twelve bits of its address, which
 * physical and virtual ones share.
 */
struct shape_score thread_shape_score(const struct thread_shape *shape, struct stasis_bytes bytes, uint32_t low);

/* The first eight bytes of a thread's dispatcher header: its type without the lock's bit, and a signal state of 0 or 1.
 */
#define SHAPE_HEADER_MASK UINT64_C(0xfffffffe0000007f)
#define SHAPE_HEADER UINT64_C(6)

#endif
