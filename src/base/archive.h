/* SPDX-License-Identifier: MIT */
/*
 * What an archive holds: compressed files (gzip, xz, zstd, bzip2, lz4) and archives (zip, tar, 7z), through libarchive.
 * A member that lies in the archive as it is (a tar, a stored zip member) is mapped where it lies; any other is
 * unpacked once to a sparse temporary file that has no name, so that nothing is left behind whatever happens.
 */
#ifndef STASIS_BASE_ARCHIVE_H
#define STASIS_BASE_ARCHIVE_H

#include "map.h"

struct archive_options {
        const char *tmp; /* folder of the temporary file; NULL: $TMPDIR, else /var/tmp */
        uint64_t limit;  /* bytes that may be unpacked, holes included; 0: ARCHIVE_LIMIT */
        void (*progress)(void *ctx, const char *what, uint64_t done, uint64_t total);
        void *progress_ctx;
        int (*tmp_file)(void *ctx); /* NULL, or gives the temporary file, instead of one in tmp; -1 and errno: none */
        void *tmp_file_ctx;
};
#define ARCHIVE_LIMIT (UINT64_C(64) << 30)
#define ARCHIVE_NAME_MAX 1024 /* a longer name of a member is cut where it is shown, and cannot be asked for */

/* What was opened: replaces the map of the archive. */
struct archive_member {
        char name[ARCHIVE_NAME_MAX]; /* as the archive has it; "" of a compressed file, which names none */
        bool in_place;
        uint64_t off; /* in_place: where in the archive it begins */
};

/* What these first bytes begin ("gzip", "zip", "tar" ...), or NULL. */
const char *archive_kind(struct stasis_bytes head);
/*
 * The member of this name, or the only one. On success *map shows the member's bytes and owns what it needs; after a
 * failure it still shows the archive. STASIS_ABSENT: no such member, or no file in it; STASIS_USAGE: several, and none
 * is named (the text names some); STASIS_CORRUPT: cut or damaged; STASIS_LIMIT: more than may be unpacked;
 * STASIS_UNSUPPORTED: encrypted, or a build without libarchive.
 */
enum stasis_status archive_open_member(struct stasis_map *map, const char *name, const struct archive_options *options,
                                       struct archive_member *ret_member, struct stasis_error *err) STASIS_MUST_CHECK;
/* Each file that it holds, in its order; false from the callback ends it. The same failures. */
typedef bool archive_seen(void *ctx, const char *name, uint64_t len);
enum stasis_status archive_list(const struct stasis_map *map, archive_seen *seen, void *ctx,
                                struct stasis_error *err) STASIS_MUST_CHECK;

#endif
