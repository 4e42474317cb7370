/* SPDX-License-Identifier: MIT */
/*
 * Symbols: public ones, and the functions that only their modules know (pdb_procs.c). All records are in one stream; a
 * public one (cvinfo.h, PUBSYM32) has a section and a place in it, which the section headers make an RVA. Where the
 * image was rearranged after linking (OMAP), those are of the image before, and a map leads on (pdb.h, OMAP_DATA).
 */
#include <stdio.h>
#include <stdlib.h>

#include "../base/error.h"
#include "layout_isf.h"
#include "pdb_internal.h"
#include "pdb_wire.h"

enum {
        SECTION_LEN = 40,      /* IMAGE_SECTION_HEADER */
        OMAP_LEN = 8,          /* rva, rvaTo */
        PUBLICS_HEAD_LEN = 28, /* PSGSIHDR (gsi.h): bytes of the hash, bytes of the address map ... */
        HASH_HEAD_LEN = 16,    /* GSIHashHdr: -1, version, bytes of entries, bytes of buckets */
        HASH_ENTRY_LEN = 8,    /* HRFile: place in the records plus 1, references */
        HASH_VERSION = 0xeffe0000 + 19990810,
        BUCKETS = 4096,           /* IPHR_HASH */
        OLD_BUCKETS = BUCKETS + 1 /* without a header the buckets are a table of fixed length at the end */
};

/* Section headers and what rearranges them. */
struct places {
        struct msf_stream sections, omap;
        bool has_sections, has_omap;
        uint32_t omap_index;
};

static enum stasis_status open_places(struct pdb *pdb, struct places *p, struct stasis_error *err)
{
        const uint16_t *debug = pdb->dbi.debug;
        enum stasis_status status = STASIS_OK;

        p->has_omap = debug[PDB_DEBUG_OMAP_FROM_SRC] != MSF_NO_STREAM;
        unsigned which = p->has_omap ? PDB_DEBUG_SECTIONS_ORIGINAL : PDB_DEBUG_SECTIONS;
        p->has_sections = debug[which] != MSF_NO_STREAM;
        p->omap_index = debug[PDB_DEBUG_OMAP_FROM_SRC];
        if (p->has_sections)
                status = msf_stream(&pdb->msf, debug[which], "section headers", &p->sections, err);
        if (status == STASIS_OK && p->has_omap)
                status = msf_stream(&pdb->msf, p->omap_index, "OMAP", &p->omap, err);
        if (status == STASIS_OK && p->sections.bytes.len % SECTION_LEN)
                return msf_damage(&pdb->msf, debug[which], "section headers", err, "%zu bytes", p->sections.bytes.len);
        if (status == STASIS_OK && p->omap.bytes.len % OMAP_LEN)
                return msf_damage(&pdb->msf, p->omap_index, "OMAP", err, "%zu bytes", p->omap.bytes.len);
        return status;
}

static void close_places(struct places *p)
{
        free(p->sections.copy);
        free(p->omap.copy);
}

static enum stasis_status check_omap(const struct pdb *pdb, const struct places *p, struct stasis_error *err)
{
        for (size_t at = OMAP_LEN; at < p->omap.bytes.len; at += OMAP_LEN)
                if (load_le32(p->omap.bytes.at + at) < load_le32(p->omap.bytes.at + at - OMAP_LEN))
                        return msf_damage(&pdb->msf, p->omap_index, "OMAP", err, "entry %zu is not in order",
                                          at / OMAP_LEN);
        return STASIS_OK;
}

/* Of the image before to that of the file; false where that code is gone. */
static bool map_on(const struct places *p, uint32_t rva, uint32_t *ret_rva)
{
        size_t low = 0, high = p->omap.bytes.len / OMAP_LEN;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (load_le32(p->omap.bytes.at + middle * OMAP_LEN) <= rva)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (!low)
                return false;
        const uint8_t *entry = p->omap.bytes.at + (low - 1) * OMAP_LEN;
        if (!load_le32(entry + 4))
                return false;
        *ret_rva = load_le32(entry + 4) + (rva - load_le32(entry));
        return true;
}

