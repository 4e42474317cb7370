/* SPDX-License-Identifier: MIT */
/* The parts that --symbols is made of: tables of symbols, ELF files, and all of them as one layout. */
#ifndef STASIS_OS_LAYOUT_SYMBOLS_H
#define STASIS_OS_LAYOUT_SYMBOLS_H

#include "../base/bytes.h"
#include "layout_internal.h"

struct symtab_entry {
        const char *name; /* len bytes, not terminated, borrowed from the file */
        uint32_t len, hash;
        uint64_t address;
};

/* Symbols by name: open addressing over entries in the order of the file. */
struct symtab {
        struct stasis_layout layout; /* first */
        struct symtab_entry *entry;
        size_t count, capacity;
        uint32_t *slot; /* number of an entry plus 1; 0 is empty */
        size_t slots;   /* a power of two */
};

#define SYMTAB_MAX (1u << 22) /* symbols of one file; a kernel with every option has under a million */
#define SYMTAB_NAME_MAX 512   /* longer ones are not kept */
#define SYMTAB_PROBES_MAX 256 /* see BTF_PROBES_MAX */
#define SYMBOL_FILES_MAX 16

/* name is kept. NULL where memory is exhausted. */
struct symtab *symtab_new(const char *name, uint8_t pointer_size);
/* False where memory or SYMTAB_MAX is exhausted. */
bool symtab_add(struct symtab *symtab, const char *name, size_t len, uint64_t address) STASIS_MUST_CHECK;
/* After the last one. False where memory is exhausted; else of equal names the first one stays. */
bool symtab_index(struct symtab *symtab) STASIS_MUST_CHECK;
extern const struct layout_backend layout_symtab;

/* Does it look like the lines of System.map or /proc/kallsyms ("c1000000 T _text")? */
bool system_map_probe(struct stasis_bytes bytes);
enum stasis_status system_map_read(struct stasis_bytes bytes, const char *name, struct stasis_layout **ret_layout,
                                   struct stasis_error *err) STASIS_MUST_CHECK;

/* What one file tells; NULL where it does not. */
struct symbol_file {
        struct stasis_layout *types, *symbols;
        struct stasis_bytes build_id; /* of an ELF file that has one */
};

/* The same of file number i of those that a layout came from; an ISF has both in one. False past the last. */
struct layout_file {
        const char *path;
        const struct stasis_layout *types, *symbols;
        struct stasis_bytes build_id;
};
bool layout_symbols_file(const struct stasis_layout *layout, size_t index, struct layout_file *ret_file);

/* An ELF file: .BTF, else DWARF; .symtab. STASIS_ABSENT where it has none of these. */
enum stasis_status elf_symbols_read(struct stasis_bytes bytes, const char *path, struct symbol_file *ret_file,
                                    struct stasis_error *err) STASIS_MUST_CHECK;

/* All of them, by content; a file that is none is STASIS_CORRUPT. bytes are borrowed until what came of them is closed.
 */
enum stasis_status symbol_file_read(struct stasis_bytes bytes, const char *path, struct symbol_file *ret_file,
                                    struct stasis_error *err) STASIS_MUST_CHECK;

#endif
