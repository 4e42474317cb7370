/* SPDX-License-Identifier: MIT */
/*
 * kdump-compressed files, byte by byte. Places: makedumpfile's IMPLEMENTATION and diskdump_mod.h, crash's diskdump.h;
 * the 64-bit ones seen in files of makedumpfile and QEMU. The packed pages are what each library makes of 4096 equal
 * bytes ("Z", "l", "s", "z"); a page's number in `put_desc` is that of its descriptor.
 */
#include "samples.h"

static const uint8_t zlib_page[28] = { 0x78, 0xda, 0xed, 0xc1, 0x01, 0x0d, 0x00, 0x00, 0x00, 0xc2,
                                       0xa0, 0x9e, 0xef, 0x1f, 0xc4, 0x1e, 0x0e, 0x28, 0x00, 0x00,
                                       0x00, 0xe0, 0xdd, 0x00, 0x83, 0x4b, 0xa0, 0x4c };
static const uint8_t lzo_page[44] = { 0x02, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x20, 0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                      0xda, 0x10, 0x00, 0x0c, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c,
                                      0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x6c, 0x11, 0x00, 0x00 };
static const uint8_t zstd_page[18] = { 0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, 0x45, 0x00,
                                       0x00, 0x08, 0x7a, 0x01, 0x00, 0xfc, 0xf7, 0x81, 0x10 };

static void put_bytes(struct sample *s, size_t at, const void *bytes, size_t len)
{
        memcpy(s->at + at, bytes, len);
        if (s->len < at + len)
                s->len = at + len;
}

/* 4096, one literal, then copies of 64 bytes from one back, and one of 63. */
static size_t put_snappy(struct sample *s, size_t at)
{
        static const uint8_t first[] = { 0x80, 0x20, 0x00, 0x73 }, copy[] = { 0xfe, 0x01, 0x00 };
        put_bytes(s, at, first, sizeof first);
        for (size_t i = 0; i < 64; i++)
                put_bytes(s, at + sizeof first + 3 * i, copy, sizeof copy);
        s->at[at + sizeof first + 3 * 63] = 0xfa;
        return sizeof first + 3 * 64;
}

static void put_desc(struct sample *s, size_t desc, uint64_t off, size_t size, uint32_t flags)
{
        put64(s, desc, off);
        put32(s, desc + 8, size);
        put32(s, desc + 12, flags);
        put64(s, desc + 16, 0);
}

/* Everything up to the time stamp is the same in both widths. */
static void names(struct sample *s, uint32_t version, const char *machine)
{
        put_text(s, 0, "KDUMP   ");
        put32(s, 8, version);
        put_text(s, 12, "Linux");
        put_text(s, 77, "host");
        put_text(s, 142, "6.1.0-1-test");
        put_text(s, 207, "#1 SMP");
        put_text(s, 272, machine);
        put_text(s, 337, "(none)");
}

static size_t put_note(struct sample *s, size_t at, const char *name, uint32_t type, size_t len)
{
        size_t name_len = strlen(name) + 1;
        put32(s, at, name_len);
        put32(s, at + 4, len);
        put32(s, at + 8, type);
        put_text(s, at + 12, name);
        return at + 12 + (name_len + 3) / 4 * 4;
}

static const char info[] = "OSRELEASE=6.1.0-1-test\nSYMBOL(_stext)=ffffffff81000000\n";

/* Pages 1, 2, 3, 6, 7 are in the file, 4 was filtered out, 0 and 5 are no RAM. 1 and 7 are the zero page. */
void sample_kdump64(struct sample *s)
{
        memset(s, 0, sizeof *s);
        names(s, 6, "x86_64");
        put64(s, 408, 1000);         /* seconds */
        put32(s, 424, 1);            /* zlib */
        put32(s, 428, 4096);         /* block_size */
        put32(s, 432, 1);            /* sub_hdr_size */
        put32(s, 436, 2);            /* bitmap_blocks */
        put32(s, 440, 8);            /* max_mapnr */
        put32(s, 460, 2);            /* nr_cpus */
        put64(s, 0x1000, 0x1234000); /* phys_base */
        put32(s, 0x1008, 31);        /* dump_level */
        put64(s, 0x1060, 8);         /* max_mapnr_64 */
        size_t desc = put_note(s, 0x1080, "CORE", 1, 336);
        put64(s, desc + 112 + 8 * 16, UINT64_C(0xffffffff81001234)); /* rip */
        put64(s, desc + 112 + 8 * 19, UINT64_C(0xffffc90000003f00)); /* rsp */
        desc = put_note(s, desc + 336, "VMCOREINFO", 0, sizeof info - 1);
        put_text(s, desc, info);
        put64(s, 0x1020, desc);
        put64(s, 0x1028, sizeof info - 1);
        put64(s, 0x1030, 0x1080);
        put64(s, 0x1038, desc + sizeof info - 1 - 0x1080);
        put(s, 0x2000, 0xde, 1);
        put(s, 0x3000, 0xce, 1);
        put_desc(s, 0x4000, 0x4078, 4096, 0);
        put_desc(s, 0x4018, 0x5078, sizeof zlib_page, 1);
        put_desc(s, 0x4030, 0x5094, 4096, 0);
        put_desc(s, 0x4048, 0x6094, sizeof lzo_page, 2);
        put_desc(s, 0x4060, 0x4078, 4096, 0);
        put_fill(s, 0x4078, 4096, 0);
        put_bytes(s, 0x5078, zlib_page, sizeof zlib_page);
        put_fill(s, 0x5094, 4096, 0x33);
        put_bytes(s, 0x6094, lzo_page, sizeof lzo_page);
        s->header = 0x4078;
}

