/* SPDX-License-Identifier: MIT */
/*
 * Windows 10's compressed store: pages that the memory manager wrote to a page file that is no file (its "virtual
 * store"), but compressed memory of the process MemCompression. docs/COMPRESSED-STORE.md tells the structures.
 */
#ifndef STASIS_OS_WINDOWS_STORE_H
#define STASIS_OS_WINDOWS_STORE_H

#include <stasis/stasis.h>

struct windows;
struct store;

#define STORE_PAGE_SIZE 4096

/*
 * The store manager of this kernel, found through w->kernel. STASIS_ABSENT: this kernel has none, or it cannot be seen;
 * STASIS_UNSUPPORTED: the places of its build are not known; the trace ("store") says what was tried.
 */
enum stasis_status store_open(struct windows *w, struct store **ret_store) STASIS_MUST_CHECK;
void store_close(struct store *store);

/* Is this the number of the page file that is the virtual store? */
bool store_is_pagefile(const struct store *store, uint32_t pagefile);
/*
 * The page that an entry names by the number of its page file and the page's number in it (PageFileHigh, with the
 * swizzle undone). STASIS_ABSENT: the store does not have it; STASIS_IO: a page on the way to it, or the compressed
 * bytes themselves, are not in the image; STASIS_CORRUPT: what leads to it, or its bytes, cannot be. ret_page is
 * written on STASIS_OK alone.
 */
enum stasis_status store_page(struct store *store, uint32_t pagefile, uint64_t page_offset,
                              uint8_t ret_page[static STORE_PAGE_SIZE]) STASIS_MUST_CHECK;
/* Why the last store_page failed, as a sentence's end; static text. */
const char *store_why(const struct store *store);

#endif
