/* SPDX-License-Identifier: MIT */
/*
 * For real_kdump.py.
 *   kdump-tool repack METHOD IN OUT   IN, a plain kdump of makedumpfile's with 64-bit headers and pages that are not
 *                                     packed, with its pages packed: zlib, lzo, snappy or zstd
 *   kdump-tool compare FILE...        every page of the dump through libkdumpfile and through us; exit status 1 where
 *                                     they disagree about its bytes, or whether it is there
 * The places in `repack` are spelled out again; see kdump_wire.h for where they are from.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <libkdumpfile/kdumpfile.h>
#include <lzo/lzo1x.h>
#include <snappy-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include <stasis/stasis.h>

#include "../base/map.h"

enum { PAGE = 4096, PACKED_MAX = 2 * PAGE };

static int fail(const char *what, const char *why)
{
        fprintf(stderr, "kdump-tool: %s: %s\n", what, why);
        return 2;
}

/* ---- repack */

static size_t pack_zlib(const uint8_t *page, uint8_t *to)
{
        uLongf len = PACKED_MAX;
        return compress(to, &len, page, PAGE) == Z_OK ? len : 0;
}

static size_t pack_lzo(const uint8_t *page, uint8_t *to)
{
        static uint8_t work[LZO1X_1_MEM_COMPRESS];
        lzo_uint len = PACKED_MAX;
        return lzo1x_1_compress(page, PAGE, to, &len, work) == LZO_E_OK ? len : 0;
}

static size_t pack_snappy(const uint8_t *page, uint8_t *to)
{
        size_t len = PACKED_MAX;
        return snappy_compress((const char *)page, PAGE, (char *)to, &len) == SNAPPY_OK ? len : 0;
}

static size_t pack_zstd(const uint8_t *page, uint8_t *to)
{
        size_t len = ZSTD_compress(to, PACKED_MAX, page, PAGE, 1);
        return ZSTD_isError(len) ? 0 : len;
}

static const struct method {
        const char *name;
        uint32_t flag;
        size_t (*pack)(const uint8_t *page, uint8_t *to);
} methods[] = { { "zlib", 0x1, pack_zlib },
                { "lzo", 0x2, pack_lzo },
                { "snappy", 0x4, pack_snappy },
                { "zstd", 0x20, pack_zstd } };

static uint64_t get(const uint8_t *at, size_t len)
{
        uint64_t value = 0;
        while (len--)
                value = value << 8 | at[len];
        return value;
}

static void put(uint8_t *at, size_t len, uint64_t value)
{
        for (size_t i = 0; i < len; i++, value >>= 8)
                at[i] = (uint8_t)value;
}

/* A page that does not get smaller stays as it is, as makedumpfile has it. */
static int repack_pages(const struct method *method, struct stasis_bytes in, FILE *out)
{
        uint64_t blocks = get(in.at + 436, 4), descs_at = (1 + get(in.at + 432, 4) + blocks) * PAGE, count = 0;
        const uint8_t *held = in.at + (1 + get(in.at + 432, 4) + blocks / 2) * PAGE;
        for (uint64_t i = 0; i < blocks / 2 * PAGE; i++)
                count += (uint64_t)__builtin_popcount(held[i]);
        uint8_t *descs = calloc(count + 1, 24), packed[PACKED_MAX];
        uint64_t at = descs_at + 24 * count;
        if (!descs || fseeko(out, (off_t)at, SEEK_SET) != 0)
                return fail("descriptors", "no room");
        for (uint64_t i = 0; i < count; i++) {
                const uint8_t *page = in.at + get(in.at + descs_at + 24 * i, 8);
                size_t len = method->pack(page, packed);
                bool smaller = len && len < PAGE;
                len = smaller ? len : PAGE;
                put(descs + 24 * i, 8, at);
                put(descs + 24 * i + 8, 4, len);
                put(descs + 24 * i + 12, 4, smaller ? method->flag : 0);
                at += fwrite(smaller ? packed : page, 1, len, out);
        }
        uint8_t *head = malloc(descs_at);
        if (!head)
                return fail("header", "no room");
        memcpy(head, in.at, descs_at);
        put(head + 424, 4, method->flag);
        rewind(out);
        bool good = fwrite(head, descs_at, 1, out) == 1 && fwrite(descs, 24, count, out) == count;
        free(head);
        free(descs);
        return good ? 0 : fail("OUT", "not written");
}

