/* SPDX-License-Identifier: MIT */
/* kdump-compressed files, plain, flattened and split: docs/formats/kdump.md. */
#include "kdump.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../src/base/error.h"
#include "format.h"

enum { LAST_VERSION = 6 };

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)file_size;
        bool plain = head.len >= 8 && memcmp(head.at, KDUMP_SIGNATURE, 8) == 0;
        return plain ? 100 : flat_probe(head) ? 95 : 0; /* less than an ELF core that is seen in one */
}

static enum stasis_status no_memory(struct stasis_error *err)
{
        return stasis_fail(err, STASIS_NOMEM, "out of memory");
}

/* ---- one file */

static enum stasis_status place(struct stasis_image *image, const struct kdump_headers *h, struct kdump_part *part,
                                struct stasis_error *err)
{
        /* One bitmap only: old writers, that filtered nothing. */
        bool two = h->pages / 8 + (h->pages % 8 != 0) <= h->bitmap_len / 2;
        uint64_t len = two ? h->bitmap_len / 2 : h->bitmap_len;
        part->status = h->status;
        part->ram_at = two ? h->bitmap_at : 0;
        part->held_at = two ? h->bitmap_at + len : h->bitmap_at;
        part->desc_at = h->bitmap_at + h->bitmap_len;
        uint64_t held = flat_held(&part->flat, part->held_at, len) * 8;
        if (held == 0)
                return stasis_fail(err, STASIS_CORRUPT, "cut off: the bitmap of the pages should be at 0x%" PRIx64,
                                   part->held_at);
        part->max_pfn = h->pages < held ? h->pages : held;
        part->end_pfn = h->split && h->end_pfn < part->max_pfn ? h->end_pfn : part->max_pfn;
        part->first_pfn = h->split && h->first_pfn < part->end_pfn ? h->first_pfn : h->split ? part->end_pfn : 0;
        if (h->pages > held &&
            stasis_image_remark(image, "the bitmap tells of %" PRIu64 " pages; the header of %" PRIu64, held,
                                h->pages) != STASIS_OK)
                return no_memory(err);
        return STASIS_OK;
}

static enum stasis_status open_part(struct stasis_image *image, struct stasis_map *map, struct kdump_part *part,
                                    struct kdump_headers *h, struct stasis_error *err)
{
        enum stasis_status status = flat_open(image, map, &part->flat, err);
        if (status == STASIS_OK)
                status = kdump_read_headers(&part->flat, h, err);
        return status == STASIS_OK ? place(image, h, part, err) : status;
}

/* ---- all of them */

static int compare_parts(const void *a, const void *b)
{
        const struct kdump_part *x = a, *y = b;
        if (x->first_pfn != y->first_pfn)
                return x->first_pfn < y->first_pfn ? -1 : 1;
        return x->end_pfn < y->end_pfn ? -1 : x->end_pfn > y->end_pfn;
}

static enum stasis_status open_more(struct stasis_image *image, struct kdump *kdump, const struct kdump_headers *first,
                                    struct stasis_error *err)
{
        for (size_t i = 0; i < image->more_count; i++) {
                struct kdump_headers h;
                struct stasis_more *more = &image->more[i];
                struct kdump_part *part = &kdump->part[kdump->count++];
                enum stasis_status status = open_part(image, &more->map, part, &h, err);
                if (status == STASIS_OK && (!first->split || !h.split || !kdump_same_dump(first, &h)))
                        status = stasis_fail(err, STASIS_USAGE, "%s",
                                             first->split && h.split ? "a part of another dump"
                                                                     : "not both are parts of a split dump");
                if (status != STASIS_OK)
                        return stasis_fail_in(err, status, "%s", more->path);
        }
        return STASIS_OK;
}

/* Pages that no part has are told by the bitmaps, which each part has whole. */
static enum stasis_status add_absent(struct stasis_image *image, const struct kdump_part *like, uint64_t first,
                                     uint64_t end, struct stasis_error *err)
{
        struct kdump_part absent = *like;
        absent.first_pfn = first;
        absent.end_pfn = end;
        absent.absent = true;
        return first < end ? kdump_add_pages(image, &absent, err) : STASIS_OK;
}

