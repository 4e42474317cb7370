/* SPDX-License-Identifier: MIT */
/*
 * Where can the page tables of a Windows kernel be? Candidates from every kind of evidence, best first; the caller
 * checks each against the kernel that it leads to (kernel.h), so that a wrong candidate costs time, never truth.
 */
#ifndef STASIS_OS_WINDOWS_ROOT_H
#define STASIS_OS_WINDOWS_ROOT_H

#include <stasis/stasis.h>

#include "../../mem/paging.h"

struct windows_root {
        const struct stasis_paging *paging;
        uint64_t root;   /* physical address of the top table, masked */
        const char *how; /* "header", "cpu", "low stub", "self-map"; static */
        uint32_t rank;   /* higher is better */
        uint64_t entry;  /* low stub: the kernel address it jumps to; else 0 */
        uint64_t seen;   /* self-map: how many tables carry it */
};

#define WINDOWS_ROOTS_MAX 64

typedef void windows_progress(void *ctx, const char *what, uint64_t done, uint64_t total);

/* Cheap evidence: dump header, CPU registers in notes, the x64 low stub (first MiB). Returns how many were found. */
size_t windows_roots_told(const struct stasis_image *image, struct windows_root *ret_root, size_t max);
/*
 * The whole image scanned for tables that map themselves (x86: a 4 KiB page whose entry 0x300 points at itself; PAE:
 * four page directories and the 32-byte table that names them; x64: any entry of the upper half, since 1607 at a random
 * place; la57: the same one level up). Deduplicated, ranked (a process's table is as good as the System one for kernel
 * addresses; prefer those with plausible kernel-half entries shared by many candidates).
 */
/* WINDOWS_NO_MEMORY in place of a count where memory is exhausted: that is not "none found". */
#define WINDOWS_NO_MEMORY SIZE_MAX
size_t windows_roots_scan(const struct stasis_image *image, struct windows_root *ret_root, size_t max,
                          windows_progress *progress, void *progress_ctx);

#endif
