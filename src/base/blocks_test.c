/* SPDX-License-Identifier: MIT */
/* Files of blocks, written by liblzma's and libzstd's own encoders; the seek table of zstd by hand. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_LZMA
#include <lzma.h>
#endif
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "blocks.h"
#include "bytes.h"
#include "guard.h"

enum { LEN = 300000, BLOCK = 65536, FILE_MAX = 2 * LEN };
#define LIMIT (UINT64_C(1) << 40)

static uint8_t memory[LEN], file[FILE_MAX];
static size_t file_len;
static int fd;
static struct stasis_error err;

static void setup(void)
{
        uint32_t seed = 7;
        for (size_t i = 0; i < LEN; i++) {
                seed = seed * 1664525 + 1013904223;
                memory[i] = i % 4096 < 3000 ? (uint8_t)(i / 4096) : (uint8_t)(seed >> 24);
        }
        fd = memfd_create("blocks", MFD_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        file_len = 0;
}

static void teardown(void) { close(fd); }

static void put32(size_t at, uint32_t value)
{
        for (size_t i = 0; i < 4; i++)
                file[at + i] = (uint8_t)(value >> 8 * i);
}

/* base bytes of something else come first in the file. */
static enum stasis_status open_at(uint64_t base, uint64_t limit, struct blocks **ret_blocks)
{
        ck_assert_int_eq(ftruncate(fd, 0), 0);
        ck_assert_int_eq(pwrite(fd, file, file_len, (off_t)base), (ssize_t)file_len);
        *ret_blocks = NULL;
        return blocks_open(fd, base, (struct stasis_bytes){ file, file_len }, limit, ret_blocks, &err);
}

/* Everything, in pieces that cross the blocks' borders; and each border, one byte on either side. */
static void expect_memory(struct blocks *b, size_t count)
{
        uint8_t buf[10007];
        ck_assert_uint_eq(blocks_len(b), LEN);
        ck_assert_uint_eq(blocks_count(b), count);
        for (uint64_t off = 0; off < LEN; off += sizeof buf) {
                size_t len = LEN - off < sizeof buf ? LEN - (size_t)off : sizeof buf;
                ck_assert_int_eq(blocks_read(b, off, buf, len), STASIS_OK);
                ck_assert_mem_eq(buf, memory + off, len);
        }
        for (uint64_t off = BLOCK; off < LEN; off += BLOCK) {
                ck_assert_int_eq(blocks_read(b, off - 1, buf, 2), STASIS_OK);
                ck_assert_mem_eq(buf, memory + off - 1, 2);
        }
        ck_assert_int_eq(blocks_read(b, LEN - 1, buf, 1), STASIS_OK);
        ck_assert_uint_eq(buf[0], memory[LEN - 1]);
}

/* Whatever byte of the file is wrong: refused, or every byte that is read is right, or that block is not read. */
static void break_each_byte(size_t from, size_t step)
{
        size_t refused = 0, unread = 0;
        for (size_t i = from; i < file_len; i += step) {
                struct blocks *b;
                uint8_t buf[256];
                file[i] ^= 0x41;
                enum stasis_status status = open_at(0, LIMIT, &b);
                refused += status != STASIS_OK;
                for (uint64_t off = 0;
                     status == STASIS_OK && off + sizeof buf <= blocks_len(b) && off < LEN - sizeof buf;
                     off += BLOCK / 2) {
                        if (blocks_read(b, off, buf, sizeof buf) == STASIS_OK)
                                ck_assert_mem_eq(buf, memory + off, sizeof buf);
                        else
                                unread++;
                }
                blocks_close(b);
                file[i] ^= 0x41;
        }
        ck_assert_uint_gt(refused + unread, 0);
}

