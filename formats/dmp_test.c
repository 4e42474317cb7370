/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "../src/test/reader.h"

START_TEST(full64)
{
        sample_dmp64(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format(image), "dmp");
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, full");
        RUNS(image, { 0x1000, 0x1000, 0x2000 }, { 0x100000, 0x2000, 0x3000 });
        has_no_gap(image);
        has_remark(image, NULL);
        ck_assert_uint_eq(byte_at(image, 0x101fff), 0xd3);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->known, STASIS_HINT_MACHINE | STASIS_HINT_ROOT | STASIS_HINT_KDBG |
                                            STASIS_HINT_PROCESS_HEAD | STASIS_HINT_MODULE_HEAD |
                                            STASIS_HINT_PFN_DATABASE | STASIS_HINT_BUILD | STASIS_HINT_PROCESSORS |
                                            STASIS_HINT_BUGCHECK | STASIS_HINT_SYSTEM_TIME | STASIS_HINT_UP_TIME |
                                            STASIS_HINT_DUMP_TYPE | STASIS_HINT_PRODUCT_TYPE | STASIS_HINT_SUITE_MASK |
                                            STASIS_HINT_CONTEXT | STASIS_HINT_EXCEPTION | STASIS_HINT_COMMENT);
        ck_assert_int_eq(h->machine, STASIS_MACHINE_X64);
        ck_assert_uint_eq(h->major, 15);
        ck_assert_uint_eq(h->build, 19041);
        ck_assert_uint_eq(h->processors, 16);
        ck_assert_uint_eq(h->root, 0x1aa000);
        ck_assert_uint_eq(h->pfn_database, UINT64_C(0xffffe40000000000));
        ck_assert_uint_eq(h->module_head, UINT64_C(0xfffff80512345678));
        ck_assert_uint_eq(h->process_head, UINT64_C(0xfffff80512346000));
        ck_assert_uint_eq(h->kdbg, UINT64_C(0xfffff80512347000));
        ck_assert_uint_eq(h->bugcheck, 0x1000007e);
        ck_assert_uint_eq(h->bugcheck_parameter[0], UINT64_C(0xffffffffc0000005));
        ck_assert_uint_eq(h->bugcheck_parameter[3], UINT64_C(0xffffffffc0000002));
        ck_assert_uint_eq(h->system_time, UINT64_C(0x01d5000000000000));
        ck_assert_uint_eq(h->up_time, UINT64_C(1200000000));
        ck_assert_uint_eq(h->dump_type, 1);
        ck_assert_uint_eq(h->product_type, 3);
        ck_assert_uint_eq(h->suite_mask, 0x110);
        ck_assert_ptr_eq(h->context.at, sample.at + 0x348);
        ck_assert_uint_eq(h->context.len, 0x4d0);
        ck_assert_uint_eq(h->exception.off, 0xf00);
        ck_assert_str_eq(h->comment, "sixty-four");
        stasis_image_close(image);
}
END_TEST

