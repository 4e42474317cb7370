/* SPDX-License-Identifier: MIT */
/*
 * What --symbols gives for a Windows image: PDB files and Volatility 3 ISF files, singly or in folders. Each is asked
 * for by the name, GUID and age that a module's CodeView record names, and one that does not agree in GUID and age is
 * never used.
 *
 * In a folder DIR a PDB is looked for as DIR/NAME, as the symbol store of Microsoft's tools has it
 * (DIR/NAME/GUIDAGE/NAME; two-tiered: DIR/NA/NAME/...), and an ISF as Volatility keeps it (DIR/NAME/GUID-AGE.json.xz,
 * DIR/windows/NAME/...). Letters may be of either case.
 */
#ifndef STASIS_OS_WINDOWS_SYMBOL_FILES_H
#define STASIS_OS_WINDOWS_SYMBOL_FILES_H

#include "../layout.h"
#include "../pdb.h"
#include "../system.h"

struct symbol_files;

/* What there is for one module. */
struct module_symbols {
        const char *path; /* of the file; NULL: none */
        const struct pdb *pdb;
        const struct stasis_layout *layout; /* of the PDB or of the ISF; NULL: none */
};

/* Files that are given singly are opened (a PDB's identity only); one that is neither, or broken, is an error. */
enum stasis_status symbol_files_open(struct stasis_system *system, struct symbol_files **ret_files,
                                     struct stasis_error *err) STASIS_MUST_CHECK;
void symbol_files_close(struct symbol_files *files); /* NULL is ignored */
/*
 * The file of the module with this PDB; read once. What is there and cannot be used (another GUID, damage, packed) is a
 * note, once. files may be NULL.
 */
struct module_symbols symbol_files_find(struct symbol_files *files, const char *name, const struct stasis_pdb_id *id);
/* Files given singly that no module asked for so far, and folders in which nothing was found. */
const char *symbol_files_unused(const struct symbol_files *files, size_t index, bool *ret_folder);
/* "3844DBB920174967BE7AA4A2C20430FA2": GUID and age as a symbol store has them. */
void symbol_store_id(const struct stasis_pdb_id *id, char buf[static 48]);

#endif
