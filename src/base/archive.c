/* SPDX-License-Identifier: MIT */
/* Which member, and whether it lies there as it is. Where its bytes go is archive_sink.c. */
#include <string.h>

#include "archive.h"
#include "error.h"

/* First bytes: RFC 1952, RFC 8878, the .xz, bzip2, LZ4 frame, 7z and ZIP specifications, POSIX pax (ustar at 257). */
static const struct {
        const char *kind;
        uint16_t at;
        uint8_t len;
        uint8_t magic[6];
} kinds[] = {
        { "gzip", 0, 3, { 0x1f, 0x8b, 8 } },
        { "xz", 0, 6, { 0xfd, '7', 'z', 'X', 'Z', 0 } },
        { "zstd", 0, 4, { 0x28, 0xb5, 0x2f, 0xfd } },
        { "bzip2", 0, 3, { 'B', 'Z', 'h' } },
        { "lz4", 0, 4, { 0x04, 0x22, 0x4d, 0x18 } },
        { "zip", 0, 4, { 'P', 'K', 3, 4 } },
        { "7z", 0, 6, { '7', 'z', 0xbc, 0xaf, 0x27, 0x1c } },
        { "tar", 257, 5, { 'u', 's', 't', 'a', 'r' } },
};

const char *archive_kind(struct stasis_bytes head)
{
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (head.len >= (size_t)kinds[i].at + kinds[i].len &&
                    memcmp(head.at + kinds[i].at, kinds[i].magic, kinds[i].len) == 0)
                        return kinds[i].kind;
        return NULL;
}

#ifdef HAVE_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>

#include "archive_sink.h"
#include "guard.h"

#define MEMBERS_MAX (1u << 20) /* looked at in one archive */
#define NAMES_SHOWN 4

static void close_archive(struct archive *a)
{
        if (a)
                archive_read_free(a);
}
DEFINE_CLEANUP(struct archive *, close_archive)

/*
 * libarchive turns the names of zip, 7z and pax, which are Unicode, into the locale's characters, and drops those that
 * it has not: in the "C" locale, which a program has that sets none and a container mostly too, all that is not ASCII.
 * Of this thread alone, and only as long as an archive is gone through.
 */
struct names {
        locale_t utf8, before;
};

static struct names names_begin(void)
{
        locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
        return (struct names){ utf8, utf8 ? uselocale(utf8) : (locale_t)0 };
}

static void names_end(const struct names *names)
{
        if (!names->utf8)
                return;
        uselocale(names->before);
        freelocale(names->utf8);
}

static enum stasis_status failed(struct archive *a, struct stasis_error *err)
{
        const char *why = archive_error_string(a);
        if (why && strstr(why, "No progress is possible")) /* liblzma's LZMA_BUF_ERROR at the end of the file */
                why = "truncated xz input";
        return stasis_fail(err, STASIS_CORRUPT, "cannot be unpacked: %s", why ? why : "damaged");
}

/*
 * plain: a compressed file, and no archive in it. libarchive takes leading zeros for the end of an empty tar: a memory
 * image that begins with them is opened again this way.
 */
static enum stasis_status open_archive(const struct stasis_map *map, bool plain, struct archive **ret_archive,
                                       struct stasis_error *err)
{
        _cleanup_(close_archivep) struct archive *a = archive_read_new();
        if (!a)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        archive_read_support_filter_gzip(a);
        archive_read_support_filter_xz(a);
        archive_read_support_filter_zstd(a);
        archive_read_support_filter_bzip2(a);
        archive_read_support_filter_lz4(a);
        archive_read_support_format_raw(a);
        if (!plain) {
                archive_read_support_format_tar(a);
                archive_read_support_format_zip(a);
                archive_read_support_format_7zip(a);
        }
        if (archive_read_open_memory(a, map->bytes.at, map->bytes.len) != ARCHIVE_OK)
                return failed(a, err);
        *ret_archive = a;
        a = NULL;
        return STASIS_OK;
}

/* A name that leads out of the archive is nobody's: it is shown and never followed, and cannot be asked for. */
static bool leads_out(const char *name)
{
        if (*name == '/')
                return true;
        for (const char *at = name; at; at = strchr(at, '/')) {
                at += *at == '/';
                if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || at[2] == '\0'))
                        return true;
        }
        return false;
}

