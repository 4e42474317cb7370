/* SPDX-License-Identifier: MIT */
/*
 * A program database (PDB) as Microsoft's linkers write it, "MSF 7.00": types, public symbols, frame data, read
 * directly. The file is borrowed, and hostile: whatever of it is read is checked first, and damage is an error that
 * names the stream; nothing is silently empty.
 *
 * Sources of every fact: Microsoft, github.com/microsoft/microsoft-pdb (PDB/msf/msf.cpp, PDB/dbi,
 * langapi/include/ pdb.h, include/cvinfo.h, include/cvexefmt.h), and LLVM's "The PDB File Format" (llvm.org/docs/PDB)
 * with the types of llvm/include/llvm/DebugInfo/PDB/Native/RawTypes.h.
 */
#ifndef STASIS_OS_PDB_H
#define STASIS_OS_PDB_H

#include "layout.h"

struct pdb;

/* Does the file look like one, also of a form that is refused (a compressed name.pd_, PDB 2.00)? */
bool pdb_probe(struct stasis_bytes file);
/*
 * GUID and age of the file, and no more of it read than that: the age is that of the DBI stream, which the linker also
 * writes into the image. STASIS_UNSUPPORTED: a form without GUID, or packed; name is for messages.
 */
enum stasis_status pdb_identify(struct stasis_bytes file, const char *name, struct stasis_pdb_id *ret_id,
                                struct stasis_error *err) STASIS_MUST_CHECK;
/* file is borrowed until the close; name is kept. */
enum stasis_status pdb_open(struct stasis_bytes file, const char *name, struct pdb **ret_pdb,
                            struct stasis_error *err) STASIS_MUST_CHECK;
void pdb_close(struct pdb *pdb); /* NULL is ignored */

/* Its types (structures, enumerations) and symbols as a layout, which dies with it. */
const struct stasis_layout *pdb_layout(const struct pdb *pdb);
const struct stasis_pdb_id *pdb_id(const struct pdb *pdb);

struct pdb_symbol {
        const char *name; /* as the linker knows it: "_KeWaitForSingleObject@20" on x86 */
        uint32_t rva;
        uint32_t flags; /* PDB_CODE ...; PDB_PRIVATE: no public one, its name is the source's */
};
enum { PDB_CODE = 1, PDB_FUNCTION = 2, PDB_MANAGED = 4, PDB_PRIVATE = 0x100 };
/* Symbol number i by address, of one address by name; NULL past the last. */
const struct pdb_symbol *pdb_symbol_at(const struct pdb *pdb, size_t i);
/* The nearest one at or below rva (of several at one address the first); NULL where there is none. */
const struct pdb_symbol *pdb_symbol_below(const struct pdb *pdb, uint64_t rva);
/* By name; of x86 also without the decoration of C ("KeWaitForSingleObject"). */
bool pdb_symbol_rva(const struct pdb *pdb, const char *name, uint32_t *ret_rva);
/* Without the decoration of C: of "_Name", "_Name@12" and "@Name@8" the name; else as it is. For x86 only. */
void pdb_undecorate(const char *name, char *buf, size_t len);

/* What an x86 function does to its frame: FPO_DATA of older linkers, FRAMEDATA of newer ones. */
struct pdb_frame {
        uint32_t rva, len;        /* the code that it speaks of */
        uint32_t locals, params;  /* bytes */
        uint16_t prologue, saved; /* bytes of the prologue; bytes of saved registers */
        bool seh, uses_bp;        /* uses_bp: FPO_DATA only, EBP is allocated by the function */
        uint8_t form;             /* FPO_DATA: 0 FPO, 1 trap, 2 TSS, 3 standard frame; FRAMEDATA: 0 */
        const char *program;      /* FRAMEDATA: how the caller's registers are found; NULL: FPO_DATA, or none */
};
/* The record of the innermost block that holds rva; FRAMEDATA before FPO_DATA. False where there is none. */
bool pdb_frame_at(const struct pdb *pdb, uint64_t rva, struct pdb_frame *ret_frame);

#endif
