/* SPDX-License-Identifier: MIT */
/*
 * LiME, version 1: ranges of physical memory, each behind a header of 32 bytes, one after the other to the end of the
 * file. From LiME's own documentation (doc/README.md, "LiME Memory Range Header Version 1"), and two real images.
 */
#ifndef STASIS_FORMATS_LIME_WIRE_H
#define STASIS_FORMATS_LIME_WIRE_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define LIME_MAGIC 0x4c694d45U /* in the file: "EMiL" */

struct lime_header {
        uint8_t magic[4], version[4], first[8], last[8] /* inclusive */, reserved[8];
};
static_assert(offsetof(struct lime_header, version) == 4, "");
static_assert(offsetof(struct lime_header, first) == 8, "");
static_assert(offsetof(struct lime_header, last) == 16, "");
static_assert(sizeof(struct lime_header) == 32, "");

#endif
