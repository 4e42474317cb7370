/* SPDX-License-Identifier: MIT */
/*
 * The index of flattened files against a model that does what a disk would: write piece after piece. The input is the
 * pieces alone, each a place (two bytes), a length (one byte) and its data, so that what is fuzzed is how they overlap.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../formats/flat.h"

enum { SIZE = 512, FILE_MAX = 1 << 20, FIRST = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t disk[SIZE + 256], written[SIZE + 256], file[FILE_MAX];

static void put_be64(uint8_t *at, uint64_t value)
{
        for (int i = 7; i >= 0; i--, value >>= 8)
                at[i] = (uint8_t)value;
}

static size_t make(const uint8_t *data, size_t size)
{
        size_t at = FIRST;
        memset(disk, 0, sizeof disk);
        memset(written, 0, sizeof written);
        memset(file, 0, FIRST);
        memcpy(file, "makedumpfile", 12);
        put_be64(file + 16, 1);
        put_be64(file + 24, 1);
        while (size >= 3 && at + 512 < FILE_MAX) {
                size_t to = (data[0] | (size_t)data[1] << 8) % SIZE, len = data[2];
                data += 3;
                size -= 3;
                len = len < size ? len : size;
                put_be64(file + at, to);
                put_be64(file + at + 8, len);
                memcpy(file + at + 16, data, len);
                memcpy(disk + to, data, len);
                memset(written + to, 1, len);
                at += 16 + len;
                data += len;
                size -= len;
        }
        memset(file + at, 0xff, 16);
        return at + 16;
}

static void check(bool good, const char *what)
{
        if (good)
                return;
        fprintf(stderr, "%s\n", what);
        abort();
}

static void compare(const struct flat *flat)
{
        uint8_t buf[SIZE];
        for (size_t i = 0; i < flat->count; i++)
                check(flat->extent[i].len &&
                              (!i || flat->extent[i - 1].at + flat->extent[i - 1].len <= flat->extent[i].at),
                      "extents are not sorted and disjoint");
        for (size_t at = 0; at < SIZE; at++) {
                size_t len = 0;
                while (len < 300 && at + len < sizeof written && written[at + len])
                        len++;
                check(flat_held(flat, at, 300) == len, "what is held is not what was written");
                struct stasis_bytes bytes = flat_bytes(flat, at, len, buf);
                check(!len || (bytes.len == len && !memcmp(bytes.at, disk + at, len)), "other bytes than were written");
                check(!flat_bytes(flat, at, len + 1, buf).at || len == 300, "more bytes than were written");
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct stasis_image image = { 0 };
        struct stasis_map map = { 0 };
        struct flat flat = { 0 };
        size_t len = make(data, size);
        if (stasis_map_borrow(file, len, &map, NULL) == STASIS_OK && flat_open(&image, &map, &flat, NULL) == STASIS_OK)
                compare(&flat);
        flat_close(&flat);
        stasis_map_close(&map);
        free((void *)image.remark);
        stasis_arena_free(&image.arena);
        return 0;
}
