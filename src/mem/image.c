/* SPDX-License-Identifier: MIT */
/* The physical image: opening and closing, and reading what the runs hold. Building is in image_build.c. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../formats/format.h"
#include "../base/bytes.h"
#include "../base/error.h"
#include "../base/guard.h"
#include "image.h"

enum { PAGE_SIZE = 4096, CONTENTS_PIECE = 1 << 20 };

DEFINE_CLEANUP(struct stasis_image *, stasis_image_close)

static enum stasis_status choose(struct stasis_image *image, const char *name, struct stasis_error *err)
{
        if (!name)
                return stasis_format_choose_file(&image->map, &image->format, err);
        image->format = stasis_format_by_name(name);
        if (!image->format)
                return stasis_fail(err, STASIS_USAGE, "no reader is called '%s'", name);
        return STASIS_OK;
}

/* From the mapping on; whatever fails is cleaned up by stasis_image_close. */
static enum stasis_status open_mapped(struct stasis_image *image, const char *name,
                                      const struct stasis_image_options *options, struct stasis_error *err)
{
        image->path = stasis_arena_strndup(&image->arena, name, strlen(name));
        if (!image->path)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        enum stasis_status status = choose(image, options ? options->format : NULL, err);
        if (status != STASIS_OK)
                return status;
        image->title = image->format->title;
        if (image->more_count && !image->format->parts)
                return stasis_fail(err, STASIS_USAGE, "is a whole image (%s), and takes no further parts",
                                   image->format->name);
        image->priv = calloc(1, image->format->priv_size ? image->format->priv_size : 1);
        bool packed = image->format->read_page || image->map.blocks;
        image->packed = packed ? stasis_packed_open() : NULL;
        if (!image->priv || (packed && !image->packed))
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        status = image->format->open(image, image->priv, err);
        return status == STASIS_OK ? stasis_image_seal(image, err) : status;
}

static enum stasis_status finish(struct stasis_image **image, const char *name,
                                 const struct stasis_image_options *options, struct stasis_image **ret_image,
                                 struct stasis_error *err)
{
        enum stasis_status status = open_mapped(*image, name, options, err);
        if (status != STASIS_OK) {
                (void)stasis_fail_in(err, status, "%s", name);
                return status;
        }
        *ret_image = *image;
        *image = NULL;
        return STASIS_OK;
}

/* Where a file is: by path, or open already. */
struct place {
        const char *path;
        const struct stasis_file *file; /* NULL: by path */
};

static enum stasis_status open_place(struct place place, const struct stasis_image_options *options,
                                     struct stasis_arena *arena, struct containers *containers, struct stasis_map *map,
                                     struct stasis_error *err)
{
        return place.file ? container_open_file(place.file, options, arena, containers, map, err)
                          : container_open(place.path, options, arena, containers, map, err);
}

static struct place place_at(const char *const *paths, const struct stasis_file *files, size_t i)
{
        return files ? (struct place){ files[i].name, &files[i] } : (struct place){ paths[i], NULL };
}

static enum stasis_status map_more(struct stasis_image *image, struct place place,
                                   const struct stasis_image_options *options, struct stasis_error *err)
{
        struct stasis_more *more = &image->more[image->more_count++];
        struct containers containers = { 0 };
        enum stasis_status status = open_place(place, options, &image->arena, &containers, &more->map, err);
        if (status != STASIS_OK)
                return status;
        more->path = stasis_arena_strndup(&image->arena, place.path, strlen(place.path));
        return more->path ? STASIS_OK : stasis_fail(err, STASIS_NOMEM, "out of memory");
}

/* A piece that does not unpack is no zeros: it is told as what it is, with its place. */
static void tell_contents(struct stasis_map *map, uint8_t *buf, const struct stasis_image_options *options)
{
        static const char damaged[] = "stasis: what does not unpack, at this offset:";
        for (uint64_t at = 0; at < map->bytes.len; at += CONTENTS_PIECE) {
                struct stasis_bytes piece = stasis_map_stream(map, at, buf, CONTENTS_PIECE);
                if (piece.at) {
                        options->contents(options->contents_ctx, piece.at, piece.len);
                        continue;
                }
                options->contents(options->contents_ctx, damaged, sizeof damaged);
                options->contents(options->contents_ctx, &at, sizeof at);
        }
}