#ifdef HAVE_LZMA
/* A stream with blocks of BLOCK bytes, and padding behind it. */
static void add_xz(size_t from, size_t len, size_t block, size_t padding)
{
        lzma_stream stream = LZMA_STREAM_INIT;
        ck_assert_int_eq(lzma_easy_encoder(&stream, 1, LZMA_CHECK_CRC32), LZMA_OK);
        stream.next_out = file + file_len;
        stream.avail_out = FILE_MAX - file_len;
        for (size_t at = 0; at < len; at += block) {
                bool last = at + block >= len;
                stream.next_in = memory + from + at;
                stream.avail_in = last ? len - at : block;
                ck_assert_int_eq(lzma_code(&stream, last ? LZMA_FINISH : LZMA_FULL_FLUSH), LZMA_STREAM_END);
        }
        file_len += (size_t)stream.total_out;
        lzma_end(&stream);
        memset(file + file_len, 0, padding);
        file_len += padding;
}

START_TEST(xz_reads)
{
        struct blocks *b;
        add_xz(0, LEN, BLOCK, 0);
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_OK);
        expect_memory(b, 5);
        blocks_close(b);
        ck_assert_int_eq(open_at(4711, LIMIT, &b), STASIS_OK);
        expect_memory(b, 5);
        blocks_close(b);
}
END_TEST

/* Streams one behind the other, of one block each, with and without padding. */
START_TEST(xz_reads_streams)
{
        struct blocks *b;
        for (size_t at = 0; at < LEN; at += BLOCK)
                add_xz(at, LEN - at < BLOCK ? LEN - at : BLOCK, BLOCK, at / BLOCK % 3 * 4);
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_OK);
        expect_memory(b, 5);
        blocks_close(b);
}
END_TEST

START_TEST(xz_damage)
{
        add_xz(0, LEN, BLOCK, 0);
        break_each_byte(0, 997);
        break_each_byte(file_len - 64, 1); /* the index and the footer */
}
END_TEST

START_TEST(xz_cut)
{
        struct blocks *b;
        add_xz(0, LEN, BLOCK, 0);
        for (size_t whole = file_len, cut = 1; cut < 200; cut++) {
                file_len = whole - cut;
                ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_CORRUPT);
        }
}
END_TEST

START_TEST(xz_without_use)
{
        struct blocks *b;
        add_xz(0, LEN, LEN, 0);
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_ABSENT);
        ck_assert_str_eq(err.text, "it is one block");
        file_len = 0;
        add_xz(0, LEN, BLOCK, 0);
        ck_assert_int_eq(open_at(0, LEN - 1, &b), STASIS_LIMIT);
        ck_assert_int_eq(open_at(0, LEN, &b), STASIS_OK);
        blocks_close(b);
}
END_TEST

/* A block that does not unpack is damaged for ever; the others are read all the same. */
START_TEST(xz_bad_block)
{
        struct blocks *b;
        uint8_t buf[16];
        add_xz(0, LEN, BLOCK, 0);
        file[file_len / 2] ^= 0xff;
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_OK);
        size_t bad = 0;
        for (unsigned pass = 0; pass < 2; pass++)
                for (uint64_t off = 0; off < LEN; off += BLOCK) {
                        enum stasis_status status = blocks_read(b, off, buf, sizeof buf);
                        ck_assert(status == STASIS_OK || status == STASIS_CORRUPT);
                        bad += status == STASIS_CORRUPT;
                        if (status == STASIS_OK)
                                ck_assert_mem_eq(buf, memory + off, sizeof buf);
                }
        ck_assert_uint_eq(bad, 2);
        blocks_close(b);
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_OK);
        ck_assert_int_eq(ftruncate(fd, 100), 0); /* somebody else cuts it: no signal */
        ck_assert_int_eq(blocks_read(b, LEN - 100, buf, sizeof buf), STASIS_IO);
        blocks_close(b);
}
END_TEST
#endif

