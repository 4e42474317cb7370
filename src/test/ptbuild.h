/* SPDX-License-Identifier: MIT */
/*
 * Writes page tables into a piece of memory, for tests. Knows nothing of src/mem: every shift and bit is spelled out
 * again from the processor manuals (Intel SDM 3A, chapter "Paging"), so that a wrong table there cannot agree with
 * itself.
 */
#ifndef STASIS_TEST_PTBUILD_H
#define STASIS_TEST_PTBUILD_H

#include <stdint.h>

enum pt_mode { PT_X86, PT_PAE, PT_X64, PT_LA57 };

#define PT_4K UINT64_C(0x1000)
#define PT_2M UINT64_C(0x200000)
#define PT_4M UINT64_C(0x400000)
#define PT_1G UINT64_C(0x40000000)
#define PT_512G UINT64_C(0x8000000000)
#define PT_256T UINT64_C(0x1000000000000)

/* mem[0..len) is physical memory from address 0. What is written past len is lost: tables outside the image. */
struct ptbuild {
        enum pt_mode mode;
        uint8_t *mem;
        uint64_t len;
        uint64_t next;  /* where the next table goes; 4 KiB aligned */
        uint64_t root;  /* of the tables that are being built */
        uint64_t noise; /* OR-ed into every 8-byte entry that names a table */
};

/* An empty root table at b->next. With PAE, offset (a multiple of 32) places it inside that page. */
void pt_start(struct ptbuild *b, enum pt_mode mode, uint8_t *mem, uint64_t len, uint64_t next, uint64_t offset);
/* The place of the entry for va in the table whose entries cover `size` each; tables above it are made. */
uint64_t pt_slot(struct ptbuild *b, uint64_t va, uint64_t size);
/* A page: size is one that the mode has. bits are OR-ed into the entry beside present and large. */
void pt_map(struct ptbuild *b, uint64_t va, uint64_t pa, uint64_t size, uint64_t bits);
/* The entry itself: 4 bytes with x86, else 8. */
void pt_put(struct ptbuild *b, uint64_t at, uint64_t value);
uint64_t pt_get(const struct ptbuild *b, uint64_t at);

#endif
