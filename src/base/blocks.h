/* SPDX-License-Identifier: MIT */
/*
 * A file of compressed blocks that has an index: .xz with several blocks (xz --block-size, xz -T), and zstd in the
 * seekable format. Any byte of what it holds is read by unpacking one block; the file is never unpacked as a whole.
 * The index is believed for places only: each block says itself, by its own sizes and checksum, whether it is right.
 */
#ifndef STASIS_BASE_BLOCKS_H
#define STASIS_BASE_BLOCKS_H

#include <stasis/stasis.h>

/*
 * A file with larger blocks is better unpacked once: every read of a page costs the whole block. 16 MiB of unpacked
 * blocks are remembered.
 */
#define BLOCKS_LEN_MAX (4u << 20)

struct blocks;

/*
 * The index of the file that begins at base in fd, and whose bytes are mapped at file; fd stays the caller's, and open
 * as long as the blocks.
 * STASIS_ABSENT: it has none that can be used (the text says why: one block, blocks too large, not such a file, built
 * without the library); STASIS_CORRUPT: it has one that cannot be; STASIS_LIMIT: it holds more than limit bytes.
 */
enum stasis_status blocks_open(int fd, uint64_t base, struct stasis_bytes file, uint64_t limit,
                               struct blocks **ret_blocks, struct stasis_error *err) STASIS_MUST_CHECK;
void blocks_close(struct blocks *blocks);

uint64_t blocks_len(const struct blocks *blocks); /* of what the file holds */
size_t blocks_count(const struct blocks *blocks);
/*
 * [off, off+len), which lies inside. STASIS_CORRUPT where a block does not unpack to what the index says, STASIS_IO,
 * STASIS_NOMEM. Safe in several threads; what was unpacked last is remembered, damage for ever.
 */
enum stasis_status blocks_read(struct blocks *blocks, uint64_t off, void *buf, size_t len) STASIS_MUST_CHECK;

#endif
