/* SPDX-License-Identifier: MIT */
/* Between kdbg.c (the plain block) and kdbg_encoded.c (the block as Windows 8 and later keep it). */
#ifndef STASIS_OS_WINDOWS_KDBG_H
#define STASIS_OS_WINDOWS_KDBG_H

#include "../../base/bytes.h"
#include "kernel.h"

enum {
        KDBG_TAG = 0x10,
        KDBG_SIZE = 0x14,
        KDBG_KERN_BASE = 0x18,
        KDBG_LEN_MIN = 0x200,
        KDBG_LEN_MAX = 0x1000,
        KDBG_LEN_READ = 0x380
};

/* Do these bytes (up to KernBase at least) begin a plain block? */
bool kdbg_head(const uint8_t *raw, size_t *ret_size);
/* The members out of len plain bytes; STASIS_CORRUPT where they cannot be. */
enum stasis_status kdbg_take(const struct stasis_space *space, uint64_t va, const uint8_t *raw, size_t len,
                             struct kdbg *ret_kdbg) STASIS_MUST_CHECK;

#endif