START_TEST(full32)
{
        sample_dmp32(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, full");
        RUNS(image, { 0x1000, 0x1000, 0x1000 }, { 0x100000, 0x2000, 0x2000 });
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_int_eq(h->machine, STASIS_MACHINE_X86);
        ck_assert(h->known & STASIS_HINT_PAE && h->pae);
        ck_assert_uint_eq(h->build, 2600);
        ck_assert_uint_eq(h->kdbg, 0x80545ce0); /* not sign-extended */
        ck_assert_uint_eq(h->process_head, 0x8014fc80);
        ck_assert_uint_eq(h->module_head, 0x8014d8a0);
        ck_assert_uint_eq(h->pfn_database, 0x83000000);
        ck_assert_uint_eq(h->bugcheck, 0x1e);
        ck_assert_uint_eq(h->bugcheck_parameter[3], 0xc0000008);
        ck_assert_uint_eq(h->up_time, 600000000);
        ck_assert_uint_eq(h->system_time, UINT64_C(0x01c5000000000000));
        ck_assert_uint_eq(h->product_type, 1);
        ck_assert_uint_eq(h->suite_mask, 0x110);
        ck_assert_ptr_eq(h->context.at, sample.at + 0x320);
        ck_assert_uint_eq(h->context.len, 0x2cc);
        ck_assert_uint_eq(h->exception.off, 0x7d0);
        ck_assert_str_eq(h->comment, "a comment");
        stasis_image_close(image);
}
END_TEST

/* NT 4.0: no type, no KDBG, no times; the letters PAGE are no values. */
START_TEST(old32)
{
        sample_dmp32_old(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, full, no type in the header");
        RUNS(image, { 0x1000, 0x1000, 0x1000 }, { 0x100000, 0x2000, 0x2000 });
        has_remark(image, NULL);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->known, STASIS_HINT_MACHINE | STASIS_HINT_ROOT | STASIS_HINT_PROCESS_HEAD |
                                            STASIS_HINT_MODULE_HEAD | STASIS_HINT_PFN_DATABASE | STASIS_HINT_BUILD |
                                            STASIS_HINT_PROCESSORS | STASIS_HINT_BUGCHECK | STASIS_HINT_CONTEXT);
        ck_assert_uint_eq(h->root, 0x30000);
        ck_assert_uint_eq(h->build, 1381);
        ck_assert_uint_eq(h->kdbg, 0);
        stasis_image_close(image);
}
END_TEST

START_TEST(no_run_list)
{
        sample_dmp32_old(&sample);
        put_text(&sample, 0x64, "PAGE");
        struct stasis_image *image = open_sample(&sample);
        has_remark(image,
                   "the header has no list of runs: the pages behind it are taken to begin at physical address 0, "
                   "which may be wrong");
        RUNS(image, { 0, 0x3000, 0x1000 });
        stasis_image_close(image);
}
END_TEST

/* Pages 1, 2, 63, 64, 76 of 77; what stands behind bit 76 does not count. */
static void check_bitmap(const struct stasis_image *image, uint64_t first)
{
        RUNS(image, { 0x1000, 0x2000, first }, { 0x3f000, 0x2000, first + 0x2000 },
             { 0x4c000, 0x1000, first + 0x4000 });
        has_remark(image, NULL);
        has_no_gap(image);
        ck_assert_uint_eq(byte_at(image, 0x2000), 0xb2);
        ck_assert_uint_eq(byte_at(image, 0x40000), 0xb4);
        ck_assert_uint_eq(byte_at(image, 0x4cfff), 0xb5);
}

START_TEST(bitmaps)
{
        static const char *const title[] = { "full, bitmap", "kernel, bitmap", "automatic, bitmap" };
        for (unsigned type = 5; type <= 7; type++) {
                char want[80];
                snprintf(want, sizeof want, "Windows crash dump, 64-bit, %s", title[type - 5]);
                sample_dmp64_bitmap(&sample);
                put32(&sample, 0xf98, type);
                struct stasis_image *image = open_sample(&sample);
                ck_assert_str_eq(stasis_image_format_title(image), want);
                check_bitmap(image, 0x2060);
                stasis_image_close(image);
        }
        sample_dmp32_bitmap(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, full, bitmap");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
        put32(&sample, 0xf88, 2); /* kernel summary with the newer second header */
        image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, kernel summary");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
        put_text(&sample, 0xf88, "PAGE");
        image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, bitmap, no type in the header");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
}
END_TEST

START_TEST(bitmap_cut)
{
        sample_dmp64_bitmap(&sample);
        sample.len = 0x2060 + 0x2800; /* two pages and a half of five */
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2060 }, { 0x3f000, 0x800, 0x4060 });
        has_gap(image, 0, 0x3f800, 0x1800, "cut off: the file ends");
        has_gap(image, 1, 0x4c000, 0x1000, "cut off: the file ends");
        has_remark(image, "cut off: 3 of 5 pages are not in the file");
        stasis_image_close(image);
        sample.len = 0x2060;
        fails(&sample, STASIS_CORRUPT, "t: cut off: the first page should be at 0x2060, the file ends at 0x2060");
        sample.len = 0x2030;
        fails(&sample, STASIS_CORRUPT, "t: no bitmap header (SDMP, FDMP) at 0x2000");
        sample.len = 0x1fff;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the header: 0x1fff of 0x2000 bytes");
}
END_TEST

