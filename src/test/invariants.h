/* SPDX-License-Identifier: MIT */
/* What holds of every image that was opened, whatever the file said. For tests and fuzz targets; needs no check. */
#ifndef STASIS_TEST_INVARIANTS_H
#define STASIS_TEST_INVARIANTS_H

#include <stasis/stasis.h>

/* What is broken, or NULL. base and len: the memory that the image was opened over. */
const char *image_broken(const struct stasis_image *image, const void *base, size_t len);
/* What is broken about a failed open, or NULL. */
const char *failure_broken(enum stasis_status status, const struct stasis_error *err);

#endif
