/* SPDX-License-Identifier: MIT */
/* Where the bytes of an archive's member go: nowhere, while they lie in the archive as they are; else a file. */
#ifndef STASIS_BASE_ARCHIVE_SINK_H
#define STASIS_BASE_ARCHIVE_SINK_H

#include "archive.h"

struct archive_sink {
        const struct stasis_map *map; /* the archive */
        struct archive_options options;
        int fd; /* the temporary file; -1: not needed so far */
        uint64_t off,
                len; /* fd -1: [off, off+len) of the archive is the member so far; else len is its length so far */
        uint64_t released; /* how much of the archive was read when its pages were given back last */
};

struct archive_sink archive_sink_for(const struct stasis_map *map, const struct archive_options *options);
void archive_sink_close(struct archive_sink *sink);
/* The member's bytes at `at`; what lies between those before and these is zeros. used: of the archive, for progress. */
enum stasis_status archive_sink_take(struct archive_sink *sink, const void *block, size_t len, uint64_t at,
                                     uint64_t used, struct stasis_error *err) STASIS_MUST_CHECK;
/* told: the member's length as the archive says, 0 where it does not: zeros at its end are not written. */
enum stasis_status archive_sink_end(struct archive_sink *sink, uint64_t told,
                                    struct stasis_error *err) STASIS_MUST_CHECK;
static inline bool archive_sink_in_place(const struct archive_sink *sink) { return sink->fd < 0; }
/* The member in the archive's place. */
enum stasis_status archive_sink_give(struct archive_sink *sink, struct stasis_map *map,
                                     struct stasis_error *err) STASIS_MUST_CHECK;

#endif