struct found {
        struct archive *archive;
        struct archive_entry *entry;
        const char *name; /* "" of a compressed file */
        uint64_t len;     /* 0 where the archive does not tell */
        char number[16];  /* its name, where that cannot be told */
};

/* The next file with bytes. STASIS_ABSENT at the end. */
static enum stasis_status next_file(struct archive *a, struct found *ret_found, unsigned *members,
                                    struct stasis_error *err)
{
        for (; (*members)++ < MEMBERS_MAX;) {
                struct archive_entry *entry;
                int result = archive_read_next_header(a, &entry);
                if (result == ARCHIVE_EOF)
                        return STASIS_ABSENT;
                if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
                        return failed(a, err);
                bool raw = archive_format(a) == ARCHIVE_FORMAT_RAW;
                if (!raw && (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) ||
                             (archive_entry_size_is_set(entry) && archive_entry_size(entry) == 0)))
                        continue;
                const char *name = raw ? "" : archive_entry_pathname(entry);
                bool sized = archive_entry_size_is_set(entry) && archive_entry_size(entry) > 0;
                *ret_found = (struct found){ a, entry, name, sized ? (uint64_t)archive_entry_size(entry) : 0, "" };
                snprintf(ret_found->number, sizeof ret_found->number, "?%u", *members);
                if (!name)
                        ret_found->name = ret_found->number;
                return STASIS_OK;
        }
        return stasis_fail(err, STASIS_LIMIT, "holds more than %u members", MEMBERS_MAX);
}

