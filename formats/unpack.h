/* SPDX-License-Identifier: MIT */
/* The four ways in which kdump files compress a page. Which of them are built in depends on the libraries found. */
#ifndef STASIS_FORMATS_UNPACK_H
#define STASIS_FORMATS_UNPACK_H

#include <stdbool.h>

#include <stasis/stasis.h>

enum unpack { UNPACK_ZLIB, UNPACK_LZO, UNPACK_SNAPPY, UNPACK_ZSTD, UNPACK_COUNT };

const char *unpack_name(enum unpack method);    /* "zlib" */
const char *unpack_package(enum unpack method); /* what to install where it is not built in: "zlib1g-dev" */
bool unpack_built_in(enum unpack method);

/*
 * packed into exactly len bytes at ret_bytes. STASIS_CORRUPT where they are more, fewer or nonsense, STASIS_UNSUPPORTED
 * where the method is not built in. Writes nothing beyond len bytes, whatever the input says; safe in several threads.
 */
enum stasis_status unpack(enum unpack method, struct stasis_bytes packed, void *ret_bytes,
                          size_t len) STASIS_MUST_CHECK;

#endif
