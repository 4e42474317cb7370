/* SPDX-License-Identifier: MIT */
/* Images inside archives. The archives are written by libarchive's own writer, or cut and broken by hand. */
#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stasis/stasis.h>

#ifdef HAVE_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#ifdef HAVE_LZMA
#include <lzma.h>
#endif

#include "image.h"

enum { PAGE = 4096, PAGES = 640, LEN = PAGE * PAGES };

static char folder[64], tmp[80], path[160];
static uint8_t memory[LEN];
static struct stasis_error err;

/* A lone zero page first, as memory often begins; pages that do not compress; a long hole; the last page is one too. */
static void setup(void)
{
        uint32_t seed = 1;
        memset(memory, 0, sizeof memory);
        for (size_t i = PAGE; i < LEN - PAGE; i++) {
                seed = seed * 1664525 + 1013904223;
                if (i < (size_t)100 * PAGE || i >= (size_t)500 * PAGE)
                        memory[i] = (uint8_t)(seed >> 24);
        }
        snprintf(folder, sizeof folder, "/tmp/stasis-container-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        snprintf(tmp, sizeof tmp, "%s/tmp", folder);
        ck_assert_int_eq(mkdir(tmp, 0700), 0);
        err = (struct stasis_error){ 0 };
}

static unsigned entries(const char *of, bool take_away)
{
        unsigned count = 0;
        DIR *dir = opendir(of);
        for (struct dirent *e; (e = readdir(dir));) {
                if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                        continue;
                count++;
                if (take_away && unlinkat(dirfd(dir), e->d_name, 0))
                        unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR);
        }
        closedir(dir);
        return count;
}

static void teardown(void)
{
        ck_assert_uint_eq(entries(tmp, false), 0); /* whatever happened */
        entries(folder, true);
        ck_assert_int_eq(rmdir(folder), 0);
}

static const char *in_folder(const char *name)
{
        snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

static void add(struct archive *a, const char *name, const void *bytes, size_t len)
{
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, name);
        archive_entry_set_size(entry, (la_int64_t)len);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0600);
        ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
        ck_assert_int_eq(archive_write_data(a, bytes, len), (long)len);
        archive_entry_free(entry);
}

/* An archive NAME in the folder; open for members. */
static struct archive *writer(const char *name, int format, int filter, const char *options)
{
        struct archive *a = archive_write_new();
        ck_assert_int_eq(archive_write_set_format(a, format), ARCHIVE_OK);
        ck_assert_int_le(archive_write_add_filter(a, filter), ARCHIVE_OK);
        if (options)
                ck_assert_int_eq(archive_write_set_options(a, options), ARCHIVE_OK);
        ck_assert_int_eq(archive_write_open_filename(a, in_folder(name)), ARCHIVE_OK);
        return a;
}

static void finish(struct archive *a) { ck_assert_int_eq(archive_write_free(a), ARCHIVE_OK); }

static void write_one(const char *name, int format, int filter, const char *options, const char *member)
{
        struct archive *a = writer(name, format, filter, options);
        add(a, member, memory, LEN);
        finish(a);
}

static enum stasis_status open_it(const char *name, struct stasis_image **ret_image)
{
        struct stasis_image_options options = { .tmp = tmp, .tmp_limit = UINT64_C(64) << 20 };
        return stasis_image_open(in_folder(name), &options, ret_image, &err);
}

static void is_memory(struct stasis_image *image)
{
        static uint8_t read[LEN];
        ck_assert_uint_eq(stasis_image_file_size(image), LEN);
        ck_assert_int_eq(stasis_image_read(image, 0, read, LEN), STASIS_OK);
        ck_assert_mem_eq(read, memory, LEN);
}

