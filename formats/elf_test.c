/* SPDX-License-Identifier: MIT */
#include "../src/test/reader.h"

/* Places in sample_elf64: program headers at 64 + 56 * i (type +0, offset +8, paddr +24, filesz +32, memsz +40). */
enum { PHDR = 64, PHDR_LEN = 56, P_OFFSET = 8, P_PADDR = 24, P_FILESZ = 32, P_MEMSZ = 40 };
#define DATA (sample.header + 3)

START_TEST(qemu_runs)
{
        sample_elf64(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format(image), "elf");
        ck_assert_str_eq(stasis_image_format_title(image), "ELF core, 64-bit, x64");
        RUNS(image, { 0, 0x1000, DATA }, { 0x100000, 0x1000, DATA + 0x1000 },
             { UINT64_C(0x100000000), 0x1800, DATA + 0x2000 });
        has_gap(image, 0, 0x101000, 0x2000, "not in the file (p_filesz is smaller than p_memsz)");
        has_remark(image, NULL);
        ck_assert_uint_eq(byte_at(image, 0x100fff), 0x22);
        stasis_image_close(image);
}
END_TEST

/* sample_elf_flat: each piece behind a header of 16 bytes; sample.header is where the headers and notes begun end. */
START_TEST(flattened)
{
        enum { NOTES_LEFT = 16 + 1179 };
        sample_elf_flat(&sample);
        const size_t data = sample.header + NOTES_LEFT + 16;
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_str_eq(stasis_image_format(image), "elf");
        ck_assert_str_eq(stasis_image_format_title(image), "flattened ELF core, 64-bit, x64");
        RUNS(image, { 0, 0x7ff, data }, { 0x7ff, 1, data + 0x7ff + 16 + 0x800 + 16 }, { 0x800, 0x800, data + 0x80f },
             { 0x100000, 0x1000, data + 0x1030 }, { UINT64_C(0x100000000), 0x1700, data + 0x2040 });
        has_gap(image, 0, 0x101000, 0x2000, "not in the file (p_filesz is smaller than p_memsz)");
        has_gap(image, 1, UINT64_C(0x100001700), 0x100, "not in the flattened file");
        has_remark(image, NULL);
        ck_assert_uint_eq(byte_at(image, 0x7ff), 0x11);
        ck_assert_uint_eq(byte_at(image, 0x100fff), 0x22);
        ck_assert_uint_eq(hints->cpu_count, 2);
        ck_assert_uint_eq(hints->cpu[1].rip, 0xc110); /* of notes that are torn */
        ck_assert_uint_eq(hints->vmcoreinfo.len, 17);
        ck_assert_int_eq(memcmp(hints->vmcoreinfo.at, "OSRELEASE=6.1.0-x", 17), 0);
        stasis_image_close(image);
}
END_TEST

static void put_piece(size_t *at, uint64_t offset, const uint8_t *bytes, size_t len)
{
        for (size_t i = 0; i < 16; i++)
                put(&sample, *at + i, (i < 8 ? offset : len) >> 8 * (7 - i % 8) & 0xff, 1);
        memcpy(sample.at + *at + 16, bytes, len);
        *at += 16 + len;
        sample.len = *at;
}

/* A file of many small pieces in which every segment holds all of it would make runs by the million. */
START_TEST(flattened_in_each_other)
{
        enum { LOADS = 300, PIECES = 1000 };
        static uint8_t head[64 + LOADS * PHDR_LEN];
        static struct sample plain;
        struct stasis_image *image = NULL;
        sample_elf64(&plain);
        memset(&sample, 0, sizeof sample);
        memcpy(head, plain.at, 64);
        head[56] = LOADS & 0xff; /* e_phnum */
        head[57] = LOADS >> 8;
        for (size_t i = 0; i < LOADS; i++) {
                uint8_t *phdr = head + 64 + i * PHDR_LEN;
                memcpy(phdr, plain.at + PHDR + PHDR_LEN, PHDR_LEN);
                memset(phdr + P_OFFSET, 0, 8);
                phdr[P_FILESZ + 2] = phdr[P_MEMSZ + 2] = 1;
                phdr[P_PADDR + 3] = (uint8_t)i;
        }
        put_text(&sample, 0, "makedumpfile");
        sample.at[23] = sample.at[31] = 1;
        size_t at = 4096;
        put_piece(&at, 0, head, sizeof head);
        for (size_t i = 0; i < PIECES; i++)
                put_piece(&at, sizeof head + 2 * i, head, 1);
        struct stasis_error err = { 0 };
        ck_assert_int_eq(stasis_image_open_memory(sample.at, sample.len, "t", NULL, &image, &err), STASIS_CORRUPT);
        ck_assert_str_eq(err.text, "t: the segments of a flattened file lie in each other");
}
END_TEST

