/* SPDX-License-Identifier: MIT */
/*
 * .eh_frame byte by byte (DWARF 5, 6.4 and 7.24; LSB "Exception Frames"): entries, encodings of pointers, rows,
 * expressions, steps. What compilers really write is held against libdw in the suite `oracle`.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../test/world.h"
#include "cfi.h"

#define FRAMES UINT64_C(0x402000)
#define FDE (FRAMES + 0x18)
#define HEADER UINT64_C(0x404000)
#define STACK UINT64_C(0x7ffe00000000)

static struct world world;

static void start(void)
{
        world_start(&world, PT_X64);
        world_map(&world, FRAMES, 0x2000);
        world_map(&world, HEADER, 0x1000);
        world_map(&world, STACK, 0x1000);
}

static void teardown(void) { world_end(&world); }

/* length 0x14, id 0, version 1, "zR", code 1, data -8, RA 16, one byte of data: sdata4 pcrel; CFA = r7 + 8, RA at -8 */
static const uint8_t cie[0x18] = { 0x14, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
                                   1,    0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,   0 };

/* An FDE behind it for the code at 0x401000, 0x40 bytes long, with these instructions. */
static void fde(const void *program, size_t len)
{
        world_put(&world, FRAMES, cie, sizeof cie);
        world_u(&world, FDE, 4, 13 + len);
        world_u(&world, FDE + 4, 4, 0x1c); /* back to the CIE, from here */
        world_u(&world, FDE + 8, 4, 0x401000 - (FDE + 8));
        world_u(&world, FDE + 12, 4, 0x40);
        world_u(&world, FDE + 16, 1, 0);
        world_put(&world, FDE + 17, program, len);
        world_u(&world, FDE + 17 + len, 4, 0);
}
#define PROGRAM(...) fde((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static enum stasis_status entry(struct cfi_entry *ret) { return cfi_entry_read(&world.space, &cfi_x64, FDE, ret); }

static enum stasis_status row(uint64_t at, struct cfi_row *ret)
{
        struct cfi_entry e;
        enum stasis_status status = entry(&e);
        return status == STASIS_OK ? cfi_row_at(&world.space, &cfi_x64, &e, at, ret) : status;
}

/* ---- entries */

START_TEST(entries)
{
        struct cfi_entry e;
        start();
        PROGRAM(0x41, 0x0e, 16);
        ck_assert_int_eq(entry(&e), STASIS_OK);
        ck_assert(e.start == 0x401000 && e.end == 0x401040 && e.code_align == 1 && e.data_align == -8 && e.ra == 16);
        ck_assert(!e.signal && e.at == FDE + 17 && e.len == 3 && e.common_at == FRAMES + 17 && e.common_len == 7);
        ck_assert_int_eq(cfi_entry_read(&world.space, &cfi_x64, FRAMES, &e), STASIS_CORRUPT); /* a CIE is no FDE */
        world_put(&world, FRAMES + 9, "zS", 2); /* no R: whole words of address, for which it is too short */
        ck_assert_int_eq(entry(&e), STASIS_CORRUPT);
        world_put(&world, FRAMES + 9, "zX", 2);
        ck_assert_int_eq(entry(&e), STASIS_UNSUPPORTED);
        world_put(&world, FRAMES + 9, "eh", 2);
        ck_assert_int_eq(entry(&e), STASIS_UNSUPPORTED);
        world_put(&world, FRAMES + 9, "zR", 2);
        world_u(&world, FRAMES + 8, 1, 2); /* version */
        ck_assert_int_eq(entry(&e), STASIS_CORRUPT);
        world_u(&world, FRAMES + 8, 1, 1);
        world_u(&world, FRAMES + 16, 1, 0x9b); /* indirect */
        ck_assert_int_eq(entry(&e), STASIS_UNSUPPORTED);
        world_u(&world, FRAMES + 16, 1, 0x1b);
        world_u(&world, FRAMES + 15, 1, 0x7f); /* more data than the entry has */
        ck_assert_int_eq(entry(&e), STASIS_CORRUPT);
        PROGRAM(0);
        world_u(&world, FDE + 4, 4, 0);
        ck_assert_int_eq(entry(&e), STASIS_CORRUPT);
        world_u(&world, FDE, 4, UINT32_MAX); /* the extended length */
        ck_assert_int_eq(entry(&e), STASIS_UNSUPPORTED);
        world_u(&world, FDE, 4, CFI_BYTES_MAX + 1);
        ck_assert_int_eq(entry(&e), STASIS_CORRUPT);
        world_unmap(&world, FRAMES);
        ck_assert(entry(&e) != STASIS_OK && entry(&e) != STASIS_CORRUPT);
}
END_TEST

