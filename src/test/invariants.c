/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <string.h>

#include "invariants.h"

static bool is_one_line(const char *text)
{
        for (; *text; text++)
                if ((unsigned char)*text < ' ')
                        return false;
        return true;
}

/* A page reads or says that it is damaged; nothing of it is shown in place, and it has no place in the file. */
static const char *packed_page_broken(const struct stasis_image *image, uint64_t pa)
{
        uint8_t page[4096], byte;
        uint64_t off;
        enum stasis_status status = stasis_image_read(image, pa, page, sizeof page);
        if (status != STASIS_OK && status != STASIS_CORRUPT && status != STASIS_UNSUPPORTED)
                return "a packed page neither reads nor is damaged";
        for (int again = 0; again < 2; again++) { /* the second time from what is remembered */
                enum stasis_status second = stasis_image_read(image, pa + 4095, &byte, 1);
                if (second != status || (status == STASIS_OK && byte != page[4095]))
                        return "a packed page reads differently the second time";
        }
        if (stasis_image_view(image, pa, 1).at || stasis_image_offset(image, pa, &off) != STASIS_ABSENT)
                return "a packed page has a place in the file";
        return NULL;
}

static const char *packed_run_broken(const struct stasis_image *image, const struct stasis_run *run)
{
        if (run->pa % 4096 || run->len % 4096 || run->off)
                return "a packed run is not of whole pages";
        const char *broken = packed_page_broken(image, run->pa);
        return broken ? broken : packed_page_broken(image, run->pa + run->len - 4096);
}

static const char *run_broken(const struct stasis_image *image, const struct stasis_run *run, const uint8_t *base,
                              size_t len)
{
        uint8_t byte;
        uint64_t off;
        uint64_t last = run->pa + run->len - 1;
        if (run->len == 0 || run->pa > UINT64_MAX - run->len)
                return "a run is empty or wraps";
        if (stasis_image_is_packed(image))
                return packed_run_broken(image, run);
        if (run->off > len || run->len > len - run->off)
                return "a run is not inside the file";
        if (stasis_image_read(image, run->pa, &byte, 1) != STASIS_OK || byte != base[run->off])
                return "the first byte of a run does not read";
        if (stasis_image_read(image, last, &byte, 1) != STASIS_OK || byte != base[run->off + run->len - 1])
                return "the last byte of a run does not read";
        if (stasis_image_offset(image, last, &off) != STASIS_OK || off != run->off + run->len - 1)
                return "the last byte of a run is elsewhere in the file";
        struct stasis_bytes view = stasis_image_view(image, run->pa, SIZE_MAX);
        return view.at == base + run->off && view.len == run->len ? NULL : "a view is not its run";
}

/* A crash dump may hold its header only, or be of a machine whose memory is not read. */
static bool may_be_bare(const struct stasis_image *image)
{
        const struct stasis_hints *hints = stasis_image_hints(image);
        return (hints->known & STASIS_HINT_DUMP_TYPE && hints->dump_type == 3) ||
               (hints->known & STASIS_HINT_MACHINE && hints->machine == STASIS_MACHINE_ARM64);
}

static const char *runs_broken(const struct stasis_image *image, const uint8_t *base, size_t len)
{
        size_t count;
        uint8_t byte;
        const struct stasis_run *run = stasis_image_runs(image, &count);
        if (!may_be_bare(image) && count == 0)
                return "an opened image holds nothing";
        for (size_t i = 0; i < count; i++) {
                const char *broken = run_broken(image, &run[i], base, len);
                if (broken)
                        return broken;
                uint64_t end = run[i].pa + run[i].len;
                if (i + 1 < count && run[i + 1].pa < end)
                        return "runs are not sorted and disjoint";
                if (i + 1 < count && run[i + 1].pa == end &&
                    (stasis_image_is_packed(image) || run[i + 1].off == run[i].off + run[i].len))
                        return "runs that continue each other are not joined";
                if ((i + 1 == count || run[i + 1].pa > end) && stasis_image_read(image, end, &byte, 1) != STASIS_ABSENT)
                        return "a byte behind a run can be read";
        }
        return NULL;
}

