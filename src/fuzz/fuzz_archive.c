/* SPDX-License-Identifier: MIT */
/* Archives and compressed files: whatever the bytes are, a member of them or an error, and nothing is left behind. */
#include "../base/archive.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool seen(void *ctx, const char *name, uint64_t len)
{
        (void)len;
        return name && ++*(unsigned *)ctx < 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct archive_options options = { .tmp = "/tmp", .limit = 1 << 20 };
        struct archive_member member;
        struct stasis_map map = { 0 };
        struct stasis_error err;
        unsigned count = 0;
        if (size == 0 || !archive_kind((struct stasis_bytes){ data, size }) ||
            stasis_map_borrow(data, size, &map, &err) != STASIS_OK)
                return 0;
        (void)!archive_list(&map, seen, &count, &err);
        if (archive_open_member(&map, NULL, &options, &member, &err) == STASIS_OK) {
                uint8_t sum = 0;
                for (size_t i = 0; i < map.bytes.len; i++)
                        sum = (uint8_t)(sum + map.bytes.at[i]);
                if (member.in_place && member.off + map.bytes.len > size)
                        abort();
                (void)sum;
        }
        stasis_map_close(&map);
        return 0;
}
