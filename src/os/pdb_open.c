/* SPDX-License-Identifier: MIT */
/* Whose a PDB is, and where its parts are: the info stream and the header of the DBI stream. */
#include <stdio.h>
#include <stdlib.h>

#include "../base/error.h"
#include "pdb_internal.h"

/* PDBStream (pdb1.cpp; LLVM InfoStreamHeader): version, signature, age, GUID; then the named streams. */
enum { INFO_LEN = 28, INFO_VC70 = 20000404 /* the first with a GUID */, NAMED_MAX = 4096 };

/* NewDBIHdr (dbi.h; LLVM DbiStreamHeader): -1, version, age, then places below; 64 bytes. */
enum {
        DBI_AGE = 8,
        DBI_GLOBALS = 12,
        DBI_PUBLICS = 16,
        DBI_RECORDS = 20,
        DBI_PARTS = 24, /* lengths of: modules, section contributions, section map, files, type servers; */
        DBI_DEBUG_LEN = 48,
        DBI_EDIT_LEN = 52, /* edit and continue, which stands before the list of debug streams */
        DBI_MACHINE = 58,
        FEATURE_VC110 = 20091201, /* it has the stream of ids */
        FEATURE_VC140 = 20140508,
        DBI_V50 = 19960307,
        DBI_V60 = 19970606 /* its modules have a form that later ones kept */
};

static bool bits_skip(struct stasis_cursor *c)
{
        uint64_t words = cursor_le(c, 4);
        return words <= c->left.len / 4 && cursor_take(c, words * 4);
}

/*
 * The named streams: texts, then a table (count, capacity, two bit vectors, and for each entry the place of its text
 * and the stream). ret_names: the stream "/names", which has the texts of frame data.
 */
static bool read_named(struct stasis_cursor *c, uint32_t *ret_names)
{
        uint64_t len = cursor_le(c, 4);
        struct stasis_bytes texts = { c->left.at, (size_t)len };
        *ret_names = UINT32_MAX;
        if (!cursor_take(c, len))
                return false;
        uint64_t count = cursor_le(c, 4);
        (void)cursor_le(c, 4);
        bool present = bits_skip(c), deleted = bits_skip(c);
        if (!present || !deleted || count > NAMED_MAX)
                return false;
        for (uint64_t i = 0; i < count && !c->bad; i++) {
                uint64_t at = cursor_le(c, 4), stream = cursor_le(c, 4);
                struct stasis_bytes text = bytes_slice(texts, at, sizeof "/names");
                if (!c->bad && text.at && memcmp(text.at, "/names", sizeof "/names") == 0)
                        *ret_names = (uint32_t)stream;
        }
        return !c->bad;
}

/* Behind the named streams: words, some of which say what the file has (LLVM PdbRaw_FeatureSig). */
static bool read_features(struct stasis_cursor *c)
{
        while (c->left.len >= 4) {
                uint64_t feature = cursor_le(c, 4);
                if (feature == FEATURE_VC110 || feature == FEATURE_VC140)
                        return true;
        }
        return false;
}

enum stasis_status pdb_read_info(struct msf *msf, struct stasis_pdb_id *ret_id, uint32_t *ret_names, bool *ret_ids,
                                 struct stasis_error *err)
{
        struct msf_stream stream;
        enum stasis_status status = msf_stream(msf, PDB_STREAM_INFO, "PDB", &stream, err);

        if (status != STASIS_OK)
                return status;
        struct stasis_cursor c = { .left = stream.bytes };
        uint64_t version = cursor_le(&c, 4);
        (void)cursor_le(&c, 4); /* a timestamp, before there were GUIDs */
        ret_id->age = (uint32_t)cursor_le(&c, 4);
        const uint8_t *guid = cursor_take(&c, 16);
        if (!guid)
                status = msf_damage(msf, PDB_STREAM_INFO, "PDB", err, "%zu bytes are too few", stream.bytes.len);
        else if (version < INFO_VC70)
                status = stasis_fail(err, STASIS_UNSUPPORTED, "%s: a PDB of version %llu, which has no GUID", msf->name,
                                     (unsigned long long)version);
        else
                memcpy(ret_id->guid, guid, sizeof ret_id->guid);
        if (status == STASIS_OK && !read_named(&c, ret_names))
                status = msf_damage(msf, PDB_STREAM_INFO, "PDB", err, "the table of named streams is broken");
        *ret_ids = status == STASIS_OK && read_features(&c);
        free(stream.copy);
        return status;
}

/* The last part: an array of stream numbers. */
static bool debug_streams(struct stasis_bytes dbi, uint64_t at, struct pdb_dbi *ret_dbi)
{
        uint32_t len = load_le32(dbi.at + DBI_DEBUG_LEN);
        struct stasis_bytes part = bytes_slice(dbi, at, len);

        if (!part.at || len % 2)
                return false;
        for (size_t i = 0; i < PDB_DEBUG_COUNT; i++)
                ret_dbi->debug[i] = 2 * i + 2 <= len ? load_le16(part.at + 2 * i) : MSF_NO_STREAM;
        return true;
}

static enum stasis_status dbi_header(const struct msf *msf, struct stasis_bytes dbi, struct pdb_dbi *ret_dbi,
                                     struct stasis_error *err)
{
        uint64_t at = PDB_DBI_LEN;

