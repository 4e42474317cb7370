/* SPDX-License-Identifier: MIT */
/* The building half of the image: what readers call while they open, and the seal. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../formats/format.h"
#include "../base/bytes.h"
#include "../base/error.h"
#include "image.h"

static enum stasis_status no_memory(struct stasis_error *err)
{
        return stasis_fail(err, STASIS_NOMEM, "out of memory");
}

static bool push_run(struct stasis_image *image, uint64_t pa, uint64_t len, uint64_t off)
{
        if (!stasis_grow(&image->run, &image->run_capacity, image->run_count + 1, sizeof *image->run))
                return false;
        image->run[image->run_count++] = (struct stasis_run){ pa, len, off };
        return true;
}

enum stasis_status stasis_image_add_run(struct stasis_image *image, uint64_t pa, uint64_t len, uint64_t off,
                                        struct stasis_error *err)
{
        uint64_t end, size = image->map.bytes.len, held = len;
        if (add_overflows(pa, len, &end))
                return stasis_fail(err, STASIS_CORRUPT,
                                   "run at 0x%" PRIx64 ": length 0x%" PRIx64 " wraps around the address space", pa,
                                   len);
        if (!image->format->read_page)
                held = off >= size ? 0 : len <= size - off ? len : size - off;
        if (held && !push_run(image, pa, held, off))
                return no_memory(err);
        if (held < len && stasis_image_add_gap(image, pa + held, len - held, "cut off: the file ends") != STASIS_OK)
                return no_memory(err);
        return STASIS_OK;
}

static bool same_reason(const struct stasis_gap *a, const struct stasis_gap *b)
{
        return a->filtered == b->filtered && strcmp(a->why, b->why) == 0;
}

static enum stasis_status push_gap(struct stasis_image *image, struct stasis_gap gap)
{
        if (gap.len == 0)
                return STASIS_OK;
        struct stasis_gap *last = image->gap_count ? &image->gap[image->gap_count - 1] : NULL;
        if (last && last->pa + last->len == gap.pa && same_reason(last, &gap) && gap.len <= UINT64_MAX - gap.pa) {
                last->len += gap.len;
                return STASIS_OK;
        }
        if (!stasis_grow(&image->gap, &image->gap_capacity, image->gap_count + 1, sizeof *image->gap))
                return STASIS_NOMEM;
        image->gap[image->gap_count++] = gap;
        return STASIS_OK;
}

enum stasis_status stasis_image_add_gap(struct stasis_image *image, uint64_t pa, uint64_t len, const char *why)
{
        return push_gap(image, (struct stasis_gap){ .pa = pa, .len = len, .why = why });
}

enum stasis_status stasis_image_add_filtered(struct stasis_image *image, uint64_t pa, uint64_t len, const char *why)
{
        return push_gap(image, (struct stasis_gap){ .pa = pa, .len = len, .why = why, .filtered = true });
}

static enum stasis_status push_remark(struct stasis_image *image, const char *text)
{
        char *copy = stasis_arena_strndup(&image->arena, text, strlen(text));
        if (!copy ||
            !stasis_grow(&image->remark, &image->remark_capacity, image->remark_count + 1, sizeof *image->remark))
                return STASIS_NOMEM;
        image->remark[image->remark_count++] = copy;
        return STASIS_OK;
}

enum stasis_status stasis_image_remark(struct stasis_image *image, const char *fmt, ...)
{
        if (image->remark_count >= STASIS_REMARKS_MAX) {
                image->remark_dropped++;
                return STASIS_OK;
        }
        struct stasis_error line; /* formats, and keeps to one line */
        char text[sizeof line.text];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        (void)stasis_fail(&line, STASIS_OK, "%s", text);
        return push_remark(image, line.text);
}

enum stasis_status stasis_image_add_blob(struct stasis_image *image, const uint8_t guid[16], uint64_t off, uint64_t len)
{
        if (!stasis_grow(&image->blob, &image->blob_capacity, image->blob_count + 1, sizeof *image->blob))
                return STASIS_NOMEM;
        struct stasis_blob *blob = &image->blob[image->blob_count++];
        memcpy(blob->guid, guid, sizeof blob->guid);
        blob->off = off;
        blob->len = len;
        return STASIS_OK;
}

