/* SPDX-License-Identifier: MIT */
/* Files of compressed blocks: an index is refused, or every block of it reads the same twice or is damaged. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../base/blocks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STEPS 64

static void read_twice(struct blocks *blocks, uint64_t off)
{
        uint8_t one[100], two[100];
        uint64_t left = blocks_len(blocks) - off;
        size_t len = left < sizeof one ? (size_t)left : sizeof one;
        enum stasis_status first = blocks_read(blocks, off, one, len);
        enum stasis_status second = blocks_read(blocks, off, two, len);
        if (first != second || (first == STASIS_OK && memcmp(one, two, len) != 0))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct blocks *blocks;
        struct stasis_error err;
        int fd = memfd_create("blocks", MFD_CLOEXEC);
        if (fd < 0 || size == 0 || write(fd, data, size) != (ssize_t)size) {
                close(fd);
                return 0;
        }
        if (blocks_open(fd, 0, (struct stasis_bytes){ data, size }, UINT64_C(1) << 40, &blocks, &err) == STASIS_OK) {
                if (blocks_count(blocks) < 2 || blocks_len(blocks) > UINT64_C(1) << 40)
                        abort();
                for (uint64_t i = 0; i < STEPS; i++)
                        read_twice(blocks, blocks_len(blocks) / STEPS * i);
                blocks_close(blocks);
        }
        close(fd);
        return 0;
}
