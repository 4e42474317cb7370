/* SPDX-License-Identifier: MIT */
/*
 * A page file is pages, and nothing else: the number of the file and of the page are in the entry, and no header says
 * which machine it is of. Page 0 is never used.
 */
#include "pagefile.h"

#include <inttypes.h>

#include "../../base/error.h"

#define PAGE UINT64_C(4096)

enum stasis_status pagefiles_open(const struct stasis_pagefile *file, size_t count, struct pagefiles *ret_files,
                                  struct stasis_error *err)
{
        for (size_t i = 0; i < count; i++) {
                uint32_t number = file[i].number;
                const char *name = file[i].path ? file[i].path : "memory";
                if (number >= PAGEFILES_MAX)
                        return stasis_fail(err, STASIS_USAGE, "%s: page file number %" PRIu32 " (0 to %u)", name,
                                           number, PAGEFILES_MAX - 1);
                if (ret_files->given[number])
                        return stasis_fail(err, STASIS_USAGE, "%s: page file number %" PRIu32 " is given twice", name,
                                           number);
                enum stasis_status status =
                        file[i].path ? stasis_map_open(file[i].path, &ret_files->map[number], err)
                                     : stasis_map_borrow(file[i].bytes, file[i].len, &ret_files->map[number], err);
                if (status != STASIS_OK)
                        return stasis_fail_in(err, status, "page file");
                ret_files->given[number] = true;
        }
        return STASIS_OK;
}

void pagefiles_close(struct pagefiles *files)
{
        for (size_t i = 0; i < PAGEFILES_MAX; i++)
                if (files->given[i])
                        stasis_map_close(&files->map[i]);
}

const uint8_t *pagefile_page(struct pagefiles *files, uint32_t number, uint64_t page, const char **ret_why)
{
        *ret_why = "that page file was not given";
        if (number >= PAGEFILES_MAX || !files->given[number])
                return NULL;
        struct stasis_map *map = &files->map[number];
        *ret_why = "the page file that was given is too short";
        if (page >= map->bytes.len / PAGE)
                return NULL;
        stasis_map_touch(map, page * PAGE, PAGE);
        *ret_why = NULL;
        return map->bytes.at + page * PAGE;
}