/* Absolute symbols are in a section behind the last one; they have no place in the image. */
static bool rva_of(const struct places *p, uint32_t section, uint32_t at, uint32_t *ret_rva)
{
        if (!section || section > p->sections.bytes.len / SECTION_LEN)
                return false;
        uint64_t rva = (uint64_t)load_le32(p->sections.bytes.at + (section - 1) * SECTION_LEN + 12) + at;
        if (rva > UINT32_MAX)
                return false;
        *ret_rva = (uint32_t)rva;
        return !p->has_omap || map_on(p, (uint32_t)rva, ret_rva);
}

/* ---- records */

struct public
{
        uint32_t flags, at;
        uint16_t section;
        const char *name;
        size_t name_len; /* of a name that begins with its length, and does not end with a zero; else 0 */
};

static bool is_public(struct stasis_bytes record, struct public *ret_public)
{
        struct stasis_cursor c = { .left = record };

        uint64_t kind = cursor_le(&c, 2);
        if (kind != S_PUB32 && kind != S_PUB32_ST && kind != S_PUB32_16T)
                return false;
        *ret_public = (struct public){ 0 };
        uint32_t flags = kind == S_PUB32_16T ? 0 : (uint32_t)cursor_le(&c, 4);
        ret_public->flags = kind == S_PUB32 ? flags : 0; /* a type, in older ones */
        ret_public->at = (uint32_t)cursor_le(&c, 4);
        ret_public->section = (uint16_t)cursor_le(&c, 2);
        if (kind == S_PUB32_16T)
                (void)cursor_le(&c, 2);
        ret_public->name = kind == S_PUB32 ? pdb_text(&c) : pdb_counted_text(c.left, &ret_public->name_len);
        return true; /* name is NULL where the record is cut off */
}

/* The next record from *at on, behind its length; false at the end. An error: it is longer than what is left. */
static enum stasis_status next_record(const struct pdb *pdb, uint32_t *at, struct stasis_bytes *ret_record,
                                      struct stasis_error *err)
{
        struct stasis_bytes all = pdb->records.bytes;
        uint32_t len = all.len - *at >= 4 ? load_le16(all.at + *at) : 0;

        if (len < 2 || len > all.len - *at - 2)
                return msf_damage(&pdb->msf, pdb->dbi.records, "symbol records", err, "the record at 0x%x is cut off",
                                  *at);
        *ret_record = (struct stasis_bytes){ all.at + *at + 2, len };
        *at += 2 + len;
        return STASIS_OK;
}

/* starts: a bit for each 4 bytes of the stream where a record begins. */
static enum stasis_status count_publics(const struct pdb *pdb, uint8_t *starts, size_t *ret_count,
                                        struct stasis_error *err)
{
        size_t count = 0;

        for (uint32_t at = 0; at < pdb->records.bytes.len;) {
                struct public public;
                struct stasis_bytes record;
                uint32_t from = at;
                enum stasis_status status = next_record(pdb, &at, &record, err);
                if (status != STASIS_OK)
                        return status;
                if (from % 4 == 0)
                        starts[from / 32] |= (uint8_t)(1u << (from / 4 % 8));
                if (!is_public(record, &public))
                        continue;
                if (!public.name)
                        return msf_damage(&pdb->msf, pdb->dbi.records, "symbol records", err,
                                          "the name of the record at 0x%x does not end", from);
                count++;
        }
        *ret_count = count;
        return STASIS_OK;
}