        if (dbi.len < PDB_DBI_LEN)
                return msf_damage(msf, PDB_STREAM_DBI, "DBI", err, "%zu bytes are too few", dbi.len);
        if (load_le32(dbi.at) != UINT32_MAX || load_le32(dbi.at + 4) < DBI_V50)
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s: its DBI stream has the form of before Visual C++ 5",
                                   msf->name);
        *ret_dbi = (struct pdb_dbi){ .there = true,
                                     .age = load_le32(dbi.at + DBI_AGE),
                                     .machine = load_le16(dbi.at + DBI_MACHINE),
                                     .globals = load_le16(dbi.at + DBI_GLOBALS),
                                     .publics = load_le16(dbi.at + DBI_PUBLICS),
                                     .records = load_le16(dbi.at + DBI_RECORDS) };
        if (load_le32(dbi.at + 4) >= DBI_V60)
                ret_dbi->modules_len = load_le32(dbi.at + DBI_PARTS);
        for (unsigned i = 0; i < 5; i++)
                at += load_le32(dbi.at + DBI_PARTS + 4 * i);
        at += load_le32(dbi.at + DBI_EDIT_LEN);
        if (!debug_streams(dbi, at, ret_dbi))
                return msf_damage(msf, PDB_STREAM_DBI, "DBI", err, "its parts are longer than its %zu bytes", dbi.len);
        return STASIS_OK;
}

enum stasis_status pdb_read_dbi(struct msf *msf, struct pdb_dbi *ret_dbi, struct stasis_error *err)
{
        struct msf_stream stream;
        enum stasis_status status = msf_stream(msf, PDB_STREAM_DBI, "DBI", &stream, err);

        if (status != STASIS_OK)
                return status;
        if (stream.bytes.len) /* types alone, of a compiler: empty */
                status = dbi_header(msf, stream.bytes, ret_dbi, err);
        msf_release(msf, &stream);
        return status;
}

/* The linker counts the age in the DBI stream, which is what the image has; tools count that of the file on. */
static enum stasis_status read_front(struct msf *msf, struct stasis_pdb_id *ret_id, struct pdb_dbi *ret_dbi,
                                     uint32_t *ret_names, bool *ret_ids, struct stasis_error *err)
{
        *ret_dbi = (struct pdb_dbi){ .globals = MSF_NO_STREAM, .publics = MSF_NO_STREAM, .records = MSF_NO_STREAM };
        enum stasis_status status = pdb_read_info(msf, ret_id, ret_names, ret_ids, err);
        if (status == STASIS_OK)
                status = pdb_read_dbi(msf, ret_dbi, err);
        if (status == STASIS_OK && ret_dbi->there)
                ret_id->age = ret_dbi->age;
        return status;
}

enum stasis_status pdb_identify(struct stasis_bytes file, const char *name, struct stasis_pdb_id *ret_id,
                                struct stasis_error *err)
{
        struct msf msf;
        struct pdb_dbi dbi;
        struct stasis_pdb_id id;
        uint32_t names;
        bool ids;
        enum stasis_status status = msf_open(file, name, &msf, err);

        if (status != STASIS_OK)
                return status;
        status = read_front(&msf, &id, &dbi, &names, &ids, err);
        if (status == STASIS_OK)
                *ret_id = id;
        msf_close(&msf);
        return status;
}

static void layout_close(struct stasis_layout *layout)
{
        struct pdb *pdb = (struct pdb *)layout;

        free(pdb->type_at);
        free(pdb->name);
        free(pdb->symbol);
        free(pdb->by_name);
        free(pdb->proc);
        free(pdb->types.copy);
        free(pdb->records.copy);
        free(pdb->fpo.copy);
        free(pdb->new_fpo.copy);
        free(pdb->strings.copy);
        msf_close(&pdb->msf);
        stasis_arena_free(&pdb->arena);
        free(pdb);
}

void pdb_close(struct pdb *pdb)
{
        if (pdb)
                layout_close(&pdb->layout);
}

static enum stasis_status read_all(struct pdb *pdb, struct stasis_error *err)
{
        enum stasis_status status = read_front(&pdb->msf, &pdb->id, &pdb->dbi, &pdb->names_stream, &pdb->has_ids, err);

        pdb->layout.pointer_size = pdb->dbi.machine == 0x14c ? 4 : 8;
        if (status == STASIS_OK)
                status = pdb_types_read(pdb, err);
        if (status == STASIS_OK)
                status = pdb_ids_check(pdb, err);
        if (status == STASIS_OK)
                status = pdb_procs_read(pdb, err);
        if (status == STASIS_OK)
                status = pdb_symbols_read(pdb, err);
        return status == STASIS_OK ? pdb_frames_read(pdb, err) : status;
}

enum stasis_status pdb_open(struct stasis_bytes file, const char *name, struct pdb **ret_pdb, struct stasis_error *err)
{
        struct pdb *pdb = calloc(1, sizeof *pdb);

        if (!pdb)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        char *kept = stasis_arena_strndup(&pdb->arena, name, strlen(name));
        pdb->layout = (struct stasis_layout){ .name = kept, .backend = &layout_pdb };
        enum stasis_status status =
                kept ? msf_open(file, kept, &pdb->msf, err) : stasis_fail(err, STASIS_NOMEM, "%s: no memory", name);
        if (status == STASIS_OK)
                status = read_all(pdb, err);
        if (status == STASIS_OK)
                *ret_pdb = pdb;
        else
                pdb_close(pdb);
        return status;
}

const struct stasis_layout *pdb_layout(const struct pdb *pdb) { return &pdb->layout; }

const struct stasis_pdb_id *pdb_id(const struct pdb *pdb) { return &pdb->id; }