static enum stasis_status add_parts(struct stasis_image *image, struct kdump *kdump, struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        uint64_t at = 0;
        qsort(kdump->part, kdump->count, sizeof *kdump->part, compare_parts);
        for (size_t i = 0; i < kdump->count && status == STASIS_OK; i++) {
                struct kdump_part *part = &kdump->part[i];
                if (part->first_pfn == part->end_pfn) /* honest: without pages of its own */
                        continue;
                if (part->first_pfn < at)
                        return stasis_fail(err, STASIS_USAGE, "two parts hold the same pages: is one given twice?");
                status = add_absent(image, part, at, part->first_pfn, err);
                if (status == STASIS_OK)
                        status = kdump_add_pages(image, part, err);
                at = part->end_pfn;
        }
        return status == STASIS_OK ? add_absent(image, kdump->part, at, kdump->part->max_pfn, err) : status;
}

/* "zlib", "not compressed"; and a clear line where its pages could not be read. */
static enum stasis_status packing_of(uint32_t status, const char **ret_name, struct stasis_error *err)
{
        enum unpack method;
        *ret_name = "not compressed";
        if (!kdump_packing(status, &method))
                return STASIS_OK;
        *ret_name = unpack_name(method);
        if (unpack_built_in(method))
                return STASIS_OK;
        return stasis_fail(err, STASIS_UNSUPPORTED,
                           "its pages are packed with %s, which is not built in (install %s and build again)",
                           unpack_name(method), unpack_package(method));
}

static enum stasis_status set_title(struct stasis_image *image, const struct kdump_headers *h, bool flattened,
                                    struct stasis_error *err)
{
        const char *packing;
        enum stasis_status status = packing_of(h->status, &packing, err);
        if (status != STASIS_OK)
                return status;
        if (h->split)
                stasis_image_set_title(
                        image, "%skdump, %zu parts of a split one, %d-bit header, %s, dump level %" PRIu32,
                        flattened ? "flattened " : "", image->more_count + 1, h->bits, packing, h->dump_level);
        else
                stasis_image_set_title(image, "%skdump, %d-bit header, %s, dump level %" PRIu32,
                                       flattened ? "flattened " : "", h->bits, packing, h->dump_level);
        return STASIS_OK;
}

static enum stasis_status say(struct stasis_image *image, const struct kdump_headers *h)
{
        enum stasis_status status = STASIS_OK;
        if (h->version > LAST_VERSION)
                status = stasis_image_remark(image, "header version %" PRIu32 ": read as version %d", h->version,
                                             LAST_VERSION);
        if (status == STASIS_OK && h->status & KDUMP_INCOMPLETE)
                status = stasis_image_remark(image, "the dump is incomplete: the disk was full when it was written");
        if (status == STASIS_OK && h->status & KDUMP_EXCLUDED_VMEMMAP)
                status = stasis_image_remark(image,
                                             "page structures of left-out pages are left out too (makedumpfile -e)");
        if (status == STASIS_OK && h->erased_len)
                status = stasis_image_remark(image, "data were erased from it (makedumpfile --config)");
        return status;
}

static enum stasis_status kdump_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        struct kdump *kdump = priv;
        struct kdump_headers first;
        kdump->part = calloc(image->more_count + 1, sizeof *kdump->part);
        if (!kdump->part)
                return no_memory(err);
        kdump->count = 1;
        enum stasis_status status = open_part(image, &image->map, kdump->part, &first, err);
        if (status == STASIS_OK)
                status = set_title(image, &first, kdump->part->flat.flattened, err);
        if (status == STASIS_OK)
                status = open_more(image, kdump, &first, err);
        if (status != STASIS_OK)
                return status;
        if (kdump_read_hints(image, &first, &kdump->part->flat) != STASIS_OK || say(image, &first) != STASIS_OK)
                return no_memory(err);
        status = add_parts(image, kdump, err);
        if (status == STASIS_OK && image->run_count == 0 && first.split)
                return stasis_fail(err, STASIS_CORRUPT,
                                   "a part of a split dump that holds no pages by itself: give all parts together");
        return status;
}

static void kdump_close(void *priv)
{
        struct kdump *kdump = priv;
        for (size_t i = 0; i < kdump->count; i++) {
                flat_close(&kdump->part[i].flat);
                free(kdump->part[i].rank);
        }
        free(kdump->part);
}

const struct stasis_format stasis_format_kdump = {
        .name = "kdump",
        .title = "kdump-compressed dump of Linux",
        .priv_size = sizeof(struct kdump),
        .parts = true,
        .probe = probe,
        .open = kdump_open,
        .read_page = kdump_read_page,
        .close = kdump_close,
};
