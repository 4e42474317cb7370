/* SPDX-License-Identifier: MIT */
/* Triage dumps, byte by byte. Places: rizin's dmp_specs.h by way of the fact tables, and a real dump of 19041. */
#include "samples.h"

/* The first header of another sample, type 4, and nothing behind it. */
static void only_header(struct sample *s, size_t header, size_t type_at)
{
        memset(s->at + header, 0, SAMPLE_MAX - header);
        s->len = header;
        put32(s, type_at, 4);
}

static void wide_text(struct sample *s, size_t at, const char *text)
{
        put32(s, at, strlen(text));
        for (size_t i = 0; text[i]; i++)
                put16(s, at + 4 + 2 * i, (uint8_t)text[i]);
}

/* 17 words of the second header that are the same in both widths. */
static void triage_header(struct sample *s, size_t at, const uint32_t word[static 17])
{
        for (size_t i = 0; i < 17; i++)
                put32(s, at + 4 * i, word[i]);
        put32(s, at + 0x44, 0xffffffff); /* TriageOptions */
}

void sample_dmp64_triage(struct sample *s)
{
        static const uint32_t word[17] = {
                0, 0x2884, 0x2880, 0x348, 0xf00, 0, 0, 0x2100, 0x2140, 0x21c0, 0x22c0, 0x60, 0x2660, 2, 0x2780, 0x20, 0,
        };
        sample_dmp64(s);
        only_header(s, 0x2000, 0xf98);
        triage_header(s, 0x2000, word);
        put64(s, 0x2048, UINT64_C(0xffff850412345fa0)); /* TopOfStack: 0x60 bytes below its base */
        put64(s, 0x2060, UINT64_C(0xffffc08b00007000)); /* the data page */
        put32(s, 0x2068, 0x2860);
        put32(s, 0x206c, 0x20);
        put32(s, 0x2070, 0x2320); /* KDBG */
        put32(s, 0x2074, 0x340);
        put32(s, 0x2078, 0x27a0); /* data blocks */
        put32(s, 0x207c, 3);

        put_fill(s, 0x2100, 0x40, 0x11); /* KPRCB */
        put64(s, 0x2108, UINT64_C(0xffffc08b00001640));
        put_fill(s, 0x2140, 0x80, 0x22); /* EPROCESS */
        s->at[0x2140] = 3;
        put_fill(s, 0x21c0, 0x100, 0x33); /* ETHREAD; ApcState.Process at 0x50, as KDBG says below */
        s->at[0x21c0] = 6;
        put64(s, 0x2210, UINT64_C(0xffffc08b00000180));
        put_fill(s, 0x22c0, 0x60, 0x44);
        put_text(s, 0x2330, "KDBG");
        put32(s, 0x2334, 0x340);
        put64(s, 0x2320 + 0x218, UINT64_C(0xfffff80512348000)); /* KiProcessorBlock */
        put16(s, 0x2320 + 0x2a0, 0x50);
        put16(s, 0x2320 + 0x2a8, 0x70); /* SizeEProcess: 0x10 less than up to the thread */
        put16(s, 0x2320 + 0x2b0, 0x40);
        put16(s, 0x2320 + 0x2b4, 8);
        put16(s, 0x2320 + 0x2c0, 0x100);

        put32(s, 0x2660,
              0x2780); /* drivers: where the name is; DllBase at 8 + 0x30, EntryPoint 0x38, SizeOfImage 0x40 */
        put64(s, 0x2660 + 0x38, UINT64_C(0xfffff80512000000));
        put64(s, 0x2660 + 0x40, UINT64_C(0xfffff80512000100));
        put32(s, 0x2660 + 0x48, 0x1046000);
        put32(s, 0x2660 + 0x88, 0x0d8333e6); /* TimeDateStamp at 8 + 0x80 */
        put32(s, 0x26f0, 0x2790);
        put64(s, 0x26f0 + 0x38, UINT64_C(0xfffff80511000000));
        put32(s, 0x26f0 + 0x48, 0x6000);
        put32(s, 0x26f0 + 0x88, 0x12345678);
        wide_text(s, 0x2780, "\\nt.ex");
        wide_text(s, 0x2790, "abc");

        put64(s, 0x27a0, UINT64_C(0xfffff80511119180)); /* the processor block once more, with its address */
        put32(s, 0x27a8, 0x2800);
        put32(s, 0x27ac, 0x40);
        put64(s, 0x27b0, UINT64_C(0xfffff80512348000));
        put32(s, 0x27b8, 0x2840);
        put32(s, 0x27bc, 0x10);
        put64(s, 0x27c0, UINT64_C(0xffffc08b0000001b)); /* a block at an odd place */
        put32(s, 0x27c8, 0x2850);
        put32(s, 0x27cc, 5);
        memcpy(s->at + 0x2800, s->at + 0x2100, 0x40);
        s->len = 0x2840;
        put64(s, 0x2840, UINT64_C(0xfffff80511110180));
        put64(s, 0x2848, UINT64_C(0xfffff80511119180));
        put_fill(s, 0x2850, 5, 0x55);
        put_fill(s, 0x2860, 0x20, 0x66);
        put_text(s, 0x2880, "TRGD");
        s->header = s->len;
}

/* As XP writes it: KDBG without sizes, no data blocks. */
void sample_dmp32_triage(struct sample *s)
{
        static const uint32_t word[17] = {
                0x200,  0x1604, 0x1600, 0x320,  0x7d0, 0,      0,    0x1080, 0x10c0,
                0x1140, 0x11c0, 0x40,   0x1490, 1,     0x14e0, 0x20, 0,
        };
        sample_dmp32(s);
        only_header(s, 0x1000, 0xf88);
        triage_header(s, 0x1000, word);
        put32(s, 0x1048, 0xf7a42fc0); /* TopOfStack */
        put32(s, 0x104c, 0x80550000); /* the data page */
        put32(s, 0x1050, 0x1500);
        put32(s, 0x1054, 0x100);
        put32(s, 0x1058, 0x1200); /* KDBG */
        put32(s, 0x105c, 0x290);
        put_fill(s, 0x1080, 0x40, 0x11);
        put32(s, 0x1084, 0x81fcc020); /* KPRCB.CurrentThread */
        put_fill(s, 0x10c0, 0x80, 0x22);
        s->at[0x10c0] = 3;
        put_fill(s, 0x1140, 0x80, 0x33);
        s->at[0x1140] = 0x86;         /* the dispatcher lock is held */
        put32(s, 0x1184, 0x81fcc830); /* KTHREAD.ApcState.Process of XP */
        put_fill(s, 0x11c0, 0x40, 0x44);
        put_text(s, 0x1210, "KDBG");
        put32(s, 0x1214, 0x290);
        put32(s, 0x1490,
              0x14e0); /* one driver, 0x4c bytes: DllBase at 4 + 0x18, SizeOfImage 0x20, TimeDateStamp 0x44 */
        put32(s, 0x1490 + 0x1c, 0x804d7000);
        put32(s, 0x1490 + 0x20, 0x806ab000);
        put32(s, 0x1490 + 0x24, 0x1f6000);
        put32(s, 0x1490 + 0x48, 0x41107b0d);
        wide_text(s, 0x14e0, "ntoskrnl.exe");
        put_fill(s, 0x1500, 0x100, 0x66);
        put_text(s, 0x1600, "TRGD");
        s->header = s->len;
}
