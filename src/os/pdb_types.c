/* SPDX-License-Identifier: MIT */
/*
 * The TPI stream: records of types, by number and, where they define something with a name, by name. Places as in
 * cvinfo.h (lfClass, lfUnion, lfEnum ...) and tpi.h (HDR; LLVM TpiStreamHeader).
 */
#include <stdlib.h>

#include "../base/error.h"
#include "layout_isf.h"
#include "pdb_internal.h"
#include "pdb_wire.h"

enum {
        TPI_LEN = 56, /* HDR: version, its length, first number, number behind the last, bytes of records; then */
        TPI_HASH_STREAM = 20,
        TPI_HASH_KEY = 24,
        TPI_HASH_BUCKETS = 28,
        TPI_HASH_VALUES = 32, /* place and length */
        TPI_V50 = 19961031,   /* before, a type was a number of 16 bits */
        TYPES_MAX = 1 << 26,
        HASH_BUCKETS_MAX = 1 << 20
};

/* ---- numbers and texts inside of records */

bool pdb_numeric(struct stasis_cursor *c, uint64_t *ret_value)
{
        static const struct {
                uint16_t leaf;
                uint8_t size;
                bool is_signed;
        } leaves[] = { { 0x8000, 1, true },  { 0x8001, 2, true }, { 0x8002, 2, false }, { 0x8003, 4, true },
                       { 0x8004, 4, false }, { 0x8009, 8, true }, { 0x800a, 8, false } }; /* LF_CHAR ... LF_UQUADWORD */
        uint64_t leaf = cursor_le(c, 2);

        if (c->bad || leaf < 0x8000) {
                *ret_value = leaf;
                return !c->bad;
        }
        for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
                if (leaves[i].leaf != leaf)
                        continue;
                unsigned unused = 64 - 8u * leaves[i].size;
                uint64_t value = cursor_le(c, leaves[i].size) << unused;
                *ret_value = leaves[i].is_signed ? (uint64_t)((int64_t)value >> unused) : value >> unused;
                return !c->bad;
        }
        c->bad = true;
        return false;
}

const char *pdb_text(struct stasis_cursor *c)
{
        const uint8_t *end = c->bad || !c->left.len ? NULL : memchr(c->left.at, 0, c->left.len);

        if (!end) {
                c->bad = true;
                return NULL;
        }
        return (const char *)cursor_take(c, (size_t)(end - c->left.at) + 1);
}

/* ---- records */

bool pdb_type(const struct pdb *pdb, uint32_t type, struct pdb_record *ret_record)
{
        if (type < pdb->type_begin || type >= pdb->type_end)
                return false;
        const uint8_t *at = pdb->types.bytes.at + pdb->type_at[type - pdb->type_begin];
        *ret_record = (struct pdb_record){ load_le16(at + 2), { at + 4, load_le16(at) - 2u } };
        return true;
}

/* Members in front of the size: count, properties, fields; a class has two more types, an enumeration its own. */
static bool udt_head(uint16_t kind, struct stasis_cursor *c, struct pdb_udt *udt)
{
        uint64_t properties;

        switch (kind) {
        case LF_CLASS:
        case LF_STRUCTURE:
        case LF_INTERFACE:
        case LF_UNION:
        case LF_ENUM:
                (void)cursor_le(c, 2);
                properties = cursor_le(c, 2);
                udt->is_enum = kind == LF_ENUM;
                if (udt->is_enum)
                        udt->base = (uint32_t)cursor_le(c, 4);
                udt->fields = (uint32_t)cursor_le(c, 4);
                break;
        case LF_CLASS2:
        case LF_STRUCTURE2:
        case LF_INTERFACE2:
        case LF_UNION2: /* of newer linkers: 32 bits of properties, and the count is a leaf behind the types */
                properties = cursor_le(c, 4);
                udt->fields = (uint32_t)cursor_le(c, 4);
                break;
        default: return false;
        }
        if (kind != LF_UNION && kind != LF_UNION2 && kind != LF_ENUM)
                (void)cursor_take(c, 8); /* what it derives from, and the shape of its table of functions */
        udt->forward = properties & 0x80;
        udt->scoped = properties & 0x100;
        return true;
}

bool pdb_udt_head(uint16_t kind, struct stasis_cursor *c)
{
        struct pdb_udt udt = { 0 };
        uint64_t size;

        return udt_head(kind, c, &udt) && (udt.is_enum || pdb_numeric(c, &size)) && !c->bad;
}

