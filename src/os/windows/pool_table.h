/* SPDX-License-Identifier: MIT */
/*
 * PoolBigPageTable: what pool gave out in whole pages. Such a block has no pool header; its tag stands in this table
 * alone. With the segment heap (18362 and later) the same holds of all that is too large for a page with a header
 * before it: smaller blocks keep their _POOL_HEADER ("Scoop the Windows 10 pool!", Bayet and Fariello, SSTIC 2020).
 *
 * The table is an array that is entered by a hash; a free entry has Va 1, one whose block was freed has the lowest bit
 * of Va set and the rest as it was (Windows Research Kernel, ntos/ex/pool.c; Volatility 3, extensions/pool.py). Who has
 * the variable's place (PDB, ISF, the built-in tables) tells it; else the table is known by its shape.
 */
#ifndef STASIS_OS_WINDOWS_POOL_TABLE_H
#define STASIS_OS_WINDOWS_POOL_TABLE_H

#include "windows.h"

/* Blocks with the tag that is asked for that are kept; a hostile table could name more. */
#define POOL_BLOCKS_MAX 65536
#define POOL_TABLE_ENTRIES_MAX (1u << 24)

struct pool_block {
        uint64_t va, len;
        bool freed;
};

struct pool_table {
        struct pool_block *block; /* of one tag, by va; one page may be of several, of which one is in use at most */
        size_t count, capacity;
        uint64_t va; /* of the table; 0: none was found */
};

/* The blocks whose tag is this one under the mask. STASIS_NOMEM only; where there is no table, it is empty. */
enum stasis_status pool_table_read(const struct windows *w, uint32_t tag, uint32_t mask,
                                   struct pool_table *ret_table) STASIS_MUST_CHECK;
/* The block that holds this address: one in use rather than a freed one. NULL: none. */
const struct pool_block *pool_table_block(const struct pool_table *table, uint64_t va);
void pool_table_free(struct pool_table *table);

#endif
