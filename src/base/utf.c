/* SPDX-License-Identifier: MIT */
#include "utf.h"

#include "bytes.h"

uint32_t utf16_next(const uint8_t *units, size_t count, size_t *at)
{
        uint32_t first = load_le16(units + 2 * (*at)++);
        if (first < 0xd800 || first > 0xdfff)
                return first;
        if (first > 0xdbff || *at == count)
                return UTF_REPLACEMENT;
        uint32_t second = load_le16(units + 2 * *at);
        if (second < 0xdc00 || second > 0xdfff)
                return UTF_REPLACEMENT;
        (*at)++;
        return 0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00));
}

size_t utf8_put(uint32_t code, char out[static 4])
{
        static const uint8_t lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
        if (code < 0x80) {
                out[0] = (char)code;
                return 1;
        }
        size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        for (size_t i = len; i-- > 1; code >>= 6)
                out[i] = (char)(0x80 | (code & 0x3f));
        out[0] = (char)(lead[len] | code);
        return len;
}
