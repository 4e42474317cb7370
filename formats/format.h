/* SPDX-License-Identifier: MIT */
/* What a reader is. One row in formats.c registers it; see docs/ADD-A-FORMAT.md. */
#ifndef STASIS_FORMAT_H
#define STASIS_FORMAT_H

#include <stasis/stasis.h>

#include "../src/mem/image.h"

/* How much of the head a probe gets to see, at most. */
#define STASIS_PROBE_LEN 65536

struct stasis_format {
        const char *name, *title; /* name is stable: --reader, JSON */
        size_t priv_size;         /* zeroed and owned by the core */
        bool by_pieces; /* reads the file through stasis_map_bytes only, never in place: it may be compressed blocks */
        bool parts;     /* an image may be in several files: image->more are those after the first */
        /* Strength of evidence, 0 (not mine) to 100; pure: no allocation, no side effect. The highest bid opens. */
        int (*probe)(struct stasis_bytes head, uint64_t file_size);
        /* Adds runs, gaps, remarks and hints. The whole file is image->map.bytes (see by_pieces). */
        enum stasis_status (*open)(struct stasis_image *image, void *priv, struct stasis_error *err);
        /* Packed formats only, else NULL: one 4 KiB page of a run. Several threads may ask at once. */
        enum stasis_status (*read_page)(const struct stasis_image *image, void *priv, uint64_t pa, void *page);
        /* Frees what open allocated in priv, also after a failed open; NULL where there is nothing. */
        void (*close)(void *priv);
};

extern const struct stasis_format stasis_format_raw, stasis_format_elf, stasis_format_dmp, stasis_format_lime,
        stasis_format_lime_raw, stasis_format_kdump;

/* The table, in the order in which --help lists it, ended by NULL. */
extern const struct stasis_format *const stasis_formats[];

const struct stasis_format *stasis_format_by_name(const char *name); /* NULL where there is none */
/*
 * The contest: the highest bid wins, the first of equals. STASIS_UNSUPPORTED, with one line that says what it is and
 * what to do, for a file that no reader claims (raw alone bids on everything) and that is plainly something else.
 */
enum stasis_status stasis_format_choose(struct stasis_bytes head, uint64_t file_size,
                                        const struct stasis_format **ret_format,
                                        struct stasis_error *err) STASIS_MUST_CHECK;
/* The same of the file that map shows. */
enum stasis_status stasis_format_choose_file(struct stasis_map *map, const struct stasis_format **ret_format,
                                             struct stasis_error *err) STASIS_MUST_CHECK;
/* What the file plainly is, although no memory image ("xz-compressed: unpack it first"), or NULL. */
const char *stasis_foreign(struct stasis_bytes head);

#endif
