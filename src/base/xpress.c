/* SPDX-License-Identifier: MIT */
#include "xpress.h"

#include "bytes.h"

struct decoder {
        struct stasis_cursor in;
        const uint8_t *half; /* a byte whose high nibble is the next length that wants one; NULL: none */
        uint8_t *out;
        size_t len, room;
};

/* Four bits; every other time they are the upper ones of the byte that the last time took. */
static unsigned nibble(struct decoder *d)
{
        if (d->half) {
                unsigned high = *d->half >> 4;
                d->half = NULL;
                return high;
        }
        d->half = cursor_take(&d->in, 1);
        return d->half ? *d->half & 15u : 0;
}

/*
 * The length of a match less three: three bits of its word; all ones go on to a nibble, that to a byte. 255 there
 * stands for 16 bits, and 0 in these for 32, which then hold the whole length.
 */
static uint64_t match_length(struct decoder *d, unsigned low)
{
        if (low < 7)
                return low;
        unsigned more = nibble(d);
        if (more < 15)
                return 7 + more;
        uint64_t byte = cursor_le(&d->in, 1);
        if (byte < 255)
                return 7 + 15 + byte;
        uint64_t whole = cursor_le(&d->in, 2);
        if (!whole)
                whole = cursor_le(&d->in, 4);
        d->in.bad |= whole < 7 + 15;
        return whole;
}

static bool literal(struct decoder *d)
{
        const uint8_t *at = cursor_take(&d->in, 1);
        if (at)
                d->out[d->len++] = *at;
        return at;
}

/* A match may overlap what it makes: it is copied byte by byte. */
static bool match(struct decoder *d)
{
        unsigned word = (unsigned)cursor_le(&d->in, 2);
        size_t back = (word >> 3) + 1;
        uint64_t len = match_length(d, word & 7) + 3;
        if (d->in.bad || back > d->len || len > d->room - d->len)
                return false;
        for (; len; len--, d->len++)
                d->out[d->len] = d->out[d->len - back];
        return true;
}

enum stasis_status stasis_xpress_decode(struct stasis_bytes in, uint8_t *out, size_t room, size_t *ret_len)
{
        struct decoder d = { .in = { .left = in }, .out = out, .room = room };
        uint32_t flags = 0;
        unsigned left = 0;

        while (d.len < d.room) {
                if (!left) {
                        if (!d.in.left.len)
                                break;
                        flags = (uint32_t)cursor_le(&d.in, 4);
                        left = 32;
                }
                bool is_match = flags >> --left & 1;
                if (is_match && !d.in.left.len && !d.in.bad)
                        break; /* the end, as [MS-XCA] marks it: the flags that are left over are ones */
                if (is_match ? !match(&d) : !literal(&d))
                        return STASIS_CORRUPT;
        }
        if (d.in.bad)
                return STASIS_CORRUPT;
        *ret_len = d.len;
        return STASIS_OK;
}
