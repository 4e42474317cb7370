/* SPDX-License-Identifier: MIT */
/*
 * A PDB inside. pdb_msf.c: streams out of blocks; pdb_open.c: identity and the directory of the rest (DBI);
 * pdb_types.c: records of types by number and by name; pdb_layout.c: they answer as a layout; pdb_symbols.c: publics;
 * pdb_ids.c: the stream of ids; pdb_procs.c: functions that only their modules know; pdb_old.c: records of older
 * compilers; pdb_hash.c: the hash of a name; pdb_frames.c: frame data.
 */
#ifndef STASIS_OS_PDB_INTERNAL_H
#define STASIS_OS_PDB_INTERNAL_H

#include "../base/arena.h"
#include "../base/bytes.h"
#include "layout_internal.h"
#include "pdb.h"

/* ---- pdb_msf.c */

#define MSF_NO_STREAM 0xffff

struct msf {
        struct stasis_bytes file;
        const char *name;
        uint32_t block_size, block_count, stream_count;
        uint8_t *directory; /* numbers of 32 bits: how many streams, their lengths, the blocks of each */
        size_t directory_words;
        uint32_t *first; /* of each stream: number of the word that names its first block */
        uint64_t budget; /* bytes that may still be gathered: all streams together are no longer than the file */
};

/* A stream in one piece: of the mapping where its blocks lie in a row, else gathered. */
struct msf_stream {
        struct stasis_bytes bytes;
        uint8_t *copy; /* to be freed, or NULL */
};

enum stasis_status msf_open(struct stasis_bytes file, const char *name, struct msf *ret_msf,
                            struct stasis_error *err) STASIS_MUST_CHECK;
void msf_close(struct msf *msf);
/* what: "TPI"; for messages. A stream that was deleted is empty. */
enum stasis_status msf_stream(struct msf *msf, uint32_t index, const char *what, struct msf_stream *ret_stream,
                              struct stasis_error *err) STASIS_MUST_CHECK;
void msf_release(struct msf *msf, struct msf_stream *stream); /* as if it had never been read */
/* "NAME: stream 2 (TPI): " and the rest; STASIS_CORRUPT. */
enum stasis_status msf_damage(const struct msf *msf, uint32_t index, const char *what, struct stasis_error *err,
                              const char *fmt, ...) STASIS_PRINTF(5, 6);

/* ---- the file */

enum { PDB_STREAM_INFO = 1, PDB_STREAM_TPI = 2, PDB_STREAM_DBI = 3, PDB_STREAM_IPI = 4 };
enum { PDB_DBI_LEN = 64 /* before its parts, of which that of the modules is the first */ };

/* Streams that the DBI stream's last part names, in its order. */
enum pdb_debug {
        PDB_DEBUG_FPO,
        PDB_DEBUG_OMAP_FROM_SRC = 4,
        PDB_DEBUG_SECTIONS = 5,
        PDB_DEBUG_NEW_FPO = 9,
        PDB_DEBUG_SECTIONS_ORIGINAL = 10,
        PDB_DEBUG_COUNT
};

struct pdb_dbi {
        bool there;
        uint32_t age;
        uint16_t machine;
        uint32_t modules_len; /* 0 in forms whose modules are described in another way */
        uint16_t globals, publics, records;
        uint16_t debug[PDB_DEBUG_COUNT]; /* MSF_NO_STREAM: none */
};

struct pdb_record {
        uint16_t kind;
        struct stasis_bytes data; /* behind the kind */
};

struct pdb_name { /* of a structure, union or enumeration that is defined */
        const char *name;
        uint32_t type;
};

struct pdb_section {
        uint32_t rva, len;
};

struct pdb_proc { /* a function as its module names it */
        const char *name;
        uint32_t at;
        uint16_t section;
};

struct pdb {
        struct stasis_layout layout; /* first */
        struct stasis_arena arena;
        struct msf msf;
        struct stasis_pdb_id id;
        struct pdb_dbi dbi;
        uint32_t names_stream; /* "/names"; UINT32_MAX: none */
        bool has_ids;          /* stream PDB_STREAM_IPI is what its name says */

