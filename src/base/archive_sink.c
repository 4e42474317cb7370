/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "archive_sink.h"
#include "bytes.h"
#include "error.h"

enum { PAGE = 4096 };
#define RELEASE_AFTER (UINT64_C(16) << 20)

struct archive_sink archive_sink_for(const struct stasis_map *map, const struct archive_options *options)
{
        struct archive_sink sink = { .map = map, .fd = -1 };
        if (options)
                sink.options = *options;
        const char *set = getenv("TMPDIR");
        if (!sink.options.tmp)
                sink.options.tmp = set && *set ? set : "/var/tmp";
        if (!sink.options.limit)
                sink.options.limit = ARCHIVE_LIMIT;
        return sink;
}

void archive_sink_close(struct archive_sink *sink)
{
        if (sink->fd >= 0)
                close(sink->fd);
        sink->fd = -1;
}

/* A file without a name; where the file system has no such thing, one whose name is taken away at once. */
static enum stasis_status make_file(struct archive_sink *sink, struct stasis_error *err)
{
        char path[PATH_MAX];
        if (sink->options.tmp_file) {
                sink->fd = sink->options.tmp_file(sink->options.tmp_file_ctx);
                return sink->fd >= 0 ? STASIS_OK
                                     : stasis_fail(err, STASIS_IO, "no temporary file: %s", strerror(errno));
        }
        sink->fd = open(sink->options.tmp, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (sink->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL) &&
            snprintf(path, sizeof path, "%s/stasis-XXXXXX", sink->options.tmp) < (int)sizeof path) {
                sink->fd = mkostemp(path, O_CLOEXEC);
                if (sink->fd >= 0)
                        unlink(path);
        }
        if (sink->fd < 0)
                return stasis_fail(err, STASIS_IO, "no temporary file in %s: %s", sink->options.tmp, strerror(errno));
        return STASIS_OK;
}

static bool is_zero(const uint8_t *at, size_t len) { return at[0] == 0 && memcmp(at, at + 1, len - 1) == 0; }

static enum stasis_status put(struct archive_sink *sink, const uint8_t *at, size_t len, uint64_t off,
                              struct stasis_error *err)
{
        while (len) {
                ssize_t done = pwrite(sink->fd, at, len, (off_t)off);
                if (done < 0 && errno == EINTR)
                        continue;
                if (done <= 0)
                        return stasis_fail(err, STASIS_IO, "unpacking to %s: %s", sink->options.tmp,
                                           done < 0 ? strerror(errno) : "no room");
                at += done;
                off += (uint64_t)done;
                len -= (size_t)done;
        }
        return STASIS_OK;
}

/* Whole pages of zeros stay holes. */
static enum stasis_status put_sparse(struct archive_sink *sink, const uint8_t *at, size_t len, uint64_t off,
                                     struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        while (len && status == STASIS_OK) {
                size_t run = 0, zeros = 0;
                while (run < len) { /* bytes to write, up to a page of zeros */
                        size_t piece = PAGE - (size_t)((off + run) % PAGE);
                        piece = piece < len - run ? piece : len - run;
                        if (is_zero(at + run, piece)) {
                                zeros = piece;
                                break;
                        }
                        run += piece;
                }
                status = put(sink, at, run, off, err);
                at += run + zeros;
                off += run + zeros;
                len -= run + zeros;
        }
        return status;
}

/* What was in place so far is written out, because what follows is not. */
static enum stasis_status spill(struct archive_sink *sink, struct stasis_error *err)
{
        enum stasis_status status = make_file(sink, err);
        return status == STASIS_OK ? put_sparse(sink, sink->map->bytes.at + sink->off, (size_t)sink->len, 0, err)
                                   : status;
}

/* Does the block lie in the archive, right behind what came before? */
static bool continues(const struct archive_sink *sink, const uint8_t *block, size_t len, uint64_t at)
{
        uintptr_t first = (uintptr_t)sink->map->bytes.at, here = (uintptr_t)block;
        if (sink->fd >= 0 || at != sink->len || here < first || len > sink->map->bytes.len ||
            here - first > sink->map->bytes.len - len)
                return false;
        return sink->len == 0 || here - first == sink->off + sink->len;
}