bool pdb_udt(const struct pdb_record *record, struct pdb_udt *ret_udt)
{
        struct stasis_cursor c = { .left = record->data };
        struct pdb_udt udt = { 0 };
        uint64_t count;

        if (!udt_head(record->kind, &c, &udt))
                return false;
        if (record->kind >= LF_CLASS2 && !pdb_numeric(&c, &count))
                return false;
        if (!udt.is_enum)
                (void)pdb_numeric(&c, &udt.size);
        udt.name = pdb_text(&c);
        *ret_udt = udt;
        return !c.bad;
}

/* ---- all of them, once */

static enum stasis_status no_memory(const struct pdb *pdb, struct stasis_error *err)
{
        return stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
}

static enum stasis_status damage(const struct pdb *pdb, struct stasis_error *err, uint32_t type, const char *what)
{
        return msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "type 0x%x %s", type, what);
}

static bool has_udt_kind(uint16_t kind)
{
        return (kind >= LF_CLASS && kind <= LF_ENUM) || kind == LF_INTERFACE ||
               (kind >= LF_CLASS2 && kind <= LF_INTERFACE2);
}

/* Where each record is; whatever has a name must have it inside of its record. */
static enum stasis_status index_records(struct pdb *pdb, uint32_t at, uint32_t end, struct stasis_error *err)
{
        struct stasis_bytes bytes = pdb->types.bytes;

        for (uint32_t type = pdb->type_begin; type < pdb->type_end; type++) {
                struct pdb_record record;
                struct pdb_udt udt;

                if (end - at < 4 || load_le16(bytes.at + at) < 2 || load_le16(bytes.at + at) > end - at - 2)
                        return damage(pdb, err, type, "is cut off");
                pdb->type_at[type - pdb->type_begin] = at;
                at += 2u + load_le16(bytes.at + at);
                if (!pdb_type(pdb, type, &record) || !has_udt_kind(record.kind))
                        continue;
                if (!pdb_udt(&record, &udt))
                        return damage(pdb, err, type, "has no size or name");
                pdb->name_count += !udt.forward;
        }
        if (at != end)
                return msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "%u bytes behind the last type", end - at);
        return STASIS_OK;
}

static int by_name(const void *a, const void *b)
{
        const struct pdb_name *x = a, *y = b;
        int order = strcmp(x->name, y->name);
        return order ? order : (x->type > y->type) - (x->type < y->type);
}

/* Several definitions of one name are the same thing, or are parts of others and reached through them: the first. */
static enum stasis_status index_names(struct pdb *pdb, struct stasis_error *err)
{
        size_t count = 0, kept = 0;

        pdb->name = calloc(pdb->name_count + 1, sizeof *pdb->name);
        if (!pdb->name)
                return no_memory(pdb, err);
        for (uint32_t type = pdb->type_begin; type < pdb->type_end; type++) {
                struct pdb_record record;
                struct pdb_udt udt;
                if (pdb_type(pdb, type, &record) && has_udt_kind(record.kind) && pdb_udt(&record, &udt) &&
                    !udt.forward && count < pdb->name_count)
                        pdb->name[count++] = (struct pdb_name){ udt.name, type };
        }
        if (count)
                qsort(pdb->name, count, sizeof *pdb->name, by_name);
        for (size_t i = 0; i < count; i++)
                if (i == 0 || strcmp(pdb->name[kept - 1].name, pdb->name[i].name) != 0)
                        pdb->name[kept++] = pdb->name[i];
        pdb->name_count = kept;
        return STASIS_OK;
}

bool pdb_defined(const struct pdb *pdb, const char *name, size_t len, uint32_t *ret_type)
{
        const struct pdb_name *found = isf_find(pdb->name, pdb->name_count, sizeof *pdb->name, name, len);

        if (found)
                *ret_type = found->type;
        return found != NULL;
}

/* A name that has none, or counts within a function, is hashed in another way (tpi.cpp, hashPrec). */
static bool is_unnamed(const char *name)
{
        const char *last = strrchr(name, ':');
        last = last ? last + 1 : name;
        return strcmp(last, "<unnamed-tag>") == 0 || strcmp(last, "__unnamed") == 0 || !*last;
}

/* Is a definition in the bucket that its name comes to? Of all else that is not judged. */
static bool right_bucket(const struct pdb *pdb, uint32_t type, uint32_t buckets, uint64_t bucket)
{
        struct pdb_record record;
        struct pdb_udt udt;
        uint32_t hash;

        return !pdb_type(pdb, type, &record) || !has_udt_kind(record.kind) || record.kind >= LF_CLASS2 ||
               !pdb_udt(&record, &udt) || udt.forward || udt.scoped || is_unnamed(udt.name) ||
               !pdb_hash_name(udt.name, &hash) || hash % buckets == bucket;
}