struct stasis_cpu *stasis_image_add_cpu(struct stasis_image *image)
{
        size_t count = image->hints.cpu_count;
        if (!stasis_grow(&image->cpu, &image->cpu_capacity, count + 1, sizeof *image->cpu))
                return NULL;
        struct stasis_cpu *cpu = &image->cpu[count];
        *cpu = (struct stasis_cpu){ .number = (uint32_t)count };
        image->hints.cpu = image->cpu;
        image->hints.cpu_count = count + 1;
        return cpu;
}

void stasis_image_set_title(struct stasis_image *image, const char *fmt, ...)
{
        char text[256];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof text, fmt, ap);
        va_end(ap);
        char *copy = stasis_arena_strndup(&image->arena, text, sizeof text);
        if (copy) /* else the title of the format stays: not worth failing for */
                image->title = copy;
}

static int compare_runs(const void *a, const void *b)
{
        const struct stasis_run *x = a, *y = b;
        if (x->pa != y->pa)
                return x->pa < y->pa ? -1 : 1;
        return x->off < y->off ? -1 : x->off > y->off;
}

static int compare_gaps(const void *a, const void *b)
{
        const struct stasis_gap *x = a, *y = b;
        return x->pa < y->pa ? -1 : x->pa > y->pa;
}

struct seal {
        size_t same, trimmed;
        uint64_t compared; /* bytes, of copies of virtual memory */
        struct stasis_run first_kept, first_trimmed;
};

/*
 * Two copies of the same virtual memory, taken one after the other. The runs lie inside the file. What last was trimmed
 * by itself is not compared again, and all comparisons of a seal together read no more than the file twice.
 */
static bool same_bytes(const struct stasis_image *image, struct seal *seal, const struct stasis_run *last,
                       const struct stasis_run *run)
{
        const struct stasis_bytes file = image->map.bytes;
        uint64_t from = run->pa > last->pa ? run->pa : last->pa, end = run->pa + run->len;
        if (end > last->pa + last->len)
                end = last->pa + last->len;
        if (!image->is_virtual)
                return false;
        if (from >= end)
                return true;
        if (end - from > file.len - seal->compared)
                return false;
        seal->compared += end - from;
        return memcmp(file.at + last->off + (from - last->pa), file.at + run->off + (from - run->pa),
                      (size_t)(end - from)) == 0;
}

/* Takes what last holds already away from run; run may become empty. */
static void trim(const struct stasis_image *image, struct seal *seal, const struct stasis_run *last,
                 struct stasis_run *run)
{
        uint64_t overlap = last->pa + last->len - run->pa;
        overlap = overlap < run->len ? overlap : run->len;
        if (!same_bytes(image, seal, last, run) && seal->trimmed++ == 0) {
                seal->first_kept = *last;
                seal->first_trimmed = *run;
        }
        run->pa += overlap;
        run->off += overlap;
        run->len -= overlap;
}

/* One more run, in sorted order, onto the sealed ones. */
static enum stasis_status seal_run(struct stasis_image *image, struct seal *seal, size_t *count, struct stasis_run run,
                                   struct stasis_error *err)
{
        struct stasis_run *last = *count ? &image->run[*count - 1] : NULL;
        bool linear = !image->format->read_page;
        if (last && run.pa <= last->pa + last->len && (!linear || run.off - run.pa == last->off - last->pa)) {
                uint64_t end = run.pa + run.len;
                seal->same += run.pa < last->pa + last->len;
                if (end > last->pa + last->len)
                        last->len = end - last->pa;
                return STASIS_OK;
        }
        if (last && run.pa < last->pa + last->len) {
                if (!image->trim_overlap)
                        return stasis_fail(err, STASIS_CORRUPT,
                                           "two runs claim the same memory: 0x%" PRIx64 "+0x%" PRIx64
                                           " (file 0x%" PRIx64 ") and 0x%" PRIx64 "+0x%" PRIx64 " (file 0x%" PRIx64 ")",
                                           last->pa, last->len, last->off, run.pa, run.len, run.off);
                trim(image, seal, last, &run);
        }
        if (run.len)
                image->run[(*count)++] = run;
        return STASIS_OK;
}

