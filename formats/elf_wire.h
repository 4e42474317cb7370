/* SPDX-License-Identifier: MIT */
/*
 * ELF cores as they lie in the file. Headers: System V ABI (gabi 4.1), chapters 4 and 5. Notes:
 *   NT_PRSTATUS  Linux struct elf_prstatus (include/uapi/linux/elfcore.h), x86-64 and i386; seen in QEMU's files
 *   QEMU         type 0, QEMUCPUState of QEMU's target/i386/arch_dump.c; kernel_gs_base was added later at the end (by
 *                the size in the note); checked here against `info registers` of two real machines
 *   VBCORE       VirtualBox include/VBox/vmm/dbgfcorefmt.h: types 0xb00 (descriptor) and 0xb01 (VBCPU); the same member
 *                places in format versions 0x10004 to 0x10006. From the header alone: no real file was seen
 *   VMCOREINFO   text, KEY=VALUE lines (Linux Documentation/admin-guide/kdump/vmcoreinfo.rst)
 */
#ifndef STASIS_FORMATS_ELF_WIRE_H
#define STASIS_FORMATS_ELF_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_MAGIC "\177ELF"
enum { EI_CLASS = 4, EI_DATA = 5, E_TYPE = 16, E_MACHINE = 18, ELF_IDENT_END = 20 };
enum { ELF_CLASS32 = 1, ELF_CLASS64 = 2, ELF_LITTLE = 1, ELF_BIG = 2, ELF_CORE = 4 };
enum { ELF_386 = 3, ELF_X86_64 = 62, ELF_AARCH64 = 183 };
enum { ELF_LOAD = 1, ELF_NOTE = 4, ELF_PHNUM_ELSEWHERE = 0xffff };

struct elf64_ehdr {
        uint8_t ident[16], type[2], machine[2], version[4], entry[8], phoff[8], shoff[8], flags[4], ehsize[2];
        uint8_t phentsize[2], phnum[2], shentsize[2], shnum[2], shstrndx[2];
};
static_assert(offsetof(struct elf64_ehdr, type) == E_TYPE, "");
static_assert(offsetof(struct elf64_ehdr, machine) == E_MACHINE, "");
static_assert(offsetof(struct elf64_ehdr, phoff) == 32, "");
static_assert(offsetof(struct elf64_ehdr, shoff) == 40, "");
static_assert(offsetof(struct elf64_ehdr, phentsize) == 54, "");
static_assert(offsetof(struct elf64_ehdr, phnum) == 56, "");
static_assert(sizeof(struct elf64_ehdr) == 64, "");

struct elf32_ehdr {
        uint8_t ident[16], type[2], machine[2], version[4], entry[4], phoff[4], shoff[4], flags[4], ehsize[2];
        uint8_t phentsize[2], phnum[2], shentsize[2], shnum[2], shstrndx[2];
};
static_assert(offsetof(struct elf32_ehdr, phoff) == 28, "");
static_assert(offsetof(struct elf32_ehdr, shoff) == 32, "");
static_assert(offsetof(struct elf32_ehdr, phentsize) == 42, "");
static_assert(offsetof(struct elf32_ehdr, phnum) == 44, "");
static_assert(sizeof(struct elf32_ehdr) == 52, "");

struct elf64_phdr {
        uint8_t type[4], flags[4], offset[8], vaddr[8], paddr[8], filesz[8], memsz[8], align[8];
};
static_assert(offsetof(struct elf64_phdr, offset) == 8, "");
static_assert(offsetof(struct elf64_phdr, vaddr) == 16, "");
static_assert(offsetof(struct elf64_phdr, paddr) == 24, "");
static_assert(offsetof(struct elf64_phdr, filesz) == 32, "");
static_assert(offsetof(struct elf64_phdr, memsz) == 40, "");
static_assert(sizeof(struct elf64_phdr) == 56, "");

struct elf32_phdr {
        uint8_t type[4], offset[4], vaddr[4], paddr[4], filesz[4], memsz[4], flags[4], align[4];
};
static_assert(offsetof(struct elf32_phdr, offset) == 4, "");
static_assert(offsetof(struct elf32_phdr, vaddr) == 8, "");
static_assert(offsetof(struct elf32_phdr, paddr) == 12, "");
static_assert(offsetof(struct elf32_phdr, filesz) == 16, "");
static_assert(offsetof(struct elf32_phdr, memsz) == 20, "");
static_assert(sizeof(struct elf32_phdr) == 32, "");

/* Of a section header only sh_info of section 0 matters: the real e_phnum. */
enum { ELF64_SH_INFO = 44, ELF32_SH_INFO = 28 };

/* A note: three words, the name, the descriptor; both padded to four bytes. */
struct elf_nhdr {
        uint8_t namesz[4], descsz[4], type[4];
};
static_assert(sizeof(struct elf_nhdr) == 12, "");

