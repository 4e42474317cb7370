/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of the pages of a packed image (one whose reader has read_page, or whose file
 * is one of compressed blocks). An image may be shared by
 * threads, and a space keeps pointers to pages for as long as it likes: so a page that was once given out is never
 * given back before the image is closed. What bounds the memory is that only so many are given out; whoever comes
 * later reads copies, through a second, smaller memory of what was read last. docs/LIFETIMES.md.
 */
#ifndef STASIS_MEM_PACKED_H
#define STASIS_MEM_PACKED_H

#include <stasis/stasis.h>

/* Pages; powers of two. 32 MiB that stay, 4 MiB that come and go. */
#define STASIS_PACKED_KEPT 8192
#define STASIS_PACKED_RECENT 1024

struct stasis_packed;

struct stasis_packed *stasis_packed_open(void); /* NULL where memory is exhausted */
void stasis_packed_close(struct stasis_packed *packed);

/*
 * The 4 KiB page at pa (of a run), until the image is closed; NULL where it does not unpack, where memory is
 * exhausted, or where as many are kept as may be: read it then.
 */
const uint8_t *stasis_packed_page(const struct stasis_image *image, uint64_t pa);
/*
 * [at, at+len) of that page. What stasis_image_unpack_page says; memory that ran out is no failure: then nothing is
 * remembered.
 */
enum stasis_status stasis_packed_read(const struct stasis_image *image, uint64_t pa, size_t at, void *buf,
                                      size_t len) STASIS_MUST_CHECK;

#endif
