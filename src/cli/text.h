/* SPDX-License-Identifier: MIT */
/* A growing text, and what makes strings of somebody else's memory safe to show: escaping, width, cutting. */
#ifndef STASIS_CLI_TEXT_H
#define STASIS_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <stasis/stasis.h>

/*
 * Zeroed is empty and ready. Where memory is exhausted the program says so and ends with CLI_UNREADABLE: half an answer
 * must not look like a whole one.
 */
struct text {
        char *at; /* NULL, or terminated */
        size_t len, capacity;
};

void text_free(struct text *text);
void text_reset(struct text *text); /* empty again, keeps its memory */
void text_add(struct text *text, const char *bytes, size_t len);
void text_str(struct text *text, const char *string);
void text_printf(struct text *text, const char *fmt, ...) STASIS_PRINTF(2, 3);
void text_pad(struct text *text, char c, size_t count);
static inline const char *text_get(const struct text *text) { return text->at ? text->at : ""; }

/*
 * Length of the UTF-8 sequence at s (of len bytes) and its code point; 0 where there is no valid one (overlong forms,
 * surrogates and values above U+10FFFF are not valid).
 */
size_t utf8_next(const char *s, size_t len, uint32_t *ret_code);

/*
 * Appends string so that a terminal shows it and does nothing else: control characters and bytes that are no UTF-8 as
 * \x1b, characters that reorder or hide text (bidirectional overrides, zero-width ones, line separators) as \u202e.
 */
void text_safe(struct text *text, const char *string);
/* Appends string with each byte that is no UTF-8 replaced by U+FFFD: what JSON and CSV must have. */
void text_utf8(struct text *text, const char *string);
/* Columns that a safe string takes on a terminal: 2 for wide characters, 0 for combining ones. */
size_t text_width(const char *safe);
/* Appends at most width columns of a safe string; where it is longer, its end gives way to one '…'. */
void text_clip(struct text *text, const char *safe, size_t width);
/* Appends a safe string wrapped at spaces: every line but the first is indented, none is wider than width. */
void text_wrap(struct text *text, const char *safe, size_t first, size_t indent, size_t width);
/* The same, printed, with the end of its last line. */
void text_put_wrapped(FILE *out, const char *safe, size_t first, size_t indent, size_t width);

#endif