/* What the note of CPU c says: register n is 0xc000 + 0x100 * c + n in the order rax rbx rcx rdx rsi rdi rsp rbp ... */
START_TEST(qemu_registers)
{
        static const unsigned order[16] = { 0, 1, 2, 3, 4, 5, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        sample_elf64(&sample);
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_uint_eq(hints->cpu_count, 2);
        for (unsigned c = 0; c < 2; c++) {
                const struct stasis_cpu *cpu = &hints->cpu[c];
                ck_assert_str_eq(cpu->origin, "QEMU note");
                ck_assert_uint_eq(cpu->known, STASIS_CPU_GPR | STASIS_CPU_SEGMENT | STASIS_CPU_CONTROL |
                                                      STASIS_CPU_BASES | STASIS_CPU_KERNEL_GS);
                for (unsigned i = 0; i < 16; i++)
                        ck_assert_uint_eq(cpu->gpr[i], 0xc000 + 0x100 * c + order[i]);
                ck_assert_uint_eq(cpu->rip, 0xc010 + 0x100 * c);
                ck_assert_uint_eq(cpu->rflags, 0xc011 + 0x100 * c);
                const uint16_t segments[] = { cpu->cs, cpu->ds, cpu->es, cpu->fs, cpu->gs, cpu->ss };
                for (unsigned i = 0; i < 6; i++)
                        ck_assert_uint_eq(segments[i], 0x10 * (i + 1));
                ck_assert_uint_eq(cpu->fs_base, UINT64_C(0xffff800000003000) + c);
                ck_assert_uint_eq(cpu->gs_base, UINT64_C(0xffff800000004000) + c);
                ck_assert_uint_eq(cpu->gdt_base, UINT64_C(0xffff800000008000) + c);
                ck_assert_uint_eq(cpu->idt_base, UINT64_C(0xffff800000009000) + c);
                ck_assert_uint_eq(cpu->cr[0], 0x80050033);
                ck_assert_uint_eq(cpu->cr[2], 0xc2c2 + c);
                ck_assert_uint_eq(cpu->cr[3], 0x1aa000 + 0x1000 * c);
                ck_assert_uint_eq(cpu->cr[4], 0x6f8);
                ck_assert_uint_eq(cpu->kernel_gs_base, UINT64_C(0xfffff80000001000) + c);
        }
        ck_assert_uint_eq(hints->known, STASIS_HINT_MACHINE | STASIS_HINT_PROCESSORS | STASIS_HINT_ROOT |
                                                STASIS_HINT_PAE | STASIS_HINT_VMCOREINFO);
        ck_assert_int_eq(hints->machine, STASIS_MACHINE_X64);
        ck_assert_uint_eq(hints->root, 0x1aa000);
        ck_assert_uint_eq(hints->processors, 2);
        ck_assert(hints->pae);
        ck_assert_uint_eq(hints->vmcoreinfo.len, 17);
        ck_assert_mem_eq(hints->vmcoreinfo.at, "OSRELEASE=6.1.0-x", 17);
        stasis_image_close(image);
}
END_TEST

/* The same notes with QEMU's first: the richer one wins in either order. */
START_TEST(qemu_notes_first)
{
        enum { NOTES = 64 + 4 * 56, PRSTATUS = 2 * (12 + 8 + 336), QEMU = 2 * (12 + 8 + 440) };
        static uint8_t copy[PRSTATUS];
        sample_elf64(&sample);
        memcpy(copy, sample.at + NOTES, PRSTATUS);
        memmove(sample.at + NOTES, sample.at + NOTES + PRSTATUS, QEMU);
        memcpy(sample.at + NOTES + QEMU, copy, PRSTATUS);
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_uint_eq(hints->cpu_count, 2);
        ck_assert_str_eq(hints->cpu[1].origin, "QEMU note");
        ck_assert_uint_eq(hints->cpu[1].rip, 0xc110);
        stasis_image_close(image);
}
END_TEST

START_TEST(class32)
{
        sample_elf32(&sample);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_str_eq(stasis_image_format_title(image), "ELF core, 32-bit, x86");
        RUNS(image, { 0x1000, 0x2000, sample.header });
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_uint_eq(hints->cpu_count, 1);
        const struct stasis_cpu *cpu = &hints->cpu[0];
        ck_assert_str_eq(cpu->origin, "NT_PRSTATUS");
        ck_assert_uint_eq(cpu->known, STASIS_CPU_GPR | STASIS_CPU_SEGMENT);
        /* ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss = 0xe0 ... */
        const uint64_t want[] = { 0xe6, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xef };
        for (unsigned i = 0; i < 8; i++)
                ck_assert_uint_eq(cpu->gpr[i], want[i]);
        ck_assert_uint_eq(cpu->rip, 0xec);
        ck_assert_uint_eq(cpu->rflags, 0xee);
        ck_assert_uint_eq(cpu->cs, 0xed);
        ck_assert_uint_eq(cpu->ds, 0xe7);
        ck_assert_uint_eq(cpu->gs, 0xea);
        ck_assert_uint_eq(cpu->ss, 0xf0);
        ck_assert(!(hints->known & STASIS_HINT_ROOT));
        stasis_image_close(image);
}
END_TEST

START_TEST(many_segments)
{
        sample_elf_many(&sample);
        struct stasis_image *image = open_sample(&sample);
        size_t count;
        const struct stasis_run *run = stasis_image_runs(image, &count);
        ck_assert_uint_eq(count, 10);
        ck_assert_uint_eq(run[9].pa, 0x10000 + 9 * 0x800);
        ck_assert_uint_eq(byte_at(image, run[9].pa), 10);
        has_remark(image, "10 runs are listed more than once, with the same place in the file");
        ck_assert_str_eq(stasis_image_format_title(image), "ELF core, 64-bit, x86"); /* EM_386 in the 64-bit class */
        stasis_image_close(image);

        put64(&sample, 40, 0x100000); /* section 0 is not there: what is there is tried */
        image = open_sample(&sample);
        (void)stasis_image_runs(image, &count);
        ck_assert_uint_ge(count, 10);
        stasis_image_close(image);
}
END_TEST

START_TEST(virtualbox)
{
        sample_elf_vbox(&sample);
        struct stasis_image *image = open_sample(&sample);
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_uint_eq(hints->processors, 1);
        ck_assert_uint_eq(hints->cpu_count, 1);
        const struct stasis_cpu *cpu = &hints->cpu[0];
        ck_assert_str_eq(cpu->origin, "VirtualBox note");
        /* rax rbx rcx rdx rsi rdi r8..r15 rip rsp rbp rflags = 0xb0 ... */
        const uint64_t want[] = { 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xc0, 0xbf,
                                  0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd };
        for (unsigned i = 0; i < 16; i++)
                ck_assert_uint_eq(cpu->gpr[i], want[i]);
        ck_assert_uint_eq(cpu->rip, 0xbe);
        ck_assert_uint_eq(cpu->rflags, 0xc1);
        ck_assert_uint_eq(cpu->cs, 8);
        ck_assert_uint_eq(cpu->ss, 48);
        ck_assert_uint_eq(cpu->fs_base, 0x40000);
        ck_assert_uint_eq(cpu->gs_base, 0x50000);
        ck_assert_uint_eq(cpu->cr[0], 0x80000000);
        ck_assert_uint_eq(cpu->cr[2], 0x80001000);
        ck_assert_uint_eq(cpu->cr[3], 0x80002000);
        ck_assert_uint_eq(cpu->cr[4], 0x80003000);
        ck_assert_uint_eq(cpu->gdt_base, 0x6d7000);
        ck_assert_uint_eq(cpu->idt_base, 0x1d7000);
        ck_assert_uint_eq(cpu->kernel_gs_base, 0x65000);
        ck_assert_uint_eq(hints->root, 0x80002000);
        stasis_image_close(image);

        put32(&sample, 64 + 2 * 56 + 12 + 8 + 4, 0x10000); /* format version: registers of a shape unknown to us */
        image = open_sample(&sample);
        has_remark(image, "VirtualBox core of format version 0x10000: its CPU registers are not read");
        ck_assert_uint_eq(stasis_image_hints(image)->cpu_count, 0);
        stasis_image_close(image);
}
END_TEST

START_TEST(short_qemu_note)
{
        sample_elf64(&sample);
        /* The first QEMU note lies behind two PRSTATUS notes of 12 + 8 + 336 bytes; only its size word shrinks. */
        size_t note = 64 + 4 * 56 + 2 * (12 + 8 + 336);
        ck_assert_uint_eq(sample.at[note + 4], 440 & 0xff);
        put32(&sample, note + 4, 436);
        struct stasis_image *image = open_sample(&sample);
        /* The next note now begins four bytes early and makes no sense: nothing of it is believed. */
        const struct stasis_hints *hints = stasis_image_hints(image);
        ck_assert_uint_eq(hints->cpu_count, 2);
        ck_assert_uint_eq(hints->cpu[0].known & STASIS_CPU_KERNEL_GS, 0);
        ck_assert_uint_eq(hints->cpu[0].cr[3], 0x1aa000);
        ck_assert_str_eq(hints->cpu[1].origin, "NT_PRSTATUS");
        ck_assert_uint_eq(hints->cpu[1].rip, 0xbad1);
        stasis_image_close(image);
}
END_TEST

START_TEST(cut_tail)
{
        sample_elf64(&sample);
        size_t data = DATA;
        sample.len = data + 0x1800;
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0, 0x1000, data }, { 0x100000, 0x800, data + 0x1000 });
        has_gap(image, 0, 0x100800, 0x800, "cut off: the file ends");
        has_gap(image, 1, 0x101000, 0x2000, "not in the file (p_filesz is smaller than p_memsz)");
        has_gap(image, 2, UINT64_C(0x100000000), 0x1800, "cut off: the file ends");
        stasis_image_close(image);
}
END_TEST

