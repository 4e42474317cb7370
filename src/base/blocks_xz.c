/* SPDX-License-Identifier: MIT */
/*
 * The .xz format (https://tukaani.org/xz/xz-file-format.txt): streams, each with a header, blocks, an index of the
 * blocks and a footer that says how large the index is; between streams padding of zeros. Read from the end to the
 * beginning, as section 2 means it, through liblzma.
 */
#include "blocks_index.h"
#include "bytes.h"
#include "error.h"

#ifdef HAVE_LZMA
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "guard.h"

#define STREAMS_MAX 65536
#define INDEX_MEMORY (UINT64_C(256) << 20)
#define FILTER_MEMORY (UINT64_C(128) << 20) /* xz -9 wants 65 MiB */

static void index_end(lzma_index *index) { lzma_index_end(index, NULL); }
DEFINE_CLEANUP(lzma_index *, index_end)

static enum stasis_status damaged(struct stasis_error *err)
{
        return stasis_fail(err, STASIS_CORRUPT, "its index is damaged");
}

/* The stream that ends at *end, its padding taken off: its index, and where it begins. */
static enum stasis_status read_stream(struct stasis_bytes file, uint64_t *end, lzma_index **ret_index,
                                      struct stasis_error *err)
{
        lzma_stream_flags flags;
        uint64_t limit = INDEX_MEMORY, padding = 0;
        size_t used = 0;
        while (*end >= 4 && load_le32(file.at + *end - 4) == 0) {
                *end -= 4;
                padding += 4;
        }
        if (*end < 2 * LZMA_STREAM_HEADER_SIZE ||
            lzma_stream_footer_decode(&flags, file.at + *end - LZMA_STREAM_HEADER_SIZE) != LZMA_OK)
                return damaged(err);
        uint64_t footer = *end - LZMA_STREAM_HEADER_SIZE;
        if (flags.backward_size > footer - LZMA_STREAM_HEADER_SIZE)
                return damaged(err);
        const uint8_t *index = file.at + footer - flags.backward_size;
        lzma_ret ret = lzma_index_buffer_decode(ret_index, &limit, NULL, index, &used, (size_t)flags.backward_size);
        if (ret == LZMA_MEM_ERROR || ret == LZMA_MEMLIMIT_ERROR)
                return stasis_fail(err, STASIS_NOMEM, "its index is too large");
        if (ret != LZMA_OK || lzma_index_stream_flags(*ret_index, &flags) != LZMA_OK ||
            lzma_index_stream_padding(*ret_index, padding) != LZMA_OK)
                return damaged(err);
        uint64_t size = lzma_index_file_size(*ret_index) - padding;
        if (size > *end)
                return damaged(err);
        *end -= size;
        return STASIS_OK;
}

static enum stasis_status read_streams(struct stasis_bytes file, lzma_index **ret_index, struct stasis_error *err)
{
        uint64_t end = file.len;
        for (unsigned streams = 0; end; streams++) {
                _cleanup_(index_endp) lzma_index *index = NULL;
                if (streams == STREAMS_MAX || end % 4)
                        return damaged(err);
                enum stasis_status status = read_stream(file, &end, &index, err);
                if (status != STASIS_OK)
                        return status;
                if (*ret_index && lzma_index_cat(index, *ret_index, NULL) != LZMA_OK)
                        return damaged(err);
                *ret_index = index;
                index = NULL;
        }
        return STASIS_OK;
}

static enum stasis_status read_index(struct stasis_bytes file, struct blocks_index *index, struct stasis_error *err)
{
        static const uint8_t magic[6] = { 0xfd, '7', 'z', 'X', 'Z', 0 };
        _cleanup_(index_endp) lzma_index *all = NULL;
        lzma_index_iter iter;
        if (file.len < 2 * LZMA_STREAM_HEADER_SIZE || memcmp(file.at, magic, sizeof magic) != 0)
                return stasis_fail(err, STASIS_ABSENT, "it has no index");
        enum stasis_status status = read_streams(file, &all, err);
        if (status != STASIS_OK)
                return status;
        lzma_index_iter_init(&iter, all);
        while (!lzma_index_iter_next(&iter, LZMA_INDEX_ITER_NONEMPTY_BLOCK)) {
                struct block block = { .at = iter.block.compressed_file_offset,
                                       .packed = iter.block.total_size,
                                       .len = iter.block.uncompressed_size,
                                       .how = (uint8_t)iter.stream.flags->check };
                if (!blocks_index_add(index, &block))
                        return stasis_fail(err, STASIS_NOMEM, "out of memory");
        }
        return STASIS_OK;
}

static void free_filters(lzma_filter *filters)
{
        for (size_t i = 0; i < LZMA_FILTERS_MAX && filters[i].id != LZMA_VLI_UNKNOWN; i++)
                free(filters[i].options);
}

static enum stasis_status unpack(const struct block *block, const uint8_t *packed, uint8_t *to)
{
        lzma_filter filters[LZMA_FILTERS_MAX + 1] = { { .id = LZMA_VLI_UNKNOWN } };
        lzma_block b = { .check = (lzma_check)block->how, .filters = filters };
        size_t used = 0, made = 0, len = (size_t)block->packed;
        if (packed[0] == 0)
                return STASIS_CORRUPT;
        b.header_size = lzma_block_header_size_decode(packed[0]);
        if (b.header_size > len || lzma_block_header_decode(&b, NULL, packed) != LZMA_OK)
                return STASIS_CORRUPT;
        lzma_ret ret = LZMA_DATA_ERROR;
        used = b.header_size;
        if (lzma_raw_decoder_memusage(filters) <= FILTER_MEMORY)
                ret = lzma_block_buffer_decode(&b, NULL, packed, &used, len, to, &made, (size_t)block->len);
        free_filters(filters);
        if (ret == LZMA_MEM_ERROR)
                return STASIS_NOMEM;
        return ret == LZMA_OK && made == block->len ? STASIS_OK : STASIS_CORRUPT;
}

#else

static enum stasis_status read_index(struct stasis_bytes file, struct blocks_index *index, struct stasis_error *err)
{
        (void)file, (void)index;
        return stasis_fail(err, STASIS_ABSENT, "this stasis was built without liblzma");
}

static enum stasis_status unpack(const struct block *block, const uint8_t *packed, uint8_t *to)
{
        (void)block, (void)packed, (void)to;
        return STASIS_UNSUPPORTED;
}
#endif

const struct blocks_method blocks_xz = { read_index, unpack };