/* 2^40 bits: no more than what lies before the first page is read; there are 40 bytes = 320 bits. */
START_TEST(bitmap_lies)
{
        sample_dmp64_bitmap(&sample);
        put64(&sample, 0x2030, UINT64_C(1) << 40);
        memset(sample.at + 0x2041, 0, 0x1f);
        struct stasis_image *image = open_sample(&sample);
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(remark[0],
                         "the bitmap is said to have 1099511627776 bits; before the first page there is room for "
                         "320");
        ck_assert_str_eq(remark[1], "the header counts 5 pages, its bitmap has 4");
        stasis_image_close(image);
        put64(&sample, 0x2020, 0x2038);
        fails(&sample, STASIS_CORRUPT, "t: the first page would lie at 0x2038, inside the header");
}
END_TEST

START_TEST(runs_lie)
{
        sample_dmp64(&sample);
        put64(&sample, 0x98 + 16, UINT64_C(1) << 45); /* second run: BasePage */
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x2000 });
        has_remark(image, "run 1 of 2 cannot be (page 0x200000000000, 0x2 pages): it and what follows is not read");
        stasis_image_close(image);

        sample_dmp64(&sample);
        put32(&sample, 0x88, 0x10000); /* the third run is filler, which is no page that can be */
        image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x2000 }, { 0x100000, 0x2000, 0x3000 });
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(remark[0], "the header announces 65536 runs and has room for 43");
        stasis_image_close(image);

        sample_dmp64(&sample);
        put64(&sample, 0x90, 4);
        image = open_sample(&sample);
        has_remark(image, "the header counts 4 pages, its runs have 3");
        stasis_image_close(image);

        sample_dmp64(&sample);
        sample.len = 0x3800; /* cut inside the second run */
        image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x1000, 0x2000 }, { 0x100000, 0x800, 0x3000 });
        has_gap(image, 0, 0x100800, 0x1800, "cut off: the file ends");
        stasis_image_close(image);
}
END_TEST

/* Nothing but the header is read, and told: of an ARM64 machine, and of a dump that holds no more. */
static void only_the_header(const char *title, size_t blobs)
{
        size_t runs, count;
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), title);
        stasis_image_runs(image, &runs);
        ck_assert_uint_eq(runs, 0);
        has_no_gap(image);
        ck_assert_uint_eq(stasis_image_hints(image)->bugcheck, 0x1000007e);
        ck_assert_uint_eq(stasis_image_hints(image)->build, 19041);
        ck_assert_uint_eq(stasis_image_hints(image)->exception.off, 0xf00);
        (void)stasis_image_blobs(image, &count);
        ck_assert_uint_eq(count, blobs);
        ck_assert_uint_eq(stasis_image_view(image, 0x1000, 1).len, 0);
        stasis_image_close(image);
}

START_TEST(other_types)
{
        sample_dmp64(&sample);
        put32(&sample, 0xf98, 3);
        only_the_header("Windows crash dump, 64-bit, header only", 0);
        put32(&sample, 0xf98, 99);
        fails(&sample, STASIS_UNSUPPORTED,
              "t: dump (type 99): not read by this version; header: Windows 10 build 19041, "
              "x64, bug check 0x1000007e");
        put32(&sample, 0xf98, 2);
        fails(&sample, STASIS_CORRUPT, "t: no bitmap header (SDMP, FDMP) at 0x2000");
        put32(&sample, 0xf98, 1);
        put32(&sample, 0x30, 0xaa64);
        only_the_header("Windows crash dump, 64-bit, full, of an ARM64 machine", 0);
        sample_dmp64_triage(&sample);
        put32(&sample, 0x30, 0xaa64);
        only_the_header("Windows crash dump, 64-bit, triage, of an ARM64 machine", 0);
        sample.len = 0x2008; /* cut off before SizeOfDump's header is whole */
        only_the_header("Windows crash dump, 64-bit, triage, of an ARM64 machine", 0);
}
END_TEST