static enum stasis_status map_all(struct stasis_image *image, const char *const *paths, const struct stasis_file *files,
                                  size_t count, const struct stasis_image_options *options, struct stasis_error *err)
{
        image->more = calloc(count, sizeof *image->more);
        if (!image->more)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        enum stasis_status status =
                open_place(place_at(paths, files, 0), options, &image->arena, &image->containers, &image->map, err);
        for (size_t i = 1; i < count && status == STASIS_OK; i++)
                status = map_more(image, place_at(paths, files, i), options, err);
        if (status != STASIS_OK || !options || !options->contents)
                return status;
        _cleanup_free_ uint8_t *buf = malloc(CONTENTS_PIECE);
        if (!buf)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        tell_contents(&image->map, buf, options);
        for (size_t i = 0; i < image->more_count; i++)
                tell_contents(&image->more[i].map, buf, options);
        options->contents(options->contents_ctx, NULL, 0);
        return STASIS_OK;
}

enum stasis_status stasis_image_open_files(const char *const *paths, size_t count,
                                           const struct stasis_image_options *options, struct stasis_image **ret_image,
                                           struct stasis_error *err)
{
        if (count == 0)
                return stasis_fail(err, STASIS_USAGE, "no file is given");
        _cleanup_(stasis_image_closep) struct stasis_image *image = calloc(1, sizeof *image);
        if (!image)
                return stasis_fail(err, STASIS_NOMEM, "%s: out of memory", paths[0]);
        enum stasis_status status = map_all(image, paths, NULL, count, options, err);
        return status == STASIS_OK ? finish(&image, paths[0], options, ret_image, err) : status;
}

/* Those that no map has taken over. */
static void close_from(const struct stasis_file *files, size_t count, size_t from)
{
        for (size_t i = from; i < count; i++)
                close(files[i].fd);
}

enum stasis_status stasis_image_open_fds(const struct stasis_file *files, size_t count,
                                         const struct stasis_image_options *options, struct stasis_image **ret_image,
                                         struct stasis_error *err)
{
        if (count == 0)
                return stasis_fail(err, STASIS_USAGE, "no file is given");
        _cleanup_(stasis_image_closep) struct stasis_image *image = calloc(1, sizeof *image);
        if (!image) {
                close_from(files, count, 0);
                return stasis_fail(err, STASIS_NOMEM, "%s: out of memory", files[0].name);
        }
        enum stasis_status status = map_all(image, NULL, files, count, options, err);
        if (!image->more)
                close_from(files, count, 0);
        else if (status != STASIS_OK)
                close_from(files, count, image->more_count + 1);
        return status == STASIS_OK ? finish(&image, files[0].name, options, ret_image, err) : status;
}

enum stasis_status stasis_image_open(const char *path, const struct stasis_image_options *options,
                                     struct stasis_image **ret_image, struct stasis_error *err)
{
        return stasis_image_open_files(&path, 1, options, ret_image, err);
}

enum stasis_status stasis_image_open_memory(const void *bytes, size_t len, const char *name,
                                            const struct stasis_image_options *options, struct stasis_image **ret_image,
                                            struct stasis_error *err)
{
        name = name ? name : "memory";
        _cleanup_(stasis_image_closep) struct stasis_image *image = calloc(1, sizeof *image);
        if (!image)
                return stasis_fail(err, STASIS_NOMEM, "%s: out of memory", name);
        enum stasis_status status = stasis_map_borrow(bytes, len, &image->map, err);
        if (status == STASIS_OK)
                return finish(&image, name, options, ret_image, err);
        (void)stasis_fail_in(err, status, "%s", name);
        return status;
}

void stasis_image_close(struct stasis_image *image)
{
        if (!image)
                return;
        if (image->format && image->format->close && image->priv)
                image->format->close(image->priv);
        free(image->priv);
        stasis_packed_close(image->packed);
        free(image->run);
        free(image->gap);
        free(image->remark);
        free(image->blob);
        free(image->cpu);
        stasis_arena_free(&image->arena);
        for (size_t i = 0; i < image->more_count; i++)
                stasis_map_close(&image->more[i].map);
        free(image->more);
        stasis_map_close(&image->map);
        free(image);
}

const char *stasis_image_path(const struct stasis_image *image) { return image->path; }

const char *stasis_image_format(const struct stasis_image *image) { return image->format->name; }

