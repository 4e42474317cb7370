/* SPDX-License-Identifier: MIT */
/*
 * A process in two MiB: its mappings as one of two kernels keeps them, one ELF file of four pages in the page cache as
 * one of three kernels keeps it, and a stack. Of the file only the page of code is mapped; the last page is shown by no
 * mapping. Tests of the memory of processes build it and break one thing; the fuzz target "user" patches its bytes. The
 * structures have an order of their own, which its layout describes; no header of the decoder is used but linux.h.
 */
#ifndef STASIS_TEST_TINY_PROCESS_H
#define STASIS_TEST_TINY_PROCESS_H

#include "../os/linux/linux.h"
#include "world.h"

enum tp_cache {
        TP_XARRAY,   /* since 4.20 */
        TP_RADIX,    /* 4.7 to 4.16 (until 4.19 under another name): each node tells its shift */
        TP_OLD_RADIX /* before: the root tells its height */
};
struct tp_kind {
        bool is64, maple; /* maple: since 6.1 */
        enum tp_cache cache;
        bool header; /* PT_GNU_EH_FRAME; without, sections tell of .eh_frame */
        bool file;   /* else anonymous memory: the vDSO */
};

#define TP_LINKED UINT64_C(0x400000) /* what the file was linked for */
#define TP_IMAGE UINT64_C(0x10000000)
#define TP_CODE (TP_IMAGE + 0x1000) /* functions of 0x100 bytes: leaf, pushed, outermost, and one of no table */
#define TP_STACK UINT64_C(0x20000000)

struct tp {
        struct tp_kind kind;
        unsigned word;
        struct world world;
        struct stasis_layout *layout;
        struct linux_system l;
        uint64_t kernel, mm, vma[4], file, mapping, node; /* virtual; vma: header, code, tables, stack */
        uint64_t file_pa[4];
        char vmcoreinfo[64];
};

/* What it makes lasts until tp_end. */
void tp_start(struct tp *tp, const struct tp_kind *kind);
void tp_end(struct tp *tp);
/* A word of the kernel's or the process's memory, as it is wide. */
void tp_put(struct tp *tp, uint64_t va, uint64_t value);
/* Byte at of the file, where the page cache has it. */
uint8_t *tp_file(struct tp *tp, uint64_t at);
/* In the leaf, called by pushed, called by the outermost. */
struct stasis_registers tp_registers(const struct tp *tp);

#endif