static enum stasis_status take_publics(struct pdb *pdb, const struct places *p, size_t count, struct stasis_error *err)
{
        for (uint32_t at = 0; at < pdb->records.bytes.len && pdb->symbol_count < count;) {
                struct public public;
                struct stasis_bytes record;
                struct pdb_symbol *symbol = &pdb->symbol[pdb->symbol_count];
                enum stasis_status status = next_record(pdb, &at, &record, err);
                if (status != STASIS_OK)
                        return status;
                if (!is_public(record, &public) || !public.name || !rva_of(p, public.section, public.at, &symbol->rva))
                        continue;
                symbol->name =
                        public.name_len ? stasis_arena_strndup(&pdb->arena, public.name, public.name_len) : public.name;
                if (!symbol->name)
                        return stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
                symbol->flags = public.flags;
                pdb->symbol_count++;
        }
        return STASIS_OK;
}

/* What has a public symbol too is dropped where they are sorted. */
static void take_procs(struct pdb *pdb, const struct places *p)
{
        for (size_t i = 0; pdb->symbol && i < pdb->proc_count; i++) {
                const struct pdb_proc *proc = &pdb->proc[i];
                struct pdb_symbol *symbol = &pdb->symbol[pdb->symbol_count];
                if (!rva_of(p, proc->section, proc->at, &symbol->rva))
                        continue;
                symbol->name = proc->name;
                symbol->flags = PDB_CODE | PDB_FUNCTION | PDB_PRIVATE;
                pdb->symbol_count++;
        }
}

/* ---- the tables that find a record by its name and by its address: they must be of these records */

static bool is_start(const struct pdb *pdb, const uint8_t *starts, uint32_t at)
{
        return at < pdb->records.bytes.len && at % 4 == 0 && starts[at / 32] >> (at / 4 % 8) & 1;
}

/* The bucket that the name of a public symbol comes to; false: of what has none, or is not judged. */
static bool bucket_of(const struct pdb *pdb, uint32_t at, uint32_t *ret_bucket)
{
        struct public public;
        uint32_t hash;
        const uint8_t *record = pdb->records.bytes.at + at;

        if (!is_public((struct stasis_bytes){ record + 2, load_le16(record) }, &public) || !public.name ||
            public.name_len || !pdb_hash_name(public.name, &hash))
                return false;
        *ret_bucket = hash % BUCKETS;
        return true;
}

/* Entries stand in the order of their buckets. */
static enum stasis_status check_entries(const struct pdb *pdb, uint32_t index, const char *what,
                                        struct stasis_bytes entries, const uint8_t *starts, struct stasis_error *err)
{
        uint32_t bucket, last = 0;

        for (size_t i = 0; i < entries.len; i += HASH_ENTRY_LEN) {
                uint32_t at = load_le32(entries.at + i) - 1;
                if (!is_start(pdb, starts, at))
                        return msf_damage(&pdb->msf, index, what, err, "entry %zu of its hash names no record",
                                          i / HASH_ENTRY_LEN);
                if (!bucket_of(pdb, at, &bucket))
                        continue;
                if (bucket < last)
                        return msf_damage(&pdb->msf, index, what, err,
                                          "entry %zu of its hash is not in the bucket of its name", i / HASH_ENTRY_LEN);
                last = bucket;
        }
        return STASIS_OK;
}

static enum stasis_status check_hash(const struct pdb *pdb, uint32_t index, const char *what, struct stasis_bytes hash,
                                     const uint8_t *starts, struct stasis_error *err)
{
        uint64_t at = 0, len;

        if (!hash.len)
                return STASIS_OK;
        if (hash.len >= HASH_HEAD_LEN && load_le32(hash.at) == UINT32_MAX) {
                if (load_le32(hash.at + 4) != (uint32_t)HASH_VERSION)
                        return msf_damage(&pdb->msf, index, what, err, "a hash of version 0x%x",
                                          load_le32(hash.at + 4));
                at = HASH_HEAD_LEN;
                len = load_le32(hash.at + 8);
        } else { /* of older linkers */
                len = hash.len >= 4 * OLD_BUCKETS ? hash.len - 4 * OLD_BUCKETS : UINT64_MAX;
        }
        struct stasis_bytes entries = bytes_slice(hash, at, len);
        if (!entries.at || len % HASH_ENTRY_LEN)
                return msf_damage(&pdb->msf, index, what, err, "its hash has no room for its entries");
        return check_entries(pdb, index, what, entries, starts, err);
}