/* Codes that no bug check has; a real one next to them is none. */
START_TEST(live_by_code)
{
        static const uint32_t live[] = { 0x15e, 0x161, 0x193, 0x198, 0x1a8, 0x1b0 };
        for (size_t i = 0; i < sizeof live / sizeof *live; i++) {
                sample_dmp64(&sample);
                put32(&sample, 0x38, live[i]);
                struct stasis_image *image = open_sample(&sample);
                ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, full, taken live");
                stasis_image_close(image);
                put32(&sample, 0x38, live[i] + 1);
                image = open_sample(&sample);
                ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, full");
                stasis_image_close(image);
        }
}
END_TEST

/* ---------------------------------------------------------------- registers and the exception */

static const struct stasis_cpu *only_cpu(const struct stasis_image *image)
{
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert_uint_eq(h->cpu_count, 1);
        ck_assert_uint_eq(h->cpu->number, UINT32_MAX);
        ck_assert_str_eq(h->cpu->origin, "dump header CONTEXT");
        return h->cpu;
}

/* _CONTEXT of x64: flags at 30, selectors 38, Dr0 48, Rax 78 (then rcx, rdx, rbx, rsp ...), Rip f8, FXSAVE 100. */
START_TEST(registers64)
{
        sample_dmp64(&sample);
        put_fill(&sample, 0x348, 0x4d0, 0xee);
        put32(&sample, 0x348 + 0x30, 0x10001f);
        put32(&sample, 0x348 + 0x34, 0x1f80);
        for (unsigned i = 0; i < 6; i++)
                put16(&sample, 0x348 + 0x38 + 2 * i, 0x10 + i);
        put32(&sample, 0x348 + 0x44, 0x50246);
        for (unsigned i = 0; i < 6; i++)
                put64(&sample, 0x348 + 0x48 + 8 * i, 0xd0 + i);
        for (unsigned i = 0; i < 17; i++)
                put64(&sample, 0x348 + 0x78 + 8 * i, UINT64_C(0xfffff80000000000) + i);
        for (unsigned i = 0; i < 16; i++)
                put_fill(&sample, 0x348 + 0x1a0 + 16 * i, 16, (uint8_t)(0x80 + i));
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_cpu *cpu = only_cpu(image);
        ck_assert_uint_eq(cpu->known, STASIS_CPU_GPR | STASIS_CPU_SEGMENT | STASIS_CPU_DEBUG | STASIS_CPU_VECTOR);
        ck_assert_uint_eq(cpu->off, 0x348);
        static const uint8_t order[16] = { 0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 }; /* rax rbx rcx ... */
        for (unsigned i = 0; i < 16; i++)
                ck_assert_uint_eq(cpu->gpr[i], UINT64_C(0xfffff80000000000) + order[i]);
        ck_assert_uint_eq(cpu->rip, UINT64_C(0xfffff80000000010));
        ck_assert_uint_eq(cpu->rflags, 0x50246);
        ck_assert(cpu->cs == 0x10 && cpu->ds == 0x11 && cpu->es == 0x12);
        ck_assert(cpu->fs == 0x13 && cpu->gs == 0x14 && cpu->ss == 0x15);
        ck_assert(cpu->dr[0] == 0xd0 && cpu->dr[3] == 0xd3 && cpu->dr[6] == 0xd4 && cpu->dr[7] == 0xd5);
        ck_assert_uint_eq(cpu->mxcsr, 0x1f80);
        ck_assert(cpu->xmm[0][0] == 0x80 && cpu->xmm[15][15] == 0x8f);
        stasis_image_close(image);

        put32(&sample, 0x348 + 0x30, 0x100003); /* control and integer only */
        image = open_sample(&sample);
        ck_assert_uint_eq(only_cpu(image)->known, STASIS_CPU_GPR);
        ck_assert_uint_eq(only_cpu(image)->cs, 0);
        stasis_image_close(image);
        put32(&sample, 0x348 + 0x30, 0x1001f); /* another machine's */
        image = open_sample(&sample);
        ck_assert_uint_eq(stasis_image_hints(image)->cpu_count, 0);
        has_remark(image, "the header's CONTEXT has flags 0x1001f: not of this machine");
        stasis_image_close(image);
}
END_TEST

