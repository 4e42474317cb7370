/* SPDX-License-Identifier: MIT */
#include "samples.h"

static void clear(struct sample *s) { memset(s, 0, sizeof *s); }

void sample_raw(struct sample *s)
{
        clear(s);
        for (uint8_t page = 0; page < 3; page++)
                put_fill(s, page * 0x1000u, 0x1000, (uint8_t)(page + 1));
        s->header = 0x40;
}

/* ---- ELF: System V ABI, "ELF header", "Program header". 64-bit places, then 32-bit places. */

static void elf64_header(struct sample *s, unsigned machine, uint64_t phoff, unsigned phnum)
{
        put_text(s, 0, "\177ELF\2\1\1");
        put16(s, 16, 4); /* ET_CORE */
        put16(s, 18, machine);
        put32(s, 20, 1);
        put64(s, 32, phoff);
        put16(s, 52, 64);
        put16(s, 54, 56);
        put16(s, 56, phnum);
        put16(s, 58, 64);
}

static void elf64_phdr(struct sample *s, size_t at, uint32_t type, uint64_t off, uint64_t pa, uint64_t filesz,
                       uint64_t memsz)
{
        put32(s, at, type);
        put64(s, at + 8, off);
        put64(s, at + 16, pa);
        put64(s, at + 24, pa);
        put64(s, at + 32, filesz);
        put64(s, at + 40, memsz);
}

/* Returns where the next note goes; *ret_desc is where the descriptor lies. */
static size_t note(struct sample *s, size_t at, const char *name, uint32_t type, size_t len, size_t *ret_desc)
{
        size_t name_len = strlen(name) + 1;
        put32(s, at, name_len);
        put32(s, at + 4, len);
        put32(s, at + 8, type);
        put_text(s, at + 12, name);
        *ret_desc = at + 12 + (name_len + 3) / 4 * 4;
        size_t end = *ret_desc + (len + 3) / 4 * 4;
        if (s->len < end)
                s->len = end;
        return end;
}

/*
 * QEMU's own note, 440 bytes: version, size, then rax rbx rcx rdx rsi rdi rsp rbp r8..r15 rip rflags (8 bytes each,
 * from 8), ten segments of 24 bytes from 152 (selector, limit, flags, pad, base: cs ds es fs gs ss ldt tr gdt idt),
 * cr0..cr4 from 392, kernel_gs_base at 432. Register n of CPU c is 0xc000 + 0x100 * c + n.
 */
static void qemu_state(struct sample *s, size_t at, unsigned cpu)
{
        put32(s, at, 1);
        put32(s, at + 4, 440);
        for (unsigned i = 0; i < 18; i++)
                put64(s, at + 8 + 8 * i, 0xc000 + 0x100 * cpu + i);
        for (unsigned i = 0; i < 10; i++) {
                put32(s, at + 152 + 24 * i, 0x10 * (i + 1));
                put64(s, at + 152 + 24 * i + 16, UINT64_C(0xffff800000000000) + 0x1000 * i + cpu);
        }
        put64(s, at + 392, 0x80050033);
        put64(s, at + 408, 0xc2c2 + cpu);
        put64(s, at + 416, 0x1aa000 + 0x1000 * cpu);
        put64(s, at + 424, 0x6f8);
        put64(s, at + 432, UINT64_C(0xfffff80000001000) + cpu);
}

void sample_elf64(struct sample *s)
{
        size_t desc, at = 64 + 4 * 56, notes = at;
        clear(s);
        elf64_header(s, 62, 64, 4);
        for (unsigned cpu = 0; cpu < 2; cpu++) {
                at = note(s, at, "CORE", 1, 336, &desc);
                put32(s, desc + 32, cpu + 1);                /* pr_pid */
                put64(s, desc + 112 + 8 * 16, 0xbad0 + cpu); /* rip: QEMU's note knows better */
        }
        for (unsigned cpu = 0; cpu < 2; cpu++) {
                at = note(s, at, "QEMU", 0, 440, &desc);
                qemu_state(s, desc, cpu);
        }
        at = note(s, at, "VMCOREINFO", 0, 17, &desc);
        put_text(s, desc, "OSRELEASE=6.1.0-x");
        s->header = at;
        at += 3; /* data at an odd place, as QEMU leaves it */
        elf64_phdr(s, 64, 4, notes, 0, s->header - notes, 0);
        elf64_phdr(s, 120, 1, at, 0, 0x1000, 0x1000);
        elf64_phdr(s, 176, 1, at + 0x1000, 0x100000, 0x1000, 0x3000);
        elf64_phdr(s, 232, 1, at + 0x2000, UINT64_C(0x100000000), 0x1800, 0x1800);
        put_fill(s, at, 0x1000, 0x11);
        put_fill(s, at + 0x1000, 0x1000, 0x22);
        put_fill(s, at + 0x2000, 0x1800, 0x33);
}