enum { NOTE_PRSTATUS = 1, NOTE_QEMU = 0, NOTE_VBOX_CORE = 0xb00, NOTE_VBOX_CPU = 0xb01 };

struct prstatus_x64 {
        uint8_t info[12], cursig[4], sigpend[8], sighold[8], pid[4], ppid[4], pgrp[4], sid[4], times[64];
        uint8_t r15[8], r14[8], r13[8], r12[8], rbp[8], rbx[8], r11[8], r10[8], r9[8], r8[8], rax[8], rcx[8], rdx[8];
        uint8_t rsi[8], rdi[8], orig_rax[8], rip[8], cs[8], rflags[8], rsp[8], ss[8], fs_base[8], gs_base[8];
        uint8_t ds[8], es[8], fs[8], gs[8], fpvalid[8];
};
static_assert(offsetof(struct prstatus_x64, pid) == 32, "");
static_assert(offsetof(struct prstatus_x64, r15) == 112, "");
static_assert(offsetof(struct prstatus_x64, rip) == 240, "");
static_assert(offsetof(struct prstatus_x64, rsp) == 264, "");
static_assert(sizeof(struct prstatus_x64) == 336, "");

struct prstatus_x86 {
        uint8_t info[12], cursig[4], sigpend[4], sighold[4], pid[4], ppid[4], pgrp[4], sid[4], times[32];
        uint8_t ebx[4], ecx[4], edx[4], esi[4], edi[4], ebp[4], eax[4], ds[4], es[4], fs[4], gs[4], orig_eax[4];
        uint8_t eip[4], cs[4], eflags[4], esp[4], ss[4], fpvalid[4];
};
static_assert(offsetof(struct prstatus_x86, pid) == 24, "");
static_assert(offsetof(struct prstatus_x86, ebx) == 72, "");
static_assert(offsetof(struct prstatus_x86, eip) == 120, "");
static_assert(sizeof(struct prstatus_x86) == 144, "");

struct qemu_segment {
        uint8_t selector[4], limit[4], flags[4], pad[4], base[8];
};
static_assert(sizeof(struct qemu_segment) == 24, "");

struct qemu_cpu {
        uint8_t version[4], size[4];
        uint8_t rax[8], rbx[8], rcx[8], rdx[8], rsi[8], rdi[8], rsp[8], rbp[8];
        uint8_t r8[8], r9[8], r10[8], r11[8], r12[8], r13[8], r14[8], r15[8], rip[8], rflags[8];
        struct qemu_segment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
        uint8_t cr0[8], cr1[8], cr2[8], cr3[8], cr4[8];
        uint8_t kernel_gs_base[8]; /* newer versions only */
};
static_assert(offsetof(struct qemu_cpu, rip) == 136, "");
static_assert(offsetof(struct qemu_cpu, cs) == 152, "");
static_assert(offsetof(struct qemu_cpu, cr0) == 392, "");
static_assert(offsetof(struct qemu_cpu, cr3) == 416, "");
static_assert(offsetof(struct qemu_cpu, kernel_gs_base) == 432, "");
static_assert(sizeof(struct qemu_cpu) == 440, "");

struct vbox_core {
        uint8_t magic[4], format_version[4], size[4], version[4], revision[4], cpus[4];
};
static_assert(sizeof(struct vbox_core) == 24, "");
#define VBOX_CORE_MAGIC 0xc01ac0deU
enum { VBOX_FORMAT_FIRST = 0x10004, VBOX_FORMAT_LAST = 0x10006 };

struct vbox_segment {
        uint8_t base[8], limit[4], attributes[4], selector[2], reserved[6];
};
static_assert(sizeof(struct vbox_segment) == 24, "");
struct vbox_table {
        uint8_t base[8], limit[4], reserved[4];
};
static_assert(sizeof(struct vbox_table) == 16, "");

struct vbox_cpu { /* the beginning of DBGFCORECPU; the XSAVE area behind it is not read */
        uint8_t rax[8], rbx[8], rcx[8], rdx[8], rsi[8], rdi[8];
        uint8_t r8[8], r9[8], r10[8], r11[8], r12[8], r13[8], r14[8], r15[8], rip[8], rsp[8], rbp[8], rflags[8];
        struct vbox_segment cs, ds, es, fs, gs, ss;
        uint8_t cr0[8], cr2[8], cr3[8], cr4[8], dr[64];
        struct vbox_table gdt, idt;
        struct vbox_segment ldt, tr;
        uint8_t sysenter[24], efer[8], star[8], pat[8], lstar[8], cstar[8], sfmask[8], kernel_gs_base[8];
};
static_assert(offsetof(struct vbox_cpu, cs) == 144, "");
static_assert(offsetof(struct vbox_cpu, cr0) == 288, "");
static_assert(offsetof(struct vbox_cpu, gdt) == 384, "");
static_assert(offsetof(struct vbox_cpu, kernel_gs_base) == 536, "");

#endif
