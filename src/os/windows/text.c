/* SPDX-License-Identifier: MIT */
#include "text.h"

#include "../../base/bytes.h"
#include "../../base/utf.h"

#define UNICODE_STRING_BYTES_MAX 1024 /* of what we show: our buffers hold 512 bytes at most */

static char printable(uint8_t byte) { return byte >= 0x20 && byte < 0x7f ? (char)byte : '?'; }

bool text_ascii(struct stasis_space *space, uint64_t va, char *buf, size_t len)
{
        size_t at = 0;
        bool ended = false;

        while (!ended && at + 1 < len) {
                struct stasis_bytes view = stasis_space_view(space, va + at, len - 1 - at);

                if (!view.len)
                        break;
                for (size_t i = 0; i < view.len && !ended; i++) {
                        if (view.at[i])
                                buf[at++] = printable(view.at[i]);
                        else
                                ended = true;
                }
        }
        buf[at] = '\0';
        return ended;
}

/* What is shown stays one line. */
static uint32_t showable(uint32_t code)
{
        return code < 0x20 || (code >= 0x7f && code < 0xa0) ? UTF_REPLACEMENT : code;
}

size_t text_utf16(const uint8_t *units, size_t count, char *buf, size_t len)
{
        size_t used = 0;

        for (size_t at = 0; at < count;) {
                char bytes[4];
                size_t width = utf8_put(showable(utf16_next(units, count, &at)), bytes);

                if (used + width >= len)
                        break;
                memcpy(buf + used, bytes, width);
                used += width;
        }
        buf[used] = '\0';
        return used;
}

enum stasis_status text_unicode_string(struct stasis_space *space, uint64_t va, size_t pointer_size, char *buf,
                                       size_t len)
{
        uint8_t head[16], units[UNICODE_STRING_BYTES_MAX];

        buf[0] = '\0';
        if (stasis_space_read(space, va, head, 2 * pointer_size) != STASIS_OK)
                return STASIS_ABSENT;
        size_t length = load_le16(head), maximum = load_le16(head + 2);
        uint64_t buffer = load_le(head + pointer_size, pointer_size);

        if (length > maximum || length & 1 || (length && !buffer))
                return STASIS_CORRUPT;
        if (length > sizeof(units))
                length = sizeof(units);
        if (stasis_space_read(space, buffer, units, length) != STASIS_OK)
                return STASIS_ABSENT;
        text_utf16(units, length / 2, buf, len);
        return STASIS_OK;
}

const char *text_basename(const char *path)
{
        const char *base = path;

        for (const char *p = path; *p; p++)
                if (*p == '\\' || *p == '/')
                        base = p + 1;
        return base;
}