static enum stasis_status check_buckets(const struct pdb *pdb, uint32_t index, const uint8_t *values, uint32_t key,
                                        uint32_t buckets, struct stasis_error *err)
{
        for (uint32_t i = 0; i < pdb->type_end - pdb->type_begin; i++) {
                uint64_t bucket = load_le(values + (size_t)i * key, key);
                if (bucket >= buckets)
                        return msf_damage(&pdb->msf, index, "hashes of TPI", err, "type 0x%x is in bucket %llu of %u",
                                          pdb->type_begin + i, (unsigned long long)bucket, buckets);
                if (!right_bucket(pdb, pdb->type_begin + i, buckets, bucket))
                        return msf_damage(&pdb->msf, index, "hashes of TPI", err,
                                          "the name of type 0x%x belongs in another bucket than %llu",
                                          pdb->type_begin + i, (unsigned long long)bucket);
        }
        return STASIS_OK;
}

/*
 * The hash of each type: keys of 2 bytes (older linkers) or 4. We find names by our own order; a table that is not of
 * these records is damage all the same.
 */
static enum stasis_status check_hashes(struct pdb *pdb, struct stasis_error *err)
{
        const uint8_t *head = pdb->types.bytes.at;
        uint32_t index = load_le16(head + TPI_HASH_STREAM), key = load_le32(head + TPI_HASH_KEY);
        uint32_t buckets = load_le32(head + TPI_HASH_BUCKETS), at = load_le32(head + TPI_HASH_VALUES);
        uint32_t len = load_le32(head + TPI_HASH_VALUES + 4);
        struct msf_stream stream;

        if (index == MSF_NO_STREAM || !len)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, index, "hashes of TPI", &stream, err);
        if (status != STASIS_OK)
                return status;
        struct stasis_bytes values = bytes_slice(stream.bytes, at, len);
        if ((key != 2 && key != 4) || !buckets || buckets > HASH_BUCKETS_MAX)
                status = msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "hashes of %u bytes in %u buckets", key,
                                    buckets);
        else if (!values.at || len / key != pdb->type_end - pdb->type_begin)
                status = msf_damage(&pdb->msf, index, "hashes of TPI", err, "%u bytes of hashes for %u types", len,
                                    pdb->type_end - pdb->type_begin);
        else
                status = check_buckets(pdb, index, values.at, key, buckets, err);
        free(stream.copy);
        return status;
}

static enum stasis_status read_header(struct pdb *pdb, uint32_t *ret_at, uint32_t *ret_end, struct stasis_error *err)
{
        struct stasis_bytes bytes = pdb->types.bytes;

        if (bytes.len < TPI_LEN)
                return msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "%zu bytes are too few", bytes.len);
        uint32_t version = load_le32(bytes.at), head = load_le32(bytes.at + 4), len = load_le32(bytes.at + 16);
        pdb->type_begin = load_le32(bytes.at + 8);
        pdb->type_end = load_le32(bytes.at + 12);
        if (version < TPI_V50)
                return stasis_fail(err, STASIS_UNSUPPORTED, "%s: its types have numbers of 16 bits (TPI version %u)",
                                   pdb->layout.name, version);
        if (head < TPI_LEN || head > bytes.len || len > bytes.len - head)
                return msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "%u bytes of types in %zu", len, bytes.len);
        if (pdb->type_begin > pdb->type_end || pdb->type_end > TYPES_MAX || pdb->type_end - pdb->type_begin > len / 4)
                return msf_damage(&pdb->msf, PDB_STREAM_TPI, "TPI", err, "types 0x%x to 0x%x in %u bytes",
                                  pdb->type_begin, pdb->type_end, len);
        *ret_at = head;
        *ret_end = head + len;
        return STASIS_OK;
}

enum stasis_status pdb_types_read(struct pdb *pdb, struct stasis_error *err)
{
        uint32_t at = 0, end = 0;
        enum stasis_status status = msf_stream(&pdb->msf, PDB_STREAM_TPI, "TPI", &pdb->types, err);

        if (status != STASIS_OK || !pdb->types.bytes.len) /* a PDB of symbols alone has none */
                return status;
        status = read_header(pdb, &at, &end, err);
        if (status != STASIS_OK)
                return status;
        pdb->type_at = calloc(pdb->type_end - pdb->type_begin + 1, sizeof *pdb->type_at);
        if (!pdb->type_at)
                return no_memory(pdb, err);
        status = pdb_old_types(pdb, at, end, err);
        if (status == STASIS_OK)
                status = index_records(pdb, at, end, err);
        if (status == STASIS_OK)
                status = check_hashes(pdb, err);
        return status == STASIS_OK ? index_names(pdb, err) : status;
}
