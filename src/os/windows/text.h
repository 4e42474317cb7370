/* SPDX-License-Identifier: MIT */
/* Text as it stands in somebody else's memory: bounded, and never trusted to be text. */
#ifndef STASIS_OS_WINDOWS_TEXT_H
#define STASIS_OS_WINDOWS_TEXT_H

#include <stasis/stasis.h>

#include "../../mem/space.h"

/*
 * The bytes at va up to a NUL, a missing page or len - 1 of them; what is not printable ASCII becomes '?'. buf is
 * always terminated. True where the NUL was met.
 */
bool text_ascii(struct stasis_space *space, uint64_t va, char *buf, size_t len);
/*
 * count UTF-16LE units as UTF-8; what is no valid sequence becomes U+FFFD, and so do NUL and control characters, so
 * that the text stays one line. No character is cut; buf is always terminated. Returns the bytes written.
 */
size_t text_utf16(const uint8_t *units, size_t count, char *buf, size_t len);
/* A UNICODE_STRING of this pointer size at va. STASIS_ABSENT: not readable; STASIS_CORRUPT: its lengths contradict. */
enum stasis_status text_unicode_string(struct stasis_space *space, uint64_t va, size_t pointer_size, char *buf,
                                       size_t len) STASIS_MUST_CHECK;
/* The part behind the last '\' or '/'. */
const char *text_basename(const char *path);

#endif
