/* SPDX-License-Identifier: MIT */
/*
 * A file as its reader sees it: plain, or flattened, that is written to a pipe in pieces that each say where they
 * belong (makedumpfile -F, QEMU's dump-guest-memory). Flattened files are read where they lie, through an index of
 * their pieces; nothing is copied but what two pieces tear.
 */
#ifndef STASIS_FORMATS_FLAT_H
#define STASIS_FORMATS_FLAT_H

#include "../src/mem/image.h"

/* A piece of the arranged file: [at, at+len) of it lies at off in the flattened one. */
struct flat_extent {
        uint64_t at, len, off;
};

struct flat {
        struct stasis_map *map;
        bool flattened;
        struct flat_extent *extent; /* flattened: sorted, disjoint, never empty */
        size_t count;
        uint64_t len; /* of the arranged file */
};

bool flat_probe(struct stasis_bytes head);
/* Is it flattened, and does the arranged file begin so, as far as head tells? */
bool flat_begins(struct stasis_bytes head, const char *magic, size_t len);
/*
 * map's file, flattened or not. What cannot be read of a flattened file ends the index, with a remark. STASIS_CORRUPT
 * where nothing of it can be, STASIS_UNSUPPORTED for another version, STASIS_NOMEM. The index is in memory of its own.
 */
enum stasis_status flat_open(struct stasis_image *image, struct stasis_map *map, struct flat *ret_flat,
                             struct stasis_error *err) STASIS_MUST_CHECK;
void flat_close(struct flat *flat);

/*
 * [at, at+len) of the arranged file: in place, or in buf where pieces tear it (NULL: then not at all); {NULL, 0} where
 * a byte of it is not there. Safe in several threads.
 */
struct stasis_bytes flat_bytes(const struct flat *flat, uint64_t at, size_t len, void *buf);
/* How many bytes of [at, at+len) are there from at on, without a hole. */
uint64_t flat_held(const struct flat *flat, uint64_t at, uint64_t len);
/* As flat_bytes, of what is there of it, and good as long as the image: in place, or a copy. STASIS_NOMEM only. */
enum stasis_status flat_keep(struct stasis_image *image, const struct flat *flat, uint64_t at, uint64_t len,
                             struct stasis_bytes *ret_bytes) STASIS_MUST_CHECK;
/* Of a flattened file: the extent that holds at, else the next one, else the end of the list. */
const struct flat_extent *flat_first(const struct flat *flat, uint64_t at);

#endif
