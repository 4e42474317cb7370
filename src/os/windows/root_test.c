/* SPDX-License-Identifier: MIT */
#include "root.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "../../mem/image.h"
#include "../../test/ptbuild.h"

#define MEMORY (8u << 20)

static uint8_t memory[MEMORY];
static struct stasis_image *image;
static struct windows_root root[WINDOWS_ROOTS_MAX];

static void open_memory(const void *bytes, size_t len, const char *format)
{
        struct stasis_error err;
        enum stasis_status status = stasis_image_open_memory(
                bytes, len, "memory", &(struct stasis_image_options){ .format = format }, &image, &err);
        ck_assert_msg(status == STASIS_OK, "%s", err.text);
}

static void setup(void)
{
        memset(memory, 0, sizeof(memory));
        memset(root, 0, sizeof(root));
        open_memory(memory, sizeof(memory), "raw");
}

static void teardown(void)
{
        stasis_image_close(image);
        image = NULL;
}

static void expect(size_t i, const char *mode, uint64_t pa, const char *how)
{
        ck_assert_str_eq(root[i].paging->name, mode);
        ck_assert_uint_eq(root[i].root, pa);
        ck_assert_str_eq(root[i].how, how);
        if (i)
                ck_assert_uint_ge(root[i - 1].rank, root[i].rank);
}

static size_t told(void) { return windows_roots_told(image, root, WINDOWS_ROOTS_MAX); }

static size_t scan(void) { return windows_roots_scan(image, root, WINDOWS_ROOTS_MAX, NULL, NULL); }

/* ---- what is told */

static void header(enum stasis_machine machine, uint32_t known, bool pae, uint64_t cr3)
{
        image->hints = (struct stasis_hints){
                .known = STASIS_HINT_MACHINE | STASIS_HINT_ROOT | known,
                .machine = machine,
                .pae = pae,
                .root = cr3,
        };
}

START_TEST(header_of_a_dump)
{
        ck_assert_uint_eq(told(), 0);
        header(STASIS_MACHINE_X86, STASIS_HINT_PAE, true, 0x6f60127);
        ck_assert_uint_eq(told(), 1);
        expect(0, "pae", 0x6f60120, "header");
        header(STASIS_MACHINE_X86, STASIS_HINT_PAE, false, 0x39018);
        ck_assert_uint_eq(told(), 1);
        expect(0, "x86", 0x39000, "header");
        header(STASIS_MACHINE_X86, 0, false, 0x39000);
        ck_assert_uint_eq(told(), 2);
        expect(0, "x86", 0x39000, "header");
        expect(1, "pae", 0x39000, "header");
        header(STASIS_MACHINE_X64, 0, false, 0x80000000001ad002);
        ck_assert_uint_eq(told(), 2);
        expect(0, "x64", 0x1ad000, "header");
        expect(1, "la57", 0x1ad000, "header");
        header(STASIS_MACHINE_ARM64, 0, false, 0x1ad000);
        ck_assert_uint_eq(told(), 0);
}
END_TEST

static struct stasis_cpu *add_cpu(uint64_t cr3, uint64_t cr4, uint16_t cs, uint64_t rip)
{
        struct stasis_cpu *cpu = stasis_image_add_cpu(image);
        ck_assert_ptr_nonnull(cpu);
        cpu->known = STASIS_CPU_GPR | STASIS_CPU_SEGMENT | STASIS_CPU_CONTROL;
        cpu->cr[0] = 0x80050033;
        cpu->cr[3] = cr3;
        cpu->cr[4] = cr4;
        cpu->cs = cs;
        cpu->rip = rip;
        return cpu;
}

START_TEST(cpus_of_a_64_bit_system)
{
        add_cpu(0x14b000, 0x370678, 0x33, 0x7ff612345678);     /* user mode: perhaps without the kernel */
        add_cpu(0x1ad002, 0x370678, 0x10, 0xfffff8047be0d1f0); /* PCID in the low bits */
        add_cpu(0x1ad000, 0x370678, 0x10, 0xfffff8047be0d1f0);
        add_cpu(0x5000, 0x371678, 0x10, 0xfffff8047be0d1f0); /* LA57 */
        add_cpu(0x1ad000, 0x370678, 0x33, 0x7ff612345678);   /* user mode, on tables that are known to be good */
        image->hints.machine = STASIS_MACHINE_X64;
        image->hints.root = 0x14b000; /* as the ELF reader copies it from the first CPU */
        image->hints.known |= STASIS_HINT_MACHINE | STASIS_HINT_ROOT;
        ck_assert_uint_eq(told(), 3);
        expect(0, "la57", 0x5000, "cpu");
        expect(1, "x64", 0x1ad000, "cpu");
        expect(2, "x64", 0x14b000, "cpu");
        ck_assert_uint_gt(root[1].rank, root[2].rank);
}
END_TEST

