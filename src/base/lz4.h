/* SPDX-License-Identifier: MIT */
/*
 * One LZ4 block without a frame around it: the compressed store of Windows 11 24H2 (26100) keeps its pages so.
 * Format: lz4_Block_format.md of the LZ4 project.
 */
#ifndef STASIS_BASE_LZ4_H
#define STASIS_BASE_LZ4_H

#include <stdint.h>

#include <stasis/stasis.h>

/*
 * Decodes the whole block into at most room bytes and says how many there are. STASIS_CORRUPT: it ends inside a
 * sequence, a match reaches back before the first byte, or there is no room for what it holds; out is then partly
 * written.
 */
enum stasis_status stasis_lz4_decode(struct stasis_bytes in, uint8_t *out, size_t room,
                                     size_t *ret_len) STASIS_MUST_CHECK;

#endif
