/* SPDX-License-Identifier: MIT */
/*
 * An address space: an image, a paging mode, a root, a small TLB, and what is remembered of the tables. One space
 * belongs to one thread at a time. Windows' meaning of a not-present entry comes in through the soft-fault hook, never
 * into the walker.
 */
#ifndef STASIS_MEM_SPACE_H
#define STASIS_MEM_SPACE_H

#include <stasis/stasis.h>

#include "image.h"
#include "paging.h"

/* Entries; powers of two. */
#define STASIS_TLB_SIZE 1024
#define STASIS_PREFIX_SIZE 1024

struct stasis_tlb_entry {
        uint64_t page;       /* va >> 12, plus one so that zeroed is empty */
        uint64_t pa;         /* of that 4 KiB page; STASIS_NOWHERE: it has none, and host is there */
        const uint8_t *host; /* its bytes, once somebody asked for them and where it is held in one piece; else NULL */
};

/* What all walks to one last-level table, or into one large page, come to. */
struct stasis_prefix {
        uint64_t key;         /* va >> shift of the last level but one, plus one so that zeroed is empty */
        const uint8_t *table; /* bytes of the last-level table; NULL: a large page */
        uint64_t pa;          /* large page: of what lies at key << shift */
};

/*
 * A walk that ended at a not-present entry, handed to who knows what the system meant by it, and what that comes to:
 * STASIS_OK with walk->pa and page_size, or with walk->pa left STASIS_NOWHERE and host; else the walk's failure stays.
 */
struct stasis_soft_fault {
        struct stasis_walk *walk;
        const uint8_t *host; /* the 4096 bytes of the page, where they have no physical address */
        bool fleeting;       /* host is good only until STASIS_FLEETING further faults; else as long as the space */
        struct stasis_address *detail; /* to be filled where somebody asks why; else NULL */
};
#define STASIS_FLEETING 64
/* Copies of packed pages that views of one space may be. */
#define STASIS_PIECES 4
/* A hook may use the space itself, which may fault anew, but no deeper than this: tables cannot make it recurse. */
#define STASIS_FAULTS_MAX 2

struct stasis_space {
        const struct stasis_image *image;
        const struct stasis_paging *paging;
        uint64_t root;
        /* Asked when a walk ends at a not-present entry; never by stasis_space_next. NULL: none. */
        enum stasis_status (*soft_fault)(void *ctx, struct stasis_space *space, struct stasis_soft_fault *fault);
        void *soft_fault_ctx;
        uint8_t faults;           /* hooks running now */
        uint64_t next_va, looked; /* stasis_space_next: how far this pass got, and how many entries it has looked at */
        uint8_t prefix_shift;     /* out of paging, nearer at hand */
        struct stasis_tlb_entry tlb[STASIS_TLB_SIZE];
        struct stasis_prefix prefix[STASIS_PREFIX_SIZE];
        struct stasis_tables tables;
        uint8_t piece[STASIS_PIECES][4096]; /* of stasis_space_view, where a page is packed and not kept; in turn */
        uint8_t next_piece;
};

/* In place, for owners that hold many. No allocation. */
void stasis_space_init(struct stasis_space *space, const struct stasis_image *image, const struct stasis_paging *paging,
                       uint64_t root);

/*
 * Physical address of va through the TLB; same statuses as stasis_space_walk, and STASIS_ABSENT where the bytes have
 * no physical address. stasis_space_read adds: STASIS_IO also where the page itself (flat: a byte of it) is not in the
 * image, STASIS_CORRUPT also where va + len wraps; buf is then partly written.
 */
enum stasis_status stasis_space_pa(struct stasis_space *space, uint64_t va, uint64_t *ret_pa) STASIS_MUST_CHECK;
/* The walk, and where it ends at a not-present entry the hook; fault->walk and ->detail are the caller's. */
enum stasis_status stasis_space_resolve(struct stasis_space *space, uint64_t va,
                                        struct stasis_soft_fault *fault) STASIS_MUST_CHECK;
/*
 * The bytes at va up to the end of its 4 KiB page, at most len; {NULL, 0} where they are not there. Good as long as the
 * space; a page without a physical address: until STASIS_FLEETING other such pages were asked for; of a packed image,
 * where they may be a copy: until STASIS_PIECES more views of the same space.
 */
struct stasis_bytes stasis_space_view(struct stasis_space *space, uint64_t va, size_t len);

/* A mapped stretch of virtual addresses: va, len, and pa of its first byte (one page or large page at a time). */
struct stasis_range {
        uint64_t va, len, pa;
};
/*
 * In a flat space (see paging.h) the ranges are the runs of the image. Everywhere else:
 *
 * The first mapped page at or after va, below end (exclusive; 0 = top of the space). Skips whole gaps: an absent entry
 * at a high level costs one step. STASIS_ABSENT where there is none. Tables that the image does not hold are skipped
 * and counted in *unreadable (may be NULL). Only what the processor would translate counts: no soft faults. The range
 * is cut at va and at end, and never holds the very last byte of a 64-bit space, so that va + len does not wrap.
 *
 * What protects a pass through hostile tables (one table entered 2^27 times makes 2^36 pages): calls with rising va are
 * one pass, and a pass may look at no more entries than STASIS_PASS_MIN plus half the bytes of the file: many times
 * what an honest system has (its tables once, plus once a level through its self-map). Beyond that the answer is
 * STASIS_LIMIT until a call whose va has not risen starts a new pass. A pass that stops for any reason but
 * STASIS_ABSENT is not complete.
 */
#define STASIS_PASS_MIN (UINT64_C(1) << 24)
enum stasis_status stasis_space_next(struct stasis_space *space, uint64_t va, uint64_t end,
                                     struct stasis_range *ret_range, uint64_t *unreadable) STASIS_MUST_CHECK;

/* Loads of 1, 2, 4 or 8 bytes (else STASIS_USAGE); statuses as stasis_space_read. */
enum stasis_status stasis_space_u(struct stasis_space *space, uint64_t va, size_t size,
                                  uint64_t *ret_value) STASIS_MUST_CHECK;

#endif