START_TEST(cpus_of_a_32_bit_system_in_a_64_bit_file)
{
        image->hints.machine = STASIS_MACHINE_X64;
        add_cpu(0x39000, 0x6d8, 0x8, 0x804dcbef); /* no PAE: not long mode */
        ck_assert_uint_eq(told(), 1);
        expect(0, "x86", 0x39000, "cpu");
        image->cpu[0].cr[4] = 0x6f8;
        image->cpu[0].cr[3] = 0x7380320;
        ck_assert_uint_eq(told(), 2);
        expect(0, "pae", 0x7380320, "cpu");
        expect(1, "x64", 0x7380000, "cpu");
        image->hints.machine = STASIS_MACHINE_X86;
        ck_assert_uint_eq(told(), 1);
        expect(0, "pae", 0x7380320, "cpu");
        /* 64-bit system, CPU in 32-bit code: the descriptor tables lie high */
        image->hints.machine = STASIS_MACHINE_X64;
        image->cpu[0].known |= STASIS_CPU_BASES;
        image->cpu[0].idt_base = 0xfffff80412345000;
        ck_assert_uint_eq(told(), 1);
        expect(0, "x64", 0x7380000, "cpu");
        image->cpu[0].cr[0] = 0x11; /* paging is off */
        ck_assert_uint_eq(told(), 0);
        image->cpu[0].known = STASIS_CPU_GPR; /* NT_PRSTATUS has no control registers */
        image->cpu[0].cr[0] = 0x80050033;
        ck_assert_uint_eq(told(), 0);
}
END_TEST

static void put64(uint64_t at, uint64_t value)
{
        for (unsigned i = 0; i < 8; i++)
                memory[at + i] = (uint8_t)(value >> 8 * i);
}

static void put_low_stub(uint64_t at, uint64_t entry, uint64_t cr3, uint64_t cr4)
{
        put64(at, 0x00000001000600e9 | 0x4d00);
        put64(at + 0x70, entry);
        put64(at + 0xa0, cr3);
        put64(at + 0xa8, cr4);
}

START_TEST(low_stub)
{
        put_low_stub(0x13000, 0xfffff8047b3f1e10, 0x1ad000, 0x20);
        ck_assert_uint_eq(told(), 2);
        expect(0, "x64", 0x1ad000, "low stub");
        ck_assert_uint_eq(root[0].entry, 0xfffff8047b3f1e10);
        expect(1, "la57", 0x1ad000, "low stub");
        put64(0x130a8, 0x1020);
        ck_assert_uint_eq(told(), 2);
        expect(0, "la57", 0x1ad000, "low stub");
        put_low_stub(0x13000, 0xfffff8047b3f1e11, 0x1ad000, 0x20); /* a kernel entry is aligned */
        ck_assert_uint_eq(told(), 0);
        put_low_stub(0x13000, 0xfffff8047b3f1e10, 0x1ad0001ad000ad, 0x20); /* no address */
        ck_assert_uint_eq(told(), 0);
        put_low_stub(0x13000, 0xfffff8047b3f1e10, 0x1ad000, 0x20);
        memory[0x13000] = 0xea;
        ck_assert_uint_eq(told(), 0);
        put_low_stub(0x100000, 0xfffff8047b3f1e10, 0x1ad000, 0x20); /* too high for the start of a processor */
        ck_assert_uint_eq(told(), 0);
}
END_TEST

/* ---- what is scanned for */

/* KUSER_SHARED_DATA at pa, with the system's path: "C:\" */
static void put_shared_data(uint64_t pa) { memcpy(memory + pa + 0x30, "C\0:\0\\\0W", 7); }

/* Tables of one process: a kernel half that all of them have, its own page somewhere, and the map of itself. */
static uint64_t put_process(enum pt_mode mode, uint64_t at, uint64_t offset, unsigned self)
{
        struct ptbuild b;
        bool wide = mode == PT_X64 || mode == PT_LA57;
        pt_start(&b, mode, memory, MEMORY, at, offset);
        pt_map(&b, wide ? 0xfffff78000000000 : 0xffdf0000, 0x3000, PT_4K, 0x63);
        pt_map(&b, 0x400000, at + 0x10000, PT_4K, 0x67);
        if (mode == PT_X86)
                pt_put(&b, b.root + self * 4, b.root | 0x63);
        if (wide)
                pt_put(&b, b.root + self * 8, b.root | 0x8000000000000863);
        if (mode == PT_PAE) {
                uint64_t frame[4];
                for (unsigned i = 0; i < 4; i++) {
                        (void)pt_slot(&b, i * PT_1G, PT_2M);
                        frame[i] = pt_get(&b, b.root + i * 8) - 1;
                }
                for (unsigned i = 0; i < 4; i++)
                        pt_put(&b, frame[3] + i * 8, frame[i] | 0x63);
        }
        return b.root;
}

