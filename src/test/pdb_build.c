/* SPDX-License-Identifier: MIT */
#include "pdb_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512u

static void must(int good, const char *what)
{
        if (good)
                return;
        fprintf(stderr, "pdb_build: %s\n", what);
        abort();
}

static void store(uint8_t *at, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                at[i] = (uint8_t)(value >> 8 * i);
}

void pdb_put(struct pdb_build *b, unsigned stream, size_t size, uint64_t value)
{
        must(b->stream[stream].len + size <= PDB_BUILD_STREAM_LEN, "a stream is full");
        store(b->stream[stream].at + b->stream[stream].len, size, value);
        b->stream[stream].len += size;
        if (b->streams <= stream)
                b->streams = stream + 1;
}

void pdb_put_text(struct pdb_build *b, unsigned stream, const char *text)
{
        for (size_t i = 0; i <= strlen(text); i++)
                pdb_put(b, stream, 1, (uint8_t)text[i]);
}

void pdb_set(struct pdb_build *b, unsigned stream, size_t at, size_t size, uint64_t value)
{
        must(at + size <= b->stream[stream].len, "nothing is there to be changed");
        store(b->stream[stream].at + at, size, value);
}

/* As cvdump and the linkers hash a name, any case. */
static uint32_t hash_of(const char *name)
{
        size_t len = strlen(name), at = 0;
        uint32_t hash = 0;
        for (; len - at >= 4; at += 4)
                hash ^= (uint32_t)(uint8_t)name[at] | (uint32_t)(uint8_t)name[at + 1] << 8 |
                        (uint32_t)(uint8_t)name[at + 2] << 16 | (uint32_t)(uint8_t)name[at + 3] << 24;
        if (len - at >= 2) {
                hash ^= (uint32_t)(uint8_t)name[at] | (uint32_t)(uint8_t)name[at + 1] << 8;
                at += 2;
        }
        if (at < len)
                hash ^= (uint8_t)name[at];
        hash |= 0x20202020;
        hash ^= hash >> 11;
        return hash ^ hash >> 16;
}

/* ---- records: what begin returns, end is given */

static size_t begin(struct pdb_build *b, unsigned stream, unsigned kind)
{
        size_t at = b->stream[stream].len;
        pdb_put(b, stream, 2, 0);
        pdb_put(b, stream, 2, kind);
        return at;
}

/* Filled up to 4 bytes: types with 0xf3, 0xf2, 0xf1, symbols with zeros. */
static void end(struct pdb_build *b, unsigned stream, size_t at)
{
        while (b->stream[stream].len % 4)
                pdb_put(b, stream, 1, stream == 2 ? 0xf0 + (4 - b->stream[stream].len % 4) : 0);
        pdb_set(b, stream, at, 2, b->stream[stream].len - at - 2);
}

static void pad(struct pdb_build *b)
{
        while (b->stream[2].len % 4)
                pdb_put(b, 2, 1, 0xf0 + (4 - b->stream[2].len % 4));
}

static void member(struct pdb_build *b, unsigned type, unsigned at, const char *name)
{
        pdb_put(b, 2, 2, 0x150d);
        pdb_put(b, 2, 2, 3);
        pdb_put(b, 2, 4, type);
        pdb_put(b, 2, 2, at);
        pdb_put_text(b, 2, name);
        pad(b);
}

static void structure(struct pdb_build *b, unsigned properties, unsigned fields, unsigned size, const char *name)
{
        size_t at = begin(b, 2, 0x1505);
        pdb_put(b, 2, 2, 0);
        pdb_put(b, 2, 2, properties);
        pdb_put(b, 2, 4, fields);
        pdb_put(b, 2, 8, 0);
        pdb_put(b, 2, 2, size);
        pdb_put_text(b, 2, name);
        end(b, 2, at);
}

static void enumerate(struct pdb_build *b, const char *name, unsigned leaf, size_t size, uint64_t value)
{
        pdb_put(b, 2, 2, 0x1502);
        pdb_put(b, 2, 2, 3);
        if (leaf)
                pdb_put(b, 2, 2, leaf);
        pdb_put(b, 2, size, value);
        pdb_put_text(b, 2, name);
        pad(b);
}

