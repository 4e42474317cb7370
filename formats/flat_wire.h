/* SPDX-License-Identifier: MIT */
/*
 * Flattened files: a header in the first 4096 bytes, then pieces, each a header of 16 bytes and its data; the last one
 * says -1, -1. All numbers are big-endian. From makedumpfile (struct makedumpfile_header, makedumpfile_data_header),
 * QEMU (include/sysemu/dump.h), and files of both.
 */
#ifndef STASIS_FORMATS_FLAT_WIRE_H
#define STASIS_FORMATS_FLAT_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define FLAT_SIGNATURE "makedumpfile\0\0\0" /* with the literal's own NUL: 16 bytes */
enum { FLAT_FIRST = 4096, FLAT_TYPE = 1, FLAT_VERSION = 1 };

struct flat_header {
        uint8_t signature[16], type[8], version[8];
};
static_assert(sizeof FLAT_SIGNATURE == 16, "");
static_assert(offsetof(struct flat_header, type) == 16, "");
static_assert(offsetof(struct flat_header, version) == 24, "");

struct flat_piece {
        uint8_t offset[8], len[8];
};
static_assert(offsetof(struct flat_piece, len) == 8, "");
static_assert(sizeof(struct flat_piece) == 16, "");

#endif
