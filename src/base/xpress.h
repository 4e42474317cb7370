/* SPDX-License-Identifier: MIT */
/*
 * Microsoft's plain LZ77, which the kernel calls Xpress (COMPRESSION_FORMAT_XPRESS, 3): Windows 10's compressed store.
 * Algorithm: [MS-XCA] "Xpress Compression Algorithm", section 2.4 (decompression), examples in section 3.1.
 */
#ifndef STASIS_BASE_XPRESS_H
#define STASIS_BASE_XPRESS_H

#include <stdint.h>

#include <stasis/stasis.h>

#define COMPRESSION_FORMAT_XPRESS 3 /* ntifs.h */

/*
 * Decodes into at most room bytes and says how many there are. What lies behind the symbol that fills the room is not
 * looked at. STASIS_CORRUPT: it ends inside a symbol, or a match reaches back before the first byte, or past the room;
 * out is then partly written.
 */
enum stasis_status stasis_xpress_decode(struct stasis_bytes in, uint8_t *out, size_t room,
                                        size_t *ret_len) STASIS_MUST_CHECK;

#endif
