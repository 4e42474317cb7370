/* SPDX-License-Identifier: MIT */
#include "lz4.h"

#include "bytes.h"

/* Four bits of the token; 15 goes on in bytes, to the first that is not 255. Bounded by the input's length. */
static uint64_t length(struct stasis_cursor *in, unsigned low)
{
        uint64_t len = low, byte;
        if (low < 15)
                return len;
        do {
                byte = cursor_le(in, 1);
                len += byte;
        } while (byte == 255);
        return len;
}

enum stasis_status stasis_lz4_decode(struct stasis_bytes in, uint8_t *out, size_t room, size_t *ret_len)
{
        struct stasis_cursor c = { .left = in };
        size_t made = 0;

        for (;;) {
                unsigned token = (unsigned)cursor_le(&c, 1);
                uint64_t len = length(&c, token >> 4);
                const uint8_t *literals = len <= room - made ? cursor_take(&c, (size_t)len) : NULL;
                if (!literals || c.bad)
                        return STASIS_CORRUPT;
                memcpy(out + made, literals, (size_t)len);
                made += (size_t)len;
                if (!c.left.len)
                        break; /* the last sequence has no match */
                size_t back = (size_t)cursor_le(&c, 2);
                len = length(&c, token & 15) + 4;
                if (c.bad || !back || back > made || len > room - made)
                        return STASIS_CORRUPT;
                for (; len; len--, made++)
                        out[made] = out[made - back];
        }
        *ret_len = made;
        return STASIS_OK;
}