static int repack(const char *name, const char *from, const char *to)
{
        struct stasis_map map;
        struct stasis_error err;
        for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
                if (strcmp(methods[i].name, name) != 0)
                        continue;
                FILE *out = fopen(to, "wb");
                if (!out || stasis_map_open(from, &map, &err) != STASIS_OK)
                        return fail(out ? from : to, "cannot be opened");
                int status = repack_pages(&methods[i], map.bytes, out);
                stasis_map_close(&map);
                return fclose(out) == 0 ? status : fail(to, "not written");
        }
        return fail(name, "no such method");
}

/* ---- compare */

static int open_theirs(kdump_ctx_t *ctx, char **file, int count)
{
        int fd[64];
        for (int i = 0; i < count && i < 64; i++)
                fd[i] = open(file[i], O_RDONLY | O_CLOEXEC);
        /* the architecture goes first: it decides how the rest is read */
        if (kdump_set_string_attr(ctx, KDUMP_ATTR_ARCH_NAME, KDUMP_ARCH_X86_64) != KDUMP_OK ||
            kdump_open_fdset(ctx, (unsigned)count, fd) != KDUMP_OK)
                return fail(file[0], kdump_get_err(ctx));
        return 0;
}

static uint64_t last_page(const struct stasis_image *image)
{
        size_t runs, gaps;
        const struct stasis_run *run = stasis_image_runs(image, &runs);
        const struct stasis_gap *gap = stasis_image_gaps(image, &gaps);
        uint64_t end = run[runs - 1].pa + run[runs - 1].len;
        if (gaps && gap[gaps - 1].pa + gap[gaps - 1].len > end)
                end = gap[gaps - 1].pa + gap[gaps - 1].len;
        return end / PAGE + 1;
}

static int compare_pages(const struct stasis_image *image, kdump_ctx_t *ctx)
{
        uint8_t ours[PAGE], theirs[PAGE];
        uint64_t held = 0, absent = 0, wrong = 0, pages = last_page(image);
        for (uint64_t pfn = 0; pfn < pages; pfn++) {
                size_t len = PAGE;
                bool have = stasis_image_read(image, pfn * PAGE, ours, PAGE) == STASIS_OK;
                bool they = kdump_read(ctx, KDUMP_MACHPHYSADDR, pfn * PAGE, theirs, &len) == KDUMP_OK;
                held += have && they;
                absent += !have && !they;
                if (have == they && (!have || memcmp(ours, theirs, PAGE) == 0))
                        continue;
                if (wrong++ < 10)
                        printf("page 0x%" PRIx64 ": ours %d, theirs %d\n", pfn, have, they);
        }
        printf("%" PRIu64 " pages equal, %" PRIu64 " absent in both, %" PRIu64 " differ\n", held, absent, wrong);
        return wrong || !held;
}

static int compare(char **file, int count)
{
        struct stasis_image *image = NULL;
        struct stasis_error err;
        if (stasis_image_open_files((const char *const *)file, (size_t)count, NULL, &image, &err) != STASIS_OK)
                return fail("ours", err.text);
        kdump_ctx_t *ctx = kdump_new();
        int status = ctx ? open_theirs(ctx, file, count) : fail("theirs", "no memory");
        if (status == 0)
                status = compare_pages(image, ctx);
        kdump_free(ctx);
        stasis_image_close(image);
        return status;
}

int main(int argc, char **argv)
{
        if (argc == 5 && strcmp(argv[1], "repack") == 0)
                return repack(argv[2], argv[3], argv[4]);
        if (argc >= 3 && strcmp(argv[1], "compare") == 0)
                return compare(argv + 2, argc - 2);
        return fail("usage", "kdump-tool repack METHOD IN OUT | compare FILE...");
}