/* 0x1000 on; the comment has each number. */
static unsigned put_types(struct pdb_build *b)
{
        size_t at;

        structure(b, 0x80, 0, 0, "_LIST_ENTRY"); /* 1000: only declared */
        at = begin(b, 2, 0x1002);                /* 1001: pointer to it */
        pdb_put(b, 2, 4, 0x1000);
        pdb_put(b, 2, 4, 0x0800a);
        end(b, 2, at);
        at = begin(b, 2, 0x1203); /* 1002 */
        member(b, 0x1001, 0, "Flink");
        member(b, 0x1001, 4, "Blink");
        end(b, 2, at);
        structure(b, 0, 0x1002, 8, "_LIST_ENTRY"); /* 1003 */
        at = begin(b, 2, 0x1205);                  /* 1004: 3 bits of unsigned long from 5 on */
        pdb_put(b, 2, 4, 0x0022);
        pdb_put(b, 2, 2, 0x0503);
        end(b, 2, at);
        at = begin(b, 2, 0x1503); /* 1005: 3 of _LIST_ENTRY */
        pdb_put(b, 2, 4, 0x1000);
        pdb_put(b, 2, 4, 0x0022);
        pdb_put(b, 2, 2, 24);
        pdb_put_text(b, 2, "");
        end(b, 2, at);
        at = begin(b, 2, 0x1203); /* 1006 */
        enumerate(b, "Red", 0, 2, 1);
        enumerate(b, "Green", 0x8000, 1, 0xfe); /* -2 */
        enumerate(b, "Blue", 0x8004, 4, 0x12345678);
        end(b, 2, at);
        at = begin(b, 2, 0x1507); /* 1007: of long */
        pdb_put(b, 2, 4, 3);
        pdb_put(b, 2, 4, 0x0074);
        pdb_put(b, 2, 4, 0x1006);
        pdb_put_text(b, 2, "_COLOURS");
        end(b, 2, at);
        at = begin(b, 2, 0x1203); /* 1008: what _THING goes on with */
        member(b, 0x1007, 0x30, "Colour");
        member(b, 0x0403, 0x34, "Nothing");
        end(b, 2, at);
        at = begin(b, 2, 0x1203); /* 1009: an unnamed one's */
        member(b, 0x0021, 2, "Within");
        end(b, 2, at);
        structure(b, 0, 0x1009, 4, "<unnamed-tag>"); /* 100a */
        at = begin(b, 2, 0x1001);                    /* 100b: const */
        pdb_put(b, 2, 4, 0x0020);
        pdb_put(b, 2, 2, 1);
        end(b, 2, at);
        at = begin(b, 2, 0x1203); /* 100c */
        member(b, 0x100b, 0, "Type");
        member(b, 0x1004, 4, "Bits");
        member(b, 0x1005, 8, "Lists");
        member(b, 0x100a, 0x20, "Named");
        member(b, 0x100a, 0x24, "");
        member(b, 0x0041, 0x28, "Real");
        pdb_put(b, 2, 2, 0x1404);
        pdb_put(b, 2, 2, 0);
        pdb_put(b, 2, 4, 0x1008);
        end(b, 2, at);
        structure(b, 0, 0x100c, 0x40, "_THING"); /* 100d */
        return 14;
}

static void put_info(struct pdb_build *b)
{
        pdb_put(b, 1, 4, 20000404);
        pdb_put(b, 1, 4, 0x4a5bc007);
        pdb_put(b, 1, 4, 9);
        for (unsigned i = 0; i < 16; i++)
                pdb_put(b, 1, 1, i);
        pdb_put(b, 1, 4, 12); /* texts of the named streams */
        pdb_put(b, 1, 4, 0x6b6e696c);
        pdb_put(b, 1, 1, 0);
        pdb_put_text(b, 1, "/names");
        pdb_put(b, 1, 4, 1); /* one, of a capacity of one, which is there; none deleted */
        pdb_put(b, 1, 4, 1);
        pdb_put(b, 1, 4, 1);
        pdb_put(b, 1, 4, 1);
        pdb_put(b, 1, 4, 0);
        pdb_put(b, 1, 4, 5); /* its text; its stream */
        pdb_put(b, 1, 4, 11);
        pdb_put(b, 1, 4, 20091201);
}

/* Words, then a text where there is one. */
static void put_id(struct pdb_build *b, unsigned kind, unsigned count, const uint32_t *word, const char *text)
{
        size_t at = begin(b, 4, kind);
        for (unsigned i = 0; i < count; i++)
                pdb_put(b, 4, 4, word[i]);
        if (text)
                pdb_put_text(b, 4, text);
        end(b, 4, at);
}

