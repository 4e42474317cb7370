/* SPDX-License-Identifier: MIT */
/*
 * Which virtual addresses come to given physical ones: one pass over the tables of a space, whatever the number of
 * pages that are asked for. Only what the processor would translate counts.
 */
#ifndef STASIS_MEM_REVERSE_H
#define STASIS_MEM_REVERSE_H

#include "space.h"

struct reverse;

/* pa: any order, repetitions allowed. NULL where memory is exhausted. */
struct reverse *reverse_new(const struct stasis_image *image, const uint64_t *pa, size_t count, stasis_found *found,
                            void *ctx) STASIS_MUST_CHECK;
void reverse_free(struct reverse *reverse);

/*
 * The pass over the tables at root. twin: a root whose tables were gone through before, or STASIS_NOWHERE. In the
 * upper half of the space, tables that both have at one address are left out (a kernel half that all processes share
 * is entered once). like: what the mappings say of pid, process and object; with kernel set, in the lower half alone.
 *
 * All passes of one struct reverse pay into one account, of STASIS_PASS_MIN entries and half the bytes of the file: see
 * space.h. STASIS_LIMIT beyond that; STASIS_ABSENT where the caller's function asked to stop.
 */
enum stasis_status reverse_pass(struct reverse *reverse, const struct stasis_paging *paging, uint64_t root,
                                uint64_t twin, const struct stasis_mapping *like) STASIS_MUST_CHECK;
/* Tables that the image does not hold, in all passes so far. */
uint64_t reverse_unreadable(const struct reverse *reverse);

#endif