START_TEST(cut_headers)
{
        sample_elf64(&sample);
        put64(&sample, 32, sample.len - 100); /* e_phoff: one whole header fits, and part of a second */
        memmove(sample.at + sample.len - 100, sample.at + PHDR + PHDR_LEN, PHDR_LEN);
        struct stasis_image *image = open_sample(&sample);
        has_remark(image, "cut off inside the program headers: 1 of 4 are there");
        RUNS(image, { 0, 0x1000, DATA });
        stasis_image_close(image);

        sample_elf64(&sample);
        sample.len = 63;
        fails(&sample, STASIS_CORRUPT, "t: cut off inside the ELF header");
        sample.len = 80;
        fails(&sample, STASIS_CORRUPT, "t: cut off: the program headers should be at 0x40");
        sample.len = 19;
        fails(&sample, STASIS_CORRUPT, "t: no ELF header");
}
END_TEST

START_TEST(odd_addresses)
{
        sample_elf64(&sample);
        put64(&sample, PHDR + PHDR_LEN + P_PADDR, UINT64_MAX);
        put64(&sample, PHDR + 2 * PHDR_LEN + P_PADDR, UINT64_MAX - 0x1000);
        struct stasis_image *image = open_sample(&sample);
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_uint_eq(count, 2);
        ck_assert_str_eq(remark[0], "1 segments have no physical address, and were skipped");
        ck_assert_str_eq(remark[1], "1 segments wrap around the address space, and were skipped");
        RUNS(image, { UINT64_C(0x100000000), 0x1800, DATA + 0x2000 });
        stasis_image_close(image);
}
END_TEST