/* _CONTEXT of x86: Dr0 at 4, SegGs 8c (fs, es, ds), Edi 9c (esi ebx edx ecx eax ebp eip), SegCs bc, EFlags, Esp, SegSs.
 */
START_TEST(registers32)
{
        sample_dmp32(&sample);
        put_fill(&sample, 0x320, 0x2cc, 0xee);
        put32(&sample, 0x320, 0x1003f);
        for (unsigned i = 0; i < 6; i++)
                put32(&sample, 0x320 + 4 + 4 * i, 0xd0 + i);
        for (unsigned i = 0; i < 16; i++)
                put32(&sample, 0x320 + 0x8c + 4 * i, 0x80000000 + i);
        put32(&sample, 0x320 + 0xcc + 0x18, 0x1f80);
        for (unsigned i = 0; i < 8; i++)
                put_fill(&sample, 0x320 + 0xcc + 0xa0 + 16 * i, 16, (uint8_t)(0x80 + i));
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_cpu *cpu = only_cpu(image);
        ck_assert_uint_eq(cpu->known, STASIS_CPU_GPR | STASIS_CPU_SEGMENT | STASIS_CPU_DEBUG | STASIS_CPU_VECTOR);
        static const uint8_t order[8] = { 9, 6, 8, 7, 5, 4, 10, 14 };
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(cpu->gpr[i], 0x80000000 + order[i]);
        ck_assert_uint_eq(cpu->gpr[8], 0);
        ck_assert_uint_eq(cpu->rip, 0x8000000b);
        ck_assert_uint_eq(cpu->rflags, 0x8000000d);
        ck_assert(cpu->gs == 0 && cpu->fs == 1 && cpu->es == 2 && cpu->ds == 3 && cpu->cs == 12 && cpu->ss == 15);
        ck_assert(cpu->dr[0] == 0xd0 && cpu->dr[6] == 0xd4 && cpu->dr[7] == 0xd5);
        ck_assert_uint_eq(cpu->mxcsr, 0x1f80);
        ck_assert(cpu->xmm[7][15] == 0x87 && cpu->xmm[8][0] == 0);
        stasis_image_close(image);
}
END_TEST

START_TEST(exceptions)
{
        sample_dmp64(&sample);
        put32(&sample, 0xf00, 0xc0000005);
        put32(&sample, 0xf04, 1);
        put64(&sample, 0xf08, UINT64_C(0xffff850400000000));
        put64(&sample, 0xf10, UINT64_C(0xfffff8048b58334c));
        put32(&sample, 0xf18, 2);
        put64(&sample, 0xf20, 1);
        put64(&sample, 0xf28, UINT64_C(0xfffffffffffffff8));
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_exception *e = &stasis_image_hints(image)->exception;
        ck_assert(e->code == 0xc0000005 && e->flags == 1 && e->record == UINT64_C(0xffff850400000000));
        ck_assert_uint_eq(e->address, UINT64_C(0xfffff8048b58334c));
        ck_assert(e->parameter_count == 2 && e->parameter[0] == 1 && e->parameter[1] == UINT64_C(0xfffffffffffffff8));
        stasis_image_close(image);
        put32(&sample, 0xf18, 16); /* more than there can be: none is told */
        image = open_sample(&sample);
        ck_assert_uint_eq(stasis_image_hints(image)->exception.parameter_count, 0);
        stasis_image_close(image);

        sample_dmp32(&sample);
        for (unsigned i = 0; i < 20; i++)
                put32(&sample, 0x7d0 + 4 * i, 0xa0 + i);
        put32(&sample, 0x7d0 + 0x10, 15);
        image = open_sample(&sample);
        e = &stasis_image_hints(image)->exception;
        ck_assert(e->code == 0xa0 && e->flags == 0xa1 && e->record == 0xa2 && e->address == 0xa3);
        ck_assert(e->parameter_count == 15 && e->parameter[0] == 0xa5 && e->parameter[14] == 0xb3);
        ck_assert_uint_eq(e->off, 0x7d0);
        stasis_image_close(image);
}
END_TEST

