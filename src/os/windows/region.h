/* SPDX-License-Identifier: MIT */
/* Looking for bytes in a stretch of virtual memory with holes in it. */
#ifndef STASIS_OS_WINDOWS_REGION_H
#define STASIS_OS_WINDOWS_REGION_H

#include <stasis/stasis.h>

#include "../../mem/space.h"

/* However long a stretch claims to be, no more of it than this is looked through. */
#define REGION_LEN_MAX (UINT64_C(128) << 20)

/*
 * The first needle at or after *va, at a multiple of align, wholly below end; *va becomes its address. Pages that are
 * not there are passed over. False where there is none.
 */
bool region_find(struct stasis_space *space, uint64_t *va, uint64_t end, const void *needle, size_t len, size_t align);

#endif