static void expect_processes(enum pt_mode mode, const char *name, uint64_t offset, unsigned self)
{
        uint64_t at[5];
        put_shared_data(0x3000);
        for (unsigned i = 0; i < 5; i++)
                at[i] = put_process(mode, 0x100000 + i * 0x40000, offset * i, self);
        size_t count = scan();
        ck_assert_uint_ge(count, 5);
        for (unsigned i = 0; i < 5; i++) {
                expect(i, name, at[i], "self-map");
                ck_assert_uint_eq(root[i].seen, 5);
                ck_assert_uint_ge(root[i].rank, 299);
        }
        for (size_t i = 5; i < count; i++) /* the same tables, taken for another mode */
                ck_assert_uint_lt(root[i].rank, root[4].rank);
}

START_TEST(scan_finds_x86) { expect_processes(PT_X86, "x86", 0, 0x300); }
END_TEST

START_TEST(scan_finds_pae_tables_packed_in_a_page) { expect_processes(PT_PAE, "pae", 0x1e0, 3); }
END_TEST

START_TEST(scan_finds_x64_wherever_the_entry_is)
{
        expect_processes(PT_X64, "x64", 0, 0x1ed);
        memset(memory, 0, sizeof(memory));
        expect_processes(PT_X64, "x64", 0, 0x1ab);
}
END_TEST

START_TEST(scan_finds_la57) { expect_processes(PT_LA57, "la57", 0, 0x1c3); }
END_TEST

START_TEST(scan_refuses_what_is_no_self_map)
{
        uint64_t at = put_process(PT_X86, 0x100000, 0, 0x300);
        static const uint32_t wrong[] = { 0x62, 0x61, 0x67, 0xe3,
                                          0x1063 }; /* absent, read-only, user, large, elsewhere */
        for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
                put64(at + 0x300 * 4, at | wrong[i]);
                ck_assert_uint_eq(scan(), 0);
        }
        memset(memory, 0, sizeof(memory));
        (void)put_process(PT_X64, 0x100000, 0, 0xff); /* the user's half */
        ck_assert_uint_eq(scan(), 0);
        memset(memory, 0, sizeof(memory));
        at = put_process(PT_PAE, 0x100000, 0, 3);
        ck_assert_uint_eq(scan(), 1);
        put64(at + 8, 0x100001); /* the table of four disagrees with the directories */
        ck_assert_uint_eq(scan(), 0);
        for (unsigned i = 0; i < 4; i++) { /* four times the same directory */
                put64(0x400000 + i * 8, 0x400063);
                put64(0x401000 + i * 8, 0x400001);
        }
        ck_assert_uint_eq(scan(), 0);
}
END_TEST

START_TEST(scan_prefers_the_root_that_leads_to_shared_data)
{
        for (unsigned i = 0; i < 20; i++) /* lower in memory, alike, and without KUSER_SHARED_DATA behind them */
                put64(0x10000 + i * 0x1000 + 0x1ed * 8, (0x10000 + i * 0x1000) | 0x63);
        put_shared_data(0x3000);
        uint64_t at = put_process(PT_X64, 0x200000, 0, 0x1ed);
        ck_assert_uint_ge(scan(), 5);
        expect(0, "x64", at, "self-map");
        ck_assert_uint_eq(root[0].seen, 21);
        expect(1, "x64", 0x10000, "self-map"); /* and not la57, which they could be as well */
}
END_TEST

START_TEST(scan_prefers_roots_that_share_a_kernel)
{
        uint64_t lone = put_process(PT_X86, 0x80000, 0, 0x300), at[3];
        for (unsigned i = 0; i < 64; i++)
                put64(lone + 0x200 * 4 + i * 8, 0x7000063000070063);
        for (unsigned i = 0; i < 3; i++) {
                at[i] = put_process(PT_X86, 0x100000 + i * 0x40000, 0, 0x300);
                for (unsigned k = 0; k < 64; k++) /* what System maps, the others map too */
                        put64(at[i] + 0x200 * 4 + k * 8, 0x9000063000090063);
        }
        ck_assert_uint_ge(scan(), 4); /* and the same tables taken for x64 */
        for (unsigned i = 0; i < 3; i++)
                expect(i, "x86", at[i], "self-map");
        expect(3, "x86", lone, "self-map");
}
END_TEST

START_TEST(scan_takes_the_first_copy_of_a_pae_table)
{
        uint64_t at = put_process(PT_PAE, 0x100000, 0x40, 3);
        memcpy(memory + 0x300020, memory + at, 32);
        ck_assert_uint_eq(scan(), 1);
        expect(0, "pae", at, "self-map");
}
END_TEST

