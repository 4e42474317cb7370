/* SPDX-License-Identifier: MIT */
/*
 * The IPI stream, of PDBs since 2010: ids of functions, texts and places in sources, which other streams name. Nothing
 * that is answered stands in it alone (a function's name is in its module's stream too), so it is held against the
 * rules of its form, and then let go: a PDB whose ids are damaged is a damaged PDB. Records as in cvinfo.h (lfFuncId,
 * lfMFuncId, lfStringId, lfUdtSrcLine, lfUdtModSrcLine, lfBuildInfo); the stream's head is that of TPI (tpi.h, HDR).
 */
#include <stdlib.h>

#include "../base/error.h"
#include "pdb_internal.h"

enum { IPI_LEN = 56, IDS_MAX = 1 << 26 };

/* What a record holds: words of 32 bits, then the rest. What they name is not judged: nobody follows them. */
static const struct id_form {
        uint16_t kind;
        uint8_t words;
        enum { NOTHING, TEXT, COUNT16, COUNT32 } rest; /* COUNT: so many words follow */
} forms[] = {
        { 0x1601, 2, TEXT },    /* LF_FUNC_ID: its namespace, its type, its name */
        { 0x1602, 2, TEXT },    /* LF_MFUNC_ID: its class, its type, its name */
        { 0x1603, 0, COUNT16 }, /* LF_BUILDINFO */
        { 0x1604, 0, COUNT32 }, /* LF_SUBSTR_LIST */
        { 0x1605, 1, TEXT },    /* LF_STRING_ID: what it goes on with, the text */
        { 0x1606, 3, NOTHING }, /* LF_UDT_SRC_LINE: type, file, line */
        { 0x1607, 3, NOTHING }, /* LF_UDT_MOD_SRC_LINE: the same; then a module */
};

static bool record_fits(struct stasis_bytes record)
{
        struct stasis_cursor c = { .left = record };
        uint64_t kind = cursor_le(&c, 2), count = 0;
        const struct id_form *form = NULL;

        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
                form = forms[i].kind == kind ? &forms[i] : form;
        if (!form)
                return true; /* of a compiler to come */
        (void)cursor_take(&c, 4u * form->words);
        if (form->rest == TEXT)
                return !c.bad && pdb_text(&c) != NULL;
        if (form->rest != NOTHING)
                count = cursor_le(&c, form->rest == COUNT16 ? 2 : 4);
        (void)cursor_take(&c, 4 * count);
        return !c.bad;
}

static enum stasis_status check_records(const struct msf *msf, uint32_t first, uint32_t end,
                                        struct stasis_bytes records, struct stasis_error *err)
{
        size_t at = 0;

        for (uint32_t id = first; id < end; id++) {
                size_t left = records.len - at;
                if (left < 4 || load_le16(records.at + at) < 2 || load_le16(records.at + at) > left - 2)
                        return msf_damage(msf, PDB_STREAM_IPI, "IPI", err, "id 0x%x is cut off", id);
                size_t len = load_le16(records.at + at);
                if (!record_fits(bytes_slice(records, at + 2, len)))
                        return msf_damage(msf, PDB_STREAM_IPI, "IPI", err, "id 0x%x is broken", id);
                at += 2 + len;
        }
        if (at != records.len)
                return msf_damage(msf, PDB_STREAM_IPI, "IPI", err, "%zu bytes behind the last id", records.len - at);
        return STASIS_OK;
}

static enum stasis_status check_stream(const struct msf *msf, struct stasis_bytes bytes, struct stasis_error *err)
{
        if (bytes.len < IPI_LEN)
                return msf_damage(msf, PDB_STREAM_IPI, "IPI", err, "%zu bytes are too few", bytes.len);
        uint32_t head = load_le32(bytes.at + 4), len = load_le32(bytes.at + 16);
        uint32_t first = load_le32(bytes.at + 8), end = load_le32(bytes.at + 12);
        if (head < IPI_LEN || head > bytes.len || len > bytes.len - head)
                return msf_damage(msf, PDB_STREAM_IPI, "IPI", err, "%u bytes of ids in %zu", len, bytes.len);
        if (first > end || end > IDS_MAX || end - first > len / 4)
                return msf_damage(msf, PDB_STREAM_IPI, "IPI", err, "ids 0x%x to 0x%x in %u bytes", first, end, len);
        return check_records(msf, first, end, bytes_slice(bytes, head, len), err);
}

enum stasis_status pdb_ids_check(struct pdb *pdb, struct stasis_error *err)
{
        struct msf_stream stream;

        if (!pdb->has_ids)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, PDB_STREAM_IPI, "IPI", &stream, err);
        if (status != STASIS_OK)
                return status;
        if (stream.bytes.len)
                status = check_stream(&pdb->msf, stream.bytes, err);
        msf_release(&pdb->msf, &stream);
        return status;
}