/* A C++ function: personality (indirect, pcrel, sdata4) and language-specific data in front of the code's encoding. */
START_TEST(letters)
{
        static const uint8_t common[] = { 0x1c, 0, 0,    0,    0, 0, 0, 0,    1,    'z',  'P', 'L', 'R',  0, 1, 0x78,
                                          16,   7, 0x9b, 0x44, 0, 0, 0, 0x1b, 0x03, 0x0c, 7,   8,   0x90, 1, 0, 0 };
        struct cfi_entry e;
        start();
        world_put(&world, FRAMES, common, sizeof common);
        world_u(&world, FRAMES + 0x20, 4, 25); /* udata4, absolute */
        world_u(&world, FRAMES + 0x24, 4, 0x24);
        world_u(&world, FRAMES + 0x28, 4, 0x401234);
        world_u(&world, FRAMES + 0x2c, 4, 0x10);
        world_u(&world, FRAMES + 0x30, 1, 4); /* its own data: the LSDA */
        world_u(&world, FRAMES + 0x35, 1, 0x0a);
        ck_assert_int_eq(cfi_entry_read(&world.space, &cfi_x64, FRAMES + 0x20, &e), STASIS_OK);
        ck_assert(e.start == 0x401234 && e.end == 0x401244 && e.at == FRAMES + 0x35 && e.len == 8);
        ck_assert(e.common_at == FRAMES + 25 && e.encoding == 3);
}
END_TEST

START_TEST(encodings)
{
        static const struct {
                uint8_t encoding;
                uint8_t bytes[8];
                uint64_t start;
        } cases[] = {
                { 0x00, { 1, 2, 3, 4, 5, 6, 7, 0 }, 0x7060504030201 },
                { 0x01, { 0x81, 0x02 }, 0x101 },
                { 0x02, { 0x34, 0x82 }, 0x8234 },
                { 0x04, { 0, 0, 0, 0, 1 }, 0x100000000 },
                { 0x09, { 0x7f }, UINT64_MAX },
                { 0x0a, { 0xfe, 0xff }, UINT64_MAX - 1 },
                { 0x0b, { 0, 0, 0, 0x80 }, UINT64_C(0xffffffff80000000) },
                { 0x0c, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, UINT64_MAX },
                { 0x12, { 0x10, 0 }, FDE + 8 + 16 },
                { 0x1a, { 0xf0, 0xff }, FDE + 8 - 16 },
                { 0x1c, { 0, 0, 0, 0, 1 }, FDE + 8 + 0x100000000 },
        };
        static const uint8_t refused[] = { 0x05, 0x0f, 0x23, 0x33, 0x43, 0x50, 0x80, 0xff };
        start();
        PROGRAM(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct cfi_entry e;
                world_u(&world, FRAMES + 16, 1, cases[i].encoding);
                world_put(&world, FDE + 8, cases[i].bytes, 8);
                ck_assert_msg(entry(&e) == STASIS_OK, "encoding %x", cases[i].encoding);
                ck_assert_msg(e.start == cases[i].start, "encoding %x: %llx", cases[i].encoding,
                              (unsigned long long)e.start);
        }
        for (size_t i = 0; i < sizeof refused; i++) {
                struct cfi_entry e;
                world_u(&world, FRAMES + 16, 1, refused[i]);
                ck_assert_msg(entry(&e) == STASIS_UNSUPPORTED, "encoding %x", refused[i]);
        }
}
END_TEST

/* ---- rows */

#define RULE(r, k, o) ((r).kind == (k) && (r).offset == (o))