/* Type 2 with the older second header, and dumps without a type that have one. */
START_TEST(summary_old)
{
        sample_dmp32_summary(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 32-bit, kernel summary");
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
        put_text(&sample, 0xf88, "PAGE");
        image = open_sample(&sample);
        check_bitmap(image, 0x1060);
        stasis_image_close(image);
        put32(&sample, 0xf88, 2);
        put32(&sample, 0x1018, 78); /* the number of bits and its repetition */
        fails(&sample, STASIS_CORRUPT,
              "t: the numbers of the bitmap header at 0x1000 fit neither the newer form nor the older one");
        sample_dmp64_summary(&sample);
        image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, kernel summary");
        check_bitmap(image, 0x2060);
        stasis_image_close(image);
        sample.len = 0x2060 + 0x2800;
        image = open_sample(&sample);
        has_remark(image, "cut off: 3 of 5 pages are not in the file");
        stasis_image_close(image);
        put32(&sample, 0xf98, 6); /* that type was never written so */
        fails(&sample, STASIS_CORRUPT, "t: the first page would lie at 0x0, inside the header");
}
END_TEST

START_TEST(ranges)
{
        static const struct {
                void (*build)(struct sample *s);
                const char *title;
        } rows[] = { { sample_dmp64_ranges, "Windows crash dump, 64-bit, kernel, ranges" },
                     { sample_dmp64_ranges_ka, "Windows crash dump, 64-bit, kernel and user, ranges" },
                     { sample_dmp64_ranges_f, "Windows crash dump, 64-bit, full, ranges" } };
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                rows[i].build(&sample);
                struct stasis_image *image = open_sample(&sample);
                ck_assert_str_eq(stasis_image_format_title(image), rows[i].title);
                check_bitmap(image, 0x2080);
                stasis_image_close(image);
        }
        sample_dmp64_ranges(&sample);
        put64(&sample, 0x2060, 0); /* the list may also fill its place, or end early */
        put64(&sample, 0x2040, 0);
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2080 });
        stasis_image_close(image);
        sample_dmp64_ranges(&sample);
        put64(&sample, 0x2060, 0x80);
        put64(&sample, 0x2068, 1);
        put64(&sample, 0x2070, 0x90);
        put64(&sample, 0x2078, 1);
        put_fill(&sample, 0x7080, 0x2000, 0xb6);
        image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2080 }, { 0x3f000, 0x2000, 0x4080 }, { 0x4c000, 0x1000, 0x6080 },
             { 0x80000, 0x1000, 0x7080 }, { 0x90000, 0x1000, 0x8080 });
        stasis_image_close(image);
}
END_TEST

/* What the header of type 10 counts ends the list; in the others the place means nothing. */
START_TEST(ranges_counted)
{
        sample_dmp64_ranges_f(&sample);
        put64(&sample, 0x2028, 4);
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2080 }, { 0x3f000, 0x2000, 0x4080 });
        has_remark(image, NULL);
        stasis_image_close(image);
        put64(&sample, 0x2028, 6);
        image = open_sample(&sample);
        has_remark(image, "the header counts 6 pages, its ranges have 5");
        stasis_image_close(image);
        put64(&sample, 0x2028, 0);
        image = open_sample(&sample);
        has_remark(image, "the header counts 0 pages, its ranges have 5");
        stasis_image_close(image);
        put32(&sample, 0xf98, 8);
        image = open_sample(&sample);
        check_bitmap(image, 0x2080);
        stasis_image_close(image);
}
END_TEST

START_TEST(ranges_cut)
{
        sample_dmp64_ranges(&sample);
        sample.len = 0x2080 + 0x2800;
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2080 }, { 0x3f000, 0x800, 0x4080 });
        has_gap(image, 0, 0x3f800, 0x1800, "cut off: the file ends");
        has_gap(image, 1, 0x4c000, 0x1000, "cut off: the file ends");
        stasis_image_close(image);
        sample.len = 0x2080;
        fails(&sample, STASIS_CORRUPT, "t: cut off: the first page should be at 0x2080, the file ends at 0x2080");
        sample.len = 0x202f;
        fails(&sample, STASIS_CORRUPT, "t: no header of ranges (RDMP) at 0x2000");
}
END_TEST

