/* SPDX-License-Identifier: MIT */
/* The compressed store of a tiny system: every build whose places are known, and what damage to each part comes to. */
#include "store.h"

#include "../../test/pack.h"
#include "../../test/tiny_store.h"
#include "../../test/tiny_system.h"

#include <stdlib.h>
#include <unistd.h>

static struct tiny_store s;
static struct store *store;
static uint8_t page[4096], text[4096], noise[4096], packed[8192];
static size_t packed_len;

/* A page that packs, and one that does not. */
static void fill_pages(void)
{
        uint32_t random = 12345;
        for (size_t i = 0; i < sizeof text; i++) {
                text[i] = (uint8_t)((size_t) "a page of a process "[i % 20] + i / 320);
                noise[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
        }
        packed_len = pack_xpress(text, sizeof text, packed);
        ck_assert_uint_lt(packed_len, 1000);
}

/* LZ4 of what repeats itself every 20 bytes: 4000 literals, one match, five literals. */
static size_t pack_lz4(const uint8_t *plain, uint8_t *to)
{
        size_t len = 0, literals = 4000, left = literals - 15;
        to[len++] = 0xff;
        for (; left >= 255; left -= 255)
                to[len++] = 255;
        to[len++] = (uint8_t)left;
        memcpy(to + len, plain, literals);
        len += literals;
        to[len++] = 20; /* distance */
        to[len++] = 0;
        to[len++] = 4096 - 4000 - 5 - 4 - 15;
        to[len++] = 0x50;
        memcpy(to + len, plain + 4091, 5);
        return len + 5;
}

static void build(uint32_t number, uint32_t pagefile)
{
        fill_pages();
        tiny_build(&t, true);
        tiny_store_build(&t, &s, number, pagefile);
        if (!s.build->format) {
                for (size_t i = 0; i < sizeof text; i++)
                        text[i] = "a page of a process "[i % 20] & 0x7f;
                packed_len = pack_lz4(text, packed);
                ck_assert_uint_lt(packed_len, 4096);
        }
        tiny_store_put(&t, &s, 0x123, packed, packed_len);
        tiny_store_put(&t, &s, 0x1000, noise, 0); /* of zeros */
        tiny_store_put(&t, &s, 0x2abc, noise, 4096);
}

/* The root is told, so that nothing is searched for it. */
static enum stasis_status open_store(void)
{
        const struct stasis_system_options told = { .mode = t.is64 ? "x64" : "x86",
                                                    .root_known = true,
                                                    .root = t.root[TINY_SYSTEM] };
        enum stasis_status status = sys_open_with(&told);
        ck_assert_msg(status == STASIS_OK, "%s", sys_err.text);
        struct windows *w = sys->priv;
        w->version.build = s.build ? s.build->build : w->version.build;
        return store_open(w, &store);
}

static void close_store(void)
{
        store_close(store);
        store = NULL;
        sys_close();
}

static void expect_page(uint64_t number, const uint8_t *want)
{
        memset(page, 0xee, sizeof page);
        enum stasis_status status = store_page(store, s.pagefile, number, page);
        ck_assert_msg(status == STASIS_OK, "page 0x%llx: %s", (unsigned long long)number, store_why(store));
        ck_assert_mem_eq(page, want, sizeof page);
}

static void expect_none(uint64_t number, enum stasis_status want, const char *why)
{
        memset(page, 0xee, sizeof page);
        ck_assert_int_eq(store_page(store, s.pagefile, number, page), want);
        ck_assert_str_eq(store_why(store), why);
        for (size_t i = 0; i < sizeof page; i++)
                ck_assert_uint_eq(page[i], 0xee);
}

/* ---------------------------------------------------------------- whole */

/* Everything that is right of a store comes out of it, asked for once or twice. */
static void expect_whole(uint32_t number, uint32_t pagefile)
{
        static const uint8_t zeros[4096];
        build(number, pagefile);
        ck_assert_int_eq(open_store(), STASIS_OK);
        for (uint32_t i = 0; i < 16; i++)
                ck_assert_int_eq(store_is_pagefile(store, i), i == pagefile);
        for (int again = 0; again < 2; again++) {
                expect_page(0x123, text);
                expect_page(0x1000, zeros);
                expect_page(0x2abc, noise);
        }
        ck_assert_uint_eq(sys_notes(NULL), 0);
        ck_assert(sys_traced("store", true, "found in the kernel's variables"));
        close_store();
}

START_TEST(builds)
{
        for (const struct tiny_store_build *b = tiny_store_builds; b->build; b++)
                expect_whole(b->build, 2);
        for (uint32_t pagefile = 0; pagefile < 4; pagefile++)
                expect_whole(pagefile & 1 ? 26100 : 19041, pagefile);
}
END_TEST

/* More pages than are kept, in all three chunks; each comes out as itself, in any order. */
START_TEST(many)
{
        build(19041, 2);
        s.records = 0;
        *world_at(&t.world, s.left) = *world_at(&t.world, s.right) = *world_at(&t.world, s.pages) = 0;
        s.used = 4;
        for (uint32_t i = 0; i < TINY_STORE_RECORDS; i++) {
                memset(text, (int)i + 1, sizeof text);
                tiny_store_put(&t, &s, 0xf00 + i * 0x10, packed, pack_xpress(text, sizeof text, packed));
        }
        ck_assert_int_eq(open_store(), STASIS_OK);
        for (uint32_t i = 0; i < 4 * TINY_STORE_RECORDS; i++) {
                uint32_t k = i * 29 % TINY_STORE_RECORDS;
                memset(text, (int)k + 1, sizeof text);
                expect_page(0xf00 + k * 0x10, text);
                expect_none(0xf00 + k * 0x10 + 1, STASIS_ABSENT, "the store manager does not know it");
        }
        close_store();
}
END_TEST

/* A record that was moved names the key of another chunk. */
START_TEST(moved)
{
        build(19041, 2);
        uint64_t record = tiny_store_put(&t, &s, 0x3000, noise, 16);
        world_u(&t.world, record, 4, 0xffffffff);
        world_u(&t.world, record + 4, 4, tiny_store_chunk_key(47));
        uint64_t to = s.chunk[2] + 0x20 + 15 * 0x18;
        world_u(&t.world, to, 4, 0x2000 | 0x10); /* in region 1 */
        world_u(&t.world, to + 4, 2, packed_len);
        for (size_t i = 0; i < packed_len; i++)
                *tiny_user_at(&t, TINY_STORE_OWNER, TINY_STORE_REGION + 0x100 + i) = packed[i];
        ck_assert_int_eq(open_store(), STASIS_OK);
        expect_page(0x3000, text);
        close_store();
}
END_TEST

START_TEST(not_asked_for)
{
        build(19041, 2);
        ck_assert_int_eq(open_store(), STASIS_OK);
        expect_none(0x122, STASIS_ABSENT, "the store manager does not know it");
        expect_none(UINT64_C(0x10000123), STASIS_CORRUPT, "no page file has so many pages");
        ck_assert_int_eq(store_page(store, 1, 0x123, page), STASIS_ABSENT);
        ck_assert_str_eq(store_why(store), "it is not a page of the virtual store");
        close_store();
}
END_TEST

/* ---------------------------------------------------------------- the manager */

START_TEST(by_symbol)
{
        char path[] = "/tmp/stasis-store-XXXXXX", json[600];
        int fd = mkstemp(path);
        ck_assert_int_ge(fd, 0);
        int len = snprintf(json, sizeof json,
                           "{\"user_types\":{},\"enums\":{},\"base_types\":{\"pointer\":{\"size\":8,\"signed\":false,"
                           "\"kind\":\"int\",\"endian\":\"little\"}},\"symbols\":{\"?SmGlobals@@3U_SM_GLOBALS@@A\":"
                           "{\"address\":%u}},\"metadata\":{\"format\":\"6.2.0\"}}",
                           0x2100u);
        ck_assert_int_eq(write(fd, json, (size_t)len), len);
        close(fd);
        build(22621, 2);
        sys_open();
        struct windows *w = sys->priv;
        w->version.build = 22621;
        enum stasis_status status = stasis_layout_open_isf(path, &w->own_layout, &sys_err);
        ck_assert_msg(status == STASIS_OK, "%s", sys_err.text);
        unlink(path);
        ck_assert_int_eq(store_open(w, &store), STASIS_OK);
        ck_assert(sys_traced("store", true, "(symbol)"));
        ck_assert(!sys_traced("store", true, "found in the kernel's variables"));
        expect_page(0x123, text);
        close_store();
}
END_TEST

static void not_opened(enum stasis_status want, const char *traced)
{
        ck_assert_int_eq(open_store(), want);
        if (traced)
                ck_assert_msg(sys_traced("store", false, traced), "not traced: %s", traced);
        ck_assert_uint_eq(sys_notes(NULL), 0);
        close_store();
}

START_TEST(not_there)
{
        fill_pages();
        s = (struct tiny_store){ 0 };
        tiny_build(&t, true);
        not_opened(STASIS_ABSENT, "no store manager in the kernel's variables");

        static const struct tiny_store_build seven = { .build = 7601 }, first = { .build = 10240 },
                                             insider = { .build = 21390 };
        build(19041, 2);
        s.build = &seven;
        not_opened(STASIS_ABSENT, NULL);
        build(19041, 2);
        s.build = &first;
        not_opened(STASIS_UNSUPPORTED, "places of this build (10240, x64) not known");
        build(19041, 2);
        s.build = &insider;
        not_opened(STASIS_UNSUPPORTED, "places of this build (21390, x64) not known");
        tiny_build(&t, false);
        s.build = &tiny_store_builds[4];
        not_opened(STASIS_UNSUPPORTED, "places of this build (17763, x86) not known");
}
END_TEST

/* What makes a manager: each of these gone, there is none. */
START_TEST(no_manager)
{
        const char *const none = "no store manager in the kernel's variables";
        for (unsigned i = 0; i < 10; i++) {
                build(i & 1 ? 22621 : 19041, 2);
                uint64_t owner = t.process[TINY_STORE_OWNER];
                switch (i / 2) {
                case 0: world_u(&t.world, s.smkm + 0x370, 8, s.smkm + 0x1000); break;
                case 1: world_u(&t.world, owner + tiny_place(&t, "EPROCESS.ImageFileName").at, 1, 'm'); break;
                case 2: world_u(&t.world, owner, 1, 6); break;
                case 3: world_u(&t.world, s.manager + 0x1c0, 8, s.root + 8); break;
                case 4: world_u(&t.world, s.smkm + 0x19b8, 8, 0); break;
                }
                not_opened(STASIS_ABSENT, none);
        }
        build(19041, 2);
        tiny_gone(&t, s.smkm);
        not_opened(STASIS_ABSENT, none);
        build(19041, 2);
        tiny_set(&t, t.process[TINY_STORE_OWNER], "KPROCESS.DirectoryTableBase", 0);
        not_opened(STASIS_ABSENT, none);
}
END_TEST

/* Where no key tells the number, the page files do; where these do not, nothing is taken for granted. */
START_TEST(which_page_file)
{
        build(19041, 3);
        *world_at(&t.world, s.left) = 0;
        ck_assert_int_eq(open_store(), STASIS_OK);
        ck_assert(store_is_pagefile(store, 3));
        ck_assert(sys_traced("store", true, "VirtualStorePagefile"));
        close_store();

        uint64_t first = 0;
        for (unsigned i = 0; i < 5; i++) {
                build(26100, 2);
                first = t.pool + TINY_POOL_FREE + 0x810;
                switch (i) {
                case 0: world_u(&t.world, first - 12, 4, 0x20206d4e); break;
                case 1: world_u(&t.world, first + 0xcc, 1, 1); break;
                case 2: world_u(&t.world, first + 2 * 0x140 + 0xcc, 1, 2); break;    /* none is virtual */
                case 3: world_u(&t.world, first + 0x140 + 0xcc, 1, 1 | 0x40); break; /* two are */
                case 4: world_u(&t.world, s.paging_files, 8, 0); break;
                }
                not_opened(STASIS_UNSUPPORTED, "which page file is the virtual store is not known");
        }
}
END_TEST

/* ---------------------------------------------------------------- damage */

static void expect_damage(uint32_t page_number, enum stasis_status want, const char *why)
{
        char noted[300];
        ck_assert_int_eq(open_store(), STASIS_OK);
        for (int again = 0; again < 3; again++)
                expect_none(page_number, want, why);
        ck_assert_uint_eq(sys_notes(NULL), 1); /* however often it is asked for */
        const struct stasis_note *note = sys_note("compressed-page-unreadable");
        ck_assert_ptr_nonnull(note);
        ck_assert_int_eq(note->severity, STASIS_NOTE_MISSING);
        snprintf(noted, sizeof noted, "page 0x%x of page file %u is in the compressed store, but cannot be read: %s",
                 page_number, s.pagefile, why);
        ck_assert_str_eq(note->text, noted);
        expect_page(page_number == 0x123 ? 0x2abc : 0x123,
                    page_number == 0x123 ? noise : text); /* the others are there */
        close_store();
}

enum tree_damage { NODE_GONE, NODE_COUNT, NODE_ORDER, NODE_ODD, NODE_USER, NODE_LOOP };

static void damage_tree(enum tree_damage kind)
{
        struct world *w = &t.world;
        switch (kind) {
        case NODE_GONE: tiny_gone(&t, s.left); break;
        case NODE_COUNT: world_u(w, s.left, 2, 0x1ff); break;
        case NODE_ORDER:
                world_u(w, s.left, 2, 2);
                world_u(w, s.left + 0x18, 4, 0x123);
                break;
        case NODE_ODD: /* a node, but for its place */
                memcpy(world_at(w, s.left + 0x800), world_at(w, s.left), 0x200);
                world_u(w, s.root + 8, 8, s.left + 0x800);
                break;
        case NODE_USER: world_u(w, s.root + 8, 8, 0x1000); break;
        case NODE_LOOP: world_u(w, s.root + 8, 8, s.root); break;
        }
}

START_TEST(tree)
{
        for (int kind = NODE_GONE; kind <= NODE_LOOP; kind++) {
                build(26100, 2); /* where the keys do not tell the number, so that it opens */
                damage_tree((enum tree_damage)kind);
                expect_damage(0x123, kind == NODE_GONE ? STASIS_IO : STASIS_CORRUPT,
                              kind == NODE_GONE ? "a node of the store manager's tree is not readable"
                                                : "a node of the store manager's tree is damaged");
        }
}
END_TEST

/* Counts at their bounds: one less than what is refused is read, and finds what it holds. */
START_TEST(full_nodes)
{
        build(26100, 2);
        for (uint32_t i = 0; i < 0x1fe; i++) {
                world_u(&t.world, s.left + 0x10 + i * 8, 4, i * 2 + 1);
                world_u(&t.world, s.left + 0x14 + i * 8, 4, TINY_STORE_INDEX);
        }
        world_u(&t.world, s.left, 2, 0x1fe);
        for (uint32_t i = 0; i < 0xff; i++) {
                world_u(&t.world, s.root + 0x10 + i * 16, 4, i < 0xfe ? 0x800 + i : 0x1000);
                world_u(&t.world, s.root + 0x18 + i * 16, 8, i < 0xfe ? s.left : s.right);
        }
        world_u(&t.world, s.root, 2, 0xff);
        ck_assert_int_eq(open_store(), STASIS_OK);
        expect_page(0x123, text);
        expect_page(0x2abc, noise);
        expect_none(0x124, STASIS_ABSENT, "the store manager does not know it");
        expect_none(0x3fb, STASIS_ABSENT, "its store does not know it");
        expect_none(0x3fd, STASIS_ABSENT, "the store manager does not know it");
        close_store();
        build(26100, 2);
        world_u(&t.world, s.root, 2, 0x100);
        ck_assert_int_eq(open_store(), STASIS_OK);
        expect_none(0x123, STASIS_CORRUPT, "a node of the store manager's tree is damaged");
        close_store();
}
END_TEST

/* One word of the store or of what it leads to, and what is said then of the page 0x2abc, which is record 2. */
START_TEST(words)
{
        enum {
                GLOBAL_VALUE,
                SECOND_INDEX,
                FORMAT,
                PAGES_ROOT,
                CHUNK_ZERO,
                CHUNK_SHIFT,
                RECORD_BIG,
                ARRAY,
                CHUNK_PAGE,
                MOVED,
                LEN_ODD,
                LEN_BEHIND,
                REGION_NONE,
                REGION_KERNEL,
                REGION_ARRAY,
                REGION_SHIFT,
                OWNER,
                WORDS
        };
        static const struct {
                enum stasis_status status;
                const char *why;
        } say[WORDS] = {
                [GLOBAL_VALUE] = { STASIS_ABSENT, "the store manager says that it is in no store" },
                [SECOND_INDEX] = { STASIS_CORRUPT, "no store has this index" },
                [FORMAT] = { STASIS_UNSUPPORTED, "its store's compression format is not Xpress" },
                [PAGES_ROOT] = { STASIS_CORRUPT, "a node of its store's tree is damaged" },
                [CHUNK_ZERO] = { STASIS_CORRUPT, "its chunk key names no chunk" },
                [CHUNK_SHIFT] = { STASIS_CORRUPT, "its chunk key names no chunk" },
                [RECORD_BIG] = { STASIS_CORRUPT, "its record lies outside its chunk" },
                [ARRAY] = { STASIS_CORRUPT, "its chunk key names no chunk" },
                [CHUNK_PAGE] = { STASIS_CORRUPT, "its chunk has no records" },
                [MOVED] = { STASIS_CORRUPT, "its record was moved without end" },
                [LEN_ODD] = { STASIS_CORRUPT, "the length of its compressed bytes is impossible" },
                [LEN_BEHIND] = { STASIS_CORRUPT, "its compressed bytes lie outside their region" },
                [REGION_NONE] = { STASIS_CORRUPT, "its region has no address of a process" },
                [REGION_KERNEL] = { STASIS_CORRUPT, "its region has no address of a process" },
                [REGION_ARRAY] = { STASIS_CORRUPT, "the store has no regions" },
                [REGION_SHIFT] = { STASIS_CORRUPT, "the store has no regions" },
                [OWNER] = { STASIS_CORRUPT, "the store's owner is not the process MemCompression" },
        };
        for (int i = 0; i < WORDS; i++) {
                build(19041, 2);
                struct world *w = &t.world;
                uint64_t record = s.chunk[0] + 0x20 + 2 * 0x18, entry = s.right + 0x10 + 8,
                         chunk_key = s.pages + 0x10 + 16;
                switch (i) {
                case GLOBAL_VALUE: world_u(w, entry + 4, 4, 0x1000000 | TINY_STORE_INDEX); break;
                case SECOND_INDEX: world_u(w, entry + 4, 4, 0x4000000 | 6); break;
                case FORMAT: world_u(w, s.smkm + 0x430, 2, 4); break;
                case PAGES_ROOT: world_u(w, s.smkm + 0x50, 8, s.pages + 8); break;
                case CHUNK_ZERO: world_u(w, chunk_key + 4, 4, 0xf); break;
                case CHUNK_SHIFT: world_u(w, s.smkm + 0x218, 4, 32); break;
                case RECORD_BIG: world_u(w, s.smkm + 0x220, 4, 0x80000); break;
                case ARRAY: world_u(w, s.smkm + 0x110, 8, s.chunk_arrays + 4); break;
                case CHUNK_PAGE: world_u(w, s.chunk_arrays, 8, s.chunk[0] + 0x10); break;
                case MOVED:
                        world_u(w, record, 4, 0xffffffff);
                        world_u(w, record + 4, 4, tiny_store_chunk_key(2));
                        break;
                case LEN_ODD: world_u(w, record + 4, 2, 0x2000); break;
                case LEN_BEHIND: world_u(w, record, 4, 0x1f01); break;
                case REGION_NONE: world_u(w, s.regions, 8, 0xffff); break;
                case REGION_KERNEL: world_u(w, s.regions, 8, UINT64_C(0xffffc60000010000)); break;
                case REGION_ARRAY: world_u(w, s.smkm + 0x1848, 8, TINY_STORE_REGION); break;
                case REGION_SHIFT: world_u(w, s.smkm + 0x37c, 4, 32); break;
                case OWNER: world_u(w, s.array + 6 * 0x28, 8, s.smkm); break;
                }
                if (i == OWNER) { /* after it was opened: a second store, of another process */
                        ck_assert_int_eq(open_store(), STASIS_OK);
                        world_u(w, s.smkm + 0x19b8, 8, t.process[TINY_ALPHA]);
                        expect_none(0x2abc, say[i].status, say[i].why);
                        close_store();
                        continue;
                }
                ck_assert_int_eq(open_store(), STASIS_OK);
                expect_none(0x2abc, say[i].status, say[i].why);
                ck_assert_uint_eq(sys_notes("compressed-page-unreadable"), 1);
                close_store();
        }
}
END_TEST

/* Each page on the way, not in the image. */
START_TEST(pages_gone)
{
        static const char *const why[] = { NULL,
                                           "a node of its store's tree is not readable",
                                           "its record is not readable",
                                           "its chunk is not readable",
                                           "its compressed bytes are not in the image",
                                           "its compressed bytes are not in memory themselves" };
        for (int i = 1; i < 6; i++) {
                build(19041, 2);
                switch (i) {
                case 1: tiny_gone(&t, s.pages); break;
                case 2: tiny_gone(&t, s.chunk[0]); break;
                case 3: tiny_gone(&t, s.chunk_arrays); break;
                case 4:
                case 5:
                        t.world.tables.root = t.root[TINY_STORE_OWNER];
                        if (i == 4)
                                tiny_gone(&t, TINY_STORE_REGION - 0x100000);
                        else
                                world_unmap(&t.world, TINY_STORE_REGION - 0x100000);
                        t.world.tables.root = t.root[TINY_SYSTEM];
                        break;
                }
                ck_assert_int_eq(open_store(), STASIS_OK);
                expect_none(0x2abc, STASIS_IO, why[i]);
                ck_assert_uint_eq(sys_notes(NULL), i < 5);
                close_store();
        }
}
END_TEST

/* Compressed bytes of a page that end too early, make less than one, or cannot be. */
START_TEST(bad_bytes)
{
        for (int i = 0; i < 4; i++) {
                build(19041, 2);
                uint8_t *first = tiny_user_at(&t, TINY_STORE_OWNER, TINY_STORE_REGION - 0x100000 + 0x40);
                uint64_t len = s.chunk[0] + 0x20 + 4;
                switch (i) {
                case 0: world_u(&t.world, len, 2, packed_len - 30); break;
                case 1: world_u(&t.world, len, 2, pack_xpress(text, 4000, first)); break;
                case 2: memset(first, 0xff, 5); break; /* a match before the first byte */
                case 3: first[3] ^= 0x80; break;
                }
                expect_damage(0x123, STASIS_CORRUPT, "its compressed bytes do not make a page");
        }
}
END_TEST

/* Notes are one a page, and end. */
START_TEST(notes_end)
{
        build(19041, 2);
        ck_assert_int_eq(open_store(), STASIS_OK);
        for (uint32_t i = 0; i < 300; i++)
                ck_assert_int_eq(store_page(store, 2, 0x4000 + i % 150, page), STASIS_ABSENT);
        ck_assert_uint_eq(sys_notes(NULL), 64);
        size_t count;
        ck_assert_ptr_nonnull(strstr(stasis_system_notes(sys, &count)[63].text, "further ones are not noted"));
        close_store();
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("store");
        TCase *tcase = tcase_create("store");
        suite_add_tcase(suite, tcase);
        tcase_set_timeout(tcase, 120);
        tcase_add_test(tcase, builds);
        tcase_add_test(tcase, many);
        tcase_add_test(tcase, moved);
        tcase_add_test(tcase, not_asked_for);
        tcase_add_test(tcase, by_symbol);
        tcase_add_test(tcase, not_there);
        tcase_add_test(tcase, no_manager);
        tcase_add_test(tcase, which_page_file);
        tcase_add_test(tcase, tree);
        tcase_add_test(tcase, full_nodes);
        tcase_add_test(tcase, words);
        tcase_add_test(tcase, pages_gone);
        tcase_add_test(tcase, bad_bytes);
        tcase_add_test(tcase, notes_end);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
