/* SPDX-License-Identifier: MIT */
/* The page files that were given beside an image, by their numbers. */
#ifndef STASIS_OS_WINDOWS_PAGEFILE_H
#define STASIS_OS_WINDOWS_PAGEFILE_H

#include <stasis/stasis.h>

#include "../../base/map.h"

#define PAGEFILES_MAX 16 /* as entries have four bits for the number */

struct pagefiles {
        struct stasis_map map[PAGEFILES_MAX];
        bool given[PAGEFILES_MAX];
};

enum stasis_status pagefiles_open(const struct stasis_pagefile *file, size_t count, struct pagefiles *ret_files,
                                  struct stasis_error *err) STASIS_MUST_CHECK;
void pagefiles_close(struct pagefiles *files);
/* The 4096 bytes of a page, good until close; NULL, and why. */
const uint8_t *pagefile_page(struct pagefiles *files, uint32_t number, uint64_t page, const char **ret_why);

#endif