static void put_ids(struct pdb_build *b)
{
        static const uint32_t head[] = { 20040203, 56, 0x1000, 0x1008, 0, 0xffff, 4, 0x1000, 0, 0, 0, 0, 0, 0 };

        for (size_t i = 0; i < 14; i++)
                pdb_put(b, 4, 4, head[i]);
        put_id(b, 0x1605, 1, (const uint32_t[]){ 0 }, "c:\\src\\gamma.c");           /* 1000: a text */
        put_id(b, 0x1604, 2, (const uint32_t[]){ 1, 0x1000 }, NULL);                 /* 1001: a list of texts */
        put_id(b, 0x1605, 1, (const uint32_t[]){ 0x1001 }, "and more");              /* 1002: one that goes on */
        put_id(b, 0x1601, 2, (const uint32_t[]){ 0, 0x1001 }, "Gamma");              /* 1003: a function */
        put_id(b, 0x1602, 2, (const uint32_t[]){ 0x1003, 0x74 }, "method");          /* 1004: of a class */
        put_id(b, 0x1606, 3, (const uint32_t[]){ 0x1003, 0x1000, 17 }, NULL);        /* 1005: where a type is defined */
        put_id(b, 0x1603, 3, (const uint32_t[]){ 0x10000002, 0x10000000, 0 }, NULL); /* 1006: a build: 1000, 1000 */
        put_id(b, 0x16ff, 1, (const uint32_t[]){ 0xffffffff }, NULL);                /* 1007: of a kind to come */
        pdb_set(b, 4, 16, 4, b->stream[4].len - 56);
}

static void put_tpi(struct pdb_build *b)
{
        static const uint32_t head[] = { 20040203, 56, 0x1000, 0, 0, 12 | 0xffff0000, 4, 0x1000, 0, 0, 0, 0, 0, 0 };

        for (size_t i = 0; i < 14; i++)
                pdb_put(b, 2, 4, head[i]);
        unsigned count = put_types(b);
        pdb_set(b, 2, 12, 4, 0x1000 + count);
        pdb_set(b, 2, 16, 4, b->stream[2].len - 56);
        pdb_set(b, 2, 36, 4, 4 * count);
        for (unsigned i = 0; i < count; i++) /* number 3 is _LIST_ENTRY, 7 _COLOURS, 13 _THING */
                pdb_put(b, 12, 4,
                        i == 3    ? hash_of("_LIST_ENTRY") % 0x1000
                        : i == 7  ? hash_of("_COLOURS") % 0x1000
                        : i == 13 ? hash_of("_THING") % 0x1000
                                  : i * 7);
}

static void put_dbi(struct pdb_build *b)
{
        static const uint16_t debug[] = { 9, 0xffff, 0xffff, 0xffff, 0xffff, 8, 0xffff, 0xffff, 0xffff, 10, 0xffff };

        pdb_put(b, 3, 4, UINT32_MAX);
        pdb_put(b, 3, 4, 19990903);
        pdb_put(b, 3, 4, 7);
        pdb_put(b, 3, 2, 7);
        pdb_put(b, 3, 2, 0);
        pdb_put(b, 3, 2, 6);
        pdb_put(b, 3, 2, 0);
        pdb_put(b, 3, 2, 5);
        pdb_put(b, 3, 2, 0);
        for (unsigned i = 0; i < 6; i++)
                pdb_put(b, 3, 4, 0);
        pdb_put(b, 3, 4, sizeof debug);
        pdb_put(b, 3, 4, 0);
        pdb_put(b, 3, 2, 0);
        pdb_put(b, 3, 2, 0x14c);
        pdb_put(b, 3, 4, 0);
        for (size_t i = 0; i < sizeof debug / 2; i++)
                pdb_put(b, 3, 2, debug[i]);
}

static void put_publics(struct pdb_build *b)
{
        static const struct {
                const char *name;
                unsigned section, at, flags;
        } public[] = {
                { "_Variable", 2, 4, 0 }, { "@Beta@4", 1, 0x40, 2 }, { "_Alpha@8", 1, 0x10, 2 }, { "_gone", 3, 0x10, 0 }
        };
        uint32_t place[4];

        for (unsigned i = 0; i < 4; i++) {
                place[i] = (uint32_t)b->stream[5].len;
                size_t at = begin(b, 5, 0x110e);
                pdb_put(b, 5, 4, public[i].flags);
                pdb_put(b, 5, 4, public[i].at);
                pdb_put(b, 5, 2, public[i].section);
                pdb_put_text(b, 5, public[i].name);
                end(b, 5, at);
        }
        pdb_put(b, 6, 4, 16 + 4 * 8); /* bytes of the hash, of the address map; the rest is about thunks */
        pdb_put(b, 6, 4, 4 * 4);
        for (unsigned i = 0; i < 5; i++)
                pdb_put(b, 6, 4, 0);
        for (unsigned stream = 6; stream < 8; stream++) {
                pdb_put(b, stream, 4, UINT32_MAX);
                pdb_put(b, stream, 4, 0xeffe0000 + 19990810);
                pdb_put(b, stream, 4, stream == 6 ? 4 * 8 : 0);
                pdb_put(b, stream, 4, 0);
        }
        for (unsigned bucket = 0; bucket < 4096; bucket++)
                for (unsigned i = 0; i < 4; i++)
                        if (hash_of(public[i].name) % 4096 == bucket) {
                                pdb_put(b, 6, 4, place[i] + 1);
                                pdb_put(b, 6, 4, 1);
                        }
        for (unsigned i = 0; i < 4; i++)
                pdb_put(b, 6, 4, place[3 - i]);
}