/* PRSTATUS of i386, 144 bytes: ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss from 72, 4 each.
 */
void sample_elf32(struct sample *s)
{
        size_t desc, at = 52 + 2 * 32, notes = at;
        clear(s);
        put_text(s, 0, "\177ELF\1\1\1");
        put16(s, 16, 4);
        put16(s, 18, 3); /* EM_386 */
        put32(s, 28, 52);
        put16(s, 42, 32);
        put16(s, 44, 2);
        at = note(s, at, "CORE", 1, 144, &desc);
        put32(s, desc + 24, 1);
        for (unsigned i = 0; i < 17; i++)
                put32(s, desc + 72 + 4 * i, 0xe0 + i);
        s->header = at;
        put32(s, 52, 4); /* PT_NOTE: offset at 4, filesz at 16 */
        put32(s, 52 + 4, notes);
        put32(s, 52 + 16, at - notes);
        put32(s, 84, 1); /* PT_LOAD: offset 4, vaddr 8, paddr 12, filesz 16, memsz 20 */
        put32(s, 84 + 4, at);
        put32(s, 84 + 8, 0x80001000);
        put32(s, 84 + 12, 0x1000);
        put32(s, 84 + 16, 0x2000);
        put32(s, 84 + 20, 0x2000);
        put_fill(s, at, 0x1000, 0x44);
        put_fill(s, at + 0x1000, 0x1000, 0x55);
}

/* Section header 0 at 64 (sh_info at 44 in it), then the program headers: one page each, every second one twice. */
void sample_elf_many(struct sample *s)
{
        enum { COUNT = 20 };
        size_t phdrs = 128, data = phdrs + COUNT * 56;
        clear(s);
        elf64_header(s, 3, phdrs, 0xffff); /* EM_386 in the 64-bit class */
        put64(s, 40, 64);
        put32(s, 64 + 44, COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
                unsigned page = i / 2;
                elf64_phdr(s, phdrs + 56 * i, 1, data + 0x400 * page, 0x10000 + 0x800 * page, 0x400, 0x400);
        }
        for (unsigned i = 0; i < COUNT / 2; i++)
                put_fill(s, data + 0x400u * i, 0x400, (uint8_t)(i + 1));
        s->header = data;
}

/*
 * VirtualBox: VBCORE (type 0xb00: magic, format version, size, version, revision, CPUs) and VBCPU (0xb01): rax rbx rcx
 * rdx rsi rdi r8..r15 rip rsp rbp rflags, six selectors of 24 bytes from 144 (base first, selector at 16), cr0 cr2 cr3
 * cr4 from 288, gdtr 384, idtr 400, MSR_K8_KERNEL_GS_BASE at 536.
 */
void sample_elf_vbox(struct sample *s)
{
        size_t desc, at = 64 + 2 * 56, notes = at;
        clear(s);
        elf64_header(s, 62, 64, 2);
        at = note(s, at, "VBCORE", 0xb00, 24, &desc);
        put32(s, desc, 0xc01ac0de);
        put32(s, desc + 4, 0x10006);
        put32(s, desc + 20, 1);
        at = note(s, at, "VBCPU", 0xb01, 600, &desc);
        for (unsigned i = 0; i < 18; i++)
                put64(s, desc + 8 * i, 0xb0 + i);
        for (unsigned i = 0; i < 6; i++) {
                put64(s, desc + 144 + 24 * i, 0x10000 * (i + 1));
                put16(s, desc + 144 + 24 * i + 16, 8 * (i + 1));
        }
        for (unsigned i = 0; i < 4; i++)
                put64(s, desc + 288 + 8 * i, 0x80000000 + 0x1000 * i);
        put64(s, desc + 384, 0x6d7000);
        put64(s, desc + 400, 0x1d7000);
        put64(s, desc + 536, 0x65000);
        s->header = at;
        elf64_phdr(s, 64, 4, notes, 0, at - notes, 0);
        elf64_phdr(s, 120, 1, at, 0, 0x1000, 0x1000);
        put_fill(s, at, 0x1000, 0x66);
}

/* ---- crash dumps. Places: facts, REPORT.md section 5 and common-formats.json. */

static void dmp_filler(struct sample *s, size_t len)
{
        clear(s);
        for (size_t at = 0; at < len; at += 4)
                put_text(s, at, "PAGE");
        s->header = len;
}

