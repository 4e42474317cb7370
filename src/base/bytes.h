/* SPDX-License-Identifier: MIT */
/* Little-endian loads from bytes at any alignment, a cursor that remembers its first failure, checked arithmetic. */
#ifndef STASIS_BASE_BYTES_H
#define STASIS_BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <stasis/stasis.h>

static inline uint16_t load_le16(const uint8_t *p) { return (uint16_t)(p[0] | (unsigned)p[1] << 8); }
static inline uint32_t load_le32(const uint8_t *p)
{
        return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t load_le64(const uint8_t *p) { return load_le32(p) | (uint64_t)load_le32(p + 4) << 32; }
/* size is 1, 2, 4 or 8; anything else gives 0. */
static inline uint64_t load_le(const uint8_t *p, size_t size)
{
        switch (size) {
        case 1: return p[0];
        case 2: return load_le16(p);
        case 4: return load_le32(p);
        case 8: return load_le64(p);
        default: return 0;
        }
}

/* true on overflow, as the compiler's builtins; *ret_sum is then not to be used. */
static inline bool add_overflows(uint64_t a, uint64_t b, uint64_t *ret_sum)
{
        return __builtin_add_overflow(a, b, ret_sum);
}
static inline bool mul_overflows(uint64_t a, uint64_t b, uint64_t *ret_product)
{
        return __builtin_mul_overflow(a, b, ret_product);
}

/* Decode straight down, look at bad once: after the first short read everything is zero. */
struct stasis_cursor {
        struct stasis_bytes left;
        bool bad;
};
static inline const uint8_t *cursor_take(struct stasis_cursor *c, size_t len)
{
        if (c->bad || c->left.len < len) {
                c->bad = true;
                return NULL;
        }
        const uint8_t *at = c->left.at;
        c->left.at += len;
        c->left.len -= len;
        return at;
}
static inline uint64_t cursor_le(struct stasis_cursor *c, size_t size)
{
        const uint8_t *at = cursor_take(c, size);
        return at ? load_le(at, size) : 0;
}
/* [off, off+len) of bytes, or {NULL, 0} where that is not wholly inside. */
static inline struct stasis_bytes bytes_slice(struct stasis_bytes b, uint64_t off, uint64_t len)
{
        if (off > b.len || len > b.len - off)
                return (struct stasis_bytes){ NULL, 0 };
        return (struct stasis_bytes){ b.at + off, (size_t)len };
}

#endif