START_TEST(scan_reads_images_in_pieces)
{
        static uint8_t lime[0x400000 + 96];
        uint64_t torn = put_process(PT_X64, 0x100000, 0, 0x1ab), whole = put_process(PT_X64, 0x200000, 0, 0x1ab);
        /* LiME: magic, version 1, first and last address; cut inside a root's page, and elsewhere, at odd places */
        static const uint64_t range[][2] = { { 0, 0x100d5e }, { 0x100d5f, 0x180008 }, { 0x180009, 0x3fffff } };
        size_t to = 0;
        for (unsigned i = 0; i < 3; i++) {
                memcpy(lime + to, "EMiL\1\0\0\0", 8);
                memcpy(lime + to + 8, range[i], 16); /* tests run on little-endian machines */
                memcpy(lime + to + 32, memory + range[i][0], range[i][1] - range[i][0] + 1);
                to += 32 + range[i][1] - range[i][0] + 1;
        }
        stasis_image_close(image);
        open_memory(lime, to, "lime");
        ck_assert_uint_ge(scan(), 2);
        expect(0, "x64", torn, "self-map");
        expect(1, "x64", whole, "self-map");
}
END_TEST

START_TEST(scan_of_a_hostile_image_is_bounded)
{
        struct windows_root again[WINDOWS_ROOTS_MAX];
        for (uint64_t pa = 0; pa < MEMORY; pa += 0x1000) { /* every page is a candidate of every mode */
                for (unsigned i = 0; i < 4; i++)
                        put64(pa + i * 8, (i == 3 ? pa : pa ^ (i + 1) * 0x1000) | 0x63);
                put64(pa + (256 + (pa >> 12) % 256) * 8, pa | 0x63);
                put64(pa + 0x300 * 4, pa | 0x63);
                for (unsigned i = 0; i < 4; i++)
                        put64(pa + 64 + i * 8, (i == 3 ? pa : pa ^ (i + 1) * 0x1000) | 1);
        }
        ck_assert_uint_eq(scan(), WINDOWS_ROOTS_MAX);
        memcpy(again, root, sizeof(root));
        ck_assert_uint_eq(scan(), WINDOWS_ROOTS_MAX);
        ck_assert_mem_eq(again, root, sizeof(root));
        ck_assert_uint_eq(windows_roots_scan(image, root, 3, NULL, NULL), 3);
        ck_assert_mem_eq(again, root, 3 * sizeof(*root));
        for (uint64_t pa = 0; pa < MEMORY; pa += 0x1000) /* what maps itself everywhere is no table of x64 */
                for (unsigned i = 0; i < 512; i++)
                        put64(pa + i * 8, pa | 0x63);
        for (size_t i = 0, count = scan(); i < count; i++)
                ck_assert_str_eq(root[i].paging->name, "x86");
}
END_TEST

static void on_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
        uint64_t *last = ctx;
        ck_assert_ptr_nonnull(what);
        ck_assert_uint_le(done, total);
        ck_assert_uint_eq(total, MEMORY);
        *last = done;
}

START_TEST(scan_tells_its_progress)
{
        uint64_t last = 0;
        ck_assert_uint_eq(windows_roots_scan(image, root, 1, on_progress, &last), 0);
        ck_assert_uint_eq(last, MEMORY);
}
END_TEST

int main(void)
{
        TCase *tc = tcase_create("root");
        tcase_add_checked_fixture(tc, setup, teardown);
        tcase_add_test(tc, header_of_a_dump);
        tcase_add_test(tc, cpus_of_a_64_bit_system);
        tcase_add_test(tc, cpus_of_a_32_bit_system_in_a_64_bit_file);
        tcase_add_test(tc, low_stub);
        tcase_add_test(tc, scan_finds_x86);
        tcase_add_test(tc, scan_finds_pae_tables_packed_in_a_page);
        tcase_add_test(tc, scan_finds_x64_wherever_the_entry_is);
        tcase_add_test(tc, scan_finds_la57);
        tcase_add_test(tc, scan_refuses_what_is_no_self_map);
        tcase_add_test(tc, scan_prefers_the_root_that_leads_to_shared_data);
        tcase_add_test(tc, scan_prefers_roots_that_share_a_kernel);
        tcase_add_test(tc, scan_takes_the_first_copy_of_a_pae_table);
        tcase_add_test(tc, scan_reads_images_in_pieces);
        tcase_add_test(tc, scan_of_a_hostile_image_is_bounded);
        tcase_add_test(tc, scan_tells_its_progress);
        Suite *suite = suite_create("root");
        suite_add_tcase(suite, tc);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