/* What NT 4.0 knew already. */
static void dmp32_common(struct sample *s)
{
        dmp_filler(s, 0x1000);
        put_text(s, 4, "DUMP");
        put32(s, 0x08, 15);
        put32(s, 0x0c, 1381);
        put32(s, 0x10, 0x00030000);
        put32(s, 0x14, 0x83000000);
        put32(s, 0x18, 0x8014d8a0);
        put32(s, 0x1c, 0x8014fc80);
        put32(s, 0x20, 0x14c);
        put32(s, 0x24, 1);
        put32(s, 0x28, 0x1e);
        for (unsigned i = 0; i < 4; i++)
                put32(s, 0x2c + 4 * i, 0xc0000005 + i);
        put32(s, 0x320, 0x10017); /* CONTEXT.ContextFlags */
}

/* Two runs, of one and two pages, and their pages; base pages 1 and 0x100. */
static void dmp_runs(struct sample *s, size_t at, size_t word, size_t list, size_t header)
{
        put32(s, at, 2);
        put(s, at + (word == 8 ? 8 : 4), 3, word);
        const uint64_t runs[] = { 1, 1, 0x100, 2 };
        for (unsigned i = 0; i < 4; i++)
                put(s, list + word * i, runs[i], word);
        for (uint8_t i = 0; i < 3; i++)
                put_fill(s, header + 0x1000u * i, 0x1000, (uint8_t)(0xd1 + i));
}

void sample_dmp32_old(struct sample *s)
{
        dmp32_common(s);
        dmp_runs(s, 0x64, 4, 0x6c, 0x1000);
}

void sample_dmp32(struct sample *s)
{
        dmp32_common(s);
        put32(s, 0x0c, 2600);
        s->at[0x5c] = 1; /* PaeEnabled */
        put32(s, 0x60, 0x80545ce0);
        put32(s, 0x7d0, 0xc0000005);
        put_text(s, 0x820, "a comment");
        s->at[0x829] = 0;
        put32(s, 0xf88, 1);
        put32(s, 0xf94, 1);
        put32(s, 0xf98, 0x110);
        put64(s, 0xfb8, UINT64_C(600000000));
        put64(s, 0xfc0, UINT64_C(0x01c5000000000000));
        dmp_runs(s, 0x64, 4, 0x6c, 0x1000);
}

static void dmp64_common(struct sample *s, uint32_t type)
{
        dmp_filler(s, 0x2000);
        put_text(s, 4, "DU64");
        put32(s, 0x08, 15);
        put32(s, 0x0c, 19041);
        put64(s, 0x10, 0x1aa000);
        put64(s, 0x18, UINT64_C(0xffffe40000000000));
        put64(s, 0x20, UINT64_C(0xfffff80512345678));
        put64(s, 0x28, UINT64_C(0xfffff80512346000));
        put32(s, 0x30, 0x8664);
        put32(s, 0x34, 16);
        put32(s, 0x38, 0x1000007e);
        for (unsigned i = 0; i < 4; i++)
                put64(s, 0x40 + 8 * i, UINT64_C(0xffffffffc0000005) - i);
        put64(s, 0x80, UINT64_C(0xfffff80512347000));
        put64(s, 0x348, 0);
        put32(s, 0x348 + 0x30, 0x10005f); /* CONTEXT.ContextFlags */
        put32(s, 0xf00, 0xc0000005);
        put32(s, 0xf98, type);
        put64(s, 0xfa8, UINT64_C(0x01d5000000000000));
        put_text(s, 0xfb0, "sixty-four");
        s->at[0xfba] = 0;
        put64(s, 0x1030, UINT64_C(1200000000));
        put32(s, 0x1040, 3);
        put32(s, 0x1044, 0x110);
}

void sample_dmp64(struct sample *s)
{
        dmp64_common(s, 1);
        dmp_runs(s, 0x88, 8, 0x98, 0x2000);
}

/*
 * The second header: signature, "DUMP", HeaderSize (of all headers: the first page) at 0x20, pages at 0x28, bits at
 * 0x30, bitmap at 0x38. 77 bits, so that the last word and the last byte are broken ones: pages 1, 2, 63, 64, 76; the
 * bits behind the end are set too, and must not count.
 */
static void dmp_summary(struct sample *s, const char *magic, size_t at)
{
        static const uint8_t bitmap[10] = { 0x06, 0, 0, 0, 0, 0, 0, 0x80, 0x01, 0xf0 };
        size_t first = at + 0x60;
        put_text(s, at, magic);
        put64(s, at + 0x20, first);
        put64(s, at + 0x28, 5);
        put64(s, at + 0x30, 77);
        memcpy(s->at + at + 0x38, bitmap, sizeof bitmap);
        s->header = first;
        for (uint8_t i = 0; i < 5; i++)
                put_fill(s, first + 0x1000u * i, 0x1000, (uint8_t)(0xb1 + i));
}