const char *stasis_image_format_title(const struct stasis_image *image) { return image->title; }

const char *stasis_image_file_at(const struct stasis_image *image, size_t index)
{
        return index == 0 ? image->path : index <= image->more_count ? image->more[index - 1].path : NULL;
}

const struct stasis_container *stasis_image_container_at(const struct stasis_image *image, size_t index)
{
        return index < image->containers.count ? &image->containers.at[index] : NULL;
}

uint64_t stasis_image_file_size(const struct stasis_image *image)
{
        uint64_t size = image->map.bytes.len;
        for (size_t i = 0; i < image->more_count; i++)
                size += image->more[i].map.bytes.len;
        return size;
}

const struct stasis_run *stasis_image_runs(const struct stasis_image *image, size_t *ret_count)
{
        *ret_count = image->run_count;
        return image->run;
}

const struct stasis_gap *stasis_image_gaps(const struct stasis_image *image, size_t *ret_count)
{
        *ret_count = image->gap_count;
        return image->gap;
}

const struct stasis_hints *stasis_image_hints(const struct stasis_image *image) { return &image->hints; }

const char *const *stasis_image_remarks(const struct stasis_image *image, size_t *ret_count)
{
        *ret_count = image->remark_count;
        return image->remark;
}

const struct stasis_blob *stasis_image_blobs(const struct stasis_image *image, size_t *ret_count)
{
        *ret_count = image->blob_count;
        return image->blob;
}

