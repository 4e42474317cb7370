/* SPDX-License-Identifier: MIT */
/*
 * Frame data of x86: FPO_DATA (winnt.h: start, length, dwords of locals and of parameters, then bit-fields) and
 * FRAMEDATA (cvinfo.h, 32 bytes, whose program is a text of the stream "/names").
 */
#include <stdlib.h>

#include "../base/error.h"
#include "pdb_internal.h"

enum { FPO_LEN = 16, FRAME_LEN = 32, NAMES_HEAD_LEN = 12 };
#define NAMES_MAGIC UINT32_C(0xeffeeffe)

static enum stasis_status open_table(struct pdb *pdb, enum pdb_debug which, const char *what, size_t item,
                                     struct msf_stream *ret_stream, struct stasis_error *err)
{
        uint16_t index = pdb->dbi.there ? pdb->dbi.debug[which] : MSF_NO_STREAM;

        if (index == MSF_NO_STREAM)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, index, what, ret_stream, err);
        if (status != STASIS_OK)
                return status;
        struct stasis_bytes *b = &ret_stream->bytes;
        if (b->len % item == 4 && item == FRAME_LEN) { /* what an object file has in front: the base they count from */
                b->at += 4;
                b->len -= 4;
        }
        if (b->len % item)
                return msf_damage(&pdb->msf, index, what, err, "%zu bytes", b->len);
        for (size_t at = item; at < b->len; at += item)
                if (load_le32(b->at + at) < load_le32(b->at + at - item))
                        return msf_damage(&pdb->msf, index, what, err, "record %zu is not in order", at / item);
        return STASIS_OK;
}

static enum stasis_status open_names(struct pdb *pdb, struct stasis_error *err)
{
        if (pdb->names_stream == UINT32_MAX)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, pdb->names_stream, "/names", &pdb->strings, err);
        if (status != STASIS_OK)
                return status;
        struct stasis_bytes *b = &pdb->strings.bytes;
        if (b->len < NAMES_HEAD_LEN || load_le32(b->at) != NAMES_MAGIC ||
            load_le32(b->at + 8) > b->len - NAMES_HEAD_LEN)
                return msf_damage(&pdb->msf, pdb->names_stream, "/names", err, "no table of texts");
        *b = (struct stasis_bytes){ b->at + NAMES_HEAD_LEN, load_le32(b->at + 8) };
        return STASIS_OK;
}

enum stasis_status pdb_frames_read(struct pdb *pdb, struct stasis_error *err)
{
        enum stasis_status status = open_table(pdb, PDB_DEBUG_FPO, "FPO", FPO_LEN, &pdb->fpo, err);

        if (status == STASIS_OK)
                status = open_table(pdb, PDB_DEBUG_NEW_FPO, "frame data", FRAME_LEN, &pdb->new_fpo, err);
        return status == STASIS_OK && pdb->new_fpo.bytes.len ? open_names(pdb, err) : status;
}

/* The last record that begins at or below rva and reaches so far; blocks nest, and an inner one begins later. */
static const uint8_t *record_of(struct stasis_bytes table, size_t item, uint64_t rva)
{
        size_t low = 0, high = table.len / item;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (load_le32(table.at + middle * item) <= rva)
                        low = middle + 1;
                else
                        high = middle;
        }
        for (size_t back = 0; low > 0 && back < 64; low--, back++) {
                const uint8_t *record = table.at + (low - 1) * item;
                if (rva - load_le32(record) < load_le32(record + 4))
                        return record;
        }
        return NULL;
}

static const char *program_of(const struct pdb *pdb, uint32_t at)
{
        struct stasis_bytes b = pdb->strings.bytes;

        return at < b.len && memchr(b.at + at, 0, b.len - at) ? (const char *)b.at + at : NULL;
}

bool pdb_frame_at(const struct pdb *pdb, uint64_t rva, struct pdb_frame *ret_frame)
{
        const uint8_t *r = record_of(pdb->new_fpo.bytes, FRAME_LEN, rva);

        if (r) {
                *ret_frame = (struct pdb_frame){ .rva = load_le32(r),
                                                 .len = load_le32(r + 4),
                                                 .locals = load_le32(r + 8),
                                                 .params = load_le32(r + 12),
                                                 .program = program_of(pdb, load_le32(r + 20)),
                                                 .prologue = load_le16(r + 24),
                                                 .saved = load_le16(r + 26),
                                                 .seh = load_le32(r + 28) & 1 };
                return true;
        }
        r = record_of(pdb->fpo.bytes, FPO_LEN, rva);
        if (!r)
                return false;
        uint16_t bits = load_le16(r + 14); /* prologue 8, registers 3, SEH 1, EBP 1, reserved 1, kind of frame 2 */
        *ret_frame = (struct pdb_frame){ .rva = load_le32(r),
                                         .len = load_le32(r + 4),
                                         .locals = load_le32(r + 8) * 4,
                                         .params = load_le16(r + 12) * UINT32_C(4),
                                         .prologue = bits & 0xff,
                                         .saved = (uint16_t)((bits >> 8 & 7) * 4),
                                         .seh = bits >> 11 & 1,
                                         .uses_bp = bits >> 12 & 1,
                                         .form = (uint8_t)(bits >> 14) };
        return true;
}
