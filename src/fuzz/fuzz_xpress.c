/* SPDX-License-Identifier: MIT */
/* Both decoders of the compressed store: byte 0 chooses (odd: LZ4) and the room, the rest is compressed. */
#include <stdlib.h>
#include <string.h>

#include "../base/lz4.h"
#include "../base/xpress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum stasis_status decode(const uint8_t *data, size_t size, uint8_t *out, size_t room, size_t *ret_len)
{
        struct stasis_bytes in = { data + 1, size - 1 };
        return data[0] & 1 ? stasis_lz4_decode(in, out, room, ret_len) : stasis_xpress_decode(in, out, room, ret_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        size_t len = 0, again;

        if (!size)
                return 0;
        size_t room = data[0] & 2 ? 4096 : data[0] & 4 ? 300 : 0x30000;
        uint8_t *out = malloc(room + 1), *other = malloc(room + 1);
        if (!out || !other)
                abort();
        out[room] = 0xa5;
        enum stasis_status status = decode(data, size, out, room, &len);
        if (out[room] != 0xa5 || len > room || (status != STASIS_OK && status != STASIS_CORRUPT))
                abort();
        /* All of it that was decoded fits into just as much room; what bytes there are depends on nothing else. */
        if (status == STASIS_OK &&
            (decode(data, size, other, len, &again) != STASIS_OK || again != len || memcmp(out, other, len) != 0))
                abort();
        free(out);
        free(other);
        return 0;
}
