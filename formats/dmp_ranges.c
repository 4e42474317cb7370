/* SPDX-License-Identifier: MIT */
/* The ranges of page frames in dumps that the debugger writes (types 8, 9, 10). docs/formats/dmp.md. */
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "../src/base/error.h"
#include "dmp.h"
#include "dmp_wire.h"

enum { PAGE_SHIFT = 12 };
#define FRAMES_MAX (UINT64_C(1) << (52 - PAGE_SHIFT))
enum { TYPE_FULL = 10 };

struct ranges {
        struct stasis_bytes list;
        uint64_t first_page;
        uint64_t wanted; /* pages that the header counts, and so the end of the list; UINT64_MAX: it counts none */
        uint64_t seen;   /* pages of the ranges so far */
};

/* The list is bounded by the first page, never by what MetadataSize says. */
static enum stasis_status find_list(struct dmp *dmp, struct ranges *ranges, struct stasis_error *err)
{
        uint64_t at = dmp->width->header_size, list = at + sizeof(struct dmp_ranges);
        struct stasis_bytes header = bytes_slice(dmp->file, at, sizeof(struct dmp_ranges));
        if (!header.at || memcmp(header.at + offsetof(struct dmp_ranges, magic), DMP_RANGES, 8) != 0)
                return stasis_fail(err, STASIS_CORRUPT, "no header of ranges (RDMP) at 0x%" PRIx64, at);
        uint32_t marker = load_le32(header.at + offsetof(struct dmp_ranges, marker));
        if (marker != DMP_RANGES_MARKER)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a header of ranges marked 0x%" PRIx32 ": only 0x%x is known", marker,
                                   DMP_RANGES_MARKER);
        ranges->first_page = load_le64(header.at + offsetof(struct dmp_ranges, first_page));
        ranges->wanted = dmp->image->hints.dump_type == TYPE_FULL
                                 ? load_le64(header.at + offsetof(struct dmp_ranges, pages))
                                 : UINT64_MAX;
        if (ranges->first_page <= list)
                return stasis_fail(err, STASIS_CORRUPT, "the first page would lie at 0x%" PRIx64 ", inside the header",
                                   ranges->first_page);
        if (ranges->first_page >= dmp->file.len)
                return stasis_fail(err, STASIS_CORRUPT,
                                   "cut off: the first page should be at 0x%" PRIx64 ", the file ends at 0x%zx",
                                   ranges->first_page, dmp->file.len);
        ranges->list = bytes_slice(dmp->file, list, ranges->first_page - list);
        return STASIS_OK;
}

/* The pages of one range; false, with a remark, where no machine has such a range. */
static bool add_range(struct dmp *dmp, struct ranges *ranges, uint64_t frame, uint64_t count,
                      enum stasis_status *ret_status, struct stasis_error *err)
{
        if (count == 0 || frame >= FRAMES_MAX || count > FRAMES_MAX - frame || count > FRAMES_MAX - ranges->seen) {
                *ret_status = stasis_image_remark(dmp->image,
                                                  "a range cannot be (page 0x%" PRIx64 ", 0x%" PRIx64
                                                  " pages): it and what follows is not read",
                                                  frame, count);
                return false;
        }
        uint64_t off = ranges->first_page + (ranges->seen << PAGE_SHIFT);
        ranges->seen += count;
        *ret_status = stasis_image_add_run(dmp->image, frame << PAGE_SHIFT, count << PAGE_SHIFT, off, err);
        return *ret_status == STASIS_OK;
}

static enum stasis_status account(struct dmp *dmp, const struct ranges *ranges)
{
        if (ranges->wanted == UINT64_MAX || ranges->wanted == ranges->seen)
                return STASIS_OK;
        return stasis_image_remark(dmp->image, "the header counts %" PRIu64 " pages, its ranges have %" PRIu64,
                                   ranges->wanted, ranges->seen);
}

enum stasis_status dmp_read_ranges(struct dmp *dmp, struct stasis_error *err)
{
        struct ranges ranges = { 0 };
        enum stasis_status status = find_list(dmp, &ranges, err);
        if (status != STASIS_OK)
                return status;
        struct stasis_cursor list = { .left = ranges.list };
        while ((ranges.wanted == 0 || ranges.seen < ranges.wanted) && list.left.len >= sizeof(struct dmp_range)) {
                uint64_t frame = cursor_le(&list, 8), count = cursor_le(&list, 8);
                if (frame == 0) /* ends the list: frame 0 is never in such a dump */
                        break;
                if (!add_range(dmp, &ranges, frame, count, &status, err))
                        return status;
        }
        dmp->end = ranges.first_page + (ranges.seen << PAGE_SHIFT);
        return account(dmp, &ranges);
}