static const struct {
        const char *name, *kind, *options, *member;
        int format, filter;
        bool in_place;
} wrappings[] = {
        { "a.gz", "gzip", NULL, NULL, ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_GZIP, false },
        { "a.xz", "xz", NULL, NULL, ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_XZ, false },
        { "a.zst", "zstd", NULL, NULL, ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_ZSTD, false },
        { "a.bz2", "bzip2", NULL, NULL, ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_BZIP2, false },
        { "a.lz4", "lz4", NULL, NULL, ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_LZ4, false },
        { "a.tar", "tar", NULL, "d/mem.raw", ARCHIVE_FORMAT_TAR_PAX_RESTRICTED, ARCHIVE_FILTER_NONE, true },
        { "a.tar.gz", "gzip", NULL, "d/mem.raw", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_GZIP, false },
        { "a.zip", "zip", NULL, "d/mem.raw", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, false },
        { "s.zip", "zip", "zip:compression=store", "d/mem.raw", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, true },
        { "a.7z", "7z", NULL, "d/mem.raw", ARCHIVE_FORMAT_7ZIP, ARCHIVE_FILTER_NONE, false },
};

START_TEST(each_wrapping)
{
        struct stasis_image *image;
        write_one(wrappings[_i].name, wrappings[_i].format, wrappings[_i].filter, wrappings[_i].options,
                  wrappings[_i].member ? wrappings[_i].member : "x");
        ck_assert_msg(open_it(wrappings[_i].name, &image) == STASIS_OK, "%s", err.text);
        ck_assert_uint_eq(entries(tmp, false), 0); /* also while it is open */
        is_memory(image);
        const struct stasis_container *c = stasis_image_container_at(image, 0);
        ck_assert_str_eq(c->kind, wrappings[_i].kind);
        ck_assert_pstr_eq(c->member, wrappings[_i].member);
        struct stat st;
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(c->size, (uint64_t)st.st_size);
        ck_assert_int_eq(c->off != STASIS_NOWHERE, wrappings[_i].in_place);
        if (wrappings[_i].in_place) { /* the place that is told holds these bytes */
                uint8_t there[PAGE];
                int fd = open(path, O_RDONLY);
                ck_assert_int_eq(pread(fd, there, PAGE, (off_t)(c->off + 7 * PAGE)), PAGE);
                ck_assert_mem_eq(there, memory + 7 * PAGE, PAGE);
                close(fd);
        }
        ck_assert_ptr_null(stasis_image_container_at(image, 1));
        stasis_image_close(image);
}
END_TEST

/* Every cut is a clear error, and leaves nothing. */
START_TEST(cut)
{
        struct stasis_image *image;
        struct stat st;
        write_one(wrappings[_i].name, wrappings[_i].format, wrappings[_i].filter, wrappings[_i].options,
                  wrappings[_i].member ? wrappings[_i].member : "x");
        ck_assert_int_eq(stat(path, &st), 0);
        off_t cuts[] = { st.st_size - 1025, st.st_size / 2, st.st_size / 7, 600, 300 };
        for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
                ck_assert_int_eq(truncate(path, cuts[i]), 0);
                enum stasis_status status = open_it(wrappings[_i].name, &image);
                if (status == STASIS_OK) { /* nothing of the member is missing: only what follows it */
                        ck_assert_int_eq((int)i, 0);
                        is_memory(image);
                        stasis_image_close(image);
                        continue;
                }
                ck_assert_uint_gt(strlen(err.text), strlen(path) + 10);
                ck_assert_int_eq(strncmp(err.text, path, strlen(path)), 0);
                ck_assert_ptr_null(strstr(err.text, "No progress")); /* which tells nobody that it is cut */
        }
}
END_TEST

/* Every member of an archive whose members are in one stream. */
START_TEST(one_stream)
{
        struct stasis_image *image;
        struct archive *a = writer("m.7z", ARCHIVE_FORMAT_7ZIP, ARCHIVE_FILTER_NONE, NULL);
        static uint8_t zeros[6 << 20]; /* next to nothing, packed */
        for (char name[] = "0.raw"; *name < '3'; ++*name) {
                add(a, "zeros.raw", zeros, sizeof zeros);
                add(a, name, memory, LEN);
        }
        finish(a);
        for (char name[] = "m.7z!0.raw"; name[5] < '3'; ++name[5]) {
                ck_assert_msg(open_it(name, &image) == STASIS_OK, "%s", err.text);
                is_memory(image);
                stasis_image_close(image);
        }
        ck_assert_int_eq(open_it("m.7z!5.raw", &image), STASIS_ABSENT);
}
END_TEST

