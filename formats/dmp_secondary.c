/* SPDX-License-Identifier: MIT */
/* Secondary data of a crash dump: located by its signature, and listed. What the blobs hold is not looked at. */
#include <inttypes.h>
#include <string.h>

#include "../src/base/bytes.h"
#include "dmp.h"
#include "dmp_wire.h"

/* How far behind the primary dump the signature is looked for; in the real dumps that we know it is right there. */
enum { SEARCH_MAX = 1 << 20, HEADER_MAX = 0x1000 };

/* The chain's first blob header, or 0. SecondaryDataState of the first header tells nothing: real dumps hold filler. */
static uint64_t find_chain(const struct dmp *dmp, uint64_t start)
{
        uint64_t left = start < dmp->file.len ? dmp->file.len - start : 0;
        struct stasis_bytes area = bytes_slice(dmp->file, start, left < SEARCH_MAX ? left : SEARCH_MAX);
        const uint8_t *at = area.at, *end = at ? at + area.len : NULL;
        while (at && (at = memmem(at, (size_t)(end - at), DMP_BLOBS, 8)) &&
               (size_t)(end - at) >= sizeof(struct dmp_blob_file)) {
                uint32_t size = load_le32(at + offsetof(struct dmp_blob_file, header_size));
                if (size >= sizeof(struct dmp_blob_file) && size < HEADER_MAX)
                        return start + (uint64_t)(at - area.at) + size;
                at++;
        }
        return 0;
}

static bool is_zero(struct stasis_bytes bytes)
{
        for (size_t i = 0; i < bytes.len; i++)
                if (bytes.at[i])
                        return false;
        return true;
}

/* One blob; *at moves to the next header, or to 0 where the chain ends. */
static enum stasis_status read_blob(struct dmp *dmp, uint64_t *at)
{
        uint64_t from = *at, size = dmp->file.len;
        struct stasis_bytes header = bytes_slice(dmp->file, from, sizeof(struct dmp_blob));
        *at = 0;
        if (!header.at || is_zero(header))
                return STASIS_OK;
        uint32_t header_size = load_le32(header.at + offsetof(struct dmp_blob, header_size));
        if (header_size < sizeof(struct dmp_blob))
                return stasis_image_remark(dmp->image,
                                           "secondary data: the chain breaks at 0x%" PRIx64 " (a header of 0x%" PRIx32
                                           " bytes)",
                                           from, header_size);
        uint64_t off = from + header_size + load_le32(header.at + offsetof(struct dmp_blob, pre_pad));
        uint64_t said = load_le32(header.at + offsetof(struct dmp_blob, data_size)), len = said;
        if (off > size)
                off = size;
        if (len > size - off)
                len = size - off;
        enum stasis_status status =
                stasis_image_add_blob(dmp->image, header.at + offsetof(struct dmp_blob, guid), off, len);
        if (status != STASIS_OK)
                return status;
        if (len < said)
                return stasis_image_remark(dmp->image,
                                           "secondary data: the blob at 0x%" PRIx64 " has 0x%" PRIx64
                                           " bytes, the file holds 0x%" PRIx64 " of them",
                                           from, said, len);
        *at = off + len + load_le32(header.at + offsetof(struct dmp_blob, post_pad));
        return STASIS_OK;
}

enum stasis_status dmp_read_secondary(struct dmp *dmp, uint64_t start)
{
        enum stasis_status status = STASIS_OK;
        uint64_t at = find_chain(dmp, start);
        while (at && status == STASIS_OK) /* every blob moves on by its header at least */
                status = read_blob(dmp, &at);
        return status;
}