START_TEST(rows)
{
        struct cfi_row r;
        start();
        /* push rbp; mov rbp, rsp; ... leave, twice: the second return from a remembered state */
        PROGRAM(0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x10, 0x0a, 0x0c, 7, 8, 0xc6, 0x41, 0x0b, 0x03, 8, 0,
                0x08, 6);
        ck_assert_int_eq(row(0x401000, &r), STASIS_OK);
        ck_assert(r.cfa.kind == CFI_REGISTER && r.cfa.reg == 7 && r.cfa.offset == 8 && RULE(r.reg[16], CFI_OFFSET, -8));
        ck_assert_int_eq(r.reg[6].kind, CFI_UNSPECIFIED);
        ck_assert_int_eq(row(0x401001, &r), STASIS_OK);
        ck_assert(r.cfa.reg == 7 && r.cfa.offset == 16 && RULE(r.reg[6], CFI_OFFSET, -16));
        ck_assert_int_eq(row(0x401003, &r), STASIS_OK);
        ck_assert(r.cfa.reg == 7 && r.cfa.offset == 16);
        ck_assert_int_eq(row(0x401004, &r), STASIS_OK);
        ck_assert(r.cfa.reg == 6 && r.cfa.offset == 16);
        ck_assert_int_eq(row(0x401014, &r), STASIS_OK);
        ck_assert(r.cfa.reg == 7 && r.cfa.offset == 8 && r.reg[6].kind == CFI_UNSPECIFIED);
        ck_assert_int_eq(row(0x401015, &r), STASIS_OK);
        ck_assert(r.cfa.reg == 6 && r.cfa.offset == 16 && RULE(r.reg[6], CFI_OFFSET, -16));
        ck_assert_int_eq(row(0x40101d, &r), STASIS_OK);
        ck_assert_int_eq(r.reg[6].kind, CFI_SAME);
        ck_assert_int_eq(row(0x40103f, &r), STASIS_OK);
        ck_assert_int_eq(row(0x401040, &r), STASIS_ABSENT);
        ck_assert_int_eq(row(0x400fff, &r), STASIS_ABSENT);
}
END_TEST

START_TEST(rare_instructions)
{
        struct cfi_row r;
        start();
        PROGRAM(0x05, 3, 2, 0x11, 12, 0x7f, 0x14, 13, 3, 0x15, 14, 0x7e, 0x09, 15, 3, 0x09, 0, 99, 0x07, 1, 0x06, 16,
                0x12, 6, 0x7e, 0x2e, 0x10, 0x05, 17, 1, 0x10, 2, 1, 0x50, 0x16, 4, 2, 0x77, 0, 0x00, 0x13, 0x7c, 0x04,
                1, 0, 0, 0, 0x0f, 1, 0x9c);
        ck_assert_int_eq(row(0x401000, &r), STASIS_OK);
        ck_assert(RULE(r.reg[3], CFI_OFFSET, -16) && RULE(r.reg[12], CFI_OFFSET, 8));
        ck_assert(RULE(r.reg[13], CFI_VAL_OFFSET, -24) && RULE(r.reg[14], CFI_VAL_OFFSET, 16));
        ck_assert(r.reg[15].kind == CFI_REGISTER && r.reg[15].reg == 3 && r.reg[0].kind == CFI_UNDEFINED);
        ck_assert(r.reg[1].kind == CFI_UNDEFINED && RULE(r.reg[16], CFI_OFFSET, -8));
        ck_assert(r.cfa.kind == CFI_REGISTER && r.cfa.reg == 6 && r.cfa.offset == 32);
        ck_assert(r.reg[2].kind == CFI_EXPRESSION && r.reg[2].len == 1);
        ck_assert(r.reg[4].kind == CFI_VAL_EXPRESSION && r.reg[4].len == 2);
        ck_assert_int_eq(row(0x401001, &r), STASIS_OK);
        ck_assert(r.cfa.kind == CFI_EXPRESSION && r.cfa.len == 1);
}
END_TEST

START_TEST(rows_refused)
{
        struct cfi_row r;
        start();
        PROGRAM(0x0b); /* nothing was remembered */
        ck_assert_int_eq(row(0x401000, &r), STASIS_CORRUPT);
        PROGRAM(0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a);
        ck_assert_int_eq(row(0x401000, &r), STASIS_OK);
        PROGRAM(0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a);
        ck_assert_int_eq(row(0x401000, &r), STASIS_LIMIT);
        PROGRAM(0x2d); /* of another machine */
        ck_assert_int_eq(row(0x401000, &r), STASIS_UNSUPPORTED);
        PROGRAM(0x0c, 17, 8); /* no register that is kept */
        ck_assert_int_eq(row(0x401000, &r), STASIS_CORRUPT);
        PROGRAM(0x10, 3, 9, 0); /* an expression longer than the entry */
        ck_assert_int_eq(row(0x401000, &r), STASIS_CORRUPT);
        PROGRAM(0x0e);
        ck_assert_int_eq(row(0x401000, &r), STASIS_CORRUPT);
        PROGRAM(0);
        world_u(&world, FRAMES + 17, 1, 0); /* the CIE gives no CFA */
        world_u(&world, FRAMES + 18, 2, 0);
        ck_assert_int_eq(row(0x401000, &r), STASIS_CORRUPT);
        world_u(&world, FRAMES + 20, 1, 0xc3); /* a CIE has nothing to restore */
        ck_assert_int_eq(row(0x401000, &r), STASIS_CORRUPT);
}
END_TEST