/* Sorted gaps become disjoint ones: what two of them claim stays with the one that begins lower. */
static void join_gaps(struct stasis_image *image)
{
        size_t count = 0;
        for (size_t i = 0; i < image->gap_count; i++) {
                struct stasis_gap gap = image->gap[i], *last = count ? &image->gap[count - 1] : NULL;
                uint64_t end = gap.pa + gap.len, last_end = last ? last->pa + last->len : 0;
                if (last && gap.pa <= last_end && same_reason(&gap, last)) {
                        last->len = (end > last_end ? end : last_end) - last->pa;
                        continue;
                }
                if (last && gap.pa < last_end)
                        gap.pa = last_end < end ? last_end : end;
                gap.len = end - gap.pa;
                if (gap.len)
                        image->gap[count++] = gap;
        }
        image->gap_count = count;
}

static struct stasis_gap part_of(const struct stasis_gap *gap, uint64_t pa, uint64_t end)
{
        return (struct stasis_gap){ .pa = pa, .len = end - pa, .why = gap->why, .filtered = gap->filtered };
}

/* A gap is what nobody holds: takes the runs out of the disjoint gaps, into a new list. */
static bool subtract_runs(struct stasis_image *image)
{
        struct stasis_gap *old = image->gap;
        size_t old_count = image->gap_count, run = 0;
        bool fits = true;
        image->gap = NULL;
        image->gap_count = image->gap_capacity = 0;
        for (size_t i = 0; i < old_count && fits; i++) {
                uint64_t pa = old[i].pa, end = pa + old[i].len;
                for (; run < image->run_count && image->run[run].pa < end && fits; run++) {
                        const struct stasis_run *held = &image->run[run];
                        if (held->pa > pa)
                                fits = push_gap(image, part_of(&old[i], pa, held->pa)) == STASIS_OK;
                        if (held->pa + held->len > end) { /* it may reach into the next gap */
                                pa = end;
                                break;
                        }
                        pa = held->pa + held->len > pa ? held->pa + held->len : pa;
                }
                if (pa < end && fits)
                        fits = push_gap(image, part_of(&old[i], pa, end)) == STASIS_OK;
        }
        free(old);
        return fits;
}

static enum stasis_status say(struct stasis_image *image, const struct seal *seal)
{
        enum stasis_status status = STASIS_OK;
        if (seal->same)
                status = stasis_image_remark(
                        image, "%zu runs are listed more than once, with the same place in the file", seal->same);
        if (status == STASIS_OK && seal->trimmed)
                status = stasis_image_remark(image,
                                             "%zu runs claim memory that another one holds, and were trimmed; "
                                             "the first: 0x%" PRIx64 " (file 0x%" PRIx64 ") under 0x%" PRIx64
                                             " (file 0x%" PRIx64 ")",
                                             seal->trimmed, seal->first_trimmed.pa, seal->first_trimmed.off,
                                             seal->first_kept.pa, seal->first_kept.off);
        if (status == STASIS_OK && image->remark_dropped) {
                char text[64];
                snprintf(text, sizeof text, "%zu more remarks are not shown", image->remark_dropped);
                status = push_remark(image, text);
        }
        return status;
}

enum stasis_status stasis_image_seal(struct stasis_image *image, struct stasis_error *err)
{
        struct seal seal = { 0 };
        size_t count = 0;
        if (image->run_count == 0 && image->bare)
                return say(image, &seal) == STASIS_OK ? STASIS_OK : no_memory(err);
        if (image->run_count == 0)
                return stasis_fail(err, STASIS_CORRUPT, "holds no %s memory",
                                   image->is_virtual ? "virtual" : "physical");
        qsort(image->run, image->run_count, sizeof *image->run, compare_runs);
        for (size_t i = 0; i < image->run_count; i++) {
                enum stasis_status status = seal_run(image, &seal, &count, image->run[i], err);
                if (status != STASIS_OK)
                        return status;
        }
        image->run_count = count;
        if (image->gap_count) {
                qsort(image->gap, image->gap_count, sizeof *image->gap, compare_gaps);
                join_gaps(image);
                if (!subtract_runs(image))
                        return no_memory(err);
        }
        return say(image, &seal) == STASIS_OK ? STASIS_OK : no_memory(err);
}