START_TEST(ranges_lie)
{
        sample_dmp64_ranges(&sample);
        put64(&sample, 0x2048, UINT64_C(1) << 40); /* the second range: 2^40 pages */
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0x1000, 0x2000, 0x2080 });
        has_remark(image, "a range cannot be (page 0x3f, 0x10000000000 pages): it and what follows is not read");
        stasis_image_close(image);
        put64(&sample, 0x2048, 0);
        image = open_sample(&sample);
        has_remark(image, "a range cannot be (page 0x3f, 0x0 pages): it and what follows is not read");
        stasis_image_close(image);
        put64(&sample, 0x2040, (UINT64_C(1) << 40) - 1);
        put64(&sample, 0x2048, 2);
        image = open_sample(&sample);
        has_remark(image, "a range cannot be (page 0xffffffffff, 0x2 pages): it and what follows is not read");
        stasis_image_close(image);
        put64(&sample, 0x2018, 0x2030);
        fails(&sample, STASIS_CORRUPT, "t: the first page would lie at 0x2030, inside the header");
        put32(&sample, 0x2000, 0x48);
        fails(&sample, STASIS_UNSUPPORTED, "t: a header of ranges marked 0x48: only 0x40 is known");
        put_text(&sample, 0x2004, "SDMP");
        fails(&sample, STASIS_CORRUPT, "t: no header of ranges (RDMP) at 0x2000");
        sample_dmp32(&sample);
        put32(&sample, 0xf88, 8);
        fails(&sample, STASIS_UNSUPPORTED,
              "t: kernel, ranges dump (type 8): not read by this version; header: Windows XP build 2600, x86, bug "
              "check "
              "0x1e");
}
END_TEST

START_TEST(attributes)
{
        sample_dmp64_bitmap(&sample);
        put32(&sample, 0x1050, 0x54);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, kernel, bitmap, taken live");
        has_remark(image, "attributes of the dump: InsufficientDumpfileSize, LiveDumpGeneratedDump, FilterDumpFile");
        stasis_image_close(image);
        put32(&sample, 0x1050, 0x410); /* a bit that nobody defined: no attributes at all */
        image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "Windows crash dump, 64-bit, kernel, bitmap");
        has_remark(image, NULL);
        stasis_image_close(image);
        put32(&sample, 0x1050, 0x100);
        fails(&sample, STASIS_UNSUPPORTED, "t: the header says that the dump is encrypted: decrypt it first");
        sample_dmp32(&sample);
        put32(&sample, 0x8a0, 0x200);
        image = open_sample(&sample);
        has_remark(image, "attributes of the dump: DecryptedDump");
        stasis_image_close(image);
}
END_TEST

static void has_blobs(const struct stasis_image *image, size_t count, const struct want *want)
{
        size_t have;
        const struct stasis_blob *blob = stasis_image_blobs(image, &have);
        ck_assert_uint_eq(have, count);
        for (size_t i = 0; i < count; i++) {
                ck_assert_uint_eq(blob[i].guid[0], want[i].pa);
                ck_assert_uint_eq(blob[i].guid[15], want[i].pa + 15);
                ck_assert_uint_eq(blob[i].off, want[i].off);
                ck_assert_uint_eq(blob[i].len, want[i].len);
        }
}
#define BLOBS(image, ...) \
        has_blobs(image, sizeof((struct want[]){ __VA_ARGS__ }) / sizeof(struct want), (struct want[]){ __VA_ARGS__ })
#define LIVE_REMARK "attributes of the dump: LiveDumpGeneratedDump"

