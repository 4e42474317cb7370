/* SPDX-License-Identifier: MIT */
/* A file mapped read-only, whole, never copied; and a count of the pages that were really looked at. */
#ifndef STASIS_BASE_MAP_H
#define STASIS_BASE_MAP_H

#include <stdatomic.h>

#include <stasis/stasis.h>

struct stasis_map {
        struct stasis_bytes bytes;
        bool owned;                 /* mapped by us (munmap on close) or borrowed memory */
        _Atomic uint64_t *touched;  /* one bit a 4 KiB page of the file; lazily backed */
        size_t touched_len;
        _Atomic uint64_t touched_count;
};

enum stasis_status stasis_map_open(const char *path, struct stasis_map *ret_map, struct stasis_error *err)
        STASIS_MUST_CHECK;
enum stasis_status stasis_map_borrow(const void *bytes, size_t len, struct stasis_map *ret_map,
                                     struct stasis_error *err) STASIS_MUST_CHECK;
void stasis_map_close(struct stasis_map *map);
/*
 * Counts the pages of [off, off+len) as touched (relaxed atomics; no lock). From time to time, when many new pages
 * have been touched since, it gives the resident pages back to the system (MADV_DONTNEED on a file mapping: they are
 * read again from the page cache when needed), so that resident memory stays bounded whatever the size of the image.
 */
void stasis_map_touch(struct stasis_map *map, uint64_t off, uint64_t len);

#endif
