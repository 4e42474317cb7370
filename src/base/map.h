/* SPDX-License-Identifier: MIT */
/*
 * A file mapped read-only, whole, never copied; and a count of the pages that were really looked at. Or, of a file of
 * compressed blocks, what it holds: then nothing is there to be looked at in place (bytes.at is NULL), and all is read.
 */
#ifndef STASIS_BASE_MAP_H
#define STASIS_BASE_MAP_H

#include <stdatomic.h>

#include <stasis/stasis.h>

#include "blocks.h"

struct stasis_map {
        struct stasis_bytes bytes;
        struct stasis_bytes whole; /* owned: what is mapped, of which bytes may be a part */
        bool owned;                /* mapped by us (munmap on close) or borrowed memory */
        int fd;                    /* owned: kept to ask where the file has holes; else -1 */
        struct blocks *blocks;     /* NULL, or what reads bytes, of which there is only the length */
        _Atomic uint64_t *touched; /* one bit a 4 KiB page of the file; lazily backed */
        size_t touched_len;
        _Atomic uint64_t touched_count;
        /* What may be resident now: generation of the last touch of each 64 KiB window; only for owned mappings. */
        _Atomic uint8_t *window;
        _Atomic uint8_t generation; /* 1..255; 0 in window[] means never touched */
        _Atomic uint32_t fresh;     /* windows touched for the first time in this generation */
};

/*
 * A file that is cut short by somebody else while we hold it makes reading past its new end a SIGBUS: an image must
 * not change while it is examined. Pipes, directories and empty files are refused; block devices work.
 */
enum stasis_status stasis_map_open(const char *path, struct stasis_map *ret_map,
                                   struct stasis_error *err) STASIS_MUST_CHECK;
/* The same of a file that is open; fd is the map's from now on, also after a failure. name: for messages. */
enum stasis_status stasis_map_open_fd(int fd, const char *name, struct stasis_map *ret_map,
                                      struct stasis_error *err) STASIS_MUST_CHECK;
/* Only [off, off+len) of what is mapped, which lies inside, from now on: offset 0 is there. STASIS_NOMEM only. */
enum stasis_status stasis_map_narrow(struct stasis_map *map, uint64_t off, uint64_t len,
                                     struct stasis_error *err) STASIS_MUST_CHECK;
/* Its compressed blocks: blocks_open, STASIS_ABSENT also of what is in memory. The map stays what it is. */
enum stasis_status stasis_map_open_blocks(const struct stasis_map *map, uint64_t limit, struct blocks **ret_blocks,
                                          struct stasis_error *err) STASIS_MUST_CHECK;
/* From now on what these hold; they are the map's with success. STASIS_NOMEM only. */
enum stasis_status stasis_map_use_blocks(struct stasis_map *map, struct blocks *blocks,
                                         struct stasis_error *err) STASIS_MUST_CHECK;
/* Gives all resident pages back to the system, for whoever reads without touching. */
void stasis_map_release(const struct stasis_map *map);
enum stasis_status stasis_map_borrow(const void *bytes, size_t len, struct stasis_map *ret_map,
                                     struct stasis_error *err) STASIS_MUST_CHECK;
void stasis_map_close(struct stasis_map *map);
/*
 * Counts the pages of [off, off+len) as touched (relaxed atomics; no lock). From time to time, when 16 MiB may have
 * become resident since, it gives the resident pages back to the system (MADV_DONTNEED on a file mapping: they are
 * read again from the page cache when needed), so that resident memory stays bounded whatever the size of the image.
 * Touch before reading, in pieces of at most about 1 MiB: what is read after one touch of everything is not bounded.
 */
void stasis_map_touch(struct stasis_map *map, uint64_t off, uint64_t len);
/*
 * For whoever goes through all of a file once: the bytes at off, at most len and at most to the end, read into buf
 * where a file is mapped, else in place. A page of a mapping costs a fault for every sixteen and has to be given back;
 * this costs a copy into a buffer that stays in the processor's cache, which is less (docs/ARCHITECTURE.md, Speed).
 * Counts the pages as touched. Shorter where the file cannot be read: {NULL, 0} where there is nothing.
 */
struct stasis_bytes stasis_map_stream(struct stasis_map *map, uint64_t off, void *buf, size_t len);
/*
 * [off, off+len), touched: in place, or in buf (of len bytes; NULL: then not at all). {NULL, 0} where a byte of it is
 * not there or does not unpack.
 */
struct stasis_bytes stasis_map_bytes(struct stasis_map *map, uint64_t off, size_t len, void *buf);
/* The first byte at or after off that the file stores; off itself where that is not known, the length where only a hole
   follows. A hole reads as zeros: whoever searches for something else need not read it. */
uint64_t stasis_map_next_data(const struct stasis_map *map, uint64_t off);

#endif