static enum stasis_status check_globals(struct pdb *pdb, const uint8_t *starts, struct stasis_error *err)
{
        struct msf_stream stream;

        if (pdb->dbi.globals == MSF_NO_STREAM)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, pdb->dbi.globals, "globals", &stream, err);
        if (status != STASIS_OK)
                return status;
        status = check_hash(pdb, pdb->dbi.globals, "globals", stream.bytes, starts, err);
        free(stream.copy);
        return status;
}

static enum stasis_status check_publics(struct pdb *pdb, const uint8_t *starts, struct stasis_error *err)
{
        struct msf_stream stream;
        uint32_t index = pdb->dbi.publics;

        if (index == MSF_NO_STREAM)
                return STASIS_OK;
        enum stasis_status status = msf_stream(&pdb->msf, index, "publics", &stream, err);
        if (status != STASIS_OK)
                return status;
        struct stasis_bytes bytes = stream.bytes, hash = { NULL, 0 }, map = { NULL, 0 };
        if (bytes.len >= PUBLICS_HEAD_LEN) {
                hash = bytes_slice(bytes, PUBLICS_HEAD_LEN, load_le32(bytes.at));
                map = bytes_slice(bytes, PUBLICS_HEAD_LEN + (uint64_t)load_le32(bytes.at), load_le32(bytes.at + 4));
        }
        if (!hash.at || !map.at)
                status = msf_damage(&pdb->msf, index, "publics", err, "its parts are longer than its %zu bytes",
                                    bytes.len);
        else
                status = check_hash(pdb, index, "publics", hash, starts, err);
        for (size_t i = 0; status == STASIS_OK && i + 4 <= map.len; i += 4)
                if (!is_start(pdb, starts, load_le32(map.at + i)))
                        status = msf_damage(&pdb->msf, index, "publics", err,
                                            "entry %zu of its address map names no record", i / 4);
        free(stream.copy);
        return status;
}

/* ---- by address, by name */

static int by_address(const void *a, const void *b)
{
        const struct pdb_symbol *x = a, *y = b;

        if (x->rva != y->rva)
                return x->rva < y->rva ? -1 : 1;
        if ((x->flags ^ y->flags) & PDB_PRIVATE)
                return x->flags & PDB_PRIVATE ? 1 : -1;
        return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
        const struct pdb_name *x = a, *y = b;
        int order = strcmp(x->name, y->name);

        return order ? order : (x->type > y->type) - (x->type < y->type);
}

static enum stasis_status sort_all(struct pdb *pdb, struct stasis_error *err)
{
        size_t count = pdb->symbol_count, kept = 0;

        pdb->by_name = calloc(count + 1, sizeof *pdb->by_name);
        if (!pdb->by_name)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
        if (!count)
                return STASIS_OK;
        qsort(pdb->symbol, count, sizeof *pdb->symbol, by_address);
        for (size_t i = 0; i < count; i++) /* one that is public too has a name already */
                if (!(pdb->symbol[i].flags & PDB_PRIVATE) || !kept || pdb->symbol[kept - 1].rva != pdb->symbol[i].rva)
                        pdb->symbol[kept++] = pdb->symbol[i];
        pdb->symbol_count = count = kept;
        for (size_t i = 0; i < count; i++)
                pdb->by_name[i] = (struct pdb_name){ pdb->symbol[i].name, (uint32_t)i };
        qsort(pdb->by_name, count, sizeof *pdb->by_name, by_name);
        return STASIS_OK;
}

static enum stasis_status read_publics(struct pdb *pdb, uint8_t *starts, struct stasis_error *err)
{
        struct places p = { 0 };
        size_t count = 0;
        enum stasis_status status = count_publics(pdb, starts, &count, err);

