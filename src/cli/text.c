/* SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_free(struct text *text)
{
        free(text->at);
        *text = (struct text){ 0 };
}

void text_reset(struct text *text)
{
        text->len = 0;
        if (text->at)
                text->at[0] = '\0';
}

static _Noreturn void no_memory(void)
{
        fputs("stasis: out of memory\n", stderr);
        exit(CLI_UNREADABLE);
}

/* Room for len more bytes and the terminator. */
static void text_room(struct text *text, size_t len)
{
        if (len >= SIZE_MAX / 2 - text->len)
                no_memory();
        size_t want = text->len + len + 1;
        if (want <= text->capacity)
                return;
        size_t capacity = want < 128 ? 128 : want * 2;
        char *at = realloc(text->at, capacity);
        if (!at)
                no_memory();
        text->at = at;
        text->capacity = capacity;
}

void text_add(struct text *text, const char *bytes, size_t len)
{
        text_room(text, len);
        if (len)
                memcpy(text->at + text->len, bytes, len);
        text->len += len;
        text->at[text->len] = '\0';
}

void text_str(struct text *text, const char *string) { text_add(text, string, strlen(string)); }

void text_printf(struct text *text, const char *fmt, ...)
{
        char small[256];
        va_list ap;

        va_start(ap, fmt);
        int len = vsnprintf(small, sizeof(small), fmt, ap);
        va_end(ap);
        if (len < 0)
                no_memory();
        if ((size_t)len < sizeof(small)) {
                text_add(text, small, (size_t)len);
                return;
        }
        text_room(text, (size_t)len);
        va_start(ap, fmt);
        vsnprintf(text->at + text->len, (size_t)len + 1, fmt, ap);
        va_end(ap);
        text->len += (size_t)len;
}

void text_pad(struct text *text, char c, size_t count)
{
        text_room(text, count);
        memset(text->at + text->len, c, count);
        text->len += count;
        text->at[text->len] = '\0';
}

size_t utf8_next(const char *s, size_t len, uint32_t *ret_code)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const uint8_t *p = (const uint8_t *)s;

        if (len == 0)
                return 0;
        if (p[0] < 0x80) {
                *ret_code = p[0];
                return 1;
        }
        size_t need = p[0] >= 0xf0 && p[0] < 0xf8   ? 4
                      : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                      : p[0] >= 0xc0 && p[0] < 0xe0 ? 2
                                                    : 0;
        if (need == 0 || need > len)
                return 0;
        uint32_t code = p[0] & (0xffu >> (need + 1));
        for (size_t i = 1; i < need; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                code = code << 6 | (p[i] & 0x3fu);
        }
        if (code < least[need] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                return 0;
        *ret_code = code;
        return need;
}

struct code_range {
        uint32_t first, last;
};

static bool code_in(const struct code_range *range, size_t count, uint32_t code)
{
        for (size_t i = 0; i < count; i++)
                if (code >= range[i].first && code <= range[i].last)
                        return true;
        return false;
}

#define CODE_IN(ranges, code) code_in((ranges), sizeof(ranges) / sizeof((ranges)[0]), (code))

/* Unicode general categories Cf, Zl and Zp, as far as they change what is seen around them, and noncharacters. */
static const struct code_range code_unsafe[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },     { 0x61c, 0x61c },
        { 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e }, { 0x2060, 0x206f },
        { 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0xe0000, 0x10ffff },
};

/* Wide and Fullwidth of Unicode Standard Annex 11, joined to blocks. */
static const struct code_range code_wide[] = {
        { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0x4dbf },   { 0x4e00, 0xa4cf },   { 0xa960, 0xa97f },
        { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },   { 0xff01, 0xff60 },   { 0xffe0, 0xffe6 },
        { 0x16fe0, 0x1b2ff }, { 0x1f300, 0x1f64f }, { 0x1f680, 0x1f6ff }, { 0x1f900, 0x1faff }, { 0x20000, 0x3fffd },
};

/* Combining marks (Mn, Me) of the common scripts; a rare one counted as a column only makes a line shorter. */
static const struct code_range code_combining[] = {
        { 0x300, 0x36f },   { 0x483, 0x489 },   { 0x591, 0x5bd },   { 0x610, 0x61a },   { 0x64b, 0x65f },
        { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

static size_t code_width(uint32_t code)
{
        if (code < 0x300)
                return 1;
        return CODE_IN(code_combining, code) ? 0 : CODE_IN(code_wide, code) ? 2 : 1;
}

void text_safe(struct text *text, const char *string)
{
        size_t left = strlen(string);

        while (left > 0) {
                uint32_t code = 0;
                size_t len = utf8_next(string, left, &code);
                if (len == 0 || (len == 1 && CODE_IN(code_unsafe, code))) {
                        text_printf(text, "\\x%02x", (uint8_t)*string);
                        len = 1;
                } else if (CODE_IN(code_unsafe, code)) {
                        text_printf(text, "\\u%04x", code);
                } else {
                        text_add(text, string, len);
                }
                string += len;
                left -= len;
        }
}

void text_utf8(struct text *text, const char *string)
{
        size_t left = strlen(string);

        while (left > 0) {
                uint32_t code;
                size_t len = utf8_next(string, left, &code);
                if (len == 0)
                        text_str(text, "\xef\xbf\xbd");
                else
                        text_add(text, string, len);
                string += len ? len : 1;
                left -= len ? len : 1;
        }
}

size_t text_width(const char *safe)
{
        size_t left = strlen(safe), width = 0;

        while (left > 0) {
                uint32_t code = 0;
                size_t len = utf8_next(safe, left, &code);
                width += len ? code_width(code) : 1;
                safe += len ? len : 1;
                left -= len ? len : 1;
        }
        return width;
}

/* Bytes of safe that fill at most width columns. */
static size_t fitting(const char *safe, size_t width)
{
        size_t left = strlen(safe), at = 0, used = 0;

        while (at < left) {
                uint32_t code = 0;
                size_t len = utf8_next(safe + at, left - at, &code);
                size_t columns = len ? code_width(code) : 1;
                if (used + columns > width)
                        break;
                used += columns;
                at += len ? len : 1;
        }
        return at;
}

void text_clip(struct text *text, const char *safe, size_t width)
{
        if (text_width(safe) <= width) {
                text_str(text, safe);
        } else if (width > 0) {
                text_add(text, safe, fitting(safe, width - 1));
                text_str(text, "\xe2\x80\xa6");
        }
}

void text_wrap(struct text *text, const char *safe, size_t first, size_t indent, size_t width)
{
        size_t used = first;

        while (text_width(safe) > width - used) {
                size_t fit = fitting(safe, width - used), cut = fit;
                while (cut > 0 && safe[cut] != ' ')
                        cut--;
                if (cut == 0) /* a word longer than the line */
                        cut = fit ? fit : strlen(safe);
                text_add(text, safe, cut);
                safe += cut;
                safe += strspn(safe, " ");
                if (!*safe)
                        return;
                text_str(text, "\n");
                text_pad(text, ' ', indent);
                used = indent;
        }
        text_str(text, safe);
}

void text_put_wrapped(FILE *out, const char *safe, size_t first, size_t indent, size_t width)
{
        struct text lines = { 0 };

        text_wrap(&lines, safe, first, indent, width);
        fprintf(out, "%s\n", text_get(&lines));
        text_free(&lines);
}