static const char *gaps_broken(const struct stasis_image *image)
{
        size_t count;
        uint8_t byte;
        const struct stasis_gap *gap = stasis_image_gaps(image, &count);
        for (size_t i = 0; i < count; i++) {
                if (gap[i].len == 0 || gap[i].pa > UINT64_MAX - gap[i].len || !gap[i].why || !is_one_line(gap[i].why))
                        return "a gap is empty, wraps or has no reason";
                if (i + 1 < count && gap[i + 1].pa < gap[i].pa + gap[i].len)
                        return "gaps are not sorted and disjoint";
                if (stasis_image_read(image, gap[i].pa, &byte, 1) == STASIS_OK ||
                    stasis_image_read(image, gap[i].pa + gap[i].len - 1, &byte, 1) == STASIS_OK)
                        return "a byte of a gap can be read";
        }
        return NULL;
}

static bool is_inside(struct stasis_bytes bytes, const uint8_t *base, size_t len)
{
        uintptr_t at = (uintptr_t)bytes.at, from = (uintptr_t)base;
        return at >= from && at - from <= len && bytes.len > 0 && bytes.len <= len - (at - from);
}

/* is_torn: a flattened file may keep VMCOREINFO in pieces; then it is a copy. */
static const char *hints_broken(const struct stasis_hints *hints, const uint8_t *base, size_t len, bool is_torn)
{
        if (hints->known & STASIS_HINT_CONTEXT && !is_inside(hints->context, base, len))
                return "CONTEXT is outside the file";
        if (hints->known & STASIS_HINT_EXCEPTION &&
            (hints->exception.off >= len || hints->exception.parameter_count > 15))
                return "the exception record is outside the file, or has too many parameters";
        if (hints->known & STASIS_HINT_VMCOREINFO && !is_inside(hints->vmcoreinfo, base, len) && !is_torn)
                return "VMCOREINFO is outside the file";
        if (hints->known & STASIS_HINT_COMMENT && (!hints->comment || !is_one_line(hints->comment)))
                return "the comment is no line";
        for (size_t i = 0; i < hints->driver_count; i++)
                if (hints->driver[i].path.at && !is_inside(hints->driver[i].path, base, len))
                        return "a driver's path is outside the file";
        for (size_t i = 0; i < hints->cpu_count; i++)
                if ((hints->cpu[i].number != i && hints->cpu[i].number != UINT32_MAX) || hints->cpu[i].off >= len ||
                    (hints->cpu[i].known && !hints->cpu[i].origin))
                        return "a CPU has a wrong number, a wrong place or no origin";
        for (size_t i = 0; i < hints->unloaded_count; i++)
                if (!hints->unloaded[i].name || !is_one_line(hints->unloaded[i].name) || hints->unloaded[i].off >= len)
                        return "an unloaded driver has no name or a wrong place";
        if (hints->known & STASIS_HINT_BROKEN_DRIVER && !is_one_line(hints->broken_driver))
                return "the blamed driver is no line";
        return NULL;
}

static const char *blobs_broken(const struct stasis_image *image, size_t len)
{
        size_t count;
        const struct stasis_blob *blob = stasis_image_blobs(image, &count);
        for (size_t i = 0; i < count; i++)
                if (blob[i].off > len || blob[i].len > len - blob[i].off)
                        return "a blob is not inside the file";
        return NULL;
}

const char *image_broken(const struct stasis_image *image, const void *base, size_t len)
{
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        for (size_t i = 0; i < count; i++)
                if (!*remark[i] || !is_one_line(remark[i]))
                        return "a remark is no line";
        if (!is_one_line(stasis_image_format_title(image)))
                return "the title is no line";
        const char *broken = runs_broken(image, base, len);
        broken = broken ? broken : gaps_broken(image);
        broken = broken ? broken : blobs_broken(image, len);
        return broken ? broken
                      : hints_broken(stasis_image_hints(image), base, len,
                                     len > 12 && !memcmp(base, "makedumpfile", 12));
}

const char *failure_broken(enum stasis_status status, const struct stasis_error *err)
{
        if (status != STASIS_CORRUPT && status != STASIS_UNSUPPORTED)
                return "bad input must be corrupt or unsupported";
        if (err->status != status || !memchr(err->text, 0, sizeof err->text) || !*err->text || !is_one_line(err->text))
                return "a failure without a line that says why";
        return NULL;
}