        if (status == STASIS_OK)
                status = check_globals(pdb, starts, err);
        if (status == STASIS_OK)
                status = check_publics(pdb, starts, err);
        if (status == STASIS_OK)
                status = open_places(pdb, &p, err);
        if (status == STASIS_OK)
                status = check_omap(pdb, &p, err);
        if (status == STASIS_OK) {
                pdb->symbol = calloc(count + pdb->proc_count + 1, sizeof *pdb->symbol);
                status = pdb->symbol ? take_publics(pdb, &p, count, err)
                                     : stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
        }
        if (status == STASIS_OK)
                take_procs(pdb, &p);
        close_places(&p);
        return status == STASIS_OK ? sort_all(pdb, err) : status;
}

enum stasis_status pdb_symbols_read(struct pdb *pdb, struct stasis_error *err)
{
        if (!pdb->dbi.there || pdb->dbi.records == MSF_NO_STREAM)
                return STASIS_OK; /* types alone */
        enum stasis_status status = msf_stream(&pdb->msf, pdb->dbi.records, "symbol records", &pdb->records, err);
        if (status != STASIS_OK)
                return status;
        uint8_t *starts = calloc(pdb->records.bytes.len / 32 + 1, 1);
        if (!starts)
                return stasis_fail(err, STASIS_NOMEM, "%s: no memory", pdb->layout.name);
        status = read_publics(pdb, starts, err);
        free(starts);
        return status;
}

/* ---- answers */

const struct pdb_symbol *pdb_symbol_at(const struct pdb *pdb, size_t i)
{
        return i < pdb->symbol_count ? &pdb->symbol[i] : NULL;
}

const struct pdb_symbol *pdb_symbol_below(const struct pdb *pdb, uint64_t rva)
{
        size_t low = 0, high = pdb->symbol_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (pdb->symbol[middle].rva <= rva)
                        low = middle + 1;
                else
                        high = middle;
        }
        while (low > 1 && pdb->symbol[low - 2].rva == pdb->symbol[low - 1].rva)
                low--;
        return low ? &pdb->symbol[low - 1] : NULL;
}

static const struct pdb_name *find_name(const struct pdb *pdb, const char *name)
{
        return isf_find(pdb->by_name, pdb->symbol_count, sizeof *pdb->by_name, name, strlen(name));
}

/* The first name in order that begins so. */
static const struct pdb_name *find_prefix(const struct pdb *pdb, const char *prefix)
{
        size_t low = 0, high = pdb->symbol_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (strcmp(pdb->by_name[middle].name, prefix) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < pdb->symbol_count && strncmp(pdb->by_name[low].name, prefix, strlen(prefix)) == 0
                       ? &pdb->by_name[low]
                       : NULL;
}

bool pdb_symbol_rva(const struct pdb *pdb, const char *name, uint32_t *ret_rva)
{
        const struct pdb_name *found = find_name(pdb, name);
        char decorated[256];

        if (!found && pdb->dbi.machine == 0x14c && strlen(name) < sizeof decorated - 3) {
                snprintf(decorated, sizeof decorated, "_%s", name);
                found = find_name(pdb, decorated);
                for (int i = 0; !found && i < 2; i++) { /* __stdcall, __fastcall */
                        snprintf(decorated, sizeof decorated, "%c%s@", "_@"[i], name);
                        found = find_prefix(pdb, decorated);
                }
        }
        if (found)
                *ret_rva = pdb->symbol[found->type].rva;
        return found != NULL;
}

void pdb_undecorate(const char *name, char *buf, size_t len)
{
        size_t keep = strlen(name);
        const char *at = strrchr(name, '@');
        bool fast = name[0] == '@' && at && at > name;

        if (name[0] == '?' || (name[0] != '_' && !fast)) {
                snprintf(buf, len, "%s", name);
                return;
        }
        if (at && at > name && at[1] && strspn(at + 1, "0123456789") == strlen(at + 1))
                keep = (size_t)(at - name);
        snprintf(buf, len, "%.*s", (int)(keep - 1), name + 1);
}