#ifdef HAVE_ZSTD
/* told: the frames tell their sizes. */
static void add_zstd(size_t block, bool checksums, bool told)
{
        ZSTD_CCtx *ctx = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, told);
        uint32_t size[64], len[64], count = 0;
        for (size_t at = 0; at < LEN; at += block, count++) {
                len[count] = (uint32_t)(LEN - at < block ? LEN - at : block);
                size_t made = ZSTD_compress2(ctx, file + file_len, FILE_MAX - file_len, memory + at, len[count]);
                ck_assert(!ZSTD_isError(made));
                size[count] = (uint32_t)made;
                file_len += made;
        }
        ZSTD_freeCCtx(ctx);
        uint32_t entry = checksums ? 12 : 8;
        put32(file_len, 0x184d2a5e);
        put32(file_len + 4, count * entry + 9);
        file_len += 8;
        for (uint32_t i = 0; i < count; i++, file_len += entry) {
                put32(file_len, size[i]);
                put32(file_len + 4, len[i]);
        }
        put32(file_len, count);
        file[file_len + 4] = checksums ? 0x80 : 0;
        put32(file_len + 5, 0x8f92eab1);
        file_len += 9;
}

START_TEST(zstd_reads)
{
        struct blocks *b;
        add_zstd(BLOCK, _i, true);
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_OK);
        expect_memory(b, 5);
        blocks_close(b);
        file_len--;
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_ABSENT);
}
END_TEST

START_TEST(zstd_damage)
{
        struct blocks *b;
        add_zstd(BLOCK, false, true);
        break_each_byte(file_len - 57, 1); /* the table */
        file_len = 0;
        add_zstd(BLOCK, false, false);
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_ABSENT);
        ck_assert_str_eq(err.text, "its frames do not say how long they are");
}
END_TEST
#endif

/* More than is worth unpacking for one page. */
START_TEST(large_blocks)
{
#ifdef HAVE_ZSTD
        struct blocks *b;
        size_t len = BLOCKS_LEN_MAX + 1;
        _cleanup_free_ uint8_t *zeros = calloc(len, 1);
        for (unsigned i = 0; i < 2; i++) {
                size_t made = ZSTD_compress(file + file_len, FILE_MAX - file_len, zeros, len - i, 1);
                put32(FILE_MAX - 64 + 8 * i, (uint32_t)made);
                put32(FILE_MAX - 64 + 8 * i + 4, (uint32_t)(len - i));
                file_len += made;
        }
        put32(file_len, 0x184d2a5e);
        put32(file_len + 4, 16 + 9);
        memcpy(file + file_len + 8, file + FILE_MAX - 64, 16);
        put32(file_len + 24, 2);
        file[file_len + 28] = 0;
        put32(file_len + 29, 0x8f92eab1);
        file_len += 33;
        ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_ABSENT);
        ck_assert_str_eq(err.text, "its blocks are larger than 4 MiB");
#endif
}
END_TEST

START_TEST(others)
{
        struct blocks *b;
        memcpy(file, memory, 4096);
        for (size_t len = 0; len < 64; len++) {
                file_len = len;
                ck_assert_int_eq(open_at(0, LIMIT, &b), STASIS_ABSENT);
        }
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("blocks");
        TCase *tcase = tcase_create("blocks");
        tcase_add_checked_fixture(tcase, setup, teardown);
#ifdef HAVE_LZMA
        tcase_add_test(tcase, xz_reads);
        tcase_add_test(tcase, xz_reads_streams);
        tcase_add_test(tcase, xz_damage);
        tcase_add_test(tcase, xz_cut);
        tcase_add_test(tcase, xz_without_use);
        tcase_add_test(tcase, xz_bad_block);
#endif
#ifdef HAVE_ZSTD
        tcase_add_loop_test(tcase, zstd_reads, 0, 2);
        tcase_add_test(tcase, zstd_damage);
#endif
        tcase_add_test(tcase, large_blocks);
        tcase_add_test(tcase, others);
        tcase_set_timeout(tcase, 120);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
