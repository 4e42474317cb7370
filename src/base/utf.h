/* SPDX-License-Identifier: MIT */
/* UTF-16LE as it lies in somebody else's memory, and UTF-8 as we say it. */
#ifndef STASIS_BASE_UTF_H
#define STASIS_BASE_UTF_H

#include <stddef.h>
#include <stdint.h>

#define UTF_REPLACEMENT 0xfffd

/* One code point from units[*at..count), which it passes; U+FFFD for a surrogate without its other half. */
uint32_t utf16_next(const uint8_t *units, size_t count, size_t *at);
/* Writes a code point below 0x110000, 1 to 4 bytes without a NUL behind; returns how many. */
size_t utf8_put(uint32_t code, char out[static 4]);

#endif