START_TEST(which_member)
{
        struct stasis_image *image;
        struct archive *a = writer("m.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL);
        add(a, "notes.txt", "hello", 5);
        add(a, "dumps/one.raw", memory, LEN);
        add(a, "../up.raw", memory, PAGE);
        add(a, "a/../../up.raw", memory, PAGE);
        add(a, "/etc/abs.raw", memory, PAGE);
        finish(a);
        ck_assert_int_eq(open_it("m.zip", &image), STASIS_USAGE);
        ck_assert_ptr_nonnull(strstr(err.text, "zip: holds 5 files (notes.txt, dumps/one.raw, ../up.raw, "));
        ck_assert_ptr_nonnull(strstr(err.text, "'ARCHIVE!NAME' names one"));
        ck_assert_msg(open_it("m.zip!dumps/one.raw", &image) == STASIS_OK, "%s", err.text);
        is_memory(image);
        ck_assert_str_eq(stasis_image_container_at(image, 0)->member, "dumps/one.raw");
        stasis_image_close(image);
        ck_assert_int_eq(open_it("m.zip!one.raw", &image), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "holds no file of the name 'one.raw'"));
        static const char *const out[] = { "m.zip!../up.raw", "m.zip!a/../../up.raw", "m.zip!/etc/abs.raw" };
        for (size_t i = 0; i < 3; i++) {
                ck_assert_int_eq(open_it(out[i], &image), STASIS_CORRUPT);
                ck_assert_ptr_nonnull(strstr(err.text, "leads out of the archive"));
        }
        /* A file whose own name has the mark wins. */
        write_one("m.zip!x", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_NONE, NULL, "x");
        ck_assert_int_eq(open_it("m.zip!x", &image), STASIS_OK);
        is_memory(image);
        stasis_image_close(image);
        ck_assert_int_eq(open_it("m.zip!x!y", &image), STASIS_ABSENT); /* of m.zip, whose name is cut first */
        a = writer("e.tar", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, NULL);
        add(a, "empty", "", 0);
        finish(a);
        ck_assert_int_eq(open_it("e.tar", &image), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "tar: holds no file"));
}
END_TEST

/* This program sets no locale, as one in a container has none: in "C" there is nothing but ASCII. */
START_TEST(names_of_any_language)
{
        static const char *const words[] = { "d\xc3\xa4mp.raw", "\xd0\xbf\xd0\xb0\xd0\xbc\xd1\x8f\xd1\x82\xd1\x8c" };
        static const struct {
                const char *name;
                int format;
        } forms[] = { { "u.zip", ARCHIVE_FORMAT_ZIP },
                      { "u.7z", ARCHIVE_FORMAT_7ZIP },
                      { "u.tar", ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE } };
        char member[96];
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
                struct stasis_image *image;
                locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), before = uselocale(utf8);
                struct archive *a = writer(forms[i].name, forms[i].format, ARCHIVE_FILTER_NONE, NULL);
                add(a, words[0], memory, LEN);
                add(a, words[1], memory, PAGE);
                finish(a);
                uselocale(before);
                freelocale(utf8);
                ck_assert_int_eq(open_it(forms[i].name, &image), STASIS_USAGE);
                ck_assert_msg(strstr(err.text, words[0]) && strstr(err.text, words[1]), "%s", err.text);
                snprintf(member, sizeof member, "%s!%s", forms[i].name, words[0]);
                ck_assert_msg(open_it(member, &image) == STASIS_OK, "%s", err.text);
                is_memory(image);
                ck_assert_str_eq(stasis_image_container_at(image, 0)->member, words[0]);
                stasis_image_close(image);
        }
}
END_TEST

static size_t slurp(const char *name, void *to, size_t max)
{
        int fd = open(in_folder(name), O_RDONLY);
        ssize_t len = read(fd, to, max);
        close(fd);
        ck_assert_int_gt(len, 0);
        return (size_t)len;
}

