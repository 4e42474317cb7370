/* SPDX-License-Identifier: MIT */
/*
 * Functions that only their own modules know: static ones have no public symbol. The DBI stream's first part lists the
 * modules (modi.h, MODI; LLVM "DbiModuleDescriptor"), each with a stream of symbol records; those of functions
 * (cvinfo.h, PROCSYM32) have a section, a place in it and the name as the source has it.
 */
#include <stdlib.h>

#include "../base/error.h"
#include "pdb_internal.h"
#include "pdb_wire.h"

enum {
        MODULE_LEN = 64, /* before its two names; filled up to 4 bytes behind them */
        MODULE_STREAM = 34,
        MODULE_SYMBOLS_LEN = 36,
        SIGNATURE_LEN = 4,  /* in front of the records */
        SIGNATURE_MAX = 16, /* CV_SIGNATURE_C13 is 4 */
        PROCS_MAX = 1 << 22
};

static const struct proc_form {
        uint16_t kind;
        uint8_t at, section, name; /* places behind the kind */
        bool counted;              /* the name begins with its length */
} forms[] = {
        { S_LPROC32, 28, 32, 35, false },     { S_GPROC32, 28, 32, 35, false },
        { S_LPROC32_ID, 28, 32, 35, false },  { S_GPROC32_ID, 28, 32, 35, false },
        { S_LPROC32_DPC, 28, 32, 35, false }, { S_LPROC32_DPC_ID, 28, 32, 35, false },
        { S_LPROC32_ST, 28, 32, 35, true },   { S_GPROC32_ST, 28, 32, 35, true },
        { S_LPROC32_16T, 24, 28, 33, true },  { S_GPROC32_16T, 24, 28, 33, true },
};

const char *pdb_counted_text(struct stasis_bytes at, size_t *ret_len)
{
        if (!at.len || at.at[0] > at.len - 1)
                return NULL;
        *ret_len = at.at[0];
        return (const char *)at.at + 1;
}

static enum stasis_status no_memory(const struct pdb *pdb, struct stasis_error *err)
{
        return stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
}

/* False: the name is cut off. */
static bool proc_name(const struct proc_form *form, struct stasis_bytes record, const char **ret_name, size_t *ret_len)
{
        struct stasis_bytes name = bytes_slice(record, form->name, record.len - form->name);
        if (form->counted) {
                *ret_name = pdb_counted_text(name, ret_len);
                return *ret_name;
        }
        const uint8_t *end = name.len ? memchr(name.at, 0, name.len) : NULL;
        *ret_name = (const char *)name.at;
        *ret_len = end ? (size_t)(end - name.at) : 0;
        return end;
}

static enum stasis_status take_proc(struct pdb *pdb, uint32_t stream, struct stasis_bytes record,
                                    struct stasis_error *err)
{
        const char *name;
        size_t len;
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
                const struct proc_form *form = &forms[i];
                if (record.len < 2 || load_le16(record.at) != form->kind)
                        continue;
                record = (struct stasis_bytes){ record.at + 2, record.len - 2 };
                if (record.len <= form->name || !proc_name(form, record, &name, &len))
                        return msf_damage(&pdb->msf, stream, "symbols of a module", err, "a function has no name");
                if (!len || pdb->proc_count == PROCS_MAX)
                        return STASIS_OK;
                char *kept = stasis_arena_strndup(&pdb->arena, name, len);
                if (!kept || !stasis_grow(&pdb->proc, &pdb->proc_capacity, pdb->proc_count + 1, sizeof *pdb->proc))
                        return no_memory(pdb, err);
                pdb->proc[pdb->proc_count++] = (struct pdb_proc){ kept, load_le32(record.at + form->at),
                                                                  load_le16(record.at + form->section) };
                return STASIS_OK;
        }
        return STASIS_OK;
}

static enum stasis_status take_records(struct pdb *pdb, uint32_t index, struct stasis_bytes all,
                                       struct stasis_error *err)
{
        if (load_le32(all.at) > SIGNATURE_MAX)
                return msf_damage(&pdb->msf, index, "symbols of a module", err, "signature 0x%x", load_le32(all.at));
        for (size_t at = SIGNATURE_LEN; at < all.len;) {
                size_t len = all.len - at >= 4 ? load_le16(all.at + at) : 0;
                if (len < 2 || len > all.len - at - 2)
                        return msf_damage(&pdb->msf, index, "symbols of a module", err,
                                          "the record at 0x%zx is cut off", at);
                enum stasis_status status = take_proc(pdb, index, (struct stasis_bytes){ all.at + at + 2, len }, err);
                if (status != STASIS_OK)
                        return status;
                at += 2 + len;
        }
        return STASIS_OK;
}

static enum stasis_status take_module(struct pdb *pdb, const uint8_t *module, struct stasis_error *err)
{
        uint16_t index = load_le16(module + MODULE_STREAM);
        uint32_t len = load_le32(module + MODULE_SYMBOLS_LEN);
        struct msf_stream stream;
        if (index == MSF_NO_STREAM || len <= SIGNATURE_LEN)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, index, "symbols of a module", &stream, err);
        if (status != STASIS_OK)
                return status;
        if (len > stream.bytes.len)
                status = msf_damage(&pdb->msf, index, "symbols of a module", err, "%u bytes of symbols in %zu", len,
                                    stream.bytes.len);
        else
                status = take_records(pdb, index, (struct stasis_bytes){ stream.bytes.at, len }, err);
        msf_release(&pdb->msf, &stream);
        return status;
}

static enum stasis_status take_modules(struct pdb *pdb, struct stasis_bytes part, struct stasis_error *err)
{
        for (unsigned number = 0; part.len; number++) {
                size_t len = MODULE_LEN;
                for (unsigned i = 0; i < 2 && len <= part.len; i++) {
                        const uint8_t *end = len < part.len ? memchr(part.at + len, 0, part.len - len) : NULL;
                        len = end ? (size_t)(end - part.at) + 1 : part.len + 1;
                }
                if (len > part.len)
                        return msf_damage(&pdb->msf, PDB_STREAM_DBI, "DBI", err, "module %u is cut off", number);
                enum stasis_status status = take_module(pdb, part.at, err);
                if (status != STASIS_OK)
                        return status;
                len = (len + 3) & ~(size_t)3;
                len = len < part.len ? len : part.len;
                part = (struct stasis_bytes){ part.at + len, part.len - len };
        }
        return STASIS_OK;
}

enum stasis_status pdb_procs_read(struct pdb *pdb, struct stasis_error *err)
{
        struct msf_stream dbi;
        if (!pdb->dbi.there || !pdb->dbi.modules_len)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, PDB_STREAM_DBI, "DBI", &dbi, err);
        if (status != STASIS_OK)
                return status;
        /* pdb_read_dbi has seen that it is there */
        status = take_modules(pdb, bytes_slice(dbi.bytes, PDB_DBI_LEN, pdb->dbi.modules_len), err);
        msf_release(&pdb->msf, &dbi);
        return status;
}
