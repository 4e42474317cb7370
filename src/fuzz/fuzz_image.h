/* SPDX-License-Identifier: MIT */
/* The body of every reader's fuzz target: open as that format, and hold the image against what must be true. */
#ifndef STASIS_FUZZ_IMAGE_H
#define STASIS_FUZZ_IMAGE_H

#include <stdio.h>
#include <stdlib.h>

#include "../test/invariants.h"

static inline void fuzz_image(const uint8_t *data, size_t size, const char *format)
{
        const struct stasis_image_options options = { .format = format };
        struct stasis_image *image = NULL;
        struct stasis_error err = { 0 };
        enum stasis_status status = stasis_image_open_memory(data, size, "fuzz", &options, &image, &err);
        const char *broken = status == STASIS_OK ? image_broken(image, data, size) : failure_broken(status, &err);
        stasis_image_close(image);
        if (!broken)
                return;
        fprintf(stderr, "%s\n", broken);
        abort();
}

#endif