START_TEST(nested)
{
        static uint8_t inner[LEN * 2];
        struct stasis_image *image;
        write_one("in.xz", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_XZ, NULL, "x");
        size_t len = slurp("in.xz", inner, sizeof inner);
        struct archive *a = writer("out.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL);
        add(a, "in.xz", inner, len);
        finish(a);
        ck_assert_msg(open_it("out.zip", &image) == STASIS_OK, "%s", err.text);
        is_memory(image);
        ck_assert_str_eq(stasis_image_container_at(image, 0)->kind, "zip");
        ck_assert_str_eq(stasis_image_container_at(image, 1)->kind, "xz");
        stasis_image_close(image);
        len = slurp("out.zip", inner, sizeof inner);
        a = writer("deep.tar", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, NULL);
        add(a, "out.zip", inner, len);
        finish(a);
        ck_assert_int_eq(open_it("deep.tar", &image), STASIS_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "unpack it first"));
        struct stasis_image_options options = { .format = "raw" }; /* a reader that is named reads what is there */
        ck_assert_int_eq(stasis_image_open(path, &options, &image, &err), STASIS_OK);
        ck_assert_ptr_null(stasis_image_container_at(image, 0));
        stasis_image_close(image);
}
END_TEST

START_TEST(named_in_nested)
{
        static uint8_t inner[LEN * 2];
        struct stasis_image *image;
        struct archive *a = writer("two.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL);
        add(a, "d/a!b.raw", memory, LEN);
        add(a, "c", "hello", 5);
        finish(a);
        size_t len = slurp("two.zip", inner, sizeof inner);
        a = writer("out.tar", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, NULL);
        add(a, "x!y.zip", inner, len);
        add(a, "plain", memory, PAGE);
        finish(a);
        ck_assert_int_eq(open_it("out.tar!x!y.zip", &image), STASIS_USAGE);
        ck_assert_ptr_nonnull(strstr(err.text, "zip: holds 2 files (d/a!b.raw, c)"));
        ck_assert_msg(open_it("out.tar!x!y.zip!d/a!b.raw", &image) == STASIS_OK, "%s", err.text);
        is_memory(image);
        ck_assert_str_eq(stasis_image_container_at(image, 0)->member, "x!y.zip");
        ck_assert_str_eq(stasis_image_container_at(image, 1)->member, "d/a!b.raw");
        stasis_image_close(image);
        ck_assert_int_eq(open_it("out.tar!x!y.zip!no", &image), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "zip: holds no file of the name 'no'"));
        ck_assert_int_eq(open_it("out.tar!no.zip!no", &image), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "tar: holds no file of the name 'no.zip!no'"));
        ck_assert_int_eq(open_it("out.tar!plain!x", &image), STASIS_USAGE);
        ck_assert_ptr_nonnull(strstr(err.text, "is no archive that 'x' could be in"));
        ck_assert_int_eq(open_it("out.tar!!!!!!!!!!!!!!!!", &image), STASIS_ABSENT);
}
END_TEST

/* Zeros without end: they take no room on disk, and count all the same. */
#ifdef HAVE_LZMA
enum { BLOCK = 256 << 10 };

/* NAME in the folder: an .xz file with a block each BLOCK bytes. */
static void write_blocks(const char *name, const uint8_t *bytes, size_t len)
{
        static uint8_t out[LEN + (64 << 10)];
        lzma_stream stream = LZMA_STREAM_INIT;
        ck_assert_int_eq(lzma_easy_encoder(&stream, 1, LZMA_CHECK_CRC64), LZMA_OK);
        stream.next_out = out;
        stream.avail_out = sizeof out;
        for (size_t at = 0; at < len; at += BLOCK) {
                bool last = at + BLOCK >= len;
                stream.next_in = bytes + at;
                stream.avail_in = last ? len - at : BLOCK;
                ck_assert_int_eq(lzma_code(&stream, last ? LZMA_FINISH : LZMA_FULL_FLUSH), LZMA_STREAM_END);
        }
        FILE *f = fopen(in_folder(name), "wb");
        ck_assert(f && fwrite(out, (size_t)stream.total_out, 1, f) == 1 && fclose(f) == 0);
        lzma_end(&stream);
}

