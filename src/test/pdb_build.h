/* SPDX-License-Identifier: MIT */
/*
 * A small PDB, written out by hand: blocks of 512 bytes, streams that lie backwards in the file, and in them what each
 * test wants. Places and numbers are repeated here on purpose, from the same public sources as in src/os/pdb.h.
 */
#ifndef STASIS_TEST_PDB_BUILD_H
#define STASIS_TEST_PDB_BUILD_H

#include <stddef.h>
#include <stdint.h>

#define PDB_BUILD_STREAMS 16
#define PDB_BUILD_STREAM_LEN 4096
#define PDB_BUILD_FILE_LEN 65536

struct pdb_build {
        struct {
                uint8_t at[PDB_BUILD_STREAM_LEN];
                size_t len;
        } stream[PDB_BUILD_STREAMS];
        size_t streams;
        uint8_t file[PDB_BUILD_FILE_LEN];
        size_t len;
};

void pdb_put(struct pdb_build *b, unsigned stream, size_t size, uint64_t value);
void pdb_put_text(struct pdb_build *b, unsigned stream, const char *text); /* with its end */
void pdb_set(struct pdb_build *b, unsigned stream, size_t at, size_t size, uint64_t value);

/*
 * The streams of a PDB of an x86 kernel: 1 the file (GUID 00 01 .. 0f, age 9), 2 types, 3 DBI (age 7), 4 ids, 5 symbol
 * records, 6 publics, 7 globals, 8 section headers, 9 FPO, 10 frame data, 11 "/names", 12 hashes of the types.
 *
 * Types: _LIST_ENTRY of 8 bytes, _THING of 0x40 with members of every kind, enumeration _COLOURS. Publics: _Alpha@8 at
 * 0x1010, @Beta@4 at 0x1040, _Variable at 0x2004, _gone (absolute).
 */
void pdb_build_kernel(struct pdb_build *b);
/* The file, out of the streams; may be called again after streams were changed. */
void pdb_build_finish(struct pdb_build *b);

#endif
