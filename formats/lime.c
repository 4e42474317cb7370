/* SPDX-License-Identifier: MIT */
/* LiME images, version 1: docs/formats/lime.md. */
#include <inttypes.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "format.h"
#include "lime_wire.h"

struct lime_range {
        uint32_t magic, version;
        uint64_t first, last;
};

/* The header at off; false where the file ends before its end. */
static bool range_at(struct stasis_map *map, uint64_t off, struct lime_range *ret_range)
{
        uint8_t buf[sizeof(struct lime_header)];
        struct stasis_bytes header = stasis_map_bytes(map, off, sizeof buf, buf);
        if (!header.at)
                return false;
        *ret_range = (struct lime_range){
                .magic = load_le32(header.at),
                .version = load_le32(header.at + offsetof(struct lime_header, version)),
                .first = load_le64(header.at + offsetof(struct lime_header, first)),
                .last = load_le64(header.at + offsetof(struct lime_header, last)),
        };
        return true;
}

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)file_size;
        return head.len >= 4 && load_le32(head.at) == LIME_MAGIC ? 90 : 0;
}

static enum stasis_status check_first(const struct lime_range *range, struct stasis_error *err)
{
        if (range->magic != LIME_MAGIC)
                return stasis_fail(err, STASIS_CORRUPT, "no LiME header");
        if (range->version != 1)
                return stasis_fail(err, STASIS_UNSUPPORTED, "LiME version %" PRIu32 ": only version 1 is read",
                                   range->version);
        return STASIS_OK;
}

/* After a range that cannot be, nothing tells where the next one begins. */
static enum stasis_status stop(struct stasis_image *image, uint64_t off, const char *why)
{
        return stasis_image_remark(image, "at 0x%" PRIx64 ": %s; the last %" PRIu64 " bytes of the file are not read",
                                   off, why, image->map.bytes.len - off);
}

static enum stasis_status read_ranges(struct stasis_image *image, struct stasis_error *err)
{
        uint64_t size = image->map.bytes.len;
        struct lime_range range;
        uint64_t off = 0;
        while (range_at(&image->map, off, &range)) {
                if (range.magic != LIME_MAGIC || range.version != 1)
                        return stop(image, off, "no LiME header, where the next range should begin");
                if (range.first > range.last || range.last - range.first == UINT64_MAX)
                        return stop(image, off, "a range that ends before it begins");
                uint64_t len = range.last - range.first + 1, end;
                if (add_overflows(range.first, len, &end) || add_overflows(off + sizeof(struct lime_header), len, &end))
                        return stop(image, off, "a range that wraps around");
                enum stasis_status status =
                        stasis_image_add_run(image, range.first, len, off + sizeof(struct lime_header), err);
                if (status != STASIS_OK)
                        return status;
                off = end;
        }
        if (off >= size)
                return STASIS_OK;
        bool cut = size - off < sizeof(struct lime_header);
        return stop(image, off, cut ? "cut off inside a header" : "a header that cannot be read");
}

static enum stasis_status lime_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        (void)priv;
        struct lime_range first;
        image->trim_overlap = true;
        if (!range_at(&image->map, 0, &first))
                return stasis_fail(err, STASIS_CORRUPT, "cut off inside the first header");
        enum stasis_status status = check_first(&first, err);
        if (status == STASIS_OK)
                status = read_ranges(image, err);
        return status == STASIS_NOMEM ? stasis_fail(err, STASIS_NOMEM, "out of memory") : status;
}

const struct stasis_format stasis_format_lime = {
        .name = "lime",
        .title = "LiME physical memory",
        .by_pieces = true,
        .probe = probe,
        .open = lime_open,
};
