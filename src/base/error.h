/* SPDX-License-Identifier: MIT */
/* Saying what went wrong, once, where it is known; and adding context on the way out. */
#ifndef STASIS_BASE_ERROR_H
#define STASIS_BASE_ERROR_H

#include <stasis/stasis.h>

/* Fills err (which may be NULL) and returns status, so that `return stasis_fail(err, STASIS_CORRUPT, "...")` reads
 * well. */
enum stasis_status stasis_fail(struct stasis_error *err, enum stasis_status status, const char *fmt, ...)
        STASIS_PRINTF(3, 4);
/* Prepends "context: " to a text that is there already. Returns err->status, or fallback where err is NULL. */
enum stasis_status stasis_fail_in(struct stasis_error *err, enum stasis_status fallback, const char *fmt, ...)
        STASIS_PRINTF(3, 4);

#endif
