/* SPDX-License-Identifier: MIT */
/* A test's own folder, taken away with all that is in it. */
#ifndef STASIS_TEST_FOLDER_H
#define STASIS_TEST_FOLDER_H

#include <ftw.h>
#include <stdio.h>

static inline int folder_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
        (void)st, (void)kind, (void)at;
        return remove(path);
}

/* 0: it is gone. Links are taken away and not followed. */
static inline int folder_remove(const char *path) { return nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS); }

#endif