/* As an older writer on a 32-bit machine: version 5, one bitmap, pages 0, 1 and 64. */
void sample_kdump32(struct sample *s)
{
        memset(s, 0, sizeof *s);
        names(s, 5, "i686");
        put32(s, 404, 1000);   /* seconds */
        put32(s, 412, 4);      /* snappy */
        put32(s, 416, 4096);   /* block_size */
        put32(s, 420, 1);      /* sub_hdr_size */
        put32(s, 424, 1);      /* bitmap_blocks */
        put32(s, 428, 0x4001); /* max_mapnr: more than half of the bitmap's bits */
        put32(s, 448, 1);      /* nr_cpus */
        put32(s, 0x1004, 1);   /* dump_level */
        size_t desc = put_note(s, 0x1080, "CORE", 1, 144);
        put32(s, desc + 72 + 4 * 12, 0xc1001234); /* eip */
        put64(s, 0x1020, 0x1080);
        put32(s, 0x1028, desc + 144 - 0x1080);
        put(s, 0x2000, 0x03, 1);
        put(s, 0x2008, 0x01, 1);
        put_desc(s, 0x3018, 0x3048, sizeof zstd_page, 0x20);
        put_desc(s, 0x3000, 0x305a, put_snappy(s, 0x305a), 4);
        put_desc(s, 0x3030, 0x3200, 4096, 0);
        put_bytes(s, 0x3048, zstd_page, sizeof zstd_page);
        put_fill(s, 0x3200, 4096, 0x44);
        s->header = 0x3048;
}

/* ---- flattened: numbers are big-endian */

static void put_be64(struct sample *s, size_t at, uint64_t value)
{
        for (size_t i = 0; i < 8; i++)
                put(s, at + i, value >> (56 - 8 * i) & 0xff, 1);
}

static size_t put_piece(struct sample *s, size_t at, uint64_t offset, const void *bytes, size_t len)
{
        put_be64(s, at, offset);
        put_be64(s, at + 8, len);
        put_bytes(s, at + 16, bytes, len);
        return at + 16 + len;
}

/*
 * sample_kdump64 as it would go through a pipe: the header first with a wrong status, and once more later; of the
 * bitmaps a few bytes; a descriptor, a page, the note and VMCOREINFO torn; one piece empty, the order as it comes.
 */
void sample_kdump_flat(struct sample *s)
{
        static struct sample plain;
        static const struct {
                size_t from, len;
        } pieces[] = {
                { 0x1000, 0x68 }, { 0x1080, 0x90 }, { 0x1190, 0xb0 },  { 0x1110, 0x80 },  { 0, 464 },
                { 0x2000, 8 },    { 0x3000, 16 },   { 0x4000, 0x20 },  { 0x4020, 0x58 },  { 0x4078, 0 },
                { 0x4078, 4096 }, { 0x5078, 0x10 }, { 0x5088, 0x800 }, { 0x5888, 0x838 },
        };
        sample_kdump64(&plain);
        memset(s, 0, sizeof *s);
        put_text(s, 0, "makedumpfile");
        put_be64(s, 16, 1);
        put_be64(s, 24, 1);
        plain.at[424] = 0x08;
        size_t at = put_piece(s, 4096, 0, plain.at, 464);
        plain.at[424] = 0x01;
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                at = put_piece(s, at, pieces[i].from, plain.at + pieces[i].from, pieces[i].len);
                if (pieces[i].from == 0x4020)
                        s->header = at + 32;
        }
        put_be64(s, at, UINT64_MAX);
        put_be64(s, at + 8, UINT64_MAX);
}

/*
 * sample_elf64 as makedumpfile -F -E would write it: its program headers before the ELF header (an empty one first),
 * torn, as the notes are; the first page in three pieces, the last one short of its end.
 */
void sample_elf_flat(struct sample *s)
{
        static struct sample plain;
        sample_elf64(&plain);
        const size_t data = plain.header + 3;
        const struct {
                size_t from, len;
        } pieces[] = {
                { 64, 100 },
                { 0, 64 },
                { 164, 124 },
                { 288, 500 },
                { 788, data - 788 },
                { data, 0x7ff },
                { data + 0x800, 0x800 },
                { data + 0x7ff, 1 },
                { data + 0x1000, 0x1000 },
                { data + 0x2000, 0x1700 },
        };
        memset(s, 0, sizeof *s);
        put_text(s, 0, "makedumpfile");
        put_be64(s, 16, 1);
        put_be64(s, 24, 1);
        size_t at = 4096;
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
                at = put_piece(s, at, pieces[i].from, plain.at + pieces[i].from, pieces[i].len);
                if (pieces[i].from == 288)
                        s->header = at;
        }
        put_be64(s, at, UINT64_MAX);
        put_be64(s, at + 8, UINT64_MAX);
}