/* ---- .eh_frame_hdr, and without */

static void header(unsigned count)
{
        static const uint8_t head[4] = { 1, 0x1b, 0x03, 0x3b };
        world_put(&world, HEADER, head, 4);
        world_u(&world, HEADER + 4, 4, FRAMES - (HEADER + 4));
        world_u(&world, HEADER + 8, 4, count);
        for (unsigned i = 0; i < count; i++) {
                world_u(&world, HEADER + 12 + 8 * i, 4, 0x401000 + 0x40 * i - HEADER);
                world_u(&world, HEADER + 16 + 8 * i, 4, FRAMES + 0x100 * i - HEADER);
        }
}

START_TEST(search_table)
{
        uint64_t va = 1;
        start();
        header(5);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 52, 0x401000, &va), STASIS_OK);
        ck_assert_uint_eq(va, FRAMES);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 52, 0x40107f, &va), STASIS_OK);
        ck_assert_uint_eq(va, FRAMES + 0x100);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 52, 0x501000, &va), STASIS_OK);
        ck_assert_uint_eq(va, FRAMES + 0x400);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 52, 0x400fff, &va), STASIS_OK);
        ck_assert_uint_eq(va, 0);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 51, 0x401000, &va),
                         STASIS_UNSUPPORTED); /* it has not so many */
        world_u(&world, HEADER + 3, 1, 0x1b);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 52, 0x401000, &va), STASIS_UNSUPPORTED);
        header(5);
        world_u(&world, HEADER, 1, 2);
        ck_assert_int_eq(cfi_find(&world.space, HEADER, 52, 0x401000, &va), STASIS_UNSUPPORTED);
        world_unmap(&world, HEADER);
        ck_assert(cfi_find(&world.space, HEADER, 52, 0x401000, &va) != STASIS_OK);
}
END_TEST

START_TEST(index_of_section)
{
        struct cfi_index index;
        bool whole;
        start();
        PROGRAM(0, 0, 0);
        /* a second function, in front of the first; then the end */
        world_u(&world, FDE + 20, 4, 16);
        world_u(&world, FDE + 24, 4, 0x30);
        world_u(&world, FDE + 28, 4, 0x400f00 - (FDE + 28));
        world_u(&world, FDE + 32, 4, 0x20);
        ck_assert_int_eq(cfi_index_make(&world.space, &cfi_x64, FRAMES, 0x100, 0x400000, &index, &whole), STASIS_OK);
        ck_assert(whole && index.count == 2);
        ck_assert_uint_eq(cfi_index_find(&index, 0x0eff), 0);
        ck_assert_uint_eq(cfi_index_find(&index, 0x0f00), FDE + 20 - 0x400000);
        ck_assert_uint_eq(cfi_index_find(&index, 0x1001), FDE - 0x400000);
        cfi_index_free(&index);
        /* the section ends without a word of 0 */
        ck_assert_int_eq(cfi_index_make(&world.space, &cfi_x64, FRAMES, 0x18 + 40, 0, &index, &whole), STASIS_OK);
        ck_assert(whole && index.count == 2);
        cfi_index_free(&index);
        /* a length that leads out of it; then a page that is not there */
        ck_assert_int_eq(cfi_index_make(&world.space, &cfi_x64, FRAMES, 0x18 + 30, 0, &index, &whole), STASIS_OK);
        ck_assert(!whole && index.count == 1);
        cfi_index_free(&index);
        world_unmap(&world, FRAMES);
        ck_assert_int_eq(cfi_index_make(&world.space, &cfi_x64, FRAMES, 0x100, 0, &index, &whole), STASIS_OK);
        ck_assert(!whole && index.count == 0);
        cfi_index_free(&index);
}
END_TEST

/* ---- expressions */