static void open_blocks(const char *name, size_t len, uint64_t blocks, struct stasis_image **ret_image)
{
        ck_assert_msg(open_it(name, ret_image) == STASIS_OK, "%s", err.text);
        ck_assert_uint_eq(stasis_image_file_size(*ret_image), len);
        ck_assert_uint_eq(stasis_image_container_at(*ret_image, 0)->blocks, blocks);
        ck_assert_uint_eq(stasis_image_container_at(*ret_image, 0)->off, STASIS_NOWHERE);
}

/* Every way of reading gives the bytes, a place in what the file holds is told, and nothing is shown in place. */
START_TEST(blocks_of_a_raw_image)
{
        struct stasis_image *image;
        static uint8_t buf[3 * PAGE];
        uint64_t off;
        write_blocks("b.xz", memory, LEN);
        open_blocks("b.xz", LEN, LEN / BLOCK, &image);
        is_memory(image);
        for (uint64_t pa = 5; pa < LEN - sizeof buf; pa += 77777) {
                struct stasis_bytes hold = stasis_image_hold(image, pa, 100), piece;
                ck_assert_mem_eq(hold.at, memory + pa, hold.len);
                piece = stasis_image_piece(image, pa, buf, sizeof buf);
                ck_assert_uint_eq(piece.len, sizeof buf);
                ck_assert_mem_eq(piece.at, memory + pa, sizeof buf);
                piece = stasis_image_stream(image, pa, buf, sizeof buf);
                ck_assert_mem_eq(piece.at, memory + pa, sizeof buf);
                ck_assert_ptr_null(stasis_image_view(image, pa, 1).at);
                ck_assert_int_eq(stasis_image_offset(image, pa, &off), STASIS_OK);
                ck_assert_uint_eq(off, pa);
        }
        ck_assert_uint_eq(stasis_image_skip_hole(image, 200 * PAGE), 200 * PAGE);
        stasis_image_close(image);
}
END_TEST

static void put_lime(uint8_t *at, uint64_t first, uint64_t len)
{
        const uint64_t words[4] = { 0x14c694d45u, first, first + len - 1, 0 }; /* magic "EMiL", version 1 */
        memcpy(at, words, sizeof words);
}

/* Ranges that share a page, begin and end inside of pages, and leave bytes between them out. */
START_TEST(blocks_of_ranges)
{
        static uint8_t file[LEN];
        struct stasis_image *image;
        uint8_t buf[2 * PAGE];
        const size_t second = 32 + 3 * PAGE + 100;
        memcpy(file, memory, LEN);
        put_lime(file, 0x1040, 3 * PAGE + 100);
        put_lime(file + second, 0x1040 + 3 * PAGE + 200, LEN - second - 32);
        write_blocks("b.lime.xz", file, LEN);
        open_blocks("b.lime.xz", LEN, LEN / BLOCK, &image);
        ck_assert_str_eq(stasis_image_format(image), "lime");
        ck_assert_int_eq(stasis_image_read(image, 0x1040 + 3 * PAGE, buf, 100), STASIS_OK);
        ck_assert_mem_eq(buf, file + 32 + 3 * PAGE, 100);
        ck_assert_int_eq(stasis_image_read(image, 0x1040 + 3 * PAGE, buf, 101), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x1040 + 3 * PAGE + 199, buf, 1), STASIS_ABSENT);
        ck_assert_int_eq(stasis_image_read(image, 0x1040 + 3 * PAGE + 200, buf, sizeof buf), STASIS_OK);
        ck_assert_mem_eq(buf, file + second + 32, sizeof buf);
        ck_assert_uint_eq(stasis_image_hold(image, 0x1040 + 3 * PAGE + 10, 1000).len, 90); /* no byte behind the run */
        ck_assert_int_eq(stasis_image_read(image, 0x103f, buf, 1), STASIS_ABSENT);
        stasis_image_close(image);
}
END_TEST