void sample_dmp64_bitmap(struct sample *s)
{
        dmp64_common(s, 6);
        dmp_summary(s, "SDMPDUMP", 0x2000);
}

void sample_dmp32_bitmap(struct sample *s)
{
        sample_dmp32(s);
        memset(s->at + 0x1000, 0, SAMPLE_MAX - 0x1000);
        s->len = 0x1000;
        put32(s, 0xf88, 5);
        dmp_summary(s, "FDMPDUMP", 0x1000);
}

/*
 * Its older form: HeaderSize, BitmapSize (bits) and Pages of four bytes from 0x0c, then an RTL_BITMAP: the bits again
 * at 0x18, a pointer, and the bitmap at 0x20 (32-bit) or 0x28 (64-bit). The same pages as above.
 */
static void dmp_summary_old(struct sample *s, size_t at, size_t bitmap_at)
{
        dmp_summary(s, "SDMPDUMP", at);
        uint8_t bitmap[10];
        memcpy(bitmap, s->at + at + 0x38, sizeof bitmap);
        memset(s->at + at + 8, 0, 0x58);
        put32(s, at + 0x08, 1);
        put32(s, at + 0x0c, at + 0x60);
        put32(s, at + 0x10, 77);
        put32(s, at + 0x14, 5);
        put32(s, at + 0x18, 77);
        memcpy(s->at + at + bitmap_at, bitmap, sizeof bitmap);
}

void sample_dmp64_summary(struct sample *s)
{
        dmp64_common(s, 2);
        dmp_summary_old(s, 0x2000, 0x28);
}

void sample_dmp32_summary(struct sample *s)
{
        sample_dmp32(s);
        memset(s->at + 0x1000, 0, SAMPLE_MAX - 0x1000);
        s->len = 0x1000;
        put32(s, 0xf88, 2);
        dmp_summary_old(s, 0x1000, 0x20);
}

/*
 * The debugger's second header: 0x40, "RDMPDUMP", MetadataSize at 0x10 (from 0x20 on), first page at 0x18; type 10 has
 * the number of ranges at 0x20 and of pages at 0x28. Ranges of frame and count from 0x30, ended by frame 0.
 */
static void dmp_ranges(struct sample *s, uint32_t type)
{
        static const uint64_t ranges[] = { 1, 2, 0x3f, 2, 0x4c, 1 };
        dmp64_common(s, type);
        put32(s, 0x2000, 0x40);
        put_text(s, 0x2004, "RDMPDUMP");
        put64(s, 0x2010, 0x60);
        put64(s, 0x2018, 0x2080);
        for (unsigned i = 0; i < 6; i++)
                put64(s, 0x2030 + 8 * i, ranges[i]);
        s->header = 0x2080;
        for (uint8_t i = 0; i < 5; i++)
                put_fill(s, 0x2080 + 0x1000u * i, 0x1000, (uint8_t)(0xb1 + i));
}

void sample_dmp64_ranges(struct sample *s) { dmp_ranges(s, 8); }

void sample_dmp64_ranges_ka(struct sample *s) { dmp_ranges(s, 9); }

void sample_dmp64_ranges_f(struct sample *s)
{
        dmp_ranges(s, 10);
        put32(s, 0x2020, 3);
        put64(s, 0x2028, 5);
}

/*
 * Behind the third page, at 0x5000: "DumpBlob", 0x10, build; then blobs: header size 0x20, GUID at 4, data size at
 * 0x14, pads before and after the data at 0x18 and 0x1c. Their data is at 0x5030 (5 bytes), 0x5060 (none), 0x5084
 * (0x10).
 */
void sample_dmp64_secondary(struct sample *s)
{
        static const struct {
                size_t at, len, before, after;
        } blobs[] = { { 0x5010, 5, 0, 3 }, { 0x5038, 0, 8, 0 }, { 0x5060, 0x10, 4, 0 } };
        sample_dmp64(s);
        put32(s, 0x1050, 1 << 4); /* LiveDumpGeneratedDump */
        put_text(s, 0x5000, "DumpBlob");
        put32(s, 0x5008, 0x10);
        put32(s, 0x500c, 0xf0004a61);
        for (uint8_t i = 0; i < 3; i++) {
                put32(s, blobs[i].at, 0x20);
                for (uint8_t j = 0; j < 16; j++)
                        s->at[blobs[i].at + 4 + j] = (uint8_t)(0x10 * (i + 1) + j);
                put32(s, blobs[i].at + 0x14, blobs[i].len);
                put32(s, blobs[i].at + 0x18, blobs[i].before);
                put32(s, blobs[i].at + 0x1c, blobs[i].after);
                put_fill(s, blobs[i].at + 0x20 + blobs[i].before, blobs[i].len, (uint8_t)(0xe1 + i));
        }
        s->header = s->len;
}

