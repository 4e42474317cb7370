/* SPDX-License-Identifier: MIT */
/*
 * The zstd seekable format (facebook/zstd, contrib/seekable_format/zstd_seekable_compression_format.md, 0.1.0): frames,
 * then a skippable frame with a table of their sizes. Its last nine bytes are the number of frames, a descriptor (bit
 * 7: each entry has a checksum too; bits 2 to 6 are reserved) and a magic number.
 */
#include "blocks_index.h"
#include "bytes.h"
#include "error.h"

#ifdef HAVE_ZSTD
#include <zstd.h>

#define FOOTER_LEN 9
#define FOOTER_MAGIC 0x8f92eab1u
#define SKIPPABLE_MAGIC 0x184d2a5eu
#define SKIPPABLE_HEADER 8

/* The table's entries; ret_table: where its frame begins. */
static enum stasis_status find_table(struct stasis_bytes file, struct stasis_bytes *ret_entries, size_t *ret_entry_len,
                                     uint64_t *ret_table, struct stasis_error *err)
{
        if (file.len < SKIPPABLE_HEADER + FOOTER_LEN || load_le32(file.at + file.len - 4) != FOOTER_MAGIC)
                return stasis_fail(err, STASIS_ABSENT, "it has no index");
        const uint8_t *footer = file.at + file.len - FOOTER_LEN;
        uint64_t entry_len = footer[4] & 0x80 ? 12 : 8, len = load_le32(footer) * entry_len;
        if (footer[4] & 0x7c || len > file.len - FOOTER_LEN - SKIPPABLE_HEADER)
                return stasis_fail(err, STASIS_CORRUPT, "its index is damaged");
        *ret_table = file.len - FOOTER_LEN - len - SKIPPABLE_HEADER;
        if (load_le32(file.at + *ret_table) != SKIPPABLE_MAGIC ||
            load_le32(file.at + *ret_table + 4) != len + FOOTER_LEN)
                return stasis_fail(err, STASIS_CORRUPT, "its index is damaged");
        *ret_entries = bytes_slice(file, *ret_table + SKIPPABLE_HEADER, len);
        *ret_entry_len = (size_t)entry_len;
        return STASIS_OK;
}

/*
 * The table has no checksum of its own, and a wrong length in it would move all that follows: each frame's header must
 * say the same. Where it says none (an encoder that did not know it yet), the table cannot be believed.
 */
static enum stasis_status check_frame(struct stasis_bytes file, const struct block *block, struct stasis_error *err)
{
        struct stasis_bytes frame = bytes_slice(file, block->at, block->packed);
        unsigned long long told = frame.at ? ZSTD_getFrameContentSize(frame.at, frame.len) : ZSTD_CONTENTSIZE_ERROR;
        if (told == ZSTD_CONTENTSIZE_UNKNOWN)
                return stasis_fail(err, STASIS_ABSENT, "its frames do not say how long they are");
        return told == block->len ? STASIS_OK : stasis_fail(err, STASIS_CORRUPT, "its index is damaged");
}

static enum stasis_status read_index(struct stasis_bytes file, struct blocks_index *index, struct stasis_error *err)
{
        struct stasis_bytes entries = { 0 };
        size_t entry_len = 0;
        uint64_t table = 0, at = 0;
        enum stasis_status status = find_table(file, &entries, &entry_len, &table, err);
        if (status != STASIS_OK)
                return status;
        for (size_t i = 0; i < entries.len; i += entry_len) {
                struct block block = { .at = at,
                                       .packed = load_le32(entries.at + i),
                                       .len = load_le32(entries.at + i + 4) };
                at += block.packed;
                status = check_frame(file, &block, err);
                if (status != STASIS_OK)
                        return status;
                if (block.len && !blocks_index_add(index, &block))
                        return stasis_fail(err, STASIS_NOMEM, "out of memory");
        }
        return at == table ? STASIS_OK : stasis_fail(err, STASIS_CORRUPT, "its index is damaged");
}

static enum stasis_status unpack(const struct block *block, const uint8_t *packed, uint8_t *to)
{
        size_t made = ZSTD_decompress(to, (size_t)block->len, packed, (size_t)block->packed);
        return !ZSTD_isError(made) && made == block->len ? STASIS_OK : STASIS_CORRUPT;
}

#else

static enum stasis_status read_index(struct stasis_bytes file, struct blocks_index *index, struct stasis_error *err)
{
        (void)file, (void)index;
        return stasis_fail(err, STASIS_ABSENT, "this stasis was built without libzstd");
}

static enum stasis_status unpack(const struct block *block, const uint8_t *packed, uint8_t *to)
{
        (void)block, (void)packed, (void)to;
        return STASIS_UNSUPPORTED;
}
#endif

const struct blocks_method blocks_zstd = { read_index, unpack };
