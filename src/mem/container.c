/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../formats/format.h"
#include "../base/archive.h"
#include "../base/error.h"
#include "../base/guard.h"
#include "container.h"

#define MARKS_MAX 8 /* '!' in a name: each may be where the name of an archive in the archive ends */

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

/* May an image that begins so stay in its blocks? Not an archive, nor what a reader wants to see in place. */
static bool may_stay(struct blocks *blocks)
{
        const struct stasis_format *format;
        size_t len = blocks_len(blocks) < STASIS_PROBE_LEN ? (size_t)blocks_len(blocks) : STASIS_PROBE_LEN;
        _cleanup_free_ uint8_t *head = malloc(len);
        if (!head || blocks_read(blocks, 0, head, len) != STASIS_OK)
                return false;
        struct stasis_bytes bytes = { head, len };
        return !archive_kind(bytes) && stasis_format_choose(bytes, blocks_len(blocks), &format, NULL) == STASIS_OK &&
               format->by_pieces;
}

/* Compressed blocks with an index are read where they lie. Whatever speaks against it is no failure: see unwrap. */
static bool read_in_place(struct stasis_map *map, const struct stasis_image_options *options,
                          struct stasis_container *c)
{
        struct blocks *blocks = NULL;
        uint64_t limit = options && options->tmp_limit ? options->tmp_limit : ARCHIVE_LIMIT;
        if (stasis_map_open_blocks(map, limit, &blocks, NULL) == STASIS_OK && may_stay(blocks) &&
            stasis_map_use_blocks(map, blocks, NULL) == STASIS_OK) {
                c->blocks = blocks_count(blocks);
                return true;
        }
        blocks_close(blocks);
        return false;
}

/* One wrapping away. */
static enum stasis_status unwrap(struct stasis_map *map, const char *kind, const char *member,
                                 const struct stasis_image_options *options, struct stasis_arena *arena,
                                 struct containers *containers, struct stasis_error *err)
{
        struct archive_options how = { 0 };
        struct archive_member found;
        if (options)
                how = (struct archive_options){ options->tmp,          options->tmp_limit, options->progress,
                                                options->progress_ctx, options->tmp_file,  options->tmp_file_ctx };
        struct stasis_container *c = &containers->at[containers->count];
        *c = (struct stasis_container){ .kind = kind, .size = map->bytes.len, .off = STASIS_NOWHERE };
        if (!member && read_in_place(map, options, c)) {
                containers->count++;
                return STASIS_OK;
        }
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

/* A member that is named is gone into; where `named` only such ones are, else as long as there is an archive. */
static enum stasis_status unwrap_all(struct stasis_map *map, const char *const member[static STASIS_MEMBERS_MAX],
                                     bool named, const struct stasis_image_options *options, struct stasis_arena *arena,
                                     struct containers *containers, struct stasis_error *err)
{
        for (;;) {
                const char *kind = map->blocks ? NULL : archive_kind(map->bytes);
                const char *wanted = containers->count < CONTAINERS_MAX ? member[containers->count] : NULL;
                if (wanted && !kind)
                        return stasis_fail(err, STASIS_USAGE, "is no archive that '%s' could be in", wanted);
                if (!kind || (named && !wanted))
                        return STASIS_OK;
                if (containers->count == CONTAINERS_MAX)
                        return stasis_fail(err, STASIS_UNSUPPORTED,
                                           "an archive in an archive in an archive (%s): unpack it first", kind);
                enum stasis_status status = unwrap(map, kind, wanted, options, arena, containers, err);
                if (status != STASIS_OK)
                        return status;
        }
}

static enum stasis_status unwrap_mapped(struct stasis_map *map, const char *const member[static STASIS_MEMBERS_MAX],
                                        const char *name, const struct stasis_image_options *options,
                                        struct stasis_arena *arena, struct containers *containers,
                                        struct stasis_error *err)
{
        if (options && options->format && !member[0])
                return STASIS_OK;
        enum stasis_status status = unwrap_all(map, member, false, options, arena, containers, err);
        return status == STASIS_OK ? status : stasis_fail_in(err, status, "%s", name);
}

/*
 * "FILE!ARCHIVE!MEMBER", where nothing in FILE has the name ARCHIVE!MEMBER: cut at the first '!' before which something
 * in FILE ends. After a failure at the first level the map still shows FILE.
 */
static enum stasis_status unwrap_deeper(struct stasis_map *map, const char *const member[static STASIS_MEMBERS_MAX],
                                        const char *name, const struct stasis_image_options *options,
                                        struct stasis_arena *arena, struct containers *containers,
                                        struct stasis_error *err)
{
        enum stasis_status status = STASIS_ABSENT;
        const char *mark = strchr(member[0], '!');
        for (int i = 0; i < MARKS_MAX && mark && status == STASIS_ABSENT && containers->count == 0; i++) {
                struct stasis_error own = { 0 };
                const char *deeper[STASIS_MEMBERS_MAX] = {
                        stasis_arena_strndup(arena, member[0], (size_t)(mark - member[0])), mark + 1
                };
                if (!deeper[0])
                        return no_memory(err);
                status = unwrap_mapped(map, deeper, name, options, arena, containers, &own);
                if (err &&
                    (status != STASIS_ABSENT || containers->count)) /* else the whole name is what is not there */
                        *err = own;
                mark = strchr(mark + 1, '!');
        }
        return status;
}

enum stasis_status container_open(const char *path, const struct stasis_image_options *options,
                                  struct stasis_arena *arena, struct containers *ret_containers,
                                  struct stasis_map *ret_map, struct stasis_error *err)
{
        const char *file, *member[STASIS_MEMBERS_MAX] = { NULL };
        enum stasis_status status = split(path, arena, &file, &member[0], err);
        if (status == STASIS_OK)
                status = stasis_map_open(file, ret_map, err);
        if (status != STASIS_OK)
                return status;
        status = unwrap_mapped(ret_map, member, path, options, arena, ret_containers, err);
        if (status == STASIS_ABSENT && member[0] && ret_containers->count == 0)
                status = unwrap_deeper(ret_map, member, path, options, arena, ret_containers, err);
        return status;
}

enum stasis_status container_open_file(const struct stasis_file *file, const struct stasis_image_options *options,
                                       struct stasis_arena *arena, struct containers *ret_containers,
                                       struct stasis_map *ret_map, struct stasis_error *err)
{
        enum stasis_status status = stasis_map_open_fd(file->fd, file->name, ret_map, err);
        if (status != STASIS_OK)
                return status;
        return unwrap_mapped(ret_map, file->member, file->name, options, arena, ret_containers, err);
}

enum stasis_status stasis_archive_members(const struct stasis_file *file, const struct stasis_image_options *options,
                                          bool (*seen)(void *ctx, const char *name, uint64_t len), void *ctx,
                                          struct stasis_error *err)
{
        struct stasis_arena arena = { 0 };
        struct containers containers = { 0 };
        struct stasis_map map = { 0 };
        enum stasis_status status = stasis_map_open_fd(file->fd, file->name, &map, err);
        if (status != STASIS_OK)
                return status;
        status = unwrap_all(&map, file->member, true, options, &arena, &containers, err);
        if (status == STASIS_OK && !archive_kind(map.bytes))
                status = stasis_fail(err, STASIS_ABSENT, "is no archive");
        else if (status == STASIS_OK)
                status = archive_list(&map, seen, ctx, err);
        stasis_map_close(&map);
        stasis_arena_free(&arena);
        return status == STASIS_OK ? status : stasis_fail_in(err, status, "%s", file->name);
}
