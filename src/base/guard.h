/* SPDX-License-Identifier: MIT */
/* Scope guards: `_cleanup_(stasis_image_closep) struct stasis_image *image = NULL;` instead of goto ladders. */
#ifndef STASIS_BASE_GUARD_H
#define STASIS_BASE_GUARD_H

#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* DEFINE_CLEANUP(struct stasis_image *, stasis_image_close) defines stasis_image_closep. */
#define DEFINE_CLEANUP(type, func) \
        static inline void func##p(type *p) \
        { \
                if (*p) \
                        func(*p); \
        }

static inline void freep(void *p) { free(*(void **)p); }
static inline void fdp(const int *fd)
{
        if (*fd >= 0)
                close(*fd);
}
#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_fd_ _cleanup_(fdp)

#endif