        struct msf_stream types;
        uint32_t type_begin, type_end;
        uint32_t *type_at; /* place of each record in the stream */
        struct pdb_name *name;
        size_t name_count;

        struct msf_stream records;
        struct pdb_symbol *symbol; /* by address, then name */
        size_t symbol_count;
        struct pdb_proc *proc;
        size_t proc_count, proc_capacity;
        struct pdb_name *by_name; /* type: index into symbol; sorted by name */

        struct msf_stream fpo, new_fpo, strings;
};

/* pdb_open.c: what stands in front */
enum stasis_status pdb_read_info(struct msf *msf, struct stasis_pdb_id *ret_id, uint32_t *ret_names, bool *ret_ids,
                                 struct stasis_error *err) STASIS_MUST_CHECK;
enum stasis_status pdb_read_dbi(struct msf *msf, struct pdb_dbi *ret_dbi, struct stasis_error *err) STASIS_MUST_CHECK;

/* pdb_types.c */
enum stasis_status pdb_types_read(struct pdb *pdb, struct stasis_error *err) STASIS_MUST_CHECK;
/* False: no such type (a simple one, or past the end). */
bool pdb_type(const struct pdb *pdb, uint32_t type, struct pdb_record *ret_record);

/* pdb_ids.c: after the types */
enum stasis_status pdb_ids_check(struct pdb *pdb, struct stasis_error *err) STASIS_MUST_CHECK;

struct pdb_udt {
        bool forward, scoped, is_enum;
        uint32_t fields; /* its LF_FIELDLIST; 0: none */
        uint32_t base;   /* of an enumeration: what it is stored in */
        uint64_t size;
        const char *name;
};
/* A structure, class, union, interface or enumeration; false where the record is none, or cut off. */
bool pdb_udt(const struct pdb_record *record, struct pdb_udt *ret_udt);
/* The definition that a declaration of this name has. */
bool pdb_defined(const struct pdb *pdb, const char *name, size_t len, uint32_t *ret_type);
/* Number of 1 to 8 bytes that begins with a leaf; a negative one as two's complement. */
bool pdb_numeric(struct stasis_cursor *c, uint64_t *ret_value);
/* A terminated text inside the cursor; NULL where it does not end there. */
const char *pdb_text(struct stasis_cursor *c);

/* Up to the name, of what has the kind of a newer compiler; false where that has none. */
bool pdb_udt_head(uint16_t kind, struct stasis_cursor *c);

/* An entry of a field list, as far as we want it. */
struct pdb_field {
        uint16_t kind;
        uint32_t type;
        uint64_t value; /* of a member its place, of an enumerate its value */
        const char *name;
};
/* Up to its name; false: it has none, or is broken (the cursor tells). */
bool pdb_field_head(struct stasis_cursor *c, struct pdb_field *f);

/* pdb_old.c: the types in [at, end) of their stream become what newer compilers write. */
enum stasis_status pdb_old_types(struct pdb *pdb, uint32_t at, uint32_t end,
                                 struct stasis_error *err) STASIS_MUST_CHECK;
/* pdb_hash.c: false where the name has letters that are not judged. */
bool pdb_hash_name(const char *name, uint32_t *ret_hash);

/* pdb_procs.c: into pdb->proc */
enum stasis_status pdb_procs_read(struct pdb *pdb, struct stasis_error *err) STASIS_MUST_CHECK;
/* A text that begins with its length; NULL where it is cut off. */
const char *pdb_counted_text(struct stasis_bytes at, size_t *ret_len);

/* pdb_layout.c */
extern const struct layout_backend layout_pdb;

/* pdb_symbols.c, pdb_frames.c */
enum stasis_status pdb_symbols_read(struct pdb *pdb, struct stasis_error *err) STASIS_MUST_CHECK;
enum stasis_status pdb_frames_read(struct pdb *pdb, struct stasis_error *err) STASIS_MUST_CHECK;

#endif
