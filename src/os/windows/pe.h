/* SPDX-License-Identifier: MIT */
/* A PE image as it lies in memory, read through an address space, page by page, never trusted. */
#ifndef STASIS_OS_WINDOWS_PE_H
#define STASIS_OS_WINDOWS_PE_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "../layout.h"

struct pe_section {
        char name[9];
        uint32_t rva, size, flags;
};

#define PE_SECTIONS_MAX 96

/* What a running kernel keeps where: its variables, its constants, and the rest (code, and what is thrown away after
 * start). */
enum pe_group { PE_WRITABLE, PE_CONSTANT, PE_OTHER };
enum pe_group pe_section_group(const struct pe_section *section);

struct pe_image {
        uint64_t base;
        uint16_t machine;
        bool is64;
        uint32_t timestamp, size, checksum, entry, header_len;
        uint16_t os_major, os_minor; /* of the optional header */
        uint32_t export_rva, export_len, debug_rva, debug_len, resource_rva, resource_len;
        uint32_t exception_rva, exception_len; /* x64: the table of RUNTIME_FUNCTIONs (.pdata) */
        struct pe_section section[PE_SECTIONS_MAX];
        size_t section_count;
        bool pdb_known;
        struct stasis_pdb_id pdb;
        char pdb_name[64];    /* file name only, printable */
        char export_name[64]; /* DLL name of the export directory, "" where not readable */
};

/* Whether [rva, rva+len) lies wholly inside the image. */
static inline bool pe_holds(const struct pe_image *pe, uint64_t rva, uint64_t len)
{
        return rva <= pe->size && len <= pe->size - rva;
}

/* STASIS_ABSENT: not readable; STASIS_CORRUPT: no PE there. A PE whose debug or export data is not there still opens.
 */
enum stasis_status pe_open(struct stasis_space *space, uint64_t base, struct pe_image *ret_pe) STASIS_MUST_CHECK;
/* Address of an export; forwarders and names that are not there: STASIS_ABSENT. */
enum stasis_status pe_export(struct stasis_space *space, const struct pe_image *pe, const char *name,
                             uint64_t *ret_va) STASIS_MUST_CHECK;

/* An export that has a name and lies in the image itself: address and name, both as RVAs. */
struct pe_exported {
        uint32_t rva, name;
};
struct pe_exports {
        struct pe_exported *at; /* by address; of one address in the order of the table, which is that of the names */
        size_t count;
        bool torn; /* some could not be read: what seems to be the nearest one may not be it */
};
/* All of them, in one pass; to be freed also after a failure. STASIS_ABSENT: no table, or not in memory. */
enum stasis_status pe_exports_read(struct stasis_space *space, const struct pe_image *pe,
                                   struct pe_exports *ret_exports) STASIS_MUST_CHECK;
/* The nearest one at or below rva, of several of one address the first; NULL where there is none. */
const struct pe_exported *pe_exports_below(const struct pe_exports *exports, uint64_t rva);
void pe_exports_free(struct pe_exports *exports);

/* One RUNTIME_FUNCTION of x64: a function, or a part of one; places as RVAs. */
struct pe_function {
        uint32_t begin, end, unwind;
};
/*
 * The last entry of the table that begins at or below rva; the caller asks whether it reaches so far. STASIS_ABSENT: no
 * table, or not in memory where it matters; STASIS_CORRUPT: the table knows of none.
 */
enum stasis_status pe_function_below(struct stasis_space *space, const struct pe_image *pe, uint64_t rva,
                                     struct pe_function *ret_function) STASIS_MUST_CHECK;
/* Of a function's part the entry where the function begins: along the chain of its unwind data; statuses as above. */
enum stasis_status pe_function_primary(struct stasis_space *space, const struct pe_image *pe,
                                       const struct pe_function *part,
                                       struct pe_function *ret_function) STASIS_MUST_CHECK;
/* dwFileVersion of VS_FIXEDFILEINFO, by its signature inside the resource directory's range; four numbers. */
enum stasis_status pe_file_version(struct stasis_space *space, const struct pe_image *pe,
                                   uint32_t ret_version[4]) STASIS_MUST_CHECK;

/*
 * The parts of an image that belong to a group, one after the other; part is zeroed at first. Sections may overlap and
 * lie about their size, so that all parts together are cut to PE_PARTS_LEN_MAX, several times what any real kernel has.
 * An image whose section table is not in memory is one part, of every group.
 */
#define PE_PARTS_LEN_MAX (UINT64_C(64) << 20)
struct pe_part {
        uint64_t va, end;
        size_t next;
        uint64_t used;
};
bool pe_next_part(const struct pe_image *pe, enum pe_group group, struct pe_part *part);

#endif