/* ---- LiME, doc/README.md: magic, version, first and last address (inclusive), eight reserved bytes. */

static size_t lime_range(struct sample *s, size_t at, uint64_t first, uint64_t last, uint8_t fill)
{
        put32(s, at, 0x4c694d45);
        put32(s, at + 4, 1);
        put64(s, at + 8, first);
        put64(s, at + 16, last);
        put64(s, at + 24, 0);
        put_fill(s, at + 32, (size_t)(last - first + 1), fill);
        return at + 32 + (size_t)(last - first + 1);
}

void sample_lime(struct sample *s)
{
        clear(s);
        size_t at = lime_range(s, 0, 0x1000, 0x1fff, 0xa1);
        at = lime_range(s, at, 0x100000, 0x1017ff, 0xa2);
        (void)lime_range(s, at, UINT64_C(0x100000000), UINT64_C(0x100000fff), 0xa3);
        s->header = at + 32;
}

/*
 * The same ranges joined, with the kernel's list of them in their first page. struct resource of 4.6 and later, x86-64
 * (linux/ioport.h): start, end, name, flags, desc, parent, sibling, child.
 */
static void resource(struct sample *s, size_t at, uint64_t start, uint64_t end, uint64_t name, uint64_t flags)
{
        put64(s, at, start);
        put64(s, at + 8, end);
        put64(s, at + 16, name);
        put64(s, at + 24, flags);
        put64(s, at + 32, 0);
        put64(s, at + 40, UINT64_C(0xffffffff82651c40)); /* iomem_resource */
        put64(s, at + 48, UINT64_C(0xffff888000001000) + at + 64);
        put64(s, at + 56, 0);
}

void sample_lime_raw(struct sample *s)
{
        const uint64_t ram = UINT64_C(0xffffffff81f35438), reserved = UINT64_C(0xffffffff81f35442);
        clear(s);
        put_fill(s, 0, 0x1000, 0xa1);
        put_fill(s, 0x1000, 0x1800, 0xa2);
        put_fill(s, 0x2800, 0x1000, 0xa3);
        resource(s, 0x20, 0, 0xfff, reserved, 0x80000200);
        resource(s, 0x60, 0x1000, 0x1fff, ram, 0x81000200);
        resource(s, 0xa0, 0x2000, 0xfffff, reserved, 0x80000200);
        resource(s, 0xe0, 0x100000, 0x1017ff, ram, 0x81000200);
        resource(s, 0x120, UINT64_C(0x100000000), UINT64_C(0x100000fff), ram, 0x81000200);
        s->header = 0x160;
}

const struct sample_kind sample_kinds[] = {
        { "raw", "raw", sample_raw },
        { "elf64", "elf", sample_elf64 },
        { "elf32", "elf", sample_elf32 },
        { "elf-many", "elf", sample_elf_many },
        { "elf-vbox", "elf", sample_elf_vbox },
        { "elf-flat", "elf", sample_elf_flat },
        { "dmp32-summary", "dmp", sample_dmp32_summary },
        { "dmp64-summary", "dmp", sample_dmp64_summary },
        { "dmp64-ranges", "dmp", sample_dmp64_ranges },
        { "dmp64-ranges-ka", "dmp", sample_dmp64_ranges_ka },
        { "dmp64-ranges-f", "dmp", sample_dmp64_ranges_f },
        { "dmp64-secondary", "dmp", sample_dmp64_secondary },
        { "dmp32", "dmp", sample_dmp32 },
        { "dmp32-old", "dmp", sample_dmp32_old },
        { "dmp64", "dmp", sample_dmp64 },
        { "dmp32-bitmap", "dmp", sample_dmp32_bitmap },
        { "dmp64-bitmap", "dmp", sample_dmp64_bitmap },
        { "dmp32-triage", "dmp", sample_dmp32_triage },
        { "dmp64-triage", "dmp", sample_dmp64_triage },
        { "lime", "lime", sample_lime },
        { "lime-raw", "lime-raw", sample_lime_raw },
        { "kdump64", "kdump", sample_kdump64 },
        { "kdump32", "kdump", sample_kdump32 },
        { "kdump-flat", "kdump", sample_kdump_flat },
        { NULL, NULL, NULL },
};