static enum stasis_status too_long(const struct archive_sink *sink, struct stasis_error *err)
{
        return stasis_fail(err, STASIS_LIMIT, "unpacks to more than the limit of %" PRIu64 " bytes",
                           sink->options.limit);
}

static void keep_small(struct archive_sink *sink, uint64_t used)
{
        if (used - sink->released < RELEASE_AFTER)
                return;
        sink->released = used;
        stasis_map_release(sink->map);
        if (sink->options.progress)
                sink->options.progress(sink->options.progress_ctx, "unpacking", used, sink->map->bytes.len);
}

enum stasis_status archive_sink_take(struct archive_sink *sink, const void *block, size_t len, uint64_t at,
                                     uint64_t used, struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        uint64_t end;
        keep_small(sink, used);
        if (len == 0)
                return STASIS_OK;
        if (at < sink->len || add_overflows(at, len, &end))
                return stasis_fail(err, STASIS_CORRUPT, "cannot be unpacked: its pieces are out of order");
        if (continues(sink, block, len, at)) {
                if (sink->len == 0)
                        sink->off = (uint64_t)((const uint8_t *)block - sink->map->bytes.at);
                sink->len = end;
                return STASIS_OK;
        }
        if (end > sink->options.limit)
                return too_long(sink, err);
        if (sink->fd < 0)
                status = spill(sink, err);
        if (status == STASIS_OK)
                status = put_sparse(sink, block, len, at, err);
        sink->len = end;
        return status;
}

enum stasis_status archive_sink_end(struct archive_sink *sink, uint64_t told, struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        if (told > sink->len) { /* ends in a hole */
                if (told > sink->options.limit)
                        return too_long(sink, err);
                if (sink->fd < 0)
                        status = spill(sink, err);
                sink->len = told;
        }
        if (status == STASIS_OK && sink->fd >= 0 && ftruncate(sink->fd, (off_t)sink->len) < 0)
                return stasis_fail(err, STASIS_IO, "unpacking to %s: %s", sink->options.tmp, strerror(errno));
        return sink->len || status != STASIS_OK ? status : stasis_fail(err, STASIS_CORRUPT, "holds an empty file");
}

/*
 * A tmpfs gives a page to a hole as soon as somebody looks into it through a mapping, and where it has none that
 * somebody dies of SIGBUS: what is unpacked must fit there with its holes.
 */
static enum stasis_status fits_with_holes(const struct archive_sink *sink, struct stasis_error *err)
{
        struct statfs fs;
        struct stat st;
        if (fstatfs(sink->fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC || fstat(sink->fd, &st) != 0)
                return STASIS_OK;
        uint64_t there = (uint64_t)st.st_blocks * 512, room = (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize;
        if (fs.f_blocks == 0 || sink->len <= there || sink->len - there <= room) /* no blocks: without a limit */
                return STASIS_OK;
        return stasis_fail(err, STASIS_IO,
                           "unpacking to %s: it is a tmpfs, where holes take room too: of %" PRIu64 " bytes %" PRIu64
                           " fit; '--tmp' names another folder",
                           sink->options.tmp, sink->len, there + room);
}

enum stasis_status archive_sink_give(struct archive_sink *sink, struct stasis_map *map, struct stasis_error *err)
{
        struct stasis_map member = { 0 };
        stasis_map_release(map);
        if (sink->fd < 0)
                return stasis_map_narrow(map, sink->off, sink->len, err);
        enum stasis_status status = fits_with_holes(sink, err);
        if (status != STASIS_OK)
                return status;
        int fd = sink->fd;
        sink->fd = -1;
        status = stasis_map_open_fd(fd, "the unpacked file", &member, err);
        if (status != STASIS_OK)
                return status;
        stasis_map_close(map);
        *map = member;
        return STASIS_OK;
}