static void put_sections(struct pdb_build *b)
{
        for (unsigned i = 0; i < 2; i++) {
                pdb_put(b, 8, 8, 0x7865742e);
                pdb_put(b, 8, 4, 0x1000);
                pdb_put(b, 8, 4, 0x1000 + i * 0x1000);
                for (unsigned k = 0; k < 6; k++)
                        pdb_put(b, 8, 4, 0);
        }
}

static void put_frames(struct pdb_build *b)
{
        static const uint32_t fpo[] = { 0x1010, 0x20, 3, 0x13020002, 0x1040, 0x10, 0, 0 };
        static const uint32_t frame[] = { 0x1040, 0x40, 8, 4, 0, 1, 0x00040006, 4, 0x1048, 0x10, 16, 4, 0, 9, 0, 1 };

        for (size_t i = 0; i < sizeof fpo / 4; i++)
                pdb_put(b, 9, 4, fpo[i]);
        for (size_t i = 0; i < sizeof frame / 4; i++)
                pdb_put(b, 10, 4, frame[i]);
        pdb_put(b, 11, 4, 0xeffeeffe);
        pdb_put(b, 11, 4, 1);
        pdb_put(b, 11, 4, 17);
        pdb_put(b, 11, 1, 0);
        pdb_put_text(b, 11, "$T0 one");
        pdb_put_text(b, 11, "$T0 two");
}

void pdb_build_kernel(struct pdb_build *b)
{
        memset(b, 0, sizeof *b);
        pdb_put(b, 0, 4, 0);
        put_info(b);
        put_tpi(b);
        put_dbi(b);
        put_ids(b);
        put_publics(b);
        put_sections(b);
        put_frames(b);
        pdb_build_finish(b);
}

/* ---- the file: superblock, two maps of free blocks, streams from the last to the first, each backwards, directory */

static unsigned blocks_of(size_t len) { return (unsigned)((len + BLOCK - 1) / BLOCK); }

void pdb_build_finish(struct pdb_build *b)
{
        static const char magic[32] = "Microsoft C/C++ MSF 7.00\r\n\x1a"
                                      "DS\0\0";
        uint32_t word[512] = { (uint32_t)b->streams };
        unsigned block = 3, words = 1 + (unsigned)b->streams;
        uint32_t first[PDB_BUILD_STREAMS];

        memset(b->file, 0, sizeof b->file);
        for (size_t i = b->streams; i-- > 0;) {
                first[i] = block;
                block += blocks_of(b->stream[i].len);
        }
        for (size_t i = 0; i < b->streams; i++) {
                unsigned count = blocks_of(b->stream[i].len);
                word[1 + i] = (uint32_t)b->stream[i].len;
                for (unsigned k = 0; k < count; k++) {
                        size_t len = b->stream[i].len - (size_t)k * BLOCK;
                        word[words++] = first[i] + count - 1 - k;
                        memcpy(b->file + (size_t)(first[i] + count - 1 - k) * BLOCK,
                               b->stream[i].at + (size_t)k * BLOCK, len < BLOCK ? len : BLOCK);
                }
        }
        unsigned directory = block, count = blocks_of(4 * (size_t)words), map = directory + count;
        must((size_t)(map + 1) * BLOCK <= sizeof b->file && words <= 512, "the file is full");
        for (unsigned i = 0; i < words; i++)
                store(b->file + (size_t)directory * BLOCK + 4 * (size_t)i, 4, word[i]);
        for (unsigned i = 0; i < count; i++)
                store(b->file + (size_t)map * BLOCK + 4 * (size_t)i, 4, directory + i);
        memcpy(b->file, magic, sizeof magic);
        store(b->file + 32, 4, BLOCK);
        store(b->file + 36, 4, 1);
        store(b->file + 40, 4, map + 1);
        store(b->file + 44, 4, 4 * words);
        store(b->file + 52, 4, map);
        b->len = (size_t)(map + 1) * BLOCK;
}
