/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/stat.h>

#include "../base/archive.h"
#include "../base/error.h"
#include "container.h"

static enum stasis_status no_memory(struct stasis_error *err)
{
        return stasis_fail(err, STASIS_NOMEM, "out of memory");
}

/*
 * "FILE!MEMBER" where no file has the whole name: cut at the first '!' before which a file ends. *ret_member NULL: the
 * whole of path.
 */
static enum stasis_status split(const char *path, struct stasis_arena *arena, const char **ret_file,
                                const char **ret_member, struct stasis_error *err)
{
        struct stat st;
        *ret_file = path;
        *ret_member = NULL;
        if (stat(path, &st) == 0)
                return STASIS_OK;
        for (const char *mark = strchr(path, '!'); mark; mark = strchr(mark + 1, '!')) {
                char *file = stasis_arena_strndup(arena, path, (size_t)(mark - path));
                if (!file)
                        return no_memory(err);
                if (stat(file, &st) == 0 && S_ISREG(st.st_mode)) {
                        *ret_file = file;
                        *ret_member = mark + 1;
                        return STASIS_OK;
                }
        }
        return STASIS_OK; /* opening says what is wrong with it */
}

/* One wrapping away. */
static enum stasis_status unwrap(struct stasis_map *map, const char *kind, const char *member,
                                 const struct stasis_image_options *options, struct stasis_arena *arena,
                                 struct containers *containers, struct stasis_error *err)
{
        struct archive_options how = { 0 };
        struct archive_member found;
        if (options)
                how = (struct archive_options){ options->tmp, options->tmp_limit, options->progress,
                                                options->progress_ctx };
        struct stasis_container *c = &containers->at[containers->count];
        *c = (struct stasis_container){ .kind = kind, .size = map->bytes.len, .off = STASIS_NOWHERE };
        enum stasis_status status = archive_open_member(map, member, &how, &found, err);
        if (status != STASIS_OK)
                return stasis_fail_in(err, status, "%s", kind);
        c->member = *found.name ? stasis_arena_strndup(arena, found.name, strlen(found.name)) : NULL;
        if (*found.name && !c->member)
                return no_memory(err);
        if (found.in_place)
                c->off = found.off;
        containers->count++;
        return STASIS_OK;
}

static enum stasis_status unwrap_all(struct stasis_map *map, const char *member,
                                     const struct stasis_image_options *options, struct stasis_arena *arena,
                                     struct containers *containers, struct stasis_error *err)
{
        const char *kind = archive_kind(map->bytes);
        if (member && !kind)
                return stasis_fail(err, STASIS_USAGE, "is no archive that '%s' could be in", member);
        for (; kind; kind = archive_kind(map->bytes), member = NULL) {
                if (containers->count == CONTAINERS_MAX)
                        return stasis_fail(err, STASIS_UNSUPPORTED,
                                           "an archive in an archive in an archive (%s): unpack it first", kind);
                enum stasis_status status = unwrap(map, kind, member, options, arena, containers, err);
                if (status != STASIS_OK)
                        return status;
        }
        return STASIS_OK;
}

enum stasis_status container_open(const char *path, const struct stasis_image_options *options,
                                  struct stasis_arena *arena, struct containers *ret_containers,
                                  struct stasis_map *ret_map, struct stasis_error *err)
{
        const char *file, *member;
        enum stasis_status status = split(path, arena, &file, &member, err);
        if (status == STASIS_OK)
                status = stasis_map_open(file, ret_map, err);
        if (status != STASIS_OK || (options && options->format && !member))
                return status;
        status = unwrap_all(ret_map, member, options, arena, ret_containers, err);
        return status == STASIS_OK ? status : stasis_fail_in(err, status, "%s", path);
}