static enum stasis_status value_of(const struct cfi_machine *machine, const void *bytes, size_t len,
                                   const uint64_t *initial, uint64_t *ret_value)
{
        struct cfi_registers registers = { .known = 1u << 7 | 1u << 6, .value = { [7] = STACK, [6] = 0x10 } };
        const struct cfi_rule rule = { .at = FRAMES + 0x800, .len = len };
        world_put(&world, FRAMES + 0x800, bytes, len);
        return cfi_evaluate(&world.space, machine, &rule, &registers, initial, ret_value);
}
#define VALUE(machine, expected, ...) \
        do { \
                static const uint8_t bytes[] = { __VA_ARGS__ }; \
                uint64_t is = 0; \
                ck_assert_int_eq(value_of(machine, bytes, sizeof bytes, NULL, &is), STASIS_OK); \
                ck_assert_msg(is == (uint64_t)(expected), "0x%llx", (unsigned long long)is); \
        } while (0)
#define REFUSED(status, ...) \
        do { \
                static const uint8_t bytes[] = { __VA_ARGS__ }; \
                uint64_t is = 0; \
                ck_assert_int_eq(value_of(&cfi_x64, bytes, sizeof bytes, NULL, &is), status); \
        } while (0)

START_TEST(expressions)
{
        start();
        world_u(&world, STACK + 0x18, 8, UINT64_C(0x1122334455667788));
        /* x86-64's PLT: rsp + 8 + (((rip & 15) >= 11) << 3); here breg6 for breg16 */
        VALUE(&cfi_x64, STACK + 16, 0x77, 8, 0x76, 11, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
        VALUE(&cfi_x64, STACK + 8, 0x77, 8, 0x76, 10, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22);
        VALUE(&cfi_x64, UINT64_C(0x1122334455667788), 0x77, 0x18, 0x06);
        VALUE(&cfi_x64, 0x7788, 0x77, 0x18, 0x94, 2);
        VALUE(&cfi_x64, UINT64_C(0x8877665544332211), 0x0e, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88);
        VALUE(&cfi_x64, UINT64_C(0x8877665544332211), 0x03, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88);
        VALUE(&cfi_x86, 0x44332211, 0x03, 0x11, 0x22, 0x33, 0x44);
        VALUE(&cfi_x64, 0xfe, 0x08, 0xfe);
        VALUE(&cfi_x64, -2, 0x09, 0xfe);
        VALUE(&cfi_x64, 0xfffe, 0x0a, 0xfe, 0xff);
        VALUE(&cfi_x64, -2, 0x0b, 0xfe, 0xff);
        VALUE(&cfi_x64, 0xfffffffe, 0x0c, 0xfe, 0xff, 0xff, 0xff);
        VALUE(&cfi_x64, -2, 0x0d, 0xfe, 0xff, 0xff, 0xff);
        VALUE(&cfi_x86, 0xfffffffe, 0x0d, 0xfe, 0xff, 0xff, 0xff);
        VALUE(&cfi_x64, 300, 0x10, 0xac, 0x02);
        VALUE(&cfi_x64, -128, 0x11, 0x80, 0x7f);
        VALUE(&cfi_x64, STACK - 1, 0x92, 7, 0x7f);
        VALUE(&cfi_x64, 3, 0x33, 0x34, 0x13);                             /* drop */
        VALUE(&cfi_x64, 3, 0x33, 0x34, 0x14, 0x16, 0x13);                 /* over, swap, drop: 3 3 4 */
        VALUE(&cfi_x64, 3, 0x33, 0x34, 0x35, 0x15, 2);                    /* pick */
        VALUE(&cfi_x64, 4 * 100 + 3 * 10 + 5 * 1, 0x33, 0x34, 0x35, 0x17, /* rot: 5 3 4 */
              0x08, 100, 0x1e, 0x16, 0x3a, 0x1e, 0x22, 0x22);
        VALUE(&cfi_x64, 7, 0x11, 0x79, 0x19);        /* abs */
        VALUE(&cfi_x64, -3, 0x11, 0x79, 0x32, 0x1b); /* div, signed */
        VALUE(&cfi_x64, 1, 0x37, 0x33, 0x1d);
        VALUE(&cfi_x64, -7, 0x37, 0x1f);
        VALUE(&cfi_x64, -8, 0x37, 0x20);
        VALUE(&cfi_x64, 4, 0x37, 0x33, 0x1c);
        VALUE(&cfi_x64, 7, 0x36, 0x33, 0x21);
        VALUE(&cfi_x64, 5, 0x36, 0x33, 0x27);
        VALUE(&cfi_x64, 306, 0x36, 0x23, 0xac, 0x02);
        VALUE(&cfi_x64, -1, 0x11, 0x7f, 0x08, 200, 0x26);
        VALUE(&cfi_x86, 0xffffffff, 0x11, 0x7f, 0x34, 0x26);
        VALUE(&cfi_x64, 0, 0x31, 0x08, 64, 0x24);
        VALUE(&cfi_x64, 8, 0x31, 0x33, 0x24);
        VALUE(&cfi_x64, 3, 0x37, 0x31, 0x25);
        VALUE(&cfi_x64, 0x7fffffffffffffff, 0x11, 0x7f, 0x31, 0x25); /* no sign */
        VALUE(&cfi_x86, 0x7fffffff, 0x11, 0x7f, 0x31, 0x25);
        VALUE(&cfi_x64, 0, 0x37, 0x08, 64, 0x25);
        VALUE(&cfi_x64, 6, 0x33, 0x12, 0x22);       /* dup */
        VALUE(&cfi_x64, 1, 0x11, 0x7f, 0x31, 0x2d); /* -1 < 1 */
        VALUE(&cfi_x86, 1, 0x11, 0x7f, 0x31, 0x2d);
        VALUE(&cfi_x64, 1, 0x31, 0x31, 0x29);
        VALUE(&cfi_x64, 0, 0x31, 0x31, 0x2e);
        VALUE(&cfi_x64, 1, 0x31, 0x31, 0x2c);
        VALUE(&cfi_x64, 0, 0x31, 0x31, 0x2b);
        VALUE(&cfi_x64, 5, 0x35, 0x31, 0x28, 1, 0, 0x36, 0x96); /* bra over lit6 */
        VALUE(&cfi_x64, 6, 0x35, 0x30, 0x28, 1, 0, 0x36, 0x96);
        VALUE(&cfi_x64, 5, 0x35, 0x2f, 1, 0, 0x36);
        uint64_t initial = 40, sum = 0;
        ck_assert_int_eq(value_of(&cfi_x64, "\x32\x22", 2, &initial, &sum), STASIS_OK);
        ck_assert_uint_eq(sum, 42);
}
END_TEST

START_TEST(expressions_refused)
{
        uint8_t deep[65];
        uint64_t top;
        start();
        REFUSED(STASIS_CORRUPT, 0x22);
        REFUSED(STASIS_CORRUPT, 0x31, 0x22);
        REFUSED(STASIS_CORRUPT, 0x96); /* leaves nothing */
        REFUSED(STASIS_CORRUPT, 0x31, 0x30, 0x1b);
        REFUSED(STASIS_CORRUPT, 0x31, 0x30, 0x1d);
        REFUSED(STASIS_CORRUPT, 0x08);
        REFUSED(STASIS_CORRUPT, 0x2f, 0x7f, 0x7f); /* out of it */
        REFUSED(STASIS_CORRUPT, 0x31, 0x15, 1);
        REFUSED(STASIS_CORRUPT, 0x77, 0, 0x94, 9);
        REFUSED(STASIS_LIMIT, 0x2f, 0xfd, 0xff); /* to itself */
        REFUSED(STASIS_ABSENT, 0x73, 0);         /* a register that is not known */
        REFUSED(STASIS_ABSENT, 0x92, 40, 0);
        REFUSED(STASIS_UNSUPPORTED, 0x31, 0x31, 0x9c);
        REFUSED(STASIS_USAGE, 0x77, 0, 0x94, 3);
        memset(deep, 0x31, sizeof deep);
        ck_assert_int_eq(value_of(&cfi_x64, deep, 64, NULL, &top), STASIS_OK);
        ck_assert_int_eq(value_of(&cfi_x64, deep, 65, NULL, &top), STASIS_LIMIT);
}
END_TEST

/* ---- steps */

static enum cfi_end step(uint64_t pc, struct cfi_registers *r, enum stasis_status *ret_status)
{
        struct cfi_entry e;
        struct cfi_row here;
        ck_assert_int_eq(entry(&e), STASIS_OK);
        ck_assert_int_eq(cfi_row_at(&world.space, &cfi_x64, &e, pc, &here), STASIS_OK);
        return cfi_step(&world.space, &cfi_x64, &e, &here, r, ret_status);
}

static struct cfi_registers registers(void)
{
        struct cfi_registers r = { .known = 0x1ffff };
        for (unsigned i = 0; i < CFI_REGISTERS; i++) {
                r.value[i] = 0x1000 + i;
                r.at[i] = STASIS_NOWHERE;
        }
        r.value[7] = STACK + 0x100;
        return r;
}

START_TEST(steps)
{
        enum stasis_status status;
        start();
        struct cfi_registers r = registers();
        world_u(&world, STACK + 0x108, 8, 0x77); /* rbp */
        world_u(&world, STACK + 0x110, 8, 0x402345);
        world_u(&world, STACK + 0x188, 8, 0xabc);
        PROGRAM(0x0e, 24, 0x86, 3, 0x15, 3, 0x7f, 0x09, 12, 13, 0x07, 14, 0x16, 15, 2, 0x23, 4, 0x10, 0, 2, 0x23, 0x70);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_STEPPED);
        ck_assert(r.value[16] == 0x402345 && r.at[16] == STACK + 0x110 && r.value[7] == STACK + 0x118);
        ck_assert(r.known == (1u | 1u << 3 | 1u << 6 | 1u << 7 | 1u << 12 | 1u << 13 | 1u << 15 | 1u << 16));
        ck_assert(r.value[0] == 0xabc && r.at[0] == STACK + 0x188 && r.value[6] == 0);
        ck_assert(r.value[3] == STACK + 0x120 && r.value[12] == 0x100d && r.value[15] == STACK + 0x11c);
        /* rbp at CFA - 24 + ..: its word is in the image, and there it is */
        r = registers();
        PROGRAM(0x0e, 24, 0x86, 2);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_STEPPED);
        ck_assert(r.value[6] == 0x77 && r.at[6] == STACK + 0x108 && r.known >> 3 & 1 && !(r.known & 1));
        PROGRAM(0x07, 16);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_OUTERMOST);
        /* vfork: the return address is in a register */
        r = registers();
        PROGRAM(0x0e, 0, 0x09, 16, 5);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_STEPPED);
        ck_assert(r.value[16] == 0x1005 && r.value[7] == STACK + 0x100);
        r = registers();
        r.known &= ~(1u << 7);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_UNKNOWN);
        ck_assert_int_eq(status, STASIS_ABSENT);
        r = registers();
        r.value[7] = STACK + 0x2000; /* not in the image */
        PROGRAM(0x0e, 24);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_UNKNOWN);
        r = registers();
        PROGRAM(0x10, 7, 1, 0x73); /* where the stack pointer is kept makes no sense */
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_UNKNOWN);
        ck_assert_int_eq(status, STASIS_CORRUPT);
}
END_TEST

