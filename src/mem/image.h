/* SPDX-License-Identifier: MIT */
/*
 * The physical image behind the readers: what a reader may do while it opens (the building calls below), and what the
 * layers above may rely on afterwards: runs sorted, disjoint, inside the file; nobody checks their bounds again.
 */
#ifndef STASIS_MEM_IMAGE_H
#define STASIS_MEM_IMAGE_H

#include <stasis/stasis.h>

#include "../base/arena.h"
#include "../base/map.h"
#include "container.h"
#include "packed.h"

struct stasis_format;

/* A file of the image after its first. */
struct stasis_more {
        struct stasis_map map;
        const char *path;
};

struct stasis_image {
        struct stasis_map map;
        struct containers containers; /* that map was in */
        struct stasis_more *more;     /* of formats with parts */
        size_t more_count;
        struct stasis_arena arena; /* lives as long as the image */
        const struct stasis_format *format;
        void *priv;                   /* format->priv_size bytes, zeroed */
        struct stasis_packed *packed; /* of formats with read_page, and of files of compressed blocks */
        const char *path, *title;
        struct stasis_run *run;
        size_t run_count, run_capacity;
        struct stasis_gap *gap;
        size_t gap_count, gap_capacity;
        const char **remark;
        size_t remark_count, remark_capacity;
        size_t remark_dropped; /* beyond STASIS_REMARKS_MAX; counted, and said by the seal */
        struct stasis_blob *blob;
        size_t blob_count, blob_capacity;
        struct stasis_cpu *cpu;
        size_t cpu_capacity;
        struct stasis_hints hints;
        bool trim_overlap; /* set by a reader whose files may contradict themselves: see stasis_image_seal */
        /*
         * Set by a reader whose file holds pieces of virtual memory: the pa of every run and gap is a virtual address.
         * Such a file holds the same bytes several times; an overlap is a remark only where they differ.
         */
        bool is_virtual;
        bool bare; /* set by a reader that tells the file's headers only: no run is no fault then */
};

/* A hostile file can give cause for a remark per byte: the list stays readable, and says how many were left out. */
#define STASIS_REMARKS_MAX 64

/* ---- for readers, while opening. Each may fail with STASIS_NOMEM only, unless said otherwise. */

/*
 * Adds a run. A part past the end of the file is cut off and becomes a gap ("cut off: the file ends"); an empty run is
 * dropped. STASIS_CORRUPT where pa+len wraps. A reader with read_page adds whole pages and passes off 0, which means
 * nothing there: its pages have no place in the file that could be named. Nothing is cut off there.
 */
enum stasis_status stasis_image_add_run(struct stasis_image *image, uint64_t pa, uint64_t len, uint64_t off,
                                        struct stasis_error *err) STASIS_MUST_CHECK;
/* why is static or in the arena. A gap that continues the one added before it, for the same reason, prolongs it. */
enum stasis_status stasis_image_add_gap(struct stasis_image *image, uint64_t pa, uint64_t len,
                                        const char *why) STASIS_MUST_CHECK;
/* The same, for what was left out on purpose when the file was made. */
enum stasis_status stasis_image_add_filtered(struct stasis_image *image, uint64_t pa, uint64_t len,
                                             const char *why) STASIS_MUST_CHECK;
enum stasis_status stasis_image_remark(struct stasis_image *image, const char *fmt, ...)
        STASIS_PRINTF(2, 3) STASIS_MUST_CHECK;
/* Data beside the memory; [off, off+len) lies inside the file. STASIS_NOMEM only. */
enum stasis_status stasis_image_add_blob(struct stasis_image *image, const uint8_t guid[16], uint64_t off,
                                         uint64_t len) STASIS_MUST_CHECK;
/*
 * A new CPU, zeroed, number = its index; NULL where memory is exhausted. Sets hints.cpu and hints.cpu_count. The next
 * call may move all of them.
 */
struct stasis_cpu *stasis_image_add_cpu(struct stasis_image *image);
void stasis_image_set_title(struct stasis_image *image, const char *fmt, ...) STASIS_PRINTF(2, 3);

/*
 * The seam, called once by the core after a successful open: sorts the runs and joins those that continue each other
 * both in physical memory and in the file. Then, where two runs claim the same physical bytes:
 *   - from the same place in the file (the same run twice, or a piece of it): one claim, joined; a remark counts them;
 *   - from different places: STASIS_CORRUPT, naming both. A reader that sets trim_overlap prefers reading what can be
 *     read: the run that begins lower keeps its bytes, the other one loses the overlap, and a remark says so.
 * No run at all is STASIS_CORRUPT too, unless the image is bare. Gaps are sorted, made disjoint, and lose what a run
 * holds.
 */
enum stasis_status stasis_image_seal(struct stasis_image *image, struct stasis_error *err) STASIS_MUST_CHECK;

/*
 * Where a search that starts at pa may begin: the page of the next byte that the file stores, in the run of pa, or the
 * run's end. pa itself where no run holds it. What is skipped is a hole of a sparse file, that is zeros.
 */
uint64_t stasis_image_skip_hole(const struct stasis_image *image, uint64_t pa);

/*
 * As stasis_image_view, for whoever keeps the pointer and can do without: of a packed image the bytes up to the end of
 * pa's 4 KiB page, while there is room to keep pages unpacked. They stay where they are until the image is closed.
 */
struct stasis_bytes stasis_image_hold(const struct stasis_image *image, uint64_t pa, size_t len);
/*
 * For searches: the bytes at pa, at most len, in place or else in buf (of at least len bytes); as many as the run of
 * pa holds, of a packed image as many as unpack. {NULL, 0} where there are none.
 */
struct stasis_bytes stasis_image_piece(const struct stasis_image *image, uint64_t pa, void *buf, size_t len);
/*
 * The 4 KiB at pa, of a run: without remembering them. STASIS_CORRUPT where they do not unpack, or as read_page says.
 */
enum stasis_status stasis_image_unpack_page(const struct stasis_image *image, uint64_t pa,
                                            void *page) STASIS_MUST_CHECK;
/* The same for a search of everything: streamed (stasis_map_stream), so that nothing of it stays mapped. */
struct stasis_bytes stasis_image_stream(const struct stasis_image *image, uint64_t pa, void *buf, size_t len);

/* The run that holds pa, or NULL. Binary search. */
const struct stasis_run *stasis_image_find(const struct stasis_image *image, uint64_t pa);

#endif