/* Contradicting segments: the one that begins lower keeps its bytes. */
START_TEST(contradiction)
{
        sample_elf64(&sample);
        put64(&sample, PHDR + 2 * PHDR_LEN + P_PADDR, 0x800);
        put64(&sample, PHDR + 2 * PHDR_LEN + P_MEMSZ, 0x1000);
        struct stasis_image *image = open_sample(&sample);
        RUNS(image, { 0, 0x1000, DATA }, { 0x1000, 0x800, DATA + 0x1800 },
             { UINT64_C(0x100000000), 0x1800, DATA + 0x2000 });
        stasis_image_close(image);
}
END_TEST

START_TEST(user_process)
{
        sample_elf64(&sample);
        for (size_t i = 1; i < 4; i++)
                put64(&sample, PHDR + i * PHDR_LEN + P_PADDR, 0);
        struct stasis_image *image = open_sample(&sample);
        size_t count;
        const char *const *remark = stasis_image_remarks(image, &count);
        ck_assert_str_eq(remark[0],
                         "every segment has physical address 0: this looks like the core of one user process, not "
                         "of a machine");
        stasis_image_close(image);
}
END_TEST

START_TEST(refused)
{
        sample_elf64(&sample);
        sample.at[5] = 2;
        fails(&sample, STASIS_UNSUPPORTED, "t: a big-endian ELF file: only little-endian machines are read");
        sample_elf64(&sample);
        sample.at[4] = 3;
        fails(&sample, STASIS_CORRUPT, "t: ELF header: class 3, byte order 1");
        sample_elf64(&sample);
        put16(&sample, 16, 2);
        fails(&sample, STASIS_UNSUPPORTED, "t: an ELF file of type 2, not a core (4): no memory image");
        sample_elf64(&sample);
        put16(&sample, 56, 0);
        fails(&sample, STASIS_CORRUPT, "t: an ELF core without segments");
        put16(&sample, 56, 4);
        put16(&sample, 54, 55);
        fails(&sample, STASIS_CORRUPT, "t: program headers of 55 bytes; they have 56 at least");
        sample_elf64(&sample);
        for (size_t i = 1; i < 4; i++)
                put64(&sample, PHDR + i * PHDR_LEN + P_FILESZ, 0);
        fails(&sample, STASIS_CORRUPT, "t: holds no physical memory");
}
END_TEST

