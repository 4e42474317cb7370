/* SPDX-License-Identifier: MIT */
/* Helpers around struct stasis_fact and text that comes from an adversary. */
#ifndef STASIS_OS_RECORD_H
#define STASIS_OS_RECORD_H

#include <stasis/stasis.h>

#include "../base/arena.h"

/* A fact that is not there, and why. */
static inline struct stasis_fact fact_absent(enum stasis_absence why)
{
        return (struct stasis_fact){ .va = STASIS_NOWHERE, .pa = STASIS_NOWHERE, .absence = (uint8_t)why };
}
static inline struct stasis_fact fact_derived(uint64_t value)
{
        return (struct stasis_fact){
                .value = value, .va = STASIS_NOWHERE, .pa = STASIS_NOWHERE, .origin = STASIS_ORIGIN_LINK
        };
}
static inline bool fact_is(const struct stasis_fact *fact) { return fact->absence == STASIS_PRESENT; }

/* Each frame's trust, by how it and those before it were found; a trap frame stands where its thread says. */
void frames_trust(struct stasis_frame *frame, size_t count);

/* Those that are known, a line each; NULL where memory is exhausted. */
char *registers_text(struct stasis_arena *arena, const struct stasis_registers *registers);

/* UTF-16LE as it lies in memory to UTF-8; lone surrogates become U+FFFD; ends at a zero unit. NULL where memory is
 * exhausted. */
char *text_from_utf16(struct stasis_arena *arena, const uint8_t *units, size_t len);
/* Single bytes: ASCII as it is, the rest as Latin-1 (an image name has no declared code page); ends at a zero byte. */
char *text_from_bytes(struct stasis_arena *arena, const uint8_t *bytes, size_t len);
/*
 * Bytes that somebody else chose: valid UTF-8 stays as it is, whatever control characters it holds; a byte that is
 * none becomes "\xff". All of len, a zero byte as "\x00". NULL where memory is exhausted.
 */
char *text_from_utf8(struct stasis_arena *arena, const uint8_t *bytes, size_t len);
/* The name of a value in a table, or NULL. */
const char *name_of(const struct stasis_name *names, size_t count, uint64_t value);
/* FILETIME as "2019-04-01T12:00:00.0000000Z" (28 characters); buf of at least 64. Years past 9999 as "0x...". */
void text_time(uint64_t filetime, char buf[static 64]);

#endif
