/* SPDX-License-Identifier: MIT */
/* What a method of packing in blocks is: how its index is read, and how one block unpacks. */
#ifndef STASIS_BASE_BLOCKS_INDEX_H
#define STASIS_BASE_BLOCKS_INDEX_H

#include <stasis/stasis.h>

struct block {
        uint64_t at, packed; /* in the file */
        uint64_t off, len;   /* in what it holds */
        uint8_t how;         /* the method's own (xz: the kind of check) */
        bool bad;            /* it did not unpack */
};

struct blocks_index {
        struct block *block; /* by off, without holes; none is empty */
        size_t count, capacity;
        uint64_t len; /* of all */
};

/* off follows from the blocks before. False: no memory. */
bool blocks_index_add(struct blocks_index *index, const struct block *block);

struct blocks_method {
        /* STASIS_ABSENT: not such a file, or without an index. Places and sizes are checked by the caller. */
        enum stasis_status (*index)(struct stasis_bytes file, struct blocks_index *index, struct stasis_error *err);
        /* To exactly block->len bytes, else STASIS_CORRUPT. */
        enum stasis_status (*unpack)(const struct block *block, const uint8_t *packed, uint8_t *to);
};

extern const struct blocks_method blocks_xz, blocks_zstd;

#endif