START_TEST(machines)
{
        sample_elf64(&sample);
        put16(&sample, 18, 183);
        struct stasis_image *image = open_sample(&sample);
        ck_assert_int_eq(stasis_image_hints(image)->machine, STASIS_MACHINE_ARM64);
        stasis_image_close(image);
        put16(&sample, 18, 22);
        image = open_sample(&sample);
        ck_assert(!(stasis_image_hints(image)->known & STASIS_HINT_MACHINE));
        has_remark(image, "machine 22 of the ELF header is none that is known here");
        stasis_image_close(image);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("elf");
        TCase *tcase = tcase_create("elf");
        suite_add_tcase(suite, tcase);
        tcase_add_test(tcase, qemu_runs);
        tcase_add_test(tcase, flattened);
        tcase_add_test(tcase, flattened_in_each_other);
        tcase_add_test(tcase, qemu_registers);
        tcase_add_test(tcase, qemu_notes_first);
        tcase_add_test(tcase, class32);
        tcase_add_test(tcase, many_segments);
        tcase_add_test(tcase, virtualbox);
        tcase_add_test(tcase, short_qemu_note);
        tcase_add_test(tcase, cut_tail);
        tcase_add_test(tcase, cut_headers);
        tcase_add_test(tcase, odd_addresses);
        tcase_add_test(tcase, contradiction);
        tcase_add_test(tcase, user_process);
        tcase_add_test(tcase, refused);
        tcase_add_test(tcase, machines);
        return run_tests(suite);
}
