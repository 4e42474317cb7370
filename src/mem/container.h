/* SPDX-License-Identifier: MIT */
/* A path to what is in it: the file itself, or a member of the archives that it is wrapped in. */
#ifndef STASIS_MEM_CONTAINER_H
#define STASIS_MEM_CONTAINER_H

#include <stasis/stasis.h>

#include "../base/arena.h"
#include "../base/map.h"

#define CONTAINERS_MAX STASIS_MEMBERS_MAX

/* Strings are in the arena. */
struct containers {
        struct stasis_container at[CONTAINERS_MAX];
        size_t count;
};

/*
 * Maps what path names: a file, or "ARCHIVE!MEMBER". A file that is compressed or an archive is opened as what it
 * holds, unless options name a reader. ret_map is zeroed before, and to be closed also after a failure.
 */
enum stasis_status container_open(const char *path, const struct stasis_image_options *options,
                                  struct stasis_arena *arena, struct containers *ret_containers,
                                  struct stasis_map *ret_map, struct stasis_error *err) STASIS_MUST_CHECK;
/* The same of a file that is open, whose descriptor is the map's or is closed. */
enum stasis_status container_open_file(const struct stasis_file *file, const struct stasis_image_options *options,
                                       struct stasis_arena *arena, struct containers *ret_containers,
                                       struct stasis_map *ret_map, struct stasis_error *err) STASIS_MUST_CHECK;

#endif