/* The first file of a fresh archive, whose first header tells whether it is one. */
static enum stasis_status first_file(const struct stasis_map *map, struct archive **ret_archive,
                                     struct found *ret_found, unsigned *members, struct stasis_error *err)
{
        enum stasis_status status = open_archive(map, false, ret_archive, err);
        if (status == STASIS_OK)
                status = next_file(*ret_archive, ret_found, members, err);
        bool empty_tar = status == STASIS_ABSENT && *members == 1 &&
                         (archive_format(*ret_archive) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
        if (!empty_tar || !archive_filter_count(*ret_archive) || archive_filter_code(*ret_archive, 0) == 0)
                return status;
        close_archive(*ret_archive);
        *ret_archive = NULL;
        status = open_archive(map, true, ret_archive, err);
        return status == STASIS_OK ? next_file(*ret_archive, ret_found, members, err) : status;
}

static enum stasis_status several(struct archive *a, const struct archive_member *first, const struct found *second,
                                  unsigned *members, struct stasis_error *err)
{
        char names[160];
        size_t used = (size_t)snprintf(names, sizeof names, "%s, %s", first->name, second->name);
        struct found more;
        size_t count = 2;
        while (next_file(a, &more, members, NULL) == STASIS_OK)
                if (++count <= NAMES_SHOWN && used < sizeof names)
                        used += (size_t)snprintf(names + used, sizeof names - used, ", %s", more.name);
        return stasis_fail(err, STASIS_USAGE, "holds %zu files (%s%s); 'ARCHIVE!NAME' names one", count, names,
                           count > NAMES_SHOWN || used >= sizeof names ? ", ..." : "");
}

static enum stasis_status unpack(const struct found *found, struct archive_sink *sink, struct stasis_error *err)
{
        const void *block;
        size_t len;
        la_int64_t at;
        int result;
        while ((result = archive_read_data_block(found->archive, &block, &len, &at)) == ARCHIVE_OK) {
                if (at < 0)
                        return stasis_fail(err, STASIS_CORRUPT, "cannot be unpacked: a negative offset");
                la_int64_t used = archive_filter_bytes(found->archive, -1);
                enum stasis_status status =
                        archive_sink_take(sink, block, len, (uint64_t)at, used > 0 ? (uint64_t)used : 0, err);
                if (status != STASIS_OK)
                        return status;
        }
        if (result != ARCHIVE_EOF)
                return failed(found->archive, err);
        return archive_sink_end(sink, found->len, err);
}

/*
 * Past a file that is not wanted. libarchive 3.6 loses its place in a 7z file that holds several in one stream where
 * one is skipped ("Truncated 7-Zip file body"; bsdtar too): there it is read, which is what skipping comes to anyway.
 */
static void pass_file(struct archive *a)
{
        const void *block;
        size_t len;
        la_int64_t at;
        while (archive_format(a) == ARCHIVE_FORMAT_7ZIP && archive_read_data_block(a, &block, &len, &at) == ARCHIVE_OK)
                continue;
}

/* Past the files before the one of this name; the only one where name is NULL. */
static enum stasis_status seek_file(const char *name, struct archive *a, struct found *found, unsigned *members,
                                    struct stasis_error *err)
{
        enum stasis_status status = STASIS_OK;
        while (status == STASIS_OK && name && strcmp(found->name, name) != 0) {
                pass_file(a);
                status = next_file(a, found, members, err);
        }
        if (status == STASIS_ABSENT)
                return stasis_fail(err, STASIS_ABSENT, "holds no file of the name '%s'", name);
        if (status == STASIS_OK && leads_out(found->name))
                return stasis_fail(err, STASIS_CORRUPT, "the member '%s' leads out of the archive", found->name);
        return status;
}

enum stasis_status archive_open_member(struct stasis_map *map, const char *name, const struct archive_options *options,
                                       struct archive_member *ret_member, struct stasis_error *err)
{
        _cleanup_(names_end) __attribute__((unused)) struct names names = names_begin();
        (void)names; /* clang: a cleanup alone is no use */
        _cleanup_(close_archivep) struct archive *a = NULL;
        _cleanup_(archive_sink_close) struct archive_sink sink = archive_sink_for(map, options);
        struct found found = { 0 }, other = { 0 };
        struct archive_member member = { 0 };
        unsigned members = 0;
        enum stasis_status status = first_file(map, &a, &found, &members, err);
        if (status == STASIS_ABSENT)
                return stasis_fail(err, STASIS_ABSENT, "holds no file");
        if (status == STASIS_OK)
                status = seek_file(name, a, &found, &members, err);
        if (status != STASIS_OK)
                return status;
        snprintf(member.name, sizeof member.name, "%s", found.name);
        status = unpack(&found, &sink, err);
        if (status == STASIS_OK && !name && archive_format(a) != ARCHIVE_FORMAT_RAW) {
                status = next_file(a, &other, &members, err);
                if (status == STASIS_OK)
                        return several(a, &member, &other, &members, err);
                status = status == STASIS_ABSENT ? STASIS_OK : status;
        }
        if (status != STASIS_OK)
                return status;
        member.in_place = archive_sink_in_place(&sink);
        member.off = member.in_place ? sink.off : 0;
        status = archive_sink_give(&sink, map, err);
        if (status == STASIS_OK)
                *ret_member = member;
        return status;
}

enum stasis_status archive_list(const struct stasis_map *map, archive_seen *seen, void *ctx, struct stasis_error *err)
{
        _cleanup_(names_end) __attribute__((unused)) struct names names = names_begin();
        (void)names; /* clang: a cleanup alone is no use */
        _cleanup_(close_archivep) struct archive *a = NULL;
        struct found found = { 0 };
        unsigned members = 0;
        enum stasis_status status = first_file(map, &a, &found, &members, err);
        while (status == STASIS_OK && seen(ctx, found.name, found.len))
                status = next_file(a, &found, &members, err);
        stasis_map_release(map);
        return status == STASIS_ABSENT ? STASIS_OK : status;
}

#else

static enum stasis_status without(struct stasis_error *err)
{
        return stasis_fail(err, STASIS_UNSUPPORTED,
                           "is compressed or an archive, and this stasis was built without libarchive "
                           "(libarchive-dev): unpack it first");
}

enum stasis_status archive_open_member(struct stasis_map *map, const char *name, const struct archive_options *options,
                                       struct archive_member *ret_member, struct stasis_error *err)
{
        (void)map, (void)name, (void)options, (void)ret_member;
        return without(err);
}

enum stasis_status archive_list(const struct stasis_map *map, archive_seen *seen, void *ctx, struct stasis_error *err)
{
        (void)map, (void)seen, (void)ctx;
        return without(err);
}
#endif