/* The same as a member of a zip, where it lies as it is: its blocks are not at the file's beginning. */
START_TEST(blocks_in_a_zip)
{
        struct stasis_image *image;
        struct stat st;
        write_blocks("b.xz", memory, LEN);
        ck_assert_int_eq(stat(path, &st), 0);
        size_t len = (size_t)st.st_size;
        uint8_t *packed = malloc(len);
        FILE *f = fopen(path, "rb");
        ck_assert(packed && f && fread(packed, len, 1, f) == 1 && fclose(f) == 0);
        struct archive *a = writer("s.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, "zip:compression=store");
        add(a, "b.xz", packed, len);
        finish(a);
        free(packed);
        ck_assert_msg(open_it("s.zip", &image) == STASIS_OK, "%s", err.text);
        ck_assert_uint_ne(stasis_image_container_at(image, 0)->off, STASIS_NOWHERE);
        ck_assert_uint_eq(stasis_image_container_at(image, 1)->blocks, LEN / BLOCK);
        is_memory(image);
        stasis_image_close(image);
}
END_TEST

/* What a reader wants in place, or an archive, is unpacked once as before. */
START_TEST(blocks_of_others)
{
        struct stasis_image *image;
        static uint8_t tar[LEN];
        write_one("x.tar", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, NULL, "mem.raw");
        FILE *f = fopen(in_folder("x.tar"), "rb");
        ck_assert(f && fread(tar, LEN, 1, f) == 1 && fclose(f) == 0);
        write_blocks("b.tar.xz", tar, LEN); /* cut: its end is missing */
        ck_assert_int_eq(open_it("b.tar.xz", &image), STASIS_CORRUPT);
        memcpy(tar, "PAGEDU64", 8);
        write_blocks("b.dmp.xz", tar, LEN);
        ck_assert_int_ne(open_it("b.dmp.xz", &image), STASIS_OK); /* by its reader */
        ck_assert_ptr_nonnull(strstr(err.text, "b.dmp.xz"));
}
END_TEST

/* A block that does not unpack: its pages are damaged, the others are there. The first one: nothing to go by. */
START_TEST(blocks_with_damage)
{
        struct stasis_image *image;
        struct stat st;
        uint8_t buf[PAGE];
        size_t bad = 0;
        write_blocks("b.xz", memory, LEN);
        ck_assert_int_eq(stat(path, &st), 0);
        for (int i = 0; i < 2; i++) {
                int fd = open(path, O_RDWR);
                ck_assert_int_eq(pwrite(fd, "damage", 6, i ? 1000 : st.st_size - 50000), 6);
                close(fd);
                if (i)
                        break;
                open_blocks("b.xz", LEN, LEN / BLOCK, &image);
                for (uint64_t pa = 0; pa < LEN; pa += PAGE) {
                        enum stasis_status status = stasis_image_read(image, pa, buf, PAGE);
                        ck_assert(status == STASIS_OK || status == STASIS_CORRUPT);
                        bad += status == STASIS_CORRUPT;
                        if (status == STASIS_OK)
                                ck_assert_mem_eq(buf, memory + pa, PAGE);
                }
                stasis_image_close(image);
        }
        ck_assert_uint_eq(bad, BLOCK / PAGE);
        ck_assert_int_eq(open_it("b.xz", &image), STASIS_CORRUPT);
}
END_TEST
#endif

/* ---- files that are open, for a process that may open none */

struct given {
        int fd[4];
        unsigned used;
        size_t seen, ends; /* bytes of the contents, and how often their end was told */
        uint32_t sum;
        unsigned members;
        char last[64];
};

static int give(void *ctx)
{
        struct given *given = ctx;
        return given->used < 4 ? given->fd[given->used++] : -1;
}

static void add_up(void *ctx, const void *at, size_t len)
{
        struct given *given = ctx;
        for (size_t i = 0; i < len; i++)
                given->sum = given->sum * 31 + ((const uint8_t *)at)[i];
        given->seen += len;
        given->ends += len == 0;
}

static bool see(void *ctx, const char *name, uint64_t len)
{
        struct given *given = ctx;
        (void)len;
        given->members++;
        snprintf(given->last, sizeof given->last, "%s", name);
        return true;
}

static struct stasis_image_options from_given(struct given *given)
{
        *given = (struct given){ 0 };
        for (int i = 0; i < 4; i++)
                given->fd[i] = open(tmp, O_TMPFILE | O_RDWR, 0600);
        return (struct stasis_image_options){ .tmp = "/nowhere", /* and so not asked for */
                                              .tmp_file = give,
                                              .tmp_file_ctx = given,
                                              .contents = add_up,
                                              .contents_ctx = given };
}

static void close_given(const struct given *given)
{
        for (unsigned i = given->used; i < 4; i++)
                ck_assert_int_eq(close(given->fd[i]), 0); /* those that were given are the library's */
        for (unsigned i = 0; i < given->used; i++)
                ck_assert_int_ne(close(given->fd[i]), 0);
}

START_TEST(open_files_in)
{
        static const char *const names[] = { "one.raw", "inner.tar" };
        struct stasis_image *image;
        struct given given;
        static uint8_t inner[LEN * 2];
        struct archive *a = writer("inner.tar", ARCHIVE_FORMAT_TAR_USTAR, ARCHIVE_FILTER_NONE, NULL);
        add(a, "a.raw", memory, LEN);
        add(a, "b.raw", memory, LEN / 2);
        finish(a);
        size_t len = slurp("inner.tar", inner, sizeof inner);
        a = writer("outer.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL);
        add(a, names[0], memory, LEN);
        add(a, names[1], inner, len);
        finish(a);
        struct stasis_image_options options = from_given(&given);
        struct stasis_file file = { open(in_folder("outer.zip"), O_RDONLY), "the file", { "inner.tar", "b.raw" } };
        ck_assert_msg(stasis_image_open_fds(&file, 1, &options, &image, &err) == STASIS_OK, "%s", err.text);
        ck_assert_uint_eq(stasis_image_file_size(image), LEN / 2);
        ck_assert_str_eq(stasis_image_path(image), "the file");
        ck_assert_str_eq(stasis_image_container_at(image, 1)->member, "b.raw");
        ck_assert_uint_eq(given.seen, LEN / 2);
        ck_assert_uint_eq(given.ends, 1);
        uint32_t sum = 0;
        for (size_t i = 0; i < LEN / 2; i++)
                sum = sum * 31 + memory[i];
        ck_assert_uint_eq(given.sum, sum);
        stasis_image_close(image);
        close_given(&given);
        ck_assert_int_lt(fcntl(file.fd, F_GETFD), 0);
}
END_TEST

START_TEST(members_of_open_files)
{
        struct given given;
        struct archive *a = writer("list.zip", ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, NULL);
        add(a, "a.raw", memory, LEN);
        add(a, "../b.raw", memory, PAGE);
        finish(a);
        struct stasis_image_options options = from_given(&given);
        struct stasis_file file = { open(in_folder("list.zip"), O_RDONLY), "the file", { NULL, NULL } };
        ck_assert_int_eq(stasis_archive_members(&file, &options, see, &given, &err), STASIS_OK);
        ck_assert_uint_eq(given.members, 2);
        ck_assert_str_eq(given.last, "../b.raw");
        ck_assert_uint_eq(given.used, 0); /* nothing was unpacked */
        file = (struct stasis_file){ open(in_folder("list.zip"), O_RDONLY), "the file", { "a.raw", NULL } };
        ck_assert_int_eq(stasis_archive_members(&file, &options, see, &given, &err), STASIS_ABSENT);
        ck_assert_int_lt(fcntl(file.fd, F_GETFD), 0);
        file = (struct stasis_file){ open(in_folder("list.zip"), O_RDONLY), "the file", { "none", NULL } };
        ck_assert_int_eq(stasis_archive_members(&file, &options, see, &given, &err), STASIS_ABSENT);
        ck_assert_ptr_nonnull(strstr(err.text, "the file: "));
        file = (struct stasis_file){ open(in_folder("list.zip"), O_RDONLY), "the file", { "../b.raw", NULL } };
        ck_assert_int_eq(stasis_archive_members(&file, &options, see, &given, &err), STASIS_CORRUPT);
        ck_assert_uint_eq(given.members, 2);
        close_given(&given);
}
END_TEST

/* However it fails, every descriptor that was handed over is closed. */
START_TEST(open_files_fail)
{
        struct stasis_image *image;
        struct given given;
        struct stasis_image_options options = from_given(&given);
        write_one("a.gz", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_GZIP, NULL, "x");
        struct stasis_file files[3] = { { .name = "a" }, { .name = "b" }, { .name = "c" } };
        for (int bad = 0; bad < 3; bad++) {
                for (int i = 0; i < 3; i++)
                        files[i].fd = open(i == bad ? "/dev/null" : in_folder("a.gz"), O_RDONLY);
                given.used = 4; /* no file to unpack to */
                ck_assert_int_eq(stasis_image_open_fds(files, 3, &options, &image, &err), STASIS_IO);
                for (int i = 0; i < 3; i++)
                        ck_assert_int_lt(fcntl(files[i].fd, F_GETFD), 0);
        }
        ck_assert_ptr_nonnull(strstr(err.text, "no temporary file"));
        for (int i = 0; i < 4; i++)
                close(given.fd[i]);
}
END_TEST

START_TEST(bomb)
{
        static const uint8_t zeros[1 << 20];
        struct stasis_image *image;
        struct archive *a = writer("bomb.gz", ARCHIVE_FORMAT_RAW, ARCHIVE_FILTER_GZIP, NULL);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_filetype(entry, AE_IFREG);
        ck_assert_int_eq(archive_write_header(a, entry), ARCHIVE_OK);
        for (int i = 0; i < 65; i++)
                ck_assert_int_gt(archive_write_data(a, zeros, sizeof zeros), 0);
        archive_entry_free(entry);
        finish(a);
        ck_assert_int_eq(open_it("bomb.gz", &image), STASIS_LIMIT);
        ck_assert_ptr_nonnull(strstr(err.text, "unpacks to more than the limit of 67108864 bytes"));
        struct stasis_image_options options = { .tmp = tmp, .tmp_limit = UINT64_C(66) << 20 };
        ck_assert_int_eq(stasis_image_open(path, &options, &image, &err), STASIS_OK);
        ck_assert_uint_eq(stasis_image_file_size(image), UINT64_C(65) << 20);
        stasis_image_close(image);
        options.tmp = "/nowhere/at/all";
        ck_assert_int_eq(stasis_image_open(path, &options, &image, &err), STASIS_IO);
        ck_assert_ptr_nonnull(strstr(err.text, "no temporary file in /nowhere/at/all"));
}
END_TEST

static Suite *suite(void)
{
        Suite *s = suite_create("container");
        TCase *t = tcase_create("container");
        int count = (int)(sizeof wrappings / sizeof *wrappings);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_set_timeout(t, 60);
        tcase_add_loop_test(t, each_wrapping, 0, count);
        tcase_add_loop_test(t, cut, 0, count);
        tcase_add_test(t, one_stream);
        tcase_add_test(t, which_member);
        tcase_add_test(t, names_of_any_language);
        tcase_add_test(t, nested);
        tcase_add_test(t, named_in_nested);
#ifdef HAVE_LZMA
        tcase_add_test(t, blocks_of_a_raw_image);
        tcase_add_test(t, blocks_of_ranges);
        tcase_add_test(t, blocks_in_a_zip);
        tcase_add_test(t, blocks_of_others);
        tcase_add_test(t, blocks_with_damage);
#endif
        tcase_add_test(t, open_files_in);
        tcase_add_test(t, members_of_open_files);
        tcase_add_test(t, open_files_fail);
        tcase_add_test(t, bomb);
        suite_add_tcase(s, t);
        return s;
}
#else
START_TEST(without)
{
        static const uint8_t head[] = { 0x1f, 0x8b, 8, 0 };
        char path[] = "/tmp/stasis-container-XXXXXX";
        struct stasis_image *image;
        struct stasis_error err;
        int fd = mkstemp(path);
        ck_assert_int_eq(write(fd, head, sizeof head), sizeof head);
        close(fd);
        ck_assert_int_eq(stasis_image_open(path, NULL, &image, &err), STASIS_UNSUPPORTED);
        ck_assert_ptr_nonnull(strstr(err.text, "built without libarchive"));
        unlink(path);
}
END_TEST

static Suite *suite(void)
{
        Suite *s = suite_create("container");
        TCase *t = tcase_create("container");
        tcase_add_test(t, without);
        suite_add_tcase(s, t);
        return s;
}
#endif

int main(void)
{
        SRunner *runner = srunner_create(suite());
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