/* A signal's frame: whatever the tables do not name is as it was. */
START_TEST(steps_of_signals)
{
        enum stasis_status status;
        start();
        struct cfi_registers r = registers();
        PROGRAM(0x0e, 16);
        world_put(&world, FRAMES + 9, "zS", 2);
        world_u(&world, FRAMES + 16, 1, 0); /* nop: the data's byte, which is not read */
        world_u(&world, FDE, 4, 4 + 16 + 1 + 2);
        world_u(&world, FDE + 8, 8, 0x401000);
        world_u(&world, FDE + 16, 8, 0x40);
        world_put(&world, FDE + 24, "\0\x0e\x10", 3);
        ck_assert_int_eq(step(0x401000, &r, &status), CFI_STEPPED);
        ck_assert(r.known == 0x1ffff && r.value[0] == 0x1000 && r.value[7] == STACK + 0x110);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("cfi");
        TCase *tc = tcase_create("cfi");
        tcase_add_checked_fixture(tc, NULL, teardown);
        tcase_add_test(tc, entries);
        tcase_add_test(tc, letters);
        tcase_add_test(tc, encodings);
        tcase_add_test(tc, rows);
        tcase_add_test(tc, rare_instructions);
        tcase_add_test(tc, rows_refused);
        tcase_add_test(tc, search_table);
        tcase_add_test(tc, index_of_section);
        tcase_add_test(tc, expressions);
        tcase_add_test(tc, expressions_refused);
        tcase_add_test(tc, steps);
        tcase_add_test(tc, steps_of_signals);
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
