/* SPDX-License-Identifier: MIT */
/*
 * A compressor for tests: Xpress as [MS-XCA] 2.3 tells, the longest match found the slow way. Nothing of it is the
 * decoder's.
 */
#ifndef STASIS_TEST_PACK_H
#define STASIS_TEST_PACK_H

#include <stddef.h>
#include <stdint.h>

struct packer {
        uint8_t *to; /* with room for 9/8 of the bytes, and 16 more */
        size_t len, flags_at, half_at;
        unsigned flags;
};

static inline void pack_put(struct packer *p, uint32_t value, size_t size)
{
        for (size_t i = 0; i < size; i++)
                p->to[p->len++] = (uint8_t)(value >> 8 * i);
}

static inline void pack_flag(struct packer *p, unsigned flag)
{
        if (p->flags % 32 == 0) {
                p->flags_at = p->len;
                pack_put(p, 0xffffffff, 4); /* those left over at the end stay ones */
        }
        unsigned bit = 31 - p->flags++ % 32;
        if (!flag)
                p->to[p->flags_at + bit / 8] &= (uint8_t) ~(1u << bit % 8);
}

static inline void pack_match(struct packer *p, size_t back, size_t len)
{
        size_t rest = len - 3;
        pack_flag(p, 1);
        pack_put(p, (uint32_t)((back - 1) << 3 | (rest < 7 ? rest : 7)), 2);
        if (rest < 7)
                return;
        unsigned low = rest - 7 < 15 ? (unsigned)rest - 7 : 15;
        if (p->half_at) {
                p->to[p->half_at] |= (uint8_t)(low << 4);
                p->half_at = 0;
        } else {
                p->half_at = p->len;
                pack_put(p, low, 1);
        }
        if (low < 15)
                return;
        pack_put(p, rest - 22 < 255 ? (uint32_t)rest - 22 : 255, 1);
        if (rest - 22 >= 255)
                pack_put(p, rest <= 0xffff ? (uint32_t)rest : 0, 2);
        if (rest - 22 >= 255 && rest > 0xffff)
                pack_put(p, (uint32_t)rest, 4);
}

static inline size_t pack_longest(const uint8_t *plain, size_t at, size_t len, size_t *ret_back)
{
        size_t best = 0;
        for (size_t back = 1; back <= 8192 && back <= at; back += back < 64 ? 1 : 61) {
                size_t n = 0;
                while (at + n < len && plain[at + n] == plain[at + n - back])
                        n++;
                if (n > best) {
                        best = n;
                        *ret_back = back;
                }
        }
        return best;
}

static inline size_t pack_xpress(const uint8_t *plain, size_t len, uint8_t *to)
{
        struct packer p = { .to = to };
        for (size_t at = 0; at < len;) {
                size_t back = 0, n = pack_longest(plain, at, len, &back);
                if (n >= 3) {
                        pack_match(&p, back, n);
                        at += n;
                } else {
                        pack_flag(&p, 0);
                        pack_put(&p, plain[at++], 1);
                }
        }
        if (p.flags % 32 == 0)
                pack_put(&p, 0xffffffff, 4);
        return p.len;
}

#endif
