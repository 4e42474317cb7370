/* SPDX-License-Identifier: MIT */
/* Raw memory: byte n of the file is byte n of physical memory. No header, no hints; docs/formats/raw.md. */
#include "../src/base/error.h"
#include "format.h"

enum { PAGE_SIZE = 4096 };

static int probe(struct stasis_bytes head, uint64_t file_size)
{
        (void)head;
        return file_size > 0; /* the lowest bid there is: whoever has evidence wins */
}

static enum stasis_status raw_open(struct stasis_image *image, void *priv, struct stasis_error *err)
{
        (void)priv;
        uint64_t size = image->map.bytes.len;
        unsigned rest = (unsigned)(size % PAGE_SIZE);
        if (rest &&
            stasis_image_remark(image, "size is not a multiple of the page size: the last page has %u of %d bytes",
                                rest, PAGE_SIZE) != STASIS_OK)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        return stasis_image_add_run(image, 0, size, 0, err);
}

const struct stasis_format stasis_format_raw = {
        .name = "raw",
        .title = "raw physical memory",
        .by_pieces = true,
        .probe = probe,
        .open = raw_open,
};