START_TEST(secondary)
{
        sample_dmp64_secondary(&sample);
        struct stasis_image *image = open_sample(&sample);
        BLOBS(image, { 0x10, 5, 0x5030 }, { 0x20, 0, 0x5060 }, { 0x30, 0x10, 0x5084 });
        has_remark(image, LIVE_REMARK);
        stasis_image_close(image);
        put_fill(&sample, sample.len, 0x80, 0); /* zeros up to some boundary end the chain */
        image = open_sample(&sample);
        BLOBS(image, { 0x10, 5, 0x5030 }, { 0x20, 0, 0x5060 }, { 0x30, 0x10, 0x5084 });
        has_remark(image, LIVE_REMARK);
        stasis_image_close(image);

        sample_dmp64_secondary(&sample); /* not right behind the pages, and a false start before it */
        memmove(sample.at + 0x5023, sample.at + 0x5000, 0x94);
        put_text(&sample, 0x5003, "DumpDumpBlob");
        sample.len += 0x23;
        image = open_sample(&sample);
        BLOBS(image, { 0x10, 5, 0x5053 }, { 0x20, 0, 0x5083 }, { 0x30, 0x10, 0x50a7 });
        stasis_image_close(image);

        sample_dmp64(&sample);
        image = open_sample(&sample);
        has_blobs(image, 0, NULL);
        stasis_image_close(image);
}
END_TEST

START_TEST(secondary_damaged)
{
        size_t count;
        sample_dmp64_secondary(&sample);
        sample.len -= 4;
        struct stasis_image *image = open_sample(&sample);
        BLOBS(image, { 0x10, 5, 0x5030 }, { 0x20, 0, 0x5060 }, { 0x30, 0xc, 0x5084 });
        ck_assert_str_eq(stasis_image_remarks(image, &count)[1],
                         "secondary data: the blob at 0x5060 has 0x10 bytes, the file holds 0xc of them");
        stasis_image_close(image);
        put32(&sample, 0x5038, 0x1f); /* header of the second one */
        image = open_sample(&sample);
        BLOBS(image, { 0x10, 5, 0x5030 });
        ck_assert_str_eq(stasis_image_remarks(image, &count)[1],
                         "secondary data: the chain breaks at 0x5038 (a header of 0x1f bytes)");
        stasis_image_close(image);
        put32(&sample, 0x5010 + 0x18, UINT32_MAX); /* the first one's data far away */
        put32(&sample, 0x5010 + 0x14, UINT32_MAX);
        image = open_sample(&sample);
        BLOBS(image, { 0x10, 0, sample.len });
        stasis_image_close(image);
        put32(&sample, 0x5008, 0xf);
        image = open_sample(&sample);
        has_blobs(image, 0, NULL);
        stasis_image_close(image);
}
END_TEST

START_TEST(odd_members)
{
        sample_dmp32(&sample);
        sample.at[0x5c] = 'P'; /* filler of one byte */
        put32(&sample, 0x20, 0x1234);
        put_text(&sample, 0x820, "a\n\x80z");
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *h = stasis_image_hints(image);
        ck_assert(!(h->known & STASIS_HINT_PAE));
        ck_assert(!(h->known & STASIS_HINT_MACHINE));
        ck_assert_str_eq(h->comment, "a??zmment");
        has_remark(image, "machine type 0x1234 of the header is none that is known here");
        stasis_image_close(image);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("dmp");
        TCase *tcase = tcase_create("dmp");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, full64);
        tcase_add_test(tcase, full32);
        tcase_add_test(tcase, old32);
        tcase_add_test(tcase, no_run_list);
        tcase_add_test(tcase, bitmaps);
        tcase_add_test(tcase, bitmap_cut);
        tcase_add_test(tcase, bitmap_lies);
        tcase_add_test(tcase, runs_lie);
        tcase_add_test(tcase, other_types);
        tcase_add_test(tcase, live_by_code);
        tcase_add_test(tcase, registers64);
        tcase_add_test(tcase, registers32);
        tcase_add_test(tcase, exceptions);
        tcase_add_test(tcase, summary_old);
        tcase_add_test(tcase, ranges);
        tcase_add_test(tcase, ranges_counted);
        tcase_add_test(tcase, ranges_cut);
        tcase_add_test(tcase, ranges_lie);
        tcase_add_test(tcase, attributes);
        tcase_add_test(tcase, secondary);
        tcase_add_test(tcase, secondary_damaged);
        tcase_add_test(tcase, odd_members);
        return run_tests(suite);
}