/* The first run that begins above pa. */
static size_t first_above(const struct stasis_image *image, uint64_t pa)
{
        size_t low = 0, high = image->run_count; /* it is in [low, high] */
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (image->run[middle].pa <= pa)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

const struct stasis_run *stasis_image_find(const struct stasis_image *image, uint64_t pa)
{
        size_t above = first_above(image, pa);
        const struct stasis_run *run = above ? &image->run[above - 1] : NULL;
        return run && pa - run->pa < run->len ? run : NULL;
}

/* The map counts touches behind a const image: the count is no part of what the image says. */
static void touch(const struct stasis_image *image, uint64_t off, uint64_t len)
{
        stasis_map_touch((struct stasis_map *)&image->map, off, len);
}

/* One piece that lies in one run: len is at most what the run still holds. */
static enum stasis_status read_piece(const struct stasis_image *image, const struct stasis_run *run, uint64_t pa,
                                     uint8_t *to, size_t *len)
{
        uint64_t left = run->len - (pa - run->pa);
        if (!image->packed) {
                *len = *len < left ? *len : (size_t)left;
                touch(image, run->off + (pa - run->pa), *len);
                memcpy(to, image->map.bytes.at + run->off + (pa - run->pa), *len);
                return STASIS_OK;
        }
        size_t at = pa % PAGE_SIZE, held = PAGE_SIZE - at;
        held = held < left ? held : (size_t)left;
        *len = *len < held ? *len : held;
        return stasis_packed_read(image, pa - at, at, to, *len);
}

/* Runs begin and end anywhere; what none of them holds of the page is zeros, and nobody is shown it. */
static enum stasis_status read_from_blocks(const struct stasis_image *image, uint64_t pa, uint8_t *page)
{
        struct stasis_map *map = (struct stasis_map *)&image->map;
        size_t i = first_above(image, pa);
        memset(page, 0, PAGE_SIZE);
        for (i -= i > 0; i < image->run_count && (image->run[i].pa <= pa || image->run[i].pa - pa < PAGE_SIZE); i++) {
                const struct stasis_run *run = &image->run[i];
                uint64_t from = run->pa > pa ? run->pa : pa;
                if (from - run->pa >= run->len)
                        continue;
                uint64_t left = run->len - (from - run->pa), room = PAGE_SIZE - (from - pa);
                size_t len = (size_t)(left < room ? left : room);
                if (stasis_map_bytes(map, run->off + (from - run->pa), len, page + (from - pa)).len != len)
                        return STASIS_CORRUPT;
        }
        return STASIS_OK;
}

enum stasis_status stasis_image_unpack_page(const struct stasis_image *image, uint64_t pa, void *page)
{
        if (image->format->read_page)
                return image->format->read_page(image, image->priv, pa, page);
        return read_from_blocks(image, pa, page);
}

enum stasis_status stasis_image_read(const struct stasis_image *image, uint64_t pa, void *buf, size_t len)
{
        uint8_t *to = buf;
        while (len) {
                const struct stasis_run *run = stasis_image_find(image, pa);
                if (!run)
                        return STASIS_ABSENT;
                size_t piece = len;
                enum stasis_status status = read_piece(image, run, pa, to, &piece);
                if (status != STASIS_OK)
                        return status;
                to += piece;
                len -= piece;
                if (add_overflows(pa, piece, &pa) && len)
                        return STASIS_ABSENT;
        }
        return STASIS_OK;
}

struct stasis_bytes stasis_image_view(const struct stasis_image *image, uint64_t pa, size_t len)
{
        const struct stasis_run *run = image->packed ? NULL : stasis_image_find(image, pa);
        if (!run || len == 0)
                return (struct stasis_bytes){ NULL, 0 };
        uint64_t off = run->off + (pa - run->pa), left = run->len - (pa - run->pa);
        if (len > left)
                len = (size_t)left;
        touch(image, off, len);
        return (struct stasis_bytes){ image->map.bytes.at + off, len };
}

struct stasis_bytes stasis_image_hold(const struct stasis_image *image, uint64_t pa, size_t len)
{
        if (!image->packed)
                return stasis_image_view(image, pa, len);
        const struct stasis_run *run = stasis_image_find(image, pa);
        size_t at = pa % PAGE_SIZE, left = PAGE_SIZE - at;
        const uint8_t *page = run ? stasis_packed_page(image, pa - at) : NULL;
        if (!page)
                return (struct stasis_bytes){ NULL, 0 };
        if (left > run->len - (pa - run->pa))
                left = (size_t)(run->len - (pa - run->pa));
        return (struct stasis_bytes){ page + at, len < left ? len : left };
}

struct stasis_bytes stasis_image_piece(const struct stasis_image *image, uint64_t pa, void *buf, size_t len)
{
        if (!image->packed)
                return stasis_image_view(image, pa, len);
        const struct stasis_run *run = stasis_image_find(image, pa);
        uint64_t left = run ? run->len - (pa - run->pa) : 0;
        size_t done = 0;
        len = len < left ? len : (size_t)left;
        while (done < len) {
                size_t piece = len - done;
                if (read_piece(image, run, pa + done, (uint8_t *)buf + done, &piece) != STASIS_OK)
                        break;
                done += piece;
        }
        return (struct stasis_bytes){ done ? buf : NULL, done };
}

struct stasis_bytes stasis_image_stream(const struct stasis_image *image, uint64_t pa, void *buf, size_t len)
{
        const struct stasis_run *run = image->packed ? NULL : stasis_image_find(image, pa);
        if (!run)
                return stasis_image_piece(image, pa, buf, len);
        uint64_t off = run->off + (pa - run->pa), left = run->len - (pa - run->pa);
        return stasis_map_stream((struct stasis_map *)&image->map, off, buf, len < left ? len : (size_t)left);
}

uint64_t stasis_image_skip_hole(const struct stasis_image *image, uint64_t pa)
{
        const struct stasis_run *run = image->packed ? NULL : stasis_image_find(image, pa);
        if (!run)
                return pa;
        uint64_t off = run->off + (pa - run->pa);
        uint64_t ahead = stasis_map_next_data(&image->map, off) - off;
        if (ahead >= run->len - (pa - run->pa))
                return run->pa + run->len;
        uint64_t page = (pa + ahead) & ~UINT64_C(0xfff);
        return page > pa ? page : pa;
}

enum stasis_status stasis_image_offset(const struct stasis_image *image, uint64_t pa, uint64_t *ret_off)
{
        const struct stasis_run *run = image->format->read_page ? NULL : stasis_image_find(image, pa);
        if (!run)
                return STASIS_ABSENT;
        *ret_off = run->off + (pa - run->pa);
        return STASIS_OK;
}

bool stasis_image_is_virtual(const struct stasis_image *image) { return image->is_virtual; }

bool stasis_image_is_packed(const struct stasis_image *image) { return image->format->read_page; }

uint64_t stasis_image_pages_touched(const struct stasis_image *image)
{
        uint64_t count = image->map.touched_count;
        for (size_t i = 0; i < image->more_count; i++)
                count += image->more[i].map.touched_count;
        return count;
}
